"""What earlier runs have left for a compile: the backlog and the calibration, and where they are committed."""

from autopack.plan import backlog, calibration, canonical
from autopack.plan.backlog import FOLDER, Backlog
from autopack.plan.calibration import Calibration

KINDS = (backlog.FILE, calibration.FILE)
"""What outlives runs: names of files, and of texts in the store."""


def place_of(kind: str) -> str:
    """Where the committed backlog and calibration are."""
    return f"{FOLDER}/{kind}"


def read_backlog(text: str | None) -> Backlog:
    """What can't be read is as good as none: it was written by another version, or by somebody else."""
    try:
        return backlog.load(text) if text else {}
    except canonical.NotThisShape:
        return {}


def read_calibration(text: str | None) -> Calibration:
    try:
        return calibration.load(text) if text else Calibration()
    except canonical.NotThisShape:
        return Calibration()
