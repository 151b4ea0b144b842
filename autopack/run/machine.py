"""The machine: `start(plan)` and `react(plan, state, event)`, nothing else moves a run.

Theory of operation
-------------------
A run is a fold of events over a frozen plan. Between events it is at rest: `state.pending` holds every effect that
was wished and not yet answered, and a driver's whole job is to carry out what is pending and report what happened.

1. An event answers one pending effect by its key; an event that answers nothing pending is illegal, raises
   `IllegalEvent` and changes nothing. `CancelRequested` and `TimePassed` answer nothing and are always legal.
   The answers about the run as a whole lead from ProbeProviders (to TakeAllowance, where project or provider has a cap
   for all runs) to OpenRun to a Preflight of every CI profile; no phase starts before each of them has been tried.
2. An event about a phase picks the first row of TABLE whose state and event type match and whose guard holds.
   The row names the next state; its action books the facts and makes the next wishes. No row: illegal.
3. After each event the run settles: phases that wait for money are asked again, dependents of a failed phase are
   skipped, who has waited longest to land does so (or is carried onto the head first, where that has moved), ready
   phases start while there is room among the active ones, and when every phase has ended and nothing is pending the
   run wishes CloseRun. The answer to that decides the terminal state.
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
The attempts are a ladder that the plan holds: the Builder's rungs, each of which changes something, then patches of
the Auditor's own, which go the same way. A model that can't be used is given up for the run, and the next one that the
plan names answers in its place. Where two models have to judge, both are heard before the patch may land or goes back.
It ends: each return to EXECUTING takes one of the finitely many attempts of the plan, each resend, also after a crash,
one of the finitely many retries, each fallback one of the finitely many models, and a phase may lose the race for the
head at most once for each phase of the plan.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from autopack.plan import model as plan_model
from autopack.plan.model import Plan
from autopack.run import allowance, ledger, preflight
from autopack.run import events as ev
from autopack.run import guards as when
from autopack.run import phase as do
from autopack.run.calling import book
from autopack.run.continued import carried_over, open_issues
from autopack.run.effects import (
    PAID,
    ApplyChange,
    ApplyReply,
    AskExternal,
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
    RunBuilder,
    RunCi,
    TakeAllowance,
    phase_of,
)
from autopack.run.ending import closed, deadlines, time_passed
from autopack.run.frozen import replace
from autopack.run.settling import move, needs_met, settle
from autopack.run.state import ENDED, Failure, PhaseState, PhaseStateName, RunState
from autopack.run.turn import Turn, stopped, wish
from autopack.run.warnings import warned


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
    Row("EXECUTING", ev.ContextAssembled, when.too_big, "FAILED", do.fail_too_big),
    Row("EXECUTING", ev.ContextAssembled, when.fits, "EXECUTING", do.call_model),
    Row("EXECUTING", ev.ContextAssembled, when.may_fit_later, "EXECUTING", do.wait_for_money),
    Row("EXECUTING", ev.ContextAssembled, when.provider_used_up, "EXECUTING", do.leave_provider),
    Row("EXECUTING", ev.ContextAssembled, when.over_run_cap, "FAILED", do.stop_over_cap),
    Row("EXECUTING", ev.ContextAssembled, when.always, "FAILED", do.fail_over_cap),
    Row("EXECUTING", ev.ModelAnswered, when.answered, "GATE", do.apply_reply),
    Row("EXECUTING", ev.ModelAnswered, when.passing_trouble_again, "EXECUTING", do.send_again),
    Row("EXECUTING", ev.ModelAnswered, when.can_fall_back, "EXECUTING", do.fall_back),
    Row("EXECUTING", ev.ModelAnswered, when.unusable_key, "FAILED", do.provider_refuses),
    Row("EXECUTING", ev.ModelAnswered, when.passing_trouble, "FAILED", do.provider_down),
    Row("EXECUTING", ev.ModelAnswered, when.attempts_left, "EXECUTING", do.ask_builder_again),
    Row("EXECUTING", ev.ModelAnswered, when.always, "FAILED", do.builder_gave_nothing),
    Row("EXECUTING", ev.BuilderFinished, when.changed, "GATE", do.apply_change),
    Row("EXECUTING", ev.BuilderFinished, when.not_there, "FAILED", do.command_not_found),
    Row("EXECUTING", ev.BuilderFinished, when.attempts_left, "EXECUTING", do.run_builder_again),
    Row("EXECUTING", ev.BuilderFinished, when.always, "FAILED", do.command_failed),
    Row("EXECUTING", ev.EffectLost, when.may_send_again, "EXECUTING", do.send_again_after_loss),
    Row("EXECUTING", ev.EffectLost, when.always, "FAILED", do.lost_for_good),
    Row("GATE", ev.PatchAccepted, when.always, "CI_RUNNING", do.run_ci),
    Row("GATE", ev.PatchRefused, when.attempts_left, "EXECUTING", do.retry_patch),
    Row("GATE", ev.PatchRefused, when.always, "FAILED", do.give_up_patch),
    Row("CI_RUNNING", ev.CiFinished, when.red_with_attempts, "EXECUTING", do.retry_after_red),
    Row("CI_RUNNING", ev.CiFinished, when.red, "FAILED", do.give_up_red),
    Row("CI_RUNNING", ev.CiFinished, when.audit_needed, "GATE", do.start_audit),
    Row("CI_RUNNING", ev.CiFinished, when.always, "GATE", do.start_landing),
    Row("GATE", ev.ContextAssembled, when.too_big, "FAILED", do.fail_too_big),
    Row("GATE", ev.ContextAssembled, when.fits, "GATE", do.call_model),
    Row("GATE", ev.ContextAssembled, when.may_fit_later, "GATE", do.wait_for_money),
    Row("GATE", ev.ContextAssembled, when.provider_used_up, "GATE", do.leave_provider),
    Row("GATE", ev.ContextAssembled, when.over_run_cap, "FAILED", do.stop_over_cap),
    Row("GATE", ev.ContextAssembled, when.always, "FAILED", do.fail_over_cap),
    Row("GATE", ev.ModelAnswered, when.answered_by_auditor, "GATE", do.read_review),
    Row("GATE", ev.ModelAnswered, when.passing_trouble_again, "GATE", do.send_again),
    Row("GATE", ev.ModelAnswered, when.can_fall_back, "GATE", do.fall_back),
    Row("GATE", ev.ModelAnswered, when.unusable_key, "FAILED", do.provider_refuses),
    Row("GATE", ev.ModelAnswered, when.passing_trouble, "FAILED", do.provider_down),
    Row("GATE", ev.ModelAnswered, when.auditor_unclear, "GATE", do.ask_auditor_again),
    Row("GATE", ev.ModelAnswered, when.always, "FAILED", do.auditor_gave_nothing),
    Row("GATE", ev.EffectLost, when.may_send_again, "GATE", do.send_again_after_loss),
    Row("GATE", ev.EffectLost, when.always, "FAILED", do.lost_for_good),
    Row("GATE", ev.ReviewRead, when.second_audit_due, "GATE", do.ask_second_auditor),
    Row("GATE", ev.ReviewRead, when.approves, "GATE", do.land_approved),
    Row("GATE", ev.ReviewRead, when.may_revise, "EXECUTING", do.revise),
    Row("GATE", ev.ReviewRead, when.always, "FAILED", do.give_up_audit),
    Row("GATE", ev.ReviewUnreadable, when.auditor_asks_left, "GATE", do.reask_review),
    Row("GATE", ev.ReviewUnreadable, when.always, "FAILED", do.give_up_review),
    Row("GATE", ev.Landed, when.always, "COMPLETE", do.complete),
    Row("GATE", ev.HeadMoved, when.head_is_foreign, "FAILED", do.stop_tampered),
    Row("GATE", ev.HeadMoved, when.may_race_again, "GATE", do.rebase),
    Row("GATE", ev.HeadMoved, when.always, "FAILED", do.give_up_landing),
    Row("GATE", ev.Rebased, when.needs_recheck, "CI_RUNNING", do.recheck),
    Row("GATE", ev.Rebased, when.always, "GATE", do.land_carried),
    Row("GATE", ev.Conflicted, when.first_conflict, "EXECUTING", do.retry_conflict),
    Row("GATE", ev.Conflicted, when.always, "FAILED", do.give_up_conflict),
    Row("EXECUTING", ev.EffectFailed, when.always, "FAILED", do.trouble),
    Row("GATE", ev.EffectFailed, when.always, "FAILED", do.trouble),
    Row("CI_RUNNING", ev.EffectFailed, when.always, "FAILED", do.trouble),
)

_ROWS: dict[tuple[str, type], tuple[Row, ...]] = {
    (at, event): tuple(row for row in TABLE if (row.at, row.event) == (at, event))
    for at, event in {(row.at, row.event) for row in TABLE}
}
"""The same by where it applies: an event looks at the few rows that may be its own."""


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
        left=len(plan.phases) - len(carried),
    )
    return wish(run, ProbeProviders(run_id))


def react(plan: Plan, run: RunState, event: ev.Event) -> RunState:
    """The run after the event. Raises IllegalEvent, then nothing has changed."""
    if run.done:
        raise IllegalEvent(f"run {run.run_id} has ended in {run.state}; {type(event).__name__} came too late")
    if isinstance(event, ev.CancelRequested):
        after = run if run.closing else stopped(run, Failure("cancelled", f"cancelled by {event.by}"))
    elif isinstance(event, ev.TimePassed):
        after = time_passed(plan, run, event.elapsed_s)
    else:
        after = _answer(plan, run, event)
    after = replace(after, elapsed_s=max(run.elapsed_s, event.elapsed_s))
    return after if after.done else warned(plan, run, settle(plan, run, after), _about(run, event))


def _about(run: RunState, event: ev.Event) -> str | None:
    """The phase that an event is about, if any."""
    effect = run.pending.get(getattr(event, "key", ""))
    return None if effect is None else phase_of(effect)


def next_deadline_s(plan: Plan, run: RunState) -> float | None:
    """When, on the run's own clock, the driver must send TimePassed; None when no clock matters any more."""
    if run.stopping or run.done or run.closing:
        return None
    return min((plan.caps.minutes * 60.0, *(at_s for _, at_s in deadlines(plan, run))))


def unwanted(run: RunState) -> tuple[str, ...]:
    """Keys of calls and commands whose phase has ended: a driver that has not begun one answers it with CallDropped,
    and cuts a command short.
    """
    return tuple(
        key
        for key, effect in run.pending.items()
        if isinstance(effect, PAID) and run.phases[effect.phase_id].state in ENDED
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
    return move(row.action(turn), row.to).run


def _row(turn: Turn) -> Row:
    for row in _ROWS.get((turn.phase.state, type(turn.event)), ()):
        if row.guard(turn):
            return row
    raise IllegalEvent(
        f"phase {turn.phase.phase_id} is {turn.phase.state}; {type(turn.event).__name__} has no place there"
    )


ANSWERS: dict[type, tuple[type, ...]] = {
    ProbeProviders: (ev.ProvidersProbed, ev.EffectFailed),
    TakeAllowance: (ev.AllowanceTaken, ev.EffectFailed),
    OpenRun: (ev.RunOpened, ev.EffectFailed),
    Preflight: (ev.PreflightFinished, ev.EffectFailed),
    AssembleContext: (ev.ContextAssembled, ev.EffectFailed),
    CallModel: (ev.ModelAnswered, ev.EffectLost, ev.EffectFailed, ev.CallDropped),
    RunBuilder: (ev.BuilderFinished, ev.EffectLost, ev.EffectFailed, ev.CallDropped),
    AskExternal: (ev.BuilderFinished, ev.EffectFailed),
    ApplyChange: (ev.PatchAccepted, ev.PatchRefused, ev.EffectFailed),
    ApplyReply: (ev.PatchAccepted, ev.PatchRefused, ev.EffectFailed),
    ReadReview: (ev.ReviewRead, ev.ReviewUnreadable, ev.EffectFailed),
    RunCi: (ev.CiFinished, ev.EffectFailed),
    Rebase: (ev.Rebased, ev.PatchRefused, ev.Conflicted, ev.EffectFailed),
    Land: (ev.Landed, ev.HeadMoved, ev.EffectFailed),
    CloseRun: (ev.RunClosed, ev.EffectFailed),
}


def _answer_run(plan: Plan, run: RunState, effect: Effect, event: Any) -> RunState:
    if isinstance(effect, CloseRun):
        return closed(plan, run, event)
    if isinstance(event, ev.EffectFailed):
        return stopped(run, Failure(event.trouble, event.message))
    if isinstance(event, ev.ProvidersProbed):
        return _probed(plan, run, event)
    if isinstance(event, ev.AllowanceTaken):
        return _opening(plan, allowance.taken(plan, run, event))
    if isinstance(effect, Preflight):
        return _queued(plan, preflight.finished(plan, run, effect, event))
    opened = replace(run, state="PHASE_QUEUEING", head=event.head, protected_refs=event.protected_refs)
    return _queued(plan, preflight.begin(plan, opened))


def _queued(plan: Plan, run: RunState) -> RunState:
    """Phases that need nothing are ready once every profile has been tried."""
    if run.stopping or preflight.under_way(run):
        return run
    roots = (p.phase_id for p in plan.phases if run.phases[p.phase_id].state == "QUEUED" and needs_met(run, p))
    return replace(run, ready=tuple(sorted(roots, key=plan.urgency.__getitem__)))


def _probed(plan: Plan, run: RunState, event: ev.ProvidersProbed) -> RunState:
    if run.left > plan.caps.phases:
        words = f"{run.left} phases are to be done, and a run may have {plan.caps.phases}. Raise budget.phases [AP6002]"
        return stopped(run, Failure("phase_limit", words))
    run = replace(run, unusable={**run.unusable, **event.models})
    if event.failures and (not event.models or allowance.stranded(plan, run) is not None):
        facts = "; ".join(f"{endpoint}: {why}" for endpoint, why in sorted(event.failures.items()))
        return stopped(run, Failure("auth" if event.about_keys else "provider_down", f"no phase was started: {facts}"))
    asked = allowance.wanted(plan, run)
    return _opening(plan, run) if asked is None else wish(run, asked)


def _opening(plan: Plan, run: RunState) -> RunState:
    assert plan.base_commit is not None
    return run if run.stopping else wish(run, OpenRun(run.run_id, plan.base_commit))


def _late(turn: Turn) -> RunState:
    """An answer for a phase that has ended meanwhile: only its bill counts."""
    if isinstance(turn.event, ev.CallDropped):
        return replace(turn.run, ledger=ledger.release(turn.run.ledger, turn.event.key))
    if isinstance(turn.effect, PAID):
        return book(turn).run
    raise IllegalEvent(f"phase {turn.phase.phase_id} has ended in {turn.phase.state}")
