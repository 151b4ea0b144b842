"""autopack schema"""

from pathlib import Path

import click

from autopack.spec.shipped import folder
from autopack.views.exits import USAGE


@click.command("schema")
@click.argument("kind", required=False)
def command(*, kind: str | None) -> int:
    """Print the JSON Schema of KIND; without KIND, list the kinds."""
    schemas = {path.name.partition(".")[0]: path for path in sorted(Path(folder("schemas")).glob("*.v1.schema.json"))}
    if kind is None:
        click.echo("\n".join(schemas))
        return 0
    if kind not in schemas:
        click.echo(f"autopack schema: no kind is called {kind!r}; there are {', '.join(schemas)}", err=True)
        return USAGE
    click.echo(schemas[kind].read_text(encoding="utf-8"), nl=False)
    return 0
