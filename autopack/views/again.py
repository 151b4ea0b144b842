"""`autopack rerun`: a plan compiled anew that takes over what an earlier run has landed and nothing has changed of."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from autopack.journal.store import open_store
from autopack.plan.model import Carried, Plan, part
from autopack.plan.reuse import Earlier, Verdict
from autopack.plan.select import subset
from autopack.run.continued import earlier as known_of
from autopack.run.state import RunState
from autopack.runners import git
from autopack.views import launch
from autopack.views.differences import said
from autopack.views.table import blocks, paragraph


@dataclass(frozen=True, slots=True)
class Ended:
    """A run that is over, as `rerun` needs it."""

    plan: Plan
    run: RunState
    earlier: Earlier


def ended(place: launch.Place, run_id: str) -> Ended:
    """Raises NotStarted, UnknownRun, GitError."""
    plan, run = launch.peek(place, run_id)
    if not run.done:
        raise launch.NotStarted(f"run {run_id} has not ended; go on with: autopack resume {run_id}")
    commits = {phase.commit: name for name, phase in run.phases.items() if phase.state == "COMPLETE" and phase.commit}
    taken_over = [(carried.phase_id, carried.commit) for carried in plan.carried]
    line = git.commits_between(place.repository, str(plan.base_commit), run.head)
    landed = (*taken_over, *((commits[each], each) for each in line if each in commits))
    missing = {name: _missing(run, name) for name, phase in run.phases.items() if phase.state != "COMPLETE"}
    return Ended(plan, run, Earlier(run_id, plan, landed, missing))


def comparable(found: Ended, new: Plan) -> Plan:
    """The part of a new plan that the run was about: one of several runs, or what had been selected for it."""
    if new.runs:
        mine = {phase.phase_id for phase in found.plan.phases}
        number = max(range(len(new.runs)), key=lambda n: len(mine.intersection(new.runs[n].phases)))
        new = part(new, number + 1)
    if found.plan.assumed:
        return subset(new, [phase.phase_id for phase in found.plan.phases])
    return new


def continuing(found: Ended, new: Plan, verdicts: Sequence[Verdict]) -> Plan:
    """The plan to run, from the last commit that is taken over. Raises NotStarted where a need would be missing."""
    carried = {verdict.phase_id: verdict.commit for verdict in verdicts if verdict.commit is not None}
    wanted = [verdict.phase_id for verdict in verdicts if verdict.kind == "run"]
    left = {verdict.phase_id for verdict in verdicts if verdict.kind == "left out"}
    for name in wanted:
        if missing := [need for need in new.phase(name).needs if need in left]:
            fact = f"{name} needs {missing[0]}, which is neither selected nor taken over from {found.run.run_id}"
            raise launch.NotStarted(f"{fact}; select +{name}")
    before = {each.phase_id: each.run_id for each in found.plan.carried}
    known = known_of(found.plan, found.run)
    issues = tuple(issue for issue in known.open_issues if issue.phase_id in carried)
    order = [name for name, _ in found.earlier.landed if name in carried]
    return replace(
        subset(new, [*carried, *wanted]),
        base_commit=carried[order[-1]] if order else None,
        carried=tuple(Carried(name, before.get(name, found.run.run_id), str(carried[name])) for name in order),
        continues=replace(known, open_issues=issues) if order else None,
    )


def screen(run_id: str, verdicts: Sequence[Verdict], width: int | None = None) -> str:
    """A line for each phase and reason, as `make -n` would say it."""
    counts = {kind: sum(v.kind == kind for v in verdicts) for kind in ("carried", "run", "left out")}
    said_counts = ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)
    rows = [(v.kind, v.phase_id, (v.commit or "-")[:12], "; ".join(v.reasons)) for v in verdicts]
    lines = blocks(("", "phase", "commit", "why"), rows, frozenset(), width)
    found = [f"rerun of {run_id}: {said_counts}", next(lines)]
    for line, verdict in zip(lines, verdicts, strict=True):
        found.append(line)
        found += [paragraph(f"    {said(change)}", width) for change in verdict.changes[:FIELDS_MAX]]
        if len(verdict.changes) > FIELDS_MAX:
            found.append(f"    and {len(verdict.changes) - FIELDS_MAX} more; --json has all")
    return "\n".join(found)


FIELDS_MAX = 6


def document(run_id: str, verdicts: Sequence[Verdict]) -> Mapping[str, object]:
    return {"format_version": 1, "rerun_of": run_id, "phases": list(verdicts)}


def _missing(run: RunState, name: str) -> str:
    phase = run.phases[name]
    return f"{phase.state} ({phase.failure.message})" if phase.failure else phase.state


def options_of(place: launch.Place, run_id: str) -> launch.Options:
    """What the earlier run was started with."""
    return launch.kept(place.run_folder(run_id))


def name_for(place: launch.Place, run_id: str) -> str:
    """`run-r1` and so on, the first that is free."""
    with open_store(place.store, create=False) as store:
        return launch.next_run_id(run_id, {each.run_id for each in store.runs()})
