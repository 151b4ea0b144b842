"""Where a name leads, where else it is used, what an id may be called instead, and what a file consists of."""

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from lsprotocol.types import (
    DocumentLink,
    DocumentSymbol,
    Location,
    Position,
    PrepareRenamePlaceholder,
    Range,
    SymbolKind,
    TextEdit,
    WorkspaceEdit,
)

from autopack.problem import Span
from autopack.spec import shipped
from autopack.spec.at import Steps
from autopack.spec.document import Document
from autopack.spec.scalars import WORDS
from autopack.views.lsp import inputs
from autopack.views.lsp.completion import SHIPPED
from autopack.views.lsp.mentions import MODULES, Mention, mentions
from autopack.views.lsp.places import Text
from autopack.views.lsp.workspace import Workspace

ID = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}")
WILD = frozenset("*?[")
TOP = Range(Position(0, 0), Position(0, 0))


class Refused(Exception):
    """Why a rename can't be done, in a sentence for the person who asked."""


def definition(workspace: Workspace, place: str, position: Position) -> list[Location]:
    if (spans := _of_template(workspace, place, position)) is not None:
        return _locations(workspace, place, spans)
    name = _name(workspace, place, position)
    if name is None:
        return []
    if name.what.endswith(" file"):
        return list(_files(workspace, place, name))
    declared = [each for each in workspace.same(place, name) if each.declares]
    if name.what in ("category", "profile", "model"):
        declared = declared[:1]  # the nearest of a chain wins
    return _locations(workspace, place, [each.span for each in declared])


def references(workspace: Workspace, place: str, position: Position, *, declarations: bool) -> list[Location]:
    if (use := _input(workspace, place, position)) is not None:
        uses = inputs.same(workspace, place, use.input)
        return _locations(workspace, place, [each.span for each in uses if declarations or each.how != "declared"])
    name = _name(workspace, place, position)
    if name is None or name.what.endswith(" file"):
        return []
    wanted = (each for each in workspace.same(place, name) if declarations or not each.declares)
    return _locations(workspace, place, [each.span for each in wanted])


def links(workspace: Workspace, place: str) -> list[DocumentLink]:
    """The files that a file names, each where it is named."""
    document = workspace.document(place)
    text = workspace.text(place)
    named = (each for each in mentions(document) if each.what.endswith(" file")) if document else ()
    found = ((each, list(_files(workspace, place, each))) for each in named if not WILD & set(each.name))
    return [
        DocumentLink(text.range(_bare(text, each.span)), target=files[0].uri, tooltip=each.what)
        for each, files in found
        if files
    ]


def _locations(workspace: Workspace, place: str, spans: Iterable[Span]) -> list[Location]:
    found = (workspace.location(workspace.root(place), span) for span in spans)
    return [each for each in found if each is not None]


def _input(workspace: Workspace, place: str, position: Position) -> inputs.Use | None:
    text = workspace.text(place)
    return inputs.at(workspace, place, *text.place(text.offset(position)))


def _of_template(workspace: Workspace, place: str, position: Position) -> list[Span] | None:
    """Where an input is declared, or the values of a fan-out are; None where the cursor is on neither."""
    if (use := _input(workspace, place, position)) is not None:
        found = inputs.same(workspace, place, use.input)
        return [each.span for each in found if each.how == "declared"]
    document, text = workspace.document(place), workspace.text(place)
    here = inputs.fanned(document, *text.place(text.offset(position))) if document else None
    return [document.key_span(here[1])] if document and here else None


def _name(workspace: Workspace, place: str, position: Position) -> Mention | None:
    text = workspace.text(place)
    return workspace.mentioned(place, *text.place(text.offset(position)))


def _files(workspace: Workspace, place: str, name: Mention) -> Iterator[Location]:
    kind = name.what.removesuffix(" file")
    if name.name.startswith("builtin:") and kind in SHIPPED:
        folder = os.path.join(shipped.folder("rulesets"), SHIPPED[kind])
        found = [os.path.join(folder, f"{name.name.removeprefix('builtin:')}.yaml")]
    elif WILD & set(name.name):
        root = workspace.root(place)
        found = [os.path.join(root, each.path) for each in workspace.governing(place).playbooks]
    elif name.what in MODULES:
        found = [each for each in (workspace.module_place(place, name.document, name.name),) if each]
    else:
        found = [os.path.normpath(os.path.join(os.path.dirname(place), name.name))]
    yield from (
        Location(workspace.uri(each), TOP) for each in found if os.path.isfile(each) or each in workspace.buffers
    )


# --- rename -----------------------------------------------------------------------------------------------


def renameable(workspace: Workspace, place: str, position: Position) -> PrepareRenamePlaceholder | None:
    if (use := _input(workspace, place, position)) is not None:
        text = workspace.text(place)
        return PrepareRenamePlaceholder(text.range(_bare(text, use.span)), use.input.name)
    name = _name(workspace, place, position)
    if name is None or name.what not in ("phase", "tier"):
        return None
    text = workspace.text(place)
    token = _bare(text, name.span)
    return PrepareRenamePlaceholder(text.range(token._replace(end_column=token.end_column - len(name.rest))), name.name)


def rename(workspace: Workspace, place: str, position: Position, new: str) -> WorkspaceEdit | None:
    """Every token that means the phase, tier or input. Raises Refused."""
    if (use := _input(workspace, place, position)) is not None:
        return _renamed_input(workspace, place, use.input, new)
    name = _name(workspace, place, position)
    if name is None or name.what not in ("phase", "tier"):
        return None
    if new == name.name:
        return WorkspaceEdit(changes={})
    _permit(workspace, place, name, new)
    root = workspace.root(place)
    changes: dict[str, list[TextEdit]] = {}
    for each in workspace.same(place, name):
        holder = workspace.place(root, each.document.path)
        if holder is None or each.document.path.startswith("builtin:"):
            continue
        text = workspace.text(holder)
        edit = TextEdit(text.range(_bare(text, each.span)), _as_id(text, each.span, new + each.rest))
        changes.setdefault(workspace.uri(holder), []).append(edit)
    return WorkspaceEdit(changes=changes)


def _permit(workspace: Workspace, place: str, name: Mention, new: str) -> None:
    if not ID.fullmatch(new) or ".." in new or new.endswith(".") or new.casefold().endswith(".lock"):
        wanted = "a letter, then up to 63 letters, digits, `_`, `.` or `-`, no `..`, no `.` or `.lock` at the end"
        raise Refused(f'"{new}" can\'t be an id: {wanted}')
    everywhere = [each for document in workspace.related(place) for each in mentions(document)]
    alike = [each for each in everywhere if each.what == name.what and each.declares]
    meant = workspace.same(place, name)
    declared = [each.document.path for each in meant if each.declares]
    taken = [each for each in alike if each.document.path in declared and each.name.casefold() == new.casefold()]
    if taken and new.casefold() != name.name.casefold():
        raise Refused(f'"{new}" is taken: {taken[0].document.path}:{taken[0].span.line}')
    if len(declared) > len(set(declared)):
        raise Refused(f'"{name.name}" is declared twice, so what refers to it may mean either; tell them apart first')
    holders = list(dict.fromkeys(each.document.path for each in alike if each.name == name.name))
    granted = [each for each in meant if each.document.kind == "ruleset"]
    if granted and len(holders) > 1:
        where = f"{granted[0].document.path}:{granted[0].span.line}"
        raise Refused(f'the grant in {where} is for "{name.name}" of {", ".join(holders)}; give each its own first')


def _renamed_input(workspace: Workspace, place: str, wanted: inputs.Input, new: str) -> WorkspaceEdit:
    """Raises Refused."""
    if not inputs.NAME.fullmatch(new):
        raise Refused(f'"{new}" can\'t be an input: letters, digits and `_`, not starting with a digit')
    known = inputs.declared(workspace, place, wanted.home)
    if wanted.name not in known:
        raise Refused(f'{wanted.home} declares no input "{wanted.name}"')
    if new in known and new != wanted.name:
        raise Refused(f'"{new}" is taken in {wanted.home}')
    uses = inputs.same(workspace, place, wanted)
    if (odd := next((each for each in uses if not each.exact), None)) is not None:
        raise Refused(f"{odd.document.path}:{odd.span.line} spells its text in a way that can't be edited for you")
    changes: dict[str, list[TextEdit]] = {}
    for each in uses:
        holder = os.path.normpath(os.path.join(workspace.root(place), each.document.path))
        text = workspace.text(holder)
        written = new if each.how == "used" else _as_id(text, each.span, new)
        changes.setdefault(workspace.uri(holder), []).append(TextEdit(text.range(_bare(text, each.span)), written))
    return WorkspaceEdit(changes=changes)


def _bare(text: Text, span: Span) -> Span:
    """The token without its quotes, in which an id needs no escapes."""
    token = text.line(span.line - 1)[span.column - 1 : span.end_column - 1]
    return span._replace(column=span.column + 1, end_column=span.end_column - 1) if token[:1] in ("'", '"') else span


def _as_id(text: Text, span: Span, new: str) -> str:
    """`null` and the like are words of YAML unless they are quoted."""
    return f'"{new}"' if new in WORDS and _bare(text, span) == span else new


# --- symbols ----------------------------------------------------------------------------------------------

_OUTLINES: dict[str, tuple[tuple[str, SymbolKind], ...]] = {  # what is listed of a kind besides tiers and phases
    "ruleset": (("categories", SymbolKind.Class),),
    "ci": (("profiles", SymbolKind.Event),),
    "models": (("models", SymbolKind.Object),),
}


def symbols(workspace: Workspace, place: str) -> list[DocumentSymbol]:
    document = workspace.document(place)
    if document is None or not isinstance(document.value, dict):
        return []
    text = workspace.text(place)
    found = list(_entries(document, text, (), "tiers", SymbolKind.Module))
    found += _entries(document, text, (), "phases", SymbolKind.Function)
    for key, kind in _OUTLINES.get(document.kind or "", ()):
        declared = document.value.get(key)
        for name in declared if isinstance(declared, dict) else ():
            steps = (key, name)
            found.append(_symbol(document, text, steps, name, kind, document.key_span(steps)))
    return found


def _entries(document: Document, text: Text, above: Steps, key: str, kind: SymbolKind) -> Iterator[DocumentSymbol]:
    value = _value(document, above)
    entries = value.get(key) if isinstance(value, dict) else None
    for index, entry in enumerate(entries if isinstance(entries, list) else ()):
        steps = (*above, key, index)
        if not isinstance(entry, dict):
            continue
        named = next((each for each in ("id", "uses", "name") if isinstance(entry.get(each), str)), None)
        token = document.span((*steps, named) if named else steps)
        symbol = _symbol(document, text, steps, entry[named] if named else f"{key} {index + 1}", kind, token)
        symbol.detail = entry["name"] if isinstance(entry.get("name"), str) else None
        symbol.children = list(_entries(document, text, steps, "phases", SymbolKind.Function)) if key == "tiers" else []
        yield symbol


def _symbol(document: Document, text: Text, steps: Steps, name: str, kind: SymbolKind, token: Span) -> DocumentSymbol:
    first = min(document.key_span(steps), token)
    line, column = max((each.end_line, each.end_column) for each in (token, *_inside(document, steps)))
    whole = first._replace(end_line=line, end_column=column)
    return DocumentSymbol(name or '""', kind, text.range(whole), text.range(token))


def _inside(document: Document, steps: Steps) -> Iterator[Span]:
    """The token of everything below."""
    yield document.key_span(steps)
    value = _value(document, steps)
    if isinstance(value, dict | list):
        for step in value if isinstance(value, dict) else range(len(value)):
            yield from _inside(document, (*steps, step))
    else:
        yield document.span(steps)


def _value(document: Document, steps: Steps) -> Any:
    value = document.value
    for step in steps:
        value = value[step]
    return value
