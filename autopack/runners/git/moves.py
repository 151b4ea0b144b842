"""Who moved a ref, and what came with the move."""

import os
from pathlib import Path

from autopack.runners.git.repository import Repository
from autopack.runners.git.words import object_id

TELLING_BYTES = 60  # an empty or a tiny file says nothing about where it comes from


def only_foreign_commits(repository: Repository, old: str, new: str, run_id: str) -> bool:
    """Whether `new` follows from `old` by commits that the run had no part in: forward, none with its trailer."""
    return repository.is_ancestor(old, new) and not holds_commit_of(repository, run_id, new, old)


def holds_commit_of(repository: Repository, run_id: str, new: str, old: str) -> bool:
    """Whether a commit of the run is in the history of `new` and not in that of `old`."""
    wanted = "--format=%(trailers:key=Autopack-Run,valueonly=true)"
    return run_id in repository.user.run("log", wanted, object_id(new), "--not", object_id(old)).text.split()


def brings(repository: Repository, old: str, new: str) -> frozenset[str]:
    """Blobs that are in `new` and not in `old`, without those so small that they may be equal by chance."""
    before = {entry.blob for entry in repository.list_files(old)}
    return frozenset(e.blob for e in repository.list_files(new) if (e.size or 0) >= TELLING_BYTES) - before


def forged(repository: Repository, ref: str, old: str, new: str) -> bool:
    """Whether `ref` was moved as no commit, merge, pull or push of a person moves it.

    With a reflog that doesn't know of the move; or under a checkout whose index still is what `old` holds.
    """
    try:
        last = Path(repository.common_dir, "logs", ref).read_bytes().rstrip(b"\n").rpartition(b"\n")[2]
    except OSError:
        last = b""
    if last and last.split(b" ")[1:2] != [new.encode()]:
        return True
    if repository.tree(old) == repository.tree(new):
        return False
    for where in repository.checkouts(ref):
        if os.path.isdir(where):
            folder = repository.user.seeing(where, GIT_DIR=_git_dir(where))
            if not folder.run("diff-index", "--cached", "--quiet", object_id(old), "--", accept=(0, 1)).status:
                return True
    return False


def _git_dir(worktree: str) -> str:
    """The `.git` of a checkout: a folder, or, in a linked one, a file that names it."""
    place = os.path.join(worktree, ".git")
    if os.path.isfile(place):
        told = Path(place).read_text(encoding="utf-8", errors="surrogateescape").strip()
        return os.path.join(worktree, told.removeprefix("gitdir:").strip())
    return place
