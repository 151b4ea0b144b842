"""Files as they are and as they would be: shown as a diff, or written.

Shared by `validate --fix`, `fmt` and `migrate`, which only say what a file should become.
"""

import difflib
import errno
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from autopack.journal import durable
from autopack.problem.report import escape


class Change(NamedTuple):
    """`path` as it is shown, `place` on this machine."""

    path: str
    place: str
    before: bytes
    after: bytes


def diff(changes: Sequence[Change]) -> str:
    """All changes as one unified diff, which `patch -p1` takes."""
    return "".join(line for change in changes for line in _diff(change))


def _diff(change: Change) -> Iterator[str]:
    before, after = (side.decode("utf-8", "replace").split("\n") for side in (change.before, change.after))
    old, new = ([f"{line}\n" for line in side[:-1]] + [side[-1]] * bool(side[-1]) for side in (before, after))
    for line in difflib.unified_diff(old, new, f"a/{change.path}", f"b/{change.path}"):
        shown = "\t".join(map(escape, line.removesuffix("\n").removesuffix("\r").split("\t")))
        yield shown + "\n" + ("" if line.endswith("\n") else "\\ No newline at end of file\n")


class Moved(Exception):
    """Somebody else has changed a file meanwhile; its name."""


def write(changes: Sequence[Change]) -> None:
    """Each whole, through links and with its mode; none where one may not be. Raises OSError, Moved."""
    for change in changes:
        _look(change)
    for change in changes:
        durable.put(Path(change.place), change.after)


def _look(change: Change) -> None:
    """That the file is still the one that was judged, and is meant to be written: a rename would ask nobody."""
    place = os.path.realpath(change.place)
    with open(place, "rb") as file:
        if file.read() != change.before:
            raise Moved(change.path)
    if not os.stat(place).st_mode & 0o222 or not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, "it is read-only", change.path)
