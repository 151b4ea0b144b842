"""Inputs: declared by a playbook or module, given beside `uses`, used in templates. Each use leads to all others."""

import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from autopack.problem import Span
from autopack.spec import template
from autopack.spec.at import Step, Steps
from autopack.spec.document import Document
from autopack.views.lsp.places import holds
from autopack.views.lsp.workspace import Workspace

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
KINDS = ("playbook", "tier", "phase")
USING = {"playbook": (("tiers", "*"), ("tiers", "*", "phases", "*")), "tier": (("phases", "*"),)}


class Input(NamedTuple):
    home: str  # the path, as findings show it, of the file that declares it
    name: str


class Use(NamedTuple):
    input: Input
    document: Document
    span: Span
    how: str  # "declared", "used" in a template, or "given" beside `uses`
    exact: bool = True  # False: the text is spelt so that the name's own place in it is not known


def at(workspace: Workspace, place: str, line: int, column: int) -> Use | None:
    """The input whose name is under a cursor."""
    document = workspace.document(place)
    found = _in(workspace, workspace.root(place), document) if document else ()
    return next((each for each in found if each.exact and holds(each.span, line, column)), None)


def same(workspace: Workspace, place: str, wanted: Input) -> list[Use]:
    """Every place where an input is declared, given or used."""
    root = workspace.root(place)
    documents = workspace.related(place)
    return [each for document in documents for each in _in(workspace, root, document) if each.input == wanted]


def declared(workspace: Workspace, place: str, home: str) -> Mapping[str, Any]:
    """The inputs of a file, with what is said about each."""
    document = next((each for each in workspace.related(place) if each.path == home), None)
    found = document.value.get("inputs") if document and isinstance(document.value, dict) else None
    return found if isinstance(found, dict) else {}


def given_to(workspace: Workspace, place: str, steps: Steps) -> str | None:
    """The module that a `with` at this place speaks to; None where there is none."""
    document = workspace.last_document(place)
    if document is None or not steps or steps[-1] != "with":
        return None
    return next((home for at, home in _modules(workspace, workspace.root(place), document) if at == steps[:-1]), None)


def _in(workspace: Workspace, root: str, document: Document) -> Iterator[Use]:
    if document.kind not in KINDS or not isinstance(document.value, dict):
        return
    own = document.value.get("inputs")
    for name in own if isinstance(own, dict) else ():
        yield Use(Input(document.path, name), document, document.key_span(("inputs", name)), "declared")
    for each in template.named(document):
        if each.root == "inputs" and each.leaf:
            yield Use(Input(document.path, each.leaf), document, each.span, "used", each.exact)
    for steps, home in _modules(workspace, root, document):
        given = _value(document, steps).get("with")
        for name in given if isinstance(given, dict) else ():
            yield Use(Input(home, name), document, document.key_span((*steps, "with", name)), "given")


def _modules(workspace: Workspace, root: str, document: Document) -> Iterator[tuple[Steps, str]]:
    """Each tier or phase that uses a module of this machine, and the module's path."""
    for pattern in USING.get(document.kind or "", ()):
        for steps, entry in _expanded(document.value, pattern, ()):
            named = entry.get("uses") if isinstance(entry, dict) else None
            if isinstance(named, str) and (home := workspace.module(root, document, named)) is not None:
                yield steps, home


def _expanded(value: Any, pattern: Steps, steps: Steps) -> Iterator[tuple[Steps, Any]]:
    if not pattern:
        yield steps, value
    elif pattern[0] == "*" and isinstance(value, list):
        for index, item in enumerate(value):
            yield from _expanded(item, pattern[1:], (*steps, index))
    elif isinstance(value, dict) and pattern[0] in value:
        yield from _expanded(value[pattern[0]], pattern[1:], (*steps, pattern[0]))


def _value(document: Document, steps: Steps) -> Any:
    value = document.value
    for step in steps:
        value = value[step]
    return value


# --- what a fan-out adds ----------------------------------------------------------------------------------


def fanned(document: Document, line: int, column: int) -> tuple[template.Named, Steps] | None:
    """`item` or an axis of `matrix` under a cursor, and the place of its values."""
    found = (each for each in template.named(document) if each.root in ("item", "matrix"))
    here = next((each for each in found if each.exact and holds(each.span, line, column)), None)
    if here is None:
        return None
    tail: tuple[Step, ...] = ("for_each",) if here.root == "item" else ("matrix", here.leaf)
    steps = (*here.steps[: template.PHASES.get(document.kind or "", 0)], *tail)
    return (here, steps) if document.has(steps) else None
