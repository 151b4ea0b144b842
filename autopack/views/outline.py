"""What places in a file are called: `tiers.T1.phases.store.goal`, by keys and, in lists, by ids."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from autopack.problem import Problem, Span
from autopack.spec.at import Steps
from autopack.spec.document import Document


def names(documents: Mapping[str, Document], problems: Iterable[Problem]) -> dict[Span, str]:
    """The names of all places that the findings point to, labels included; none where a file could not be read."""
    spans = [span for found in problems for span in (found.span, *(label.span for label in found.labels)) if span]
    outlines = {path: _outline(documents[path]) for path in {span.path for span in spans} if path in documents}
    found = ((span, _name(outlines[span.path], span)) for span in spans if span.path in outlines)
    return {span: name for span, name in found if name}


Outline = list[tuple[tuple[int, int], str]]
"""Where each key, value and item starts, in the order of writing, and what it is called."""


def _outline(document: Document) -> Outline:
    rows: dict[tuple[int, int], str] = {}
    for steps, name in _nodes(document.value, (), "", set()):
        for span in (document.key_span(steps), document.span(steps)):
            rows.setdefault((span.line, span.column), name)
    return sorted(rows.items())


def _nodes(value: Any, steps: Steps, name: str, seen: set[int]) -> Iterator[tuple[Steps, str]]:
    """Every key and item below. What aliases repeat is written once, and here it is walked once."""
    if not isinstance(value, dict | list) or id(value) in seen:
        return
    seen.add(id(value))
    for key, item in value.items() if isinstance(value, dict) else enumerate(value):
        below, called = (*steps, key), _called(name, key, item)
        yield below, called
        yield from _nodes(item, below, called, seen)


def _called(name: str, key: str | int, item: Any) -> str:
    own = item.get("id", key) if isinstance(key, int) and isinstance(item, dict) else key
    return f"{name}[{own}]" if isinstance(own, int) else f"{name}.{own}".removeprefix(".")


def _name(outline: Outline, span: Span) -> str | None:
    """Of the last node that starts at the place or before it: the place may be inside a text."""
    at = bisect_right(outline, (span.line, span.column), key=lambda row: row[0])
    return outline[at - 1][1] if at else None
