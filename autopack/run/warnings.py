"""How near a budget is to its cap: recorded once for each share that the ruleset names."""

from collections.abc import Iterator
from decimal import Decimal

from autopack.plan.model import Plan
from autopack.run import issues
from autopack.run.allowance import caps as lowered
from autopack.run.frozen import replace
from autopack.run.ledger import RUN
from autopack.run.state import RunState, Warned

Measured = tuple[str, Decimal | int, Decimal | int | None]
"""A dimension, what was used of it, and its cap."""


def warned(plan: Plan, run: RunState, phase_id: str | None) -> RunState:
    """The run with what has come near its cap; only the phase that moved and what holds it can have."""
    if not plan.budget_warnings:
        return run
    known = {(w.level, w.name, w.dimension, w.share) for w in run.warnings}
    new = tuple(w for w in _near(plan, run, phase_id) if (w.level, w.name, w.dimension, w.share) not in known)
    return replace(run, warnings=run.warnings + new) if new else run


def _near(plan: Plan, run: RunState, phase_id: str | None) -> Iterator[Warned]:
    yield from _shares(plan, "run", run.run_id, _of_run(plan, run))
    if phase_id is not None:
        spec = plan.phase(phase_id)
        yield from _shares(plan, "tier", spec.tier_id, _of_tier(plan, run, spec.tier_id))
        yield from _shares(plan, "phase", phase_id, _of_phase(plan, run, phase_id))


def _shares(plan: Plan, level: str, name: str, measured: Iterator[Measured]) -> Iterator[Warned]:
    for dimension, used, cap in measured:
        if not cap:
            continue
        for share in plan.budget_warnings:
            if used >= Decimal(str(share)) * cap:
                yield Warned(level, name, dimension, share, f"{used:f}", f"{cap:f}")  # type: ignore[arg-type]


def _of_run(plan: Plan, run: RunState) -> Iterator[Measured]:
    spent, caps = run.ledger.spent(RUN), lowered(plan, run)
    yield "tokens", Decimal(spent.tokens), Decimal(caps.tokens)
    yield "cost_usd", spent.cost_usd, caps.cost_usd
    yield "minutes", Decimal(int(run.elapsed_s // 60)), Decimal(caps.minutes)
    yield "minor_issues", Decimal(issues.count(run.issues, "minor")), Decimal(caps.minor_issues)


def _of_tier(plan: Plan, run: RunState, tier_id: str) -> Iterator[Measured]:
    tier = plan.tier(tier_id)
    yield "tokens", Decimal(run.ledger.spent(f"tier:{tier_id}").tokens), Decimal(tier.token_cap)
    yield "ci_runs", Decimal(ci_runs(run, tier.phases)), Decimal(tier.ci_runs)


def _of_phase(plan: Plan, run: RunState, phase_id: str) -> Iterator[Measured]:
    spec, spent = plan.phase(phase_id), run.ledger.spent(f"phase:{phase_id}")
    yield "tokens", Decimal(spent.tokens), Decimal(spec.token_cap)
    yield "cost_usd", spent.cost_usd, spec.cost_usd_max


def ci_runs(run: RunState, phases: tuple[str, ...]) -> int:
    return sum(run.phases[phase_id].ci_runs for phase_id in phases)
