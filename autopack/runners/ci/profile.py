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
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace

from autopack.plan.model import Profile
from autopack.run.issues import quarantined
from autopack.runners import process, sandbox
from autopack.runners.ci.evidence import evidence, printed
from autopack.runners.ci.files import changed, files
from autopack.runners.ci.result import CiResult, Keep, Ran, StepResult, Verdict, bad
from autopack.runners.ci.selection import EVERYTHING, Selection, is_pytest
from autopack.runners.ci.step import Bench, run_steps
from autopack.runners.mask import Mask, mask_for
from autopack.runners.redact import secrets_of

TOLD_MAX = 20  # tests that are named in the words for people


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
    walls: sandbox.Walls = sandbox.NO_WALLS,
    selection: Selection = EVERYTHING,
    known: Collection[str] = (),
) -> CiResult:
    """Run setup (unless done in this worktree), then all steps: a failed one doesn't hide what the next one finds.

    `environ` is the user's environment, from which the profile takes what it names. `keep` stores a log or a report
    under a name and returns its id. `known` is what fails on the base commit as well (`standing` of a result there):
    that and what is in quarantine does not count. Raises Cancelled.
    """
    env = process.scrubbed(environ, profile.env_pass, profile.env_set)
    bench = Bench(profile, worktree, env, token, keep, cancelled, on_start, walls, selection)
    before = files(worktree)
    ran = [] if setup_done else run_steps(bench, profile.setup, setup=True)
    if all(step.result.outcome == "ok" for step in ran):
        ran += run_steps(bench, profile.steps, setup=False)
    reports = [step.junit for step in profile.steps if step.junit is not None]
    mask = mask_for(worktree, [env, environ], time.time(), secrets_of(environ))
    return _conclude(profile, ran, mask, changed(worktree, before, reports), known)


def standing(result: CiResult) -> tuple[str, ...]:
    """What fails, in the form that `known` takes: tests, and how each failed step ended."""
    ends = {_end(step) for step in result.steps if step.outcome in ("failed", "timeout") and not step.setup}
    return tuple(sorted({*result.failing, *ends}))


def _end(step: StepResult) -> str:
    return f"{step.id} ({step.outcome}, exit {step.exit_code})"


def _conclude(
    profile: Profile, ran: Sequence[Ran], mask: Mask, changed_files: tuple[str, ...], known: Collection[str]
) -> CiResult:
    results = tuple(step.result for step in ran)
    executed = sum(result.executed_tests for result in results)
    # Where nothing else was executed a failure that doesn't count would leave nothing that does.
    tolerated = {name for result in results for name in _tolerated(result, mask, profile, known)} if executed else set()
    counted = [_counted(step, mask, known, tolerated) for step in ran]
    verdict = _verdict([step.result for step in counted])
    told = evidence(counted, mask) if profile.steps else f"profile {profile.name} has no steps\n"
    note = _note(sorted(tolerated))
    return CiResult(
        verdict=verdict,
        steps=results,
        executed_tests=executed,
        failing=tuple(sorted({name for step in counted for name in _failing(step.result, mask)})),
        evidence=told + note if told else "",
        output="".join(printed(step, mask) for step in ran) + note,
        digest=_digest(verdict, results, mask),
        changed=changed_files,
        flaky=tuple(sorted({name for result in results for name in _flaky(result, mask)})),
        tolerated=tuple(sorted(tolerated)),
    )


def _tolerated(result: StepResult, mask: Mask, profile: Profile, known: Collection[str]) -> Iterator[str]:
    """Failing tests that don't count, and a step without such that ends as it ended on the base commit."""
    if result.setup or result.outcome not in ("failed", "timeout"):
        return
    names = [mask.name(test.test_id) for test in bad(result.tests)]
    yield from (name for name in names if name in known or quarantined(name, profile.quarantine))
    if not names and _end(result) in known and not _collected_nothing(profile, result):
        yield result.id


def _collected_nothing(profile: Profile, result: StepResult) -> bool:
    """A pytest that failed before any test: whatever it did on the base commit, it judges nothing."""
    step = next((step for step in profile.steps if step.id == result.id), None)
    return step is not None and is_pytest(step.run) and result.exit_code != 1


def _counted(step: Ran, mask: Mask, known: Collection[str], tolerated: Collection[str]) -> Ran:
    """The step as it counts: without the tolerated tests, and ok where nothing else is wrong with it.

    With tests that don't count alone, pytest's exit is 1, or what it was on the base commit: anything else (an
    interrupted session, a usage error) is a failure of its own.
    """
    result = step.result
    if result.outcome not in ("failed", "timeout") or not tolerated:
        return step
    left = tuple(test for test in result.tests if mask.name(test.test_id) not in tolerated)
    named = len(left) < len(result.tests)
    explained = result.outcome == "failed" and (result.exit_code in (0, 1) or _end(result) in known)
    fine = (named and explained and not bad(left)) or result.id in tolerated
    return step._replace(result=replace(result, tests=left, outcome="ok" if fine else result.outcome))


def _flaky(result: StepResult, mask: Mask) -> Iterator[str]:
    names = [mask.name(name) for name in result.flaky_tests]
    return iter(names or ([result.id] if result.flaky else []))


def _note(tolerated: Sequence[str]) -> str:
    if not tolerated:
        return ""
    shown = ", ".join(tolerated[:TOLD_MAX]) + (f" and {len(tolerated) - TOLD_MAX} more" if tolerated[TOLD_MAX:] else "")
    return f"red as well, and not counted (red on the base commit, or in quarantine): {shown}\n"


def _verdict(results: Sequence[StepResult]) -> Verdict:
    outcomes = {result.outcome for result in results}
    if "cannot_start" in outcomes:
        return "unusable"
    checked = any(not result.setup for result in results)
    return "green" if checked and outcomes == {"ok"} else "red"


def _failing(result: StepResult, mask: Mask) -> Iterator[str]:
    if result.outcome == "ok":
        return iter(())
    names = [mask.name(test.test_id) for test in bad(result.tests)]
    return iter(names or [result.id])


def _digest(verdict: Verdict, results: Sequence[StepResult], mask: Mask) -> str:
    """Of what was decided and of each test's outcome: equal for equal behaviour, however long it took."""
    steps = [
        [result.id, result.outcome, sorted([mask.name(test.test_id), test.outcome] for test in result.tests)]
        for result in results
    ]
    text = json.dumps({"steps": steps, "verdict": verdict}, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()
