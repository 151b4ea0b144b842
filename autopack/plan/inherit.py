"""Which value holds: phase, playbook, builder mode, category, complexity, defaults, in that order.

Where a mode or a category is high-risk, the ruleset's row for high risk speaks right after it. A playbook's `defaults`
do not reach into high-risk phases: a line meant for the many must not lower the guard of the few. Whoever means it
says so at the phase.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from autopack.plan.draft import Draft, DraftPhase, Value
from autopack.plan.model import Caps
from autopack.problem import Label, Problem, problem
from autopack.spec.at import At
from autopack.spec.model import Budget, CategoryRule, Phase, Ruleset, Spec

FIELDS = (
    "task_category",
    "ci",
    "builder_attempts",
    "auditor_attempts",
    "incident_tokens",
    "minor_factor",
    "auto_apply",
    "auditor_profile",
    "severity",
    "files",
    "high_risk",
    "audits",
)

Layer = tuple[str, Any]
"""Who decides, in words, and the row that says it."""


def inherit(draft: Draft) -> Draft:
    """Every phase with every value effective, and the caps of the run."""
    spec = draft.spec
    safety_profile = spec.project.safety_profile or spec.ruleset.safety_profile
    caps = run_caps(spec, len(draft.phases))
    phases = tuple(replace(phase, values=effective(spec, phase.spec, caps)) for phase in draft.phases)
    problems = tuple(found for phase in phases for found in _over_parent(spec, phase))
    after = replace(
        draft,
        phases=phases,
        caps=caps,
        safety_profile=safety_profile,
        run_scope=spec.project.run_scope or spec.ruleset.run_scope,
    )
    return after.found(*problems, *_too_many(draft, caps))


def run_caps(spec: Spec, phases: int) -> Caps:
    """The playbook's explicit caps, else the ruleset's."""
    own = spec.playbook.budget or Budget(spec.playbook.at)
    rule = spec.ruleset.budget
    return Caps(
        tokens=own.tokens or rule.tokens,
        phases=own.phases or rule.phases,
        minutes=own.minutes or rule.minutes,
        minor_issues=own.minor_issues or rule.minor_issues_per_phase * phases,
        cost_usd=rule.cost_usd if own.cost_usd is None else own.cost_usd,
    )


def effective(spec: Spec, phase: Phase, caps: Caps) -> dict[str, Value]:
    """All inherited fields of one phase, each with the layer that decided it."""
    rules, above = spec.ruleset, list(_layers(spec, phase))
    default = ("ruleset default", rules.category_defaults)
    complexity = _first(rules, [*above, default], "complexity")
    own_row = rules.complexities.get(complexity.value)
    layers = [*above, *([(f"{complexity.value} complexity", own_row)] if own_row else []), default]
    values = {name: _first(rules, layers, name) for name in FIELDS}
    values["complexity"] = complexity
    values["category"] = _category(spec, phase)
    values["builder_mode"] = _builder_mode(spec, phase)
    values["token_cap"] = _token_cap(phase, values["incident_tokens"], caps)
    values["builder_attempts"] = _own(phase, "attempts") or values["builder_attempts"]
    builder = values["builder_attempts"].value
    clamped = min(values["auditor_attempts"].value, max(1, builder - 1))
    values["auditor_attempts"] = replace(values["auditor_attempts"], value=clamped)
    return values


def _layers(spec: Spec, phase: Phase) -> Iterator[Layer]:
    """Who may decide above the complexity's own row, strongest first."""
    rules, defaults = spec.ruleset, spec.playbook.defaults
    mode, category = _builder_mode(spec, phase), rules.category(phase.category)
    rows: list[Layer] = [
        (name, row)
        for name, row in (
            (f"builder mode {mode.value}", rules.builder_modes.get(mode.value or "")),
            (f"category {phase.category}", category),
        )
        if row is not None
    ]
    said = next((row for _, row in rows if row.high_risk is not None), None)
    risky = said if said is not None and said.high_risk else None
    yield "phase", phase
    if defaults is not None and risky is None:
        yield "playbook defaults", defaults
    for name, row in rows:
        yield name, row
        if row is risky:
            yield "high risk", rules.high_risk


def _builder_mode(spec: Spec, phase: Phase) -> Value:
    """The phase's own, else the playbook's, which a high-risk category does not let in."""
    defaults, category = spec.playbook.defaults, spec.ruleset.category(phase.category)
    if phase.builder_mode is not None:
        return Value(phase.builder_mode, "phase", phase.at.to("builder_mode"))
    if defaults is None or defaults.builder_mode is None or (category is not None and category.high_risk):
        return Value(None, "nobody", None)
    return Value(defaults.builder_mode, "playbook defaults", defaults.at.to("builder_mode"))


def _category(spec: Spec, phase: Phase) -> Value:
    """A category has two names and may be written under either; policy goes by the first."""
    row = spec.ruleset.category(phase.category)
    return Value(row.name if row else phase.category, "phase", phase.at.to("category"))


def _first(rules: Ruleset, layers: Sequence[Layer], name: str) -> Value:
    for layer, row in layers:
        value = getattr(row, name, None)
        if value is not None:
            return Value(value, layer, _origin(rules, row, name))
    return Value(None, "nobody", None)


def _origin(rules: Ruleset, row: Any, name: str) -> At:
    at: At = row.at.to(name)
    return rules.origin(*at.steps) if isinstance(row, CategoryRule) else at


def _own(phase: Phase, name: str) -> Value | None:
    value = getattr(phase.budget, name, None) if phase.budget else None
    return None if value is None or phase.budget is None else Value(value, "phase", phase.budget.at.to(name))


def _token_cap(phase: Phase, incident: Value, caps: Caps) -> Value:
    """A phase's own budget replaces its category's; an inherited cap is clamped to the run's."""
    own = _own(phase, "tokens")
    if own is not None:
        return own
    return replace(incident, value=min(incident.value, caps.tokens))


def _over_parent(spec: Spec, phase: DraftPhase) -> Iterator[Problem]:
    """An explicit cap of a phase above an explicit cap of its playbook."""
    own, parent = phase.spec.budget, spec.playbook.budget
    if own is None or parent is None:
        return
    for name in ("tokens", "cost_usd", "minutes"):
        mine, theirs = getattr(own, name), getattr(parent, name)
        if mine is not None and theirs is not None and mine > theirs:
            yield problem(
                "AP6001",
                f'phase "{phase.spec.id}" may spend {mine:,} {_unit(name)}, its playbook only {theirs:,}',
                spec.span(own.at, name),
                (Label(spec.span(parent.at, name), "the playbook's cap"),),
                help=f"lower it to {theirs:,} or raise the playbook's",
            )


def _too_many(draft: Draft, caps: Caps) -> Iterator[Problem]:
    spec = draft.spec
    if len(draft.phases) > caps.phases:
        yield problem(
            "AP6002",
            f"{len(draft.phases)} phases, and a run may have {caps.phases}",
            spec.span(spec.playbook.at, "tiers"),
            help="raise budget.phases, or move tiers into a playbook of their own",
        )
    scope = spec.project.run_scope or spec.ruleset.run_scope
    if scope == "single_tier" and len(spec.playbook.tiers) > 1:
        yield problem(
            "AP7001",
            f"run_scope is single_tier and this playbook has {len(spec.playbook.tiers)} tiers",
            spec.span(spec.playbook.at, "tiers"),
            help="use run_scope: multi_tier, or one playbook a tier",
        )


def _unit(name: str) -> str:
    return {"tokens": "tokens", "cost_usd": "USD", "minutes": "minutes"}[name]
