"""autopack diff"""

from collections.abc import Sequence

import click

from autopack.plan.deny import GROWTH, RULES, NoRule, rules
from autopack.views import differences, terminal
from autopack.views.comment import comment
from autopack.views.compared import pairs
from autopack.views.compiled import Unusable, given_inputs
from autopack.views.exits import FINDINGS, USAGE

FORMATS = ("text", "markdown", "json")


def _listed() -> str:
    """The rules, for the help."""
    rows = [
        *((name, about) for name, (about, _) in RULES.items()),
        *((f"{n}+N%", f"{w} grows more") for n, w in GROWTH.items()),
    ]
    return "\b\n" + "\n".join(f"  {name:14} {about}" for name, about in rows)


@click.command("diff", epilog=f"Rules of --deny:\n\n{_listed()}")
@click.argument("what", nargs=-1, required=True, metavar="A [B]")
@click.option("--deny", multiple=True, metavar="RULES", help="Exit 1 when a change breaks one: widen-scope,cost+20%.")
@click.option("--format", "form", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option("--detailed-exitcode", is_flag=True, help="Exit 1 also when anything differs.")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="Set a declared input, on both sides.")
@click.option("--env", metavar="NAME", help="Take this environment of the project, on both sides.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def command(
    *,
    what: tuple[str, ...],
    deny: tuple[str, ...],
    form: str,
    detailed_exitcode: bool,
    inputs: tuple[str, ...],
    env: str | None,
    as_json: bool,
) -> int:
    """Compare two plans: what may be touched, what may be spent, how it is guarded, what happens when.

    A and B are playbooks, frozen plans (JSON), or either at a revision (main:playbooks/shop.yaml). One revision is
    compared with what is there now, two with each other: `main HEAD`, `main..HEAD`, or `main...HEAD` from where they
    parted; all playbooks of the project, or those named behind. Revisions are read from git's objects: no checkout.
    """
    try:
        asked = rules(deny)
        found = [differences.compared(pair, asked) for pair in pairs(what, given_inputs(inputs), env)]
    except NoRule as error:
        click.echo(f"autopack diff: {error}", err=True)
        return USAGE
    except Unusable as error:
        if str(error):
            click.echo(f"autopack diff: {error}", err=True)
        return error.code
    click.echo(_told(found, "json" if as_json else form), nl=False)
    differs = detailed_exitcode and any(each.changes for each in found)
    return FINDINGS if differs or any(each.denied for each in found) else 0


def _told(found: Sequence[differences.Compared], form: str) -> str:
    if form == "json":
        return differences.document(found)
    return comment(found) if form == "markdown" else differences.screen(found, terminal.columns())
