"""The proof: what can be spent at most, and at which cap that does not fit."""

from dataclasses import replace
from decimal import Decimal

import pytest

from autopack.plan.calibration import Calibration, fold
from autopack.plan.compiler import compile as compile_spec
from autopack.plan.minutes import Beside
from autopack.plan.model import Plan, Worst
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


CI = """\
autopack: ci/v1
name: c
setup: [{id: s, run: [a], timeout_s: 120}]
preflight: {attempts: 2, backoff_s: 30}
profiles:
  normal:
    retries: 1
    steps: [{id: u, run: [a], timeout_s: 60, report: {junit: r.xml}}, {id: v, run: [a], timeout_s: 60}]
  strict: {steps: [{id: u, run: [a], timeout_s: 60}]}
"""
RULES = """\
autopack: ruleset/v1
name: h
escalation: [same_model]
retry: {attempts: 2, backoff_s: 1, backoff_s_max: 30}
"""
CALLS = 9 * 2.5  # minutes: nine calls of 60 s, each sent twice, and the provider may ask for 30 s in between
CHECKS = 3 * (
    2 * (2 + 1) + 2 * (2 + 2)
)  # three candidates: setup and `u` for the base's tests, then setup and both; twice
BEFORE = 2 * 2 * (2 + 2) + 0.5  # two tries of the profile, 30 s apart


def timed(folder: Folder, *phases: str, models: str = "") -> Plan:
    folder.file("ci.yaml", CI).file("rules.yaml", RULES).models(
        routed("[one]", "[one]") + models, ruleset="rules.yaml", ci="ci.yaml"
    )
    return folder.phases(*phases).plan()


def test_minutes_are_every_timeout_as_often_as_it_may_come(folder: Folder):
    plan = timed(folder, "id: a, category: feature_scaffolding")
    assert plan.phases[0].worst.minutes == CALLS + CHECKS + 0.5  # whole ones
    assert plan.worst.minutes == CALLS + CHECKS + 0.5 + BEFORE + 0.5


def test_a_probe_is_set_up_for_and_has_ten_minutes(folder: Folder):
    plan = timed(folder, "id: a, category: feature_scaffolding, probes: [[x], [y]]")
    assert plan.phases[0].worst.minutes == CALLS + CHECKS + 0.5 + 3 * (2 + 2 * 10)


def test_a_phase_of_so_many_minutes_takes_no_more_and_the_call_that_is_paid_by_then(folder: Folder):
    plan = timed(folder, "id: a, category: feature_scaffolding, budget: {minutes: 20}")
    assert plan.phases[0].worst.minutes == 20 + 1


def test_who_may_be_replaced_gives_out_once_and_not_in_every_call(folder: Folder):
    """Two models: nine calls of whoever answers them, and each of both gives out once."""
    timed(folder, "id: a, category: feature_scaffolding")
    text = routed("[one, two]", "[one, two]")
    found = folder.models(text, ruleset="rules.yaml", ci="ci.yaml").plan().phases[0].worst
    assert found.minutes == CALLS + CHECKS + 0.5 + 2 * 2.5


def test_phases_side_by_side_are_checked_again_for_every_landing_and_those_in_a_line_are_not(folder: Folder):
    one, again = 65, 14  # minutes of a phase, and of one more check
    line = timed(folder, "id: a, category: feature_scaffolding", "id: b, category: feature_scaffolding, needs: [a]")
    assert line.worst.minutes == 2 * one + 17
    beside = timed(folder, "id: a, category: feature_scaffolding", "id: b, category: feature_scaffolding")
    # two of four places: the longer way round, what both lost to the other's landing, by four at once
    assert beside.worst.minutes == 17 + -(-(3 * one - 4 * again + 2 * one + again * 2 * (4 + 3)) // 4)


def test_phases_that_may_have_to_be_carried_onto_a_landing_are_carried_one_at_a_time():
    needs, worsts = {"a": (), "b": ()}, dict.fromkeys("ab", Worst(1, 10, Decimal(1), 10))
    assert together(needs, worsts, Beside(2, 2, carried=7)).minutes == 2 * 7 + 15
    assert together({"a": (), "b": ("a",)}, worsts, Beside(2, 2, carried=7)).minutes == 20


def test_a_providers_rate_may_keep_all_calls_waiting(folder: Folder):
    slow = "providers: {openai: {requests_per_minute: 2, tokens_per_minute: 9_000}}\n"
    plain, limited = (timed(folder, "id: a, category: feature_scaffolding", models=each) for each in ("", slow))
    assert limited.worst.minutes - plain.worst.minutes == 9 * 2 / 2 + 9 * 2 * 10_000 / 9_000


def test_a_run_takes_its_longest_chain_and_the_rest_in_turns():
    each = Worst(1, 10, Decimal(1), 10)
    needs = {"a": (), "b": ("a",), "c": (), "d": (), "e": ()}
    worsts = dict.fromkeys(needs, each)
    assert together(needs, worsts, Beside(100)).minutes == 21  # the chain a, b, and one of a hundred for the rest
    assert together(needs, worsts, Beside(3)).minutes == 20 + 10
    assert together(needs, worsts, Beside(1)).minutes == 50
    assert together(needs, worsts, Beside(1)).cost_usd == 5


def test_where_money_may_be_short_phases_are_counted_one_after_the_other(folder: Folder):
    phases = ("id: a, category: docs", "id: b, category: docs")
    rich = folder.phases(*phases).plan().worst
    poor = folder.phases(*phases, head="budget: {tokens: 250_000}\n").plan().worst
    assert poor.minutes > rich.minutes
    assert poor.minutes >= 2 * folder.plan().phases[0].worst.minutes


def test_one_part_without_a_bound_leaves_none_to_the_whole():
    assert total([Worst(1, 10, Decimal(1)), Worst(1, 10, None)]).cost_usd is None


@pytest.mark.parametrize(("category", "likely"), [("docs", 200), ("tests", None)])
def test_minutes_are_judged_by_what_runs_took_of_that_kind_and_a_guess_is_no_finding(
    folder: Folder, category: str, likely: int | None
):
    slow = replace(SEEN, builder_calls=1, edit_failed=0, ci_runs=1, ci_red=0, model_s=600.0, ci_s=5_400.0)
    taught = fold(Calibration(), [slow] * 200)
    folder.phases(f"id: a, category: {category}", f"id: b, category: {category}, needs: [a]")
    found = [each.message for each in compile_spec(folder.spec(), calibration=taught)[1]]
    assert [message.split(" are likely")[0] for message in found] == (
        [] if likely is None else [f"by what earlier runs took, {likely} minutes"]
    )
    assert compile_spec(folder.spec(), calibration=Calibration())[1] == []


def test_minutes_that_somebody_wrote_have_to_hold_the_worst_case(folder: Folder):
    phases = ("id: a, category: docs", "id: b, category: feature_scaffolding, needs: [a]")
    worst = folder.phases(*phases).plan().worst.minutes
    assert folder.compile()[1] == []  # the shipped 120 minutes end what hangs, and promise nothing
    (found,) = folder.phases(*phases, head="budget: {minutes: 100}\n").compile()[1]
    assert (found.code, found.severity, folder.under(found.span)) == ("AP6005", "warning", "100")
    assert found.message == f"all attempts and audits together can take {worst:,} minutes, the run may take 100"
    assert [folder.under(label.span) for label in found.labels] == ["b", "a"]
    assert found.labels[0].text == f"up to {folder.plan().phases[1].worst.minutes:,} minutes"
    assert folder.phases(*phases, head=f"budget: {{minutes: {worst}}}\n").compile()[1] == []


def test_under_safety_critical_minutes_that_do_not_hold_the_worst_case_are_an_error(folder: Folder):
    folder.project(safety_profile="safety_critical").phases("id: a, category: docs", head="budget: {minutes: 100}\n")
    assert [(each.code, each.severity) for each in folder.compile()[1]] == [("AP6005", "error")]


def test_minutes_of_the_projects_own_ruleset_are_judged_as_well(folder: Folder):
    (found,) = folder.ruleset("budget: {minutes: 90}\n").phases("id: a, category: docs").compile()[1]
    assert (found.code, found.span.path, folder.under(found.span)) == ("AP6005", "rules.yaml", "90")  # type: ignore[union-attr]


def test_a_tier_factor_that_first_attempts_do_not_fit_is_an_error_at_the_factor(folder: Folder):
    folder.ruleset("tier: {incident_token_factor: 0.1}\n").phases("id: a, category: docs")
    (found,) = folder.found("AP6004")
    assert (found.severity, folder.under(found.span)) == ("error", "0.1")
    assert 'tier "T1" may spend 20,000' in found.message
