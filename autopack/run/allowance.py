"""What a run may spend of what its project and its providers have left, taken once, before its first call.

The store hands over the accounts of all runs and keeps what was granted, in one transaction, so that runs that begin
at once can't be granted the same. A run that has not ended holds all that it was granted; one that has ended has spent
what it was billed, and the window lets go of that so many days after its end.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from autopack.plan.model import Ask, Caps, Plan, PlanPhase
from autopack.plan.price import exact
from autopack.run.effects import TakeAllowance
from autopack.run.events import AllowanceTaken, ProviderShare
from autopack.run.frozen import replace
from autopack.run.ledger import RUN, ZERO, Amount, Ledger, Limit
from autopack.run.state import Failure, RunState
from autopack.run.turn import stopped

DAY_S = 86_400
WEEK_S = 7 * DAY_S
FREE = AllowanceTaken("", 0.0, None, None, {}, 0, Decimal(0), (), None)
"""Of a run that is answered from a cassette: it spends nothing of anybody's."""


@dataclass(frozen=True, slots=True)
class Account:
    """One run as the store knows it. `ended_at` None: it has not ended, and may spend up to what it `held`."""

    run_id: str
    project: str
    ended_at: float | None
    spent: Amount
    provider_tokens: Mapping[str, int] = field(default_factory=dict)
    held: Amount = ZERO
    held_tokens: Mapping[str, int] = field(default_factory=dict)


def wanted(plan: Plan, run: RunState) -> TakeAllowance | None:
    """The most that the run can spend; None where neither project nor provider has a cap for all runs."""
    weekly = sorted(name for name, quota in plan.quotas.items() if quota.weekly_tokens is not None)
    if plan.project_budget is None and not weekly:
        return None
    todo = [phase for phase in plan.phases if run.phases[phase.phase_id].state == "QUEUED"]
    costs = [phase.worst.cost_usd for phase in todo]
    known = None if None in costs else sum((cost for cost in costs if cost is not None), Decimal(0))
    tokens = min(plan.caps.tokens, _tokens(todo))
    return TakeAllowance(
        run_id=run.run_id,
        tokens=tokens,
        cost_usd=_lower(known, plan.caps.cost_usd),
        providers={name: min(tokens, _tokens(each for each in todo if _asks(plan, each, name))) for name in weekly},
    )


def granted(plan: Plan, asked: TakeAllowance, accounts: Sequence[Account], now: float) -> AllowanceTaken:
    """`now` in seconds since 1970; the answer has no key and no time yet."""
    others = [each for each in accounts if each.run_id != asked.run_id]
    budget = plan.project_budget
    share = _of_project(plan, asked, [each for each in others if each.project == plan.project], now)
    providers = {name: _of_provider(plan, name, most, others, now) for name, most in asked.providers.items()}
    return FREE if budget is None and not providers else replace(share, providers=providers)


def _of_project(plan: Plan, asked: TakeAllowance, others: Sequence[Account], now: float) -> AllowanceTaken:
    budget = plan.project_budget
    if budget is None:
        return FREE
    window = Window(others, budget.days * DAY_S, now)
    spent, held = window.sum(lambda each: each.spent), window.sum(_held)
    tokens = None if budget.tokens is None else _clamped(asked.tokens, budget.tokens - spent.tokens - held.tokens)
    cost = None
    if budget.cost_usd is not None:
        left = budget.cost_usd - spent.cost_usd - held.cost_usd
        cost = _clamped(left if asked.cost_usd is None else asked.cost_usd, left)
    frees = [
        window.frees(lambda each: each.spent.tokens, None if budget.tokens is None else budget.tokens - held.tokens),
        window.frees(
            lambda each: each.spent.cost_usd, None if budget.cost_usd is None else budget.cost_usd - held.cost_usd
        ),
    ]
    return AllowanceTaken(
        key="",
        elapsed_s=0.0,
        tokens=tokens,
        cost_usd=cost,
        providers={},
        spent_tokens=spent.tokens,
        spent_cost_usd=spent.cost_usd,
        held_by=tuple(each.run_id for each in others if _held(each) != ZERO),
        frees_at=_latest(frees),
    )


def _of_provider(plan: Plan, name: str, most: int, others: Sequence[Account], now: float) -> ProviderShare:
    quota, window = plan.quotas[name], Window(others, WEEK_S, now)
    weekly = quota.weekly_tokens or 0
    spent = window.sum(lambda each: Amount(each.provider_tokens.get(name, 0), Decimal(0))).tokens
    held = window.sum(lambda each: Amount(_held_of(each, name), Decimal(0))).tokens
    return ProviderShare(
        weekly=weekly,
        spent=spent,
        tokens=_clamped(most, weekly - spent - held),
        soft=None if quota.soft_limit is None else max(0, int(Decimal(str(quota.soft_limit)) * weekly) - spent),
        frees_at=_latest([window.frees(lambda each: each.provider_tokens.get(name, 0), weekly - held)]),
    )


@dataclass(frozen=True, slots=True)
class Window:
    """The accounts that count: of runs that have not ended, and of those that have since the window begins."""

    accounts: Sequence[Account]
    length_s: float
    now: float

    def sum(self, of: Callable[[Account], Amount]) -> Amount:
        return sum((of(each) for each in self._within()), ZERO)

    def frees(self, of: Callable[[Account], Any], cap: Any) -> float | None:
        """When what has ended lets go of so much that something is left below the cap, or of the first of it where
        something is; None where only the end of another run can free some.
        """
        if cap is None:
            return None
        used = sum(of(each) for each in self._within())
        for at, amount in sorted((each.ended_at, of(each)) for each in self._within() if each.ended_at is not None):
            used -= amount
            if amount and used < cap:
                return at + self.length_s
        return None

    def _within(self) -> Iterable[Account]:
        return (each for each in self.accounts if each.ended_at is None or each.ended_at > self.now - self.length_s)


def _held(account: Account) -> Amount:
    """What a run that has not ended may still spend beyond what it has."""
    if account.ended_at is not None:
        return ZERO
    tokens = max(0, account.held.tokens - account.spent.tokens)
    return Amount(tokens, max(Decimal(0), account.held.cost_usd - account.spent.cost_usd))


def _held_of(account: Account, provider: str) -> int:
    if account.ended_at is not None:
        return 0
    return max(0, account.held_tokens.get(provider, 0) - account.provider_tokens.get(provider, 0))


def _latest(times: Iterable[float | None]) -> str | None:
    known = [at for at in times if at is not None]
    return datetime.fromtimestamp(max(known), UTC).strftime("%Y-%m-%d %H:%M UTC") if known else None


def _clamped(most: Any, left: Any) -> Any:
    return max(min(most, left), type(left)(0))


def _lower(cap: Decimal | None, other: Decimal | None) -> Decimal | None:
    """None is no cap."""
    return cap if other is None else other if cap is None else min(cap, other)


def _tokens(phases: Iterable[PlanPhase]) -> int:
    return sum(phase.worst.tokens for phase in phases)


def _asks(plan: Plan, phase: PlanPhase, provider: str) -> bool:
    return any(plan.models[ask.model].provider == provider for ask in phase.asks)


# --- what follows from it -----------------------------------------------------------------------------------------


def caps(plan: Plan, run: RunState) -> Caps:
    """The run's caps, lowered to what was left when it began."""
    share = run.allowance
    if share is None:
        return plan.caps
    tokens = plan.caps.tokens if share.tokens is None else min(plan.caps.tokens, share.tokens)
    return replace(plan.caps, tokens=tokens, cost_usd=_lower(plan.caps.cost_usd, share.cost_usd))


def limits(plan: Plan, run: RunState, model: str) -> Iterable[Limit]:
    """Beside the plan's own caps: what the model's provider and the project had left when the run began."""
    share, provider = run.allowance, plan.models[model].provider
    if share is None:
        return
    if provider in share.providers:
        yield Limit("provider", _scopes(plan, provider), share.providers[provider].tokens, None)
    yield Limit("project", (RUN,), share.tokens, share.cost_usd)


def _scopes(plan: Plan, provider: str) -> tuple[str, ...]:
    return tuple(f"model:{name}" for name, model in plan.models.items() if model.provider == provider)


def used(plan: Plan, ledger: Ledger, provider: str) -> tuple[int, int]:
    """Tokens of a provider that this run was billed, and that its calls in flight may still cost."""
    scopes = _scopes(plan, provider)
    return sum(ledger.spent(each).tokens for each in scopes), sum(ledger.reserved(each).tokens for each in scopes)


def above_soft(plan: Plan, run: RunState, provider: str) -> bool:
    """Whether the provider's week has reached its soft limit, this run's own share included."""
    share = run.allowance.providers.get(provider) if run.allowance else None
    return share is not None and share.soft is not None and sum(used(plan, run.ledger, provider)) >= share.soft


def taken(plan: Plan, run: RunState, event: AllowanceTaken) -> RunState:
    """The run with its share; stopped where there is nothing to share. A provider without a token left is given up."""
    asked = wanted(plan, run)
    run = replace(run, allowance=event)
    if asked is not None and event.tokens == 0 and asked.tokens:
        return stopped(run, Failure("token_cap", _nothing_left(plan, run, "tokens")))
    if asked is not None and event.cost_usd == 0 and asked.cost_usd != 0:
        return stopped(run, Failure("cost_cap", _nothing_left(plan, run, "cost_usd")))
    empty = {name: provider_words(plan, event, name) for name, share in event.providers.items() if not share.tokens}
    gone = {name: empty[model.provider] for name, model in plan.models.items() if model.provider in empty}
    run = replace(run, unusable={**run.unusable, **gone})
    left = stranded(plan, run)
    return run if not gone or left is None else stopped(run, Failure("token_cap", f"no phase was started: {left}"))


def stranded(plan: Plan, run: RunState) -> str | None:
    """Which phase has a call that nobody could answer any more, in words; None: each has somebody."""
    for phase in plan.phases:
        if run.phases[phase.phase_id].state == "QUEUED":
            for asks, needed, what in _needed(phase):
                able = {ask.model for ask in asks} - run.unusable.keys()
                if len(able) < needed:
                    gone = "; ".join(dict.fromkeys(run.unusable[a.model] for a in asks if a.model in run.unusable))
                    return f'{what} of phase "{phase.phase_id}" has nobody left to ask: {gone}'
    return None


def _needed(phase: PlanPhase) -> Iterable[tuple[tuple[Ask, ...], int, str]]:
    """Who may be asked for each call that the phase can come to, and how many different ones it takes."""
    for number, rung in enumerate(phase.ladder, 1):
        yield (rung.ask, *rung.fallbacks), 1, f"attempt {number}"
    second = () if phase.second_audit is None else (phase.second_audit,)
    yield (phase.audit, *second, *phase.audit_fallbacks), 1 + len(second), "the audit"


def _nothing_left(plan: Plan, run: RunState, name: str) -> str:
    return f"the project's budget has nothing left, so no call was made: {project_words(plan, run, name)}"


def project_words(plan: Plan, run: RunState, name: str) -> str:
    """What has become of the project's budget, and what to do about it."""
    share, budget = run.allowance, plan.project_budget
    assert share is not None
    assert budget is not None
    spent = f"{share.spent_tokens:,} of {budget.tokens or 0:,} tokens"
    if name == "cost_usd":
        spent = f"{exact(share.spent_cost_usd)} of {exact(budget.cost_usd or Decimal(0))} USD"
    said = [f"{spent} were spent in {budget.days} days"]
    if share.held_by:
        said.append(f"{_some(share.held_by)}, which {_has(share.held_by)} not ended, may still spend the rest")
    if share.frees_at:
        said.append(f"the window frees some at {share.frees_at}")
    action = f"Raise budget.{name} in autopack.yaml, or wait; then: autopack rerun {run.run_id} --failed"
    return f"{'; '.join(said)}. {action}"


def provider_words(plan: Plan, event: AllowanceTaken, provider: str) -> str:
    """What has become of a provider's week."""
    share = event.providers[provider]
    frees = f", some is free again at {share.frees_at}" if share.frees_at else ""
    quota = plan.quotas[provider].weekly_tokens or 0
    return f"{provider} has used {share.spent:,} of its {quota:,} tokens in 7 days{frees}"


def _some(names: Sequence[str]) -> str:
    return "run " + ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _has(names: Sequence[str]) -> str:
    return "has" if len(names) == 1 else "have"
