"""The composite action: read as GitHub reads it, its script run as GitHub runs it."""

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from autopack.problem.report import FORMATS

CHECKOUT = Path(__file__).parent.parent
ACTION: dict[str, Any] = yaml.safe_load((CHECKOUT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step.get("name", step.get("uses")): step for step in ACTION["runs"]["steps"]}
PLAYBOOK = "autopack: playbook/v1\nname: x\ntiers:\n  - id: T1\n    phases:\n      - %s\n"
PHASE = "{id: a, goal: Do it., category: %s, scope: {write: [docs/**]}}"
WARNING = "autopack: project/v1\nname: shop\n"  # its default pattern for playbooks finds none


def test_it_is_composite_and_every_script_says_its_shell() -> None:
    assert ACTION["runs"]["using"] == "composite"
    assert [step["shell"] for step in STEPS.values() if "run" in step] == ["bash", "bash"]
    assert ACTION["inputs"]["format"]["default"] == "github"


def test_every_input_is_described_used_and_known() -> None:
    used = set(re.findall(r"\$\{\{ inputs\.([a-z-]+) \}\}", (CHECKOUT / "action.yml").read_text()))
    assert used == set(ACTION["inputs"])
    assert all(each["description"] and "default" in each for each in ACTION["inputs"].values())


def test_no_expression_is_written_into_a_script() -> None:
    assert [name for name, step in STEPS.items() if "${{" in step.get("run", "")] == []


def test_it_installs_the_revision_it_came_with() -> None:
    assert '"$GITHUB_ACTION_PATH"' in STEPS["Install autopack"]["run"]


def validate(folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    """The step as a runner starts it: variables from its `env`, bash with -e and pipefail."""
    step = STEPS["Validate"]
    given = {name: each["default"] for name, each in ACTION["inputs"].items()} | {
        name.replace("_", "-"): value for name, value in inputs.items()
    }
    env = {key: re.sub(r"\$\{\{ inputs\.([a-z-]+) \}\}", lambda m: given[m[1]], v) for key, v in step["env"].items()}
    script = folder.parent / f"{folder.name}.sh"
    script.write_text(step["run"])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(CHECKOUT), "GITHUB_ACTIONS": "true"} | env,
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_project_in_order_passes_and_one_with_a_fault_fails(tmp_path: Path) -> None:
    (tmp_path / "playbooks").mkdir()
    (tmp_path / "autopack.yaml").write_text(WARNING)
    playbook = tmp_path / "playbooks" / "a.yaml"
    playbook.write_text(PLAYBOOK % (PHASE % "docs"))
    done = validate(tmp_path, format="concise")
    assert (done.returncode, done.stderr) == (0, "")
    playbook.write_text(PLAYBOOK % (PHASE % "docz"))
    done = validate(tmp_path, format="concise")
    assert (done.returncode, done.stderr) == (1, "")
    assert "playbooks/a.yaml:6:41: error[AP5001]" in done.stdout


def test_paths_are_lines_whatever_they_hold(tmp_path: Path) -> None:
    for name, category in (("a b.yaml", "docs"), ("$(touch pwned).yaml", "docz"), ("--version", "docs")):
        (tmp_path / name).write_text(PLAYBOOK % (PHASE % category))
    done = validate(tmp_path, format="concise", paths="a b.yaml\n\n--version\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert "no findings in 2 files" in done.stdout
    done = validate(tmp_path, format="concise", paths="$(touch pwned).yaml")
    assert done.returncode == 1
    assert "$(touch pwned).yaml:6:41: error[AP5001]" in done.stdout
    assert not (tmp_path / "pwned").exists()


def test_the_least_severity_that_fails_is_an_input(tmp_path: Path) -> None:
    (tmp_path / "autopack.yaml").write_text(WARNING + "playbooks: [nowhere/*.yaml]\n")
    assert validate(tmp_path, format="concise").returncode == 0
    assert validate(tmp_path, format="concise", fail_on="warning").returncode == 1


@pytest.mark.skipif("github" not in FORMATS, reason="the format comes with the other formats of findings")
def test_findings_are_annotations_by_default(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(PLAYBOOK % (PHASE % "docz"))
    done = validate(tmp_path, paths="a.yaml")
    assert done.returncode == 1
    assert "::error " in done.stdout
    assert "file=a.yaml" in done.stdout
