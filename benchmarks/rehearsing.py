"""What rehearsing costs: rows 11 and 11a, plans of the real compiler played through the real machine.

The targets are absolute, because the floor is per item: nothing here waits for a disk or a network. CPU time is taken:
what else the machine does is none of it.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator

from autopack.plan.model import Plan
from autopack.runners.rehearsed import Rehearsed
from autopack.runners.virtual import play
from autopack.views.forecast import played_alone
from benchmarks import Row
from benchmarks._played import TROUBLED, plan, playbook

ROUNDS = 7
FORECAST_PHASES, SAMPLES = 4, 2_000
FORECAST_S = 5.0
TRANSITIONS_A_SECOND = 2_000


def rows() -> Iterator[Row]:
    """Moves of phases a second at two sizes of plan, and what a forecast takes."""
    for phases in (25, 250):
        told = plan(playbook(phases, "security_auth_change"))
        rate = _median(lambda told=told: _rate(told))  # type: ignore[misc]
        what = f"moves of phases a second of CPU, rehearsing {phases} phases"
        met = rate >= TRANSITIONS_A_SECOND
        yield Row("11", what, f"{rate:,.0f}/s", None, f">= {TRANSITIONS_A_SECOND:,}/s", met)
    told = plan(playbook(FORECAST_PHASES))
    cpu_s = _median(lambda: _cpu_s(lambda: played_alone(told, SAMPLES // 10, seed=1))) * 10
    what = f"forecast of {FORECAST_PHASES} phases, {SAMPLES:,} runs, CPU"
    yield Row("11a", what, f"{cpu_s:.1f} s", None, f"<= {FORECAST_S:g} s", cpu_s <= FORECAST_S)


def _rate(told: Plan) -> float:
    """Each phase is refused once, red once, then audited and landed: eight moves."""
    began = time.process_time()
    run = play(told, Rehearsed(lambda _phase_id: TROUBLED))
    taken_s = time.process_time() - began
    if run.state != "DONE_SUCCESS":
        raise RuntimeError(f"the scripted run ended in {run.state}: {run.failure}")
    return sum(len(phase.path) - 1 for phase in run.phases.values()) / taken_s


def _cpu_s(act: Callable[[], object]) -> float:
    began = time.process_time()
    act()
    return time.process_time() - began


def _median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(ROUNDS))
