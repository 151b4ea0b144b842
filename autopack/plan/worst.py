"""What a phase can take at most: price x bounds x (attempts + audits, asked as often as one may be), and its minutes.

A phase's own caps bound it too, because every call is refused that does not fit; so the worst of a phase is the smaller
of both. Where several models may answer a call, the dearest of them counts; where a price is not known, no sum is.
"""

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

from autopack.plan.draft import DraftPhase
from autopack.plan.model import AUDITOR_ASKS, PROBE_STEP_TIMEOUT_S, Ask, PlanPhase, Worst
from autopack.plan.price import Price, upper_bound
from autopack.spec import model as spec_model
from autopack.spec.model import Spec

CI_RUNS_EACH = 2
"""CI runs that a candidate may cost in minutes: its own, and one more when the head has moved before it landed."""


def total(worsts: Sequence[Worst]) -> Worst:
    """One after the other."""
    costs = [worst.cost_usd for worst in worsts]
    return Worst(
        sum(worst.calls for worst in worsts),
        sum(worst.tokens for worst in worsts),
        None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0)),
        sum(worst.minutes for worst in worsts),
        any(worst.unmetered for worst in worsts),
    )


def together(needs: Mapping[str, Sequence[str]], worsts: Mapping[str, Worst], at_once: int) -> Worst:
    """Of a whole run, `at_once` phases side by side, in an order in which each stands after all it needs.

    Minutes: whenever the longest chain waits, `at_once` others are under way (Graham's bound for greedy schedules).
    """
    added = total(list(worsts.values()))
    ends: dict[str, int] = {}
    for name, above in needs.items():
        ends[name] = worsts[name].minutes + max((ends[need] for need in above if need in ends), default=0)
    chain = max(ends.values(), default=0)
    minutes = chain + -(-(added.minutes - chain) // at_once)
    return Worst(added.calls, added.tokens, added.cost_usd, minutes, added.unmetered)


def of_plan(phases: Sequence[PlanPhase], pools: Mapping[str, int]) -> Worst:
    """Of phases of a sealed plan, in plan order, under the pools of that plan."""
    at_once = min(size for name, size in pools.items() if name == "phase" or name.startswith("provider:"))
    needs = {phase.phase_id: phase.needs for phase in phases}
    return together(needs, {phase.phase_id: phase.worst for phase in phases}, at_once)


def of_phase(spec: Spec, phase: DraftPhase) -> Worst:
    """Everything goes wrong that may: every attempt, every patch of the Auditor's, every review asked for twice."""
    builders = [(attempt.ask, *attempt.fallbacks) for attempt in phase.kind.attempts]
    reviews = [(ask, *phase.kind.audit_fallbacks) for ask in phase.kind.auditors]
    patches = [(rung.ask, *rung.fallbacks) for rung in phase.kind.patches]
    candidates = len(builders) + len(patches)
    calls = [*builders, *patches, *reviews * candidates * AUDITOR_ASKS]
    tokens, cost = dearest(spec, calls, phase["token_cap"])
    minutes = _minutes(spec, phase, calls, candidates)
    own = phase.spec.budget
    unmetered = any(spec.models.models[ask.model].price is None for call in calls for ask in call)
    if own is not None and own.cost_usd is not None:
        cost = own.cost_usd if cost is None else min(cost, own.cost_usd)
    if own is not None and own.minutes is not None:
        minutes = min(minutes, own.minutes)
    return Worst(len(calls), tokens, cost, minutes, unmetered)


def dearest(spec: Spec, calls: Sequence[Sequence[Ask]], token_cap: int) -> tuple[int, Decimal | None]:
    """Tokens and USD when a phase spends all it may on the dearest tokens its calls can hold; None: UNBOUNDED."""
    if any(unknown(spec.models.models[ask.model]) for call in calls for ask in call):
        return token_cap, None
    pieces: list[tuple[Decimal, int]] = []
    for call in calls:
        prices = [price_of(spec.models.models[ask.model]) for ask in call]
        pieces.append((max(upper_bound(1, 0, price) for price in prices), max(ask.input_tokens_max for ask in call)))
        pieces.append((max(upper_bound(0, 1, price) for price in prices), max(ask.output_tokens_max for ask in call)))
    left, cost = token_cap, Decimal(0)
    for each, tokens in sorted(pieces, reverse=True):
        taken = min(tokens, left)
        left, cost = left - taken, cost + taken * each
    return token_cap - left, cost


def first_try(spec: Spec, phase: DraftPhase) -> Worst:
    """What must fit for the phase to have a chance: one attempt and, where mandatory, its audits, each asked once."""
    asks = [phase.kind.attempts[0].ask, *(() if phase["auto_apply"] else phase.kind.auditors)]
    return total([_call(spec, ask) for ask in asks])


def unknown(model: spec_model.Model) -> bool:
    """Neither a price nor a cap in its place: what it costs is UNBOUNDED."""
    return model.price is None and model.token_cap is None


def price_of(model: spec_model.Model) -> Price | None:
    """The frozen price row; what a catalogue leaves out is charged as plain input."""
    if model.price is None:
        return None
    row = model.price
    return Price(
        row.input,
        row.input if row.cached_input is None else row.cached_input,
        row.input if row.cached_write is None else row.cached_write,
        row.output,
        row.as_of,
    )


def _call(spec: Spec, ask: Ask) -> Worst:
    model = spec.models.models[ask.model]
    tokens = ask.input_tokens_max + ask.output_tokens_max
    cost = None if unknown(model) else upper_bound(ask.input_tokens_max, ask.output_tokens_max, price_of(model))
    return Worst(1, tokens, cost, 0, model.price is None)


def _minutes(spec: Spec, phase: DraftPhase, calls: Sequence[Sequence[Ask]], candidates: int) -> int:
    """Whole minutes with every call, probe and CI step at its timeout, waits between calls included."""
    asked_s = sum(_call_s(spec, ask) for call in calls for ask in call)
    profile = spec.ci.profiles[phase["ci"]]
    steps_s = sum(step.timeout_s for step in profile.steps) * (1 + profile.retries)
    setup_s = sum(step.timeout_s for step in spec.ci.setup)
    checked_s = setup_s + steps_s + PROBE_STEP_TIMEOUT_S * len(phase.spec.probes)
    return math.ceil((asked_s + candidates * CI_RUNS_EACH * checked_s) / 60)


def _call_s(spec: Spec, ask: Ask) -> float:
    """One call, sent as often as provider trouble allows, and the waits in between."""
    retry, timeout_s = spec.ruleset.retry, spec.models.models[ask.model].timeout_s
    waits_s: float = sum(min(retry.backoff_s_max, retry.backoff_s * 2**number) for number in range(retry.attempts - 1))
    return timeout_s * retry.attempts + waits_s
