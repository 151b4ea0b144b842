"""The widest budget: what all runs of a project together may spend."""

from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import pytest

from tests.plan.folder import Folder

Write = Callable[..., Folder]
DOCS = "id: {}, category: docs"
"""Two attempts of 100,000 tokens; the first one takes at most that."""


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path).project(budget="{tokens: 1_000_000}").phases(DOCS.format("a"))


def test_without_one_nothing_is_different(folder: Folder):
    plan = folder.project().plan()
    assert plan.project_budget is None
    assert plan.caps.tokens == 5_000_000


def test_the_plan_holds_it_and_a_run_s_inherited_caps_are_clamped_to_it(folder: Folder):
    plan = folder.project(budget='{tokens: 1_000_000, cost_usd: "7.50", days: 7}').plan()
    assert plan.project_budget is not None
    assert (plan.project_budget.tokens, plan.project_budget.cost_usd) == (1_000_000, Decimal("7.50"))
    assert plan.project_budget.days == 7
    assert (plan.caps.tokens, plan.caps.cost_usd) == (1_000_000, Decimal("7.50"))


def test_a_lower_cap_of_the_ruleset_stays(folder: Folder):
    folder.ruleset("budget: {tokens: 400_000}\n", budget="{tokens: 1_000_000}")
    assert folder.plan().caps.tokens == 400_000


def test_thirty_days_where_nobody_says_otherwise(folder: Folder):
    budget = folder.plan().project_budget
    assert budget is not None
    assert (budget.days, budget.cost_usd) == (30, None)


def test_a_playbook_s_explicit_cap_above_it_is_an_error_there(folder: Folder):
    (found,) = folder.phases(DOCS.format("a"), head="budget: {tokens: 1_000_001}\n").found("AP6001")
    assert folder.under(found.span) == "1_000_001"
    assert found.message == "a run may spend 1,000,001 tokens, the project only 1,000,000"
    assert [folder.under(label.span) for label in found.labels] == ["1_000_000"]
    assert found.help == "lower it to 1,000,000 or raise the project's"


def test_a_phase_s_explicit_cap_above_it_is_one_where_the_playbook_has_none(folder: Folder):
    (found,) = folder.phases(DOCS.format("a") + ", budget: {tokens: 2_000_000}").found("AP6001")
    assert found.message == 'phase "a" may spend 2,000,000 tokens, the project only 1,000,000'


def test_of_the_two_the_playbook_is_told_when_both_are_above_it(folder: Folder):
    folder.phases(DOCS.format("a") + ", budget: {tokens: 2_000_000}", head="budget: {tokens: 3_000_000}\n")
    assert [folder.under(found.span) for found in folder.found("AP6001")] == ["3_000_000"]


def test_first_attempts_that_do_not_fit_it_are_an_error_at_the_cap(folder: Folder):
    folder.project(budget="{tokens: 150_000}").phases(*map(DOCS.format, "abc"))
    (found,) = folder.found("AP6004")
    assert folder.under(found.span) == "150_000"
    assert found.message.endswith("the project in 30 days may spend 150,000")


def test_a_worst_case_above_it_is_a_warning_or_an_error_as_the_ruleset_says(folder: Folder):
    folder.project(budget="{tokens: 300_000}").phases(DOCS.format("a"), DOCS.format("b"))
    (found,) = folder.found("AP6005")
    assert (found.severity, folder.under(found.span)) == ("warning", "300_000")
    assert found.help is not None
    assert "raise the project's budget.tokens to 400,000" in found.help
    folder.ruleset("budget_proof: error\n", budget="{tokens: 300_000}")
    assert [each.severity for each in folder.found("AP6005")] == ["error"]


def test_several_runs_are_judged_together(folder: Folder):
    """Each of them fits, all of them do not."""
    folder.project(budget="{tokens: 300_000}", run_scope="single_tier").playbook(
        "tiers:\n"
        "  - {id: T1, phases: [{id: a, goal: g, category: docs, scope: {write: [a/**]}}]}\n"
        "  - {id: T2, phases: [{id: b, goal: g, category: docs, scope: {write: [b/**]}}]}\n"
    )
    (found,) = folder.found("AP6005")
    assert found.message.startswith("all attempts and audits together can take 400,000 tokens")
    assert folder.under(found.span) == "300_000"


def test_what_a_run_s_own_cap_stops_counts_no_further(folder: Folder):
    """The run stops at its own 350,000; the project's 360,000 hold."""
    folder.project(budget="{tokens: 360_000}")
    folder.phases(DOCS.format("a"), DOCS.format("b"), head="budget: {tokens: 350_000}\n")
    assert [folder.under(found.span) for found in folder.found("AP6005")] == ["350_000"]
