"""autopack resume"""

import click

from autopack.views import launch
from autopack.views.cli.running import driven, place_here


@click.command("resume")
@click.argument("run_id", metavar="RUN")
@click.option("--repo", type=click.Path(exists=True, file_okay=False), help="The repository the run was started with.")
@click.option("--json", "as_json", is_flag=True, help="Print the run summary as one JSON document.")
def command(*, run_id: str, repo: str | None, as_json: bool) -> int:
    """Go on with RUN where its driver stopped; of a run that has ended, print the summary.

    No paid call whose answer is on disk is made again.
    """
    place = place_here(repo)
    return driven(place, run_id, lambda observe: launch.take_up(place, run_id, observe), as_json=as_json)
