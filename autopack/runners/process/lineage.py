"""All that one child started: found, signalled, and gone before the call returns.

What belongs to a child is found in four ways, because each of them alone can be left by an ordinary program:

- its process group, which one signal reaches as a whole (a fork can't slip between two signals);
- its session (a shell with job control gives every job a group of its own);
- its descendants, followed from parent to child. On Linux the child is a keeper that adopts orphans (see `start.py`),
  so that a daemon that left group and session and emptied its environment is still a descendant;
- whatever carries `AUTOPACK_CHILD=<token>` in /proc/<pid>/environ. The token is also how the next driver finds what a
  killed one left behind: see `reap`.

What gets away: something that kills its keeper and emptied its environment. Without /proc only the group is known,
and `reap` finds nothing. A sandbox with a process namespace of its own has neither gap.
"""

import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

TOKEN = "AUTOPACK_CHILD"  # noqa: S105 - the name of a variable

GRACE_S = 2.0  # between SIGTERM and SIGKILL
KILL_S = 5.0  # how long to insist with SIGKILL: a process inside a broken file system can't die at all
SPARE_S = 2.0  # of it: how long a keeper is left alive, to adopt what its killed children leave behind
KEEPER_S = 0.5  # for a keeper with nothing left to keep
POLL_S = 0.05
FIRST_NAP_S = 0.0005

HAS_PROC = os.path.exists("/proc/self/stat")
_KERNEL_THREAD = 0x00200000


class Seen(NamedTuple):
    """One living process. Pid and start time together name it; a pid alone may be somebody else by now."""

    pid: int
    start_ticks: int
    parent: int
    group: int
    session: int


@dataclass(slots=True)
class Lineage:
    """All that one child started. Without a leader: what carries the token, and its descendants.

    The leader is the keeper where there is one, and dies last: while it lives, no orphan gets away from it.
    """

    token: str
    leader: int | None = None
    since_ticks: int = 0
    _known: set[tuple[int, int]] = field(default_factory=set)

    def count(self) -> int:
        """How many live now, without the keeper."""
        members = self._alive()
        return len(members) - len(self._keepers(members))

    def end(self, wait: Callable[[float], None], *, at_once: bool = False) -> int:
        """SIGTERM, a grace, SIGKILL until nobody is left; how many outlived the child. `wait` passes the time.

        `at_once`: without the grace, for what multiplies meanwhile.
        """
        if at_once:
            self._freeze()
        left = self.count()
        if left and at_once:
            self._kill(wait)
        elif left:
            self._signal(signal.SIGTERM)
            if not self._gone(wait, GRACE_S, self.count):
                self._freeze()
                self._kill(wait)
        if not self._gone(wait, KEEPER_S, self._size):
            self._kill(wait)
        return left

    def _kill(self, wait: Callable[[float], None]) -> None:
        began = time.monotonic()
        while time.monotonic() < began + KILL_S and self._alive():
            self._signal(signal.SIGKILL, spare_keepers=time.monotonic() < began + SPARE_S)
            self._gone(wait, POLL_S, self._size)
            if not HAS_PROC:  # nothing tells the dead, who are still in the group, from the living
                break

    def _freeze(self) -> None:
        """Stop all at once, before they are killed one by one: who forks faster than that is done would get away.

        First the leader's group, which takes no look around: that takes long where thousands fight for the processor.
        """
        if self.leader is not None:
            _quietly(os.killpg, self.leader, signal.SIGSTOP)
        if not HAS_PROC:
            return
        stopped = {self.leader, os.getpgrp()}
        while others := {seen.group for seen in self._alive()} - stopped:
            for group in others:
                _quietly(os.killpg, group, signal.SIGSTOP)
            stopped |= others

    def _size(self) -> int:
        return len(self._alive())

    def _keepers(self, members: list[Seen]) -> set[int]:
        """Those that adopt the others' orphans; after a crash, whoever leads a session with a child of ours in it."""
        if not HAS_PROC:
            return set()
        if self.leader is not None:
            return {seen.pid for seen in members if seen.pid == self.leader}
        parents = {seen.parent for seen in members}
        return {seen.pid for seen in members if seen.session == seen.pid and seen.pid in parents}

    def _gone(self, wait: Callable[[float], None], within_s: float, counted: Callable[[], int]) -> bool:
        deadline = time.monotonic() + within_s
        nap = FIRST_NAP_S
        while counted():
            if time.monotonic() >= deadline:
                return False
            _pass_time(wait, nap)
            nap = min(nap * 2, POLL_S)
        return True

    def _alive(self) -> list[Seen]:
        """Everyone we know of now, and remembered: a child whose parent dies of our signal stays known."""
        if not HAS_PROC:
            return self._group_alone()
        everyone = [seen for seen in _everyone() if seen.pid != os.getpid()]
        mine = {seen.pid: seen for seen in everyone if self._owns(seen)}
        while grown := [seen for seen in everyone if seen.pid not in mine and seen.parent in mine]:
            mine.update((seen.pid, seen) for seen in grown)
        self._known.update((seen.pid, seen.start_ticks) for seen in mine.values())
        return list(mine.values())

    def _owns(self, seen: Seen) -> bool:
        if self.leader in (seen.group, seen.session) or (seen.pid, seen.start_ticks) in self._known:
            return True
        return seen.start_ticks >= self.since_ticks and _carries(seen.pid, self.token)

    def _group_alone(self) -> list[Seen]:
        if self.leader is None:
            return []
        try:
            os.killpg(self.leader, 0)
        except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            return []
        self._known.add((self.leader, 0))
        return [Seen(self.leader, 0, 0, self.leader, self.leader)]

    def _signal(self, number: signal.Signals, *, spare_keepers: bool = False) -> None:
        members = self._alive()
        spared = self._keepers(members) if spare_keepers else set()
        if spared and len(members) == len(spared):
            spared = set()
        if self.leader is not None and not spared and any(seen.group == self.leader for seen in members):
            _quietly(os.killpg, self.leader, number)
        for seen in members:
            now = look(seen.pid)
            alone = spared or seen.group != self.leader
            if alone and seen.pid not in spared and now is not None and now.start_ticks == seen.start_ticks:
                _quietly(os.kill, seen.pid, number)


def _pass_time(wait: Callable[[float], None], seconds: float) -> None:
    """`wait` may return early when output comes; asked again until the time is really over."""
    deadline = time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        wait(left)


def _quietly(send: Callable[[int, int], None], number: int, what: int) -> None:
    try:
        send(number, what)
    except (ProcessLookupError, PermissionError):  # gone meanwhile, or changed its user: not ours to kill
        return


def _everyone() -> Iterator[Seen]:
    for name in os.listdir("/proc"):
        if name.isdecimal():
            seen = look(int(name), living=True)
            if seen is not None:
                yield seen


def look(pid: int, *, living: bool = False) -> Seen | None:
    """One process as /proc/<pid>/stat shows it (proc(5): fields counted after the name, which may hold anything)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    if living and (fields[0] in (b"Z", b"X") or int(fields[6]) & _KERNEL_THREAD):
        return None
    return Seen(pid, int(fields[19]), int(fields[1]), int(fields[2]), int(fields[3]))


def _carries(pid: int, token: str) -> bool:
    """An empty answer is asked again: while a process becomes another program it has no environment for a moment."""
    entry = f"{TOKEN}={token}".encode()
    for _ in range(3):
        try:
            environ = Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:  # gone, or another user's
            return False
        if environ:
            return entry in environ.split(b"\0")
        time.sleep(0.001)
    return False
