"""The machine: `start(plan)` and `react(plan, state, event)`, nothing else moves a run.

Theory of operation
-------------------
A run is a fold of events over a frozen plan. Between events it is at rest: `state.pending` holds every effect that
was wished and not yet answered, and a driver's whole job is to carry out what is pending and report what happened.

1. An event answers one pending effect by its key; an event that answers nothing pending is illegal, raises
   `IllegalEvent` and changes nothing. `CancelRequested` and `TimePassed` answer nothing and are always legal.
   The answers about the run as a whole lead from ProbeProviders to OpenRun to a Preflight of every CI profile; no phase
   starts before each of them has been tried.
2. An event about a phase picks the first row of TABLE whose state and event type match and whose guard holds.
   The row names the next state; its action books the facts and makes the next wishes. No row: illegal.
3. After each event the run settles: phases that wait for money are asked again, dependents of a failed phase are
   skipped, ready phases start while there is room among the active ones, and when every phase has ended and nothing
   is pending the run wishes CloseRun. The answer to that decides the terminal state.
4. A run that has to stop (a run cap, an unusable environment, cancel, fail_fast) drops its wishes except two kinds.
   Model calls may be in flight and paid for, so their answers are still booked; a driver that has not sent one yet
   answers `CallDropped` (see `unwanted`). A landing may be done already, and what passed everything may stay.
5. Once every phase has ended, a cancel or a deadline comes too late and changes nothing.
6. A plan that goes on from an earlier run names the phases which that one has landed: they are COMPLETE from the
   start, their open issues count on, and what they cost is shown but not charged again.

One attempt of a phase walks

    QUEUED -> EXECUTING (context, builder) -> GATE (patch) -> CI_RUNNING -> GATE (audit where due, landing) -> COMPLETE

and goes back to EXECUTING with evidence whenever something is refused and an attempt is left. Every attempt starts
from the integration head; nothing is ever reverted, because nothing lands before it passed everything.
It ends: each return to EXECUTING takes one of the finitely many attempts of the plan, each resend, also after a crash,
one of the finitely many retries, and a phase may lose the race for the head at most once for each phase of the plan.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autopack.plan import model as plan_model
from autopack.plan.model import Plan, PlanPhase
from autopack.run import events as ev
from autopack.run import issues, ledger, preflight
from autopack.run import phase as do
from autopack.run.continued import carried_over, open_issues
from autopack.run.effects import (
    ApplyReply,
    AssembleContext,
    CallModel,
    CloseRun,
    Effect,
    Land,
    OpenRun,
    Preflight,
    ProbeProviders,
    ReadReview,
    Rebase,
    RunCi,
    phase_of,
)
from autopack.run.frozen import replace
from autopack.run.state import DONE, ENDED, Failure, PhaseState, PhaseStateName, RunState, RunStateName, blemishes
from autopack.run.turn import Turn, begin_attempt, book, send, stopped, wish

SHOWS: dict[PhaseStateName, RunStateName] = {
    "QUEUED": "PHASE_QUEUEING",
    "EXECUTING": "PHASE_EXECUTION",
    "GATE": "GATE",
    "CI_RUNNING": "CI_RUNNING",
    "COMPLETE": "SNAPSHOT_CREATED",
}
"""The run shows the state of the phase that moved last; a failed or skipped phase leaves it as it was."""


class IllegalEvent(Exception):
    """An event that the state does not allow. The state is unchanged."""


Guard = Callable[[Turn], bool]
Action = Callable[[Turn], Turn]


@dataclass(frozen=True, slots=True)
class Row:
    """In state `at`, on `event`, when `guard` holds: do `action` and be in `to`."""

    at: PhaseStateName
    event: type
    guard: Guard
    to: PhaseStateName
    action: Action


# --- the table --------------------------------------------------------------------------------------------------

TABLE: tuple[Row, ...] = (
    Row("EXECUTING", ev.ContextAssembled, do.too_big, "FAILED", do.fail_too_big),
    Row("EXECUTING", ev.ContextAssembled, do.fits, "EXECUTING", do.call_model),
    Row("EXECUTING", ev.ContextAssembled, do.may_fit_later, "EXECUTING", do.wait_for_money),
    Row("EXECUTING", ev.ContextAssembled, do.over_run_cap, "FAILED", do.stop_over_cap),
    Row("EXECUTING", ev.ContextAssembled, do.always, "FAILED", do.fail_over_cap),
    Row("EXECUTING", ev.ModelAnswered, do.answered, "GATE", do.apply_reply),
    Row("EXECUTING", ev.ModelAnswered, do.unusable_key, "FAILED", do.provider_refuses),
    Row("EXECUTING", ev.ModelAnswered, do.passing_trouble_again, "EXECUTING", do.send_again),
    Row("EXECUTING", ev.ModelAnswered, do.passing_trouble, "FAILED", do.provider_down),
    Row("EXECUTING", ev.ModelAnswered, do.attempts_left, "EXECUTING", do.ask_builder_again),
    Row("EXECUTING", ev.ModelAnswered, do.always, "FAILED", do.builder_gave_nothing),
    Row("EXECUTING", ev.EffectLost, do.may_send_again, "EXECUTING", do.send_again_after_loss),
    Row("EXECUTING", ev.EffectLost, do.always, "FAILED", do.lost_for_good),
    Row("GATE", ev.PatchAccepted, do.always, "CI_RUNNING", do.run_ci),
    Row("GATE", ev.PatchRefused, do.attempts_left, "EXECUTING", do.retry_patch),
    Row("GATE", ev.PatchRefused, do.always, "FAILED", do.give_up_patch),
    Row("CI_RUNNING", ev.CiFinished, do.red_with_attempts, "EXECUTING", do.retry_after_red),
    Row("CI_RUNNING", ev.CiFinished, do.red, "FAILED", do.give_up_red),
    Row("CI_RUNNING", ev.CiFinished, do.audit_needed, "GATE", do.start_audit),
    Row("CI_RUNNING", ev.CiFinished, do.always, "GATE", do.start_landing),
    Row("GATE", ev.ContextAssembled, do.too_big, "FAILED", do.fail_too_big),
    Row("GATE", ev.ContextAssembled, do.fits, "GATE", do.call_model),
    Row("GATE", ev.ContextAssembled, do.may_fit_later, "GATE", do.wait_for_money),
    Row("GATE", ev.ContextAssembled, do.over_run_cap, "FAILED", do.stop_over_cap),
    Row("GATE", ev.ContextAssembled, do.always, "FAILED", do.fail_over_cap),
    Row("GATE", ev.ModelAnswered, do.answered_by_auditor, "GATE", do.read_review),
    Row("GATE", ev.ModelAnswered, do.unusable_key, "FAILED", do.provider_refuses),
    Row("GATE", ev.ModelAnswered, do.passing_trouble_again, "GATE", do.send_again),
    Row("GATE", ev.ModelAnswered, do.passing_trouble, "FAILED", do.provider_down),
    Row("GATE", ev.ModelAnswered, do.auditor_unclear, "GATE", do.ask_auditor_again),
    Row("GATE", ev.ModelAnswered, do.always, "FAILED", do.auditor_gave_nothing),
    Row("GATE", ev.EffectLost, do.may_send_again, "GATE", do.send_again_after_loss),
    Row("GATE", ev.EffectLost, do.always, "FAILED", do.lost_for_good),
    Row("GATE", ev.ReviewRead, do.approves, "GATE", do.land_approved),
    Row("GATE", ev.ReviewRead, do.may_revise, "EXECUTING", do.revise),
    Row("GATE", ev.ReviewRead, do.always, "FAILED", do.give_up_audit),
    Row("GATE", ev.ReviewUnreadable, do.auditor_asks_left, "GATE", do.reask_review),
    Row("GATE", ev.ReviewUnreadable, do.always, "FAILED", do.give_up_review),
    Row("GATE", ev.Landed, do.always, "COMPLETE", do.complete),
    Row("GATE", ev.HeadMoved, do.head_is_foreign, "FAILED", do.stop_tampered),
    Row("GATE", ev.HeadMoved, do.may_race_again, "GATE", do.rebase),
    Row("GATE", ev.HeadMoved, do.always, "FAILED", do.give_up_landing),
    Row("GATE", ev.Rebased, do.needs_recheck, "CI_RUNNING", do.recheck),
    Row("GATE", ev.Rebased, do.always, "GATE", do.land_carried),
    Row("GATE", ev.Conflicted, do.first_conflict, "EXECUTING", do.retry_conflict),
    Row("GATE", ev.Conflicted, do.always, "FAILED", do.give_up_conflict),
    Row("EXECUTING", ev.EffectFailed, do.always, "FAILED", do.trouble),
    Row("GATE", ev.EffectFailed, do.always, "FAILED", do.trouble),
    Row("CI_RUNNING", ev.EffectFailed, do.always, "FAILED", do.trouble),
)


# --- the two functions ------------------------------------------------------------------------------------------


def start(plan: Plan, run_id: str, plan_sha256: str | None = None) -> RunState:
    """A run that has not done anything yet; its first wish is to probe the providers."""
    if plan.base_commit is None:
        raise ValueError("a plan without a base commit can't run: pin it to a commit first")
    carried = {each.phase_id: carried_over(each) for each in plan.carried}
    run = RunState(
        run_id=run_id,
        plan_sha256=plan_sha256 or plan_model.digest(plan),
        state="RUN_CREATED",
        elapsed_s=0.0,
        head=plan.base_commit,
        protected_refs={},
        phases={p.phase_id: carried.get(p.phase_id) or PhaseState(p.phase_id) for p in plan.phases},
        ready=(),
        ledger=ledger.EMPTY,
        issues=open_issues(plan),
        pending={},
    )
    return wish(run, ProbeProviders(run_id))


def react(plan: Plan, run: RunState, event: ev.Event) -> RunState:
    """The run after the event. Raises IllegalEvent, then nothing has changed."""
    if run.done:
        raise IllegalEvent(f"run {run.run_id} has ended in {run.state}; {type(event).__name__} came too late")
    if isinstance(event, ev.CancelRequested):
        after = run if run.closing else stopped(run, Failure("cancelled", f"cancelled by {event.by}"))
    elif isinstance(event, ev.TimePassed):
        after = _time_passed(plan, run, event.elapsed_s)
    else:
        after = _answer(plan, run, event)
    after = replace(after, elapsed_s=max(run.elapsed_s, event.elapsed_s))
    return after if after.done else _settle(plan, run, after)


def next_deadline_s(plan: Plan, run: RunState) -> float | None:
    """When, on the run's own clock, the driver must send TimePassed; None when no clock matters any more."""
    if run.stopping or run.done or run.closing:
        return None
    return min((plan.caps.minutes * 60.0, *(at_s for _, at_s in _deadlines(plan, run))))


def unwanted(run: RunState) -> tuple[str, ...]:
    """Keys of the model calls whose phase has ended: a driver that has not sent one answers it with CallDropped."""
    return tuple(
        key
        for key, effect in run.pending.items()
        if isinstance(effect, CallModel) and run.phases[effect.phase_id].state in ENDED
    )


# --- answers ----------------------------------------------------------------------------------------------------


def _answer(plan: Plan, run: RunState, event: Any) -> RunState:
    effect = run.pending.get(event.key)
    if effect is None:
        raise IllegalEvent(f"{type(event).__name__} answers nothing that run {run.run_id} has asked for")
    if type(event) not in ANSWERS[type(effect)]:
        raise IllegalEvent(f"{type(event).__name__} is no answer to {type(effect).__name__}")
    answered_run = replace(run, pending={k: e for k, e in run.pending.items() if k != event.key})
    phase_id = phase_of(effect)
    if phase_id is None:
        return _answer_run(plan, answered_run, effect, event)
    turn = Turn(plan, answered_run, plan.phase(phase_id), run.phases[phase_id], event, effect)
    if turn.phase.state in ENDED:
        return _late(turn)
    row = _row(turn)
    return _move(row.action(turn), row.to).run


def _row(turn: Turn) -> Row:
    for row in TABLE:
        if row.at == turn.phase.state and row.event is type(turn.event) and row.guard(turn):
            return row
    raise IllegalEvent(
        f"phase {turn.phase.phase_id} is {turn.phase.state}; {type(turn.event).__name__} has no place there"
    )


ANSWERS: dict[type, tuple[type, ...]] = {
    ProbeProviders: (ev.ProvidersProbed, ev.EffectFailed),
    OpenRun: (ev.RunOpened, ev.EffectFailed),
    Preflight: (ev.PreflightFinished, ev.EffectFailed),
    AssembleContext: (ev.ContextAssembled, ev.EffectFailed),
    CallModel: (ev.ModelAnswered, ev.EffectLost, ev.EffectFailed, ev.CallDropped),
    ApplyReply: (ev.PatchAccepted, ev.PatchRefused, ev.EffectFailed),
    ReadReview: (ev.ReviewRead, ev.ReviewUnreadable, ev.EffectFailed),
    RunCi: (ev.CiFinished, ev.EffectFailed),
    Rebase: (ev.Rebased, ev.PatchRefused, ev.Conflicted, ev.EffectFailed),
    Land: (ev.Landed, ev.HeadMoved, ev.EffectFailed),
    CloseRun: (ev.RunClosed, ev.EffectFailed),
}


def _answer_run(plan: Plan, run: RunState, effect: Effect, event: Any) -> RunState:
    if isinstance(effect, CloseRun):
        return _closed(plan, run, event)
    if isinstance(event, ev.EffectFailed):
        return stopped(run, Failure(event.trouble, event.message))
    if isinstance(event, ev.ProvidersProbed):
        return _probed(plan, run, event)
    if isinstance(effect, Preflight):
        return _queued(plan, preflight.finished(plan, run, effect, event))
    opened = replace(run, state="PHASE_QUEUEING", head=event.head, protected_refs=event.protected_refs)
    return _queued(plan, preflight.begin(plan, opened))


def _queued(plan: Plan, run: RunState) -> RunState:
    """Phases that need nothing are ready once every profile has been tried."""
    if run.stopping or preflight.under_way(run):
        return run
    roots = (p.phase_id for p in plan.phases if run.phases[p.phase_id].state == "QUEUED" and _needs_met(run, p))
    return replace(run, ready=tuple(roots))


def _probed(plan: Plan, run: RunState, event: ev.ProvidersProbed) -> RunState:
    if event.failures:
        facts = "; ".join(f"{endpoint}: {why}" for endpoint, why in sorted(event.failures.items()))
        return stopped(run, Failure("auth" if event.about_keys else "provider_down", f"no phase was started: {facts}"))
    assert plan.base_commit is not None
    return wish(run, OpenRun(run.run_id, plan.base_commit))


def _late(turn: Turn) -> RunState:
    """An answer for a phase that has ended meanwhile: only its bill counts."""
    if isinstance(turn.event, ev.CallDropped):
        return replace(turn.run, ledger=ledger.release(turn.run.ledger, turn.event.key))
    if isinstance(turn.effect, CallModel):
        return book(turn).run
    raise IllegalEvent(f"phase {turn.phase.phase_id} has ended in {turn.phase.state}")


def _move(turn: Turn, to: PhaseStateName) -> Turn:
    phase = turn.phase
    if phase.state != to:
        turn = turn.with_phase(state=to, path=(*phase.path, to))
        if to in SHOWS:
            turn = turn.with_run(state=SHOWS[to])
    if to in ENDED:
        turn = turn.with_phase(ended_s=turn.event.elapsed_s)
    return turn


# --- what follows every event -----------------------------------------------------------------------------------


def _settle(plan: Plan, before: RunState, run: RunState) -> RunState:
    run = _after_endings(plan, before, run)
    if not run.stopping and issues.debt(run.issues, "minor") > plan.caps.minor_issues:
        words = f"{issues.debt(run.issues, 'minor')} distinct minor issues, {plan.caps.minor_issues} allowed"
        run = stopped(run, Failure("minor_issues", words))
    if not run.stopping and (failure := _billed_over(plan, run)) is not None:
        run = stopped(run, failure)
    if not run.stopping:
        run = _ask_waiting(plan, run)
    run = _end_all(run) if run.stopping else _start_ready(plan, run)
    if not run.pending and all(phase.state in ENDED for phase in run.phases.values()):
        run = wish(run, CloseRun(run.run_id, run.protected_refs))
    return run


def _billed_over(plan: Plan, run: RunState) -> Failure | None:
    """A bill above its reservation breaks the proof: what has been spent is compared with the run's caps as well."""
    spent, caps = run.ledger.spent(ledger.RUN), plan.caps
    if spent.tokens > caps.tokens:
        words = f"{spent.tokens:,} tokens were billed, the run may use {caps.tokens:,}"
        return Failure("token_cap", f"{words}: the provider billed more than the request's upper bound [AP6103]")
    if caps.cost_usd is not None and spent.cost_usd > caps.cost_usd:
        words = f"{spent.cost_usd:,f} USD were billed, the run may spend {caps.cost_usd:,f}"
        return Failure("cost_cap", f"{words}: the provider billed more than the request's upper bound [AP6103]")
    return None


def _after_endings(plan: Plan, before: RunState, run: RunState) -> RunState:
    """Phases that ended in this turn release or skip their dependents."""
    ended = [
        phase
        for phase_id, phase in run.phases.items()
        if phase.state in ENDED and before.phases[phase_id].state not in ENDED
    ]
    for phase in ended:
        if phase.state == "COMPLETE":
            run = _release(plan, run, phase.phase_id)
        else:
            run = _skip_dependents(plan, run, phase.phase_id)
            if phase.state == "FAILED" and plan.fail_fast and not run.stopping and phase.failure is not None:
                run = stopped(run, phase.failure)
    return run


def _release(plan: Plan, run: RunState, phase_id: str) -> RunState:
    ready = set(run.ready)
    for dependent in plan.dependents[phase_id]:
        if run.phases[dependent].state == "QUEUED" and _needs_met(run, plan.phase(dependent)):
            ready.add(dependent)
    return replace(run, ready=tuple(sorted(ready, key=lambda name: plan.phase(name).index)))


def _needs_met(run: RunState, spec: PlanPhase) -> bool:
    return all(run.phases[need].state == "COMPLETE" for need in spec.needs)


def _skip_dependents(plan: Plan, run: RunState, phase_id: str) -> RunState:
    phases = dict(run.phases)
    todo = list(plan.dependents[phase_id])
    while todo:
        phase = phases[todo.pop()]
        if phase.state == "QUEUED":
            phases[phase.phase_id] = _ended(phase, "SKIPPED", run.elapsed_s)
            todo.extend(plan.dependents[phase.phase_id])
    return replace(run, phases=phases)


def _ask_waiting(plan: Plan, run: RunState) -> RunState:
    """Phases that wait for money are asked again, in plan order."""
    waiting = sorted((p for p in run.phases.values() if p.waiting), key=lambda p: plan.phase(p.phase_id).index)
    for phase in waiting:
        if run.stopping:
            break
        turn = Turn(plan, run, plan.phase(phase.phase_id), phase, ev.TimePassed(run.elapsed_s), None)
        if do.fits(turn):
            run = send(turn.with_phase(waiting=False), delay_s=phase.delay_s).run
        elif not do.may_fit_later(turn):
            turn = do.stop_over_cap(turn) if do.over_run_cap(turn) else do.fail_over_cap(turn)
            before, run = run, _move(turn.with_phase(waiting=False), "FAILED").run
            run = _after_endings(plan, before, run)
    return run


def _start_ready(plan: Plan, run: RunState) -> RunState:
    active = sum(1 for phase in run.phases.values() if phase.state not in ENDED and phase.state != "QUEUED")
    room = max(plan.pools["phase"], 1) - active
    for phase_id in run.ready[: max(room, 0)]:
        spec, phase = plan.phase(phase_id), run.phases[phase_id]
        turn = Turn(plan, run, spec, phase, ev.TimePassed(run.elapsed_s), None)
        turn = _move(begin_attempt(turn.with_phase(started_s=run.elapsed_s)), "EXECUTING")
        run = replace(turn.run, ready=tuple(name for name in run.ready if name != phase_id))
    return run


# --- stopping and ending ----------------------------------------------------------------------------------------


def _end_all(run: RunState) -> RunState:
    """Skip what has not begun, fail what is under way, keep only what may be paid for or landed already."""
    phases, landing = dict(run.phases), _landing(run)
    for phase in run.phases.values():
        if phase.state == "QUEUED":
            phases[phase.phase_id] = _ended(phase, "SKIPPED", run.elapsed_s)
        elif phase.state not in ENDED and phase.phase_id not in landing:
            phases[phase.phase_id] = replace(_ended(phase, "FAILED", run.elapsed_s), failure=run.failure)
    kept = {k: e for k, e in run.pending.items() if isinstance(e, (CallModel, Land, CloseRun))}
    return replace(run, phases=phases, pending=kept, ready=())


def _landing(run: RunState) -> frozenset[str]:
    """Phases whose landing is under way; nobody can say yet whether they are on the branch."""
    return frozenset(effect.phase_id for effect in run.pending.values() if isinstance(effect, Land))


def _ended(phase: PhaseState, state: PhaseStateName, elapsed_s: float) -> PhaseState:
    return replace(phase, state=state, path=(*phase.path, state), waiting=False, ended_s=elapsed_s)


def _time_passed(plan: Plan, run: RunState, elapsed_s: float) -> RunState:
    if run.closing:
        return run
    if elapsed_s >= plan.caps.minutes * 60.0:
        return stopped(run, Failure("duration", f"the run's {plan.caps.minutes} minutes are over"))
    for phase, at_s in _deadlines(plan, run):
        if elapsed_s >= at_s:
            run = _out_of_time(plan, run, phase, elapsed_s)
    return run


def _deadlines(plan: Plan, run: RunState) -> list[tuple[PhaseState, float]]:
    """Phases with minutes of their own and when those are over; one that is landing has done its part."""
    landing = _landing(run)
    return [
        (phase, phase.started_s + minutes * 60.0)
        for phase in run.phases.values()
        if phase.state not in ENDED
        and phase.started_s is not None
        and (minutes := plan.phase(phase.phase_id).minutes_max) is not None
        and phase.phase_id not in landing
    ]


def _out_of_time(plan: Plan, run: RunState, phase: PhaseState, elapsed_s: float) -> RunState:
    minutes = plan.phase(phase.phase_id).minutes_max
    failure = Failure("duration", f'phase "{phase.phase_id}" used up its {minutes} minutes')
    ended = replace(_ended(phase, "FAILED", elapsed_s), failure=failure)
    kept = {k: e for k, e in run.pending.items() if phase_of(e) != phase.phase_id or isinstance(e, CallModel)}
    return replace(run, phases={**run.phases, phase.phase_id: ended}, pending=kept)


def _closed(plan: Plan, run: RunState, event: ev.RunClosed | ev.EffectFailed) -> RunState:
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
    """Under safety_critical a tier that is not clean fails the run."""
    if plan.safety_profile != "safety_critical":
        return None
    for tier in plan.tiers:
        found = blemishes(run, tier)
        if found:
            major = issues.count(run.issues, "major", tier_id=tier.tier_id) > tier.major_issues
            words = f'tier "{tier.tier_id}" is not clean: {"; ".join(found)}'
            return Failure("major_issues" if major else "tier_caps", words)
    return None
