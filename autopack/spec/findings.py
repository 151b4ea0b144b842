"""What is found while a file is read, in the order of reading."""

from collections.abc import Collection
from itertools import islice

from autopack.problem import Fix, Label, Problem, Span, problem
from autopack.problem.typed import NoReturn
from autopack.spec.nearest import nearest
from autopack.spec.places import Places

FINDINGS_MAX = 1000  # of one file
WORDS_MAX = 200  # characters of a message, which may quote the file
LOOKALIKES_MAX = 50  # names, of at most as many characters, among which the one is sought that a wrong one resembles


class Unreadable(Exception):
    """The text has no certain meaning from here on."""


class Findings:
    """Those of one file, up to a limit."""

    __slots__ = ("places", "problems", "text")

    def __init__(self, places: Places) -> None:
        self.places = places
        self.text = places.text
        self.problems: list[Problem] = []

    def label(self, start: int, end: int, text: str) -> Label:
        return Label(self.places.span(start, end), text)

    def stop(self, code: str, message: str, place: tuple[int, int], advice: str, *labels: Label) -> NoReturn:
        self.report(code, message, *place, labels, advice)
        raise Unreadable

    def report(
        self,
        code: str,
        message: str,
        start: int,
        end: int,
        labels: tuple[Label, ...] = (),
        help: str | None = None,  # noqa: A002 - the name of the field it fills
        fix: str | None = None,  # what to write there instead
    ) -> None:
        if len(self.problems) >= FINDINGS_MAX:
            self.problems.append(too_many(self.places.span(start, end)))
            raise Unreadable
        span = self.places.span(start, end)
        fixes = (Fix(span, fix),) if fix else ()
        self.problems.append(problem(code, short(message), span, labels, help and short(help), fixes))


def too_many(span: Span | None) -> Problem:
    message = f"more than {FINDINGS_MAX:,} findings in this file; the others are not listed"
    return problem("AP1024", message, span, (), "settle these, or correct what they have in common, and check again")


def in_quotes(text: str) -> str | None:
    """The text as a quoted scalar on one line; None for what takes more thought."""
    if "\n" in text or "\\" in text:
        return None
    return f"'{text}'" if '"' in text and "'" not in text else None if '"' in text else f'"{text}"'


def short(text: str) -> str:
    return text if len(text) <= WORDS_MAX else text[:WORDS_MAX] + "…"


def lookalike(name: str, among: Collection[str]) -> str | None:
    return nearest(name, islice(among, LOOKALIKES_MAX)) if len(name) <= LOOKALIKES_MAX else None
