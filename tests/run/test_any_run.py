"""Any plan, any answers, in any order: what holds for every run."""

import json
from collections import Counter
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from autopack.plan import canonical
from autopack.plan.model import (
    AUDITOR_PATCH,
    Ask,
    Attempt,
    AuditPolicy,
    Caps,
    Plan,
    PlanModel,
    PlanPhase,
    ProjectBudget,
    Quota,
    Retry,
)
from autopack.plan.price import UNKNOWN_USAGE, Usage
from autopack.run import events as ev
from autopack.run.allowance import DAY_S, Account, granted, used
from autopack.run.effects import (
    PAID,
    ApplyChange,
    ApplyReply,
    AskExternal,
    AssembleContext,
    CallModel,
    CloseRun,
    Land,
    OpenRun,
    Preflight,
    ProbeProviders,
    ReadReview,
    Rebase,
    RunBuilder,
    RunCi,
    TakeAllowance,
    key,
    phase_of,
)
from autopack.run.ledger import RUN, Amount
from autopack.run.machine import next_deadline_s, react, start, unwanted
from autopack.run.promotion import eligible
from autopack.run.state import ENDED, RunState, blemishes, tier_state
from autopack.run.trace import Trace
from tests.run.story import BASE, NOW, issue, phase, plan
from tests.run.test_machine import LEGAL

PHASES_MAX, ATTEMPTS_MAX, SENDS = 8, 3, 3
CALLS_MAX = (ATTEMPTS_MAX + 2) * (5 * SENDS + 3)
"""A phase's: per attempt one request for edits and two each of two Auditors, each resent; and three models give out."""
EVENTS_MAX = 5 + 60 * PHASES_MAX * CALLS_MAX


OTHER, BIG = Ask("other", 8_000, 1_000), Ask("big", 9_000, 500)
FALLBACKS = st.sampled_from(((), (), (BIG,), (BIG, OTHER)))


@st.composite
def plans(draw: st.DrawFn) -> Plan:
    phases: list[PlanPhase] = []
    tier = 1
    for number in range(draw(st.integers(1, PHASES_MAX))):
        tier += draw(st.integers(0, 1)) if number else 0
        before = [each.phase_id for each in phases]
        second = draw(st.sampled_from((None, None, OTHER)))
        attempts = phase("x").attempts[: draw(st.integers(1, ATTEMPTS_MAX))]
        phases.append(
            phase(
                f"p{number}",
                tier_id=f"T{tier}",
                needs=tuple(name for name in before if draw(st.integers(0, 3)) == 0),
                auto_apply=draw(st.booleans()),
                attempts=tuple(replace(each, fallbacks=draw(FALLBACKS)) for each in attempts),
                patches=tuple(
                    Attempt(AUDITOR_PATCH, each.ask, each.edit_format, draw(FALLBACKS))
                    for each in attempts[: draw(st.integers(0, 2))]
                ),
                second_audit=second,
                audit_fallbacks=tuple(ask for ask in draw(FALLBACKS) if ask != second),
                token_cap=draw(st.sampled_from((1_000_000, 1_000_000, 25_000, 9_000))),
                cost_usd_max=draw(st.sampled_from((None, None, None, Decimal("0.02")))),
                minutes_max=draw(st.sampled_from((None, None, None, 1))),
            )
        )
    tokens, cost = draw(st.sampled_from(((5_000_000, None), (60_000, None), (5_000_000, Decimal("0.06")))))
    told = plan(
        *phases,
        caps=Caps(tokens, 25, 4, draw(st.integers(0, 12)), cost),
        pools={"phase": draw(st.integers(1, 4))},
        retry=Retry(SENDS, 1.0, 60.0),
        fail_fast=draw(st.booleans()),
        safety_profile=draw(st.sampled_from(("normal", "normal", "safety_critical"))),
        audit_policy=AuditPolicy(draw(st.booleans()), draw(st.integers(2, 3))),
    )
    cap = draw(st.sampled_from((None, None, None, 40_000)))
    small = replace(told.models["small"], token_cap=cap)
    return shared(told, small, draw(st.sampled_from(BUDGETS)), draw(st.sampled_from(QUOTAS)))


def shared(told: Plan, small: PlanModel, budget: ProjectBudget | None, quota: Quota | None) -> Plan:
    """With a project's budget, and a quota for the provider of all models but one."""
    models = {**told.models, "small": small, "other": replace(told.models["other"], provider="b")}
    return replace(told, models=models, project_budget=budget, quotas={"replay": quota} if quota else {})


BUDGETS = (None, None, ProjectBudget(60_000, None, 30), ProjectBudget(None, Decimal("0.05"), 1))
QUOTAS = (None, None, Quota(None, None, 50_000, 0.5), Quota(None, None, 30_000))


@dataclass
class World:
    """Answers everything legally and in any order, as chance will have it; checks what must hold after each event.

    Chance is seeded by hypothesis but draws by itself, which is many times faster than a draw of hypothesis each.
    """

    plan: Plan
    chance: Random
    run: RunState
    clock: float = 0.0
    heads: int = 0
    head: str = BASE

    def __post_init__(self) -> None:
        self.log: list[ev.Event] = []
        self.keys: Counter[str] = Counter(list(self.run.pending))
        self.trace = Trace()

    def tell(self) -> None:
        while not self.run.done:
            assert self.run.pending, "nothing is pending and the run has not ended"
            assert len(self.log) < EVENTS_MAX
            self.take(self.next_event())

    def take(self, event: ev.Event) -> None:
        before, self.run = self.run, react(self.plan, self.run, event)
        self.log.append(event)
        self.keys.update(self.run.pending.keys() - before.pending.keys())
        assert all(key(self.run.pending[new]) == new for new in self.run.pending.keys() - before.pending.keys())
        self.moves_are_legal(before)
        self.caps_hold()
        self.who_waits_will_be_asked()
        self.what_is_kept_follows_from_the_phases()
        assert self.trace.after(self.run) == Trace().after(self.run), "what changed was overlooked"

    def next_event(self) -> ev.Event:
        self.clock += self.pick(0.0, 0.0, 0.5, 1.0, 3.0)
        event = self.pick(*["answer"] * 80, "cancel", "time", "time")
        if event == "cancel" and self.pick(*[False] * 5, True):
            return ev.CancelRequested(self.clock, "ann")
        deadline_s = next_deadline_s(self.plan, self.run)
        if event == "time" and deadline_s is not None:
            self.clock = max(self.clock, deadline_s) if self.pick(*[False] * 3, True) else self.clock
            return ev.TimePassed(self.clock)
        asked = self.pick(*self.run.pending)
        effect = self.run.pending[asked]
        if self.pick(*[False] * 300, True):
            return ev.EffectFailed(asked, self.clock, self.pick("git_unusable", "disk_full", "ci_unusable"), "told to")
        answer: ev.Event = getattr(self, type(effect).__name__)(asked, effect)
        return answer

    def pick(self, *options: Any) -> Any:
        return self.chance.choice(options)

    # --- answers ---

    def ProbeProviders(self, asked: str, _effect: ProbeProviders) -> ev.Event:
        down = self.pick(*[()] * 8, ("other",), ("small",))
        facts = dict.fromkeys(down, "no connection")
        return ev.ProvidersProbed(asked, self.clock, facts, about_keys=False, models=facts)

    def TakeAllowance(self, asked: str, effect: TakeAllowance) -> ev.Event:
        spent, ago = self.pick(0, 0, 10_000, 40_000, 70_000), self.pick(0.1, 20.0)
        cost = Decimal(spent) / 1_000_000
        ended = Account("old", "shop", NOW - ago * DAY_S, Amount(spent, cost), {"replay": spent})
        living = Account("now", "shop", None, ended.spent, {}, Amount(2 * spent, cost), {"replay": spent})
        others = self.pick((), (ended,), (ended, living))
        return replace(granted(self.plan, effect, others, NOW), key=asked, elapsed_s=self.clock)

    def Preflight(self, asked: str, _effect: Preflight) -> ev.Event:
        verdict: Any = self.pick(*["green"] * 8, "red", "unusable")
        failing, settled = int(verdict == "red"), verdict == "green" or self.pick(True, False)
        found = (verdict, "5" * 64, failing, 1, self.pick((), ("f",)))
        return ev.PreflightFinished(asked, self.clock, *found, settled=settled, message=verdict)

    def RunBuilder(self, asked: str, _effect: RunBuilder) -> ev.Event:
        if asked in unwanted(self.run) and self.pick(True, False):
            return ev.CallDropped(asked, self.clock)
        word: Any = self.pick(*["ok"] * 6, "failed", "timed_out", "not_found", "lost")
        if word == "lost":
            return ev.EffectLost(asked, self.clock)
        change = "g" * 64 if word == "ok" else None
        return ev.BuilderFinished(asked, self.clock, word, change, "o" * 64, 0, 1.0, word, ())

    def AskExternal(self, asked: str, _effect: AskExternal) -> ev.Event:
        word: Any = self.pick(*["ok"] * 6, "failed", "timed_out")
        change = "g" * 64 if word == "ok" else None
        said = {"claimed_tokens": self.pick(0, 900), "wants_review": self.pick(True, False)}
        return ev.BuilderFinished(asked, self.clock, word, change, "o" * 64, None, 1.0, word, (), **said)

    def OpenRun(self, asked: str, effect: OpenRun) -> ev.Event:
        return ev.RunOpened(asked, self.clock, effect.base_commit, {"refs/heads/main": BASE})

    def AssembleContext(self, asked: str, effect: AssembleContext) -> ev.Event:
        tokens = self.pick(10, 5_000, effect.input_tokens_max, effect.input_tokens_max + self.pick(*[0] * 19, 1))
        return ev.ContextAssembled(asked, self.clock, "r" * 64, tokens, (), ())

    def CallModel(self, asked: str, effect: CallModel) -> ev.Event:
        if asked in unwanted(self.run) and self.pick(True, False):
            return ev.CallDropped(asked, self.clock)
        troubles = ("empty_output", "truncated", "transient", "rate_limited", "lost")
        outcome = self.pick(*["ok"] * 14, *troubles, self.pick(*troubles, *troubles, "auth"))
        if outcome == "lost":
            return ev.EffectLost(asked, self.clock)
        tokens_in, tokens_out = self.pick(0, effect.input_tokens_max), self.pick(0, effect.output_tokens_max)
        usage = self.pick(UNKNOWN_USAGE, *[Usage(tokens_in, tokens_in // 2, 0, tokens_out, 0, known=True)] * 5)
        reply = self.pick("a" * 64, "b" * 64) if outcome == "ok" else None
        return ev.ModelAnswered(asked, self.clock, outcome, reply, "stop", usage, "m", 0.5, None, outcome)

    def ApplyReply(self, asked: str, effect: ApplyReply) -> ev.Event:
        kind = self.pick(*["ok"] * 8, "edit_failed", "scope", "no_op")
        count = self.pick(*[0] * 9, 1, 4)
        found = tuple(issue(f"i{number}", self.pick("minor", "minor", "major")) for number in range(count))
        if kind == "ok":
            commit = f"{effect.phase_id}.{effect.attempt}"
            return ev.PatchAccepted(asked, self.clock, commit, "p" * 64, ("a",), 1, 0, 0, 0, "", found)
        return ev.PatchRefused(asked, self.clock, kind, "no", "e" * 64, found)

    def ApplyChange(self, asked: str, effect: ApplyChange) -> ev.Event:
        kind = self.pick("ok", "ok", "ok", "scope")
        if kind == "ok":
            commit = f"{effect.phase_id}.{effect.attempt}"
            return ev.PatchAccepted(asked, self.clock, commit, "p" * 64, ("a",), 1, 0, 0, 0, "", ())
        return ev.PatchRefused(asked, self.clock, kind, "no", "e" * 64, ())

    def RunCi(self, asked: str, _effect: RunCi) -> ev.Event:
        verdict = self.pick(*["green"] * 5, "red")
        failing = (self.pick("x", "y"),) if verdict == "red" else ()
        return ev.CiFinished(asked, self.clock, verdict, "d" * 64, 1, failing, "e" * 64, {"log": "l" * 64}, (), ())

    def ReadReview(self, asked: str, _effect: ReadReview) -> ev.Event:
        said = self.pick(*["approve"] * 8, "revise", "escalate", "unreadable")
        if said == "unreadable":
            return ev.ReviewUnreadable(asked, self.clock, "no facts", "e" * 64)
        found = (issue("audit", self.pick("minor", "major"), "auditor"),) if self.pick(False, False, True) else ()
        return ev.ReviewRead(asked, self.clock, said, "high", "e" * 64, found)

    def Land(self, asked: str, effect: Land) -> ev.Event:
        if self.pick(*[False] * 9, True):
            self.head = self.new_commit("foreign")
        if effect.head != self.head:
            return ev.HeadMoved(asked, self.clock, self.head)
        self.head = self.new_commit(effect.phase_id)
        return ev.Landed(asked, self.clock, self.head, "tag")

    def Rebase(self, asked: str, effect: Rebase) -> ev.Event:
        if self.pick(False, False, True):
            return ev.Conflicted(asked, self.clock, ("a",), "e" * 64)
        if self.pick(*[False] * 9, True):
            return ev.PatchRefused(asked, self.clock, "syntax", "no longer parses", "e" * 64, ())
        return ev.Rebased(asked, self.clock, f"{effect.commit}@{effect.head}", "p" * 64, self.pick(True, False))

    def CloseRun(self, asked: str, _effect: CloseRun) -> ev.Event:
        return ev.RunClosed(asked, self.clock, self.pick(*[()] * 20, ("main was moved",)))

    def new_commit(self, who: str) -> str:
        self.heads += 1
        return f"c{self.heads}-{who}"

    # --- what must hold ---

    def moves_are_legal(self, before: RunState) -> None:
        for phase_id, now in self.run.phases.items():
            old = before.phases[phase_id]
            assert now.path[: len(old.path)] == old.path
            walked = (old.state, *now.path[len(old.path) :])
            for here, there in pairwise(walked):
                assert there in LEGAL[here], walked
            assert now.path[-1] == now.state

    def caps_hold(self) -> None:
        ledger, caps = self.run.ledger, self.plan.caps
        for spec in self.plan.phases:
            most = ledger.spent(f"phase:{spec.phase_id}") + ledger.reserved(f"phase:{spec.phase_id}")
            assert most.tokens <= spec.token_cap
            assert spec.cost_usd_max is None or most.cost_usd <= spec.cost_usd_max
        whole = ledger.spent(RUN) + ledger.reserved(RUN)
        assert whole.tokens <= caps.tokens
        assert caps.cost_usd is None or whole.cost_usd <= caps.cost_usd
        model = self.plan.models["small"].token_cap
        small = ledger.spent("model:small") + ledger.reserved("model:small")
        assert model is None or small.tokens <= model
        if self.plan.safety_profile == "safety_critical":
            for tier in self.plan.tiers:
                scope = f"tier:{tier.tier_id}"
                assert (ledger.spent(scope) + ledger.reserved(scope)).tokens <= tier.token_cap
        assert set(ledger.held) == {k for k, e in self.run.pending.items() if isinstance(e, PAID)}
        if (share := self.run.allowance) is not None:
            assert share.tokens is None or whole.tokens <= share.tokens
            assert share.cost_usd is None or whole.cost_usd <= share.cost_usd
            for provider, left in share.providers.items():
                assert sum(used(self.plan, ledger, provider)) <= left.tokens

    def what_is_kept_follows_from_the_phases(self) -> None:
        states = {name: each.state for name, each in self.run.phases.items()}
        assert set(self.run.active) == {n for n, state in states.items() if state not in ENDED and state != "QUEUED"}
        assert self.run.left == sum(state not in ENDED for state in states.values())
        assert self.run.ledger.calls == sum(len(each.calls) for each in self.run.phases.values())
        assert self.run.ledger.ci_runs == sum(each.ci_runs for each in self.run.phases.values())

    def who_waits_will_be_asked(self) -> None:
        """A phase under way has exactly one wish, or waits for money that somebody else holds, or for its landing.

        The first of those who wait to land always has its wish.
        """
        asked = Counter(phase_of(effect) for effect in self.run.pending.values())
        for phase_id, now in self.run.phases.items():
            if now.waiting:
                assert self.run.ledger.held
            elif phase_id in self.run.landing[1:]:
                assert (asked[phase_id], now.state) == (0, "GATE")
            elif now.state not in ENDED and now.state != "QUEUED":
                assert asked[phase_id] == 1


@settings(max_examples=400, deadline=None)
@given(plans(), st.randoms(use_true_random=True))
def test_every_run_ends_within_its_budgets_and_replays_to_the_same_state(told: Plan, chance: Random):
    """REQ-1.1-1, REQ-2.1-3, REQ-3.4-7, REQ-3.5-1: nothing is left waiting, and only what CI passed lands."""
    world = World(told, chance, start(told, "run-1"))
    world.tell()
    run = world.run
    assert (dict(run.pending), run.ledger.held, run.ready) == ({}, {}, ())
    assert {each.state for each in run.phases.values()} <= ENDED
    assert max(world.keys.values()) == 1, "an effect was wished twice"
    assert (run.failure is None) == (run.state == "DONE_SUCCESS")
    if run.state == "DONE_SUCCESS":
        assert {each.state for each in run.phases.values()} == {"COMPLETE"}
    for each in run.phases.values():
        assert (each.failure is not None) == (each.state == "FAILED")
        assert (each.commit is not None) == (each.state == "COMPLETE")
    nothing_lands_without_its_approval(world)
    assert {tier_state(run, tier) for tier in told.tiers} <= {"COMPLETE", "FAILED", "SKIPPED"}
    assert not eligible(told, run) or not any(blemishes(run, tier) for tier in told.tiers)
    assert sum(call.tokens for each in run.phases.values() for call in each.calls) == run.ledger.spent(RUN).tokens
    assert replayed(world) == run


def nothing_lands_without_its_approval(world: World) -> None:
    for spec in world.plan.phases:
        now = world.run.phases[spec.phase_id]
        if now.state == "COMPLETE" and (spec.audited or now.audit_due):
            assert now.approved
            judges = [review.model for review in now.reviews]
            assert len(set(judges)) == len(judges) == (1 if spec.second_audit is None else 2)
        if now.state == "COMPLETE":
            assert now.ci is not None
            assert now.ci.verdict == "green"


def replayed(world: World) -> RunState:
    """From the plan's own text and the journal's lines, as a driver on another machine would."""
    told = canonical.load(Plan, canonical.text(world.plan))
    run = start(told, "run-1")
    for event in world.log:
        line = canonical.text(event)
        run = react(told, run, ev.build(type(event).__name__, json.loads(line)))
    return run
