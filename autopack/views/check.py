"""`autopack validate`, without the command line library: it is run in editors and hooks, so its start-up counts."""

import os
import sys
from collections.abc import Sequence

from autopack.problem import Problem
from autopack.problem.report import FORMATS, render
from autopack.spec.load import Checked, check
from autopack.views import cached
from autopack.views.cached import Answer

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
    remember: Sequence[str] | None = None,
) -> int:
    """Check the paths (none: the whole project here; `-`: standard input), print findings, return the exit code.

    `codes` and `ignore` are codes or their beginnings (`AP2`); `fail_on` is the least severity that makes it 1. The
    answer is kept as the one to the command line `remember`.
    """
    form = form or _own_form()
    if form not in FORMATS:
        print(f"autopack validate: no format is called {form!r}; there are {', '.join(FORMATS)}", file=sys.stderr)
        return USAGE
    stdin = sys.stdin.buffer.read() if "-" in paths else None
    found = check(os.getcwd(), list(paths) or None, stdin=stdin, today=cached.today())
    problems = [p for p in found.problems if wanted(p, codes, ignore)]
    answer = told(found, problems, form, colour, fail_on)
    sys.stdout.write(answer.text)
    if remember is not None and stdin is None:
        dated = any("until" in document.text for document in found.documents.values())
        cached.keep(remember, found.seen, answer, dated=dated)
    return answer.code


def told(found: Checked, problems: Sequence[Problem], form: str, colour: bool | None, fail_on: str) -> Answer:  # noqa: FBT001
    """The findings of a check in a format, and the exit code."""
    sources = {path: document.text for path, document in found.documents.items()}
    painted = colour is not False and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    text = render(problems, sources, form, painted, len(found.files), found.not_checked)
    grave = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return Answer(text, FINDINGS if any(problem.severity in grave for problem in problems) else 0)


def wanted(found: Problem, codes: Sequence[str], ignore: Sequence[str]) -> bool:
    """Whether a finding is among those that were asked for."""
    asked = not codes or found.code.startswith(tuple(codes))
    return asked and not (ignore and found.code.startswith(tuple(ignore)))


def words(lists: Sequence[str]) -> tuple[str, ...]:
    """`AP1,AP2003` and the like as codes."""
    return tuple(word.strip() for each in lists for word in each.split(",") if word.strip())


def _own_form() -> str:
    return "github" if os.environ.get("GITHUB_ACTIONS") == "true" and "github" in FORMATS else "full"
