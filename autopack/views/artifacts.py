"""The folder a run leaves behind: `.autonomous_runs/<run_id>/`. Each file is written whole or not at all."""

import json
from pathlib import Path

from autopack.journal.durable import sweep, write
from autopack.journal.export import export
from autopack.journal.store import Store
from autopack.plan import canonical
from autopack.plan.backlog import FILE as BACKLOG
from autopack.plan.model import Plan
from autopack.plan.standing import read_backlog
from autopack.plan.strategy import FILE as STRATEGY
from autopack.plan.strategy import strategy
from autopack.run import records
from autopack.run.state import RunState
from autopack.views import promotion_text, text
from autopack.views.incident import pack, safe
from autopack.views.projection import summary, view


def prepare(folder: Path) -> None:
    """The artifacts folder, kept out of the user's commits by a .gitignore of its own."""
    folder.mkdir(parents=True, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        write(ignore, b"# runs are records, not sources\n*\n")


def finish(folder: Path, store: Store, plan: Plan, run: RunState) -> None:
    """All files of a run that has ended, in the run's own folder; written again, anywhere, they are the same."""
    found = view(plan, run)
    earlier = read_backlog((store.frozen(plan.project, run.run_id) or {}).get(BACKLOG))
    write(folder / "plan.json", canonical.text(plan).encode())
    write(folder / STRATEGY, _pretty(strategy(plan)))
    export(store, run.run_id, folder / "events.jsonl")
    write(folder / "run_summary.json", _pretty(summary(found, None)))
    write(folder / "run_summary.md", text.run_markdown(found).encode())
    write(folder / "promotion.md", promotion_text.markdown(plan, run).encode())
    for tier in plan.tiers:
        name = f"tier_{tier.index:02d}_{tier.tier_id}.md"
        write(folder / "tiers" / name, text.tier_markdown(found, tier.tier_id).encode())
    for phase in plan.phases:
        name = f"phase_{phase.index:02d}_{phase.phase_id}"
        write(folder / "phases" / f"{name}.md", text.phase_markdown(plan, run, phase.phase_id).encode())
        found_issues = records.phase_issues(plan, run.run_id, run.issues.values(), phase.phase_id, earlier)
        write(folder / "issues" / records.phase_file(plan, phase.phase_id), records.pretty(found_issues))
        _blobs(folder, store, run, phase.phase_id, name)
    write(folder / "issues" / "run_issue_index.json", records.pretty(records.index(run.run_id, run.issues.values())))
    sweep(folder)
    if run.state != "DONE_SUCCESS":
        pack(folder / "incident", store, plan, run, found)


def _blobs(folder: Path, store: Store, run: RunState, phase_id: str, name: str) -> None:
    """The patch that landed (or was last tried) and what its CI printed."""
    phase = run.phases[phase_id]
    if phase.candidate is not None:
        write(folder / "patches" / f"{name}.diff", store.blob(phase.candidate.patch))
    for log, blob in (phase.ci.logs if phase.ci else {}).items():
        write(folder / "ci" / name / safe(log), store.blob(blob))


def _pretty(value: object) -> bytes:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False).encode() + b"\n"
