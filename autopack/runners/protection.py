"""Protected branches: recorded before foreign code runs, judged after it.

Inside a sandbox no step can reach them, so what moves meanwhile was somebody else. Without one a step can do whatever
its user can, and nothing that a step can write tells it from that user. What is judged is therefore what a person's own
git commands leave behind and a forged ref does not: a record in the reflog, an index that followed the checked-out
branch, a move that only goes forward, and content that is not this run's own. Whoever forges all of that as well is
told as a major issue, which bars promotion, and is not caught.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from autopack.plan.model import Plan, Profile
from autopack.run import events as ev
from autopack.runners import git


class Seen(NamedTuple):
    """Before foreign code runs: protected branches, and what starts programs in the user's repository."""

    heads: Mapping[str, str]
    settings: Mapping[str, str]


@dataclass(frozen=True)
class Protection:
    plan: Plan
    run_id: str
    repository: git.Repository

    def seen(self) -> Seen:
        return Seen(self._heads(), git.watched(self.repository))

    def _heads(self) -> dict[str, str]:
        return self.repository.refs(f"refs/heads/{pattern}" for pattern in self.plan.protected_branches)

    def judged(
        self, seen: Seen, phase_id: str, candidate: str, profile: Profile
    ) -> tuple[str, tuple[ev.ReportedIssue, ...]]:
        """What the run itself did, in words (empty: nothing), and what somebody did, who may have been a person."""
        before, now = seen.heads, self._heads()
        moved = sorted(name for name in before.keys() | now.keys() if before.get(name) != now.get(name))
        if profile.sandbox != "none":
            moved = [name for name in moved if self._holds_own(before.get(name), now.get(name), candidate)]
        guilty = [
            f"{name} {why}" for name in moved if (why := self._proof(name, before.get(name), now.get(name), candidate))
        ]
        if guilty:
            return f"while CI of {phase_id} ran, " + "; ".join(guilty), ()
        issues = [_issue(name, before.get(name), now.get(name), phase_id) for name in moved]
        if profile.sandbox == "none":
            issues += self._rewritten(seen.settings, phase_id)
        return "", tuple(issues)

    def _rewritten(self, before: Mapping[str, str], phase_id: str) -> Iterator[ev.ReportedIssue]:
        """What would start a program at a person's next git command. A person may have written it: told, not judged."""
        now = git.watched(self.repository)
        for name in sorted(before.keys() | now.keys()):
            if before.get(name) != now.get(name):
                how = "was removed" if name not in now else "was made" if name not in before else "was rewritten"
                yield ev.ReportedIssue(
                    issue_key=f"policy__{name}__written_during_ci",
                    severity="major",
                    category="policy",
                    source="ci",
                    description=f".git/{name} of the repository {how} while CI of {phase_id} ran without a sandbox",
                    evidence_refs=(f".git/{name}",),
                )

    def _proof(self, name: str, old: str | None, new: str | None, candidate: str) -> str:
        """Why no person's own git command did this; empty where one may have."""
        if new is None:
            return f"was deleted (it was at {old})"
        if old is None:
            return f"was made, at {new}, a commit of this run" if self._holds_own(old, new, candidate) else ""
        where = f"was moved from {old} to {new}"
        if not git.only_foreign_commits(self.repository, old, new, self.run_id):
            return f"{where}, which is not forward, or holds a commit of this run"
        if self._holds_own(old, new, candidate):
            return f"{where}, which holds what this run wrote"
        if git.forged(self.repository, name, old, new):
            return f"{where} behind its checkout's back: no git command of a person leaves it so"
        return ""

    def _holds_own(self, old: str | None, new: str | None, candidate: str) -> bool:
        """Whether files that the candidate brings are what the move brings, too."""
        if new is None:
            return False
        if git.holds_commit_of(self.repository, self.run_id, new, old or self.plan.base_commit or ""):
            return True
        base = old or self.plan.base_commit
        return base is not None and bool(
            git.brings(self.repository, base, new) & git.brings(self.repository, base, candidate)
        )


def _issue(name: str, old: str | None, new: str | None, phase_id: str) -> ev.ReportedIssue:
    return ev.ReportedIssue(
        issue_key=f"policy__{name}__moved_during_ci",
        severity="major",
        category="policy",
        source="ci",
        description=f"{name} moved from {old} to {new} while CI of {phase_id} ran",
        evidence_refs=(name,),
    )
