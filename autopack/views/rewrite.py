"""Files as they are and as they would be: shown as a diff, or written.

Shared by `validate --fix`, `fmt` and `migrate`, which only say what a file should become.
"""

import difflib
import os
import tempfile
from collections.abc import Iterator, Sequence
from typing import NamedTuple

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


def write(change: Change) -> None:
    """In one step, so that nobody ever sees half a file; mode and links stay. Raises OSError."""
    place = os.path.realpath(change.place)
    handle, beside = tempfile.mkstemp(dir=os.path.dirname(place), prefix=f".{os.path.basename(place)}.")
    try:
        with open(handle, "wb") as file:
            file.write(change.after)
        os.chmod(beside, os.stat(place).st_mode & 0o7777)
        os.replace(beside, place)
    except OSError:
        os.unlink(beside)
        raise
