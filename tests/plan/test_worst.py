"""The proof: what can be spent at most, and at which cap that does not fit."""

from dataclasses import replace
from decimal import Decimal

import pytest

from autopack.plan.calibration import Calibration, fold
from autopack.plan.compiler import compile as compile_spec
from autopack.plan.model import Worst
from autopack.plan.worst import together, total
from tests.plan.folder import Folder
from tests.plan.test_calibration import SEEN

MODELS = """\
models:
  one: {litellm: openai/one, tier: standard, context_tokens: 10_000, max_output_tokens: 1_000, timeout_s: 60,
    price: {input: "1", output: "1", as_of: 2026-01-01}, edit_format: search_replace}
  two: {litellm: openai/two, tier: standard, context_tokens: 10_000, max_output_tokens: 1_000, timeout_s: 60,
    price: {input: "5", output: "9", as_of: 2026-01-01}, edit_format: search_replace}
  free: {litellm: openai/free, tier: standard, context_tokens: 10_000, max_output_tokens: 1_000, timeout_s: 60,
    price: unmetered, token_cap: 500_000, edit_format: search_replace}
"""


def routed(builder: str, auditor: str) -> str:
    route = f"{{builder: {builder}, auditor: {auditor}}}"
    return f"{MODELS}routing:\n  complexity: {{low: {route}, medium: {route}, high: {route}}}\n"


def worst(folder: Folder, builder: str, auditor: str, phase: str = "id: a, category: plain") -> Worst:
    folder.file("rules.yaml", "autopack: ruleset/v1\nname: h\nescalation: [same_model]\ncategories: {plain: {}}\n")
    return folder.models(routed(builder, auditor), ruleset="rules.yaml").phases(phase).plan().phases[0].worst


def test_the_dearest_model_that_may_answer_is_what_counts(folder: Folder):
    """Three attempts at 9,000 in and 1,000 out, each reviewed with up to two requests of the same size."""
    alone, cheaper_first = worst(folder, "[one]", "[one]"), worst(folder, "[one, two]", "[one]")
    assert (alone.calls, alone.tokens, alone.cost_usd) == (9, 90_000, Decimal("0.09"))
    assert cheaper_first.cost_usd == Decimal("0.06") + 3 * Decimal("0.054")
    assert (cheaper_first.calls, cheaper_first.tokens) == (9, 90_000)


def test_the_fallbacks_of_a_route_are_in_the_plan_in_their_order(folder: Folder):
    worst(folder, "[one, two, free]", "[two, one]")
    phase = folder.plan().phases[0]
    assert [ask.model for ask in phase.attempts[0].fallbacks] == ["two", "free"]
    assert (phase.audit.model, [ask.model for ask in phase.audit_fallbacks]) == ("two", ["one"])
    assert set(folder.plan().models) == {"one", "two", "free"}


def test_what_may_not_be_downgraded_never_falls_below_its_first_model(folder: Folder):
    text = routed("[one, two]", "[one]").replace("two, tier: standard", "two, tier: economy")
    phases = ("id: a, category: docs", "id: b, category: docs")
    assert folder.models(text).phases(*phases).plan().phases[0].attempts[0].fallbacks != ()
    held = text + "  never_downgrade: [docs]\n"
    assert folder.models(held).phases(*phases).plan().phases[0].attempts[0].fallbacks == ()


def test_an_unmetered_model_bills_nothing_and_its_tokens_count(folder: Folder):
    found = worst(folder, "[free]", "[one]")
    assert (found.unmetered, found.tokens, found.cost_usd) == (True, 90_000, Decimal("0.06"))


def test_two_audits_ask_two_models_and_both_count(folder: Folder):
    folder.file("rules.yaml", "autopack: ruleset/v1\nname: h\nescalation: [same_model]\ncategories: {x: {audits: 2}}\n")
    plan = folder.models(routed("[one]", "[one, two]"), ruleset="rules.yaml").phases("id: a, category: x").plan()
    phase = plan.phases[0]
    assert phase.second_audit is not None
    assert (phase.audit.model, phase.second_audit.model) == ("one", "two")
    assert phase.worst.calls == 3 + 3 * 2 * 2


def test_minutes_are_every_timeout_as_often_as_it_may_come(folder: Folder):
    folder.file(
        "ci.yaml",
        "autopack: ci/v1\nname: c\nprofiles:\n"
        "  normal: {retries: 1, steps: [{id: u, run: [a], timeout_s: 60}]}\n"
        "  strict: {steps: [{id: u, run: [a], timeout_s: 60}]}\n",
    )
    folder.file(
        "rules.yaml", "autopack: ruleset/v1\nname: h\nescalation: [same_model]\nretry: {attempts: 2, backoff_s: 30}\n"
    )
    folder.models(routed("[one]", "[one]"), ruleset="rules.yaml", ci="ci.yaml")
    # nine calls of 60 s, each sent twice with 30 s between; three candidates with two CI runs of two tries of 60 s
    assert folder.phases("id: a, category: feature_scaffolding").plan().phases[0].worst.minutes == 9 * 2.5 + 3 * 4 + 0.5
    capped = folder.phases("id: a, category: feature_scaffolding, budget: {minutes: 20}").plan()
    assert capped.phases[0].worst.minutes == 20


def test_a_run_takes_its_longest_chain_and_the_rest_in_turns():
    each = Worst(1, 10, Decimal(1), 10)
    needs = {"a": (), "b": ("a",), "c": (), "d": (), "e": ()}
    worsts = dict.fromkeys(needs, each)
    assert together(needs, worsts, 100).minutes == 21  # the chain a, b, and one of a hundred for the rest
    assert together(needs, worsts, 3).minutes == 20 + 10
    assert together(needs, worsts, 1).minutes == 50
    assert together(needs, worsts, 1).cost_usd == 5


def test_one_part_without_a_bound_leaves_none_to_the_whole():
    assert total([Worst(1, 10, Decimal(1)), Worst(1, 10, None)]).cost_usd is None


@pytest.mark.parametrize(
    ("minutes", "messages"), [(60, []), (20, ["by what earlier runs took, 40 minutes are likely"])]
)
def test_minutes_are_judged_by_what_runs_took_and_not_by_timeouts(folder: Folder, minutes: int, messages: list[str]):
    slow = replace(SEEN, builder_calls=1, edit_failed=0, ci_runs=1, ci_red=0, model_s=600.0, ci_s=600.0)
    taught = fold(Calibration(), [slow] * 200)
    folder.phases(
        "id: a, category: docs", "id: b, category: docs, needs: [a]", head=f"budget: {{minutes: {minutes}}}\n"
    )
    found = compile_spec(folder.spec(), calibration=taught)[1]
    assert [each.message.split(", the run")[0] for each in found] == messages
    assert folder.compile()[1] == []


def test_a_tier_factor_that_first_attempts_do_not_fit_is_an_error_at_the_factor(folder: Folder):
    folder.ruleset("tier: {incident_token_factor: 0.1}\n").phases("id: a, category: docs")
    (found,) = folder.found("AP6004")
    assert (found.severity, folder.under(found.span)) == ("error", "0.1")
    assert 'tier "T1" may spend 20,000' in found.message
