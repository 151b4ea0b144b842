"""A terminal for tests: a pseudo-terminal that a command runs on, and what somebody in front of it would see."""

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from tests.end_to_end.scratch import PATIENCE_S, Project

_PIECES = re.compile(r"(\x1b\[[0-9;?]*[A-Za-z]|[\r\n])")


@dataclass(frozen=True)
class Seen:
    """What a command wrote to the terminal, byte for byte; `out` is what it wrote to a piped standard output."""

    code: int
    written: str
    out: str
    columns: int

    @property
    def screen(self) -> str:
        """What is left to be seen when it has ended."""
        return Screen(self.columns).show(self.written)


class Screen:
    """As much of a terminal as progress uses: wrapping, carriage return, cursor up, erase below, colours ignored."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._lines = [""]
        self._row = self._column = 0

    def show(self, written: str) -> str:
        for piece in _PIECES.split(written):
            if piece.startswith("\x1b["):
                self._obey(piece[-1], piece[2:-1])
            elif piece == "\n":
                self._go_to(self._row + 1)
            elif piece == "\r":
                self._column = 0
            else:
                self._put(piece)
        return "\n".join(line.rstrip() for line in self._lines).strip("\n")

    def _obey(self, letter: str, numbers: str) -> None:
        if letter == "F":
            self._row, self._column = max(0, self._row - int(numbers or 1)), 0
        elif letter == "J":
            self._lines[self._row :] = [self._lines[self._row][: self._column]]
        elif letter != "m":
            raise AssertionError(f"progress is not known to use ESC[{numbers}{letter}")

    def _put(self, text: str) -> None:
        for character in text:
            if self._column == self._columns:
                self._go_to(self._row + 1)
                self._column = 0
            line = self._lines[self._row].ljust(self._column)
            self._lines[self._row] = line[: self._column] + character + line[self._column + 1 :]
            self._column += 1

    def _go_to(self, row: int) -> None:
        self._row = row
        self._lines += [""] * (row + 1 - len(self._lines))


def on_terminal(project: Project, *words: str, columns: int, piped: bool = False, **variables: str) -> Seen:
    """A command with stdin and stderr on a terminal of that width, and stdout as well unless `piped`."""
    with _terminal(columns) as (ours, theirs):
        process = subprocess.Popen(
            [sys.executable, "-m", "autopack", *words],
            cwd=project.root,
            env=project.environ | {"TERM": "xterm-256color"} | variables,
            stdin=theirs,
            stdout=subprocess.PIPE if piped else theirs,
            stderr=theirs,
            start_new_session=True,
        )
        os.close(theirs)
        written = b"".join(_read(ours))
        out, _ = process.communicate(timeout=PATIENCE_S)
    return Seen(process.returncode, written.decode(), (out or b"").decode(), columns)


@contextmanager
def _terminal(columns: int) -> Iterator[tuple[int, int]]:
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
    try:
        yield ours, theirs
    finally:
        os.close(ours)


def _read(descriptor: int) -> Iterator[bytes]:
    """Until the last writer has gone, which Linux reports as an input/output error."""
    while True:
        try:
            data = os.read(descriptor, 65_536)
        except OSError:
            return
        if not data:
            return
        yield data
