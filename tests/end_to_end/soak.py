"""Many phases, many at once, a fifth of the answers bad: does the driver keep sixteen hands busy, and stay small?

Real git, real driver, real journal, a real CI process for every candidate; only the model's words and its waiting time
are made up. The makespan is held against what no scheduler could beat: the longest chain of needs, all work shared out
among the places, and the landings one after the other, each of them measured in this very run.

    python -m tests.end_to_end.soak --phases 200 --parallel 16          # the long form, some minutes
"""

import argparse
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from unittest import mock

from autopack.plan.model import Ask, Attempt, Caps, Limits, Plan, Profile, Retry, Step
from autopack.plan.price import Usage
from autopack.run import events as ev
from autopack.run.effects import Effect, Land, Rebase, phase_of
from autopack.run.state import RunState
from autopack.runners import hands
from autopack.runners.git import command
from autopack.runners.model import Answer, Request
from autopack.runners.ticket import Ticket
from autopack.views import launch
from tests.end_to_end.answers import reply, review, whole_file
from tests.run.story import BASE, phase, plan

LAYER = 20
"""Phases that need nothing of each other, but something of the layer before."""
BROKEN = "BROKEN"
CI = f"sleep 0.3; ! grep -rqs {BROKEN} src"
TROUBLES = ("edit_failed", "truncated", "transient", "red")


@dataclass(frozen=True)
class Soaked:
    """What came of it. `bounds` are seconds that no scheduler beats; `rss_mb` is this process's memory on the way.

    `counts` are, for each phase, how often each kind of effect was carried out and how many git processes it took; they
    and `cpu_s` don't depend on what else the machine does.
    """

    run: RunState
    seconds: float
    bounds: Mapping[str, float]
    injected: int
    rss_mb: tuple[float, ...]
    counts: Mapping[str, tuple[float, float]]
    cpu_s: float

    @property
    def ratio(self) -> float:
        return self.seconds / max(self.bounds.values())


def soak(folder: Path, phases: int, parallel: int, model_s: float = 1.0, share: float = 0.2) -> Soaked:
    """One run, to its end."""
    told, repository = _plan(phases, parallel), _repository(folder)
    place = launch.place_of(repository, ".", ".autonomous_runs", "sqlite")
    client, clock, rss = Client(model_s, share), Clock(), list[float]()

    def observe(_plan: Plan, run: RunState, event: ev.Event | None) -> None:
        if isinstance(event, ev.Landed) and run.left % max(1, phases // 10) == 0:
            rss.append(_rss_mb())

    with mock.patch.object(launch, "_client", return_value=client), clock.watching():
        began, cpu_s = time.monotonic(), _cpu_s()
        run = launch.begin(place, told, "soak", launch.Options(replay_all=True), observe)
        seconds, cpu_s = time.monotonic() - began, _cpu_s() - cpu_s
    counts = {kind: (clock.counts[kind] / phases, clock.gits[kind] / phases) for kind in sorted(clock.counts)}
    return Soaked(run, seconds, clock.bounds(told, parallel), client.injected, tuple(rss), counts, cpu_s / phases)


# --- the plan and its world ---


def _plan(phases: int, parallel: int) -> Plan:
    ask = Ask("small", 20_000, 1_000)
    rungs = tuple(Attempt(step, ask, "whole_file") for step in ("first", "same_model", "same_model", "same_model"))
    listed = []
    for number in range(phases):
        before = range(number // LAYER * LAYER - LAYER, number // LAYER * LAYER)
        needs = [n for n in before if n >= 0 and _chance("needs", f"{number}-{n}") < 2 / LAYER]
        path = _path(f"p{number}")
        one = phase(
            f"p{number}",
            needs=tuple(f"p{n}" for n in needs),
            attempts=rungs,
            write=(path,),
            deliverables=(path,),
            auto_apply=number % 10 != 0,
            limits=Limits(20, 800, 1_000_000, 0.6, 3.0, 20),
        )
        listed.append(one)
    step = Step("unit", ("sh", "-c", CI), 60, None, allow_no_tests=False)
    names = ("phase", "AssembleContext", "CallModel", "ApplyReply", "ReadReview", "RunCi", "Rebase", "provider:replay")
    return plan(
        *listed,
        base_commit=BASE,
        caps=Caps(500_000_000, phases, 600, 10 * phases, None),
        retry=Retry(5, 0.2, 1.0),
        pools={**dict.fromkeys(names, parallel), "Land": 1},
        profiles={"normal": Profile("normal", (), (step,), 0, ("PATH",), {})},
        audit_policy=replace(plan().audit_policy, same_failure=10, major_issue=False),
    )


def _path(phase_id: str) -> str:
    return f"src/{phase_id}.txt"


def _repository(folder: Path) -> Path:
    root = folder / "project"
    (root / "src").mkdir(parents=True)
    (root / "src" / "base.txt").write_text("base\n")
    (root / ".gitignore").write_text(".autonomous_runs/\n")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "base"]):
        who = ["-c", "user.name=soak", "-c", "user.email=soak@localhost"]
        subprocess.run(["git", *who, *words], cwd=root, check=True)
    return root


def _chance(*words: str) -> float:
    """In [0, 1), the same on every machine."""
    return int(hashlib.sha256("/".join(words).encode()).hexdigest()[:8], 16) / 16**8


@dataclass
class Client:
    """Answers after a while; a share of the first calls of each phase go wrong in one of several ways."""

    model_s: float
    share: float
    injected: int = 0
    _tried: dict[tuple[str, int], int] = field(default_factory=lambda: defaultdict(int))
    _mutex: threading.Lock = field(default_factory=threading.Lock)

    def complete(self, request: Request) -> Answer:
        time.sleep(self.model_s * (0.5 + _chance("wait", request.phase, str(request.call))))
        if request.role == "auditor":
            return _answer(review("approve"))
        with self._mutex:
            self._tried[request.phase, request.call] += 1
            bad = request.call <= 2 and self._tried[request.phase, request.call] == 1
            word = self._trouble(request) if bad else ""
        if word in ("truncated", "transient"):
            return _answer("", outcome=word)
        path, text = _path(request.phase), f"{request.phase} {BROKEN if word == 'red' else 'fine'}\n"
        place = "../outside.txt" if word == "edit_failed" else path
        return _answer(reply("write the file", whole_file(place, text)))

    def _trouble(self, request: Request) -> str:
        if _chance("bad", request.phase, str(request.call)) >= self.share:
            return ""
        self.injected += 1
        return TROUBLES[int(_chance("how", request.phase, str(request.call)) * len(TROUBLES))]


def _answer(text: str, outcome: str = "ok") -> Answer:
    usage = Usage(1_000, 0, 0, 100, 0, known=True)
    finish = "stop" if outcome == "ok" else "length"
    return Answer(outcome, text, finish, usage, "scripted", 0.0, None, None, outcome)  # type: ignore[arg-type]


# --- what could not be beaten ---


class Clock:
    """How long each effect really took in its worker, by phase, and how many git processes."""

    def __init__(self) -> None:
        self.spent: dict[str, float] = defaultdict(float)
        self.by_kind: dict[str, float] = defaultdict(float)
        self.counts: Counter[str] = Counter()
        self.gits: Counter[str] = Counter()
        self._here = threading.local()
        self._mutex = threading.Lock()

    @contextmanager
    def watching(self) -> Iterator[None]:
        perform, talk = hands.Hands.perform, command._talk

        def timed(self_: hands.Hands, effect: Effect, ticket: Ticket, elapsed_s: Callable[[], float]) -> ev.Event:
            began, self._here.kind = time.monotonic(), type(effect).__name__
            try:
                return perform(self_, effect, ticket, elapsed_s)
            finally:
                self._add(effect, time.monotonic() - began)

        def counted(*arguments: Any) -> command.Answer:
            with self._mutex:
                self.gits[getattr(self._here, "kind", "")] += 1
            return talk(*arguments)

        with mock.patch.object(hands.Hands, "perform", timed), mock.patch.object(command, "_talk", counted):
            yield

    def _add(self, effect: Effect, seconds: float) -> None:
        with self._mutex:
            self.spent[phase_of(effect) or ""] += seconds
            self.by_kind[type(effect).__name__] += seconds
            self.counts[type(effect).__name__] += 1

    def bounds(self, told: Plan, parallel: int) -> dict[str, float]:
        ends: dict[str, float] = {}
        for one in told.phases:
            ends[one.phase_id] = max((ends[need] for need in one.needs), default=0.0) + self.spent[one.phase_id]
        return {
            "critical path": max(ends.values()),
            "work shared out": sum(self.spent.values()) / parallel,
            "landings in a row": self.by_kind[Land.__name__] + self.by_kind[Rebase.__name__],
        }


def _cpu_s() -> float:
    """Of this process and the children it has waited for."""
    return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def _rss_mb() -> float:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main(arguments: list[str]) -> int:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--phases", type=int, default=200)
    asked.add_argument("--parallel", type=int, default=16)
    asked.add_argument("--model-s", type=float, default=3.0)
    given = asked.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        found = soak(Path(folder), given.phases, given.parallel, given.model_s)
    told = {
        "state": found.run.state,
        "seconds": round(found.seconds, 1),
        "bounds_s": {name: round(seconds, 1) for name, seconds in found.bounds.items()},
        "ratio": round(found.ratio, 3),
        "injected": found.injected,
        "attempts": sum(each.attempt for each in found.run.phases.values()),
        "cpu_s_a_phase": round(found.cpu_s, 3),
        "effects_and_git_processes_a_phase": {k: [round(n, 2), round(g, 1)] for k, (n, g) in found.counts.items()},
        "rss_mb": [round(each) for each in found.rss_mb],
    }
    sys.stdout.write(json.dumps(told, indent=2) + "\n")
    return 0 if found.run.state == "DONE_SUCCESS" and found.ratio <= 1.10 else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
