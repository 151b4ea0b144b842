"""autopack rerun"""

import json
from pathlib import Path

import click

from autopack.plan import canonical
from autopack.plan.model import Plan
from autopack.plan.reuse import Verdict, verdicts
from autopack.spec.load import check
from autopack.views import again, exits, launch, terminal
from autopack.views.cli import selecting
from autopack.views.cli.running import REFUSALS, driven, place_here, refused
from autopack.views.compiled import Compiled, Unusable, compiled, given_inputs


@click.command("rerun")
@click.argument("run_id", metavar="RUN")
@click.argument("playbook", required=False)
@click.option("--failed", is_flag=True, help="Only what did not complete; what did stays, changed or not.")
@selecting.options
@click.option("--run-id", "name", help="The new run's name. Default: RUN-r1, -r2, ...")
@click.option("--repo", type=click.Path(exists=True, file_okay=False), help="The repository the run was started with.")
@click.option("--dry-run", is_flag=True, help="Say what would be taken over and what would run, and stop.")
@click.option("--record", type=click.Path(dir_okay=False), help="Keep every model reply in this cassette.")
@click.option("--replay", type=click.Path(exists=True, dir_okay=False), help="Answer from this cassette.")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="Set an input; else as in RUN.")
@click.option("--env", metavar="NAME", help="Take this environment of the project.")
@click.option("--jobs", type=click.IntRange(1), help="How many phases may be under way at once.")
@click.option("--json", "as_json", is_flag=True, help="Print the run summary (with --dry-run: the decision) as JSON.")
def command(
    *,
    run_id: str,
    playbook: str | None,
    failed: bool,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    state: str | None,
    name: str | None,
    repo: str | None,
    dry_run: bool,
    record: str | None,
    replay: str | None,
    inputs: tuple[str, ...],
    env: str | None,
    jobs: int | None,
    as_json: bool,
) -> int:
    """Run the playbook of RUN again, and only what has to run: what it landed and nothing has changed of is taken over.

    The playbook is compiled anew. Phases are taken over in the order in which they landed, as long as each is the same
    in prompt, inputs, models, prices, policy and CI, and so are its needs; every other phase says why it runs.
    --select runs those phases even if nothing has changed, and leaves out what can't be taken over.
    """
    place = place_here(repo)
    try:
        before = again.ended(place, run_id)
        path, given = playbook or _playbook(place.root, before.plan), _inputs(before.plan, inputs)
        found = compiled(path, given, jobs, env)
        new = again.comparable(before, found.plan)
        old = selecting.earlier(state, path, found, given, env)
        asked = _asked(Compiled(new, found.spec), before, select, exclude, old, failed=failed)
        decided = verdicts(before.earlier, new, asked, keep=failed)
        plan = again.continuing(before, new, decided)
        if not dry_run:
            name = name or again.name_for(place, run_id)
    except Unusable as error:
        if str(error):
            click.echo(f"autopack rerun: {error}", err=True)
        return error.code
    except REFUSALS as error:
        return refused("autopack rerun", error)
    if dry_run or not any(verdict.kind == "run" for verdict in decided):
        return _told(run_id, decided, dry_run=dry_run, as_json=as_json)
    click.echo(again.screen(run_id, decided, terminal.columns()), err=True)
    options = again.options_of(place, run_id)
    if replay or record:
        options = launch.Options(replay or options.cassette, record, bool(replay) or options.replay_all)
    start = launch.go_on if plan.base_commit else launch.begin
    chosen = name or run_id
    return driven(place, chosen, lambda observe: start(place, plan, chosen, options, observe), as_json=as_json)


def _told(run_id: str, decided: tuple[Verdict, ...], *, dry_run: bool, as_json: bool) -> int:
    if as_json:
        document = canonical.plain(again.document(run_id, decided))
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return 0
    click.echo(again.screen(run_id, decided, terminal.columns()))
    if not dry_run or not any(verdict.kind == "run" for verdict in decided):
        click.echo(f"nothing to run: all that {run_id} completed still holds; --select runs phases all the same")
    return 0


def _asked(
    found: Compiled,
    before: again.Ended,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    state: Plan | None,
    *,
    failed: bool,
) -> frozenset[str] | None:
    """None: everything that has to. Raises Unusable."""
    chosen = frozenset(selecting.chosen(found, select, exclude, state)) if select or exclude else None
    if not failed:
        return chosen
    complete = {name for name, _ in before.earlier.landed}
    missing = frozenset(phase.phase_id for phase in found.plan.phases) - complete
    return missing if chosen is None else missing & chosen


def _playbook(root: Path, plan: Plan) -> str:
    """The project's playbook of the same name. Raises Unusable."""
    documents = check(str(root)).documents
    named = [
        path
        for path, file in documents.items()
        if file.kind == "playbook" and isinstance(file.value, dict) and file.value.get("name") == plan.playbook
    ]
    if len(named) != 1:
        fact = "no playbook of the project is" if not named else f"{', '.join(named)} are all"
        raise Unusable(exits.USAGE, f'{fact} called "{plan.playbook}"; name the playbook behind the run')
    return str(root / named[0])


def _inputs(plan: Plan, given: tuple[str, ...]) -> dict[str, str]:
    """As in the run, but for what is given. Raises Unusable."""
    before = {
        name: str(value).lower() if isinstance(value, bool) else str(value) for name, value in plan.inputs.items()
    }
    return before | given_inputs(given)
