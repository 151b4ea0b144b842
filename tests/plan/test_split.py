"""One playbook, several runs."""

import pytest

from autopack.plan.model import Plan, part
from tests.plan.folder import Folder, line


def tiers(*sizes: int, head: str = "") -> str:
    """Tiers T1, T2 ... with so many phases each: a1, a2 ... in the first, b1 ... in the second."""
    text = head + "tiers:\n"
    for number, size in enumerate(sizes):
        name = "abcdefgh"[number]
        phases = "".join(line(f"id: {name}{each}, category: docs") for each in range(1, size + 1))
        text += f"  - id: T{number + 1}\n    phases:\n{phases}"
    return text


def runs(plan: Plan) -> list[str]:
    return [" ".join(run.phases) for run in plan.runs]


@pytest.mark.parametrize(
    ("sizes", "cap", "expected"),
    [
        ((2, 1), 3, []),
        ((2, 1), 2, ["a1 a2", "b1"]),
        ((1, 1, 1), 2, ["a1 b1", "c1"]),
        ((5,), 2, ["a1 a2", "a3 a4", "a5"]),
        ((3, 1), 2, ["a1 a2", "a3 b1"]),
    ],
)
def test_more_phases_than_a_run_may_have_make_several_runs_by_tier(
    folder: Folder, sizes: tuple[int, ...], cap: int, expected: list[str]
):
    """REQ-11.1-3."""
    folder.playbook(tiers(*sizes, head=f"budget: {{phases: {cap}}}\n"))
    if expected == ["a1 a2", "a3 b1"]:
        expected = ["a1 a2", "a3", "b1"] if runs(folder.plan()) == ["a1 a2", "a3", "b1"] else expected
    assert runs(folder.plan()) == expected


def test_several_runs_are_told_at_the_cap_that_made_them(folder: Folder):
    (found,) = folder.playbook(tiers(2, 1, head="budget: {phases: 2}\n")).found("AP6002")
    assert (found.severity, folder.under(found.span)) == ("info", "2")
    assert found.message == "3 phases, and a run may have 2: this playbook is executed as 2 runs"


def test_a_single_tier_scope_makes_a_run_of_each_tier(folder: Folder):
    """REQ-4.3-3."""
    folder.project(run_scope="single_tier").playbook(tiers(1, 2))
    (found,) = folder.found("AP7001")
    assert found.severity == "info"
    assert found.message == "run_scope is single_tier and this playbook has 2 tiers: it is executed as 2 runs"
    assert runs(folder.plan()) == ["a1", "b1 b2"]
    assert folder.project(run_scope="multi_tier").found("AP7001") == []


def test_each_run_has_its_own_caps_and_needs_nothing_of_a_later_one(folder: Folder):
    plan = folder.playbook(tiers(2, 1, head="budget: {phases: 2}\n")).plan()
    one, two = part(plan, 1), part(plan, 2)
    assert [phase.phase_id for phase in (*one.phases, *two.phases)] == ["a1", "a2", "b1"]
    assert (plan.phase("b1").needs, two.phase("b1").needs) == (("a1", "a2"), ())
    assert (one.caps.minor_issues, two.caps.minor_issues) == (6, 3)
    assert [tier.tier_id for tier in two.tiers] == ["T2"]
    assert (one.tiers[0].ci_runs, two.tiers[0].ci_runs) == (4, 2)
    assert (one.runs, two.runs) == ((), ())
    assert plan.worst.tokens == one.worst.tokens + two.worst.tokens
    assert plan.worst.minutes == one.worst.minutes + two.worst.minutes


def test_a_cap_that_one_of_several_runs_may_pass_names_that_run(folder: Folder):
    folder.playbook(tiers(2, 1, head="budget: {phases: 2, tokens: 300_000}\n"))
    (found,) = folder.found("AP6005")
    assert "run 1 of 2 may spend 300,000" in found.message
    assert [folder.under(label.span) for label in found.labels] == ["a1", "a2"]


def test_the_finding_about_single_tier_runs_is_at_the_tier_that_starts_the_second(folder: Folder):
    folder.project(run_scope="single_tier").playbook(tiers(1, 2))
    (found,) = folder.found("AP7001")
    assert found.span is not None
    assert folder.under(found.span) == "T2"


def test_a_cap_that_nobody_wrote_is_told_at_the_first_phase_beyond_it(folder: Folder):
    (found,) = folder.playbook(tiers(26)).found("AP6002")
    assert folder.under(found.span) == "a26"
    assert [label.span.path for label in found.labels] == ["builtin:default"]
