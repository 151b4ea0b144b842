"""The promotion workflow: read as GitHub reads it, its scripts run as GitHub runs them, with a stand-in for `gh`."""

import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.end_to_end.scratch import CHECKOUT, PLAYBOOK, Project, hello, quick_ci

PATH = CHECKOUT / "examples" / "github" / "promote.yml"
FLOW: dict[str, Any] = yaml.safe_load(PATH.read_text(encoding="utf-8"))
JOBS: dict[str, Any] = FLOW["jobs"]
CONTEXT = {
    "inputs.playbook": PLAYBOOK,
    "github.run_id": "7",
    "github.run_attempt": "1",
    "github.ref_name": "main",
    "github.head_ref": "autonomous/gh-7-1",
    "secrets.OPENAI_API_KEY": "",
    "github.token": "",
}


def script(job: str, name: str) -> str:
    return next(step["run"] for step in JOBS[job]["steps"] if step.get("name") == name)


def environ(job: str, name: str) -> dict[str, str]:
    step = next(step for step in JOBS[job]["steps"] if step.get("name") == name)
    given = {**JOBS[job].get("env", {}), **step.get("env", {})}
    return {key: re.sub(r"\$\{\{ ([\w.]+) \}\}", lambda found: CONTEXT[found[1]], word) for key, word in given.items()}


def test_no_expression_is_written_into_a_script():
    scripts = [step["run"] for job in JOBS.values() for step in job["steps"] if "run" in step]
    assert len(scripts) == 6
    assert [words for words in scripts if "${{" in words] == []


def test_what_it_may_do_is_said_and_only_the_build_may_push():
    assert FLOW["permissions"] == {"contents": "read"}
    assert JOBS["build"]["permissions"] == {"contents": "write", "pull-requests": "write"}
    assert "permissions" not in JOBS["verify"]
    assert "--merge" not in PATH.read_text()


def test_actions_are_pinned_to_commits_and_leave_no_token_where_the_builds_tests_could_read_it():
    used = [step for job in JOBS.values() for step in job["steps"] if "uses" in step]
    assert len(used) == 5
    assert [step["uses"] for step in used if not re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])] == []
    checkouts = [step["with"] for step in used if step["uses"].startswith("actions/checkout@")]
    assert [given["persist-credentials"] for given in checkouts] == [False, False]
    assert [step["name"] for step in JOBS["build"]["steps"] if "GH_TOKEN" in step.get("env", {})] == ["Propose"]


def test_autopack_comes_from_where_the_repository_says_and_never_from_an_index_by_its_bare_name(tmp_path: Path):
    """No package index has it under that name: whoever takes the name would be run."""
    assert FLOW["env"] == {"AUTOPACK": "${{ vars.AUTOPACK }}"}
    stand_in = tmp_path / "python"
    stand_in.write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    stand_in.chmod(0o755)
    for job in JOBS:
        argv = ["bash", "-e", "-c", script(job, "Install autopack")]
        place = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
        source = "git+https://example.org/us/autopack@0123456789abcdef0123456789abcdef01234567"
        done = subprocess.run(argv, env=place | {"AUTOPACK": source}, capture_output=True, text=True, check=True)
        assert done.stdout.split() == ["-m", "pip", "install", "--quiet", source]
        refused = subprocess.run(argv, env=place | {"AUTOPACK": ""}, capture_output=True, text=True, check=False)
        assert refused.returncode != 0
        assert "set the repository variable AUTOPACK" in refused.stderr


@pytest.fixture
def runner(tmp_path: Path) -> Project:
    """A clone with an origin, and on its PATH autopack and a `gh` that writes down what it was asked."""
    project = hello(tmp_path, {"ci.yaml": quick_ci()})
    project.git("init", "-q", "--bare", str(tmp_path / "origin.git"))
    project.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    project.git("push", "-q", "origin", "main")
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "autopack").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m autopack "$@"\n')
    (programs / "gh").write_text('#!/bin/sh\nprintf "%s\\n" "$@" >gh-was-asked\n')
    for program in programs.iterdir():
        program.chmod(0o755)
    return replace(project, variables={"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"})


def step(project: Project, job: str, name: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", "-c", script(job, name)],
        cwd=project.root,
        env=project.environ | environ(job, name),
        capture_output=True,
        text=True,
        check=False,
    )


def test_its_commands_run_verify_and_propose_and_the_clone_verifies(runner: Project, tmp_path: Path):
    for name in ("Run", "Check", "Propose"):
        done = step(runner, "build", name)
        assert done.returncode == 0, f"{name}: {done.stderr}"
    asked = (runner.root / "gh-was-asked").read_text().splitlines()
    assert asked[:6] == ["pr", "create", "--base", "main", "--head", "autonomous/gh-7-1"]
    assert (runner.root / "promotion.md").read_text().startswith("# Promote languages (run gh-7-1) to main")
    runner.git("clone", "-q", "-b", "autonomous/gh-7-1", str(tmp_path / "origin.git"), str(tmp_path / "clone"))
    clone = Project(tmp_path / "clone", tmp_path / "clone", tmp_path / "others", runner.variables)
    done = step(clone, "verify", "Verify")
    assert (done.returncode, done.stderr) == (0, "")
    assert "run gh-7-1: nothing changed" in done.stdout


def test_a_run_that_may_not_be_promoted_proposes_nothing(runner: Project):
    assert step(runner, "build", "Check").returncode != 0
    assert not (runner.root / "gh-was-asked").exists()
