"""The project's backlog: issues that outlived their run, and since when.

A run's end folds what it saw into the backlog (the journal's side keeps it); a compile reads it, so that an issue that
keeps coming back counts for more or gets a phase of its own. The file is `project_issue_backlog.json`.
"""

from collections.abc import Mapping
from typing import Literal

from autopack.plan import canonical
from autopack.spec.record import record

FORMAT_VERSION = 1
FOLDER = ".autopack"
"""Where runs commit issue files, backlog and calibration."""
FILE = "project_issue_backlog.json"


@record
class BacklogEntry:
    """One issue over all runs. Ages count distinct runs and distinct tiers; `tiers` are those, as `playbook/tier`.

    `phase_id`, `task_category` and `complexity` are of the phase that saw it last. `paths` are the files it is about.
    `last_seen_at` is UTC, as 2027-01-31T12:00:00Z. `resolved_by` is the run that showed it gone.
    """

    issue_key: str
    base_severity: Literal["minor", "major"]
    category: str
    task_category: str
    complexity: str
    description: str
    phase_id: str
    tiers: tuple[str, ...]
    paths: tuple[str, ...]
    age_in_runs: int
    age_in_tiers: int
    occurrence_count: int
    first_seen_run: str
    last_seen_run: str
    last_seen_at: str
    resolved_by: str | None = None


Backlog = Mapping[str, BacklogEntry]
EMPTY: Backlog = {}


@record
class _File:
    format_version: int
    issues: tuple[BacklogEntry, ...]


def dump(backlog: Backlog) -> str:
    """The file's text: canonical, one line, the issues by key."""
    return canonical.text(_File(FORMAT_VERSION, tuple(backlog[key] for key in sorted(backlog)))) + "\n"


def load(text: str) -> Backlog:
    """Raises canonical.NotThisShape, also for an issue that is there twice."""
    file = canonical.load(_File, text)
    if file.format_version != FORMAT_VERSION:
        raise canonical.NotThisShape("format_version", f"{file.format_version} where {FORMAT_VERSION} belongs")
    found = {entry.issue_key: entry for entry in file.issues}
    if len(found) < len(file.issues):
        raise canonical.NotThisShape("issues", "one issue_key is there twice")
    return found


def digest(backlog: Backlog) -> str | None:
    """What a plan records of the backlog it was compiled with; None where there was none."""
    return canonical.digest(_File(FORMAT_VERSION, tuple(backlog[key] for key in sorted(backlog)))) if backlog else None
