"""From a candidate to the branch: CI, and the commit with its trailers."""

from autopack.run import events as ev
from autopack.run import issues
from autopack.run.effects import Land, Rebase, RunCi
from autopack.run.frozen import replace
from autopack.run.grading import observed
from autopack.run.noting import note, refuse, report
from autopack.run.state import Candidate, CiSummary
from autopack.run.turn import Turn, base_of


def run_profile(turn: Turn) -> Turn:
    booked = replace(turn.run.ledger, ci_runs=turn.run.ledger.ci_runs + 1)
    turn = turn.with_run(ledger=booked).with_phase(ci_runs=turn.phase.ci_runs + 1)
    return turn.wish(
        RunCi(
            phase_id=turn.phase.phase_id,
            attempt=turn.phase.attempt,
            time=turn.phase.ci_runs,
            commit=turn.candidate.commit,
            profile=turn.spec.ci,
            base=base_of(turn),
            standing=turn.run.standing.get(turn.spec.ci),
        )
    )


def ci_done(turn: Turn) -> Turn:
    event: ev.CiFinished = turn.event
    summary = CiSummary(event.verdict, event.digest, event.executed_tests, event.failing, event.logs)
    category, quarantine = turn.spec.category, turn.plan.profiles[turn.spec.ci].quarantine
    found = issues.of_ci(event.failing, category, turn.spec.severity) if event.verdict == "red" else ()
    turn = note(turn, issues.beside_ci(event.flaky, event.tolerated, quarantine, category))
    return refuse(report(turn, event.issues), found).with_phase(ci=summary)


def queue(turn: Turn) -> Turn:
    """To the end of those who wait to land."""
    return turn.with_run(landing=(*turn.run.landing, turn.phase.phase_id))


def carry(turn: Turn) -> Turn:
    """Onto the head as it is now."""
    return turn.wish(
        Rebase(
            phase_id=turn.phase.phase_id,
            attempt=turn.phase.attempt,
            base=base_of(turn),
            commit=turn.candidate.commit,
            head=turn.run.head,
        )
    )


def land(turn: Turn) -> Turn:
    candidate = turn.candidate
    return turn.wish(
        Land(
            phase_id=turn.phase.phase_id,
            attempt=turn.phase.attempt,
            head=base_of(turn),
            commit=candidate.commit,
            trailers=_trailers(turn, candidate),
            issues=_landing_issues(turn),
            observed=observed(turn.plan, turn.run, turn.phase, completed=True) if turn.plan.commit_issues else None,
        )
    )


def _landing_issues(turn: Turn) -> tuple[issues.Issue, ...]:
    """The run's issues as they are once this has landed, for the files that land with it."""
    return tuple(settled(turn).values()) if turn.plan.commit_issues else ()


def settled(turn: Turn) -> issues.Issues:
    """The run's issues once this phase is complete."""
    if not turn.run.issues:
        return turn.run.issues
    done = (name for name, phase in turn.run.phases.items() if phase.state == "COMPLETE")
    return issues.settle(turn.run.issues, {*done, turn.phase.phase_id})


def _trailers(turn: Turn, candidate: Candidate) -> dict[str, str]:
    """What `verify` checks on the commit."""
    spent = turn.run.ledger.spent(f"phase:{turn.phase.phase_id}")
    assert turn.phase.ci is not None
    return {
        "Autopack-Run": turn.run.run_id,
        "Autopack-Phase": turn.phase.phase_id,
        "Autopack-Attempt": str(turn.phase.attempt),
        "Autopack-Plan": turn.run.plan_sha256,
        "Autopack-Model": turn.phase.model or turn.attempt.ask.model,
        "Autopack-Cost": f"{spent.cost_usd:f}",
        "Autopack-Edit": f"rung={candidate.rung} fuzz={candidate.fuzz}",
        "Autopack-CI": turn.phase.ci.digest,
        "Autopack-Audit": _approval(turn),
    }


def _approval(turn: Turn) -> str:
    names = ", ".join(review.model for review in turn.phase.reviews)
    return f"approved by {names}" if turn.phase.approved else "none"
