"""autopack rehearse"""

import gc
import json
import os
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from autopack.journal.durable import put
from autopack.problem import order
from autopack.problem.report import render
from autopack.spec.files import SCENARIOS
from autopack.spec.load import Rehearsable, scenarios
from autopack.views import rehearsed_text
from autopack.views.cached import today
from autopack.views.compiled import project_root
from autopack.views.exits import FINDINGS, OK, USAGE
from autopack.views.rehearsal import Rehearsal, Stage

FORMATS = ("full", "concise", "github")
COLUMNS_MIN, UNWRAPPED = 60, 100_000
EVERY = 25  # scenarios between two looks of the progress


@click.command("rehearse")
@click.argument("paths", nargs=-1, metavar="[SCENARIOS]...", type=click.Path())
@click.option("-k", "word", metavar="WORD", help="Only scenarios with this word in their path or name.")
@click.option("-v", "--verbose", is_flag=True, help="Print every scenario and the way of each of its phases.")
@click.option("--format", "form", type=click.Choice(FORMATS), help="How findings are printed.")
@click.option("--json", "as_json", is_flag=True, help="Print what came of each scenario as JSON.")
@click.option("--junit", type=click.Path(dir_okay=False), metavar="FILE", help="Write JUnit's XML to this file, too.")
def command(
    *, paths: tuple[str, ...], word: str | None, verbose: bool, form: str | None, as_json: bool, junit: str | None
) -> int:
    """Play SCENARIOS (files and folders; all of the project by default) and say what went another way than expected.

    No model, no git, no clock: the same compiler and machine as in a run, with the answers that the scenarios write
    down.
    """
    gc.disable()  # what is played is small and short-lived, and looking for garbage takes a fifth of the time
    found = [each for each in scenarios(os.getcwd(), _asked(paths), today=today()) if _wanted(each, word)]
    if not found:
        click.echo(f"autopack rehearse: {_none(paths, word)}", err=True)
        return USAGE
    stage = Stage(os.getcwd(), today())
    rehearsals = list(_rehearsed(stage, found, traced=verbose))
    if junit:
        try:
            put(Path(junit), rehearsed_text.junit(rehearsals).encode())
        except OSError as error:
            click.echo(f"autopack rehearse: can't write {junit}: {error.strerror}; name another file", err=True)
            return USAGE
    if as_json:
        click.echo(json.dumps(rehearsed_text.document(rehearsals), indent=2))
    else:
        _tell(rehearsals, stage, form or ("github" if os.environ.get("GITHUB_ACTIONS") == "true" else "full"), verbose)
    return OK if all(each.passed for each in rehearsals) else FINDINGS


def _asked(paths: Sequence[str]) -> Sequence[str]:
    """By default the folder of the project around this one."""
    folder = project_root(Path.cwd()) / SCENARIOS
    return list(paths) or ([os.path.relpath(folder)] if folder.is_dir() else [])


def _wanted(found: Rehearsable, word: str | None) -> bool:
    name = found.scenario.name if found.scenario else ""
    return not word or word.casefold() in f"{found.path}\n{name}".casefold()


def _none(paths: Sequence[str], word: str | None) -> str:
    where = ", ".join(paths) or f"{SCENARIOS}/"
    if word:
        return f"no scenario in {where} has {word!r} in its path or name"
    return f"there is no scenario in {where}; write one (autopack schema scenario says how), or name a file or folder"


def _rehearsed(stage: Stage, found: Sequence[Rehearsable], *, traced: bool) -> Iterator[Rehearsal]:
    live = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
    for number, each in enumerate(found):
        if live and number % EVERY == 0:
            click.echo(f"\rrehearsing {number:,} of {len(found):,}", nl=False, err=True)
        yield stage.rehearse(each, traced=traced)
    if live:
        click.echo("\r\x1b[K", nl=False, err=True)


def _tell(rehearsals: Sequence[Rehearsal], stage: Stage, form: str, verbose: bool) -> None:  # noqa: FBT001
    columns = max(COLUMNS_MIN, shutil.get_terminal_size().columns) if sys.stdout.isatty() else UNWRAPPED
    if verbose:
        for each in rehearsals:
            click.echo(rehearsed_text.lines(each, columns))
    problems = order(found for each in rehearsals for found in each.problems)
    if problems:
        colour = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        click.echo(render(problems, stage.sources, form, colour, len(rehearsals)), nl=False)
    click.echo(rehearsed_text.summary(rehearsals))
