"""`autopack rerun`: what an earlier run landed is taken over as long as nothing has changed; the rest says why not."""

from pathlib import Path

import pytest

from tests.end_to_end import scratch
from tests.end_to_end.scratch import PLAYBOOK, Project, hello


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    project = hello(tmp_path_factory.mktemp("rerun"))
    assert project.autopack("run", PLAYBOOK, "--run-id", "one").code == 0
    return project


def kinds(out: str) -> dict[str, str]:
    rows = [line.split() for line in out.splitlines()[2:] if line and not line.startswith((" ", "nothing"))]
    return {row[1]: row[0] for row in rows}


def changed(project: Project, old: str, new: str) -> None:
    text = (project.root / PLAYBOOK).read_text()
    assert old in text
    (project.root / PLAYBOOK).write_text(text.replace(old, new))


def test_a_run_that_still_holds_has_nothing_to_run_again(built: Project):
    done = built.autopack("rerun", "one")
    assert done.code == 0
    assert done.out.startswith("rerun of one: 4 carried\n")
    assert "nothing to run: all that one completed still holds" in done.out


def test_a_change_is_told_by_field_and_json_has_the_same(built: Project):
    before = (built.root / PLAYBOOK).read_text()
    changed(built, "Let greet() take", "Let the greeting take")
    try:
        said = built.autopack("rerun", "one", "--dry-run")
        found = built.autopack("rerun", "one", "--dry-run", "--json").json
    finally:
        (built.root / PLAYBOOK).write_text(before)
    assert kinds(said.out) == {"phrasebook": "carried", "greet": "run", "suite": "run", "readme": "run"}
    assert "    phase greet: goal changed: Let greet() take" in said.out
    assert "needs greet, which is not taken over" in said.out
    assert [(p["phase_id"], p["kind"]) for p in found["phases"]][:2] == [("phrasebook", "carried"), ("greet", "run")]
    assert [c["field"] for c in found["phases"][1]["changes"]] == ["goal"]


def test_what_is_selected_runs_on_top_of_what_is_taken_over(built: Project):
    done = built.autopack("rerun", "one", "--select", "tier:T2", "--json")
    assert done.code == 0
    assert {p["phase_id"]: p["attempts"] for p in done.json["phases"]} == {
        "phrasebook": 0,
        "greet": 0,
        "suite": 1,
        "readme": 1,
    }
    assert (done.json["run_id"], done.json["model_calls"]) == ("one-r1", 2)
    assert "run      suite       -             selected" in done.err


def test_what_can_not_be_run_again_says_why(built: Project):
    assert built.autopack("rerun", "two").code == 2
    unknown = built.autopack("rerun", "one", "-s", "sutie")
    assert (unknown.code, unknown.out) == (2, "")
    assert "did you mean `suite`?" in unknown.err


def test_failed_runs_only_what_did_not_complete(tmp_path: Path):
    kept = [row for row in scratch.replies() if row["phase"] != "readme"]
    project = hello(tmp_path, {scratch.CASSETTE: scratch.cassette(kept)})
    assert project.autopack("run", PLAYBOOK, "--run-id", "one").code != 0
    changed(project, "Let greet() take", "Let the greeting take")
    said = project.autopack("rerun", "one", "--failed", "--dry-run")
    found = kinds(said.out)
    assert (found["phrasebook"], found["greet"], found["readme"]) == ("carried", "carried", "run")
    assert "complete, and kept although it has changed" in said.out
    full = project.root / "full.jsonl"
    full.write_text(scratch.cassette(scratch.replies()))
    done = project.autopack("rerun", "one", "--failed", "--replay", str(full), "--json")
    assert done.code == 0, done.err
    assert {p["phase_id"]: p["state"] for p in done.json["phases"]}["readme"] == "COMPLETE"


def test_what_runs_have_left_counts_on_both_sides_of_a_comparison(built: Project):
    """Issues and calibration are of today; a revision changes what is written, not what is known."""
    assert built.autopack("diff", "HEAD").out == "playbooks/languages.yaml: no difference\n"
    assert "no phase has changed" in built.autopack("plan", PLAYBOOK, "--state", "HEAD").out
