"""`report`, `issues`, `backlog`, `store`: what happened and what it cost, for people at 80 columns and for programs."""

import json
import sqlite3
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from autopack.journal import dump
from autopack.journal.store import open_store
from autopack.plan.price import Usage
from autopack.run import issues
from autopack.run.promotion import debt_status, eligible, obstacles
from autopack.views import report_text, reporting
from tests import postgres
from tests.end_to_end import scratch
from tests.end_to_end.scratch import PLAYBOOK, Project, hello, quick_ci
from tests.run.story import Story, phase, plan


def test_costs_are_summed_by_phase_tier_category_model_and_role(built: Project):
    """REQ-11.2-1, REQ-11.2-2."""
    told = built.autopack("report", "hello-1", "--json").json
    total = Decimal(told["total"]["cost_usd"])
    assert told["total"]["calls"] == 5
    assert total == sum(Decimal(each["spent"]["cost_usd"]) for each in told["phases"])
    assert set(told["by"]) == {"tier", "category", "model", "role", "outcome"}
    for name, sums in told["by"].items():
        assert total == sum(Decimal(each["cost_usd"]) for each in sums.values()), name
    assert list(told["by"]["tier"]) == ["T1", "T2"]
    assert told["per_successful_phase_usd"] is not None
    assert told["per_failed_phase_usd"] is None


def test_savings_are_the_same_tokens_at_the_price_of_the_premium_model(built: Project):
    saved = built.autopack("report", "hello-1", "--json").json["against_always_premium"]
    assert saved["model"] == "premium"
    assert Decimal(saved["priced_usd"]) > Decimal(saved["actual_usd"])
    assert Decimal(saved["saved_usd"]) == Decimal(saved["priced_usd"]) - Decimal(saved["actual_usd"])


def test_what_a_failed_phase_cost_is_told_apart():
    run = Story(plan(phase("a"), phase("b"))).says("b", builder=["edit_failed"])
    found = reporting.report(run.plan, run.tell())
    assert (found.completed, found.failed) == (1, 1)
    assert found.per_failed_usd == run.run.ledger.spent("phase:b").cost_usd
    assert found.savings is None


def test_the_run_list_tells_what_a_dashboard_needs(built: Project):
    """REQ-11.3-1."""
    (row,) = built.autopack("report", "--json").json["runs"]
    assert row == {
        "run_id": "hello-1",
        "state": "DONE_SUCCESS",
        "debt_status": "has_minor_issues",
        "safety_profile": "normal",
        "run_scope": "multi_tier",
        "failure_reason": None,
        "tokens_used": 8_570,
        "ci_runs": 5,
        "cost_usd": "0.0550335",
    } | {name: row[name] for name in ("ci_runs", "cost_usd")}


def test_the_tier_view_tells_issues_caps_and_whether_promotion_is_blocked(built: Project):
    """REQ-11.3-2, REQ-10.3-1."""
    first, second = built.autopack("report", "--tiers", "--json").json["tiers"]
    assert (first["tier_id"], first["state"], first["minor_issues"], first["major_issues"]) == ("T1", "COMPLETE", 1, 0)
    assert (first["token_cap_hit"], first["ci_cap_hit"], first["promotion_blocked"]) == (False, False, False)
    assert (second["tier_id"], second["minor_issues"]) == ("T2", 0)


def test_the_budget_view_names_tiers_slices_and_whether_the_auditor_helped(tmp_path: Path):
    """REQ-11.3-4."""
    dear = [
        {**row, "reply": {**row["reply"], "usage": {"input": 155_000, "output": 10_000}}} for row in scratch.replies()
    ]
    playbook = scratch.text_of(PLAYBOOK).replace("budget: {tokens: 4_000_000,", "budget: {tokens: 500_000,")
    files = {scratch.CASSETTE: scratch.cassette(dear), "ci.yaml": quick_ci(), PLAYBOOK: playbook}
    project = hello(tmp_path, files)
    assert project.autopack("run", PLAYBOOK, "--run-id", "dear-1").code == 5
    (told,) = project.autopack("report", "--budget", "--json").json["aborts"]
    assert (told["run_id"], told["reason"], told["auditor_calls"], told["auditor_helped"]) == (
        *("dear-1", "token_cap"),
        *(1, 1),
    )
    assert next(iter(told["slices"])) == "schema_contract_change:high"
    assert "token_cap" in project.autopack("report", "--budget").out


def test_flaky_tests_are_ranked_by_how_often_they_were_so():
    class Row:
        type = "CiFinished"

        def __init__(self, *names: str) -> None:
            self.body = {"flaky": list(names)}

    found = reporting.flaky([[Row("a"), Row("a", "b")], [Row("b")], [Row("b")]])  # type: ignore[list-item]
    assert found == {"b": (3, 3), "a": (2, 1)}


@pytest.mark.parametrize(
    "words",
    [("report",), ("report", "hello-1"), ("report", "--tiers"), ("report", "--budget"), ("issues",), ("backlog",)],
)
def test_what_is_printed_fits_80_columns(built: Project, words: tuple[str, ...]):
    told = built.autopack(*words)
    assert (told.code, told.err) == (0, "")
    assert max(map(len, told.out.splitlines())) <= 80, told.out


def test_a_view_at_a_time(built: Project):
    assert built.autopack("report", "--tiers", "--budget").code == 2
    assert built.autopack("report", "nobody").code == 2


def test_issues_lists_the_newest_run_and_backlog_what_is_open(built: Project):
    """REQ-11.3-3."""
    (key,) = built.autopack("issues", "--json").json["issues_by_key"]
    (entry,) = built.autopack("backlog", "--json").json["issues"]
    assert entry["issue_key"] == key
    assert (entry["age_in_runs"], entry["age_in_tiers"], entry["occurrence_count"]) == (1, 1, 1)


# --- debt ---


def test_promotion_is_blocked_by_each_reason_and_each_is_said():
    """REQ-10.4-1, REQ-CH-6."""
    clean = Story(plan(phase("a"))).tell()
    assert (debt_status(plan(phase("a")), clean), obstacles(plan(phase("a")), clean)) == ("clean", ())
    told = plan(phase("a"))
    noted = Story(told).says("a", builder=["minor"]).tell()
    assert (debt_status(told, noted), eligible(told, noted)) == ("has_minor_issues", True)
    strict = replace(told, promotion="no_issues")
    assert "no_issues" in obstacles(strict, noted)[0]
    few = replace(told, tiers=tuple(replace(tier, minor_issues=0) for tier in told.tiers))
    assert debt_status(few, noted) == "excess_minor_issues"
    assert [reason.partition(":")[0] for reason in obstacles(few, noted)] == [
        'tier "T1" is not clean',
        "debt_status is excess_minor_issues",
    ]
    failed = Story(told).says("a", builder=["edit_failed"]).tell()
    assert "not DONE_SUCCESS" in obstacles(told, failed)[0]


# --- the store ---


def test_a_check_of_the_store_tells_damage_that_no_query_meets(project: Project):
    with sqlite3.connect(project.root / ".autonomous_runs" / "autopack.db") as connection:
        connection.execute("PRAGMA writable_schema = ON")
        changed = "replace(sql, 'DOUBLE NOT NULL', 'DOUBLE NOT NULL CHECK (at < 0)')"
        connection.execute(f"UPDATE sqlite_master SET sql = {changed} WHERE name = 'folded'")
    connection.close()
    told = project.autopack("store", "check")
    assert told.code == 1
    assert "autopack.db: CHECK constraint failed in folded" in told.out


def test_a_store_is_exported_and_imported_whole(built: Project, project: Project, tmp_path: Path):
    file = tmp_path / "store.jsonl"
    assert built.autopack("store", "export", str(file)).code == 0
    again = built.autopack("store", "export", "-")
    assert again.out == file.read_text()
    refused = project.autopack("store", "import", str(file))
    assert refused.code == 2
    assert "Import into a new one" in refused.err
    for path in (project.root / ".autonomous_runs").glob("autopack.db*"):
        path.unlink()
    assert project.autopack("store", "import", str(file)).code == 0
    assert project.autopack("store", "check").code == 0
    verified = project.autopack("verify", "hello-1")
    assert verified.code == 0, verified.out
    assert project.autopack("backlog", "--json").out == built.autopack("backlog", "--json").out


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda lines: lines[:-1], "its end is missing"),
        (lambda lines: [*lines[:3], *lines[4:]], "are not those that were written"),
        (lambda lines: [lines[0], lines[1].replace('"', "'"), *lines[2:]], "line 2 is no JSON"),
        (lambda lines: ["{}\n", *lines[1:]], "it starts with"),
        (lambda lines: [*lines, lines[-1]], "comes after its end"),
    ],
)
def test_an_export_that_was_changed_is_refused_and_nothing_of_it_kept(
    built: Project, tmp_path: Path, spoil: object, said: str
):
    lines = built.autopack("store", "export", "-").out.splitlines(keepends=True)
    with open_store(tmp_path / "new.db", create=True) as store:
        with pytest.raises(dump.NoDump, match=said):
            dump.restore(store.database, [line.encode() for line in spoil(lines)])  # type: ignore[operator]
        assert store.runs() == []


def test_an_sqlite_store_moves_to_postgresql_and_back(built: Project, tmp_path: Path):
    url, why = postgres.server()
    if url is None:
        pytest.skip(why)
    with open_store(built.root / ".autonomous_runs" / "autopack.db", create=False) as sqlite:
        lines = list(dump.lines(sqlite.database))
    with postgres.database() as found, open_store(found, create=True) as server:
        assert dump.restore(server.database, lines) == len(lines) - 2
        assert list(dump.lines(server.database)) == lines
        assert [event.seq for event in server.events("hello-1")][-1] == server.run("hello-1").last_seq


def test_a_reader_that_leaves_early_gets_no_traceback(built: Project):
    command = f"{sys.executable} -m autopack store export - | head -c 10"
    done = subprocess.run(["bash", "-c", command], cwd=built.root, env=built.environ, capture_output=True, check=False)
    assert (done.stdout, done.stderr) == (b'{"autopack', b"")


def test_long_keys_stay_whole():
    report = issues.ReportedIssue(f"ci__{'x' * 90}__fails", "major", "tests", "ci", "word " * 60, ())
    seen = issues.Sighting("a", 1, "T1", "tests", "low")
    told = report_text.issues_screen(list(issues.record({}, (report,), seen).values()))
    assert report.issue_key in told
    assert "..." in told


def test_an_unknown_usage_is_told_and_not_guessed():
    run = Story(plan(phase("a"))).says("a", builder_call=["unknown_usage"])
    found = reporting.report(run.plan, run.tell())
    assert found.total.unknown == 1
    assert Usage(0, 0, 0, 0, 0, known=False).total == 0
    assert json.loads(json.dumps(reporting.plain(found)))["total"]["unknown"] == 1
