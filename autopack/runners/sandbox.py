"""Walls around a CI step, by bubblewrap: what it may write, see and reach.

Writable are the worktree and a home and a temporary folder of the step's own, which are gone afterwards. Everything
else is read-only; of it homes, the run-time folders (sockets of agents and of container engines), the user's
repository, the store and other runs are not there at all. Processes have a namespace of their own and die with the
step; without `network` there is nothing but a loopback of the step's own.

What has to stay visible inside a hidden place is found, not configured: the folders of PATH with what their programs
need beside them (a virtual environment, the Python it was made of), and the objects that the worktree's repository
borrows. The ruleset can name more.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from autopack.plan.model import Profile
from autopack.runners import process

HOMES = ("/home", "/root")
PASSING = ("/run", "/var/tmp")  # noqa: S108 - folders that are covered, not written to
TMP = "/tmp"  # noqa: S108
SECRETS = ("/etc/shadow", "/etc/gshadow", "/etc/sudoers", "/etc/ssh", "/etc/ssl/private", "/var/spool/cron")
# Whoever is root outside owns these files, and needs no capability to write them: `core_pattern` names a program that
# the kernel starts outside of every sandbox. bubblewrap covers some of them, by what it finds writable as a folder.
KERNEL = tuple(f"/proc/{name}" for name in ("sys", "sysrq-trigger", "irq", "bus", "acpi", "scsi", "fs", "mtrr"))
HOPS_MAX = 10
_NAMESPACES = ("--die-with-parent", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--cap-drop", "ALL")


@dataclass(frozen=True, slots=True)
class Walls:
    """`hidden` are places that no step may see, `borrowed` folders in them that it reads all the same."""

    hidden: tuple[str, ...] = ()
    borrowed: tuple[str, ...] = ()


NO_WALLS = Walls()


def fault(environ: Mapping[str, str]) -> str | None:
    """Why no sandbox can be made here, with the next action; None where one can."""
    found = shutil.which("bwrap", path=environ.get("PATH"))
    if found is None:
        return (
            "the CI file asks for `sandbox: {kind: bubblewrap}`, and bwrap is not installed. Install it "
            "(apt install bubblewrap), or write `sandbox: {kind: none}`."
        )
    return _refusal(found)


@lru_cache
def _refusal(bwrap: str) -> str | None:
    words = [bwrap, *_NAMESPACES, "--unshare-net", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "true"]
    try:
        done = subprocess.run(words, capture_output=True, stdin=subprocess.DEVNULL, timeout=20, check=False)
        said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
    except (OSError, subprocess.TimeoutExpired) as problem:
        said = str(problem)
    else:
        if done.returncode == 0:
            return None
    return (
        f"bubblewrap can't make a sandbox here ({said or 'it says nothing'}). Most often user namespaces are refused: "
        "allow them (sysctl kernel.unprivileged_userns_clone=1, kernel.apparmor_restrict_unprivileged_userns=0, or the "
        "container's settings), or write `sandbox: {kind: none}`."
    )


def limits(profile: Profile) -> process.Limits:
    """Of each process; they hold with and without walls."""
    return process.Limits(profile.memory_mb, profile.cpu_s, profile.file_mb, profile.open_files, profile.processes)


def wrapped(
    argv: Sequence[str],
    worktree: str,
    env: Mapping[str, str],
    scratch: str,
    walls: Walls,
    *,
    network: bool,
    readable: Sequence[str] = (),
) -> list[str]:
    """The command inside its walls. `scratch` is an empty folder of the caller's, to be removed after the step."""
    home, tmp = os.path.join(scratch, "home"), os.path.join(scratch, "tmp")
    for folder in (home, tmp):
        os.makedirs(folder, mode=0o700, exist_ok=True)
    inside = env.get("HOME") or _own_home()
    at_home = os.path.realpath(inside)
    covered = _covered(at_home, walls)
    words = [shutil.which("bwrap") or "bwrap", *_NAMESPACES, *(() if network else ("--unshare-net",))]
    words += ["--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"]
    for place in KERNEL:
        words += ["--ro-bind-try", place, place]
    for place in covered:
        words += ["--bind", tmp, place] if place == TMP else ["--tmpfs", place]
    if os.path.isdir(at_home):
        words += ["--bind", home, at_home]
    else:
        words += ["--setenv", "HOME", TMP]
    for place in SECRETS:
        words += _blank(place)
    for place in _shown(env, covered, walls, (*readable, *_resolver(network=network)), (at_home, *walls.hidden)):
        words += ["--ro-bind-try", place, place]
    words += ["--setenv", "TMPDIR", TMP, "--bind", worktree, worktree, "--chdir", worktree, "--", *argv]
    return words


def _own_home() -> str:
    return os.environ.get("HOME") or pwd.getpwuid(os.getuid()).pw_dir


def _covered(home: str, walls: Walls) -> list[str]:
    """Folders that are replaced by empty ones: outermost only, parents before children."""
    wanted = [TMP, *PASSING, *HOMES, _own_home(), home, *walls.hidden]
    real = sorted({os.path.realpath(place) for place in wanted if os.path.isdir(place)} - {"/"}, key=len)
    kept: list[str] = []
    for place in real:
        if not _below(place, kept):
            kept.append(place)
    return kept


def _below(path: str, places: Iterable[str]) -> bool:
    return any(path == place or path.startswith(place.rstrip("/") + "/") for place in places)


def _blank(place: str) -> list[str]:
    if os.path.isdir(place):
        return ["--tmpfs", place]
    return ["--ro-bind", os.devnull, place] if os.path.isfile(place) else []


def _resolver(*, network: bool) -> tuple[str, ...]:
    """Names are often resolved through a file below /run."""
    return (os.path.realpath("/etc/resolv.conf"),) if network else ()


def _shown(
    env: Mapping[str, str], covered: Sequence[str], walls: Walls, named: Sequence[str], secret: Sequence[str]
) -> list[str]:
    """What is covered and must be seen all the same, parents first. Never a place that holds a secret one."""
    tools = [place for place in _tools(env.get("PATH", "")) if not any(_below(hidden, [place]) for hidden in secret)]
    asked = [os.path.realpath(os.path.expanduser(place)) for place in named]
    wanted = {*tools, *asked, *(os.path.realpath(place) for place in walls.borrowed)}
    return sorted((place for place in wanted if _below(place, covered) and os.path.exists(place)), key=len)


@lru_cache(maxsize=8)
def _tools(path: str) -> tuple[str, ...]:
    """The folders of PATH, and of each program found there through links: its environment or installation."""
    found: dict[str, None] = {}
    for folder in dict.fromkeys(path.split(os.pathsep)):
        if os.path.isabs(folder) and os.path.isdir(folder):
            found.update(dict.fromkeys(_with_prefix(folder)))
            for entry in _links(folder):
                found.update(dict.fromkeys(_hops(entry)))
    return tuple(found)


def _links(folder: str) -> list[str]:
    try:
        with os.scandir(folder) as entries:
            return [entry.path for entry in entries if entry.is_symlink()]
    except OSError:
        return []


def _hops(link: str) -> Iterator[str]:
    """Every place that a chain of links leads through."""
    for _ in range(HOPS_MAX):
        if not os.path.islink(link):
            break
        link = os.path.normpath(os.path.join(os.path.dirname(link), os.readlink(link)))
        yield from _with_prefix(os.path.dirname(link))
    yield from _with_prefix(os.path.dirname(os.path.realpath(link)))


def _with_prefix(folder: str) -> Iterator[str]:
    """A folder of programs and, where it is a `bin` beside its libraries, what it belongs to."""
    for place in dict.fromkeys((folder, os.path.realpath(folder))):
        yield place
        prefix = os.path.dirname(place)
        if os.path.basename(place) in ("bin", "shims") and (
            os.path.exists(os.path.join(prefix, "pyvenv.cfg")) or os.path.isdir(os.path.join(prefix, "lib"))
        ):
            yield prefix
