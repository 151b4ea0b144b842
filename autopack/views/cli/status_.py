"""autopack status"""

import sys
import time

import click

from autopack.views import launch, progress, series
from autopack.views.cli.running import place_here, show, show_series

POLL_S = 0.5


@click.command("status")
@click.argument("run_id", metavar="RUN")
@click.option("--watch", is_flag=True, help="Follow the run until it has ended.")
@click.option("--json", "as_json", is_flag=True, help="Print the run summary as one JSON document.")
def command(*, run_id: str, watch: bool, as_json: bool) -> int:
    """Show how RUN stands: phases, tokens, cost, tiers."""
    place = place_here()
    whole = series.known(place, run_id)
    if whole is not None:
        show_series(place, whole, run_id, as_json=as_json)
        return 0
    plan, run = launch.peek(place, run_id)
    if watch:
        with progress.Progress(sys.stderr) as shown:
            while not run.done:
                shown.observe(plan, run, None)
                time.sleep(POLL_S)
                plan, run = launch.peek(place, run_id)
    show(place, plan, run, as_json=as_json)
    return 0
