"""The project's backlog and calibration: read for a compile, and made anew when a run has ended."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from autopack.journal.errors import StoreMissing, StoreOutdated
from autopack.plan import backlog, calibration
from autopack.plan.backlog import Backlog
from autopack.plan.calibration import Calibration
from autopack.plan.model import Plan
from autopack.plan.standing import KINDS, place_of, read_backlog, read_calibration

if TYPE_CHECKING:  # a plan of a project without runs needs none of these
    from autopack.journal.store import Standing, Store
    from autopack.run.state import RunState
    from autopack.runners import git

STORE = "autopack.db"


def fold(store: "Store", plan: Plan, run: "RunState", at: float) -> bool:
    """Let a run that has ended leave its issues and its grades, once; False when it had done so before."""
    from autopack.run.aging import Seen, aged  # noqa: PLC0415 - the machine, which a compile does without
    from autopack.run.grading import graded  # noqa: PLC0415 - see above

    if not run.done:
        return False
    frozen = store.frozen(plan.project, run.run_id) or {}
    landed = {
        name: phase.candidate.files
        for name, phase in run.phases.items()
        if phase.state == "COMPLETE" and phase.candidate is not None
    }
    seen = Seen(run.run_id, at, tuple(run.issues.values()), landed)

    def change(before: "Standing") -> "Standing":
        known = {**frozen, **before}
        return {
            backlog.FILE: backlog.dump(aged(read_backlog(known.get(backlog.FILE)), plan, seen)),
            calibration.FILE: calibration.dump(
                calibration.fold(read_calibration(known.get(calibration.FILE)), graded(plan, run))
            ),
        }

    return store.fold_run(plan.project, run.run_id, at, change)


def committed(repository: "git.Repository", commit: str) -> Mapping[str, str]:
    """What runs before have committed, as `commit` has it, by kind."""
    places = {place_of(kind): kind for kind in KINDS}
    found = repository.read_files(commit, places)
    return {places[path]: content.decode("utf-8", "replace") for path, content in found.items()}


def known(
    root: Path, folder: str, store: str, project: str, store_of: Path | None = None
) -> tuple[Backlog, Calibration]:
    """What a compile starts from: the store's, else the files that the checkout holds, else nothing.

    `store_of` is the project whose store counts where `root` is that project as it once was.
    """
    texts = _in_files(root) | dict(_in_store(store_at(store_of or root, folder, store), project))
    return read_backlog(texts.get(backlog.FILE)), read_calibration(texts.get(calibration.FILE))


def store_at(root: Path, folder: str, store: str) -> str:
    """The file or URL that a project's keys `artifacts.path` and `store` name."""
    return str(root / folder / STORE) if store == "sqlite" else store


def _in_store(place: str, project: str) -> Mapping[str, str]:
    if "://" not in place and not Path(place).is_file():
        return {}
    from autopack.journal.store import open_store  # noqa: PLC0415  half of a plan's time, where there is no store yet

    try:
        with open_store(place, create=False) as store:
            return store.all_standing(project)
    except (StoreMissing, StoreOutdated):
        return {}


def _in_files(root: Path) -> dict[str, str]:
    places = {kind: root / place_of(kind) for kind in KINDS}
    return {kind: path.read_text("utf-8", "replace") for kind, path in places.items() if path.is_file()}
