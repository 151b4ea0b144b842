"""One file of somebody else's repository, at a branch, a tag or a commit; nothing is kept but that file.

The clone is bare and made in a folder of its own; of the user's configuration credentials and proxies are wanted. A
URL may only lead to https, ssh or a path of this machine: git's other transports start programs.
"""

import re
import tempfile
from typing import NamedTuple

from autopack.runners.git.command import SETTINGS, Git
from autopack.runners.git.errors import GitFailed, GitUnusable

TIMEOUT_S = 120.0
BYTES_MAX = 1_000_000  # a module is a page of YAML

_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_FETCHING = {"GIT_ALLOW_PROTOCOL": "https:ssh:file", "GIT_PROTOCOL_FROM_USER": "0"}


class Fetched(NamedTuple):
    commit: str
    content: bytes


def fetch_file(url: str, ref: str, path: str) -> Fetched:
    """Raises GitUnusable with place, fact and next action."""
    with tempfile.TemporaryDirectory(prefix="autopack-module-") as folder:
        git = Git(url, folder, _FETCHING, SETTINGS)
        git.run("init", "--quiet", "--bare")
        commit = _commit(git, url, ref)
        listed = git.run("ls-tree", "-l", "--full-tree", commit, "--", path).text
        kind, size = _kind_and_size(listed)
        if not kind.startswith("100") or size > BYTES_MAX:
            fact = f"{ref} holds no file {path}" if not listed else f"{path} is no plain file of a module's size"
            raise GitUnusable(url, fact, "Correct the part after # in `uses`.")
        return Fetched(commit, git.run("cat-file", "blob", f"{commit}:{path}").out)


def _commit(git: Git, url: str, ref: str) -> str:
    """A name is fetched alone; for a commit, which not every server hands out alone, everything is."""
    by_id = _COMMIT.fullmatch(ref) is not None
    wanted = ("--", url, "+refs/*:refs/theirs/*") if by_id else ("--depth=1", "--no-tags", "--", url, ref)
    try:
        git.run("fetch", "--quiet", *wanted, timeout_s=TIMEOUT_S)
    except GitFailed as error:
        action = "Check the address and the ref in `uses`, and that git may read the repository from here."
        raise GitUnusable(url, f'"{ref}" can\'t be fetched', action, error.evidence) from error
    try:
        name = ref if by_id else "FETCH_HEAD"
        return git.run("rev-parse", "--verify", "--end-of-options", name + "^{commit}").text
    except GitFailed as error:
        action = "Its history was rewritten: look at what is there now, then pin that with `autopack lock --update`."
        raise GitUnusable(url, f"no branch or tag leads to {ref[:12]} any more", action) from error


def _kind_and_size(listed: str) -> tuple[str, int]:
    """Of one line of `ls-tree -l`: mode and bytes."""
    words = listed.partition("\t")[0].split()
    return (words[0], int(words[3])) if len(words) == 4 and words[3].isdigit() else ("", 0)
