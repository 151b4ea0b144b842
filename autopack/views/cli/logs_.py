"""autopack logs"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import click

from autopack.journal.rows import EventRow
from autopack.journal.store import Store, open_store
from autopack.plan.model import load
from autopack.problem.report import escape
from autopack.views.cli.running import place_here
from autopack.views.exits import OK

SHOWN = (
    "outcome",
    "verdict",
    "kind",
    "message",
    "summary",
    "recommendation",
    "commit",
    "head",
    "tokens",
    "cost_usd",
    "held_by",
    "trouble",
    "by",
    "failing",
)
"""The fields of an event that say what happened, in this order; the rest is for machines (--json)."""


@click.command("logs")
@click.argument("run_id", metavar="RUN")
@click.argument("phase_id", metavar="[PHASE]", required=False)
@click.option("--output", is_flag=True, help="Also print what CI printed.")
@click.option("--json", "as_json", is_flag=True, help="Print a JSON list: every event with all its fields.")
def command(*, run_id: str, phase_id: str | None, output: bool, as_json: bool) -> int:
    """Show what happened in RUN (in PHASE only), event by event."""
    with open_store(place_here().store, create=False) as store:
        known = [phase.phase_id for phase in load(store.plan(run_id)).phases]
        if phase_id is not None and phase_id not in known:
            raise click.UsageError(f"run {run_id} has no phase {phase_id!r}; there are {', '.join(known)}")
        found = [(event, whose) for event, whose in _events(store, run_id) if phase_id in (None, whose)]
        if as_json:
            click.echo(json.dumps([_plain(event, whose) for event, whose in found], indent=2, ensure_ascii=False))
            return OK
        for event, whose in found:
            click.echo(_line(event, whose))
            if output:
                _print_logs(store, event.body)
    return OK


def _events(store: Store, run_id: str) -> Iterator[tuple[EventRow, str | None]]:
    """Each event with the phase it is about."""
    intents = store.intents(run_id)
    for event in store.events(run_id):
        intent = intents.get(str(event.body.get("key")))
        yield event, intent.body.get("phase_id") if intent else None


def _plain(event: EventRow, whose: str | None) -> dict[str, Any]:
    return {"seq": event.seq, "at": event.at, "type": event.type, "phase_id": whose, **event.body}


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
            click.echo(f"     {escape(click.unstyle(line))}")
