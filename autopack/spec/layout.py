"""`autopack fmt`: how a file is written, where that says nothing about what it means.

Keys come in the order of their schema, block collections are indented by two and lists by two below their key, blank
lines are single. In brackets (`{...}`, `[...]`) blanks are put right and line breaks stay. What is written in quotes or
as a block of text stays as it is and only moves sideways; comments stay with what they stand above or behind. Nothing
here is believed to be right: a result that does not read as the same value with the same comments is thrown away.

A file is taken apart by lines. A mapping keeps its order where an alias would come to mean another anchor.
"""

import re
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import combinations, product
from typing import Any, NamedTuple

from autopack.spec import flow, schema
from autopack.spec.document import Document, read
from autopack.spec.marks import Mark, comments, marks
from autopack.spec.scalars import BLOCK_STYLES
from autopack.spec.source import BREAK

INDENT = "  "
Node = Mapping[str, Any]


class Unformattable(ValueError):
    """Why a file stays as it is."""


def formatted(document: Document) -> str:
    """The text in its canonical layout. Raises Unformattable."""
    newline = "\r\n" if "\r\n" in document.text else "\n"
    if "\r" in document.text.replace("\r\n", ""):
        raise Unformattable("it has line breaks of old Macintoshes")
    reason = ""
    for sort, respace in product((True, False), repeat=2):
        lines = _Layout(document, sort=sort, respace=respace).lines()
        text = newline.join(lines) + ("" if not lines or not document.text.endswith("\n") else newline)
        if not document.text.endswith("\n") and _same_as(document, text + newline):
            return text + newline
        if _same_as(document, text):
            return text
        reason = "it would not read the same afterwards"
    raise Unformattable(reason)


# --- the proof --------------------------------------------------------------------------------------------


def _same_as(document: Document, text: str) -> bool:
    """Whether a text has the same value and the same comments."""
    again, _ = read(document.path, text.encode())
    return again is not None and _equal(again.value, document.value) and _said(again) == _said(document)


def _said(document: Document) -> list[str]:
    return sorted(document.text[start:end].rstrip() for start, end in comments(document))


def _equal(one: Any, other: Any) -> bool:
    """Equal with types: 1, 1.0 and true are three values."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_equal(item, other[key]) for key, item in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_equal, one, other))
    return bool(one == other)


# --- the tree ---------------------------------------------------------------------------------------------


class _Node:
    """A node and what it holds: items, or keys and values in turn."""

    __slots__ = ("aliases", "anchors", "below", "end", "mark")

    def __init__(self, mark: Mark) -> None:
        self.mark = mark
        self.end = mark.end
        self.below: list[_Node] = []
        self.anchors = {mark.anchor} if mark.anchor is not None else set()  # of it, or of something in it
        self.aliases: set[str] = set()

    @property
    def block(self) -> bool:
        return self.mark.kind in ("map", "seq") and not self.mark.flow


def _tree(text: str, found: Iterator[Mark]) -> _Node | None:
    open_: list[_Node] = []
    for mark in found:
        if mark.kind == "end":
            node = open_.pop()
            node.end = mark.end
        else:
            node = _Node(mark)
            if mark.kind == "alias":
                node.aliases.add(text[mark.start + 1 : mark.end])
            if node.mark.kind in ("map", "seq"):
                open_.append(node)
                continue
        if not open_:
            return node
        open_[-1].below.append(node)
        open_[-1].anchors |= node.anchors
        open_[-1].aliases |= node.aliases
    return None


class _Entry(NamedTuple):
    name: str
    above: list[str]  # comments and blank lines
    lines: list[str]
    anchors: frozenset[str] = frozenset()
    aliases: frozenset[str] = frozenset()

    def bound(self, later: "_Entry") -> bool:
        """Whether an entry behind it has to stay there: an alias means the anchor that was set last."""
        return bool(self.anchors & (later.anchors | later.aliases) or self.aliases & later.anchors)


# --- lines ------------------------------------------------------------------------------------------------

_BEFORE = re.compile(r"[ ]*(?:-[ ]+)*")  # what may stand before a key or an item on its line
_PROPERTIES = re.compile(r"(?:[&!]\S*(?:\s|#[^\n]*)*)*")


class _Layout:
    def __init__(self, document: Document, *, sort: bool, respace: bool) -> None:
        self.text = document.text
        self.kind = document.kind
        self.written = document.lines
        self.starts = [0, *(found.end() for found in BREAK.finditer(document.text))]
        self.sort = sort
        self.respace = respace
        self.root = _tree(document.text, marks(document))
        self.schema: Node = schema.schema(document.kind) if document.kind in schema.KINDS else {}

    def lines(self) -> list[str]:
        if self.root is None or self.root.mark.kind != "map" or not self.root.block:
            raise Unformattable("only a file whose keys are written line by line has a layout")
        first = self.place(self._first(self.root))[0]
        if self.written[first].startswith("---"):
            raise Unformattable("its first key stands behind the `---`")
        body, cursor = self.block(self.root, first, len(self.written), -1, self.schema)
        head, rest = _single(self.written[:first]), _single(self.written[cursor:])
        while rest and not rest[-1]:
            rest.pop()  # what is blank at the end of the body belongs to a block of text
        return [*_without_blank_start(head), *body, *rest]

    # --- collections ---

    def block(self, node: _Node, start: int, limit: int, outer: int, form: Node) -> tuple[list[str], int]:
        """The lines of a block collection as if it stood at the margin, and the first line after it.

        `start` and `limit` are the lines that may belong to it; `outer` is the column of what holds it.
        """
        column = self.place(self._first(node))[1]
        step = 2 if node.mark.kind == "map" else 1
        heads = [self._head(node, index, column) for index in range(0, len(node.below), step)]
        entries = []
        cursor = start
        for number, (head, index) in enumerate(zip(heads, range(0, len(node.below), step), strict=True)):
            if head < cursor:
                raise Unformattable(f"line {head + 1} holds more than one entry")
            until = heads[number + 1] if number + 1 < len(heads) else limit
            above = self._comments(cursor, head)
            make = self._pair if step == 2 else self._item
            entry, cursor = make(node, index, head, until, column, form)
            held = node.below[index + step - 1]
            entry = entry._replace(anchors=frozenset(held.anchors), aliases=frozenset(held.aliases))
            entries.append(entry._replace(above=[*above, *entry.above]))
        tail, cursor = self._tail(cursor, limit, column + (column == outer))
        return [*self._joined(node, entries, form), *tail], cursor

    def _joined(self, node: _Node, entries: list[_Entry], form: Node) -> list[str]:
        if node.mark.kind == "map" and self.sort:
            entries = _in_order(entries, form)
        lines: list[str] = []
        for entry in entries:
            above = _single(entry.above)
            lines += [*(above if lines else _without_blank_start(above)), *entry.lines]
        return lines

    def _pair(self, node: _Node, index: int, head: int, until: int, column: int, form: Node) -> tuple[_Entry, int]:
        key, value = node.below[index], node.below[index + 1]
        if self.place(key.mark.start) != (head, column):
            raise Unformattable(f"line {head + 1} starts its key in an unusual way")
        name = self._name(key)
        if not value.block:
            last = self.last(value)
            return _Entry(name, [], self._moved(head, last, column, value)), last + 1
        if self.place(self._first(value))[0] == head:
            raise Unformattable(f"line {head + 1} holds a key and what is below it")
        body, cursor = self.block(value, head + 1, until, column, self._below(form, name))
        first = self.written[head][column:].rstrip()
        return _Entry(name, [], [first, *(INDENT + line if line else "" for line in body)]), cursor

    def _item(self, node: _Node, index: int, head: int, until: int, column: int, form: Node) -> tuple[_Entry, int]:
        value = node.below[index]
        if not value.block:
            last = max(self.last(value), head)
            lines = self._moved(head, last, column, value)
            return _Entry("", [], [re.sub(r"^-[ ]+(?=\S)", "- ", lines[0]), *lines[1:]]), last + 1
        line = self.place(self._first(value))[0]
        start, behind = (head, "") if line == head else (head + 1, self.written[head][column + 1 :].strip())
        body, cursor = self.block(value, start, until, column, _resolved(self.schema, form.get("items", {})))
        if behind and not behind.startswith("#"):
            return _Entry("", [], [f"- {behind}", *(INDENT + each if each else "" for each in body)]), cursor
        first = next(number for number, each in enumerate(body) if each and not each.startswith("#"))
        above = [*([behind] if behind else []), *body[:first]]
        return _Entry("", above, [f"- {body[first]}", *(INDENT + e if e else "" for e in body[first + 1 :])]), cursor

    # --- stretches of lines ---

    def _moved(self, head: int, last: int, column: int, value: _Node) -> list[str]:
        """The lines of an entry moved to the margin, as they are but for those in brackets."""
        if self.respace and value.mark.flow and (found := self._in_brackets(head, last, column, value)) is not None:
            return found
        first = self.written[head][column:]
        rest = [_shifted(line, column) for line in self.written[head + 1 : last + 1]]
        if value.mark.style in BLOCK_STYLES:
            return [first.rstrip(), *rest]
        return [line.rstrip() if number == len(rest) else line for number, line in enumerate([first, *rest])]

    def _in_brackets(self, head: int, last: int, column: int, value: _Node) -> list[str] | None:
        """None for what is written in an unusual way."""
        at = self.place(value.mark.start)
        if at[0] != head:
            return None
        before = self.written[head][column : at[1]]
        try:
            base = INDENT if before.startswith("-") else ""
            lines = flow.lines(self.text, value.mark.start, value.end, list(_leaves(value)), base)
        except flow.Unusual:
            return None
        behind = self.written[last][self.place(value.end)[1] :].rstrip()
        lines[0] = before + lines[0].lstrip()
        return [*lines[:-1], lines[-1] + behind]

    def _comments(self, start: int, end: int) -> list[str]:
        lines = [line.strip() for line in self.written[start:end]]
        for number, line in enumerate(lines, start + 1):
            if line and not line.startswith("#"):
                raise Unformattable(f"line {number} is written in an unusual way")
        return lines

    def _tail(self, start: int, limit: int, column: int) -> tuple[list[str], int]:
        """Comments at the end of a collection, as far as their indentation says that they belong to it."""
        end = cursor = start
        while cursor < limit:
            line = self.written[cursor]
            if line.strip():
                if not line.lstrip().startswith("#") or len(line) - len(line.lstrip()) < column:
                    break
                end = cursor + 1
            cursor += 1
        return _single([line.strip() for line in self.written[start:end]]), end

    # --- places ---

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 0."""
        line = bisect_right(self.starts, offset) - 1
        return line, offset - self.starts[line]

    def last(self, node: _Node) -> int:
        """The last line of a node that is no block collection."""
        start, end = node.mark.start, node.end
        if node.mark.style in BLOCK_STYLES:
            header = self.text[start:end].split("\n", 1)[0].partition("#")[0]
            if "+" not in header:
                end = start + len(self.text[start:end].rstrip())
            elif self.text[end - 1 : end] == "\n":
                end -= 1
        return max(self.place(start)[0], self.place(end)[0])

    def _first(self, node: _Node) -> int:
        """The first key, or the first dash."""
        if node.mark.kind == "map":
            return node.below[0].mark.start
        found = _PROPERTIES.match(self.text, node.mark.start)
        return found.end() if found else node.mark.start

    def _head(self, node: _Node, index: int, column: int) -> int:
        """The line on which an entry starts."""
        line = self.place(node.below[index].mark.start)[0]
        if node.mark.kind == "map":
            if not _BEFORE.fullmatch(self.written[line][:column]):
                raise Unformattable(f"line {line + 1} starts its key in an unusual way")
            return line
        floor = self.place(node.below[index - 1].mark.start)[0] if index else self.place(self._first(node))[0]
        while line >= floor:
            written = self.written[line]
            if re.match(r"-(?:\s|$)", written[column:]) and _BEFORE.fullmatch(written[:column]):
                return line
            line -= 1
        raise Unformattable(f"a list at line {floor + 1} is written in an unusual way")

    def _name(self, key: _Node) -> str:
        written = self.text[key.mark.start : key.end]
        return written[1:-1] if key.mark.style else written

    def _below(self, form: Node, name: str) -> Node:
        return _resolved(self.schema, schema.below(form, name))


def _leaves(node: _Node) -> Iterator[Mark]:
    for below in node.below:
        if below.mark.kind in ("map", "seq"):
            yield from _leaves(below)
        else:
            yield below.mark


def _resolved(root: Node, form: Node) -> Node:
    found = schema.resolved(root, form) if isinstance(form, dict) else {}
    if isinstance(found.get("else"), dict) and "properties" not in found:  # a mapping where a word may stand as well
        found = schema.resolved(root, {**found["else"]})
    return found


def _in_order(entries: list[_Entry], form: Node) -> list[_Entry]:
    """As the schema lists its keys; `x-` keys behind the header, for they hold anchors; others where they were.

    No entry comes before the anchor that its alias means.
    """
    known = {name: number for number, name in enumerate(form.get("properties", ()), 1)} | {"<<": 0}
    if len(known) == 1 or any(entry.name not in known and not entry.name.startswith("x-") for entry in entries):
        return entries
    order = sorted(entries, key=lambda entry: known.get(entry.name, 1.5))
    places = {id(entry): number for number, entry in enumerate(order)}
    kept = all(places[id(one)] < places[id(other)] for one, other in combinations(entries, 2) if one.bound(other))
    return order if kept else entries


def _shifted(line: str, column: int) -> str:
    return line[min(column, len(line) - len(line.lstrip(" "))) :]


def _single(lines: list[str]) -> list[str]:
    """Never two blank lines in a row."""
    bare = [line.rstrip() for line in lines]
    return [line for number, line in enumerate(bare) if line or number == 0 or bare[number - 1]]


def _without_blank_start(lines: list[str]) -> list[str]:
    return lines[1:] if lines and not lines[0] else lines
