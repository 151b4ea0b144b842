"""The folder a run leaves behind: `.autonomous_runs/<run_id>/`. Each file is written whole or not at all."""

import json
from pathlib import Path
from typing import Any

from autopack.journal.durable import write
from autopack.journal.export import export
from autopack.journal.store import Store
from autopack.plan import canonical
from autopack.plan.model import Plan
from autopack.run import issues
from autopack.run.state import RunState
from autopack.runners.redact import redact
from autopack.views import text
from autopack.views.projection import RunView, summary, view


def prepare(folder: Path) -> None:
    """The artifacts folder, kept out of the user's commits by a .gitignore of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        write(ignore, b"# runs are records, not sources\n*\n")


def finish(folder: Path, store: Store, plan: Plan, run: RunState) -> None:
    """All files of a run that has ended, in the run's own folder; written again they are the same."""
    found = view(plan, run)
    write(folder / "plan.json", canonical.text(plan).encode())
    export(store, run.run_id, folder / "events.jsonl")
    write(folder / "run_summary.json", _pretty(summary(found, str(folder))))
    write(folder / "run_summary.md", text.run_markdown(found).encode())
    for tier in plan.tiers:
        name = f"tier_{tier.index:02d}_{tier.tier_id}.md"
        write(folder / "tiers" / name, text.tier_markdown(found, tier.tier_id).encode())
    for phase in plan.phases:
        name = f"phase_{phase.index:02d}_{phase.phase_id}"
        write(folder / "phases" / f"{name}.md", text.phase_markdown(plan, run, phase.phase_id).encode())
        write(folder / "issues" / f"{name}_issues.json", _pretty(_phase_issues(run, plan, phase.phase_id)))
        _blobs(folder, store, run, phase.phase_id, name)
    write(folder / "issues" / "run_issue_index.json", _pretty(_issue_index(run)))
    if run.state != "DONE_SUCCESS":
        _incident(folder / "incident", store, plan, run, found)


def _blobs(folder: Path, store: Store, run: RunState, phase_id: str, name: str) -> None:
    """The patch that landed (or was last tried) and what its CI printed."""
    phase = run.phases[phase_id]
    if phase.candidate is not None:
        write(folder / "patches" / f"{name}.diff", store.blob(phase.candidate.patch))
    for log, blob in (phase.ci.logs if phase.ci else {}).items():
        write(folder / "ci" / name / _safe(log), store.blob(blob))


def _incident(folder: Path, store: Store, plan: Plan, run: RunState, found: RunView) -> None:
    """What somebody needs who was not there: the facts, every failed phase's evidence, and how to go on."""
    write(folder / "README.md", redact(text.incident_markdown(run, found)).encode())
    write(folder / "summary.json", _pretty(summary(found, None)))
    write(folder / "plan.json", canonical.text(plan).encode())
    export(store, run.run_id, folder / "events.jsonl")
    for phase in run.phases.values():
        if phase.state != "FAILED":
            continue
        for number, item in enumerate(phase.evidence, 1):
            body = store.blob(item.blob).decode("utf-8", "replace") if item.blob else ""
            words = f"{item.kind}: {item.text}\n\n{body}"
            write(folder / "evidence" / f"{phase.phase_id}_{number:02d}_{item.kind}.txt", redact(words).encode())


def _phase_issues(run: RunState, plan: Plan, phase_id: str) -> dict[str, Any]:
    found = [issue for issue in run.issues.values() if phase_id in issue.phases]
    minors = issues.count(run.issues, "minor", phase_id=phase_id)
    majors = issues.count(run.issues, "major", phase_id=phase_id)
    state = "has_major_issues" if majors else "has_minor_issues" if minors else "no_issues"
    return {
        "phase_id": phase_id,
        "tier_id": plan.phase(phase_id).tier_id,
        "issues": [_issue(run, issue) for issue in found],
        "minor_issue_count": minors,
        "major_issue_count": majors,
        "issue_state": state,
    }


def _issue(run: RunState, issue: issues.Issue) -> dict[str, Any]:
    shown = (
        "issue_key",
        "severity",
        "effective_severity",
        "source",
        "category",
        "task_category",
        "complexity",
        "occurrence_count",
        "evidence_refs",
        "description",
        "resolved",
    )
    told = {name: canonical.plain(getattr(issue, name)) for name in shown}
    return told | {"expected_fail": False, "first_seen_run": run.run_id, "last_seen_run": run.run_id}


def _issue_index(run: RunState) -> dict[str, Any]:
    def entry(issue: issues.Issue) -> dict[str, Any]:
        return {
            "category": issue.category,
            "severity": issue.severity,
            "effective_severity": issue.effective_severity,
            "first_phase_index": issue.first_phase_index,
            "last_phase_index": issue.last_phase_index,
            "occurrence_count": issue.occurrence_count,
            "seen_in_tiers": list(issue.tiers),
            "seen_in_phases": list(issue.phases),
        }

    return {"run_id": run.run_id, "issues_by_key": {key: entry(run.issues[key]) for key in sorted(run.issues)}}


def _pretty(value: object) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"


def _safe(name: str) -> str:
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)
