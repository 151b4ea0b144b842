"""Worktrees for CI and builder commands, of a private repository that reads the user's objects.

A step may do what it likes in there, `git branch -f main` and `git config` included: each worktree gets a `.git` of
its own, fresh at every take, and our own commands use neither it nor its index but a repository and an index beside it
that no step is told about.
"""

import itertools
import os
import re
import shutil
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from autopack.runners.git.command import SEALED, Git
from autopack.runners.git.errors import GitError
from autopack.runners.git.folder import Folder, remove_tree
from autopack.runners.git.repository import Repository
from autopack.runners.git.tree import SUBMODULE, FileChange, decoded, raw_changes, staged

# Versions are often taken from the nearest tag, and a snapshot's tag is no version.
OWN_TAGS = "refs/tags/autonomous/"

_MAGIC = re.compile(r"([\\*?\[\] !#])")


@dataclass(frozen=True, slots=True)
class Worktree:
    """A checkout of `commit`, HEAD detached. `is_set_up`: it still holds what the setup asked for has left in it."""

    path: Path
    commit: str
    is_set_up: bool


@dataclass(slots=True, eq=False)
class _Slot:
    """`nested`: its index may hold submodules."""

    folder: str
    setup: str = ""
    kept: tuple[str, ...] = ()
    nested: bool = False

    @property
    def tree(self) -> str:
        return os.path.join(self.folder, "tree")

    @property
    def index(self) -> str:
        return os.path.join(self.folder, "index")


FILES_MAX, BYTES_MAX = 2_000, 50_000_000
"""Of a difference that is looked at: no gate passes a larger one, and it has to be held in memory."""


class TooMuch(Exception):
    """A difference that nobody needs to look at."""


class Pool:
    """As many worktrees as are taken at once, used again. Safe to share between threads.

    `home` should lie outside any checkout: many tools look for their configuration in the folders above. `base` is the
    branch (a full ref name) that tools shall find beside the tags.
    """

    def __init__(self, home: str | os.PathLike[str], repository: Repository, base: str | None = None) -> None:
        self.home = os.path.realpath(home)
        self._repository = repository
        self._folder = Folder(os.fspath(home))
        self._seed = _seed(self._folder.path, repository, base)
        self._lock = threading.Lock()
        self._free: list[_Slot] = []
        self._taken: dict[Path, _Slot] = {}
        self._numbers = itertools.count(1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove_all()

    def take(self, commit: str, setup: str = "") -> Worktree:
        """A worktree that holds `commit` and nothing else, but for what `keep` was told under the same `setup`."""
        slot = self._claim(setup)
        try:
            self._lay(slot, commit)
        except (GitError, OSError):  # a step may have damaged anything here; what still fails in a new folder is real
            self._renew(slot)
            self._lay(slot, commit)
        path = Path(slot.tree)
        with self._lock:
            self._taken[path] = slot
        return Worktree(path, commit, is_set_up=bool(setup) and slot.setup == setup)

    def keep(self, worktree: Worktree, setup: str) -> tuple[str, ...]:
        """What git doesn't track in it now survives later takes that name the same `setup`.

        That is a digest of all that the setup depends on. Kept are paths, not contents: what later steps write into
        a kept folder stays there, too.
        """
        slot = self._taken[worktree.path]
        others = self._git(slot).run("ls-files", "--others", "--directory", "-z").out
        slot.kept = tuple(decoded(path) for path in others.split(b"\0") if path)
        slot.setup = setup
        return slot.kept

    def difference(self, worktree: Worktree) -> dict[str, FileChange]:
        """What differs from the commit now, as files and not as commits: a `.git` that somebody wrote to, or a commit
        that was made there, is not asked. What the repository ignores is left out. Raises GitError, TooMuch.
        """
        slot = self._taken[worktree.path]
        if os.path.islink(slot.tree):
            raise GitError(slot.tree, "is a link where the worktree was", "Something has replaced it; start again.")
        git, slot.nested = self._git(slot), True
        git.run("add", "--all", "--", ".")
        listing = git.run("diff-index", "--cached", "--raw", "-z", "--no-renames", "--no-abbrev", worktree.commit).out
        changes = raw_changes(listing)
        blobs = [blob for _, mode, blob in changes if mode not in (None, SUBMODULE)]
        if len(changes) > FILES_MAX or sum(_sizes(git, blobs)) > BYTES_MAX:
            raise TooMuch(f"more than {FILES_MAX:,} files or {BYTES_MAX:,} bytes differ")
        contents = dict(zip(blobs, _contents(git, blobs), strict=True))
        return {
            path: FileChange(None if mode is None else contents.get(blob, b""), mode) for path, mode, blob in changes
        }

    def give_back(self, worktree: Worktree) -> None:
        with self._lock:
            self._free.append(self._taken.pop(worktree.path))

    def remove_all(self) -> None:
        self._folder.remove()

    def _claim(self, setup: str) -> _Slot:
        with self._lock:
            # Without a setup of its own a caller must not cost another one its setup; a new setup replaces an old one.
            fitting = [slot for slot in self._free if slot.setup in {setup, ""} or setup]
            if fitting:
                slot = min(fitting, key=lambda slot: (slot.setup != setup, slot.setup != ""))
                self._free.remove(slot)
            else:
                slot = _Slot(self._new_folder())
                os.makedirs(slot.tree)
        if slot.setup != setup:
            slot.setup, slot.kept = "", ()
        return slot

    def _new_folder(self) -> str:
        return os.path.join(self._folder.path, str(next(self._numbers)))

    def _renew(self, slot: _Slot) -> None:
        try:
            remove_tree(slot.folder)
        except OSError:  # a step may have left what refuses to go
            slot.folder = self._new_folder()
        os.makedirs(slot.tree)
        slot.setup, slot.kept, slot.nested = "", (), False

    def _git(self, slot: _Slot) -> Git:
        return self._seed.seeing(slot.tree, GIT_WORK_TREE=slot.tree, GIT_INDEX_FILE=slot.index)

    def _lay(self, slot: _Slot, commit: str) -> None:
        if os.path.islink(slot.tree):
            raise NotADirectoryError(slot.tree)
        git = self._git(slot)
        if slot.nested:
            _empty_submodules(git, slot)
        spared = [word for path in slot.kept for word in ("-e", "/" + _MAGIC.sub(r"\\\1", path.rstrip("/")))]
        git.run("clean", "-ffdxq", *spared)
        slot.nested = any(entry.is_submodule for entry in self._repository.list_names(commit))
        git.run("read-tree", "--reset", "-u", commit)
        self._lay_git_folder(slot, commit)

    def _lay_git_folder(self, slot: _Slot, commit: str) -> None:
        path = os.path.join(slot.tree, ".git")
        if os.path.isdir(path) and not os.path.islink(path):
            remove_tree(path)
        elif os.path.lexists(path):
            os.unlink(path)
        shutil.copytree(self._seed.variables["GIT_DIR"], path)
        Path(path, "HEAD").write_text(f"{commit}\n", encoding="ascii")
        shutil.copy2(slot.index, os.path.join(path, "index"))


def _seed(folder: str, repository: Repository, base: str | None) -> Git:
    """A repository with the user's objects, tags and base branch, and no commit checked out."""
    path = os.path.join(folder, "seed", ".git")
    marks = {name: value for name, value in repository.user.variables.items() if not name.startswith("GIT_")}
    sealed = Git(repository.place, folder, {**marks, **SEALED})
    sealed.run("init", "--quiet", "--template=", f"--object-format={repository.object_format}", os.path.dirname(path))
    os.makedirs(os.path.join(path, "objects", "info"), exist_ok=True)
    Path(path, "objects", "info", "alternates").write_bytes(
        b"".join(os.fsencode(objects) + b"\n" for objects in repository.object_folders())
    )
    shallow = os.path.join(repository.common_dir, "shallow")
    if os.path.exists(shallow):
        shutil.copyfile(shallow, os.path.join(path, "shallow"))
    git = sealed.seeing(GIT_DIR=path)
    _copy_refs(git, repository, base)
    git.run("config", "gc.auto", "0")
    return git


def _copy_refs(git: Git, repository: Repository, base: str | None) -> None:
    found = repository.refs(("refs/tags/", *((base,) if base else ())))
    wanted = {ref: head for ref, head in found.items() if ref == base or ref.startswith("refs/tags/")}
    lines = [
        b"create %s\0%s\0" % (os.fsencode(ref), head.encode())
        for ref, head in wanted.items()
        if not ref.startswith(OWN_TAGS)
    ]
    if lines:
        git.run("update-ref", "-z", "--stdin", given=b"".join(lines))
        git.run("pack-refs", "--all")


def _sizes(git: Git, blobs: Sequence[str]) -> list[int]:
    asked = "".join(f"{blob}\n" for blob in blobs).encode()
    return [int(line) for line in git.run("cat-file", "--batch-check=%(objectsize)", given=asked).out.split()]


def _contents(git: Git, blobs: Sequence[str]) -> list[bytes]:
    return [git.run("cat-file", "blob", blob).out for blob in blobs]


def _empty_submodules(git: Git, slot: _Slot) -> None:
    """`clean` leaves the folder of a submodule alone; whatever a step has put there has to go."""
    modes = staged(git.run("ls-files", "--stage", "-z").out)
    for path in (path for path, mode in modes.items() if mode == SUBMODULE):
        folder = os.path.join(slot.tree, path)
        if os.path.isdir(folder) and os.path.realpath(folder) == folder:  # not through a link that a step has put there
            remove_tree(folder)
