"""One execution of a CI profile in one worktree -> a verdict, and the evidence that goes back to the Builder.

Knows: steps, retries, reports, what counts as an executed test, and what in a failure's text belongs to the machine
rather than to the failure. Does not know git, phases, or what happens after red.

Environment: a step sees the variables its profile names and the values it sets, nothing else. PATH is no exception:
with `env: {pass: [PATH]}` a step's `python` is the one the user gets at their prompt (a virtual environment counts
when its bin folder is in PATH), never the interpreter that autopack itself happens to run on.

Three verdicts. green: every step is ok. red: the checks fail; a failing setup step is red too, because a patch can
break it, and so is a missing command that the repository itself should hold. unusable: a tool from outside the
repository is missing, so that no patch could be judged here.
"""

import hashlib
import json
import os
import re
import shutil
import signal
import stat
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Literal, NamedTuple

from autopack.plan.model import Profile, Step
from autopack.runners import process
from autopack.runners.junit import MAX_BYTES, JunitRefused, TestResult, read_junit
from autopack.runners.mask import Mask, mask_for

EVIDENCE_BYTES = 8_000
DETAIL_BYTES_MAX = 2_400  # of one failing test, or of one log
DETAIL_BYTES_MIN = 400
LINE_CHARS = 400
LOG_HEAD_BYTES = 16_000
LOG_TAIL_BYTES = 64_000
PYTEST_NO_TESTS = 5
NOT_FOUND = (126, 127)
CACHES = frozenset({".git", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"})

StepOutcome = Literal["ok", "failed", "timeout", "cannot_start", "no_tests"]
Verdict = Literal["green", "red", "unusable"]
Keep = Callable[[str, bytes], str]

_RETRIED: tuple[StepOutcome, ...] = ("failed", "timeout")  # the others can't come out otherwise


@dataclass(frozen=True, slots=True)
class StepResult:
    """Outcome and tests of the last attempt. `flaky`: ok, after an earlier attempt on the same files was not. The log
    blob holds every attempt. `fact` is what neither exit code nor tests say. `cannot_start` makes CI unusable.
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


@dataclass(frozen=True, slots=True)
class CiResult:
    """`failing`: test ids, and the id of each failed step that names no failing test. `changed`: files that were
    there before and that a step rewrote or removed, by size and time (new files, caches and reports aside).
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


class Cancelled(Exception):
    """Cancelled during a step: there is no verdict, and no result that could be taken for one."""


def run_profile(
    profile: Profile,
    worktree: str,
    *,
    token: str,
    keep: Keep,
    setup_done: bool,
    cancelled: process.Cancelled | None,
    environ: Mapping[str, str],
    on_start: process.OnStart | None = None,
) -> CiResult:
    """Run setup (unless done in this worktree), then all steps: a failed one doesn't hide what the next one finds.

    `environ` is the user's environment, from which the profile takes what it names. `keep` stores a log or a report
    under a name and returns its id. Raises Cancelled.
    """
    env = process.scrubbed(environ, profile.env_pass, profile.env_set)
    bench = _Bench(profile, worktree, env, token, keep, cancelled, on_start)
    before = _files(worktree)
    ran = [] if setup_done else _run_steps(bench, profile.setup, setup=True)
    if all(step.result.outcome == "ok" for step in ran):
        ran += _run_steps(bench, profile.steps, setup=False)
    reports = [step.junit for step in profile.steps if step.junit is not None]
    changed = _changed(worktree, before, reports)
    return _conclude(profile, ran, mask_for(worktree, [env, environ], time.time()), changed)


def _conclude(profile: Profile, ran: Sequence["_Ran"], mask: Mask, changed: tuple[str, ...]) -> CiResult:
    results = tuple(step.result for step in ran)
    verdict = _verdict(results)
    return CiResult(
        verdict=verdict,
        steps=results,
        executed_tests=sum(result.executed_tests for result in results),
        failing=tuple(sorted({name for result in results for name in _failing(result, mask)})),
        evidence=_evidence(ran, mask) if profile.steps else f"profile {profile.name} has no steps\n",
        output="".join(_printed(step, mask) for step in ran),
        digest=_digest(verdict, results, mask),
        changed=changed,
    )


def _verdict(results: Sequence[StepResult]) -> Verdict:
    outcomes = {result.outcome for result in results}
    if "cannot_start" in outcomes:
        return "unusable"
    checked = any(not result.setup for result in results)
    return "green" if checked and outcomes == {"ok"} else "red"


def _failing(result: StepResult, mask: Mask) -> Iterator[str]:
    if result.outcome == "ok":
        return iter(())
    names = [mask.name(test.test_id) for test in _bad(result.tests)]
    return iter(names or [result.id])


def _bad(tests: Iterable[TestResult]) -> list[TestResult]:
    return [test for test in tests if test.outcome in ("failed", "error")]


def _digest(verdict: Verdict, results: Sequence[StepResult], mask: Mask) -> str:
    """Of what was decided and of each test's outcome: equal for equal behaviour, however long it took."""
    steps = [
        [result.id, result.outcome, sorted([mask.name(test.test_id), test.outcome] for test in result.tests)]
        for result in results
    ]
    text = json.dumps({"steps": steps, "verdict": verdict}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


# Steps ------------------------------------------------------------------------------------------------------------


class _Bench(NamedTuple):
    """What all steps of one execution share."""

    profile: Profile
    worktree: str
    env: Mapping[str, str]
    token: str
    keep: Keep
    cancelled: process.Cancelled | None
    on_start: process.OnStart | None


class _Attempt(NamedTuple):
    outcome: StepOutcome
    fact: str = ""
    exit_code: int | None = None
    duration_s: float = 0.0
    log: bytes = b""
    report: bytes | None = None
    tests: tuple[TestResult, ...] = ()
    executed_tests: int = 0


class _Ran(NamedTuple):
    result: StepResult
    log: bytes  # of the last attempt


def _run_steps(bench: _Bench, steps: Sequence[Step], *, setup: bool) -> list[_Ran]:
    """All of them, unless one can't run here; nothing is checked on a setup that broke."""
    ran: list[_Ran] = []
    for step in steps:
        ran.append(_run_step(bench, step, setup=setup))
        if ran[-1].result.outcome == "cannot_start" or (setup and ran[-1].result.outcome != "ok"):
            break
    return ran


def _run_step(bench: _Bench, step: Step, *, setup: bool) -> _Ran:
    attempts = [_attempt(bench, step)]
    while attempts[-1].outcome in _RETRIED and len(attempts) <= bench.profile.retries:
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
    )
    return _Ran(result, last.log)


def _log(attempts: Sequence[_Attempt]) -> bytes:
    if len(attempts) == 1:
        return attempts[0].log
    parts = [
        f"[attempt {count}: {attempt.outcome}, exit {attempt.exit_code}]\n".encode() + attempt.log
        for count, attempt in enumerate(attempts, 1)
    ]
    return b"\n".join(parts)


def _attempt(bench: _Bench, step: Step) -> _Attempt:
    try:
        _remove_report(step, bench.worktree)
        finished = _run(bench, step)
    except _BadReport as problem:
        return _Attempt(problem.outcome, problem.fact)
    except process.CannotStart as problem:
        return _not_started(problem, bench)
    report, tests = _report(step, bench.worktree)
    judged = _judge(step, finished, tests, bench.worktree)
    return judged._replace(
        exit_code=finished.exit_code, duration_s=finished.duration_s, log=finished.output, report=report
    )


def _run(bench: _Bench, step: Step) -> process.Finished:
    finished = process.run(
        step.run,
        cwd=bench.worktree,
        env=bench.env,
        timeout_s=step.timeout_s,
        token=bench.token,
        limits=_limits(bench.profile),
        on_start=bench.on_start,
        cancelled=bench.cancelled,
    )
    if finished.cancelled:
        raise Cancelled(f"cancelled during step {step.id} of profile {bench.profile.name}")
    return finished


def _limits(profile: Profile) -> process.Limits | None:
    if profile.memory_mb is None and profile.cpu_s is None:
        return None
    return process.Limits(profile.memory_mb, profile.cpu_s)


def _judge(
    step: Step,
    finished: process.Finished,
    tests: tuple[TestResult, ...] | JunitRefused,
    worktree: str,
) -> _Attempt:
    """The report is only believed where it makes things worse than the exit code says, or proves that tests ran."""
    if finished.timed_out:
        return _Attempt("timeout", f"no end after {step.timeout_s:g} s; it was killed with all it had started")
    if missing := _missing_tool(step.run, finished, worktree):
        return _Attempt("cannot_start", missing)
    if isinstance(tests, JunitRefused):
        return _Attempt("failed", str(tests))
    executed = sum(test.outcome != "skipped" for test in tests)
    if not executed and _says_no_tests(step.run, finished.exit_code):
        return _without_tests(step, "pytest collected no test")
    if finished.exit_code != 0 or _bad(tests):
        return _Attempt("failed", _failure(finished.exit_code), tests=tests, executed_tests=executed)
    if step.junit is None:
        return _Attempt("ok", executed_tests=1)
    if executed:
        return _Attempt("ok", tests=tests, executed_tests=executed)
    return _without_tests(step, f"exit 0, and no executed test in {step.junit}")._replace(tests=tests)


def _without_tests(step: Step, fact: str) -> _Attempt:
    return _Attempt("ok" if step.allow_no_tests else "no_tests", fact)


def _failure(exit_code: int | None) -> str:
    if exit_code == 0:
        return "exit 0, but its report names failing tests"
    if exit_code is not None and -exit_code in {int(number) for number in signal.Signals}:
        return f"ended by {signal.Signals(-exit_code).name}"
    return ""


def _says_no_tests(argv: Sequence[str], exit_code: int | None) -> bool:
    return exit_code == PYTEST_NO_TESTS and any(os.path.basename(word) in ("pytest", "py.test") for word in argv)


# What is missing --------------------------------------------------------------------------------------------------

_PYTHON = re.compile(r"python[\d.]*")
_NOT_INSTALLED = re.compile(r"\S+: python[\d.]*: (?:command )?not found|No version is set for command python[\d.]*")
_SAYS_NO_MODULE = re.compile(r"\S+: (?:No module named|Error while finding module spec).*")


def _not_started(problem: process.CannotStart, bench: _Bench) -> _Attempt:
    """A command of the repository's own is the Builder's to mend; anything else is the machine's."""
    name = problem.argv[0] if problem.argv else ""
    if problem.what == "command" and "/" in name and not os.path.isabs(name):
        return _Attempt("failed", f"{problem.fact} in the repository")
    return _Attempt("cannot_start", f"{problem.fact}. {_remedy(problem, name, bench.env)}")


def _remedy(problem: process.CannotStart, name: str, env: Mapping[str, str]) -> str:
    if problem.what == "cwd":
        return "Start the run again: worktrees are made anew."
    if problem.what == "arguments":
        return "Correct the step's `run`."
    if "PATH" not in env:
        return "Add PATH to the CI profile's env.pass."
    if name == "python" and (other := shutil.which("python3", path=env["PATH"])):
        return f"{other} exists: write python3 in the step's `run`, or put a folder with a `python` in PATH."
    return f"Install {name}, or correct the step's `run`."


def _missing_tool(argv: Sequence[str], finished: process.Finished, worktree: str) -> str:
    """A Python that started, only to say that it isn't there (a version manager's stand-in) or lacks the tool."""
    if not argv or not _PYTHON.fullmatch(os.path.basename(argv[0])):
        return ""
    said = finished.output[:2_000].decode(errors="replace").strip()
    if finished.exit_code in NOT_FOUND and (stand_in := _NOT_INSTALLED.match(said)):
        return f"{argv[0]} answers: {stand_in[0]}. Choose an installed version."
    module = _module_run(argv).partition(".")[0]
    alone = finished.exit_code == 1 and _SAYS_NO_MODULE.fullmatch(said) is not None
    if not (module and alone and re.search(rf"No module named '?{re.escape(module)}\b", said)):
        return ""
    if any(
        os.path.exists(os.path.join(worktree, folder, module + end)) for folder in ("", "src") for end in ("", ".py")
    ):
        return ""
    return f"{argv[0]} has no module {module}. Install it there ({argv[0]} -m pip install {module})."


def _module_run(argv: Sequence[str]) -> str:
    place = argv.index("-m") + 1 if "-m" in argv else len(argv)
    return argv[place] if place < len(argv) else ""


# Reports ----------------------------------------------------------------------------------------------------------


class _BadReport(Exception):
    def __init__(self, outcome: StepOutcome, fact: str) -> None:
        super().__init__(fact)
        self.outcome = outcome
        self.fact = fact


def _report_path(junit: str, worktree: str) -> str:
    """Asked before and after the step: links in between are made by the code under test."""
    if os.path.isabs(junit) or ".." in junit.split("/"):
        raise _BadReport("cannot_start", f"the report path {junit} leaves the worktree. Give one inside it.")
    path = os.path.join(worktree, junit)
    root = os.path.realpath(worktree)
    if os.path.commonpath([root, os.path.realpath(os.path.dirname(path))]) != root:
        raise _BadReport("failed", f"the report path {junit} leaves the worktree through a symbolic link")
    return path


def _remove_report(step: Step, worktree: str) -> None:
    """A report from before would be taken for this step's."""
    if step.junit is None:
        return
    try:
        os.unlink(_report_path(step.junit, worktree))
    except FileNotFoundError:
        return
    except OSError as problem:  # a folder, most likely
        raise _BadReport("failed", f"{step.junit} can't be replaced: {problem.strerror}") from problem


def _report(step: Step, worktree: str) -> tuple[bytes | None, tuple[TestResult, ...] | JunitRefused]:
    try:
        data = _take_report(step, worktree)
    except _BadReport as problem:
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
        raise _BadReport("failed", f"{step.junit} can't be read: {problem.strerror}") from problem
    if not stat.S_ISREG(os.fstat(handle).st_mode):
        os.close(handle)
        raise _BadReport("failed", f"{step.junit} is not a regular file")
    with open(handle, "rb") as file:
        return file.read(MAX_BYTES + 1)


# Files ------------------------------------------------------------------------------------------------------------


Facts = tuple[int, int]


def _files(worktree: str) -> dict[str, Facts]:
    """Size and time of what is there. A folder so deep that no path leads there is passed over: git made none such."""
    found: dict[str, Facts] = {}
    todo = [""]
    while todo:
        folder = todo.pop()
        for entry in _entries(os.path.join(worktree, folder)):
            path = os.path.join(folder, entry.name)
            if not entry.is_dir(follow_symlinks=False):
                found |= {path: facts} if (facts := _facts(entry.path)) else {}
            elif entry.name not in CACHES:
                todo.append(path)
    return found


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:  # gone, shut or too deep
        return []


def _facts(path: str) -> Facts | None:
    try:
        facts = os.lstat(path)
    except OSError:  # a temporary file, gone already
        return None
    return facts.st_size, facts.st_mtime_ns


def _changed(worktree: str, before: Mapping[str, Facts], reports: Sequence[str]) -> tuple[str, ...]:
    """Looks at nothing but what was there, however much the steps have made."""
    own = {os.path.normpath(report) for report in reports} | {".git"}
    left = {path: facts for path, facts in before.items() if path not in own}
    return tuple(sorted(path for path, facts in left.items() if _facts(os.path.join(worktree, path)) != facts))


# Evidence ---------------------------------------------------------------------------------------------------------


class _Detail(NamedTuple):
    title: str
    text: Callable[[], str]  # asked for only while there is room: hundreds of tests may fail with a novel each


def _evidence(ran: Sequence[_Ran], mask: Mask) -> str:
    """What failed and why, in bounded text that is equal for equal failures."""
    details = [detail for step in ran if step.result.outcome != "ok" for detail in _details(step, mask)]
    room = EVIDENCE_BYTES - 200
    share = min(max(room // max(len(details), 1), DETAIL_BYTES_MIN), DETAIL_BYTES_MAX)
    parts: list[str] = []
    for count, detail in enumerate(details):
        title = detail.title + "\n"
        if _size(title) > room:
            parts.append(f"and {len(details) - count} more\n")
            break
        body = _indented(_trimmed(detail.text(), share)) if room - _size(title) > DETAIL_BYTES_MIN else ""
        parts.append(title + body if _size(title + body) <= room else title)
        room -= _size(parts[-1])
    return "".join(parts)


def _details(step: _Ran, mask: Mask) -> Iterator[_Detail]:
    result = step.result
    bad = _bad(result.tests)
    yield _Detail(_title(result, len(bad)), lambda: result.fact)
    for test in bad:
        word = "ERROR" if test.outcome == "error" else "FAILED"
        yield _Detail(f"{word} {mask.name(test.test_id)}", partial(mask.text, test.message))
    if not bad and step.log:
        yield _Detail(f"output of step {result.id}:", partial(mask.log, _ends(step.log)))


def _printed(step: _Ran, mask: Mask) -> str:
    title = _title(step.result, len(_bad(step.result.tests)))
    return f"{title}\n{_indented(_trimmed(mask.log(_ends(step.log)), DETAIL_BYTES_MAX))}"


def _ends(log: bytes) -> str:
    """As much of both ends as could ever be shown."""
    if len(log) > LOG_HEAD_BYTES + LOG_TAIL_BYTES:
        log = log[:LOG_HEAD_BYTES].rpartition(b"\n")[0] + b"\n[...]\n" + log[-LOG_TAIL_BYTES:].partition(b"\n")[2]
    return log.decode(errors="replace")


def _title(result: StepResult, bad: int) -> str:
    kind = "setup step" if result.setup else "step"
    exit_text = "" if result.exit_code is None else f", exit {result.exit_code}"
    tests = f", {bad} of {len(result.tests)} tests failing" if bad else ""
    return f"{kind} {result.id}: {result.outcome}{exit_text}{tests}"


def _indented(text: str) -> str:
    return "".join(f"    {line}".rstrip() + "\n" for line in text.splitlines())


def _trimmed(text: str, limit_bytes: int) -> str:
    """Whole lines: a quarter from the beginning (where), the rest from the end (what)."""
    lines = [_short(line) for line in text.strip("\n").splitlines()]
    if _size("\n".join(lines)) <= limit_bytes:
        return "\n".join(lines)
    tail = _fitting(lines[::-1], limit_bytes * 3 // 4)[::-1]
    head = _fitting(lines[: len(lines) - len(tail)], limit_bytes // 4)
    return "\n".join([*head, "[...]", *tail])


def _short(line: str) -> str:
    return line if len(line) <= LINE_CHARS else f"{line[: LINE_CHARS - 100]}[...]{line[-95:]}"


def _fitting(lines: Sequence[str], limit_bytes: int) -> list[str]:
    taken: list[str] = []
    for line in lines:
        limit_bytes -= _size(line) + 1
        if limit_bytes < 0:
            break
        taken.append(line)
    return taken


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))
