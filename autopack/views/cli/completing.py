"""Completion in a shell: playbooks, phases, codes, runs and environments, by what the project here holds.

Imported only while a shell asks. What can't be read completes nothing: a shell has no place for findings.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from autopack.journal.errors import JournalError
from autopack.journal.store import open_store
from autopack.problem.codes import CODES, LAYERS
from autopack.spec import fanout, template
from autopack.spec.document import Document
from autopack.spec.load import check
from autopack.spec.schema import KINDS
from autopack.views.cli.running import place_here
from autopack.views.compiled import project_root

Words = Iterable[tuple[str, str]]  # each with what is said about it


def attach(command: click.Command) -> None:
    """Every argument and option of a verb whose name says what it takes."""
    for parameter in command.params:
        if (find := BY_NAME.get(parameter.name or "")) is not None:
            vars(parameter)["shell_complete"] = partial(_completed, find, parameter.name in FILES_TOO)


def _completed(
    find: Callable[[click.Context, str], Words],
    files_too: bool,  # noqa: FBT001 - by position, as the rest that click gives
    context: click.Context,
    incomplete: str,
) -> list[CompletionItem]:
    try:
        words = dict(find(context, incomplete))
    except (OSError, JournalError):
        words = {}
    found = [CompletionItem(word, help=said) for word, said in words.items() if word.startswith(incomplete)]
    return found or ([CompletionItem(incomplete, type="file")] if files_too else [])


def playbooks(_context: click.Context, _incomplete: str) -> Words:
    here, root = Path.cwd(), project_root(Path.cwd())
    for path, document in check(str(root)).documents.items():
        if document.kind == "playbook" and not path.startswith("builtin:"):
            said = document.value.get("description") if isinstance(document.value, dict) else None
            place = root / path
            shown = place.relative_to(here) if place.is_relative_to(here) else place
            yield str(shown), " ".join(said.split()) if isinstance(said, str) else ""


def phases(context: click.Context, _incomplete: str) -> Words:
    for document in _documents(context):
        for _, phase in template.phases(document):
            name = phase.get("id")
            if isinstance(name, str):
                said = phase.get("name")
                branches = fanout.branches(phase, name) if fanout.fans(phase) and fanout.certain(phase) else ()
                yield name, said if isinstance(said, str) else ""
                yield from ((branch.id, "") for branch in branches)


def inputs(context: click.Context, _incomplete: str) -> Words:
    for document in _documents(context):
        declared = document.value.get("inputs") if document.kind == "playbook" else None
        for name, said in declared.items() if isinstance(declared, dict) else ():
            about = said.get("description") if isinstance(said, dict) else None
            yield f"{name}=", about if isinstance(about, str) else ""


def _documents(context: click.Context) -> Iterator[Document]:
    """The playbook that was named, and what it takes phases from; where none was, all of the project."""
    named = context.params.get("playbook")
    root = project_root(Path.cwd())
    place = Path(named).resolve() if isinstance(named, str) and Path(named).is_file() else None
    for path, document in check(str(root), [str(place)] if place else None).documents.items():
        other = document.kind == "playbook" and place not in (None, root / path)
        if isinstance(document.value, dict) and not other:
            yield document


def environments(_context: click.Context, _incomplete: str) -> Words:
    for document in check(str(project_root(Path.cwd()))).documents.values():
        declared = document.value.get("environments") if document.kind == "project" else None
        for name in declared if isinstance(declared, dict) else ():
            yield name, ""


def runs(_context: click.Context, _incomplete: str) -> Words:
    with open_store(place_here().store, create=False) as store:
        yield from ((row.run_id, row.state) for row in reversed(store.runs()))


def codes(_context: click.Context, incomplete: str) -> Words:
    """Of a list the last one."""
    before = incomplete[: incomplete.rfind(",") + 1]
    yield from ((before + name, about) for name, about in LAYERS.items())
    yield from ((before + code, found.title) for code, found in CODES.items())


def kinds(_context: click.Context, _incomplete: str) -> Words:
    yield from ((kind, "") for kind in KINDS)


BY_NAME: Mapping[str, Callable[[click.Context, str], Any]] = {
    "playbook": playbooks,
    "phase_id": phases,
    "inputs": inputs,
    "env": environments,
    "run_id": runs,
    "record": runs,
    "code": codes,
    "codes": codes,
    "ignore": codes,
    "kind": kinds,
}
FILES_TOO = frozenset({"playbook", "record"})  # a frozen plan, a folder of a run
