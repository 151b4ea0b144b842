"""A run's events as a file for people and programs: one canonical line an event, with its hash.

Each hash is the sha256 of the hash on the line before (the plan's digest before the first) and of the line without
its hash, so that the file proves itself.
"""

from collections.abc import Iterator
from pathlib import Path

from autopack.journal import chain, durable
from autopack.journal.database import from_os_error
from autopack.journal.store import Store


def export(store: Store, run_id: str, path: Path) -> None:
    """Writes the file whole or not at all; one that is there stays until the new one is on the disk.

    Raises UnknownRun, JournalDamaged, StoreUnusable.
    """
    try:
        durable.write(path, lines(store, run_id))
    except OSError as error:
        raise from_os_error(str(path), error) from error


def lines(store: Store, run_id: str) -> Iterator[bytes]:
    for row in store.events(run_id):
        event = {"at": row.at, "body": row.body, "hash": row.hash, "seq": row.seq, "type": row.type}
        if row.after is not None:
            event["after"] = row.after
        yield (chain.body_text(event) + "\n").encode()
