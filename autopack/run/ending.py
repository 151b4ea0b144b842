"""How phases and runs end: stopped, out of time, and the last look that decides the terminal state."""

from autopack.plan.model import Plan, PlanTier
from autopack.run import events as ev
from autopack.run import issues
from autopack.run.effects import PAID, CloseRun, Land, Rebase, phase_of
from autopack.run.frozen import replace
from autopack.run.state import DONE, ENDED, Failure, PhaseState, PhaseStateName, RunState, blemishes, with_phases
from autopack.run.turn import stopped


def end_all(run: RunState) -> RunState:
    """Skip what has not begun, fail what is under way, keep only what may be paid for or landed already."""
    if not run.left:
        return run
    landing, over = _landing(run), []
    for phase in run.phases.values():
        if phase.state == "QUEUED":
            over.append(ended(phase, "SKIPPED", run.elapsed_s))
        elif phase.state not in ENDED and phase.phase_id not in landing:
            over.append(replace(ended(phase, "FAILED", run.elapsed_s), failure=run.failure))
    kept = {k: e for k, e in run.pending.items() if isinstance(e, (*PAID, Land, CloseRun))}
    return replace(with_phases(run, *over), pending=kept, ready=())


def _landing(run: RunState) -> frozenset[str]:
    """Phases whose landing is under way; nobody can say yet whether they are on the branch."""
    return frozenset(effect.phase_id for effect in run.pending.values() if isinstance(effect, Land))


def ended(phase: PhaseState, state: PhaseStateName, elapsed_s: float) -> PhaseState:
    return replace(phase, state=state, path=(*phase.path, state), waiting=False, ended_s=elapsed_s)


def time_passed(plan: Plan, run: RunState, elapsed_s: float) -> RunState:
    if run.closing:
        return run
    if elapsed_s >= plan.caps.minutes * 60.0:
        return stopped(run, Failure("duration", f"the run's {plan.caps.minutes} minutes are over"))
    for phase, at_s in deadlines(plan, run):
        if elapsed_s >= at_s:
            run = _out_of_time(plan, run, phase, elapsed_s)
    return run


def deadlines(plan: Plan, run: RunState) -> list[tuple[PhaseState, float]]:
    """Phases with minutes of their own and when those are over; one that waits to land, or lands, has done its part."""
    found = [
        (phase, phase.started_s + minutes * 60.0)
        for phase in (run.phases[name] for name in run.active)
        if phase.started_s is not None and (minutes := plan.phase(phase.phase_id).minutes_max) is not None
    ]
    if not found:
        return found
    carried = {effect.phase_id for effect in run.pending.values() if isinstance(effect, Rebase)}
    landing = {*run.landing} - carried
    return [(phase, at_s) for phase, at_s in found if phase.phase_id not in landing]


def _out_of_time(plan: Plan, run: RunState, phase: PhaseState, elapsed_s: float) -> RunState:
    minutes = plan.phase(phase.phase_id).minutes_max
    failure = Failure("duration", f'phase "{phase.phase_id}" used up its {minutes} minutes')
    over = replace(ended(phase, "FAILED", elapsed_s), failure=failure)
    kept = {k: e for k, e in run.pending.items() if phase_of(e) != phase.phase_id or isinstance(e, PAID)}
    return replace(with_phases(run, over), pending=kept)


def closed(plan: Plan, run: RunState, event: ev.RunClosed | ev.EffectFailed) -> RunState:
    """The terminal state: what touched a protected ref outweighs everything, then why the run was stopped."""
    if isinstance(event, ev.EffectFailed):
        failure: Failure | None = run.failure or Failure(event.trouble, event.message)
    elif event.violations:
        failure = Failure("protected_ref", "a protected ref was changed: " + "; ".join(event.violations))
    else:
        failure = run.failure or _first_failure(plan, run) or _unclean(plan, run)
    if failure is None:
        return replace(run, state="DONE_SUCCESS")
    return replace(run, state=DONE[failure.reason], failure=failure)


_WEIGHT = ("DONE_FAILED_POLICY_VIOLATION", "DONE_FAILED_ENVIRONMENT", "DONE_FAILED_BUDGET_EXHAUSTED")


def _first_failure(plan: Plan, run: RunState) -> Failure | None:
    """Of several failed phases the gravest class counts, within a class the first in plan order."""
    failures = [f for phase in plan.phases if (f := run.phases[phase.phase_id].failure) is not None]
    for state in _WEIGHT:
        for failure in failures:
            if DONE[failure.reason] == state:
                return failure
    return failures[0] if failures else None


def _unclean(plan: Plan, run: RunState) -> Failure | None:
    """Where the ruleset says so, always under safety_critical, a tier that is not clean fails the run."""
    if plan.not_clean == "mark":
        return None
    return next((failure for tier in plan.tiers if (failure := unclean_tier(run, tier)) is not None), None)


def unclean_tier(run: RunState, tier: PlanTier) -> Failure | None:
    found = blemishes(run, tier)
    if not found:
        return None
    major = issues.count(run.issues, "major", tier_id=tier.tier_id) > tier.major_issues
    words = f'tier "{tier.tier_id}" is not clean: {"; ".join(found)}'
    return Failure("major_issues" if major else "tier_caps", words)
