"""What reading costs against the parser alone: row 6 of the table of targets.

The bare loop only takes PyYAML's events, one after the other; the loader makes values of them, remembers every
place and refuses what the language refuses. Both run in this process, in turn, on the same playbooks; CPU time is
taken, because neither waits for anything.
"""

import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import NamedTuple

import yaml

from autopack.spec.document import read
from autopack.spec.parser import accelerated
from benchmarks import Row, judged, unmeasured
from benchmarks.__main__ import table
from benchmarks.startup import playbook

REPEATS = {250: 8, 2_500: 2, 10_000: 2}  # phases: times in each round
ROUNDS = 9
SMALL, LARGE = min(REPEATS), max(REPEATS)


class Cost(NamedTuple):
    """Medians in microseconds a phase."""

    bare: float
    loader: float


def rows() -> Iterator[Row]:
    if not accelerated():
        yield unmeasured("6", "loader / bare event loop", "<= 1.7x", "PyYAML without libyaml")
        return
    costs = _interleaved({phases: playbook(phases) for phases in REPEATS})
    for phases, cost in costs.items():
        figures = f"{cost.loader:.1f} us / {cost.bare:.1f} us a phase"
        yield judged("6", f"loader / bare event loop, {phases:,} phases", figures, cost.loader / cost.bare, 1.7)
    small, large = costs[SMALL].loader, costs[LARGE].loader
    figures = f"{large:.1f} us / {small:.1f} us"
    yield judged("6", f"loader, a phase of {LARGE:,} / of {SMALL}", figures, large / small, 1.3)


def _interleaved(texts: Mapping[int, str]) -> dict[int, Cost]:
    bare: dict[int, list[float]] = {phases: [] for phases in texts}
    loader: dict[int, list[float]] = {phases: [] for phases in texts}
    for _ in range(ROUNDS):
        for phases, text in texts.items():
            source = text.encode()
            for _ in range(REPEATS[phases]):
                bare[phases].append(_timed(partial(_events, text)) / phases)
                loader[phases].append(_timed(partial(read, "playbook.yaml", source)) / phases)
    return {
        phases: Cost(statistics.median(bare[phases]) * 1e6, statistics.median(loader[phases]) * 1e6) for phases in texts
    }


def _timed(work: Callable[[], object]) -> float:
    before = time.process_time()
    kept = work()  # so that only making it is timed
    after = time.process_time()
    del kept
    return after - before


def _events(text: str) -> None:
    get = yaml.CSafeLoader(text).get_event
    while type(get()) is not yaml.StreamEndEvent:
        pass


if __name__ == "__main__":
    measured = list(rows())
    print(table(measured))
    sys.exit(any(row.met is False for row in measured))
