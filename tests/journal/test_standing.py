"""What outlives runs: changed once by each of them, in turn, and carried over when the store is upgraded."""

import json
import threading
from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from autopack.journal import dump, tables
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


def old_store(location: str, revision: str) -> None:
    """A store of an old revision with one run."""
    at = address(location)
    if at.path is not None:
        at.path.parent.mkdir()
        at.path.touch(mode=0o600)
    config = Config()
    config.set_main_option("script_location", "autopack.journal:migrations")
    with closing(Database(at, "FULL")) as database, database.reading() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        head = canonical.digest({"project": "shop"})
        row = f"'r1', 'shop', 1.0, '{head}', 'RUN_CREATED', NULL, 0, '{head}'"
        connection.exec_driver_sql(f"INSERT INTO runs VALUES ({row})")
        connection.commit()


def content(location: str) -> list[object]:
    """Each table with the names of its columns and its rows."""
    with closing(Database(address(location), "FULL")) as database, database.reading() as connection:
        known = sa.MetaData()
        known.reflect(connection)
        return [
            (name, table.columns.keys(), connection.execute(table.select()).all())
            for name, table in known.tables.items()
        ]


@pytest.mark.parametrize("revision", tables.OLDER)
def test_an_older_store_is_refused_untouched_until_it_is_upgraded(location: str, revision: str):
    old_store(location, revision)
    before = content(location)
    for create in (True, False):
        with pytest.raises(StoreOutdated, match=rf"has revision {revision}.* autopack store upgrade"):
            open_store(location, create=create)
    assert content(location) == before
    assert upgrade_store(location) == (revision, tables.REVISION)
    assert upgrade_store(location) == (tables.REVISION, tables.REVISION)
    with open_store(location, create=False) as store, store.writer("r1") as writer:
        writer.append([("A", {}, 1.0)], after=[{"tokens": 1}])
        assert [event.after for event in store.events("r1")] == [{"tokens": 1}]
        assert store.allot("r1", 2.0, lambda rows: {"runs": len(rows)}) == {"runs": 1}
        told = [json.loads(line) for line in dump.lines(store.database)]
        assert [each["table"] for each in told[1:-1]] == ["allowances", "events", "runs"]


def test_there_is_nothing_to_upgrade_where_there_is_no_store(tmp_path: Path):
    with pytest.raises(StoreMissing):
        upgrade_store(tmp_path / "none.db")
    assert not (tmp_path / "none.db").exists()
