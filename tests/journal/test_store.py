"""Making, opening and refusing stores; runs, plans and blobs in them."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import autopack.journal.migrations
from autopack.journal import tables
from autopack.journal.errors import (
    BlobDamaged,
    BlobMissing,
    RunExists,
    StoreMissing,
    StoreUnusable,
    StoreVersionUnknown,
    UnknownRun,
)
from autopack.journal.rows import RunRow
from autopack.journal.store import Store, open_store
from autopack.plan import canonical

SHA256_OF_PLAN = "7289b7178648c985f2ebbede89ba2b64c20877625dcd269321231a8fa4f3cb95"
SHA256_OF_HELLO = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"


def test_a_new_store_is_migrated_to_the_revision_the_code_was_written_for(store: Store):
    with store.database.reading() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, tables.metadata) == []
        assert context.get_current_revision() == tables.REVISION == "0004"
    scripts = ScriptDirectory(str(Path(autopack.journal.migrations.__file__).parent))
    assert scripts.get_current_head() == tables.REVISION


def test_a_store_is_private_to_its_owner_with_all_its_files(tmp_path: Path):
    with open_store(tmp_path / "new" / "autopack.sqlite", create=True) as store:
        store.create_run("r1", "shop-api", "{}", canonical.digest({}), at=1.0)
        with store.writer("r1") as writer:
            writer.append([("Counted", {}, 1.0)])
            files = [path for path in (tmp_path / "new").rglob("*") if path.is_file()]
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in files}
    assert modes == {
        "autopack.sqlite": 0o600,
        "autopack.sqlite-wal": 0o600,
        "autopack.sqlite-shm": 0o600,
        "r1.lock": 0o600,
    }


def test_an_sqlite_store_journals_ahead_and_syncs_every_commit(sqlite_path: Path):
    with open_store(sqlite_path, create=False) as store, store.writer("r1") as writer:
        pragmas = writer._connection.cursor()
        assert pragmas.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert pragmas.execute("PRAGMA synchronous").fetchone() == (2,)
        pragmas.close()


def test_opening_an_existing_store_imports_no_alembic(sqlite_path: Path):
    code = (
        "import sys; from autopack.journal.store import open_store;"
        "open_store(sys.argv[1], create=True).close(); print('alembic' in sys.modules)"
    )
    assert _python(code, str(sqlite_path)) == "False\n"


def test_errors_and_rows_import_no_sqlalchemy():
    code = "import sys, autopack.journal.errors, autopack.journal.rows; print('sqlalchemy' in sys.modules)"
    assert _python(code) == "False\n"


def test_a_store_that_is_not_there_is_named_and_not_made(tmp_path: Path):
    path = tmp_path / "autopack.sqlite"
    with pytest.raises(StoreMissing, match=r"autopack.sqlite: there is no store here. Start a run"):
        open_store(path, create=False)
    assert not path.exists()


def test_an_empty_file_is_no_store_until_one_is_to_be_created(tmp_path: Path):
    path = tmp_path / "autopack.sqlite"
    path.touch()
    with pytest.raises(StoreMissing):
        open_store(path, create=False)
    with open_store(path, create=True) as store:
        assert store.runs() == []


def test_a_store_of_a_newer_autopack_is_refused_untouched(sqlite_path: Path):
    _sql(sqlite_path, "UPDATE alembic_version SET version_num = '0042'")
    before = sqlite_path.read_bytes()
    with pytest.raises(StoreVersionUnknown, match="has revision 0042, this autopack knows revision 0004"):
        open_store(sqlite_path, create=True)
    assert sqlite_path.read_bytes() == before


def test_somebody_elses_database_is_refused(tmp_path: Path):
    path = tmp_path / "other.sqlite"
    _sql(path, "CREATE TABLE customers (id INTEGER)")
    with pytest.raises(StoreUnusable, match=r"belongs to something else \(tables: customers") as refused:
        open_store(path, create=True)
    assert refused.value.reason == "refused"


def test_a_file_that_is_no_database_is_called_damaged(tmp_path: Path):
    path = tmp_path / "autopack.sqlite"
    path.write_text("this is a letter, long enough to be taken for a header of a database file\n" * 20)
    with pytest.raises(StoreUnusable, match="file is not a database") as refused:
        open_store(path, create=False)
    assert refused.value.reason == "damaged"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("sqlite://", "sqlite://: a run can't be kept there"),
        ("sqlite:///:memory:", "a run can't be kept there"),
        ("mysql://ann:secret@db/runs", r"mysql://ann:\*\*\*@db/runs: a run can't be kept there"),
        ("://", "the store's address: this is no database URL"),
    ],
)
def test_an_address_that_can_hold_no_store_is_refused_without_its_password(url: str, message: str):
    with pytest.raises(StoreUnusable, match=message) as refused:
        open_store(url, create=True)
    assert "secret" not in str(refused.value)
    assert "postgresql+psycopg://" in refused.value.action


def test_a_path_with_characters_that_mean_something_in_urls_is_just_a_path(tmp_path: Path):
    path = tmp_path / "50% off?#1" / "a b.sqlite"
    open_store(path, create=True).close()
    open_store(f"sqlite:///{tmp_path}/plain.sqlite", create=True).close()
    assert path.is_file()
    assert (tmp_path / "plain.sqlite").is_file()


def test_processes_that_create_the_same_store_at_once_all_get_it(location: str):
    code = (
        "import sys; from autopack.journal.store import open_store; sys.stdin.read(1)\n"
        "with open_store(sys.argv[1], create=True) as store:\n"
        "    store.create_run(sys.argv[2], 'shop-api', '{}', sys.argv[3], at=1.0)"
    )
    argv = [sys.executable, "-c", code, location]
    children = [
        subprocess.Popen([*argv, f"r{number}", canonical.digest({})], stdin=subprocess.PIPE, env=_env())
        for number in range(4)
    ]
    for child in children:
        child.stdin.write(b"x")
        child.stdin.close()
    assert [child.wait(60) for child in children] == [0, 0, 0, 0]
    with open_store(location, create=False) as store:
        assert [run.run_id for run in store.runs()] == ["r0", "r1", "r2", "r3"]


def test_a_run_starts_with_its_plan_and_no_events(store: Store):
    assert store.run("r1") == RunRow("r1", "shop-api", 1000.0, SHA256_OF_PLAN, "RUN_CREATED", None, 0)
    assert store.plan("r1") == '{"phases":["add-route"],"project":"shop-api"}'
    assert list(store.events("r1")) == []


def test_runs_are_listed_oldest_first(store: Store):
    for run_id, at in (("newest", 3000.0), ("older", 2000.0), ("also-older", 2000.0)):
        store.create_run(run_id, "shop-api", "{}", canonical.digest({}), at)
    assert [run.run_id for run in store.runs()] == ["r1", "also-older", "older", "newest"]


def test_a_run_id_is_taken_once(store: Store):
    with pytest.raises(RunExists, match="run r1 exists already"):
        store.create_run("r1", "other", "{}", canonical.digest({}), at=2000.0)
    assert store.run("r1").project == "shop-api"


def test_a_plan_must_be_the_text_its_digest_was_taken_of(store: Store):
    with pytest.raises(ValueError, match="the plan's text has the digest 44136fa355b3678a"):
        store.create_run("r2", "shop-api", "{}", "0" * 64, at=2000.0)
    with pytest.raises(UnknownRun):
        store.run("r2")


def test_an_unknown_run_is_named_by_everything_that_reads(store: Store):
    for read in (store.run, store.plan, store.writer, lambda run_id: list(store.events(run_id))):
        with pytest.raises(UnknownRun, match=r"no run is called nobody. `autopack runs` lists"):
            read("nobody")


@pytest.mark.parametrize("data", [b"", b"hello", bytes(range(256)) * 4000, os.urandom(70_000)])
def test_a_blob_comes_back_byte_for_byte(store: Store, data: bytes):
    assert store.blob(store.put_blob(data)) == data


def test_equal_bytes_are_kept_once_whoever_writes_them(store: Store):
    with store.writer("r1") as writer:
        assert {store.put_blob(b"hello"), writer.put_blob(b"hello")} == {SHA256_OF_HELLO}
    with store.database.reading() as connection:
        kept = sa.select(sa.func.count()).where(tables.blobs.c.sha256 == SHA256_OF_HELLO)
        assert connection.execute(kept).scalar() == 1


def test_a_blob_nobody_put_is_missing(store: Store):
    with pytest.raises(BlobMissing, match=f"no blob has the id {SHA256_OF_HELLO}"):
        store.blob(SHA256_OF_HELLO)


@pytest.mark.parametrize("packed", [b"no zlib stream", b"x\x9c\x03\x00\x00\x00\x00\x01"])
def test_a_blob_that_was_changed_is_not_handed_out(sqlite_path: Path, packed: bytes):
    with open_store(sqlite_path, create=False) as store:
        sha256 = store.put_blob(b"hello")
        _sql(sqlite_path, "UPDATE blobs SET data = ? WHERE sha256 = ?", packed, sha256)
        with pytest.raises(BlobDamaged, match="are not those it was named after"):
            store.blob(sha256)


def _python(code: str, *args: str) -> str:
    """What a fresh interpreter prints."""
    done = subprocess.run([sys.executable, "-c", code, *args], check=True, capture_output=True, text=True, env=_env())
    return done.stdout


def _env() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": str(Path(autopack.__file__).parents[1])}


def _sql(path: Path, statement: str, *values: object) -> None:
    connection = sqlite3.connect(path)
    connection.execute(statement, values)
    connection.commit()
    connection.close()
