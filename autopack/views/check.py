"""`autopack validate`, without the command line library: it is run in editors and hooks, so its start-up counts."""

import os
import sys
import time
from collections.abc import Sequence

from autopack.problem import Problem, Span
from autopack.problem.report import FORMATS, render
from autopack.spec.document import BYTES_MAX, readable
from autopack.spec.load import STDIN, Checked, check

FINDINGS, USAGE = 1, 2
SEVERITIES = ("error", "warning", "info")
WITH_NAMES = ("sarif", "gitlab")
REPOSITORY = ("GITHUB_WORKSPACE", "CI_PROJECT_DIR")  # where CI servers say in which folder they put it


def run(
    paths: Sequence[str],
    form: str | None = None,
    colour: bool | None = None,  # noqa: FBT001 - called from the click-free entry
    *,
    codes: Sequence[str] = (),
    ignore: Sequence[str] = (),
    fail_on: str = "error",
) -> int:
    """Check the paths (none: the whole project here; `-`: standard input), print findings, return the exit code.

    `codes` and `ignore` are codes or their beginnings (`AP2`); `fail_on` is the least severity that makes it 1.
    """
    form = form or ("github" if os.environ.get("GITHUB_ACTIONS") == "true" and "github" in FORMATS else "full")
    if form not in FORMATS:
        print(f"autopack validate: no format is called {form!r}; there are {', '.join(FORMATS)}", file=sys.stderr)
        return USAGE
    stdin = sys.stdin.buffer.read() if "-" in paths else None
    found = check(os.getcwd(), list(paths) or None, stdin=stdin, today=_today())
    problems = [p for p in found.problems if _wanted(p, codes, ignore)]
    painted = colour is not False and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    names = _names(found, problems) if form in WITH_NAMES else {}
    sources = _sources(found, problems, stdin)
    sys.stdout.write(
        render(problems, sources, form, painted, len(found.files), found.not_checked, within=_within(), names=names)
    )
    grave = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return FINDINGS if any(problem.severity in grave for problem in problems) else 0


def _sources(found: Checked, problems: Sequence[Problem], stdin: bytes | None) -> dict[str, str]:
    """The text of each file, also of those whose text was no document."""
    sources = {path: document.text for path, document in found.documents.items()}
    for path in {problem.span.path for problem in problems if problem.span} - sources.keys():
        if path == STDIN:
            sources[path] = readable(stdin or b"")
        else:
            with open(path, "rb") as file:  # it has been read before, so it is a regular file
                sources[path] = readable(file.read(BYTES_MAX))
    return sources


def _names(found: Checked, problems: Sequence[Problem]) -> dict[Span, str]:
    from autopack.views import outline  # noqa: PLC0415 - most formats do without

    return outline.names(found.documents, problems)


def _within() -> str:
    """The folder of the repository that this runs in, as far as a CI server tells."""
    roots = [os.path.realpath(os.environ[name]) for name in REPOSITORY if os.environ.get(name)]
    folders = [os.path.relpath(os.getcwd(), root).replace(os.sep, "/") for root in roots]
    return next((folder for folder in folders if folder.split("/")[0] not in (".", "..")), "")


def _today() -> str:
    """Local date, 2027-01-31: what has expired is judged where the person is. `datetime` would cost 3 ms of import."""
    return time.strftime("%Y-%m-%d")


def _wanted(problem: Problem, codes: Sequence[str], ignore: Sequence[str]) -> bool:
    asked = not codes or problem.code.startswith(tuple(codes))
    return asked and not (ignore and problem.code.startswith(tuple(ignore)))
