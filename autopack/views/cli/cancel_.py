"""autopack cancel"""

import getpass

import click

from autopack.journal.errors import RunLocked
from autopack.views import launch
from autopack.views.cli.running import driven, place_here, show
from autopack.views.exits import OK


@click.command("cancel")
@click.argument("run_id", metavar="RUN")
@click.option("--json", "as_json", is_flag=True, help="Print the run summary as one JSON document.")
def command(*, run_id: str, as_json: bool) -> int:
    """Stop RUN: nothing new is started, children are killed, model calls in flight are still booked.

    What has landed stays on the integration branch.
    """
    place = place_here()
    plan, run = launch.peek(place, run_id)
    if run.done:
        show(place, plan, run, as_json=as_json)
        return OK
    launch.ask_to_cancel(place, run_id, getpass.getuser())
    try:
        code = driven(place, run_id, lambda observe: launch.take_up(place, run_id, observe), as_json=as_json)
    except RunLocked:
        click.echo(f"asked the driver of {run_id} to stop; see: autopack status {run_id}", err=True)
        return OK
    return OK if launch.peek(place, run_id)[1].done else code
