"""The repository that holds a folder, opened: what git says of it, and the desk where its objects are made."""

import os
from collections.abc import Mapping, Sequence

from autopack.runners.git.command import SEALED, SETTINGS, Git, require_git
from autopack.runners.git.errors import GitUnusable, RefRefused
from autopack.runners.git.folder import Folder
from autopack.runners.git.repository import Repository

KINDS = ("refs/heads/", "refs/tags/")
WRITES = ("refs/heads/autonomous/", "refs/tags/autonomous/")


def open_repository(
    path: str | os.PathLike[str],
    *,
    home: str | os.PathLike[str] | None = None,
    writes: Sequence[str] = WRITES,
    marks: Mapping[str, str] | None = None,
) -> Repository:
    """The repository that holds `path`: a checkout, a linked worktree or a bare one. Raises GitUnusable.

    `home` is where private folders go (swept by `sweep(home)` after a kill); `marks` is put into the environment of
    every git started, so that a later driver recognises what a dead one left.
    """
    place = os.path.abspath(path)
    require_git()
    if not os.path.isdir(place):
        raise GitUnusable(place, "there is no such folder", "Correct `repository` in autopack.yaml.")
    if any(name in KINDS or not name.startswith(KINDS) for name in writes):
        raise RefRefused(place, f"a run can't be given {', '.join(writes)} to write", "Name branches and tags.")
    marks = dict(marks or {})
    object_format, git_dir, common_dir = _discovered(Git(place, place, marks))
    folder = Folder(None if home is None else os.fspath(home))
    user = Git(place, folder.path, {**marks, "GIT_DIR": git_dir})
    _require_a_commit(user)
    desk = _desk(user, marks, folder, object_format, common_dir)
    return Repository(place, git_dir, common_dir, object_format, tuple(writes), user, desk, folder)


def _discovered(git: Git) -> tuple[str, str, str]:
    words = ("--show-object-format", "--path-format=absolute", "--git-dir", "--git-common-dir")
    answer = git.run("rev-parse", *words, accept=(0, 128))
    if answer.status:
        raise _unreadable(git.place, answer.err)
    facts = answer.text.split("\n")
    if len(facts) != 3:
        raise GitUnusable(git.place, "the path of the repository holds a line break", "Rename that folder.")
    return facts[0], facts[1], facts[2]


def _unreadable(place: str, said: str) -> GitUnusable:
    if "not a git repository" in said:
        action = "Run `git init` and commit there, or correct `repository` in autopack.yaml."
        return GitUnusable(place, "is not in a git repository", action)
    if "dubious ownership" in said:
        action = f"If you trust it: git config --global --add safe.directory {place}"
        return GitUnusable(place, "belongs to another user, so git will not use it", action)
    return GitUnusable(place, "git can't read this repository", "Run `git status` there.", said)


def _require_a_commit(user: Git) -> None:
    head = user.run("rev-parse", "--verify", "--quiet", "HEAD^{commit}", accept=(0, 1, 128))
    if head.status and not user.run("for-each-ref", "--count=1").out:
        raise GitUnusable(user.place, "has no commit yet", "Make a first commit there, then start the run.")


def _desk(user: Git, marks: Mapping[str, str], folder: Folder, object_format: str, common_dir: str) -> Git:
    sealed = Git(user.place, folder.path, {**marks, **SEALED})
    path = os.path.join(folder.path, "desk")
    sealed.run("init", "--quiet", "--bare", "--template=", f"--object-format={object_format}", path)
    shared = user.run("config", "--get", "core.sharedRepository", accept=(0, 1)).text
    return Git(
        user.place,
        folder.path,
        {
            **sealed.variables,
            "GIT_DIR": path,
            "GIT_OBJECT_DIRECTORY": os.path.join(common_dir, "objects"),
            "GIT_INDEX_FILE": os.path.join(path, "no-index"),
        },
        # Objects made for a repository that a group shares must be writable for that group.
        (*SETTINGS, f"core.sharedRepository={shared}") if shared else SETTINGS,
    )
