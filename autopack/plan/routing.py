"""Which model, which format, which ladder, and why: decided once, before anything runs."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from autopack.plan.draft import Draft, DraftPhase
from autopack.plan.model import AUDITOR_PATCH, Ask, Attempt, EditFormat
from autopack.problem import Problem, problem
from autopack.spec.model import Model, Models, Route, Routing, Spec

TIERS = ("economy", "standard", "premium")
OTHER: dict[str, EditFormat] = {
    "search_replace": "whole_file",
    "whole_file": "search_replace",
    "unified_diff": "search_replace",  # a diff that would not apply needs exact lines, not another diff
    "apply_patch": "search_replace",
}


def route(draft: Draft) -> Draft:
    """Every phase with its ladder, its Auditor and the reason in words."""
    phases, problems = [], []
    for phase in draft.phases:
        routed, found = _route(draft.spec, phase)
        phases.append(routed)
        problems += found
    return replace(draft, phases=tuple(phases)).found(*problems)


def _route(spec: Spec, phase: DraftPhase) -> tuple[DraftPhase, list[Problem]]:
    chosen, reason = _choose(spec.models.routing, phase)
    auditors = chosen.auditor or chosen.builder
    builder, auditor = spec.models.models[chosen.builder[0]], spec.models.models[auditors[0]]
    second, missing = _second(spec, phase, chosen, auditor)
    calls = _calls(phase, 2 if second else 1)
    share = phase["token_cap"] // calls

    def rung(step: str, name: str, form: EditFormat) -> Attempt:
        behind = _behind(spec, phase, chosen, name)
        return Attempt(step, _ask(spec.models.models[name], share), form, _asks(spec, behind, share))

    routed = replace(
        phase,
        attempts=tuple(rung(*each) for each in _ladder(spec, phase, builder)),
        patches=tuple(rung(*each) for each in _patches(spec, phase, auditor)),
        audit=_ask(auditor, share),
        second_audit=_ask(second, share) if second else None,
        audit_fallbacks=_asks(spec, auditors[1:] if _may_move(spec, phase) else (), share),
        why=f"{reason} -> {builder.tier}",
    )
    return routed, [*missing, *_too_small(spec, phase, calls, share), *_too_low(spec, phase, chosen, builder, auditor)]


def _asks(spec: Spec, names: Iterable[str], share: int) -> tuple[Ask, ...]:
    return tuple(_ask(spec.models.models[name], share) for name in names)


def _behind(spec: Spec, phase: DraftPhase, chosen: Route, name: str) -> tuple[str, ...]:
    """Whom the catalogue names after this model, for when it can't be used; nobody where the category may not move."""
    if not _may_move(spec, phase):
        return ()
    routes = (chosen, *spec.models.routing.complexity.values())
    lists = (names for route in routes for names in (route.builder, route.auditor) if name in names)
    found = next(lists, (name,))
    return found[found.index(name) + 1 :]


def _patches(spec: Spec, phase: DraftPhase, auditor: Model) -> Iterator[tuple[str, str, EditFormat]]:
    """The last rungs: when the Builder's attempts are used up, the Auditor is asked for a patch of its own.

    No share of the phase's tokens is kept for them: they are rare, and get what the attempts have left.
    """
    if AUDITOR_PATCH in spec.ruleset.escalation and spec.ruleset.audit.attempts_used_up:
        for _ in range(phase["auditor_attempts"]):
            yield AUDITOR_PATCH, auditor.name, _format(auditor)


def _second(spec: Spec, phase: DraftPhase, chosen: Route, first: Model) -> tuple[Model | None, list[Problem]]:
    """The other model that judges where two must: the next one of the route, else the best of the catalogue."""
    if (phase["audits"] or 1) < 2:
        return None, []
    everybody = sorted(spec.models.models.values(), key=lambda model: -TIERS.index(model.tier))
    for name in (*chosen.auditor, *chosen.builder, *(model.name for model in everybody)):
        if name != first.name:
            return spec.models.models[name], []
    value = phase.values["audits"]
    words = f'phase "{phase.spec.id}" needs two audits by different models, and the catalogue has only {first.name}'
    place = spec.key_span(phase.spec.at, "id") if value.at is None else spec.span(value.at)
    return None, [problem("AP5021", words, place, help="add another model to the catalogue, or set audits: 1")]


def _choose(routing: Routing, phase: DraftPhase) -> tuple[Route, str]:
    """A category's own route, under either of its names, else the one for high risk, else the complexity's."""
    for name in _names(phase):
        if name in routing.categories:
            return routing.categories[name], f"category {name}"
    if phase["high_risk"] and routing.high_risk is not None:
        return routing.high_risk, "high risk"
    return routing.complexity[phase["complexity"]], f"{phase['complexity']} complexity"


def _names(phase: DraftPhase) -> tuple[str, ...]:
    return phase["category"], phase["task_category"] or phase["category"]


def _ladder(spec: Spec, phase: DraftPhase, builder: Model) -> Iterator[tuple[str, str, EditFormat]]:
    """One rung for each builder attempt: the same model first, then what the ruleset's escalation allows.

    After `attempts_per_model_tier` attempts the next tier takes over, where there is one and the category may be
    raised; else the other edit format is tried. The list ends with the attempts, so the ladder ends.
    """
    steps, per_tier = spec.ruleset.escalation, spec.ruleset.attempts_per_model_tier
    model, form, spent = builder, _format(builder), 1
    yield "first", model.name, form
    for _ in range(phase["builder_attempts"] - 1):
        above = _above(spec.models, model) if "next_tier" in steps and _may_move(spec, phase) else None
        if spent >= per_tier and above is not None:
            model, form, spent = above, _format(above), 1
            yield "next_tier", model.name, form
        elif spent >= 2 and "other_format" in steps:
            form, spent = OTHER.get(form, "whole_file"), spent + 1
            yield "other_format", model.name, form
        else:
            spent += 1
            yield "same_model", model.name, form


def _format(model: Model) -> EditFormat:
    form: EditFormat = model.edit_format  # type: ignore[assignment]  # the schema's enum
    return form


def _may_move(spec: Spec, phase: DraftPhase) -> bool:
    return not set(_names(phase)) & set(spec.models.routing.never_downgrade)


def _above(models: Models, model: Model) -> Model | None:
    """The first model of the nearest higher tier that the catalogue routes some complexity to."""
    routed = [models.models[name] for r in models.routing.complexity.values() for name in r.builder]
    for tier in TIERS[TIERS.index(model.tier) + 1 :]:
        for candidate in routed:
            if candidate.tier == tier:
                return candidate
    return None


def _calls(phase: DraftPhase, audits: int) -> int:
    """How many calls must fit the phase's cap: every attempt, and the audits of each where they are due."""
    attempts: int = phase["builder_attempts"]
    return attempts if phase["auto_apply"] else attempts * (1 + audits)


def _ask(model: Model, share: int) -> Ask:
    """Bounds of one call: a reply takes at most half of the call's share, the request what the window leaves."""
    output = max(1, min(model.max_output_tokens, share // 2, model.context_tokens // 2))
    return Ask(model.name, max(1, min(model.context_tokens, share) - output), output)


def _too_small(spec: Spec, phase: DraftPhase, calls: int, share: int) -> Iterator[Problem]:
    if share < MIN_CALL_TOKENS:
        own = phase.spec.budget
        place = spec.span(own.at, "tokens") if own and own.tokens else spec.key_span(phase.spec.at, "id")
        yield problem(
            "AP6003",
            f'phase "{phase.spec.id}" has {phase["token_cap"]:,} tokens for {calls} calls: '
            f"{share:,} each, too few to show a file and get a change back",
            place,
            help=f"give it at least {MIN_CALL_TOKENS * calls:,} tokens or fewer attempts",
        )


MIN_CALL_TOKENS = 2_000
"""Below this a request holds little more than its own instructions."""


def _too_low(spec: Spec, phase: DraftPhase, chosen: Route, builder: Model, auditor: Model) -> Iterator[Problem]:
    """High risk deserves the best of both roles; the finding points at the name that was chosen."""
    for role, model in (("builder", builder), ("auditor", auditor)):
        if phase["high_risk"] and model.tier != "premium":
            yield problem(
                "AP5002",
                f'high-risk phase "{phase.spec.id}" is routed to {model.name} as {role}, '
                f"which is {model.tier}, not premium",
                spec.span(chosen.at, role, 0),
                help="route high_risk to a premium model",
            )
