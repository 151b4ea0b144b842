"""What the stage of a project and the shipped presets put in force."""

import pytest

from autopack.plan.model import Plan
from tests.plan.folder import Folder

SCHEMA = "id: a, category: schema_contract_change"


def of_stage(folder: Folder, stage: str, phase: str = SCHEMA) -> Plan:
    return folder.project(stage=stage).phases(phase).plan()


def test_a_project_that_only_measures_has_the_runs_caps_and_one_number_of_attempts(folder: Folder):
    """REQ-11.1-1, REQ-11.1-6."""
    plan = of_stage(folder, "baseline", "id: a, category: docs")
    (phase,), (tier,) = plan.phases, plan.tiers
    assert (len(phase.attempts), len(phase.patches), phase.token_cap) == (3, 2, 5_000_000)
    assert (tier.token_cap, tier.minor_issues) == (5_000_000, plan.caps.minor_issues)
    assert tier.ci_runs == 5 * 2


def test_what_keeps_a_change_from_landing_holds_from_the_first_stage_on(folder: Folder):
    (phase,) = of_stage(folder, "baseline").phases
    assert (phase.ci, phase.auto_apply, phase.high_risk) == ("strict", False, True)


def test_a_phases_own_budget_holds_at_every_stage(folder: Folder):
    (phase,) = of_stage(folder, "baseline", "id: a, category: docs, budget: {tokens: 90_000, attempts: 2}").phases
    assert (phase.token_cap, len(phase.attempts)) == (90_000, 2)


@pytest.mark.parametrize("stage", ["operational", "stewardship"])
def test_from_the_second_stage_on_categories_phases_and_tiers_have_caps(folder: Folder, stage: str):
    """REQ-11.1-2."""
    plan = of_stage(folder, stage)
    (phase,), (tier,) = plan.phases, plan.tiers
    assert (len(phase.attempts), phase.token_cap) == (3, 1_000_000)
    assert (tier.token_cap, tier.ci_runs, tier.minor_issues, tier.major_issues) == (3_000_000, 2, 2, 0)


@pytest.mark.parametrize(
    ("preset", "safety", "scope", "not_clean", "promotion"),
    [
        ("default", "normal", "multi_tier", "mark", "clean_tiers"),
        ("experimental", "normal", "multi_tier", "mark", "no_issues"),
        ("auth-security", "safety_critical", "single_tier", "fail_run", "clean_tiers"),
        ("infra-refactor", "normal", "single_tier", "mark", "clean_tiers"),
        ("strict", "normal", "multi_tier", "fail_run", "no_issues"),
    ],
)
def test_the_presets(folder: Folder, preset: str, safety: str, scope: str, not_clean: str, promotion: str):
    """REQ-7.2-3, REQ-7.2-4, REQ-7.2-5."""
    plan = folder.project(ruleset=f"builtin:{preset}").phases("id: a, category: docs").plan()
    assert (plan.safety_profile, plan.run_scope, plan.not_clean, plan.promotion) == (
        safety,
        scope,
        not_clean,
        promotion,
    )


def test_safety_critical_is_stricter_everywhere_it_matters(folder: Folder):
    """REQ-4.3-5, REQ-9.2-3: fail fast, half the minors, and a tier that is not clean fails the run."""
    plan = folder.project(safety_profile="safety_critical").phases("id: a, category: docs").plan()
    assert (plan.fail_fast, plan.not_clean, plan.tiers[0].minor_issues) == (True, "fail_run", 2)


def test_two_audits_are_by_two_models_of_the_catalogue(folder: Folder):
    rules = "categories:\n  docs: {audits: 2, auto_apply: false}\n"
    (phase,) = folder.ruleset(rules).phases("id: a, category: docs").plan().phases
    assert phase.second_audit is not None
    assert phase.second_audit.model != phase.audit.model


def test_the_auditors_patches_end_the_ladder_unless_the_ruleset_has_none(folder: Folder):
    """REQ-9.3-2."""
    (phase,) = folder.phases("id: a, category: tests").plan().phases
    assert [(rung.step, rung.role, rung.ask.model) for rung in phase.patches] == [
        ("auditor_patch", "auditor", "standard")
    ]
    assert "smallest" in phase.patch_prompt
    for rules in ("escalation: [same_model, next_tier]\n", "audit: {attempts_used_up: false}\n"):
        (phase,) = folder.ruleset(rules).phases("id: a, category: tests").plan().phases
        assert (phase.patches, phase.patch_prompt) == ((), "")
