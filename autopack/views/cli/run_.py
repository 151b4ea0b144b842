"""autopack run"""

import os
import re
from pathlib import Path

import click

from autopack.plan import file
from autopack.plan.model import EXTERNAL, Plan, digest
from autopack.run.state import RunState
from autopack.views import launch, series, terminal, text
from autopack.views.cli import selecting
from autopack.views.cli.running import driven, driven_in_turn, place_here
from autopack.views.compiled import Unusable, compiled, given_inputs
from autopack.views.exits import USAGE

_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9_-]|\.(?!\.))*")
ID_CHARS_MAX = 64


@click.command("run")
@click.argument("playbook")
@click.option("--run-id", help="The run's name; it becomes part of a branch. Default: made from playbook and time.")
@click.option("--repo", type=click.Path(exists=True, file_okay=False), help="Build this repository instead.")
@click.option("--dry-run", is_flag=True, help="Show the plan that would be run, and stop.")
@click.option("--record", type=click.Path(dir_okay=False), help="Keep every model reply in this cassette.")
@click.option(
    "--replay", type=click.Path(exists=True, dir_okay=False), help="Answer from this cassette; no model is called."
)
@selecting.options
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="Set a declared input.")
@click.option("--env", metavar="NAME", help="Take this environment of the project.")
@click.option("--jobs", type=click.IntRange(1), help="How many phases may be under way at once.")
@click.option("--json", "as_json", is_flag=True, help="Print the run summary (with --dry-run: the plan) as JSON.")
def command(
    *,
    playbook: str,
    run_id: str | None,
    repo: str | None,
    dry_run: bool,
    record: str | None,
    replay: str | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    state: str | None,
    inputs: tuple[str, ...],
    env: str | None,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Run PLAYBOOK (or a frozen plan.json) to a terminal state, without asking anything.

    Everything lands on the run's integration branch; your checkout and your branches are not touched.
    """
    try:
        given = given_inputs(inputs)
        found = compiled(playbook, given, jobs, env)
        plan = selecting.part(found, select, exclude, selecting.earlier(state, playbook, found, given, env))
    except Unusable as error:
        if str(error):
            click.echo(f"autopack run: {error}", err=True)
        return error.code
    if dry_run:
        width = terminal.columns()
        shown = text.plan_screen(plan, digest(plan), width, found.calibration) + "\n"
        click.echo(file.dump(plan) if as_json else shown, nl=False)
        return 0
    name = run_id or launch.new_run_id(plan.playbook)
    if not _ID.fullmatch(name) or len(name) > ID_CHARS_MAX or name.endswith((".", ".lock")):
        click.echo(
            f"autopack run: {name!r} can't name a run; use letters, digits, - and _, at most {ID_CHARS_MAX}", err=True
        )
        return USAGE
    place = place_here(repo, Path(playbook).resolve().parent)

    if waiting := [phase.phase_id for phase in plan.phases if phase.builder.kind == EXTERNAL]:
        click.echo(f"clients build {', '.join(waiting)}: `autopack serve` is where they ask and answer", err=True)

    def drive(observe: launch.Observe) -> RunState:
        options = _options(plan, playbook, replay, record)
        begin = series.begin if plan.runs else launch.begin
        return begin(place, plan, name, options, observe)

    if plan.runs:
        return driven_in_turn(place, name, plan, drive, as_json=as_json)
    return driven(place, name, drive, as_json=as_json)


def _options(plan: Plan, playbook: str, replay: str | None, record: str | None) -> launch.Options:
    """The cassette that was named; for models of builtin:replay the one beside the playbook. Raises NotStarted."""
    kept = _recordable(record) if record else None
    if replay:
        return launch.Options(str(Path(replay).resolve()), kept, replay_all=True)
    if all(model.provider != launch.REPLAY for model in plan.models.values()):
        return launch.Options(None, kept)
    beside = Path(playbook).resolve().with_suffix(".cassette.jsonl")
    if not beside.exists():
        fact = f"models of this plan answer from a cassette, and there is no {beside}"
        raise launch.NotStarted(f"{fact}; write one, or name another with --replay")
    return launch.Options(str(beside), kept)


def _recordable(record: str) -> str:
    """A path that can be recorded to, said before there is a run. Raises NotStarted."""
    path = Path(record)
    if path.exists() and not path.is_file():
        raise launch.NotStarted(f"--record {record}: this is no regular file; name another one")
    where = path.resolve()
    if not where.parent.is_dir():
        raise launch.NotStarted(f"--record {record}: there is no folder {where.parent}; make it, or name another file")
    if not os.access(where if where.exists() else where.parent, os.W_OK):
        raise launch.NotStarted(f"--record {record}: it may not be written; name another file")
    return str(where)
