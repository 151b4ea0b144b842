"""Completion, as each shell asks for it: through the variables that its script sets."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autopack.problem.codes import CODES

PROJECT = "autopack: project/v1\nname: shop\nplaybooks: [playbooks/*.yaml]\nenvironments: {nightly: {}, slow: {}}\n"
PLAYBOOK = """\
autopack: playbook/v1
name: limits
description: Token buckets.
inputs: {service: {type: string, default: orders}}
tiers:
  - id: T
    phases:
      - {id: store, goal: g, category: docs, scope: {write: [a]}, for_each: [pg, sqlite]}
      - {id: routes, name: All routes, goal: g, category: docs, scope: {write: [a]}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "autopack.yaml").write_text(PROJECT)
    (tmp_path / "playbooks/limits.yaml").write_text(PLAYBOOK)
    (tmp_path / "playbooks/other.yaml").write_text(PLAYBOOK.replace("name: limits", "name: other"))
    return tmp_path


def completed(folder: Path, line: str) -> list[str]:
    """What fish is told, which asks for words and what is said about them; the last word is being written."""
    words = line.split(" ")
    env = {**os.environ, "_AUTOPACK_COMPLETE": "fish_complete", "COMP_WORDS": line, "COMP_CWORD": words[-1]}
    argv = [sys.executable, "-c", "import sys; from autopack.__main__ import main; sys.exit(main([]))"]
    done = subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return [told.split(",", 1)[-1] for told in done.stdout.splitlines() if told]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("autopack vali", ["validate\tCheck specs: every problem, at the exact token."]),
        ("autopack plan playbooks/l", ["playbooks/limits.yaml\tToken buckets."]),
        ("autopack run nowhere/x", ["nowhere/x"]),
        ("autopack show playbooks/limits.yaml st", ["store", "store.pg", "store.sqlite"]),
        ("autopack show playbooks/limits.yaml r", ["routes\tAll routes"]),
        ("autopack plan playbooks/limits.yaml --input s", ["service="]),
        ("autopack plan playbooks/limits.yaml --env n", ["nightly"]),
        ("autopack explain AP3003", [f"AP3003\t{CODES['AP3003'].title}"]),
        ("autopack validate --ignore AP1001,AP3003", [f"AP1001,AP3003\t{CODES['AP3003'].title}"]),
        ("autopack schema sc", ["scenario"]),
        ("autopack status x", []),
        ("autopack validate --format s", ["sarif"]),
    ],
)
def test_words_come_from_the_project(shop: Path, line: str, words: list[str]) -> None:
    assert completed(shop, line) == words


def test_a_project_that_can_not_be_read_completes_nothing(shop: Path) -> None:
    (shop / "autopack.yaml").write_text("autopack: [\n")
    (shop / "playbooks/limits.yaml").write_text("tiers: 5\ninputs: x\n")
    assert completed(shop, "autopack plan playbooks/limits.yaml --env n") == []
    assert completed(shop, "autopack show playbooks/limits.yaml s") == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_gets_a_script_that_it_can_read(shell: str) -> None:
    env = {**os.environ, "_AUTOPACK_COMPLETE": f"{shell}_source"}
    argv = [sys.executable, "-c", "import sys; from autopack.__main__ import main; sys.exit(main([]))"]
    script = subprocess.run(argv, env=env, capture_output=True, text=True, check=True).stdout
    assert f"_AUTOPACK_COMPLETE={shell}_complete" in script
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not here to read it")
    done = subprocess.run([shell, "-n"], input=script, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_bash_completes_with_the_script(shop: Path) -> None:
    launcher = shop / "bin/autopack"
    launcher.parent.mkdir()
    root = Path(__file__).parent.parent.parent
    launcher.write_text(f'#!/bin/sh\nPYTHONPATH="{root}" exec "{sys.executable}" -m autopack "$@"\n')
    launcher.chmod(0o755)
    asked = (
        'eval "$(_AUTOPACK_COMPLETE=bash_source autopack)"\n'
        "COMP_WORDS=(autopack plan playbooks/o) COMP_CWORD=2\n"
        "_autopack_completion autopack\n"
        'printf "%s\\n" "${COMPREPLY[@]}"\n'
    )
    env = {**os.environ, "PATH": f"{launcher.parent}:{os.environ['PATH']}"}
    done = subprocess.run(["bash", "-c", asked], cwd=shop, env=env, capture_output=True, text=True, check=False)
    assert done.stdout == "playbooks/other.yaml\n"
