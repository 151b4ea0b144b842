"""Every decision of a run once more, from its record alone: no model, no key, no network, no git, nothing written.

A record is a store, a run's folder or incident pack (plan.json beside events.jsonl), or an events.jsonl. Each event is
given to the same machine; what the run was afterwards is compared with what was journalled with the event.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from autopack.journal import chain
from autopack.journal.errors import JournalError
from autopack.journal.rows import EventRow
from autopack.journal.store import Store
from autopack.plan import canonical
from autopack.plan.model import Plan, load
from autopack.run import events as ev
from autopack.run.effects import Effect
from autopack.run.machine import IllegalEvent, react, start
from autopack.run.state import RunState
from autopack.run.trace import Trace

PLAN, EVENTS = "plan.json", "events.jsonl"
NAMED_BY = ("manifest.json", "run_summary.json", "summary.json")


class NoRecord(Exception):
    """What was named holds no record of a run, said with the next action."""


@dataclass(frozen=True, slots=True)
class Record:
    """`plan_sha256` is the digest that the record claims; `chained` is False where a redaction broke the hashes."""

    run_id: str
    plan: Plan
    plan_sha256: str
    events: Iterable[EventRow]
    chained: bool = True


@dataclass(frozen=True, slots=True)
class Difference:
    """The first event (from 1) after which the record and the machine disagree, and about what."""

    event: int
    type: str
    field: str
    recorded: object
    replayed: object

    def __str__(self) -> str:
        return f"event {self.event} ({self.type}), {self.field}: recorded {self.recorded}, replayed {self.replayed}"


@dataclass(frozen=True, slots=True)
class Replayed:
    """`compared` counts the events whose outcome was on record; `wishes` holds every effect that was ever wished."""

    state: RunState
    events: int
    compared: int
    wishes: Mapping[str, Effect]
    difference: Difference | None


def replay(record: Record) -> Replayed:
    """To the end of the record, or to its first difference. Raises JournalError where the record itself is damaged."""
    state, trace, events, compared = start(record.plan, record.run_id, record.plan_sha256), Trace(), 0, 0
    wishes: dict[str, Effect] = dict(state.pending)
    for row in record.events:
        try:
            state = react(record.plan, state, ev.build(row.type, row.body))
        except (IllegalEvent, canonical.NotThisShape, KeyError) as error:
            return Replayed(state, events, compared, wishes, Difference(row.seq, row.type, "event", "legal", error))
        events += 1
        wishes.update(state.pending)
        if row.after is not None:
            compared += 1
            found = _first_difference(row, trace.after(state))
            if found is not None and record.chained:
                return Replayed(state, events, compared, wishes, found)
    return Replayed(state, events, compared, wishes, None)


def _first_difference(row: EventRow, replayed: Mapping[str, Any]) -> Difference | None:
    recorded, now = _flat(row.after or {}), _flat(replayed)
    for name in [*now, *(name for name in recorded if name not in now)]:
        if recorded.get(name) != now.get(name):
            return Difference(row.seq, row.type, name, recorded.get(name), now.get(name))
    return None


def _flat(after: Mapping[str, Any]) -> dict[str, Any]:
    parts = {f"digest of {name}": value for name, value in after.get("parts", {}).items()}
    return {name: value for name, value in after.items() if name != "parts"} | parts


# --- records ---


def of_run(store: Store, run_id: str) -> Record:
    """Raises UnknownRun, BlobMissing, BlobDamaged, NotThisShape."""
    row = store.run(run_id)
    return Record(run_id, load(store.plan(run_id)), row.plan_sha256, store.events(run_id))


def of_place(path: Path) -> Record:
    """A folder that holds plan.json and events.jsonl, or the events.jsonl in it. Raises NoRecord."""
    folder = path if path.is_dir() else path.parent
    events = folder / EVENTS if path.is_dir() else path
    for needed in (folder / PLAN, events):
        if not needed.is_file():
            raise NoRecord(f"{path}: there is no {needed}; name a run, its folder, or an incident pack")
    text = (folder / PLAN).read_text(encoding="utf-8")
    try:
        plan = load(text)
    except canonical.NotThisShape as error:
        raise NoRecord(f"{folder / PLAN} is no frozen plan: {error}; take the record from where it was made") from None
    facts = _facts(folder)
    redacted = frozenset(facts.get("redacted", ()))
    chained = not redacted & {PLAN, EVENTS}
    digest = canonical.digest(plan) if PLAN not in redacted else facts.get("plan_sha256", "")
    _whole(folder, facts.get("files", {}), but=EVENTS)
    return Record(
        str(facts.get("run_id") or folder.name), plan, digest, _lines(events, digest, chained=chained), chained
    )


def _whole(folder: Path, files: Mapping[str, Any], but: str) -> None:
    """Every file of a pack is what its manifest says; the events prove themselves. Raises RecordDamaged."""
    for name, facts in files.items():
        data = (folder / name).read_bytes() if (folder / name).is_file() else b""
        if name != but and hashlib.sha256(data).hexdigest() != facts["sha256"]:
            raise RecordDamaged(folder / name, 1, "this file is not the one that was packed")


def _facts(folder: Path) -> Mapping[str, Any]:
    for name in NAMED_BY:
        if (folder / name).is_file():
            found = json.loads((folder / name).read_bytes())
            return found if isinstance(found, dict) else {}
    return {}


class RecordDamaged(JournalError):
    """A line of an events.jsonl that is not the line it was."""

    def __init__(self, path: Path, number: int, fact: str) -> None:
        super().__init__(f"{path}:{number}", fact, "Take the record again from where it was made.")
        self.number = number


def _lines(path: Path, plan_sha256: str, *, chained: bool) -> Iterator[EventRow]:
    previous = plan_sha256
    with path.open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            row = _row(path, number, line)
            after = None if row.after is None else chain.body_text(row.after)
            link = chain.link(previous, row.seq, row.type, chain.body_text(row.body), row.at, after)
            if chained and (row.seq != number or row.hash != link):
                raise RecordDamaged(path, number, "this event was changed, moved, or one before it was taken away")
            previous = row.hash
            yield row


def _row(path: Path, number: int, line: str) -> EventRow:
    try:
        found = json.loads(line)
        return EventRow(
            int(found["seq"]), str(found["type"]), found["body"], float(found["at"]), found["hash"], found.get("after")
        )
    except (ValueError, KeyError, TypeError) as error:
        raise RecordDamaged(path, number, f"this line is no event: {error}") from None
