"""What a check has looked at on disk, so that whoever keeps its answer can tell whether it would be the same today.

Imports next to nothing: an answer that is kept must cost less than finding it again.
"""

import os

try:
    from _blake2 import blake2b  # what hashlib would give, without the 2 ms of OpenSSL
except ImportError:
    from hashlib import blake2b

Fact = tuple[str, str]  # what was looked at, and its absolute path

SUFFIXES = (".yaml", ".yml")
FILE, ABSENT, NAMES, FOLDER = "file", "absent", "names", "folder"
UNREADABLE = b"unreadable"
TYPE, REGULAR = 0o170000, 0o100000  # of a mode; the module `stat` is one import more
BYTES_MAX = 10 * 1024 * 1024 + 1  # as much as a check reads of a file


class Seen:
    """Facts, each with a digest of what it was. `whole` is False once something mattered that is not among them."""

    __slots__ = ("facts", "whole")

    def __init__(self) -> None:
        self.facts: dict[Fact, bytes] = {}
        self.whole = True

    def file(self, place: str, source: bytes) -> None:
        self.facts[FILE, place] = digest(source)

    def absent(self, place: str) -> None:
        self.facts[ABSENT, place] = b""

    def names(self, folder: str) -> None:
        """All names in a folder."""
        self.facts[NAMES, folder] = _now(NAMES, folder)

    def folder(self, folder: str) -> None:
        """The folders and YAML files in a folder."""
        self.facts[FOLDER, folder] = _now(FOLDER, folder)


def still(facts: dict[Fact, bytes]) -> bool:
    """Whether all of it is as it was."""
    return all(_now(kind, place) == was for (kind, place), was in facts.items())


def digest(source: bytes) -> bytes:
    return blake2b(source, digest_size=16).digest()


def _now(kind: str, place: str) -> bytes:
    try:
        if kind == FILE:
            if os.stat(place).st_mode & TYPE != REGULAR:  # a pipe would block
                return UNREADABLE
            with open(place, "rb") as file:
                return digest(file.read(BYTES_MAX))
        if kind == ABSENT:
            return b"there" if os.path.lexists(place) else b""
        return digest("\0".join(sorted(_names(kind, place))).encode("utf-8", "surrogateescape"))
    except (OSError, ValueError):
        return UNREADABLE


def _names(kind: str, folder: str) -> list[str]:
    if kind == NAMES:
        return os.listdir(folder)
    with os.scandir(folder) as entries:
        return [
            entry.name
            for entry in entries
            if entry.name.endswith(SUFFIXES) or (not entry.name.startswith(".") and entry.is_dir())
        ]
