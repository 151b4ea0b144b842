"""A folder to write specs in."""

from pathlib import Path

import pytest

from tests.plan.folder import Folder


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path).project()
