"""What follows every event: dependents are released or skipped, who waits for money is asked, ready phases begin."""

from bisect import insort

from autopack.plan.model import Plan, PlanPhase
from autopack.plan.price import exact
from autopack.run import allowance, issues, ledger
from autopack.run import events as ev
from autopack.run import guards as when
from autopack.run import phase as do
from autopack.run.asking import begin_attempt
from autopack.run.calling import send
from autopack.run.effects import CloseRun, Land, Rebase
from autopack.run.ending import end_all, ended, unclean_tier
from autopack.run.frozen import replace
from autopack.run.landing import carry, land
from autopack.run.state import ENDED, Failure, PhaseState, PhaseStateName, RunState, RunStateName, with_phases
from autopack.run.turn import Turn, base_of, stopped, wish

SHOWS: dict[PhaseStateName, RunStateName] = {
    "QUEUED": "PHASE_QUEUEING",
    "EXECUTING": "PHASE_EXECUTION",
    "GATE": "GATE",
    "CI_RUNNING": "CI_RUNNING",
    "COMPLETE": "SNAPSHOT_CREATED",
}
"""The run shows the state of the phase that moved last; a failed or skipped phase leaves it as it was."""


def move(turn: Turn, to: PhaseStateName) -> Turn:
    phase = turn.phase
    if phase.state != to:
        turn = turn.with_phase(state=to, path=(*phase.path, to))
        if to in SHOWS:
            turn = turn.with_run(state=SHOWS[to])
    if to in ENDED:
        turn = turn.with_phase(ended_s=turn.event.elapsed_s)
    return turn


def settle(plan: Plan, before: RunState, run: RunState) -> RunState:
    run = _after_endings(plan, before, run)
    if not run.stopping and (failure := _too_many(plan, before, run) or _billed_over(plan, run)) is not None:
        run = stopped(run, failure)
    if not run.stopping:
        run = _ask_waiting(plan, run)
    run = end_all(run) if run.stopping else _start_ready(plan, _land_next(plan, run))
    if not run.pending and not run.left:
        run = wish(run, CloseRun(run.run_id, run.protected_refs))
    return run


def _too_many(plan: Plan, before: RunState, run: RunState) -> Failure | None:
    """More distinct minor issues than the run may have; only counted where one has come."""
    if run.issues is before.issues:
        return None
    found = issues.debt(run.issues, "minor")
    if found <= plan.caps.minor_issues:
        return None
    return Failure("minor_issues", f"{found} distinct minor issues, {plan.caps.minor_issues} allowed")


def _billed_over(plan: Plan, run: RunState) -> Failure | None:
    """A bill above its reservation breaks the proof: what has been spent is compared with the run's caps as well."""
    spent, caps = run.ledger.spent(ledger.RUN), allowance.caps(plan, run)
    if spent.tokens > caps.tokens:
        words = f"{spent.tokens:,} tokens were billed, the run may use {caps.tokens:,}"
        return Failure("token_cap", f"{words}: the provider billed more than the request's upper bound [AP6103]")
    if caps.cost_usd is not None and spent.cost_usd > caps.cost_usd:
        words = f"{exact(spent.cost_usd)} USD were billed, the run may spend {exact(caps.cost_usd)}"
        return Failure("cost_cap", f"{words}: the provider billed more than the request's upper bound [AP6103]")
    return None


def _after_endings(plan: Plan, before: RunState, run: RunState) -> RunState:
    """Phases that ended in this turn release or skip their dependents."""
    over = [phase for phase in map(run.phases.__getitem__, before.active) if phase.state in ENDED]
    for phase in sorted(over, key=lambda p: plan.phase(p.phase_id).index):
        if phase.state == "COMPLETE":
            run = _release(plan, run, phase.phase_id)
            run = _judge_tier(plan, run, plan.phase(phase.phase_id))
        else:
            run = _skip_dependents(plan, run, phase.phase_id)
            if phase.state == "FAILED" and plan.fail_fast and not run.stopping and phase.failure is not None:
                run = stopped(run, phase.failure)
    return run


def _judge_tier(plan: Plan, run: RunState, spec: PlanPhase) -> RunState:
    """Where a tier that is not clean fails the run, it does so as soon as its last phase has landed."""
    tier = plan.tier(spec.tier_id)
    if run.stopping or plan.not_clean == "mark" or any(run.phases[name].state != "COMPLETE" for name in tier.phases):
        return run
    failure = unclean_tier(run, tier)
    return run if failure is None else stopped(run, failure)


def _release(plan: Plan, run: RunState, phase_id: str) -> RunState:
    new = [
        name
        for name in plan.dependents[phase_id]
        if run.phases[name].state == "QUEUED" and needs_met(run, plan.phase(name))
    ]
    if not new:
        return run
    ready = list(run.ready)
    for name in new:
        insort(ready, name, key=plan.urgency.__getitem__)
    return replace(run, ready=tuple(ready))


def needs_met(run: RunState, spec: PlanPhase) -> bool:
    return all(run.phases[need].state == "COMPLETE" for need in spec.needs)


def _skip_dependents(plan: Plan, run: RunState, phase_id: str) -> RunState:
    skipped: dict[str, PhaseState] = {}
    todo = list(plan.dependents[phase_id])
    while todo:
        phase = run.phases[todo.pop()]
        if phase.state == "QUEUED" and phase.phase_id not in skipped:
            skipped[phase.phase_id] = ended(phase, "SKIPPED", run.elapsed_s)
            todo.extend(plan.dependents[phase.phase_id])
    return with_phases(run, *skipped.values())


def _ask_waiting(plan: Plan, run: RunState) -> RunState:
    """Phases that wait for money are asked again, in plan order."""
    under_way = (run.phases[name] for name in run.active)
    waiting = sorted((p for p in under_way if p.waiting), key=lambda p: plan.phase(p.phase_id).index)
    for phase in waiting:
        if run.stopping:
            break
        turn = Turn(plan, run, plan.phase(phase.phase_id), phase, ev.TimePassed(run.elapsed_s), None)
        if when.fits(turn):
            run = send(turn.with_phase(waiting=False), delay_s=phase.delay_s).run
        elif when.may_fit_later(turn):
            continue
        elif when.provider_used_up(turn):
            run = do.leave_provider(turn).run
        else:
            turn = do.stop_over_cap(turn) if when.over_run_cap(turn) else do.fail_over_cap(turn)
            before, run = run, move(turn.with_phase(waiting=False), "FAILED").run
            run = _after_endings(plan, before, run)
    return run


def _land_next(plan: Plan, run: RunState) -> RunState:
    """Who is first lands, or is carried onto the head that others have moved; nobody else has to try meanwhile.

    Were all who wait to race for the head, each landing would make all others do again what they had just done.
    """
    if not run.landing or any(isinstance(effect, (Land, Rebase)) for effect in run.pending.values()):
        return run
    phase = run.phases[run.landing[0]]
    turn = Turn(plan, run, plan.phase(phase.phase_id), phase, ev.TimePassed(run.elapsed_s), None)
    return (land if base_of(turn) == run.head else carry)(turn).run


def _start_ready(plan: Plan, run: RunState) -> RunState:
    room = max(plan.pools["phase"], 1) - len(run.active)
    begin, wait = run.ready[: max(room, 0)], run.ready[max(room, 0) :]
    for phase_id in begin:
        spec, phase = plan.phase(phase_id), run.phases[phase_id]
        turn = Turn(plan, run, spec, phase, ev.TimePassed(run.elapsed_s), None)
        run = move(begin_attempt(turn.with_phase(started_s=run.elapsed_s)), "EXECUTING").run
    return replace(run, ready=wait) if begin else run
