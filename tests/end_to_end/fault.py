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

FILE gets one line for every call that a model answered, and so had paid for: the key of the effect. On stdout each
driver is one line of JSON: its point, its pid, its exit status (-9: killed as planned).
"""

import argparse
import itertools
import json
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import autopack.views.cli.resume_
import autopack.views.cli.run_  # noqa: F401  # with the one above all that a driver would import
from autopack import __main__ as cli
from autopack.journal.writer import Writer
from autopack.run import effects
from autopack.runners import hands
from autopack.runners.cassette import Cassette

Die = Callable[[], NoReturn]
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
        pid, status = _driven(words, point, given.bill, group=given.group)
        sys.stdout.write(json.dumps({"point": point, "pid": pid, "status": status}) + "\n")
        sys.stdout.flush()
        if status != -signal.SIGKILL:
            return status
        words = ["resume", given.run_id, "--json"]
    return 0


def _driven(words: list[str], point: str | None, bill: str, *, group: bool) -> tuple[int, int]:
    """One driver in a forked process, to its end: pid, and exit status or minus the signal that ended it."""
    sys.stdout.flush()
    pid = os.fork()
    if pid == 0:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        _count_what_is_paid(bill)
        if point is not None:
            _arm(point, _killer(group=group))
        os._exit(cli.main(words))
    return pid, os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def _killer(*, group: bool) -> Die:
    def die() -> NoReturn:
        (os.killpg if group else os.kill)(os.getpid(), signal.SIGKILL)
        raise AssertionError("still alive")

    return die


# --- faults ---


def _arm(point: str, die: Die) -> None:
    kind, _, what = point.partition(":")
    if kind in ("before", "after"):
        _around_effect(effects.TYPES[what], die, before=kind == "before")
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
