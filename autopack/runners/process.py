"""The one way a child process is started, watched and killed.

Knows: process groups, sessions, /proc, pipes, signals, resource limits. Does not know what the child is for.

A child never outlives the call that started it, and neither does anything it started. What belongs to a child is
found in four ways, because each of them alone can be left by an ordinary program:

- its process group, which one signal reaches as a whole (a fork can't slip between two signals);
- its session (a shell with job control gives every job a group of its own);
- its descendants, followed from parent to child (something may have emptied its environment);
- whatever carries `AUTOPACK_CHILD=<token>` in /proc/<pid>/environ (a daemon that forked twice has left the other
  three). The token is also how the next driver finds what a killed one left behind: see `reap`.

What gets away: a daemon that left the session *and* overwrote its own environment (some servers write their title
there). Without /proc only the group is known, and `reap` finds nothing. A sandbox with a process namespace of its
own has neither gap.
"""

import errno
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Literal, NamedTuple

TOKEN = "AUTOPACK_CHILD"  # noqa: S105 - the name of a variable

GRACE_S = 2.0  # between SIGTERM and SIGKILL
KILL_S = 5.0  # how long to insist with SIGKILL: a process inside a broken file system can't die at all
DRAIN_S = 1.0  # for output still in the pipe when everyone we know of is dead
POLL_S = 0.05  # for the three things no descriptor announces: the end, the deadline, a cancel
FIRST_NAP_S = 0.0005
CHUNK_BYTES = 65_536
MARKER_ROOM_BYTES = 64

_HAS_PROC = os.path.exists("/proc/self/stat")
_KERNEL_THREAD = 0x00200000
_TICKS_PER_S = os.sysconf("SC_CLK_TCK")

OnStart = Callable[[int, float], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Limits:
    """Set on the child before its first instruction, and inherited by all it starts: each process has them for itself.

    `memory_mb` bounds private writable memory, not address space: programs that merely reserve gigabytes would
    break under the latter.
    """

    memory_mb: int | None = None
    cpu_s: int | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """`exit_code` is the child's own (negative: the signal that ended it), or None when we ended it."""

    exit_code: int | None
    output: bytes
    duration_s: float
    timed_out: bool = False
    cancelled: bool = False
    truncated: bool = False


class CannotStart(Exception):
    """The command never ran. `what` names the part at fault, `fact` what the system said about it."""

    def __init__(self, what: Literal["command", "cwd", "arguments"], argv: Sequence[str], fact: str) -> None:
        super().__init__(f"{' '.join(argv)!r} can't be started: {fact}")
        self.what = what
        self.argv = tuple(argv)
        self.fact = fact


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
    child = _start(argv, cwd, {**env, TOKEN: token}, stdin, limits)
    born = _look(child.pid)
    tree = _Tree(token, child.pid, born.start_ticks if born else 0)
    pump = _Pump(child, stdin, output_limit_bytes)
    try:
        if on_start is not None:
            on_start(child.pid, born.start_ticks / _TICKS_PER_S if born else time.time())
        why = _watch(child, pump, began + timeout_s, cancelled)
    finally:
        tree.end(pump.turn)
        pump.finish()
        code = _collect(child)
    return Finished(
        exit_code=code if why == "ended" else None,
        output=pump.kept.text(),
        duration_s=time.monotonic() - began,
        timed_out=why == "timeout",
        cancelled=why == "cancelled",
        truncated=pump.kept.truncated,
    )


def reap(token: str) -> int:
    """Kill what a dead driver left under this token; how many processes that was. Nothing left is fine."""
    return _Tree(token).end(time.sleep)


# Starting ---------------------------------------------------------------------------------------------------------

# A limit must hold before the command's first fork. `preexec_fn` may deadlock in a process with threads, and prlimit
# from outside comes too late when we aren't scheduled at once: so a small interpreter limits itself, then becomes the
# command. LC_CTYPE is put back because an interpreter in the C locale rewrites it in its own environment.
_LIMITER = """
import os, resource, sys
report, locale, memory, cpu = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
def limit(kind, soft, spare):
    hard = resource.getrlimit(kind)[1]
    fit = lambda value: value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (fit(soft), fit(soft + spare)))
if memory:
    limit(resource.RLIMIT_DATA, memory * 2**20, 0)
if cpu:
    limit(resource.RLIMIT_CPU, cpu, 5)
os.environ.pop("LC_CTYPE", None)
if locale:
    os.environ["LC_CTYPE"] = locale[1:]
os.set_inheritable(report, False)
try:
    os.execvpe(sys.argv[5], sys.argv[5:], os.environ)
except OSError as problem:
    os.write(report, str(problem.errno).encode())
"""


def _start(
    argv: Sequence[str], cwd: str, env: Mapping[str, str], stdin: bytes | None, limits: Limits | None
) -> subprocess.Popen[bytes]:
    if not argv or not argv[0]:
        raise CannotStart("arguments", argv, "the command is empty")
    try:
        if limits is None:
            return _spawn(argv, cwd, env, stdin)
        return _spawn_limited(argv, cwd, env, stdin, limits)
    except OSError as problem:
        raise _cannot_start(problem, argv, cwd, env) from problem
    except ValueError as problem:  # a NUL, a lone surrogate, a "=" in a variable's name
        raise CannotStart("arguments", argv, str(problem)) from problem


def _spawn(
    argv: Sequence[str], cwd: str, env: Mapping[str, str], stdin: bytes | None, fds: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        list(argv),
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        bufsize=0,
        start_new_session=True,
        pass_fds=fds,
    )


def _spawn_limited(
    argv: Sequence[str], cwd: str, env: Mapping[str, str], stdin: bytes | None, limits: Limits
) -> subprocess.Popen[bytes]:
    """The report pipe closes when the command has begun; an errno in it says that it couldn't."""
    reader, writer = os.pipe()
    locale = f"={env['LC_CTYPE']}" if "LC_CTYPE" in env else ""
    facts = [str(writer), locale, str(limits.memory_mb or 0), str(limits.cpu_s or 0)]
    with open(reader, "rb") as report:
        try:
            limiter = [sys.executable, "-I", "-S", "-c", _LIMITER, *facts, *argv]
            child = _spawn(limiter, cwd, env, stdin, (writer,))
        finally:
            os.close(writer)
        refused = report.read()
    if not refused:
        return child
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    child.wait()
    raise OSError(int(refused), os.strerror(int(refused)), argv[0])


def _cannot_start(problem: OSError, argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> CannotStart:
    if not os.path.isdir(cwd):
        return CannotStart("cwd", argv, f"there is no folder {cwd} to work in")
    if problem.filename == cwd:
        return CannotStart("cwd", argv, f"the folder {cwd} can't be entered: {problem.strerror}")
    if problem.errno == errno.ENOENT:
        return CannotStart("command", argv, _not_found(argv[0], cwd, env))
    return CannotStart("command", argv, f"{argv[0]}: {problem.strerror}")


def _not_found(name: str, cwd: str, env: Mapping[str, str]) -> str:
    path = env.get("PATH")
    found = os.path.join(cwd, name) if "/" in name else shutil.which(name, path=os.defpath if path is None else path)
    if found and os.path.exists(found):
        return f"{name} exists, but the interpreter named in its first line does not"
    if "/" in name:
        return f"there is no file {name}"
    if path is None:
        return f'"{name}" was looked for in {os.defpath} only: its environment has no PATH'
    return f'"{name}" is in no folder of PATH ({path})'


# Watching ---------------------------------------------------------------------------------------------------------


def _watch(
    child: subprocess.Popen[bytes], pump: "_Pump", deadline: float, cancelled: Cancelled | None
) -> Literal["ended", "timeout", "cancelled"]:
    nap = POLL_S
    while not _has_ended(child):
        if cancelled is not None and cancelled():
            return "cancelled"
        left = deadline - time.monotonic()
        if left <= 0:
            return "timeout"
        was_open = pump.is_open
        pump.turn(min(left, nap))
        if not pump.is_open:  # most often the end is a moment away, and no descriptor is left to announce it
            nap = FIRST_NAP_S if was_open else min(nap * 2, POLL_S)
    return "ended"


def _has_ended(child: subprocess.Popen[bytes]) -> bool:
    """Without collecting it where that is possible: as long as the dead leader is there, nobody else gets its
    number, and signalling its group can't hit a stranger.
    """
    if child.returncode is not None:
        return True
    if not hasattr(os, "waitid"):  # macOS before Python 3.13
        return child.poll() is not None
    return os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _collect(child: subprocess.Popen[bytes]) -> int | None:
    try:
        return child.wait(timeout=KILL_S)
    except subprocess.TimeoutExpired:
        return None


class _Pump:
    """Moves bytes to and from the child, never waiting longer than asked: a pipe that something holds open for ever
    costs a deadline, not the run.
    """

    def __init__(self, child: subprocess.Popen[bytes], stdin: bytes | None, limit_bytes: int) -> None:
        self.kept = _Kept(limit_bytes)
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


class _Kept:
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


# Killing ----------------------------------------------------------------------------------------------------------


class _Seen(NamedTuple):
    """One living process. Pid and start time together name it; a pid alone may be somebody else by now."""

    pid: int
    start_ticks: int
    parent: int
    group: int
    session: int


@dataclass(slots=True)
class _Tree:
    """All that one child started. Without a leader: what carries the token, and its descendants."""

    token: str
    leader: int | None = None
    since_ticks: int = 0
    _known: set[tuple[int, int]] = field(default_factory=set)

    def end(self, wait: Callable[[float], None]) -> int:
        """SIGTERM, a grace, SIGKILL until nobody is left; how many there were. `wait` passes the time meanwhile."""
        if not self._alive():
            return 0
        self._signal(signal.SIGTERM)
        if not self._gone(wait, GRACE_S):
            deadline = time.monotonic() + KILL_S
            while time.monotonic() < deadline and self._alive():
                self._signal(signal.SIGKILL)
                self._gone(wait, POLL_S)
                if not _HAS_PROC:  # nothing tells the dead, who are still in the group, from the living
                    break
        return len(self._known)

    def _gone(self, wait: Callable[[float], None], within_s: float) -> bool:
        deadline = time.monotonic() + within_s
        nap = FIRST_NAP_S
        while self._alive():
            if time.monotonic() >= deadline:
                return False
            _pass_time(wait, nap)
            nap = min(nap * 2, POLL_S)
        return True

    def _alive(self) -> list[_Seen]:
        """Everyone we know of now, and remembered: a child whose parent dies of our signal stays known."""
        if not _HAS_PROC:
            return self._group_alone()
        everyone = [seen for seen in _everyone() if seen.pid != os.getpid()]
        mine = {seen.pid: seen for seen in everyone if self._owns(seen)}
        while grown := [seen for seen in everyone if seen.pid not in mine and seen.parent in mine]:
            mine.update((seen.pid, seen) for seen in grown)
        self._known.update((seen.pid, seen.start_ticks) for seen in mine.values())
        return list(mine.values())

    def _owns(self, seen: _Seen) -> bool:
        if self.leader in (seen.group, seen.session) or (seen.pid, seen.start_ticks) in self._known:
            return True
        return seen.start_ticks >= self.since_ticks and _carries(seen.pid, self.token)

    def _group_alone(self) -> list[_Seen]:
        if self.leader is None:
            return []
        try:
            os.killpg(self.leader, 0)
        except (ProcessLookupError, PermissionError):  # macOS says the latter of a group of zombies
            return []
        self._known.add((self.leader, 0))
        return [_Seen(self.leader, 0, 0, self.leader, self.leader)]

    def _signal(self, number: signal.Signals) -> None:
        members = self._alive()
        if self.leader is not None and any(seen.group == self.leader for seen in members):
            _quietly(os.killpg, self.leader, number)
        for seen in members:
            now = _look(seen.pid)
            if seen.group != self.leader and now is not None and now.start_ticks == seen.start_ticks:
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


def _everyone() -> Iterator[_Seen]:
    for name in os.listdir("/proc"):
        if name.isdecimal():
            seen = _look(int(name), living=True)
            if seen is not None:
                yield seen


def _look(pid: int, *, living: bool = False) -> _Seen | None:
    """One process as /proc/<pid>/stat shows it (proc(5): fields counted after the name, which may hold anything)."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_bytes()
    except OSError:
        return None
    fields = stat[stat.rindex(b")") + 2 :].split()
    if living and (fields[0] in (b"Z", b"X") or int(fields[6]) & _KERNEL_THREAD):
        return None
    return _Seen(pid, int(fields[19]), int(fields[1]), int(fields[2]), int(fields[3]))


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
