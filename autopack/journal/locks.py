"""One writer a run. Each lock dies with the process that holds it; nothing has to be cleaned up after a kill."""

import fcntl
import hashlib
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from urllib.parse import quote

import sqlalchemy as sa

from autopack.journal.database import Database, from_os_error
from autopack.journal.errors import RunLocked, StoreUnusable


def held(database: Database, connection: sa.PoolProxiedConnection, run_id: str) -> AbstractContextManager[None]:
    """The run's lock while the context lasts; `connection` is the one that will write. Raises RunLocked."""
    if database.path is None:
        return _advisory(database, connection, run_id)
    return _file(database.path.parent / "locks" / f"{quote(run_id, safe='')}.lock", run_id)


@contextmanager
def _file(path: Path, run_id: str) -> Iterator[None]:
    """flock on a file that names its holder. The file stays: removing it would let two processes lock two files."""
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise from_os_error(str(path), error) from error
    try:
        _lock(descriptor, path, run_id)
        yield
        os.ftruncate(descriptor, 0)
    finally:
        os.close(descriptor)


def _lock(descriptor: int, path: Path, run_id: str) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
    except BlockingIOError:
        raise RunLocked(run_id, _pid(os.pread(descriptor, 20, 0).decode())) from None
    except OSError as error:
        raise from_os_error(str(path), error) from error


_TRY = "SELECT pg_try_advisory_lock(%(key)s)"
_UNLOCK = "SELECT pg_advisory_unlock(%(key)s)"
_HOLDER = """
SELECT activity.application_name FROM pg_locks AS lock JOIN pg_stat_activity AS activity USING (pid)
WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 1
AND lock.classid::bigint = (%(key)s::bigint >> 32) & 4294967295 AND lock.objid::bigint = %(key)s::bigint & 4294967295
"""


@contextmanager
def _advisory(database: Database, connection: sa.PoolProxiedConnection, run_id: str) -> Iterator[None]:
    key = {"key": int.from_bytes(hashlib.sha256(f"autopack run {run_id}".encode()).digest()[:8], signed=True)}
    with database.writing(connection) as cursor:
        cursor.execute(_TRY, key)
        if cursor.fetchall() != [(True,)]:
            cursor.execute(_HOLDER, key)
            holder = "".join(name for (name,) in cursor.fetchall())
            raise RunLocked(run_id, _pid(holder.removeprefix("autopack ")))
    try:
        yield
    finally:
        _unlock(database, connection, key)


def _unlock(database: Database, connection: sa.PoolProxiedConnection, key: dict[str, int]) -> None:
    try:
        with database.writing(connection) as cursor:
            cursor.execute(_UNLOCK, key)
    except StoreUnusable:
        connection.invalidate()  # the server drops the lock with the connection, and so must the pool


def _pid(text: str) -> int | None:
    return int(text) if text.isdecimal() else None
