"""What `run`, `resume` and `cancel` share: driving to the end with progress, and saying how it ended."""

import json
import os
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import click

from autopack.drive import Interrupted
from autopack.journal.errors import JournalError, StoreUnusable
from autopack.plan.model import Plan
from autopack.run.state import RunState
from autopack.runners.cassette import CassetteError
from autopack.runners.git import GitError
from autopack.views import exits, launch, progress, series, terminal, text
from autopack.views.compiled import PROJECT_FILE, project_root
from autopack.views.projection import summary, view

Drive = Callable[[launch.Observe], RunState]
REFUSALS = (launch.NotStarted, CassetteError, GitError)
"""What keeps a run from starting or going on, and has words for whoever asked for it."""


def place_here(repo: str | None = None, start: Path | None = None) -> launch.Place:
    """The places of the project around this folder."""
    from autopack.spec.load import project_of  # noqa: PLC0415  the spec room is only needed where a project is read

    root = project_root(start or Path.cwd())
    _refuse_other_bytes(root)
    project = project_of(str(root))
    if project is None:
        raise click.UsageError(f"{root / PROJECT_FILE} has findings; see `autopack validate`")
    place = launch.place_of(
        root, project.repository, project.artifacts.path, project.store, Path(repo) if repo else None
    )
    _refuse_other_bytes(place.repository)
    return place


def _refuse_other_bytes(folder: Path) -> None:
    """A store's address, JSON and incident packs are UTF-8, and each of them holds this path."""
    try:
        str(folder).encode()
    except UnicodeEncodeError:
        shown = os.fsencode(folder).decode(errors="backslashreplace")
        raise click.UsageError(f"{shown}: the bytes of this path are not UTF-8. Rename that folder.") from None


def driven(place: launch.Place, run_id: str, drive: Drive, *, as_json: bool) -> int:
    """Drive with progress on stderr; the summary on stdout. Returns the exit code."""
    if (code := _guarded(place, run_id, drive)) is not None:
        return code
    plan, run = launch.peek(place, run_id)
    show(place, plan, run, as_json=as_json)
    return exits.of_run(run.state)


def driven_in_turn(place: launch.Place, run_id: str, plan: Plan, drive: Drive, *, as_json: bool) -> int:
    """The same for a plan of several runs."""
    if (code := _guarded(place, run_id, drive)) is not None:
        return code
    show_series(place, plan, run_id, as_json=as_json)
    return exits.of_run(series.told(place, plan, run_id)[-1][1].state)


def _guarded(place: launch.Place, run_id: str, drive: Drive) -> int | None:
    """The exit code of what kept a run from its end; None when it was reached."""
    shown = progress.Progress(sys.stderr)
    try:
        with shown:
            drive(shown.observe)
    except REFUSALS as error:
        return refused("autopack", error)
    except StoreUnusable as error:
        click.echo(f"autopack: {error}{_then(place, run_id)}", err=True)
        return exits.ENVIRONMENT
    except Interrupted:
        click.echo(_interrupted(place, run_id), err=True)
        return exits.INTERRUPTED
    except KeyboardInterrupt:
        click.echo(_interrupted(place, run_id), err=True)
        if any(not thread.daemon for thread in threading.enumerate() if thread is not threading.main_thread()):
            # a call in flight would hold up the end until its deadline
            sys.stderr.flush()
            os._exit(exits.INTERRUPTED)
        return exits.INTERRUPTED
    return None


def refused(who: str, error: Exception) -> int:
    """Say one of REFUSALS; the exit code."""
    click.echo(f"{who}: {error}", err=True)
    return exits.ENVIRONMENT if isinstance(error, GitError) else exits.USAGE


def _interrupted(place: launch.Place, run_id: str) -> str:
    """A KeyboardInterrupt, from a second Ctrl-C or an early one, may have come before there was a run."""
    begun = _has_begun(place, run_id)
    return f"interrupted; go on with: autopack resume {run_id}" if begun else "interrupted before the run began"


def _then(place: launch.Place, run_id: str) -> str:
    """A run whose store gave out under its driver has not ended."""
    return f" Then go on with: autopack resume {run_id}" if _has_begun(place, run_id) else ""


def _has_begun(place: launch.Place, run_id: str) -> bool:
    try:
        if series.known(place, run_id) is None:
            launch.peek(place, run_id)
    except JournalError:
        return False
    return True


def show(place: launch.Place, plan: Plan, run: RunState, *, as_json: bool) -> None:
    """The run's summary on stdout."""
    found, folder = view(plan, run), place.run_folder(run.run_id)
    if as_json:
        click.echo(json.dumps(summary(found, str(folder)), indent=2, ensure_ascii=False))
        return
    click.echo(text.run_screen(found, terminal.columns()))
    if found.done:
        click.echo(f"report: {folder / 'run_summary.md'}")
    if found.done and found.state != "DONE_SUCCESS":
        click.echo(f"incident pack: {folder / 'incident'}")
        click.echo(f"next: {text.next_step(found)}")


def show_series(place: launch.Place, plan: Plan, run_id: str, *, as_json: bool) -> None:
    """Each run that was begun, and which were not."""
    if as_json:
        click.echo(json.dumps(series.document(place, plan, run_id), indent=2, ensure_ascii=False))
        return
    begun = series.told(place, plan, run_id)
    for own, run in begun:
        click.echo(f"run {run.run_id}")
        show(place, own, run, as_json=False)
        click.echo()
    left = len(plan.runs) - len(begun)
    click.echo(f"{run_id}: {len(begun)} of {len(plan.runs)} runs begun" + (f", {left} not started" if left else ""))
