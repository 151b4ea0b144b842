"""What a reply was read as, or why nothing of it is used."""

from dataclasses import dataclass, field
from typing import Literal, NoReturn

from autopack.runners.edit import Edit
from autopack.runners.facts import AuditorFacts, BuilderFacts

Outcome = Literal["empty_output", "truncated", "format_error", "facts_error", "refused"]


@dataclass(frozen=True, slots=True)
class Reply:
    """What a Builder wants done. `prose` is all text outside blocks; it moves nothing."""

    edits: tuple[Edit, ...]
    facts: BuilderFacts = field(default_factory=BuilderFacts)
    prose: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """An Auditor's verdict, and the minimal patch it may suggest."""

    facts: AuditorFacts
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing of the reply is used. `message` is for the next attempt."""

    outcome: Outcome
    message: str


class RefusedError(Exception):
    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(outcome, message)


def refuse(outcome: Outcome, message: str) -> NoReturn:
    raise RefusedError(outcome, message)


def wrong(at: int, message: str) -> NoReturn:
    refuse("format_error", f"line {at + 1} of the reply: {message}")
