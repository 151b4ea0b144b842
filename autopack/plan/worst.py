"""What a phase can take at most: price x bounds x (attempts + audits, asked as often as one may be), and its minutes.

A phase's own caps bound it too, because every call is refused that does not fit; so the worst of a phase is the smaller
of both. Where several models may answer a call, the dearest of them counts; where a price is not known, no sum is.
Its minutes are its own work: what phases mean for each other is in the minutes of a run (`minutes.together`).
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from autopack.plan import minutes
from autopack.plan.draft import DraftPhase, Kind
from autopack.plan.minutes import Beside
from autopack.plan.model import AUDITOR_ASKS, Ask, Caps, Plan, PlanPhase, Worst
from autopack.plan.price import Price, upper_bound
from autopack.spec import model as spec_model
from autopack.spec.model import Spec


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


def together(needs: Mapping[str, Sequence[str]], worsts: Mapping[str, Worst], beside: Beside) -> Worst:
    """Of a whole run, in an order in which each phase stands after all it needs."""
    added = total(list(worsts.values()))
    taken = minutes.together(needs, {name: worst.minutes for name, worst in worsts.items()}, beside)
    return Worst(added.calls, added.tokens, added.cost_usd, taken, added.unmetered)


def of_plan(plan: Plan, phases: Sequence[PlanPhase]) -> Worst:
    """Of some phases of a sealed plan, in plan order, as one run of it; nothing for none."""
    if not phases:
        return total([])
    at_once = min(size for name, size in plan.pools.items() if name == "phase" or name.startswith("provider:"))
    worsts = {phase.phase_id: phase.worst for phase in phases}
    if may_be_short(total(list(worsts.values())), plan.caps, [plan.models[name].token_cap for name in plan.models]):
        at_once = 1
    profiles = [plan.profiles[name] for name in dict.fromkeys(phase.ci for phase in phases)]
    tried = [(each, each.preflight) for each in profiles if each.preflight is not None]
    before = minutes.preflights(
        [
            minutes.preflight_s(minutes.trial_s(each.setup, each.steps, each.retries), told.attempts, told.backoff_s)
            for each, told in tried
        ]
    )
    calls = ((call, 1) for phase in phases for call in calls_of(phase))
    before += minutes.rated(calls, plan.models, plan.retry, plan.quotas)
    carried, again = (max(each) for each in zip(*(_carried(plan, phase) for phase in phases), strict=True))
    needs = {phase.phase_id: phase.needs for phase in phases}
    return together(needs, worsts, Beside(at_once, plan.pools["phase"], carried, again, before))


def _carried(plan: Plan, phase: PlanPhase) -> tuple[int, int]:
    """Minutes onto a moved head, and of the check that follows."""
    profile = plan.profiles[phase.ci]
    probes, hooks = len(phase.probes), plan.hooks == "run"
    probed_s, checked_s = minutes.candidate_s(profile.setup, profile.steps, profile.retries, probes=probes, hooks=hooks)
    return minutes.whole(probed_s), minutes.whole(checked_s)


def may_be_short(worst: Worst, caps: Caps, models: Sequence[int | None]) -> bool:
    """Whether phases may have to wait for each other's money: where caps may be reached."""
    dear = caps.cost_usd is not None and (worst.cost_usd is None or worst.cost_usd > caps.cost_usd)
    return dear or worst.tokens > min(caps.tokens, *(cap for cap in models if cap is not None), caps.tokens)


def calls_of(phase: Kind | PlanPhase) -> list[Sequence[Ask]]:
    """Every call that a phase may make: who may be asked, in order of preference."""
    builders = [(attempt.ask, *attempt.fallbacks) for attempt in (*phase.attempts, *phase.patches)]
    auditors = [ask for ask in (phase.audit, phase.second_audit) if ask is not None]
    return [*builders, *[(ask, *phase.audit_fallbacks) for ask in auditors] * len(builders) * AUDITOR_ASKS]


def of_phase(spec: Spec, phase: DraftPhase) -> Worst:
    """Everything goes wrong that may: every attempt, every patch of the Auditor's, every review asked for twice."""
    calls = calls_of(phase.kind)
    tokens, cost = dearest(spec, calls, phase["token_cap"])
    own = phase.spec.budget
    unmetered = any(spec.models.models[ask.model].price is None for call in calls for ask in call)
    if own is not None and own.cost_usd is not None:
        cost = own.cost_usd if cost is None else min(cost, own.cost_usd)
    return Worst(len(calls), tokens, cost, _minutes(spec, phase, calls), unmetered)


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


def _minutes(spec: Spec, phase: DraftPhase, calls: Sequence[Sequence[Ask]]) -> int:
    """Every call, and one check of each candidate; its own minutes end it, but for a call that is paid by then."""
    models = spec.models.models
    candidates = len(phase.kind.attempts) + len(phase.kind.patches)
    asked_s = minutes.asking_s(calls, models, spec.ruleset.retry)
    most, own = minutes.whole(asked_s + candidates * sum(check_s(spec, phase))), phase.spec.budget
    if own is None or own.minutes is None:
        return most
    return min(most, own.minutes + minutes.whole(minutes.longest_s(calls, models)))


def check_s(spec: Spec, phase: DraftPhase) -> tuple[int, int]:
    """One candidate through everything that may refuse it: probes and hooks, then CI."""
    profile = spec.ci.profiles[phase["ci"]]
    probes, hooks = len(phase.spec.probes), spec.ruleset.hooks == "run"
    return minutes.candidate_s(spec.ci.setup, profile.steps, profile.retries, probes=probes, hooks=hooks)
