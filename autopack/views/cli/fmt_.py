"""autopack fmt"""

import click

from autopack.views.cli.rewriting import rewrite_files
from autopack.views.rewriting import fmt


@click.command("fmt")
@click.argument("paths", nargs=-1, metavar="[PATHS]... [-]")
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when something would change.")
@click.option("--diff", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(*, paths: tuple[str, ...], check: bool, diff: bool, as_json: bool) -> int:
    """Rewrite PATHS (the whole project by default; - as a filter) in the canonical layout.

    Keys in the order of their schema, two blanks a level, comments kept. What a file says never changes: a result that
    does not read the same is thrown away.
    """
    return rewrite_files("fmt", paths, fmt, check=check, diff=diff, as_json=as_json)
