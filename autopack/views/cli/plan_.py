"""autopack plan"""

import gc
import json
import os
import sys

import click

from autopack.plan import file
from autopack.plan.calibration import Calibration
from autopack.plan.model import Plan, digest
from autopack.views import planning, terminal, text
from autopack.views.cli import selecting
from autopack.views.compiled import Compiled, Unusable, compiled, given_inputs
from autopack.views.exits import STALE, USAGE

STDOUT = "-"
SAMPLES = 2_000


@click.command("plan")
@click.argument("playbook")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, readable=False, writable=True, allow_dash=True),
    help="Write the frozen plan to this file (-: standard output).",
)
@click.option("--check", type=click.Path(exists=True, dir_okay=False), help="Exit 6 when this plan is out of date.")
@selecting.options
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="Set a declared input.")
@click.option("--env", metavar="NAME", help="Take this environment of the project.")
@click.option("--jobs", type=click.IntRange(1), help="How many phases may be under way at once.")
@click.option("--forecast", is_flag=True, help="Play it many times with the chances that runs have taught.")
@click.option(
    "--samples", type=click.IntRange(1, 1_000_000), default=SAMPLES, show_default=True, help="How many times."
)
@click.option("--seed", type=int, default=1, show_default=True, help="Equal seeds, equal forecasts.")
@click.option("-v", "--verbose", is_flag=True, help="Also of each phase: ladder, bounds, time, slack, prompts.")
@click.option("--detailed-exitcode", is_flag=True, help="Exit 6 when the plan is not the one of --state.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the frozen plan itself; with --check or --forecast, what came of it."
)
def command(
    *,
    playbook: str,
    output: str | None,
    check: str | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    state: str | None,
    inputs: tuple[str, ...],
    env: str | None,
    jobs: int | None,
    forecast: bool,
    samples: int,
    seed: int,
    verbose: bool,
    detailed_exitcode: bool,
    as_json: bool,
) -> int:
    """Compile PLAYBOOK and show waves, phases, models with reasons, prices and risk. Nothing is run."""
    if detailed_exitcode and state is None:
        click.echo("autopack plan: --detailed-exitcode compares with an earlier plan; name it with --state", err=True)
        return USAGE
    try:
        given = given_inputs(inputs)
        found = compiled(playbook, given, jobs, env)
        old = selecting.earlier(state, playbook, found, given, env)
        plan = selecting.part(found, select, exclude, old)
        if output and output != STDOUT:
            planning.write(found, output, file.dump(plan))
        if check:
            return _checked(check, found, plan, as_json=as_json)
    except Unusable as error:
        if str(error):
            click.echo(f"autopack plan: {error}", err=True)
        return error.code
    if forecast:
        return _forecast(plan, found.calibration, samples, seed, as_json=as_json)
    if as_json or output == STDOUT:
        sys.stdout.write(file.dump(plan))
    else:
        sys.stdout.write(_screen(plan, digest(plan), old, state, found.calibration, verbose=verbose))
    differs = old is not None and digest(old) != digest(plan)
    return STALE if detailed_exitcode and differs else 0


def _screen(
    plan: Plan, sha256: str, old: Plan | None, state: str | None, calibration: Calibration | None, *, verbose: bool
) -> str:
    width = terminal.columns()
    parts = [text.plan_screen(plan, sha256, width, calibration)]
    if old is not None or verbose:
        from autopack.views import plan_text  # noqa: PLC0415 - most plans are asked for without

        parts += [plan_text.since(old, plan, str(state), width)] if old is not None else []
        parts += [f"\n{plan_text.verbose(plan, width)}"] if verbose else []
    return "\n".join(parts) + "\n"


def _forecast(plan: Plan, calibration: Calibration | None, samples: int, seed: int, *, as_json: bool) -> int:
    from autopack.views import forecast  # noqa: PLC0415 - the machine and a pool of processes, for this option only

    gc.disable()  # what is played is small and short-lived
    live = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"

    def told(done: int) -> None:
        if live:
            click.echo(f"\rplayed {done:,} of {samples:,}" if done < samples else "\r\x1b[K", nl=False, err=True)

    found = forecast.forecast(plan, calibration, samples, seed, told)
    click.echo(
        json.dumps(forecast.document(found), indent=2) if as_json else forecast.screen(found, terminal.columns())
    )
    return 0


def _checked(path: str, found: Compiled, plan: Plan, *, as_json: bool) -> int:
    """Whether the committed plan says the same as the sources; where not, what changed where. Raises Unusable."""
    from autopack.views import stale  # noqa: PLC0415 - git and what words differences, for this option only

    try:
        changed = stale.differences(path, plan, found.spec)
    except stale.NoPlan:
        advice = f"write one with `autopack plan PLAYBOOK -o {path}`, or name another file"
        raise Unusable(USAGE, f"{path} is no frozen plan; {advice}") from None
    if as_json:
        words = [line.strip() for line in changed]
        document = {"format_version": 1, "plan": path, "up_to_date": not changed, "changes": words}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return STALE if changed else 0
    if not changed:
        click.echo(f"{path} is up to date")
        return 0
    click.echo("\n".join(changed))
    click.echo(f"{path} is out of date; write it anew with `autopack plan PLAYBOOK -o {path}`", err=True)
    return STALE
