"""The proof: whether what phases, tiers and runs can take at most fits the caps above them.

What must fit for a run to have a chance (first attempts and mandatory audits) and does not is an error; what may go
wrong and then does not fit is a warning, or an error where the ruleset or `safety_critical` says so. Each finding is
at the cap that can't hold, with the phases that eat most of it.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from decimal import Decimal
from functools import partial

from autopack.plan import minutes
from autopack.plan.draft import Draft, DraftPhase
from autopack.plan.inherit import cap_at
from autopack.plan.minutes import Beside
from autopack.plan.model import Worst
from autopack.plan.price import at_most, exact
from autopack.plan.worst import calls_of, check_s, first_try, may_be_short, of_phase, together, total
from autopack.problem import Label, Problem, problem
from autopack.spec.at import At
from autopack.spec.model import Spec
from autopack.spec.record import record, replace

UNITS = {"tokens": "tokens", "cost_usd": "USD", "minutes": "minutes"}
SPENT = ("tokens", "cost_usd")
EATERS = 3


@record
class Cap:
    """A cap and where it is written. `whose` is who may spend that: "the run"; `knob` what to raise."""

    name: str
    most: int | Decimal
    whose: str
    at: At
    knob: str


def prove_budget(draft: Draft) -> Draft:
    """Every phase with its worst case, and findings where a cap cannot hold."""
    spec = draft.spec
    after = draft.decided(lambda p: replace(p.kind, worst=of_phase(spec, p), first=first_try(spec, p)))
    return after.found(*_proof(after))


def of_runs(draft: Draft) -> tuple[Worst, ...]:
    """The worst case of each run, in order."""
    by_id, width = {phase.spec.id: phase for phase in draft.phases}, at_once(draft)
    return tuple(_of_run(draft, [by_id[name] for name in run], width) for run in draft.runs)


def at_once(draft: Draft) -> int:
    """How many phases get on side by side whatever else they wait for: the narrowest pool all of them go through."""
    providers = {draft.spec.models.models[ask.model].provider for phase in draft.kinds for ask in phase.kind.asks}
    quotas = (draft.spec.models.providers.get(name) for name in providers)
    return min([draft.jobs, *(quota.concurrency for quota in quotas if quota and quota.concurrency)])


def _of_run(draft: Draft, phases: Sequence[DraftPhase], width: int) -> Worst:
    worsts = {phase.spec.id: phase.kind.worst for phase in phases}
    kinds = {id(phase.kind): phase for phase in phases}.values()
    narrow = 1 if _short(draft, kinds, total(list(worsts.values()))) else width
    needs = {phase.spec.id: phase.needs for phase in phases}
    return together(needs, worsts, _beside(draft, phases, kinds, narrow))


def _short(draft: Draft, kinds: Iterable[DraftPhase], worst: Worst) -> bool:
    """Whether one may have to wait for another's money: at a cap of the run, of a model or of a tier."""
    models, caps, rule = draft.spec.models.models, draft.caps, draft.spec.ruleset.tier
    assert caps is not None
    if rule.not_clean[draft.safety_profile] == "fail_run" and rule.incident_token_factor < 1:
        return True
    used = {ask.model for phase in kinds for ask in phase.kind.asks}
    return may_be_short(worst, caps, [models[name].token_cap for name in used])


def _beside(draft: Draft, phases: Sequence[DraftPhase], kinds: Collection[DraftPhase], width: int) -> Beside:
    spec, told = draft.spec, draft.spec.ci.preflight
    carried, again = (minutes.whole(max(each)) for each in zip(*(check_s(spec, phase) for phase in kinds), strict=True))
    tried = (spec.ci.profiles[name] for name in {phase["ci"] for phase in kinds})
    once_s = (minutes.trial_s(spec.ci.setup, each.steps, each.retries) for each in tried)
    before = minutes.preflights([minutes.preflight_s(each_s, told.attempts, told.backoff_s) for each_s in once_s])
    rows = spec.models.providers.items()
    rates = {name: row for name, row in rows if row.requests_per_minute or row.tokens_per_minute}
    many = Counter(id(phase.kind) for phase in phases)
    calls = ((call, many[id(phase.kind)]) for phase in kinds for call in calls_of(phase.kind))
    before += minutes.rated(calls, spec.models.models, spec.ruleset.retry, rates)
    return Beside(width, draft.jobs, carried, again, before)


# --- findings -----------------------------------------------------------------------------------------------------


def _proof(draft: Draft) -> Iterator[Problem]:
    by_id, width = {phase.spec.id: phase for phase in draft.phases}, at_once(draft)
    yield from draft.at_each(partial(_first_against_own, draft.spec))
    spent: list[tuple[Worst, Worst]] = []
    for number, run in enumerate(draft.runs, 1):
        whose = "the run" if len(draft.runs) == 1 else f"run {number} of {len(draft.runs)}"
        phases = [by_id[name] for name in run]
        needed = total([phase.kind.first for phase in phases])
        worst = _of_run(draft, phases, width)
        for cap in _caps_of_run(draft, whose):
            yield from _against(draft, cap, phases, needed, worst)
        spent.append((_within(draft, needed), _within(draft, worst)))
        yield from _likely(draft, whose, phases, width)
        for tier, cap in _caps_of_tiers(draft, phases):
            needed = total([phase.kind.first for phase in tier])
            yield from _against(draft, cap, tier, needed, total([phase.kind.worst for phase in tier]))
    for cap in _caps_of_project(draft):
        needed, worst = total([least for least, _ in spent]), total([most for _, most in spent])
        yield from _against(draft, cap, draft.phases, needed, worst)


def _caps_of_run(draft: Draft, whose: str) -> Iterator[Cap]:
    """Where a run's cap is the project's, the project's proof says it for all runs.

    Minutes that nobody has written are no promise that has to hold: the shipped cap ends what hangs.
    """
    whole = draft.spec.project.budget
    for name in SPENT:
        most, at = getattr(draft.caps, name), cap_at(draft.spec, name)
        if most is not None and (getattr(whole, name) is None or at != whole.at.to(name)):
            yield Cap(name, most, whose, at, f"budget.{name}")
    written = cap_at(draft.spec, "minutes")
    if draft.caps is not None and not written.path.startswith("builtin:"):
        yield Cap("minutes", draft.caps.minutes, whose, written, "budget.minutes")


def _caps_of_project(draft: Draft) -> Iterator[Cap]:
    whole = draft.spec.project.budget
    days = f"{whole.days} day{'' if whole.days == 1 else 's'}"
    for name in SPENT:
        most = getattr(whole, name)
        if most is not None:
            yield Cap(name, most, f"the project in {days}", whole.at.to(name), f"the project's budget.{name}")


def _within(draft: Draft, amount: Worst) -> Worst:
    """What a run can spend of an amount before a cap of its own stops it."""
    most = {cap.name: cap.most for cap in _caps_of_run(draft, "") if cap.name in SPENT}
    stopped = {name: cap for name, cap in most.items() if _amount(amount, name) > cap}
    return replace(amount, **stopped) if stopped else amount


def _likely(draft: Draft, whose: str, phases: Sequence[DraftPhase], width: int) -> Iterator[Problem]:
    """What runs have taught about time, along the longest chain, against the minutes a run may take.

    A phase that is like none before adds nothing: what nobody has seen is no reason for a finding.
    """
    if draft.calibration is None or not draft.calibration.slices or draft.caps is None:
        return
    from autopack.plan.estimate import seen_minutes  # noqa: PLC0415 - a check of files mostly does without

    calibration = draft.calibration
    kinds = {id(phase.kind): phase for phase in phases}
    known = {kind: seen_minutes(draft.spec, phase, calibration) for kind, phase in kinds.items()}
    likely = {phase.spec.id: known[id(phase.kind)] for phase in phases}
    needs = {phase.spec.id: phase.needs for phase in phases}
    length = minutes.together(needs, likely, Beside(width))
    if length > draft.caps.minutes:
        slowest = sorted(phases, key=lambda phase: likely[phase.spec.id], reverse=True)[:EATERS]
        yield problem(
            "AP6005",
            f"by what earlier runs took, {length:,} minutes are likely, {whose} may take {draft.caps.minutes:,}",
            draft.spec.span(cap_at(draft.spec, "minutes")),
            tuple(
                Label(draft.spec.span(each.spec.at, "id"), f"likely {likely[each.spec.id]:,} minutes")
                for each in slowest
            ),
            help=f"raise budget.minutes above {length:,}, or split the playbook",
        )


def _severity(draft: Draft) -> str:
    strict = draft.safety_profile == "safety_critical" or draft.spec.ruleset.budget_proof == "error"
    return "error" if strict else "warning"


def _caps_of_tiers(draft: Draft, phases: Sequence[DraftPhase]) -> Iterator[tuple[list[DraftPhase], Cap]]:
    """A tier's tokens follow from its phases; only a small factor makes them too few."""
    factor = draft.spec.ruleset.tier.incident_token_factor
    if factor >= 1:
        return
    tiers: dict[str, list[DraftPhase]] = {}
    for phase in phases:
        tiers.setdefault(phase.tier.id, []).append(phase)
    at = draft.spec.ruleset.origin("tier", "incident_token_factor")
    for name, members in tiers.items():
        most = int(factor * sum(phase["token_cap"] for phase in members))
        yield members, Cap("tokens", most, f'tier "{name}"', at, "tier.incident_token_factor")


def _first_against_own(spec: Spec, phase: DraftPhase) -> Iterator[Problem]:
    """A phase's own cap in money; its tokens are shared out among its calls, so the first ones always fit those."""
    own, first = phase.spec.budget, phase.kind.first
    if own is not None and own.cost_usd is not None and first.cost_usd is not None and first.cost_usd > own.cost_usd:
        yield problem(
            "AP6004",
            f'a first attempt of phase "{phase.spec.id}" and its audit can take {at_most(first.cost_usd)} USD, '
            f"the phase may spend {exact(own.cost_usd)}",
            spec.span(own.at, "cost_usd"),
            help=f"raise its budget.cost_usd to {at_most(first.cost_usd)}, "
            "or lower its budget.tokens so that calls are smaller",
        )


def _against(draft: Draft, cap: Cap, phases: Sequence[DraftPhase], needed: Worst, worst: Worst) -> Iterator[Problem]:
    """`needed` and `worst` are those of all the phases.

    Of minutes nothing is reserved, so first attempts that may not fit have a chance all the same.
    """
    least, most = getattr(needed, cap.name), getattr(worst, cap.name)
    unit, verb = UNITS[cap.name], "take" if cap.name == "minutes" else "spend"
    if cap.name in SPENT and least is not None and least > cap.most:
        yield problem(
            "AP6004",
            f"first attempts and mandatory audits can take {_up(least)} {unit}, {cap.whose} may spend {_cap(cap.most)}",
            draft.spec.span(cap.at),
            _eaters(draft, phases, cap.name, "first"),
            help=f"raise {cap.knob} well above {_up(least)} (larger caps allow larger calls), or split the playbook",
        )
    elif most is None or most > cap.most:
        amount = "an UNBOUNDED amount of" if most is None else _up(most)
        found = problem(
            "AP6005",
            f"all attempts and audits together can take {amount} {unit}, {cap.whose} may {verb} {_cap(cap.most)}",
            draft.spec.span(cap.at),
            _eaters(draft, phases, cap.name, "worst"),
            help=_enough(cap, most),
        )
        yield found._replace(severity=_severity(draft))


def _enough(cap: Cap, most: int | Decimal | None) -> str:
    if most is None:
        return "the run stops there; give every model a price"
    fits = f"the run stops there; raise {cap.knob} to {_up(most)} to be sure it never does"
    return f"{fits}, or shorten the timeouts of models and CI steps" if cap.name == "minutes" else fits


def _eaters(draft: Draft, phases: Sequence[DraftPhase], name: str, of: str) -> tuple[Label, ...]:
    """The phases that eat most of it: of all that may go wrong (`worst`), or in a first attempt (`first`)."""
    eaten = [(getattr(phase.kind, of), phase.spec.at) for phase in phases]
    top = sorted(eaten, key=lambda each: _amount(each[0], name), reverse=True)[:EATERS]
    return tuple(Label(draft.spec.span(at, "id"), _most(worst, name)) for worst, at in top)


def _most(worst: Worst, name: str) -> str:
    found = getattr(worst, name)
    return "no bound" if found is None else f"up to {_up(found)} {UNITS[name]}"


def _up(amount: int | Decimal) -> str:
    return at_most(amount) if isinstance(amount, Decimal) else f"{amount:,}"


def _cap(amount: int | Decimal) -> str:
    return exact(amount) if isinstance(amount, Decimal) else f"{amount:,}"


def _amount(worst: Worst, name: str) -> Decimal:
    """For sorting: what is UNBOUNDED comes before everything."""
    found = getattr(worst, name)
    return Decimal("Infinity") if found is None else Decimal(found)
