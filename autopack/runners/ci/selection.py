"""Which tests a step runs: all, or those that a patch can affect, and how the step is told."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from autopack.plan.model import Step

PLACE = "{affected}"  # a word of the command in whose stead the paths stand
_WITH_VALUE = frozenset(
    ("-m", "-k", "-p", "-c", "-o", "-n", "-W", "-r", "--rootdir", "--junitxml", "--dist", "--cov", "--maxfail", "--tb")
)


@dataclass(frozen=True, slots=True)
class Selection:
    """`paths` None: everything. `why` says so in words, or what the paths follow from."""

    paths: tuple[str, ...] | None
    why: str


EVERYTHING = Selection(None, "every test")


def narrowed(step: Step, selection: Selection, worktree: str) -> list[str]:
    """The step's command, limited to the selection where the step may be limited and says how.

    A word `{affected}` gives way to the paths (to nothing, where everything runs). Without one pytest gets them as
    arguments, in place of the paths it was given: those of them that are inside these. Any other command runs whole.
    """
    paths = selection.paths if step.affected else None
    if PLACE in step.run:
        return [word for each in step.run for word in ((*(paths or ()),) if each == PLACE else (each,))]
    at = _pytest(step.run)
    if paths is None or at is None:
        return list(step.run)
    own = set(_places(step.run, at, worktree))
    given = [step.run[number] for number in sorted(own)]
    inside = [path for path in paths if not given or _inside(path, given)]
    if not inside:
        return list(step.run)
    return [*(word for number, word in enumerate(step.run) if number not in own), *inside]


def takes(step: Step) -> bool:
    """Whether the step can be limited at all."""
    return step.affected and (PLACE in step.run or _pytest(step.run) is not None)


def is_pytest(argv: Sequence[str]) -> bool:
    return _pytest(argv) is not None


def _pytest(argv: Sequence[str]) -> int | None:
    """Where in the command pytest's own arguments begin."""
    names = ("pytest", "py.test")
    return next((number + 1 for number, word in enumerate(argv) if os.path.basename(word) in names), None)


def _places(argv: Sequence[str], start: int, worktree: str) -> Iterator[int]:
    """Words that name a file or a folder of the worktree rather than an option or its value."""
    for number in range(start, len(argv)):
        word = argv[number].partition("::")[0]
        if not word or word.startswith("-") or argv[number - 1] in _WITH_VALUE:
            continue
        if os.path.exists(os.path.join(worktree, word)):
            yield number


def _inside(path: str, places: Sequence[str]) -> bool:
    roots = [os.path.normpath(place.partition("::")[0]) for place in places]
    return any(root in (".", path) or path.startswith(root + "/") for root in roots)
