"""What can be wrong with a repository: place, fact, git's own words, next action.

Whatever is a GitUnusable ends a run as an environment failure; the others are answers to one request.
"""

EVIDENCE_CHARS = 400


class GitError(Exception):
    def __init__(self, place: str, fact: str, action: str, evidence: str = "") -> None:
        self.place = place
        self.fact = fact
        self.action = action
        self.evidence = " ".join(evidence.split())[:EVIDENCE_CHARS]
        said = f" (git: {self.evidence})" if self.evidence else ""
        super().__init__(f"{place}: {fact}{said}. {action}")


class GitUnusable(GitError):
    """There is no git, or no repository that a build could start from, or it stopped answering."""


class GitFailed(GitUnusable):
    """A git command failed in a way nobody here expected."""


class GitKilled(GitFailed):
    """A signal ended git, as often as it was tried."""


class GitLocked(GitUnusable):
    """Another git process holds a lock, or a dead one left it behind."""


class DiskFull(GitUnusable):
    """git could not write for want of space."""


class RefRefused(GitError):
    """A ref that this product must not write, or whose name is none."""


class BranchInUse(GitError):
    """The branch is checked out in somebody's worktree; moving it would make their files look changed."""


class TagRefused(GitError):
    """The tag exists and says something else."""


class TreeRefused(GitError):
    """A change that can't become part of a tree. `path` is the offending one."""

    def __init__(self, path: str, fact: str, action: str, evidence: str = "") -> None:
        super().__init__(path, fact, action, evidence)
        self.path = path
