"""Drivers that die on cue: autopack with a fault armed in it, for tests only.

    python tests/end_to_end/fault.py --bill FILE [--group] RUN PLAYBOOK POINT...

Starts RUN and kills its driver with SIGKILL at the first point, resumes it and kills that driver at the second, and so
on; a last driver is let live. Each driver is a process and a process group of its own, forked from this one, so that
none pays for the imports again. With --group its whole process group dies, otherwise the driver alone.

A point is one of

    append:N      the Nth transaction that holds an event is on the disk, nobody believes it yet
    event:TYPE    as append, for the first transaction that holds an event of this type
    before:TYPE   the first effect of this type is about to be carried out
    after:TYPE    it has been, and nobody has been told
    answer:N      the Nth answer of a model has arrived, and is not on the disk yet
    child:N       the Nth child process runs, and the journal knows it
    moment:S      S seconds after its start, whatever it is doing then
    term:S, int:S the same, but it is asked to stop (SIGTERM, SIGINT), once

and two that let the driver live and kill a child of it:

    git:N         the Nth git command, with its group, as soon as it has been started
    step:N        the Nth CI step or probe; in it whatever runs there
    keeper:N      the process that keeps it
    clock:S       nothing dies, but the wall clock jumps by S seconds, forth and back, whenever it is read
    full:N:FILE   nothing dies, but before the Nth transaction FILE takes all the room there is on its disk
    nospace:K:N   nothing dies, but from the Nth write of a kind on nothing can be written (see full_disk.py)
    readonly:K:N  the same, of a disk that has become read-only

FILE gets one line for every call that a model answered, and so had paid for: the key of the effect. On stdout each
driver is one line of JSON: its point, its pid, its exit status (-9: killed as planned).
"""

import argparse
import contextlib
import itertools
import json
import os
import select
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import autopack.views.cli.resume_
import autopack.views.cli.run_
import autopack.views.cli.verify_  # noqa: F401  # with the two above all that a driver would import
from autopack import __main__ as cli
from autopack.journal.writer import Writer
from autopack.run import effects
from autopack.runners import hands
from autopack.runners.cassette import Cassette
from autopack.runners.git import command
from tests.end_to_end import full_disk

SIGNALS = {"moment": signal.SIGKILL, "term": signal.SIGTERM, "int": signal.SIGINT}
Die = Callable[[], None]
_here = threading.local()


def main() -> int:
    asked = argparse.ArgumentParser()
    asked.add_argument("--bill", required=True)
    asked.add_argument("--group", action="store_true")
    asked.add_argument("run_id")
    asked.add_argument("playbook")
    asked.add_argument("points", nargs="*")
    given = asked.parse_args()
    words = ["run", given.playbook, "--run-id", given.run_id, "--json"]
    for point in [*given.points, None]:
        pid, status = driven(words, point, given.bill, group=given.group)
        sys.stdout.write(json.dumps({"point": point, "pid": pid, "status": status}) + "\n")
        sys.stdout.flush()
        if status != -signal.SIGKILL:
            return status
        words = ["resume", given.run_id, "--json"]
    return 0


def driven(
    words: list[str],
    point: str | None,
    bill: str,
    *,
    group: bool,
    root: str = ".",
    environ: Mapping[str, str] | None = None,
    said: str | None = None,
) -> tuple[int, int]:
    """One driver in a forked process, to its end: pid, and exit status or minus the signal that ended it."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.chdir(root)
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        if said is not None:
            os.dup2(os.open(said, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644), 2)
            sys.stderr = os.fdopen(2, "w", closefd=False)  # a test runner has put something else there
        if said is not None and words[0] == "verify":
            os.dup2(2, 1)
        if environ is not None:
            os.environ.clear()
            os.environ.update(environ)
        _count_what_is_paid(bill)
        if point is not None and point.partition(":")[0] not in SIGNALS:
            _arm(point, _killer(group=group), bill)
        os._exit(cli.main(words))
    kind, _, what = (point or "").partition(":")
    if kind in SIGNALS:
        _signal_in(float(what), SIGNALS[kind], pid, group=group and kind == "moment")
    return pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _signal_in(seconds: float, number: int, pid: int, *, group: bool) -> None:
    """Unless it has ended by then. From outside, so that nothing it does can put it off."""
    watched = os.pidfd_open(pid)
    if not select.select([watched], [], [], seconds)[0]:
        (os.killpg if group else os.kill)(pid, number)
    os.close(watched)


def _killer(*, group: bool) -> Callable[[], NoReturn]:
    def die() -> NoReturn:
        (os.killpg if group else os.kill)(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")

    return die


# --- faults ---


def _arm(point: str, die: Die, bill: str) -> None:
    kind, _, what = point.partition(":")
    if kind in ("before", "after"):
        _around_effect(effects.TYPES[what], die, before=kind == "before")
    elif kind == "full":
        which, _, place = what.partition(":")
        numbers = itertools.count(1)
        _around_method("append", lambda _: next(numbers) == int(which), lambda: _fill(Path(place)), before=True)
    elif kind in full_disk.REFUSALS:
        full_disk.arm(kind, what, bill)
    elif kind == "clock":
        inner, turns = time.time, itertools.cycle((float(what), -float(what), 0.0))
        time.time = lambda: inner() + next(turns)
    elif kind == "git":
        _kill_a_git(int(what), bill)
    elif kind in ("step", "keeper"):
        _kill_a_step(int(what), bill, keeper=kind == "keeper")
    elif kind == "event":
        _around_method("append", lambda events: what in {name for name, *_ in events}, die, before=False)
    else:
        name = {"append": "append", "answer": "reply", "child": "started"}[kind]
        number = itertools.count(1)
        _around_method(name, lambda first: bool(first) and next(number) == int(what), die, before=kind == "answer")


def _around_effect(effect: type, die: Die, *, before: bool) -> None:
    table: Any = hands.DOES
    inner = table[effect]

    def does(*arguments: Any) -> Any:
        if before:
            die()
        inner(*arguments)
        die()

    table[effect] = does


def _around_method(name: str, is_it: Callable[[Any], bool], die: Die, *, before: bool) -> None:
    """Dies in the call of a writer's method whose first argument fits: its events, or the key of an effect."""
    inner = getattr(Writer, name)

    def method(self: Writer, first: Any, *arguments: Any, **named: Any) -> Any:
        now = is_it(first)
        if now and before:
            die()
        answer = inner(self, first, *arguments, **named)
        if now:
            die()
        return answer

    setattr(Writer, name, method)


def _fill(place: Path) -> None:
    with place.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(OSError):
                while file.write(b"\0" * size) == size:
                    pass


def _kill_a_git(wanted: int, bill: str) -> None:
    table: Any = command
    inner, number = table._watchdog, itertools.count(1)

    def watchdog(group: int, timeout_s: float) -> Any:
        if next(number) == wanted:
            os.killpg(group, signal.SIGKILL)
            found = os.waitid(os.P_PID, group, os.WEXITED | os.WNOWAIT)
            if found is not None and found.si_code == os.CLD_KILLED:  # else it was faster
                _note(bill, "git")
        return inner(group, timeout_s)

    table._watchdog = watchdog


def _kill_a_step(wanted: int, bill: str, *, keeper: bool) -> None:
    inner, number = Writer.started, itertools.count(1)

    def started(self: Writer, key: str, pid: int, pid_start: float) -> None:
        inner(self, key, pid, pid_start)
        if next(number) == wanted:
            children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
            for victim in [pid] if keeper else [int(child) for child in children]:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(victim, signal.SIGKILL)
                    _note(bill, "keeper" if keeper else "step")

    Writer.started = started  # type: ignore[method-assign]


def _note(bill: str, what: str) -> None:
    """Which child really died."""
    with Path(f"{bill}.children").open("a", encoding="ascii") as file:
        file.write(what + "\n")


def _count_what_is_paid(bill: str) -> None:
    """Every answer of a cassette counts as paid the moment it is given, under the key of its effect."""
    table: Any = hands.DOES
    call, complete = table[effects.CallModel], Cassette.complete
    paper = os.open(bill, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def call_model(self: Any, effect: Any, ticket: Any) -> Any:
        _here.key = ticket.key
        return call(self, effect, ticket)

    def counted(self: Any, request: Any) -> Any:
        answer = complete(self, request)
        os.write(paper, f"{_here.key}\n".encode())
        return answer

    table[effects.CallModel] = call_model
    Cassette.complete = counted  # type: ignore[method-assign]


if __name__ == "__main__":
    sys.exit(main())
