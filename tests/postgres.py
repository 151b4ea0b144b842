"""A PostgreSQL server for tests: the one AUTOPACK_TEST_POSTGRES names, else one started from what this machine has.

It lives in a temporary folder, speaks through a socket there only, and goes with the test session. PostgreSQL refuses
to run as root, so root starts it as the user `postgres`.
"""

import atexit
import functools
import os
import pwd
import shutil
import subprocess
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

TIMEOUT_S = 60
FAST = ("fsync=off", "full_page_writes=off", "synchronous_commit=off", "max_connections=50", "shared_buffers=16MB")


@functools.cache
def server() -> tuple[str | None, str]:
    """The URL of a server and "", or None and why there is none."""
    named = os.environ.get("AUTOPACK_TEST_POSTGRES")
    if named:
        return named, ""
    folder = _programs()
    if folder is None:
        return None, "PostgreSQL is not installed here, and AUTOPACK_TEST_POSTGRES names no server"
    try:
        as_user = _unprivileged()
        return _started(folder, as_user), ""
    except (KeyError, OSError, subprocess.SubprocessError) as error:
        return None, f"PostgreSQL can't be started here: {error}"


@contextmanager
def database() -> Iterator[str]:
    """The URL of an empty database, gone afterwards; `server` must have given one."""
    url = sa.make_url(server()[0] or "").set(drivername="postgresql+psycopg")
    name = f"autopack_{uuid.uuid4().hex}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.exec_driver_sql(f"CREATE DATABASE {name}")
        yield url.set(database=name).render_as_string(hide_password=False)
        connection.exec_driver_sql(f"DROP DATABASE {name}")
    engine.dispose()


def _programs() -> Path | None:
    """Where initdb and pg_ctl are; Debian keeps them apart from PATH."""
    found = shutil.which("initdb")
    if found and shutil.which("pg_ctl"):
        return Path(os.path.realpath(found)).parent
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    return installed[-1].parent if installed else None


def _unprivileged() -> list[str]:
    """What to put before a command so that it isn't run by root. Raises KeyError where there is no such user."""
    if os.geteuid() != 0:
        return []
    user = pwd.getpwnam("postgres")
    return ["setpriv", f"--reuid={user.pw_uid}", f"--regid={user.pw_gid}", "--clear-groups"]


def _started(programs: Path, as_user: list[str]) -> str:
    # a short path: a socket's may have 107 bytes
    folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    if as_user:
        user = pwd.getpwnam("postgres")
        os.chown(folder, user.pw_uid, user.pw_gid)
    data = folder / "data"
    start = ["start", "-w", "-D", str(data), "-l", str(folder / "log"), "-o", _options(folder)]
    _run([*as_user, str(programs / "initdb"), "-D", str(data), "-U", "autopack", "-A", "trust", "-N", "-E", "UTF8"])
    _run([*as_user, str(programs / "pg_ctl"), *start])
    stop = [*as_user, str(programs / "pg_ctl"), "stop", "-m", "immediate", "-D", str(data)]
    atexit.register(subprocess.run, stop, cwd="/", check=False, capture_output=True)
    return f"postgresql://autopack@/postgres?host={folder}"


def _options(folder: Path) -> str:
    return " ".join([f"-k {folder}", "-h ''", *(f"-c {setting}" for setting in FAST)])


def _run(command: list[str]) -> None:
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_"))}
    subprocess.run(
        command,
        cwd="/",
        check=True,
        timeout=TIMEOUT_S,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env=environ,
    )
