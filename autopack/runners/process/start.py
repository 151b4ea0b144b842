"""How a child begins: on Linux under a keeper, a small interpreter that limits the command and adopts its orphans.

A limit must hold before the command's first fork. `preexec_fn` may deadlock in a process with threads, and prlimit
from outside comes too late when we aren't scheduled at once: so the keeper forks, limits that fork, and it becomes
the command. The keeper stays as long as anything of the command does: whoever loses its parent becomes its child
(PR_SET_CHILD_SUBREAPER), also a daemon that left group and session and emptied its environment.
"""

import errno
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import IO, Literal

from autopack.runners.process import lineage

# Over the report pipe: `s<errno>` the command can't be started, `r` it runs, `e<status>` it has ended, as waitpid
# says. The signals that Python ignores for itself are given back to the command. LC_CTYPE is put back because an
# interpreter in the C locale rewrites it in its own environment.
_KEEPER = """
import os, resource, signal, sys
report, locale, keep = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "keep"
limits, argv = sys.argv[4].split(","), sys.argv[5:]
os.set_inheritable(report, False)
def adopts():
    try:
        import ctypes
        return ctypes.CDLL(None).prctl(36, 1, 0, 0, 0) == 0
    except (ImportError, OSError, AttributeError):
        return False
def limit(kind, soft, spare=0):
    hard = resource.getrlimit(kind)[1]
    fit = lambda value: value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (fit(soft), fit(soft + spare)))
def tasks(user):
    count = 0
    for name in os.listdir("/proc"):
        try:
            count += len(os.listdir("/proc/%s/task" % name)) if os.stat("/proc/" + name).st_uid == user else 0
        except OSError:
            pass
    return count
def become():
    memory, cpu, file, files, most = (int(part) for part in limits)
    if most and keep and os.getuid():
        limit(resource.RLIMIT_NPROC, tasks(os.getuid()) + 4 * most + 500)
    memory and limit(resource.RLIMIT_DATA, memory * 2**20)
    cpu and limit(resource.RLIMIT_CPU, cpu, 5)
    file and limit(resource.RLIMIT_FSIZE, file * 2**20)
    files and limit(resource.RLIMIT_NOFILE, files)
    for name in ("SIGPIPE", "SIGXFSZ"):
        signal.signal(getattr(signal, name), signal.SIG_DFL)
    os.environ.pop("LC_CTYPE", None)
    if locale:
        os.environ["LC_CTYPE"] = locale[1:]
    os.execvpe(argv[0], argv, os.environ)
def tell(word):
    try:
        os.write(report, word.encode() + b"\\n")
    except OSError:
        pass
if not (keep and adopts()):
    try:
        become()
    except OSError as problem:
        tell("s%d" % problem.errno)
        os._exit(127)
reader, writer = os.pipe()
child = os.fork()
if not child:
    os.close(reader)
    try:
        become()
    except OSError as problem:
        os.write(writer, str(problem.errno).encode())
    os._exit(127)
for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT"):
    signal.signal(getattr(signal, name), signal.SIG_IGN)
os.close(writer)
nothing = os.open(os.devnull, os.O_RDWR)
for number in (0, 1, 2):
    os.dup2(nothing, number)
refused = os.read(reader, 20)
tell("s" + refused.decode() if refused else "r")
status = 127 << 8
while True:
    try:
        pid, found = os.waitpid(-1, 0)
    except ChildProcessError:
        break
    if pid == child:
        status = found
        tell("e%d" % status)
os._exit(os.waitstatus_to_exitcode(status) & 255)
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """Set on the child before its first instruction, and inherited by all it starts: each process has them for itself,
    but for `processes`, which counts all that live at once. They are counted from outside, several times a second; so
    that a fork bomb can't take the machine down in between, the user's tasks are also limited for the command, far
    above that number: threads count there, and what the user's other programs start meanwhile. Root has no such limit.

    `memory_mb` bounds private writable memory, not address space: programs that merely reserve gigabytes would
    break under the latter. `file_mb` bounds each file that is written.
    """

    memory_mb: int | None = None
    cpu_s: int | None = None
    file_mb: int | None = None
    open_files: int | None = None
    processes: int | None = None


class CannotStart(Exception):
    """The command never ran. `what` names the part at fault, `fact` what the system said about it."""

    def __init__(self, what: Literal["command", "cwd", "arguments"], argv: Sequence[str], fact: str) -> None:
        super().__init__(f"{' '.join(argv)!r} can't be started: {fact}")
        self.what = what
        self.argv = tuple(argv)
        self.fact = fact


class Keeper:
    """A started child and what its keeper reports of the command inside."""

    def __init__(self, child: subprocess.Popen[bytes], report: IO[bytes]) -> None:
        self.child = child
        self._report = report
        self._said = b""
        os.set_blocking(report.fileno(), False)

    def status(self) -> int | None:
        """The command's own exit status (negative: the signal that ended it), as soon as it is known."""
        self._said += self._report.read(64) or b"" if not self._report.closed else b""
        for line in self._said.split(b"\n")[:-1]:
            if line.startswith(b"e"):
                return os.waitstatus_to_exitcode(int(line[1:]))
        return None

    def close(self) -> None:
        self._report.close()


def start(argv: Sequence[str], cwd: str, env: Mapping[str, str], stdin: bytes | None, limits: Limits | None) -> Keeper:
    """Raises CannotStart."""
    if not argv or not argv[0]:
        raise CannotStart("arguments", argv, "the command is empty")
    try:
        return _spawn_kept(argv, cwd, env, stdin, limits or Limits())
    except OSError as problem:
        raise _cannot_start(problem, argv, cwd, env) from problem
    except ValueError as problem:  # a NUL, a lone surrogate, a "=" in a variable's name
        raise CannotStart("arguments", argv, str(problem)) from problem


def _spawn_kept(argv: Sequence[str], cwd: str, env: Mapping[str, str], stdin: bytes | None, limits: Limits) -> Keeper:
    reader, writer = os.pipe()
    report = os.fdopen(reader, "rb", buffering=0)
    try:
        child = _spawn(_keeper(writer, env, limits, argv), cwd, env, stdin, (writer,))
    except BaseException:  # why: whatever it is goes on as it came; only the pipe must not stay open
        report.close()
        raise
    finally:
        os.close(writer)
    said = report.read(20) or b""  # empty: the command took the keeper's place, and the pipe closed
    if not said.startswith(b"s"):
        keeper = Keeper(child, report)
        keeper._said = said  # noqa: SLF001 - its maker: the end may have come with the beginning
        return keeper
    report.close()
    for pipe in (child.stdin, child.stdout):
        if pipe is not None:
            pipe.close()
    child.wait()
    number = int(said[1:].split(b"\n")[0])
    raise OSError(number, os.strerror(number), argv[0])


def _keeper(writer: int, env: Mapping[str, str], limits: Limits, argv: Sequence[str]) -> list[str]:
    locale = f"={env['LC_CTYPE']}" if "LC_CTYPE" in env else ""
    numbers = (limits.memory_mb, limits.cpu_s, limits.file_mb, limits.open_files, limits.processes)
    told = ",".join(str(number or 0) for number in numbers)
    keep = "keep" if lineage.HAS_PROC else ""  # who can't be seen can't be kept
    return [sys.executable, "-I", "-S", "-c", _KEEPER, str(writer), locale, keep, told, *argv]


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


def _cannot_start(problem: OSError, argv: Sequence[str], cwd: str, env: Mapping[str, str]) -> CannotStart:
    if not os.path.isdir(cwd):
        return CannotStart("cwd", argv, f"there is no folder {cwd} to work in")
    if problem.filename == cwd:
        return CannotStart("cwd", argv, f"the folder {cwd} can't be entered: {problem.strerror}")
    if problem.errno == errno.ENOENT:
        return CannotStart("command", argv, not_found(argv[0], cwd, env))
    return CannotStart("command", argv, f"{argv[0]}: {problem.strerror}")


def found(name: str, cwd: str, env: Mapping[str, str]) -> bool:
    """Whether a command of this name would be started."""
    if "/" in name:
        return os.path.isfile(os.path.join(cwd, name))
    return shutil.which(name, path=env.get("PATH", os.defpath)) is not None


def not_found(name: str, cwd: str, env: Mapping[str, str]) -> str:
    """In words why this command isn't there."""
    path = env.get("PATH")
    found = os.path.join(cwd, name) if "/" in name else shutil.which(name, path=os.defpath if path is None else path)
    if found and os.path.exists(found):
        return f"{name} exists, but the interpreter named in its first line does not"
    if "/" in name:
        return f"there is no file {name}"
    if path is None:
        return f'"{name}" was looked for in {os.defpath} only: its environment has no PATH'
    return f'"{name}" is in no folder of PATH ({path})'
