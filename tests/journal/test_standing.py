"""What outlives runs: changed once by each of them, in turn, and carried over when the store is upgraded."""

import sqlite3
import threading
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config

from autopack.journal import dump
from autopack.journal.database import Database, address
from autopack.journal.errors import StoreMissing, StoreOutdated
from autopack.journal.store import Standing, Store, open_store, upgrade_store
from autopack.plan import canonical


def counted(before: Standing) -> Standing:
    return {"count": str(int(before.get("count", "0")) + 1)}


def test_a_run_changes_what_stands_exactly_once(store: Store):
    assert store.standing("shop", "count") is None
    assert store.fold_run("shop", "r1", 1.0, counted) is True
    assert store.fold_run("shop", "r1", 2.0, counted) is False
    assert store.fold_run("shop", "r2", 3.0, counted) is True
    assert store.all_standing("shop") == {"count": "2"}
    assert store.all_standing("another") == {}


def test_a_change_that_fails_leaves_everything_as_it_was(store: Store):
    store.fold_run("shop", "r1", 1.0, counted)

    def broken(_before: Standing) -> Standing:
        raise ArithmeticError

    with pytest.raises(ArithmeticError):
        store.fold_run("shop", "r2", 2.0, broken)
    assert store.all_standing("shop") == {"count": "1"}
    assert store.fold_run("shop", "r2", 3.0, counted) is True


def test_runs_that_end_at_the_same_time_wait_for_each_other(store: Store, location: str):
    def end(number: int) -> None:
        with open_store(location, create=False) as own:
            own.fold_run("shop", f"r{number}", 1.0, counted)

    threads = [threading.Thread(target=end, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert store.all_standing("shop") == {"count": "8"}


def test_what_a_run_started_from_stays_what_it_was(store: Store):
    assert store.frozen("shop", "r1") is None
    assert store.freeze("shop", "r1", {"count": "7", "other": "x"}) == {"count": "7", "other": "x"}
    store.fold_run("shop", "r0", 1.0, counted)
    assert store.freeze("shop", "r1", {}) == store.frozen("shop", "r1") == {"count": "7", "other": "x"}
    assert store.freeze("shop", "r2", {"count": "7"}) == {"count": "1"}


def test_what_an_event_left_is_part_of_the_chain(store: Store):
    """REQ-CH-7."""
    with store.writer("r1") as writer:
        writer.append([("A", {}, 1.0), ("B", {}, 2.0)], after=[{"tokens": 1}, {"tokens": 2}])
        writer.append([("C", {}, 3.0)])
    assert [event.after for event in store.events("r1")] == [{"tokens": 1}, {"tokens": 2}, None]


# --- upgrading ---


def old_store(path: Path) -> None:
    """A store of revision 0001 with one run of two events."""
    path.touch(mode=0o600)
    database = Database(address(path), "FULL")
    config = Config()
    config.set_main_option("script_location", "autopack.journal:migrations")
    with database.reading() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.commit()
    database.close()
    head = canonical.digest({"project": "shop"})
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO runs VALUES ('r1', 'shop', 1.0, ?, 'RUN_CREATED', NULL, 0, ?)",
            (head, head),
        )
    connection.close()


def test_an_older_store_is_refused_untouched_until_it_is_upgraded(tmp_path: Path):
    path = tmp_path / "old.db"
    old_store(path)
    before = path.read_bytes()
    for create in (True, False):
        with pytest.raises(StoreOutdated, match=r"has revision 0001.* autopack store upgrade"):
            open_store(path, create=create)
    assert path.read_bytes() == before
    assert upgrade_store(path) == ("0001", "0004")
    assert upgrade_store(path) == ("0004", "0004")
    with open_store(path, create=False) as store, store.writer("r1") as writer:
        writer.append([("A", {}, 1.0)], after=[{"tokens": 1}])
        assert [event.after for event in store.events("r1")] == [{"tokens": 1}]
        assert len(list(dump.lines(store.database))) == 4


def test_there_is_nothing_to_upgrade_where_there_is_no_store(tmp_path: Path):
    with pytest.raises(StoreMissing):
        upgrade_store(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()
