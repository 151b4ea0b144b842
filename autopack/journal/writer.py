"""The one writer of a run. What a method was given is durable when it returns, unless it says otherwise; what raised
was not written at all.
"""

import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from types import TracebackType
from typing import Any, NamedTuple, Self

from sqlalchemy.engine.interfaces import DBAPICursor

from autopack.journal import blobs, chain, locks
from autopack.journal.database import ConstraintBroken, Database
from autopack.journal.errors import IntentExists, ReplyExists, UnknownIntent, UnknownRun, WriterDisplaced
from autopack.journal.rows import Appended, Body, Intent, Told
from autopack.plan import canonical

NewEvent = tuple[str, Told, float]
"""Type, body, and when: seconds since 1970, UTC."""

_Row = dict[str, Any]


class _Head(NamedTuple):
    """Where the chain ends; `seq` 0 is the plan."""

    seq: int
    hash: str


class Writer:
    """Holds the run's lock until it is closed. `append` is for the driver's thread, the others for any."""

    def __init__(self, database: Database, run_id: str, clock: Callable[[], float]) -> None:
        self.run_id = run_id
        self._database = database
        self._statements = database.statements
        self._clock = clock
        self._mutex = threading.Lock()
        with ExitStack() as stack:
            self._connection = stack.enter_context(closing(database.connect()))
            stack.enter_context(locks.held(database, self._connection, run_id))
            self._head: _Head | None = self._read_head()
            self._held = stack.pop_all()

    def append(
        self,
        events: Sequence[NewEvent],
        intents: Sequence[Intent] = (),
        summary: Body | None = None,
        *,
        at: float | None = None,
        after: Sequence[Body] | None = None,
    ) -> list[Appended]:
        """Events, intents with the reservations of their calls, and the run's summary, in one transaction.

        `at` is when the intents start (None: now), `after` what each event left behind, in their order.
        A `state` in the summary becomes the run's.
        Raises StoreUnusable, IntentExists, WriterDisplaced.
        """
        at = self._clock() if at is None else float(at)
        with self._mutex:
            head = self._head or self._read_head()
            lines = _chained(self.run_id, head, events, after)
            wishes = [_intent(self.run_id, intent, at) for intent in intents]
            calls = [_call(self.run_id, intent, at) for intent in intents if _is_paid(intent)]
            last = _Head(lines[-1]["seq"], lines[-1]["hash"]) if lines else head
            self._head = None  # read again after a failure: of a commit that raised, nobody knows what was kept
            self._write(lines, wishes, calls, _run(self.run_id, head, last, summary))
            self._head = last
        return [Appended(line["seq"], line["hash"]) for line in lines]

    def started(self, key: str, pid: int, pid_start: float) -> None:
        """The child of the intent is running. Raises UnknownIntent.

        It waits for no disk: this is for a driver that dies, and a machine that does takes the child along.
        """
        row = {"in_run": self.run_id, "in_key": key, "pid": pid, "pid_start": pid_start}
        with self._mutex, self._database.writing(self._connection, ahead=True) as cursor:
            cursor.execute(self._statements.started, row)
            if cursor.rowcount == 0:
                raise UnknownIntent(self.run_id, key)

    def reply(self, key: str, reply: Body) -> None:
        """The answer to a paid call, kept before anybody believes it.

        The same reply again changes nothing. Raises UnknownIntent where nothing was reserved, ReplyExists.
        """
        text = chain.body_text(reply)
        row = {"in_run": self.run_id, "in_key": key, "reply": text, "replied_at": self._clock()}
        with self._mutex, self._database.writing(self._connection) as cursor:
            cursor.execute(self._statements.reply, row)
            if cursor.rowcount == 0:
                self._compare_reply(cursor, key, text)

    def put_blob(self, data: bytes) -> str:
        """As Store.put_blob, durable with the event or reply that names it: nothing speaks of it before."""
        with self._mutex:
            return blobs.put(self._database, self._connection, data, ahead=True)

    def close(self) -> None:
        """Releases the run."""
        with self._mutex:
            self._held.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _read_head(self) -> _Head:
        with self._database.writing(self._connection) as cursor:
            cursor.execute(self._statements.head, {"in_run": self.run_id})
            found = cursor.fetchone()
        if found is None:
            raise UnknownRun(self._database.place, self.run_id)
        return _Head(*found)

    def _write(self, lines: list[_Row], wishes: list[_Row], calls: list[_Row], run: _Row) -> None:
        statements = self._statements
        batches = (statements.event, lines), (statements.intent, wishes), (statements.call, calls)
        try:
            with self._database.writing(self._connection) as cursor:
                cursor.execute(statements.run, run)
                if cursor.rowcount == 0:
                    raise WriterDisplaced(self.run_id, run["from_seq"] + 1)
                for statement, rows in batches:
                    if rows:
                        cursor.executemany(statement, rows)
        except ConstraintBroken as error:
            key = self._repeated([wish["key"] for wish in wishes])
            if key is None:
                raise
            raise IntentExists(self.run_id, key) from error

    def _repeated(self, keys: list[str]) -> str | None:
        """The key that was taken; asked only after a refusal, so that an append needs no look first."""
        taken = (key for number, key in enumerate(keys) if key in keys[:number] or self._has_intent(key))
        return next(taken, None)

    def _has_intent(self, key: str) -> bool:
        with self._database.writing(self._connection) as cursor:
            cursor.execute(self._statements.has_intent, {"in_run": self.run_id, "in_key": key})
            return cursor.fetchone() is not None

    def _compare_reply(self, cursor: DBAPICursor, key: str, text: str) -> None:
        cursor.execute(self._statements.kept_reply, {"in_run": self.run_id, "in_key": key})
        kept = cursor.fetchone()
        if kept is None:
            raise UnknownIntent(self.run_id, key)
        if kept != (text,):
            raise ReplyExists(self.run_id, key)


def _chained(run_id: str, head: _Head, events: Sequence[NewEvent], after: Sequence[Body] | None) -> list[_Row]:
    lines: list[_Row] = []
    seq, previous = head
    left = [None] * len(events) if after is None else [chain.body_text(each) for each in after]
    for seq, ((type_name, fields, when), then) in enumerate(zip(events, left, strict=True), head.seq + 1):
        body, at = chain.body_text(fields), float(when)
        new = chain.link(previous, seq, type_name, body, at, then)
        row = {"run_id": run_id, "seq": seq, "type": type_name, "body": body, "at": at, "prev_hash": previous}
        lines.append(row | {"hash": new, "after": then})
        previous = new
    return lines


def _intent(run_id: str, intent: Intent, at: float) -> _Row:
    return {
        "run_id": run_id,
        "key": intent.key,
        "effect_type": intent.effect_type,
        "body": chain.body_text(intent.body),
        "at": at,
        "token": intent.token,
    }


def _is_paid(intent: Intent) -> bool:
    if (intent.reserved_tokens is None) != (intent.reserved_cost is None):
        raise ValueError(f"intent {intent.key} reserves tokens or cost, not both")
    return intent.reserved_tokens is not None


def _call(run_id: str, intent: Intent, at: float) -> _Row:
    return {
        "run_id": run_id,
        "key": intent.key,
        "reserved_tokens": intent.reserved_tokens,
        "reserved_cost_usd": canonical.plain(intent.reserved_cost),
        "at": at,
    }


def _run(run_id: str, before: _Head, after: _Head, summary: Body | None) -> _Row:
    return {
        "in_run": run_id,
        "from_seq": before.seq,
        "last_seq": after.seq,
        "last_hash": after.hash,
        "new_state": None if summary is None else summary.get("state"),
        "new_summary": None if summary is None else chain.body_text(summary),
    }
