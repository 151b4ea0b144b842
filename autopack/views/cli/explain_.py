"""autopack explain"""

import click

from autopack.problem.codes import CODES
from autopack.spec.nearest import nearest
from autopack.views.exits import USAGE


@click.command("explain")
@click.argument("code")
def command(*, code: str) -> int:
    """Say what CODE (AP2003) means and why it matters."""
    wanted = code.upper()
    found = CODES.get(wanted)
    if found is None:
        close = nearest(wanted, CODES)
        hint = f"; did you mean {close}?" if close else ""
        click.echo(f"autopack explain: no finding has the code {code}{hint}", err=True)
        return USAGE
    click.echo(f"{wanted}: {found.title} ({found.severity})\n\n{found.why}")
    return 0
