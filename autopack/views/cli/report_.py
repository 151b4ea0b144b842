"""autopack report"""

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from autopack.journal.rows import RunRow
from autopack.journal.store import Store, open_store
from autopack.plan import canonical
from autopack.plan.model import Plan, load
from autopack.plan.seal import project_budget
from autopack.run.state import RunState
from autopack.views import launch, report_text, reporting, shares, terminal
from autopack.views.cli.running import place_here

LAST = 20
"""How many runs, the newest, a view over runs folds where nobody says otherwise."""


@click.command("report")
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--tiers", is_flag=True, help="Tiers: state, issues, caps that were hit, whether promotion is blocked.")
@click.option("--budget", is_flag=True, help="What project and providers have left; runs that a cap ended.")
@click.option("--flaky", is_flag=True, help="Tests that passed after they had failed on the same commit, worst first.")
@click.option("--last", type=click.IntRange(1), default=LAST, show_default=True, help="How many runs to look at.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(*, run_id: str | None, tiers: bool, budget: bool, flaky: bool, last: int, as_json: bool) -> int:
    """Say what RUN cost, by phase, tier, category, model and role; without RUN, list the runs with what matters.

    Savings are against asking the plan's premium model for the same tokens.
    """
    if tiers + budget + flaky > 1:
        raise click.UsageError("ask for one view at a time: --tiers, --budget or --flaky")
    place = place_here()
    with open_store(place.store, create=False) as store:
        rows = [store.run(run_id)] if run_id else store.runs()[-last:]
        if tiers:
            shown = _tiers(store, rows)
        elif budget:
            shown = _budget(store, rows, place.root)
        elif flaky:
            shown = _flaky(store, rows)
        elif run_id:
            shown = _run(store, run_id)
        else:
            shown = _runs(rows)
    document, words = shown
    click.echo(json.dumps(document, indent=2, ensure_ascii=False) if as_json else words)
    return 0


Shown = tuple[Mapping[str, Any], str]
"""What `--json` prints, and what is printed without it."""


def _run(store: Store, run_id: str) -> Shown:
    plan, run = launch.folded(store, run_id)
    found = reporting.report(plan, run)
    return reporting.plain(found), report_text.report_screen(found, terminal.columns())


def _runs(rows: list[RunRow]) -> Shown:
    """REQ-11.3-1."""
    names = ("state", "debt_status", "safety_profile", "run_scope", "failure_reason", "tokens_used", "ci_runs")
    told: list[dict[str, Any]] = [
        {"run_id": row.run_id} | {name: (row.summary or {}).get(name) for name in (*names, "cost_usd")} for row in rows
    ]
    return {"format_version": 1, "runs": told}, report_text.runs_screen(told)


def _tiers(store: Store, rows: list[RunRow]) -> Shown:
    lines = [line for plan, run in _folds(store, rows) for line in reporting.tiers(plan, run)]
    document = {"format_version": 1, "tiers": [_tier(line) for line in lines]}
    return document, report_text.tiers_screen(lines, terminal.columns())


def _tier(line: reporting.TierLine) -> dict[str, Any]:
    tier: dict[str, Any] = canonical.plain(line.tier)
    facts = ("run_id", "token_cap_hit", "ci_cap_hit", "promotion_blocked")
    return {name: getattr(line, name) for name in facts} | tier


def _budget(store: Store, rows: list[RunRow], root: Path) -> Shown:
    """What all runs share, then those that a cap has ended."""
    from autopack.spec.load import project_of  # noqa: PLC0415 - only this view asks what the project says today

    project = project_of(str(root))
    ended = [row for row in rows if row.state == "DONE_FAILED_BUDGET_EXHAUSTED"]
    found = [each for plan, run in _folds(store, ended) if (each := reporting.abort(plan, run)) is not None]
    document: dict[str, Any] = {"format_version": 1, "aborts": [canonical.plain(each) for each in found]}
    words = report_text.aborts_screen(found, terminal.columns())
    if project is None or not rows:
        return document | {"project": None, "providers": {}}, words
    budget = project_budget(project)
    left = shares.shares(store, load(store.plan(rows[-1].run_id)), budget, time.time())
    top = shares.screen(budget, left)
    return document | dict(shares.document(budget, left)), f"{top}\n\n{words}" if top else words


def _flaky(store: Store, rows: list[RunRow]) -> Shown:
    found = reporting.flaky(store.events(row.run_id) for row in rows)
    told = [{"test": name, "times": times, "runs": runs} for name, (times, runs) in found.items()]
    return {"format_version": 1, "flaky": told}, report_text.flaky_screen(found, len(rows), terminal.columns())


def _folds(store: Store, rows: list[RunRow]) -> list[tuple[Plan, RunState]]:
    return [launch.folded(store, row.run_id) for row in rows]
