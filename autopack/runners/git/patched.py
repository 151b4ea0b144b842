"""A patch of ours on the commit it was taken from, without a checkout."""

import os
import tempfile

from autopack.runners.git.repository import Repository


def patched_tree(repository: Repository, base: str, patch: bytes) -> str:
    """The tree that `patch`, a canonical diff from `base`, leads to; all its objects are there again."""
    with tempfile.TemporaryDirectory(prefix="patched-", dir=repository.folder.path) as scratch:
        git = repository.desk.seeing(scratch, GIT_INDEX_FILE=os.path.join(scratch, "index"))
        git.run("read-tree", base)
        if patch:
            git.run("apply", "--cached", "--whitespace=nowarn", "-", given=patch)
        return git.run("write-tree").text
