"""What one execution of a profile came to."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Literal, NamedTuple

from autopack.runners.junit import TestResult

StepOutcome = Literal["ok", "failed", "timeout", "cannot_start", "no_tests"]
Verdict = Literal["green", "red", "unusable"]
Keep = Callable[[str, bytes], str]

RETRIED: tuple[StepOutcome, ...] = ("failed", "timeout")  # the others can't come out otherwise


@dataclass(frozen=True, slots=True)
class StepResult:
    """Outcome and tests of the last attempt. `flaky`: ok, after an earlier attempt on the same files was not;
    `flaky_tests`: those that failed in an earlier attempt and passed in the last. The log blob holds every attempt.
    `fact` is what neither exit code nor tests say. `cannot_start` makes CI unusable.
    """

    id: str
    outcome: StepOutcome
    exit_code: int | None
    duration_s: float
    attempts: int
    flaky: bool
    log_blob: str
    report_blob: str | None
    tests: tuple[TestResult, ...]
    executed_tests: int
    setup: bool
    fact: str
    flaky_tests: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CiResult:
    """`failing`: test ids, and the id of each failed step that names no failing test. `changed`: files that were
    there before and that a step rewrote or removed, by size and time (new files, caches and reports aside).
    `flaky`: what failed and passed on the same files. `tolerated`: what fails and does not count.
    `output`: what the steps printed, cut, and equal for equal runs, which the logs that are kept are not.
    """

    verdict: Verdict
    steps: tuple[StepResult, ...]
    executed_tests: int
    failing: tuple[str, ...]
    evidence: str
    output: str
    digest: str
    changed: tuple[str, ...]
    flaky: tuple[str, ...] = ()
    tolerated: tuple[str, ...] = ()


class Cancelled(Exception):
    """Cancelled during a step: there is no verdict, and no result that could be taken for one."""


class Ran(NamedTuple):
    """A step's result, and the log of its last attempt."""

    result: StepResult
    log: bytes


def bad(tests: Iterable[TestResult]) -> list[TestResult]:
    return [test for test in tests if test.outcome in ("failed", "error")]
