"""`validate` of several files and folders and standard input in one go."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PLAYBOOK = (
    "autopack: playbook/v1\nname: %s\ntiers:\n  - id: T1\n    phases:\n"
    "      - {id: store, goal: Do it., category: %s, scope: {write: [docs/**]}}\n"
)


def test_files_folders_and_standard_input_make_one_verdict(tmp_path: Path):
    (tmp_path / "deep" / "er").mkdir(parents=True)
    (tmp_path / "a.yaml").write_text(PLAYBOOK % ("a", "doks"))
    (tmp_path / "deep" / "b.yml").write_text(PLAYBOOK % ("b", "docs"))
    (tmp_path / "deep" / "er" / "c.yaml").write_text(PLAYBOOK % ("c", "dcos"))
    (tmp_path / "deep" / "theirs.yaml").write_text("somebody: else's\n")
    done = subprocess.run(
        [sys.executable, "-m", "autopack", "validate", "--format=concise", "a.yaml", "deep", "a.yaml", "-"],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        input=PLAYBOOK % ("d", "test"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout == (
        '<stdin>:6:45: error[AP5001]: no category "test" in the ruleset\n'
        'a.yaml:6:45: error[AP5001]: no category "doks" in the ruleset\n'
        'deep/er/c.yaml:6:45: error[AP5001]: no category "dcos" in the ruleset\n'
        "3 errors in 4 files\n"
        "not checked: model reachability, graph, policy and budget of 3 playbooks with errors\n"
    )
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("more", [(), ("--format=sarif",), ("--fix",), ("--diff",)])
def test_a_folder_with_nothing_to_check_does_not_pass_for_a_clean_one(tmp_path: Path, more: tuple[str, ...]):
    (tmp_path / "theirs.yaml").write_text("somebody: else's\n")
    done = subprocess.run(
        [sys.executable, "-m", "autopack", "validate", ".", *more],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    said = "autopack validate: nothing was checked: no file in the folder . starts with `autopack: KIND/v1`\n"
    assert (done.returncode, done.stderr) == (2, said)
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize(
    ("filters", "left_out"),
    [
        (("--ignore=ap1017",), ", 1 finding left out by --codes or --ignore"),
        (("--codes", "ap2,AP3002"), ", 1 finding left out by --codes or --ignore"),
        (("--codes=Ap1", "--ignore=AP101", "--no-color"), ", 1 finding left out by --codes or --ignore"),
        (("--ignore=AP2",), ""),
    ],
)
def test_a_verdict_on_some_codes_says_how_much_it_left_out(tmp_path: Path, filters: tuple[str, ...], left_out: str):
    (tmp_path / "a.yaml").write_text(PLAYBOOK % ("a", "docs") + "meta: {ticket: 012}\n")
    done = subprocess.run(
        [sys.executable, "-m", "autopack", "validate", "--format=concise", "a.yaml", "-", *filters],
        cwd=tmp_path,
        env={**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")},
        input=PLAYBOOK % ("d", "docs"),
        capture_output=True,
        text=True,
        check=False,
    )
    found = "no findings" if left_out else "1 warning"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith(f"{found} in 2 files\nnot checked: model reachability{left_out}\n")
