"""Making a store, and refusing one this version doesn't know.

The revision is read from Alembic's own table with a plain query, because importing Alembic takes longer than most
commands; it is imported only where there is something to migrate.
"""

import os
import threading
from pathlib import Path

import sqlalchemy as sa

from autopack.journal import tables
from autopack.journal.database import Address, Database, from_os_error
from autopack.journal.errors import StoreMissing, StoreOutdated, StoreUnusable, StoreVersionUnknown

_VERSIONS = sa.table("alembic_version", sa.column("version_num", sa.Text))
_CREATION = 0x6175746F  # the advisory lock two processes meet at when both want to create a store on a server

_ALEMBIC = threading.Lock()  # its `context` is one for the whole process


def locate(at: Address, *, create: bool) -> None:
    """The SQLite file is there afterwards, if maybe empty. Raises StoreMissing, StoreUnusable."""
    if at.path is None:
        return
    if create:
        _create_file(at.path, at.place)
    elif not at.path.is_file():
        raise StoreMissing(at.place)


def prepare(database: Database, *, create: bool) -> None:
    """The store is of the known revision afterwards. Raises StoreMissing, StoreOutdated, StoreVersionUnknown,
    StoreUnusable.
    """
    with database.reading() as connection:
        found = _revision(connection, database.place)
    if found is None and create:
        _upgrade(database)
    elif found is None:
        raise StoreMissing(database.place)
    elif found in tables.OLDER:
        raise StoreOutdated(database.place, found, tables.REVISION)
    elif found != tables.REVISION:
        raise StoreVersionUnknown(database.place, found, tables.REVISION)


def upgrade(database: Database) -> tuple[str, str]:
    """The revision that was found and the one there is now. Raises StoreMissing, StoreVersionUnknown, StoreUnusable."""
    with database.reading() as connection:
        found = _revision(connection, database.place)
    if found is None:
        raise StoreMissing(database.place)
    if found not in (*tables.OLDER, tables.REVISION):
        raise StoreVersionUnknown(database.place, found, tables.REVISION)
    _upgrade(database)
    return found, tables.REVISION


def _create_file(path: Path, place: str) -> None:
    """Readable by its owner only; SQLite gives its -wal and -shm files the permissions of this one."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    except OSError as error:
        raise from_os_error(place, error) from error


def _revision(connection: sa.Connection, place: str) -> str | None:
    """None for an empty database. Raises StoreUnusable for one that holds something else."""
    names = sa.inspect(connection).get_table_names()
    if not names:
        return None
    if "alembic_version" in names and tables.runs.name in names:
        return " ".join(connection.execute(sa.select(_VERSIONS.c.version_num)).scalars()) or "none"
    action = "Name another file or database: autopack keeps its store apart from other tables."
    raise StoreUnusable(
        place, f"the database belongs to something else (tables: {names[0]} ...)", action, reason="refused"
    )


def _upgrade(database: Database) -> None:
    with database.reading() as connection:
        if database.path is None:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CREATION)))
        else:
            connection.exec_driver_sql("PRAGMA journal_mode = WAL")
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        if _revision(connection, database.place) != tables.REVISION:  # else another process was faster
            _run_alembic(connection)
        connection.commit()


def _run_alembic(connection: sa.Connection) -> None:
    from alembic import command  # noqa: PLC0415  slow, see above
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", "autopack.journal:migrations")
    config.attributes["connection"] = connection
    with _ALEMBIC:
        command.upgrade(config, tables.REVISION)
