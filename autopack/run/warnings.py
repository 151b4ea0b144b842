"""How near a budget is to its cap: recorded once for each share that the ruleset names."""

import functools
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


def warned(plan: Plan, before: RunState, run: RunState, phase_id: str | None) -> RunState:
    """The run with what has come near its cap; only the phase that moved and what holds it can have."""
    if not plan.budget_warnings:
        return run
    near = tuple(_near(plan, before, run, phase_id))
    if not near:
        return run
    known = {(w.level, w.name, w.dimension, w.share) for w in run.warnings}
    new = tuple(w for w in near if (w.level, w.name, w.dimension, w.share) not in known)
    return replace(run, warnings=run.warnings + new) if new else run


def _near(plan: Plan, before: RunState, run: RunState, phase_id: str | None) -> Iterator[Warned]:
    """Most events bill nothing and try nothing in CI: after those only time can have passed and issues come."""
    billed = run.ledger.used is not before.ledger.used
    yield from _shares(plan, "run", run.run_id, _of_run(plan, run, billed=billed))
    if phase_id is not None and (billed or run.phases[phase_id].ci_runs != before.phases[phase_id].ci_runs):
        spec = plan.phase(phase_id)
        yield from _shares(plan, "tier", spec.tier_id, _of_tier(plan, run, spec.tier_id))
        yield from _shares(plan, "phase", phase_id, _of_phase(plan, run, phase_id))


def _shares(plan: Plan, level: str, name: str, measured: Iterator[Measured]) -> Iterator[Warned]:
    for dimension, used, cap in measured:
        if not cap or not used:
            continue
        for share in plan.budget_warnings:
            if used >= _exactly(share) * cap:
                words = f"{Decimal(used):f}", f"{Decimal(cap):f}"
                yield Warned(level, name, dimension, share, *words)  # type: ignore[arg-type]


@functools.cache
def _exactly(share: float) -> Decimal:
    """As it is written: three quarters of a cap are no binary fraction's worth."""
    return Decimal(str(share))


def _of_run(plan: Plan, run: RunState, *, billed: bool) -> Iterator[Measured]:
    caps = lowered(plan, run)
    if billed:
        spent = run.ledger.spent(RUN)
        yield "tokens", spent.tokens, caps.tokens
        yield "cost_usd", spent.cost_usd, caps.cost_usd
    yield "minutes", int(run.elapsed_s // 60), caps.minutes
    yield "minor_issues", issues.count(run.issues, "minor"), caps.minor_issues


def _of_tier(plan: Plan, run: RunState, tier_id: str) -> Iterator[Measured]:
    tier = plan.tier(tier_id)
    yield "tokens", run.ledger.spent(f"tier:{tier_id}").tokens, tier.token_cap
    yield "ci_runs", ci_runs(run, tier.phases), tier.ci_runs


def _of_phase(plan: Plan, run: RunState, phase_id: str) -> Iterator[Measured]:
    spec, spent = plan.phase(phase_id), run.ledger.spent(f"phase:{phase_id}")
    yield "tokens", spent.tokens, spec.token_cap
    yield "cost_usd", spent.cost_usd, spec.cost_usd_max


def ci_runs(run: RunState, phases: tuple[str, ...]) -> int:
    return sum(run.phases[phase_id].ci_runs for phase_id in phases)
