"""The one way a child process is started, watched and killed.

Knows: process groups, sessions, /proc, pipes, signals, resource limits. Does not know what the child is for. A child
never outlives the call that started it, and neither does anything it started: see `lineage.py`.
"""

import os
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from autopack.runners.process.lineage import FIRST_NAP_S, KILL_S, POLL_S, TOKEN, Lineage, look
from autopack.runners.process.pump import Pump
from autopack.runners.process.start import Keeper, Limits, start

COUNT_S = 0.25  # how often its processes are counted, where their number is limited

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

OnStart = Callable[[int, float], None]
Cancelled = Callable[[], bool]

_Why = Literal["ended", "timeout", "cancelled", "crowded"]


@dataclass(frozen=True, slots=True)
class Finished:
    """`exit_code` is the child's own (negative: the signal that ended it), or None when we ended it. `crowded`: it was
    ended because it had too many processes. `left`: how many outlived it and were killed.
    """

    exit_code: int | None
    output: bytes
    duration_s: float
    timed_out: bool = False
    cancelled: bool = False
    truncated: bool = False
    crowded: bool = False
    left: int = 0


def scrubbed(environ: Mapping[str, str], names: Sequence[str], values: Mapping[str, str]) -> dict[str, str]:
    """Only the named variables (those that exist), then the given ones. A child inherits nothing else."""
    return {name: environ[name] for name in names if name in environ} | dict(values)


def run(
    argv: Sequence[str],
    *,
    cwd: str,
    env: Mapping[str, str],
    timeout_s: float,
    token: str,
    output_limit_bytes: int = 2_000_000,
    stdin: bytes | None = None,
    limits: Limits | None = None,
    on_start: OnStart | None = None,
    cancelled: Cancelled | None = None,
) -> Finished:
    """Run a command to its end, its deadline or its cancel; then nothing of it is left.

    `env` is the whole environment (plus the token), also the PATH in which `argv[0]` is looked up. stdout and stderr
    share one pipe, so that their order is kept; of more than `output_limit_bytes` the middle is left out. stdin is
    empty unless given. `on_start` gets the pid and the start time in seconds since boot (without /proc: since the
    epoch); an exception in it, or in `cancelled`, ends the child first. Raises CannotStart.
    """
    began = time.monotonic()
    keeper = start(argv, cwd, {**env, TOKEN: token}, stdin, limits)
    child = keeper.child
    born = look(child.pid)
    tree = Lineage(token, child.pid, born.start_ticks if born else 0)
    pump = Pump(child, stdin, output_limit_bytes)
    most = limits.processes if limits else None
    why: _Why = "ended"
    try:
        if on_start is not None:
            on_start(child.pid, born.start_ticks / _TICKS_PER_S if born else time.time())
        why = _watch(keeper, pump, began + timeout_s, cancelled, tree, most)
    finally:
        left = tree.end(pump.turn, at_once=why == "crowded")
        pump.finish()
        code = _collect(keeper)
        keeper.close()
    return Finished(
        exit_code=code if why == "ended" else None,
        output=pump.kept.text(),
        duration_s=time.monotonic() - began,
        timed_out=why == "timeout",
        cancelled=why == "cancelled",
        truncated=pump.kept.truncated,
        crowded=why == "crowded",
        left=left if why == "ended" else 0,
    )


def reap(token: str) -> int:
    """Kill what a dead driver left under this token; how many processes that was. Nothing left is fine."""
    return Lineage(token).end(time.sleep)


def _watch(
    keeper: Keeper, pump: Pump, deadline: float, cancelled: Cancelled | None, tree: Lineage, most: int | None
) -> _Why:
    nap = POLL_S
    next_count = time.monotonic() + COUNT_S
    while keeper.status() is None and not _has_ended(keeper.child):
        if cancelled is not None and cancelled():
            return "cancelled"
        now = time.monotonic()
        if now >= deadline:
            return "timeout"
        if most is not None and now >= next_count:
            next_count = now + COUNT_S
            if tree.count() > most:
                return "crowded"
        was_open = pump.is_open
        pump.turn(min(deadline - now, nap))
        if not pump.is_open:  # most often the end is a moment away, and no descriptor is left to announce it
            nap = FIRST_NAP_S if was_open else min(nap * 2, POLL_S)
    return "ended"


def _has_ended(child: "subprocess.Popen[bytes]") -> bool:
    """Without collecting it where that is possible: as long as the dead leader is there, nobody else gets its
    number, and signalling its group can't hit a stranger.
    """
    if child.returncode is not None:
        return True
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return child.poll() is not None
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _collect(keeper: Keeper) -> int | None:
    """What the command ended with; where its keeper was killed before it could say so, what the keeper ended with."""
    try:
        code = keeper.child.wait(timeout=KILL_S)
    except subprocess.TimeoutExpired:
        return keeper.status()
    told = keeper.status()
    return code if told is None else told
