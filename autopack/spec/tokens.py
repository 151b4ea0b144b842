"""Tokens read again from where they start, to find where they end."""

import re

from autopack.spec.scalars import NULLS, Value

BLANK = r"(?:\s|(?<=\s)#[^\r\n\x85\u2028\u2029]*)*"  # white space and comments
PROPERTIES = re.compile(rf"(?:[&!]\S*{BLANK})*")
ANCHOR = re.compile(rf"&\S*{BLANK}")
DOUBLE_QUOTED = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
SINGLE_QUOTED = re.compile(r"'[^']*+(?:''[^']*+)*+'")
EMPTY = re.compile(rf"[{{\[]{BLANK}[}}\]]")
WORD_BREAK = re.compile("[ \n\x85\u2028\u2029]+")
OTHER_SCALAR = re.compile(r"[-+.\w~]+")


def after_properties(text: str, start: int) -> int:
    found = PROPERTIES.match(text, start)
    return found.end() if found else start


def after_anchor(text: str, start: int, end: int) -> int:
    found = ANCHOR.match(text, start, end)
    return found.end() if found and found.end() < end else start


def scalar_end(text: str, start: int, value: Value) -> int:
    if value is None and not text.startswith(NULLS, start):
        return start  # nothing is written
    if not isinstance(value, str):
        found = OTHER_SCALAR.match(text, start)
    elif text.startswith('"', start):
        found = DOUBLE_QUOTED.match(text, start)
    elif text.startswith("'", start):
        found = SINGLE_QUOTED.match(text, start)
    elif text.startswith(value, start):
        return start + len(value)
    else:
        words = map(re.escape, WORD_BREAK.split(value))
        found = re.compile("[ \t\r\n\x85\u2028\u2029]+".join(words)).match(text, start)
    return found.end() if found else start


def empty(text: str, start: int) -> tuple[int, int]:
    """All of a collection that holds nothing."""
    found = EMPTY.match(text, start)
    return found.span() if found else (start, start + 1)
