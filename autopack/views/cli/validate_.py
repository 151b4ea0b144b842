"""autopack validate"""

import os
import sys

import click

from autopack.problem.report import FORMATS
from autopack.views import cached, check, rewrite
from autopack.views.cli.rewriting import unwritten
from autopack.views.exits import FINDINGS, OK, USAGE


@click.command("validate")
@click.argument("paths", nargs=-1, metavar="[PATHS]... [-]")
@click.option("--format", "form", type=click.Choice(list(FORMATS)), help="How findings are printed.")
@click.option("--codes", metavar="AP1,AP2003", multiple=True, help="Show only these codes or layers.")
@click.option("--ignore", metavar="CODE", multiple=True, help="Leave these codes out.")
@click.option("--fail-on", type=click.Choice(list(check.SEVERITIES)), default="error", show_default=True)
@click.option("--env", metavar="NAME", help="Check with this environment of the project.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--fix", is_flag=True, help="Make the replacements that are safe: clear typos, headers, quotes.")
@click.option("--diff", is_flag=True, help="Show what --fix would change, and change nothing.")
@click.option("--no-cache", is_flag=True, help="Check again, also what was checked before and has not changed.")
@click.option("--no-color", is_flag=True, help="Plain text, also on a terminal.")
def command(
    *,
    paths: tuple[str, ...],
    form: str | None,
    codes: tuple[str, ...],
    ignore: tuple[str, ...],
    fail_on: str,
    env: str | None,
    fix: bool,
    diff: bool,
    no_cache: bool,  # noqa: ARG001 - only the way without click keeps answers
    no_color: bool,
    as_json: bool,
) -> int:
    """Check PATHS (files, folders, or - for standard input); the whole project by default.

    Works offline, with no keys and no git.
    """
    colour = False if no_color or "NO_COLOR" in os.environ else None
    form = "json" if as_json else form
    shown, hidden = check.words(codes), check.words(ignore)
    if fix or diff:
        return _fixed(paths, form, colour, (shown, hidden), fail_on, env, only_show=diff)
    return check.run(paths, form, colour, codes=shown, ignore=hidden, fail_on=fail_on, env=env)


def _fixed(
    paths: tuple[str, ...],
    form: str | None,
    colour: bool | None,  # noqa: FBT001 - as in check.run
    filters: tuple[tuple[str, ...], tuple[str, ...]],
    fail_on: str,
    env: str | None,
    *,
    only_show: bool,
) -> int:
    """With a diff: the diff alone on stdout, 1 when there is one. Else what is left, as by `validate`."""
    from autopack.views import fixing  # noqa: PLC0415 - difflib is nothing a plain check has time for

    if "-" in paths:
        raise click.UsageError("standard input can't be fixed in place; name files or folders")
    asked = list(paths) or None
    done = fixing.fixed(os.getcwd(), asked, cached.today(), lambda found: check.wanted(found, *filters), env)
    if not done.left.files and not done.left.problems:
        click.echo(check.nothing_checked(paths), err=True)
        return USAGE
    count = f"{len(done.settled)} finding{'' if len(done.settled) == 1 else 's'}"
    where = f"{len(done.changes)} file{'' if len(done.changes) == 1 else 's'}"
    if only_show:
        click.echo(rewrite.diff(done.changes), nl=False)
        click.echo(f"--fix would settle {count} in {where}", err=True)
        return FINDINGS if done.changes else OK
    if (hindered := unwritten(done.changes)) is not None:
        click.echo(f"autopack validate: {hindered}", err=True)
        return USAGE
    left = [found for found in done.left.problems if check.wanted(found, *filters)]
    answer = check.told(done.left, left, form or "full", colour, fail_on)
    sys.stdout.write(answer.text)
    click.echo(f"settled {count} in {where}", err=True)
    return answer.code
