"""The hooks, run by pre-commit itself: those that `init` writes, in a repository of their own, and our manifest.

What is not shown: that pre-commit installs autopack from this repository (`language: python`). That takes an index with
all it depends on, and tests have no network; `test_install.py` shows that a wheel of it works elsewhere.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
FAULT = ("category: docs", "category: docz")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """As `init` leaves it, in a new repository, with everything staged."""
    folder = tmp_path / "shop"
    subprocess.run([sys.executable, "-m", "autopack", "init", str(folder)], check=True, capture_output=True)
    (tmp_path / "bin").mkdir()
    launcher = tmp_path / "bin" / "autopack"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m autopack "$@"\n')
    launcher.chmod(0o755)
    subprocess.run(["git", "init", "-q", "-b", "main", str(folder)], check=True)
    stage(folder)
    return folder


def stage(folder: Path) -> None:
    subprocess.run(["git", "-C", str(folder), "add", "--all"], check=True)


def pre_commit(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    path = f"{folder.parent / 'bin'}{os.pathsep}{os.environ['PATH']}"
    own = {"PATH": path, "PYTHONPATH": str(CHECKOUT), "PRE_COMMIT_HOME": str(folder.parent / "kept")}
    command = [sys.executable, "-m", "pre_commit", *words, "--color=never"]
    return subprocess.run(command, cwd=folder, env=os.environ | own, capture_output=True, text=True, check=False)


def test_the_hooks_that_init_writes_pass_in_the_project_it_writes(project: Path) -> None:
    done = pre_commit(project, "run", "--all-files")
    results = [(line.partition("...")[0], line.endswith("...Passed")) for line in done.stdout.splitlines()]
    assert (done.returncode, results) == (0, [("autopack validate", True), ("autopack rehearse", True)])


def test_a_staged_fault_is_refused_with_its_place(project: Path) -> None:
    playbook = project / "playbooks" / "first.yaml"
    playbook.write_text(playbook.read_text().replace(*FAULT))
    stage(project)
    done = pre_commit(project, "run")
    assert done.returncode == 1
    assert "playbooks/first.yaml:12:19: error[AP5001]" in done.stdout


def test_a_change_of_nothing_that_is_yaml_runs_no_hook(project: Path) -> None:
    git = ["git", "-C", str(project), "-c", "user.name=ann", "-c", "user.email=ann@example.com"]
    subprocess.run([*git, "commit", "-qm", "x"], check=True)
    (project / "README.md").write_text("# Shop\n")
    stage(project)
    done = pre_commit(project, "run")
    assert done.returncode == 0
    assert [line.endswith("(no files to check)Skipped") for line in done.stdout.splitlines()] == [True, True]


def test_the_manifest_of_this_repository_is_one(project: Path) -> None:
    manifest = str(CHECKOUT / ".pre-commit-hooks.yaml")
    command = [sys.executable, "-m", "pre_commit", "validate-manifest", manifest]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
