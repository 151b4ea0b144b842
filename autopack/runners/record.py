"""What is committed beside the code: a run's issue files, the project's backlog and its calibration.

They lie under `.autopack/`, which no phase may write. A landing starts from what the one before it has committed; the
run's first from what stood when the run was created. So the same landing makes the same files whenever it is repeated.
"""

from collections.abc import Mapping

from autopack.plan import backlog, calibration
from autopack.plan.backlog import FOLDER, Backlog
from autopack.plan.model import Plan
from autopack.plan.standing import place_of, read_backlog, read_calibration
from autopack.run import records
from autopack.run.aging import Seen, aged
from autopack.run.effects import Land

PREFIX = f"{FOLDER}/"


def folder_of(run_id: str) -> str:
    return f"{FOLDER}/issues/{run_id}"


def files(
    plan: Plan,
    run_id: str,
    landing: Land,
    changed: tuple[str, ...],
    standing: Mapping[str, str],
    committed: Mapping[str, str],
    at: float,
) -> dict[str, bytes]:
    """Path -> content of what lands with the phase. `changed` are the files of its patch, `standing` what stood before
    the run, `committed` what is at the head it lands on; both by kind.
    """
    earlier = read_backlog(standing.get(backlog.FILE))
    seen = Seen(run_id, at, landing.issues, {landing.phase_id: changed})
    known = _still_resolved(aged(earlier, plan, seen), read_backlog(committed.get(backlog.FILE)), run_id)
    first = landing.head == plan.base_commit
    graded = read_calibration((standing if first else committed).get(calibration.FILE))
    observed = () if landing.observed is None else (landing.observed,)
    texts = {
        backlog.FILE: backlog.dump(known),
        calibration.FILE: calibration.dump(calibration.fold(graded, observed)),
    }
    phases = {landing.phase_id, *(name for issue in landing.issues for name in issue.phases)}
    made = {
        records.phase_file(plan, name): records.phase_issues(plan, run_id, landing.issues, name, earlier)
        for name in sorted(phases)
    }
    made[records.INDEX] = records.index(run_id, landing.issues)
    return {
        **{f"{folder_of(run_id)}/{name}": records.pretty(value) for name, value in made.items()},
        **{place_of(kind): text.encode() for kind, text in texts.items()},
    }


def _still_resolved(now: Backlog, committed: Backlog, run_id: str) -> Backlog:
    """What an earlier landing of this run has shown to be gone stays so, unless the run has seen it since."""
    return {
        name: committed[name]
        if entry.resolved_by is None
        and entry.last_seen_run != run_id
        and name in committed
        and committed[name].resolved_by == run_id
        else entry
        for name, entry in now.items()
    }
