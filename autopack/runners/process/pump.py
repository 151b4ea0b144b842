"""Bytes to and from a child, in bounded memory and without ever waiting longer than asked."""

import os
import selectors
import subprocess
import time
from collections.abc import Callable
from typing import IO

DRAIN_S = 1.0  # for output still in the pipe when everyone we know of is dead
CHUNK_BYTES = 65_536
MARKER_ROOM_BYTES = 64


class Pump:
    """Moves bytes to and from the child, never waiting longer than asked: a pipe that something holds open for ever
    costs a deadline, not the run.
    """

    def __init__(self, child: subprocess.Popen[bytes], stdin: bytes | None, limit_bytes: int) -> None:
        self.kept = Kept(limit_bytes)
        self._selector = selectors.DefaultSelector()
        self._pipes: list[IO[bytes]] = []
        self._unsent = memoryview(stdin or b"")
        self._open(child.stdout, selectors.EVENT_READ, self._read)
        self._open(child.stdin, selectors.EVENT_WRITE, self._write)

    @property
    def is_open(self) -> bool:
        return bool(self._pipes)

    def turn(self, wait_s: float) -> None:
        if not self._pipes:
            time.sleep(wait_s)
            return
        for key, _ in self._selector.select(wait_s):
            key.data(key.fileobj)

    def finish(self) -> None:
        """What is still in the pipe, then close everything."""
        for pipe in self._pipes[1:]:
            self._close(pipe)
        deadline = time.monotonic() + DRAIN_S
        while self._pipes and (left := deadline - time.monotonic()) > 0:
            self.turn(left)
        for pipe in tuple(self._pipes):
            self._close(pipe)
        self._selector.close()

    def _open(self, pipe: IO[bytes] | None, event: int, act: Callable[[IO[bytes]], None]) -> None:
        if pipe is not None:
            os.set_blocking(pipe.fileno(), False)
            self._selector.register(pipe, event, act)
            self._pipes.append(pipe)

    def _close(self, pipe: IO[bytes]) -> None:
        self._selector.unregister(pipe)
        self._pipes.remove(pipe)
        pipe.close()

    def _read(self, pipe: IO[bytes]) -> None:
        try:
            data = os.read(pipe.fileno(), CHUNK_BYTES)
        except BlockingIOError:
            return
        if data:
            self.kept.add(data)
        else:
            self._close(pipe)

    def _write(self, pipe: IO[bytes]) -> None:
        try:
            sent = os.write(pipe.fileno(), self._unsent[:CHUNK_BYTES]) if self._unsent else 0
        except BlockingIOError:
            return
        except BrokenPipeError:  # it doesn't want to know, which is its right
            sent = len(self._unsent)
        self._unsent = self._unsent[sent:]
        if not self._unsent:
            self._close(pipe)


class Kept:
    """The first half and the last half of an output of any size, in bounded memory."""

    def __init__(self, limit_bytes: int) -> None:
        self._head_room = limit_bytes // 2
        self._tail_room = limit_bytes - self._head_room
        self._head = bytearray()
        self._tail = bytearray()
        self._total = 0

    @property
    def truncated(self) -> bool:
        return self._total > self._head_room + self._tail_room

    def add(self, data: bytes) -> None:
        self._total += len(data)
        fits = self._head_room - len(self._head)
        self._head += data[:fits]
        self._tail += data[fits:]
        if len(self._tail) > 2 * self._tail_room + CHUNK_BYTES:  # seldom, so that moving bytes costs little
            del self._tail[: len(self._tail) - self._tail_room]

    def text(self) -> bytes:
        if not self.truncated:
            return bytes(self._head + self._tail)
        room = max(self._tail_room - MARKER_ROOM_BYTES, 0)
        left_out = self._total - len(self._head) - room
        marker = b"\n[... %d bytes left out ...]\n" % left_out
        return bytes(self._head) + marker + bytes(self._tail[len(self._tail) - room :])
