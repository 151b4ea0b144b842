"""A change done to another head than the one it was made for, in the objects alone: no checkout, no merge driver."""

from contextlib import suppress
from typing import NamedTuple

from autopack.runners.git import tree as trees
from autopack.runners.git.errors import GitFailed
from autopack.runners.git.repository import Repository
from autopack.runners.git.words import Identity, object_id


class Merged(NamedTuple):
    tree: str


class Conflict(NamedTuple):
    paths: tuple[str, ...]


def carry(repository: Repository, base: str, head: str, commit: str) -> Merged | Conflict:
    """The tree of `commit`, whose only parent is `base`, on `head`, which has come from `base` as well.

    git finds that base by itself, with one process instead of five, unless it meets the end of a shallow history.
    """
    with suppress(GitFailed):
        return _merged(repository, object_id(head), object_id(commit))
    return merge_tree_onto(repository, base, head, commit)


def merge_tree_onto(repository: Repository, base: str, ours: str, theirs: str) -> Merged | Conflict:
    """What led from `base` to `theirs`, done to `ours` instead. Each is a commit or a tree.

    git takes the merge base as an argument only from 2.40 on (trees from 2.45): so three commits without any
    other history say the same. They stay behind unreferenced, and are equal for equal trees.
    """
    revs = (f"{object_id(each)}^{{tree}}" for each in (base, ours, theirs))
    base, ours, theirs = repository.desk.run("rev-parse", *revs).text.split()
    root = _bare_commit(repository, base)
    return _merged(repository, *(_bare_commit(repository, side, root) for side in (ours, theirs)))


def _merged(repository: Repository, ours: str, theirs: str) -> Merged | Conflict:
    merge = ("merge-tree", "--write-tree", "--name-only", "--no-messages", "-z")
    answer = repository.desk.run(*merge, ours, theirs, accept=(0, 1))
    if not answer.out:  # exit 1 also says that one of them is not there
        action = "Look for what took it away: git gc, or another hand."
        raise GitFailed(repository.place, f"{ours} or {theirs} is missing", action, answer.err)
    tree, *paths = answer.out.split(b"\0")[:-1]
    return Conflict(tuple(sorted(map(trees.decoded, paths)))) if answer.status else Merged(tree.decode())


def _bare_commit(repository: Repository, tree: str, *parents: str) -> str:
    return repository.commit(tree, parents, "side of a merge", 0, Identity("autopack", "autopack@localhost"))
