"""Every git command of the product.

`open_repository` gives a Repository: what a commit holds, new trees, commits and canonical diffs, made by plumbing in
the user's repository without any checkout; and the only refs a run writes. `Pool` gives worktrees for programs that
need files. Neither touches the user's own checkout, index, stash, branches or hooks.
"""

from autopack.runners.git.command import require_git
from autopack.runners.git.errors import (
    BranchInUse,
    DiskFull,
    GitError,
    GitFailed,
    GitLocked,
    GitUnusable,
    RefRefused,
    TagRefused,
    TreeRefused,
)
from autopack.runners.git.folder import remove_tree, sweep
from autopack.runners.git.hooks import Hooks, hook_commands, hooks_of, lay_hooks
from autopack.runners.git.merging import Conflict, Merged, carry, merge_tree_onto
from autopack.runners.git.moves import brings, forged, holds_commit_of, only_foreign_commits
from autopack.runners.git.opening import open_repository
from autopack.runners.git.past import commits_between, merge_base, write_specs
from autopack.runners.git.patched import patched_tree
from autopack.runners.git.pool import Pool, TooMuch, Worktree
from autopack.runners.git.remote import Fetched, fetch_file
from autopack.runners.git.repository import Repository
from autopack.runners.git.tree import REGULAR, Commit, Entry, FileChange, Stat, Tag
from autopack.runners.git.watched import watched
from autopack.runners.git.words import Identity, trailers

__all__ = [
    "REGULAR",
    "BranchInUse",
    "Commit",
    "Conflict",
    "DiskFull",
    "Entry",
    "Fetched",
    "FileChange",
    "GitError",
    "GitFailed",
    "GitLocked",
    "GitUnusable",
    "Hooks",
    "Identity",
    "Merged",
    "Pool",
    "RefRefused",
    "Repository",
    "Stat",
    "Tag",
    "TagRefused",
    "TooMuch",
    "TreeRefused",
    "Worktree",
    "brings",
    "carry",
    "commits_between",
    "fetch_file",
    "forged",
    "holds_commit_of",
    "hook_commands",
    "hooks_of",
    "lay_hooks",
    "merge_base",
    "merge_tree_onto",
    "only_foreign_commits",
    "open_repository",
    "patched_tree",
    "remove_tree",
    "require_git",
    "sweep",
    "trailers",
    "watched",
    "write_specs",
]
