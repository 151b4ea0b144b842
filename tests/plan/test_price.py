"""What tokens cost, to the last digit."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.plan.price import UNKNOWN_USAGE, Price, Usage, at_most, cost, exact, upper_bound

MINI = Price(Decimal("0.15"), Decimal("0.075"), Decimal("0.1875"), Decimal("0.60"), "2024-07-18")


def test_each_kind_of_token_has_its_rate():
    usage = Usage(input=10_000, cached_read=4_000, cached_write=1_000, output=2_000, reasoning=500, known=True)
    # 5,000 x 0.15 + 4,000 x 0.075 + 1,000 x 0.1875 + 2,000 x 0.60, a million each
    assert cost(usage, MINI) == Decimal("0.0024375")
    assert usage.total == 12_000


def test_the_smallest_bill_is_not_rounded_away():
    assert cost(Usage(1, 1, 0, 0, 0, known=True), MINI) == Decimal("0.000000075")


def test_reasoning_is_inside_the_output_and_not_charged_twice():
    few, many = (Usage(0, 0, 0, 1_000, reasoning, known=True) for reasoning in (0, 1_000))
    assert cost(few, MINI) == cost(many, MINI) == Decimal("0.0006")


def test_an_unmetered_model_costs_nothing():
    assert cost(Usage(10, 0, 0, 10, 0, known=True), None) == upper_bound(10, 10, None) == Decimal(0)
    assert cost(UNKNOWN_USAGE, MINI) == Decimal(0)


def test_the_bound_takes_the_dearest_rate_an_input_token_can_have():
    assert upper_bound(1_000_000, 0, MINI) == Decimal("0.1875")
    assert upper_bound(0, 1_000_000, MINI) == Decimal("0.60")


RATES = st.decimals(0, 100, places=4)
PRICES = st.builds(Price, RATES, RATES, RATES, RATES, st.just("2026-01-01"))


@given(PRICES, st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6), st.integers(0, 10**6))
def test_no_bill_within_the_bounds_is_above_the_bound(price: Price, fresh: int, read: int, write: int, out: int):
    usage = Usage(fresh + read + write, read, write, out, 0, known=True)
    assert cost(usage, price) <= upper_bound(usage.input, out, price)
    assert cost(usage, price) <= upper_bound(usage.input + 7, out + 7, price)


@pytest.mark.parametrize(
    ("amount", "cap", "bound"),
    [
        ("16.69824000", "16.69824", "16.70"),
        ("2", "2.00", "2.00"),
        ("0.50", "0.50", "0.50"),
        ("3.7029856", "3.7029856", "3.71"),
        ("0.005", "0.005", "0.005"),
        ("0.0004321", "0.0004321", "0.00044"),
        ("12345.6", "12,345.60", "12,345.60"),
        ("1E+2", "100.00", "100.00"),
        ("0", "0.00", "0.00"),
    ],
)
def test_a_cap_is_said_exactly_and_a_bound_is_rounded_up(amount: str, cap: str, bound: str) -> None:
    assert (exact(Decimal(amount)), at_most(Decimal(amount))) == (cap, bound)
