"""autopack store"""

import sys
from contextlib import closing
from pathlib import Path

import click

from autopack.journal import dump, durable
from autopack.journal.store import open_store, upgrade_store
from autopack.views import verifying
from autopack.views.cli.running import place_here
from autopack.views.exits import FINDINGS, OK, USAGE


@click.group("store")
def command() -> None:
    """Look after the store, where runs, backlog and calibration are kept."""


@command.command("upgrade")
def upgrade() -> int:
    """Bring the store's tables in step with this autopack. No run may be driven meanwhile."""
    found, now = upgrade_store(place_here().store)
    click.echo(f"revision {now}, as it was" if found == now else f"revision {found} -> {now}")
    return OK


@command.command("check")
def check() -> int:
    """Check the file, and every run's plan, events, decisions, calls and blobs. `verify RUN` also looks at git and
    the run's folder.
    """
    with open_store(place_here().store, create=False) as store:
        damage = store.database.damage()
        for fact in damage:
            click.echo(f"{store.place}: {fact}")
        faults = len(damage)
        for row in store.runs():
            found = verifying.of_run(store, row.run_id, None, None)
            counts = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in found.checked.items())
            click.echo(f"{row.run_id}: {len(found.faults) or 'nothing'} changed ({counts})")
            for fault in found.faults:
                click.echo(f"  {fault}")
            faults += len(found.faults)
    return FINDINGS if faults else OK


@command.command("export")
@click.argument("file", type=click.Path(dir_okay=False, allow_dash=True))
def export(file: str) -> int:
    """Write everything the store holds to FILE (-: standard output), for `store import` elsewhere."""
    with open_store(place_here().store, create=False) as store:
        lines = dump.lines(store.database)
        if file == "-":
            sys.stdout.buffer.writelines(lines)
            sys.stdout.buffer.flush()
        else:
            durable.write(Path(file), lines)
    return OK


@command.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, allow_dash=True))
def import_(file: str) -> int:
    """Read FILE, an export, into this project's store, which must hold nothing yet."""
    with open_store(place_here().store, create=True) as store:
        try:
            with closing(sys.stdin.buffer if file == "-" else Path(file).open("rb")) as lines:
                count = dump.restore(store.database, lines)
        except (dump.NoDump, dump.StoreInUse) as error:
            click.echo(f"autopack store import: {error}", err=True)
            return USAGE
    click.echo(f"{count:,} rows")
    return OK
