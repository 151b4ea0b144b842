"""Findings as editors take them, and the replacements they offer."""

import os
import re
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence

from lsprotocol.types import (
    CodeAction,
    CodeActionKind,
    CodeDescription,
    Diagnostic,
    DiagnosticRelatedInformation,
    DiagnosticSeverity,
    DiagnosticTag,
    Position,
    Range,
    TextEdit,
    WorkspaceEdit,
)
from pygls import uris

from autopack.problem import Fix, Problem, Span
from autopack.problem.explained import page_of
from autopack.spec.document import read
from autopack.spec.header import PROJECT
from autopack.spec.marks import comments
from autopack.spec.waivers import waivable
from autopack.views.lsp.places import Text
from autopack.views.lsp.workspace import Workspace

SEVERITIES: Mapping[str, DiagnosticSeverity] = {
    "error": DiagnosticSeverity.Error,
    "warning": DiagnosticSeverity.Warning,
    "info": DiagnosticSeverity.Information,
}
WAIVE = "Waive {} for thirty days: say why"
WAIVED_S = 30 * 86_400
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
        code_description=CodeDescription(uris.from_fs_path(page_of(problem.code)) or ""),
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
        if problem.span is None or problem.span.path != path or _apart(text.range(problem.span), wanted):
            continue
        fixes = problem.fixes or _advised(problem, text)
        if edit := _edit(workspace, root, fixes):
            told = [diagnostic(workspace, root, place, problem)]
            sure = bool(problem.fixes)
            found.append(CodeAction(_title(fixes), CodeActionKind.QuickFix, told, is_preferred=sure, edit=edit))
        if (waiver := _waiver(workspace, place, problem)) is not None:
            told = [diagnostic(workspace, root, place, problem)]
            edit = WorkspaceEdit(changes={workspace.uri(place): [waiver]})
            found.append(CodeAction(WAIVE.format(problem.code), CodeActionKind.QuickFix, told, edit=edit))
    return found


def _waiver(workspace: Workspace, place: str, problem: Problem) -> TextEdit | None:
    """A waiver above the finding's line, for whoever asks to sign; None where a line can't stand there.

    The reason is left to write: until then the waiver is a finding itself.
    """
    assert problem.span is not None
    text, document = workspace.text(place), workspace.document(place)
    if document is None or not waivable(problem.code):
        return None
    line = text.line(problem.span.line - 1)
    indent = line[: len(line) - len(line.lstrip(" "))]
    until = time.strftime("%Y-%m-%d", time.localtime(time.time() + WAIVED_S))
    owner = os.environ.get("USER") or os.environ.get("USERNAME") or ""
    break_ = "\r\n" if "\r\n" in text.text else "\n"
    comment = f"{indent}# autopack: ignore[{problem.code}] until={until} owner={owner} reason={break_}"
    at = text.between(0, 0) if problem.span.line == 1 else text.range(_start_of(problem.span))
    before = "".join(text.text.splitlines(keepends=True)[: problem.span.line - 1])
    again, _ = read(document.path, (before + comment + text.text[len(before) :]).encode("utf-8", "surrogatepass"))
    same = (
        again is not None
        and again.value == document.value
        and sum(1 for _ in comments(again)) == 1 + sum(1 for _ in comments(document))
    )
    return TextEdit(at, comment) if same else None


def _start_of(span: Span) -> Span:
    return span._replace(column=1, end_line=span.line, end_column=1)


def _advised(problem: Problem, text: Text) -> tuple[Fix, ...]:
    """What a finding's help says to write in place of its token; () where it only advises.

    Not sure enough to be made unasked, as `fixes` are, but somebody who looks at it may choose it.
    """
    said = INSTEAD.match(problem.help or "")
    if said is None or problem.span is None or problem.span.line != problem.span.end_line:
        return ()
    token = text.line(problem.span.line - 1)[problem.span.column - 1 : problem.span.end_column - 1]
    quote = token[0] if token[:1] in ("'", '"') and token[-1:] == token[:1] else ""
    return (Fix(problem.span, said["whole"] or f"{quote}{said['word']}{quote}"),)


def _edit(workspace: Workspace, root: str, fixes: Iterable[Fix]) -> WorkspaceEdit | None:
    """All of them or none: a fix in a file that can't be written is no fix."""
    changes: dict[str, list[TextEdit]] = {}
    for fix in fixes:
        holder = None if fix.span.path.startswith("builtin:") else workspace.place(root, fix.span.path)
        if holder is None:
            return None
        edit = TextEdit(workspace.text(holder).range(fix.span), fix.text)
        changes.setdefault(workspace.uri(holder), []).append(edit)
    return WorkspaceEdit(changes=changes) if changes else None


def _title(fixes: Sequence[Fix]) -> str:
    first = fixes[0]
    shown = " ".join(first.text.split())
    verb = "Insert" if first.span[1:3] == first.span[3:] else "Replace with" if shown else "Remove"
    return f"{verb} `{shown}`" if shown else verb


def _apart(one: Range, other: Range) -> bool:
    return _key(one.end) < _key(other.start) or _key(other.end) < _key(one.start)


def _key(position: Position) -> tuple[int, int]:
    return position.line, position.character
