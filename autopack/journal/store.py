"""The store: where runs are made, found and read. Writing to a run goes through its one `Writer`."""

import hashlib
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from decimal import Decimal
from os import PathLike
from types import TracebackType
from typing import Any, Self

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor

from autopack.journal import blobs, chain, schema, tables
from autopack.journal.database import ConstraintBroken, Database, Synchronous, address, for_reading
from autopack.journal.errors import JournalDamaged, RowDamaged, RunExists, UnknownRun
from autopack.journal.rows import AccountRow, Body, CallRow, EventRow, IntentRow, RunRow
from autopack.journal.writer import Writer

Standing = Mapping[str, str]

PAGE = 500
"""Events read at once. A reader holds nothing between two pages, so a slow one is in nobody's way."""


def open_store(url_or_path: str | PathLike[str], *, create: bool, synchronous: Synchronous = "FULL") -> "Store":
    """The store in an SQLite file or at a database URL; with `create` it is made where there is none.

    `synchronous` NORMAL gives up the last commits when the machine, not the process, goes down.
    Raises StoreMissing, StoreOutdated, StoreVersionUnknown, StoreUnusable.
    """
    at = address(url_or_path)
    schema.locate(at, create=create)
    database = Database(at if create else for_reading(at), synchronous)
    try:
        schema.prepare(database, create=create)
    except BaseException:  # why: nobody else could close it any more; raised again
        database.close()
        raise
    return Store(database)


def upgrade_store(url_or_path: str | PathLike[str]) -> tuple[str, str]:
    """Bring a store in step; the revision it had and the one it has. Raises as `open_store`."""
    at = address(url_or_path)
    schema.locate(at, create=False)
    with closing(Database(at, "FULL")) as database:
        return schema.upgrade(database)


class Store:
    """Safe to use from several threads. `.place` names it in messages."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.place = database.place

    def create_run(self, run_id: str, project: str, plan_json: str, plan_sha256: str, at: float) -> None:
        """A run without events. `plan_sha256` is the digest of exactly this text. Raises RunExists."""
        row = {"run_id": run_id, "project": project, "created_at": float(at), "plan_sha256": plan_sha256}
        head = {"state": "RUN_CREATED", "last_seq": 0, "last_hash": plan_sha256}
        if (found := self.put_blob(plan_json.encode())) != plan_sha256:
            raise ValueError(f"the plan's text has the digest {found}, not {plan_sha256}")
        database = self.database
        try:
            with closing(database.connect()) as connection, database.writing(connection) as cursor:
                cursor.execute(database.statements.new_run, row | head)
        except ConstraintBroken:
            raise RunExists(self.place, run_id) from None

    def runs(self) -> list[RunRow]:
        """All runs, oldest first."""
        return [_run(row) for row in self.select(_RUNS.order_by(tables.runs.c.created_at, tables.runs.c.run_id))]

    def run(self, run_id: str) -> RunRow:
        """Raises UnknownRun."""
        return _run(self._run_row(run_id))

    def plan(self, run_id: str) -> str:
        """The plan's text as it was given. Raises UnknownRun, BlobDamaged."""
        return self.blob(self.run(run_id).plan_sha256).decode()

    def events(self, run_id: str, after: int = 0) -> Iterator[EventRow]:
        """The events with a seq above `after`, in order, each proved to follow the one before it.

        Raises UnknownRun, and JournalDamaged at the first event that was changed, moved or taken away.
        """
        run = self._run_row(run_id)
        previous = self._hash_at(run_id, after) if 0 < after <= run.last_seq else run.plan_sha256
        seq = after
        while page := self._page(run_id, seq):
            for row in page:
                _prove(run_id, row, seq + 1, previous)
                seq, previous = row.seq, row.hash
                yield _event(row)
                if seq == run.last_seq and previous != run.last_hash:
                    raise JournalDamaged(run_id, seq, "its hash is not the one its run ends with")
        if seq < run.last_seq:
            raise JournalDamaged(run_id, seq + 1, f"it is missing, the run has {run.last_seq} events")
        if seq > run.last_seq and seq > (last := self._run_row(run_id).last_seq):  # a driver may go on meanwhile
            raise JournalDamaged(run_id, last + 1, f"it is one too many, the run has {last} events")

    def intents(self, run_id: str) -> Mapping[str, IntentRow]:
        """By key, in the order of keys."""
        return {row.key: _intent(row) for row in self._of_run(tables.intents, run_id)}

    def intent(self, run_id: str, key: str) -> IntentRow | None:
        """One of them, None where there is none under this key."""
        at = tables.intents.c
        found = self.select(sa.select(tables.intents).where(at.run_id == run_id, at.key == key))
        return _intent(found[0]) if found else None

    def runs_after(self, place: tuple[float, str] | None, limit: int) -> list[RunRow]:
        """At most so many runs, oldest first, made after the one made then and called so; None: from the first on."""
        at = tables.runs.c
        query = _RUNS.order_by(at.created_at, at.run_id).limit(limit)
        if place is not None:
            then, name = place
            query = query.where(sa.or_(at.created_at > then, sa.and_(at.created_at == then, at.run_id > name)))
        return [_run(row) for row in self.select(query)]

    def calls(self, run_id: str) -> Mapping[str, CallRow]:
        """The paid-call ledger by key, in the order of keys."""
        return {row.key: _call(row) for row in self._of_run(tables.calls, run_id)}

    def standing(self, project: str, kind: str) -> str | None:
        """What the project's earlier runs left in the store under this word, None before the first."""
        at = tables.standing.c
        found = self.select(sa.select(at.body).where(at.project == project, at.kind == kind))
        return found[0].body if found else None

    def freeze(self, project: str, run_id: str, otherwise: Standing) -> Standing:
        """What stood when the run was created, the same whenever it is asked; `otherwise` where the store has nothing.

        A landing that is repeated after a crash starts from this again, whatever other runs have done meanwhile.
        """
        if (found := self.frozen(project, run_id)) is None:
            found = {**otherwise, **self.all_standing(project)}
            body = json.dumps({kind: self.put_blob(text.encode()) for kind, text in sorted(found.items())})
            row = {"project": project, "kind": _BEFORE + run_id, "body": body}
            with closing(self.database.connect()) as connection, self.database.writing(connection) as cursor:
                cursor.execute(self.database.statements.keep, row)
        return found

    def frozen(self, project: str, run_id: str) -> Standing | None:
        """What `freeze` has kept for the run, None before it has."""
        known = self.standing(project, _BEFORE + run_id)
        if known is None:
            return None
        told = read_json(f"what stood before run {run_id}", known)
        return {kind: self.blob(each).decode() for kind, each in told.items()}

    def all_standing(self, project: str) -> Standing:
        """Every text that stands, by kind."""
        at = tables.standing.c
        rows = self.select(sa.select(at.kind, at.body).where(at.project == project))
        return {row.kind: row.body for row in rows if not row.kind.startswith(_BEFORE)}

    def fold_run(self, project: str, run_id: str, at: float, change: Callable[[Standing], Standing]) -> bool:
        """Let a run that has ended change what stands, exactly once; False when it had done so before.

        `change` gets every text that stands, by kind, and gives the new ones; runs wait for each other here.
        """
        database, statements = self.database, self.database.statements
        try:
            with closing(database.connect()) as connection, database.writing(connection) as cursor:
                wait_for_turn(database, cursor, f"project {project}")
                cursor.execute(statements.folded, {"project": project, "run_id": run_id, "at": float(at)})
                cursor.execute(statements.kept, {"of": project})
                before = {kind: body for kind, body in cursor.fetchall() if not kind.startswith(_BEFORE)}
                for kind, body in change(before).items():
                    cursor.execute(statements.forget, {"of": project, "in_kind": kind})
                    cursor.execute(statements.keep, {"project": project, "kind": kind, "body": body})
        except ConstraintBroken:
            return False
        return True

    def has_folded(self, project: str, run_id: str) -> bool:
        """Whether `fold_run` has been done for it."""
        at = tables.folded.c
        return bool(self.select(sa.select(at.run_id).where(at.project == project, at.run_id == run_id)))

    def allot(self, run_id: str, at: float, decide: Callable[[Sequence[AccountRow]], Mapping[str, Any]]) -> Body:
        """What a run was granted: what `decide` makes of the accounts of all runs, kept before another run may ask.

        A run that was granted something gets the same again. Runs wait for each other here, whatever their project:
        providers are shared.
        """
        database, statements = self.database, self.database.statements
        with closing(database.connect()) as connection, database.writing(connection) as cursor:
            wait_for_turn(database, cursor, "project allowances")
            cursor.execute(statements.accounts)
            rows = [_account(row) for row in cursor.fetchall()]
            known = next((row.allowance for row in rows if row.run_id == run_id), None)
            if known is None:
                known = decide(rows)
                cursor.execute(statements.allowance, {"run_id": run_id, "body": json.dumps(known), "at": float(at)})
        return known

    def accounts(self) -> list[AccountRow]:
        """Every run as others have to count it."""
        return [_account(row) for row in self.select(tables.accounts())]

    def put_blob(self, data: bytes) -> str:
        """Keeps the bytes, once, and returns their id (sha256)."""
        with closing(self.database.connect()) as connection:
            return blobs.put(self.database, connection, data)

    def blob(self, sha256: str) -> bytes:
        """Raises BlobMissing, BlobDamaged."""
        return blobs.get(self.database, sha256)

    def writer(self, run_id: str, *, clock: Callable[[], float] = time.time) -> Writer:
        """The run's only writer, holding its lock from now on. Raises UnknownRun, RunLocked."""
        self._run_row(run_id)
        return Writer(self.database, run_id, clock)

    def look(self) -> None:
        """Whether it is still there, and of the known revision. Raises as `open_store` does."""
        self.database.still_there()
        schema.prepare(self.database, create=False)

    def close(self) -> None:
        """Close writers first: their locks live on connections of this store."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def select(self, query: sa.Select[Any]) -> list[Any]:
        """All rows of a query, for the other files of this room."""
        with self.database.reading() as connection:
            return list(connection.execute(query))

    def _run_row(self, run_id: str) -> Any:
        found = self.select(_RUNS.where(tables.runs.c.run_id == run_id))
        if not found:
            raise UnknownRun(self.place, run_id)
        return found[0]

    def _of_run(self, table: sa.Table, run_id: str) -> list[Any]:
        return self.select(sa.select(table).where(table.c.run_id == run_id).order_by(table.c.key))

    def _page(self, run_id: str, after: int) -> list[Any]:
        events = tables.events
        later = sa.select(events).where(events.c.run_id == run_id, events.c.seq > after)
        return self.select(later.order_by(events.c.seq).limit(PAGE))

    def _hash_at(self, run_id: str, seq: int) -> str:
        events = tables.events
        found = self.select(sa.select(events.c.hash).where(events.c.run_id == run_id, events.c.seq == seq))
        if not found:
            raise JournalDamaged(run_id, seq, "it is missing")
        return str(found[0].hash)


_RUNS = sa.select(tables.runs)
_BEFORE = "before "
_WAIT_FOR_TURN = "SELECT pg_advisory_xact_lock(%(key)s)"


def wait_for_turn(database: Database, cursor: DBAPICursor, what: str) -> None:
    """Until the transaction that has this turn has ended. SQLite has one transaction that writes at a time anyway."""
    if database.path is None:
        key = int.from_bytes(hashlib.sha256(f"autopack {what}".encode()).digest()[:8], signed=True)
        cursor.execute(_WAIT_FOR_TURN, {"key": key})


def _prove(run_id: str, row: Any, seq: int, previous: str) -> None:
    if row.seq != seq:
        raise JournalDamaged(run_id, seq, f"it is missing, the next one is {row.seq}")
    if row.prev_hash != previous:
        raise JournalDamaged(run_id, seq, "it doesn't follow the event before it")
    if row.hash != chain.link(previous, seq, row.type, row.body, row.at, row.after):
        raise JournalDamaged(run_id, seq, "its content is not what was written")


def _run(row: Any) -> RunRow:
    summary = None if row.summary is None else read_json(f"run {row.run_id}", row.summary)
    return RunRow(row.run_id, row.project, row.created_at, row.plan_sha256, row.state, summary, row.last_seq)


def _event(row: Any) -> EventRow:
    after = None if row.after is None else json.loads(row.after)
    return EventRow(row.seq, row.type, json.loads(row.body), row.at, row.hash, after)


def _account(row: Any) -> AccountRow:
    run_id, project, state, summary, last_at, body = row
    told = (None if text is None else read_json(f"run {run_id}", text) for text in (summary, body))
    return AccountRow(run_id, project, state, next(told), last_at, next(told))


def _intent(row: Any) -> IntentRow:
    body = read_json(f"intent {row.key[:12]} of run {row.run_id}", row.body)
    return IntentRow(row.key, row.effect_type, body, row.at, row.token, row.pid, row.pid_start)


def _call(row: Any) -> CallRow:
    place = f"call {row.key[:12]} of run {row.run_id}"
    reply = None if row.reply is None else read_json(place, row.reply)
    try:
        cost_usd = Decimal(row.reserved_cost_usd)
    except ArithmeticError:
        raise RowDamaged(place, f"{row.reserved_cost_usd!r} is no amount") from None
    return CallRow(row.key, row.reserved_tokens, cost_usd, row.at, reply, row.replied_at)


def read_json(place: str, text: str) -> Any:
    """Raises RowDamaged."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise RowDamaged(place, "what it holds is no JSON object")
    return found
