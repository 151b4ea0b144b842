"""Runs under random kills: parallel phases, injected failures, drivers and children killed at any moment.

Each run is of seven phases, up to three at once, whose models make the mistakes that models make: an edit outside the
scope, an answer cut short, a red CI, a provider that is out for a moment, an auditor who wants another version, two
phases in one file. Its drivers are killed one after the other, at a random point or after a random time, alone or with
their group; or a git command or a CI step of theirs is. What is left must be what an unbroken run leaves.

    python -m tests.end_to_end.kill_sweep --random 1000      # until so many kills have hit; --kinds children, signals
"""

import json
import os
import random
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autopack.journal.rows import CallRow
from autopack.journal.store import open_store
from tests.end_to_end import fault
from tests.end_to_end.answers import reply, review, search_replace, whole_file
from tests.end_to_end.scratch import Project, cassette, hello_of_many_runs, record

STOPPED = (-signal.SIGKILL, -signal.SIGTERM, 130)
"""How a driver ends that was killed, or that was asked to stop before or after it listened."""
PLAYBOOK = "playbooks/storm.yaml"
SHARED = "src/hello/shared.py"
BEFORE = "".join(f"def part_{number}():\n    return {number}\n\n\n" for number in range(12))
CI = """\
autopack: ci/v1
name: storm
env: {pass: [PATH, HOME, LANG]}
profiles:
  normal:
    retries: 1
    steps: [{id: unit, run: [sh, -c, "sleep 0.05; ! grep -rqs BROKEN src"], timeout_s: 600}]
  strict: {extends: normal}
"""
PHASES: Mapping[str, Mapping[str, Any]] = {
    "outside": {},
    "red": {},
    "short": {},
    "busy": {"needs": ["outside"]},
    "judged": {"category": "schema_contract_change", "needs": ["red"]},
    "left": {"path": SHARED},
    "right": {"path": SHARED},
}


def project(folder: Path) -> Project:
    files = {
        "ci.yaml": CI,
        PLAYBOOK: _playbook(),
        PLAYBOOK.replace(".yaml", ".cassette.jsonl"): cassette(list(_replies())),
        SHARED: BEFORE,
    }
    return hello_of_many_runs(folder, files)


def _path(phase: str) -> str:
    return PHASES[phase].get("path", f"src/hello/{phase}.py")


def _playbook() -> str:
    lines = ["autopack: playbook/v1", "name: storm", "tiers:", "  - id: T1", "    phases:"]
    for name, facts in PHASES.items():
        told = {
            "id": name,
            "category": facts.get("category", "feature_scaffolding"),
            "goal": f"Do {name}.",
            "scope": {"write": [_path(name)]},
            "deliverables": [_path(name)],
            "needs": facts.get("needs", []),
        }
        lines.append(f"      - {json.dumps(told)}")
    return "\n".join(lines) + "\n"


def _replies() -> Iterator[dict[str, Any]]:
    good = {name: reply("a constant", whole_file(_path(name), f"{name.upper()} = 1\n")) for name in PHASES}
    for name, number in (("left", 1), ("right", 11)):
        old = f"def part_{number}():\n    return {number}\n"
        edit = search_replace(SHARED, BEFORE, BEFORE.replace(old, f"{name.upper()} = 1\n\n\n{old}"))
        good[name] = reply("an addition", edit)
    bad = {
        "outside": reply("an escape", whole_file("src/hello/greeting.py", "GONE = 1\n")),
        "red": reply("a mistake", whole_file(_path("red"), "BROKEN = 1\n")),
    }
    for name, text in good.items():
        yield record(name, "builder", 1, bad.get(name, text))
        for call in (2, 3):
            yield record(name, "builder", call, text)
    yield _troubled("short", 1, "truncated", {"input": 900, "output": 50})
    yield _troubled("busy", 1, "transient", None)
    yield record("judged", "auditor", 1, review("revise"))
    for call in (2, 3):
        yield record("judged", "auditor", call, review("approve"))


def _troubled(phase: str, call: int, outcome: str, usage: Mapping[str, int] | None) -> dict[str, Any]:
    row = record(phase, "builder", call, "")
    row["reply"] = {"text": "", "usage": usage, "outcome": outcome}
    return row


# --- one run ---


@dataclass(frozen=True)
class Left:
    """What is there after the last driver. `hits` are the points at which a driver, or a child of one, died."""

    hits: tuple[str, ...]
    drivers: tuple[tuple[str | None, int], ...]
    said: str
    state: str
    tree: str
    phases: tuple[str, ...]
    issues: frozenset[tuple[str, str]]
    artefacts: frozenset[str]
    paid: tuple[str, ...]
    calls: Mapping[str, CallRow]
    tokens: int
    maybe_paid: int
    leftovers: tuple[str, ...]
    verified: int


def stormed(project: Project, run_id: str, points: Sequence[str], *, group: bool) -> Left:
    """A run whose drivers meet these points, one after the other; the last one lives, and `verify` looks at it."""
    bill, said = project.places / f"{run_id}.bill", project.places / f"{run_id}.said"
    bill.write_text("")
    said.write_text("")

    def driven(words: Sequence[str], point: str | None) -> int:
        environ, root = project.environ, str(project.root)
        told = fault.driven([*words], point, str(bill), group=group, root=root, environ=environ, said=str(said))
        return told[1]

    drivers: list[tuple[str | None, int]] = []
    for point in [*points, None]:
        words = ["resume", run_id] if _known(project, run_id) else ["run", PLAYBOOK, "--run-id", run_id, "--jobs", "3"]
        drivers.append((point, driven(words, point)))
    verified = driven(["verify", run_id], None)
    return _left(project, run_id, drivers, bill.read_text().split(), said.read_text(), verified)


def _known(project: Project, run_id: str) -> bool:
    place = project.root / ".autonomous_runs" / "autopack.db"
    if not place.exists():
        return False
    with sqlite3.connect(place) as store:
        tables = store.execute("SELECT 1 FROM sqlite_master WHERE name = 'runs'").fetchall()
        return bool(tables and store.execute("SELECT 1 FROM runs WHERE run_id = ?", (run_id,)).fetchall())


def _left(
    project: Project,
    run_id: str,
    drivers: Sequence[tuple[str | None, int]],
    paid: Sequence[str],
    said: str,
    verified: int,
) -> Left:
    with open_store(str(project.root / ".autonomous_runs" / "autopack.db"), create=False) as store:
        list(store.events(run_id))  # which proves every one of them
        state, calls = store.run(run_id).state, dict(store.calls(run_id))
    folder = project.artifacts(run_id)
    summary = json.loads((folder / "run_summary.json").read_text()) if (folder / "run_summary.json").exists() else {}
    found = project.commits(run_id) if summary else []
    return Left(
        hits=(*(point for point, status in drivers if point and status in STOPPED), *_children(project, run_id)),
        drivers=tuple(drivers),
        said=said,
        state=state,
        tree=project.tree(run_id) if summary else "",
        phases=tuple(sorted(project.trailers(commit)["Autopack-Phase"] for commit in found)),
        issues=frozenset((row["issue_key"], row["severity"]) for row in summary.get("issues", ())),
        artefacts=frozenset(_names(folder)),
        paid=tuple(paid),
        calls=calls,
        tokens=summary.get("tokens_used", 0),
        maybe_paid=summary.get("maybe_paid_calls", 0),
        leftovers=tuple(project.leftovers()),
        verified=verified,
    )


def _children(project: Project, run_id: str) -> list[str]:
    place = project.places / f"{run_id}.bill.children"
    return place.read_text().split() if place.exists() else []


def _names(folder: Path) -> Iterator[str]:
    """Files of a run's folder; those of one attempt that another run made another time have its number in them."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield path.relative_to(folder).as_posix()


def faults(run: Left, unbroken: Left) -> list[str]:
    """In words, whatever differs from the run that nobody killed. A killed step may be told as a flaky one."""
    found = []
    if (run.state, run.tree) != ("DONE_SUCCESS", unbroken.tree):
        found.append(f"ended {run.state} with tree {run.tree}: {run.said[-600:]}")
    if run.phases != unbroken.phases:
        found.append(f"landed {run.phases}")
    if run.drivers[-1][1] != 0 or run.verified != 0:
        found.append(f"the last driver ended with {run.drivers[-1][1]}, verify with {run.verified}: {run.said[-600:]}")
    stepped = any(point in ("step", "keeper") for point in run.hits)
    if run.issues != unbroken.issues and not stepped:
        found.append(f"issues: {sorted(run.issues ^ unbroken.issues)}")
    if run.artefacts != unbroken.artefacts and not stepped:
        found.append(f"artefacts: {sorted(run.artefacts ^ unbroken.artefacts)}")
    found += _money(run)
    if run.leftovers:
        found.append(f"left behind: {run.leftovers}")
    return found


def _money(run: Left) -> Iterator[str]:
    """Each answered call is paid once; one whose driver died with it in flight stays charged, and is told so."""
    twice = [key for key, times in Counter(run.paid).items() if times > 1]
    answered = {key: call for key, call in run.calls.items() if call.reply is not None}
    if twice:
        yield f"answered more than once: {twice}"
    if not answered.keys() <= set(run.paid) <= run.calls.keys():
        yield "the ledger of calls and the bill name different calls"
    if run.maybe_paid != len(run.calls) - len(answered):
        yield f"{run.maybe_paid} calls shown as maybe paid, {len(run.calls) - len(answered)} were in flight"
    lost = sum(call.reserved_tokens for key, call in run.calls.items() if key not in answered)
    billed = sum(_billed(call) for call in answered.values())
    if run.tokens != lost + billed:
        yield f"{run.tokens} tokens charged, {lost + billed} are due"


def _billed(call: CallRow) -> int:
    usage = (call.reply or {}).get("usage", {})
    return int(usage["input"]) + int(usage["output"]) if usage.get("known", True) else call.reserved_tokens


# --- the storm ---

KINDS = {
    "all": {"moment": 8, "append": 4, "around": 4, "answer": 2, "git": 2, "step": 1, "keeper": 1, "term": 2, "int": 2},
    "children": {"git": 6, "step": 2, "keeper": 2},
    "signals": {"term": 1, "int": 1},
}
"""How often each kind of point is drawn."""


@dataclass
class Storm:
    """Random points from a seed, and what came of them."""

    dice: random.Random
    longest_s: float
    runs: int = 0
    hits: Counter[str] = field(default_factory=Counter)
    bad: list[str] = field(default_factory=list)

    kinds: Mapping[str, int] = field(default_factory=lambda: KINDS["all"])

    def points(self) -> list[str]:
        return [self._point() for _ in range(self.dice.randint(2, 8))]

    def _point(self) -> str:
        kind = self.dice.choices([*self.kinds], [*self.kinds.values()])
        match kind[0]:
            case "moment" | "term" | "int" as name:
                return f"{name}:{self.dice.uniform(0, self.longest_s / 2):.3f}"
            case "append":
                return f"append:{self.dice.randint(1, 12)}"
            case "around":
                effect = self.dice.choice(AROUND)
                return f"{self.dice.choice(['before', 'after'])}:{effect}"
            case "answer":
                return f"answer:{self.dice.randint(1, 3)}"
            case "git":
                return f"git:{self.dice.randint(1, 90)}"
            case other:
                return f"{other}:{self.dice.randint(1, 4)}"


AROUND = ("AssembleContext", "CallModel", "ApplyReply", "RunCi", "ReadReview", "Land", "Rebase", "OpenRun", "CloseRun")


def storm(wanted: int, seed: int, say: Callable[[str], None], until: float | None = None, kinds: str = "all") -> Storm:
    """Runs with random kills until `wanted` of them have hit, or the time (of time.time) has come."""
    with tempfile.TemporaryDirectory(prefix="kill-storm-") as folder:
        place = project(Path(folder).resolve())
        began = time.monotonic()
        unbroken = stormed(place, "unbroken", [], group=False)
        found = Storm(random.Random(seed), (time.monotonic() - began) * 0.8, kinds=KINDS[kinds])
        for words in faults(unbroken, unbroken):
            found.bad.append(f"unbroken: {words}")
        say(f"unbroken: {unbroken.state}, {len(unbroken.calls)} calls, tree {unbroken.tree}, seed {seed}")
        while found.hits.total() < wanted and (until is None or time.time() < until) and not _hopeless(found):
            found.runs += 1
            points, group = found.points(), found.dice.random() < 0.5
            left = stormed(place, f"r{found.runs}", points, group=group)
            found.hits.update(point.partition(":")[0] for point in left.hits)
            wrong = faults(left, unbroken)
            found.bad += [f"r{found.runs} {left.drivers}{' group' if group else ''}: {words}" for words in wrong]
            say(f"r{found.runs} {found.hits.total()} kills: {'; '.join(wrong) or 'ok'} {' '.join(points)}")
    return found


def _hopeless(found: Storm) -> bool:
    return len(found.bad) >= int(os.environ.get("STORM_FAULTS_MAX", "25"))
