"""The tables of revision 0004, and the statements of the hot path as text.

Types and statements stay inside what SQLite and PostgreSQL share. JSON is kept as canonical text, because a hash
is taken over it; money as decimal text, because SQLite has no decimal type.

The plan is not in the row of its run: a summary is updated with every append, and SQLite rewrites the whole row.
It is the blob whose id is `plan_sha256`.
"""

from typing import Any

import sqlalchemy as sa

REVISION = "0004"
OLDER = ("0001", "0002", "0003")
"""Revisions that `autopack store upgrade` can start from."""

metadata = sa.MetaData()

runs = sa.Table(
    "runs",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("project", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
    sa.Column("plan_sha256", sa.Text, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("summary", sa.Text),
    sa.Column("last_seq", sa.BigInteger, nullable=False),
    sa.Column("last_hash", sa.Text, nullable=False),
)

events = sa.Table(
    "events",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("seq", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("type", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("prev_hash", sa.Text, nullable=False),
    sa.Column("hash", sa.Text, nullable=False),
    sa.Column("after", sa.Text),
)

intents = sa.Table(
    "intents",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("effect_type", sa.Text, nullable=False),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("pid", sa.BigInteger),
    sa.Column("pid_start", sa.Double),
)

calls = sa.Table(
    "calls",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("reserved_tokens", sa.BigInteger, nullable=False),
    sa.Column("reserved_cost_usd", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
    sa.Column("reply", sa.Text),
    sa.Column("replied_at", sa.Double),
)

blobs = sa.Table(
    "blobs",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("data", sa.LargeBinary, nullable=False),
    sa.Column("size", sa.BigInteger, nullable=False),
)

standing = sa.Table(
    "standing",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("kind", sa.Text, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)
"""What outlives runs: a project's backlog, its calibration. Each is one text, made anew by every run that ends."""

folded = sa.Table(
    "folded",
    metadata,
    sa.Column("project", sa.Text, primary_key=True),
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("at", sa.Double, nullable=False),
)
"""The runs that are in `standing` already, so that none counts twice."""

allowances = sa.Table(
    "allowances",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
    sa.Column("at", sa.Double, nullable=False),
)
"""What each run was granted of what all runs of its project, or of a provider, may spend."""


outside = sa.Table(
    "outside",
    metadata,
    sa.Column("run_id", sa.Text, primary_key=True),
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("holder", sa.Text),
    sa.Column("until", sa.Double),
    sa.Column("progress", sa.Text),
    sa.Column("answer", sa.Text),
    sa.Column("answered_at", sa.Double),
)
"""Of what clients are asked: who has it until when, how far they say they are, and what they handed in."""

tokens = sa.Table(
    "tokens",
    metadata,
    sa.Column("sha256", sa.Text, primary_key=True),
    sa.Column("token_id", sa.Text, nullable=False),
    sa.Column("scope", sa.Text, nullable=False),
    sa.Column("created_at", sa.Double, nullable=False),
)
"""Who may use the REST interface for what; of a token only its digest is kept."""


class Statements:
    """The statements of the hot path, compiled once for a dialect and run on the driver's own cursor.

    Parameters carry the names of the columns; the row that is meant is named by `in_run` and `in_key`. `run` is a
    compare-and-swap on the number of events; in it a `new_state` or `new_summary` of None keeps what is there.
    """

    def __init__(self, dialect: sa.Dialect) -> None:
        def text(statement: Any, *columns: str) -> str:
            return str(statement.compile(dialect=dialect, column_keys=list(columns) or None))

        kept = {
            runs.c.state: sa.func.coalesce(sa.bindparam("new_state", type_=sa.Text), runs.c.state),
            runs.c.summary: sa.func.coalesce(sa.bindparam("new_summary", type_=sa.Text), runs.c.summary),
        }
        of_run = runs.c.run_id == sa.bindparam("in_run")
        unanswered = calls.c.reply.is_(None)
        self.new_run = text(runs.insert(), *(column.name for column in runs.c if column.name != "summary"))
        unmoved = runs.c.last_seq == sa.bindparam("from_seq")
        self.run = text(runs.update().where(of_run, unmoved).values(kept), "last_seq", "last_hash")
        self.head = text(sa.select(runs.c.last_seq, runs.c.last_hash).where(of_run))
        self.event = text(events.insert())
        self.folded = text(folded.insert())
        self.kept = text(sa.select(standing.c.kind, standing.c.body).where(standing.c.project == sa.bindparam("of")))
        is_kind = standing.c.project == sa.bindparam("of"), standing.c.kind == sa.bindparam("in_kind")
        self.forget = text(standing.delete().where(*is_kind))
        self.keep = text(standing.insert())
        self.allowance = text(allowances.insert())
        self.accounts = text(accounts())
        self.intent = text(intents.insert(), "run_id", "key", "effect_type", "body", "at", "token")
        self.has_intent = text(sa.select(intents.c.at).where(*_is_row(intents)))
        self.started = text(intents.update().where(*_is_row(intents)), "pid", "pid_start")
        self.call = text(calls.insert(), "run_id", "key", "reserved_tokens", "reserved_cost_usd", "at")
        self.reply = text(calls.update().where(*_is_row(calls), unanswered), "reply", "replied_at")
        self.kept_reply = text(sa.select(calls.c.reply).where(*_is_row(calls)))
        self.ask = text(outside.insert(), "run_id", "key")
        self.asked = text(sa.select(outside).where(*_is_row(outside)))
        self.lease = text(outside.update().where(*_is_row(outside)), "holder", "until")
        self.progress = text(outside.update().where(*_is_row(outside)), "progress")
        self.hand_in = text(outside.update().where(*_is_row(outside)), "holder", "answer", "answered_at")
        self.token = text(tokens.insert())
        self.revoke = text(tokens.delete().where(tokens.c.token_id == sa.bindparam("in_id")))
        self.has_blob = text(sa.select(blobs.c.size).where(blobs.c.sha256 == sa.bindparam("sha256")))
        self.blob = text(blobs.insert())


def accounts() -> sa.Select[Any]:
    """Every run with its last event's time and what it was granted, oldest first."""
    last = sa.and_(events.c.run_id == runs.c.run_id, events.c.seq == runs.c.last_seq)
    found = runs.outerjoin(events, last).outerjoin(allowances, allowances.c.run_id == runs.c.run_id)
    at = sa.func.coalesce(events.c.at, runs.c.created_at)
    told = (runs.c.run_id, runs.c.project, runs.c.state, runs.c.summary, at, allowances.c.body)
    return sa.select(*told).select_from(found).order_by(runs.c.created_at, runs.c.run_id)


def _is_row(table: sa.Table) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return table.c.run_id == sa.bindparam("in_run"), table.c.key == sa.bindparam("in_key")
