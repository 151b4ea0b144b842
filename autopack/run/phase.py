"""What a phase does: the guards and actions that the transition table names, one small function each."""

from autopack.plan.model import AUDITOR_ASKS
from autopack.run import events as ev
from autopack.run import issues
from autopack.run.effects import PAID, ApplyChange, ApplyReply, Evidence, ReadReview, Rebase
from autopack.run.frozen import replace
from autopack.run.state import Candidate, Reason, Review
from autopack.run.turn import (
    Turn,
    ask_for_edits,
    at_rung,
    audit,
    base_of,
    book,
    carry,
    ci_done,
    environment,
    failure_of,
    land,
    major,
    next_attempt,
    no_reply,
    over,
    overrun_failure,
    queue,
    refuse,
    report,
    request_of,
    resend,
    run_profile,
    send,
    settled,
    signature,
    signed,
    stop,
)

# --- guards -----------------------------------------------------------------------------------------------------


def always(_turn: Turn) -> bool:
    return True


def too_big(turn: Turn) -> bool:
    """The proof of every budget rests on this bound, so a request that passes it is never sent."""
    return bool(turn.event.input_tokens_max > turn.effect.input_tokens_max)


def fits(turn: Turn) -> bool:
    return over(turn) is None


def may_fit_later(turn: Turn) -> bool:
    found = over(turn)
    return found is not None and found.for_now


def over_run_cap(turn: Turn) -> bool:
    found = over(turn)
    return found is not None and found.level != "phase"


def answered(turn: Turn) -> bool:
    return bool(turn.event.outcome == "ok" and turn.event.reply is not None)


def by_auditor(turn: Turn) -> bool:
    return turn.role == "auditor"


def answered_by_auditor(turn: Turn) -> bool:
    return answered(turn) and by_auditor(turn)


def can_fall_back(turn: Turn) -> bool:
    """The model can't be used, and another one that the plan names for this call can."""
    gone = {*turn.run.unusable, turn.effect.model}
    return (unusable_key(turn) or passing_trouble(turn)) and any(ask.model not in gone for ask in at_rung(turn))


def unusable_key(turn: Turn) -> bool:
    return turn.event.outcome in ("auth", "not_found")


def passing_trouble(turn: Turn) -> bool:
    return turn.event.outcome in ("transient", "rate_limited")


def passing_trouble_again(turn: Turn) -> bool:
    return passing_trouble(turn) and may_send_again(turn)


def may_send_again(turn: Turn) -> bool:
    return turn.phase.retry < turn.plan.retry.attempts


def auditor_asks_left(turn: Turn) -> bool:
    return turn.phase.ask < AUDITOR_ASKS


def auditor_unclear(turn: Turn) -> bool:
    return by_auditor(turn) and auditor_asks_left(turn)


def attempts_left(turn: Turn) -> bool:
    """A patch of the Auditor's own that fails like its last one is the end: another one would tell nothing new."""
    stuck = turn.attempt.role == "auditor" and signature(turn) in turn.phase.signatures
    return turn.attempts_left and not stuck


def red(turn: Turn) -> bool:
    return bool(turn.event.verdict == "red")


def red_with_attempts(turn: Turn) -> bool:
    return red(turn) and attempts_left(turn)


def audit_needed(turn: Turn) -> bool:
    """An approval outlasts a rebase: it was given to the change, and on the moved head CI judges that again."""
    told = turn.plan.audit_policy.major_issue and major(turn, turn.event.issues)
    due = turn.spec.audited or turn.phase.audit_due or told
    return due and not turn.phase.approved


def approves(turn: Turn) -> bool:
    """Computed: the word `approve` and no major finding, of everybody who was asked; neither alone is enough."""
    return _content(turn) and all(review.approves for review in turn.phase.reviews)


def _content(turn: Turn) -> bool:
    found = major(turn, turn.event.issues) or any(issue.severity == "major" for issue in turn.event.issues)
    return turn.event.recommendation == "approve" and not found


def second_audit_due(turn: Turn) -> bool:
    """Both are heard, whatever the first one says, so that the Builder learns all at once; `escalate` is the end."""
    return turn.spec.second_audit is not None and not turn.phase.reviews and turn.event.recommendation != "escalate"


def head_is_foreign(turn: Turn) -> bool:
    """Only this run's own landings move its branch, and the fold knows each of them."""
    return bool(turn.event.head != turn.run.head)


def may_race_again(turn: Turn) -> bool:
    """Each landing that comes too late means that another phase has landed, and there are only so many of those."""
    return turn.phase.races < len(turn.plan.phases)


def may_revise(turn: Turn) -> bool:
    return turn.event.recommendation != "escalate" and attempts_left(turn)


# --- actions ----------------------------------------------------------------------------------------------------


def call_model(turn: Turn) -> Turn:
    """Reserve the upper bound of the assembled request and send it."""
    request = request_of(turn)
    turn = turn.with_phase(request=request, waiting=False, delay_s=0.0, retry=0)
    return send(turn, delay_s=0.0)


def wait_for_money(turn: Turn) -> Turn:
    return turn.with_phase(request=request_of(turn), waiting=True, delay_s=0.0, retry=0)


def fail_too_big(turn: Turn) -> Turn:
    needed, most = turn.event.input_tokens_max, turn.effect.input_tokens_max
    text = (
        f"the {turn.role}'s request needs {needed:,} tokens, one call may take {most:,}. "
        f"Raise budget.tokens, lower budget.attempts or split the phase. [AP6103]"
    )
    return turn.with_phase(failure=failure_of(turn, "token_cap", text))


def stop_over_cap(turn: Turn) -> Turn:
    failure = overrun_failure(turn)
    return stop(turn, failure).with_phase(failure=failure)


def fail_over_cap(turn: Turn) -> Turn:
    return turn.with_phase(failure=overrun_failure(turn))


def apply_reply(turn: Turn) -> Turn:
    request = turn.phase.request
    assert request is not None
    turn = book(turn).with_phase(model=request.ask.model)
    return turn.wish(
        ApplyReply(
            phase_id=turn.phase.phase_id,
            attempt=turn.phase.attempt,
            base=base_of(turn),
            request=request.blob,
            reply=turn.event.reply,
            finish_reason=turn.event.finish_reason,
        )
    )


def changed(turn: Turn) -> bool:
    return turn.event.change is not None


def not_there(turn: Turn) -> bool:
    return bool(turn.event.outcome == "not_found")


def apply_change(turn: Turn) -> Turn:
    turn = report(book(turn), turn.event.issues)
    change = ApplyChange(turn.phase.phase_id, turn.phase.attempt, base_of(turn), turn.event.change)
    return turn.wish(change)


def run_builder_again(turn: Turn) -> Turn:
    """A command that failed or took too long is told so, with its own last words."""
    turn, event = report(book(turn), turn.event.issues), turn.event
    return next_attempt(signed(turn), Evidence(event.outcome, event.message, event.output))


def command_failed(turn: Turn) -> Turn:
    turn = report(book(turn), turn.event.issues)
    return turn.with_phase(failure=failure_of(turn, "edit_failed", turn.event.message))


def command_not_found(turn: Turn) -> Turn:
    """The same program will be as absent for every other attempt."""
    return environment(book(turn), "model_not_found", turn.event.message)


def read_review(turn: Turn) -> Turn:
    turn = book(turn)
    return turn.wish(
        ReadReview(
            phase_id=turn.phase.phase_id,
            attempt=turn.phase.attempt,
            ask=turn.phase.ask,
            model=turn.effect.model,
            reply=turn.event.reply,
            finish_reason=turn.event.finish_reason,
        )
    )


def send_again(turn: Turn) -> Turn:
    retry = turn.plan.retry
    backoff_s = min(retry.backoff_s_max, retry.backoff_s * 2**turn.phase.retry)
    wanted_s = turn.event.retry_after_s
    delay_s = backoff_s if wanted_s is None else min(wanted_s, retry.backoff_s_max)
    turn = book(turn).with_phase(retry=turn.phase.retry + 1)
    return resend(turn, delay_s)


def send_again_after_loss(turn: Turn) -> Turn:
    turn = book(turn).with_phase(retry=turn.phase.retry + 1)
    return resend(turn, 0.0)


def fall_back(turn: Turn) -> Turn:
    """Ask the next model that the plan names; for this run the one that gave out is not asked again."""
    event: ev.ModelAnswered = turn.event
    why = f"{event.outcome}: {event.message}"
    turn = book(turn).with_run(unusable={**turn.run.unusable, turn.effect.model: why})
    return ask_for_edits(turn) if turn.phase.state == "EXECUTING" else audit(turn, turn.phase.ask)


def lost_for_good(turn: Turn) -> Turn:
    """Whatever kills the driver each time this call is in flight, another try would most likely be killed as well."""
    text = f"the driver died while a call was in flight, {turn.phase.retry + 1} times in a row with no answer on disk"
    return environment(book(turn), "provider_down", text)


def provider_down(turn: Turn) -> Turn:
    return environment(book(turn), "provider_down", turn.event.message)


def provider_refuses(turn: Turn) -> Turn:
    reason: Reason = "auth" if turn.event.outcome == "auth" else "model_not_found"
    return environment(book(turn), reason, turn.event.message)


def ask_builder_again(turn: Turn) -> Turn:
    """After a reply that is no reply: empty, truncated, refused by the provider, too long."""
    evidence = Evidence(no_reply(turn.event), turn.event.message, turn.event.reply)
    return next_attempt(signed(book(turn)), evidence)


def builder_gave_nothing(turn: Turn) -> Turn:
    turn = book(turn)
    who = "Builder" if turn.role == "builder" else "Auditor"
    text = f"the {who}'s last reply was {no_reply(turn.event)}: {turn.event.message}"
    return turn.with_phase(failure=failure_of(turn, "edit_failed", text))


def ask_auditor_again(turn: Turn) -> Turn:
    return audit(book(turn), turn.phase.ask + 1, Evidence(no_reply(turn.event), turn.event.message, None))


def auditor_gave_nothing(turn: Turn) -> Turn:
    turn = book(turn)
    text = f"the Auditor gave no usable review ({no_reply(turn.event)}: {turn.event.message})"
    return turn.with_phase(failure=failure_of(turn, "audit_rejected", text))


def run_ci(turn: Turn) -> Turn:
    event: ev.PatchAccepted = turn.event
    candidate = Candidate(
        event.commit,
        event.patch,
        event.files,
        event.lines_added,
        event.lines_removed,
        event.rung,
        event.fuzz,
        event.summary,
    )
    return run_profile(report(turn, event.issues).with_phase(candidate=candidate))


def retry_patch(turn: Turn) -> Turn:
    event: ev.PatchRefused = turn.event
    turn = signed(_kept_out(turn))
    return next_attempt(turn, Evidence(event.kind, event.message, event.evidence))


def give_up_patch(turn: Turn) -> Turn:
    event: ev.PatchRefused = turn.event
    turn = _kept_out(turn)
    text = f"the last patch was refused ({event.kind}): {event.message}"
    return turn.with_phase(failure=failure_of(turn, _refused_for(turn, event.kind), text))


def _kept_out(turn: Turn) -> Turn:
    """What the Builder said of its own patch, and why the gate refused it."""
    event, spec = turn.event, turn.spec
    found = issues.of_gate(event.kind, event.message, spec.phase_id, spec.category, spec.severity)
    return refuse(report(turn, event.issues), found)


def _refused_for(turn: Turn, kind: str) -> Reason:
    """Leaving the scope, or writing a secret, is a violation of policy when a phase does it again; once, it is a
    patch that failed.
    """
    reason = _REFUSED.get(kind, "edit_failed")
    again = any(_REFUSED.get(before.kind) == reason for before in turn.phase.evidence)
    return "edit_failed" if reason.endswith("_repeated") and not again else reason


_REFUSED: dict[str, Reason] = {
    "no_op": "no_op",
    "scope": "scope_repeated",
    "protected": "scope_repeated",
    "secret": "secret_repeated",
}
"""What a phase failed of when its last attempt was refused for this."""


def retry_after_red(turn: Turn) -> Turn:
    turn = signed(ci_done(turn))
    return next_attempt(turn, Evidence("ci_red", _red_words(turn.event), turn.event.evidence))


def give_up_red(turn: Turn) -> Turn:
    turn = ci_done(turn)
    return turn.with_phase(failure=failure_of(turn, "ci_red", _red_words(turn.event)))


def start_audit(turn: Turn) -> Turn:
    return audit(ci_done(turn), 1)


def start_landing(turn: Turn) -> Turn:
    return queue(ci_done(turn))


def ask_second_auditor(turn: Turn) -> Turn:
    return audit(reviewed(report(turn, turn.event.issues)), 1)


def land_approved(turn: Turn) -> Turn:
    settled = issues.resolve(turn.run.issues, turn.phase.phase_id, ("auditor", "static_check"))
    turn = reviewed(report(turn.with_run(issues=settled), turn.event.issues)).with_phase(approved=True)
    return queue(turn)


def revise(turn: Turn) -> Turn:
    """What everybody who was asked has found goes back together."""
    turn = reviewed(signed(report(turn, turn.event.issues)))
    found = (Evidence("audit_rejected", review.words, review.evidence) for review in turn.phase.reviews)
    return next_attempt(turn, *found)


def reviewed(turn: Turn) -> Turn:
    """Keep this review of the patch under way."""
    event: ev.ReviewRead = turn.event
    request = turn.phase.request
    assert request is not None
    review = Review(request.ask.model, event.recommendation, _content(turn), _review_words(event), event.evidence)
    return turn.with_phase(reviews=(*turn.phase.reviews, review))


def give_up_audit(turn: Turn) -> Turn:
    turn = reviewed(report(turn, turn.event.issues))
    against = [review.words for review in turn.phase.reviews if not review.approves]
    return turn.with_phase(failure=failure_of(turn, "audit_rejected", "; ".join(against)))


def reask_review(turn: Turn) -> Turn:
    return audit(turn, turn.phase.ask + 1, Evidence("facts_error", turn.event.message, turn.event.evidence))


def give_up_review(turn: Turn) -> Turn:
    text = f"the Auditor's review can't be read: {turn.event.message}"
    return turn.with_phase(failure=failure_of(turn, "audit_rejected", text))


def complete(turn: Turn) -> Turn:
    event: ev.Landed = turn.event
    return turn.with_run(head=event.commit, issues=settled(turn)).with_phase(commit=event.commit)


def rebase(turn: Turn) -> Turn:
    event: ev.HeadMoved = turn.event
    return carry(turn.with_run(head=event.head).with_phase(races=turn.phase.races + 1))


def stop_tampered(turn: Turn) -> Turn:
    text = (
        f"the integration branch is at {turn.event.head}, where this run has not put it: it was at {turn.run.head}. "
        f"What somebody else put there passed no gate"
    )
    return environment(turn, "tampered_record", text)


def give_up_landing(turn: Turn) -> Turn:
    text = (
        f"the integration branch was moved before each of {turn.phase.races + 1} landings, more often than this run "
        f"has phases: somebody else writes to it"
    )
    return turn.with_run(head=turn.event.head).with_phase(failure=failure_of(turn, "conflict", text))


def needs_recheck(turn: Turn) -> bool:
    """Whether a carried candidate has to pass CI again: always, or only where the two changes touch."""
    return turn.spec.recheck == "always" or turn.event.overlaps


def recheck(turn: Turn) -> Turn:
    return run_profile(_carried(turn))


def land_carried(turn: Turn) -> Turn:
    """What landed meanwhile lies elsewhere: the verdict of CI, given to the change, still holds."""
    return land(_carried(turn))


def _carried(turn: Turn) -> Turn:
    effect: Rebase = turn.effect
    candidate = replace(turn.candidate, commit=turn.event.commit, patch=turn.event.patch)
    return turn.with_phase(candidate=candidate, base=effect.head)


def first_conflict(turn: Turn) -> bool:
    """Once the Builder may do it again on what landed; who collides twice shares lines that want an order."""
    return turn.attempts_left and "conflict" not in turn.phase.signatures


def retry_conflict(turn: Turn) -> Turn:
    return next_attempt(signed(turn), Evidence("conflict", _conflict_words(turn.event), turn.event.evidence))


def give_up_conflict(turn: Turn) -> Turn:
    words = _conflict_words(turn.event)
    found = issues.of_gate(
        "conflict", f"{words}; give the phases an order", turn.phase.phase_id, turn.spec.category, "major"
    )
    return refuse(turn, found).with_phase(failure=failure_of(turn, "conflict", words))


def trouble(turn: Turn) -> Turn:
    """The world gave out. A call that was already sent stays charged with its reservation."""
    if isinstance(turn.effect, PAID):
        turn = book(turn)
    return environment(turn, turn.event.trouble, turn.event.message)


def _red_words(event: ev.CiFinished) -> str:
    if not event.failing:
        return "CI is red: no test was executed" if not event.executed_tests else "CI is red"
    shown = ", ".join(event.failing[:5])
    more = f" and {len(event.failing) - 5} more" if len(event.failing) > 5 else ""
    return f"CI is red: {shown}{more}"


def _review_words(event: ev.ReviewRead) -> str:
    found = "; ".join(issue.description for issue in event.issues[:3])
    return f"the Auditor says {event.recommendation}: {found or 'no finding given'}"


def _conflict_words(event: ev.Conflicted) -> str:
    return f"what landed meanwhile changes the same lines of {', '.join(event.paths)}"
