"""The strategy of a run: what of its plan policy has decided, without goals, prompts, commands and prices."""

from collections.abc import Mapping
from typing import Any

from autopack.plan import canonical
from autopack.plan.model import Attempt, Plan, PlanPhase, digest

FILE = "project_implementation_strategy_v1.json"
OF_PLAN = (
    *(
        "project",
        "playbook",
        "safety_profile",
        "run_scope",
        "stage",
        "backlog_sha256",
        "aged",
        "caps",
        "tiers",
        "retry",
    ),
    *("fail_fast", "not_clean", "promotion", "audit_policy", "severity_upgrades", "budget_warnings"),
    *("quotas", "project_budget"),
)
OF_PHASE = (
    *("phase_id", "index", "tier_id", "category", "task_category", "complexity", "builder_mode", "high_risk"),
    *("severity", "ci", "recheck", "auto_apply", "auditor_profile", "auditor_attempts", "token_cap", "cost_usd_max"),
    *("minutes_max", "limits", "aged", "why"),
)


def strategy(plan: Plan) -> Mapping[str, Any]:
    """Plain values; `plan_sha256` names the plan that they are a part of, so that they are as fixed as it is."""
    return {
        "format_version": 1,
        "plan_sha256": digest(plan),
        **{name: canonical.plain(getattr(plan, name)) for name in OF_PLAN},
        "phases": [_phase(phase) for phase in plan.phases],
    }


def _phase(phase: PlanPhase) -> dict[str, Any]:
    told = {name: canonical.plain(getattr(phase, name)) for name in OF_PHASE}
    return told | {"escalation": [_rung(rung) for rung in phase.ladder], "auditor": phase.audit.model}


def _rung(rung: Attempt) -> dict[str, str]:
    return {"step": rung.step, "role": rung.role, "model": rung.ask.model, "edit_format": rung.edit_format}
