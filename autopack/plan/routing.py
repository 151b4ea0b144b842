"""Which model, which format, which ladder, and why: decided once, before anything runs."""

from collections.abc import Iterator, Sequence
from functools import partial

from autopack.plan import commands
from autopack.plan.commands import is_outside
from autopack.plan.draft import Draft, DraftPhase, Kind
from autopack.plan.model import AUDITOR_PATCH, COMMAND, OUTSIDE, Ask, Attempt, EditFormat
from autopack.problem import Problem, problem
from autopack.spec.model import Model, Models, Route, Routing, Spec
from autopack.spec.record import replace

TIERS = ("economy", "standard", "premium")
OTHER: dict[str, EditFormat] = {
    "search_replace": "whole_file",
    "whole_file": "search_replace",
    "unified_diff": "search_replace",  # a diff that would not apply needs exact lines, not another diff
    "apply_patch": "search_replace",
}


def route(draft: Draft) -> Draft:
    """Every phase with its ladder, its Auditors and the reason in words."""
    after = draft.decided(partial(_route, draft.spec))
    rules = (_too_small, _too_low, _too_few)
    return after.found(*(found for rule in rules for found in after.at_each(partial(rule, draft.spec))))


def _route(spec: Spec, phase: DraftPhase) -> Kind:
    chosen, reason = _choose(spec.models.routing, phase)
    models, share = spec.models.models, _share(phase)
    reviewers = chosen.auditor or chosen.builder
    audits = _auditors(spec, reviewers, phase["audits"] or 1)
    outside = is_outside(phase.spec)
    rungs = () if outside else _ladder(spec, phase, chosen.builder)
    ladder = tuple(_attempt(spec, phase, step, names, form, share) for step, names, form in rungs)
    return replace(
        phase.kind,
        attempts=commands.attempts(spec, phase) if outside else ladder,
        patches=tuple(
            _attempt(spec, phase, step, names, form, share) for step, names, form in _patches(spec, phase, reviewers)
        ),
        audit=_ask(models[audits[0]], share),
        audit_fallbacks=tuple(
            _ask(model, share) for model in _others(spec, phase, reviewers) if model.name not in audits
        ),
        second_audit=_ask(models[audits[1]], share) if len(audits) > 1 else None,
        why=_whose(phase) if outside else f"{reason} -> {models[chosen.builder[0]].tier}",
    )


def _whose(phase: DraftPhase) -> str:
    builder = phase.spec.builder
    assert builder is not None
    if builder.kind != COMMAND:
        return "a client submits the change"
    return "its own command, " + (f"{builder.tokens:,} tokens a run" if builder.tokens else "unmetered")


def _choose(routing: Routing, phase: DraftPhase) -> tuple[Route, str]:
    """A category's own route, under either of its names, else the one for high risk, else the complexity's.

    A phase that an aged issue is about goes by high complexity: the issue counts as a major one.
    """
    for name in names_of(phase):
        if name in routing.categories and not phase.aged:
            return routing.categories[name], f"category {name}"
    if phase.scheduled:
        return routing.complexity["low"], "scheduled for an aged issue"
    if phase["high_risk"] and routing.high_risk is not None:
        return routing.high_risk, "high risk"
    if phase.aged:
        return routing.complexity["high"], "aged issue counts as major"
    return routing.complexity[phase["complexity"]], f"{phase['complexity']} complexity"


def routed(routing: Routing, phase: DraftPhase) -> Route:
    """The route that a phase takes."""
    return _choose(routing, phase)[0]


def names_of(phase: DraftPhase) -> tuple[str, ...]:
    """Both names of its category."""
    return phase["category"], phase["task_category"] or phase["category"]


Rung = tuple[str, Sequence[str], EditFormat]
"""What changes, the models in the order in which they are asked, the format."""


def _ladder(spec: Spec, phase: DraftPhase, names: Sequence[str]) -> Iterator[Rung]:
    """One rung for each builder attempt: the same model first, then what the ruleset's escalation allows.

    After `attempts_per_model_tier` attempts the next tier takes over, where there is one and the category may be
    raised; else the other edit format is tried. The list ends with the attempts, so the ladder ends.
    """
    steps, per_tier = spec.ruleset.escalation, spec.ruleset.attempts_per_model_tier
    form, spent = _format(spec.models.models[names[0]]), 1
    yield "first", names, form
    for _ in range(phase["builder_attempts"] - 1):
        above = _above(spec.models, names[0]) if "next_tier" in steps and may_move(spec, phase) else ()
        if spent >= per_tier and above:
            names, form, spent = above, _format(spec.models.models[above[0]]), 1
            yield "next_tier", names, form
        elif spent >= 2 and "other_format" in steps:
            form, spent = OTHER.get(form, "whole_file"), spent + 1
            yield "other_format", names, form
        else:
            spent += 1
            yield "same_model", names, form


def _patches(spec: Spec, phase: DraftPhase, names: Sequence[str]) -> Iterator[Rung]:
    """The last rungs: when the Builder's attempts are used up, the Auditor is asked for a patch of its own.

    No share of the phase's tokens is kept for them: they are rare, and get what the attempts have left.
    """
    if AUDITOR_PATCH in spec.ruleset.escalation and spec.ruleset.audit.attempts_used_up:
        for _ in range(phase["auditor_attempts"]):
            yield AUDITOR_PATCH, names, _format(spec.models.models[names[0]])


def _attempt(spec: Spec, phase: DraftPhase, step: str, names: Sequence[str], form: EditFormat, share: int) -> Attempt:
    rest = tuple(_ask(model, share) for model in _others(spec, phase, names))
    return Attempt(step, _ask(spec.models.models[names[0]], share), form, rest)


def _others(spec: Spec, phase: DraftPhase, names: Sequence[str]) -> Iterator[Model]:
    """Who is asked where the first of a route can't be used; what may not be downgraded never falls below it."""
    first, *rest = (spec.models.models[name] for name in dict.fromkeys(names))
    for model in rest:
        if may_move(spec, phase) or TIERS.index(model.tier) >= TIERS.index(first.tier):
            yield model


def _auditors(spec: Spec, names: Sequence[str], count: int) -> tuple[str, ...]:
    """The first of the route; for two audits the next one, else an auditor of the same tier, else the best there is."""
    first = names[0]
    if count < 2:
        return (first,)
    tier = spec.models.models[first].tier
    others = [name for route in _routes(spec.models.routing) for name in route.auditor]
    same_tier = [name for name in others if spec.models.models[name].tier == tier]
    best = sorted(spec.models.models.values(), key=lambda model: -TIERS.index(model.tier))
    anybody = (*names, *same_tier, *(model.name for model in best))
    return first, next((name for name in anybody if name != first), first)


def _routes(routing: Routing) -> Iterator[Route]:
    yield from routing.complexity.values()
    yield from routing.categories.values()
    if routing.high_risk is not None:
        yield routing.high_risk


def _format(model: Model) -> EditFormat:
    form: EditFormat = model.edit_format  # type: ignore[assignment]  # the schema's enum
    return form


def may_move(spec: Spec, phase: DraftPhase) -> bool:
    """Whether the phase's category may be raised or lowered to models of another tier."""
    return not set(names_of(phase)) & set(spec.models.routing.never_downgrade)


def _above(models: Models, name: str) -> tuple[str, ...]:
    """The models of the nearest higher tier that the catalogue routes some complexity to, in the order of a route."""
    for tier in TIERS[TIERS.index(models.models[name].tier) + 1 :]:
        routed = [each for route in models.routing.complexity.values() for each in route.builder]
        found = tuple(dict.fromkeys(each for each in routed if models.models[each].tier == tier))
        if found:
            return found
    return ()


def _calls(phase: DraftPhase) -> int:
    """How many calls must fit the phase's cap: every attempt, and the audits of each where they are due."""
    attempts: int = phase["builder_attempts"]
    return attempts if phase["auto_apply"] else attempts * (1 + (phase["audits"] or 1))


def _share(phase: DraftPhase) -> int:
    """How many tokens each call may take."""
    cap: int = phase["token_cap"]
    return cap // _calls(phase)


def _ask(model: Model, share: int) -> Ask:
    """Bounds of one call: a reply takes at most half of the call's share, the request what the window leaves."""
    output = max(1, min(model.max_output_tokens, share // 2, model.context_tokens // 2))
    return Ask(model.name, max(1, min(model.context_tokens, share) - output), output)


def _too_small(spec: Spec, phase: DraftPhase) -> Iterator[Problem]:
    if (share := _share(phase)) < MIN_CALL_TOKENS:
        own = phase.spec.budget
        place = spec.span(own.at, "tokens") if own and own.tokens else spec.key_span(phase.spec.at, "id")
        yield problem(
            "AP6003",
            f'phase "{phase.spec.id}" has {phase["token_cap"]:,} tokens for {_calls(phase)} calls: '
            f"{share:,} each, too few to show a file and get a change back",
            place,
            help=f"give it at least {MIN_CALL_TOKENS * _calls(phase):,} tokens or fewer attempts",
        )


MIN_CALL_TOKENS = 2_000
"""Below this a request holds little more than its own instructions."""


def _too_few(spec: Spec, phase: DraftPhase) -> Iterator[Problem]:
    """Two audits by one and the same model are no more than one."""
    first, *second = (ask.model for ask in phase.kind.auditors)
    if first in second:
        at = phase.values["audits"].at
        yield problem(
            "AP5021",
            f'phase "{phase.spec.id}" needs two audits by different models, and the catalogue has only {first}',
            spec.key_span(phase.spec.at, "id") if at is None else spec.span(at),
            help="add another model to the catalogue, or set audits: 1",
        )


def _premium(spec: Spec) -> str:
    names = [model.name for model in spec.models.models.values() if model.tier == "premium"]
    return f"route it to a premium model: {', '.join(names[:3]) or 'the catalogue has none yet'}"


def _too_low(spec: Spec, phase: DraftPhase) -> Iterator[Problem]:
    """High risk deserves the best of both roles; the finding points at the name that was chosen."""
    for role, ask in (("builder", phase.kind.attempts[0].ask), ("auditor", phase.kind.auditors[0])):
        model = spec.models.models[ask.model]
        if phase["high_risk"] and model.tier != "premium" and model.provider not in OUTSIDE:
            yield problem(
                "AP5002",
                f'high-risk phase "{phase.spec.id}" is routed to {model.name} as {role}, '
                f"which is {model.tier}, not premium",
                spec.span(routed(spec.models.routing, phase).at, role, 0),
                help=_premium(spec),
            )
