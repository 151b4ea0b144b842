"""`autopack replay`: every decision again from the record, and the first difference by its name."""

import json
import shutil
from pathlib import Path

import pytest

from autopack.journal import chain
from autopack.plan import canonical
from tests.end_to_end.scratch import Project

FOLDER = ".autonomous_runs/hello-1"


def test_a_run_is_replayed_from_the_store_with_equal_states(built: Project):
    """REQ-3.5-4."""
    told = built.autopack("replay", "hello-1", "--json").json
    assert (told["run_id"], told["state"], told["difference"]) == ("hello-1", "DONE_SUCCESS", None)
    assert told["events"] == told["compared"] > 20


def test_folder_and_file_tell_what_the_store_tells(built: Project):
    store, folder, file = (
        built.autopack("replay", what, "--json").json for what in ("hello-1", FOLDER, f"{FOLDER}/events.jsonl")
    )
    assert store == folder == file


def test_a_copied_record_is_replayed_where_there_is_no_project_no_git_and_no_network(built: Project, tmp_path: Path):
    """REQ-0.1-2, REQ-3.5-4: plan and answers decide, and nobody else."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("plan.json", "events.jsonl", "run_summary.json"):
        shutil.copy(built.root / FOLDER / name, elsewhere)
    before = sorted(path.name for path in elsewhere.iterdir())
    told = built.autopack("replay", str(elsewhere), PATH="/nowhere", OPENAI_API_KEY="")
    assert (told.code, told.err) == (0, "")
    assert "equal byte for byte; nothing was asked of anybody" in told.out
    assert sorted(path.name for path in elsewhere.iterdir()) == before


def test_a_changed_event_is_named_with_its_line(project: Project):
    path = project.root / FOLDER / "events.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines) if '"type":"CiFinished"' in line)
    lines[number] = lines[number].replace('"executed_tests":', '"executed_tests":1')
    path.write_text("".join(lines))
    told = project.autopack("replay", FOLDER)
    assert told.code == 1
    assert f"events.jsonl:{number + 1}: this event was changed, moved, or one before it was taken away" in told.err


def test_a_decision_that_would_be_made_otherwise_is_named_with_event_and_field(project: Project):
    """REQ-12.0-1: A record that is whole and was made by other rules: here another price, which no event holds."""
    folder = project.root / FOLDER
    plan = json.loads((folder / "plan.json").read_text())
    for model in plan["models"].values():
        model["price"]["input"] = "1000"
    (folder / "plan.json").write_text(canonical.text(plan))
    previous, lines = canonical.digest(plan), []
    for line in (folder / "events.jsonl").read_text().splitlines():
        event = json.loads(line)
        text = {name: chain.body_text(event[name]) for name in ("body", "after")}
        previous = chain.link(previous, event["seq"], event["type"], text["body"], event["at"], text["after"])
        lines.append(chain.body_text({**event, "hash": previous}))
    (folder / "events.jsonl").write_text("\n".join(lines) + "\n")
    told = project.autopack("replay", FOLDER)
    assert told.code == 1
    assert "event 1 (ProvidersProbed), digest of run: recorded" in told.out


@pytest.mark.parametrize(
    ("name", "said"),
    [("nobody", "no run is called nobody"), ("src", "there is no src/plan.json; name a run, its folder")],
)
def test_what_holds_no_record_is_named_with_the_next_step(built: Project, name: str, said: str):
    told = built.autopack("replay", name)
    assert (told.code, said in told.err) == (2, True), told.err
