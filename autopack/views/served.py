"""Runs as the REST interface shows them: the same numbers as `status --json`, under the names of the wire."""

import base64
import binascii
import hashlib
import json
from typing import Any

from autopack.drive import fold
from autopack.journal import tables
from autopack.journal.errors import JournalError
from autopack.journal.rows import RunRow
from autopack.journal.store import Store
from autopack.plan.model import Plan, load
from autopack.run import issues
from autopack.run.state import RunState
from autopack.runners.git import GitError, require_git
from autopack.views import external
from autopack.views.external import moment
from autopack.views.projection import PhaseView, RunView, TierView, view


class BadCursor(ValueError):
    """No page of ours has ended with this cursor."""


def runs(store: Store, cursor: str | None, limit: int) -> dict[str, Any]:
    """A page of all runs, oldest first; `next_cursor` None on the last one. Raises BadCursor."""
    found = store.runs_after(_place(cursor), limit + 1)
    page = found[:limit]
    return {
        "runs": [_listed(row) for row in page],
        "next_cursor": _cursor(page[-1]) if len(found) > limit else None,
    }


def run(store: Store, run_id: str) -> dict[str, Any]:
    """A run with its tiers and phases. Raises UnknownRun, JournalDamaged."""
    row, plan = store.run(run_id), load(store.plan(run_id))
    events = list(store.events(run_id))
    state = fold(plan, run_id, row.plan_sha256, ((event.type, event.body) for event in events))
    found = view(plan, state)
    said = external.told(store, row)
    phases = {phase.phase_id: _phase(plan, state, phase, said) for phase in found.phases}
    return {
        **_facts(row, plan, found),
        "created_at": moment(row.created_at),
        "started_at": moment(events[0].at) if events else None,
        "completed_at": moment(events[-1].at) if state.done else None,
        "ci_runs_used": state.ledger.ci_runs,
        "minor_issues_count": issues.count(state.issues, "minor"),
        "major_issues_count": issues.count(state.issues, "major"),
        "tiers": [_tier(number, tier, phases) for number, tier in enumerate(found.tiers, 1)],
    }


def health(store: Store) -> tuple[bool, dict[str, Any]]:
    """Whether all that a run needs of this machine is there, and each part by itself."""
    parts = {"store": _store_health(store), "git": _git_health(), "workers": dict(_WORKERS)}
    well = all(part["usable"] for part in parts.values())
    return well, {"status": "ok" if well else "failing", **parts}


_WORKERS = {"usable": True, "detail": "runs are driven by `autopack run`, each in a process of its own"}


def _store_health(store: Store) -> dict[str, Any]:
    identity = hashlib.sha256(f"autopack store {store.place}".encode()).hexdigest()[:16]
    found = {"revision": tables.REVISION, "identity": identity}
    try:
        store.look()
    except JournalError as error:
        return {"usable": False, "detail": error.fact, **found}
    return {"usable": True, "detail": "reached, and of the revision that this autopack knows", **found}


def _git_health() -> dict[str, Any]:
    try:
        require_git()
    except GitError as error:
        return {"usable": False, "detail": str(error)}
    return {"usable": True, "detail": "found, and new enough"}


def _listed(row: RunRow) -> dict[str, Any]:
    kept: Any = row.summary or {}
    return {
        "id": row.run_id,
        "project_id": row.project,
        "state": row.state,
        "playbook": kept.get("playbook"),
        "created_at": moment(row.created_at),
        "tokens_used": kept.get("tokens_used", 0),
        "cost_usd": kept.get("cost_usd", "0"),
        "phases_done": kept.get("phases_done", 0),
        "phases": kept.get("phases"),
        "failure_reason": kept.get("failure_reason"),
        "waiting_phases": sorted(kept.get("waits_for_client", {})),
    }


def _facts(row: RunRow, plan: Plan, found: RunView) -> dict[str, Any]:
    return {
        "id": found.run_id,
        "project_id": row.project,
        "state": found.state,
        "safety_profile": plan.safety_profile,
        "run_scope": plan.run_scope,
        "tokens_used": found.tokens_used,
        "token_cap": found.token_cap,
        "cost_usd": f"{found.cost_usd:f}",
        "promotion_eligible_to_main": found.promotion_eligible_to_main,
        "debt_status": found.debt_status,
        "failure_reason": found.failure_reason,
        "failure": found.failure,
        "integration_branch": found.integration_branch,
    }


def _tier(number: int, tier: TierView, phases: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return {
        "id": tier.tier_id,
        "tier_id": tier.tier_id,
        "name": tier.name,
        "state": tier.state,
        "tier_index": number,
        "cleanliness": tier.cleanliness,
        "why_not_clean": list(tier.why_not_clean),
        "minor_issues_count": tier.minor_issues,
        "major_issues_count": tier.major_issues,
        "tokens_used": tier.tokens_used,
        "token_cap": tier.token_cap,
        "cost_usd": f"{tier.cost_usd:f}",
        "ci_runs_used": tier.ci_runs,
        "ci_runs_cap": tier.ci_runs_cap,
        "phases": [phases[phase_id] for phase_id in tier.phases],
    }


def _phase(plan: Plan, state: RunState, phase: PhaseView, said: dict[str, Any]) -> dict[str, Any]:
    spec = plan.phase(phase.phase_id)
    return {
        "id": phase.phase_id,
        "phase_id": phase.phase_id,
        "name": phase.name,
        "state": phase.state,
        "task_category": spec.task_category,
        "complexity": spec.complexity,
        "builder_mode": spec.builder_mode,
        "builder_kind": spec.builder.kind,
        "phase_index": spec.index,
        "attempts": phase.attempts,
        "attempts_max": len(spec.ladder),
        "tokens_used": phase.tokens_used,
        "token_cap": phase.token_cap,
        "cost_usd": f"{phase.cost_usd:f}",
        "ci_runs_used": phase.ci_runs,
        "issue_state": _issue_state(state, phase.phase_id),
        "commit": phase.commit,
        "failure_reason": phase.failure_reason,
        "failure": phase.failure,
        "progress": said.get(phase.phase_id),
    }


def _issue_state(state: RunState, phase_id: str) -> str:
    for severity in ("major", "minor"):
        if issues.count(state.issues, severity, phase_id=phase_id):
            return f"has_{severity}_issues"
    return "no_issues"


def _cursor(row: RunRow) -> str:
    return base64.urlsafe_b64encode(json.dumps([row.created_at, row.run_id]).encode()).decode()


def _place(cursor: str | None) -> tuple[float, str] | None:
    if cursor is None:
        return None
    try:
        then, name = json.loads(base64.b64decode(cursor, altchars=b"-_", validate=True))
        if not isinstance(name, str) or "\0" in name or isinstance(then, bool) or not abs(then) < 1e15:
            raise BadCursor(cursor)
        return float(then), name
    except (binascii.Error, ValueError, TypeError, RecursionError) as error:
        raise BadCursor(cursor) from error
