"""autopack graph"""

import sys
from pathlib import Path

import click

from autopack.journal.durable import put
from autopack.plan.calibration import Calibration
from autopack.plan.model import Plan
from autopack.views.cli import selecting
from autopack.views.compiled import Unusable, compiled, given_inputs
from autopack.views.drawing.content import content
from autopack.views.exits import USAGE

FORMATS = ("mermaid", "dot", "json", "svg", "html")


@click.command("graph")
@click.argument("playbook")
@click.option("--format", "form", type=click.Choice(FORMATS), help="Default: by the file's name, else mermaid.")
@click.option("-o", "--output", type=click.Path(dir_okay=False), help="Write to this file.")
@selecting.options
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="Set a declared input.")
@click.option("--env", metavar="NAME", help="Take this environment of the project.")
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
def command(
    *,
    playbook: str,
    form: str | None,
    output: str | None,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    state: str | None,
    inputs: tuple[str, ...],
    env: str | None,
    as_json: bool,
) -> int:
    """Draw the phases of PLAYBOOK (or of a frozen plan.json): tiers, order, risk, cost and the critical path.

    mermaid and dot are text for other programs; svg is a picture; html is one page to look around in, that asks nothing
    of any other place. Edges that follow from others are left out.
    """
    try:
        given = given_inputs(inputs)
        found = compiled(playbook, given, None, env, quiet=True)
        plan = selecting.part(found, select, exclude, selecting.earlier(state, playbook, found, given, env))
        text = drawn(plan, "json" if as_json else form or _by_name(output), found.calibration)
        if output is None:
            sys.stdout.write(text)
        else:
            _write(output, text)
    except Unusable as error:
        if str(error):
            click.echo(f"autopack graph: {error}", err=True)
        return error.code
    return 0


def drawn(plan: Plan, form: str, calibration: Calibration | None = None) -> str:
    found = content(plan, calibration)
    if form in {"svg", "html"}:
        from autopack.views.drawing.layout import layout  # noqa: PLC0415 - only pictures have places
        from autopack.views.drawing.page import page  # noqa: PLC0415
        from autopack.views.drawing.svg import svg  # noqa: PLC0415

        return (svg if form == "svg" else page)(found, layout(found))
    from autopack.views.drawing import written  # noqa: PLC0415

    return {"mermaid": written.mermaid, "dot": written.dot, "json": written.document}[form](found)


def _by_name(output: str | None) -> str:
    suffix = Path(output or "").suffix.removeprefix(".")
    return {"mmd": "mermaid", "gv": "dot", "htm": "html"}.get(suffix, suffix if suffix in FORMATS else "mermaid")


def _write(output: str, text: str) -> None:
    """Raises Unusable."""
    try:
        put(Path(output), text.encode())
    except OSError as error:
        raise Unusable(USAGE, f"can't write {output}: {error.strerror}; name another file with -o") from None
