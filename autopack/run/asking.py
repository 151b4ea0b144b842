"""Who is asked for what: the rungs of the ladder, the Auditors, and what each of them is told."""

from autopack.plan.model import COMMAND, COMMAND_PROMPT_TOKENS, EXTERNAL, OUTSIDE, Ask
from autopack.run.allowance import above_soft
from autopack.run.effects import AssembleContext, Evidence
from autopack.run.turn import Turn, base_of


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
    role, ask = turn.attempt.role, choice(turn, makers(turn))
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
            why=reason(turn, makers(turn), ask),
        )
    )


def _room(turn: Turn, ask: Ask) -> int:
    """For a request; what a command may use is no measure of what it may be told."""
    return COMMAND_PROMPT_TOKENS if turn.plan.models[ask.model].provider in OUTSIDE else ask.input_tokens_max


def is_command(turn: Turn, ask: Ask) -> bool:
    return turn.plan.models[ask.model].provider == COMMAND


def is_external(turn: Turn, ask: Ask) -> bool:
    return turn.plan.models[ask.model].provider == EXTERNAL


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


def choice(turn: Turn, asks: tuple[Ask, ...]) -> Ask:
    """The first who can be asked, of a provider below its soft limit where the phase may go elsewhere; where nobody
    can, the first of all, so that its answer says why.
    """
    able = [ask for ask in asks if ask.model not in turn.run.unusable] or [asks[0]]
    if not turn.spec.may_downgrade:
        return able[0]
    return next((ask for ask in able if not _above_soft(turn, ask)), able[0])


def reason(turn: Turn, asks: tuple[Ask, ...], chosen: Ask) -> str:
    """Why it is this model and none before it."""
    passed = [_passed_over(turn, ask) for ask in asks[: asks.index(chosen)]]
    if passed:
        return f"instead of {'; '.join(passed)}"
    if not _above_soft(turn, chosen):
        return "first of its route"
    provider = turn.plan.models[chosen.model].provider
    other = "nobody else has room" if turn.spec.may_downgrade else f"{turn.spec.category} is never lowered"
    return f"first of its route: {provider} is above its soft limit, and {other}"


def _passed_over(turn: Turn, ask: Ask) -> str:
    why = turn.run.unusable.get(ask.model) or f"{turn.plan.models[ask.model].provider} is above its soft limit"
    return f"{ask.model} ({why})"


def _above_soft(turn: Turn, ask: Ask) -> bool:
    return above_soft(turn.plan, turn.run, turn.plan.models[ask.model].provider)


def audit(turn: Turn, ask: int, because: Evidence | None = None) -> Turn:
    """Ask the Auditor; `because` is what was wrong with its last reply.

    What the Builder was told stays with the Builder: evidence may quote its own words.
    """
    candidate, asked = turn.candidate, choice(turn, reviewers(turn))
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
            why=reason(turn, reviewers(turn), asked),
        )
    )


def _ci_words(turn: Turn) -> str:
    found = turn.phase.ci
    return f"{found.verdict}, {found.executed_tests} tests executed" if found else "not run"
