"""The loop around the machine: real threads, a real store, scripted hands, a clock that stands still unless told."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from autopack.drive import Driver, Interrupted, fold
from autopack.journal.store import Store, open_store
from autopack.plan import canonical
from autopack.plan.model import Caps, Plan, Quota, digest, load
from autopack.run import events as ev
from autopack.run.effects import AssembleContext, CallModel, CloseRun, Effect, Land, RunCi, key
from autopack.run.ledger import RUN, ZERO
from autopack.run.machine import IllegalEvent
from autopack.run.state import RunState
from autopack.runners.ticket import Ticket
from tests.run.story import Story, phase, plan

PATIENCE_S = 300.0
"""How long a thread waits for another before the test is called stuck."""


class Killed(BaseException):
    """Stands for kill -9: nothing after it is believed."""


class Clock:
    def __init__(self, at: float) -> None:
        self.at = at

    def __call__(self) -> float:
        return self.at


class ScriptedHands(Story):
    """Answers as a Story does, from any thread, and keeps the reply of a paid call before it is believed.

    What an effect has done stays done: delivered again, it gives the same answer. `follow` hands that world on.

    `before` and `after` are called around each effect, outside any lock; what they raise is raised in the worker.
    """

    def __init__(self, bench: "Bench") -> None:
        super().__init__(bench.plan)
        self.bench = bench
        self.before: Callable[[Effect, Ticket], None] = lambda _effect, _ticket: None
        self.after: Callable[[Effect, Ticket], None] = lambda _effect, _ticket: None
        self.begun: list[Effect] = []
        self.tickets: list[Ticket] = []
        self.unjournalled: list[Effect] = []
        self.reaped: list[str] = []
        self.most: Counter[str] = Counter()
        self.done: dict[str, ev.Event] = {}
        self._now: Counter[str] = Counter()
        self._mutex = threading.Lock()

    def perform(self, effect: Effect, ticket: Ticket, elapsed_s: Callable[[], float]) -> ev.Event:
        name = type(effect).__name__
        with self._mutex:
            self.begun.append(effect)
            self.tickets.append(ticket)
            self._now[name] += 1
            self.most[name] = max(self.most[name], self._now[name])
            if ticket.key not in self.bench.store.intents("run-1"):
                self.unjournalled.append(effect)
        try:
            self.before(effect, ticket)
            with self._mutex:
                if ticket.key not in self.done:
                    self.done[ticket.key] = self.answer(ticket.key, effect)
                event = replace(self.done[ticket.key], elapsed_s=elapsed_s())
                if isinstance(event, ev.Landed):
                    self.run = replace(self.run, head=event.commit)
            if isinstance(event, ev.ModelAnswered):
                self.bench.driver.writer.reply(ticket.key, canonical.plain(replace(event, key="", elapsed_s=0.0)))
            self.after(effect, ticket)
        finally:
            with self._mutex:
                self._now[name] -= 1
        return event

    def answer_from(self, effect: CallModel, reply: Mapping[str, Any], elapsed_s: float) -> ev.Event:
        return replace(canonical.build(ev.ModelAnswered, reply), key=key(effect), elapsed_s=elapsed_s)

    def reap(self, token: str) -> None:
        self.reaped.append(token)

    def follow(self, first: "ScriptedHands") -> "ScriptedHands":
        self.words, self.run, self.done = first.words, first.run, first.done
        return self

    def sent(self, phase_id: str | None = None) -> list[CallModel]:
        """The calls that were really sent."""
        return [e for e in self.begun if isinstance(e, CallModel) and phase_id in (None, e.phase_id)]


class Bench:
    """A store with one run and the drivers that work on it, one after the other."""

    driver: Driver

    def __init__(self, told: Plan, store: Store) -> None:
        self.plan, self.store = told, store
        self.now, self.wall = Clock(100.0), Clock(1_700_000_000.0)
        self.cancelled_by: str | None = None
        self.seen: list[ev.Event | None] = []
        store.create_run("run-1", told.project, canonical.text(told), digest(told), at=0.0)

    def folded(self) -> RunState:
        found = ((event.type, event.body) for event in self.store.events("run-1"))
        return fold(load(self.store.plan("run-1")), "run-1", self.store.run("run-1").plan_sha256, found)

    def types(self) -> list[str]:
        return [event.type for event in self.store.events("run-1")]

    def drive(self, hands: ScriptedHands) -> RunState:
        """One driver, from what is on disk to the end or to its own."""
        with self.store.writer("run-1") as writer:
            self.driver = Driver(
                plan=self.plan,
                state=self.folded(),
                writer=writer,
                hands=hands,
                now=self.now,
                wall=self.wall,
                observe=lambda _run, event: self.seen.append(event),
                cancel_wanted=lambda: self.cancelled_by,
                summary=lambda run: {"state": run.state},
                poll_s=0.005,
            )
            calls = {name: call.reply for name, call in self.store.calls("run-1").items()}
            intents = self.store.intents("run-1")
            patience = threading.Timer(4 * PATIENCE_S, self.driver.interrupt)
            patience.start()
            try:
                return self.driver.drive(intents, calls)
            finally:
                patience.cancel()


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    stores: list[Store] = []

    def made(told: Plan) -> Bench:
        store = open_store(tmp_path / f"{len(stores)}.sqlite", create=True, synchronous="NORMAL")
        stores.append(store)
        return Bench(told, store)

    yield made
    for store in stores:
        store.close()


Made = Callable[[Plan], Bench]


def until(true: Callable[[], bool]) -> None:
    """Waits for another thread without looking at the clock of the test."""
    waited = threading.Event()
    for _ in range(int(PATIENCE_S / 0.002)):
        if true():
            return
        waited.wait(0.002)
    raise AssertionError("nothing happened")


# --- a run --------------------------------------------------------------------------------------------------------


def test_a_run_is_driven_to_its_end_and_its_journal_folds_to_the_same_state(bench: Made):
    place = bench(plan(phase("a", auto_apply=False), phase("b"), phase("c", needs=("a", "b")), pools={"phase": 1}))
    run = place.drive(ScriptedHands(place))
    assert run.state == "DONE_SUCCESS"
    assert place.folded() == run
    assert place.store.run("run-1").state == "DONE_SUCCESS"
    assert [type(event).__name__ for event in place.seen] == place.types()


def test_every_effect_is_journalled_before_it_starts_with_the_reservation_of_a_call(bench: Made):
    place = bench(plan(phase("a", auto_apply=False), phase("b")))
    hands = ScriptedHands(place).says(ci=["red", "green"])
    place.drive(hands)
    assert hands.unjournalled == []
    assert set(place.store.intents("run-1")) == {key(effect) for effect in hands.begun}
    reserved = {
        name: (call.reserved_tokens, call.reserved_cost_usd) for name, call in place.store.calls("run-1").items()
    }
    assert reserved == {key(e): (e.input_tokens_max + e.output_tokens_max, e.cost_usd_max) for e in hands.sent()}


def test_no_pool_is_ever_fuller_than_the_plan_says_and_each_is_used_to_the_full(bench: Made):
    pools = {"phase": 6, "AssembleContext": 3, "CallModel": 6, "provider:replay": 2, "RunCi": 3, "Land": 1}
    place = bench(plan(*(phase(name) for name in "abcdef"), pools=pools))
    hands = ScriptedHands(place)
    # each waits for as many companions as its pool lets in: too small a pool leaves one alone until it gives up
    meeting = {AssembleContext: threading.Barrier(3), CallModel: threading.Barrier(2)}

    def meet(effect: Effect, _ticket: Ticket) -> None:
        if type(effect) in meeting:
            meeting[type(effect)].wait(PATIENCE_S)

    hands.before = meet
    assert place.drive(hands).state == "DONE_SUCCESS"
    assert (hands.most["AssembleContext"], hands.most["CallModel"], hands.most["Land"]) == (3, 2, 1)
    assert hands.most["RunCi"] <= 3


def test_a_call_that_has_to_wait_takes_no_place_in_its_pool(bench: Made):
    place = bench(plan(phase("a"), phase("b"), pools={"phase": 2, "AssembleContext": 1, "CallModel": 1}))
    hands = ScriptedHands(place).says("a", builder_call=["transient", "ok"])

    def wake(effect: Effect, _ticket: Ticket) -> None:
        if isinstance(effect, Land) and effect.phase_id == "b":
            place.now.at += 60.0

    hands.after = wake
    run = place.drive(hands)
    assert run.state == "DONE_SUCCESS"
    assert [(e.phase_id, e.retry) for e in hands.sent()] == [("a", 0), ("b", 0), ("a", 1)]


def test_a_providers_rate_is_held_on_the_drivers_clock_and_is_no_part_of_the_journal(bench: Made):
    told = plan(phase("a"), phase("b"), quotas={"replay": Quota(1, None)})
    place = bench(told)
    hands, sent_at = ScriptedHands(place), []

    def watch(effect: Effect, _ticket: Ticket) -> None:
        if isinstance(effect, CallModel):
            sent_at.append(place.now.at)
        elif isinstance(effect, Land):
            place.now.at += 61.0

    hands.before = watch
    assert place.drive(hands).state == "DONE_SUCCESS"
    assert sent_at == [100.0, 161.0]
    assert place.folded().state == "DONE_SUCCESS"


def test_all_of_one_round_is_dated_alike_in_journal_intent_and_ticket(bench: Made):
    place = bench(plan(phase("a")))
    hands = ScriptedHands(place)

    def later(_effect: Effect, _ticket: Ticket) -> None:
        place.wall.at += 1.0

    hands.before = later
    place.drive(hands)
    dated = {ticket.key: ticket.at for ticket in hands.tickets}
    assert {name: intent.at for name, intent in place.store.intents("run-1").items()} == dated
    assert sorted(dated.values()) == [1_700_000_000.0 + second for second in range(8)]
    assert [event.at for event in place.store.events("run-1")] == [1_700_000_001.0 + second for second in range(8)]


def test_a_child_that_was_started_is_on_record(bench: Made):
    place = bench(plan(phase("a")))
    hands = ScriptedHands(place)
    hands.before = lambda effect, ticket: ticket.started(4242, 1.5) if isinstance(effect, RunCi) else None
    place.drive(hands)
    pids = {intent.effect_type: (intent.pid, intent.pid_start) for intent in place.store.intents("run-1").values()}
    assert pids["RunCi"] == (4242, 1.5)
    assert pids["Land"] == (None, None)


# --- killed and taken up again ------------------------------------------------------------------------------------

STORY = plan(phase("a", auto_apply=False), phase("b"), phase("c", needs=("a", "b")), pools={"phase": 1})


def killed_at(place: Bench, number: int, *, after: bool) -> ScriptedHands:
    """A driver that dies at its nth effect: before anything of it was done, or when it was done and not believed."""
    hands = ScriptedHands(place)
    hands.says("a", builder=["edit_failed", "ok"])

    def die(_effect: Effect, _ticket: Ticket) -> None:
        if len(hands.begun) == number:
            raise Killed

    if after:
        hands.after = die
    else:
        hands.before = die
    with suppress(Killed):
        place.drive(hands)
    return hands


@pytest.mark.parametrize("after", [False, True], ids=["before it was done", "after it was done"])
def test_a_run_killed_at_any_effect_ends_as_if_nothing_had_happened(bench: Made, after: bool):
    whole = bench(STORY)
    clean = killed_at(whole, 0, after=after)
    for number in range(1, len(clean.begun) + 1):
        place = bench(STORY)
        first = killed_at(place, number, after=after)
        last = first.begun[-1]
        second = ScriptedHands(place).follow(first)
        run = place.drive(second)
        assert run.state == "DONE_SUCCESS"
        assert place.folded() == run
        assert {name: each.path for name, each in run.phases.items()} == {
            name: each.path for name, each in whole.folded().phases.items()
        }
        again = [e for e in second.begun if e in first.begun]
        assert again == ([] if isinstance(last, CallModel) else [last])
        assert sum(call.maybe_paid for each in run.phases.values() for call in each.calls) == (
            isinstance(last, CallModel) and not after
        )


def test_a_reply_on_disk_is_used_and_not_paid_for_again(bench: Made):
    place = bench(plan(phase("a")))
    first = killed_at(place, 4, after=True)
    (call,) = first.sent()
    second = ScriptedHands(place)
    run = place.drive(second)
    assert second.sent() == []
    assert place.types().count("ModelAnswered") == 1
    assert [(c.outcome, c.maybe_paid, c.tokens) for c in run.phases["a"].calls] == [("ok", False, 4_500)]
    assert place.store.calls("run-1")[key(call)].reply is not None


def test_a_call_without_a_reply_is_lost_stays_charged_and_is_sent_under_a_new_key(bench: Made):
    place = bench(plan(phase("a")))
    first = killed_at(place, 4, after=False)
    second = ScriptedHands(place)
    run = place.drive(second)
    (lost,), (sent,) = first.sent(), second.sent()
    assert key(lost) != key(sent)
    assert (lost.retry, sent.retry) == (0, 1)
    assert place.types().count("EffectLost") == 1
    assert [(c.outcome, c.maybe_paid, c.tokens) for c in run.phases["a"].calls] == [
        ("lost", True, 6_000),
        ("ok", False, 4_500),
    ]
    assert run.ledger.spent(RUN).tokens == 10_500


def test_an_effect_that_is_delivered_again_is_dated_as_the_first_time_under_the_same_token(bench: Made):
    place = bench(plan(phase("a")))
    first = killed_at(place, 10, after=False)
    assert isinstance(first.begun[-1], Land)
    place.wall.at += 3600.0
    second = ScriptedHands(place)
    place.drive(second)
    before, after = first.tickets[-1], second.tickets[0]
    assert (after.key, after.token, after.at) == (before.key, before.token, 1_700_000_000.0)
    assert second.tickets[1].at == 1_700_003_600.0


def test_children_of_a_dead_driver_are_reaped_before_anything_is_started_again(bench: Made):
    place = bench(plan(phase("a")))
    hands = ScriptedHands(place)

    def die(effect: Effect, ticket: Ticket) -> None:
        if isinstance(effect, RunCi):
            ticket.started(4242, 1.5)
            raise Killed

    hands.before = die
    with pytest.raises(Killed):
        place.drive(hands)
    second = ScriptedHands(place)
    second.before = lambda _effect, _ticket: second.reaped.append("began")
    place.drive(second)
    assert second.reaped[:2] == [hands.tickets[-1].token, "began"]


def test_a_run_that_was_driven_for_a_while_goes_on_with_the_time_it_had(bench: Made):
    place = bench(plan(phase("a")))
    hands = ScriptedHands(place)

    def die(effect: Effect, _ticket: Ticket) -> None:
        place.now.at += 10.0
        if isinstance(effect, RunCi):
            raise Killed

    hands.before = die
    with pytest.raises(Killed):
        place.drive(hands)
    assert place.folded().elapsed_s == 50.0
    place.now.at = 5.0  # another machine, another clock
    assert place.drive(ScriptedHands(place)).elapsed_s == 50.0


# --- stopped ------------------------------------------------------------------------------------------------------


def test_a_cancel_waits_for_the_call_in_flight_and_never_sends_the_one_behind_it(bench: Made):
    place = bench(plan(phase("a"), phase("b"), pools={"phase": 2, "CallModel": 1}))
    hands = ScriptedHands(place)

    def cancel(effect: Effect, _ticket: Ticket) -> None:
        if isinstance(effect, CallModel):
            until(lambda: sum(isinstance(e, CallModel) for e in place.driver.state.pending.values()) == 2)
            place.cancelled_by = "ann"
            until(lambda: place.driver.state.stopping)

    hands.before = cancel
    run = place.drive(hands)
    assert (run.state, run.failure.message if run.failure else "") == (
        "DONE_FAILED_REQUIRES_HUMAN_REVIEW",
        "cancelled by ann",
    )
    (sent,) = hands.sent()
    (unsent,) = {"a", "b"} - {sent.phase_id}
    assert run.ledger.spent(f"phase:{sent.phase_id}").tokens == 4_500
    assert (run.ledger.spent(f"phase:{unsent}"), run.ledger.held) == (ZERO, {})
    assert place.types().count("CancelRequested") == 1
    assert place.types().count("CallDropped") == 1
    assert place.folded() == run


def test_a_cancelled_ci_run_is_cut_short_and_its_answer_is_not_believed(bench: Made):
    place = bench(plan(phase("a")))
    hands = ScriptedHands(place).says(trouble_RunCi=["ci_unusable"])
    order: list[str] = []

    def linger(effect: Effect, ticket: Ticket) -> None:
        if isinstance(effect, RunCi):
            place.cancelled_by = "ann"
            until(ticket.cancelled)
            order.append("CI has ended")
        elif isinstance(effect, CloseRun):
            order.append("refs are compared")

    hands.before = linger
    run = place.drive(hands)
    assert run.failure is not None
    assert run.failure.reason == "cancelled"
    assert order == ["CI has ended", "refs are compared"]
    assert "EffectFailed" not in place.types()


def test_a_cancel_after_the_last_phase_is_not_even_recorded(bench: Made):
    place = bench(plan(phase("a")))
    hands = ScriptedHands(place)
    asked: list[bool] = []

    def late(effect: Effect, _ticket: Ticket) -> None:
        if isinstance(effect, CloseRun):
            place.cancelled_by = "ann"
            until(lambda: place.driver.state.closing)
            threading.Event().wait(0.05)  # some polls of the driver
            asked.append("CancelRequested" in place.types())

    hands.before = late
    assert place.drive(hands).state == "DONE_SUCCESS"
    assert asked == [False]
    assert "CancelRequested" not in place.types()


def test_the_runs_time_is_up_while_ci_is_running(bench: Made):
    place = bench(plan(phase("a"), phase("b", needs=("a",)), caps=Caps(5_000_000, 25, 10, 75, None)))
    hands = ScriptedHands(place)

    def too_long(effect: Effect, ticket: Ticket) -> None:
        if isinstance(effect, RunCi):
            place.now.at += 600.0
            until(ticket.cancelled)

    hands.before = too_long
    run = place.drive(hands)
    assert (run.state, run.failure.reason if run.failure else "") == ("DONE_FAILED_BUDGET_EXHAUSTED", "duration")
    assert place.types().count("TimePassed") == 1
    assert [each.state for each in run.phases.values()] == ["FAILED", "SKIPPED"]


def test_a_driver_told_to_stop_waits_for_its_calls_cuts_the_rest_short_and_can_be_followed(bench: Made):
    place = bench(plan(phase("a"), phase("b")))
    hands = ScriptedHands(place).says("b", trouble_RunCi=["ci_unusable"])
    testing, calling = threading.Event(), threading.Event()

    def stop(effect: Effect, ticket: Ticket) -> None:
        if isinstance(effect, CallModel) and effect.phase_id == "a":
            calling.set()
            assert testing.wait(PATIENCE_S)
            place.driver.interrupt()
        elif isinstance(effect, RunCi) and effect.phase_id == "b":
            assert calling.wait(PATIENCE_S)
            testing.set()
            until(ticket.cancelled)

    hands.before = stop
    with pytest.raises(Interrupted):
        place.drive(hands)
    run = place.folded()
    assert not run.done
    assert [c.outcome for c in run.phases["a"].calls] == ["ok"]
    assert "EffectFailed" not in place.types()
    second = ScriptedHands(place)
    assert place.drive(second).state == "DONE_SUCCESS"
    assert second.sent() == []
    assert {type(e).__name__ for e in second.begun} >= {"ApplyReply", "RunCi"}


def test_an_interrupted_driver_does_nothing_more_than_wait(bench: Made):
    place = bench(plan(phase("a"), caps=Caps(5_000_000, 25, 10, 75, None)))
    hands = ScriptedHands(place)

    def stop(effect: Effect, _ticket: Ticket) -> None:
        if isinstance(effect, CallModel):
            place.driver.interrupt()
            place.now.at += 6000.0
            place.cancelled_by = "ann"

    hands.before = stop
    with pytest.raises(Interrupted):
        place.drive(hands)
    assert place.types()[-1] == "ModelAnswered"


def test_a_bug_in_the_hands_ends_the_drive_with_it_and_tells_the_other_threads_to_stop(bench: Made):
    place = bench(plan(phase("a"), phase("b")))
    hands = ScriptedHands(place)
    told: list[bool] = []
    testing = threading.Event()

    def break_down(effect: Effect, ticket: Ticket) -> None:
        if isinstance(effect, RunCi) and effect.phase_id == "a":
            assert testing.wait(PATIENCE_S)
            raise ZeroDivisionError("a bug")
        if isinstance(effect, RunCi):
            testing.set()
            until(ticket.cancelled)
            told.append(ticket.cancelled())

    hands.before = break_down
    with pytest.raises(ZeroDivisionError, match="a bug"):
        place.drive(hands)
    assert told == [True]
    assert not place.folded().done
    assert place.drive(ScriptedHands(place)).state == "DONE_SUCCESS"


def test_an_answer_that_no_machine_would_take_ends_the_drive(bench: Made):
    place = bench(plan(phase("a")))
    hands = ScriptedHands(place)
    (probing,) = place.folded().pending
    hands.done[probing] = ev.Landed(probing, 0.0, "c", "t")
    with pytest.raises(IllegalEvent, match="Landed is no answer to ProbeProviders"):
        place.drive(hands)
    assert place.types() == []
