"""autopack migrate"""

import click

from autopack.views.cli.rewriting import rewrite_files
from autopack.views.rewriting import migrate


@click.command("migrate")
@click.argument("paths", nargs=-1, metavar="[PATHS]... [-]")
@click.option("--check", is_flag=True, help="Change nothing; exit 1 when something would change.")
@click.option("--diff", is_flag=True, help="Show what would change, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(*, paths: tuple[str, ...], check: bool, diff: bool, as_json: bool) -> int:
    """Rewrite PATHS (the whole project by default; - as a filter) for the newest version of the language.

    Only the tokens that have changed are replaced; comments and layout stay.
    """
    return rewrite_files("migrate", paths, migrate, check=check, diff=diff, as_json=as_json)
