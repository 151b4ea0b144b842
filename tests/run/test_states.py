"""What a run, a tier and a phase can be, and what none of them asks of anybody."""

from dataclasses import replace
from typing import get_args

import pytest

from autopack.run.promotion import debt_status, eligible
from autopack.run.records import phase_issues
from autopack.run.state import DONE, PhaseStateName, RunStateName, TierStateName, tier_state
from tests.run.story import Story, phase, plan

RUN_STATES = (
    *("PLAN_BOOTSTRAP", "RUN_CREATED", "PHASE_QUEUEING", "PHASE_EXECUTION", "GATE", "CI_RUNNING", "SNAPSHOT_CREATED"),
    *("DONE_SUCCESS", "DONE_FAILED_BUDGET_EXHAUSTED", "DONE_FAILED_POLICY_VIOLATION"),
    *("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "DONE_FAILED_ENVIRONMENT"),
)
MODES = (None, "tweak_light", "scaffolding_heavy", "refactor_heavy", "schema_heavy")


def test_the_states_are_those_of_governance_and_none_is_that_of_waiting_for_a_person():
    """REQ-1.1-2, REQ-3.5-2."""
    assert get_args(RunStateName) == RUN_STATES
    assert get_args(TierStateName) == ("PENDING", "IN_PROGRESS", "COMPLETE", "FAILED", "SKIPPED")
    assert get_args(PhaseStateName) == ("QUEUED", "EXECUTING", "GATE", "CI_RUNNING", "COMPLETE", "FAILED", "SKIPPED")
    assert set(DONE.values()) == {name for name in RUN_STATES if name.startswith("DONE_FAILED_")}


def test_at_every_moment_a_run_has_a_wish_that_a_runner_answers_or_has_ended():
    """REQ-1.1-2, REQ-0.1-1: it never stands still until somebody comes."""
    story = Story(plan(phase("a", auto_apply=False), phase("b", needs=("a",))))
    story.says("a", ci=["red", "green"], auditor=["revise", "approve"])
    while not story.run.done:
        assert story.run.pending
        assert all(callable(getattr(story, f"_{type(effect).__name__}")) for effect in story.run.pending.values())
        story.step()
    assert (story.run.state, dict(story.run.pending)) == ("DONE_SUCCESS", {})


@pytest.mark.parametrize("mode", MODES)
def test_a_builder_mode_is_a_word_in_a_prompt_and_nothing_to_the_machine(mode: str | None):
    """REQ-8.1-1, REQ-11.1-4: what the compiler makes of it is numbers in the plan; the run goes by those alone."""
    told = [Story(plan(phase("a", auto_apply=False, builder_mode=word))) for word in (None, mode)]
    for story in told:
        story.says(ci=["red", "green"], auditor=["revise", "approve"]).tell()
    plain, other = told
    assert other.path("a") == plain.path("a") != ""
    one, two = ([replace(event, key="") for event in story.log] for story in told)  # keys hold the plan's digest
    assert one == two
    assert [type(effect) for effect in other.effects] == [type(effect) for effect in plain.effects]


def test_what_a_builder_suspects_is_in_its_phases_issue_file_and_moves_nothing():
    """REQ-2.2-3, REQ-3.4-5, REQ-5.1-2."""
    told, silent = (Story(plan(phase("a"))).says(builder=[word]) for word in ("minor", "ok"))
    told.tell()
    silent.tell()
    assert told.path("a") == silent.path("a")
    file = phase_issues(told.plan, "run-1", told.run.issues.values(), "a")
    (entry,) = file["issues"]
    assert (entry["issue_key"], entry["source"], entry["description"]) == (
        *("c__a__1", "cursor_self_doubt"),
        "what is wrong with c__a__1",
    )
    assert (file["minor_issue_count"], file["major_issue_count"], file["issue_state"]) == (1, 0, "has_minor_issues")


def test_a_normal_run_goes_on_over_a_tier_that_is_not_clean_and_only_its_promotion_waits():
    """REQ-4.3-2, REQ-7.2-1, REQ-4.2-4, REQ-11.1-5."""
    story = Story(plan(phase("a"), phase("b", tier_id="T2", needs=("a",)))).says("a", builder=["major"])
    run = story.tell()
    assert (run.state, [tier_state(run, tier) for tier in story.plan.tiers]) == ("DONE_SUCCESS", ["COMPLETE"] * 2)
    assert not eligible(story.plan, run)


def test_in_a_normal_run_minor_issues_pile_up_over_tiers_within_what_is_tolerated():
    """REQ-7.2-1, REQ-4.3-4."""
    tiers = ("T1", "T2", "T3")
    chain = [phase(f"p{n}", tier_id=tier, needs=(f"p{n - 1}",) if n else ()) for n, tier in enumerate(tiers)]
    story = Story(plan(*chain)).says(builder=["minor"])
    run = story.tell()
    assert (run.state, len(run.issues)) == ("DONE_SUCCESS", 3)
    assert (debt_status(story.plan, run), eligible(story.plan, run)) == ("has_minor_issues", True)
