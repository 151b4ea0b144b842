"""How a collection in brackets is written: one blank after `,` and `:`, none inside the brackets.

Its line breaks stay where they are, and so do its comments: whoever wrote one entry a line wants to read it so.
"""

import re
from collections.abc import Generator, Iterator, Sequence

from autopack.spec.marks import Mark

INDENT = "  "
OPENING, CLOSING = "[{", "]}"

_TOKEN = re.compile(
    r"(?P<gap>[ \t]*)(?:(?P<break>\r?\n)|(?P<comment>#[^\r\n]*)|(?P<word>[&!][^\s,\[\]{}]*|[\[\]{},:?])|$)"
)


class Unusual(ValueError):
    """It is written in a way that stays as it is."""


def lines(text: str, start: int, end: int, leaves: Sequence[Mark], base: str) -> list[str]:
    """The lines of the collection at `start`; its first one is taken to be indented by `base`.

    What is in a bracket is one step deeper than the line that opens it. `leaves` are the scalars and aliases inside.
    Raises Unusual.
    """
    found, indents, before = [base], [base], ""  # of each line, and of the lines that opened what is open
    for gap, word in _words(text, start, end, leaves):
        if word == "\n":
            found += [] if found[-1].isspace() else [indents[-1] + INDENT]
        elif found[-1].isspace() or not found[-1]:
            found[-1] = (indents[-1] if word in CLOSING else found[-1]) + word
        else:
            found[-1] += _between(before, word, gap) + word
        if word in OPENING:
            indents.append(found[-1][: len(found[-1]) - len(found[-1].lstrip(" "))])
        elif word in CLOSING:
            indents.pop()
        before = word
    return [line.rstrip() for line in found]


def _between(before: str, word: str, gap: str) -> str:
    if word.startswith("#"):
        return gap or " "
    if before == ":":
        return " "  # also before a bracket: `{a: }` has a value
    if word in (",", ":") or word in CLOSING or before in OPENING:
        return ""
    return " "


def _words(text: str, start: int, end: int, leaves: Sequence[Mark]) -> Iterator[tuple[str, str]]:
    """Every sign, scalar, comment and line break, each with the blanks before it."""
    at = start
    for leaf in leaves:
        gap = yield from _signs(text, at, leaf.start)
        if leaf.end > leaf.start:
            word = text[leaf.start : leaf.end]
            if "\n" in word or "\r" in word:
                raise Unusual
            yield gap, word
        at = leaf.end
    yield from _signs(text, at, end)


def _signs(text: str, at: int, end: int) -> Generator[tuple[str, str], None, str]:
    """What is between two scalars; returns the blanks before the second."""
    while at < end:
        token = _TOKEN.match(text, at, end)
        if token is None or token["word"] == "?":
            raise Unusual
        if token["break"]:
            yield "", "\n"
        elif token["comment"] or token["word"]:
            yield token["gap"], token["comment"] or token["word"]
        else:
            return token["gap"]
        at = token.end()
    return ""
