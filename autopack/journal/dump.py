"""A whole store as one file, and back: to move it to another machine, or from SQLite to PostgreSQL.

The first line says what it is, each line after it is one row, the last one counts them and holds the digest of all
lines before it, so that a file that was cut or changed is refused before a row of it is kept.
"""

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

import sqlalchemy as sa

from autopack.journal import chain, tables
from autopack.journal.database import Database
from autopack.journal.errors import JournalError

HEAD = {"autopack": "store/v1", "revision": tables.REVISION}
PAGE = 200


class NoDump(JournalError):
    """The file is no export of a store, or not a whole one; nothing of it was kept."""

    def __init__(self, fact: str) -> None:
        super().__init__("the export", fact, "Make it again with `autopack store export`.")


class StoreInUse(JournalError):
    """An import goes into a store that holds nothing."""

    def __init__(self, place: str, runs: int) -> None:
        super().__init__(place, f"this store holds {runs} rows already", "Import into a new one: name another store.")


def lines(database: Database) -> Iterator[bytes]:
    """Every row of every table as of one moment, in the order of their keys."""
    digest, count = hashlib.sha256(), 0
    head = (chain.body_text(HEAD) + "\n").encode()
    digest.update(head)
    yield head
    with database.at_one_moment() as connection:
        for table in tables.metadata.sorted_tables:
            query = sa.select(table).order_by(*table.primary_key.columns).execution_options(yield_per=PAGE)
            for row in connection.execute(query).mappings():
                line = (chain.body_text({"table": table.name, "row": _plain(row)}) + "\n").encode()
                digest.update(line)
                count += 1
                yield line
    yield (chain.body_text({"rows": count, "sha256": digest.hexdigest()}) + "\n").encode()


def restore(database: Database, found: Iterable[bytes]) -> int:
    """Keep every row, all or none; how many there are. Raises NoDump, StoreInUse."""
    with database.reading() as connection:
        if database.path is not None:
            connection.exec_driver_sql("BEGIN IMMEDIATE")
        held = sum(_count(connection, table) for table in tables.metadata.sorted_tables)
        if held:
            raise StoreInUse(database.place, held)
        count = 0
        for table, row in _rows(found):
            connection.execute(table.insert(), row)
            count += 1
        connection.commit()
    return count


def _count(connection: sa.Connection, table: sa.Table) -> int:
    return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def _rows(found: Iterable[bytes]) -> Iterator[tuple[sa.Table, dict[str, Any]]]:
    digest, count, ended = hashlib.sha256(), 0, False
    for number, line in enumerate(found, 1):
        told = _read(line, number)
        if ended:
            raise NoDump(f"line {number} comes after its end")
        if number == 1 and told != HEAD:
            raise NoDump(f"it starts with {line[:80]!r}, and this autopack reads {chain.body_text(HEAD)}")
        if "sha256" in told:
            if told != {"rows": count, "sha256": digest.hexdigest()}:
                raise NoDump(f"its {count} rows are not those that were written")
            ended = True
            continue
        digest.update(line)
        if number > 1:
            count += 1
            yield _row(told, number)
    if not ended:
        raise NoDump("its end is missing")


def _read(line: bytes, number: int) -> dict[str, Any]:
    try:
        told = json.loads(line)
    except ValueError:
        raise NoDump(f"line {number} is no JSON") from None
    if not isinstance(told, dict):
        raise NoDump(f"line {number} is no row")
    return told


def _row(told: dict[str, Any], number: int) -> tuple[sa.Table, dict[str, Any]]:
    table, row = tables.metadata.tables.get(str(told.get("table"))), told.get("row")
    if table is None or not isinstance(row, dict) or row.keys() != set(table.columns.keys()):
        raise NoDump(f"line {number} is no row of a table that this autopack knows")
    return table, {name: _value(table.columns[name], value) for name, value in row.items()}


def _value(column: Any, value: Any) -> Any:
    return base64.b64decode(value) if isinstance(column.type, sa.LargeBinary) else value


def _plain(row: Any) -> dict[str, Any]:
    return {
        name: base64.b64encode(value).decode() if isinstance(value, (bytes, memoryview)) else value
        for name, value in row.items()
    }
