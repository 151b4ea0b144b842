"""One policy out of several rulesets, and where each value was written."""

from decimal import Decimal

import pytest

from autopack.spec.at import At
from autopack.spec.load import load
from autopack.spec.model import Ruleset
from tests.spec.marks import Case, phase, playbook

HOUSE = """\
autopack: ruleset/v1
name: house
extends: %s
budget: {tokens: 2_000_000, cost_usd: "7.50"}
limits: {fuzz: {low: 10}}
protected_paths: [deploy/**]
escalation: [same_model]
categories:
  docs: {ci: strict}
  payments: {high_risk: true, task_category: money}
"""


def ruleset(case: Case, name: str) -> Ruleset:
    case.write("autopack.yaml", f"autopack: project/v1\nname: shop\nruleset: {name}\n")
    case.write("playbooks/a.yaml", playbook(phase("a")))
    spec, problems = load(str(case.root), "playbooks/a.yaml")
    assert problems == []
    assert spec is not None
    return spec.ruleset


def test_the_nearer_file_wins_key_by_key_and_lists_of_protection_only_grow(case: Case) -> None:
    """REQ-7.1-1, REQ-CH-4."""
    case.write("r.yaml", HOUSE % "builtin:default")
    found = ruleset(case, "r.yaml")
    assert (found.budget.tokens, found.budget.cost_usd, found.budget.phases) == (2_000_000, Decimal("7.50"), 25)
    assert dict(found.limits.fuzz) == {"low": 10, "medium": 20, "high": 5}
    assert found.protected_paths[0] == ".git/**"
    assert found.protected_paths[-1] == "deploy/**"
    assert found.escalation == ("same_model",)
    assert (found.categories["docs"].ci, found.categories["docs"].builder_attempts) == ("strict", 2)


def test_a_ruleset_that_names_no_other_extends_the_default_one(case: Case) -> None:
    case.write("r.yaml", (HOUSE % "x").replace("extends: x\n", ""))
    assert ruleset(case, "r.yaml").aging.runs == {"normal": 3, "safety_critical": 2}


def test_every_value_knows_which_file_it_came_from(case: Case) -> None:
    case.write("r.yaml", HOUSE % "base.yaml")
    case.write("base.yaml", "autopack: ruleset/v1\nname: base\nlimits: {files: 5}\nprotected_paths: [infra/**]\n")
    found = ruleset(case, "r.yaml")
    assert found.origin("budget", "tokens") == At("r.yaml", ("budget", "tokens"))
    assert found.origin("budget", "phases") == At("builtin:default", ("budget", "phases"))
    assert found.origin("limits", "files") == At("base.yaml", ("limits", "files"))
    assert found.origin("limits", "fuzz", "low") == At("r.yaml", ("limits", "fuzz", "low"))
    assert found.protected_paths[-2:] == ("infra/**", "deploy/**")
    last = len(found.protected_paths) - 1
    assert found.origin("protected_paths", last) == At("r.yaml", ("protected_paths", 0))
    assert found.origin("escalation", 1) == found.at == At("r.yaml")
    assert found.categories["payments"].at == At("r.yaml", ("categories", "payments"))


def test_a_category_is_found_under_both_of_its_names(case: Case) -> None:
    case.write("r.yaml", HOUSE % "builtin:default")
    found = ruleset(case, "r.yaml")
    names = {name: row.name for name in ("payments", "money", "schema_change") if (row := found.category(name))}
    assert names == {"payments": "payments", "money": "payments", "schema_change": "schema_contract_change"}
    assert found.category("nonsense") is None


CATEGORIES = """\
cross_cutting_refactor cross_cutting_refactor high strict 2 1 1000000 1.0 no refactor_review major
index_registry_change index_registry_maintenance high strict 2 1 800000 1.0 no index_review major
schema_contract_change schema_change high strict 3 2 1000000 1.0 no schema_review major
bulk_multi_file_operation bulk_operation high strict 2 1 1500000 1.0 no bulk_review major
security_auth_change security_auth high strict 3 2 800000 0.5 no security_review major
external_feature_reuse external_feature_reuse high strict 2 1 1000000 1.0 no external_code_review major
external_code_intake external_code_intake high strict 3 2 1200000 0.5 no license_and_security_review major
orchestrator orchestrator high strict 2 1 800000 1.0 no orchestrator_review major
feature_scaffolding feature_scaffolding medium normal 3 2 500000 2.0 yes - minor
docs docs low normal 2 1 200000 2.0 yes - minor
tests tests low normal 3 1 300000 2.0 yes - minor
debt_cleanup debt_cleanup medium normal 2 1 400000 2.0 no debt_cleanup_review minor
"""


def test_the_default_categories_are_those_of_the_governance_table(case: Case) -> None:
    """REQ-6.0-1, REQ-6.0-3, REQ-6.0-4, REQ-8.3-1."""
    rows = [line.split() for line in CATEGORIES.splitlines()]
    found = ruleset(case, "builtin:default")
    assert list(found.categories) == [row[0] for row in rows]
    for row in rows:
        rule = found.categories[row[0]]
        assert [
            rule.name,
            rule.task_category,
            rule.complexity,
            rule.ci,
            str(rule.builder_attempts),
            str(rule.auditor_attempts),
            str(rule.incident_tokens),
            str(rule.minor_factor),
            "yes" if rule.auto_apply else "no",
            rule.auditor_profile or "-",
            rule.severity,
        ] == row
    assert [name for name, rule in found.categories.items() if rule.high_risk] == [row[0] for row in rows[:7]]


def test_the_default_caps_are_those_of_governance(case: Case) -> None:
    """REQ-9.1-1, REQ-9.2-1, REQ-9.2-2, REQ-9.2-4."""
    found = ruleset(case, "builtin:default")
    assert (found.budget.tokens, found.budget.phases, found.budget.minutes) == (5_000_000, 25, 120)
    assert (found.budget.minor_issues_per_phase, found.budget.cost_usd) == (3, None)
    assert (found.tier.incident_token_factor, found.tier.ci_runs_per_phase, found.tier.major_issues) == (3.0, 2, 0)
    assert found.tier.minor_issues_per_phase == {"normal": 2, "safety_critical": 1}
    assert found.budget_warnings == (0.75, 0.9)
    assert found.escalation == ("same_model", "other_format", "next_tier", "auditor_patch")
    assert found.recheck == {"normal": "overlap", "strict": "always"}
    assert found.fail_fast == {"normal": False, "safety_critical": True}
    assert (found.aging.tiers, found.aging.action) == ({"normal": 2, "safety_critical": 1}, "schedule")


@pytest.mark.parametrize(
    ("name", "profile", "scope", "promotion"),
    [
        ("default", "normal", "multi_tier", "clean_tiers"),
        ("strict", "normal", "multi_tier", "no_issues"),
        ("experimental", "normal", "multi_tier", "no_issues"),
        ("auth-security", "safety_critical", "single_tier", "clean_tiers"),
        ("infra-refactor", "normal", "single_tier", "clean_tiers"),
    ],
)
def test_the_presets_set_profile_and_scope(case: Case, name: str, profile: str, scope: str, promotion: str) -> None:
    """REQ-7.2-3, REQ-7.2-4, REQ-7.2-5"""
    found = ruleset(case, f"builtin:{name}")
    assert (found.safety_profile, found.run_scope, found.promotion) == (profile, scope, promotion)


def test_the_strict_preset_runs_strict_ci_for_every_category(case: Case) -> None:
    found = ruleset(case, "builtin:strict")
    assert {row.ci for row in (*found.categories.values(), found.category_defaults)} == {"strict"}
