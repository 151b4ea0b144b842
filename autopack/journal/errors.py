"""What can go wrong with a record, by name. Each message says place, fact and next action."""

from typing import Literal

Reason = Literal["disk_full", "read_only", "locked", "damaged", "lost", "refused"]


class JournalError(Exception):
    """The base of all errors of this room that a person can act on."""

    def __init__(self, place: str, fact: str, action: str) -> None:
        super().__init__(f"{place}: {fact}. {action}")
        self.place = place
        self.fact = fact
        self.action = action


class StoreUnusable(JournalError):
    """The store can't be read or written now. Nothing of the transaction that met this was kept.

    `.reason` is a stable word: "lost" covers a store that was removed, replaced or can't be reached, "refused"
    an address autopack has no way to use.
    """

    def __init__(self, place: str, fact: str, action: str, *, reason: Reason) -> None:
        super().__init__(place, fact, action)
        self.reason = reason


class StoreMissing(JournalError):
    """There is no store at the address, and none was to be created."""

    def __init__(self, place: str) -> None:
        super().__init__(place, "there is no store here", "Start a run, which creates it, or name the store in use.")


class StoreVersionUnknown(JournalError):
    """The store has a revision this version of autopack doesn't know; it was not touched."""

    def __init__(self, place: str, found: str, known: str) -> None:
        fact = f"the store has revision {found}, this autopack knows revision {known}"
        super().__init__(place, fact, "Use the autopack that wrote it, or a newer one.")
        self.found = found
        self.known = known


class StoreOutdated(JournalError):
    """The store has an older revision; it was not touched."""

    def __init__(self, place: str, found: str, known: str) -> None:
        fact = f"the store has revision {found}, this autopack works with revision {known}"
        super().__init__(place, fact, "Bring it in step: autopack store upgrade (no run may be driven meanwhile).")
        self.found = found
        self.known = known


class RunExists(JournalError):
    def __init__(self, place: str, run_id: str) -> None:
        super().__init__(place, f"run {run_id} exists already", "Choose another run id, or resume that run.")
        self.run_id = run_id


class UnknownRun(JournalError):
    def __init__(self, place: str, run_id: str) -> None:
        super().__init__(place, f"no run is called {run_id}", "`autopack runs` lists the runs of this store.")
        self.run_id = run_id


class RunLocked(JournalError):
    """Somebody drives the run. `.pid` is that process, None when it hasn't said yet."""

    def __init__(self, run_id: str, pid: int | None) -> None:
        who = "another process" if pid is None else f"process {pid}"
        super().__init__(f"run {run_id}", f"{who} is driving it", "Wait for its end, or cancel the run.")
        self.run_id = run_id
        self.pid = pid


class WriterDisplaced(JournalError):
    """Events this writer didn't write are in its run: its lock was taken away. Nothing of its append was kept."""

    def __init__(self, run_id: str, seq: int) -> None:
        fact = f"another process wrote event {seq}, so the run's lock was lost"
        super().__init__(f"run {run_id}", fact, "Stop this driver; resume when no other one is left.")
        self.run_id = run_id
        self.seq = seq


class JournalDamaged(JournalError):
    """The chain of events doesn't hold at `seq`."""

    def __init__(self, run_id: str, seq: int, fact: str) -> None:
        action = "The record was changed outside autopack: restore the store from a backup, or start a new run."
        super().__init__(f"run {run_id}, event {seq}", fact, action)
        self.run_id = run_id
        self.seq = seq


class RowDamaged(JournalError):
    """A row beside the chain of events is not what a writer writes."""

    def __init__(self, place: str, fact: str) -> None:
        super().__init__(place, fact, "It was changed outside autopack: restore the store from a backup.")


class IntentExists(JournalError):
    def __init__(self, run_id: str, key: str) -> None:
        action = "Start the effect again under the token it has; a new wish needs a new key."
        super().__init__(f"run {run_id}", f"an intent with key {key} is in the journal already", action)
        self.key = key


class UnknownIntent(JournalError):
    def __init__(self, run_id: str, key: str) -> None:
        action = "Append the intent, with its reservation for a paid call, before the effect starts."
        super().__init__(f"run {run_id}", f"no such intent is in the journal under key {key}", action)
        self.key = key


class ReplyExists(JournalError):
    """A second, different reply under one key; the first stays."""

    def __init__(self, run_id: str, key: str) -> None:
        action = "Believe the reply in the ledger; a repeated call needs a new key."
        super().__init__(f"run {run_id}", f"another reply is in the ledger under key {key}", action)
        self.key = key


class BlobMissing(JournalError):
    def __init__(self, place: str, sha256: str) -> None:
        super().__init__(place, f"no blob has the id {sha256}", "Restore the store from a backup.")
        self.sha256 = sha256


class BlobDamaged(JournalError):
    def __init__(self, place: str, sha256: str) -> None:
        fact = f"the bytes of blob {sha256} are not those it was named after"
        super().__init__(place, fact, "Restore the store from a backup.")
        self.sha256 = sha256
