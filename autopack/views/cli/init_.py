"""autopack init"""

import json
import os
import re
from pathlib import Path
from string import Template

import click

from autopack.spec import shipped
from autopack.spec.scalars import WORDS
from autopack.views import starter
from autopack.views.exits import USAGE

ANY = range(256)  # of git's answers: a folder that only looks like a repository is none
NAME_CHARS = 48  # an id has at most 64, and `project-` may come before


@click.command("init")
@click.option("--template", type=click.Choice(sorted(starter.TEMPLATES)), default="python", show_default=True)
@click.option(
    "--source",
    metavar="REQUIREMENT",
    help="What CI installs autopack from: git+https://HOST/OWNER/autopack@COMMIT. Else where this one came from, or the"
    " repository variable AUTOPACK.",
)
@click.argument("folder", type=click.Path(file_okay=False), default=".")
def command(*, template: str, source: str | None, folder: str) -> int:
    """Write a project that validates into FOLDER (here by default); nothing that exists is overwritten."""
    here = Path(folder).resolve()
    above = _repository_above(here)
    inside = "" if above is None else here.relative_to(above).as_posix()
    words = starter.words(_name(here.name), inside, _base_branch(above or here), source or _installed_from())
    texts = {path: Template(text).substitute(words) for path, text in starter.TEMPLATES[template].items()}
    for path, text in (texts | _schemas()).items():
        where = Path(folder) / path
        if os.path.lexists(where):  # a link that leads nowhere is somebody's, too
            click.echo(f"kept    {path} (exists)")
            if path == starter.HOOKS and not _mentions(where, "autopack validate"):
                click.echo(f"add to the `repos:` of {path}:\n{starter.to_add(text)}")
            continue
        try:
            where.parent.mkdir(parents=True, exist_ok=True)
            where.write_text(text, encoding="utf-8")
        except OSError as error:
            click.echo(f"autopack init: {_refused(where, error)}", err=True)
            return USAGE
        click.echo(f"wrote   {path}")
    if above is not None:
        click.echo(f"note: GitHub and pre-commit look for their files in {above}: move them there")
    click.echo("next: autopack validate && autopack plan playbooks/first.yaml")
    return 0


def _installed_from() -> str | None:
    """The commit this autopack was installed from, as pip installs it again; None where it is no commit."""
    from importlib import metadata  # noqa: PLC0415 - `autopack --version` and all others start without

    try:
        told = json.loads(metadata.distribution("autopack").read_text("direct_url.json") or "{}")
    except (metadata.PackageNotFoundError, ValueError):
        return None
    commit, url = told.get("vcs_info", {}).get("commit_id"), told.get("url", "")
    known = commit and url.startswith("https://") and "@" not in url  # else with a name or a word that is secret
    return f"git+{url}@{commit}" if known else None


def _mentions(file: Path, words: str) -> bool:
    try:
        return words in file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return False


def _refused(where: Path, error: OSError) -> str:
    file = next((above for above in where.parents if above.exists() and not above.is_dir()), None)
    if file is not None:
        return f"{file} is a file where a folder is needed; move it away, or name another folder"
    return f"can't write {where}: {error.strerror}; name a folder you may write to"


def _base_branch(top: Path) -> str | None:
    """The branch to build on where there is no main: master, else the one that is checked out; None: main will do."""
    from autopack.runners.git.command import Git  # noqa: PLC0415 - most verbs start without git
    from autopack.runners.git.errors import GitUnusable  # noqa: PLC0415

    if not (top / ".git").exists():
        return None
    git = Git(str(top), str(top))
    try:
        usual = git.run("for-each-ref", "--format=%(refname:short)", "refs/heads/main", "refs/heads/master", accept=ANY)
        head = git.run("symbolic-ref", "--quiet", "--short", "HEAD", accept=ANY)
    except GitUnusable:  # a project can be written before there is a git
        return None
    known = usual.text.split()
    found = "main" if "main" in known else "master" if "master" in known else head.text
    return found if found and found != "main" and not head.status else None


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
