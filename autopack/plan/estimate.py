"""What a phase is likely to cost: by what runs have taught, else by the stated prior. Never part of the plan."""

import math
from decimal import Decimal

from autopack.plan.calibration import Calibration, Rates, rates
from autopack.plan.draft import DraftPhase
from autopack.plan.model import Ask, Plan, PlanPhase
from autopack.plan.price import upper_bound
from autopack.spec.model import Spec

CENT_OF_A_CENT = Decimal("0.000001")


def of_each(plan: Plan, calibration: Calibration | None = None) -> list[Decimal]:
    """What is expected of every phase; those that a compile made alike share their parts, and one estimate."""
    known: dict[tuple[object, ...], Decimal] = {}
    found = []
    for phase in plan.phases:
        parts = id(phase.attempts), id(phase.audit), id(phase.worst)
        alike = (*parts, phase.category, phase.complexity, phase.audited)
        if alike not in known:
            known[alike] = expected(plan, phase, calibration)
        found.append(known[alike])
    return found


def expected(plan: Plan, phase: PlanPhase, calibration: Calibration | None = None) -> Decimal:
    """USD; 0 for unmetered models. Calls of mean size, as many attempts as the chances ask for."""
    seen = _rates(plan, phase, calibration)
    attempts = _attempts(seen, len(phase.attempts), audited=phase.audited)
    cost = _call_usd(plan, phase.attempts[0].ask, seen)
    if phase.audited:
        cost += _call_usd(plan, phase.audit, seen)
    likely = (cost * Decimal(attempts)).quantize(CENT_OF_A_CENT)
    return likely if phase.worst.cost_usd is None else min(likely, phase.worst.cost_usd)


def seen_minutes(spec: Spec, phase: DraftPhase, calibration: Calibration) -> int:
    """Whole minutes that phases of this kind were seen to take; 0 where none was seen."""
    tier = spec.models.models[phase.kind.attempts[0].ask.model].tier
    seen = rates(calibration, phase["category"], phase["complexity"], tier)
    if not seen.phases:
        return 0
    audited = not phase["auto_apply"]
    each_s = seen.model_s * (1 + audited) + seen.ci_s
    return math.ceil(each_s * _attempts(seen, len(phase.kind.attempts), audited=audited) / 60)


def basis(plan: Plan, calibration: Calibration | None) -> str:
    """What the estimates rest on, in words: "stated prior", "calibrated from 12 phases"."""
    if calibration is None:
        return "stated prior"
    known: dict[tuple[str, ...], bool] = {}
    seen = 0
    for phase in plan.phases:
        alike = phase.category, phase.complexity, phase.attempts[0].ask.model
        if alike not in known:
            known[alike] = _rates(plan, phase, calibration).phases > 0
        seen += known[alike]
    if not seen:
        return "stated prior"
    counted = sum(sums.phases for sums in calibration.slices.values())
    rest = "" if seen == len(plan.phases) else f", stated prior for {len(plan.phases) - seen} of {len(plan.phases)}"
    return f"calibrated from {counted} phase{'' if counted == 1 else 's'}{rest}"


def _rates(plan: Plan, phase: PlanPhase, calibration: Calibration | None) -> Rates:
    tier = plan.models[phase.attempts[0].ask.model].tier
    return rates(calibration, phase.category, phase.complexity, tier)


def _attempts(seen: Rates, most: int, *, audited: bool) -> float:
    """How many attempts a phase takes in the mean: each ends it with the chance that edit, CI and audit all pass."""
    passes = (1 - seen.edit_failed) * (1 - seen.ci_red) * (1 - (seen.rejected if audited else 0.0))
    return sum((1 - passes) ** number for number in range(most))


def _call_usd(plan: Plan, ask: Ask, seen: Rates) -> Decimal:
    price = plan.models[ask.model].price
    tokens_in = min(int(seen.input_tokens), ask.input_tokens_max)
    return upper_bound(tokens_in, min(int(seen.output_tokens), ask.output_tokens_max), price)
