"""CI that can judge nothing here: said before the first model call, with what to do, and exit code 7."""

import os
import sys
from pathlib import Path

import pytest

from autopack.runners import sandbox
from tests.end_to_end.answers import reply, whole_file
from tests.end_to_end.scratch import ONE, Ended, Project, cassette, hello, quick_ci, record

QUICK = quick_ci().replace("profiles:", "preflight: {attempts: 1}\nprofiles:")
GOOD = reply("one", whole_file("src/hello/one.py", "ONE = 1\n"))


def project(tmp_path: Path, ci: str) -> Project:
    tape = cassette([record("one", "builder", call, GOOD) for call in (1, 2)])
    return hello(tmp_path, {"ci.yaml": ci, "playbooks/one.yaml": ONE, "playbooks/one.cassette.jsonl": tape})


def run(made: Project, run_id: str = "r", **variables: str) -> Ended:
    return made.autopack("run", "playbooks/one.yaml", "--run-id", run_id, "--json", **variables)


def ended_unusable(made: Project, ended: Ended, run_id: str = "r") -> str:
    """Why, after nothing was asked or paid for and nothing landed."""
    assert ended.code == 7, ended.err
    told = ended.json
    assert (told["state"], told["failure_reason"]) == ("DONE_FAILED_ENVIRONMENT", "ci_unusable")
    assert (told["model_calls"], told["tokens_used"], told["cost_usd"]) == (0, 0, "0")
    assert made.events(run_id, "ContextAssembled") == []
    assert made.git("rev-parse", f"autonomous/{run_id}") == made.git("rev-parse", "main")
    assert (made.artifacts(run_id) / "incident" / "README.md").exists()
    said = str(told["failure"])
    assert said[:30] in made.autopack("status", run_id).out
    return said


def without(tmp_path: Path, *names: str) -> str:
    """A PATH with links to every command but some."""
    folder = tmp_path / "bin"
    folder.mkdir()
    places = [str(Path(sys.executable).parent), *os.environ["PATH"].split(os.pathsep)]
    for place in filter(os.path.isdir, places):
        for name in os.listdir(place):
            if name not in names and not (folder / name).is_symlink():
                (folder / name).symlink_to(Path(place, name))
    return str(folder)


def test_a_sandbox_that_is_not_installed(tmp_path: Path) -> None:
    made = project(tmp_path, QUICK.replace("profiles:", "sandbox: {kind: bubblewrap}\nprofiles:"))
    said = ended_unusable(made, run(made, PATH=without(tmp_path, "bwrap")))
    assert "bwrap is not installed. Install it (apt install bubblewrap)" in said
    assert "sandbox: {kind: none}" in said


def test_a_sandbox_that_the_system_refuses(tmp_path: Path) -> None:
    folder = without(tmp_path, "bwrap")
    broken = Path(folder, "bwrap")
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n")
    broken.chmod(0o755)
    made = project(tmp_path, QUICK.replace("profiles:", "sandbox: {kind: bubblewrap}\nprofiles:"))
    said = ended_unusable(made, run(made, PATH=folder))
    assert "No permissions to create new namespace" in said
    assert "sysctl kernel.unprivileged_userns_clone=1" in said


def test_a_command_of_ci_that_is_not_there(tmp_path: Path) -> None:
    made = project(tmp_path, QUICK.replace(f'"{sys.executable}"', "no-such-linter"))
    said = ended_unusable(made, run(made))
    assert "CI profile normal can't run on the base commit, so no phase was started" in said
    assert "Install no-such-linter, or correct the step's `run`" in said


def test_a_command_that_was_there_for_the_run_before(tmp_path: Path) -> None:
    """What an earlier run saw on the same commit is not believed when the tool is gone."""
    folder = without(tmp_path, "true")
    tool = Path(folder, "linter")
    tool.symlink_to("/bin/true")
    made = project(tmp_path, quick_ci("linter").replace("profiles:", "preflight: {attempts: 1}\nprofiles:"))
    assert run(made, "before", PATH=folder).json["state"] == "DONE_SUCCESS"
    tool.unlink()
    assert "Install linter" in ended_unusable(made, run(made, PATH=folder))


SETUP = "setup: [{id: deps, run: [python, -S, -c, \"print('no such release'); exit(1)\"], timeout_s: 60}]\nprofiles:"


def test_a_setup_that_fails_before_any_change(tmp_path: Path) -> None:
    made = project(tmp_path, QUICK.replace("profiles:", SETUP))
    said = ended_unusable(made, run(made))
    assert "deps: failed, exit 1" in said
    assert "no such release" in said


def test_a_setup_that_a_phase_may_mend_is_no_obstacle(tmp_path: Path) -> None:
    """A project that begins has nothing to install yet."""
    setup = SETUP.replace("print('no such release'); exit(1)", "open('pyproject.toml')")
    made = project(tmp_path, QUICK.replace("profiles:", setup))
    made.git("rm", "-q", "pyproject.toml")
    made.git("-c", "core.hooksPath=/dev/null", "commit", "-qm", "nothing yet")
    text = (made.root / "playbooks" / "one.yaml").read_text().replace("write: [", "write: [pyproject.toml, ")
    assert "pyproject.toml" in text
    (made.root / "playbooks" / "one.yaml").write_text(text)
    both = reply("one", whole_file("src/hello/one.py", "ONE = 1\n"), whole_file("pyproject.toml", "[project]\n"))
    tape = cassette([record("one", "builder", 1, both)])
    (made.root / "playbooks" / "one.cassette.jsonl").write_text(tape)
    ended = run(made)
    assert ended.json["state"] == "DONE_SUCCESS", ended.err


@pytest.mark.skipif(sandbox.fault(os.environ) is not None, reason="no sandbox can be made here")
def test_a_command_that_the_sandbox_hides(tmp_path: Path) -> None:
    tool = tmp_path / "tools" / "lint"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\nexit 0\n")
    tool.chmod(0o755)
    ci = quick_ci(str(tool)).replace("profiles:", "preflight: {attempts: 1}\nsandbox: {kind: bubblewrap}\nprofiles:")
    made = project(tmp_path, ci)
    assert "sandbox.read" in ended_unusable(made, run(made))
