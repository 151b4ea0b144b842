"""What is executed is what the plan allows: no other model, no larger call, no other checks, no phase out of turn."""

from collections import Counter
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from autopack.plan.model import Ask, Plan, PlanPhase
from autopack.run import events as ev
from autopack.run.effects import AssembleContext, CallModel, Effect, Land, OpenRun, RunCi, phase_of
from autopack.run.machine import start
from tests.run.test_any_run import World, plans


class Watched(World):
    """Looks at every effect when it is wished."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.attempts: Counter[str] = Counter()
        for effect in self.run.pending.values():
            self.allowed(effect)

    def take(self, event: ev.Event) -> None:
        before = set(self.run.pending)
        super().take(event)
        for key in self.run.pending.keys() - before:
            self.allowed(self.run.pending[key])

    def allowed(self, effect: Effect) -> None:
        phase_id = phase_of(effect)
        if phase_id is None:
            assert not isinstance(effect, OpenRun) or effect.base_commit == self.plan.base_commit
            return
        phase = self.plan.phase(phase_id)
        assert all(self.run.phases[need].state == "COMPLETE" for need in phase.needs), "before its turn"
        if isinstance(effect, CallModel | AssembleContext):
            asks = [ask for ask in who_may_answer(phase, effect.role, effect.attempt) if ask.model == effect.model]
            assert asks, f"{effect.model} is not planned for {effect.role} in attempt {effect.attempt}"
            assert effect.input_tokens_max <= max(ask.input_tokens_max for ask in asks)
        if isinstance(effect, CallModel):
            assert effect.output_tokens_max <= max(ask.output_tokens_max for ask in asks)
        if isinstance(effect, AssembleContext) and effect.role == "builder":
            self.attempts[phase_id] = max(self.attempts[phase_id], effect.attempt)
            assert effect.attempt <= len(phase.attempts) + phase.auditor_attempts
        if isinstance(effect, RunCi):
            assert effect.profile == phase.ci
        if isinstance(effect, Land):
            assert self.run.phases[phase_id].state != "COMPLETE"


def who_may_answer(phase: PlanPhase, role: str, attempt: int) -> list[Ask]:
    """A patch of the Auditor's counts as an attempt after the Builder's last."""
    auditors = [phase.audit, *phase.audit_fallbacks, *([phase.second_audit] if phase.second_audit else [])]
    if role == "auditor" or attempt > len(phase.attempts):
        return auditors
    rung = phase.attempts[attempt - 1]
    return [rung.ask, *rung.fallbacks]


@settings(max_examples=150, deadline=None)
@given(plans(), st.randoms(use_true_random=True))
def test_whatever_is_answered_only_what_was_planned_is_done(told: Plan, chance: Random):
    world = Watched(told, chance, start(told, "run-1"))
    world.tell()
    for phase in told.phases:
        spent = world.run.ledger.spent(f"phase:{phase.phase_id}")
        assert spent.tokens <= phase.worst.tokens
        assert phase.worst.cost_usd is None or spent.cost_usd <= phase.worst.cost_usd
