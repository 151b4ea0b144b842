"""Stores for tests; the same tests run on PostgreSQL when AUTOPACK_TEST_POSTGRES is the URL of a server."""

import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa

from autopack.journal.store import Store, open_store
from autopack.plan import canonical

SERVER = os.environ.get("AUTOPACK_TEST_POSTGRES")
PLAN = {"project": "shop-api", "phases": ["add-route"]}


@pytest.fixture(params=["sqlite", "postgresql"] if SERVER else ["sqlite"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a store may be made: a path, or the URL of an empty database."""
    if request.param == "sqlite":
        yield str(tmp_path / "runs" / "autopack.sqlite")
        return
    url = sa.make_url(SERVER or "").set(drivername="postgresql+psycopg")
    name = f"autopack_{uuid.uuid4().hex}"
    engine = sa.create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as server:
        server.exec_driver_sql(f"CREATE DATABASE {name}")
        yield url.set(database=name).render_as_string(hide_password=False)
        server.exec_driver_sql(f"DROP DATABASE {name}")
    engine.dispose()


@pytest.fixture
def store(location: str) -> Iterator[Store]:
    """A new store with one run, `r1`."""
    with open_store(location, create=True) as opened:
        opened.create_run("r1", "shop-api", canonical.text(PLAN), canonical.digest(PLAN), at=1000.0)
        yield opened


@pytest.fixture
def sqlite_path(tmp_path: Path) -> Path:
    """A closed SQLite store whose run `r1` has five events, for tests that damage or block its file."""
    path = tmp_path / "autopack.sqlite"
    with open_store(path, create=True) as opened:
        opened.create_run("r1", "shop-api", canonical.text(PLAN), canonical.digest(PLAN), at=1000.0)
        with opened.writer("r1") as writer:
            for number in range(1, 6):
                writer.append([("Counted", {"number": number}, 1000.0 + number)])
    return path
