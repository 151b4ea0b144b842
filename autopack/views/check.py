"""`autopack validate`, without the command line library: it is run in editors and hooks, so its start-up counts."""

import os
import sys
from collections.abc import Sequence

from autopack.problem import Problem, Span
from autopack.problem.codes import CODES, LAYERS
from autopack.problem.report import FORMATS, render
from autopack.spec.files import STDIN
from autopack.spec.load import Checked, check
from autopack.spec.nearest import did_you_mean
from autopack.spec.source import BYTES_MAX, readable
from autopack.views import cached
from autopack.views.cached import Answer
from autopack.views.compiling import COMPILE

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
    remember: Sequence[str] | None = None,
    env: str | None = None,
) -> int:
    """Check the paths (none: the whole project here; `-`: standard input), print findings, return the exit code.

    `codes` and `ignore` are codes or their beginnings (`AP2`); `fail_on` is the least severity that makes it 1. The
    answer is kept as the one to the command line `remember`.
    """
    form = form or _own_form()
    if form not in FORMATS:
        print(f"autopack validate: no format is called {form!r}; there are {', '.join(FORMATS)}", file=sys.stderr)
        return USAGE
    for word in (*codes, *ignore):
        if not any(code.startswith(word.upper()) for code in (*LAYERS, *CODES)):
            advice = did_you_mean(word, (*LAYERS, *CODES)) or f"layers: {', '.join(LAYERS)}"
            print(f"autopack validate: no code is or begins with {word!r}; {advice}", file=sys.stderr)
            return USAGE
    stdin = sys.stdin.buffer.read() if "-" in paths else None
    found = check(os.getcwd(), list(paths) or None, stdin=stdin, today=cached.today(), env=env, compile=COMPILE)
    problems = [p for p in found.problems if wanted(p, codes, ignore)]
    answer = told(found, problems, form, colour, fail_on, stdin=stdin)
    sys.stdout.write(answer.text)
    if not found.files and not found.problems:
        print(nothing_checked(paths), file=sys.stderr)
        return USAGE
    if remember is not None and stdin is None:
        dated = any("until" in document.text for document in found.documents.values())
        cached.keep(remember, found.seen, answer, dated=dated)
    return answer.code


def told(
    found: Checked,
    problems: Sequence[Problem],
    form: str,
    colour: bool | None,  # noqa: FBT001
    fail_on: str,
    *,
    stdin: bytes | None = None,
) -> Answer:
    """The findings of a check in a format, and the exit code."""
    painted = colour is not False and sys.stdout.isatty() and "NO_COLOR" not in os.environ
    names = _names(found, problems) if form in WITH_NAMES else {}
    sources = _sources(found, problems, stdin)
    unsaid = (*found.not_checked, *_left_out(len(found.problems) - len(problems)))
    text = render(problems, sources, form, painted, len(found.files), unsaid, within=_within(), names=names)
    grave = SEVERITIES[: SEVERITIES.index(fail_on) + 1]
    return Answer(text, FINDINGS if any(problem.severity in grave for problem in problems) else 0)


def _left_out(number: int) -> list[str]:
    """A verdict on a part of the findings must not pass for one on all of them."""
    return [f"{number:,} finding{'' if number == 1 else 's'} left out by --codes or --ignore"] if number else []


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


def nothing_checked(paths: Sequence[str]) -> str:
    """A check that looked at nothing must not pass for one that found nothing."""
    where = "these folders" if len(paths) > 1 else f"the folder {paths[0]}" if paths else "this folder"
    return f"autopack validate: nothing was checked: no file in {where} starts with `autopack: KIND/v1`"


def _names(found: Checked, problems: Sequence[Problem]) -> dict[Span, str]:
    from autopack.views import outline  # noqa: PLC0415 - most formats do without

    return outline.names(found.documents, problems)


def _within() -> str:
    """The folder of the repository that this runs in, as far as a CI server tells."""
    roots = [os.path.realpath(os.environ[name]) for name in REPOSITORY if os.environ.get(name)]
    folders = [os.path.relpath(os.getcwd(), root).replace(os.sep, "/") for root in roots]
    return next((folder for folder in folders if folder.split("/")[0] not in (".", "..")), "")


def wanted(found: Problem, codes: Sequence[str], ignore: Sequence[str]) -> bool:
    """Whether a finding is among those that were asked for, in upper or lower case."""
    asked = not codes or found.code.startswith(tuple(map(str.upper, codes)))
    return asked and not (ignore and found.code.startswith(tuple(map(str.upper, ignore))))


def words(lists: Sequence[str]) -> tuple[str, ...]:
    """`AP1,AP2003` and the like as codes."""
    return tuple(word.strip() for each in lists for word in each.split(",") if word.strip())


def _own_form() -> str:
    return "github" if os.environ.get("GITHUB_ACTIONS") == "true" and "github" in FORMATS else "full"
