"""autopack resume"""

from decimal import Decimal, InvalidOperation

import click

from autopack.run.continued import CAPS
from autopack.views import launch, series
from autopack.views.cli.running import driven, driven_in_turn, place_here, refused


@click.command("resume")
@click.argument("run_id", metavar="RUN")
@click.option(
    "--budget",
    metavar="CAP=N[,...]",
    help="Go on from what a run landed that a budget stopped, as a new run with these caps: "
    "tokens, cost_usd, minutes, minor_issues.",
)
@click.option("--repo", type=click.Path(exists=True, file_okay=False), help="The repository the run was started with.")
@click.option("--json", "as_json", is_flag=True, help="Print the run summary as one JSON document.")
def command(*, run_id: str, budget: str | None, repo: str | None, as_json: bool) -> int:
    """Go on with RUN where its driver stopped; of a run that has ended, print the summary.

    No paid call whose answer is on disk is made again. A run that a budget has ended stays as it is: with --budget
    a new one takes over what it landed, under caps of its own.
    """
    place = place_here(repo)
    whole = series.known(place, run_id)
    if budget is None and whole is not None:
        return driven_in_turn(
            place, run_id, whole, lambda observe: series.go_on(place, run_id, observe), as_json=as_json
        )
    if budget is None:
        return driven(place, run_id, lambda observe: launch.take_up(place, run_id, observe), as_json=as_json)
    caps = given_caps(budget)
    try:
        name, plan, options = launch.continuation(place, run_id, caps)
    except launch.NotStarted as error:
        return refused("autopack resume", error)
    click.echo(f"run {name} goes on from {run_id}: {len(plan.carried)} of {len(plan.phases)} phases are done", err=True)
    return driven(place, name, lambda observe: launch.go_on(place, plan, name, options, observe), as_json=as_json)


def given_caps(text: str) -> dict[str, int | Decimal]:
    """`tokens=2000000,cost_usd=5` as numbers above zero. Raises click.BadParameter."""
    caps: dict[str, int | Decimal] = {}
    for word in text.split(","):
        name, _, written = (part.strip() for part in word.partition("="))
        if name not in CAPS:
            raise click.BadParameter(f"{word!r}: write CAP=N, with a cap of {', '.join(CAPS)}", param_hint="--budget")
        if name in caps:
            raise click.BadParameter(f"{name} is given twice; give it one value", param_hint="--budget")
        caps[name] = _cap(name, written)
    return caps


def _cap(name: str, written: str) -> int | Decimal:
    try:
        value = Decimal(written.replace("_", ""))
    except InvalidOperation:
        raise click.BadParameter(f"{name}={written}: that is no number", param_hint="--budget") from None
    if not value.is_finite() or value <= 0:
        raise click.BadParameter(f"{name}={written}: a cap is above zero", param_hint="--budget")
    if name == "cost_usd":
        return value
    if value != int(value):
        raise click.BadParameter(f"{name}={written}: {name} are counted in whole numbers", param_hint="--budget")
    return int(value)
