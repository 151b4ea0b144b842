"""A plan played many times with the chances that its calibration knows: what it is likely to cost and to come to."""

import os
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from random import Random
from typing import Any

from autopack.plan import canonical
from autopack.plan.calibration import Calibration, Rates, rates
from autopack.plan.model import Plan, pinned
from autopack.run.ledger import RUN
from autopack.run.state import RunState
from autopack.runners.dice import Dice
from autopack.runners.in_turn import as_one, play_in_turn
from autopack.runners.rehearsed import HEAD
from autopack.views.table import paragraph, table
from autopack.views.text import duration, money, tokens

FORMAT_VERSION = 1
CHUNK = 400  # phases played between two words of progress, and how long an interrupt may have to wait
ALONE = 2_000  # phases played in all, below which another process costs more than it brings
CAUSES = ("first tries", "repairs", "audits")
BAR = 24


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: `reason` is None for DONE_SUCCESS; costs by cause, phase and model."""

    reason: str | None
    cost_usd: Decimal
    tokens: int
    elapsed_s: float
    by_cause: Mapping[str, Decimal]
    by_phase: Mapping[str, Decimal]
    by_model: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Forecast:
    plan: Plan
    seed: int
    observed: int  # phases of earlier runs that the chances rest on; 0: stated priors
    samples: tuple[Sample, ...]

    @property
    def success(self) -> float:
        return sum(each.reason is None for each in self.samples) / len(self.samples)

    def quantile(self, share: float, of: Callable[[Sample], Any]) -> Any:
        """The least value that so many of the runs stay at or below."""
        values = sorted(map(of, self.samples))
        return values[min(len(values) - 1, max(0, -int(-share * len(values) // 1) - 1))]

    def mean(self, of: Callable[[Sample], Any]) -> Any:
        return sum(map(of, self.samples)) / len(self.samples)

    def shares(self, of: Callable[[Sample], Mapping[str, Decimal]]) -> dict[str, Decimal]:
        """Mean USD by name, dearest first."""
        sums: Counter[str] = Counter()
        for each in self.samples:
            sums.update(of(each))
        found = {name: Decimal(value) / len(self.samples) for name, value in sums.items()}
        return dict(sorted(found.items(), key=lambda item: (-item[1], item[0])))

    def reasons(self) -> dict[str, float]:
        """How often runs fail of what, most often first."""
        counts = Counter(each.reason for each in self.samples if each.reason is not None)
        return {
            reason: count / len(self.samples) for reason, count in sorted(counts.items(), key=lambda c: (-c[1], c[0]))
        }


def forecast(
    plan: Plan,
    calibration: Calibration | None,
    samples: int,
    seed: int,
    told: Callable[[int], None] = lambda _done: None,
) -> Forecast:
    """`told` hears how many runs have been played. Each run has a seed of its own, so processes change nothing."""
    found: list[Sample] = []
    for part in _parts(pinned(plan, plan.base_commit or HEAD), _table(plan, calibration), samples, seed):
        found += part
        told(len(found))
    return Forecast(plan, seed, _observed(calibration, plan), tuple(found))


def played_alone(plan: Plan, samples: int, seed: int) -> list[Sample]:
    """As many runs with stated chances, by this process: what a forecast costs without what it tells."""
    _take(plan, _table(plan, None), seed)
    return _chunk((0, samples))


def _table(plan: Plan, calibration: Calibration | None) -> dict[str, Rates]:
    return {phase.phase_id: _rates(plan, phase.phase_id, calibration) for phase in plan.phases}


def _rates(plan: Plan, phase_id: str, calibration: Calibration | None) -> Rates:
    phase = plan.phase(phase_id)
    return rates(calibration, phase.category, phase.complexity, plan.models[phase.attempts[0].ask.model].tier)


def _observed(calibration: Calibration | None, plan: Plan) -> int:
    slices = calibration.slices if calibration else {}
    wanted = {f"{phase.category}:{phase.complexity}" for phase in plan.phases}
    return sum(slices[name].phases for name in wanted & slices.keys())


def _parts(plan: Plan, table: Mapping[str, Rates], samples: int, seed: int) -> Iterator[list[Sample]]:
    """In order, whoever plays them."""
    size = max(1, CHUNK // max(1, len(plan.phases)))
    work = [(first, min(first + size, samples)) for first in range(0, samples, size)]
    processes = min(os.cpu_count() or 1, len(work))
    done = 0
    if processes > 1 and samples * len(plan.phases) >= ALONE:
        try:
            with _pool(processes, plan, table, seed) as pool:
                with _held_back():
                    parts = pool.map(_chunk, work)
                for part in parts:
                    done += 1
                    yield part
        except (OSError, BrokenProcessPool):  # no room for processes here: the rest is played by this one
            pass
    _take(plan, table, seed)
    for piece in work[done:]:
        yield _chunk(piece)


@contextmanager
def _pool(processes: int, plan: Plan, table: Mapping[str, Rates], seed: int) -> Iterator[ProcessPoolExecutor]:
    """After Ctrl-C nothing more is begun: its own `with` would wait for all that was asked for."""
    pool = ProcessPoolExecutor(processes, initializer=_take, initargs=(plan, table, seed))
    try:
        yield pool
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def _held_back() -> Iterator[None]:
    """Ctrl-C waits until the processes are made. One that arrives while Python forks is lost, since no exception leaves
    what it calls then; and the processes, which it reaches too, go on holding it back: it is for the one that asks.
    """
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


_TAKEN: dict[str, Any] = {}
"""What a process plays; set once in each."""


def _take(plan: Plan, table: Mapping[str, Rates], seed: int) -> None:
    _TAKEN.update(plan=plan, table=table, seed=seed)


def _chunk(numbers: tuple[int, int]) -> list[Sample]:
    plan, table, seed = _TAKEN["plan"], _TAKEN["table"], _TAKEN["seed"]
    dice = (Dice(table, Random(f"{seed}:{number}")) for number in range(*numbers))  # noqa: S311 - nothing is secret
    return [_sample(plan, as_one(plan, play_in_turn(plan, each))) for each in dice]


def _sample(plan: Plan, run: RunState) -> Sample:
    causes = dict.fromkeys(CAUSES, Decimal(0))
    for phase in run.phases.values():
        for call in phase.calls:
            causes["audits" if call.role == "auditor" else CAUSES[call.attempt > 1]] += call.cost_usd
    spent = run.ledger.spent(RUN)
    return Sample(
        reason=None if run.state == "DONE_SUCCESS" else run.failure.reason if run.failure else run.state,
        cost_usd=spent.cost_usd,
        tokens=spent.tokens,
        elapsed_s=round(run.elapsed_s, 1),
        by_cause=causes,
        by_phase={p.phase_id: run.ledger.spent(f"phase:{p.phase_id}").cost_usd for p in plan.phases},
        by_model={name: run.ledger.spent(f"model:{name}").cost_usd for name in plan.models},
    )


# --- for readers --------------------------------------------------------------------------------------------------


def screen(found: Forecast, width: int | None = None) -> str:
    plan, caps = found.plan, found.plan.caps
    cost_cap = money(caps.cost_usd) if caps.cost_usd is not None else "none"
    chances = f"chances from {found.observed:,} observed phases" if found.observed else "chances: stated priors"
    cost, used, took = (lambda s: s.cost_usd), (lambda s: s.tokens), (lambda s: s.elapsed_s)
    rows = [
        _row("cost", found, cost, money, f"{_most(plan.worst.cost_usd)}, cap {cost_cap}"),
        _row("tokens", found, used, tokens, f"{tokens(plan.worst.tokens)} at most, cap {tokens(caps.tokens)}"),
        _row("time", found, took, duration, f"cap {duration(caps.minutes * 60)}{' each run' if plan.runs else ''}"),
    ]
    played = f"{len(found.samples):,} " + (f"series of {len(plan.runs)} runs" if plan.runs else "runs")
    parts = [
        paragraph(f"Forecast for playbook {plan.playbook}: {played}, seed {found.seed}; {chances}", width),
        "",
        f"Succeeds  {_bar(found.success)} {found.success:.1%}",
        *(f"  fails of {reason:16} {_bar(share)} {share:.1%}" for reason, share in found.reasons().items()),
        "",
        table(("", "P50", "P90", "mean", "bounds"), rows, frozenset({1, 2, 3}), width),
    ]
    for name, of in _SPLITS.items():
        parts += ["", f"Cost by {name}", *_shares(found.shares(of))]
    return "\n".join(parts)


def _most(cost: Decimal | None) -> str:
    return "UNBOUNDED: what some of it costs nobody knows" if cost is None else f"{money(cost)} at most"


_SPLITS: Mapping[str, Callable[[Sample], Mapping[str, Decimal]]] = {
    "cause": lambda sample: sample.by_cause,
    "phase": lambda sample: sample.by_phase,
    "model": lambda sample: sample.by_model,
}


def _row(
    name: str, found: Forecast, of: Callable[[Sample], Any], told: Callable[[Any], str], bounds: str
) -> Sequence[str]:
    return name, told(found.quantile(0.5, of)), told(found.quantile(0.9, of)), told(found.mean(of)), bounds


def _shares(shares: Mapping[str, Decimal]) -> Iterator[str]:
    whole, width = sum(shares.values()), max(map(len, shares), default=0)
    for name, usd in shares.items():
        share = float(usd / whole) if whole else 0.0
        yield f"  {name:{width}}  {_bar(share)} {share:6.1%}  {money(usd)}"


def _bar(share: float) -> str:
    filled = round(share * BAR)
    return "█" * filled + "·" * (BAR - filled)


def document(found: Forecast) -> dict[str, Any]:
    caps = found.plan.caps
    return {
        "format_version": FORMAT_VERSION,
        "playbook": found.plan.playbook,
        "samples": len(found.samples),
        "seed": found.seed,
        "observed_phases": found.observed,
        "success": found.success,
        "failures": found.reasons(),
        "cost_usd": _spread(found, lambda sample: sample.cost_usd),
        "tokens": _spread(found, lambda sample: sample.tokens),
        "elapsed_s": _spread(found, lambda sample: sample.elapsed_s),
        **{f"cost_usd_by_{name}": _plain(found.shares(of)) for name, of in _SPLITS.items()},
        "worst": canonical.plain(found.plan.worst),
        "caps": canonical.plain(caps),
    }


def _spread(found: Forecast, of: Callable[[Sample], Any]) -> dict[str, Any]:
    values = {"p50": found.quantile(0.5, of), "p90": found.quantile(0.9, of), "mean": found.mean(of)}
    return {name: canonical.plain(_rounded(value)) for name, value in values.items()}


def _plain(shares: Mapping[str, Decimal]) -> dict[str, Any]:
    return {name: canonical.plain(_rounded(value)) for name, value in shares.items()}


def _rounded(value: Any) -> Any:
    return value if isinstance(value, int) else round(value, 6)
