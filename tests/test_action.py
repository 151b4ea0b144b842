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
    assert [step["shell"] for step in STEPS.values() if "run" in step] == ["bash"] * 3
    assert ACTION["inputs"]["format"]["default"] == "github"


def test_every_input_is_described_used_and_known() -> None:
    used = set(re.findall(r"\binputs\.([a-z-]+)", (CHECKOUT / "action.yml").read_text()))
    assert used == set(ACTION["inputs"])
    assert all(each["description"] and "default" in each for each in ACTION["inputs"].values())


def test_no_expression_is_written_into_a_script() -> None:
    assert [name for name, step in STEPS.items() if "${{" in step.get("run", "")] == []


def test_it_installs_the_revision_it_came_with() -> None:
    assert '"$GITHUB_ACTION_PATH"' in STEPS["Install autopack"]["run"]


def scratch(folder: Path) -> dict[str, str]:
    """The files a runner keeps for a job, beside its checkout."""
    return {"RUNNER_TEMP": str(folder.parent), "GITHUB_STEP_SUMMARY": str(folder.parent / "summary.md")}


def validate(folder: Path, **inputs: str) -> subprocess.CompletedProcess[str]:
    return step("Validate", folder, {}, inputs)


def step(name: str, folder: Path, known: dict[str, str], inputs: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """One as a runner starts it: variables from its `env`, bash with -e and pipefail. `known` is what GitHub knows."""
    step = STEPS[name]
    defaults = {f"inputs.{name}": each["default"] for name, each in ACTION["inputs"].items()}
    given = known | defaults | {f"inputs.{name.replace('_', '-')}": value for name, value in inputs.items()}
    env = {key: re.sub(r"\$\{\{ ([a-z._-]+) \}\}", lambda m: given[m[1]], v) for key, v in step["env"].items()}
    script = folder.parent / f"{folder.name}.sh"
    script.write_text(step["run"])
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    return subprocess.run(
        ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
        cwd=folder,
        env=os.environ | {"PATH": path, "PYTHONPATH": str(CHECKOUT), "GITHUB_ACTIONS": "true"} | scratch(folder) | env,
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


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=ann", "-c", "user.email=ann@example.com")
    return subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def pull(tmp_path: Path) -> tuple[Path, str]:
    """A checkout as a runner makes it, with one commit of a pull request that widens a scope; and the base."""
    origin = tmp_path / "origin"
    (origin / "playbooks").mkdir(parents=True)
    (origin / "autopack.yaml").write_text(WARNING)
    playbook = origin / "playbooks" / "a.yaml"
    playbook.write_text(PLAYBOOK % (PHASE % "docs"))
    git(origin, "init", "-q", "-b", "main")
    git(origin, "add", ".")
    git(origin, "commit", "-qm", "base")
    base = git(origin, "rev-parse", "HEAD")
    git(origin, "config", "uploadpack.allowAnySHA1InWant", "true")  # as GitHub's servers do
    playbook.write_text(playbook.read_text().replace("docs/**", '"**"'))
    git(origin, "commit", "-qam", "widen")
    git(tmp_path, "clone", "-q", "--depth=1", origin.as_uri(), "checkout")
    return tmp_path / "checkout", base


def test_a_pull_request_s_changes_are_told_in_the_summary(pull: tuple[Path, str]) -> None:
    checkout, base = pull
    done = step("Compare plans", checkout, {"github.event.pull_request.base.sha": base}, {})
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    told = (checkout.parent / "summary.md").read_text()
    assert "### autopack: `playbooks/a.yaml`" in told
    assert "| `phase a` | `write` | `-docs/**, +**`" in told


def test_a_denied_change_fails_the_job_and_is_in_the_summary_all_the_same(pull: tuple[Path, str]) -> None:
    checkout, base = pull
    done = step("Compare plans", checkout, {"github.event.pull_request.base.sha": base}, {"deny": "widen-scope"})
    assert done.returncode == 1
    assert "widen-scope" in (checkout.parent / "summary.md").read_text()


def test_plans_are_compared_only_where_it_is_asked_for_and_there_is_a_base() -> None:
    assert ACTION["inputs"]["diff"]["default"] == "false"
    assert STEPS["Compare plans"]["if"] == "github.event_name == 'pull_request' && inputs.diff == 'true'"
