"""Changes to a text as replacements of stretches: every byte outside of them stays."""

from collections.abc import Iterable, Sequence

from autopack.problem import Fix, Span
from autopack.spec.source import BOM, BREAK


class Overlap(ValueError):
    """Two replacements want the same stretch."""


def edited(source: bytes, fixes: Iterable[Fix]) -> bytes:
    """The file with all replacements made. A byte order mark stays; inserted line breaks follow the file's own.

    Raises Overlap, and ValueError for a place that the text doesn't have.
    """
    text = source.removeprefix(BOM).decode()
    wanted = sorted((*_stretch(_starts(text), fix.span), fix.text) for fix in dict.fromkeys(fixes))
    newline = "\r\n" if "\r\n" in text else "\n"
    parts, at = [], 0
    for start, end, new in wanted:
        if start < at:
            raise Overlap
        parts += [text[at:start], new.replace("\n", newline)]
        at = end
    mark = BOM if source.startswith(BOM) else b""
    return mark + "".join([*parts, text[at:]]).encode()


def overlap(one: Iterable[Fix], other: Sequence[Fix]) -> bool:
    """Whether any two of them touch the same characters."""
    return any(_touch(left.span, right.span) for left in one for right in other)


def _touch(one: Span, other: Span) -> bool:
    before = (one.end_line, one.end_column) <= (other.line, other.column)
    after = (other.end_line, other.end_column) <= (one.line, one.column)
    return one.path == other.path and (one == other or not (before or after))


def _starts(text: str) -> list[int]:
    return [0, *(found.end() for found in BREAK.finditer(text)), len(text) + 1]


def _stretch(starts: Sequence[int], span: Span) -> tuple[int, int]:
    if not 1 <= span.line <= span.end_line < len(starts):
        raise ValueError(f"no line {span.end_line} in {span.path}")
    start, end = starts[span.line - 1] + span.column - 1, starts[span.end_line - 1] + span.end_column - 1
    if not start <= end < starts[-1]:
        raise ValueError(f"no such place in {span.path}")
    return start, end
