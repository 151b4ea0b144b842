"""A record that was changed behind autopack's back is found when it is read, at the event where it happened."""

import sqlite3
from pathlib import Path

import pytest

from autopack.journal import chain
from autopack.journal.errors import JournalDamaged
from autopack.journal.store import open_store


@pytest.mark.parametrize(
    ("damage", "seq", "fact"),
    [
        ("UPDATE events SET body = '{\"number\":30}' WHERE seq = 3", 3, "its content is not what was written"),
        ("UPDATE events SET type = 'Other' WHERE seq = 3", 3, "its content is not what was written"),
        ("UPDATE events SET at = 1 WHERE seq = 1", 1, "its content is not what was written"),
        ("UPDATE events SET hash = 'f' || substr(hash, 2) WHERE seq = 2", 2, "its content is not what was written"),
        ("UPDATE events SET prev_hash = hash WHERE seq = 2", 2, "it doesn't follow the event before it"),
        ("UPDATE runs SET plan_sha256 = 'another plan'", 1, "it doesn't follow the event before it"),
        ("DELETE FROM events WHERE seq = 1", 1, "it is missing, the next one is 2"),
        ("DELETE FROM events WHERE seq = 3", 3, "it is missing, the next one is 4"),
        ("DELETE FROM events WHERE seq = 5", 5, "it is missing, the run has 5 events"),
        ("DELETE FROM events", 1, "it is missing, the run has 5 events"),
    ],
)
def test_damage_is_named_with_its_run_and_event(sqlite_path: Path, damage: str, seq: int, fact: str):
    _sql(sqlite_path, damage)
    with open_store(sqlite_path, create=False) as store, pytest.raises(JournalDamaged) as found:
        list(store.events("r1"))
    assert (found.value.run_id, found.value.seq, found.value.fact) == ("r1", seq, fact)
    assert str(found.value).startswith(f"run r1, event {seq}: {fact}. The record was changed outside autopack")


def test_events_before_the_damage_are_still_read(sqlite_path: Path):
    _sql(sqlite_path, "UPDATE events SET body = '{}' WHERE seq = 4")
    with open_store(sqlite_path, create=False) as store:
        reader = store.events("r1")
        assert [next(reader).body["number"] for _ in range(3)] == [1, 2, 3]
        with pytest.raises(JournalDamaged, match="event 4"):
            next(reader)


def test_an_end_that_was_forged_with_correct_hashes_is_found_by_the_runs_own_row(sqlite_path: Path):
    with open_store(sqlite_path, create=False) as store:
        fourth = list(store.events("r1"))[3]
    forged = chain.link(fourth.hash, 5, "Counted", '{"number":50}', 1005.0)
    _sql(sqlite_path, f"UPDATE events SET body = '{{\"number\":50}}', hash = '{forged}' WHERE seq = 5")
    with (
        open_store(sqlite_path, create=False) as store,
        pytest.raises(JournalDamaged, match="its hash is not the one its run ends with"),
    ):
        list(store.events("r1"))


def test_reading_from_the_middle_needs_the_event_it_starts_after(sqlite_path: Path):
    _sql(sqlite_path, "DELETE FROM events WHERE seq = 2")
    with open_store(sqlite_path, create=False) as store:
        assert [event.seq for event in store.events("r1", after=3)] == [4, 5]
        with pytest.raises(JournalDamaged, match="event 2: it is missing"):
            list(store.events("r1", after=2))


def _sql(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()
