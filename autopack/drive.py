"""The loop: replay, start what is pending, journal each answer, react. The only place with threads and a clock.

    fold the journal -> state
    while the run is not done:
        start pending effects that have a free place      (their intents are journalled first, with the answers
        wait for an answer, a timer or a wish to stop       that led to them, in one transaction)
        react to it in memory, journal it, believe it

A wish is journalled as an intent only when it is really started, so an intent without an answer means "was in
flight". After a crash a model call in that place is looked up in the paid-call ledger: with a reply on disk it is
answered from there, without one it is `EffectLost`. Every other effect is simply delivered again, dated as before.
A call that nobody has sent when its phase ends is answered `CallDropped` and never sent.

Told to stop (Ctrl-C), the driver launches nothing more, lets its children be cut short, whose answers it does not
believe, and waits for the model calls in flight, because they are paid.
"""

import contextlib
import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Protocol

from autopack.journal.rows import Intent, IntentRow
from autopack.journal.writer import Writer
from autopack.plan.model import Plan
from autopack.run import events as ev
from autopack.run import pools
from autopack.run.effects import PAID, CallModel, CloseRun, Effect, Preflight
from autopack.run.machine import next_deadline_s, react, start, unwanted
from autopack.run.state import RunState
from autopack.run.trace import Trace
from autopack.runners.rates import Rates
from autopack.runners.ticket import Ticket


class Hands(Protocol):
    """Whoever carries out effects: the real runners, or scripted ones in rehearsals and tests."""

    def perform(self, effect: Effect, ticket: Ticket, elapsed_s: Callable[[], float]) -> ev.Event: ...

    def answer_from(self, effect: CallModel, reply: Mapping[str, Any], elapsed_s: float) -> ev.Event: ...

    def reap(self, token: str) -> None: ...


class Interrupted(Exception):
    """The driver was asked to stop before the run had ended; the run can be resumed."""


def fold(plan: Plan, run_id: str, plan_sha256: str, journal: Iterable[tuple[str, Mapping[str, Any]]]) -> RunState:
    """The state that a journal's events lead to. Raises IllegalEvent or NotThisShape for a foreign journal."""
    state = start(plan, run_id, plan_sha256)
    for type_name, body in journal:
        state = react(plan, state, ev.build(type_name, body))
    return state


class _Threads:
    """As many as ever had something to do at once, which the places of the pools bound."""

    def __init__(self) -> None:
        self._todo: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._all: list[threading.Thread] = []

    def give(self, task: Callable[[], None], busy: int) -> None:
        """At once to a thread of its own: `busy` are at work, with this one."""
        if busy > len(self._all):
            thread = threading.Thread(target=self._serve, name=f"autopack-{busy}")
            thread.start()
            self._all.append(thread)
        self._todo.put(task)

    def end(self, *, waits: bool) -> None:
        for _ in self._all:
            self._todo.put(None)
        for thread in self._all if waits else ():
            thread.join()

    def _serve(self) -> None:
        while (task := self._todo.get()) is not None:
            task()


@dataclass
class Driver:
    """Drives one run in this process. `now` is a monotonic clock in seconds, `wall` the epoch clock for records."""

    plan: Plan
    state: RunState
    writer: Writer
    hands: Hands
    now: Callable[[], float]
    wall: Callable[[], float]
    observe: Callable[[RunState, ev.Event | None], None]
    cancel_wanted: Callable[[], str | None]
    summary: Callable[[RunState], Mapping[str, Any]]
    place: str = ""
    poll_s: float = 0.5
    _running: dict[str, Effect] = field(default_factory=dict)
    _not_before: dict[str, float] = field(default_factory=dict)
    _intents: Mapping[str, IntentRow] = field(default_factory=dict)
    _answers: queue.SimpleQueue[tuple[str, ev.Event | BaseException]] = field(default_factory=queue.SimpleQueue)
    _threads: _Threads = field(default_factory=_Threads)
    _trace: Trace = field(default_factory=Trace)
    _interrupted: bool = False
    _rated_s: float = 0.0
    _born: float = 0.0
    _rates: Rates = field(init=False)

    def drive(self, intents: Mapping[str, IntentRow], calls: Mapping[str, Mapping[str, Any] | None]) -> RunState:
        """To a terminal state. `intents` and `calls` (key -> reply or None) are what an earlier driver left.

        Raises Interrupted when told to stop, IllegalEvent and journal errors as they are.
        """
        self._intents = intents
        self._rates = Rates(self.plan.quotas, self.now)
        self._born = self.now() - self.state.elapsed_s
        waits = True
        try:
            self._believe(self._recovered(calls))
            while not self.state.done:
                self._believe(self._next_answers())
                if self._interrupted and not self._running:
                    raise Interrupted
        except KeyboardInterrupt:
            waits = False  # a second Ctrl-C: who presses it does not want to wait for calls in flight
            raise
        finally:
            self._interrupted = True
            self._threads.end(waits=waits)
        return self.state

    def interrupt(self) -> None:
        """Stop launching; what runs is cut short, but model calls in flight are waited for, because they are paid."""
        self._interrupted = True

    def elapsed_s(self) -> float:
        return self.now() - self._born

    # --- one round ---

    def _believe(self, answers: list[ev.Event]) -> None:
        """React in memory, make events and the next intents durable in one transaction, then start the effects."""
        believed = self._reacted(answers)
        state = believed[-1][1] if believed else self.state
        launch = self._launchable(state)
        wall = self.wall()
        if believed or launch:
            rows = [(type(event).__name__, event, wall) for event, _ in believed]
            intents = [self._intent(k, e, state) for k, e in launch if k not in self._intents]
            after = [self._trace.after(then) for _, then in believed]
            self.writer.append(rows, intents, self.summary(state), at=wall, after=after)
        self.state = state
        for event, then in believed:
            self.observe(then, event)
        for effect_key, effect in launch:
            self._running[effect_key] = effect
            earlier = self._intents.get(effect_key)
            ticket = self._ticket(effect_key, earlier.at if earlier else wall)
            self._threads.give(partial(self._work, effect, ticket), len(self._running))

    def _reacted(self, answers: list[ev.Event]) -> list[tuple[ev.Event, RunState]]:
        """Each answer that still has a question with the state it leads to; then the calls that nobody will send."""
        believed, state = [], self.state
        for event in answers:
            if self._still_asked(state, event):
                state = react(self.plan, state, event)
                believed.append((event, state))
        for effect_key in unwanted(state):
            if effect_key not in self._running:
                event = ev.CallDropped(effect_key, self.elapsed_s())
                state = react(self.plan, state, event)
                believed.append((event, state))
        return believed

    def _still_asked(self, state: RunState, event: ev.Event) -> bool:
        """Whether an answer still has a question: a stopped run drops its wishes while they are carried out."""
        effect_key = getattr(event, "key", None)
        return not state.done and (effect_key is None or effect_key in state.pending)

    def _launchable(self, state: RunState) -> list[tuple[str, Effect]]:
        """Pending effects that have a place in their pools now, oldest first."""
        self._rated_s = 0.0
        if self._interrupted:
            return []
        taken = Counter(name for effect in self._running.values() for name in pools.names(self.plan, effect))
        found = []
        for effect_key, effect in sorted(state.pending.items(), key=lambda wish: wish[0] not in self._intents):
            names = pools.names(self.plan, effect)
            if effect_key in self._running or not self._due(effect_key, effect):
                continue
            if all(taken[name] < pools.places(self.plan, name) for name in names) and self._in_time(effect):
                found.append((effect_key, effect))
                taken.update(names)
        return found

    def _in_time(self, effect: Effect) -> bool:
        """Whether the provider may be asked again by now; else `_rated_s` says when to look again."""
        if not isinstance(effect, CallModel):
            return True
        provider, tokens = self.plan.models[effect.model].provider, effect.input_tokens_max + effect.output_tokens_max
        wait_s = self._rates.wait_s(provider, tokens)
        if wait_s > 0:
            self._rated_s = min(self._rated_s or wait_s, wait_s)
            return False
        self._rates.take(provider, tokens)
        return True

    def _due(self, effect_key: str, effect: Effect) -> bool:
        """Not while a call has to wait, which takes no place; the last look at the refs comes after everything."""
        if isinstance(effect, CloseRun):
            return not self._running
        if not isinstance(effect, (CallModel, Preflight)) or not effect.delay_s:
            return True
        return self.now() >= self._not_before.setdefault(effect_key, self.now() + effect.delay_s)

    def _intent(self, effect_key: str, effect: Effect, state: RunState) -> Intent:
        held = state.ledger.held.get(effect_key)
        return Intent(
            key=effect_key,
            effect_type=type(effect).__name__,
            body=effect,
            token=self._token(effect_key),
            reserved_tokens=held.amount.tokens if held else None,
            reserved_cost=held.amount.cost_usd if held else None,
        )

    # --- waiting ---

    def _next_answers(self) -> list[ev.Event]:
        """All answers that have arrived, at least one unless a timer rings or a place or delay is due before it."""
        answers: list[ev.Event] = []
        with contextlib.suppress(queue.Empty):
            self._take(answers, self._answers.get(timeout=self._wait_s()))
            while True:
                self._take(answers, self._answers.get_nowait())
        return answers + self._timers()

    def _take(self, answers: list[ev.Event], arrived: tuple[str, ev.Event | BaseException]) -> None:
        """Only a paid call is still believed once the driver was told to stop: what was cut short has no verdict."""
        effect_key, answer = arrived
        effect = self._running.pop(effect_key)
        if isinstance(answer, BaseException):
            raise answer
        if isinstance(effect, CallModel) or not self._interrupted:
            answers.append(answer)

    def _wait_s(self) -> float:
        """Until the next deadline or delayed call, but never longer than the poll for a cancel."""
        waits = [self.poll_s]
        if self._interrupted:
            return self.poll_s
        deadline_s = next_deadline_s(self.plan, self.state)
        if deadline_s is not None:
            waits.append(deadline_s - self.elapsed_s())
        due = (self._not_before[k] - self.now() for k in self.state.pending if k in self._not_before)
        waits += [wait for wait in (*due, self._rated_s) if wait > 0]
        return max(0.0, min(waits))

    def _timers(self) -> list[ev.Event]:
        found: list[ev.Event] = []
        if self._interrupted:
            return found
        by = None if self.state.stopping or self.state.closing else self.cancel_wanted()
        if by is not None:
            found.append(ev.CancelRequested(self.elapsed_s(), by))
        deadline_s = next_deadline_s(self.plan, self.state)
        if deadline_s is not None and self.elapsed_s() >= deadline_s:
            found.append(ev.TimePassed(self.elapsed_s()))
        return found

    # --- the threads ---

    def _work(self, effect: Effect, ticket: Ticket) -> None:
        """In a worker thread: carry out one effect and hand its answer, or its exception, back to the loop."""
        answer: ev.Event | BaseException
        try:
            answer = self.hands.perform(effect, ticket, self.elapsed_s)
        except BaseException as error:  # noqa: BLE001  # why: a bug in a thread must reach the loop and end the drive, not vanish
            answer = error
        self._answers.put((ticket.key, answer))

    def _ticket(self, effect_key: str, at: float) -> Ticket:
        def started(pid: int, pid_start: float) -> None:
            """From the worker's own thread: the writer allows it, and it outlives every worker."""
            self.writer.started(effect_key, pid, pid_start)

        def cancelled() -> bool:
            state = self.state
            return effect_key not in state.pending or self._interrupted or effect_key in unwanted(state)

        return Ticket(effect_key, self._token(effect_key), at, cancelled, started)

    def _token(self, effect_key: str) -> str:
        """Of this run of this place only: another project may have a run of the same name and the same wishes."""
        return f"{self.state.run_id}-{self.place}-{effect_key[:16]}"

    # --- after a crash ---

    def _recovered(self, calls: Mapping[str, Mapping[str, Any] | None]) -> list[ev.Event]:
        """Answers for what was in flight when an earlier driver died; all its children are killed first.

        Also those of effects that nobody asks for any more: the driver may have died while it was stopping them.
        """
        for effect_key, intent in self._intents.items():
            if intent.pid is not None or effect_key in self.state.pending:
                self.hands.reap(intent.token)
        return [
            self._found_or_lost(effect_key, effect, calls.get(effect_key))
            for effect_key, effect in self.state.pending.items()
            if isinstance(effect, PAID) and effect_key in self._intents
        ]

    def _found_or_lost(self, effect_key: str, effect: Effect, reply: Mapping[str, Any] | None) -> ev.Event:
        if reply is None or not isinstance(effect, CallModel):
            return ev.EffectLost(effect_key, self.elapsed_s())
        return self.hands.answer_from(effect, reply, self.elapsed_s())
