"""autopack validate"""

import os

import click

from autopack.problem.report import FORMATS
from autopack.views import check


@click.command("validate")
@click.argument("paths", nargs=-1, metavar="[PATHS]... [-]")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="How findings are printed.")
@click.option("--codes", metavar="AP1,AP2003", help="Show only these codes or layers.")
@click.option("--ignore", metavar="CODE", multiple=True, help="Leave these codes out.")
@click.option("--fail-on", type=click.Choice(["error", "warning", "info"]), default="error", show_default=True)
@click.option("--env", metavar="NAME", help="Check with this environment of the project.")
@click.option("--no-color", is_flag=True, help="Plain text, also on a terminal.")
def command(
    *,
    paths: tuple[str, ...],
    form: str | None,
    codes: str | None,
    ignore: tuple[str, ...],
    fail_on: str,
    env: str | None,
    no_color: bool,
) -> int:
    """Check PATHS (files, folders, or - for standard input); the whole project by default.

    Works offline, with no keys and no git.
    """
    wanted = tuple(word.strip() for word in (codes or "").split(",") if word.strip())
    hidden = tuple(word.strip() for words in ignore for word in words.split(",") if word.strip())
    colour = False if no_color or "NO_COLOR" in os.environ else None
    return check.run(paths, form, colour, codes=wanted, ignore=hidden, fail_on=fail_on, env=env)
