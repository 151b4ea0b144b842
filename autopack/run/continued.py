"""Going on from an earlier run: what it landed is carried, and what is left gets caps of its own."""

from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from autopack.plan.model import Caps, Carried, Earlier, OpenIssue, Plan
from autopack.run import issues
from autopack.run.events import ReportedIssue
from autopack.run.ledger import RUN
from autopack.run.state import PhaseState, RunState

CAPS = ("tokens", "cost_usd", "minutes", "minor_issues")
"""What `resume --budget` may set; how many phases a run has is settled when it is planned."""


def continued(plan: Plan, run: RunState, caps: Mapping[str, int | Decimal]) -> Plan:
    """The plan of a run that goes on where `run` was stopped, from what that one landed and under these caps."""
    fresh = tuple(
        Carried(phase_id, run.run_id, phase.commit)
        for phase_id, phase in run.phases.items()
        if phase.state == "COMPLETE" and phase.commit is not None and phase_id not in {c.phase_id for c in plan.carried}
    )
    return replace(
        plan,
        base_commit=run.head,
        caps=_raised(plan.caps, caps),
        carried=(*plan.carried, *fresh),
        continues=earlier(plan, run),
    )


def carried_over(carried: Carried) -> PhaseState:
    return PhaseState(carried.phase_id, state="COMPLETE", path=("COMPLETE",), commit=carried.commit)


def open_issues(plan: Plan) -> issues.Issues:
    """Those of the carried phases; a phase that runs again reports its own."""
    known: issues.Issues = {}
    for told in plan.continues.open_issues if plan.continues else ():
        phase = plan.phase(told.phase_id)
        seen = issues.Sighting(phase.phase_id, phase.index, phase.tier_id, phase.task_category, phase.complexity)
        report = ReportedIssue(
            told.issue_key, told.severity, told.category, told.source, told.description, told.evidence_refs
        )
        known = issues.record(known, (report,), seen)
    return known


def _raised(caps: Caps, given: Mapping[str, Any]) -> Caps:
    return replace(caps, **given)


def earlier(plan: Plan, run: RunState) -> Earlier:
    """What a run that goes on from `run` knows of it."""
    spent, before = run.ledger.spent(RUN), plan.continues
    tokens, cost_usd = (before.tokens, before.cost_usd) if before else (0, Decimal(0))
    landed = {phase_id for phase_id, phase in run.phases.items() if phase.state == "COMPLETE"}
    still_open = tuple(
        OpenIssue(
            issue.issue_key,
            issue.effective_severity,
            issue.category,
            issue.source,
            issue.description,
            issue.evidence_refs,
            phase_id,
        )
        for _, issue in sorted(run.issues.items())
        for phase_id in issue.phases
        if not issue.resolved and phase_id in landed
    )
    return Earlier(run.run_id, tokens + spent.tokens, cost_usd + spent.cost_usd, still_open)
