"""Reserve before a call, settle after it: budgets that can't be overshot, also by phases in parallel.

A reservation is the proved upper bound of one call and counts against phase, tier, model and run at once. Settling
replaces it with what was billed. A call whose bill is unknown (no usage sent, or lost in a crash) stays charged
with its reservation.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from itertools import chain
from typing import Literal

from autopack.plan.model import Plan, PlanPhase
from autopack.run.frozen import replace

RUN = "run"
Level = Literal["phase", "proof", "tier", "model", "run", "provider", "project"]


@dataclass(frozen=True, slots=True)
class Amount:
    tokens: int
    cost_usd: Decimal

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(self.tokens + other.tokens, self.cost_usd + other.cost_usd)


ZERO = Amount(0, Decimal(0))


@dataclass(frozen=True, slots=True)
class Reservation:
    phase_id: str
    tier_id: str
    model: str
    amount: Amount


@dataclass(frozen=True, slots=True)
class Ledger:
    """`used` by scope (`run`, `tier:<id>`, `phase:<id>`, `model:<name>`), `held` by the key of the call in flight;
    `calls` were settled, `ci_runs` begun.
    """

    used: Mapping[str, Amount]
    held: Mapping[str, Reservation]
    calls: int = 0
    ci_runs: int = 0

    def spent(self, scope: str) -> Amount:
        return self.used.get(scope, ZERO)

    def reserved(self, scope: str) -> Amount:
        """What calls in flight may still cost in this scope."""
        held = (r.amount for r in self.held.values() if scope in _scopes(r))
        return sum(held, ZERO)


EMPTY = Ledger({}, {})


@dataclass(frozen=True, slots=True)
class Limit:
    """A cap on what is used in some scopes together; None: no cap."""

    level: Level
    scopes: tuple[str, ...]
    tokens: int | None
    cost_usd: Decimal | None


@dataclass(frozen=True, slots=True)
class Overrun:
    """A cap that a call would pass. `for_now` is True when it would fit once calls in flight have settled."""

    level: Level
    dimension: Literal["tokens", "cost_usd"]
    cap: Decimal
    used: Decimal
    asked: Decimal
    for_now: bool


def reserve(ledger: Ledger, key: str, phase: PlanPhase, model: str, amount: Amount) -> Ledger:
    held = {**ledger.held, key: Reservation(phase.phase_id, phase.tier_id, model, amount)}
    return replace(ledger, held=held)


def release(ledger: Ledger, key: str) -> Ledger:
    """Let go of a reservation whose call was never sent."""
    return replace(ledger, held={k: r for k, r in ledger.held.items() if k != key})


def settle(ledger: Ledger, key: str, billed: Amount | None) -> Ledger:
    """Book what was billed; None books the reservation itself."""
    held = dict(ledger.held)
    reservation = held.pop(key)
    amount = reservation.amount if billed is None else billed
    used = dict(ledger.used)
    for scope in _scopes(reservation):
        used[scope] = used.get(scope, ZERO) + amount
    return replace(ledger, used=used, held=held, calls=ledger.calls + 1)


def booked(before: Ledger, now: Ledger) -> set[str]:
    """The scopes in which something was used between the two."""
    settled = (reservation for key, reservation in before.held.items() if key not in now.held)
    return {scope for reservation in settled for scope in _scopes(reservation) if scope in now.used}


def overrun(
    plan: Plan, ledger: Ledger, phase: PlanPhase, model: str, amount: Amount, more: Iterable[Limit] = ()
) -> Overrun | None:
    """The first cap, narrowest level first, that this call could pass; None when it fits everywhere."""
    for cap in chain(_caps(plan, phase, model), more):
        spent = sum(map(ledger.spent, cap.scopes), ZERO)
        reserved = sum(map(ledger.reserved, cap.scopes), ZERO)
        found = _over(cap.level, "tokens", cap.tokens, spent.tokens, reserved.tokens, amount.tokens) or _over(
            cap.level, "cost_usd", cap.cost_usd, spent.cost_usd, reserved.cost_usd, amount.cost_usd
        )
        if found:
            return found
    return None


def _caps(plan: Plan, phase: PlanPhase, model: str) -> Iterator[Limit]:
    """A tier's cap refuses only where a tier that is not clean fails the run; otherwise it makes it not_clean.

    What was proved of a phase holds also where calls had to be sent again and nobody knows what those cost.
    A model's cap is what bounds one that nobody meters; it holds for the whole run.
    """
    of_phase = (f"phase:{phase.phase_id}",)
    yield Limit("phase", of_phase, phase.token_cap, phase.cost_usd_max)
    yield Limit("proof", of_phase, phase.worst.tokens, phase.worst.cost_usd)
    if plan.not_clean == "fail_run":
        yield Limit("tier", (f"tier:{phase.tier_id}",), plan.tier(phase.tier_id).token_cap, None)
    yield Limit("model", (f"model:{model}",), plan.models[model].token_cap, None)
    yield Limit("run", (RUN,), plan.caps.tokens, plan.caps.cost_usd)


def _over(
    level: Level,
    dimension: Literal["tokens", "cost_usd"],
    cap: int | Decimal | None,
    spent: int | Decimal,
    reserved: int | Decimal,
    asked: int | Decimal,
) -> Overrun | None:
    if cap is None or spent + reserved + asked <= cap:
        return None
    for_now = bool(spent + asked <= cap)
    return Overrun(level, dimension, Decimal(cap), Decimal(spent), Decimal(asked), for_now)


def _scopes(held: Reservation) -> tuple[str, ...]:
    return (f"phase:{held.phase_id}", f"tier:{held.tier_id}", f"model:{held.model}", RUN)
