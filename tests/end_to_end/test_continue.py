"""A run that a budget stopped, taken up by a new one with a higher cap, through the real command line."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autopack.plan import file
from tests.end_to_end.scratch import CASSETTE, Ended, Project, cassette, hello, quick_ci, replies

CAP = 1_000_000
NEARLY_ALL = 990_000


def _dear(row: dict[str, Any]) -> dict[str, Any]:
    """The phrasebook's audit is billed nearly all that the run may spend."""
    if (row["phase"], row["role"]) == ("phrasebook", "auditor"):
        return row | {"reply": row["reply"] | {"usage": {"input": NEARLY_ALL, "output": 10}}}
    return row


def _stopped(folder: Path) -> tuple[Project, Ended]:
    """A run of the example that lands its first phase and then may pay for no other."""
    project = hello(folder, {"ci.yaml": quick_ci(), CASSETTE: cassette([_dear(row) for row in replies()])})
    frozen = project.root / "plan.json"
    assert project.autopack("plan", "playbooks/languages.yaml", "-o", str(frozen)).code == 0
    told = file.load(frozen.read_text())
    frozen.write_text(file.dump(replace(told, caps=replace(told.caps, tokens=CAP, cost_usd=None))))
    ended = project.autopack("run", str(frozen), "--replay", CASSETTE, "--run-id", "one", "--json")
    return project, ended


@pytest.fixture(scope="module")
def stopped(tmp_path_factory: pytest.TempPathFactory) -> tuple[Project, Ended]:
    return _stopped(tmp_path_factory.mktemp("stopped"))


def test_a_new_run_goes_on_from_what_a_stopped_one_landed(stopped: tuple[Project, Ended]):
    """REQ-9.1-2, REQ-1.3-2: the cap ends the run with an incident pack; more money lands the rest on top of it."""
    project, first = stopped
    assert (first.code, first.json["failure_reason"]) == (5, "token_cap")
    before = project.commits("one")
    assert len(before) == 1

    second = project.autopack("resume", "one", "--budget", f"tokens={CAP},minutes=30", "--json")
    assert (second.code, second.json["state"]) == (0, "DONE_SUCCESS"), second.err
    assert second.json["run_id"] == "one-r1"
    assert "run one-r1 goes on from one: 1 of 4 phases are done" in second.err
    assert second.json["continues"] == {
        "run_id": "one",
        "tokens_used": first.json["tokens_used"],
        "cost_usd": first.json["cost_usd"],
    }
    assert second.json["tokens_used"] < 10_000
    assert project.commits("one-r1")[0] == before[0]
    assert len(project.commits("one-r1")) == 4
    assert project.commits("one") == before
    plan = json.loads((project.artifacts("one-r1") / "plan.json").read_text())
    assert (plan["caps"]["tokens"], plan["caps"]["minutes"]) == (CAP, 30)
    assert "goes on from run one" in (project.artifacts("one-r1") / "run_summary.md").read_text()
    assert "goes on from run one" in project.autopack("status", "one-r1").out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("5", "write CAP=N, with a cap of tokens, cost_usd, minutes, minor_issues"),
        ("token=5", "'token=5': write CAP=N"),
        ("tokens", "tokens=: that is no number"),
        ("tokens=many", "tokens=many: that is no number"),
        ("tokens=0", "tokens=0: a cap is above zero"),
        ("minutes=1.5", "minutes are counted in whole numbers"),
        ("cost_usd=NaN", "a cap is above zero"),
        ("tokens=5,tokens=6", "tokens is given twice"),
    ],
)
def test_a_budget_that_is_none_is_a_usage_error(stopped: tuple[Project, Ended], words: str, said: str):
    project, _ = stopped
    ended = project.autopack("resume", "one", "--budget", words)
    assert ended.code == 2
    assert said in " ".join(ended.err.split())


def test_only_a_run_that_a_budget_ended_can_go_on_under_another(stopped: tuple[Project, Ended], tmp_path: Path):
    other = hello(tmp_path, {"ci.yaml": quick_ci()})
    assert other.autopack("run", "playbooks/languages.yaml", "--run-id", "fine").code == 0
    ended = other.autopack("resume", "fine", "--budget", "tokens=5")
    assert ended.code == 2
    assert "ended in DONE_SUCCESS, which no budget can mend" in ended.err
    project, _ = stopped
    assert project.autopack("resume", "nobody", "--budget", "tokens=5").code == 2
