"""The proof: what a phase and a run can spend at most, and whether that fits the caps above it.

Worst case = price x bounds x (attempts + audits of each, asked as often as one may be). A phase's own cap bounds it
too, because every call is refused that does not fit; so the worst of a phase is the smaller of both. What a provider
bills for calls that failed in between, or may have billed when a driver died, is not foreseen here; caps hold for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal

from autopack.plan.draft import Draft, DraftPhase
from autopack.plan.model import AUDITOR_ASKS, Ask, Plan, PlanPhase, Worst
from autopack.plan.price import Price, upper_bound
from autopack.problem import Label, Problem, problem
from autopack.spec import model as spec_model
from autopack.spec.at import At
from autopack.spec.model import Spec

PRIOR_INPUT_TOKENS = 6_000
PRIOR_OUTPUT_TOKENS = 1_500
PRIOR_ATTEMPTS = Decimal("1.4")
"""What a call and a phase take where no run has taught us better; a stated guess, never part of the plan."""


def prove_budget(draft: Draft) -> Draft:
    """Every phase with its worst case, and findings where a cap cannot hold."""
    phases = tuple(replace(phase, worst=_worst(draft.spec, phase)) for phase in draft.phases)
    after = replace(draft, phases=phases)
    return after.found(*_proof(after))


def total(worsts: Sequence[Worst]) -> Worst:
    return Worst(
        sum(w.calls for w in worsts), sum(w.tokens for w in worsts), sum((w.cost_usd for w in worsts), Decimal(0))
    )


def expected(plan: Plan, phase: PlanPhase) -> Decimal:
    """USD a phase is likely to cost by the stated prior; 0 for unmetered models."""
    calls = [phase.attempts[0].ask] + ([phase.audit] if phase.audited else [])
    each = sum(
        (upper_bound(PRIOR_INPUT_TOKENS, PRIOR_OUTPUT_TOKENS, plan.models[a.model].price) for a in calls), Decimal(0)
    )
    return min(each * PRIOR_ATTEMPTS, phase.worst.cost_usd)


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


def _worst(spec: Spec, phase: DraftPhase) -> Worst:
    ladder = (*phase.attempts, *phase.patches)
    asks = [(attempt.ask, *attempt.fallbacks) for attempt in ladder]
    for audit in (phase.audit, phase.second_audit):
        if audit is not None:
            asks += [(audit, *phase.audit_fallbacks)] * len(ladder) * AUDITOR_ASKS
    tokens, cost = _dearest(spec, asks, phase["token_cap"])
    own = phase.spec.budget
    return Worst(len(asks), tokens, cost if own is None or own.cost_usd is None else min(cost, own.cost_usd))


def _dearest(spec: Spec, asks: Sequence[tuple[Ask, ...]], token_cap: int) -> tuple[int, Decimal]:
    """Tokens and USD when a phase spends all it may on the dearest tokens its calls can hold.

    Each call is given as all who may answer it: the dearest and the longest of them count.
    """
    pieces: list[tuple[Decimal, int]] = []
    for any_of in asks:
        prices = [price_of(spec.models.models[ask.model]) for ask in any_of]
        pieces.append((max(upper_bound(1, 0, p) for p in prices), max(ask.input_tokens_max for ask in any_of)))
        pieces.append((max(upper_bound(0, 1, p) for p in prices), max(ask.output_tokens_max for ask in any_of)))
    left, cost = token_cap, Decimal(0)
    for each, tokens in sorted(pieces, reverse=True):
        taken = min(tokens, left)
        left, cost = left - taken, cost + taken * each
    return token_cap - left, cost


def _call(spec: Spec, ask: Ask) -> Worst:
    price = price_of(spec.models.models[ask.model])
    tokens = ask.input_tokens_max + ask.output_tokens_max
    return Worst(1, tokens, upper_bound(ask.input_tokens_max, ask.output_tokens_max, price))


def _first_try(spec: Spec, phase: DraftPhase) -> Worst:
    """What must fit for the phase to have a chance: one attempt and, where mandatory, one audit."""
    asks = [phase.attempts[0].ask]
    if not phase["auto_apply"]:
        asks += [audit for audit in (phase.audit, phase.second_audit) if audit is not None]
    return total([_call(spec, ask) for ask in asks])


def _proof(draft: Draft) -> Iterator[Problem]:
    caps = draft.caps
    for phase in draft.phases:
        yield from _first_against_own(draft.spec, phase)
    if caps is None or not draft.phases:
        return
    first = total([_first_try(draft.spec, phase) for phase in draft.phases])
    worst = total([phase.worst for phase in draft.phases])
    yield from _against(draft, "tokens", first.tokens, worst.tokens, caps.tokens)
    if caps.cost_usd is not None:
        yield from _against(draft, "cost_usd", first.cost_usd, worst.cost_usd, caps.cost_usd)


def _first_against_own(spec: Spec, phase: DraftPhase) -> Iterator[Problem]:
    """A phase's own cap in money; its tokens are shared out among its calls, so the first ones always fit those."""
    own, first = phase.spec.budget, _first_try(spec, phase).cost_usd
    if own is not None and own.cost_usd is not None and first > own.cost_usd:
        yield problem(
            "AP6004",
            f'a first attempt of phase "{phase.spec.id}" and its audit can take {first:,} USD, '
            f"the phase may spend {own.cost_usd:,}",
            spec.span(own.at, "cost_usd"),
            help=f"raise its budget.cost_usd to {first:,}, or lower its budget.tokens so that calls are smaller",
        )


def _against(
    draft: Draft, name: str, first: int | Decimal, worst: int | Decimal, cap: int | Decimal
) -> Iterator[Problem]:
    unit = "tokens" if name == "tokens" else "USD"
    place = draft.spec.span(_cap_at(draft.spec, name))
    if first > cap:
        yield problem(
            "AP6004",
            f"first attempts and mandatory audits can take {first:,} {unit}, the run may spend {cap:,}",
            place,
            _eaters(draft, name),
            help=f"raise budget.{name} well above {first:,} (larger caps allow larger calls), or split the playbook",
        )
    elif worst > cap:
        strict = draft.safety_profile == "safety_critical" or draft.spec.ruleset.budget_proof == "error"
        found = problem(
            "AP6005",
            f"all attempts and audits together can take {worst:,} {unit}, the run may spend {cap:,}",
            place,
            _eaters(draft, name),
            help=f"the run stops there; raise budget.{name} to {worst:,} to be sure it never does",
        )
        yield found._replace(severity="error" if strict else "warning")


def _cap_at(spec: Spec, name: str) -> At:
    own = spec.playbook.budget
    if own is not None and getattr(own, name) is not None:
        return own.at.to(name)
    return spec.ruleset.origin("budget", name)


def _eaters(draft: Draft, name: str) -> tuple[Label, ...]:
    """The three phases that eat most of it."""
    worst = "tokens" if name == "tokens" else "cost_usd"
    top = sorted(draft.phases, key=lambda p: getattr(p.worst, worst), reverse=True)[:3]
    return tuple(
        Label(
            draft.spec.span(p.spec.at, "id"),
            f"up to {getattr(p.worst, worst):,} {'tokens' if name == 'tokens' else 'USD'}",
        )
        for p in top
    )
