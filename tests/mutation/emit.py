"""Values as YAML text together with the place of every key and value: the answer the loader is measured against.

Nothing of the loader is used. Two styles, because columns go wrong in different ways: block lists and mappings with
indentation, and everything below the first level on one line.
"""

import json
import re
from typing import Any, NamedTuple

Step = str | int
Steps = tuple[Step, ...]
Place = tuple[int, int, int, int]  # line, column, end line, end column

PLAIN = re.compile(r"[A-Za-z_/](?:[-.A-Za-z0-9_/*]| (?=[A-Za-z0-9_/*]))*")
WORDS = frozenset(["null", "true", "false", "yes", "no", "on", "off", "y", "n"])
STYLES = ("block", "flow")


class Written(NamedTuple):
    """A text, the token of each key, and the token of each value as a finding underlines it."""

    text: str
    keys: dict[Steps, Place]
    values: dict[Steps, Place]


def write(value: dict[str, Any], style: str = "block") -> Written:
    """A mapping as a file. Letters outside ASCII, in a comment and in front of what follows, test the columns."""
    pen = _Pen()
    pen.put("# Ärger im Büro 🦊\n")
    for key, item in value.items():
        pen.key((key,), key)
        if style == "block":
            pen.block((key,), item, 2)
        else:
            pen.put(" ")
            pen.flow((key,), item)
            pen.put("\n")
    first = next(iter(value), None)
    pen.values[()] = pen.keys[(first,)] if first is not None else (2, 1, 2, 3)
    return Written("".join(pen.parts) + ("" if value else "{}\n"), pen.keys, pen.values)


def scalar(value: object) -> str:
    """Plain where that is certain to be the same text, otherwise in double quotes."""
    if isinstance(value, str):
        plain = PLAIN.fullmatch(value) and value.casefold() not in WORDS
        return value if plain else json.dumps(value, ensure_ascii=False)
    return json.dumps(value)


class _Pen:
    def __init__(self) -> None:
        self.parts: list[str] = []
        self.line, self.column = 1, 1
        self.keys: dict[Steps, Place] = {}
        self.values: dict[Steps, Place] = {}

    def put(self, text: str) -> Place:
        """Appends text; a token, which never holds a line break, gets its place back."""
        before = (self.line, self.column)
        self.parts.append(text)
        self.line += text.count("\n")
        self.column = len(text) - text.rfind("\n") if "\n" in text else self.column + len(text)
        return (*before, self.line, self.column)

    def key(self, steps: Steps, name: str) -> None:
        self.keys[steps] = self.put(scalar(name))
        self.put(":")

    def block(self, steps: Steps, value: Any, indent: int) -> None:
        """What follows `key:`, up to the end of its last line."""
        if isinstance(value, dict) and value:
            self.put("\n")
            self.pairs(steps, value, indent, "")
        elif isinstance(value, list) and value:
            self.put("\n")
            self.entries(steps, value, indent)
        else:
            self.put(" ")
            self.values[steps] = self.put(scalar(value))
            self.put("\n")

    def pairs(self, steps: Steps, value: dict[str, Any], indent: int, lead: str) -> None:
        """`lead` stands in front of the first key instead of the indentation: the dash of a list."""
        for name, item in value.items():
            self.put(lead or " " * indent)
            lead = ""
            self.key((*steps, name), name)
            self.block((*steps, name), item, indent + 2)
        self.values[steps] = self.keys[(*steps, next(iter(value)))]

    def entries(self, steps: Steps, value: list[Any], indent: int) -> None:
        for index, item in enumerate(value):
            here = (*steps, index)
            if isinstance(item, dict) and item:
                self.pairs(here, item, indent + 2, " " * indent + "- ")
                continue
            self.put(" " * indent + "- ")
            self.flow(here, item)
            self.put("\n")
        self.values[steps] = self.values[(*steps, 0)]

    def flow(self, steps: Steps, value: Any) -> None:
        if isinstance(value, dict) and value:
            for index, (name, item) in enumerate(value.items()):
                self.put(", " if index else "{")
                self.key((*steps, name), name)
                self.put(" ")
                self.flow((*steps, name), item)
            self.put("}")
            self.values[steps] = self.keys[(*steps, next(iter(value)))]
        elif isinstance(value, list) and value:
            opened = self.put("[")
            for index, item in enumerate(value):
                self.put(", " if index else "")
                self.flow((*steps, index), item)
            self.put("]")
            self.values[steps] = opened
        else:
            self.values[steps] = self.put(scalar(value))
