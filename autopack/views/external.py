"""What a client from outside is offered of a run, and what it may say: server and driver meet in the store.

Which phases wait for a client stands in the run's row, which the driver writes with every event in one transaction. So
nothing is offered that the machine does not wish for, also after a crash, a cancel or a deadline.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

from autopack.journal import outside
from autopack.journal.outside import Answered, NotYours, OutsideRow
from autopack.journal.rows import IntentRow, RunRow
from autopack.journal.store import Store
from autopack.plan.model import Plan, PlanPhase, load
from autopack.runners.outside import result
from autopack.runners.redact import hidden, redact, withheld
from autopack.runners.request import Assembled

RETRY_AFTER_S = 5
"""When a client that was offered nothing may ask again."""

__all__ = ["Answered", "NotPending", "NotYours", "Submitted", "UnknownPhase", "next_phase", "progress", "submit"]


class UnknownPhase(LookupError):
    """The run's plan has no phase of this name."""


class NotPending(Exception):
    """The phase waits for no client now; the message says why."""


class Submitted(NamedTuple):
    """A result as a client hands it in, without its patch and notes; `delivery` is the key it gave, if any."""

    status: str
    issues: Sequence[Mapping[str, Any]]
    tokens: int
    claims: Mapping[str, Any]
    delivery: str | None


def next_phase(store: Store, run_id: str, holder: str, now: float, lease_s: float) -> dict[str, Any]:
    """What the client should do next, leased to it; `phase` None where there is nothing. Raises UnknownRun."""
    row = store.run(run_id)
    waiting = _waiting(store, row)
    leased = outside.lease(store, run_id, list(waiting), holder, now, lease_s) if waiting else None
    offered = None
    if leased is not None:
        offered = _offer(store, load(store.plan(run_id)), run_id, waiting[leased.key], leased)
    return {
        "run_id": run_id,
        "run_state": row.state,
        "phase": offered,
        "waiting_phases": len(waiting),
        "retry_after_seconds": None if leased is not None or row.state.startswith("DONE_") else RETRY_AFTER_S,
    }


def submit(
    store: Store, run_id: str, phase_id: str, holder: str, now: float, patch: str | None, notes: str, said: Submitted
) -> dict[str, Any]:
    """Keep the result for the driver. Raises UnknownRun, UnknownPhase, NotPending, NotYours, Answered.

    The same one once more, under the same delivery key, is answered as before.
    """
    delivery = _delivery(said, patch, notes)
    row = store.run(run_id)
    try:
        asked = _asked(store, row, phase_id)
    except NotPending:
        if delivery is not None and (known := _delivered(store, row, phase_id, delivery)) is not None:
            return known
        raise
    kept = result(
        status=said.status,
        patch=None if said.status == "failed" else store.put_blob(withheld(patch or "").encode()),
        notes=store.put_blob(redact(notes).encode()) if notes else None,
        issues=said.issues,
        tokens=said.tokens,
        claims=hidden(dict(said.claims)),
        delivery=delivery,
    )
    try:
        outside.hand_in(store, run_id, asked.key, holder, now, kept)
    except Answered as error:
        if delivery is None or (error.row.answer or {}).get("delivery") != delivery:
            raise
    return _receipt(run_id, asked)


def progress(
    store: Store, run_id: str, phase_id: str, holder: str, now: float, said: Mapping[str, Any]
) -> dict[str, Any]:
    """Keep how far the client is. Raises as `submit` does."""
    row = store.run(run_id)
    asked = _asked(store, row, phase_id)
    kept = outside.progress(store, run_id, asked.key, holder, now, hidden({**said, "at": moment(now)}))
    return {**_receipt(run_id, asked), "lease": _lease(kept)}


def told(store: Store, row: RunRow) -> dict[str, Any]:
    """By phase that waits, what its client last said of its progress."""
    waiting = _waiting(store, row)
    known = outside.rows(store, row.run_id) if waiting else {}
    return {
        str(intent.body["phase_id"]): found.progress
        for key, intent in waiting.items()
        if (found := known.get(key)) is not None and found.progress is not None
    }


def moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds")


def _waiting(store: Store, row: RunRow) -> dict[str, IntentRow]:
    """What clients are asked now, by key, oldest first. What no driver has begun yet is not offered."""
    keys = (row.summary or {}).get("waits_for_client", {}).values()
    if row.state.startswith("DONE_"):
        return {}
    found = [intent for key in keys if (intent := store.intent(row.run_id, key)) is not None]
    return {intent.key: intent for intent in sorted(found, key=lambda each: (each.at, str(each.body["phase_id"])))}


def _asked(store: Store, row: RunRow, phase_id: str) -> IntentRow:
    for intent in _waiting(store, row).values():
        if intent.body["phase_id"] == phase_id:
            return intent
    phase = _phase(load(store.plan(row.run_id)), phase_id)
    if phase.builder.kind != "external":
        raise NotPending(f'phase "{phase_id}" is not built by a client: its builder is of kind {phase.builder.kind}')
    raise NotPending(f'phase "{phase_id}" of run {row.run_id} ({row.state}) waits for no client now')


def _delivered(store: Store, row: RunRow, phase_id: str, delivery: Mapping[str, str]) -> dict[str, Any] | None:
    """The receipt of this very delivery, which the driver has believed meanwhile."""
    for key, found in outside.rows(store, row.run_id).items():
        intent = store.intent(row.run_id, key)
        same = found.answer is not None and found.answer["delivery"] == delivery
        if same and intent is not None and intent.body["phase_id"] == phase_id:
            return _receipt(row.run_id, intent)
    return None


def _delivery(said: Submitted, patch: str | None, notes: str) -> dict[str, str] | None:
    if said.delivery is None:
        return None
    text = repr((said.status, patch, notes, said.issues, said.tokens, sorted(said.claims.items())))
    return {"key": said.delivery, "sha256": hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()}


def _phase(plan: Plan, phase_id: str) -> PlanPhase:
    for phase in plan.phases:
        if phase.phase_id == phase_id:
            return phase
    raise UnknownPhase(phase_id)


def _receipt(run_id: str, asked: IntentRow) -> dict[str, Any]:
    return {"run_id": run_id, "phase_id": asked.body["phase_id"], "attempt": asked.body["attempt"], "accepted": True}


def _lease(row: OutsideRow) -> dict[str, Any]:
    return {"holder": row.holder, "until": None if row.until is None else moment(row.until)}


def _offer(store: Store, plan: Plan, run_id: str, asked: IntentRow, leased: OutsideRow) -> dict[str, Any]:
    phase = _phase(plan, str(asked.body["phase_id"]))
    messages = Assembled.load(store.blob(asked.body["request"])).messages
    return {
        "phase_id": phase.phase_id,
        "phase_index": phase.index,
        "tier_id": phase.tier_id,
        "name": phase.name,
        "description": redact(phase.goal),
        "acceptance_criteria": [redact(each) for each in phase.acceptance],
        "deliverables": list(phase.deliverables),
        "scope": {"write": list(phase.write), "read": list(phase.read)},
        "task_category": phase.task_category,
        "complexity": phase.complexity,
        "builder_mode": phase.builder_mode,
        "attempt": asked.body["attempt"],
        "attempts_max": len(phase.attempts),
        "base_commit": asked.body["base"],
        "integration_branch": plan.branch(run_id),
        "instructions": "\n\n".join(text for _, text in messages),
        "evidence": [_evidence(store, each) for each in asked.body["evidence"]],
        "timeout_seconds": phase.builder.timeout_s,
        "lease": _lease(leased),
    }


def _evidence(store: Store, found: Mapping[str, Any]) -> dict[str, Any]:
    details = store.blob(found["blob"]).decode("utf-8", "replace") if found["blob"] else None
    return {
        "kind": found["kind"],
        "text": redact(found["text"]),
        "details": None if details is None else redact(details),
    }
