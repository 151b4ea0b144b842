"""What runs take of what all of them may spend: one after the other, also when they ask at the same instant."""

import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest

from autopack.journal import dump
from autopack.journal.rows import AccountRow
from autopack.journal.store import Store, open_store
from autopack.plan import canonical
from tests import postgres
from tests.end_to_end.scratch import CHECKOUT, PATIENCE_S

CAP = 100


def share(rows: Sequence[AccountRow]) -> Mapping[str, Any]:
    """60 of what is left of the cap."""
    return {"tokens": min(60, CAP - sum(row.allowance["tokens"] for row in rows if row.allowance))}


def another(location: str) -> AbstractContextManager[str]:
    """A place of the same kind that holds nothing."""
    return postgres.database() if location.startswith("postgresql") else nullcontext(f"{location}-other")


def with_runs(store: Store, *run_ids: str) -> None:
    for at, run_id in enumerate(run_ids, 2000):
        store.create_run(run_id, "shop-api", "{}", canonical.digest({}), at=float(at))


def test_a_run_that_asks_again_gets_the_same_again(store: Store):
    with_runs(store, "r2")
    assert store.allot("r2", 1.0, share) == {"tokens": 60}
    assert store.allot("r1", 2.0, share) == {"tokens": 40}
    assert store.allot("r2", 3.0, share) == {"tokens": 60}
    assert [(row.run_id, row.allowance) for row in store.accounts()] == [("r1", {"tokens": 40}), ("r2", {"tokens": 60})]


def test_an_account_tells_what_the_run_was_billed_and_when_it_last_was_heard_of(store: Store):
    with_runs(store, "r2")
    with store.writer("r1") as writer:
        writer.append([("A", {}, 1500.0)], summary={"tokens_used": 7})
    told = [(row.run_id, row.project, row.state, row.summary, row.last_at, row.allowance) for row in store.accounts()]
    assert told == [
        ("r1", "shop-api", "RUN_CREATED", {"tokens_used": 7}, 1500.0, None),
        ("r2", "shop-api", "RUN_CREATED", None, 2000.0, None),
    ]


def test_a_decision_that_fails_grants_nothing(store: Store):
    def broken(_rows: Sequence[AccountRow]) -> Mapping[str, Any]:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        store.allot("r1", 1.0, broken)
    assert [row.allowance for row in store.accounts()] == [None]
    assert store.allot("r1", 2.0, share) == {"tokens": 60}


def test_while_one_run_decides_no_other_sees_the_accounts(store: Store, location: str):
    """The second asks while the first is in the middle; a store that let it in would have both decide at once."""
    with_runs(store, "r2")
    deciding, both = threading.Event(), threading.Event()
    told: dict[str, Mapping[str, Any]] = {}

    def first(rows: Sequence[AccountRow]) -> Mapping[str, Any]:
        deciding.set()
        assert not both.wait(1.0)
        return share(rows)

    def second(rows: Sequence[AccountRow]) -> Mapping[str, Any]:
        both.set()
        return share(rows)

    def other() -> None:
        assert deciding.wait(PATIENCE_S)
        with open_store(location, create=False) as own:
            told["r2"] = own.allot("r2", 1.0, second)

    thread = threading.Thread(target=other)
    thread.start()
    told["r1"] = store.allot("r1", 1.0, first)
    thread.join()
    assert told == {"r1": {"tokens": 60}, "r2": {"tokens": 40}}


TAKE = """
import json, sys
from autopack.journal.store import open_store
from tests.journal.test_allowances import share
with open_store(sys.argv[1], create=False) as store:
    print("ready", flush=True)
    sys.stdin.readline()
    print(json.dumps(store.allot(sys.argv[2], 1.0, share)))
"""


def test_processes_that_ask_at_the_same_instant_never_get_more_than_there_is(store: Store, location: str):
    """REQ-2.1-3: all stand ready before the first is let go."""
    runs = [f"p{number}" for number in range(6)]
    with_runs(store, *runs)
    argv = [sys.executable, "-c", TAKE, location]
    asking = [
        subprocess.Popen([*argv, run], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=CHECKOUT)
        for run in runs
    ]
    for each in asking:
        assert each.stdout is not None
        assert each.stdout.readline() == "ready\n"
    for each in asking:
        assert each.stdin is not None
        each.stdin.write("go\n")
        each.stdin.flush()
    told = [each.communicate(timeout=PATIENCE_S)[0].strip() for each in asking]
    assert sorted(told) == ['{"tokens": 0}'] * 4 + ['{"tokens": 40}', '{"tokens": 60}']


def test_an_export_is_of_one_moment_however_long_it_takes(store: Store, location: str):
    """A run goes on meanwhile: what it adds to tables that are still to be read is of another moment."""
    with store.writer("r1") as writer:
        writer.append([("A", {}, 1.0)])
        lines = dump.lines(store.database)
        read = [next(lines), next(lines)]
        writer.append([("B", {"blob": writer.put_blob(b"new")}, 2.0)])
        store.allot("r1", 3.0, share)
        read += lines
    with another(location) as found, open_store(found, create=True) as other:
        dump.restore(other.database, read)
        assert [event.type for event in other.events("r1")] == ["A"]
        assert other.run("r1").last_seq == 1
        assert [row.allowance for row in other.accounts()] == [None]
