"""A playbook with more phases than a run may have: several runs, each from what the one before has landed."""

import json
from pathlib import Path

from tests.end_to_end import scratch
from tests.end_to_end.scratch import Project, hello, quick_ci

PLAYBOOK = "playbooks/languages.yaml"


def short_runs(folder: Path, **files: str) -> Project:
    text = scratch.text_of(PLAYBOOK).replace("budget: {tokens:", "budget: {phases: 2, tokens:")
    return hello(folder, {PLAYBOOK: text, "ci.yaml": quick_ci(), **files})


def test_each_run_starts_from_what_the_one_before_has_landed(tmp_path: Path):
    project = short_runs(tmp_path)
    ended = project.autopack("run", PLAYBOOK, "--run-id", "long", "--json")
    assert ended.code == 0, ended.err
    one, two = ended.json["runs"]
    assert (ended.json["state"], ended.json["not_started"]) == ("DONE_SUCCESS", [])
    assert [[phase["phase_id"] for phase in run["phases"]] for run in (one, two)] == [
        ["phrasebook", "greet"],
        ["suite", "readme"],
    ]
    assert (one["run_id"], two["run_id"]) == ("long-1", "long-2")
    assert project.git("rev-list", "--count", "main..autonomous/long-1") == "2"
    assert project.git("rev-list", "--count", "main..autonomous/long-2") == "4"
    assert project.git("merge-base", "autonomous/long-1", "autonomous/long-2") == one["head"]
    assert json.loads(project.autopack("status", "long", "--json").out) == ended.json
    assert "long-2" in project.autopack("status", "long").out
    again = project.autopack("resume", "long", "--json")
    assert (again.code, again.json) == (0, ended.json)
    taken = project.autopack("run", PLAYBOOK, "--run-id", "long")
    assert (taken.code, "runs called long exist already" in taken.err) == (2, True)


def test_a_series_is_watched_from_its_first_run_to_its_last(tmp_path: Path):
    project = short_runs(tmp_path)
    with project.driving("run", PLAYBOOK, "--run-id", "long"):
        scratch.eventually((project.root / ".autonomous_runs/long/series.json").exists, "the series is known")
        watched = project.autopack("status", "long", "--watch", "--json")
    said = watched.err.splitlines()
    assert watched.code == 0
    assert [line.partition(",")[0] for line in said if line.startswith("run ")] == [
        "run long-1: DONE_SUCCESS",
        "run long-2: DONE_SUCCESS",
    ]
    assert (watched.json["state"], len(watched.json["runs"])) == ("DONE_SUCCESS", 2)


def test_the_first_run_that_fails_is_the_last_and_the_others_are_named(tmp_path: Path):
    project = short_runs(tmp_path, **{"ci.yaml": quick_ci("python", "-S", "-c", "raise SystemExit(1)")})
    ended = project.autopack("run", PLAYBOOK, "--run-id", "long", "--json")
    assert ended.code == 7, "the cassette holds no reply to a second attempt"
    assert ended.json["not_started"] == ["long-2"]
    assert [run["state"] for run in ended.json["runs"]] == [ended.json["state"]]
    assert ended.json["state"].startswith("DONE_FAILED")


def test_a_committed_plan_of_several_runs_is_executed_as_it_stands(tmp_path: Path):
    project = short_runs(tmp_path)
    assert project.autopack("plan", PLAYBOOK, "-o", "plan.json").code == 0
    (project.root / PLAYBOOK).write_text("not: a playbook any more\n", encoding="utf-8")
    ended = project.autopack(
        "run", "plan.json", "--run-id", "long", "--json", "--replay", "playbooks/languages.cassette.jsonl"
    )
    assert (ended.code, [run["state"] for run in ended.json["runs"]]) == (0, ["DONE_SUCCESS"] * 2), ended.err
