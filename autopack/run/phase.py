"""What a phase does: the actions that the transition table names, one small function each."""

from autopack.run import events as ev
from autopack.run import issues
from autopack.run.allowance import provider_words
from autopack.run.asking import ask_for_edits, audit, next_attempt
from autopack.run.calling import book, models_beside, overrun_failure, request_of, resend, send
from autopack.run.effects import PAID, ApplyChange, ApplyReply, Evidence, ReadReview, Rebase
from autopack.run.frozen import replace
from autopack.run.guards import content
from autopack.run.landing import carry, ci_done, land, queue, run_profile, settled
from autopack.run.noting import no_reply, refuse, report, signed
from autopack.run.state import Candidate, Reason, Review
from autopack.run.turn import Turn, base_of, environment, failure_of, stop, time_left_s


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


def apply_change(turn: Turn) -> Turn:
    turn = report(book(turn), turn.event.issues)
    if turn.event.wants_review:
        turn = turn.with_phase(audit_due=True)
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
    delay_s = backoff_s if wanted_s is None else wanted_s
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


def leave_provider(turn: Turn) -> Turn:
    """No model of the provider is asked any more in this run; the next one that the plan names is."""
    assert turn.run.allowance is not None
    gone = models_beside(turn)
    provider = turn.plan.models[min(gone)].provider
    why = provider_words(turn.plan, turn.run.allowance, provider)
    turn = turn.with_run(unusable={**turn.run.unusable, **dict.fromkeys(sorted(gone), why)})
    turn = turn.with_phase(waiting=False, request=None)
    return ask_for_edits(turn) if turn.phase.state == "EXECUTING" else audit(turn, turn.phase.ask)


def lost_for_good(turn: Turn) -> Turn:
    """Whatever kills the driver each time this call is in flight, another try would most likely be killed as well."""
    text = f"the driver died while a call was in flight, {turn.phase.retry + 1} times in a row with no answer on disk"
    return environment(book(turn), "provider_down", text)


def provider_down(turn: Turn) -> Turn:
    event: ev.ModelAnswered = turn.event
    left_s = max(0.0, time_left_s(turn))
    asks = event.retry_after_s is not None and event.retry_after_s >= left_s
    late = f" It asks for {event.retry_after_s:,.0f} s, and {left_s:,.0f} s are left." if asks else ""
    return environment(book(turn), "provider_down", event.message + late)


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
    review = Review(request.ask.model, event.recommendation, content(turn), _review_words(event), event.evidence)
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


def recheck(turn: Turn) -> Turn:
    return run_profile(_carried(turn))


def land_carried(turn: Turn) -> Turn:
    """What landed meanwhile lies elsewhere: the verdict of CI, given to the change, still holds."""
    return land(_carried(turn))


def _carried(turn: Turn) -> Turn:
    effect: Rebase = turn.effect
    candidate = replace(turn.candidate, commit=turn.event.commit, patch=turn.event.patch)
    return turn.with_phase(candidate=candidate, base=effect.head)


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
