"""A protected branch that moves while foreign code runs: whose doing it was, by real git."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from autopack.plan.model import Plan, Profile
from autopack.runners import git
from autopack.runners.protection import Protection
from tests.run.story import phase, plan

NORMAL, WALLED = Profile("normal", (), ()), Profile("normal", (), (), sandbox="bubblewrap")
WHO = ["-c", "user.name=ann", "-c", "user.email=ann@localhost", "-c", "core.hooksPath=/dev/null"]
CODE = "def greet(name):\n    return f'hello {name}, this is more than sixty bytes of code'\n"


class Project:
    def __init__(self, root: Path, home: Path) -> None:
        self.root = root
        self.git("init", "-q", "-b", "main", str(root))
        (root / "a.py").write_text("x = 1\n")
        self.commit("one")
        self.base = self.head()
        told: Plan = plan(phase("a"), base_commit=self.base)
        self.repository = git.open_repository(root, home=home)
        self.protection = Protection(told, "run-1", self.repository)
        tree = self.repository.write_tree(self.base, {"greet.py": git.FileChange(CODE.encode(), "100644")})
        who = git.Identity("autopack", "autopack@localhost")
        self.candidate = self.repository.commit(tree, [self.base], "Candidate\n\nAutopack-Run: run-1\n", 1, who)
        self.before = self.protection.seen()

    def git(self, *words: str, **variables: str) -> str:
        done = subprocess.run(
            ["git", *WHO, *words], cwd=self.root, capture_output=True, text=True, check=True, env=os.environ | variables
        )
        return done.stdout.strip()

    def commit(self, message: str) -> None:
        self.git("add", "-A")
        self.git("commit", "-qm", message)

    def head(self) -> str:
        return self.git("rev-parse", "main")

    def judged(self, profile: Profile = NORMAL) -> tuple[str, list[str]]:
        guilty, issues = self.protection.judged(self.before, "a", self.candidate, profile)
        return guilty, [issue.severity for issue in issues]


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    (tmp_path / "repo").mkdir()
    made = Project(tmp_path / "repo", tmp_path / "home")
    with made.repository:
        yield made


def test_a_branch_that_nobody_moved_is_no_matter(project: Project) -> None:
    assert project.judged() == ("", [])


def test_a_persons_commit_is_told_and_not_judged(project: Project) -> None:
    (project.root / "b.py").write_text("y = 2\n")
    project.commit("two")
    assert project.judged() == ("", ["major"])


def test_a_persons_merge_from_elsewhere_is_told_and_not_judged(project: Project, tmp_path: Path) -> None:
    project.git("clone", "-q", str(project.root), str(tmp_path / "other"))
    (tmp_path / "other" / "b.py").write_text("y = 2\n")
    subprocess.run(["git", *WHO, "add", "-A"], cwd=tmp_path / "other", check=True)
    subprocess.run(["git", *WHO, "commit", "-qm", "two"], cwd=tmp_path / "other", check=True)
    project.git("pull", "-q", str(tmp_path / "other"), "main")
    assert project.judged() == ("", ["major"])


def test_inside_a_sandbox_it_can_only_have_been_somebody_else(project: Project) -> None:
    (project.root / "b.py").write_text("y = 2\n")
    project.commit("two")
    assert project.judged(WALLED) == ("", [])


def forge(project: Project) -> str:
    """A foreign commit on top of main that no branch holds."""
    (project.root / ".git" / "evil").write_text("evil\n")
    blob = project.git("hash-object", "-w", ".git/evil")
    index = {"GIT_INDEX_FILE": str(project.root / ".git" / "evil-index")}
    project.git("read-tree", "main", **index)
    project.git("update-index", "--add", "--cacheinfo", f"100644,{blob},evil.py", **index)
    tree = project.git("write-tree", **index)
    return project.git("commit-tree", tree, "-p", "main", "-m", "harmless")


@pytest.mark.parametrize("how", ["update-ref", "file"])
def test_a_forged_move_forward_is_the_runs_doing(project: Project, how: str) -> None:
    new = forge(project)
    if how == "update-ref":
        project.git("update-ref", "refs/heads/main", new)
    else:
        (project.root / ".git" / "refs" / "heads" / "main").write_text(new + "\n")
    guilty, issues = project.judged()
    assert f"while CI of a ran, refs/heads/main was moved from {project.base} to {new}" in guilty
    assert issues == []


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("delete", "was deleted"),
        ("rewrite", "which is not forward"),
        ("candidate", "holds a commit of this run"),
        ("content", "which holds what this run wrote"),
    ],
)
def test_what_only_the_run_can_have_done_is_its_doing(project: Project, what: str, words: str) -> None:
    if what == "delete":
        project.git("checkout", "-q", "--detach")
        project.git("branch", "-D", "main")
    elif what == "rewrite":
        project.git("commit", "-q", "--amend", "-m", "another")
    elif what == "candidate":
        project.git("reset", "-q", "--hard", project.candidate)
    else:
        (project.root / "greet.py").write_text(CODE)
        project.commit("mine, honestly")
    assert words in project.judged()[0]


REWRITES = {
    "config": lambda git: (git / "config").write_text(
        (git / "config").read_text() + "[core]\n\tfsmonitor = /tmp/evil\n"
    ),
    "hooks/post-checkout": lambda git: (_made(git / "hooks") / "post-checkout").write_text("#!/bin/sh\n"),
    "info/attributes": lambda git: (_made(git / "info") / "attributes").write_text("* filter=evil\n"),
}


def _made(folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return folder


@pytest.mark.parametrize("name", REWRITES)
def test_what_would_run_at_a_persons_next_command_is_told(project: Project, name: str) -> None:
    """Without a sandbox a step can write there; whoever did, a person should look at it before they promote."""
    REWRITES[name](project.root / ".git")
    guilty, issues = project.protection.judged(project.before, "a", project.candidate, NORMAL)
    assert guilty == ""
    assert [(issue.issue_key, issue.severity) for issue in issues] == [(f"policy__{name}__written_during_ci", "major")]
    assert project.judged(WALLED) == ("", [])


def test_branches_and_remotes_that_a_person_makes_meanwhile_are_no_matter(project: Project) -> None:
    project.git("remote", "add", "origin", "https://localhost/x")
    project.git("branch", "topic")
    project.git("config", "branch.topic.remote", "origin")
    assert project.judged() == ("", [])
    project.git("config", "remote.origin.uploadpack", "/tmp/evil")
    assert project.judged()[1] == ["major"]
