"""A store that can't be used says what is wrong and what to do, and keeps no half transaction."""

import os
import resource
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from autopack.journal import database
from autopack.journal.errors import StoreUnusable
from autopack.journal.rows import Intent
from autopack.journal.store import Store, open_store
from autopack.journal.writer import Writer

LARGE = {"text": os.urandom(60_000).hex()}
NEW = Intent("new", "Land", {}, "token")


@pytest.fixture
def store(sqlite_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Store]:
    monkeypatch.setattr(database, "BUSY_TIMEOUT_S", 0.05)
    with open_store(sqlite_path, create=False) as opened:
        yield opened


def test_a_full_disk_keeps_nothing_of_the_append_and_the_writer_goes_on_when_there_is_space(store: Store):
    with store.writer("r1") as writer:
        _pragma(
            writer, "max_page_count = 1"
        )  # SQLite clamps it to the size the file has: the next page is one too many
        refused = _refused_append(writer, LARGE)
        assert refused.reason == "disk_full"
        assert str(refused).endswith("database or disk is full. Free some space.")
        _pragma(writer, "max_page_count = 1000000")
        assert _only_the_next_append_is_kept(store, writer)


def test_a_write_the_system_refuses_half_way_keeps_nothing_of_the_append(store: Store):
    with store.writer("r1") as writer:
        with _file_size_limit(100_000):
            assert _refused_append(writer, LARGE).fact == "disk I/O error"
        assert _only_the_next_append_is_kept(store, writer)


def test_a_read_only_store_is_named_so(store: Store):
    with store.writer("r1") as writer:
        _pragma(writer, "query_only = ON")
        refused = _refused_append(writer, {})
        assert refused.reason == "read_only"
        assert "attempt to write a readonly database. Make the file and its folder writable" in str(refused)
        _pragma(writer, "query_only = OFF")
        assert _only_the_next_append_is_kept(store, writer)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_store_in_a_folder_that_is_read_only_is_not_made(tmp_path: Path):
    tmp_path.chmod(0o500)
    with pytest.raises(StoreUnusable, match=r"Permission denied. Make the file and its folder writable") as refused:
        open_store(tmp_path / "autopack.sqlite", create=True)
    tmp_path.chmod(0o700)
    assert refused.value.reason == "read_only"


def test_a_store_below_a_file_is_not_made(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnusable, match=r"File exists|Not a directory"):
        open_store(tmp_path / "file" / "autopack.sqlite", create=True)


def test_a_database_somebody_else_keeps_locked_is_named_so(store: Store, sqlite_path: Path):
    with store.writer("r1") as writer:
        other = sqlite3.connect(sqlite_path, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        refused = _refused_append(writer, {})
        assert (refused.reason, refused.fact) == ("locked", "database is locked")
        assert [event.seq for event in store.events("r1")] == [1, 2, 3, 4, 5]
        other.execute("ROLLBACK")
        other.close()
        assert _only_the_next_append_is_kept(store, writer)


def test_a_store_that_was_removed_under_a_run_is_not_written_into_nowhere(store: Store, sqlite_path: Path):
    with store.writer("r1") as writer:
        sqlite_path.rename(sqlite_path.with_name("away.sqlite"))
        assert _refused_append(writer, {}).fact == "the store's file was removed or replaced"
        sqlite_path.write_bytes(sqlite_path.with_name("away.sqlite").read_bytes())
        assert _refused_append(writer, {}).reason == "lost"
        with pytest.raises(StoreUnusable):
            writer.reply("k", {})
        with pytest.raises(StoreUnusable):
            store.put_blob(b"hello")


def test_a_table_that_was_dropped_is_trouble_with_the_store(store: Store, sqlite_path: Path):
    _sql(sqlite_path, "DROP TABLE intents")
    with pytest.raises(StoreUnusable, match="no such table: intents"):
        store.intents("r1")


def test_a_bug_stays_a_bug(store: Store):
    with store.writer("r1") as writer:
        with pytest.raises(database.ConstraintBroken, match=r"NOT NULL constraint failed: intents.token"):
            writer.append([("A", {}, 1.0)], [Intent("k", "Land", {}, None)])  # type: ignore[arg-type]
        assert _only_the_next_append_is_kept(store, writer)


def _refused_append(writer: Writer, body: dict[str, str]) -> StoreUnusable:
    with pytest.raises(StoreUnusable) as refused:
        writer.append([("Small", {}, 1.0), ("Refused", body, 1.0)], [Intent("refused", "Land", {}, "t")], {"n": 1})
    return refused.value


def _only_the_next_append_is_kept(store: Store, writer: Writer) -> bool:
    writer.append([("Kept", {}, 2.0)], [NEW])
    kept = [(event.seq, event.type) for event in store.events("r1", after=5)]
    return (kept, set(store.intents("r1")), store.run("r1").summary) == ([(6, "Kept")], {"new"}, None)


def _pragma(writer: Writer, pragma: str) -> None:
    cursor = writer._connection.cursor()
    cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


@contextmanager
def _file_size_limit(size: int) -> Iterator[None]:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def _sql(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.close()
