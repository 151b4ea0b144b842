"""autopack replay"""

import json
from pathlib import Path

import click

from autopack.journal.errors import JournalDamaged
from autopack.journal.store import open_store
from autopack.plan import canonical
from autopack.run.trace import Trace
from autopack.views import replaying
from autopack.views.cli.running import place_here
from autopack.views.exits import FINDINGS, OK, USAGE


@click.command("replay")
@click.argument("record", metavar="RUN|FOLDER|EVENTS.JSONL")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(*, record: str, as_json: bool) -> int:
    """Make every decision of a run again, from its record alone, and compare.

    The record is a run of this project, the folder a run left, or an incident pack from another machine. Nothing is
    asked of a model, a network or git, and nothing is written.
    """
    path = Path(record)
    try:
        if path.exists():
            return _told(replaying.replay(replaying.of_place(path)), as_json=as_json)
        with open_store(place_here().store, create=False) as store:
            return _told(replaying.replay(replaying.of_run(store, record)), as_json=as_json)
    except replaying.NoRecord as error:
        click.echo(f"autopack replay: {error}", err=True)
        return USAGE
    except canonical.NotThisShape as error:
        click.echo(f"autopack replay: the plan of run {record} can't be read: {error}", err=True)
        return FINDINGS
    except (replaying.RecordDamaged, JournalDamaged) as error:
        click.echo(f"autopack replay: {error}", err=True)
        return FINDINGS


def _told(found: replaying.Replayed, *, as_json: bool) -> int:
    state, difference = found.state, found.difference
    digest = Trace().after(state)["parts"]
    if as_json:
        document = {
            "format_version": 1,
            "run_id": state.run_id,
            "events": found.events,
            "compared": found.compared,
            "state": state.state,
            "parts": digest,
            "difference": None if difference is None else _plain(difference),
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif difference is not None:
        click.echo(f"run {state.run_id}: {difference}")
    else:
        click.echo(f"run {state.run_id}: {found.events} events replayed, {state.state}")
        click.echo(f"{found.compared} states compared, equal byte for byte; nothing was asked of anybody")
    return OK if difference is None else FINDINGS


def _plain(difference: replaying.Difference) -> dict[str, object]:
    return {
        "event": difference.event,
        "type": difference.type,
        "field": difference.field,
        "recorded": difference.recorded,
        "replayed": str(difference.replayed) if isinstance(difference.replayed, Exception) else difference.replayed,
    }
