"""Policy that governs nothing, phases that only defaults cover, and what builder modes advise."""

from pathlib import Path

import pytest

from autopack.problem import Problem
from autopack.spec.load import check
from autopack.views.compiling import COMPILE
from tests.plan.folder import HEAD, Folder


def checked(folder: Folder, *paths: str) -> list[Problem]:
    return check(str(folder.root), list(paths) or None, today="2026-11-22", compile=COMPILE).problems


def one(category: str, more: str = "") -> str:
    phase = f"id: a, goal: g, category: {category}, {more}scope: {{write: [src/a.py]}}"
    return f"{HEAD}tiers:\n  - id: T1\n    phases:\n      - {{{phase}}}\n"


def shop(folder: Folder, rules: str, first: str, second: str) -> Folder:
    folder.ruleset(rules)
    return folder.file("playbooks/one.yaml", first).file("playbooks/two.yaml", second.replace("id: a", "id: b"))


PAYMENTS = "categories:\n  payments: {complexity: high, ci: strict}\n"


def test_a_row_is_dead_only_where_no_playbook_of_the_project_uses_it(folder: Folder):
    found = checked(shop(folder, PAYMENTS, one("docs"), one("tests")))
    assert [(each.code, each.severity, each.message) for each in found] == [
        ("AP5022", "info", 'no playbook of the project has a phase of the category "payments"')
    ]
    assert folder.under(found[0].span) == "payments"
    assert checked(shop(folder, PAYMENTS, one("docs"), one("payments"))) == []


def test_nothing_is_called_dead_where_not_every_playbook_is_seen(folder: Folder):
    shop(folder, PAYMENTS, one("docs"), one("tests"))
    assert checked(folder, "playbooks/one.yaml") == []
    folder.file("playbooks/two.yaml", one("docs").replace("goal: g, ", ""))
    assert "AP5022" not in [each.code for each in checked(folder)]


DEAD = {
    "of the category": "categories:\n  payments: {complexity: high, ci: strict}\n",
    "that is meant by the upgrade": "severity_upgrades:\n  - {match: {category: orchestrator}, to: major}\n",
}


@pytest.mark.parametrize(("words", "rules"), DEAD.items())
def test_each_kind_of_rule_is_looked_at(folder: Folder, words: str, rules: str):
    (found,) = checked(shop(folder, rules, one("docs"), one("tests")))
    assert found.message.startswith(f"no playbook of the project has a phase {words} ")


def test_an_upgrade_for_a_category_and_a_complexity_needs_a_phase_of_both(folder: Folder):
    rules = "severity_upgrades:\n  - {match: {category: docs, complexity: high}, to: major}\n"
    assert [each.code for each in checked(shop(folder, rules, one("docs"), one("tests", "complexity: high, ")))] == [
        "AP5022"
    ]
    assert checked(shop(folder, rules, one("docs", "complexity: high, "), one("tests"))) == []


def test_many_dead_rows_are_one_finding(folder: Folder):
    rules = "categories:\n" + "".join(f"  c{number}: {{complexity: high, ci: strict}}\n" for number in range(40))
    (found,) = checked(shop(folder, rules, one("docs"), one("tests")))
    assert found.message.endswith('"c0" or "c1" or "c2" or "c3" or "c4" or "c5" or 34 more')
    assert len(found.labels) == 5


def test_what_a_ruleset_has_from_elsewhere_is_never_dead(folder: Folder):
    assert checked(shop(folder, "", one("docs"), one("tests"))) == []


def test_a_category_of_which_nothing_is_said_is_told_once(folder: Folder):
    found = checked(shop(folder, "categories:\n  payments: {}\n", one("payments"), one("payments")))
    assert [(each.code, folder.under(each.span)) for each in found] == [("AP5023", "payments")]
    assert checked(shop(folder, "categories:\n  payments: {ci: strict}\n", one("payments"), one("payments"))) == []


def test_a_phase_that_speaks_for_itself_is_covered(folder: Folder):
    said = one("payments", "complexity: high, ")
    assert checked(shop(folder, "categories:\n  payments: {}\n", said, said)) == []


def tiers(*phases: str) -> str:
    lines = [
        f"  - id: T{n}\n    phases:\n      - {{{each}, goal: g, scope: {{write: [src/{n}.py]}}}}\n"
        for n, each in enumerate(phases)
    ]
    return "tiers:\n" + "".join(lines)


def test_a_mode_that_does_better_in_one_tier_says_so_until_the_project_has_it(folder: Folder):
    risky = "category: cross_cutting_refactor, builder_mode: refactor_heavy"
    folder.playbook(tiers(f"id: a, {risky}", f"id: b, {risky}"))
    (found,) = folder.found("AP5024")
    assert found.message == "builder mode refactor_heavy does better with one tier a run"
    assert folder.project(run_scope="single_tier").found("AP5024") == []
    assert folder.project().playbook(tiers(f"id: a, {risky}")).found("AP5024") == []


def test_scaffolding_in_one_piece_is_advised_to_be_split(folder: Folder):
    heavy = "category: feature_scaffolding, builder_mode: scaffolding_heavy"
    (found,) = folder.phases(f"id: a, {heavy}").found("AP5024")
    assert folder.under(found.span) == "scaffolding_heavy"
    assert folder.phases(f"id: a, {heavy}", f"id: b, needs: [a], {heavy}").found("AP5024") == []


@pytest.mark.parametrize("place", ["examples/hello", "playbooks"])
def test_the_example_and_the_shipped_playbooks_are_told_none_of_it(place: str):
    root = Path(__file__).parents[2] / place
    found = check(str(root), None if (root / "autopack.yaml").exists() else ["."], today="2026-11-22", compile=COMPILE)
    assert [each for each in found.problems if each.code in {"AP5022", "AP5023", "AP5024"}] == []


def test_a_route_for_a_category_without_phases_is_dead(folder: Folder):
    folder.models(CATALOGUE).file("playbooks/one.yaml", one("docs"))
    (found,) = checked(folder)
    assert found.message == 'no playbook of the project has a phase that takes the route of "tests"'
    assert folder.under(found.span) == "tests"
    folder.file("playbooks/two.yaml", one("tests").replace("id: a", "id: b"))
    assert checked(folder) == []


CATALOGUE = """\
models:
  big:
    litellm: replay/big
    tier: premium
    context_tokens: 128000
    max_output_tokens: 16384
    price: {input: 1, output: 2, as_of: 2026-01-01}
routing:
  complexity:
    low: {builder: [big], auditor: [big]}
    medium: {builder: [big], auditor: [big]}
    high: {builder: [big], auditor: [big]}
  categories:
    docs: {builder: [big], auditor: [big]}
    tests: {builder: [big], auditor: [big]}
"""
