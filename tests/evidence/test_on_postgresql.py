"""A whole run with PostgreSQL as its store: everything that reads evidence reads it there as well."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import postgres
from tests.end_to_end.scratch import PLAYBOOK, Project, hello, quick_ci, text_of


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    url, why = postgres.server()
    if url is None:
        pytest.skip(why)
    with postgres.database() as found:
        settings = f'{text_of("autopack.yaml").rstrip()}\nbudget: {{tokens: 9_000_000}}\nstore: "{found}"\n'
        yield hello(tmp_path, {"ci.yaml": quick_ci(), "autopack.yaml": settings})


def test_a_run_is_kept_verified_replayed_reported_and_promoted(project: Project):
    for run_id in ("one", "two"):
        ended = project.autopack("run", PLAYBOOK, "--run-id", run_id, "--json")
        assert ended.code == 0, ended.err
    assert not list((project.root / ".autonomous_runs").glob("*.db*"))
    assert [row["run_id"] for row in project.autopack("runs", "--json").json] == ["one", "two"]
    verified = project.autopack("verify", "one", "--json")
    assert (verified.code, verified.json["faults"]) == (0, []), verified.err
    assert project.autopack("replay", "two", "--json").json["difference"] is None
    (entry,) = project.autopack("backlog", "--json").json["issues"]
    assert (entry["age_in_runs"], entry["last_seen_run"]) == (2, "two")
    assert project.autopack("report", "one", "--json").json["total"]["calls"] == 5
    project.git("switch", "-q", "--detach")
    promoted = project.autopack("promote", "one", "--merge")
    assert promoted.code == 0, promoted.err


def test_a_store_with_shares_of_a_budget_is_checked_and_moves_to_sqlite(project: Project):
    ended = project.autopack("run", PLAYBOOK, "--run-id", "one", "--json")
    assert ended.code == 0, ended.err
    there = project.autopack("report", "--budget", "--json")
    assert there.json["project"]["spent_tokens"] == ended.json["tokens_used"]
    checked = project.autopack("store", "check")
    assert (checked.code, checked.out[:20]) == (0, "one: nothing changed")
    assert project.autopack("store", "export", "moved.jsonl").code == 0
    settings = project.root / "autopack.yaml"
    settings.write_text(
        "".join(line for line in settings.read_text().splitlines(keepends=True) if not line.startswith("store:"))
    )
    moved = project.autopack("store", "import", "moved.jsonl")
    assert moved.code == 0, moved.err
    again = project.autopack("store", "check")
    assert (again.code, again.out) == (0, checked.out)
    here = project.autopack("report", "--budget", "--json")
    assert here.json == there.json
