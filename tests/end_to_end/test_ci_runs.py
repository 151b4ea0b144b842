"""CI through the whole machine: who may not move a protected branch, whose tests count, what a sandbox shows."""

import os
from pathlib import Path

import pytest

from autopack.runners import sandbox
from tests.end_to_end.answers import changed, reply, whole_file
from tests.end_to_end.scratch import Ended, Project, cassette, hello, quick_ci, record, text_of

PLAYBOOK = """\
autopack: playbook/v1
name: note
tiers:
  - id: T1
    phases:
      - id: note
        category: feature_scaffolding
        goal: Add a note.
        scope: {write: ["src/hello/*.py", "tests/*.py"], read: ["src/**"]}
"""
GOOD = reply("a note", whole_file("src/hello/note.py", 'NOTE = "a note"\n'))
# What a step finds when it looks for the repository that its worktree was made of: moves main on by plain git.
FORGE = """
import os, pathlib, subprocess
if os.path.exists('src/hello/note.py'):
    objects = pathlib.Path('.git/objects/info/alternates').read_text().split()[0]
    git = ['git', '-c', 'user.name=e', '-c', 'user.email=e@localhost', '--git-dir', os.path.dirname(objects)]
    tree = subprocess.run([*git, 'write-tree'], capture_output=True, text=True).stdout.strip()
    blob = subprocess.run([*git, 'hash-object', '-w', '--stdin'], input='evil', capture_output=True, text=True).stdout
    line = f'100644 blob {blob.strip()}\\tevil.py\\n'
    made = subprocess.run([*git, 'mktree'], input=line, capture_output=True, text=True)
    words = [*git, 'commit-tree', made.stdout.strip(), '-p', 'main', '-m', 'harmless']
    new = subprocess.run(words, capture_output=True, text=True).stdout.strip()
    print(subprocess.run([*git, 'update-ref', 'refs/heads/main', new], capture_output=True, text=True))
"""


def run(project: Project, *replies: str) -> Ended:
    tape = project.places / "tape.jsonl"
    tape.parent.mkdir(parents=True, exist_ok=True)
    rows = [record("note", "builder", call, text) for call, text in enumerate(replies, 1)]
    tape.write_text(cassette(rows), encoding="utf-8")
    return project.autopack("run", "playbooks/note.yaml", "--run-id", "one", "--json", "--replay", str(tape))


def test_a_step_that_moves_main_ends_the_run_and_its_phase_does_not_land(tmp_path: Path) -> None:
    """REQ-1.2-3: GOVERNANCE, contract 2."""
    project = hello(tmp_path, {"ci.yaml": quick_ci("python", "-c", FORGE), "playbooks/note.yaml": PLAYBOOK})
    base = project.git("rev-parse", "main")
    ended = run(project, GOOD)
    assert (ended.json["state"], ended.json["failure_reason"]) == ("DONE_FAILED_POLICY_VIOLATION", "protected_ref")
    assert f"while CI of note ran, refs/heads/main was moved from {base}" in ended.json["failure"]
    assert project.git("rev-parse", "autonomous/one") == base


@pytest.mark.skipif(sandbox.fault(os.environ) is not None, reason="no sandbox can be made here")
def test_in_a_sandbox_it_finds_nothing_to_move(tmp_path: Path) -> None:
    walls = "sandbox: {kind: bubblewrap, network: false}\nprofiles:"
    walled = quick_ci("python", "-c", FORGE).replace("profiles:", walls)
    project = hello(tmp_path, {"ci.yaml": walled, "playbooks/note.yaml": PLAYBOOK})
    base = project.git("rev-parse", "main")
    ended = run(project, GOOD)
    assert ended.json["state"] == "DONE_SUCCESS", ended.err
    assert project.git("rev-parse", "main") == base


def test_a_rewritten_test_does_not_hide_that_the_old_one_fails(tmp_path: Path) -> None:
    """The base commit's tests run on the patched code first."""
    project = hello(tmp_path, {"playbooks/note.yaml": PLAYBOOK})
    old = {path: text_of(path) for path in ("src/hello/greeting.py", "tests/test_greeting.py")}
    new = {path: text.replace("Hello, ", "Goodbye, ") for path, text in old.items()}
    assert new["tests/test_greeting.py"] != old["tests/test_greeting.py"]
    ended = run(project, reply("be rude", changed(old, new, list(old))), GOOD)
    assert ended.json["state"] == "DONE_SUCCESS", ended.err
    first, second = project.events("one", "CiFinished")
    assert (first["verdict"], first["selection"]) == ("red", "the base commit's tests")
    assert any(str(name).startswith("tests/test_greeting.py::") for name in first["failing"])  # type: ignore[attr-defined]
    assert second["verdict"] == "green"


def test_a_base_commit_that_is_red_blocks_nobody_and_what_is_new_does(tmp_path: Path) -> None:
    """REQ-10.2-2: and the second run remembers what the first one saw."""
    project = hello(tmp_path, {"playbooks/note.yaml": PLAYBOOK, "requests/test_languages.py": "def test_x(): pass\n"})
    (project.root / "tests" / "test_old.py").write_text("def test_old(): assert False\n", encoding="utf-8")
    project.git("add", "-A")
    project.git("-c", "core.hooksPath=/dev/null", "commit", "-qm", "red")
    worse = reply("a note", whole_file("src/hello/note.py", "NOTE = 1\n"), whole_file("tests/test_note.py", BROKEN))
    ended = run(project, worse, GOOD)
    assert ended.json["state"] == "DONE_SUCCESS", ended.err
    assert [found["failing"] for found in project.events("one", "PreflightFinished")][-1] == 1
    first, second = project.events("one", "CiFinished")
    assert (first["failing"], first["tolerated"]) == (["tests/test_note.py::test_new"], ["tests/test_old.py::test_old"])
    assert (second["verdict"], second["tolerated"]) == ("green", ["tests/test_old.py::test_old"])
    assert list((project.root / ".autonomous_runs" / ".bases").glob("*.json"))


BROKEN = "def test_new(): assert False\n"
