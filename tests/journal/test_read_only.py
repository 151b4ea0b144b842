"""Reading a store that may not be written: a read-only medium, another user's project."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autopack.journal.errors import StoreUnusable
from autopack.journal.store import open_store

CODE = """
import sys
from autopack.journal.errors import JournalError
from autopack.journal.store import open_store
try:
    with open_store(sys.argv[1], create=False) as store:
        print([run.run_id for run in store.runs()], [event.seq for event in store.events("r1")])
except JournalError as error:
    print(error)
"""


def as_nobody(store: Path) -> str:
    """What a user reads who owns nothing of it; root reads as `nobody`, others as themselves."""
    words = [sys.executable, "-c", CODE, str(store)]
    if os.geteuid() == 0:
        if shutil.which("setpriv") is None:
            pytest.skip("root needs setpriv to be somebody else")
        words = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *words]
    checkout = str(Path(__file__).parent.parent.parent)
    done = subprocess.run(words, capture_output=True, text=True, check=False, env={"PYTHONPATH": checkout}, cwd="/")
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture
def shown(sqlite_path: Path, tmp_path: Path) -> Path:
    """A copy of a closed store in a folder that everybody may read and nobody write."""
    folder = Path(tmp_path, "medium")
    folder.mkdir()
    shutil.copy(sqlite_path, folder / "autopack.db")
    for place in (tmp_path, *tmp_path.parents):
        if place.owner() == Path(tmp_path).owner() and place != Path("/"):
            place.chmod(place.stat().st_mode | 0o055)
    return folder / "autopack.db"


def closed(path: Path) -> None:
    path.chmod(0o444)
    path.parent.chmod(0o555)


def test_a_store_on_a_read_only_medium_is_read(shown: Path):
    closed(shown)
    assert as_nobody(shown) == "['r1'] [1, 2, 3, 4, 5]"
    assert [path.name for path in shown.parent.iterdir()] == ["autopack.db"]
    shown.parent.chmod(0o755)


def test_what_a_driver_wrote_last_is_read_there_as_well(sqlite_path: Path, shown: Path):
    """The copy of a store in use: what has not been moved into the database yet lies beside it."""
    with open_store(sqlite_path, create=False) as store, store.writer("r1") as writer:
        writer.append([("Counted", {"number": 6}, 1006.0)])
        shutil.copy(sqlite_path, shown)
        shutil.copy(f"{sqlite_path}-wal", f"{shown}-wal")
    Path(f"{shown}-wal").chmod(0o444)
    closed(shown)
    assert as_nobody(shown) == "['r1'] [1, 2, 3, 4, 5, 6]"
    shown.parent.chmod(0o755)


def test_a_store_that_may_not_even_be_read_is_named_so(shown: Path):
    if os.geteuid() != 0:
        pytest.skip("needs a second user")
    shown.chmod(0o600)
    assert as_nobody(shown) == f"{shown}: you may not read it. Ask its owner to let you."


def test_writing_there_is_refused_and_says_what_to_do(shown: Path):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    closed(shown)
    with pytest.raises(StoreUnusable), open_store(shown, create=False) as store:
        store.writer("r1").append([("Counted", {}, 1.0)])
    shown.parent.chmod(0o755)
