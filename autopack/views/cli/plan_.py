"""autopack plan"""

import difflib
import json
import sys
from pathlib import Path

import click

from autopack.plan import canonical
from autopack.plan.model import digest
from autopack.views import text
from autopack.views.compiled import Unusable, compiled, given_inputs
from autopack.views.durable import write
from autopack.views.exits import STALE


@click.command("plan")
@click.argument("playbook")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write the frozen plan to this file.")
@click.option("--check", type=click.Path(exists=True, dir_okay=False), help="Exit 6 when this plan is out of date.")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="Set a declared input.")
@click.option("--env", metavar="NAME", help="Take this environment of the project.")
@click.option("--jobs", type=click.IntRange(1), help="How many phases may be under way at once.")
@click.option("--json", "as_json", is_flag=True, help="Print the frozen plan itself.")
def command(
    *,
    playbook: str,
    output: str | None,
    check: str | None,
    inputs: tuple[str, ...],
    env: str | None,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Compile PLAYBOOK and show waves, phases, models with reasons, prices and risk. Nothing is run."""
    try:
        plan = compiled(playbook, given_inputs(inputs), jobs, env).plan
    except Unusable as error:
        if str(error):
            click.echo(f"autopack plan: {error}", err=True)
        return error.code
    frozen = canonical.text(plan) + "\n"
    if output:
        write(Path(output), frozen.encode())
    if check:
        return _checked(check, frozen)
    sys.stdout.write(frozen if as_json else text.plan_screen(plan, digest(plan)) + "\n")
    return 0


def _checked(path: str, frozen: str) -> int:
    """Whether the committed plan says the same as the sources; where not, what differs."""
    committed = Path(path).read_text(encoding="utf-8")
    if committed == frozen:
        click.echo(f"{path} is up to date")
        return 0
    old, new = _lines(committed), _lines(frozen)
    click.echo("\n".join(difflib.unified_diff(old, new, path, "compiled now", lineterm="", n=1)))
    click.echo(f"{path} is out of date; write it anew with `autopack plan PLAYBOOK -o {path}`", err=True)
    return STALE


def _lines(plan: str) -> list[str]:
    try:
        return json.dumps(json.loads(plan), indent=1, sort_keys=True, ensure_ascii=False).splitlines()
    except json.JSONDecodeError:
        return plan.splitlines()
