"""When a row of the transition table fits: one small question each, about the turn and nothing else."""

from autopack.plan.model import AUDITOR_ASKS
from autopack.run.asking import at_rung
from autopack.run.calling import models_beside, over
from autopack.run.noting import major, signature
from autopack.run.turn import Turn, time_left_s


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
    return found is not None and found.level not in ("phase", "provider")


def provider_used_up(turn: Turn) -> bool:
    """The provider's week is over for this run, and a model of another one may be asked."""
    found = over(turn)
    if found is None or found.level != "provider":
        return False
    gone = turn.run.unusable.keys() | models_beside(turn)
    return any(ask.model not in gone for ask in at_rung(turn))


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
    return passing_trouble(turn) and may_send_again(turn) and worth_waiting(turn)


def worth_waiting(turn: Turn) -> bool:
    """What the provider asks for is kept to the second, unless somebody else can answer meanwhile or time runs out."""
    wanted_s = turn.event.retry_after_s
    if wanted_s is None or wanted_s <= turn.plan.retry.backoff_s_max:
        return True
    return not can_fall_back(turn) and wanted_s < time_left_s(turn)


def may_send_again(turn: Turn) -> bool:
    """One request is sent `attempts` times at most."""
    return turn.phase.retry + 1 < turn.plan.retry.attempts


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
    return content(turn) and all(review.approves for review in turn.phase.reviews)


def content(turn: Turn) -> bool:
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


def changed(turn: Turn) -> bool:
    return turn.event.change is not None


def not_there(turn: Turn) -> bool:
    return bool(turn.event.outcome == "not_found")


def needs_recheck(turn: Turn) -> bool:
    """Whether a carried candidate has to pass CI again: always, or only where the two changes touch."""
    return turn.spec.recheck == "always" or turn.event.overlaps


def first_conflict(turn: Turn) -> bool:
    """Once the Builder may do it again on what landed; who collides twice shares lines that want an order."""
    return turn.attempts_left and "conflict" not in turn.phase.signatures
