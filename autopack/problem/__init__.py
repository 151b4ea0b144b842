"""What is wrong: a finding, where it is, and the order in which findings are told.

This room knows nothing about YAML, schemas or runs. It is on the path of every command, so it imports
nothing that is slow to import.
"""

from collections.abc import Iterable

from autopack.problem.codes import CODES, Code
from autopack.problem.typed import NamedTuple

__all__ = ["CODES", "Code", "Fix", "Label", "Problem", "Span", "order", "problem"]


class Span(NamedTuple):
    """A stretch of one file. Lines and columns start at 1, columns count code points, the end is exclusive."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int


class Label(NamedTuple):
    """A second place that explains the first, in the same file or another one."""

    span: Span
    text: str


class Fix(NamedTuple):
    """Text to put in the place of a stretch of a file; an empty stretch is a place to insert at."""

    span: Span
    text: str


class Problem(NamedTuple):
    """One finding. Made by `problem()`, which takes the severity from the table of codes."""

    code: str
    severity: str  # "error" | "warning" | "info"
    message: str
    span: Span | None  # None: it concerns no place in a file
    labels: tuple[Label, ...] = ()
    help: str | None = None
    fixes: tuple[Fix, ...] = ()  # applied together they settle it, safely enough to be made without asking

    @property
    def docs(self) -> str:
        """Where the code is explained, relative to the repository."""
        return f"docs/reference/codes.md#{self.code.lower()}"


def problem(
    code: str,
    message: str,
    span: Span | None,
    labels: tuple[Label, ...] = (),
    help: str | None = None,  # noqa: A002 - the field's name in every output format
    fixes: tuple[Fix, ...] = (),
) -> Problem:
    """A finding whose severity is the one declared for its code. KeyError: the code is not declared."""
    return Problem(code, CODES[code].severity, message, span, labels, help, fixes)


def order(problems: Iterable[Problem]) -> list[Problem]:
    """By path, line, column and code, each exact duplicate once; what has no place comes first."""
    return sorted(dict.fromkeys(problems), key=_place)


def _place(found: Problem) -> tuple[str, int, int, str, str]:
    path, line, column, _, _ = found.span or ("", 0, 0, 0, 0)
    return path, line, column, found.code, found.message
