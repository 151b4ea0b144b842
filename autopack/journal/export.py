"""A run's events as a file for people and programs: one canonical line an event, with its hash.

Each hash is the sha256 of the hash on the line before (the plan's digest before the first) and of the line without
its hash, so that the file proves itself.
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from autopack.journal import chain
from autopack.journal.database import from_os_error
from autopack.journal.store import Store


def export(store: Store, run_id: str, path: Path) -> None:
    """Writes the file whole or not at all; one that is there stays until the new one is on the disk.

    Raises UnknownRun, JournalDamaged, StoreUnusable.
    """
    try:
        _replace(path, _lines(store, run_id))
    except OSError as error:
        raise from_os_error(str(path), error) from error


def _lines(store: Store, run_id: str) -> Iterator[str]:
    for row in store.events(run_id):
        event = {"at": row.at, "body": row.body, "hash": row.hash, "seq": row.seq, "type": row.type}
        yield chain.body_text(event) + "\n"


def _replace(path: Path, lines: Iterator[str]) -> None:
    with tempfile.NamedTemporaryFile("w", encoding="utf-8", dir=path.parent, prefix=path.name, delete=False) as file:
        try:
            file.writelines(lines)
            file.flush()
            os.fsync(file.fileno())
            Path(file.name).replace(path)
        except BaseException:  # why: no half-written file stays, whatever ended it; raised again
            Path(file.name).unlink()
            raise
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """The new name is on the disk only when its folder is."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
