"""What one writer makes durable, what it refuses, and that it is the only one."""

import os
import threading
from decimal import Decimal
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st

from autopack.journal import chain
from autopack.journal.database import ConstraintBroken
from autopack.journal.errors import IntentExists, ReplyExists, RunLocked, StoreUnusable, UnknownIntent, WriterDisplaced
from autopack.journal.rows import CallRow, Intent, IntentRow
from autopack.journal.store import Store, open_store
from autopack.journal.writer import NewEvent
from autopack.plan import canonical

LAND = Intent("k-land", "Land", {"phase_id": "add-route"}, "token-1")
CALL = Intent("k-call", "CallModel", {"model": "gpt"}, "token-2", 8_000, Decimal("0.0240"))


def test_events_intents_reservations_and_summary_are_kept_together(store: Store):
    with store.writer("r1") as writer:
        appended = writer.append(
            [("RunOpened", {"head": "abc"}, 1001.5), ("TimePassed", {"elapsed_s": 2.5}, 1002.0)],
            [LAND, CALL],
            {"state": "PHASE_EXECUTION", "tokens_used": 7},
            at=1003.0,
        )
    kept = list(store.events("r1"))
    assert [(row.seq, row.type, row.body, row.at) for row in kept] == [
        (1, "RunOpened", {"head": "abc"}, 1001.5),
        (2, "TimePassed", {"elapsed_s": 2.5}, 1002.0),
    ]
    assert [(row.seq, row.hash) for row in kept] == appended
    assert store.intents("r1") == {
        "k-call": IntentRow("k-call", "CallModel", {"model": "gpt"}, 1003.0, "token-2", None, None),
        "k-land": IntentRow("k-land", "Land", {"phase_id": "add-route"}, 1003.0, "token-1", None, None),
    }
    assert store.calls("r1") == {"k-call": CallRow("k-call", 8_000, Decimal("0.0240"), 1003.0, None, None)}
    run = store.run("r1")
    assert (run.state, run.summary, run.last_seq) == (
        "PHASE_EXECUTION",
        {"state": "PHASE_EXECUTION", "tokens_used": 7},
        2,
    )


def test_the_hash_of_an_event_covers_the_plan_and_all_that_came_before(store: Store):
    """Written out, so that a later version can't change what old journals are proved by."""
    with store.writer("r1") as writer:
        first, second = writer.append([("A", {"b": 1, "a": "é"}, 1001), ("B", {}, 1001.25)])
    assert chain.line(1, "A", '{"a":"é","b":1}', 1001.0) == '{"at":1001.0,"body":{"a":"é","b":1},"seq":1,"type":"A"}'
    assert first.hash == "e4d65e21ee89eec045507a4fc209c5045b23743d754497ad6788ab37ae435b3c"
    assert second.hash == "69b9e39c9bfc82528d39cae4c377fea7cbf8bf5b88f1f1c5f267594a62bb1685"


@given(
    body=st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_the_line_of_an_event_is_the_canonical_text_of_its_fields(body: object):
    event = {"at": 0.1, "body": body, "seq": 3, "type": 'A "b"'}
    assert chain.line(3, 'A "b"', chain.body_text(body), 0.1) == canonical.text(event)


def test_a_summary_or_a_state_that_is_not_given_stays(store: Store):
    with store.writer("r1") as writer:
        writer.append([("A", {}, 1.0)], summary={"state": "GATE", "n": 1})
        writer.append([("B", {}, 2.0)])
        assert (store.run("r1").state, store.run("r1").summary) == ("GATE", {"state": "GATE", "n": 1})
        writer.append([("C", {}, 3.0)], summary={"n": 3})
        assert (store.run("r1").state, store.run("r1").summary) == ("GATE", {"n": 3})


def test_intents_without_a_time_are_dated_by_the_writers_clock(store: Store):
    with store.writer("r1", clock=lambda: 1234.5) as writer:
        assert writer.append([], [LAND]) == []
    assert store.intents("r1")["k-land"].at == 1234.5
    assert store.run("r1").last_seq == 0
    assert list(store.events("r1")) == []


def test_a_blob_waits_for_no_disk_and_what_names_it_does(sqlite_path: Path):
    """The log is written in order: what makes the event durable has made the blob so, if a driver's store is synced."""
    with open_store(sqlite_path, create=False) as store, store.writer("r1") as writer:
        connection = writer._connection.driver_connection
        said: list[str] = []
        connection.set_trace_callback(said.append)
        blob = writer.put_blob(b"a patch")
        writer.put_blob(b"a patch")
        writer.append([("A", {"patch": blob}, 1.0)])
        connection.set_trace_callback(None)
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)
        assert store.blob(blob) == b"a patch"
    steps = [words.partition(" (")[0] for words in said if words.startswith(("PRAGMA", "INSERT", "COMMIT"))]
    ahead = "PRAGMA synchronous = NORMAL"
    assert steps == [
        *(ahead, "INSERT INTO blobs", "COMMIT", "PRAGMA synchronous = FULL"),
        *(ahead, "COMMIT", "PRAGMA synchronous = FULL"),
        *("INSERT INTO events", "COMMIT"),
    ]


def test_a_blob_that_could_not_be_written_leaves_the_next_transaction_durable(sqlite_path: Path):
    with open_store(sqlite_path, create=False) as store, store.writer("r1") as writer:
        connection = writer._connection.driver_connection
        connection.execute("CREATE TEMP TRIGGER full BEFORE INSERT ON blobs BEGIN SELECT RAISE(ABORT, 'full'); END")
        with pytest.raises(ConstraintBroken), store.database.writing(writer._connection, ahead=True) as cursor:
            cursor.execute("INSERT INTO blobs VALUES ('a', 'b', 1)")
        assert connection.execute("PRAGMA synchronous").fetchone() == (2,)


def test_text_that_utf8_refuses_survives(store: Store):
    with store.writer("r1") as writer:
        writer.append([("A", {"file": "caf\udce9.txt", "ok": "☃ \x00"}, 1.0)])
    (row,) = store.events("r1")
    assert row.body == {"file": "caf\udce9.txt", "ok": "☃ \x00"}


def test_a_number_json_does_not_know_is_refused_before_anything_is_written(store: Store):
    with store.writer("r1") as writer:
        with pytest.raises(ValueError, match="not JSON compliant"):
            writer.append([("A", {}, 1.0), ("B", {"cost": float("nan")}, 1.0)])
        (row,) = writer.append([("C", {}, 2.0)])
    assert [event.type for event in store.events("r1")] == ["C"]
    assert row.seq == 1


def test_a_later_writer_goes_on_where_the_last_one_stopped(store: Store):
    for number in range(3):
        with store.writer("r1") as writer:
            writer.append([("Counted", {"number": number}, 1.0)])
    assert [(event.seq, event.body["number"]) for event in store.events("r1")] == [(1, 0), (2, 1), (3, 2)]


def test_events_are_read_in_pages_from_any_place(store: Store):
    with store.writer("r1") as writer:
        writer.append([("Counted", {"number": number}, 1.0) for number in range(1, 1202)])
    assert [event.seq for event in store.events("r1")] == list(range(1, 1202))
    assert [event.body["number"] for event in store.events("r1", after=1199)] == [1200, 1201]
    assert list(store.events("r1", after=1201)) == []


def test_a_reader_sees_what_is_appended_while_it_reads(store: Store):
    with store.writer("r1") as writer:
        writer.append([("Counted", {}, 1.0)] * 500)
        reader = store.events("r1")
        first = next(reader)
        writer.append([("Late", {}, 2.0)])
        rest = list(reader)
    assert (first.seq, len(rest), rest[-1].type) == (1, 500, "Late")


def test_a_child_is_known_by_pid_and_start_time_once_it_runs(store: Store):
    with store.writer("r1") as writer:
        writer.append([], [LAND])
        writer.started("k-land", 4242, 98765.25)
        with pytest.raises(UnknownIntent, match="no such intent is in the journal under key nothing"):
            writer.started("nothing", 1, 1.0)
    row = store.intents("r1")["k-land"]
    assert (row.pid, row.pid_start, row.token) == (4242, 98765.25, "token-1")


def test_a_reply_is_in_the_ledger_before_anybody_believes_it(store: Store):
    with store.writer("r1", clock=lambda: 1500.0) as writer:
        writer.append([("A", {}, 1.0)], [CALL], at=1.0)
        writer.reply("k-call", {"text": "done", "usage": {"output": 3}})
        call = store.calls("r1")["k-call"]
    assert call == CallRow("k-call", 8_000, Decimal("0.0240"), 1.0, {"text": "done", "usage": {"output": 3}}, 1500.0)


def test_the_first_reply_stays(store: Store):
    with store.writer("r1") as writer:
        writer.append([("A", {}, 1.0)], [CALL])
        writer.reply("k-call", {"text": "first"})
        writer.reply("k-call", {"text": "first"})
        with pytest.raises(ReplyExists, match="another reply is in the ledger under key k-call"):
            writer.reply("k-call", {"text": "second"})
    assert store.calls("r1")["k-call"].reply == {"text": "first"}


def test_a_reply_without_a_reservation_is_refused(store: Store):
    with store.writer("r1") as writer:
        writer.append([("A", {}, 1.0)], [LAND])
        with pytest.raises(UnknownIntent, match="with its reservation for a paid call"):
            writer.reply("k-land", {"text": "free lunch"})


@pytest.mark.parametrize(("tokens", "cost"), [(1, None), (None, Decimal(1))])
def test_half_a_reservation_is_none(store: Store, tokens: int | None, cost: Decimal | None):
    with store.writer("r1") as writer, pytest.raises(ValueError, match="intent k reserves tokens or cost, not both"):
        writer.append([("A", {}, 1.0)], [Intent("k", "CallModel", {}, "t", tokens, cost)])
    assert list(store.events("r1")) == []


@pytest.mark.parametrize("repeated", [[LAND], [CALL, CALL]], ids=["known key", "twice in one append"])
def test_a_key_is_wished_once_and_the_whole_append_is_refused(store: Store, repeated: list[Intent]):
    with store.writer("r1") as writer:
        writer.append([("A", {}, 1.0)], [LAND], {"n": 1})
        with pytest.raises(IntentExists, match=f"an intent with key {repeated[0].key} is in the journal already"):
            writer.append([("B", {}, 2.0)], repeated, {"n": 2})
        writer.append([("C", {}, 3.0)])
    assert [(event.seq, event.type) for event in store.events("r1")] == [(1, "A"), (2, "C")]
    assert set(store.intents("r1")) == {"k-land"}
    assert store.run("r1").summary == {"n": 1}


def test_runs_do_not_share_keys_or_sequence(store: Store):
    store.create_run("r2", "shop-api", "{}", canonical.digest({}), at=2000.0)
    with store.writer("r1") as one, store.writer("r2") as two:
        one.append([("A", {}, 1.0)], [CALL])
        two.append([("B", {}, 1.0)], [CALL])
        two.reply("k-call", {"of": "r2"})
    assert [(event.seq, event.type) for event in store.events("r2")] == [(1, "B")]
    assert store.calls("r1")["k-call"].reply is None


def test_a_second_writer_is_refused_by_the_first_ones_pid(store: Store, location: str):
    """REQ-2.1-1."""
    with store.writer("r1"):
        with pytest.raises(RunLocked, match=f"run r1: process {os.getpid()} is driving it") as refused:
            store.writer("r1")
        with open_store(location, create=False) as other, pytest.raises(RunLocked):
            other.writer("r1")
    assert refused.value.pid == os.getpid()
    store.writer("r1").close()


def test_a_writer_that_was_closed_writes_nothing(store: Store):
    writer = store.writer("r1")
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match="the writer of this connection was closed"):
        writer.append([("A", {}, 1.0)])
    assert list(store.events("r1")) == []


def test_a_run_whose_name_is_no_file_name_can_be_locked(store: Store):
    store.create_run("../a/b", "shop-api", "{}", canonical.digest({}), at=1.0)
    with store.writer("../a/b"), pytest.raises(RunLocked):
        store.writer("../a/b")


@pytest.mark.parametrize("events", [[("Displaced", {}, 1.0)], []], ids=["with events", "intents only"])
def test_a_writer_whose_lock_was_taken_away_is_told_and_nothing_of_its_append_is_kept(
    sqlite_path: Path, events: list[NewEvent]
):
    with open_store(sqlite_path, create=False) as store:
        displaced = store.writer("r1")
        (sqlite_path.parent / "locks" / "r1.lock").unlink()
        with store.writer("r1") as thief:
            thief.append([("Thief", {}, 1.0)])
        with pytest.raises(WriterDisplaced, match="another process wrote event 6, so the run's lock was lost"):
            displaced.append(events, [LAND], {"n": 1})
        displaced.close()
        assert [event.type for event in store.events("r1", after=5)] == ["Thief"]
        assert store.intents("r1") == {}
        assert store.run("r1").summary is None


def test_replies_and_blobs_of_many_threads_are_all_kept_while_the_driver_appends(store: Store):
    keys = [f"k{number}" for number in range(40)]

    def answer(mine: list[str]) -> None:
        for key in mine:
            writer.reply(key, {"blob": writer.put_blob(key.encode())})
            store.put_blob(key.encode() * 2)

    with store.writer("r1") as writer:
        writer.append([], [Intent(key, "CallModel", {}, "t", 1, Decimal(0)) for key in keys])
        threads = [threading.Thread(target=answer, args=(keys[start::4],)) for start in range(4)]
        for thread in threads:
            thread.start()
        for number in range(40):
            writer.append([("Counted", {"number": number}, 1.0)])
        for thread in threads:
            thread.join()
    assert [store.blob(call.reply["blob"]).decode() for call in store.calls("r1").values()] == sorted(keys)
    assert [event.body["number"] for event in store.events("r1")] == list(range(40))


def test_a_driver_whose_server_dropped_it_can_not_write_and_the_run_is_free(store: Store, location: str):
    if not location.startswith("postgresql"):
        pytest.skip("needs a server")
    cut_off = store.writer("r1")
    with open_store(location, create=False) as other:
        with other.database.reading() as connection:
            pids = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database ="
            connection.execute(sa.text(f"{pids} (SELECT oid FROM pg_database WHERE datname = current_database())"))
        for _ in range(3):
            with pytest.raises(StoreUnusable) as refused:
                cut_off.append([("CutOff", {}, 1.0)])
            assert refused.value.reason == "lost"
        with other.writer("r1") as successor:
            successor.append([("Successor", {}, 1.0)])
        cut_off.close()
        assert [event.type for event in other.events("r1")] == ["Successor"]
