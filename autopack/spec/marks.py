"""The text once more: how it was written, for whoever cares about that and not what it says."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from autopack.spec.document import Document
from autopack.spec.parser import (
    AliasEvent,
    DocumentEndEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    events,
)
from autopack.spec.scalars import BLOCK_STYLES


class Mark(NamedTuple):
    """One event of the parser: `map`, `seq`, `scalar`, `alias` or `end` of a collection, with its offsets."""

    kind: str
    start: int
    end: int
    anchor: str | None = None
    flow: bool = False
    style: str | None = None


def marks(document: Document) -> Iterator[Mark]:
    """The nodes of a document in reading order, for whoever cares how it was written and not what it says."""
    get = events(document.text, document.text.encode())
    for event in iter(get, None):
        start, end = event.start_mark.index, event.end_mark.index
        kind = type(event)
        if kind is ScalarEvent:
            yield Mark("scalar", start, end, event.anchor, style=event.style)
        elif kind is AliasEvent:
            yield Mark("alias", start, end)
        elif kind in (MappingStartEvent, SequenceStartEvent):
            name = "map" if kind is MappingStartEvent else "seq"
            yield Mark(name, start, end, event.anchor, bool(event.flow_style))
        elif kind in (MappingEndEvent, SequenceEndEvent):
            yield Mark("end", start, end)
        elif kind is DocumentEndEvent:
            return


def comments(document: Document) -> Iterator[tuple[int, int]]:
    """Offsets of every comment: what looks like one inside a text is none."""
    at = 0
    for mark in marks(document):
        if mark.kind in ("scalar", "alias"):
            head = mark.start
            if mark.style in BLOCK_STYLES:  # a comment may stand behind the `|`
                head = document.text.find("\n", mark.start, mark.end) + 1 or mark.end
            yield from _comments(document.text, at, head)
            at = mark.end
    yield from _comments(document.text, at, len(document.text))


def _comments(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    return (found.span() for found in COMMENT.finditer(text, start, end))


COMMENT = re.compile(r"(?<!\S)#[^\r\n]*")
