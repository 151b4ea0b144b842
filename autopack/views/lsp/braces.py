"""What may be written between the braces of a template, which is text as far as YAML is concerned."""

import re
from collections.abc import Iterator, Mapping

from autopack.spec import template
from autopack.spec.at import Steps
from autopack.spec.document import Document
from autopack.views.lsp import fields, inputs
from autopack.views.lsp.workspace import Workspace

OPEN = re.compile(r"\{(?P<sign>[{%])-?(?P<written>(?:(?![{%]\{|[%}]\}|\{%).)*)\Z", re.DOTALL)
LOOK_BACK = 500  # characters: as long as an expression may be
WORD = re.compile(r"\w*")
TAIL = re.compile(r"(?P<before>(?:\b(?P<root>\w+)\s*\.|\|)?)\s*(?P<word>\w*)\Z")
TEXT = {"project": {"name": "The project's name."}, "run": {"id": "The run's id, filled in when it starts."}}
ROOTS = {
    "inputs": "What the file declares under `inputs`.",
    "project": "The project: `project.name`.",
    "run": "The run: `run.id`.",
    "item": "This phase's value of `for_each`.",
    "matrix": "This phase's value on each axis of `matrix`.",
}


def suggested(workspace: Workspace, place: str, offset: int) -> tuple[int, int, dict[str, str]] | None:
    """From where to where a word is being written, and what it may become; None outside of braces."""
    text = workspace.text(place).text
    opened = OPEN.search(text, max(0, offset - LOOK_BACK), offset)
    document = workspace.last_document(place)
    if opened is None or document is None or document.kind not in inputs.KINDS or opened["written"].count('"') % 2:
        return None
    tail = TAIL.search(opened["written"])
    if tail is None:  # nothing but a word can end here
        return None
    start = offset - len(tail["word"])
    end = max(offset, (WORD.match(text, start) or tail).end())
    known = _known(workspace, place, document, offset)
    if tail["before"].endswith("|"):
        found = dict.fromkeys(template.FILTERS, "filter")
    elif tail["root"]:
        found = dict(known.get(tail["root"], {}))
    else:
        first = opened["sign"] == "%" and not opened["written"].strip().removesuffix(tail["word"])
        found = dict.fromkeys(sorted(template.TAGS), "tag") if first else {root: ROOTS[root] for root in known}
    return start, end, found


def _known(workspace: Workspace, place: str, document: Document, offset: int) -> Mapping[str, Mapping[str, str]]:
    declared = inputs.declared(workspace, place, document.path)
    own = {name: fields.declared_input(each) for name, each in declared.items()}
    return {"inputs": own, **TEXT, **dict(_fan_out(workspace, place, document, offset))}


def _fan_out(
    workspace: Workspace, place: str, document: Document, offset: int
) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Of the phase around the cursor or, while the file can't be read, of any phase."""
    line, column = workspace.text(place).place(offset)
    now = workspace.document(place)
    here = _phase_at(now, line, column) if now else None
    for steps, phase in template.phases(document):
        if here is not None and steps != here:
            continue
        if "for_each" in phase:
            yield "item", {}
        axes = phase.get("matrix")
        if isinstance(axes, dict):
            yield "matrix", {axis: ", ".join(map(str, each or ())) for axis, each in axes.items()}


def _phase_at(document: Document, line: int, column: int) -> Steps | None:
    """The last phase that starts before the cursor."""
    starts = [(document.key_span(steps), steps) for steps, _ in template.phases(document)]
    before = [(span, steps) for span, steps in starts if (span.line, span.column) <= (line, column)]
    return max(before, key=lambda row: (row[0].line, row[0].column))[1] if before else None
