"""`DELETE: path` and `RENAME: old -> new`."""

import re

from autopack.runners.edit import Edit
from autopack.runners.reply.grammar import PATH_LINE_CHARS_MAX, TICKED
from autopack.runners.reply.outcome import wrong
from autopack.runners.reply.scan import Scan

_ARROW = re.compile(r"\s+(?:->|→)\s+")


def ordered(scan: Scan, what: str, rest: str) -> Edit:
    names = [rest] if what == "DELETE" else _ARROW.split(rest) if len(rest) < 2 * PATH_LINE_CHARS_MAX else []
    paths = [path for path in map(_one_path, names) if path]
    block = next(scan.blocks)
    if what == "RENAME" and len(paths) == len(names) == 2:
        return Edit(paths[0], "rename", new_path=paths[1], line=scan.at + 1, block=block)
    if what != "DELETE" or len(paths) != 1:
        expected = "`DELETE: path`" if what == "DELETE" else "`RENAME: old -> new`"
        wrong(scan.at, f"expected {expected}; a path with spaces stands in backticks")
    return Edit(paths[0], "delete", line=scan.at + 1, block=block)


def _one_path(text: str) -> str | None:
    text = text.strip()
    ticked = TICKED.fullmatch(text)
    if ticked:
        return ticked["text"]
    return text if text and not re.search(r"\s|`", text) else None
