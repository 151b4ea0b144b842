"""What deciding costs, with nothing to carry out: the real machine on scripted answers, and ordering a large plan.

The targets are absolute, because the floor is per item: nothing here waits for a disk or a network.
"""

import random
import statistics
import time
from collections.abc import Callable, Iterable
from decimal import Decimal

from autopack.plan.graph import Needs, order, waves
from autopack.plan.model import (
    Ask,
    Attempt,
    Caps,
    Limits,
    Plan,
    PlanModel,
    PlanPhase,
    PlanTier,
    Profile,
    Retry,
    Step,
    Worst,
)
from autopack.plan.price import Price, Usage
from autopack.run import effects as ef
from autopack.run import events as ev
from autopack.run.machine import react, start
from autopack.run.state import RunState
from benchmarks import Row

ROUNDS = 5
NODES = 10_000
TRANSITIONS_A_SECOND = 2_000
ORDER_US_A_NODE = 6.0
ASK = Ask("m", 20_000, 4_000)
USAGE = Usage(12_000, 0, 0, 900, 0, known=True)


def rows() -> Iterable[Row]:
    """Transitions a second at two sizes of plan, and the price of ordering one node of a large graph."""
    for phases in (25, 250):
        rate = _median(lambda count=phases: _rate(count))  # type: ignore[misc]
        target = TRANSITIONS_A_SECOND if phases == 25 else None
        yield _row("11", f"phase transitions a second, plan of {phases} phases", rate, target)
    needs = _needs()
    each_us = _median(lambda: _ordering_us(needs))
    what, measured = f"order and waves of {NODES:,} nodes", f"{each_us:.2f} us a node"
    yield Row("8", what, measured, None, f"<= {ORDER_US_A_NODE:g} us", each_us <= ORDER_US_A_NODE)


def _row(number: str, what: str, rate: float, at_least: int | None) -> Row:
    if at_least is None:
        return Row(number, what, f"{rate:,.0f}/s", None, "", None)
    return Row(number, what, f"{rate:,.0f}/s", None, f">= {at_least:,}/s", rate >= at_least)


# --- the machine --------------------------------------------------------------------------------------------------


def _rate(phases: int) -> float:
    """Each phase is refused once, red once, then audited and landed: eight changes of state."""
    plan = plan_of(phases)
    began = time.perf_counter()
    run = _told(plan)
    taken = time.perf_counter() - began
    if run.state != "DONE_SUCCESS":
        raise RuntimeError(f"the scripted run ended in {run.state}: {run.failure}")
    return sum(len(phase.path) - 1 for phase in run.phases.values()) / taken


def _told(plan: Plan) -> RunState:
    run, clock = start(plan, "bench"), 0.0
    while not run.done:
        key, effect = next(iter(run.pending.items()))
        clock += 0.01
        run = react(plan, run, ANSWERS[type(effect)](effect, key, clock, run))
    return run


def _patch(effect: ef.ApplyReply, key: str, at: float, _run: RunState) -> ev.Event:
    if effect.attempt == 1:
        return ev.PatchRefused(key, at, "edit_failed", "block 1 matches nothing", "e" * 64, ())
    return ev.PatchAccepted(key, at, f"{effect.attempt:040x}", "p" * 64, ("src/a.py",), 12, 3, 0, 0, "done", ())


def _ci(effect: ef.RunCi, key: str, at: float, _run: RunState) -> ev.Event:
    failing = ("tests/test_a.py::test_it",) if effect.attempt == 2 else ()
    verdict = "red" if failing else "green"
    return ev.CiFinished(key, at, verdict, "d" * 64, 40, failing, "e" * 64, {"unit": "l" * 64}, (), ())  # type: ignore[arg-type]


def _landing(effect: ef.Land, key: str, at: float, run: RunState) -> ev.Event:
    return ev.Landed(key, at, key[:40], "tag") if effect.head == run.head else ev.HeadMoved(key, at, run.head)


ANSWERS: dict[type, Callable[..., ev.Event]] = {
    ef.ProbeProviders: lambda _effect, key, at, _run: ev.ProvidersProbed(key, at, {}, about_keys=False),
    ef.OpenRun: lambda effect, key, at, _run: ev.RunOpened(key, at, effect.base_commit, {}),
    ef.AssembleContext: lambda _effect, key, at, _run: ev.ContextAssembled(
        key, at, "r" * 64, 14_000, ("src/a.py",), ()
    ),
    ef.CallModel: lambda _effect, key, at, _run: ev.ModelAnswered(
        key, at, "ok", "a" * 64, "stop", USAGE, "m-1", 1.5, None, ""
    ),
    ef.ApplyReply: _patch,
    ef.ReadReview: lambda _effect, key, at, _run: ev.ReviewRead(key, at, "approve", "high", "e" * 64, ()),
    ef.RunCi: _ci,
    ef.Land: _landing,
    ef.Rebase: lambda effect, key, at, _run: ev.Rebased(key, at, effect.commit, "p" * 64, overlaps=True),
    ef.CloseRun: lambda _effect, key, at, _run: ev.RunClosed(key, at, ()),
}


def plan_of(count: int) -> Plan:
    price = Price(Decimal("2.50"), Decimal("1.25"), Decimal("2.50"), Decimal(10), "2024-08-06")
    phases = tuple(_phase(number) for number in range(1, count + 1))
    return Plan(
        format_version=1,
        project="bench",
        playbook="bench",
        description="",
        inputs={},
        base_branch="main",
        base_commit="b" * 40,
        integration_branch="autonomous/{run_id}",
        protected_branches=("main",),
        protected_paths=(),
        safety_profile="normal",
        run_scope="multi_tier",
        stage="stewardship",
        fail_fast=False,
        caps=Caps(10**9, count, 600, 10**6, Decimal(10_000)),
        retry=Retry(5, 2.0, 60.0),
        pools={"phase": 1},
        tiers=(PlanTier("T1", 0, "T1", tuple(phase.phase_id for phase in phases), 10**9, 10**6, 10**6, 0),),
        phases=phases,
        models={"m": PlanModel("m", "replay/m", None, None, "replay", "standard", 128_000, 4_000, price, None, 60, {})},
        profiles={"strict": Profile("strict", (), (Step("unit", ("true",), 60, None, False),), 0, (), {})},
        format_prompts={},
        worst=Worst(0, 0, Decimal(0)),
    )


def _phase(number: int) -> PlanPhase:
    attempts = tuple(Attempt(step, ASK, "search_replace") for step in ("first", "same_model", "other_format"))
    return PlanPhase(
        phase_id=f"phase-{number}",
        index=number,
        tier_id="T1",
        name=f"Phase {number}",
        category="schema_contract_change",
        task_category="schema_change",
        complexity="high",
        builder_mode=None,
        high_risk=True,
        severity="major",
        goal="do it",
        acceptance=(),
        deliverables=(),
        write=("src/**",),
        read=(),
        needs=(f"phase-{number - 1}",) if number > 1 else (),
        tags=(),
        allow=(),
        allowed_protected=(),
        probes=(),
        ci="strict",
        recheck="always",
        auto_apply=False,
        auditor_profile="schema_review",
        audit=ASK,
        attempts=attempts,
        auditor_attempts=2,
        token_cap=10**6,
        cost_usd_max=Decimal(100),
        minutes_max=None,
        limits=Limits(20, 800, 1_000_000, 0.6, 3.0, 5),
        builder_prompt="build",
        auditor_prompt="audit",
        why="high risk -> premium",
        worst=Worst(9, 10**6, Decimal(100)),
    )


# --- the graph ----------------------------------------------------------------------------------------------------


def _needs() -> Needs:
    """Up to four needs a node among the two hundred before it, written in a mixed order; the same in every run."""
    chance = random.Random(1)
    found = {
        f"n{number}": tuple({f"n{chance.randrange(max(0, number - 200), number)}" for _ in range(chance.randrange(5))})
        for number in range(NODES)
        if number
    }
    found["n0"] = ()
    names = list(found)
    chance.shuffle(names)
    return {name: tuple(sorted(found[name])) for name in names}


def _ordering_us(needs: Needs) -> float:
    began = time.perf_counter()
    waves(needs, order(needs))
    return (time.perf_counter() - began) * 1e6 / len(needs)


def _median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(ROUNDS))


if __name__ == "__main__":
    for row in rows():
        verdict = {True: "met", False: "MISSED", None: ""}[row.met]
        print(f"{row.what:50} {row.measured:>16}  {row.target:12} {verdict}")
