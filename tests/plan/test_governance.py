"""The numbers that hold where nobody says otherwise: builtin:default, and what of it reaches a plan."""

from dataclasses import replace
from typing import Any

import pytest

from autopack.plan.compiler import compile as compile_spec
from autopack.plan.model import Plan, PlanPhase
from autopack.spec.load import check
from autopack.spec.model import CategoryRule, Ruleset
from tests.plan.folder import Folder
from tests.plan.test_aging import FLAKY, backlog

HIGH_RISK = {
    "cross_cutting_refactor": (2, 1, 1_000_000, 2, "refactor_review"),
    "index_registry_change": (2, 1, 800_000, 2, "index_review"),
    "schema_contract_change": (3, 2, 1_000_000, 2, "schema_review"),
    "bulk_multi_file_operation": (2, 1, 1_500_000, 2, "bulk_review"),
    "security_auth_change": (3, 2, 800_000, 1, "security_review"),
    "external_feature_reuse": (2, 1, 1_000_000, 2, "external_code_review"),
    "external_code_intake": (3, 2, 1_200_000, 1, "license_and_security_review"),
}
"""Builder and Auditor attempts, incident tokens, minors that a tier of this one phase tolerates, who reviews."""
FROM_OUTSIDE = 'external: {source: "https://x.org/y", licence: MIT}'
SOURCES = 'external: {sources: ["https://x.org/**"]}\n'


def one(folder: Folder, phase: str, rules: str = "", **project: str) -> PlanPhase:
    folder.ruleset(rules, **project) if rules else folder.project(**project)
    return folder.phases(f"id: a, {phase}").plan().phases[0]


def rules_of(folder: Folder, **project: str) -> Ruleset:
    return folder.project(**project).phases("id: a, category: docs").spec().ruleset


def said(row: CategoryRule) -> dict[str, Any]:
    """What a row says, without its name and what is left open."""
    names = (
        "complexity",
        "ci",
        "builder_attempts",
        "auditor_attempts",
        "incident_tokens",
        "minor_factor",
        "auto_apply",
    )
    more = ("auditor_profile", "severity", "high_risk", "files", "advice", "audits")
    return {name: value for name in (*names, *more) if (value := getattr(row, name)) is not None}


# --- the shipped ruleset, beside the table of categories (tests/spec/test_extends.py) ---------------------------------


def test_the_rows_that_stand_behind_the_category_table(folder: Folder):
    """REQ-8.1-2, REQ-CH-4."""
    found = rules_of(folder)
    assert said(found.category_defaults) == {
        "complexity": "medium",
        "ci": "normal",
        "builder_attempts": 3,
        "auditor_attempts": 2,
        "incident_tokens": 500_000,
        "minor_factor": 2.0,
        "auto_apply": True,
        "severity": "minor",
        "high_risk": False,
        "audits": 1,
    }
    assert said(found.high_risk) == {
        "complexity": "high",
        "ci": "strict",
        "builder_attempts": 2,
        "auditor_attempts": 1,
        "minor_factor": 1.0,
        "auto_apply": False,
        "severity": "major",
    }
    assert {name: said(row) for name, row in found.complexities.items()} == {"high": {"ci": "strict"}}
    heavy = {"complexity": "high", "ci": "strict", "high_risk": True, "advice": "single_tier"}
    assert {name: said(row) for name, row in found.builder_modes.items()} == {
        "tweak_light": {
            "complexity": "low",
            "ci": "normal",
            "builder_attempts": 2,
            "incident_tokens": 100_000,
            "files": 2,
        },
        "scaffolding_heavy": {"complexity": "medium", "ci": "normal", "advice": "split"},
        "refactor_heavy": heavy,
        "schema_heavy": heavy,
    }


def test_every_other_number_that_governance_names(folder: Folder):
    """REQ-5.3-3, REQ-9.2-5, REQ-CH-4."""
    found = rules_of(folder)
    assert found.aging.runs == {"normal": 3, "safety_critical": 2}
    assert found.aging.tiers == {"normal": 2, "safety_critical": 1}
    assert found.tier.not_clean == {"normal": "mark", "safety_critical": "fail_run"}
    assert (found.budget_proof, found.promotion, found.hooks) == ("warning", "clean_tiers", "refuse")
    assert (found.safety_profile, found.run_scope) == ("normal", "multi_tier")
    assert found.attempts_per_model_tier == 2
    audit = found.audit
    assert (audit.major_issue, audit.same_failure, audit.attempts_used_up, audit.test_changes) == (True, 2, True, True)
    assert (found.retry.attempts, found.retry.backoff_s, found.retry.backoff_s_max) == (5, 2, 60)
    limits = found.limits
    assert (limits.files, limits.changed_lines, limits.file_bytes) == (20, 800, 1_000_000)
    assert (limits.shrink, limits.growth, limits.fuzz) == (0.6, 3.0, {"low": 50, "medium": 20, "high": 5})
    assert (found.external.sources, found.grants, found.severity_upgrades) == ((), (), ())
    assert {".git/**", ".github/**", "autopack.yaml", "rulesets/**", ".autopack/**"} <= set(found.protected_paths)


@pytest.mark.parametrize(("name", "tokens"), [("openai", 50_000_000), ("anthropic", 10_000_000)])
def test_the_catalogues_hold_the_quotas_and_who_may_never_fall(folder: Folder, name: str, tokens: int):
    models = folder.project(models=f"builtin:{name}").phases("id: a, category: docs").spec().models
    assert (models.providers[name].weekly_tokens, models.providers[name].soft_limit) == (tokens, 0.8)
    assert models.routing.never_downgrade == (
        "external_feature_reuse",
        "security_auth_change",
        "schema_contract_change",
    )
    used = {"docs": "economy", "tests": "economy", "feature_scaffolding": "standard", "orchestrator": "premium"}
    for category, tier in (used | dict.fromkeys(list(HIGH_RISK)[:5], "premium")).items():
        plan = folder.phases(f"id: a, category: {category}").plan()
        assert plan.models[plan.phases[0].attempts[0].ask.model].tier == tier, category


def test_the_models_of_the_playbook_have_their_prices(folder: Folder):
    models = folder.project(models="builtin:openai").phases("id: a, category: docs").spec().models.models
    found = {name: models[name].price for name in ("gpt-4o-mini", "gpt-4o", "gpt-4-turbo")}
    assert {name: (str(price.input), str(price.output)) for name, price in found.items()} == {
        "gpt-4o-mini": ("0.15", "0.60"),
        "gpt-4o": ("2.50", "10.00"),
        "gpt-4-turbo": ("10.00", "30.00"),
    }


# --- high risk --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("category", "expected"), HIGH_RISK.items())
def test_a_high_risk_phase_has_few_attempts_strict_ci_and_never_lands_by_itself(
    folder: Folder, category: str, expected: tuple[int, int, int, int, str]
):
    """REQ-6.0-5, REQ-6.0-6, REQ-6.0-7, REQ-8.3-1."""
    more = f", {FROM_OUTSIDE}" if category.startswith("external") else ""
    plan = folder.ruleset(SOURCES).phases(f"id: a, category: {category}{more}").plan()
    phase = plan.phases[0]
    assert (phase.complexity, phase.ci, phase.high_risk, phase.auto_apply) == ("high", "strict", True, False)
    assert plan.profiles["strict"].retries == 0
    minors = plan.tiers[0].minor_issues
    told = (len(phase.attempts), phase.auditor_attempts, phase.token_cap, minors, phase.auditor_profile)
    assert told == expected
    assert f"(review profile: {phase.auditor_profile})" in phase.auditor_prompt
    low = folder.phases("id: a, category: docs").plan()
    assert (low.tiers[0].minor_issues, low.phases[0].auto_apply) == (4, True)


def test_what_the_ruleset_says_of_a_high_risk_category_replaces_the_row_that_ships(folder: Folder):
    """REQ-6.0-2, REQ-6.0-7: each word for itself; what it leaves open stays."""
    rules = "categories: {security_auth_change: {auto_apply: true, builder_attempts: 1, severity: minor}}\n"
    own = one(folder, "category: security_auth", rules)
    assert (own.auto_apply, len(own.attempts), own.severity) == (True, 1, "minor")
    assert (own.ci, own.token_cap, own.auditor_profile) == ("strict", 800_000, "security_review")
    other = one(folder, "category: schema_change", rules)
    assert (other.auto_apply, len(other.attempts), other.severity) == (False, 3, "major")


def test_each_high_risk_category_is_guarded_where_it_is_dangerous(folder: Folder):
    """REQ-6.0-8."""
    refactor = one(folder, "category: cross_cutting_refactor")
    assert (refactor.audited, [rung.role for rung in refactor.ladder]) == (True, ["builder", "builder", "auditor"])
    index = folder.phases("id: a, category: index_registry_change").plan()
    assert index.tiers[0].minor_issues == 2  # of a phase that is not at risk: 4
    schema = one(folder, "category: schema_change")
    assert (schema.audited, schema.ci) == (True, "strict")
    bulk = folder.phases(*(f"id: {name}, category: bulk_operation" for name in "abc"), head="budget: {phases: 2}\n")
    assert [(len(phase.attempts), phase.limits.files) for phase in bulk.plan().phases] == [(2, 20)] * 3
    assert [run.phases for run in bulk.plan().runs] == [("a", "b"), ("c",)]
    security = one(folder, "category: security_auth, complexity: low, builder_mode: scaffolding_heavy")
    assert (security.audited, security.auditor_profile) == (True, "security_review")


def test_a_playbooks_defaults_do_not_take_strict_ci_from_security(folder: Folder):
    """REQ-6.0-8: always strict."""
    plan = folder.phases("id: a, category: security_auth", head="defaults: {ci: normal, complexity: low}\n").plan()
    assert (plan.phases[0].ci, plan.phases[0].auditor_profile) == ("strict", "security_review")


@pytest.mark.parametrize(
    ("external", "code"),
    [
        ("", "AP5004"),
        (', external: {source: "https://y.org/z", licence: MIT}', "AP5005"),
        (', external: {source: "https://x.org/y", licence: GPL-3.0-only}', "AP5006"),
    ],
)
def test_code_from_outside_needs_a_source_and_a_licence_that_are_allowed(folder: Folder, external: str, code: str):
    """REQ-CH-9."""
    folder.ruleset(SOURCES).phases(f"id: a, category: external_code_intake{external}")
    plan, problems = folder.compile()
    assert (plan, [each.code for each in problems]) == (None, [code])


@pytest.mark.parametrize("category", ["external_feature_reuse", "external_code_intake"])
def test_code_from_outside_passes_strict_ci_and_an_audit(folder: Folder, category: str):
    """REQ-CH-9."""
    phase = one(folder, f"category: {category}, {FROM_OUTSIDE}", SOURCES)
    assert (phase.ci, phase.audited) == ("strict", True)


# --- modes ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("tweak_light", ("low", "normal", 2, 100_000, 2, True)),
        ("scaffolding_heavy", ("medium", "normal", 3, 500_000, 20, True)),
        ("refactor_heavy", ("high", "strict", 2, 500_000, 20, False)),
        ("schema_heavy", ("high", "strict", 2, 500_000, 20, False)),
    ],
)
def test_a_mode_sets_complexity_ci_attempts_tokens_and_files_and_the_builder_is_told_it(
    folder: Folder, mode: str, expected: tuple[object, ...]
):
    """REQ-8.1-2, REQ-8.1-3, REQ-8.2-1, REQ-9.3-1."""
    phase = one(folder, f"category: plain, builder_mode: {mode}", "categories: {plain: {}}\n")
    told = (phase.complexity, phase.ci, len(phase.attempts), phase.token_cap, phase.limits.files, phase.auto_apply)
    assert told == expected
    assert f"builder mode: {mode}" in phase.builder_prompt


def test_attempts_follow_category_mode_and_complexity(folder: Folder):
    """REQ-9.3-1."""
    rules = "categories: {plain: {}}\ncomplexities: {low: {builder_attempts: 1}}\n"
    attempts = {
        words: len(one(folder, words, rules).attempts)
        for words in (
            "category: plain",
            "category: plain, complexity: low",
            "category: plain, builder_mode: tweak_light",
            "category: docs",
        )
    }
    assert list(attempts.values()) == [3, 1, 2, 2]


# --- CI ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phase", "ruleset", "profile"),
    [
        ("category: docs", "default", "normal"),
        ("category: feature_scaffolding", "default", "normal"),
        ("category: feature_scaffolding, builder_mode: refactor_heavy", "default", "strict"),
        ("category: orchestrator", "default", "strict"),
        ("category: security_auth", "default", "strict"),
        ("category: docs", "strict", "strict"),
    ],
)
def test_risk_and_complexity_choose_the_ci_profile(folder: Folder, phase: str, ruleset: str, profile: str):
    """REQ-2.4-2, REQ-10.1-3."""
    assert one(folder, phase, ruleset=f"builtin:{ruleset}").ci == profile


def test_strict_runs_everything_without_a_second_try_and_normal_what_is_affected(folder: Folder):
    """REQ-10.1-1, REQ-10.1-2."""
    plan = folder.project().phases("id: a, category: docs", "id: b, category: orchestrator").plan()
    told = {
        name: (profile.retries, [(step.id, step.affected) for step in profile.steps])
        for name, profile in plan.profiles.items()
    }
    assert told == {
        "normal": (1, [("unit", True)]),
        "strict": (0, [("unit", False), ("e2e", False)]),
    }


@pytest.mark.parametrize(
    "project", [{"safety_profile": "safety_critical"}, {"ruleset": "builtin:auth-security"}], ids=["project", "ruleset"]
)
def test_where_safety_is_critical_ci_is_never_limited_to_what_is_affected(folder: Folder, project: dict[str, str]):
    """REQ-4.3-5, REQ-4.3-6, REQ-10.1-3: whoever says so, the project or its ruleset."""
    plan = folder.project(**project).phases("id: a, category: docs").plan()
    assert [step.affected for step in plan.profiles["normal"].steps] == [False]


# --- the two settings -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "value"), [("safety_profile", "strict"), ("run_scope", "many"), ("stage", "2"), ("safety_profile", "7")]
)
def test_other_values_than_those_that_governance_knows_are_refused(folder: Folder, key: str, value: str):
    """REQ-4.3-1."""
    folder.project(**{key: value}).phases("id: a, category: docs")
    (found,) = check(str(folder.root), ["autopack.yaml"]).problems
    assert (found.severity, folder.under(found.span)) == ("error", value)


def settings(folder: Folder, **project: str) -> Plan:
    tier = "  - id: {0}\n    phases:\n      - {{id: {0}a, category: docs, goal: do it, scope: {{write: [src/a.py]}}}}\n"
    return folder.project(**project).playbook("tiers:\n" + tier.format("T1") + tier.format("T2")).plan()


@pytest.mark.parametrize(
    ("scope", "profile", "expected"),
    [
        ("multi_tier", "normal", (0, 4, False, "mark")),
        ("multi_tier", "safety_critical", (0, 2, True, "fail_run")),
        ("single_tier", "normal", (2, 4, False, "mark")),
        ("single_tier", "safety_critical", (2, 2, True, "fail_run")),
    ],
)
def test_runs_thresholds_and_what_a_failure_does_follow_from_the_two_settings(
    folder: Folder, scope: str, profile: str, expected: tuple[object, ...]
):
    """REQ-4.3-2, REQ-4.3-3, REQ-4.3-4, REQ-4.3-6."""
    plan = settings(folder, run_scope=scope, safety_profile=profile)
    assert (len(plan.runs), plan.tiers[0].minor_issues, plan.fail_fast, plan.not_clean) == expected


# --- stages -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stage", "phases"), [("baseline", 1), ("operational", 1), ("stewardship", 2)])
def test_issues_grow_old_in_the_last_stage_only(folder: Folder, stage: str, phases: int):
    """REQ-11.1-5, REQ-11.1-1."""
    folder.project(stage=stage).phases("id: a, category: docs")
    old = backlog(replace(FLAKY, age_in_runs=3))
    plan, problems = compile_spec(folder.spec(), backlog=old)
    assert plan is not None
    aged = stage == "stewardship"
    assert (len(plan.phases), bool(plan.aged), "AP5020" in {each.code for each in problems}) == (phases, aged, aged)
