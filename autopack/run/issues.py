"""Issues: one identity a problem, merged on sight, counted by distinct key.

Recording an issue never moves a state by itself; the machine looks at the counts where policy says so.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from autopack.run.events import ReportedIssue

Severity = Literal["minor", "major"]


@dataclass(frozen=True, slots=True)
class Sighting:
    """Where an issue was seen."""

    phase_id: str
    phase_index: int
    tier_id: str
    task_category: str
    complexity: str


@dataclass(frozen=True, slots=True)
class Issue:
    issue_key: str
    severity: Severity
    effective_severity: Severity
    source: str
    category: str
    task_category: str
    complexity: str
    description: str
    evidence_refs: tuple[str, ...]
    occurrence_count: int
    first_phase_index: int
    last_phase_index: int
    phases: tuple[str, ...]
    tiers: tuple[str, ...]
    resolved: bool


Issues = Mapping[str, Issue]


def record(known: Issues, reports: Iterable[ReportedIssue], seen: Sighting) -> Issues:
    """`known` with the reports merged in: seeing one again raises its count and never lowers its severity."""
    merged = dict(known)
    for report in reports:
        old = merged.get(report.issue_key)
        merged[report.issue_key] = _first(report, seen) if old is None else _again(old, report, seen)
    return merged


def resolve(known: Issues, phase_id: str, sources: tuple[str, ...]) -> Issues:
    """What these sources reported in this phase alone is settled: the Auditor has judged the phase and was content."""
    return {
        key: replace(issue, resolved=True) if issue.phases == (phase_id,) and issue.source in sources else issue
        for key, issue in known.items()
    }


def count(known: Issues, severity: Severity, *, phase_id: str | None = None, tier_id: str | None = None) -> int:
    """Distinct open keys of that effective severity, of one phase, one tier or (neither given) the run."""
    return sum(
        1
        for issue in known.values()
        if not issue.resolved
        and issue.effective_severity == severity
        and (phase_id is None or phase_id in issue.phases)
        and (tier_id is None or tier_id in issue.tiers)
    )


def _first(report: ReportedIssue, seen: Sighting) -> Issue:
    return Issue(
        issue_key=report.issue_key,
        severity=report.severity,
        effective_severity=report.severity,
        source=report.source,
        category=report.category,
        task_category=seen.task_category,
        complexity=seen.complexity,
        description=report.description,
        evidence_refs=report.evidence_refs,
        occurrence_count=1,
        first_phase_index=seen.phase_index,
        last_phase_index=seen.phase_index,
        phases=(seen.phase_id,),
        tiers=(seen.tier_id,),
        resolved=False,
    )


def _again(old: Issue, report: ReportedIssue, seen: Sighting) -> Issue:
    worse: Severity = "major" if "major" in (old.effective_severity, report.severity) else "minor"
    return replace(
        old,
        effective_severity=worse,
        occurrence_count=old.occurrence_count + 1,
        first_phase_index=min(old.first_phase_index, seen.phase_index),
        last_phase_index=max(old.last_phase_index, seen.phase_index),
        phases=_with(old.phases, seen.phase_id),
        tiers=_with(old.tiers, seen.tier_id),
        resolved=False,
        evidence_refs=tuple(dict.fromkeys(old.evidence_refs + report.evidence_refs)),
    )


def _with(items: tuple[str, ...], item: str) -> tuple[str, ...]:
    return items if item in items else (*items, item)
