"""A plan of several runs in virtual time: one after the other, each with its own caps, as far as they succeed."""

from collections.abc import Mapping
from dataclasses import replace
from typing import TypeVar

from autopack.plan.model import Plan, part
from autopack.run.ledger import Amount, Ledger
from autopack.run.machine import start
from autopack.run.state import PhaseState, RunState
from autopack.runners.virtual import NO_DIGEST, Hands, Watch, play

RUN_ID = "rehearsal"
T = TypeVar("T")
Played = tuple[tuple[Plan, RunState], ...]


def play_in_turn(plan: Plan, hands: Hands, *, watch: Watch | None = None) -> Played:
    """Every run that was begun, with its own plan, in order; a plan that is not split is one run."""
    if not plan.runs:
        return ((plan, play(plan, hands, watch=watch)),)
    played: list[tuple[Plan, RunState]] = []
    for number in range(1, len(plan.runs) + 1):
        own = part(plan, number)
        played.append((own, play(own, hands, watch=watch)))
        if played[-1][1].state != "DONE_SUCCESS":
            break
    return tuple(played)


def as_one(plan: Plan, played: Played) -> RunState:
    """What they came to together: the state of the last, the sums of all. Phases of runs not begun are SKIPPED."""
    runs = [run for _, run in played]
    if len(plan.runs) < 2:
        return runs[0]
    left = range(len(runs) + 1, len(plan.runs) + 1)
    waiting = (_skipped(start(part(plan, number), RUN_ID, NO_DIGEST).phases) for number in left)
    return replace(
        runs[-1],
        elapsed_s=sum(run.elapsed_s for run in runs),
        phases=_joined(*(run.phases for run in runs), *waiting),
        issues=_joined(*(run.issues for run in runs)),
        ledger=_added([run.ledger for run in runs]),
    )


def _skipped(phases: Mapping[str, PhaseState]) -> Mapping[str, PhaseState]:
    return {name: replace(each, state="SKIPPED", path=(*each.path, "SKIPPED")) for name, each in phases.items()}


def _joined(*parts: Mapping[str, T]) -> dict[str, T]:
    return {name: each for some in parts for name, each in some.items()}


def _added(ledgers: list[Ledger]) -> Ledger:
    used: dict[str, Amount] = {}
    for scope, amount in (pair for ledger in ledgers for pair in ledger.used.items()):
        used[scope] = used[scope] + amount if scope in used else amount
    return Ledger(used, {}, sum(ledger.calls for ledger in ledgers))
