"""autopack init"""

import os
import re
from pathlib import Path
from string import Template

import click

from autopack.spec import shipped
from autopack.spec.scalars import WORDS
from autopack.views import starter
from autopack.views.exits import USAGE

NAME_CHARS = 48  # an id has at most 64, and `project-` may come before


@click.command("init")
@click.option("--template", type=click.Choice(sorted(starter.TEMPLATES)), default="python", show_default=True)
@click.argument("folder", type=click.Path(file_okay=False), default=".")
def command(*, template: str, folder: str) -> int:
    """Write a project that validates into FOLDER (here by default); nothing that exists is overwritten."""
    name = _name(Path(folder).resolve().name)
    texts = {path: Template(text).substitute(name=name) for path, text in starter.TEMPLATES[template].items()}
    for path, text in (texts | _schemas()).items():
        where = Path(folder) / path
        if os.path.lexists(where):  # a link that leads nowhere is somebody's, too
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
    if (above := _repository_above(Path(folder).resolve())) is not None:
        click.echo(f"note: GitHub and pre-commit look for their files in {above}: move them there")
    click.echo("next: autopack validate && autopack plan playbooks/first.yaml")
    return 0


def _name(folder: str) -> str:
    """The folder's name as a project id."""
    words = re.sub(r"[^A-Za-z0-9_.-]+|\.{2,}", "-", folder).strip("-._")[:NAME_CHARS].rstrip("-._")
    fits = words[:1].isalpha() and not words.endswith(".lock") and words not in WORDS
    return words if fits else f"project-{words}".rstrip("-")


def _repository_above(folder: Path) -> Path | None:
    """The root of the repository that the folder is a part of, where it is another folder."""
    if (folder / ".git").exists():
        return None
    return next((above for above in folder.parents if (above / ".git").exists()), None)


def _schemas() -> dict[str, str]:
    """The modelines of the written files point here, so that editors explain without a network."""
    found = sorted(Path(shipped.folder("schemas")).glob("*.json"))
    return {f".autopack/schemas/{path.name}": path.read_text(encoding="utf-8") for path in found}
