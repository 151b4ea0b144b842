"""What may be written at a cursor: keys and values by the schema, names by what other files declare."""

import os
import re
from collections.abc import Iterable, Iterator
from typing import Any

from lsprotocol.types import CompletionItem, CompletionItemKind, MarkupContent, MarkupKind, Position, TextEdit

from autopack.spec import schema, shipped
from autopack.spec.at import Steps
from autopack.spec.gate import Node
from autopack.spec.header import VERSION
from autopack.spec.scalars import WORDS
from autopack.views.lsp import braces, fields, inputs
from autopack.views.lsp.mentions import Mention, expected
from autopack.views.lsp.outline import Spot, spot
from autopack.views.lsp.places import Text
from autopack.views.lsp.workspace import Workspace

HEADER = re.compile(r"^autopack:[ \t]*[\"']?([a-z]+)/v[0-9]", re.MULTILINE)
SHIPPED = {"ruleset": "", "ci": "ci", "models": "models"}  # folders below the shipped `rulesets`, by kind
SCALARS = ("string", "integer", "number", "boolean", "null")
FILES_MAX = 200  # suggested of one kind


def completions(workspace: Workspace, place: str, position: Position) -> list[CompletionItem]:
    text = workspace.text(place)
    offset = text.offset(position)
    if (between := braces.suggested(workspace, place, offset)) is not None:
        return _between_braces(text, *between)
    here = spot(text.text, offset)
    if here is None:
        return []
    header = HEADER.search(text.text)
    kind = header[1] if header and header[1] in schema.KINDS else None
    items = _Items(workspace, place, kind, here)
    return list(items.header() if kind is None or here.steps == ("autopack",) else items.all())


def _between_braces(text: Text, start: int, end: int, words: dict[str, str]) -> list[CompletionItem]:
    range_ = text.between(start, end)
    return [
        CompletionItem(
            word,
            kind=CompletionItemKind.Function if said in ("filter", "tag") else CompletionItemKind.Variable,
            detail=said,
            sort_text=word,
            filter_text=word,
            text_edit=TextEdit(range_, word),
        )
        for word, said in words.items()
    ]


class _Items:
    """The suggestions for one place of one file."""

    def __init__(self, workspace: Workspace, place: str, kind: str | None, here: Spot) -> None:
        self._workspace = workspace
        self._place = place
        self._kind = kind or ""
        self._here = here
        text = workspace.text(place)
        self._range = text.between(here.start, here.end)
        self._after = text.text[here.end : here.end + 2]

    def header(self) -> Iterator[CompletionItem]:
        """The one line every file starts with."""
        if self._here.place == "key" and self._here.steps == () and not self._here.written:
            yield self._item("autopack", "autopack: ", CompletionItemKind.Property, "", "which kind of file this is")
        elif self._here.steps == ("autopack",):
            for kind in schema.KINDS:
                about = schema.schema(kind).get("description", "")
                yield self._item(f"{kind}/v{VERSION}", f"{kind}/v{VERSION}", CompletionItemKind.Enum, about)

    def all(self) -> Iterator[CompletionItem]:
        node = fields.at(self._kind, self._here.steps)
        if self._here.place in ("key", "either"):
            yield from self._keys(node)
        if self._here.place in ("value", "either"):
            yield from self._values(node, self._here.steps, brackets=False)
            if fields.is_a(node, "array") and (items := node.get("items")) is not None:
                below = schema.resolved(schema.schema(self._kind), items)
                yield from self._values(below, (*self._here.steps, 0), brackets=True)

    def _keys(self, node: Node) -> Iterator[CompletionItem]:
        required = node.get("required") or node.get("else", {}).get("required", ())  # a module would say all of it
        for key, below in fields.properties(self._kind, node).items():
            if key not in self._here.written:
                detail = "required" if key in required else below.get("title", "")
                written = key if self._after.startswith(":") else f"{key}:{_blank(below)}"
                about = fields.described(below)
                yield self._item(key, written, CompletionItemKind.Property, about, detail, first=key in required)
        if (home := inputs.given_to(self._workspace, self._place, self._here.steps)) is not None:
            for name, said in inputs.declared(self._workspace, self._place, home).items():
                if name not in self._here.written:
                    yield self._item(name, f"{name}: ", CompletionItemKind.Variable, fields.declared_input(said))
        if (what := expected(self._kind, (*self._here.steps, "*"), key=True)) is not None:
            for name, about in self._names(what):
                if name not in self._here.written:
                    yield self._item(name, f"{name}: ", CompletionItemKind.Reference, about, what)

    def _values(self, node: Node, steps: Steps, *, brackets: bool) -> Iterator[CompletionItem]:
        about = fields.described(node)
        for word in fields.words(self._kind, node):
            yield self._value(_written(word), CompletionItemKind.EnumMember, about, "", brackets)
        if (what := expected(self._kind, steps, key=False)) is not None:
            for name, known in self._names(what):
                yield self._value(_written(name), CompletionItemKind.Reference, known, what, brackets)

    def _value(
        self,
        word: str,
        kind: CompletionItemKind,
        about: str,
        detail: str,
        brackets: bool,  # noqa: FBT001 - one of a row
    ) -> CompletionItem:
        """Where a list was meant and none has begun, the word comes with what makes it one."""
        shown = word
        if brackets:
            shown = f"[{word}]" if self._here.place == "value" else f"- {word}"
        return self._item(word, shown, kind, about, detail)

    def _item(
        self, label: str, written: str, kind: CompletionItemKind, about: str, detail: str = "", *, first: bool = False
    ) -> CompletionItem:
        return CompletionItem(
            label,
            kind=kind,
            detail=detail or None,
            documentation=MarkupContent(MarkupKind.Markdown, about) if about else None,
            sort_text=f"{0 if first else 1}{label}",
            filter_text=label,
            text_edit=TextEdit(self._range, written),
        )

    # --- names ---

    def _names(self, what: str) -> Iterable[tuple[str, str]]:
        """Names that a reference of this sort may hold, each with a word about it."""
        if what.endswith(" file"):
            return self._files(what.removesuffix(" file"))
        found = self._workspace.declared(self._place, what, self._kind)
        if self._kind == "playbook" and what in ("phase", "tier"):
            found = self._earlier(found, what)
        return {each.name: about(each) for each in found}.items()

    def _earlier(self, found: list[Mention], what: str) -> list[Mention]:
        """A phase may need phases of its own or an earlier tier, a tier earlier ones; nothing needs itself.

        Of modules it is not looked up which tier uses them.
        """
        path, own = self._workspace.path(self._place), self._here.steps[: 4 if what == "phase" else 2]
        latest = int(self._here.steps[1]) - (what == "tier")
        here = [each for each in found if each.document.path == path]
        earlier = [each for each in here if each.steps[: len(own)] != own and int(each.steps[1]) <= latest]
        return [*earlier, *(each for each in found if each.document.path != path)]

    def _files(self, kind: str) -> Iterator[tuple[str, str]]:
        if kind in SHIPPED:
            folder = os.path.join(shipped.folder("rulesets"), SHIPPED[kind])
            for name in sorted(os.listdir(folder)):
                if name.endswith(".yaml"):
                    yield f"builtin:{name.removesuffix('.yaml')}", f"Ships with autopack: {kind}."
        home = os.path.dirname(self._place)
        for place in self._of_kind(kind):
            if place != self._place:
                yield os.path.relpath(place, home).replace(os.sep, "/"), ""

    def _of_kind(self, kind: str) -> list[str]:
        """The project's files with the header of a kind, hidden folders left out."""
        found: list[str] = []
        for folder, folders, names in os.walk(self._workspace.root(self._place)):
            folders[:] = sorted(name for name in folders if not name.startswith("."))
            places = (os.path.join(folder, name) for name in sorted(names) if name.endswith((".yaml", ".yml")))
            found += [place for place in places if self._is_of(place, kind)]
            if len(found) >= FILES_MAX:
                break
        return found[:FILES_MAX]

    def _is_of(self, place: str, kind: str) -> bool:
        header = HEADER.search(self._workspace.text(place).text)
        return header is not None and header[1] == kind


def about(name: Mention) -> str:
    """What a declaration says of itself, in a line or two of Markdown."""
    value: Any = name.document.value
    for step in name.steps if name.key else name.steps[:-1]:
        value = value[step]
    if not isinstance(value, dict):
        return ""
    words = (value.get("name"), value.get("description"), value.get("goal"), value.get("litellm"))
    said = [" ".join(word.split()) for word in words if isinstance(word, str)]
    plain = [f"{key}: {_written(item)}" for key, item in value.items() if isinstance(item, str | int | bool)]
    return "\n\n".join(said) if said else ", ".join(plain)


def _blank(node: Node) -> str:
    """Between a key and what follows: nothing before the lines of a mapping."""
    plain = "type" not in node or any(fields.is_a(node, kind) for kind in (*SCALARS, "array"))
    return " " if plain and not ("properties" in node and not fields.is_a(node, "string")) else ""


def _written(value: Any) -> str:
    """A value as YAML would hold it in one word."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    return f'"{value}"' if isinstance(value, str) and (value in WORDS or value[:1] in "*&!%@`\"'#|>-") else str(value)
