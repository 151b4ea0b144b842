"""The hash chain over a run's events, and the text an event is hashed as.

An event's line is the canonical JSON of {"after", "at", "body", "seq", "type"}, without "after" where nothing was
recorded; its hash is the sha256 of the hash before it
followed by that line. The hash before the first event is the plan's digest, so a run's events can't be moved under
another plan.
"""

import hashlib
import json

from autopack.plan import canonical


def body_text(body: object) -> str:
    """Canonical JSON that every store can hold.

    File names and child output decoded with surrogateescape hold halves of surrogate pairs, which UTF-8 refuses;
    as a JSON escape they survive.
    """
    return canonical.text(body)


def line(seq: int, type_name: str, body: str, at: float, after: str | None = None) -> str:
    """The canonical text of an event whose body, and what came `after` it, is canonical text already."""
    recorded = "" if after is None else f'"after":{after},'
    return f'{{{recorded}"at":{at!r},"body":{body},"seq":{seq},"type":{json.dumps(type_name, ensure_ascii=False)}}}'


def link(previous: str, seq: int, type_name: str, body: str, at: float, after: str | None = None) -> str:
    """The hash of an event that follows the one with hash `previous`."""
    return hashlib.sha256((previous + line(seq, type_name, body, at, after)).encode()).hexdigest()
