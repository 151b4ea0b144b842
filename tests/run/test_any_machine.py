"""Rules over the core: any open wish answered in any order with any outcome, cancels, clocks that jump, crashes.

What must hold after every event is `World`'s (tests/run/test_any_run.py); here hypothesis chooses what happens next.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from random import Random
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from autopack.plan.model import Plan, PlanPhase, Preflight
from autopack.plan.price import Usage
from autopack.run import events as ev
from autopack.run import machine
from autopack.run.effects import (
    PAID,
    ApplyReply,
    AskExternal,
    AssembleContext,
    CallModel,
    Effect,
    Land,
    ReadReview,
    Rebase,
    RunBuilder,
    RunCi,
)
from autopack.run.ledger import RUN
from autopack.run.machine import IllegalEvent, react, start, unwanted
from autopack.run.state import ENDED
from autopack.run.turn import Turn
from tests.run.story import by_client, by_command
from tests.run.test_any_run import BIG, OTHER, World, nothing_lands_without_its_approval, plans, replayed
from tests.run.test_machine import STORIES

SEEDS = st.integers(0, 2**32)
Bad = Callable[[World, str, Any], ev.Event]


@st.composite
def told(draw: st.DrawFn) -> Plan:
    """Also with a preflight, warnings, and a phase that a command or a client builds."""
    built: Plan = draw(plans())
    tries = draw(st.sampled_from((None, Preflight(2, 1.0))))
    profiles = {name: replace(each, preflight=tries, baseline=True) for name, each in built.profiles.items()}
    if draw(st.booleans()):
        built = replace(built, phases=tuple(replace(each, auto_apply=False) for each in built.phases))
    if draw(st.integers(0, 3)) == 0:
        built = _with_builder(
            built, *draw(st.sampled_from(((by_command("x"), "command"), (by_client("x"), "external"))))
        )
    elif draw(st.booleans()):
        built = _alone(built)
    return replace(built, profiles=profiles, budget_warnings=draw(st.sampled_from(((), (0.5, 0.9)))))


def _alone(built: Plan) -> Plan:
    """One phase with room for everything: patience and fallbacks of both roles come to their ends."""
    first = built.phases[0]
    attempts = tuple(replace(each, fallbacks=(BIG, OTHER)) for each in first.attempts)
    reserve = (OTHER,) if first.second_audit is None else (BIG,)
    told = replace(
        first, attempts=attempts, audit_fallbacks=reserve, auto_apply=False, token_cap=1_000_000, cost_usd_max=None
    )
    tiers = tuple(replace(tier, phases=(told.phase_id,)) for tier in built.tiers if told.phase_id in tier.phases)
    caps = replace(built.caps, tokens=5_000_000, cost_usd=None, minor_issues=50)
    return replace(built, phases=(told,), tiers=tiers, caps=caps)


def _with_builder(built: Plan, like: PlanPhase, provider: str) -> Plan:
    """The first phase by a command, or by a client."""
    first, *rest = built.phases
    name = like.attempts[0].ask.model
    agent = replace(built.models["small"], name=name, provider=provider, price=None, token_cap=1_000_000)
    made = replace(first, attempts=like.attempts, builder=like.builder, patches=())
    return replace(built, phases=(made, *rest), models={**built.models, agent.name: agent})


def _answered(outcome: Any) -> Bad:
    def bad(world: World, asked: str, effect: Any) -> ev.Event:
        usage = Usage(effect.input_tokens_max, 0, 0, 0, 0, known=outcome != "transient")
        return ev.ModelAnswered(asked, world.clock, outcome, None, "", usage, "m", 0.5, None, outcome)

    return bad


def _unusable(world: World, asked: str, _effect: Any) -> ev.Event:
    return ev.EffectFailed(asked, world.clock, "git_unusable", "told to")


def _moved(world: World, asked: str, _effect: Any) -> ev.Event:
    return ev.HeadMoved(asked, world.clock, world.head)


BAD: Mapping[type[Effect], Sequence[Bad]] = {
    CallModel: (
        *map(_answered, ("auth", "not_found", "transient", "rate_limited", "truncated", "empty_output")),
        lambda world, asked, _: ev.EffectLost(asked, world.clock),
        lambda world, asked, _: ev.EffectLost(asked, world.clock),
        _unusable,
    ),
    RunBuilder: (
        lambda world, asked, _: ev.EffectLost(asked, world.clock),
        lambda world, asked, _: ev.BuilderFinished(asked, world.clock, "failed", None, "o" * 64, 1, 1.0, "failed", ()),
    ),
    AskExternal: (
        lambda world, asked, _: ev.BuilderFinished(
            asked, world.clock, "timed_out", None, None, None, 1.0, "late", (), wants_review=True
        ),
        _unusable,
    ),
    AssembleContext: (
        lambda world, asked, wish: ev.ContextAssembled(asked, world.clock, "r", wish.input_tokens_max, (), ()),
        lambda world, asked, wish: ev.ContextAssembled(asked, world.clock, "r", wish.input_tokens_max + 1, (), ()),
    ),
    ApplyReply: (lambda world, asked, _: ev.PatchRefused(asked, world.clock, "edit_failed", "no", "e" * 64, ()),),
    ReadReview: (
        lambda world, asked, _: ev.ReviewUnreadable(asked, world.clock, "no facts", "e" * 64),
        lambda world, asked, _: ev.ReviewRead(asked, world.clock, "revise", "high", "e" * 64, ()),
    ),
    RunCi: (
        lambda world, asked, _: ev.CiFinished(
            asked, world.clock, "red", "d" * 64, 1, ("x",), "e" * 64, {}, ("f",), (), ("old",)
        ),
        _unusable,
    ),
    Land: (_moved,),
    Rebase: (lambda world, asked, _: ev.Conflicted(asked, world.clock, ("a",), "e" * 64),),
}
WRONG = tuple(BAD)


class Core(RuleBasedStateMachine):
    """`world` answers; the rules say which wish, and when something else happens."""

    world: World

    @initialize(plan=told(), seed=SEEDS)
    def begin(self, plan: Plan, seed: int) -> None:
        self.world = World(plan, Random(seed), start(plan, "run-1"))

    def _open(self) -> bool:
        return not self.world.run.done

    def _paid(self) -> list[str]:
        return [asked for asked, effect in self.world.run.pending.items() if isinstance(effect, PAID)]

    @precondition(_open)
    @rule(which=SEEDS, seed=SEEDS, passed_s=st.sampled_from((0.0, 0.5, 30.0)))
    def answer(self, which: int, seed: int, passed_s: float) -> None:
        """Any open wish, whichever is the oldest, with any outcome."""
        world = self.world
        world.clock += passed_s
        world.chance = Random(seed)
        asked = list(world.run.pending)[which % len(world.run.pending)]
        effect = world.run.pending[asked]
        world.take(getattr(world, type(effect).__name__)(asked, effect))

    @precondition(_open)
    @rule(seed=SEEDS)
    def a_few_answers(self, seed: int) -> None:
        """So that runs get somewhere between two interesting things."""
        self.world.chance = Random(seed)
        for _ in range(12):
            if not self.world.run.done:
                self.world.take(self.world.next_event())

    @precondition(_open)
    @rule(seed=SEEDS, kind=st.sampled_from(WRONG), word=SEEDS, times=st.integers(1, 9))
    def one_thing_keeps_going_wrong(self, seed: int, kind: type[Effect], word: int, times: int) -> None:
        """The same trouble again and again, among answers as they come: retries, races and patience have an end."""
        world, bad = self.world, BAD[kind][word % len(BAD[kind])]
        world.chance = Random(seed)
        for _ in range(60):
            if world.run.done or not times:
                return
            found = [(asked, effect) for asked, effect in world.run.pending.items() if isinstance(effect, kind)]
            if found:
                asked, effect = world.chance.choice(found)
                world.take(bad(world, asked, effect))
                times -= 1
            else:
                world.take(world.next_event())

    @precondition(_open)
    @rule(jump_s=st.sampled_from((-3_600.0, -1.0, 1.0, 61.0, 250.0)))
    def clock_jumps(self, jump_s: float) -> None:
        """Also back: the run's own clock never does."""
        before = self.world.run.elapsed_s
        at_s = max(0.0, self.world.clock + jump_s)
        self.world.take(ev.TimePassed(at_s))
        self.world.clock = max(self.world.clock, at_s)
        assert self.world.run.elapsed_s == max(before, at_s)

    @precondition(lambda self: self._open() and len(self.world.log) > 40)
    @rule()
    def cancel(self) -> None:
        self.world.take(ev.CancelRequested(self.world.clock, "ann"))

    @precondition(lambda self: self._open() and len(self.world.log) > 20)
    @rule(which=SEEDS, trouble=st.sampled_from(("git_unusable", "disk_full", "ci_unusable", "store_lost")))
    def the_world_gives_out(self, which: int, trouble: Any) -> None:
        asked = list(self.world.run.pending)[which % len(self.world.run.pending)]
        self.world.take(ev.EffectFailed(asked, self.world.clock, trouble, "told to"))

    @precondition(_open)
    @rule()
    def crash_and_replay(self) -> None:
        """The fold of the journal is the run; a call in flight is lost, and charged with its reservation."""
        world = self.world
        assert replayed(world) == world.run
        world.run = replayed(world)
        for asked in self._paid():
            if asked in world.run.pending and asked not in unwanted(world.run):
                spent, held = world.run.ledger.spent(RUN), world.run.ledger.held[asked].amount
                world.take(ev.EffectLost(asked, world.clock))
                assert world.run.ledger.spent(RUN) == spent + held
                break

    @precondition(_open)
    @rule(seed=SEEDS)
    def what_is_illegal_changes_nothing(self, seed: int) -> None:
        run, chance = self.world.run, Random(seed)
        asked = chance.choice(list(run.pending))
        wrong: list[ev.Event] = [ev.Landed("0" * 64, 1.0, "c", "t"), ev.CallDropped("0" * 64, 1.0)]
        if not isinstance(run.pending[asked], Land):
            wrong.append(ev.Landed(asked, 1.0, "c", "t"))
        if not isinstance(run.pending[asked], Rebase):
            wrong.append(ev.Rebased(asked, 1.0, "c", "p", overlaps=False))
        with pytest.raises(IllegalEvent):
            react(self.world.plan, run, chance.choice(wrong))
        assert self.world.run is run

    @invariant()
    def warnings_come_once(self) -> None:
        if hasattr(self, "world"):
            seen = [(w.level, w.name, w.dimension, w.share) for w in self.world.run.warnings]
            assert len(set(seen)) == len(seen)

    @precondition(lambda self: not self._open())
    @rule(plan=told(), seed=SEEDS)
    def another_run(self, plan: Plan, seed: int) -> None:
        """Nothing comes after the end of one."""
        with pytest.raises(IllegalEvent):
            react(self.world.plan, self.world.run, ev.TimePassed(self.world.clock))
        self.teardown()
        self.begin(plan, seed)

    def teardown(self) -> None:
        """However it was left, the run ends, and what it left behind is whole."""
        if not hasattr(self, "world"):
            return
        world = self.world
        world.tell()
        run = world.run
        assert (dict(run.pending), run.ledger.held) == ({}, {})
        assert {each.state for each in run.phases.values()} <= ENDED
        assert max(world.keys.values()) == 1, "an effect was wished twice"
        nothing_lands_without_its_approval(world)
        assert replayed(world) == run


def test_whatever_happens_in_whatever_order_every_rule_of_the_core_holds_and_every_row_is_hit(
    monkeypatch: pytest.MonkeyPatch,
):
    """REQ-1.1-1, REQ-2.1-3, REQ-3.5-5, REQ-12.0-2: the same search each time, so that the rows it hits are the same."""
    reached: set[str] = set()
    pick: Callable[[Turn], machine.Row] = machine._row

    def picked(turn: Turn) -> machine.Row:
        row = pick(turn)
        reached.add(_called(row))
        return row

    monkeypatch.setattr(machine, "_row", picked)
    search = settings(max_examples=200, stateful_step_count=50, derandomize=True, deadline=None, database=None)
    run_state_machine_as_test(Core, settings=search)
    table = {_called(row) for row in machine.TABLE}
    assert len(reached) > 0.8 * len(table)
    for told_story in STORIES:  # what chance has not come by, on a slow day of a changed core
        told_story().tell()
    assert sorted(table - reached) == []


def _called(row: machine.Row) -> str:
    return f"{row.at} {row.event.__name__} {row.guard.__name__} -> {row.to}"
