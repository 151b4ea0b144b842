"""autopack init"""

import re
from pathlib import Path
from string import Template

import click

from autopack.spec import shipped
from autopack.views import starter
from autopack.views.exits import USAGE


@click.command("init")
@click.option("--template", type=click.Choice(sorted(starter.TEMPLATES)), default="python", show_default=True)
@click.argument("folder", type=click.Path(file_okay=False), default=".")
def command(*, template: str, folder: str) -> int:
    """Write a project that validates into FOLDER (here by default); nothing that exists is overwritten."""
    name = _name(Path(folder).resolve().name)
    texts = {path: Template(text).substitute(name=name) for path, text in starter.TEMPLATES[template].items()}
    for path, text in (texts | _schemas()).items():
        where = Path(folder) / path
        if where.exists():
            click.echo(f"kept    {path} (exists)")
            continue
        try:
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_text(text, encoding="utf-8")
        except OSError as error:
            fact = f"can't write {where}: {error.strerror}"
            click.echo(f"autopack init: {fact}; name a folder you may write to", err=True)
            return USAGE
        click.echo(f"wrote   {path}")
    click.echo("next: autopack validate && autopack plan playbooks/first.yaml")
    return 0


def _name(folder: str) -> str:
    """The folder's name as a project id."""
    words = re.sub(r"[^A-Za-z0-9_.-]+|\.{2,}", "-", folder).strip("-._")
    return words if words[:1].isalpha() and not words.endswith(".lock") else f"project-{words}".rstrip("-")


def _schemas() -> dict[str, str]:
    """The modelines of the written files point here, so that editors explain without a network."""
    found = sorted(Path(shipped.folder("schemas")).glob("*.json"))
    return {f".autopack/schemas/{path.name}": path.read_text(encoding="utf-8") for path in found}
