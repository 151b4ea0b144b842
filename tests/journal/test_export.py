"""events.jsonl: whole, private, and a proof of itself."""

import hashlib
import json
import stat
from pathlib import Path

import pytest

from autopack.journal.errors import JournalDamaged, StoreUnusable, UnknownRun
from autopack.journal.export import export
from autopack.journal.store import Store, open_store


def test_an_export_proves_itself_without_autopack(store: Store, tmp_path: Path):
    with store.writer("r1") as writer:
        writer.append([("A", {"text": "é\n\udc80", "cost": "0.10"}, 1001.5), ("B", {"n": [1, 2.5]}, 1002.0)])
    path = tmp_path / "events.jsonl"
    export(store, "r1", path)
    lines = path.read_text(encoding="utf-8").splitlines()
    previous = store.run("r1").plan_sha256
    for line in lines:
        event = json.loads(line)
        digest = event.pop("hash")
        bare = line.replace(f'"hash":"{digest}",', "")
        assert hashlib.sha256((previous + bare).encode()).hexdigest() == digest
        previous = digest
    assert [json.loads(line)["type"] for line in lines] == ["A", "B"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_export_replaces_the_old_one_and_leaves_nothing_beside_it(store: Store, tmp_path: Path):
    folder = tmp_path / "export"
    folder.mkdir()
    with store.writer("r1") as writer:
        for number in range(3):
            writer.append([("Counted", {"number": number}, 1.0)])
            export(store, "r1", folder / "events.jsonl")
    assert [path.name for path in folder.iterdir()] == ["events.jsonl"]
    assert (folder / "events.jsonl").read_text().count("\n") == 3


def test_an_export_that_fails_leaves_the_old_one_as_it_was(sqlite_path: Path, tmp_path: Path):
    folder = tmp_path / "export"
    folder.mkdir()
    path = folder / "events.jsonl"
    path.write_text("the old one\n")
    with open_store(sqlite_path, create=False) as store:
        with store.database.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM events WHERE seq = 3")
        with pytest.raises(JournalDamaged):
            export(store, "r1", path)
        with pytest.raises(UnknownRun):
            export(store, "nobody", path)
        with pytest.raises(StoreUnusable, match=r"events.jsonl: File exists"):
            export(store, "r1", folder / "events.jsonl" / "events.jsonl")
    assert [found.read_text() for found in folder.iterdir()] == ["the old one\n"]
