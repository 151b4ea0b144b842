"""YAML text -> plain values and the place of every key and value.

One pass over the parser's events (`parser`, `reader`), which values are plain (`scalars`) and where each stands
(`places`). Values are read by the core schema of YAML 1.2, anchors and `<<` merges included. Known here: text, YAML,
the header, limits. Not known: which keys a kind of file has.
"""

import gc
from collections.abc import Mapping

from autopack.problem import Problem, Span, order
from autopack.spec.at import Step
from autopack.spec.encoding import decoded
from autopack.spec.header import VERSION
from autopack.spec.places import Places
from autopack.spec.reader import Reader
from autopack.spec.scalars import Value
from autopack.spec.source import BOM, BREAK


class Document:
    """One file as plain values, which know where they were written.

    Values are shared where an alias repeats them and must not be changed. `kind` and `version` are None when
    the header is missing or at fault. Steps lead from the root: `("tiers", 0, "phases", 2, "goal")`; a path
    that does not exist is a KeyError.
    """

    __slots__ = ("_lines", "_places", "kind", "path", "repeated", "text", "value", "version")

    def __init__(
        self, text: str, value: Value, places: Places, kind: str | None = None, version: int | None = None
    ) -> None:
        self.path = places.path
        self.text = text
        self.value = value
        self.kind = kind
        self.version = version
        self.repeated: Mapping[int, set[str]] = {}  # keys written twice, by the `id` of their mapping
        self._places = places
        self._lines: list[str] | None = None

    @property
    def lines(self) -> list[str]:
        """The text as editors count it; split once, since every finding may ask for one of them."""
        if self._lines is None:
            self._lines = BREAK.split(self.text)
        return self._lines

    def span(self, steps: tuple[Step, ...]) -> Span:
        """The token of a value; of what comes by an alias, the token at the anchor.

        A scalar with its quotes or tag, the first key of a mapping, the first item of a list or its `[`,
        all of an empty collection.
        """
        _, cell, value = self._find(steps)
        return self._places.span(*self._places.token(cell, value))

    def key_span(self, steps: tuple[Step, ...]) -> Span:
        """The token of the last step's key; the item where the last step is an index."""
        if not steps or isinstance(steps[-1], int):
            return self.span(steps)
        key, _, _ = self._find(steps)
        return self._places.span(*self._places.token(key, steps[-1]))

    def has(self, steps: tuple[Step, ...]) -> bool:
        value = self.value
        for step in steps:
            if isinstance(step, str):
                there = isinstance(value, dict) and step in value
            else:
                there = isinstance(value, list) and 0 <= step < len(value)
            if not there:
                return False
            value = value[step]
        return True

    def stretch(self, start: int, end: int) -> Span:
        """The place of two offsets into the text."""
        return self._places.span(start, end)

    def _find(self, steps: tuple[Step, ...]) -> tuple[int, int, Value]:
        key, cell, value = 0, 0, self.value
        for step in steps:
            key, cell = self._places.children(cell, value)[step]
            value = value[step]
        return key, cell, value


def read(path: str, source: bytes) -> tuple[Document | None, list[Problem]]:
    """The document and everything wrong with its text, in the order of writing.

    No document is given when the text has no certain meaning (its encoding, its syntax, an alias that leads
    nowhere, a limit). With other errors there is one, so that later checks can report in the same go.
    """
    source = source.removeprefix(BOM)
    text, refused = decoded(path, source)
    if refused:
        return None, refused
    reader = Reader(path, text, source)
    collecting = gc.isenabled()
    gc.disable()  # nothing built here is garbage, and walking it again and again is quadratic
    try:
        found = reader.read()
    finally:
        if collecting:
            gc.enable()
    problems = order(reader.found.problems)
    if found is None:
        return None, problems
    value, kind = found
    document = Document(text, value, reader.places, kind, VERSION if kind else None)
    document.repeated = reader.repeated
    return document, problems
