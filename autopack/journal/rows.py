"""What is written and read back, as plain values. Times are seconds since 1970, UTC."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

Body = Mapping[str, Any]
Told = object
"""What is written: fields, or the record they are of. Both have one canonical text."""


class RunRow(NamedTuple):
    """`summary` is the last one appended, None before the first; `last_seq` counts the run's events."""

    run_id: str
    project: str
    created_at: float
    plan_sha256: str
    state: str
    summary: Body | None
    last_seq: int


class EventRow(NamedTuple):
    """`after` is what the run was once it had believed the event: figures, and a digest of each part of its state."""

    seq: int
    type: str
    body: Body
    at: float
    hash: str
    after: Body | None = None


class Appended(NamedTuple):
    """Where an event has come to stand."""

    seq: int
    hash: str


class Intent(NamedTuple):
    """An effect about to be started. `token` marks its children's environment, so that a resume finds them.

    Both reservations are given for a paid call, neither for anything else.
    """

    key: str
    effect_type: str
    body: Told
    token: str
    reserved_tokens: int | None = None
    reserved_cost: Decimal | None = None


class IntentRow(NamedTuple):
    """`pid` and `pid_start` are None until the child is known to have started."""

    key: str
    effect_type: str
    body: Body
    at: float
    token: str
    pid: int | None
    pid_start: float | None


class AccountRow(NamedTuple):
    """A run as others have to count it. `last_at` is its last event's time, `allowance` what it was granted."""

    run_id: str
    project: str
    state: str
    summary: Body | None
    last_at: float
    allowance: Body | None


class CallRow(NamedTuple):
    """A paid call; without a reply it was in flight, or its driver died: maybe paid."""

    key: str
    reserved_tokens: int
    reserved_cost_usd: Decimal
    at: float
    reply: Body | None
    replied_at: float | None
