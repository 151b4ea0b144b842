"""Specs as they were at a revision, read from the objects and written to a folder of ours: no checkout, no index."""

import os
from pathlib import Path

from autopack.runners.git.command import Git
from autopack.runners.git.errors import GitUnusable
from autopack.runners.git.opening import open_repository

SUFFIXES = (".yaml", ".yml", ".json", ".lock")
BYTES_MAX = 20_000_000  # a plan of 10,000 phases has about as much
MISSING = "Name a branch, a tag or a commit that `git rev-parse` knows; a shallow clone may lack it."


def write_specs(place: str | os.PathLike[str], revision: str, target: Path) -> Path:
    """Every file of `revision` that may hold a spec, below `target`; where `place` is in there. Raises GitError."""
    with open_repository(place) as repository:
        try:
            commit = repository.resolve(revision)
        except GitUnusable as error:
            raise GitUnusable(os.fspath(place), f'"{revision}" names no commit', MISSING, error.evidence) from error
        entries = repository.list_files(commit)
        wanted = [e.path for e in entries if e.is_regular and _is_spec(e.path) and (e.size or 0) <= BYTES_MAX]
        for path, content in repository.read_files(commit, wanted).items():
            file = target / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
    return target / _inside(place)


def _is_spec(path: str) -> bool:
    """Git makes no tree with `..` in it, but it takes one that somebody else has made."""
    return path.endswith(SUFFIXES) and not path.startswith("/") and ".." not in path.split("/")


def merge_base(place: str | os.PathLike[str], one: str, other: str) -> str:
    """Where two histories parted. Raises GitUnusable."""
    with open_repository(place) as repository:
        for revision in (one, other):
            repository.resolve(revision)
        found = repository.user.run("merge-base", "--end-of-options", one, other, accept=(0, 1, 128))
    if found.status:
        raise GitUnusable(os.fspath(place), f"{one} and {other} have no commit in common", MISSING, found.err)
    return found.text


def commits_between(place: str | os.PathLike[str], base: str, head: str) -> tuple[str, ...]:
    """Every commit of `head` that `base` does not have, the oldest first. Raises GitError."""
    with open_repository(place) as repository:
        ends = repository.resolve(head), repository.resolve(base)
        return tuple(repository.user.run("rev-list", "--reverse", "--topo-order", f"{ends[1]}..{ends[0]}").text.split())


def _inside(place: str | os.PathLike[str]) -> str:
    """The folder within its repository, "" at the top."""
    folder = os.path.abspath(place)
    return Git(folder, folder).run("rev-parse", "--show-prefix").text
