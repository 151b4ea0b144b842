"""`autopack promote`: refused with every reason, and merged without moving anything under anybody's feet."""

import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from tests.end_to_end.scratch import CASSETTE, PLAYBOOK, Project, cassette, hello, quick_ci, record


def away(project: Project) -> None:
    """The base branch is checked out nowhere."""
    project.git("switch", "-q", "--detach")


def commit(project: Project, name: str, text: str) -> None:
    """On main, by somebody else."""
    (project.root / name).write_text(text)
    project.git("add", name)
    project.git("commit", "-q", "-m", f"change {name}")


def test_an_eligible_run_prints_the_text_of_its_pull_request(built: Project):
    """REQ-10.4-1, REQ-10.4-2, REQ-10.4-3."""
    told = built.autopack("promote", "hello-1")
    assert (told.code, told.err) == (0, "")
    assert told.out == (built.artifacts("hello-1") / "promotion.md").read_text()
    assert "# Promote languages (run hello-1) to main" in told.out
    for section in ("What lands", "Evidence", "Open issues", "Cost", "How to check it"):
        assert f"## {section}" in told.out
    assert built.git("rev-parse", "main") == built.git("rev-parse", "autonomous/hello-1~4")


def test_merge_makes_one_commit_on_the_base_branch_and_nothing_else(project: Project):
    away(project)
    before, files = project.git("rev-parse", "main"), project.snapshot()
    told = project.autopack("promote", "hello-1", "--merge", "--json")
    assert told.code == 0, told.err
    after = project.git("rev-parse", "main")
    assert told.json["merged"] == {"commit": after, "made": True, "foreign": 0}
    assert project.git("rev-list", "--parents", "-1", "main").split()[1:] == [
        before,
        project.git("rev-parse", "autonomous/hello-1"),
    ]
    assert project.git("diff", "--stat", "main", "autonomous/hello-1") == ""
    assert project.trailers("main")["Autopack-Promoted"] == "hello-1"
    moved = {".git/refs/heads/main", ".git/logs/refs/heads/main"}
    assert {name for name, facts in project.snapshot().items() if files.get(name) != facts} == moved
    assert project.leftovers() == []
    again = project.autopack("promote", "hello-1", "--merge")
    assert (again.code, again.out) == (0, "main holds the run already; nothing to do\n")
    assert project.git("rev-parse", "main") == after
    assert project.autopack("verify", "hello-1").code == 0


def test_a_base_branch_that_is_checked_out_is_left_alone(project: Project):
    told = project.autopack("promote", "hello-1", "--merge")
    assert told.code == 1
    assert "main is checked out in" in told.err
    assert "git -C" in told.err
    assert project.git("rev-parse", "main") == project.git("rev-parse", "HEAD")
    assert project.git("status", "--porcelain") == ""


def test_a_base_branch_that_is_checked_out_in_a_linked_worktree_is_left_alone(project: Project, tmp_path: Path):
    away(project)
    project.git("worktree", "add", "-q", str(tmp_path / "linked"), "main")
    told = project.autopack("promote", "hello-1", "--merge")
    assert told.code == 1
    assert f"main is checked out in {tmp_path / 'linked'}" in told.err


def test_a_base_that_moved_elsewhere_is_merged_and_said(project: Project):
    commit(project, "NOTES.md", "a thought\n")
    away(project)
    told = project.autopack("promote", "hello-1", "--merge")
    assert told.code == 0, told.err
    assert "main had moved by 1 commits since the run began: let CI see them together" in told.out
    assert project.git("show", "main:NOTES.md") == "a thought"
    assert "Bonjour" in project.git("show", "main:README.md")


def test_a_base_that_changed_the_same_lines_is_refused_with_the_paths(project: Project):
    commit(project, "README.md", "something else entirely\n")
    away(project)
    before = project.git("rev-parse", "main")
    told = project.autopack("promote", "hello-1", "--merge")
    assert told.code == 1
    assert "changes the same lines of README.md" in told.err
    assert "git switch -c promote-hello-1 main && git merge autonomous/hello-1" in told.err
    assert project.git("rev-parse", "main") == before


def test_two_runs_from_one_base_are_promoted_after_each_other(project: Project):
    """Backlog and calibration are the sum of both, not a conflict."""
    assert project.autopack("run", PLAYBOOK, "--run-id", "hello-2").code == 0
    away(project)
    assert project.autopack("promote", "hello-1", "--merge").code == 0
    told = project.autopack("promote", "hello-2", "--merge")
    if told.code == 0:
        backlog = project.git("show", "main:.autopack/project_issue_backlog.json")
        assert '"age_in_runs":2' in backlog
        names = project.git("ls-tree", "--name-only", "main:.autopack/issues").splitlines()
        assert names == ["hello-1", "hello-2"]
    else:  # both wrote the same new files, and a clock is in neither
        assert "changes the same lines of" in told.err
        assert ".autopack" not in told.err


def test_evidence_that_does_not_hold_is_not_promoted(project: Project):
    away(project)
    path = project.artifacts("hello-1") / "events.jsonl"
    path.write_text(path.read_text()[:-20])
    told = project.autopack("promote", "hello-1", "--merge")
    assert told.code == 1
    assert f"the evidence does not hold: artefact: {path}" in told.err
    assert project.git("rev-parse", "main") == project.git("rev-parse", "HEAD")


@pytest.fixture
def failed(tmp_path: Path) -> Project:
    rows = [record("phrasebook", "builder", 1, "I would rather not.")]
    project = hello(tmp_path, {"ci.yaml": quick_ci(), CASSETTE: cassette(rows)})
    assert project.autopack("run", PLAYBOOK, "--run-id", "bad-1").code != 0
    return project


def test_a_run_that_failed_is_refused_and_each_reason_said(failed: Project):
    """REQ-10.4-1."""
    away(failed)
    for words in (["bad-1"], ["bad-1", "--merge"]):
        told = failed.autopack("promote", *words)
        assert (told.code, told.out) == (1, "")
        assert "the run is DONE_FAILED_" in told.err
        assert 'tier "T1" is not clean' in told.err
    assert "Not eligible for promotion:" in (failed.artifacts("bad-1") / "promotion.md").read_text()


# --- the incident pack ---


def test_a_pack_that_was_copied_elsewhere_is_replayed_there(failed: Project, tmp_path: Path):
    """REQ-1.3-2, REQ-1.3-3."""
    there = tmp_path / "another machine"
    subprocess.run(["cp", "-r", str(failed.artifacts("bad-1") / "incident"), str(there)], check=True)
    nowhere = replace(failed, root=tmp_path, repository=tmp_path)
    told = nowhere.autopack("replay", str(there), PATH="/nowhere", AUTOPACK_DEBUG="")
    assert (told.code, told.err) == (0, "")
    assert "run bad-1" in told.out
    assert "equal byte for byte" in told.out
    (there / "README.md").write_text("nothing happened\n")
    told = nowhere.autopack("replay", str(there))
    assert told.code == 1
    assert "README.md:1: this file is not the one that was packed" in told.err


def test_a_pack_holds_no_secret_that_a_reply_held_and_is_replayed(tmp_path: Path):
    secret = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
    rows = [record("phrasebook", "builder", number, f"My token is {secret}.") for number in (1, 2, 3)]
    project = hello(tmp_path, {"ci.yaml": quick_ci(), CASSETTE: cassette(rows)})
    assert project.autopack("run", PLAYBOOK, "--run-id", "bad-1").code != 0
    folder = project.artifacts("bad-1") / "incident"
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert len(files) > 5
    assert [path for path in files if secret in path.read_text()] == []
    again = project.autopack("replay", str(folder), "--json")
    assert again.code == 0, again.err
