"""autopack logs"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import click

from autopack.journal.rows import EventRow
from autopack.journal.store import Store, open_store
from autopack.views.cli.running import place_here

SHOWN = (
    "outcome",
    "verdict",
    "kind",
    "message",
    "summary",
    "recommendation",
    "commit",
    "head",
    "trouble",
    "by",
    "failing",
)
"""The fields of an event that say what happened, in this order; the rest is for machines (--json)."""


@click.command("logs")
@click.argument("run_id", metavar="RUN")
@click.argument("phase_id", metavar="[PHASE]", required=False)
@click.option("--output", is_flag=True, help="Also print what CI printed.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line: every event with all its fields.")
def command(*, run_id: str, phase_id: str | None, output: bool, as_json: bool) -> int:
    """Show what happened in RUN (in PHASE only), event by event."""
    with open_store(place_here().store, create=False) as store:
        intents = store.intents(run_id)
        for event in store.events(run_id):
            intent = intents.get(str(event.body.get("key")))
            whose = intent.body.get("phase_id") if intent else None
            if phase_id not in (None, whose):
                continue
            if as_json:
                told = {"seq": event.seq, "at": event.at, "type": event.type, "phase_id": whose, **event.body}
                click.echo(json.dumps(told, sort_keys=True, ensure_ascii=False))
                continue
            click.echo(_line(event, whose))
            if output:
                _print_logs(store, event.body)
    return 0


def _line(event: EventRow, whose: str | None) -> str:
    facts = [f"{name}={_word(event.body[name])}" for name in SHOWN if event.body.get(name)]
    at = f"{datetime.fromtimestamp(event.at, UTC):%H:%M:%S}"
    return f"{event.seq:>4} {at} {whose or '-':<20} {event.type:<16} {' '.join(facts)}".rstrip()


def _word(value: object) -> str:
    words = ", ".join(map(str, value)) if isinstance(value, list) else str(value)
    return " ".join(words.split())


def _print_logs(store: Store, body: Mapping[str, Any]) -> None:
    for name, blob in (body.get("logs") or {}).items():
        click.echo(f"     --- {name}")
        for line in store.blob(blob).decode("utf-8", "replace").splitlines():
            click.echo(f"     {click.unstyle(line)}")
