"""What goes on record on the way: issues, and how attempts have failed."""

from autopack.run import events as ev
from autopack.run import issues
from autopack.run.frozen import replace
from autopack.run.turn import Turn


def report(turn: Turn, reports: tuple[ev.ReportedIssue, ...]) -> Turn:
    """Record the issues; a major one calls the Auditor in where the ruleset wants it."""
    if not reports:
        return turn
    due = turn.plan.audit_policy.major_issue and major(turn, reports)
    turn = turn.with_run(issues=_recorded(turn, turn.run.issues, reports))
    return turn.with_phase(audit_due=True) if due else turn


def note(turn: Turn, found: tuple[ev.ReportedIssue, ...]) -> Turn:
    """What was so before the change goes on record; nobody is called in for it."""
    return turn.with_run(issues=_recorded(turn, turn.run.issues, found)) if found else turn


def refuse(turn: Turn, found: tuple[ev.ReportedIssue, ...]) -> Turn:
    """What was wrong with a change that is kept out goes on record; by itself it calls nobody in."""
    if not found:
        return turn
    known = _recorded(turn, turn.run.issues, found, refused=True)
    return turn.with_run(issues=known)


def _recorded(
    turn: Turn, known: issues.Issues, found: tuple[ev.ReportedIssue, ...], *, refused: bool = False
) -> issues.Issues:
    """While a project only measures (stage baseline), every issue is a minor one and stays one."""
    plan = turn.plan
    if plan.stage == "baseline":
        minor = tuple(replace(issue, severity="minor") for issue in found)
        return issues.record(known, minor, _sighting(turn), refused=refused)
    return issues.record(known, found, _sighting(turn), plan.severity_upgrades, aged=plan.aged, refused=refused)


def _sighting(turn: Turn) -> issues.Sighting:
    spec = turn.spec
    return issues.Sighting(spec.phase_id, spec.index, spec.tier_id, spec.task_category, spec.complexity)


def major(turn: Turn, reports: tuple[ev.ReportedIssue, ...]) -> bool:
    """Whether one of them counts as major, by itself or by a rule of the ruleset."""
    alone = _recorded(turn, {}, reports)
    return any(issue.effective_severity == "major" for issue in alone.values())


def signed(turn: Turn) -> Turn:
    """Note how the attempt failed; the same failure so many times calls the Auditor in."""
    known = (*turn.phase.signatures, signature(turn))
    again = known.count(known[-1]) >= turn.plan.audit_policy.same_failure
    return turn.with_phase(signatures=known, audit_due=turn.phase.audit_due or again)


def signature(turn: Turn) -> str:
    """What two failures have in common that are the same one; the Auditor's patches are told apart."""
    event, who = turn.event, "auditor:" if turn.attempt.role == "auditor" else ""
    if isinstance(event, ev.PatchRefused):
        return f"{who}{event.kind}"
    if isinstance(event, ev.CiFinished):
        return f"{who}ci:{','.join(event.failing)}"
    if isinstance(event, ev.ModelAnswered):
        return f"{who}{no_reply(event)}"
    if isinstance(event, ev.BuilderFinished):
        return f"command:{event.outcome}"
    return who + ("conflict" if isinstance(event, ev.Conflicted) else "audit")


def no_reply(event: ev.ModelAnswered) -> str:
    """What a reply without use is called; `ok` without a text is an empty one."""
    return "empty_output" if event.outcome == "ok" else event.outcome
