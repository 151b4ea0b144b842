"""Private folders that live as long as the process that made them, and what removes them when it was killed.

A folder holds a lock file that its owner keeps locked; the system lets go of it when the owner dies, however it dies.
"""

import fcntl
import os
import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from autopack.runners.git.errors import GitError

PREFIX = "autopack-"
_LOCK = "owner.lock"


class Folder:
    """`path` is empty and readable for its owner only. Without a `home` nobody sweeps after a kill."""

    def __init__(self, home: str | None = None) -> None:
        if home is None:
            self.path = tempfile.mkdtemp(prefix=PREFIX)
            lock = None
        else:
            try:
                os.makedirs(home, mode=0o700, exist_ok=True)
                with _alone_in(home):
                    self.path = tempfile.mkdtemp(prefix=PREFIX, dir=home)
                    lock = _lock(os.path.join(self.path, _LOCK))
            except OSError as error:
                fact = f"can't work in this folder: {error.strerror}"
                raise GitError(home, fact, "Set XDG_CACHE_HOME to a folder that you may write to.") from error
        self.path = os.path.realpath(self.path)
        self._forget = weakref.finalize(self, _forget, self.path, lock, os.getpid())

    def remove(self) -> None:
        """As often as you like."""
        self._forget()


def sweep(home: str | os.PathLike[str]) -> tuple[str, ...]:
    """Remove what dead processes left in `home`; the names of what was removed."""
    home = os.fspath(home)
    if not os.path.isdir(home):
        return ()
    with _alone_in(home):
        return tuple(name for name in sorted(os.listdir(home)) if _swept(os.path.join(home, name)))


def remove_tree(path: str) -> None:
    """Also when a step left folders that nobody may enter, or is still dying while we remove."""
    for _ in range(3):
        try:
            shutil.rmtree(path)
        except FileNotFoundError:
            if not os.path.lexists(path):
                return
        except PermissionError:
            _open_up(path)
        else:
            return
    shutil.rmtree(path)


def _open_up(path: str) -> None:
    os.chmod(path, 0o700)
    for folder, below, _ in os.walk(path):
        for name in below:
            inner = os.path.join(folder, name)
            if not os.path.islink(inner):
                os.chmod(inner, 0o700)


def _forget(path: str, lock: int | None, owner: int) -> None:
    if os.getpid() != owner:  # a forked child also runs what is due at exit
        return
    if os.path.lexists(path):
        remove_tree(path)
    if lock is not None:
        os.close(lock)


def _swept(path: str) -> bool:
    if not os.path.basename(path).startswith(PREFIX) or os.path.islink(path) or not os.path.isdir(path):
        return False
    lock = _lock(os.path.join(path, _LOCK))
    if lock is None:
        return False
    remove_tree(path)
    os.close(lock)
    return True


def _lock(path: str) -> int | None:
    """The descriptor that holds the lock, or None when somebody else does."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    with suppress(BlockingIOError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return descriptor
    os.close(descriptor)
    return None


@contextmanager
def _alone_in(home: str) -> Iterator[None]:
    """Nobody sweeps while a folder exists whose owner hasn't locked it yet."""
    descriptor = os.open(os.path.join(home, ".sweep.lock"), os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
