"""What runs cost and what came of it: sums over model calls, and the views that thresholds are tuned by.

Numbers come from the fold of a run and from the summaries that every append keeps; nothing is counted twice.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from autopack.journal.rows import EventRow
from autopack.plan import canonical
from autopack.plan.estimate import expected
from autopack.plan.model import Plan, PlanModel
from autopack.plan.price import Price, cost
from autopack.run.state import Call, RunState
from autopack.views.projection import RunView, TierView, view

PREMIUM = "premium"


@dataclass(frozen=True, slots=True)
class Sum:
    """`model_s` is waiting for models, `unknown` how many calls told no usage and are charged with their bound."""

    calls: int = 0
    tokens: int = 0
    cost_usd: Decimal = Decimal(0)
    model_s: float = 0.0
    unknown: int = 0

    def __add__(self, call: Call) -> "Sum":
        return Sum(
            self.calls + 1,
            self.tokens + call.tokens,
            self.cost_usd + call.cost_usd,
            self.model_s + call.latency_s,
            self.unknown + (not call.usage.known),
        )


@dataclass(frozen=True, slots=True)
class Savings:
    """The same tokens at one model's price. `priced_usd` is of the calls whose usage is known, as is `actual_usd`."""

    model: str
    as_of: str
    actual_usd: Decimal
    priced_usd: Decimal

    @property
    def saved_usd(self) -> Decimal:
        return self.priced_usd - self.actual_usd


@dataclass(frozen=True, slots=True)
class PhaseCost:
    phase_id: str
    state: str
    category: str
    expected_usd: Decimal
    worst_usd: Decimal | None
    spent: Sum


@dataclass(frozen=True, slots=True)
class RunReport:
    run: RunView
    total: Sum
    by: Mapping[str, Mapping[str, Sum]]
    phases: tuple[PhaseCost, ...]
    completed: int
    failed: int
    per_completed_usd: Decimal | None
    per_failed_usd: Decimal | None
    savings: Savings | None


def report(plan: Plan, run: RunState, premium: PlanModel | None = None) -> RunReport:
    """`premium` stands in where the plan itself has no premium model."""
    calls = [(phase_id, call) for phase_id, phase in run.phases.items() for call in phase.calls]
    groups: Mapping[str, Callable[[str, Call], str]] = {
        "tier": lambda phase_id, _call: plan.phase(phase_id).tier_id,
        "category": lambda phase_id, _call: plan.phase(phase_id).category,
        "model": lambda _phase_id, call: call.model,
        "role": lambda _phase_id, call: call.role,
        "outcome": lambda _phase_id, call: call.outcome,
    }
    phases = tuple(_phase(plan, run, phase.phase_id) for phase in plan.phases)
    done = [each.spent.cost_usd for each in phases if each.state == "COMPLETE" and each.spent.calls]
    lost = [each.spent.cost_usd for each in phases if each.state == "FAILED"]
    return RunReport(
        run=view(plan, run),
        total=_sum(call for _, call in calls),
        by={name: _grouped(calls, of) for name, of in groups.items()},
        phases=phases,
        completed=len(done),
        failed=len(lost),
        per_completed_usd=sum(done, Decimal(0)) / len(done) if done else None,
        per_failed_usd=sum(lost, Decimal(0)) / len(lost) if lost else None,
        savings=_savings([call for _, call in calls], _dearest(plan) or premium),
    )


def plain(found: RunReport) -> dict[str, Any]:
    """One JSON document: every figure of the report."""
    run, saved = found.run, found.savings
    return {
        "format_version": 1,
        "run_id": run.run_id,
        "state": run.state,
        "failure_reason": run.failure_reason,
        "total": canonical.plain(found.total),
        "by": {name: {key: canonical.plain(each) for key, each in sums.items()} for name, sums in found.by.items()},
        "phases": [canonical.plain(each) for each in found.phases],
        "per_successful_phase_usd": canonical.plain(found.per_completed_usd),
        "per_failed_phase_usd": canonical.plain(found.per_failed_usd),
        "against_always_premium": None
        if saved is None
        else canonical.plain(saved) | {"saved_usd": canonical.plain(saved.saved_usd)},
    }


# --- views over several runs ---


@dataclass(frozen=True, slots=True)
class Abort:
    """A run that a cap ended: who was responsible, and whether asking the Auditor had helped."""

    run_id: str
    reason: str
    failure: str
    tiers: tuple[str, ...]
    slices: Mapping[str, int]
    auditor_calls: int
    auditor_helped: int


def abort(plan: Plan, run: RunState) -> Abort | None:
    """None for a run that no cap has ended. `slices` are tokens by `category:complexity`, the largest first."""
    if run.state != "DONE_FAILED_BUDGET_EXHAUSTED" or run.failure is None:
        return None
    slices: Counter[str] = Counter()
    for phase in plan.phases:
        slices[f"{phase.category}:{phase.complexity}"] += run.ledger.spent(f"phase:{phase.phase_id}").tokens
    audited = {name for name, phase in run.phases.items() if any(call.role == "auditor" for call in phase.calls)}
    stopped = [phase.phase_id for phase in plan.phases if run.phases[phase.phase_id].failure is not None]
    return Abort(
        run_id=run.run_id,
        reason=run.failure.reason,
        failure=run.failure.message,
        tiers=tuple(dict.fromkeys(plan.phase(name).tier_id for name in stopped)),
        slices={name: count for name, count in slices.most_common() if count},
        auditor_calls=sum(call.role == "auditor" for phase in run.phases.values() for call in phase.calls),
        auditor_helped=sum(run.phases[name].state == "COMPLETE" for name in audited),
    )


@dataclass(frozen=True, slots=True)
class TierLine:
    run_id: str
    tier: TierView
    token_cap_hit: bool
    ci_cap_hit: bool
    promotion_blocked: bool


def tiers(plan: Plan, run: RunState) -> tuple[TierLine, ...]:
    found = view(plan, run)
    return tuple(
        TierLine(
            run.run_id,
            tier,
            token_cap_hit=tier.tokens_used > tier.token_cap,
            ci_cap_hit=tier.ci_runs > tier.ci_runs_cap,
            promotion_blocked=tier.cleanliness != "clean" or tier.state != "COMPLETE",
        )
        for tier in found.tiers
    )


def flaky(journals: Iterable[Iterable[EventRow]]) -> Mapping[str, tuple[int, int]]:
    """Tests that passed after they had failed on the same commit: how often, and in how many runs; the worst first."""
    times: Counter[str] = Counter()
    runs: Counter[str] = Counter()
    for events in journals:
        seen = Counter(name for row in events if row.type in _TESTED for name in row.body["flaky"])
        times.update(seen)
        runs.update(seen.keys())
    return {name: (count, runs[name]) for name, count in times.most_common()}


_TESTED = ("CiFinished", "PreflightFinished")


# --- parts ---


def _sum(calls: Iterable[Call]) -> Sum:
    total = Sum()
    for call in calls:
        total = total + call
    return total


def _grouped(calls: Iterable[tuple[str, Call]], of: Callable[[str, Call], str]) -> dict[str, Sum]:
    """The dearest first."""
    found: dict[str, Sum] = {}
    for phase_id, call in calls:
        name = of(phase_id, call)
        found[name] = found.get(name, Sum()) + call
    return dict(sorted(found.items(), key=lambda item: (-item[1].cost_usd, item[0])))


def _phase(plan: Plan, run: RunState, phase_id: str) -> PhaseCost:
    spec, phase = plan.phase(phase_id), run.phases[phase_id]
    return PhaseCost(phase_id, phase.state, spec.category, expected(plan, spec), spec.worst.cost_usd, _sum(phase.calls))


def _dearest(plan: Plan) -> PlanModel | None:
    """The plan's premium model; of several the one whose output costs most."""
    found = [model for model in plan.models.values() if model.tier == PREMIUM and model.price is not None]
    return max(found, key=lambda model: (_output(model.price), model.name), default=None)


def _output(price: Price | None) -> Decimal:
    return price.output if price else Decimal(0)


def _savings(calls: Iterable[Call], premium: PlanModel | None) -> Savings | None:
    if premium is None or premium.price is None:
        return None
    known = [call for call in calls if call.usage.known]
    priced = sum((cost(call.usage, premium.price) for call in known), Decimal(0))
    return Savings(premium.name, premium.price.as_of, sum((c.cost_usd for c in known), Decimal(0)), priced)
