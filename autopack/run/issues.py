"""Issues: one identity a problem, merged on sight, counted by distinct key.

Recording an issue never moves a state by itself; the machine looks at the counts where policy says so.
"""

import hashlib
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Literal, Protocol

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


class Upgrade(Protocol):
    """A rule of the ruleset: an issue that matches every given field counts as `to`."""

    @property
    def to(self) -> str: ...
    @property
    def category(self) -> str | None: ...
    @property
    def source(self) -> str | None: ...
    @property
    def complexity(self) -> str | None: ...


@dataclass(frozen=True, slots=True)
class Issue:
    """`refused`: so far only seen on changes that were kept out. `expected_fail`: known to fail without the run."""

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
    refused: bool = False
    expected_fail: bool = False


Issues = Mapping[str, Issue]


def key(category: str, subject: str, defect: str) -> str:
    """`<category>__<object>__<defect>`, the same for the same problem in every run.

    What differs from run to run is left out: line numbers, ids of commits and objects, addresses. What is long is
    named by its beginning and a digest.
    """
    return "__".join(_stable(part) for part in (category, subject, defect))


def record(
    known: Issues,
    reports: Iterable[ReportedIssue],
    seen: Sighting,
    upgrades: Sequence[Upgrade] = (),
    *,
    aged: Collection[str] = (),
    refused: bool = False,
) -> Issues:
    """`known` with the reports merged in: seeing one again raises its count and never lowers its severity.

    `aged` keys count as major. `refused` ones were seen on a change that was kept out; one that is also seen on a
    change that passed is not.
    """
    merged = dict(known)
    for report in reports:
        old = merged.get(report.issue_key)
        new = _first(report, seen, refused) if old is None else _again(old, report, seen, refused)
        old_debt = report.issue_key in aged
        merged[report.issue_key] = replace(new, effective_severity="major") if old_debt else _upgraded(new, upgrades)
    return merged


def settle(known: Issues, completed: AbstractSet[str]) -> Issues:
    """What was only seen on refused changes of phases that have landed since is resolved: CI proved it gone."""
    return {
        name: replace(issue, resolved=True)
        if issue.refused and not issue.resolved and set(issue.phases) <= completed
        else issue
        for name, issue in known.items()
    }


def resolve(known: Issues, phase_id: str, sources: tuple[str, ...]) -> Issues:
    """What these sources reported in this phase alone is settled: the Auditor has judged the phase and was content."""
    return {
        key: replace(issue, resolved=True)
        if issue.phases == (phase_id,) and not issue.resolved and issue.source in sources
        else issue
        for key, issue in known.items()
    }


def count(known: Issues, severity: Severity, *, phase_id: str | None = None, tier_id: str | None = None) -> int:
    """Distinct open keys of that effective severity, of one phase, one tier or (neither given) the run.

    A minor one that is known to fail whatever the run does is on record and uses up nobody's tolerance.
    """
    return sum(
        1
        for issue in known.values()
        if not issue.resolved
        and not (issue.expected_fail and severity == "minor")
        and issue.effective_severity == severity
        and (phase_id is None or phase_id in issue.phases)
        and (tier_id is None or tier_id in issue.tiers)
    )


def debt(known: Issues, severity: Severity) -> int:
    """As `count`, of what landed or may still land: a change that was kept out leaves no debt."""
    return count({name: issue for name, issue in known.items() if not issue.refused}, severity)


def of_ci(failing: Sequence[str], category: str, severity: Severity) -> tuple[ReportedIssue, ...]:
    """A red CI run in issues: one a failing test (or step), of many the first ones."""
    return tuple(
        ReportedIssue(key("ci", name, "fails"), severity, category, "ci", f"{name} fails", (name,))
        for name in sorted(failing)[:FAILING_MAX]
    )


def beside_ci(
    flaky: Sequence[str], tolerated: Sequence[str], quarantine: Collection[str], category: str
) -> tuple[ReportedIssue, ...]:
    """What CI saw and did not judge by: tests that passed after they had failed, and those that are known to fail."""
    seen = [(name, "flaky", "passed after it had failed on the same commit") for name in sorted(flaky)]
    for name in sorted(tolerated):
        kept = quarantined(name, quarantine)
        seen.append((name, *(_QUARANTINED if kept else _ON_BASE)))
    return tuple(
        ReportedIssue(key("ci", name, defect), "minor", category, "ci", f"{name} {words}", (name,))
        for name, defect, words in seen[:FAILING_MAX]
    )


def quarantined(name: str, tests: Collection[str]) -> bool:
    """By its whole id, or that of its function, class, file or folder."""
    return any(name == test or name.startswith((f"{test}[", f"{test}::", f"{test.rstrip('/')}/")) for test in tests)


def of_gate(kind: str, message: str, phase_id: str, category: str, severity: Severity) -> tuple[ReportedIssue, ...]:
    """A refused patch as an issue. The gate's own probes are a source of their own."""
    source = "probe" if kind == "probe" else "static_check"
    return (ReportedIssue(key("gate", phase_id, kind), severity, category, source, message, (phase_id,)),)


FAILING_MAX = 20
"""A change that breaks everything is one problem, not a thousand."""

_ON_BASE = ("fails_on_base", "fails on the base commit too")
_QUARANTINED = ("quarantined", "fails, and is in quarantine")
EXPECTED = tuple(f"__{defect}" for defect, _ in (_ON_BASE, _QUARANTINED))
"""How keys end of what is known to fail whatever a run does."""

_PASSING = re.compile(
    r"(?<![0-9A-Za-z])(?:0x[0-9a-f]+|(?=[0-9a-f]*[0-9])[0-9a-f]{7,64})(?![0-9A-Za-z])"  # addresses, ids of objects
    r"|(?::\d+){1,2}(?![\w.])|\b[Ll]ines? \d+(?:-\d+)?"  # path:line:column, line 12
)
_PART_CHARS_MAX = 100


def _stable(part: str) -> str:
    words = re.sub(r"_{2,}", "_", "_".join(_PASSING.sub(" ", part).split())).strip("_") or "unnamed"
    if len(words) <= _PART_CHARS_MAX:
        return words
    return f"{words[:_PART_CHARS_MAX]}~{hashlib.sha256(words.encode('utf-8', 'replace')).hexdigest()[:12]}"


def _upgraded(issue: Issue, upgrades: Sequence[Upgrade]) -> Issue:
    """Rules only ever raise."""
    raised = any(
        rule.to == "major"
        and rule.category in (None, issue.category, issue.task_category)
        and rule.source in (None, issue.source)
        and rule.complexity in (None, issue.complexity)
        for rule in upgrades
    )
    return replace(issue, effective_severity="major") if raised else issue


def _first(report: ReportedIssue, seen: Sighting, refused: bool) -> Issue:  # noqa: FBT001  private, two callers
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
        refused=refused,
        expected_fail=report.issue_key.endswith(EXPECTED),
    )


def _again(old: Issue, report: ReportedIssue, seen: Sighting, refused: bool) -> Issue:  # noqa: FBT001  see above
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
        refused=old.refused and refused,
        evidence_refs=tuple(dict.fromkeys(old.evidence_refs + report.evidence_refs)),
    )


def _with(items: tuple[str, ...], item: str) -> tuple[str, ...]:
    return items if item in items else (*items, item)
