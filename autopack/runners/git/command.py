"""One git command: what it sees, what it may start, how long it may take, what its failure means.

The only importer of GitPython, and lazily: importing it takes a tenth of a second and starts git once.
Knows processes and environments; does not know what the commands are for.
"""

import functools
import math
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Container, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path

from autopack.runners.git.errors import DiskFull, GitFailed, GitKilled, GitLocked, GitUnusable

OLDEST = (2, 38)  # the first with `merge-tree --write-tree`
TIMEOUT_S = 600.0  # a checkout of a very large tree on a slow disk; nothing here waits for a network
TRIES = 3  # of a command that a signal ended (an out-of-memory killer, an impatient person): each may be repeated
LOCK_MS = 30_000  # git's own are a tenth of a second and one second; a `git gc` of a large repository takes longer

# No program named in a configuration is ever started, and no setting changes what is written or printed.
SETTINGS = (
    "core.hooksPath=/dev/null",  # also reference-transaction, which plumbing would run
    "core.fsmonitor=false",
    "core.attributesFile=/dev/null",  # attributes choose filters, merge drivers and what counts as binary
    "core.excludesFile=/dev/null",
    "core.autocrlf=false",
    "core.safecrlf=false",
    "core.quotePath=true",
    "core.ignoreCase=false",
    "core.protectHFS=true",  # names that are .git on some other system are refused on this one as well
    "core.protectNTFS=true",
    "log.showSignature=false",
    "trailer.separators=:",
    f"core.filesRefLockTimeout={LOCK_MS}",  # with growing pauses, by git itself
    f"core.packedRefsTimeout={LOCK_MS}",
    "gc.auto=0",
    "maintenance.auto=false",
    "init.defaultBranch=main",  # only to keep git from printing advice
    "init.defaultRefFormat=files",  # HEAD of a worktree is written as a file
)

QUIET = {
    "LANGUAGE": "C",
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_NO_REPLACE_OBJECTS": "1",  # an id means the object with this id
    "GIT_NO_LAZY_FETCH": "1",
}

# For repositories of our own: there the user's and the machine's configuration have nothing to say. The user's own
# repository is read with them, because `safe.directory` lives there.
SEALED = {"GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull, "GIT_ATTR_NOSYSTEM": "1"}

# About connections and about people at a terminal, of which no command here makes use; many have them set all day.
IDLE = ("GIT_ASKPASS", "GIT_EDITOR", "GIT_HTTP_", "GIT_PAGER", "GIT_PROXY_", "GIT_PYTHON_", "GIT_SSH", "GIT_SSL_")

_FULL = re.compile(r"no space left|out of disk ?space|disk (?:is )?full|disk quota exceeded", re.IGNORECASE)
_LOCK = re.compile(r"Unable to create '(.+?\.lock)': File exists")


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    out: bytes
    err: str

    @property
    def text(self) -> str:
        """For ids, ref names and the like."""
        return self.out.decode("utf-8", "surrogateescape").removesuffix("\n")


@dataclass(frozen=True, slots=True)
class Git:
    """git as it sees one repository. `place` is what errors name, `folder` an existing folder to work in."""

    place: str
    folder: str
    variables: Mapping[str, str] = field(default_factory=dict)
    settings: tuple[str, ...] = SETTINGS

    def seeing(self, folder: str | None = None, **variables: str) -> "Git":
        return replace(self, folder=folder or self.folder, variables={**self.variables, **variables})

    def run(
        self,
        *words: str,
        given: bytes = b"",
        accept: Container[int] = (0,),
        timeout_s: float = TIMEOUT_S,
        tries: int = TRIES,
    ) -> Answer:
        """Raises GitFailed, or its named relative, for a status that isn't accepted. Killed, it is tried again."""
        if not os.path.isdir(self.folder):
            raise GitUnusable(self.place, f"the folder {self.folder} is gone", "Start the run again.")
        variables = QUIET | dict(self.variables)
        options = [word for setting in self.settings for word in ("-c", setting)]
        # -C rather than a working_dir for GitPython, which would expand "~" and "$NAME" in it.
        command = [*_without_foreign(variables), "git", "-C", self.folder, "--no-pager", *options, *words]
        try:
            answer = _talk(command, variables, given, timeout_s)
            while answer.status < 0 and (tries := tries - 1):
                self._clear_locks(words[-1])
                answer = _talk(command, variables, given, timeout_s)
        except TimeoutError as error:
            fact = f"git {words[0]} did not finish within {timeout_s:g} s"
            raise GitUnusable(self.place, fact, "Check the disk it lies on.") from error
        if answer.status not in accept:
            raise self._failure(words[0], answer)
        return answer

    def _clear_locks(self, last_word: str) -> None:
        """What a killed git has locked, where nobody but us has anything to lock: not in the user's own repository."""
        if SEALED.items() <= self.variables.items():
            own = self.variables.get("GIT_DIR", last_word)  # `git init` is told at its end where
            folders = [Path(own), Path(own, ".git")]
            index = Path(self.variables.get("GIT_INDEX_FILE", os.path.join(own, "index")) + ".lock")
            for lock in (index, *(lock for folder in folders for lock in _locks(folder))):
                lock.unlink(missing_ok=True)

    def _failure(self, verb: str, answer: Answer) -> GitUnusable:
        if answer.status < 0:
            name = signal.Signals(-answer.status).name
            fact = f"git {verb} was ended by {name} each time"
            return GitKilled(self.place, fact, "See who kills it (memory limits?).", answer.err)
        if lock := _LOCK.search(answer.err):
            return GitLocked(
                lock[1],
                "another git process holds this lock, or a dead one left it behind",
                "When no git process works there, delete the file.",
            )
        if _FULL.search(answer.err):
            return DiskFull(self.place, "the disk is full", "Free some space.", answer.err)
        if "unable to read" in answer.err or "missing blob" in answer.err:
            action = "In a partial clone, fetch what is missing: git fetch --refetch --no-filter."
            return GitFailed(self.place, "an object is missing", action, answer.err)
        action = f"Run `git -C {self.place} fsck`; when that is clean, report this as a bug."
        return GitFailed(self.place, f"git {verb} failed with status {answer.status}", action, answer.err)


def _locks(git_dir: Path) -> Iterator[Path]:
    yield from git_dir.glob("*.lock")
    yield from (git_dir / "refs").rglob("*.lock")


def _talk(command: list[str], variables: Mapping[str, str], given: bytes, timeout_s: float) -> Answer:
    """In a group of its own, so that a Ctrl-C at the terminal can't stop git between two of its writes."""
    require_git()
    from git.cmd import Git as GitPython  # noqa: PLC0415  lazily: see the module
    from git.exc import GitCommandNotFound  # noqa: PLC0415

    try:
        process = GitPython().execute(
            command,
            istream=subprocess.PIPE if given else None,
            as_process=True,
            env=variables,
            process_group=0,
        )
    except GitCommandNotFound as error:
        raise _no_git(str(error)) from error
    with _watchdog(process.pid, timeout_s):
        out, err = process.communicate(given or None)
    return Answer(process.returncode, out, err.decode("utf-8", "replace"))


class _Watchdog:
    """Ends the groups of commands that take too long: one thread for all of them, which mostly sleeps.

    communicate(timeout=...) naps until the child has gone, which doubles a short command; a timer for each would start
    a thread for each. Nor GitPython's kill_after_timeout: after a Ctrl-C here it would hold up the end of the program.
    """

    def __init__(self) -> None:
        self._due: dict[int, float] = {}
        self._wakes = math.inf
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, group: int, timeout_s: float) -> Iterator[None]:
        """Raises TimeoutError where it had to be ended."""
        at = time.monotonic() + timeout_s
        with self._changed:
            self._due[group] = at
            if self._thread is None or not self._thread.is_alive():  # a fork leaves threads behind
                self._thread = threading.Thread(target=self._serve, name="autopack-git-watchdog", daemon=True)
                self._thread.start()
            elif at < self._wakes:
                self._changed.notify()
        try:
            yield
        finally:
            with self._changed:
                ended = self._due.pop(group, None) is None
        if ended:
            raise TimeoutError

    def _serve(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for group in [group for group, at in self._due.items() if at <= now]:
                    del self._due[group]
                    with suppress(ProcessLookupError):
                        os.killpg(group, signal.SIGKILL)
                self._wakes = min(self._due.values(), default=math.inf)
                self._changed.wait(min(self._wakes - now, TIMEOUT_S))


_watchdog = _Watchdog().watching


def _without_foreign(variables: Mapping[str, str]) -> list[str]:
    """Drops the caller's GIT_* (set inside hooks and `rebase --exec`): they would lead git to another repository.

    GitPython adds to the environment and can't take away; `env` costs a millisecond, only when there is something.
    """
    names = (name for name in os.environ if name.startswith("GIT_") and not name.startswith(IDLE))
    foreign = [name for name in names if name not in variables]
    return ["env", *(word for name in foreign for word in ("-u", name))] if foreign else []


def _no_git(evidence: str) -> GitUnusable:
    oldest = ".".join(map(str, OLDEST))
    return GitUnusable("git", "is not on PATH or does not start", f"Install git {oldest} or newer.", evidence)


@functools.cache
def require_git() -> None:
    """Raises GitUnusable unless a git of a usable age is on PATH."""
    try:
        from git.cmd import Git as GitPython  # noqa: PLC0415  lazily: see the module
    except ImportError as error:  # GitPython starts git while it is being imported
        raise _no_git(str(error)) from error
    found = GitPython().version_info
    if found[:2] < OLDEST:
        version, oldest = (".".join(map(str, numbers)) for numbers in (found, OLDEST))
        raise GitUnusable("git", f"version {version} is too old", f"Install git {oldest} or newer.")
