"""What a run does to the project's backlog: issues enter, age, come back and are resolved.

An age counts distinct runs and distinct tiers, whatever happens how often within one. An issue that a run did not see
again although it changed and tested what the issue is about is resolved, and that run is the proof.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from autopack.plan.backlog import Backlog, BacklogEntry
from autopack.plan.model import Plan
from autopack.run.issues import Issue

_PATH = re.compile(r"[\w.@+-]+(?:/[\w.@+-]+)*\.\w+|[\w.@+-]+(?:/[\w.@+-]+)+")


@dataclass(frozen=True, slots=True)
class Seen:
    """What a run did, as far as it got: its issues, and the files that each landed phase changed and CI tested."""

    run_id: str
    at: float
    issues: tuple[Issue, ...]
    landed: Mapping[str, tuple[str, ...]]


def aged(before: Backlog, plan: Plan, seen: Seen) -> Backlog:
    """The backlog with the run in it; told again of the same run and `before`, the same."""
    now = {issue.issue_key: issue for issue in seen.issues}
    kept = {name: _not_seen(entry, plan, seen) for name, entry in before.items() if name not in now}
    met = {name: _met(before[name], plan, seen, issue) for name, issue in now.items() if name in before}
    new = {name: _new(plan, seen, issue) for name, issue in now.items() if name not in before and not issue.resolved}
    return {**kept, **met, **new}


def paths_of(refs: Iterable[str]) -> tuple[str, ...]:
    """The files that evidence names, without the test or line in them."""
    files = (ref.partition("::")[0].partition(":")[0] for ref in refs)
    return tuple(dict.fromkeys(path for path in files if _PATH.fullmatch(path) and ".." not in path.split("/")))


def _new(plan: Plan, seen: Seen, issue: Issue) -> BacklogEntry:
    tiers = _tiers(plan, issue)
    return BacklogEntry(
        issue_key=issue.issue_key,
        base_severity=issue.severity,
        category=issue.category,
        task_category=issue.task_category,
        complexity=issue.complexity,
        description=issue.description,
        phase_id=issue.phases[-1],
        tiers=tiers,
        paths=_paths(seen, issue),
        age_in_runs=1,
        age_in_tiers=len(tiers),
        occurrence_count=issue.occurrence_count,
        first_seen_run=seen.run_id,
        last_seen_run=seen.run_id,
        last_seen_at=_utc(seen.at),
    )


def _met(old: BacklogEntry, plan: Plan, seen: Seen, issue: Issue) -> BacklogEntry:
    """Seen again. Its severity stays the worst one it ever had."""
    tiers = tuple(dict.fromkeys((*old.tiers, *_tiers(plan, issue))))
    return replace(
        old,
        base_severity="major" if "major" in (old.base_severity, issue.severity) else "minor",
        task_category=issue.task_category,
        complexity=issue.complexity,
        description=issue.description,
        phase_id=issue.phases[-1],
        tiers=tiers,
        paths=tuple(dict.fromkeys((*old.paths, *_paths(seen, issue)))),
        age_in_runs=old.age_in_runs + (old.last_seen_run != seen.run_id),
        age_in_tiers=len(tiers),
        occurrence_count=old.occurrence_count + issue.occurrence_count,
        last_seen_run=seen.run_id,
        last_seen_at=_utc(seen.at),
        resolved_by=seen.run_id if issue.resolved else None,
    )


def _not_seen(old: BacklogEntry, plan: Plan, seen: Seen) -> BacklogEntry:
    """Gone, if a landed phase changed a file it is about; one that names no file belongs to the phase that saw it."""
    if old.resolved_by is not None:
        return old
    about = {old.phase_id} if not old.paths and _same_tier(old, plan, seen) else set()
    touched = about & seen.landed.keys() or _touching(old.paths, seen.landed)
    return replace(old, resolved_by=seen.run_id) if touched else old


def _touching(paths: Collection[str], landed: Mapping[str, tuple[str, ...]]) -> set[str]:
    return {name for name, files in landed.items() if set(files) & set(paths)}


def _same_tier(old: BacklogEntry, plan: Plan, seen: Seen) -> bool:
    """A phase of the same name in another playbook is another phase."""
    return old.phase_id in seen.landed and f"{plan.playbook}/{plan.phase(old.phase_id).tier_id}" in old.tiers


def _tiers(plan: Plan, issue: Issue) -> tuple[str, ...]:
    return tuple(f"{plan.playbook}/{tier}" for tier in issue.tiers)


def _paths(seen: Seen, issue: Issue) -> tuple[str, ...]:
    """What the evidence names, else what the phases that saw it have changed."""
    changed = (path for phase_id in issue.phases for path in seen.landed.get(phase_id, ()))
    return paths_of(issue.evidence_refs) or tuple(dict.fromkeys(changed))


def _utc(at: float) -> str:
    return f"{datetime.fromtimestamp(int(at), UTC):%Y-%m-%dT%H:%M:%SZ}"
