"""One turn of the machine: what a row looks at, and the small steps its actions share (wish, reserve, book)."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from autopack.plan.model import COMMAND, COMMAND_PROMPT_TOKENS, Ask, Attempt, Plan, PlanPhase
from autopack.plan.price import UNKNOWN_USAGE, cost, upper_bound
from autopack.run import events as ev
from autopack.run import issues, ledger
from autopack.run.effects import (
    AssembleContext,
    CallModel,
    Effect,
    Evidence,
    Land,
    Rebase,
    Role,
    RunBuilder,
    RunCi,
    key,
)
from autopack.run.frozen import replace
from autopack.run.grading import observed
from autopack.run.ledger import Amount, Overrun
from autopack.run.state import Call, Candidate, CiSummary, Failure, PhaseState, Reason, Request, RunState, with_phases


@dataclass(frozen=True, slots=True)
class Turn:
    """All that one row looks at: the run, the phase it is about, the event and the effect it answers."""

    plan: Plan
    run: RunState
    spec: PlanPhase
    phase: PhaseState
    event: Any
    effect: Any

    @property
    def attempt(self) -> Attempt:
        return self.spec.ladder[self.phase.attempt - 1]

    @property
    def candidate(self) -> Candidate:
        """The patch under way; asking for it where there is none is a bug, not an event."""
        candidate = self.phase.candidate
        if candidate is None:
            raise LookupError(f"phase {self.phase.phase_id} has no candidate in {self.phase.state}")
        return candidate

    @property
    def attempts_left(self) -> bool:
        return self.phase.attempt < len(self.spec.ladder)

    @property
    def role(self) -> Role:
        role: Role = self.effect.role
        return role

    def with_phase(self, **changes: Any) -> "Turn":
        phase = replace(self.phase, **changes)
        return replace(self, run=with_phases(self.run, phase), phase=phase)

    def with_run(self, **changes: Any) -> "Turn":
        return replace(self, run=replace(self.run, **changes))

    def wish(self, effect: Effect) -> "Turn":
        return self.with_run(pending={**self.run.pending, key(effect): effect})


def stop(turn: Turn, failure: Failure) -> Turn:
    run = stopped(turn.run, failure)
    return replace(turn, run=run)


def stopped(run: RunState, failure: Failure) -> RunState:
    """The first reason to stop is the one that counts."""
    return run if run.stopping else replace(run, stopping=True, failure=failure)


def next_attempt(turn: Turn, *evidence: Evidence) -> Turn:
    """One more attempt, with what went wrong; it starts from the integration head."""
    return begin_attempt(turn.with_phase(evidence=(*turn.phase.evidence, *evidence)))


def begin_attempt(turn: Turn) -> Turn:
    previous = turn.phase.candidate
    turn = turn.with_phase(
        attempt=turn.phase.attempt + 1,
        base=turn.run.head,
        ask=1,
        request=None,
        candidate=None,
        last_patch=previous.patch if previous else None,
        ci=None,
        reviews=(),
        approved=False,
    )
    return ask_for_edits(turn)


def ask_for_edits(turn: Turn) -> Turn:
    """Whoever stands at this rung of the ladder is asked for a change."""
    role, ask = turn.attempt.role, choice(turn.run, makers(turn))
    return turn.wish(
        AssembleContext(
            phase_id=turn.phase.phase_id,
            role=role,
            wants="edits",
            attempt=turn.phase.attempt,
            ask=1,
            model=ask.model,
            input_tokens_max=_room(turn, ask),
            edit_format=turn.attempt.edit_format,
            base=base_of(turn),
            patch=turn.phase.last_patch,
            commit=None,
            ci="",
            logs={},
            evidence=turn.phase.evidence if role == "builder" else _for_auditor(turn.phase.evidence),
        )
    )


def _room(turn: Turn, ask: Ask) -> int:
    """For a request; what a command may use is no measure of what it may be told."""
    return COMMAND_PROMPT_TOKENS if _is_command(turn, ask) else ask.input_tokens_max


def _is_command(turn: Turn, ask: Ask) -> bool:
    return turn.plan.models[ask.model].provider == COMMAND


_NEUTRAL = ("ci_red", "probe", "audit_rejected", "conflict")
"""Evidence in words of tests, git and the Auditor itself; all other kinds may quote what the Builder wrote."""


def _for_auditor(evidence: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return tuple(
        e if e.kind in _NEUTRAL else Evidence(e.kind, "an attempt was refused for this", None) for e in evidence
    )


def at_rung(turn: Turn) -> tuple[Ask, ...]:
    """Who may be asked now, in order of preference: for a change while EXECUTING, for a review in the GATE.

    The second of two reviews is never by the model that gave the first.
    """
    return reviewers(turn) if turn.phase.state == "GATE" else makers(turn)


def makers(turn: Turn) -> tuple[Ask, ...]:
    return (turn.attempt.ask, *turn.attempt.fallbacks)


def reviewers(turn: Turn) -> tuple[Ask, ...]:
    spec, judged = turn.spec, {review.model for review in turn.phase.reviews}
    first = spec.second_audit if judged and spec.second_audit is not None else spec.audit
    return (first, *(ask for ask in spec.audit_fallbacks if ask.model not in judged))


def choice(run: RunState, asks: tuple[Ask, ...]) -> Ask:
    """The first who can be asked; where nobody can, the first of all, so that its answer says why."""
    return next((ask for ask in asks if ask.model not in run.unusable), asks[0])


def audit(turn: Turn, ask: int, because: Evidence | None = None) -> Turn:
    """Ask the Auditor; `because` is what was wrong with its last reply.

    What the Builder was told stays with the Builder: evidence may quote its own words.
    """
    candidate, asked = turn.candidate, choice(turn.run, reviewers(turn))
    turn = turn.with_phase(ask=ask, request=None)
    return turn.wish(
        AssembleContext(
            phase_id=turn.phase.phase_id,
            role="auditor",
            wants="review",
            attempt=turn.phase.attempt,
            ask=ask,
            model=asked.model,
            input_tokens_max=asked.input_tokens_max,
            edit_format=turn.attempt.edit_format,
            base=base_of(turn),
            patch=candidate.patch,
            commit=candidate.commit,
            ci=_ci_words(turn),
            logs=turn.phase.ci.logs if turn.phase.ci else {},
            evidence=() if because is None else (because,),
        )
    )


def _ci_words(turn: Turn) -> str:
    found = turn.phase.ci
    return f"{found.verdict}, {found.executed_tests} tests executed" if found else "not run"


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
    found = issues.of_ci(event.failing, turn.spec.category, turn.spec.severity) if event.verdict == "red" else ()
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


def request_of(turn: Turn) -> Request:
    """What was assembled, for the model that it was assembled for."""
    ask = next(ask for ask in at_rung(turn) if ask.model == turn.effect.model)
    return Request(turn.role, ask, turn.event.request, turn.event.input_tokens_max)


REPEATED = ("transient", "rate_limited", "lost", "auth", "not_found")
"""Outcomes after which the call is made again, or by another model: it stays the same call."""


def send(turn: Turn, delay_s: float) -> Turn:
    """Reserve and wish the call for the phase's assembled request."""
    request = _waiting_request(turn)
    ask, amount = request.ask, _bound(turn, request)
    effect: Effect = _run_of(turn, request) if _is_command(turn, ask) else _call_of(turn, request, amount, delay_s)
    booked = ledger.reserve(turn.run.ledger, key(effect), turn.spec, ask.model, amount)
    return turn.with_run(ledger=booked).wish(effect)


def _call_of(turn: Turn, request: Request, amount: Amount, delay_s: float) -> CallModel:
    return CallModel(
        phase_id=turn.phase.phase_id,
        role=request.role,
        attempt=turn.phase.attempt,
        call=_number(turn, request.role),
        retry=turn.phase.retry,
        model=request.ask.model,
        request=request.blob,
        input_tokens_max=request.input_tokens_max,
        output_tokens_max=request.ask.output_tokens_max,
        cost_usd_max=amount.cost_usd,
        delay_s=delay_s,
    )


def _run_of(turn: Turn, request: Request) -> RunBuilder:
    return RunBuilder(
        phase_id=turn.phase.phase_id,
        attempt=turn.phase.attempt,
        run=_number(turn, "builder"),
        retry=turn.phase.retry,
        base=base_of(turn),
        request=request.blob,
        model=request.ask.model,
        tokens=turn.spec.builder.tokens,
    )


def _number(turn: Turn, role: Role) -> int:
    return 1 + sum(call.role == role and call.outcome not in REPEATED for call in turn.phase.calls)


def resend(turn: Turn, delay_s: float) -> Turn:
    """The same request once more, if the money is still there; otherwise it waits or ends like a first one."""
    if over(turn) is None:
        return send(turn, delay_s)
    return turn.with_phase(waiting=True, delay_s=delay_s)


def over(turn: Turn) -> Overrun | None:
    """The cap that the phase's next call could pass, if any."""
    request = _waiting_request(turn)
    return ledger.overrun(turn.plan, turn.run.ledger, turn.spec, request.ask.model, _bound(turn, request))


def _waiting_request(turn: Turn) -> Request:
    """The request to pay for: the one just assembled, else the one the phase keeps."""
    if isinstance(turn.event, ev.ContextAssembled):
        return request_of(turn)
    if turn.phase.request is None:
        raise LookupError(f"phase {turn.phase.phase_id} has no request in {turn.phase.state}")
    return turn.phase.request


def _bound(turn: Turn, request: Request) -> Amount:
    ask = request.ask
    if _is_command(turn, ask):
        return Amount(turn.spec.builder.tokens, Decimal(0))
    price = turn.plan.models[ask.model].price
    tokens = request.input_tokens_max + ask.output_tokens_max
    return Amount(tokens, upper_bound(request.input_tokens_max, ask.output_tokens_max, price))


def book(turn: Turn) -> Turn:
    """Settle the call that this event answers, and keep a record of it."""
    reserved = turn.run.ledger.held[turn.event.key].amount
    if isinstance(turn.effect, RunBuilder):
        call = _run_call(turn, reserved)
    else:
        answered = isinstance(turn.event, ev.ModelAnswered)
        call = _answered_call(turn, reserved) if answered else _lost_call(turn, reserved)
    booked = ledger.settle(turn.run.ledger, turn.event.key, Amount(call.tokens, call.cost_usd))
    return turn.with_run(ledger=booked).with_phase(calls=(*turn.phase.calls, call))


def _answered_call(turn: Turn, reserved: Amount) -> Call:
    event: ev.ModelAnswered = turn.event
    effect: CallModel = turn.effect
    billed = reserved
    if event.usage.known:
        billed = Amount(event.usage.total, cost(event.usage, turn.plan.models[effect.model].price))
    return Call(
        role=effect.role,
        attempt=effect.attempt,
        model=effect.model,
        outcome=event.outcome,
        usage=event.usage,
        tokens=billed.tokens,
        cost_usd=billed.cost_usd,
        latency_s=event.latency_s,
        maybe_paid=False,
    )


def _run_call(turn: Turn, reserved: Amount) -> Call:
    """A command's bill is not seen: what was stated for it is charged."""
    effect: RunBuilder = turn.effect
    ended = turn.event if isinstance(turn.event, ev.BuilderFinished) else None
    return Call(
        role="builder",
        attempt=effect.attempt,
        model=effect.model,
        outcome=ended.outcome if ended else "lost",
        usage=UNKNOWN_USAGE,
        tokens=reserved.tokens,
        cost_usd=reserved.cost_usd,
        latency_s=ended.latency_s if ended else 0.0,
        maybe_paid=ended is None,
    )


def _lost_call(turn: Turn, reserved: Amount) -> Call:
    effect: CallModel = turn.effect
    return Call(
        role=effect.role,
        attempt=effect.attempt,
        model=effect.model,
        outcome="lost",
        usage=UNKNOWN_USAGE,
        tokens=reserved.tokens,
        cost_usd=reserved.cost_usd,
        latency_s=0.0,
        maybe_paid=True,
    )


def report(turn: Turn, reports: tuple[ev.ReportedIssue, ...]) -> Turn:
    """Record the issues; a major one calls the Auditor in where the ruleset wants it."""
    if not reports:
        return turn
    due = turn.plan.audit_policy.major_issue and major(turn, reports)
    turn = turn.with_run(issues=_recorded(turn, turn.run.issues, reports))
    return turn.with_phase(audit_due=True) if due else turn


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


def environment(turn: Turn, reason: Reason, message: str) -> Turn:
    failure = failure_of(turn, reason, message)
    return stop(turn, failure).with_phase(failure=failure)


def failure_of(turn: Turn, reason: Reason, message: str) -> Failure:
    return Failure(reason, f'phase "{turn.phase.phase_id}", attempt {turn.phase.attempt}: {message}')


OWNERS = {"phase": "its", "proof": "its proved", "tier": "its tier's", "model": "its model's", "run": "the run's"}


def overrun_failure(turn: Turn) -> Failure:
    found = over(turn)
    assert found is not None
    reason: Reason = "cost_cap" if found.dimension == "cost_usd" else "token_cap"
    if found.level == "tier":
        reason = "tier_caps"
    unit = "tokens" if found.dimension == "tokens" else "USD"
    whose = {"phase": "its", "proof": "its proved", "tier": "its tier's", "model": "its model's", "run": "the run's"}[
        found.level
    ]
    knob = "the model's token_cap" if found.level == "model" else f"budget.{found.dimension}"
    words = (
        f"would pass {whose} cap of {found.cap:,f} {unit} ({found.used:,f} used, next call at most {found.asked:,f}). "
        f"Raise {knob} or split the phase. [AP6103]"
    )
    return Failure(reason, f'phase "{turn.phase.phase_id}" {words}')


def base_of(turn: Turn) -> str:
    assert turn.phase.base is not None
    return turn.phase.base


def wish(run: RunState, effect: Effect) -> RunState:
    return replace(run, pending={**run.pending, key(effect): effect})
