"""The hooks that a commit of the user's would pass. A run makes its commits by plumbing, which no hook sees: so the
ruleset says whether they are run in a private worktree, left out, or keep the run from starting.
"""

import os
import shutil
import stat
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from autopack.runners.git.repository import Repository

ON_COMMIT = ("pre-commit", "prepare-commit-msg", "commit-msg")
"""Those that can keep a commit from being made; the others come after it, or are about other verbs."""

_OWN = ".git/autopack-hooks"


class Hooks(NamedTuple):
    """`folder` holds them on this machine; `place` is where a worktree shall have them, relative to its root."""

    folder: str
    place: str
    names: tuple[str, ...]


def hooks_of(repository: Repository) -> Hooks | None:
    """The hooks a `git commit` in the user's repository would run; None where there are none."""
    user = replace(repository.user, settings=())
    said = user.run("config", "--type=path", "--get", "core.hooksPath", accept=(0, 1)).text
    top = _top(repository)
    folder = os.path.join(top, said) if said else os.path.join(repository.common_dir, "hooks")
    names = tuple(name for name in ON_COMMIT if _runs(os.path.join(folder, name)))
    if not names:
        return None
    inside = os.path.relpath(folder, top)
    tracked_there = bool(said) and not os.path.isabs(said) and not inside.startswith("..")
    return Hooks(folder, inside if tracked_there else _OWN, names)


def lay_hooks(hooks: Hooks, worktree: Path, parent: str) -> None:
    """Put them into a worktree, and stage what leads there from `parent`.

    What the commit itself holds in that place stays as the commit has it.
    """
    (worktree / ".git" / "HEAD").write_text(f"{parent}\n")
    target = worktree / hooks.place
    for folder, _, names in os.walk(hooks.folder):
        for name in names:
            source = Path(folder) / name
            place = target / source.relative_to(hooks.folder)
            if not os.path.lexists(place) and not name.endswith(".sample"):
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, place)


def hook_commands(hooks: Hooks, commit: str, subject: str, body: str) -> list[tuple[str, tuple[str, ...]]]:
    """Commands, each with a name: the candidate committed once more by an ordinary `git commit`, then looked at.

    A hook that rewrites files has made another candidate, content or not: the difference is the evidence.
    """
    settings = (f"core.hooksPath={hooks.place}", "user.name=autopack", "user.email=autopack@localhost")
    options = tuple(word for setting in (*settings, "commit.gpgSign=false") for word in ("-c", setting))
    return [
        ("hooks", ("git", *options, "commit", "--quiet", "--allow-empty", "-m", subject, "-m", body)),
        ("hooks-kept", ("git", "diff", "--exit-code", commit, "--")),
    ]


def _top(repository: Repository) -> str:
    """The root of the checkout that `core.hooksPath` is relative to; of a bare repository its own folder."""
    variables = {name: value for name, value in repository.user.variables.items() if name != "GIT_DIR"}
    git = replace(repository.user, folder=repository.place, variables=variables)
    found = git.run("rev-parse", "--path-format=absolute", "--show-toplevel", accept=(0, 128))
    return found.text if found.status == 0 else repository.common_dir


def _runs(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & 0o111)
