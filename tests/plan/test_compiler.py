"""From what a person wrote to what a run will do."""

import json
import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import autopack
from autopack.plan import canonical
from autopack.plan.inherit import effective
from autopack.plan.minutes import Beside
from autopack.plan.model import AUDITOR_ASKS, Ask, Plan, PlanPhase, digest, load, pinned
from autopack.plan.price import upper_bound
from autopack.plan.worst import together
from autopack.spec.template import RUN_ID
from tests.plan.folder import Folder, line

DOCS = "id: a, category: docs"


def first(plan: Plan) -> PlanPhase:
    return plan.phases[0]


# --- defaults of the category table -------------------------------------------------------------------------------

TABLE = {
    "cross_cutting_refactor": "cross_cutting_refactor high strict 2 1 1000000 False refactor_review major True",
    "index_registry_change": "index_registry_maintenance high strict 2 1 800000 False index_review major True",
    "schema_contract_change": "schema_change high strict 3 2 1000000 False schema_review major True",
    "bulk_multi_file_operation": "bulk_operation high strict 2 1 1500000 False bulk_review major True",
    "security_auth_change": "security_auth high strict 3 2 800000 False security_review major True",
    "external_feature_reuse": "external_feature_reuse high strict 2 1 1000000 False external_code_review major True",
    "external_code_intake": "external_code_intake high strict 3 2 1200000 False license_and_security_review major True",
    "orchestrator": "orchestrator high strict 2 1 800000 False orchestrator_review major False",
    "feature_scaffolding": "feature_scaffolding medium normal 3 2 500000 True None minor False",
    "docs": "docs low normal 2 1 200000 True None minor False",
    "tests": "tests low normal 3 1 300000 True None minor False",
    "debt_cleanup": "debt_cleanup medium normal 2 1 400000 False debt_cleanup_review minor False",
    "payments": "payments medium normal 3 2 500000 True None minor False",
}
MINORS = {  # two for each phase of a tier, times the category's factor
    "cross_cutting_refactor": 2,
    "security_auth_change": 1,
    "external_code_intake": 1,
    "feature_scaffolding": 4,
    "docs": 4,
}
EXTERNAL = ', external: {source: "https://x.org/y", licence: MIT}'


@pytest.mark.parametrize(("category", "row"), TABLE.items())
def test_the_category_table_reaches_the_plan(folder: Folder, category: str, row: str):
    """REQ-4.1-1, REQ-4.1-2, REQ-3.3-2, REQ-8.3-2."""
    external = EXTERNAL if category.startswith("external") else ""
    folder.ruleset('categories: {payments: {}}\nexternal: {sources: ["https://x.org/**"]}\n')
    plan = folder.phases(f"id: a, category: {category}{external}").plan()
    phase = first(plan)
    assert row == (
        f"{phase.task_category} {phase.complexity} {phase.ci} {len(phase.attempts)} {phase.auditor_attempts} "
        f"{phase.token_cap} {phase.auto_apply} {phase.auditor_profile} {phase.severity} {phase.high_risk}"
    )
    assert plan.tiers[0].minor_issues == MINORS.get(category, plan.tiers[0].minor_issues)
    assert plan.tiers[0].token_cap == min(3 * phase.token_cap, 5_000_000)
    assert (plan.tiers[0].ci_runs, plan.tiers[0].major_issues) == (2, 0)


@pytest.mark.parametrize(
    ("category", "task"), [("schema_contract_change", "schema_change"), ("security_auth_change", "security_auth")]
)
def test_a_category_may_be_written_under_either_name_and_gives_the_same_phase(folder: Folder, category: str, task: str):
    """REQ-6.0-1."""
    one, two = (first(folder.phases(f"id: a, category: {name}").plan()) for name in (category, task))
    assert (two.category, two.task_category) == (category, task)
    assert one == two


def test_the_runs_caps_are_the_rulesets(folder: Folder):
    """REQ-9.1-1."""
    caps = folder.phases(DOCS).plan().caps
    assert (caps.tokens, caps.phases, caps.minutes, caps.minor_issues, caps.cost_usd) == (5_000_000, 25, 120, 3, None)


def test_a_playbooks_own_caps_replace_them(folder: Folder):
    """REQ-9.1-1."""
    budget = 'budget: {tokens: 2_000_000, cost_usd: "5.00", minutes: 60, phases: 3, minor_issues: 12}\n'
    caps = folder.phases(DOCS, head=budget).plan().caps
    assert (caps.tokens, caps.phases, caps.minutes, caps.minor_issues) == (2_000_000, 3, 60, 12)
    assert caps.cost_usd == Decimal(5)


# --- precedence: phase > playbook defaults > builder mode > category > complexity > ruleset default -----------------


LIGHT = "defaults: {builder_mode: tweak_light}\n"


def layer_of(folder: Folder, name: str) -> tuple[object, str]:
    spec = folder.spec()
    caps = folder.plan().caps
    found = effective(spec, spec.playbook.tiers[0].phases[0], caps)[name]
    return found.value, found.layer


@pytest.mark.parametrize(
    ("phase", "head", "name", "value", "layer"),
    [
        ("category: docs, ci: strict", "defaults: {ci: normal}\n", "ci", "strict", "phase"),
        ("category: docs", "defaults: {ci: strict}\n", "ci", "strict", "playbook defaults"),
        ("category: docs, builder_mode: refactor_heavy", "", "ci", "strict", "builder mode refactor_heavy"),
        ("category: docs", "", "ci", "normal", "category docs"),
        ("category: plain", "", "ci", "normal", "ruleset default"),
        ("category: plain, complexity: high", "", "ci", "strict", "high complexity"),
        ("category: docs, complexity: high", "", "ci", "normal", "category docs"),
        ("category: docs, budget: {attempts: 5}", "", "builder_attempts", 5, "phase"),
        ("category: tests, builder_mode: tweak_light", "", "builder_attempts", 2, "builder mode tweak_light"),
        ("category: tests", "", "builder_attempts", 3, "category tests"),
        ("category: plain", "", "builder_attempts", 3, "ruleset default"),
        ("category: risky", "", "builder_attempts", 2, "high risk"),
        ("category: risky", "", "auto_apply", False, "high risk"),
        ("category: risky", "", "incident_tokens", 500_000, "ruleset default"),
        ("category: docs, builder_mode: refactor_heavy", "", "auto_apply", False, "high risk"),
        ("category: docs, builder_mode: refactor_heavy", "", "complexity", "high", "builder mode refactor_heavy"),
        ("category: docs", "defaults: {builder_mode: schema_heavy}\n", "auto_apply", False, "high risk"),
        ("category: docs", "defaults: {complexity: high}\n", "complexity", "high", "playbook defaults"),
        ("category: security_auth", "defaults: {complexity: low}\n", "complexity", "high", "category security_auth"),
        (
            "category: security_auth",
            "defaults: {builder_mode: tweak_light}\n",
            "ci",
            "strict",
            "category security_auth",
        ),
        ("category: security_auth", "defaults: {builder_mode: tweak_light}\n", "builder_mode", None, "nobody"),
        ("category: security_auth, complexity: low", "", "complexity", "low", "phase"),
        (
            "category: docs",
            "defaults: {builder_mode: tweak_light}\n",
            "builder_mode",
            "tweak_light",
            "playbook defaults",
        ),
    ],
)
def test_which_layer_decides(folder: Folder, phase: str, head: str, name: str, value: object, layer: str):
    folder.ruleset("categories: {plain: {}, risky: {high_risk: true}}\n").phases(f"id: a, {phase}", head=head)
    assert layer_of(folder, name) == (value, layer)


def test_a_light_tweak_touches_two_files_and_the_builder_is_told_its_mode(folder: Folder):
    """REQ-8.1-3, REQ-8.2-1, REQ-3.3-2."""
    own = first(folder.phases("id: a, category: docs, builder_mode: tweak_light").plan())
    inherited = first(folder.phases(DOCS, head="defaults: {builder_mode: tweak_light}\n").plan())
    assert own == inherited
    assert (own.builder_mode, own.limits.files, own.token_cap) == ("tweak_light", 2, 100_000)
    assert "builder mode: tweak_light" in own.builder_prompt


def test_an_origin_is_the_place_where_the_winner_wrote_it(folder: Folder):
    folder.ruleset("categories: {docs: {builder_attempts: 4}}\n").phases("id: a, category: docs, ci: strict")
    spec = folder.spec()
    values = effective(spec, spec.playbook.tiers[0].phases[0], folder.plan().caps)
    places = {name: values[name].at for name in ("ci", "builder_attempts", "incident_tokens")}
    ci, attempts, tokens = (places[name] for name in ("ci", "builder_attempts", "incident_tokens"))
    assert ci is not None and attempts is not None and tokens is not None  # noqa: PT018
    assert folder.under(spec.span(ci)) == "strict"
    assert folder.under(spec.span(attempts)) == "4"
    assert spec.span(tokens).path == "builtin:default"


# --- caps ---------------------------------------------------------------------------------------------------------


def test_an_inherited_cap_is_clamped_to_the_runs(folder: Folder):
    plan = folder.phases("id: a, category: bulk_operation", head="budget: {tokens: 600_000}\n").plan()
    assert (first(plan).token_cap, plan.tiers[0].token_cap) == (600_000, 600_000)


@pytest.mark.parametrize(("attempts", "auditor"), [(1, 1), (2, 1), (3, 2), (9, 2)])
def test_auditor_attempts_stay_below_the_builders(folder: Folder, attempts: int, auditor: int):
    """REQ-9.3-2."""
    folder.phases(f"id: a, category: security_auth, budget: {{attempts: {attempts}}}")
    assert first(folder.plan()).auditor_attempts == auditor


def test_a_phase_cap_above_its_playbooks_is_an_error_at_the_phase(folder: Folder):
    folder.phases(
        'id: a, category: docs, budget: {tokens: 300_000, cost_usd: "2.50", minutes: 61}',
        head='budget: {tokens: 200_000, cost_usd: "2.00", minutes: 60}\n',
    )
    plan, _ = folder.compile()
    found = folder.found("AP6001")
    assert plan is None
    assert [(each.severity, folder.under(each.span)) for each in found] == [
        ("error", "300_000"),
        ("error", '"2.50"'),
        ("error", "61"),
    ]
    assert [folder.under(each.labels[0].span) for each in found] == ["200_000", '"2.00"', "60"]
    assert found[0].message == 'phase "a" may spend 300,000 tokens, its playbook only 200,000'


def test_tokens_that_cannot_hold_a_call(folder: Folder):
    (found,) = folder.phases("id: a, category: docs, budget: {tokens: 3_999}").found("AP6003")
    assert folder.under(found.span) == "3_999"
    assert found.help == "give it at least 4,000 tokens or fewer attempts"
    assert folder.phases("id: a, category: docs, budget: {tokens: 4_000}").found("AP6003") == []


def test_an_audited_phase_shares_its_tokens_with_the_auditor(folder: Folder):
    audited = "id: a, category: debt_cleanup, budget: {tokens: 7_999}"
    (found,) = folder.phases(audited).found("AP6003")
    assert "for 4 calls: 1,999 each" in found.message


def test_first_attempts_that_do_not_fit_the_run_are_an_error_at_the_cap(folder: Folder):
    phases = ("id: a, category: feature_scaffolding", "id: b, category: feature_scaffolding")
    folder.phases(*phases, head='budget: {cost_usd: "0.50"}\n')
    plan, _ = folder.compile()
    (found,) = folder.found("AP6004")
    assert plan is None
    assert folder.under(found.span) == '"0.50"'
    # two calls of 111,616 tokens in at 2.50 and 16,384 out at 10 USD a million
    assert found.message == ("first attempts and mandatory audits can take 0.89 USD, the run may spend 0.50")
    assert [folder.under(label.span) for label in found.labels] == ["a", "b"]


def test_a_first_attempt_that_does_not_fit_its_own_phases_money_is_an_error_there(folder: Folder):
    (found,) = folder.phases('id: a, category: feature_scaffolding, budget: {cost_usd: "0.10"}').found("AP6004")
    assert (found.severity, folder.under(found.span)) == ("error", '"0.10"')
    assert "can take 0.45 USD, the phase may spend 0.10" in found.message


@pytest.mark.parametrize(
    ("keys", "rules", "severity"),
    [
        ({}, "", "warning"),
        ({"safety_profile": "safety_critical"}, "", "error"),
        ({}, "budget_proof: error\n", "error"),
    ],
)
def test_a_worst_case_above_a_cap_is_a_warning_or_an_error(
    folder: Folder, keys: dict[str, str], rules: str, severity: str
):
    folder.ruleset(rules, **keys).phases("id: a, category: feature_scaffolding", head='budget: {cost_usd: "1.00"}\n')
    plan, _ = folder.compile()
    (found,) = folder.found("AP6005")
    assert (found.severity, folder.under(found.span)) == (severity, '"1.00"')
    assert (plan is None) == (severity == "error")


def test_a_cap_that_no_playbook_writes_is_blamed_where_the_ruleset_does(folder: Folder):
    folder.ruleset('budget: {cost_usd: "1.00"}\n').phases("id: a, category: feature_scaffolding")
    (found,) = folder.found("AP6005")
    assert found.span is not None
    assert (found.span.path, folder.under(found.span)) == ("rules.yaml", '"1.00"')


# --- what it can cost ---------------------------------------------------------------------------------------------


def test_the_worst_case_is_price_times_bounds(folder: Folder):
    plan = folder.phases("id: a, category: debt_cleanup, budget: {tokens: 8_000_000}").plan()
    phase = first(plan)
    price = plan.models["standard"].price
    # 128,000 tokens of context less 16,384 of output; two Builder attempts and one patch of the Auditor's,
    # each reviewed with up to two requests
    assert phase.audit == Ask("standard", 111_616, 16_384) == phase.attempts[0].ask == phase.attempts[1].ask
    assert phase.worst.calls == (2 + 1) * (1 + AUDITOR_ASKS) == 9
    assert phase.worst.tokens == 9 * 128_000
    assert phase.worst.cost_usd == 9 * upper_bound(111_616, 16_384, price) == Decimal("3.98592")
    assert plan.worst == replace(phase.worst, minutes=phase.worst.minutes + 61)  # its profile is tried thrice


def test_a_phases_caps_bound_its_worst_case(folder: Folder):
    capped = first(folder.phases('id: a, category: docs, budget: {cost_usd: "0.03"}').plan())
    assert capped.worst.cost_usd == Decimal("0.03")
    phase = first(folder.phases("id: a, category: docs, budget: {tokens: 10_000}").plan())
    assert phase.attempts[0].ask == Ask("economy", 2_500, 2_500)
    # nine calls could hold 22,500 tokens each way; it may spend 10,000, all of them output at 0.60 USD a million
    assert (phase.worst.tokens, phase.worst.cost_usd) == (10_000, Decimal("0.006"))


def test_the_plans_worst_case_is_that_of_its_phases_together(folder: Folder):
    plan = folder.phases(DOCS, "id: b, category: tests").plan()
    needs, worsts = ({p.phase_id: value(p) for p in plan.phases} for value in (lambda p: p.needs, lambda p: p.worst))
    assert plan.worst == together(needs, worsts, Beside(4, 4, again=40, before=61))


def test_no_call_can_be_larger_than_the_models_window_or_the_phases_share(folder: Folder):
    for tokens in (6_000, 50_000, 300_000, 4_000_000):
        plan = folder.phases(f"id: a, category: tests, budget: {{tokens: {tokens}}}").plan()
        asks = [attempt.ask for attempt in first(plan).attempts]
        assert sum(ask.input_tokens_max + ask.output_tokens_max for ask in asks) <= tokens
        for ask in asks:
            assert ask.input_tokens_max + ask.output_tokens_max <= plan.models[ask.model].context_tokens


# --- routing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "builder", "auditor", "why"),
    [
        ("category: feature_scaffolding, complexity: low", "economy", "economy", "low complexity -> economy"),
        ("category: feature_scaffolding", "standard", "standard", "medium complexity -> standard"),
        ("category: orchestrator", "premium", "premium", "high complexity -> premium"),
        ("category: docs", "economy", "economy", "category docs -> economy"),
        ("category: tests", "economy", "standard", "category tests -> economy"),
        ("category: schema_change", "premium", "premium", "high risk -> premium"),
        ("category: schema_change, complexity: low", "premium", "premium", "high risk -> premium"),
    ],
)
def test_who_is_asked_and_why(folder: Folder, phase: str, builder: str, auditor: str, why: str):
    found = first(folder.phases(f"id: a, {phase}").plan())
    assert (found.attempts[0].ask.model, found.audit.model, found.why) == (builder, auditor, why)


SR, WF = "search_replace", "whole_file"


@pytest.mark.parametrize(
    ("phase", "rules", "ladder"),
    [
        ("category: docs", "", [("first", "economy", SR), ("same_model", "economy", SR)]),
        (
            "category: docs, budget: {attempts: 6}",
            "",
            [
                ("first", "economy", SR),
                ("same_model", "economy", SR),
                ("next_tier", "standard", SR),
                ("same_model", "standard", SR),
                ("next_tier", "premium", SR),
                ("same_model", "premium", SR),
            ],
        ),
        (
            "category: orchestrator, budget: {attempts: 4}",
            "",
            [
                ("first", "premium", SR),
                ("same_model", "premium", SR),
                ("other_format", "premium", WF),
                ("other_format", "premium", SR),
            ],
        ),
        (
            "category: docs, budget: {attempts: 3}",
            "attempts_per_model_tier: 1\n",
            [("first", "economy", SR), ("next_tier", "standard", SR), ("next_tier", "premium", SR)],
        ),
        (
            "category: docs, budget: {attempts: 3}",
            "escalation: [same_model, other_format]\n",
            [("first", "economy", SR), ("same_model", "economy", SR), ("other_format", "economy", WF)],
        ),
    ],
)
def test_the_ladder_of_a_phase(folder: Folder, phase: str, rules: str, ladder: list[tuple[str, str, str]]):
    """REQ-7.1-2: the escalation, as data."""
    found = first(folder.ruleset(rules).phases(f"id: a, {phase}").plan())
    assert [(rung.step, rung.ask.model, rung.edit_format) for rung in found.attempts] == ladder


def test_a_category_that_may_not_move_stays_with_its_model_under_either_name(folder: Folder):
    catalogue = CATALOGUE.replace("high_risk: {builder: [big], auditor: [big]}", "never_downgrade: [schema_change]")
    for name in ("schema_change", "schema_contract_change"):
        found = first(
            folder.models(catalogue).phases(f"id: a, complexity: low, category: {name}, budget: {{attempts: 4}}").plan()
        )
        assert {rung.ask.model for rung in found.attempts} == {"mini"}


CATALOGUE = """\
models:
  mini:
    litellm: openai/mini
    tier: economy
    context_tokens: 128_000
    max_output_tokens: 16_384
    price: {input: "0.15", output: "0.60", as_of: 2024-07-18}
  big:
    litellm: openai/big
    tier: premium
    context_tokens: 128_000
    max_output_tokens: 16_384
    price: {input: "10", output: "30", as_of: 2024-07-18}
routing:
  complexity:
    low: {builder: [mini], auditor: [mini]}
    medium: {builder: [mini], auditor: [mini]}
    high: {builder: [big], auditor: [big]}
  high_risk: {builder: [big], auditor: [big]}
"""


def test_a_high_risk_phase_on_a_lesser_model_is_a_warning_at_the_models_name_for_both_roles(folder: Folder):
    folder.models(CATALOGUE.replace("{builder: [big], auditor: [big]}\n", "{builder: [mini], auditor: [mini]}\n"))
    folder.phases("id: a, category: schema_change")
    found = folder.found("AP5002")
    assert [(each.severity, folder.under(each.span)) for each in found] == [("warning", "mini"), ("warning", "mini")]
    assert found[0].span is not None
    assert (found[0].span.path, found[0].span.line) == ("models.yaml", 21)
    assert found[0].span < found[1].span  # type: ignore[operator]
    assert "to mini as builder, which is economy, not premium" in found[0].message
    assert folder.models(CATALOGUE).found("AP5002") == []


def test_the_plan_holds_every_model_it_may_call_and_no_other(folder: Folder):
    assert list(folder.phases(DOCS).plan().models) == ["economy"]
    assert list(folder.phases("id: a, category: tests").plan().models) == ["economy", "standard"]


def test_missing_cache_rates_are_charged_as_plain_input(folder: Folder):
    price = folder.models(CATALOGUE).phases(DOCS).plan().models["mini"].price
    assert price is not None
    assert (price.input, price.cached_input, price.cached_write) == (Decimal("0.15"), Decimal("0.15"), Decimal("0.15"))


# --- order --------------------------------------------------------------------------------------------------------


def test_a_tier_needs_the_one_before_it_unless_it_says_otherwise(folder: Folder):
    """REQ-3.3-1, REQ-4.2-1."""
    tiers = "".join(
        f"  - id: T{n}\n{needs}    phases:\n{line(f'id: p{n}, category: docs')}"
        for n, needs in enumerate(("", "", "    needs: []\n", "    needs: [T1]\n"), 1)
    )
    plan = folder.playbook("tiers:\n" + tiers).plan()
    assert {phase.phase_id: phase.needs for phase in plan.phases} == {
        "p1": (),
        "p2": ("p1",),
        "p3": (),
        "p4": ("p1",),
    }
    assert [phase.index for phase in plan.phases] == [1, 2, 3, 4]
    assert plan.dependents == {"p1": ("p2", "p4"), "p2": (), "p3": (), "p4": ()}


def test_phases_come_after_what_they_need_and_otherwise_as_written(folder: Folder):
    """REQ-3.3-1."""
    plan = folder.phases("id: c, category: docs, needs: [a]", DOCS, "id: b, category: docs").plan()
    assert [phase.phase_id for phase in plan.phases] == ["a", "c", "b"]
    assert plan.tiers[0].phases == ("a", "c", "b")


def test_a_circle_of_needs_is_told_whole_with_each_edge_where_it_is_written(folder: Folder):
    folder.phases(
        "id: a, category: docs, needs: [c]", "id: b, category: docs, needs: [a]", "id: c, category: docs, needs: [b]"
    )
    plan, _ = folder.compile()
    (found,) = folder.found("AP4001")
    assert plan is None
    assert found.message == "phases need each other in a circle: a -> c -> b -> a"
    assert folder.under(found.span) == "c"
    assert found.span is not None
    assert (found.span.line, [label.span.line for label in found.labels]) == (6, [8, 7])
    assert [label.text for label in found.labels] == ["c needs b", "b needs a"]


# --- the sealed plan ----------------------------------------------------------------------------------------------

WHOLE = """\
inputs: {service: {type: string, default: orders}}
context: [docs/architecture.md]
budget: {tokens: 2_000_000, cost_usd: "50.00", minutes: 60}
defaults: {complexity: medium}
tiers:
  - id: T1
    phases:
      - id: store
        category: schema_contract_change
        goal: "Add a bucket to {{ inputs.service }} for {{ run.id }}"
        scope: {write: ["src/**"], read: ["docs/**"]}
        deliverables: [src/bucket.py]
        acceptance: [refills, never negative]
        probes: [[python, -c, pass]]
        budget: {tokens: 900_000, cost_usd: "40.50", attempts: 3, minutes: 10}
        allow: [test_changes]
        tags: [api]
  - id: T2
    phases:
      - {id: docs, category: docs, goal: do it, scope: {write: [README.md]}}
"""


def test_a_plan_is_read_back_from_its_own_text(folder: Folder):
    plan = pinned(folder.playbook(WHOLE).plan(), "c" * 40)
    text = canonical.text(plan)
    assert load(text) == plan
    assert canonical.text(load(text)) == text
    assert digest(load(text)) == digest(plan)


def test_a_plan_of_another_format_is_refused(folder: Folder):
    text = canonical.text(replace(folder.phases(DOCS).plan(), format_version=2))
    with pytest.raises(canonical.NotThisShape, match="format_version: 2 where 1 belongs"):
        load(text)


def test_the_plan_says_everything_a_person_wrote(folder: Folder):
    """REQ-7.1-2."""
    plan = folder.playbook(WHOLE).plan(jobs=2)
    phase = plan.phase("store")
    assert phase.goal == f"Add a bucket to orders for {RUN_ID}"
    assert (phase.read, phase.probes, phase.tags) == (
        ("docs/**", "docs/architecture.md"),
        (("python", "-c", "pass"),),
        ("api",),
    )
    assert (phase.cost_usd_max, phase.minutes_max, phase.allow) == (Decimal("40.50"), 10, ("test_changes",))
    assert plan.pools == {
        "phase": 2,
        "Land": 1,
        "RunCi": 2,
        "Rebase": 2,
        "ApplyReply": 2,
        "AssembleContext": 2,
        "CallModel": 2,
        "provider:replay": 4,
    }
    assert (plan.base_commit, plan.fail_fast) == (None, False)


def test_every_file_that_governs_the_run_is_protected(folder: Folder):
    """REQ-2.1-2, REQ-12.0-4."""
    plan = folder.ruleset("budget: {minutes: 30}\n").phases(DOCS).plan()
    assert {"autopack.yaml", "rules.yaml", "p.yaml", ".git/**"} <= set(plan.protected_paths)
    assert set(plan.protected_branches) >= {"main", "master"}


def test_a_grant_opens_what_the_ruleset_says_for_the_phases_it_names(folder: Folder):
    allow = "[test_changes, {protected_paths: [.github/x]}]"
    grant = f"{{phases: [a], allow: {allow}, owner: ann, reason: r, until: 2099-01-31}}"
    plan = folder.ruleset(f"grants: [{grant}]\n").phases(DOCS, "id: b, category: docs").plan()
    assert (plan.phase("a").allow, plan.phase("a").allowed_protected) == (("test_changes",), (".github/x",))
    assert (plan.phase("b").allow, plan.phase("b").allowed_protected) == ((), ())


def test_safety_critical_stops_at_the_first_failure_and_tolerates_fewer_minors(folder: Folder):
    """REQ-4.3-5, REQ-9.2-3."""
    plan = folder.project(safety_profile="safety_critical").phases("id: a, category: feature_scaffolding").plan()
    assert (plan.fail_fast, plan.tiers[0].minor_issues) == (True, 2)


CODE = """
import sys
from autopack.plan.compiler import compile
from autopack.plan.model import digest
from autopack.spec.load import load
spec, _ = load(sys.argv[1], "p.yaml")
print(digest(compile(spec)[0]))
"""


def test_equal_specs_give_equal_digests_whatever_the_hash_seed_locale_time_zone_and_folder(
    folder: Folder, tmp_path_factory: pytest.TempPathFactory
):
    folder.playbook(WHOLE)
    elsewhere = tmp_path_factory.mktemp("a folder with a ü")
    for file in sorted(folder.root.iterdir(), reverse=True):
        (elsewhere / file.name).write_bytes(file.read_bytes())
    worlds = (
        ("0", "C", "UTC", folder.root),
        ("1", "tr_TR.UTF-8", "Asia/Kathmandu", folder.root),
        ("4242", "de_DE.UTF-8", "America/St_Johns", elsewhere),
    )
    found = set()
    for seed, language, zone, root in worlds:
        said = {"PYTHONHASHSEED": seed, "LC_ALL": language, "TZ": zone}
        env = os.environ | said | {"PYTHONPATH": str(Path(autopack.__file__).parents[1])}
        argv = [sys.executable, "-c", CODE, str(root)]
        found.add(subprocess.run(argv, check=True, capture_output=True, text=True, env=env, cwd="/").stdout.strip())
    assert found == {digest(folder.plan())}


def test_the_order_of_keys_and_the_spelling_of_numbers_do_not_matter(folder: Folder):
    one = digest(folder.models(CATALOGUE).playbook(WHOLE).plan())
    mini, big = CATALOGUE.index("  mini:"), CATALOGUE.index("  big:")
    end = CATALOGUE.index("routing:")
    swapped = CATALOGUE[:mini] + CATALOGUE[big:end] + CATALOGUE[mini:big] + CATALOGUE[end:]
    spelled = swapped.replace('"0.60"', '"0.6"').replace("128_000", "128000")
    permuted = WHOLE.replace(
        'budget: {tokens: 2_000_000, cost_usd: "50.00", minutes: 60}',
        'budget: {minutes: 60, cost_usd: "50", tokens: 2000000}',
    )
    assert digest(folder.models(spelled).playbook(permuted).plan()) == one


SHIPPED = sorted((Path(autopack.__file__).parents[1] / "playbooks").glob("*.yaml"))


@pytest.mark.parametrize("shipped", SHIPPED, ids=lambda path: path.stem)
@given(st.randoms(use_true_random=False))
@settings(max_examples=4, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_no_order_of_keys_changes_a_shipped_playbook_s_plan(folder: Folder, shipped: Path, chance: random.Random):
    """Written as JSON, which is YAML as well."""
    written = yaml.safe_load(shipped.read_text(encoding="utf-8"))
    for name, row in written["inputs"].items():
        row.setdefault("default", name)
    one = digest(folder.file("p.yaml", json.dumps(written)).plan())
    assert digest(folder.file("p.yaml", json.dumps(_shuffled(written, chance))).plan()) == one


def _shuffled(value: Any, chance: random.Random) -> Any:
    """With the keys of each mapping in another order; lists have the order that they have."""
    if isinstance(value, list):
        return [_shuffled(each, chance) for each in value]
    if isinstance(value, dict):
        names = sorted(value)
        chance.shuffle(names)
        return {name: _shuffled(value[name], chance) for name in names}
    return value


def _goal(folder: Folder) -> Folder:
    return folder.playbook(WHOLE.replace("Add a bucket", "Add a pail"))


def _model(folder: Folder) -> Folder:
    return folder.models(CATALOGUE.replace("openai/big", "openai/bigger"))


def _temperature(folder: Folder) -> Folder:
    return folder.models(CATALOGUE.replace("    tier: premium", "    params: {temperature: 0.3}\n    tier: premium"))


def _price(folder: Folder) -> Folder:
    return folder.models(CATALOGUE.replace('output: "30"', 'output: "31"'))


def _policy(folder: Folder) -> Folder:
    return folder.ruleset("limits: {changed_lines: 801}\n", models="models.yaml")


def _ci(folder: Folder) -> Folder:
    steps = "{steps: [{id: unit, run: [python, -m, pytest], timeout_s: 60}]}"
    folder.file("ci.yaml", f"autopack: ci/v1\nname: own\nprofiles:\n  normal: {steps}\n  strict: {steps}\n")
    return folder.project(ci="ci.yaml", models="models.yaml")


def _scope(folder: Folder) -> Folder:
    return folder.playbook(WHOLE.replace("[README.md]", "[README.md, docs/a.md]"))


def _attempts(folder: Folder) -> Folder:
    return folder.playbook(WHOLE.replace("attempts: 3", "attempts: 2"))


CHANGES: tuple[Callable[[Folder], Folder], ...] = (
    _goal,
    _model,
    _temperature,
    _price,
    _policy,
    _ci,
    _scope,
    _attempts,
)


@pytest.mark.parametrize("change", CHANGES)
def test_whatever_governs_a_run_is_in_its_digest(folder: Folder, change: Callable[[Folder], Folder]):
    """REQ-3.2-2, REQ-7.1-4."""
    before = folder.models(CATALOGUE).playbook(WHOLE).plan()
    after = change(folder).plan()
    assert digest(after) != digest(before)


def test_the_base_commit_is_in_the_digest(folder: Folder):
    plan = folder.phases(DOCS).plan()
    assert len({digest(plan), digest(pinned(plan, "a" * 40)), digest(pinned(plan, "b" * 40))}) == 3


def test_every_field_of_a_plan_is_in_its_text(folder: Folder):
    plan = folder.phases(DOCS).plan()
    assert set(canonical.plain(plan)) == {field.name for field in fields(Plan)}
