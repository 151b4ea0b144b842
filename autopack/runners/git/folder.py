"""Private folders that live as long as the process that made them, and what removes them when it was killed.

A folder holds a lock file that its owner keeps locked; the system lets go of it when the owner dies, however it dies.
"""

import fcntl
import itertools
import os
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
    """However deep it is, also when a step left folders that nobody may enter, or is still dying while we remove.

    Raises OSError, after removing all else, when something refuses to go: an immutable file, a mount in use.
    """
    for tries_left in (2, 1, 0):
        try:
            _remove(path)
        except OSError:
            if not os.path.lexists(path):
                return
            if not tries_left:
                raise
        else:
            return


def _remove(path: str) -> None:
    """Folders are moved up to `path` before they are emptied: no path gets long, no call nests."""
    mark = os.urandom(8).hex()
    names = (f"{mark}-{number}" for number in itertools.count())
    with _opened(path) as top:
        todo = _emptied(top, top, names)
        while todo:
            name = todo.pop()
            with suppress(OSError):
                with _opened(name, top) as folder:
                    todo += _emptied(folder, top, names)
                os.rmdir(name, dir_fd=top)
    os.rmdir(path)


@contextmanager
def _opened(path: str, within: int | None = None) -> Iterator[int]:
    """A folder by its descriptor, never through a link, with the right to change it."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    try:
        descriptor = os.open(path, flags, dir_fd=within)
    except PermissionError:
        os.chmod(path, 0o700, dir_fd=within)
        descriptor = os.open(path, flags, dir_fd=within)
    try:
        with suppress(OSError):
            os.fchmod(descriptor, 0o700)
        yield descriptor
    finally:
        os.close(descriptor)


def _emptied(folder: int, top: int, names: Iterator[str]) -> list[str]:
    """What the folders that were in it are called now, in `top`. What refuses to go is left."""
    with os.scandir(folder) as found:
        entries = list(found)
    moved = []
    for entry in entries:
        with suppress(OSError):
            if not entry.is_dir(follow_symlinks=False):
                os.unlink(entry.name, dir_fd=folder)
                continue
            os.chmod(entry.name, 0o700, dir_fd=folder)  # or it can't be given another parent
            name = next(names)
            os.rename(entry.name, name, src_dir_fd=folder, dst_dir_fd=top)
            moved.append(name)
    return moved


def _forget(path: str, lock: int | None, owner: int) -> None:
    if os.getpid() != owner:  # a forked child also runs what is due at exit
        return
    with suppress(OSError):  # what refuses to go is litter, and no reason to fail a run that has ended
        remove_tree(path)
    if lock is not None:
        os.close(lock)


def _swept(path: str) -> bool:
    if not os.path.basename(path).startswith(PREFIX) or os.path.islink(path) or not os.path.isdir(path):
        return False
    lock = _lock(os.path.join(path, _LOCK))
    if lock is None:
        return False
    with suppress(OSError):
        remove_tree(path)
    os.close(lock)
    return not os.path.lexists(path)


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
