"""`autopack validate`, without the command line library: it is run in editors and hooks, so its start-up counts."""

import os
import sys
import time
from collections.abc import Sequence

from autopack.problem import Problem
from autopack.problem.report import FORMATS, render
from autopack.spec.load import check

FINDINGS, USAGE = 1, 2
SEVERITIES = ("error", "warning", "info")


def run(
    paths: Sequence[str],
    form: str | None = None,
    colour: bool | None = None,  # noqa: FBT001 - called from the click-free entry
    *,
    codes: Sequence[str] = (),
    ignore: Sequence[str] = (),
    fail_on: str = "error",
    env: str | None = None,
) -> int:
    """Check the paths (none: the whole project here; `-`: standard input), print findings, return the exit code.

    `codes` and `ignore` are codes or their beginnings (`AP2`); `fail_on` is the least severity that makes it 1.
    """
    form = form or ("github" if os.environ.get("GITHUB_ACTIONS") == "true" and "github" in FORMATS else "full")
    if form not in FORMATS:
        print(f"autopack validate: no format is called {form!r}; there are {', '.join(FORMATS)}", file=sys.stderr)
        return USAGE
    stdin = sys.stdin.buffer.read() if "-" in paths else None
    found = check(os.getcwd(), list(paths) or None, stdin=stdin, today=_today(), env=env)
    problems = [p for p in found.problems if _wanted(p, codes, ignore)]
    sources = {path: document.text for path, document in found.documents.items()}
    painted = colour is not False and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    print(render(problems, sources, form, painted, len(found.files), found.not_checked))
    grave = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return FINDINGS if any(problem.severity in grave for problem in problems) else 0


def _today() -> str:
    """Local date, 2027-01-31: what has expired is judged where the person is. `datetime` would cost 3 ms of import."""
    return time.strftime("%Y-%m-%d")


def _wanted(problem: Problem, codes: Sequence[str], ignore: Sequence[str]) -> bool:
    asked = not codes or problem.code.startswith(tuple(codes))
    return asked and not (ignore and problem.code.startswith(tuple(ignore)))
