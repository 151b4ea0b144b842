"""Before the first model call every profile of the plan is tried on the base commit.

What can't run there can judge nothing, and ends the run. What is red there stays red: with a baseline it doesn't count
against a patch, without one no patch could ever be green. A try that comes out otherwise than the one before is
repeated, so that what is flaky is told from what is broken; near the end of the run's time nothing is repeated that
failed without a word of its own.
"""

from dataclasses import replace

from autopack.plan.model import Plan
from autopack.run.effects import Preflight
from autopack.run.events import PreflightFinished
from autopack.run.state import Failure, RunState
from autopack.run.turn import stopped, wish

LATE = 0.75  # of the run's minutes


def begin(plan: Plan, run: RunState) -> RunState:
    """Wish a try for every profile that a phase of this run still needs."""
    wanted = dict.fromkeys(phase.ci for phase in plan.phases if run.phases[phase.phase_id].state == "QUEUED")
    for name in wanted:
        if plan.profiles[name].preflight is not None:
            run = wish(run, Preflight(run.run_id, name, run.head, 1, None, 0.0))
    return run


def under_way(run: RunState) -> bool:
    return any(isinstance(effect, Preflight) for effect in run.pending.values())


def finished(plan: Plan, run: RunState, effect: Preflight, event: PreflightFinished) -> RunState:
    """Believed, tried again, or the end of the run."""
    if not event.settled and _worth_another(plan, run, effect, event):
        return wish(run, _again(plan, effect, event))
    if event.verdict == "unusable":
        return stopped(run, Failure("ci_unusable", _unusable(effect, event)))
    if event.verdict == "red" and event.failing and not plan.profiles[effect.profile].baseline:
        return stopped(run, Failure("ci_unusable", _never_green(effect, event)))
    return replace(run, standing={**run.standing, effect.profile: event.standing})


def _worth_another(plan: Plan, run: RunState, effect: Preflight, event: PreflightFinished) -> bool:
    told = plan.profiles[effect.profile].preflight
    silent = event.executed_tests == 0
    late = max(run.elapsed_s, event.elapsed_s) >= LATE * plan.caps.minutes * 60.0
    return told is not None and effect.time < told.attempts and not (late and silent)


def _again(plan: Plan, effect: Preflight, event: PreflightFinished) -> Preflight:
    told = plan.profiles[effect.profile].preflight
    backoff_s = told.backoff_s if told else 0.0
    seen = effect.seen if event.verdict == "unusable" else event.standing
    return replace(effect, time=effect.time + 1, seen=seen, delay_s=backoff_s * 2 ** (effect.time - 1))


def _unusable(effect: Preflight, event: PreflightFinished) -> str:
    tries = "" if effect.time == 1 else f" in {effect.time} tries"
    return f"CI profile {effect.profile} can't run on the base commit{tries}, so no phase was started: {event.message}"


def _never_green(effect: Preflight, event: PreflightFinished) -> str:
    return (
        f"CI profile {effect.profile} is red on the base commit in each of {effect.time} tries, so no phase was "
        f"started: {event.message}. Mend that first, or write `baseline: true` in the CI file, so that only new "
        "failures count"
    )
