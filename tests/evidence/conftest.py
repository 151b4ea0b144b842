"""One real run of the example for all these tests: they look at it, or change a copy."""

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.end_to_end.scratch import PLAYBOOK, Project, hello, quick_ci


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Project:
    """A project with one run, `hello-1`, that ended in DONE_SUCCESS."""
    project = hello(tmp_path_factory.mktemp("built"), {"ci.yaml": quick_ci()})
    ended = project.autopack("run", PLAYBOOK, "--run-id", "hello-1")
    assert ended.code == 0, ended.err
    return project


@pytest.fixture
def project(built: Project, tmp_path: Path) -> Project:
    """A copy that a test may spoil."""
    root = tmp_path / "hello"
    shutil.copytree(built.root, root, symlinks=True)
    return replace(built, root=root, repository=root, places=tmp_path / "places")
