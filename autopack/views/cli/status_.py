"""autopack status"""

import sys
import time
from collections.abc import Sequence
from contextlib import suppress

import click

from autopack.journal.errors import StoreMissing, UnknownRun
from autopack.run.state import RunState
from autopack.views import launch, progress, series
from autopack.views.cli.running import place_here, show, show_series

POLL_S = 0.5


@click.command("status")
@click.argument("run_id", metavar="RUN")
@click.option("--watch", is_flag=True, help="Follow the run, or the runs of a series, until they have ended.")
@click.option("--json", "as_json", is_flag=True, help="Print the run summary as one JSON document.")
def command(*, run_id: str, watch: bool, as_json: bool) -> int:
    """Show how RUN stands: phases, tokens, cost, tiers."""
    place = place_here()
    whole = series.known(place, run_id)
    if whole is None:
        launch.peek(place, run_id)  # an unknown run is not waited for
    if watch:
        names = [run_id] if whole is None else [series.name_of(run_id, n) for n in range(1, len(whole.runs) + 1)]
        _watch(place, names)
    if whole is not None:
        show_series(place, whole, run_id, as_json=as_json)
    else:
        show(place, *launch.peek(place, run_id), as_json=as_json)
    return 0


def _watch(place: launch.Place, names: Sequence[str]) -> None:
    """One run after the other, as they are driven: the first that does not succeed is the last."""
    with progress.Progress(sys.stderr) as shown:
        for name in names:
            if _followed(place, name, shown).state != "DONE_SUCCESS":
                return


def _followed(place: launch.Place, name: str, shown: progress.Progress) -> RunState:
    """Until it has ended; a run of a series may not have begun."""
    while True:
        with suppress(UnknownRun, StoreMissing):
            plan, run = launch.peek(place, name)
            shown.observe(plan, run, None)
            if run.done:
                return run
        time.sleep(POLL_S)
