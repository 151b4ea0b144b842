"""The merge of a promotion: an act of a person or of CI, outside any run.

It is made by plumbing: nobody's checkout, index or hooks are involved, and the base branch moves once, by
compare-and-swap. A base branch that somebody has checked out is left alone.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from autopack.journal.store import Store
from autopack.plan import calibration
from autopack.plan.backlog import FILE as BACKLOG
from autopack.plan.model import Plan
from autopack.plan.standing import place_of
from autopack.run import issues
from autopack.run.state import RunState
from autopack.runners import git
from autopack.views import verifying

KINDS = (BACKLOG, calibration.FILE)


class NotPromoted(Exception):
    """Nothing was changed; each reason says what to do next."""

    def __init__(self, *reasons: str) -> None:
        super().__init__("; ".join(reasons))
        self.reasons = reasons


@dataclass(frozen=True, slots=True)
class Promoted:
    """`commit` is the base branch's head now; `made` False when the run was in it already. `foreign` counts the
    commits that the base branch has got since the run began: CI has not seen them together with the run's.
    """

    branch: str
    commit: str
    made: bool
    foreign: int


def merge(repository: git.Repository, store: Store, plan: Plan, run: RunState, folder: Path) -> Promoted:
    """Check all evidence, then merge the integration branch into the base branch. Raises NotPromoted, GitError.

    Always a merge commit, also where the base has not moved: it says who promoted which run, and one revert undoes it.
    """
    checked = verifying.of_run(store, run.run_id, repository, folder)
    if checked.faults:
        raise NotPromoted(*(f"the evidence does not hold: {fault}" for fault in checked.faults))
    ref, head = f"refs/heads/{plan.base_branch}", run.head
    old = repository.branch_head(ref)
    if old is None:
        raise NotPromoted(f"there is no branch {plan.base_branch}; make it, or set base_branch in autopack.yaml")
    if repository.is_ancestor(head, old):
        return Promoted(plan.base_branch, old, made=False, foreign=0)
    base = repository.merge_base(old, head)
    if base is None:
        raise NotPromoted(f"{plan.base_branch} and {plan.branch(run.run_id)} have no common commit any more")
    _unused(repository, ref, plan, run)
    foreign = repository.count_between(base, old)
    tree = _merged(repository, store, plan, run, base, old)
    message = f"Merge {plan.playbook} (run {run.run_id})\n\n{git.trailers(_trailers(run))}"
    commit = repository.commit(tree, [old, head], message, int(time.time()), repository.person())
    _unused(repository, ref, plan, run)
    if not repository.advance(ref, commit, old):
        raise NotPromoted(f"{plan.base_branch} was moved while the merge was made; nothing was changed, try again")
    return Promoted(plan.base_branch, commit, made=True, foreign=foreign)


def _unused(repository: git.Repository, ref: str, plan: Plan, run: RunState) -> None:
    """Raises NotPromoted where somebody has the base branch checked out: it would move under their feet."""
    try:
        repository.checkout_in_use(ref)
    except git.BranchInUse as error:
        raise NotPromoted(
            f"{plan.base_branch} is checked out in {error.place}, and nobody's checkout is moved; "
            f"merge there: git -C {error.place} merge --no-ff {plan.branch(run.run_id)}, "
            f"or leave it first: git -C {error.place} switch --detach"
        ) from None


def _merged(repository: git.Repository, store: Store, plan: Plan, run: RunState, base: str, old: str) -> str:
    """The merged tree. Backlog and calibration are not merged line by line: the store's are the sum of all runs."""
    if base == old:
        return repository.tree(run.head)
    places = {place_of(kind): kind for kind in KINDS}
    ours, theirs = (_as_at(repository, each, base, places) for each in (old, run.head))
    found = git.merge_tree_onto(repository, base, ours, theirs)
    if isinstance(found, git.Conflict):
        raise NotPromoted(
            f"{plan.base_branch} has moved on and changes the same lines of {', '.join(found.paths)}; "
            f"run the playbook again from where it is now, or merge by hand: "
            f"git switch -c promote-{run.run_id} {plan.base_branch} && git merge {plan.branch(run.run_id)}"
        )
    if not plan.commit_issues:
        return found.tree
    standing = {**_texts(repository, run.head, places), **store.all_standing(plan.project)}
    changes = {path: git.FileChange(standing[kind].encode()) for path, kind in places.items() if kind in standing}
    return repository.write_tree(found.tree, changes)


def _as_at(repository: git.Repository, commit: str, base: str, places: Mapping[str, str]) -> str:
    """The commit's tree, with these places as they are at `base`: so the merge has nothing to say about them."""
    wanted, there = repository.read_files(base, places), repository.read_files(commit, places)
    changes = {path: git.FileChange(wanted.get(path)) for path in places if wanted.get(path) != there.get(path)}
    return repository.write_tree(commit, changes)


def _texts(repository: git.Repository, commit: str, places: Mapping[str, str]) -> dict[str, str]:
    found = repository.read_files(commit, places)
    return {places[path]: content.decode("utf-8", "replace") for path, content in found.items()}


def _trailers(run: RunState) -> dict[str, str]:
    minors, majors = (issues.count(run.issues, severity) for severity in ("minor", "major"))
    return {
        "Autopack-Promoted": run.run_id,
        "Autopack-Plan": run.plan_sha256,
        "Autopack-Issues": f"{minors} minor, {majors} major",
    }
