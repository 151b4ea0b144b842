"""One server for all tests of a worker, as an editor keeps one; each test in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lsp.client import Client, Editor


@pytest.fixture(scope="session")
def client() -> Iterator[Client]:
    with Client("--stdio") as started:
        yield started
        assert started.end() == 0


@pytest.fixture
def editor(client: Client, tmp_path: Path) -> Iterator[Editor]:
    opened = Editor(client, tmp_path)
    yield opened
    for path in list(opened.versions):
        opened.close(path)
