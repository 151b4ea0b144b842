"""Findings as editors take them, and the replacements they offer."""

import os
import re
from collections.abc import Iterator, Mapping

from lsprotocol.types import (
    CodeAction,
    CodeActionKind,
    Diagnostic,
    DiagnosticRelatedInformation,
    DiagnosticSeverity,
    DiagnosticTag,
    Position,
    Range,
    TextEdit,
    WorkspaceEdit,
)

from autopack.problem import Problem
from autopack.spec.load import PROJECT
from autopack.views.lsp.workspace import Workspace

SEVERITIES: Mapping[str, DiagnosticSeverity] = {
    "error": DiagnosticSeverity.Error,
    "warning": DiagnosticSeverity.Warning,
    "info": DiagnosticSeverity.Information,
}
UNNECESSARY = frozenset({"AP1016"})
INSTEAD = re.compile(r"did you mean `(?P<word>[^`]+)`\?|write `(?P<whole>[^`]+)`(?: if text is meant)?$")
TOP = Range(Position(0, 0), Position(0, 0))


def diagnostics(workspace: Workspace, root: str) -> dict[str, list[Diagnostic]]:
    """By place: every file of the project and every open one, those without findings included."""
    found: dict[str, list[Diagnostic]] = {}
    checked = workspace.checked(root)
    for path in checked.files:
        found[os.path.normpath(os.path.join(root, path))] = []
    for problem in checked.problems:
        place = workspace.place(root, problem.span.path) if problem.span else os.path.join(root, PROJECT)
        if place is not None:
            found.setdefault(place, []).append(diagnostic(workspace, root, place, problem))
    return found


def diagnostic(workspace: Workspace, root: str, place: str, problem: Problem) -> Diagnostic:
    return Diagnostic(
        range=workspace.text(place).range(problem.span) if problem.span else TOP,
        message=f"{problem.message}\n{problem.help}" if problem.help else problem.message,
        severity=SEVERITIES[problem.severity],
        code=problem.code,
        source="autopack",
        tags=[DiagnosticTag.Unnecessary] if problem.code in UNNECESSARY else None,
        related_information=list(_related(workspace, root, problem)),
    )


def _related(workspace: Workspace, root: str, problem: Problem) -> Iterator[DiagnosticRelatedInformation]:
    for label in problem.labels:
        if (location := workspace.location(root, label.span)) is not None:
            yield DiagnosticRelatedInformation(location, label.text)


def actions(workspace: Workspace, place: str, wanted: Range) -> list[CodeAction]:
    """A replacement for each finding that says one and touches the range."""
    root, path, text = workspace.root(place), workspace.path(place), workspace.text(place)
    found = []
    for problem in workspace.checked(root).problems:
        if problem.span is None or problem.span.path != path:
            continue
        there = text.range(problem.span)
        if _apart(there, wanted):
            continue
        token = text.text[text.offset(there.start) : text.offset(there.end)]
        if (instead := replacement(problem, token)) is not None:
            edit = WorkspaceEdit(changes={workspace.uri(place): [TextEdit(there, instead)]})
            told = [diagnostic(workspace, root, place, problem)]
            title = f"Replace with `{instead}`"
            found.append(CodeAction(title, CodeActionKind.QuickFix, told, is_preferred=True, edit=edit))
    return found


def replacement(problem: Problem, token: str) -> str | None:
    """What a finding's help says to write in place of its token; None where it only advises."""
    said = INSTEAD.match(problem.help or "")
    if said is None or "\n" in token:
        return None
    if said["whole"] is not None:
        return said["whole"]
    quote = token[:1] if token[:1] in ("'", '"') and token[-1:] == token[:1] else ""
    return f"{quote}{said['word']}{quote}"


def _apart(one: Range, other: Range) -> bool:
    return _key(one.end) < _key(other.start) or _key(other.end) < _key(one.start)


def _key(position: Position) -> tuple[int, int]:
    return position.line, position.character
