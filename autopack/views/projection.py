"""The fold of a run's events as one value for every reader: terminal, JSON, files and REST show these numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from autopack.plan import canonical
from autopack.plan.model import Earlier, Plan, PlanTier
from autopack.run import issues
from autopack.run.allowance import caps as lowered
from autopack.run.allowance import used
from autopack.run.effects import AskExternal
from autopack.run.ledger import RUN
from autopack.run.promotion import debt_status, eligible
from autopack.run.state import ENDED, PhaseState, RunState, Warned, blemishes, tier_state


@dataclass(frozen=True, slots=True)
class PhaseView:
    phase_id: str
    tier_id: str
    name: str
    state: str
    path: tuple[str, ...]
    attempts: int
    model_calls: int
    ci_runs: int
    tokens_used: int
    token_cap: int
    cost_usd: Decimal
    model: str
    commit: str | None
    failure_reason: str | None
    failure: str | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class TierView:
    tier_id: str
    name: str
    state: str
    cleanliness: str
    why_not_clean: tuple[str, ...]
    tokens_used: int
    token_cap: int
    cost_usd: Decimal
    ci_runs: int
    ci_runs_cap: int
    minor_issues: int
    major_issues: int
    phases: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class RunView:
    run_id: str
    project: str
    playbook: str
    state: str
    failure_reason: str | None
    failure: str | None
    integration_branch: str
    head: str
    base_commit: str
    elapsed_s: float
    tokens_used: int
    token_cap: int
    cost_usd: Decimal
    cost_usd_max: Decimal | None
    model_calls: int
    maybe_paid_calls: int
    tiers: tuple[TierView, ...]
    phases: tuple[PhaseView, ...]
    issues: tuple[issues.Issue, ...]
    promotion_eligible_to_main: bool
    plan_sha256: str
    continues: Earlier | None
    debt_status: str
    warnings: tuple[Warned, ...]
    unusable: Mapping[str, str]

    @property
    def done(self) -> bool:
        return self.state.startswith("DONE_")


def view(plan: Plan, run: RunState) -> RunView:
    """Everything a reader may want of a run at this moment."""
    spent, caps = run.ledger.spent(RUN), lowered(plan, run)
    calls = [call for phase in run.phases.values() for call in phase.calls]
    return RunView(
        run_id=run.run_id,
        project=plan.project,
        playbook=plan.playbook,
        state=run.state,
        failure_reason=run.failure.reason if run.failure else None,
        failure=run.failure.message if run.failure else None,
        integration_branch=plan.branch(run.run_id),
        head=run.head,
        base_commit=plan.base_commit or "",
        elapsed_s=run.elapsed_s,
        tokens_used=spent.tokens,
        token_cap=caps.tokens,
        cost_usd=spent.cost_usd,
        cost_usd_max=caps.cost_usd,
        model_calls=len(calls),
        maybe_paid_calls=sum(call.maybe_paid for call in calls),
        tiers=tuple(_tier(run, tier) for tier in plan.tiers),
        phases=tuple(_phase(plan, run, run.phases[phase.phase_id]) for phase in plan.phases),
        issues=tuple(run.issues[key] for key in sorted(run.issues)),
        promotion_eligible_to_main=eligible(plan, run),
        plan_sha256=run.plan_sha256,
        continues=plan.continues,
        debt_status=debt_status(plan, run),
        warnings=run.warnings,
        unusable=run.unusable,
    )


def summary(found: RunView, artifacts: str | None) -> dict[str, Any]:
    """The run summary of `run --json`, `resume --json` and `status --json`; `artifacts` is the run's folder."""
    return {
        "run_id": found.run_id,
        "state": found.state,
        "failure_reason": found.failure_reason,
        "failure": found.failure,
        "integration_branch": found.integration_branch,
        "head": found.head,
        "tokens_used": found.tokens_used,
        "cost_usd": f"{found.cost_usd:f}",
        "model_calls": found.model_calls,
        "maybe_paid_calls": found.maybe_paid_calls,
        "elapsed_s": round(found.elapsed_s, 3),
        "tiers": [_tier_summary(tier) for tier in found.tiers],
        "phases": [_phase_summary(phase) for phase in found.phases],
        "issues": [canonical.plain(issue) for issue in found.issues],
        "promotion_eligible_to_main": found.promotion_eligible_to_main,
        "plan_sha256": found.plan_sha256,
        "continues": _earlier(found.continues),
        "debt_status": found.debt_status,
        "budget_warnings": [canonical.plain(warning) for warning in found.warnings],
        "models_given_up": dict(found.unusable),
        "artifacts": artifacts,
    }


def _earlier(before: Earlier | None) -> dict[str, Any] | None:
    """The run this one goes on from, and what it and those before it have spent."""
    if before is None:
        return None
    return {"run_id": before.run_id, "tokens_used": before.tokens, "cost_usd": f"{before.cost_usd:f}"}


def row(plan: Plan, run: RunState) -> Mapping[str, Any]:
    """What the store keeps beside the events so that lists need no fold; `state` becomes the run's."""
    spent = run.ledger.spent(RUN)
    return {
        "state": run.state,
        "failure_reason": run.failure.reason if run.failure else None,
        **_waiting(run),
        "playbook": plan.playbook,
        "tokens_used": spent.tokens,
        "cost_usd": f"{spent.cost_usd:f}",
        "provider_tokens": {name: used(plan, run.ledger, name)[0] for name in sorted(_providers(plan))},
        "model_calls": run.ledger.calls,
        "phases_done": len(plan.phases) - run.left,
        "phases": len(plan.phases),
        "elapsed_s": round(run.elapsed_s, 3),
        "ci_runs": run.ledger.ci_runs,
        "debt_status": debt_status(plan, run),
        "safety_profile": plan.safety_profile,
        "run_scope": plan.run_scope,
        "promotion_eligible_to_main": run.done and eligible(plan, run),
    }


def _waiting(run: RunState) -> dict[str, Any]:
    """By phase, the key of what a client is asked for; nothing where none is."""
    asked = {effect.phase_id: key for key, effect in run.pending.items() if isinstance(effect, AskExternal)}
    return {"waits_for_client": asked} if asked else {}


def _providers(plan: Plan) -> set[str]:
    return {model.provider for model in plan.models.values()}


def _tier(run: RunState, tier: PlanTier) -> TierView:
    spent = run.ledger.spent(f"tier:{tier.tier_id}")
    state = tier_state(run, tier)
    faults = blemishes(run, tier) if state in ENDED else ()
    return TierView(
        tier_id=tier.tier_id,
        name=tier.name,
        state=state,
        cleanliness="not_clean" if faults else "clean",
        why_not_clean=faults,
        tokens_used=spent.tokens,
        token_cap=tier.token_cap,
        cost_usd=spent.cost_usd,
        ci_runs=sum(run.phases[phase_id].ci_runs for phase_id in tier.phases),
        ci_runs_cap=tier.ci_runs,
        minor_issues=issues.count(run.issues, "minor", tier_id=tier.tier_id),
        major_issues=issues.count(run.issues, "major", tier_id=tier.tier_id),
        phases=tier.phases,
    )


def _phase(plan: Plan, run: RunState, phase: PhaseState) -> PhaseView:
    spec, spent = plan.phase(phase.phase_id), run.ledger.spent(f"phase:{phase.phase_id}")
    rung = spec.ladder[max(phase.attempt, 1) - 1]
    ended_s = run.elapsed_s if phase.ended_s is None else phase.ended_s
    return PhaseView(
        phase_id=phase.phase_id,
        tier_id=spec.tier_id,
        name=spec.name,
        state=phase.state,
        path=phase.path,
        attempts=phase.attempt,
        model_calls=len(phase.calls),
        ci_runs=phase.ci_runs,
        tokens_used=spent.tokens,
        token_cap=spec.token_cap,
        cost_usd=spent.cost_usd,
        model=phase.model or rung.ask.model,
        commit=phase.commit,
        failure_reason=phase.failure.reason if phase.failure else None,
        failure=phase.failure.message if phase.failure else None,
        seconds=None if phase.started_s is None else ended_s - phase.started_s,
    )


def _tier_summary(tier: TierView) -> dict[str, Any]:
    shown = ("tier_id", "name", "state", "cleanliness", "tokens_used", "ci_runs", "minor_issues", "major_issues")
    return {name: getattr(tier, name) for name in shown} | {"cost_usd": f"{tier.cost_usd:f}"}


def _phase_summary(phase: PhaseView) -> dict[str, Any]:
    return {
        "phase_id": phase.phase_id,
        "tier_id": phase.tier_id,
        "state": phase.state,
        "attempts": phase.attempts,
        "tokens_used": phase.tokens_used,
        "cost_usd": f"{phase.cost_usd:f}",
        "commit": phase.commit,
        "failure": phase.failure,
    }
