"""Where every node of a file stands, worked out when somebody asks.

Nodes are numbered by cells, in reading order. A scalar or an alias takes one cell: the offset at which it starts. A
collection takes two: the complement of its offset (hence negative) and the cell after its last descendant, so that it
can be stepped over. Ends are kept only where a token cannot be read again from its start (tags, anchors, blocks of
text); keeping all of them cost a fifth of the loader's time. For most files no place is ever asked for.
"""

from array import array
from bisect import bisect_right
from collections.abc import Iterator

from autopack.problem import Span
from autopack.spec.at import Step
from autopack.spec.scalars import Value
from autopack.spec.source import BREAK

COUNTED = 20  # places for which lines are counted each time: numbering all of a large file costs as much


class Places:
    """Where every node of a file stands; the module says how that is kept."""

    __slots__ = ("_asked", "_children", "_lines", "aliases", "cells", "ends", "merged", "names", "path", "text")

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.cells = array("i")
        self.ends: dict[int, int] = {}
        self.aliases: dict[int, int] = {}  # cell of an alias -> cell of what it stands for
        self.names: dict[int, list[str | None]] = {}  # keys as written, where a mapping's own would mislead
        self.merged: dict[int, list[tuple[int, dict[str, Value]]]] = {}  # what `<<` brought, nearest first
        self._asked = 0
        self._lines: array[int] | None = None
        self._children: dict[int, dict[Step, tuple[int, int]]] = {}

    def span(self, start: int, end: int) -> Span:
        return Span(self.path, *self.place(start), *self.place(end))

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, from 1."""
        if self._asked < COUNTED and "\r" not in self.text:
            self._asked += 1
            return self.text.count("\n", 0, offset) + 1, offset - self.text.rfind("\n", 0, offset)
        if self._lines is None:
            self._lines = array("i", [0])
            self._lines.extend(found.end() for found in BREAK.finditer(self.text))
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def children(self, cell: int, value: Value) -> dict[Step, tuple[int, int]]:
        """Cell of the key and cell of the value, by step."""
        cell = self.aliases.get(cell, cell)
        if cell not in self._children:
            self._children[cell] = self._items(cell) if isinstance(value, list) else self._keys(cell, value)
        return self._children[cell]

    def _items(self, cell: int) -> dict[Step, tuple[int, int]]:
        return {index: (item, item) for index, item in enumerate(self._below(cell))}

    def _keys(self, cell: int, value: dict[str, Value]) -> dict[Step, tuple[int, int]]:
        found: dict[Step, tuple[int, int]] = {}
        for source, mapping in reversed(self.merged.get(cell, ())):
            found.update(self.children(source, mapping))
        below = self._below(cell)
        pairs = zip(below, below, strict=True)
        names = self.names.get(cell, value)
        found.update((name, pair) for name, pair in zip(names, pairs, strict=True) if name is not None)
        return found

    def _below(self, cell: int) -> Iterator[int]:
        """The cells directly inside a collection: items, or keys and values in turn."""
        end = self.cells[cell + 1]
        cell += 2
        while cell < end:
            yield cell
            cell = cell + 1 if self.cells[cell] >= 0 else self.cells[cell + 1]

    def written(self, cell: int) -> Iterator[tuple[int, int]]:
        """The cells of keys and values of a mapping that is still being read."""
        cell += 2
        while cell < len(self.cells):
            key = cell
            cell = cell + 1 if self.cells[cell] >= 0 else self.cells[cell + 1]
            yield key, cell
            if cell < len(self.cells):
                cell = cell + 1 if self.cells[cell] >= 0 else self.cells[cell + 1]

    def token(self, cell: int, value: Value) -> tuple[int, int]:
        """Offsets of what a finding about this node underlines."""
        cell = self.aliases.get(cell, cell)
        start = self.cells[cell]
        if start < 0 and cell not in self.ends:
            return self._collection(cell, value)
        from autopack.spec import tokens  # noqa: PLC0415 - most files are in order, and nobody asks where anything is

        start = start if start >= 0 else ~start
        if cell not in self.ends:
            return start, tokens.scalar_end(self.text, start, value)
        end = self.ends[cell]
        start = tokens.after_anchor(self.text, start, end)
        return start, start + len(self.text[start:end].rstrip(" \t\r\n"))

    def _collection(self, cell: int, value: Value) -> tuple[int, int]:
        from autopack.spec import tokens  # noqa: PLC0415 - as said above

        start = tokens.after_properties(self.text, ~self.cells[cell])
        if not value:
            return tokens.empty(self.text, start)
        if isinstance(value, list):
            return (start, start + 1) if self.text[start] == "[" else self.token(cell + 2, value[0])
        name = self.names[cell][0] if cell in self.names else next(iter(value))
        if name is not None:
            return self.token(cell + 2, name)
        first = self.cells[cell + 2]
        return (first, first + 2) if first >= 0 else (~first, ~first + 1)
