"""A disk that has no room left, or has become read-only, for one process and without being root.

From one write on every write is refused.

Three kinds of writes are counted: transactions of the store, git commands that write, and files and folders that this
process makes itself; `tape` are those of a cassette alone. With `only-` before it no other kind is refused. The
refusals are worded as the system, SQLite and git word them. Only this process knows of the full disk; for the next one
there is room again.
"""

import builtins
import errno
import io
import itertools
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from autopack.journal.database import Database
from autopack.runners.git import command
from autopack.runners.git.command import Answer

REFUSALS = {
    "nospace": (errno.ENOSPC, sqlite3.SQLITE_FULL, "database or disk is full"),
    "readonly": (errno.EROFS, sqlite3.SQLITE_READONLY, "attempt to write a readonly database"),
}
WRITERS = ("hash-object", "write-tree", "commit-tree", "update-ref", "mktag", "read-tree", "update-index", "init")
SAID = "error: unable to write file: {}\nfatal: unable to write new index file\n"
SPARED = ("/dev/", "/proc/")


class Disk:
    """Full from the `wanted`th write of one kind on."""

    def __init__(self, trouble: str, kind: str, wanted: int, spared: tuple[str, ...]) -> None:
        self.number, self.code, self.words = REFUSALS[trouble]
        self.kind, self.alone = kind.removeprefix("only-"), kind.startswith("only-") or kind == "tape"
        self.wanted, self.spared = wanted, (*SPARED, *spared)
        self.full = False
        self._numbers = itertools.count(1)

    def refuses(self, kind: str) -> bool:
        if kind == self.kind and next(self._numbers) == self.wanted:
            self.full = True
        return self.full and (kind == self.kind or not self.alone)

    def check(self, path: Any) -> None:
        """Raises OSError for a file or folder that would be made there."""
        if isinstance(path, int) or os.fspath(path).startswith(self.spared):
            return
        if self.refuses("tape" if os.fspath(path).endswith("tape.jsonl") else "file"):
            raise OSError(self.number, os.strerror(self.number), os.fspath(path))


def arm(trouble: str, point: str, bill: str) -> None:
    """`point` is KIND:N; what the harness itself writes beside its bill is spared."""
    kind, _, number = point.partition(":")
    disk = Disk(trouble, kind, int(number), (bill,))
    _store(disk)
    _git(disk)
    _files(disk)


def _store(disk: Disk) -> None:
    inner: Any = Database.writing

    @contextmanager
    def writing(self: Database, connection: Any, **how: Any) -> Iterator[Any]:
        with inner(self, connection, **how) as cursor:
            before = connection.driver_connection.total_changes
            yield cursor
            if connection.driver_connection.total_changes != before and disk.refuses("store"):
                error = sqlite3.OperationalError(disk.words)
                error.sqlite_errorcode = disk.code
                raise error

    table: Any = Database
    table.writing = writing


def _git(disk: Disk) -> None:
    table: Any = command
    inner = table._talk

    def talk(words: list[str], variables: Mapping[str, str], given: bytes, timeout_s: float) -> Answer:
        if any(verb in words for verb in WRITERS) and disk.refuses("git"):
            return Answer(128, b"", SAID.format(os.strerror(disk.number)))
        answer: Answer = inner(words, variables, given, timeout_s)
        return answer

    table._talk = talk


def _files(disk: Disk) -> None:
    def opening(inner: Callable[..., Any]) -> Callable[..., Any]:
        def opened(file: Any, mode: str = "r", *arguments: Any, **named: Any) -> Any:
            if set(mode) & set("wax+"):
                disk.check(file)
            return inner(file, mode, *arguments, **named)

        return opened

    io_: Any = io
    builtins_: Any = builtins
    io_.open = builtins_.open = opening(io.open)
    os_: Any = os
    os_open, mkdir = os.open, os.mkdir

    def opened(path: Any, flags: int, *arguments: Any, **named: Any) -> int:
        if flags & os.O_CREAT:
            disk.check(path)
        return os_open(path, flags, *arguments, **named)

    def made(path: Any, *arguments: Any, **named: Any) -> None:
        if not os.path.isdir(path):
            disk.check(path)
        mkdir(path, *arguments, **named)

    os_.open, os_.mkdir = opened, made
