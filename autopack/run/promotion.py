"""Whether what a run has built may be promoted to the base branch: computed, never claimed."""

from typing import Literal

from autopack.plan.model import Plan
from autopack.run import issues
from autopack.run.state import RunState, blemishes

DebtStatus = Literal["clean", "has_minor_issues", "excess_minor_issues"]


def debt_status(plan: Plan, run: RunState) -> DebtStatus:
    """`clean`: nothing is open. `excess`: more minors than run or tier tolerates, or any major."""
    if not run.issues:
        return "clean"
    minors, majors = (issues.count(run.issues, severity) for severity in ("minor", "major"))
    over = any(issues.count(run.issues, "minor", tier_id=tier.tier_id) > tier.minor_issues for tier in plan.tiers)
    if majors or over or minors > plan.caps.minor_issues:
        return "excess_minor_issues"
    return "has_minor_issues" if minors else "clean"


def obstacles(plan: Plan, run: RunState) -> tuple[str, ...]:
    """Every reason why the run may not be promoted, in words; empty means it may."""
    found = []
    if run.state != "DONE_SUCCESS":
        reason = f" ({run.failure.reason})" if run.failure else ""
        found.append(f"the run is {run.state}{reason}, not DONE_SUCCESS")
    for tier in plan.tiers:
        faults = blemishes(run, tier)
        if faults:
            found.append(f'tier "{tier.tier_id}" is not clean: {"; ".join(faults)}')
    if debt_status(plan, run) == "excess_minor_issues":
        found.append(f"debt_status is excess_minor_issues: {_counted(run)} open")
    elif plan.promotion == "no_issues" and debt_status(plan, run) != "clean":
        found.append(f"the ruleset promotes only runs without open issues (promotion: no_issues): {_counted(run)} open")
    return tuple(found)


def eligible(plan: Plan, run: RunState) -> bool:
    """promotion_eligible_to_main."""
    return not obstacles(plan, run)


def _counted(run: RunState) -> str:
    minors, majors = (issues.count(run.issues, severity) for severity in ("minor", "major"))
    return f"{minors} minor and {majors} major issues"
