"""Projects as people write them: nothing is found in any of them, and each playbook can be planned."""

from pathlib import Path

import pytest

from autopack.plan.compiler import compile as compile_spec
from autopack.spec.load import check, load

HERE = Path(__file__).parent
TODAY = "2026-11-22"
PROJECTS = sorted(file.parent.name for file in HERE.glob("*/autopack.yaml"))


@pytest.mark.parametrize("name", PROJECTS)
def test_nothing_is_found_in_it(name: str) -> None:
    found = check(str(HERE / name), today=TODAY)
    assert [(problem.code, problem.span, problem.message) for problem in found.problems] == []
    written = {file.relative_to(HERE / name).as_posix() for file in (HERE / name).rglob("*.y*ml")}
    assert set(found.files) == written, "each file belongs to the project and is judged"


@pytest.mark.parametrize("name", PROJECTS)
def test_each_of_its_playbooks_can_be_planned(name: str) -> None:
    found = check(str(HERE / name), today=TODAY)
    playbooks = [path for path in found.files if found.documents[path].kind == "playbook"]
    assert playbooks
    for path in playbooks:
        spec, problems = load(str(HERE / name), path, today=TODAY)
        assert spec is not None, problems
        plan, problems = compile_spec(spec)
        assert [problem for problem in problems if problem.severity == "error"] == []
        assert plan is not None


def test_there_are_many_of_them() -> None:
    assert len(PROJECTS) >= 30
