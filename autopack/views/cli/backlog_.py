"""autopack backlog"""

import json
from pathlib import Path

import click

from autopack.plan import backlog, canonical
from autopack.plan.backlog import BacklogEntry
from autopack.spec.load import project_of
from autopack.views import backlogged, report_text
from autopack.views.compiled import PROJECT_FILE, project_root


@click.command("backlog")
@click.option("--all", "everything", is_flag=True, help="Also what a run has shown to be gone.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, as project_issue_backlog.json.")
def command(*, everything: bool, as_json: bool) -> int:
    """List the issues that outlived their runs: the oldest first, as the next compile sees them."""
    root = project_root(Path.cwd())
    project = project_of(str(root))
    if project is None:
        raise click.UsageError(f"{root / PROJECT_FILE} has findings; see `autopack validate`")
    known, _ = backlogged.known(root, project.artifacts.path, project.store, project.name)
    found = sorted((e for e in known.values() if everything or e.resolved_by is None), key=_oldest_first)
    if as_json:
        document = {"format_version": backlog.FORMAT_VERSION, "issues": [canonical.plain(entry) for entry in found]}
        click.echo(json.dumps(document, indent=2, ensure_ascii=False))
    else:
        click.echo(report_text.backlog_screen(found))
    return 0


def _oldest_first(entry: BacklogEntry) -> tuple[bool, int, int, int, str]:
    return (
        entry.resolved_by is not None,
        -entry.age_in_runs,
        -entry.age_in_tiers,
        -entry.occurrence_count,
        entry.issue_key,
    )
