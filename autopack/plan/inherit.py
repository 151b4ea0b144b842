"""Which value holds: phase, playbook, builder mode, category, complexity, defaults, in that order.

Where a mode or a category is high-risk, the ruleset's row for high risk speaks right after it. A playbook's `defaults`
do not reach into high-risk phases: a line meant for the many must not lower the guard of the few. Whoever means it
says so at the phase.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from autopack.plan.draft import Draft, DraftPhase, Value
from autopack.plan.model import Caps
from autopack.plan.price import exact
from autopack.problem import Label, Problem, problem
from autopack.problem.typed import Any
from autopack.spec.at import At
from autopack.spec.model import Budget, CategoryRule, Phase, ProjectBudget, Ruleset, Spec
from autopack.spec.record import replace

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
    "advice",
)

PHASE = "phase"
OWN = {"builder_attempts": "attempts", "token_cap": "tokens"}  # what a phase's own budget calls them

Layer = tuple[str, Any]
"""Who decides, in words, and the row that says it."""

Shared = dict[tuple[str, str | None, str | None], dict[str, Value]]


def inherit(draft: Draft) -> Draft:
    """Every phase with every value effective, and the caps of the run."""
    spec = draft.spec
    safety_profile = spec.project.safety_profile or spec.ruleset.safety_profile
    caps = run_caps(spec, len(draft.phases))
    shared: Shared = {}
    phases = tuple(replace(phase, values=_with_care(draft, phase, caps, shared)) for phase in draft.phases)
    problems = (*_over_project(spec), *(found for phase in phases for found in _over_parent(spec, phase)))
    after = replace(
        draft,
        phases=phases,
        caps=caps,
        safety_profile=safety_profile,
        run_scope=spec.project.run_scope or spec.ruleset.run_scope,
    )
    return after.found(*problems)


def run_caps(spec: Spec, phases: int) -> Caps:
    """The playbook's explicit caps, else the ruleset's; what is inherited is clamped to the project's."""
    own = spec.playbook.budget or Budget(spec.playbook.at)
    rule, whole = spec.ruleset.budget, spec.project.budget
    return Caps(
        tokens=own.tokens or min(rule.tokens, whole.tokens or rule.tokens),
        phases=own.phases or rule.phases,
        minutes=own.minutes or rule.minutes,
        minor_issues=own.minor_issues or rule.minor_issues_per_phase * phases,
        cost_usd=_lower(rule.cost_usd, whole.cost_usd) if own.cost_usd is None else own.cost_usd,
    )


def _lower(cap: Decimal | None, other: Decimal | None) -> Decimal | None:
    """None is no cap."""
    return cap if other is None else other if cap is None else min(cap, other)


def _with_care(draft: Draft, phase: DraftPhase, caps: Caps, shared: "Shared") -> dict[str, Value]:
    """What an aged issue is about lands only with the Auditor's approval; its cleanup, where the category is risky."""
    spec, values = draft.spec, effective(draft.spec, phase.spec, caps, shared)
    rows = (spec.ruleset.category(draft.backlog[key].category) for key in phase.scheduled)
    if phase.aged or any(row is not None and row.high_risk for row in rows):
        key = (phase.aged or phase.scheduled)[0]
        values["auto_apply"] = Value(False, f"aged issue {key}", spec.ruleset.origin("aging"))
    return values


def effective(spec: Spec, phase: Phase, caps: Caps, shared: "Shared | None" = None) -> dict[str, Value]:
    """All inherited fields of one phase, each with the layer that decided it.

    `shared` keeps what phases have in common that name the same category, mode and complexity: most of it.
    """
    values = dict(_in_common(spec, phase, {} if shared is None else shared))
    for name in ("ci", "complexity"):
        if getattr(phase, name) is not None:
            values[name] = Value(getattr(phase, name), PHASE, phase.at.to(name))
    values["category"] = _category(spec, phase)
    values["builder_mode"] = _builder_mode(spec, phase)
    values["token_cap"] = _token_cap(spec, phase, values["incident_tokens"], caps)
    values["builder_attempts"] = _own(phase, "attempts") or values["builder_attempts"]
    values["auditor_attempts"] = _below_builder(values["auditor_attempts"], values["builder_attempts"])
    return values


def chain(spec: Spec, phase: Phase, caps: Caps, name: str) -> tuple[Value, ...]:
    """Everybody who said something about one field of a phase, strongest first: the winner, then who lost to it.

    The farther files of a ruleset's `extends` follow the nearer one's word; a clamp stands before what it clamped.
    """
    winner = effective(spec, phase, caps)[name]
    heard = [_own(phase, OWN[name])] if name in OWN else []
    key = "incident_tokens" if name == "token_cap" else name
    for layer, row in (*_layers(spec, phase), *_weakest(spec, _complexity(spec, phase))):
        value = getattr(row, key, None)
        if value is not None:
            heard += [Value(value, layer, _origin(spec.ruleset, row, key)), *_outvoted(spec.ruleset, row, key, layer)]
    said = tuple(each for each in heard if each is not None)
    return said if winner in said[:1] else (winner, *(each for each in said if each != winner))


def _in_common(spec: Spec, phase: Phase, shared: "Shared") -> dict[str, Value]:
    """What holds for every phase of this category, mode and complexity, but for what it says itself."""
    key = (phase.category, phase.builder_mode, phase.complexity)
    if key not in shared:
        above = [each for each in _layers(spec, phase) if each[1] is not phase]
        complexity = _complexity(spec, phase)
        layers = [*above, *_weakest(spec, complexity)]
        values = {name: _first(spec.ruleset, layers, name) for name in FIELDS}
        shared[key] = {**values, "complexity": complexity}
    return shared[key]


def _complexity(spec: Spec, phase: Phase) -> Value:
    default = ("ruleset default", spec.ruleset.category_defaults)
    return _first(spec.ruleset, [*_layers(spec, phase), default], "complexity")


def _weakest(spec: Spec, complexity: Value) -> Iterator[Layer]:
    """The complexity's own row, then the ruleset's defaults."""
    row = spec.ruleset.complexities.get(complexity.value)
    if row is not None:
        yield f"{complexity.value} complexity", row
    yield "ruleset default", spec.ruleset.category_defaults


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
    yield PHASE, phase
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
        return Value(phase.builder_mode, PHASE, phase.at.to("builder_mode"))
    if defaults is None or defaults.builder_mode is None or (category is not None and category.high_risk):
        return Value(None, "nobody", None)
    return Value(defaults.builder_mode, "playbook defaults", defaults.at.to("builder_mode"))


def _category(spec: Spec, phase: Phase) -> Value:
    """A category has two names and may be written under either; policy goes by the first."""
    row = spec.ruleset.category(phase.category)
    return Value(row.name if row else phase.category, PHASE, phase.at.to("category"))


def _first(rules: Ruleset, layers: Sequence[Layer], name: str) -> Value:
    for layer, row in layers:
        value = getattr(row, name, None)
        if value is not None:
            return Value(value, layer, _origin(rules, row, name))
    return Value(None, "nobody", None)


def _origin(rules: Ruleset, row: Any, name: str) -> At:
    at: At = row.at.to(name)
    return rules.origin(*at.steps) if isinstance(row, CategoryRule) else at


def _outvoted(rules: Ruleset, row: Any, name: str, layer: str) -> list[Value]:
    """What the files said that a ruleset extends, nearest first."""
    if not isinstance(row, CategoryRule):
        return []
    said = rules.outvoted.get(row.at.to(name).steps, ())
    return [Value(value, f"{layer}, extended", at) for at, value in reversed(said)]


def _own(phase: Phase, name: str) -> Value | None:
    value = getattr(phase.budget, name, None) if phase.budget else None
    return None if value is None or phase.budget is None else Value(value, PHASE, phase.budget.at.to(name))


def _token_cap(spec: Spec, phase: Phase, incident: Value, caps: Caps) -> Value:
    """A phase's own budget replaces its category's; an inherited cap is clamped to the run's."""
    own = _own(phase, "tokens")
    if own is not None or incident.value <= caps.tokens:
        return own or incident
    return Value(caps.tokens, "clamped to the run's cap", cap_at(spec, "tokens"))


def _below_builder(auditor: Value, builder: Value) -> Value:
    """An Auditor has fewer attempts than the Builder it helps, and at least one."""
    most = max(1, builder.value - 1)
    return auditor if auditor.value <= most else Value(most, "clamped below the builder's attempts", builder.at)


def cap_at(spec: Spec, name: str) -> At:
    """Where a cap of the run is written: in the playbook, else in the ruleset, or the project where that is lower."""
    own = spec.playbook.budget
    if own is not None and getattr(own, name) is not None:
        return own.at.to(name)
    whole, rule = getattr(spec.project.budget, name, None), getattr(spec.ruleset.budget, name, None)
    if whole is not None and (rule is None or whole < rule):
        return spec.project.budget.at.to(name)
    return spec.ruleset.origin("budget", name)


def _over_parent(spec: Spec, phase: DraftPhase) -> Iterator[Problem]:
    """An explicit cap of a phase above an explicit one of its playbook, or of the project where that has none."""
    own, playbook = phase.spec.budget, spec.playbook.budget
    if own is None:
        return
    for name in ("tokens", "cost_usd", "minutes"):
        parent = spec.project.budget if playbook is None or getattr(playbook, name) is None else playbook
        whose = "the project" if parent is spec.project.budget else "its playbook"
        yield from _above(spec, f'phase "{phase.spec.id}"', own, whose, parent, name)


def _over_project(spec: Spec) -> Iterator[Problem]:
    """An explicit cap of a playbook, which is one of each run, above an explicit cap of all runs together."""
    own = spec.playbook.budget
    if own is not None:
        for name in ("tokens", "cost_usd"):
            yield from _above(spec, "a run", own, "the project", spec.project.budget, name)


def _above(
    spec: Spec, who: str, own: Budget, whose: str, parent: Budget | ProjectBudget, name: str
) -> Iterator[Problem]:
    mine, theirs = getattr(own, name), getattr(parent, name, None)
    if mine is not None and theirs is not None and mine > theirs:
        owner = whose.removeprefix("its ").removeprefix("the ")
        yield problem(
            "AP6001",
            f"{who} may spend {_figure(mine)} {_unit(name)}, {whose} only {_figure(theirs)}",
            spec.span(own.at, name),
            (Label(spec.span(parent.at, name), f"the {owner}'s cap"),),
            help=f"lower it to {_figure(theirs)} or raise the {owner}'s",
        )


def _figure(cap: int | Decimal) -> str:
    return exact(cap) if isinstance(cap, Decimal) else f"{cap:,}"


def _unit(name: str) -> str:
    return {"tokens": "tokens", "cost_usd": "USD", "minutes": "minutes"}[name]
