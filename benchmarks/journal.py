"""What it costs to make a step durable: one event with one paid call's intent, through the real writer.

The floor is the disk's: a bare 4 KiB write and fdatasync is measured beside it, in turn. The targets are milliseconds
on a disk that takes 0.4 ms for that; on a slower one what is durable may take twice its floor.
"""

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path

from autopack.journal.database import Synchronous
from autopack.journal.rows import Intent
from autopack.journal.store import open_store
from autopack.journal.writer import Writer
from autopack.plan import canonical
from benchmarks import Row

APPENDS = 1000
BODY = {"elapsed_s": 12.5, "key": "0" * 64, "outcome": "ok", "reply": "f" * 64, "text": "x" * 150}
SUMMARY = {"state": "PHASE_EXECUTION", "tokens_used": 39_210, "phases": {"complete": 7, "executing": 2}}


def rows() -> Iterable[Row]:
    """The price of an append at both durabilities, of a reply to the ledger, and of reading a run back."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        disk = _median(_disk(folder))
        full, reply, read = _journal(folder / "full.sqlite", "FULL")
        normal, _, _ = _journal(folder / "normal.sqlite", "NORMAL")
    yield _row("write and fdatasync of 4 KiB, no store", disk, None)
    durable = max(0.8, 2 * disk)
    yield _row("append of an event and an intent, FULL", full, durable)
    yield _row("append of an event and an intent, NORMAL", normal, 0.12)
    yield _row("reply into the paid-call ledger, FULL", reply, durable)
    yield _row("read and prove one event", read, None)


def _journal(path: Path, synchronous: Synchronous) -> tuple[float, float, float]:
    """Median ms of an append and of a reply, mean ms of an event read."""
    with open_store(path, create=True, synchronous=synchronous) as store:
        plan = {"plan": path.name}
        store.create_run("bench", "bench", canonical.text(plan), canonical.digest(plan), 0.0)
        with store.writer("bench") as writer:
            append = _median(lambda number: _append(writer, number))
            reply = _median(lambda number: writer.reply(f"{number:064x}", BODY))
        began = time.perf_counter()
        found = sum(1 for _ in store.events("bench"))
        return append, reply, (time.perf_counter() - began) * 1000 / found


def _append(writer: Writer, number: int) -> None:
    call = Intent(f"{number:064x}", "CallModel", BODY, "t" * 32, 8_000, Decimal("0.024"))
    writer.append([("ModelAnswered", BODY, float(number))], [call], SUMMARY)


def _disk(folder: Path) -> Callable[[int], None]:
    descriptor = os.open(folder / "disk", os.O_CREAT | os.O_WRONLY)

    def write(_number: int) -> None:
        os.write(descriptor, b"x" * 4096)
        os.fdatasync(descriptor)

    return write


def _median(step: Callable[[int], None]) -> float:
    """Milliseconds."""
    taken = []
    for number in range(APPENDS):
        began = time.perf_counter()
        step(number)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken) * 1000


def _row(what: str, measured_ms: float, at_most_ms: float | None) -> Row:
    if at_most_ms is None:
        return Row("running", what, f"{measured_ms:.3f} ms", None, "", None)
    return Row("running", what, f"{measured_ms:.3f} ms", None, f"<= {at_most_ms:.3g} ms", measured_ms <= at_most_ms)


if __name__ == "__main__":
    for row in rows():
        verdict = {True: "met", False: "MISSED", None: ""}[row.met]
        print(f"{row.what:45} {row.measured:>10}  {row.target:12} {verdict}")
