"""autopack promote"""

import json
from contextlib import ExitStack

import click

from autopack.journal.store import open_store
from autopack.run.promotion import debt_status, obstacles
from autopack.runners import git
from autopack.views import launch, promoting, promotion_text
from autopack.views.cli.running import place_here
from autopack.views.exits import ENVIRONMENT, FINDINGS, OK


@click.command("promote")
@click.argument("run_id", metavar="RUN")
@click.option("--merge", is_flag=True, help="Merge the run's branch into the base branch, in nobody's checkout.")
@click.option("--repo", type=click.Path(exists=True, file_okay=False), help="The repository the run was started with.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(*, run_id: str, merge: bool, repo: str | None, as_json: bool) -> int:
    """Say whether RUN may be promoted, and print the text of its pull request; with --merge, merge it.

    Refuses, with every reason, unless the run is eligible. The merge checks all evidence first.
    """
    place = place_here(repo)
    with ExitStack() as stack:
        store = stack.enter_context(open_store(place.store, create=False))
        plan, run = launch.folded(store, run_id)
        told = promotion_text.markdown(plan, run)
        done = None
        reasons = obstacles(plan, run)
        try:
            if merge and not reasons:
                writes = (f"refs/heads/{plan.base_branch}",)
                repository = stack.enter_context(git.open_repository(place.repository, writes=writes))
                done = promoting.merge(repository, store, plan, run, place.run_folder(run_id))
        except promoting.NotPromoted as error:
            reasons = error.reasons
        except git.GitError as error:
            click.echo(f"autopack promote: {error}", err=True)
            return ENVIRONMENT
    if as_json:
        document = {
            "format_version": 1,
            "run_id": run_id,
            "eligible": not obstacles(plan, run),
            "reasons": list(reasons),
            "debt_status": debt_status(plan, run),
            "base_branch": plan.base_branch,
            "integration_branch": plan.branch(run_id),
            "head": run.head,
            "merged": None if done is None else {"commit": done.commit, "made": done.made, "foreign": done.foreign},
            "markdown": told,
        }
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    elif not reasons:
        click.echo(told if done is None else _said(done), nl=done is not None)
    for reason in reasons:
        click.echo(f"autopack promote: {reason}", err=True)
    return FINDINGS if reasons else OK


def _said(done: promoting.Promoted) -> str:
    if not done.made:
        return f"{done.branch} holds the run already; nothing to do"
    words = f"{done.branch} is at {done.commit} now"
    if done.foreign:
        words += f"\n{done.branch} had moved by {done.foreign} commits since the run began: let CI see them together"
    return words
