"""What autopack adds to a model call: row 10 of the table of targets.

A bare `litellm.completion` and a call through autopack (with the bound before it and the price after it) take turns
against a loopback server in a process of its own. What is compared is CPU time of this whole process, LiteLLM's
background threads included: on the wire both wait alike. The bare call may keep its connection; ours opens one each.
The figure is the median of the differences within pairs, whose order alternates.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path

from autopack.plan.price import Price, cost
from autopack.runners import model
from autopack.runners.model import sent
from autopack.runners.model.library import library
from benchmarks import Row

CALLS = 200
IMPORTS = 3
SETTLE_S = 0.003  # LiteLLM goes on in the background after it has returned; that belongs to the call
CHECKOUT = Path(__file__).parent.parent
PRICE = Price(Decimal("0.15"), Decimal("0.075"), Decimal("0.15"), Decimal("0.60"), "2024-07-18")

SERVER = """\
import sys
from tests.loopback import Loopback
with Loopback(answer=lambda sent: "a line of an answer\\n" * 100) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""
IMPORTING = """\
import subprocess, sys, time
from autopack.runners import model
from autopack.runners.model.library import library
work_s = float(sys.argv[1])
if work_s:
    model.preload()
    subprocess.run([sys.executable, "-c", f"import time; time.sleep({work_s})"], check=True)
began = time.perf_counter()
library()
print(time.perf_counter() - began)
"""


def rows() -> Iterator[Row]:
    """CPU above a bare call, and how long the first call waits for the import that runs beside git or CI."""
    bare_ms, above_ms = _cpu()
    measured = f"{above_ms:.2f} ms CPU above {bare_ms:.2f} ms"
    yield Row("10", "own cost of a model call", measured, None, "<= 1 ms", above_ms <= 1.0)
    import_s, wait_s = _waits()
    share = wait_s / import_s
    measured = f"{wait_s * 1000:.1f} ms / import {import_s:.2f} s"
    yield Row("10", "first call's wait for LiteLLM, CI before it", measured, share, "<= 0.1x", share <= 0.1)


def _cpu() -> tuple[float, float]:
    """Median ms of a bare call, and of what ours takes above the bare one beside it."""
    with _server() as url:
        request = _request(url)
        bare, ours = _bare(request), _ours(request)
        bare(), ours()  # the first of each still imports
        pairs = [_pair(bare, ours, bare_first=number % 2 == 0) for number in range(CALLS)]
    return statistics.median(pair[0] for pair in pairs), statistics.median(pair[1] - pair[0] for pair in pairs)


def _pair(bare: Callable[[], object], ours: Callable[[], object], *, bare_first: bool) -> tuple[float, float]:
    if bare_first:
        return _cpu_ms(bare), _cpu_ms(ours)
    late = _cpu_ms(ours)
    return _cpu_ms(bare), late


def _bare(request: model.Request) -> Callable[[], object]:
    litellm, arguments = library(), sent.arguments(request, "none-needed")
    return lambda: litellm.completion(**arguments)


def _ours(request: model.Request) -> Callable[[], object]:
    client = model.LiteLLM()

    def call() -> None:
        model.input_upper_bound(request.messages)
        answer = client.complete(request)
        if answer.outcome != "ok" or not cost(answer.usage, PRICE):
            raise RuntimeError(f"the loopback server did not answer: {answer.message}")

    return call


def _cpu_ms(call: Callable[[], object]) -> float:
    began = time.process_time()
    call()
    time.sleep(SETTLE_S)
    return (time.process_time() - began) * 1000


def _request(url: str) -> model.Request:
    """About 5,000 tokens, as a small phase asks."""
    messages = (("system", "You build. " * 100), ("user", "def route(): return 1\n" * 900))
    return model.Request("mini", "openai/gpt-4o-mini", url, None, messages, 500, 30.0, (), "p", "builder", 1)


def _waits() -> tuple[float, float]:
    """Median seconds of the import alone, and of the wait left when work half as long again went before."""
    alone = statistics.median(_import_s(0.0) for _ in range(IMPORTS))
    return alone, statistics.median(_import_s(alone * 1.5) for _ in range(IMPORTS))


def _import_s(work_s: float) -> float:
    argv = [sys.executable, "-c", IMPORTING, str(work_s)]
    return float(subprocess.run(argv, check=True, cwd=CHECKOUT, stdout=subprocess.PIPE, text=True).stdout)


@contextmanager
def _server() -> Iterator[str]:
    argv = [sys.executable, "-c", SERVER]
    with subprocess.Popen(argv, cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin
        assert process.stdout
        yield process.stdout.readline().strip()
        process.stdin.close()


if __name__ == "__main__":
    for row in rows():
        print(f"{row.what:45} {row.measured:>36}  {row.target:10} {'met' if row.met else 'MISSED'}")
