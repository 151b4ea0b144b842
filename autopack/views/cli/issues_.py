"""autopack issues"""

import json

import click

from autopack.journal.store import open_store
from autopack.run import records
from autopack.run.issues import Issue
from autopack.views import launch, report_text
from autopack.views.cli.running import place_here


@click.command("issues")
@click.argument("run_id", metavar="[RUN]", required=False)
@click.option("--open", "only_open", is_flag=True, help="Leave out what was resolved within the run.")
@click.option("--json", "as_json", is_flag=True, help="Print the run's issue index as one JSON document.")
def command(*, run_id: str | None, only_open: bool, as_json: bool) -> int:
    """List the issues of RUN (of the newest run): what was seen, by whom, how often and where."""
    with open_store(place_here().store, create=False) as store:
        if run_id is None:
            rows = store.runs()
            if not rows:
                click.echo("no runs yet; start one with: autopack run playbooks/NAME.yaml")
                return 0
            run_id = rows[-1].run_id
        _, run = launch.folded(store, run_id)
    found = sorted((i for i in run.issues.values() if not (only_open and i.resolved)), key=_gravest_first)
    if as_json:
        click.echo(json.dumps(records.index(run_id, found), indent=2, ensure_ascii=False))
    else:
        click.echo(f"run {run_id}\n{report_text.issues_screen(found)}")
    return 0


def _gravest_first(issue: Issue) -> tuple[bool, bool, int, str]:
    return issue.resolved, issue.effective_severity != "major", -issue.occurrence_count, issue.issue_key
