"""One turn of the machine: what a row looks at, and how a turn ends a phase or a run."""

from dataclasses import dataclass
from typing import Any

from autopack.plan.model import Attempt, Plan, PlanPhase
from autopack.run.effects import Effect, Role, key
from autopack.run.frozen import replace
from autopack.run.state import Candidate, Failure, PhaseState, Reason, RunState, with_phases


@dataclass(frozen=True, slots=True)
class Turn:
    """All that one row looks at: the run, the phase it is about, the event and the effect it answers."""

    plan: Plan
    run: RunState
    spec: PlanPhase
    phase: PhaseState
    event: Any
    effect: Any

    @property
    def attempt(self) -> Attempt:
        return self.spec.ladder[self.phase.attempt - 1]

    @property
    def candidate(self) -> Candidate:
        """The patch under way; asking for it where there is none is a bug, not an event."""
        candidate = self.phase.candidate
        if candidate is None:
            raise LookupError(f"phase {self.phase.phase_id} has no candidate in {self.phase.state}")
        return candidate

    @property
    def attempts_left(self) -> bool:
        return self.phase.attempt < len(self.spec.ladder)

    @property
    def role(self) -> Role:
        role: Role = self.effect.role
        return role

    def with_phase(self, **changes: Any) -> "Turn":
        phase = replace(self.phase, **changes)
        return replace(self, run=with_phases(self.run, phase), phase=phase)

    def with_run(self, **changes: Any) -> "Turn":
        return replace(self, run=replace(self.run, **changes))

    def wish(self, effect: Effect) -> "Turn":
        return self.with_run(pending={**self.run.pending, key(effect): effect})


def stop(turn: Turn, failure: Failure) -> Turn:
    run = stopped(turn.run, failure)
    return replace(turn, run=run)


def stopped(run: RunState, failure: Failure) -> RunState:
    """The first reason to stop is the one that counts."""
    return run if run.stopping else replace(run, stopping=True, failure=failure)


def environment(turn: Turn, reason: Reason, message: str) -> Turn:
    failure = failure_of(turn, reason, message)
    return stop(turn, failure).with_phase(failure=failure)


def failure_of(turn: Turn, reason: Reason, message: str) -> Failure:
    return Failure(reason, f'phase "{turn.phase.phase_id}", attempt {turn.phase.attempt}: {message}')


def time_left_s(turn: Turn) -> float:
    """Until the run's minutes are over, or the phase's own."""
    now_s: float = max(turn.run.elapsed_s, turn.event.elapsed_s)
    ends_s = [turn.plan.caps.minutes * 60.0]
    if turn.spec.minutes_max is not None and turn.phase.started_s is not None:
        ends_s.append(turn.phase.started_s + turn.spec.minutes_max * 60.0)
    return min(ends_s) - now_s


def base_of(turn: Turn) -> str:
    assert turn.phase.base is not None
    return turn.phase.base


def wish(run: RunState, effect: Effect) -> RunState:
    return replace(run, pending={**run.pending, key(effect): effect})
