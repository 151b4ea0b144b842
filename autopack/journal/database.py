"""One database: its address, its engine, how its transactions begin, and what its failures mean in words."""

import errno
import os
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Literal, NamedTuple
from urllib.parse import quote

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.engine.interfaces import DBAPICursor

from autopack.journal.errors import Reason, StoreUnusable
from autopack.journal.tables import Statements

Synchronous = Literal["FULL", "NORMAL"]

BUSY_TIMEOUT_S = 10.0
"""How long a statement waits for another process's SQLite transaction; ours last about a millisecond."""


class Meaning(NamedTuple):
    reason: Reason
    action: str


_FREE_SPACE = Meaning("disk_full", "Free some space.")
_WRITABLE = Meaning("read_only", "Make the file and its folder writable.")
_RETRY = Meaning("locked", "End the program that holds the lock, then try again.")
_RESTORE = Meaning("damaged", "Restore the store from a backup, or name another one.")
_LOOK = Meaning("lost", "Check that the store can be reached and its disk is sound.")

_MEANINGS: dict[int | str | None, Meaning] = {
    sqlite3.SQLITE_FULL: _FREE_SPACE,
    sqlite3.SQLITE_READONLY: _WRITABLE,
    sqlite3.SQLITE_BUSY: _RETRY,
    sqlite3.SQLITE_LOCKED: _RETRY,
    sqlite3.SQLITE_CORRUPT: _RESTORE,
    sqlite3.SQLITE_NOTADB: _RESTORE,
    # PostgreSQL's SQLSTATE
    "53100": _FREE_SPACE,
    "25006": _WRITABLE,
    "55P03": _RETRY,
    "XX001": _RESTORE,
}

_OS_MEANINGS: dict[int | None, Meaning] = {
    errno.ENOSPC: _FREE_SPACE,
    errno.EDQUOT: _FREE_SPACE,
    errno.EROFS: _WRITABLE,
    errno.EACCES: _WRITABLE,
    errno.EPERM: _WRITABLE,
}


_AHEAD = "PRAGMA synchronous = NORMAL"  # SQLite takes it between transactions only, for a connection
_AHEAD_ON_SERVER = "SET LOCAL synchronous_commit = off"  # PostgreSQL for this transaction


class ConstraintBroken(Exception):
    """A row was refused, most often because its key is taken. Callers know by what and say so."""


class Address(NamedTuple):
    """`path` is the SQLite file, None for a server; `place` names the store in messages, without a password.

    `scratch` is the folder of a copy that is read instead, and goes with it.
    """

    url: sa.URL
    path: Path | None
    place: str
    scratch: "tempfile.TemporaryDirectory[str] | None" = None


def address(url_or_path: str | os.PathLike[str]) -> Address:
    """Where a store is. Raises StoreUnusable for a URL of a kind that can't hold one."""
    text = os.fspath(url_or_path)
    if "://" not in text:
        return _file(Path(text))
    try:
        url = sa.make_url(text)
    except (exc.ArgumentError, ValueError):
        raise _refused("the store's address", "this is no database URL") from None
    if url.get_backend_name() == "sqlite" and url.database and url.database != ":memory:":
        return _file(Path(url.database))
    if url.get_backend_name() in ("postgresql", "postgres"):
        return Address(url.set(drivername="postgresql+psycopg"), None, url.render_as_string(hide_password=True))
    raise _refused(url.render_as_string(hide_password=True), "a run can't be kept there")


def for_reading(at: Address) -> Address:
    """The same store, where it may not be written: on a medium that is read-only, or another user's.

    SQLite wants to make files beside a database even to read it. Where it can't, a store without a journal of recent
    writes is opened as one that nobody changes, and one with such a journal that no driver has open is read as a copy.
    """
    path = at.path
    if path is None or not path.is_file() or (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK)):
        return at
    if not os.access(path, os.R_OK):
        raise StoreUnusable(at.place, "you may not read it", "Ask its owner to let you.", reason="refused")
    recent, shared = (path.with_name(path.name + end) for end in ("-wal", "-shm"))
    if not recent.is_file() or not recent.stat().st_size:
        return at._replace(url=_url(path, mode="ro", immutable="1"))
    if shared.is_file() and os.access(shared, os.R_OK):
        return at._replace(url=_url(path, mode="ro"))
    scratch = tempfile.TemporaryDirectory(prefix="autopack-store-")
    for each in (path, recent):
        shutil.copyfile(each, os.path.join(scratch.name, each.name))
    return at._replace(url=_url(Path(scratch.name, path.name), mode="rw"), scratch=scratch)


def _url(path: Path, **query: str) -> sa.URL:
    return sa.URL.create("sqlite", database="file:" + quote(str(path.absolute())), query={**query, "uri": "true"})


def _file(path: Path) -> Address:
    # mode=rw: schema.locate alone makes the file, with its own permissions; a store that was removed stays away
    return Address(_url(path, mode="rw"), path.absolute(), str(path))


def _refused(place: str, fact: str) -> StoreUnusable:
    action = "Use the path of an SQLite file, or postgresql+psycopg://user@host/database."
    return StoreUnusable(place, fact, action, reason="refused")


class Database:
    """The engine, and the two ways to use it. Errors of the store come out as StoreUnusable, bugs as they are."""

    def __init__(self, at: Address, synchronous: Synchronous) -> None:
        self.place = at.place
        self.path = at.path
        self._scratch = at.scratch
        self.engine = _server(at) if at.path is None else _sqlite(at.url, synchronous)
        self.statements = Statements(self.engine.dialect)
        self._driver: Any = self.engine.dialect.loaded_dbapi
        self._synchronous = synchronous
        self._file_id = _file_id(at.path)

    def connect(self) -> sa.PoolProxiedConnection:
        """The driver's own connection, for writing.

        A transaction on it costs half of what SQLAlchemy's costs, and it never reconnects by itself, which
        would lose the run's lock on a server.
        """
        with self.trouble():
            return self.engine.raw_connection()

    @contextmanager
    def writing(self, connection: sa.PoolProxiedConnection, *, ahead: bool = False) -> Iterator[DBAPICursor]:
        """One transaction: at the end all of it is durable; if anything raises, none of it was written.

        `ahead` of another one, without which it means nothing: it doesn't wait for the disk, and is durable when any
        later one is, because both SQLite and PostgreSQL write their logs in order.
        Raises ConstraintBroken besides StoreUnusable.
        """
        if not connection.is_valid:
            raise ValueError("the writer of this connection was closed")
        self.still_there()
        with self.trouble(), closing(connection.cursor()) as cursor:
            try:
                if ahead:
                    cursor.execute(_AHEAD if self.path is not None else _AHEAD_ON_SERVER)
                if self.path is not None:
                    # one that starts by reading can find, at its first write, that it may not write any more
                    cursor.execute("BEGIN IMMEDIATE")
                yield cursor
                connection.commit()
            except BaseException:  # why: also a Ctrl-C must not leave a transaction open; raised again
                connection.rollback()
                raise
            finally:
                if ahead and self.path is not None:
                    cursor.execute(f"PRAGMA synchronous = {self._synchronous}")

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        with self.trouble(), self.engine.connect() as connection:
            yield connection

    def damage(self) -> tuple[str, ...]:
        """What SQLite itself finds wrong with its file: also what no query would meet. A server sees to its own."""
        if self.path is None:
            return ()
        with self.reading() as connection:
            said = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars().all()
        return tuple(" ".join(str(line).split()) for line in said if line != "ok")

    @contextmanager
    def at_one_moment(self) -> Iterator[sa.Connection]:
        """Whatever others write meanwhile, all that is read here is of the moment of the first read."""
        with self.reading() as connection:
            if self.path is not None:
                connection.exec_driver_sql("BEGIN")
                yield connection
                connection.rollback()
            else:
                yield connection.execution_options(isolation_level="REPEATABLE READ")

    @contextmanager
    def trouble(self) -> Iterator[None]:
        driver = self._driver
        try:
            yield
        except exc.DBAPIError as error:
            raise self._unusable(error.orig) from error
        except driver.IntegrityError as error:
            raise ConstraintBroken(str(error)) from error
        except (driver.ProgrammingError, driver.DataError, driver.NotSupportedError):
            raise
        except driver.Error as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        self.engine.dispose()
        if self._scratch is not None:
            self._scratch.cleanup()

    def still_there(self) -> None:
        """SQLite would go on writing into a removed file. Raises StoreUnusable."""
        if _file_id(self.path) != self._file_id:
            raise StoreUnusable(
                self.place, "the store's file was removed or replaced", _LOOK.action, reason=_LOOK.reason
            )

    def _unusable(self, error: Any) -> StoreUnusable:
        code: int | str | None = getattr(error, "sqlstate", None)
        if isinstance(error, sqlite3.Error):
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # the rest of the number is the extended code
        meaning = _MEANINGS.get(code, _LOOK)
        fact = str(error).strip().partition("\n")[0]
        return StoreUnusable(self.place, fact, meaning.action, reason=meaning.reason)


def from_os_error(place: str, error: OSError) -> StoreUnusable:
    """The same for trouble with a file that isn't the database's own."""
    meaning = _OS_MEANINGS.get(error.errno, _LOOK)
    return StoreUnusable(place, error.strerror or str(error), meaning.action, reason=meaning.reason)


def _file_id(path: Path | None) -> tuple[int, int] | None:
    if path is None:
        return None
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    return found.st_dev, found.st_ino


def _sqlite(url: sa.URL, synchronous: Synchronous) -> sa.Engine:
    # paramstyle: names, as psycopg has them, so that a parameter set fits both
    engine = sa.create_engine(
        url, paramstyle="named", connect_args={"timeout": BUSY_TIMEOUT_S, "check_same_thread": False}
    )

    @sa.event.listens_for(engine, "connect")
    def prepare(connection: sqlite3.Connection, _record: object) -> None:
        connection.isolation_level = None  # `writing` begins transactions; a lone SELECT needs none
        connection.execute(f"PRAGMA synchronous = {synchronous}")

    return engine


def _server(at: Address) -> sa.Engine:
    try:
        return sa.create_engine(at.url, connect_args={"application_name": f"autopack {os.getpid()}"})
    except ModuleNotFoundError as error:
        action = "Install it: pip install 'autopack[postgres]'."
        raise StoreUnusable(at.place, f"the package {error.name} is not installed", action, reason="refused") from None
