"""A plan's digest, taken apart by what a change of it means: the words, the graph and files, the model, its price,
the rules, the checks, the commit it starts from.

Two plans have equal facets of the whole exactly when they have equal digests. A phase's facets leave out what follows
from its neighbours (its number, its sums): they are equal when doing the phase again would be doing the same again.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from autopack.plan import canonical
from autopack.plan.model import Plan, PlanPhase

FACETS = ("prompt", "inputs", "model", "price", "policy", "ci", "base")

DERIVED = frozenset({"phase_id", "index", "name", "tags", "why", "worst"})
"""Of a phase: what it is called, and what follows from the rest."""

OF_PHASE: Mapping[str, tuple[str, ...]] = {
    "prompt": ("builder_prompt", "auditor_prompt", "patch_prompt"),
    "inputs": ("goal", "acceptance", "deliverables", "read", "needs"),
    "model": ("builder", "attempts", "audit", "audit_fallbacks", "second_audit", "patches", "may_downgrade"),
    "policy": (
        *("tier_id", "category", "task_category", "complexity", "builder_mode", "high_risk", "severity"),
        *("write", "allow", "allowed_protected", "auto_apply", "auditor_profile", "auditor_attempts"),
        *("token_cap", "cost_usd_max", "minutes_max", "limits", "recheck", "aged"),
    ),
    "ci": ("ci", "probes"),
}
"""Which facet each field of a phase belongs to; a test shows that none is forgotten."""

OF_PLAN: Mapping[str, tuple[str, ...]] = {
    "prompt": ("format_prompts",),
    "inputs": ("format_version", "project", "playbook", "description", "inputs", "assumed"),
    "policy": (
        *("integration_branch", "protected_branches", "protected_paths", "safety_profile", "run_scope", "stage"),
        *("fail_fast", "caps", "retry", "pools", "tiers", "worst", "runs", "aged"),
        *("audit_policy", "not_clean", "promotion", "budget_warnings", "quotas", "hooks", "project_budget"),
        *("severity_upgrades", "commit_issues"),
    ),
    "ci": ("profiles",),
    "base": ("base_branch", "base_commit", "backlog_sha256", "carried", "continues"),
}
"""The same of a plan, but for its phases and models, which are taken apart themselves."""

BASE = ("base_branch", "base_commit")
GOVERNS = ("protected_branches", "protected_paths", "safety_profile", "stage", "fail_fast", "audit_policy", "not_clean")
"""What every phase is bound to, of the plan's policy. Caps are not: a larger budget makes no phase another one."""


GROUND = ("format_prompts", "models", "profiles", *GOVERNS, *BASE)
"""All that `facets` reads of a plan beside the phase."""


def facets(plan: Plan, phase: PlanPhase) -> Mapping[str, str]:
    """sha256 of each facet of one phase."""
    used = sorted(models_of(phase))
    parts: dict[str, Any] = {name: _picked(phase, fields) for name, fields in OF_PHASE.items()}
    parts["prompt"]["formats"] = {each.edit_format: plan.format_prompts[each.edit_format] for each in phase.attempts}
    parts["model"]["models"] = {name: _priceless(plan, name) for name in used}
    parts["price"] = {name: plan.models[name].price for name in used}
    parts["policy"]["plan"] = _picked(plan, GOVERNS)
    parts["ci"]["profile"] = plan.profiles[phase.ci]
    parts["base"] = _picked(plan, BASE)
    return {name: canonical.digest(parts[name]) for name in FACETS}


def plan_facets(plan: Plan) -> Mapping[str, str]:
    """sha256 of each facet of the whole plan."""
    return {name: canonical.digest(part) for name, part in parts_of(plan).items()}


def parts_of(plan: Plan) -> Mapping[str, Any]:
    """What each facet of the whole plan holds, phases by id."""
    parts: dict[str, Any] = {name: _picked(plan, OF_PLAN.get(name, ())) for name in FACETS}
    for name, fields in OF_PHASE.items():
        parts[name]["phases"] = {phase.phase_id: _picked(phase, fields) for phase in plan.phases}
    parts["policy"]["derived"] = [_picked(phase, sorted(DERIVED)) for phase in plan.phases]
    parts["model"]["models"] = {name: _priceless(plan, name) for name in plan.models}
    parts["price"]["models"] = {name: model.price for name, model in plan.models.items()}
    return parts


def models_of(phase: PlanPhase) -> set[str]:
    """Every model the phase may ask."""
    return {ask.model for ask in phase.asks}


def _picked(value: Any, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(value, name) for name in names}


def _priceless(plan: Plan, name: str) -> dict[str, Any]:
    model = canonical.plain(plan.models[name])
    return {key: value for key, value in model.items() if key != "price"}
