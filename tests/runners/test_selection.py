"""How a step is told which tests to run."""

from pathlib import Path

import pytest

from autopack.plan.model import Step
from autopack.runners.ci.selection import EVERYTHING, Selection, narrowed

ONE = Selection(("tests/test_a.py",), "1 of 2")


@pytest.mark.parametrize(
    ("run", "limited"),
    [
        (["pytest", "-q"], ["pytest", "-q", "tests/test_a.py"]),
        (
            ["python", "-m", "pytest", "-m", "tests", "tests"],
            ["python", "-m", "pytest", "-m", "tests", "tests/test_a.py"],
        ),
        (["python", "-m", "pytest", "other"], ["python", "-m", "pytest", "other"]),
        (["nose", "{affected}", "-v"], ["nose", "tests/test_a.py", "-v"]),
        (["make", "test"], ["make", "test"]),
    ],
    ids=["appended", "in place of its paths", "nothing of it inside", "placeholder", "takes none"],
)
def test_the_paths_go_where_the_command_takes_them(tmp_path: Path, run: list[str], limited: list[str]) -> None:
    for folder in ("tests", "other"):
        (tmp_path / folder).mkdir()
    assert narrowed(Step("unit", tuple(run), 60, affected=True), ONE, str(tmp_path)) == limited


def test_a_step_that_always_runs_whole_does(tmp_path: Path) -> None:
    assert narrowed(Step("unit", ("pytest",), 60), ONE, str(tmp_path)) == ["pytest"]
    placed = Step("unit", ("nose", "{affected}"), 60)
    assert narrowed(placed, ONE, str(tmp_path)) == ["nose"]
    assert narrowed(placed, EVERYTHING, str(tmp_path)) == ["nose"]
