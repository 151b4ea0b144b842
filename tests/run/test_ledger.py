"""Reserve before a call, settle after it."""

from dataclasses import replace
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from autopack.plan.model import Caps, Plan
from autopack.run.ledger import EMPTY, RUN, ZERO, Amount, Ledger, Overrun, overrun, release, reserve, settle
from tests.run.story import phase, plan

TEN = Amount(10_000, Decimal("0.02"))
ONE = Amount(1_000, Decimal("0.002"))


def capped(**changes: object) -> Plan:
    caps = replace(Caps(20_000, 25, 120, 75, None), **changes)  # type: ignore[arg-type]
    return plan(phase("a", token_cap=15_000), phase("b", token_cap=15_000), caps=caps)


def held(told: Plan, phase_id: str, amount: Amount, ledger: Ledger = EMPTY) -> Ledger:
    return reserve(ledger, f"key-{phase_id}", told.phase(phase_id), "small", amount)


def test_a_reservation_counts_at_phase_tier_model_and_run_until_it_is_settled():
    told = capped()
    ledger = held(told, "a", TEN)
    for scope in ("phase:a", "tier:T1", "model:small", RUN):
        assert (ledger.reserved(scope), ledger.spent(scope)) == (TEN, ZERO)
    assert ledger.reserved("phase:b") == ZERO
    booked = settle(ledger, "key-a", ONE)
    for scope in ("phase:a", "tier:T1", "model:small", RUN):
        assert (booked.reserved(scope), booked.spent(scope)) == (ZERO, ONE)


def test_an_unknown_bill_charges_the_reservation():
    assert settle(held(capped(), "a", TEN), "key-a", None).spent(RUN) == TEN


def test_a_released_reservation_was_never_spent():
    assert release(held(capped(), "a", TEN), "key-a") == EMPTY


def test_a_call_fits_up_to_the_last_token():
    told = capped()
    at_most = replace(TEN, tokens=15_000)
    assert overrun(told, EMPTY, told.phase("a"), "small", at_most) is None
    over = overrun(told, EMPTY, told.phase("a"), "small", replace(TEN, tokens=15_001))
    assert over == Overrun("phase", "tokens", Decimal(15_000), Decimal(0), Decimal(15_001), for_now=False)


def test_parallel_calls_cannot_pass_the_runs_cap_together():
    told = capped()
    ledger = held(told, "a", replace(TEN, tokens=12_000))
    assert overrun(told, ledger, told.phase("b"), "small", TEN) == Overrun(
        "run", "tokens", Decimal(20_000), Decimal(0), Decimal(10_000), for_now=True
    )
    cheap = settle(ledger, "key-a", ONE)
    assert overrun(told, cheap, told.phase("b"), "small", TEN) is None
    dear = settle(ledger, "key-a", None)
    refused = overrun(told, dear, told.phase("b"), "small", TEN)
    assert refused is not None
    assert not refused.for_now


def test_money_is_refused_like_tokens():
    told = capped(cost_usd=Decimal("0.019"))
    refused = overrun(told, EMPTY, told.phase("a"), "small", TEN)
    assert refused is not None
    assert (refused.level, refused.dimension, refused.cap) == ("run", "cost_usd", Decimal("0.019"))


def test_the_narrowest_cap_is_named():
    told = capped(tokens=9_000)
    both = overrun(told, EMPTY, told.phase("a"), "small", replace(TEN, tokens=16_000))
    assert both is not None
    assert both.level == "phase"
    one = overrun(told, EMPTY, told.phase("a"), "small", TEN)
    assert one is not None
    assert one.level == "run"


AMOUNTS = st.builds(Amount, st.integers(0, 12_000), st.decimals(0, 1, places=6))


@given(st.lists(st.tuples(st.sampled_from("ab"), AMOUNTS, st.floats(0, 1), st.booleans()), max_size=40))
def test_whatever_is_asked_and_billed_no_cap_is_ever_passed(asked: list[tuple[str, Amount, float, bool]]):
    """REQ-2.1-3."""
    told = capped(cost_usd=Decimal("1.5"))
    ledger = EMPTY
    for number, (phase_id, amount, share, settles) in enumerate(asked):
        if overrun(told, ledger, told.phase(phase_id), "small", amount) is not None:
            continue
        ledger = reserve(ledger, str(number), told.phase(phase_id), "small", amount)
        if settles:
            billed = Amount(int(amount.tokens * share), amount.cost_usd * Decimal(int(share * 100)) / 100)
            ledger = settle(ledger, str(number), billed)
        total = ledger.spent(RUN) + ledger.reserved(RUN)
        assert total.tokens <= 20_000
        assert total.cost_usd <= Decimal("1.5")
        assert (ledger.spent(f"phase:{phase_id}") + ledger.reserved(f"phase:{phase_id}")).tokens <= 15_000
