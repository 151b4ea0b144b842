"""autopack verify"""

import json
import textwrap
from contextlib import ExitStack

import click

from autopack.journal.errors import StoreMissing, UnknownRun
from autopack.journal.store import Store, open_store
from autopack.plan import canonical
from autopack.runners import git
from autopack.views import launch, verifying
from autopack.views.cli.running import place_here
from autopack.views.exits import ENVIRONMENT, FINDINGS, OK, USAGE


@click.command("verify")
@click.argument("what", metavar="BRANCH|RUN")
@click.option("--repo", type=click.Path(exists=True, file_okay=False), help="The repository that holds the branch.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(*, what: str, repo: str | None, as_json: bool) -> int:
    """Check the evidence of a run again: events, blobs, decisions, commits, trailers, tags, issue files, artefacts.

    With the store everything is compared with the journal. A branch in a clone without it is checked by itself, and
    what could not be checked is said. Exit code 1: something is not what it was.
    """
    place = place_here(repo)
    said = ""
    with ExitStack() as stack:
        try:
            repository = stack.enter_context(git.open_repository(place.repository, writes=()))
        except git.GitError as error:
            repository, said = None, str(error)
        store = _store(stack, place)
        run_id = None if store is None else _run_of(store, what, repository)
        if store is not None and run_id is not None:
            found = verifying.of_run(store, run_id, repository, place.run_folder(run_id))
        elif repository is None:
            click.echo(f"autopack verify: {said}", err=True)
            return ENVIRONMENT
        else:
            try:
                found = verifying.of_branch(repository, what)
            except git.GitUnusable:
                click.echo(f"autopack verify: {what} is neither a run of this store nor a branch here", err=True)
                return USAGE
    _show(found, as_json=as_json)
    return FINDINGS if found.faults else OK


def _store(stack: ExitStack, place: launch.Place) -> Store | None:
    try:
        return stack.enter_context(open_store(place.store, create=False))
    except StoreMissing:
        return None


def _run_of(store: Store, what: str, repository: git.Repository | None) -> str | None:
    """The run that is meant: by its id, or as the one whose branch it is."""
    candidates = [what, what.removeprefix("refs/heads/").removeprefix("autonomous/")]
    if repository is not None:
        head = repository.branch_head(f"refs/heads/{what}") if "/" in what else None
        candidates += [repository.read_trailers(head).get("Autopack-Run", "")] if head else []
    for name in candidates:
        try:
            return store.run(name).run_id
        except UnknownRun:
            continue
    return None


def _show(found: verifying.Verified, *, as_json: bool) -> None:
    if as_json:
        document = {
            "format_version": 1,
            "run_id": found.run_id,
            "ok": not found.faults,
            "checked": found.checked,
            "faults": [canonical.plain(fault) for fault in found.faults],
            "not_checked": found.unchecked,
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
        return
    for fault in found.faults:
        click.echo(str(fault))
    counts = ", ".join(f"{count} {kind}{'' if count == 1 else 's'}" for kind, count in found.checked.items())
    click.echo(textwrap.fill(f"checked: {counts or 'nothing'}", 80, subsequent_indent="  "))
    click.echo(f"run {found.run_id}: {len(found.faults) or 'nothing'} changed")
    for words in found.unchecked:
        click.echo(f"not checked: {words}")
