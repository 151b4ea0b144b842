"""Between the two ways to count: findings count code points from 1, editors count UTF-16 units (or others) from 0."""

from bisect import bisect_right

from lsprotocol.types import Position, Range

from autopack.problem import Span
from autopack.spec.source import BREAK

BOM = "\ufeff"


def units(text: str, encoding: str) -> int:
    """How long a text is for an editor that counts in `encoding`."""
    if encoding == "utf-32" or text.isascii():
        return len(text)
    if encoding == "utf-8":
        return len(text.encode("utf-8", "surrogatepass"))
    return len(text) + sum(char > "\uffff" for char in text)


class Text:
    """A file's text by lines. A byte order mark is not part of it, but editors that keep one count it."""

    def __init__(self, text: str, encoding: str) -> None:
        self.text = text.removeprefix(BOM)
        self._mark = len(text) - len(self.text)
        self._encoding = encoding
        self._starts = [0, *(found.end() for found in BREAK.finditer(self.text))]

    def line(self, number: int) -> str:
        """A line by its number from 0, without its break; "" past the end."""
        if number >= len(self._starts):
            return ""
        after = self._starts[number + 1] if number + 1 < len(self._starts) else len(self.text)
        return self.text[self._starts[number] : after].rstrip("\r\n")

    def offset(self, position: Position) -> int:
        """The code point at an editor's position; the end of its line where the line is shorter."""
        if position.line >= len(self._starts):
            return len(self.text)
        line, wanted = self.line(position.line), position.character - (self._mark if position.line == 0 else 0)
        column = min(max(wanted, 0), len(line))  # in UTF-32; in other encodings no place is farther right
        while column and units(line[:column], self._encoding) > wanted:
            column -= 1
        return self._starts[position.line] + column

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column from 1, as in findings."""
        line = bisect_right(self._starts, offset)
        return line, offset - self._starts[line - 1] + 1

    def position(self, line: int, column: int) -> Position:
        """An editor's position of a line and column from 1."""
        before = self.line(line - 1)[: column - 1]
        return Position(line - 1, units(before, self._encoding) + (self._mark if line == 1 else 0))

    def range(self, span: Span) -> Range:
        return Range(self.position(span.line, span.column), self.position(span.end_line, span.end_column))

    def between(self, start: int, end: int) -> Range:
        """The range of two offsets."""
        return Range(self.position(*self.place(start)), self.position(*self.place(end)))


def holds(span: Span, line: int, column: int) -> bool:
    """Whether a cursor at this place touches the token, its end included."""
    return (span.line, span.column) <= (line, column) <= (span.end_line, span.end_column)
