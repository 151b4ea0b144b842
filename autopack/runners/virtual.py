"""Runs in virtual time: the real machine, hands that are made up, and a clock that jumps to the next thing to happen.

The same wishes get the same places as under the real driver (`run.pools`), so a run takes as long here as it would
take there. Nothing is read, written or waited for: equal plans and equal hands give equal runs.
"""

import heapq
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from autopack.plan.model import Plan
from autopack.run import events as ev
from autopack.run import pools
from autopack.run.effects import CallModel, CloseRun, Effect, Preflight, RunBuilder
from autopack.run.machine import next_deadline_s, react, start, unwanted
from autopack.run.state import RunState

NO_DIGEST = "0" * 64
"""Stands for the plan's digest: nobody compares it, and working it out costs more than the run."""

Watch = Callable[[Effect | None, ev.Event, RunState], None]


class Hands(Protocol):
    """Made-up hands. `answer` is asked when the effect is done, so it sees the world as it is then."""

    def takes_s(self, effect: Effect) -> float: ...

    def answer(self, key: str, effect: Effect, at_s: float) -> ev.Event: ...

    def cut_short(self, key: str, effect: Effect, at_s: float) -> ev.Event: ...


def play(plan: Plan, hands: Hands, *, run_id: str = "rehearsal", watch: Watch | None = None) -> RunState:
    """The run, at its end. `watch` is told each event, the effect it answers and the state it leads to.

    The plan needs a base commit; any will do.
    """
    stage = _Stage(plan, hands, start(plan, run_id, NO_DIGEST), watch)
    while not stage.run.done:
        stage.launch()
        stage.step()
    return stage.run


@dataclass(slots=True)
class _Stage:
    plan: Plan
    hands: Hands
    run: RunState
    watch: Watch | None
    now_s: float = 0.0
    done_at: list[tuple[float, int, str]] = field(default_factory=list)  # a heap of what is under way
    under_way: dict[str, tuple[Effect, tuple[str, ...]]] = field(default_factory=dict)
    taken: Counter[str] = field(default_factory=Counter)
    not_before: dict[str, float] = field(default_factory=dict)
    launched: int = 0

    def launch(self) -> None:
        """Every pending effect that has a place in its pools now, oldest first."""
        for key, effect in self.run.pending.items():
            if key in self.under_way or not self._due(key, effect):
                continue
            names = pools.names(self.plan, effect)
            if all(self.taken[name] < pools.places(self.plan, name) for name in names):
                self.under_way[key] = effect, names
                self.taken.update(names)
                self.launched += 1
                heapq.heappush(self.done_at, (self.now_s + self.hands.takes_s(effect), self.launched, key))

    def step(self) -> None:
        """On to whatever happens next: an answer, a deadline, the end of a delay."""
        deadline_s = next_deadline_s(self.plan, self.run)
        times = [at_s for key, at_s in self.not_before.items() if at_s > self.now_s and key in self.run.pending]
        if deadline_s is not None:
            times.append(deadline_s)
        if self.done_at and self.done_at[0][0] <= min(times, default=math.inf):
            self.now_s, _, key = heapq.heappop(self.done_at)
            if key in self.under_way:
                effect = self._let_go(key)
                self._react(effect, self.hands.answer(key, effect, self.now_s))
        elif times:
            self.now_s = max(self.now_s, min(times))
            if deadline_s is not None and self.now_s >= deadline_s:
                self._react(None, ev.TimePassed(self.now_s))
        else:
            raise RuntimeError(f"run {self.run.run_id} is {self.run.state} and waits for nothing")
        self._clear()

    def _clear(self) -> None:
        """What nobody waits for any more: work that was dropped is cut short, calls that were not sent never are."""
        for key in [key for key in self.under_way if key not in self.run.pending]:
            self._let_go(key)
        for key in unwanted(self.run):
            if key in self.under_way and isinstance(self.run.pending[key], RunBuilder):
                effect = self._let_go(key)
                self._react(effect, self.hands.cut_short(key, effect, self.now_s))
            elif key not in self.under_way:
                self._react(self.run.pending[key], ev.CallDropped(key, self.now_s))

    def _let_go(self, key: str) -> Effect:
        effect, names = self.under_way.pop(key)
        self.taken.subtract(names)
        return effect

    def _react(self, effect: Effect | None, event: ev.Event) -> None:
        self.run = react(self.plan, self.run, event)
        if self.watch is not None:
            self.watch(effect, event, self.run)

    def _due(self, key: str, effect: Effect) -> bool:
        """Not while a call has to wait, which takes no place; the last look at the refs comes after everything."""
        if isinstance(effect, CloseRun):
            return not self.under_way
        if not isinstance(effect, (CallModel, Preflight)) or not effect.delay_s:
            return True
        return self.now_s >= self.not_before.setdefault(key, self.now_s + effect.delay_s)
