"""Paid calls: reserve and wish, send again, and book what came of it."""

from decimal import Decimal

from autopack.plan.price import UNKNOWN_USAGE, cost, exact, upper_bound
from autopack.run import events as ev
from autopack.run import ledger
from autopack.run.allowance import limits, project_words, provider_words
from autopack.run.asking import at_rung, is_command, is_external
from autopack.run.effects import AskExternal, CallModel, Effect, Role, RunBuilder, key
from autopack.run.ledger import Amount, Overrun
from autopack.run.state import Call, Failure, Reason, Request
from autopack.run.turn import Turn, base_of


def request_of(turn: Turn) -> Request:
    """What was assembled, for the model that it was assembled for."""
    ask = next(ask for ask in at_rung(turn) if ask.model == turn.effect.model)
    return Request(turn.role, ask, turn.event.request, turn.event.input_tokens_max, turn.effect.why)


REPEATED = ("transient", "rate_limited", "lost", "auth", "not_found")
"""Outcomes after which the call is made again, or by another model: it stays the same call."""


def send(turn: Turn, delay_s: float) -> Turn:
    """Reserve and wish the call for the phase's assembled request; a client costs nothing, so nothing is reserved."""
    request = _waiting_request(turn)
    ask, amount = request.ask, _bound(turn, request)
    if is_external(turn, ask):
        phase = turn.phase
        return turn.wish(AskExternal(phase.phase_id, phase.attempt, base_of(turn), request.blob, phase.evidence))
    effect: Effect = _run_of(turn, request) if is_command(turn, ask) else _call_of(turn, request, amount, delay_s)
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
    model, more = request.ask.model, limits(turn.plan, turn.run, request.ask.model)
    return ledger.overrun(turn.plan, turn.run.ledger, turn.spec, model, _bound(turn, request), more)


def models_beside(turn: Turn) -> frozenset[str]:
    """All models of the provider that the phase's next call would go to."""
    provider = turn.plan.models[_waiting_request(turn).ask.model].provider
    return frozenset(name for name, model in turn.plan.models.items() if model.provider == provider)


def _waiting_request(turn: Turn) -> Request:
    """The request to pay for: the one just assembled, else the one the phase keeps."""
    if isinstance(turn.event, ev.ContextAssembled):
        return request_of(turn)
    if turn.phase.request is None:
        raise LookupError(f"phase {turn.phase.phase_id} has no request in {turn.phase.state}")
    return turn.phase.request


def _bound(turn: Turn, request: Request) -> Amount:
    ask = request.ask
    if is_command(turn, ask) or is_external(turn, ask):
        return Amount(turn.spec.builder.tokens, Decimal(0))
    price = turn.plan.models[ask.model].price
    tokens = request.input_tokens_max + ask.output_tokens_max
    return Amount(tokens, upper_bound(request.input_tokens_max, ask.output_tokens_max, price))


def book(turn: Turn) -> Turn:
    """Settle the call that this event answers, and keep a record of it; a client was no call."""
    if isinstance(turn.effect, AskExternal):
        return turn
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
        why=_why(turn),
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
        why=_why(turn),
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
        why=_why(turn),
    )


def _why(turn: Turn) -> str:
    return turn.phase.request.why if turn.phase.request else ""


OWNERS = {"phase": "its", "proof": "its proved", "tier": "its tier's", "model": "its model's", "run": "the run's"}


def overrun_failure(turn: Turn) -> Failure:
    found = over(turn)
    assert found is not None
    reason: Reason = "cost_cap" if found.dimension == "cost_usd" else "token_cap"
    if found.level == "tier":
        reason = "tier_caps"
    unit = "tokens" if found.dimension == "tokens" else "USD"
    said = exact if unit == "USD" else "{:,f}".format
    amounts = f"({said(found.used)} used, next call at most {said(found.asked)})"
    if found.level in OWNERS:
        knob = "the model's token_cap" if found.level == "model" else f"budget.{found.dimension}"
        words = f"would pass {OWNERS[found.level]} cap of {said(found.cap)} {unit} {amounts}"
        words += f". Raise {knob} or split the phase."
    else:
        words = f"would pass the {said(found.cap)} {unit} that were left for this run {amounts}: {_left(turn, found)}"
    return Failure(reason, f'phase "{turn.phase.phase_id}" {words} [AP6103]')


def _left(turn: Turn, found: Overrun) -> str:
    """Whose they were, and what to do."""
    if found.level == "project":
        return project_words(turn.plan, turn.run, found.dimension)
    assert turn.run.allowance is not None
    provider = turn.plan.models[_waiting_request(turn).ask.model].provider
    words = provider_words(turn.plan, turn.run.allowance, provider)
    return f"{words}. Raise its weekly_tokens, or name a model of another provider behind it."
