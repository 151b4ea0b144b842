"""autopack runs"""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click

from autopack.journal.errors import StoreMissing
from autopack.journal.rows import RunRow
from autopack.journal.store import open_store
from autopack.views import terminal, text
from autopack.views.cli.running import place_here
from autopack.views.table import table


@click.command("runs")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list.")
def command(*, as_json: bool) -> int:
    """List the runs of this project, oldest first."""
    rows = _rows()
    if as_json:
        click.echo(json.dumps([_plain(row) for row in rows], indent=2, ensure_ascii=False))
    elif not rows:
        click.echo("no runs yet; start one with: autopack run playbooks/NAME.yaml")
    else:
        heading = ("run", "started", "state", "phases", "tokens", "cost")
        click.echo(table(heading, [_line(row) for row in rows], frozenset({3, 4, 5}), terminal.columns()))
    return 0


def _rows() -> list[RunRow]:
    try:
        with open_store(place_here().store, create=False) as store:
            return store.runs()
    except StoreMissing:
        return []


def _line(row: RunRow) -> tuple[str, ...]:
    kept: Any = row.summary or {}
    reason = kept.get("failure_reason")
    return (
        row.run_id,
        f"{datetime.fromtimestamp(row.created_at, UTC):%Y-%m-%d %H:%M}",
        f"{row.state} ({reason})" if reason else row.state,
        f"{kept.get('phases_done', 0)}/{kept.get('phases', '?')}",
        f"{kept.get('tokens_used', 0):,}",
        text.money(Decimal(kept.get("cost_usd", "0"))),
    )


def _plain(row: RunRow) -> dict[str, Any]:
    started = datetime.fromtimestamp(row.created_at, UTC).isoformat()
    return {
        "run_id": row.run_id,
        "project": row.project,
        "created_at": started,
        **(row.summary or {}),
        "state": row.state,
    }
