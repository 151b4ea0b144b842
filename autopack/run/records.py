"""The issue files of a run, as plain values: one a phase and one index. Committed with the code, and kept in the
run's folder.
"""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from autopack.plan import canonical
from autopack.plan.backlog import Backlog
from autopack.plan.model import Plan
from autopack.run import issues
from autopack.run.issues import Issue

SHOWN = (
    "issue_key",
    "severity",
    "effective_severity",
    "source",
    "category",
    "task_category",
    "complexity",
    "expected_fail",
    "occurrence_count",
    "evidence_refs",
    "description",
    "resolved",
)
INDEX = "run_issue_index.json"


def phase_file(plan: Plan, phase_id: str) -> str:
    return f"phase_{plan.phase(phase_id).index:02d}_{phase_id}_issues.json"


def phase_issues(
    plan: Plan, run_id: str, found: Iterable[Issue], phase_id: str, earlier: Backlog | None = None
) -> dict[str, Any]:
    """Every issue that the phase saw; `earlier` is the backlog from before the run and knows who saw it first."""
    mine = {issue.issue_key: issue for issue in found if phase_id in issue.phases}
    minors, majors = (issues.count(mine, severity, phase_id=phase_id) for severity in ("minor", "major"))
    state = "has_major_issues" if majors else "has_minor_issues" if minors else "no_issues"
    return {
        "run_id": run_id,
        "phase_id": phase_id,
        "tier_id": plan.phase(phase_id).tier_id,
        "issues": [_entry(mine[key], run_id, earlier or {}) for key in sorted(mine)],
        "minor_issue_count": minors,
        "major_issue_count": majors,
        "issue_state": state,
    }


def index(run_id: str, found: Iterable[Issue]) -> dict[str, Any]:
    """The run's issues by key: where each was seen first and last, and in which tiers and phases."""
    return {"run_id": run_id, "issues_by_key": {issue.issue_key: _indexed(issue) for issue in sorted(found, key=_key)}}


def pretty(value: Mapping[str, Any]) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode("utf-8", "replace") + b"\n"


def _key(issue: Issue) -> str:
    return issue.issue_key


def _entry(issue: Issue, run_id: str, earlier: Backlog) -> dict[str, Any]:
    told = {name: canonical.plain(getattr(issue, name)) for name in SHOWN}
    known = earlier.get(issue.issue_key)
    return told | {"first_seen_run": known.first_seen_run if known else run_id, "last_seen_run": run_id}


def _indexed(issue: Issue) -> dict[str, Any]:
    return {
        "category": issue.category,
        "severity": issue.severity,
        "effective_severity": issue.effective_severity,
        "first_phase_index": issue.first_phase_index,
        "last_phase_index": issue.last_phase_index,
        "occurrence_count": issue.occurrence_count,
        "seen_in_tiers": list(issue.tiers),
        "seen_in_phases": list(issue.phases),
        "resolved": issue.resolved,
    }
