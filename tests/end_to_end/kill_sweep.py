"""Runs whose drivers are killed with SIGKILL, and what must be true of each of them afterwards.

The everyday tests kill one run at many points in a row. The long form kills a fresh run at every single point, once
the driver alone and once with its whole process group, and says what it saw; it takes some minutes:

    python -m tests.end_to_end.kill_sweep            # from the checkout's root
    python -m tests.end_to_end.kill_sweep append     # only the points that start so
    python -m tests.end_to_end.kill_sweep --random 1000 [--seed N] [--minutes M]      # see storm.py
"""

import argparse
import json
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autopack.journal.rows import CallRow
from autopack.journal.store import open_store
from tests.end_to_end import storm
from tests.end_to_end.scratch import CHECKOUT, PATIENCE_S, PLAYBOOK, Project, hello_of_many_runs

EFFECTS = (
    *("ProbeProviders", "OpenRun", "AssembleContext", "CallModel", "ApplyReply", "RunCi", "ReadReview", "Land"),
    *("Rebase", "CloseRun"),
)
AROUND_EFFECTS = tuple(f"{when}:{effect}" for effect in EFFECTS for when in ("before", "after"))
EVENTS_OF_AN_UNBROKEN_RUN = 33
CALLS_OF_AN_UNBROKEN_RUN = 6


@dataclass(frozen=True)
class Killed:
    """A run after its last driver. `drivers` are (point, exit status), `paid` the keys of calls that were answered."""

    drivers: tuple[tuple[str | None, int], ...]
    said: str
    state: str
    tree: str
    events: tuple[str, ...]
    paid: tuple[str, ...]
    calls: dict[str, CallRow]
    summary: dict[str, Any]
    leftovers: tuple[str, ...]

    def faults(self, tree: str) -> list[str]:
        """In words, whatever differs from an unbroken run that built `tree`."""
        found = []
        if (self.state, self.tree) != ("DONE_SUCCESS", tree):
            found.append(f"ended {self.state} with tree {self.tree}")
        repeated = sorted({key for key in self.paid if self.paid.count(key) > 1})
        if repeated:
            found.append(f"answered more than once: {repeated}")
        answered = {key for key, call in self.calls.items() if call.reply is not None}
        if not answered <= set(self.paid) <= set(self.calls):
            found.append("the ledger of calls and the bill name different calls")
        if len(answered) != CALLS_OF_AN_UNBROKEN_RUN:
            found.append(f"{len(answered)} answers believed, {CALLS_OF_AN_UNBROKEN_RUN} are needed")
        if self.summary["maybe_paid_calls"] != len(self.calls) - len(answered):
            found.append(f"{self.summary['maybe_paid_calls']} calls shown as maybe paid")
        if self.leftovers:
            found.append(f"left behind: {self.leftovers}")
        return found


def killed(project: Project, run_id: str, points: Sequence[str], *, group: bool = False) -> Killed:
    """One run whose drivers die at these points, one after the other, and whose last driver lives."""
    bill = project.places / f"{run_id}.bill"
    bill.write_text("")
    flags = ["--bill", str(bill), *(["--group"] if group else [])]
    told = subprocess.run(
        [sys.executable, str(CHECKOUT / "tests" / "end_to_end" / "fault.py"), *flags, run_id, PLAYBOOK, *points],
        cwd=project.root,
        env=project.environ,
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    if told.returncode:
        raise AssertionError(f"the last driver of {run_id} ended with {told.returncode}:\n{told.stderr}")
    drivers = [json.loads(line) for line in told.stdout.splitlines()]
    with open_store(str(project.root / ".autonomous_runs" / "autopack.db"), create=False) as store:
        events = tuple(event.type for event in store.events(run_id))  # which proves every one of them
        state, calls = store.run(run_id).state, dict(store.calls(run_id))
    folder = project.artifacts(run_id)
    return Killed(
        drivers=tuple((driver["point"], driver["status"]) for driver in drivers),
        said=told.stderr,
        state=state,
        tree=project.tree(run_id),
        events=events,
        paid=tuple(bill.read_text().split()),
        calls=calls,
        summary=json.loads((folder / "run_summary.json").read_text()),
        leftovers=tuple(project.leftovers()),
    )


def every_point() -> list[str]:
    return [
        *(f"append:{number}" for number in range(1, EVENTS_OF_AN_UNBROKEN_RUN)),
        "event:RunClosed",
        *AROUND_EFFECTS,
        *(f"answer:{number}" for number in range(1, CALLS_OF_AN_UNBROKEN_RUN + 1)),
        *(f"child:{number}" for number in range(1, 6)),
    ]


def main(arguments: list[str]) -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("beginning", nargs="?", default="")
    asked.add_argument("--random", type=int, metavar="KILLS")
    asked.add_argument("--seed", type=int, default=1)
    asked.add_argument("--minutes", type=float)
    asked.add_argument("--kinds", choices=storm.KINDS, default="all")
    given = asked.parse_args(arguments)
    if given.random is None:
        return _every_point(given.beginning)
    until = None if given.minutes is None else time.time() + given.minutes * 60
    found = storm.storm(given.random, given.seed, _say, until, given.kinds)
    _say(f"{found.hits.total()} kills in {found.runs} runs ({dict(found.hits)}): {len(found.bad)} faults")
    for words in found.bad:
        _say(words)
    return 1 if found.bad else 0


def _every_point(beginning: str) -> int:
    points = [point for point in every_point() if point.startswith(beginning)]
    bad = 0
    with tempfile.TemporaryDirectory(prefix="kill-sweep-") as folder:
        project = hello_of_many_runs(Path(folder).resolve())
        unbroken = killed(project, "unbroken", [])
        _say(f"unbroken: {unbroken.state}, {len(unbroken.events)} events, tree {unbroken.tree}")
        for group in (False, True):
            for number, point in enumerate(points):
                who = "group" if group else "driver"
                what = _told(project, f"{who}-{number}", point, unbroken.tree, group=group)
                bad += not what.startswith("ok")
                _say(f"{who:6} {point:24} {what}")
    _say(f"{bad} faults")
    return 1 if bad else 0


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def _told(project: Project, run_id: str, point: str, tree: str, *, group: bool) -> str:
    try:
        run = killed(project, run_id, [point], group=group)
    except AssertionError as error:
        return str(error)
    unreached = "" if run.drivers[0][1] == -signal.SIGKILL else ", but never reached: events came together"
    return "; ".join(run.faults(tree)) or f"ok{unreached}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
