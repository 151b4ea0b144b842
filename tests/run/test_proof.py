"""The proof, of any project and any run of it: nothing is spent, called, checked or waited for beyond the plan.

The machine is the real one, the clock jumps (`runners.virtual`), the hands are as slow and as unlucky as the plan
allows. What a run may do is read from the plan a second time here, in other words than in `plan/`.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autopack.plan.model import Plan, PlanPhase
from autopack.plan.model import part as each_run
from autopack.plan.price import UNKNOWN_USAGE, Usage
from autopack.run import effects as ef
from autopack.run import events as ev
from autopack.run.calling import REPEATED
from autopack.run.ledger import RUN
from autopack.run.state import ENDED, RunState
from autopack.runners.virtual import play
from tests.plan.any_spec import plans
from tests.run.story import BASE, issue

PROBE_S, HOOK_COMMANDS, LOOK_S = 600, 2, 0.0


@dataclass
class Unlucky:
    """Answers by chance, after as long as may be. `luck` is how often things go well."""

    plan: Plan
    chance: Random
    luck: float
    head: str = BASE
    spent_s: Counter[str] = field(default_factory=Counter)
    done: list[ef.Effect] = field(default_factory=list)
    wished: set[str] = field(default_factory=set)
    heads: int = 0

    def well(self) -> bool:
        return self.chance.random() < self.luck

    def pick(self, *options: Any) -> Any:
        return self.chance.choice(options)

    def takes_s(self, effect: ef.Effect) -> float:
        most = self.most_s(effect)
        taken = most if self.chance.random() < 0.8 else most * self.chance.random()
        self.spent_s[ef.phase_of(effect) or "run"] += taken
        return taken

    def most_s(self, effect: ef.Effect) -> float:
        if isinstance(effect, ef.CallModel):
            return self.plan.models[effect.model].timeout_s
        if isinstance(effect, ef.Preflight):
            return tried_s(self.plan, effect.profile)
        phase_id = ef.phase_of(effect)
        if phase_id is None:
            return LOOK_S
        phase = self.plan.phase(phase_id)
        if isinstance(effect, ef.RunBuilder | ef.AskExternal):
            return phase.builder.timeout_s
        if isinstance(effect, ef.ApplyReply | ef.ApplyChange | ef.Rebase):
            return probed_s(self.plan, phase)
        return checked_s(self.plan, phase.ci) if isinstance(effect, ef.RunCi) else 0.0

    def cut_short(self, key: str, _effect: ef.Effect, at_s: float) -> ev.Event:
        return ev.CallDropped(key, at_s)

    def answer(self, key: str, effect: ef.Effect, at_s: float) -> ev.Event:
        self.done.append(effect)
        told: ev.Event = getattr(self, type(effect).__name__)(key, effect, at_s)
        return told

    def watch(self, _effect: ef.Effect | None, _event: ev.Event, now: RunState) -> None:
        """Looks at every wish when it is made."""
        for key in now.pending.keys() - self.wished:
            self.wished.add(key)
            allowed(self.plan, now.pending[key], now)

    # --- one method an effect ---

    def ProbeProviders(self, key: str, _effect: ef.ProbeProviders, at: float) -> ev.Event:
        return ev.ProvidersProbed(key, at, {}, about_keys=False)

    def OpenRun(self, key: str, effect: ef.OpenRun, at: float) -> ev.Event:
        self.head = effect.base_commit
        return ev.RunOpened(key, at, effect.base_commit, {"refs/heads/main": BASE})

    def Preflight(self, key: str, effect: ef.Preflight, at: float) -> ev.Event:
        red = self.pick(False, False, True)
        settled = self.pick(True, False) or effect.time > 3
        verdict = "red" if red else "green"
        return ev.PreflightFinished(key, at, verdict, "5" * 64, int(red), 1, (), settled=settled, message="")  # type: ignore[arg-type]

    def AssembleContext(self, key: str, effect: ef.AssembleContext, at: float) -> ev.Event:
        room = effect.input_tokens_max
        return ev.ContextAssembled(key, at, "r" * 64, self.pick(room, room, min(10, room)), (), ())

    def CallModel(self, key: str, effect: ef.CallModel, at: float) -> ev.Event:
        if not self.well() and self.pick(True, False):
            outcome = self.pick("transient", "transient", "rate_limited", "empty_output", "truncated", "lost", "auth")
        else:
            outcome = "ok"
        if outcome == "lost":
            return ev.EffectLost(key, at)
        usage = Usage(effect.input_tokens_max, 0, 0, effect.output_tokens_max, 0, known=True)
        if outcome in ("transient", "rate_limited", "auth"):
            usage = Usage(0, 0, 0, 0, 0, known=True)
        wait_s = self.pick(None, self.plan.retry.backoff_s_max)
        reply = "a" * 64 if outcome == "ok" else None
        return ev.ModelAnswered(
            key, at, outcome, reply, "stop", self.pick(usage, usage, UNKNOWN_USAGE), "m", 0.5, wait_s, outcome
        )

    def RunBuilder(self, key: str, _effect: ef.RunBuilder, at: float) -> ev.Event:
        outcome = "ok" if self.well() else self.pick("failed", "timed_out")
        change = "c" * 64 if outcome == "ok" else None
        return ev.BuilderFinished(key, at, outcome, change, None, 0, 1.0, outcome, ())

    AskExternal = RunBuilder

    def ApplyReply(self, key: str, effect: Any, at: float) -> ev.Event:
        if self.well() or self.pick(True, False):
            commit, found = f"{effect.phase_id}.{effect.attempt}", self.pick((), (), (issue("i", "major"),))
            return ev.PatchAccepted(key, at, commit, "p" * 64, ("a",), 1, 0, 0, 0, "", found)
        return ev.PatchRefused(key, at, self.pick("edit_failed", "no_op", "probe"), "no", "e" * 64, ())

    ApplyChange = ApplyReply

    def RunCi(self, key: str, _effect: ef.RunCi, at: float) -> ev.Event:
        red = not self.well() and self.pick(True, False)
        failing = (self.pick(*"abcdefgh"),) if red else ()
        return ev.CiFinished(key, at, "red" if red else "green", "d" * 64, 1, failing, "e" * 64, {}, (), ())

    def ReadReview(self, key: str, _effect: ef.ReadReview, at: float) -> ev.Event:
        if self.well():
            return ev.ReviewRead(key, at, "approve", "high", "e" * 64, ())
        if self.pick(True, False):
            return ev.ReviewUnreadable(key, at, "no facts", "e" * 64)
        return ev.ReviewRead(key, at, self.pick("revise", "revise", "approve", "escalate"), "high", "e" * 64, ())

    def Land(self, key: str, effect: ef.Land, at: float) -> ev.Event:
        if effect.head != self.head:
            return ev.HeadMoved(key, at, self.head)
        self.heads += 1
        self.head = f"c{self.heads}-{effect.phase_id}"
        return ev.Landed(key, at, self.head, "tag")

    def Rebase(self, key: str, effect: ef.Rebase, at: float) -> ev.Event:
        if not self.well() and self.pick(True, False, False):
            return ev.Conflicted(key, at, ("a",), "e" * 64)
        return ev.Rebased(key, at, f"{effect.commit}@{effect.head}", "p" * 64, overlaps=self.pick(True, True, False))

    def CloseRun(self, key: str, _effect: ef.CloseRun, at: float) -> ev.Event:
        return ev.RunClosed(key, at, ())


# --- what the plan allows, read once more ---------------------------------------------------------------------------


def tried_s(plan: Plan, name: str) -> float:
    """One execution of a profile: setup and steps, each failing until its last retry."""
    profile = plan.profiles[name]
    return sum(step.timeout_s for step in (*profile.setup, *profile.steps)) * (1 + profile.retries)


def checked_s(plan: Plan, name: str) -> float:
    """CI of a candidate that changes tests: those of the base commit first, by the steps that report."""
    profile = plan.profiles[name]
    steps = [step.timeout_s for step in profile.steps if step.junit]
    prepared = sum(step.timeout_s for step in profile.setup)
    return tried_s(plan, name) + ((prepared + sum(steps)) * (1 + profile.retries) if steps else 0)


def probed_s(plan: Plan, phase: PlanPhase) -> float:
    commands = len(phase.probes) + (HOOK_COMMANDS if plan.hooks == "run" else 0)
    return sum(step.timeout_s for step in plan.profiles[phase.ci].setup) + commands * PROBE_S if commands else 0.0


def again_s(plan: Plan, phase: PlanPhase) -> float:
    return probed_s(plan, phase) + checked_s(plan, phase.ci)


def slowest_s(plan: Plan) -> int:
    return max(model.timeout_s for model in plan.models.values())


def in_any_order(phases: Sequence[PlanPhase]) -> Mapping[str, int]:
    """For each phase how many others neither need it nor are needed by it."""
    above: dict[str, set[str]] = {}
    for phase in phases:
        above[phase.phase_id] = {*phase.needs}.union(*(above[need] for need in phase.needs if need in above))
    return {
        one: sum(other != one and other not in above[one] and one not in above[other] for other in above)
        for one in above
    }


LETTERS = {
    ef.AssembleContext: "",
    ef.CallModel: "",
    ef.RunBuilder: "B",
    ef.AskExternal: "B",
    ef.ApplyReply: "P",
    ef.ApplyChange: "P",
    ef.RunCi: "T",
    ef.ReadReview: "V",
    ef.Land: "L",
    ef.Rebase: "R",
}
REVIEWS = "(?:(?:ac*)+V?)*"
ATTEMPT = f"(?:A[CB]*)+(?:P(?:T{REVIEWS}(?:L|R(?:T{REVIEWS})?)*)?)?"
"""Asked (again by the next model where one gives out), applied, tested, reviewed, landed; carried on where it lost."""


def letters(effects: Sequence[ef.Effect], phase: PlanPhase) -> str:
    found = ""
    for effect in effects:
        if ef.phase_of(effect) != phase.phase_id:
            continue
        if isinstance(effect, ef.AssembleContext):
            found += "A" if effect.wants == "edits" else "a"
        elif isinstance(effect, ef.CallModel):
            found += "C" if found.rstrip("CB").endswith("A") else "c"
        else:
            found += LETTERS[type(effect)]
    return found


def allowed(plan: Plan, effect: ef.Effect, now: RunState) -> None:
    """Each effect is one that the plan names: who is asked, for how much, in which format, by which command."""
    phase_id = ef.phase_of(effect)
    if isinstance(effect, ef.Preflight):
        told = plan.profiles[effect.profile].preflight
        assert told is not None
        assert effect.time <= max(told.attempts, 1)
        assert effect.profile in {phase.ci for phase in plan.phases}
        assert all(phase.state == "QUEUED" for phase in now.phases.values())
    if phase_id is None:
        return
    phase = plan.phase(phase_id)
    assert all(now.phases[need].state == "COMPLETE" for need in phase.needs), "before its turn"
    rung = phase.ladder[effect.attempt - 1]  # type: ignore[union-attr]
    if isinstance(effect, ef.AssembleContext | ef.CallModel):
        review = isinstance(effect, ef.AssembleContext) and effect.wants == "review"
        second = () if phase.second_audit is None else (phase.second_audit,)
        asks = [rung.ask, *rung.fallbacks]
        if review or (isinstance(effect, ef.CallModel) and now.phases[phase_id].state == "GATE"):
            asks = [phase.audit, *second, *phase.audit_fallbacks]
        asks = [ask for ask in asks if ask.model == effect.model]
        assert asks, f"{effect.model} is not planned for attempt {effect.attempt}"
        if plan.models[effect.model].provider not in ("command", "external"):
            assert effect.input_tokens_max <= max(ask.input_tokens_max for ask in asks)
        if isinstance(effect, ef.CallModel):
            assert effect.output_tokens_max <= max(ask.output_tokens_max for ask in asks)
            assert effect.retry < plan.retry.attempts
            assert effect.delay_s <= plan.retry.backoff_s_max
        else:
            assert effect.edit_format == rung.edit_format
            assert effect.role == ("auditor" if review else rung.role)
    if isinstance(effect, ef.RunBuilder):
        assert (effect.model, effect.tokens) == (rung.ask.model, phase.builder.tokens)
        assert phase.builder.kind == "command"
    if isinstance(effect, ef.AskExternal):
        assert (phase.builder.kind, plan.models[rung.ask.model].provider) == ("external", "external")
    if isinstance(effect, ef.RunCi):
        assert effect.profile == phase.ci


# --- the property ---------------------------------------------------------------------------------------------------


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(plans(), st.randoms(use_true_random=False), st.sampled_from((0.0, 0.3, 0.6, 0.9, 1.0)))
def test_no_run_of_any_plan_passes_what_was_proved_or_does_what_was_not_printed(
    plan: Plan, chance: Random, luck: float
) -> None:
    """REQ-2.1-3, REQ-9.1-1."""
    for part in [each_run(plan, number) for number in range(1, len(plan.runs) + 1)] or [plan]:
        hands = Unlucky(part, chance, luck)
        run = play(part, hands, watch=hands.watch)
        assert {phase.state for phase in run.phases.values()} <= ENDED
        money_holds(part, run)
        checks_hold(part, run, hands)
        time_holds(part, run, hands)
        order_holds(part, hands)


def money_holds(plan: Plan, run: RunState) -> None:
    for phase in plan.phases:
        spent, calls = run.ledger.spent(f"phase:{phase.phase_id}"), run.phases[phase.phase_id].calls
        assert spent.tokens <= phase.worst.tokens
        assert phase.worst.cost_usd is None or spent.cost_usd <= phase.worst.cost_usd
        assert sum(call.outcome not in REPEATED for call in calls) <= phase.worst.calls
    for tier in plan.tiers:
        worst = [plan.phase(name).worst for name in tier.phases]
        spent = run.ledger.spent(f"tier:{tier.tier_id}")
        assert spent.tokens <= sum(each.tokens for each in worst)
        costs = [each.cost_usd for each in worst]
        assert None in costs or spent.cost_usd <= sum(costs)  # type: ignore[arg-type]
    whole = run.ledger.spent(RUN)
    assert whole.tokens <= min(plan.worst.tokens, plan.caps.tokens)
    assert plan.worst.cost_usd is None or whole.cost_usd <= plan.worst.cost_usd
    assert plan.caps.cost_usd is None or whole.cost_usd <= plan.caps.cost_usd
    answered = (call for phase in run.phases.values() for call in phase.calls)
    assert sum(call.outcome not in REPEATED for call in answered) <= plan.worst.calls


def carried(hands: Unlucky, phase: PlanPhase) -> int:
    """How often it was carried onto a moved head."""
    return sum(isinstance(each, ef.Rebase) and each.phase_id == phase.phase_id for each in hands.done)


def checks_hold(plan: Plan, run: RunState, hands: Unlucky) -> None:
    """A check for each candidate, and one for each landing that came first."""
    free, places = in_any_order(plan.phases), plan.pools["phase"]
    for phase in plan.phases:
        assert carried(hands, phase) <= (free[phase.phase_id] if places > 1 else 0)
        assert run.phases[phase.phase_id].ci_runs <= len(phase.ladder) + carried(hands, phase)
    assert sum(carried(hands, phase) for phase in plan.phases) <= len(plan.phases) * (places - 1)


def time_holds(plan: Plan, run: RunState, hands: Unlucky) -> None:
    assert run.elapsed_s <= plan.worst.minutes * 60
    assert run.elapsed_s <= plan.caps.minutes * 60 + slowest_s(plan)
    for phase in plan.phases:
        waited_s = sum(e.delay_s for e in hands.done if isinstance(e, ef.CallModel) and e.phase_id == phase.phase_id)
        own_s = hands.spent_s[phase.phase_id] + waited_s
        if phase.minutes_max is None:
            lost_s = carried(hands, phase) * again_s(plan, phase)
            assert own_s <= phase.worst.minutes * 60 + lost_s


def order_holds(plan: Plan, hands: Unlucky) -> None:
    for phase in plan.phases:
        word = letters(hands.done, phase)
        assert re.fullmatch(f"(?:{ATTEMPT})*", word), word
        attempts = {e.attempt for e in hands.done if isinstance(e, ef.AssembleContext) and e.phase_id == phase.phase_id}
        assert len(attempts) <= len(phase.ladder)
