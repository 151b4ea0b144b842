"""The whole driver with hands that only answer: what an event costs as a run grows, and how near a run comes to the
time that no scheduler beats.

Real machine, real journal, real threads. An event here is one answer: reacted to, made durable with the next intents,
and believed.
"""

import math
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from autopack.drive import Driver
from autopack.journal.database import Synchronous
from autopack.journal.store import open_store
from autopack.plan import canonical
from autopack.plan.model import Plan, load
from autopack.run import effects as ef
from autopack.run import events as ev
from autopack.run.machine import start
from autopack.run.state import RunState
from autopack.runners.ticket import Ticket
from autopack.views.projection import row as summary_of
from benchmarks import Row
from benchmarks.machine import ANSWERS, plan_of

PLACES = 16
SIZES = (25, 250, 2_500)
ROUNDS = 3
STEPS = (ef.CallModel, ef.ApplyReply, ef.RunCi)
EVENT_MS: Mapping[Synchronous, float] = {"NORMAL": 0.12, "FULL": 0.8}


def rows() -> Iterable[Row]:
    """Milliseconds an event at three sizes and both durabilities, and two makespans."""
    for synchronous, at_most in EVENT_MS.items():
        each = {phases: _median(phases, synchronous) for phases in SIZES}
        for phases, ms in each.items():
            target = at_most if phases == SIZES[0] else each[SIZES[0]] * 1.25
            words = f"<= {target:.2f} ms"
            yield Row(
                "running", f"an event, {phases:,} phases, {synchronous}", f"{ms:.3f} ms", None, words, ms <= target
            )
    for what, uneven, at_most in (("even", 0.0, 1.05), ("uneven", 0.8, 1.10)):
        ratio = min(_makespan(uneven) for _ in range(ROUNDS))
        words = f"200 phases x 3 x 50 ms at {PLACES}, {what}"
        yield Row("running", words, f"{ratio:.3f} x bound", ratio, f"<= {at_most:g}", ratio <= at_most)


def _median(phases: int, synchronous: Synchronous) -> float:
    rounds = ROUNDS if phases < SIZES[-1] else 1
    return statistics.median(driven(wide(phases), synchronous, Hands()).ms_an_event for _ in range(rounds))


def _makespan(uneven: float) -> float:
    hands = Hands(0.05, uneven)
    told = driven(wide(200), "FULL", hands)
    return told.seconds / hands.bound_s(200)


@dataclass(frozen=True)
class Driven:
    seconds: float
    events: int

    @property
    def ms_an_event(self) -> float:
        return self.seconds * 1000 / self.events


@dataclass
class Hands:
    """Each of three steps takes so long, more or less by a share; all else nothing."""

    step_s: float = 0.0
    uneven: float = 0.0
    run: RunState | None = None

    def perform(self, effect: ef.Effect, ticket: Ticket, elapsed_s: Callable[[], float]) -> ev.Event:
        assert self.run is not None
        if self.step_s and isinstance(effect, STEPS):
            time.sleep(self._wait_s(effect.phase_id, STEPS.index(type(effect))))
        if isinstance(effect, ef.ApplyReply):
            effect = replace(effect, attempt=3)  # the answers of `machine` refuse first attempts
        if isinstance(effect, ef.RunCi):
            effect = replace(effect, attempt=3)
        event = ANSWERS[type(effect)](effect, ticket.key, elapsed_s(), self.run)
        if isinstance(event, ev.Rebased):
            event = replace(event, overlaps=False)
        return event

    def answer_from(self, _effect: ef.CallModel, _reply: Mapping[str, Any], _elapsed_s: float) -> ev.Event:
        raise AssertionError("no driver has died here")

    def reap(self, _token: str) -> None: ...

    def bound_s(self, phases: int) -> float:
        """What no scheduler beats: all work shared out, and one of sixteen places has thirteen of 200 phases."""
        each = sorted(sum(self._wait_s(f"phase-{n}", step) for step in range(len(STEPS))) for n in range(1, phases + 1))
        return max(sum(each) / PLACES, sum(each[: math.ceil(phases / PLACES)]))

    def _wait_s(self, phase_id: str, step: int) -> float:
        """Spread evenly around the step's time; the same in every run."""
        number = int(phase_id.rpartition("-")[2]) * len(STEPS) + step
        return self.step_s * (1 + self.uneven * ((number * 0.618034) % 1.0 * 2 - 1))


def wide(phases: int) -> Plan:
    """Sixteen phases at once, none of which needs another, no audits."""
    told = plan_of(phases)
    listed = tuple(replace(phase, needs=(), auto_apply=True, recheck="overlap") for phase in told.phases)
    pools = {
        **dict.fromkeys(("phase", "provider:replay", *(cls.__name__ for cls in ef.TYPES.values())), PLACES),
        "Land": 1,
    }
    return load(canonical.text(replace(told, phases=listed, pools=pools)))


def driven(told: Plan, synchronous: Synchronous, hands: Hands) -> Driven:
    text, count = canonical.text(told), 0

    def observe(run: RunState, _event: ev.Event | None) -> None:
        nonlocal count
        count += 1
        hands.run = run

    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        store = stack.enter_context(open_store(Path(folder) / "store.db", create=True, synchronous=synchronous))
        store.create_run("bench", "bench", text, canonical.digest(told), 0.0)
        run = hands.run = start(told, "bench")
        driver = Driver(
            plan=told,
            state=run,
            writer=stack.enter_context(store.writer("bench")),
            hands=hands,
            now=time.monotonic,
            wall=time.time,
            observe=observe,
            cancel_wanted=lambda: None,
            summary=lambda then: summary_of(told, then),
        )
        began = time.perf_counter()
        run = driver.drive({}, {})
        seconds = time.perf_counter() - began
    if run.state != "DONE_SUCCESS":
        raise RuntimeError(f"the scripted run ended in {run.state}: {run.failure}")
    return Driven(seconds, count)


if __name__ == "__main__":
    for row in rows():
        verdict = {True: "met", False: "MISSED", None: ""}[row.met]
        print(f"{row.what:45} {row.measured:>16}  {row.target:12} {verdict}")
