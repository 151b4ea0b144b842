"""Who may use the REST interface, and for what. A token is told once, when it is made; only its digest is kept."""

import hashlib
import secrets
from contextlib import closing
from typing import Literal, NamedTuple, get_args

import sqlalchemy as sa

from autopack.journal import tables
from autopack.journal.store import Store

Scope = Literal["read", "write", "admin"]
SCOPES: tuple[Scope, ...] = get_args(Scope)
"""Each may do what those before it may."""

PREFIX = "autopack_"
"""So that scanners for secrets know one where they see it."""


class Token(NamedTuple):
    """`token_id` names it in lists and logs, and gives nothing away."""

    token_id: str
    scope: Scope
    created_at: float

    def may(self, scope: Scope) -> bool:
        return SCOPES.index(self.scope) >= SCOPES.index(scope)


def create(store: Store, scope: Scope, at: float) -> tuple[str, Token]:
    """The token itself, which nobody can be told again, and what is known of it."""
    secret = PREFIX + secrets.token_urlsafe(32)
    made = Token(secrets.token_hex(4), scope, float(at))
    row = {"sha256": _digest(secret), "token_id": made.token_id, "scope": scope, "created_at": made.created_at}
    database = store.database
    with closing(database.connect()) as connection, database.writing(connection) as cursor:
        cursor.execute(database.statements.token, row)
    return secret, made


def known(store: Store, secret: str) -> Token | None:
    """None for one that was never made, or was revoked."""
    at = tables.tokens.c
    found = store.select(sa.select(at.token_id, at.scope, at.created_at).where(at.sha256 == _digest(secret)))
    return Token(*found[0]) if found else None


def every(store: Store) -> list[Token]:
    """All of them, oldest first."""
    at = tables.tokens.c
    query = sa.select(at.token_id, at.scope, at.created_at).order_by(at.created_at, at.token_id)
    return [Token(*row) for row in store.select(query)]


def revoke(store: Store, token_id: str) -> bool:
    """Whether there was one."""
    database = store.database
    with closing(database.connect()) as connection, database.writing(connection) as cursor:
        cursor.execute(database.statements.revoke, {"in_id": token_id})
        return bool(cursor.rowcount)


def _digest(secret: str) -> str:
    """A plain digest will do: there is nothing to guess in 256 random bits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
