"""What runs teach: sums, and rates that move from the prior to what was seen."""

from dataclasses import replace
from decimal import Decimal

import pytest

from autopack.plan import calibration
from autopack.plan.calibration import PRIOR, Calibration, Observation, Sums, fold, rates
from autopack.plan.canonical import NotThisShape

SEEN = Observation(
    phase_id="a",
    category="docs",
    complexity="low",
    model="mini",
    model_tier="economy",
    predicted_usd=Decimal("0.02"),
    actual_usd=Decimal("0.03"),
    builder_calls=2,
    edit_failed=1,
    ci_runs=1,
    ci_red=0,
    audits=0,
    rejected=0,
    input_tokens=8_000,
    output_tokens=1_000,
    model_s=12.5,
    ci_s=30.0,
    completed=True,
)


def test_observations_add_up_by_slice_and_by_tier_of_the_model():
    other = replace(SEEN, phase_id="b", complexity="medium", completed=False)
    found = fold(Calibration(), [SEEN, other, SEEN])
    assert found.slices["docs:low"] == Sums(
        2, 2, Decimal("0.04"), Decimal("0.06"), 4, 2, 2, 0, 0, 0, 16_000, 2_000, 25.0, 60.0
    )
    assert (found.slices["docs:medium"].phases, found.slices["docs:medium"].completed) == (1, 0)
    assert (found.model_tiers["economy"].phases, found.model_tiers["economy"].completed) == (3, 2)


def test_a_calibration_survives_its_file():
    found = fold(Calibration(), [SEEN])
    assert calibration.load(calibration.dump(found)) == found
    assert calibration.dump(Calibration()) == '{"format_version":1,"model_tiers":{},"slices":{}}\n'
    with pytest.raises(NotThisShape, match="9 where 1 belongs"):
        calibration.load(calibration.dump(Calibration(9)))


def test_where_nothing_was_seen_the_stated_prior_holds():
    assert rates(None, "docs", "low", "economy") == PRIOR
    assert rates(Calibration(), "docs", "low", "economy") == PRIOR


def test_what_was_seen_outweighs_the_prior_as_it_grows():
    one = rates(fold(Calibration(), [SEEN]), "docs", "low", "economy")
    many = rates(fold(Calibration(), [SEEN] * 100), "docs", "low", "economy")
    # two calls of which one failed, over the tier's rate, which is the same two over the prior of 0.15 for four
    assert one.edit_failed == pytest.approx((1 + 4 * (1 + 4 * 0.15) / 6) / 6)
    assert many.edit_failed == pytest.approx(0.5, abs=0.01)
    assert many.input_tokens == pytest.approx(4_000, rel=0.02)
    assert (one.phases, many.phases) == (1, 100)


def test_a_slice_that_was_never_seen_learns_from_its_models_tier():
    taught = fold(Calibration(), [SEEN] * 100)
    found = rates(taught, "tests", "low", "economy")
    assert found.edit_failed == pytest.approx(0.5, abs=0.01)
    assert found.phases == 0
    assert rates(taught, "tests", "low", "premium") == PRIOR
