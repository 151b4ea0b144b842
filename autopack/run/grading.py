"""A plan graded by its run: for each phase that did something, what was predicted and what it took."""

from autopack.plan.calibration import Observation
from autopack.plan.estimate import expected
from autopack.plan.model import Plan
from autopack.run.state import ENDED, PhaseState, RunState

UNHEARD = ("transient", "rate_limited", "lost")


def graded(plan: Plan, run: RunState) -> tuple[Observation, ...]:
    """One observation for every phase that ended and asked a model; phases carried from an earlier run are its own."""
    phases = (run.phases[phase.phase_id] for phase in plan.phases)
    return tuple(observed(plan, run, phase) for phase in phases if phase.state in ENDED and phase.calls)


def observed(plan: Plan, run: RunState, phase: PhaseState, *, completed: bool | None = None) -> Observation:
    """`completed` True for one whose landing is about to be written down."""
    spec = plan.phase(phase.phase_id)
    heard = [call for call in phase.calls if call.outcome not in UNHEARD]
    done = phase.state == "COMPLETE" if completed is None else completed
    kinds = [item.kind for item in phase.evidence]
    model_s = sum(call.latency_s for call in phase.calls)
    audits = sum(call.role == "auditor" for call in heard)
    rejected = kinds.count("audit_rejected")
    return Observation(
        phase_id=phase.phase_id,
        category=spec.category,
        complexity=spec.complexity,
        model=spec.attempts[0].ask.model,
        model_tier=plan.models[spec.attempts[0].ask.model].tier,
        predicted_usd=expected(plan, spec),
        actual_usd=run.ledger.spent(f"phase:{phase.phase_id}").cost_usd,
        builder_calls=sum(call.role == "builder" for call in heard),
        edit_failed=sum(kind in _EDITS for kind in kinds) + _last(phase, "edit_failed", done=done),
        ci_runs=phase.ci_runs,
        ci_red=kinds.count("ci_red") + _last(phase, "ci_red", done=done),
        audits=max(audits, rejected),
        rejected=rejected + _last(phase, "audit_rejected", done=done),
        input_tokens=sum(call.usage.input for call in phase.calls),
        output_tokens=sum(call.usage.output for call in phase.calls),
        model_s=round(model_s, 3),
        ci_s=round(_rest_s(run, phase, model_s), 3),
        completed=done,
    )


_EDITS = ("edit_failed", "format_error", "facts_error")
"""Evidence of a reply that could not be placed, among what went back to the Builder."""


def _last(phase: PhaseState, reason: str, *, done: bool) -> int:
    """The last attempt's trouble is no evidence any more: it is why the phase failed."""
    return int(not done and phase.failure is not None and phase.failure.reason == reason)


def _rest_s(run: RunState, phase: PhaseState, model_s: float) -> float:
    """What the phase took beside its models: most of it is CI."""
    if phase.started_s is None or not phase.ci_runs:
        return 0.0
    ended_s = run.elapsed_s if phase.ended_s is None else phase.ended_s
    return max(0.0, ended_s - phase.started_s - model_s)
