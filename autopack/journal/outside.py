"""What clients from outside are asked, who of them has it, and what they hand in: server and driver meet here.

A lease keeps others away until it ends and does nothing else. Whoever hands in a result while nobody else has a lease
that still holds is heard, also when its own has ended, or when it never had one; the first result is the only one.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor

from autopack.journal import chain, tables
from autopack.journal.rows import Body
from autopack.journal.store import Store, read_json, wait_for_turn


class OutsideRow(NamedTuple):
    """`holder` has the request until `until` (None: nobody has asked for it yet); `answer` is what was handed in."""

    key: str
    holder: str | None
    until: float | None
    progress: Body | None
    answer: Body | None

    def is_free(self, holder: str, now: float) -> bool:
        """Whether `holder` may have it, or speak about it."""
        return self.holder in (None, holder) or self.until is None or self.until <= now


class NotYours(Exception):
    """Somebody else has the request: `.row` says who, and until when."""

    def __init__(self, row: OutsideRow) -> None:
        super().__init__(f"{row.holder} has a lease on it")
        self.row = row


class Answered(Exception):
    """A result was handed in before; `.row` holds it."""

    def __init__(self, row: OutsideRow) -> None:
        super().__init__("a result was handed in before")
        self.row = row


def rows(store: Store, run_id: str) -> dict[str, OutsideRow]:
    """Of every request that a client has asked for or answered, by key."""
    query = sa.select(tables.outside).where(tables.outside.c.run_id == run_id).order_by(tables.outside.c.key)
    return {row.key: _row(row) for row in store.select(query)}


def answer(store: Store, run_id: str, key: str) -> Body | None:
    """What was handed in, None while nothing was."""
    at = tables.outside.c
    found = store.select(sa.select(at.answer).where(at.run_id == run_id, at.key == key, at.answer.is_not(None)))
    return read_json(f"the result {key[:12]} of run {run_id}", found[0].answer) if found else None


def lease(store: Store, run_id: str, keys: Sequence[str], holder: str, now: float, lease_s: float) -> OutsideRow | None:
    """Of these requests the one that `holder` has, else the first that is free, leased from now on; None: none is."""
    with _in_turn(store, run_id) as cursor:
        known = [_asked(store, cursor, run_id, key) for key in keys]
        open_ = [row for row in known if row.answer is None and row.is_free(holder, now)]
        chosen = next((row for row in open_ if row.holder == holder), open_[0] if open_ else None)
        if chosen is None:
            return None
        leased = chosen._replace(holder=holder, until=now + lease_s)
        row = {"in_run": run_id, "in_key": leased.key, "holder": holder, "until": leased.until}
        cursor.execute(store.database.statements.lease, row)
        return leased


def progress(store: Store, run_id: str, key: str, holder: str, now: float, said: Body) -> OutsideRow:
    """Keep how far `holder` says it is. Raises NotYours, Answered."""
    with _in_turn(store, run_id) as cursor:
        known = _asked(store, cursor, run_id, key)
        _refuse(known, holder, now)
        row = {"in_run": run_id, "in_key": key, "progress": chain.body_text(said)}
        cursor.execute(store.database.statements.progress, row)
        return known._replace(progress=said)


def hand_in(store: Store, run_id: str, key: str, holder: str, now: float, result: Body) -> None:
    """Keep the result, for whoever drives the run. Raises NotYours, Answered."""
    with _in_turn(store, run_id) as cursor:
        known = _asked(store, cursor, run_id, key)
        _refuse(known, holder, now)
        row = {"holder": holder, "answer": chain.body_text(result), "answered_at": now}
        cursor.execute(store.database.statements.hand_in, {"in_run": run_id, "in_key": key, **row})


def _refuse(known: OutsideRow, holder: str, now: float) -> None:
    if known.answer is not None:
        raise Answered(known)
    if not known.is_free(holder, now):
        raise NotYours(known)


@contextmanager
def _in_turn(store: Store, run_id: str) -> Iterator[DBAPICursor]:
    """One transaction at a time for a run's requests, of all servers together."""
    database = store.database
    with closing(database.connect()) as connection, database.writing(connection) as cursor:
        wait_for_turn(database, cursor, f"outside {run_id}")
        yield cursor


def _asked(store: Store, cursor: DBAPICursor, run_id: str, key: str) -> OutsideRow:
    """The request's row, made when it is first spoken of."""
    statements, place = store.database.statements, {"in_run": run_id, "in_key": key}
    cursor.execute(statements.asked, place)
    found = cursor.fetchone()
    if found is None:
        cursor.execute(statements.ask, {"run_id": run_id, "key": key})
        return OutsideRow(key, None, None, None, None)
    return _row(found)


def _row(found: Any) -> OutsideRow:
    run_id, key, holder, until, said, handed_in, _ = found
    place = f"request {key[:12]} of run {run_id}"
    told = (None if text is None else read_json(place, text) for text in (said, handed_in))
    return OutsideRow(key, holder, until, next(told), next(told))
