"""Tables and paragraphs as a terminal can show them: nothing is cut off, what finds no room goes on below."""

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest

from autopack.problem.report import escape
from autopack.problem.report import width as cells

GAP = 2
NARROWEST = 8
"""Columns below which nothing is read any more: a column of words keeps as many."""


def table(
    heading: Sequence[str],
    rows: Iterable[Sequence[str]],
    right: frozenset[int] = frozenset(),
    width: int | None = None,
) -> str:
    """Columns padded to their widest cell; `right` holds the numbers of those that align right.

    Where that is wider than `width`, long words go on below, in their column; numbers stay whole.
    """
    return "\n".join(blocks(heading, rows, right, width))


def blocks(
    heading: Sequence[str], rows: Iterable[Sequence[str]], right: frozenset[int], width: int | None
) -> Iterator[str]:
    """The same, the heading and each row by itself: one line, or as many as it takes."""
    lines = [[escape(cell) for cell in row] for row in (heading, *rows)]
    widths = [max(map(cells, column)) for column in zip(*lines, strict=True)]
    if width is None or _whole(widths) <= width:
        yield from (_padded(line, widths, right) for line in lines)
        return
    widths = _narrowed(lines, widths, right, width)
    for line in lines:
        yield "\n".join(_padded(part, widths, right) for part in _folded(line, widths))


def paragraph(line: str, width: int | None, hang: int = 2) -> str:
    """A line of words; where it is too long it goes on below, further in than it began."""
    said = escape(line)
    if width is None or cells(said) <= width:
        return said
    from textwrap import wrap  # noqa: PLC0415 - most lines fit

    within = " " * (len(said) - len(said.lstrip()) + hang)
    return "\n".join(
        wrap(said, max(width, NARROWEST), subsequent_indent=within, break_long_words=False, break_on_hyphens=False)
    )


def paragraphs(text: str, width: int | None) -> str:
    """Each line by itself; what goes on below begins where the line began."""
    return "\n".join(paragraph(line, width, 0) for line in text.split("\n"))


def _whole(widths: Sequence[int]) -> int:
    return sum(widths) + GAP * (len(widths) - 1)


def _narrowed(lines: Sequence[Sequence[str]], widths: Sequence[int], right: frozenset[int], width: int) -> list[int]:
    """The widest column of words gives way first: as far as its words stay whole, and only then further."""
    found = list(widths)
    words = [n for n in range(len(found)) if n not in right]
    whole = {n: max(cells(word) for line in lines for word in line[n].split() or [""]) for n in words}
    least = {n: max(cells(lines[0][n]), NARROWEST) for n in words}
    for floor in ({n: max(whole[n], least[n]) for n in words}, least):
        while (over := _whole(found) - width) > 0:
            giving = sorted((n for n in words if found[n] > floor[n]), key=lambda n: found[n], reverse=True)
            if not giving:
                break
            first = giving[0]
            lower = max(floor[first], found[giving[1]] if len(giving) > 1 else 0)
            found[first] -= max(1, min(over, found[first] - lower))
    return found


def _folded(line: Sequence[str], widths: Sequence[int]) -> Iterator[list[str]]:
    columns = [_column(cell, width) for cell, width in zip(line, widths, strict=True)]
    yield from (list(parts) for parts in zip_longest(*columns, fillvalue=""))


def _column(cell: str, width: int) -> list[str]:
    """The lines of one cell, parted at blanks, and inside a word where it has to be: best behind a sign."""
    if cells(cell) <= width:
        return [cell]
    within = " " * min(len(cell) - len(cell.lstrip()), width // 2)
    found = [""]
    for piece in _pieces(cell, width - len(within)):
        if cells(found[-1] + piece) <= width:
            found[-1] += piece
        else:
            found.append(within + piece.lstrip())
    return found


def _pieces(cell: str, width: int) -> Iterator[str]:
    for word in re.findall(r"\s*\S+", cell):
        if cells(word.strip()) <= width:
            yield word
            continue
        for part in re.findall(r"\s*[^/._:,-]*[/._:,-]+|\s*[^/._:,-]+", word):
            yield from _cut(part, width)


def _cut(part: str, width: int) -> Iterator[str]:
    """Pieces of at most so many cells: a wide letter takes two."""
    found = ""
    for letter in part:
        if found and cells(found + letter) > width:
            yield found
            found = ""
        found += letter
    yield found


def _padded(line: Sequence[str], widths: Sequence[int], right: frozenset[int]) -> str:
    each = enumerate(zip(line, widths, strict=True))
    return (" " * GAP).join(_fill(cell, width, at_right=n in right) for n, (cell, width) in each).rstrip()


def _fill(cell: str, width: int, *, at_right: bool) -> str:
    blanks = " " * (width - cells(cell))
    return blanks + cell if at_right else cell + blanks
