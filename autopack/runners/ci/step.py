"""One step: its attempts, its report, and what it came to."""

import os
import signal
import tempfile
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from autopack.plan.model import Profile, Step
from autopack.runners import process, sandbox
from autopack.runners.ci.report import BadReport, read_report, remove_report
from autopack.runners.ci.result import RETRIED, Cancelled, Keep, Ran, StepOutcome, StepResult, bad
from autopack.runners.ci.selection import EVERYTHING, Selection, narrowed
from autopack.runners.ci.tools import hidden_tool, missing_tool, not_started
from autopack.runners.git import remove_tree
from autopack.runners.junit import JunitRefused, TestResult

PYTEST_NO_TESTS = 5
SAYS_MEMORY = (b"MemoryError", b"Cannot allocate memory", b"std::bad_alloc", b"heap out of memory", b"OutOfMemoryError")


class Bench(NamedTuple):
    """What all steps of one execution share."""

    profile: Profile
    worktree: str
    env: Mapping[str, str]
    token: str
    keep: Keep
    cancelled: process.Cancelled | None
    on_start: process.OnStart | None
    walls: sandbox.Walls = sandbox.NO_WALLS
    selection: Selection = EVERYTHING


class _Attempt(NamedTuple):
    outcome: StepOutcome
    fact: str = ""
    exit_code: int | None = None
    duration_s: float = 0.0
    log: bytes = b""
    report: bytes | None = None
    tests: tuple[TestResult, ...] = ()
    executed_tests: int = 0


def run_steps(bench: Bench, steps: Sequence[Step], *, setup: bool) -> list[Ran]:
    """All of them, unless one can't run here; nothing is checked on a setup that broke."""
    ran: list[Ran] = []
    for step in steps:
        ran.append(_run_step(bench, step, setup=setup))
        if ran[-1].result.outcome == "cannot_start" or (setup and ran[-1].result.outcome != "ok"):
            break
    return ran


def _run_step(bench: Bench, step: Step, *, setup: bool) -> Ran:
    attempts = [_attempt(bench, step)]
    while attempts[-1].outcome in RETRIED and len(attempts) <= bench.profile.retries:
        attempts.append(_attempt(bench, step))
    last = attempts[-1]
    name = f"setup.{step.id}" if setup else step.id
    result = StepResult(
        id=step.id,
        outcome=last.outcome,
        exit_code=last.exit_code,
        duration_s=sum(attempt.duration_s for attempt in attempts),
        attempts=len(attempts),
        flaky=last.outcome == "ok" and len(attempts) > 1,
        log_blob=bench.keep(f"{name}.log", _log(attempts)),
        report_blob=None if last.report is None else bench.keep(f"{name}.xml", last.report),
        tests=last.tests,
        executed_tests=0 if setup else last.executed_tests,
        setup=setup,
        fact=last.fact,
        flaky_tests=_flaky(attempts),
    )
    return Ran(result, last.log)


def _flaky(attempts: Sequence[_Attempt]) -> tuple[str, ...]:
    """What failed in an earlier attempt and passed in the last one, on the very same files."""
    passed = {test.test_id for test in attempts[-1].tests if test.outcome == "passed"}
    failed = {test.test_id for attempt in attempts[:-1] for test in bad(attempt.tests)}
    return tuple(sorted(passed & failed))


def _log(attempts: Sequence[_Attempt]) -> bytes:
    if len(attempts) == 1:
        return attempts[0].log
    parts = [
        f"[attempt {count}: {attempt.outcome}, exit {attempt.exit_code}]\n".encode() + attempt.log
        for count, attempt in enumerate(attempts, 1)
    ]
    return b"\n".join(parts)


def _attempt(bench: Bench, step: Step) -> _Attempt:
    try:
        remove_report(step, bench.worktree)
        finished = _run(bench, step)
    except BadReport as problem:
        return _Attempt(problem.outcome, problem.fact)
    except process.CannotStart as problem:
        return _Attempt(*not_started(problem, bench.env))
    report, tests = read_report(step, bench.worktree)
    judged = _judge(bench, step, finished, tests)
    return judged._replace(
        exit_code=finished.exit_code, duration_s=finished.duration_s, log=finished.output, report=report
    )


def _run(bench: Bench, step: Step) -> process.Finished:
    argv = narrowed(step, bench.selection, bench.worktree)
    if bench.profile.sandbox == "none":
        return _started(bench, step, argv, bench.env)
    scratch = tempfile.mkdtemp(prefix="step-", dir=os.path.dirname(bench.worktree))
    try:
        return _started(bench, step, _walled(bench, argv, scratch), bench.env)
    finally:
        remove_tree(scratch)


def _walled(bench: Bench, argv: Sequence[str], scratch: str) -> list[str]:
    """What is not there outside can't be there inside, and is said in the usual words."""
    if not process.found(argv[0], bench.worktree, bench.env):
        raise process.CannotStart("command", argv, process.not_found(argv[0], bench.worktree, bench.env))
    profile = bench.profile
    return sandbox.wrapped(
        argv,
        bench.worktree,
        bench.env,
        scratch,
        bench.walls,
        network=profile.network,
        readable=profile.readable,
    )


def _started(bench: Bench, step: Step, argv: Sequence[str], env: Mapping[str, str]) -> process.Finished:
    finished = process.run(
        argv,
        cwd=bench.worktree,
        env=env,
        timeout_s=step.timeout_s,
        token=bench.token,
        limits=sandbox.limits(bench.profile),
        on_start=bench.on_start,
        cancelled=bench.cancelled,
    )
    if finished.cancelled:
        raise Cancelled(f"cancelled during step {step.id} of profile {bench.profile.name}")
    return finished


def _judge(
    bench: Bench, step: Step, finished: process.Finished, tests: tuple[TestResult, ...] | JunitRefused
) -> _Attempt:
    """The report is only believed where it makes things worse than the exit code says, or proves that tests ran."""
    if finished.timed_out:
        return _Attempt("timeout", f"no end after {step.timeout_s:g} s; it was killed with all it had started")
    if finished.crowded:
        return _Attempt("failed", f"more than {bench.profile.processes} processes at once (sandbox.processes)")
    if missing := missing_tool(step.run, finished, bench.worktree) or hidden_tool(step.run, finished, bench.profile):
        return _Attempt("cannot_start", missing)
    if isinstance(tests, JunitRefused):
        return _Attempt("failed", str(tests))
    executed = sum(test.outcome != "skipped" for test in tests)
    if not executed and _says_no_tests(step.run, finished.exit_code):
        return _without_tests(step, "pytest collected no test")
    if finished.exit_code != 0 or bad(tests):
        return _Attempt("failed", _failure(bench.profile, finished), tests=tests, executed_tests=executed)
    if step.junit is None:
        return _Attempt("ok", executed_tests=1)
    if executed:
        return _Attempt("ok", tests=tests, executed_tests=executed)
    return _without_tests(step, f"exit 0, and no executed test in {step.junit}")._replace(tests=tests)


def _without_tests(step: Step, fact: str) -> _Attempt:
    return _Attempt("ok" if step.allow_no_tests else "no_tests", fact)


def _failure(profile: Profile, finished: process.Finished) -> str:
    """What neither exit code nor tests say."""
    code = finished.exit_code
    if code == 0:
        return "exit 0, but its report names failing tests"
    number = _signal(code, walled=profile.sandbox != "none")
    if number == signal.SIGXCPU:
        return f"it used up its {profile.cpu_s} s of processor time (sandbox.cpu_s)"
    if number == signal.SIGXFSZ:
        return f"it wrote a file of more than {profile.file_mb} MB (sandbox.file_mb)"
    if profile.memory_mb is not None and any(word in finished.output[-20_000:] for word in SAYS_MEMORY):
        return f"it ran out of memory: one process may have {profile.memory_mb} MB (sandbox.memory_mb)"
    if number == signal.SIGKILL:
        return "ended by SIGKILL, which none of us sent: most often the system ran out of memory"
    return f"ended by {signal.Signals(number).name}" if number else ""


def _signal(code: int | None, *, walled: bool) -> int:
    """The signal that ended it; a sandbox reports one as 128 and its number, as shells do."""
    known = {int(number) for number in signal.Signals}
    number = -code if code is not None and code < 0 else code - 128 if walled and code is not None else 0
    return number if number in known else 0


def _says_no_tests(argv: Sequence[str], exit_code: int | None) -> bool:
    return exit_code == PYTEST_NO_TESTS and any(os.path.basename(word) in ("pytest", "py.test") for word in argv)
