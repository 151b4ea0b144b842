"""What a word means: a key by its schema, a name by its declaration, a phase by its plan, a finding by its code."""

import re

from lsprotocol.types import Hover, MarkupContent, MarkupKind, Position

from autopack.problem import CODES, Span
from autopack.problem.explained import explanation
from autopack.spec.at import Steps
from autopack.spec.document import Document
from autopack.views import text as shown
from autopack.views.lsp import fields, inputs
from autopack.views.lsp.completion import about
from autopack.views.lsp.mentions import Mention
from autopack.views.lsp.places import holds
from autopack.views.lsp.workspace import Workspace

CODE = re.compile(r"\bAP[0-9]{4}\b")


def hover(workspace: Workspace, place: str, position: Position) -> Hover | None:
    text = workspace.text(place)
    line, column = text.place(text.offset(position))
    found = CODE.finditer(text.line(position.line))
    codes = [each[0] for each in found if each.start() < column <= each.end() + 1 and each[0] in CODES]
    if codes:
        return Hover(MarkupContent(MarkupKind.Markdown, page(codes[0])))
    parts: list[str] = []
    document = workspace.document(place)
    if document and (said := _of_template(workspace, place, document, line, column)) is not None:
        return Hover(MarkupContent(MarkupKind.Markdown, said[0]), text.range(said[1]))
    token = written_at(document, line, column) if document else None
    if document and token:
        parts.append(_named(workspace, place, line, column))
        parts.append("" if parts[0] else fields.described(fields.at(document.kind or "", token[0])))
    parts += [explained(each.code) for each in workspace.problems_at(place, line, column)]
    parts = [part for part in dict.fromkeys(parts) if part]
    if not parts:
        return None
    there = text.range(token[1]) if token else None
    return Hover(MarkupContent(MarkupKind.Markdown, "\n\n---\n\n".join(parts)), there)


def explained(code: str) -> str:
    """What the code means and what to do."""
    found = CODES[code]
    return f"**{code}: {found.title}** ({found.severity})\n\n{found.why}\n\n{explanation(code).advice}"


def page(code: str) -> str:
    """As `autopack explain`: with a file that gets the finding, and the same file mended."""
    told = explanation(code)
    shown = [("Fails", file) for file in told.failing] + [("Fixed", file) for file in told.fixed]
    parts = [f"{what}, {file.name}:\n\n```yaml\n{file.text}```" for what, file in shown if file.name]
    return "\n\n".join([explained(code), *parts])


def _of_template(
    workspace: Workspace, place: str, document: Document, line: int, column: int
) -> tuple[str, Span] | None:
    """An input, where it is declared, given or used, and what a fan-out adds."""
    if (use := inputs.at(workspace, place, line, column)) is not None:
        said = inputs.declared(workspace, place, use.input.home).get(use.input.name)
        if use.how == "declared" or said is None:
            return None
        about_it = fields.declared_input(said)
        return f"**input `{use.input.name}`**\n\n{about_it}\n\nDeclared in {use.input.home}", use.span
    if (found := inputs.fanned(document, line, column)) is not None:
        name, steps = found
        values = document.value
        for step in steps:
            values = values[step]
        listed = ", ".join(map(str, values)) if isinstance(values, list) else ""
        return f"**{name.root}{'.' if name.leaf else ''}{name.leaf}**\n\nOne of: {listed}", name.span
    return None


def written_at(document: Document, line: int, column: int) -> tuple[Steps, Span] | None:
    """The key or scalar under a cursor, and its place.

    Goes down by the last child that starts before the cursor, so only one branch of a large file is looked at.
    """
    steps: Steps = ()
    while True:
        value = document.value
        for step in steps:
            value = value[step]
        if not isinstance(value, dict | list):
            span = document.span(steps)
            return (steps, span) if holds(span, line, column) else None
        inner = [(*steps, step) for step in (value if isinstance(value, dict) else range(len(value)))]
        before = [(document.key_span(each), each) for each in inner]
        started = [(span, each) for span, each in before if (span.line, span.column) <= (line, column)]
        if not started:
            return None
        span, steps = max(started, key=lambda row: (row[0].line, row[0].column))
        if isinstance(value, dict) and holds(span, line, column):
            return steps, span


def _named(workspace: Workspace, place: str, line: int, column: int) -> str:
    name = workspace.mentioned(place, line, column)
    if name is None:
        return ""
    declared = next((each for each in workspace.same(place, name) if each.declares), None)
    if declared is None:
        return ""
    lines = [f"**{name.what} `{name.name}`**", about(declared), f"Declared in {declared.document.path}"]
    if name.what == "phase":
        lines.insert(2, _planned(workspace, place, declared))
    return "\n\n".join(line for line in lines if line)


def _planned(workspace: Workspace, place: str, phase: Mention) -> str:
    """Who would build it, and what it can cost at most."""
    holder = workspace.place(workspace.root(place), phase.document.path)
    plan = workspace.plan(holder) if holder and phase.document.kind == "playbook" else None
    found = next((each for each in plan.phases if each.phase_id == phase.name), None) if plan else None
    if found is None:
        return ""
    first = found.attempts[0]
    worst = f"{shown.tokens(found.worst.tokens)} tokens, {shown.money(found.worst.cost_usd)}"
    return (
        f"Built by `{first.ask.model}` ({first.edit_format}), complexity {found.complexity}, CI profile `{found.ci}`"
        f"\n\nWorst case: {worst} in {found.worst.calls} calls"
    )
