"""What a plan costs before it says anything: which modules a compile needs."""

import subprocess
import sys
from pathlib import Path

import pytest

import autopack
from tests.spec.marks import phase, playbook
from tests.views import command

SCRIPT = """
import sys
from autopack.__main__ import main
code = main(sys.argv[1:])
print(code, *sys.modules, file=sys.stderr)
"""


def loaded(folder: Path, *words: str) -> set[str]:
    """The modules that a command line has imported by its end."""
    (folder / "p.yaml").write_text(playbook(phase("p0"), phase("p1", "needs: [p0]")), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, *words],
        cwd=folder,
        env={"PYTHONPATH": str(Path(autopack.__file__).parents[1]), "XDG_CACHE_HOME": str(folder / "cache")},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    code, *modules = done.stderr.splitlines()[-1].split()
    assert code == "0"
    return set(modules)


def test_a_plan_is_made_without_the_machine_git_and_a_store(tmp_path: Path) -> None:
    heavy = {"autopack.run", "autopack.runners.git", "autopack.journal.store", "litellm", "sqlalchemy"}
    assert loaded(tmp_path, "plan", "p.yaml", "--jobs", "2") & heavy == set()


def test_a_plan_as_it_is_is_made_without_the_command_line_library(tmp_path: Path) -> None:
    assert "click" not in loaded(tmp_path, "plan", "p.yaml", "-o", "plan.json")


@pytest.mark.parametrize(
    "words", ["p.yaml", "p.yaml -o o.json", "-o o.json p.yaml", "none.yaml", "p.yaml -o .", "p.yaml -o p.yaml", "p p"]
)
def test_with_the_library_it_is_the_same(tmp_path: Path, words: str) -> None:
    (tmp_path / "p.yaml").write_text(playbook(phase("p0"), phase("p1", "needs: [p0]")), encoding="utf-8")
    assert command.run(tmp_path, "plan", *words.split()) == command.run(tmp_path, "plan", *words.split(), "--seed", "1")


def test_a_check_compiles_without_dataclasses_and_without_what_only_a_plan_needs(tmp_path: Path) -> None:
    modules = loaded(tmp_path, "validate", "--no-cache", "p.yaml")
    assert "autopack.plan.budget" in modules
    assert modules & {"autopack.plan.seal", "autopack.plan.canonical", "click", "dataclasses", "jsonschema"} == set()
