"""Stores for tests; the same tests run on PostgreSQL where a server can be had."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from autopack.journal.store import Store, open_store
from autopack.plan import canonical
from tests import postgres

PLAN = {"project": "shop-api", "phases": ["add-route"]}


@pytest.fixture(params=["sqlite", "postgresql"])
def location(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a store may be made: a path, or the URL of an empty database."""
    if request.param == "sqlite":
        yield str(tmp_path / "runs" / "autopack.sqlite")
        return
    url, why = postgres.server()
    if url is None:
        pytest.skip(why)
    with postgres.database() as found:
        yield found


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
