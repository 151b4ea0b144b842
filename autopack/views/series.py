"""A plan of several runs: one after the other, each from the head of what the one before has landed.

Their names are `<run_id>-1`, `-2` and so on; the whole plan is kept in the folder `<run_id>`, so that a series that was
interrupted goes on from its name alone. The first run that does not succeed ends it: what the others need is not there.
"""

from pathlib import Path
from typing import Any

from autopack.journal.durable import write
from autopack.journal.errors import StoreMissing, StoreUnusable, UnknownRun
from autopack.plan import canonical, file
from autopack.plan.model import Plan, part, pinned
from autopack.run.state import RunState
from autopack.views import launch
from autopack.views.projection import summary, view

KEPT = "series.json"


def begin(place: launch.Place, plan: Plan, run_id: str, options: launch.Options, observe: launch.Observe) -> RunState:
    """Every run of the plan, as far as they succeed; the state of the last. Raises as `launch.begin` does."""
    kept = _kept(place, run_id)
    if kept.exists():
        raise launch.NotStarted(f"runs called {run_id} exist already; name others with --run-id, or resume those")
    launch.prepare(place.folder)
    write(kept, file.dump(plan).encode())
    return _onward(place, plan, run_id, options, observe)


def go_on(place: launch.Place, run_id: str, observe: launch.Observe) -> RunState:
    """A series that an earlier driver left."""
    plan = known(place, run_id)
    if plan is None:
        raise launch.NotStarted(f"no runs are called {run_id}")
    return _onward(place, plan, run_id, launch.kept(place.run_folder(name_of(run_id, 1))), observe)


def known(place: launch.Place, run_id: str) -> Plan | None:
    """The whole plan of a series; None where nothing was begun under this name, or a run that is alone."""
    try:
        return file.load(_kept(place, run_id).read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (canonical.NotThisShape, UnicodeDecodeError) as error:
        action = "Put it back from a backup, or start new runs."
        raise StoreUnusable(str(_kept(place, run_id)), f"no frozen plan: {error}", action, reason="damaged") from None


def name_of(run_id: str, number: int) -> str:
    return f"{run_id}-{number}"


def told(place: launch.Place, plan: Plan, run_id: str) -> list[tuple[Plan, RunState]]:
    """The runs that were begun, in order."""
    found = []
    for number in range(1, len(plan.runs) + 1):
        try:
            found.append(launch.peek(place, name_of(run_id, number)))
        except (UnknownRun, StoreMissing):
            break
    return found


def document(place: launch.Place, plan: Plan, run_id: str) -> dict[str, Any]:
    """For programs: how it stands as a whole, and the summary of every run that was begun."""
    begun = told(place, plan, run_id)
    last = begun[-1][1] if begun else None
    names = [name_of(run_id, number) for number in range(len(begun) + 1, len(plan.runs) + 1)]
    return {
        "run_id": run_id,
        "state": _state(plan, begun),
        "failure_reason": last.failure.reason if last is not None and last.failure else None,
        "head": last.head if last is not None else None,
        "runs": [summary(view(own, run), str(place.run_folder(run.run_id))) for own, run in begun],
        "not_started": names,
    }


def _state(plan: Plan, begun: list[tuple[Plan, RunState]]) -> str:
    """Of several runs the last one speaks; success only when there is nothing left to start."""
    if not begun:
        return "RUN_CREATED"
    last = begun[-1][1].state
    return "PHASE_QUEUEING" if last == "DONE_SUCCESS" and len(begun) < len(plan.runs) else last


def _onward(place: launch.Place, plan: Plan, run_id: str, options: launch.Options, observe: launch.Observe) -> RunState:
    state: RunState | None = None
    for number in range(1, len(plan.runs) + 1):
        name, own = name_of(run_id, number), part(plan, number)
        try:
            launch.peek(place, name)
        except (UnknownRun, StoreMissing):
            state = _begun(place, own, name, options, observe, state)
        else:
            state = launch.take_up(place, name, observe)
        if state.state != "DONE_SUCCESS":
            break
    assert state is not None
    return state


def _begun(
    place: launch.Place,
    own: Plan,
    name: str,
    options: launch.Options,
    observe: launch.Observe,
    before: RunState | None,
) -> RunState:
    if before is None:
        return launch.begin(place, own, name, options, observe)
    return launch.go_on(place, pinned(own, before.head), name, options, observe)


def _kept(place: launch.Place, run_id: str) -> Path:
    return place.run_folder(run_id) / KEPT
