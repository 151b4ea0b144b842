"""What tokens cost: exact Decimal arithmetic at a price row that is frozen in the plan."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal

from autopack.spec.record import record

MILLION = Decimal(1_000_000)
CENT = Decimal("0.01")


@record
class Price:
    """USD per million tokens; the cached rates are for input read from and written to the provider's cache."""

    input: Decimal
    cached_input: Decimal
    cached_write: Decimal
    output: Decimal
    as_of: str


@record
class Usage:
    """Tokens of one call as billed. The cached parts are inside `input`, reasoning inside `output`.

    `known` is False when the provider sent no usage: then the reservation is charged, never a guess.
    """

    input: int
    cached_read: int
    cached_write: int
    output: int
    reasoning: int
    known: bool

    @property
    def total(self) -> int:
        return self.input + self.output


UNKNOWN_USAGE = Usage(0, 0, 0, 0, 0, known=False)


def cost(usage: Usage, price: Price | None) -> Decimal:
    """USD of one call, exact and unrounded; an unmetered model costs 0."""
    if price is None:
        return Decimal(0)
    fresh = usage.input - usage.cached_read - usage.cached_write
    dollars = (
        fresh * price.input
        + usage.cached_read * price.cached_input
        + usage.cached_write * price.cached_write
        + usage.output * price.output
    )
    return dollars / MILLION


def upper_bound(input_tokens: int, output_tokens: int, price: Price | None) -> Decimal:
    """The most a call with these bounds can cost: every input token at the dearest of the input rates."""
    if price is None:
        return Decimal(0)
    dearest = max(price.input, price.cached_input, price.cached_write)
    return (input_tokens * dearest + output_tokens * price.output) / MILLION


def exact(amount: Decimal) -> str:
    """A cap as people write money: 2.00, 16.70, 0.005."""
    plain = f"{amount:,f}"
    whole, _, part = plain.partition(".")
    return f"{whole}.{part.rstrip('0'):0<2}"


def at_most(amount: Decimal) -> str:
    """A bound, rounded up: 3.7029856 is 3.71. Where that says little, two digits that tell something: 0.00043."""
    finest = Decimal((0, (1,), amount.adjusted() - 1)) if amount else CENT
    return exact(amount.quantize(min(CENT, finest), rounding=ROUND_CEILING))
