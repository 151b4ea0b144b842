"""The JUnit file that a step leaves: removed before, read after, never believed to be where it says."""

import os
import stat

from autopack.plan.model import Step
from autopack.runners.ci.result import StepOutcome
from autopack.runners.junit import MAX_BYTES, JunitRefused, TestResult, read_junit


class BadReport(Exception):
    def __init__(self, outcome: StepOutcome, fact: str) -> None:
        super().__init__(fact)
        self.outcome = outcome
        self.fact = fact


def _report_path(junit: str, worktree: str) -> str:
    """Asked before and after the step: links in between are made by the code under test."""
    if os.path.isabs(junit) or ".." in junit.split("/"):
        raise BadReport("cannot_start", f"the report path {junit} leaves the worktree. Give one inside it.")
    path = os.path.join(worktree, junit)
    root = os.path.realpath(worktree)
    if os.path.commonpath([root, os.path.realpath(os.path.dirname(path))]) != root:
        raise BadReport("failed", f"the report path {junit} leaves the worktree through a symbolic link")
    return path


def remove_report(step: Step, worktree: str) -> None:
    """A report from before would be taken for this step's."""
    if step.junit is None:
        return
    try:
        os.unlink(_report_path(step.junit, worktree))
    except FileNotFoundError:
        return
    except OSError as problem:  # a folder, most likely
        raise BadReport("failed", f"{step.junit} can't be replaced: {problem.strerror}") from problem


def read_report(step: Step, worktree: str) -> tuple[bytes | None, tuple[TestResult, ...] | JunitRefused]:
    try:
        data = _take_report(step, worktree)
    except BadReport as problem:
        return None, JunitRefused(step.id, problem.fact)
    return data, () if data is None else read_junit(data, step=step.id, worktree=worktree)


def _take_report(step: Step, worktree: str) -> bytes | None:
    """One byte more than is allowed at most: that much is enough for the reader to refuse it."""
    if step.junit is None:
        return None
    path = _report_path(step.junit, worktree)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as problem:
        raise BadReport("failed", f"{step.junit} can't be read: {problem.strerror}") from problem
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise BadReport("failed", f"{step.junit} is not a regular file")
    with open(handle, "rb") as file:
        return file.read(MAX_BYTES + 1)
