"""How a run behaves, one story a rule: the machine with scripted answers, nothing else."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal

import pytest

from autopack.plan.model import Ask, AuditPolicy, Caps, Plan, PlanModel, PlanPhase, PlanTier, Quota, Retry
from autopack.plan.price import Usage
from autopack.run import events as ev
from autopack.run import machine
from autopack.run.continued import continued
from autopack.run.effects import (
    AskExternal,
    AssembleContext,
    CallModel,
    CloseRun,
    Effect,
    Land,
    OpenRun,
    ProbeProviders,
    Rebase,
    RunBuilder,
    RunCi,
)
from autopack.run.ledger import RUN, ZERO, Amount
from autopack.run.machine import IllegalEvent, next_deadline_s, react, start, unwanted
from autopack.run.promotion import debt_status, eligible
from autopack.run.state import blemishes, tier_state
from autopack.run.turn import Turn
from tests.run.story import BASE, Story, by_client, by_command, phase, plan, refold, with_patches

STRAIGHT = "QUEUED EXECUTING GATE CI_RUNNING GATE COMPLETE"
CALL = Amount(4_500, Decimal("0.005"))
"""What the story's calls are billed: 4,000 tokens in at 1 USD a million and 500 out at 2."""
BOUND = Amount(6_000, Decimal("0.007"))
"""What is reserved for one: 5,000 tokens in and 1,000 out."""


def alone(**changes: object) -> Plan:
    return plan(phase("a", **changes))


def ended(story: Story) -> tuple[str, str | None]:
    run = story.tell()
    return run.state, run.failure.reason if run.failure else None


# --- one attempt --------------------------------------------------------------------------------------------------


def test_a_phase_that_passes_everything_lands_and_the_run_is_a_success():
    story = Story(alone())
    assert ended(story) == ("DONE_SUCCESS", None)
    assert story.path("a") == STRAIGHT
    assert story.run.head == story.run.phases["a"].commit == "c1-a"
    assert [type(effect).__name__ for effect in story.effects] == [
        "ProbeProviders",
        "OpenRun",
        "AssembleContext",
        "CallModel",
        "ApplyReply",
        "RunCi",
        "Land",
        "CloseRun",
    ]


def test_the_run_shows_the_state_of_the_phase_that_moved_last():
    """REQ-3.4-7: the snapshot comes after green CI."""
    story, shown = Story(alone()), ["RUN_CREATED"]
    while not story.run.done:
        story.step()
        shown += [story.run.state] if story.run.state != shown[-1] else []
    assert shown == [
        "RUN_CREATED",
        "PHASE_EXECUTION",
        "GATE",
        "CI_RUNNING",
        "GATE",
        "SNAPSHOT_CREATED",
        "DONE_SUCCESS",
    ]


def test_the_commit_carries_what_verify_needs():
    story = Story(alone(auto_apply=False))
    story.tell()
    assert story.asked(Land)[0].trailers == {
        "Autopack-Run": "run-1",
        "Autopack-Phase": "a",
        "Autopack-Attempt": "1",
        "Autopack-Plan": story.run.plan_sha256,
        "Autopack-Model": "small",
        "Autopack-Cost": "0.010",
        "Autopack-Edit": "rung=0 fuzz=0",
        "Autopack-CI": "d" * 64,
        "Autopack-Audit": "approved by small",
    }


def test_a_refused_patch_goes_back_to_the_builder_with_the_reason():
    story = Story(alone()).says(builder=["edit_failed", "ok"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert story.path("a") == "QUEUED EXECUTING GATE EXECUTING GATE CI_RUNNING GATE COMPLETE"
    second = story.asked(AssembleContext)[1]
    assert (second.attempt, second.role, second.base) == (2, "builder", BASE)
    assert [(e.kind, e.text, e.blob) for e in second.evidence] == [("edit_failed", "refused: edit_failed", "e" * 64)]


def test_red_ci_goes_back_with_the_failing_tests_and_the_patch_that_failed_them():
    """REQ-2.1-4, REQ-3.4-6."""
    story = Story(alone()).says(ci=["red", "green"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert story.path("a") == "QUEUED EXECUTING GATE CI_RUNNING EXECUTING GATE CI_RUNNING GATE COMPLETE"
    second = story.asked(AssembleContext)[1]
    assert (second.evidence[0].text, second.patch) == ("CI is red: test_a", "p" * 64)


@pytest.mark.parametrize("outcome", ["empty_output", "truncated", "refused", "context_overflow"])
def test_a_reply_that_is_no_reply_takes_an_attempt_and_comes_back_as_evidence(outcome: str):
    story = Story(alone()).says(builder_call=[outcome, "ok"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert story.path("a") == "QUEUED EXECUTING GATE CI_RUNNING GATE COMPLETE"
    assert story.run.phases["a"].attempt == 2
    assert story.asked(AssembleContext)[1].evidence[0].kind == outcome


def test_every_attempt_takes_the_next_rung_of_the_ladder():
    first = phase("a").attempts[0]
    raised = replace(first, step="next_tier", ask=replace(first.ask, model="big"), edit_format="whole_file")
    models = {**plan(phase("a")).models, "big": replace(plan(phase("a")).models["small"], name="big")}
    story = Story(plan(phase("a", attempts=(first, raised)), models=models)).says(builder=["edit_failed", "ok"])
    story.tell()
    assert [(c.model, c.edit_format) for c in story.asked(AssembleContext)] == [
        ("small", "search_replace"),
        ("big", "whole_file"),
    ]
    assert [call.model for call in story.run.phases["a"].calls] == ["small", "big"]


@pytest.mark.parametrize(
    ("words", "state", "reason"),
    [
        ({"builder": ["edit_failed"]}, "DONE_FAILED_REQUIRES_HUMAN_REVIEW", "edit_failed"),
        ({"builder": ["probe"]}, "DONE_FAILED_REQUIRES_HUMAN_REVIEW", "edit_failed"),
        ({"builder": ["no_op"]}, "DONE_FAILED_REQUIRES_HUMAN_REVIEW", "no_op"),
        ({"builder": ["scope"]}, "DONE_FAILED_POLICY_VIOLATION", "scope_repeated"),
        ({"builder": ["protected", "scope", "scope"]}, "DONE_FAILED_POLICY_VIOLATION", "scope_repeated"),
        ({"builder": ["edit_failed", "edit_failed", "scope"]}, "DONE_FAILED_REQUIRES_HUMAN_REVIEW", "edit_failed"),
        ({"builder": ["secret"]}, "DONE_FAILED_POLICY_VIOLATION", "secret_repeated"),
        ({"ci": ["red"]}, "DONE_FAILED_REQUIRES_HUMAN_REVIEW", "ci_red"),
        ({"builder_call": ["truncated"]}, "DONE_FAILED_REQUIRES_HUMAN_REVIEW", "edit_failed"),
        ({"builder_call": ["auth"]}, "DONE_FAILED_ENVIRONMENT", "auth"),
        ({"builder_call": ["not_found"]}, "DONE_FAILED_ENVIRONMENT", "model_not_found"),
        ({"builder_call": ["transient"]}, "DONE_FAILED_ENVIRONMENT", "provider_down"),
        ({"builder_call": ["rate_limited"]}, "DONE_FAILED_ENVIRONMENT", "provider_down"),
        ({"builder_call": ["lost"]}, "DONE_FAILED_ENVIRONMENT", "provider_down"),
        ({"builder_context": ["big"]}, "DONE_FAILED_BUDGET_EXHAUSTED", "token_cap"),
        ({"trouble_AssembleContext": ["git_unusable"]}, "DONE_FAILED_ENVIRONMENT", "git_unusable"),
        ({"trouble_CallModel": ["disk_full"]}, "DONE_FAILED_ENVIRONMENT", "disk_full"),
        ({"trouble_ApplyReply": ["store_lost"]}, "DONE_FAILED_ENVIRONMENT", "store_lost"),
        ({"trouble_RunCi": ["ci_unusable"]}, "DONE_FAILED_ENVIRONMENT", "ci_unusable"),
        ({"trouble_Land": ["git_unusable"]}, "DONE_FAILED_ENVIRONMENT", "git_unusable"),
        ({"trouble_OpenRun": ["git_unusable"]}, "DONE_FAILED_ENVIRONMENT", "git_unusable"),
        ({"trouble_ProbeProviders": ["provider_down"]}, "DONE_FAILED_ENVIRONMENT", "provider_down"),
        ({"trouble_CloseRun": ["git_unusable"]}, "DONE_FAILED_ENVIRONMENT", "git_unusable"),
        ({"probe": ["down"]}, "DONE_FAILED_ENVIRONMENT", "provider_down"),
        ({"close": ["touched"]}, "DONE_FAILED_POLICY_VIOLATION", "protected_ref"),
        ({"land": ["moved"]}, "DONE_FAILED_REQUIRES_HUMAN_REVIEW", "conflict"),
    ],
)
def test_what_a_run_fails_of(words: dict[str, list[str]], state: str, reason: str):
    """REQ-1.3-1, REQ-3.5-2: each without anybody's help, in one of the four classes."""
    story = Story(alone()).says(**words)
    assert ended(story) == (state, reason)
    assert story.run.ledger.held == {}
    assert refold(story) == story.run


def test_a_touched_protected_ref_outweighs_every_other_failure():
    """REQ-3.5-1."""
    story = Story(alone()).says(close=["touched"], trouble_RunCi=["ci_unusable"])
    assert ended(story) == ("DONE_FAILED_POLICY_VIOLATION", "protected_ref")


def test_of_several_failed_phases_the_gravest_class_counts():
    story = Story(plan(phase("a"), phase("b"), phase("c"))).says("a", ci=["red"]).says("b", builder=["scope"])
    assert ended(story) == ("DONE_FAILED_POLICY_VIOLATION", "scope_repeated")
    assert story.path("c") == STRAIGHT


# --- provider trouble and crashes ---------------------------------------------------------------------------------


def test_passing_trouble_is_retried_with_doubling_waits_and_takes_no_attempt():
    story = Story(alone()).says(builder_call=["transient", "rate_limited", "transient", "ok"])
    assert ended(story) == ("DONE_SUCCESS", None)
    calls = story.asked(CallModel)
    assert [(c.retry, c.call, c.delay_s, c.attempt) for c in calls] == [
        (0, 1, 0.0, 1),
        (1, 1, 1.0, 1),
        (2, 1, 2.0, 1),
        (3, 1, 4.0, 1),
    ]


def _told_to_wait(story: Story, seconds: float) -> Story:
    key = story.until(CallModel)
    answered = story.answer(key, story.run.pending[key])
    assert isinstance(answered, ev.ModelAnswered)
    story.give(replace(answered, outcome="rate_limited", reply=None, retry_after_s=seconds))
    return story


@pytest.mark.parametrize("seconds", [0.0, 30.0, 900.0])
def test_a_provider_that_says_when_is_believed_also_above_our_own_longest_backoff(seconds: float):
    story = _told_to_wait(Story(alone()), seconds)
    assert [e.delay_s for e in story.run.pending.values() if isinstance(e, CallModel)] == [seconds]


def test_a_wait_that_the_run_has_no_time_for_ends_it_and_says_so():
    """120 minutes are 7,200 seconds, and 4 are gone."""
    story = _told_to_wait(Story(alone()), 9_000.0)
    assert ended(story) == ("DONE_FAILED_ENVIRONMENT", "provider_down")
    assert story.run.failure is not None
    assert story.run.failure.message.endswith("It asks for 9,000 s, and 7,196 s are left.")


def test_a_wait_that_the_phase_has_no_time_for_ends_it_too():
    story = _told_to_wait(Story(alone(minutes_max=5)), 400.0)
    assert ended(story) == ("DONE_FAILED_ENVIRONMENT", "provider_down")


def test_nobody_waits_long_where_another_model_may_answer():
    story = _told_to_wait(Story(plan(falls_back(auto_apply=True))), 61.0)
    assert ended(story) == ("DONE_SUCCESS", None)
    assert [call.model for call in story.asked(CallModel)] == ["big"]
    patient = _told_to_wait(Story(plan(falls_back(auto_apply=True))), 60.0)
    assert ended(patient) == ("DONE_SUCCESS", None)
    assert [call.model for call in patient.asked(CallModel)] == ["small"]


def test_a_lost_call_stays_charged_and_is_sent_again_as_often_as_any_other_trouble():
    story = Story(alone()).says(builder_call=["lost", "transient", "lost", "ok"])
    assert ended(story) == ("DONE_SUCCESS", None)
    calls = story.run.phases["a"].calls
    assert [(call.outcome, call.maybe_paid, call.tokens) for call in calls] == [
        ("lost", True, BOUND.tokens),
        ("transient", False, CALL.tokens),
        ("lost", True, BOUND.tokens),
        ("ok", False, CALL.tokens),
    ]
    assert story.run.ledger.spent(RUN).tokens == 2 * BOUND.tokens + 2 * CALL.tokens


def test_a_call_that_kills_its_driver_each_time_ends_the_run():
    story = Story(alone()).says(builder_call=["lost"])
    assert ended(story) == ("DONE_FAILED_ENVIRONMENT", "provider_down")
    assert len(story.asked(CallModel)) == story.plan.retry.attempts
    assert "4 times in a row" in story.run.failure.message  # type: ignore[union-attr]


def test_a_missing_usage_figure_charges_the_reservation():
    story = Story(alone()).says(builder_call=["unknown_usage"])
    story.tell()
    assert story.run.ledger.spent("phase:a") == BOUND


def test_every_billed_call_counts_at_phase_tier_model_and_run_also_one_without_use():
    story = Story(alone()).says(builder_call=["truncated", "ok"])
    story.tell()
    twice = CALL + CALL
    assert story.run.ledger.used == {"phase:a": twice, "tier:T1": twice, "model:small": twice, "run": twice}


# --- the Auditor --------------------------------------------------------------------------------------------------


def test_nothing_of_an_audited_phase_lands_without_approval():
    """REQ-2.3-3."""
    story = Story(alone(auto_apply=False))
    assert ended(story) == ("DONE_SUCCESS", None)
    kinds = [type(effect).__name__ for effect in story.effects]
    assert kinds.index("ReadReview") < kinds.index("Land")
    assert story.path("a") == STRAIGHT


def test_the_auditor_sees_the_patch_and_ci_but_nothing_the_builder_was_told():
    """REQ-2.3-4."""
    story = Story(alone(auto_apply=False)).says(builder=["edit_failed", "ok"])
    story.tell()
    asked = next(e for e in story.asked(AssembleContext) if e.role == "auditor")
    assert (asked.patch, asked.commit, asked.ci, asked.evidence) == ("p" * 64, "a2", "green, 3 tests executed", ())


def test_a_revision_goes_back_to_the_builder_with_the_findings():
    story = Story(alone(auto_apply=False)).says(auditor=["revise", "approve"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert story.path("a") == "QUEUED EXECUTING GATE CI_RUNNING GATE EXECUTING GATE CI_RUNNING GATE COMPLETE"
    assert story.asked(AssembleContext)[2].evidence[0].kind == "audit_rejected"


def test_approval_is_computed_from_the_findings_not_taken_on_the_auditors_word():
    story = Story(alone(auto_apply=False)).says(auditor=["major"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "audit_rejected")
    assert story.asked(Land) == []


def test_escalate_fails_the_phase_though_attempts_are_left():
    story = Story(alone(auto_apply=False)).says(auditor=["escalate"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "audit_rejected")
    assert story.run.phases["a"].attempt == 1


def test_a_finding_that_was_met_is_resolved_by_the_approval():
    story = Story(alone(auto_apply=False)).says(auditor=["major", "approve"])
    story.tell()
    assert story.run.issues["audit__a"].resolved
    assert eligible(story.plan, story.run)


def test_a_review_that_cannot_be_read_is_asked_for_once_more_with_the_error():
    story = Story(alone(auto_apply=False)).says(auditor=["unreadable", "approve"])
    assert ended(story) == ("DONE_SUCCESS", None)
    again = story.asked(AssembleContext)[2]
    assert (again.role, again.ask, [e.kind for e in again.evidence]) == ("auditor", 2, ["facts_error"])


def test_an_auditors_empty_reply_is_asked_for_once_more_and_never_shown_to_the_builder():
    story = Story(alone(auto_apply=False)).says(auditor_call=["empty_output", "ok"], auditor=["revise", "approve"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert [e.kind for e in story.asked(AssembleContext)[2].evidence] == ["empty_output"]
    assert [e.kind for e in story.asked(AssembleContext)[3].evidence] == ["audit_rejected"]


@pytest.mark.parametrize(
    ("words", "state", "reason"),
    [
        ({"auditor": ["unreadable"]}, "DONE_FAILED_REQUIRES_HUMAN_REVIEW", "audit_rejected"),
        ({"auditor_call": ["truncated"]}, "DONE_FAILED_REQUIRES_HUMAN_REVIEW", "audit_rejected"),
        ({"auditor_call": ["auth"]}, "DONE_FAILED_ENVIRONMENT", "auth"),
        ({"auditor_call": ["transient"]}, "DONE_FAILED_ENVIRONMENT", "provider_down"),
        ({"auditor_call": ["lost"]}, "DONE_FAILED_ENVIRONMENT", "provider_down"),
        ({"auditor_context": ["big"]}, "DONE_FAILED_BUDGET_EXHAUSTED", "token_cap"),
        ({"auditor": ["revise"]}, "DONE_FAILED_REQUIRES_HUMAN_REVIEW", "audit_rejected"),
        ({"trouble_ReadReview": ["store_lost"]}, "DONE_FAILED_ENVIRONMENT", "store_lost"),
    ],
)
def test_what_an_audit_fails_of(words: dict[str, list[str]], state: str, reason: str):
    story = Story(alone(auto_apply=False)).says(**words)
    assert ended(story) == (state, reason)
    assert story.asked(Land) == []


def test_a_major_issue_calls_the_auditor_into_a_phase_that_has_none():
    """REQ-2.3-1."""
    for words in ({"builder": ["major"]}, {"ci": ["major"]}):
        story = Story(alone()).says(**words)
        assert ended(story) == ("DONE_SUCCESS", None)
        assert [c.role for c in story.run.phases["a"].calls] == ["builder", "auditor"]


def test_the_same_failure_twice_calls_the_auditor_also_when_another_came_between():
    """REQ-2.3-2."""
    red = Story(alone()).says(ci=["red:test_x", "red:test_y", "green"])
    red.tell()
    assert [c.role for c in red.run.phases["a"].calls] == ["builder", "builder", "builder"]
    for words in ({"ci": ["red", "red", "green"]}, {"builder": ["syntax", "syntax", "ok"]}):
        story = Story(alone()).says(**words)
        story.tell()
        assert [c.role for c in story.run.phases["a"].calls] == ["builder", "builder", "builder", "auditor"]
    attempts = (*phase("a").attempts, phase("a").attempts[0])
    between = Story(alone(attempts=attempts)).says(builder=["syntax", "edit_failed", "syntax", "ok"])
    between.tell()
    assert between.run.phases["a"].calls[-1].role == "auditor"


def test_the_auditor_never_overrides_a_red_test():
    """REQ-2.4-1."""
    story = Story(alone(auto_apply=False)).says(ci=["red"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "ci_red")
    assert {call.role for call in story.run.phases["a"].calls} == {"builder"}


# --- landing ------------------------------------------------------------------------------------------------------


def two_at_the_door(**words: list[str]) -> Story:
    """`a` is landing, and `b`, which has passed everything on the same head, is next."""
    story = Story(plan(phase("a"), phase("b"))).says("b", **words)
    story.until(Land, "a")
    while story.run.landing != ("a", "b"):
        story.step(next(key for key, e in story.run.pending.items() if not isinstance(e, Land)))
    return story


def test_the_second_of_two_landings_is_rebased_and_passes_ci_again_before_it_lands():
    story = two_at_the_door()
    assert [(e.phase_id, e.head) for e in story.run.pending.values() if isinstance(e, Land)] == [("a", BASE)]
    assert ended(story) == ("DONE_SUCCESS", None)
    assert story.path("a") == STRAIGHT
    assert story.path("b") == "QUEUED EXECUTING GATE CI_RUNNING GATE CI_RUNNING GATE COMPLETE"
    carried = story.asked(Rebase)[0]
    assert (carried.base, carried.head, carried.commit) == (BASE, "c1-a", "b1")
    landed = story.asked(Land, "b")[0]
    assert (landed.head, landed.commit) == ("c1-a", "b1'")
    assert story.run.head == "c2-b"


def test_of_many_at_the_door_each_is_carried_once_and_lands_in_the_order_they_came():
    """Nobody tries in vain: a landing that could only come too late is not even wished."""
    names = ("a", "b", "c", "d")
    story = Story(plan(*map(phase, names), pools={"phase": 4}), order=lambda pending: next(reversed(pending)))
    for name in names:
        story.says(name, rebase=["apart"])
    while len(story.run.landing) < len(names):
        story.step(next(key for key, e in story.run.pending.items() if not isinstance(e, Land)))
    came = story.run.landing
    assert ended(story) == ("DONE_SUCCESS", None)
    assert [each.phase_id for each in story.asked(Land)] == list(came)
    assert [each.phase_id for each in story.asked(Rebase)] == list(came[1:])
    assert story.run.landing == ()


def test_who_has_to_pass_ci_again_lets_the_next_one_land_first():
    story = two_at_the_door()
    story.until(Rebase)
    assert story.run.landing == ("b",)
    story.step()
    assert [type(effect) for effect in story.run.pending.values()] == [RunCi]
    assert story.run.landing == ()


def test_who_waits_to_land_when_the_run_is_stopped_has_not_landed():
    story = two_at_the_door()
    story.give(ev.CancelRequested(9.0, "ann"))
    assert (story.run.landing, story.run.phases["b"].state) == (("a",), "FAILED")
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "cancelled")
    assert story.run.phases["a"].state == "COMPLETE"


def test_a_change_that_lies_apart_from_what_landed_keeps_its_verdict():
    story = two_at_the_door(rebase=["apart"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert story.path("b") == "QUEUED EXECUTING GATE CI_RUNNING GATE COMPLETE"
    landed = story.asked(Land, "b")[0]
    assert (landed.head, landed.commit) == ("c1-a", "b1'")
    assert story.run.phases["b"].ci_runs == 1


def test_under_strict_ci_runs_again_wherever_the_change_lies():
    story = Story(plan(phase("a", recheck="always"))).says(land=["moved", "ok"], rebase=["apart"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert story.run.phases["a"].ci_runs == 2


def test_a_rebased_change_that_the_gate_refuses_goes_back_with_why():
    story = two_at_the_door(rebase=["refused"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert story.path("b") == "QUEUED EXECUTING GATE CI_RUNNING GATE EXECUTING GATE CI_RUNNING GATE COMPLETE"
    second = next(e for e in story.asked(AssembleContext, "b") if e.attempt == 2)
    assert (second.base, second.evidence[0].text) == ("c1-a", "src/a no longer parses")


def test_who_collides_twice_fails_and_leaves_an_issue():
    story = Story(plan(phase("a"), phase("b"))).says("a", land=["moved"], rebase=["conflict"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "conflict")
    assert story.run.phases["a"].attempt == 2
    assert [issue.severity for key, issue in story.run.issues.items() if key == "gate__a__conflict"] == ["major"]


def test_a_rebased_change_that_turns_red_goes_back_to_its_builder_on_the_new_head():
    story = two_at_the_door(ci=["green", "red", "green"])
    assert ended(story) == ("DONE_SUCCESS", None)
    second = next(e for e in story.asked(AssembleContext, "b") if e.attempt == 2)
    assert second.base == "c1-a"


def test_a_conflict_with_what_landed_meanwhile_takes_an_attempt():
    story = two_at_the_door(rebase=["conflict"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert story.path("b") == "QUEUED EXECUTING GATE CI_RUNNING GATE EXECUTING GATE CI_RUNNING GATE COMPLETE"
    second = next(e for e in story.asked(AssembleContext, "b") if e.attempt == 2)
    assert (second.base, second.evidence[0].text) == ("c1-a", "what landed meanwhile changes the same lines of src/a")


def test_a_conflict_without_an_attempt_left_fails_the_phase():
    once = phase("a").attempts[:1]
    story = Story(plan(phase("a", attempts=once))).says(land=["moved", "ok"], rebase=["conflict"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "conflict")


def test_an_approval_outlasts_a_rebase():
    story = Story(alone(auto_apply=False)).says(land=["moved", "ok"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert [call.role for call in story.run.phases["a"].calls] == ["builder", "auditor"]
    assert story.run.phases["a"].ci_runs == 2


def test_a_new_patch_needs_a_new_approval():
    story = Story(alone(auto_apply=False)).says(land=["moved", "ok"], rebase=["conflict"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert [call.role for call in story.run.phases["a"].calls] == ["builder", "auditor", "builder", "auditor"]


def test_a_branch_that_somebody_else_keeps_moving_does_not_keep_the_run_going():
    story = Story(plan(phase("a"), phase("b", needs=("a",)))).says("a", land=["moved"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "conflict")
    assert len(story.asked(Land, "a")) == 3
    assert "somebody else writes to it" in story.run.failure.message  # type: ignore[union-attr]


def test_a_head_that_the_run_did_not_make_stops_it():
    """REQ-2.1-5."""
    story = Story(plan(phase("a"), phase("b", needs=("a",)))).says("a", land=["foreign"])
    assert ended(story) == ("DONE_FAILED_POLICY_VIOLATION", "tampered_record")
    assert "passed no gate" in story.run.failure.message  # type: ignore[union-attr]


def test_a_bill_above_the_cap_ends_the_run_also_when_it_is_the_last():
    story = Story(plan(phase("a"), caps=Caps(16_500, 25, 120, 75, None)))
    while not isinstance(next(iter(story.run.pending.values())), CallModel):
        story.step()
    key = next(iter(story.run.pending))
    bill = Usage(90_000, 0, 0, 5, 0, known=True)
    story.give(ev.ModelAnswered(key, 9.0, "ok", "a" * 64, "stop", bill, "m", 1.0, None, ""))
    assert ended(story) == ("DONE_FAILED_BUDGET_EXHAUSTED", "token_cap")
    assert "90,005 tokens were billed" in story.run.failure.message  # type: ignore[union-attr]


# --- order and dependents -----------------------------------------------------------------------------------------


def test_a_phase_starts_when_all_it_needs_is_complete_from_the_head_they_made():
    story = Story(plan(phase("a"), phase("b"), phase("c", needs=("a", "b"))))
    story.tell()
    asked = story.asked(AssembleContext)
    assert [e.phase_id for e in asked] == ["a", "b", "c"]
    assert asked[2].base == story.run.phases["b"].commit


def test_no_more_phases_are_active_than_there_are_places():
    story = Story(plan(*(phase(name) for name in "abcde"), pools={"phase": 3}))
    most = 0
    while not story.run.done:
        story.step()
        active = [p for p in story.run.phases.values() if p.state in ("EXECUTING", "GATE", "CI_RUNNING")]
        most = max(most, len(active))
    assert (story.run.state, most) == ("DONE_SUCCESS", 3)


def test_who_has_the_longest_chain_behind_it_begins_first_and_ties_keep_the_order_of_the_plan():
    told = plan(
        *(phase("a"), phase("b"), phase("c"), phase("d", needs=("c",)), phase("e", needs=("d",)), phase("f")),
        pools={"phase": 1},
    )
    story = Story(told)
    began: list[str] = []
    while not story.run.done:
        story.step()
        began += [name for name in story.run.active if name not in began]
    assert (story.run.state, began) == ("DONE_SUCCESS", ["c", "d", "a", "b", "e", "f"])


def test_a_failed_phase_skips_its_dependents_and_lets_the_others_go_on():
    told = plan(phase("a"), phase("b", needs=("a",)), phase("c", needs=("b",)), phase("d"))
    story = Story(told).says("a", ci=["red"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "ci_red")
    assert (story.path("b"), story.path("c"), story.path("d")) == ("QUEUED SKIPPED", "QUEUED SKIPPED", STRAIGHT)
    assert story.run.head == story.run.phases["d"].commit


def test_fail_fast_stops_everything_at_the_first_failure():
    told = plan(phase("a", attempts=phase("a").attempts[:1]), phase("b"), phase("c"), fail_fast=True)
    story = Story(told).says("a", builder_call=["truncated"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "edit_failed")
    assert (story.run.phases["b"].state, story.path("c")) == ("FAILED", "QUEUED SKIPPED")
    assert story.run.ledger.held == {}


def test_a_plan_without_phases_ends_at_once():
    assert ended(Story(plan())) == ("DONE_SUCCESS", None)


# --- budgets ------------------------------------------------------------------------------------------------------


def test_a_call_that_could_pass_its_phases_cap_is_never_sent_and_fails_that_phase_only():
    """REQ-9.3-3, REQ-2.1-3."""
    story = Story(plan(phase("a", token_cap=10_000), phase("b"))).says("a", builder=["edit_failed"])
    assert ended(story) == ("DONE_FAILED_BUDGET_EXHAUSTED", "token_cap")
    assert story.run.ledger.spent("phase:a") == CALL
    assert story.run.failure.message == (  # type: ignore[union-attr]
        'phase "a" would pass its cap of 10,000 tokens (4,500 used, next call at most 6,000). '
        "Raise budget.tokens or split the phase. [AP6103]"
    )
    assert story.path("b") == STRAIGHT


def test_a_phases_cap_in_money_holds_as_well():
    story = Story(alone(cost_usd_max=Decimal("0.006")))
    assert ended(story) == ("DONE_FAILED_BUDGET_EXHAUSTED", "cost_cap")
    assert story.run.ledger.used == {}


def test_a_run_cap_ends_the_run():
    """REQ-9.1-2."""
    caps = Caps(11_000, 25, 120, 75, None)
    story = Story(plan(phase("a"), phase("b", needs=("a",)), phase("c", needs=("b",)), caps=caps))
    assert ended(story) == ("DONE_FAILED_BUDGET_EXHAUSTED", "token_cap")
    assert story.run.ledger.spent(RUN).tokens == 9_000
    assert (story.path("b"), story.path("c")) == (STRAIGHT, "QUEUED EXECUTING FAILED")


def test_a_run_cap_in_money_names_the_cost():
    caps = Caps(5_000_000, 25, 120, 75, Decimal("0.011"))
    story = Story(plan(phase("a"), phase("b", needs=("a",)), caps=caps))
    assert ended(story) == ("DONE_FAILED_BUDGET_EXHAUSTED", "cost_cap")


def test_a_cap_that_is_only_held_by_a_call_in_flight_is_waited_for():
    caps = Caps(11_000, 25, 120, 75, None)
    story = Story(plan(phase("a"), phase("b"), caps=caps))
    story.until(CallModel)
    story.step(next(k for k, e in story.run.pending.items() if isinstance(e, AssembleContext)))
    assert story.run.phases["b"].waiting
    assert sum(isinstance(e, CallModel) for e in story.run.pending.values()) == 1
    assert ended(story) == ("DONE_SUCCESS", None)
    assert story.run.ledger.spent(RUN).tokens == 9_000


def test_who_waits_for_money_that_is_then_spent_is_refused_in_the_end():
    caps = Caps(11_000, 25, 120, 75, None)
    story = Story(plan(phase("a"), phase("b"), caps=caps)).says("a", builder_call=["lost", "ok"])
    assert ended(story) == ("DONE_FAILED_BUDGET_EXHAUSTED", "token_cap")
    assert story.run.ledger.spent(RUN).tokens == 6_000


def test_once_a_waiting_phase_has_stopped_the_run_no_other_one_is_paid_for():
    first = phase("x").attempts[0]
    smaller = (replace(first, ask=replace(first.ask, output_tokens_max=600)),)
    told = plan(
        *(phase("a"), phase("b"), phase("c"), phase("d", attempts=smaller)),
        caps=Caps(17_500, 25, 120, 75, None),
        pools={"phase": 4},
    )
    story = Story(told, order=_calls_last)
    lost, billed = story.until(CallModel, "a"), story.until(CallModel, "b")
    while not (story.run.phases["c"].waiting and story.run.phases["d"].waiting):
        story.step()
    story.give(ev.EffectLost(lost, 9.0))
    story.give(
        ev.ModelAnswered(
            billed, 9.0, "ok", "a" * 64, "stop", Usage(5_000, 0, 0, 700, 0, known=True), "m", 1.0, None, ""
        )
    )
    # 11,700 of 17,500 are spent: 6,000 more for a's second try or for c are too many, 5,600 for d would not be
    assert list(story.run.pending.values()) == [CloseRun("run-1", {"refs/heads/main": BASE})]
    assert ended(story) == ("DONE_FAILED_BUDGET_EXHAUSTED", "token_cap")


def test_a_retry_that_has_to_wait_for_money_still_waits_as_long_as_the_provider_asked():
    caps = Caps(16_000, 25, 120, 75, None)
    story = Story(plan(phase("a"), phase("b"), caps=caps))
    first, second = story.until(CallModel, "a"), story.until(CallModel, "b")
    answered = story.answer(first, story.run.pending[first])
    assert isinstance(answered, ev.ModelAnswered)
    story.give(replace(answered, outcome="transient", reply=None, retry_after_s=30.0))
    assert story.run.phases["a"].waiting
    story.step(second)
    assert [e.delay_s for e in story.run.pending.values() if isinstance(e, CallModel)] == [30.0]


def test_a_tiers_cap_refuses_only_under_safety_critical():
    """REQ-9.2-5, REQ-4.2-3, REQ-10.3-2."""
    told = plan(phase("a"), phase("b", needs=("a",)))
    tiers = (replace(told.tiers[0], token_cap=8_000),)
    normal = Story(replace(told, tiers=tiers))
    assert ended(normal) == ("DONE_SUCCESS", None)
    assert blemishes(normal.run, tiers[0]) == ("9,000 tokens used of 8,000",)
    assert not eligible(normal.plan, normal.run)
    strict = Story(replace(told, tiers=tiers, safety_profile="safety_critical", not_clean="fail_run"))
    assert ended(strict) == ("DONE_FAILED_BUDGET_EXHAUSTED", "tier_caps")
    assert strict.run.ledger.spent(RUN).tokens == 4_500


def test_an_unmetered_models_token_cap_bounds_the_run():
    told = plan(phase("a"), phase("b", needs=("a",)))
    free: PlanModel = replace(told.models["small"], price=None, token_cap=10_000)
    story = Story(replace(told, models={"small": free}))
    assert ended(story) == ("DONE_FAILED_BUDGET_EXHAUSTED", "token_cap")
    assert story.run.ledger.spent("model:small") == Amount(4_500, Decimal(0))
    assert "its model's cap of 10,000 tokens" in story.run.failure.message  # type: ignore[union-attr]


def test_too_many_minor_issues_end_the_run():
    """REQ-9.1-2."""
    caps = Caps(5_000_000, 25, 120, 1, None)
    story = Story(plan(phase("a"), phase("b", needs=("a",)), phase("c", needs=("b",)), caps=caps))
    story.says(builder=["minor"])
    assert ended(story) == ("DONE_FAILED_BUDGET_EXHAUSTED", "minor_issues")
    assert (story.path("a"), story.run.phases["b"].state) == (STRAIGHT, "FAILED")


# --- tiers --------------------------------------------------------------------------------------------------------


def test_a_tiers_state_is_what_its_phases_make_it():
    story = Story(plan(phase("a"), phase("b", needs=("a",)), phase("c", tier_id="T2", needs=("a", "b"))))
    one, two = story.plan.tiers
    assert (tier_state(story.run, one), tier_state(story.run, two)) == ("PENDING", "PENDING")
    story.until(CallModel, "a")
    assert (tier_state(story.run, one), tier_state(story.run, two)) == ("IN_PROGRESS", "PENDING")
    story.until(CallModel, "c")
    assert (tier_state(story.run, one), tier_state(story.run, two)) == ("COMPLETE", "IN_PROGRESS")
    failed = Story(story.plan).says("b", ci=["red"])
    failed.tell()
    assert (tier_state(failed.run, one), tier_state(failed.run, two)) == ("FAILED", "SKIPPED")


def test_more_ci_runs_than_the_tier_has_make_it_not_clean():
    """REQ-4.2-2, REQ-10.3-2, REQ-9.2-5."""
    told = alone()
    told = replace(told, tiers=(replace(told.tiers[0], ci_runs=1),))
    story = Story(told).says(ci=["red", "green"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert blemishes(story.run, told.tiers[0]) == ("2 CI runs of 1",)


@pytest.mark.parametrize(
    ("issue", "state", "reason"),
    [
        ("major", "DONE_FAILED_REQUIRES_HUMAN_REVIEW", "major_issues"),
        ("minor", "DONE_FAILED_BUDGET_EXHAUSTED", "tier_caps"),
    ],
)
def test_under_safety_critical_a_tier_that_is_not_clean_fails_the_run(issue: str, state: str, reason: str):
    """REQ-4.2-4, REQ-9.2-4, REQ-7.2-4."""
    told = alone()
    told = replace(told, tiers=(replace(told.tiers[0], minor_issues=0),))
    strict = Story(replace(told, safety_profile="safety_critical", not_clean="fail_run")).says(builder=[issue])
    assert ended(strict) == (state, reason)
    assert strict.path("a") == STRAIGHT
    normal = Story(told).says(builder=[issue])
    assert ended(normal) == ("DONE_SUCCESS", None)
    assert not eligible(told, normal.run)


# --- stopping -----------------------------------------------------------------------------------------------------


def test_a_cancel_skips_what_has_not_begun_and_waits_for_the_bill_of_what_is_in_flight():
    story = Story(plan(phase("a"), phase("b", needs=("a",))))
    key = story.until(CallModel)
    story.give(ev.CancelRequested(9.0, "ann"))
    assert (story.path("a"), story.path("b")) == ("QUEUED EXECUTING FAILED", "QUEUED SKIPPED")
    assert list(story.run.pending) == [key] == list(unwanted(story.run))
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "cancelled")
    assert story.run.ledger.spent(RUN) == CALL
    assert story.run.phases["a"].failure == story.run.failure


def test_a_call_that_nobody_has_sent_when_its_phase_ends_costs_nothing():
    story = Story(alone())
    key = story.until(CallModel)
    story.give(ev.CancelRequested(9.0, "ann"))
    story.give(ev.CallDropped(key, 9.0))
    assert (story.run.ledger.held, story.run.ledger.spent(RUN), story.run.phases["a"].calls) == ({}, ZERO, ())
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "cancelled")


def test_a_call_that_is_still_wanted_cannot_be_dropped():
    story = Story(alone())
    key = story.until(CallModel)
    assert unwanted(story.run) == ()
    with pytest.raises(IllegalEvent, match="phase a is EXECUTING; CallDropped has no place there"):
        story.give(ev.CallDropped(key, 9.0))


def test_a_landing_under_way_is_believed_also_in_a_run_that_stops():
    story = Story(plan(phase("a"), phase("b", needs=("a",))))
    story.until(Land)
    story.give(ev.CancelRequested(9.0, "ann"))
    assert (story.run.phases["a"].state, story.path("b")) == ("GATE", "QUEUED SKIPPED")
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "cancelled")
    assert story.path("a") == STRAIGHT
    assert story.run.head == "c1-a"


def test_a_landing_that_comes_too_late_in_a_run_that_stops_is_not_tried_again():
    story = Story(alone()).says(land=["moved"])
    story.until(Land)
    story.give(ev.CancelRequested(9.0, "ann"))
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "cancelled")
    assert story.path("a") == "QUEUED EXECUTING GATE CI_RUNNING GATE FAILED"
    assert story.asked(Rebase) == []


def test_a_cancel_before_anything_has_begun():
    for kind in (ProbeProviders, OpenRun):
        story = Story(alone())
        story.until(kind)
        story.give(ev.CancelRequested(0.5, "ann"))
        assert [type(e) for e in story.run.pending.values()] == [CloseRun]
        assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "cancelled")
        assert story.path("a") == "QUEUED SKIPPED"


def test_after_the_last_phase_a_cancel_or_a_deadline_comes_too_late():
    story = Story(alone())
    story.until(CloseRun)
    assert story.run.closing
    assert next_deadline_s(story.plan, story.run) is None
    story.give(ev.CancelRequested(9.0, "ann"))
    story.give(ev.TimePassed(999_999.0))
    assert ended(story) == ("DONE_SUCCESS", None)


def test_the_first_reason_to_stop_is_the_one_that_counts():
    story = Story(alone())
    story.until(CallModel)
    story.give(ev.CancelRequested(9.0, "ann"))
    story.give(ev.CancelRequested(9.5, "bob"))
    story.give(ev.TimePassed(999_999.0))
    assert story.tell().failure.message == "cancelled by ann"  # type: ignore[union-attr]


def test_the_runs_minutes_end_it():
    """REQ-9.1-2."""
    story = Story(alone())
    story.until(RunCi)
    assert next_deadline_s(story.plan, story.run) == 7200.0
    story.give(ev.TimePassed(7199.0))
    assert not story.run.stopping
    story.give(ev.TimePassed(7200.0))
    assert next_deadline_s(story.plan, story.run) is None
    assert ended(story) == ("DONE_FAILED_BUDGET_EXHAUSTED", "duration")
    assert story.path("a") == "QUEUED EXECUTING GATE CI_RUNNING FAILED"


def test_a_phases_minutes_end_that_phase_only():
    story = Story(plan(phase("a", minutes_max=1), phase("b")))
    key = story.until(CallModel, "a")
    started_s = story.run.phases["a"].started_s
    assert started_s is not None
    assert next_deadline_s(story.plan, story.run) == started_s + 60.0
    story.give(ev.TimePassed(started_s + 60.0))
    assert story.path("a") == "QUEUED EXECUTING FAILED"
    assert unwanted(story.run) == (key,)
    assert next_deadline_s(story.plan, story.run) == 7200.0
    assert ended(story) == ("DONE_FAILED_BUDGET_EXHAUSTED", "duration")
    assert story.path("b") == STRAIGHT
    assert story.run.ledger.spent("phase:a") == CALL


def test_a_phase_that_is_landing_has_no_deadline_any_more_until_it_lost_the_race():
    story = Story(alone(minutes_max=1)).says(land=["moved"])
    story.until(Land)
    assert next_deadline_s(story.plan, story.run) == 7200.0
    story.give(ev.TimePassed(600.0))
    assert story.run.phases["a"].state == "GATE"
    story.step()
    assert next_deadline_s(story.plan, story.run) == 62.0
    story.give(ev.TimePassed(600.0))
    assert story.path("a") == "QUEUED EXECUTING GATE CI_RUNNING GATE FAILED"


def test_time_never_runs_backwards():
    story = Story(alone())
    story.give(ev.TimePassed(50.0))
    story.step()
    assert story.run.elapsed_s == 50.0


# --- illegal events -----------------------------------------------------------------------------------------------


def _foreign(_: Story) -> ev.Event:
    return ev.EffectLost("0" * 64, 1.0)


def _mismatched(story: Story) -> ev.Event:
    return ev.CiFinished(next(iter(story.run.pending)), 1.0, "green", "", 1, (), "", {}, (), ())


def _twice(story: Story) -> ev.Event:
    return story.log[-1]


def _late(story: Story) -> ev.Event:
    story.tell()
    return ev.CancelRequested(99.0, "ann")


def _late_mismatch(story: Story) -> ev.Event:
    story.give(ev.CancelRequested(9.0, "ann"))
    return _mismatched(story)


def _no_run_event(_: Story) -> ev.Event:
    return ev.RunOpened("x", 1.0, BASE, {})


@pytest.mark.parametrize("event", [_foreign, _mismatched, _twice, _late, _late_mismatch, _no_run_event])
def test_an_illegal_event_raises_and_changes_nothing(event: Callable[[Story], ev.Event]):
    """REQ-2.1-1, REQ-3.5-5: who submits anything else than the answer to a wish moves no state."""
    story = Story(alone())
    story.until(CallModel)
    illegal = event(story)
    before, text = story.run, repr(story.run)
    with pytest.raises(IllegalEvent):
        react(story.plan, story.run, illegal)
    assert story.run is before
    assert repr(story.run) == text


def test_a_plan_that_is_not_pinned_to_a_commit_cannot_run():
    with pytest.raises(ValueError, match="pin it to a commit first"):
        start(plan(phase("a"), base_commit=None), "run-1")


# --- the table ----------------------------------------------------------------------------------------------------

LEGAL = {
    "QUEUED": {"EXECUTING", "SKIPPED"},
    "EXECUTING": {"EXECUTING", "GATE", "FAILED"},
    "GATE": {"GATE", "CI_RUNNING", "EXECUTING", "COMPLETE", "FAILED"},
    "CI_RUNNING": {"GATE", "COMPLETE", "EXECUTING", "FAILED"},
    "COMPLETE": set(),
    "FAILED": set(),
    "SKIPPED": set(),
}


def test_no_row_leaves_a_terminal_state_or_makes_a_move_that_governance_does_not_know():
    assert [row for row in machine.TABLE if row.to not in LEGAL[row.at]] == []


def test_the_last_row_of_every_group_asks_nothing_so_that_no_answer_is_without_a_place():
    groups: dict[tuple[str, str], list[machine.Row]] = {}
    for row in machine.TABLE:
        groups.setdefault((row.at, row.event.__name__), []).append(row)
    assert [at for at, rows in groups.items() if rows[-1].guard.__name__ != "always"] == []
    assert [at for at, rows in groups.items() if any(row.guard.__name__ == "always" for row in rows[:-1])] == []


def _waits(words: dict[str, list[str]], cap: int = 11_000) -> Story:
    """Two phases and money for one call at a time."""
    told = plan(phase("a", auto_apply=False), phase("b", auto_apply=False), caps=Caps(cap, 25, 120, 75, None))
    return Story(told, order=_calls_last).says(**words)


def _calls_last(pending: Mapping[str, Effect]) -> str:
    return next((key for key, effect in pending.items() if not isinstance(effect, CallModel)), next(iter(pending)))


def _tight(words: dict[str, list[str]], **changes: object) -> Story:
    return Story(alone(auto_apply=False, **changes)).says(**words)


# --- a Builder that is a command ---


def test_a_command_takes_the_path_of_every_other_builder_and_is_charged_what_was_stated():
    story = Story(plan(by_command("a"))).says("a", ci=["red", "green"], builder=["scope", "ok"])
    run = story.tell()
    assert story.path("a") == (
        "QUEUED EXECUTING GATE EXECUTING GATE CI_RUNNING EXECUTING GATE CI_RUNNING GATE COMPLETE"
    )
    assert story.asked(CallModel) == []
    assert [effect.run for effect in story.asked(RunBuilder)] == [1, 2, 3]
    assert run.ledger.spent("run") == Amount(6_000, Decimal(0))


def test_a_command_that_failed_is_told_so_and_none_of_what_it_left_is_used():
    story = Story(plan(by_command("a"))).says("a", command=["failed", "timed_out", "ok"])
    story.tell()
    assert story.path("a") == STRAIGHT
    kinds = [[item.kind for item in effect.evidence] for effect in story.asked(AssembleContext)]
    assert kinds == [[], ["failed"], ["failed", "timed_out"]]


def test_a_command_that_is_not_there_ends_the_run():
    story = Story(plan(by_command("a"), phase("b"))).says("a", command=["not_found"])
    assert ended(story) == ("DONE_FAILED_ENVIRONMENT", "model_not_found")


def test_a_command_that_was_lost_in_a_crash_stays_charged_and_runs_again():
    story = Story(plan(by_command("a"))).says("a", command=["lost", "ok"])
    run = story.tell()
    assert run.ledger.spent("run").tokens == 4_000
    assert [(effect.run, effect.retry) for effect in story.asked(RunBuilder)] == [(1, 0), (1, 1)]
    assert [call.maybe_paid for call in run.phases["a"].calls] == [True, False]


def test_a_command_is_only_run_when_what_was_stated_for_it_fits():
    """REQ-2.1-3, REQ-9.3-3."""
    story = Story(plan(by_command("a", token_cap=3_000))).says("a", ci=["red", "green"])
    assert ended(story) == ("DONE_FAILED_BUDGET_EXHAUSTED", "token_cap")
    assert len(story.asked(RunBuilder)) == 1


def test_a_command_whose_phase_has_ended_is_cut_short_and_its_bill_counts():
    story = Story(plan(by_command("a")))
    key = story.until(RunBuilder)
    story.give(ev.CancelRequested(9.0, "ann"))
    assert unwanted(story.run) == (key,)
    story.give(ev.BuilderFinished(key, 10.0, "cancelled", None, None, None, 1.0, "cut short", ()))
    assert story.tell().ledger.spent(RUN).tokens == 2_000


# --- a Builder that is a client from outside ---


def test_a_client_takes_the_path_of_every_other_builder_and_costs_nothing():
    story = Story(plan(by_client("a"))).says("a", ci=["red", "green"], builder=["scope", "ok"])
    run = story.tell()
    assert story.path("a") == (
        "QUEUED EXECUTING GATE EXECUTING GATE CI_RUNNING EXECUTING GATE CI_RUNNING GATE COMPLETE"
    )
    assert story.asked(CallModel) == []
    kinds = [(effect.attempt, [item.kind for item in effect.evidence]) for effect in story.asked(AskExternal)]
    assert kinds == [(1, []), (2, ["scope"]), (3, ["scope", "ci_red"])]
    assert (run.ledger.spent("run"), run.ledger.calls) == (Amount(0, Decimal(0)), 0)


def test_a_client_that_gives_up_or_never_comes_uses_up_an_attempt():
    story = Story(plan(by_client("a"))).says("a", client=["failed", "timed_out", "timed_out"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "edit_failed")
    assert story.path("a") == "QUEUED EXECUTING FAILED"
    assert [effect.attempt for effect in story.asked(AskExternal)] == [1, 2, 3]


def test_a_client_that_asks_for_a_review_gets_one():
    story = Story(plan(by_client("a"))).says("a", client=["review"])
    story.tell()
    assert [effect.wants for effect in story.asked(AssembleContext)] == ["edits", "review"]


def test_nobody_waits_for_a_client_of_a_run_that_was_cancelled():
    story = Story(plan(by_client("a")))
    key = story.until(AskExternal)
    story.give(ev.CancelRequested(9.0, "ann"))
    assert key not in story.run.pending
    assert story.tell().state == "DONE_FAILED_REQUIRES_HUMAN_REVIEW"


def _quota_ends(left: int) -> Story:
    """The provider of `small` has so many tokens left this week, and `other` is of another one."""
    shop = plan(falls_back(), quotas={"replay": Quota(None, None, left)})
    return Story(replace(shop, models={**shop.models, "other": replace(shop.models["other"], provider="b")}))


STORIES: tuple[Callable[[], Story], ...] = (
    lambda: _quota_ends(5_000),
    lambda: _quota_ends(10_000),
    lambda: Story(alone()),
    lambda: Story(plan(by_command("a"))),
    lambda: Story(plan(by_command("a"))).says(command=["failed"]),
    lambda: Story(plan(by_client("a"))),
    lambda: Story(plan(by_client("a"))).says(client=["failed", "timed_out", "review"]),
    lambda: Story(plan(by_client("a"))).says(client=["failed"]),
    lambda: Story(plan(by_command("a"))).says(command=["not_found"]),
    lambda: Story(plan(by_command("a"))).says(command=["lost", "ok"]),
    lambda: Story(alone()).says(builder=["edit_failed"]),
    lambda: Story(alone()).says(ci=["red"]),
    lambda: Story(alone()).says(builder_call=["truncated"]),
    lambda: Story(alone()).says(builder_call=["auth"]),
    lambda: Story(alone()).says(builder_call=["transient"]),
    lambda: Story(alone()).says(builder_call=["lost"]),
    lambda: Story(alone()).says(builder_context=["big"]),
    lambda: Story(alone()).says(land=["moved", "ok"]),
    lambda: Story(alone()).says(land=["foreign"]),
    lambda: Story(alone()).says(land=["moved", "ok"], rebase=["apart"]),
    lambda: Story(alone()).says(land=["moved"]),
    lambda: Story(alone()).says(land=["moved"], rebase=["conflict"]),
    lambda: Story(alone(attempts=phase("a").attempts[:1])).says(land=["moved"], rebase=["conflict"]),
    lambda: Story(alone()).says(trouble_AssembleContext=["git_unusable"]),
    lambda: Story(alone()).says(trouble_ApplyReply=["git_unusable"]),
    lambda: Story(alone()).says(trouble_RunCi=["ci_unusable"]),
    lambda: Story(alone(token_cap=5_000)),
    lambda: Story(plan(phase("a"), caps=Caps(5_000, 25, 120, 75, None))),
    lambda: _tight({}),
    lambda: _tight({"auditor": ["revise"]}),
    lambda: _tight({"auditor": ["unreadable"]}),
    lambda: _tight({"auditor_call": ["auth"]}),
    lambda: _tight({"auditor_call": ["transient"]}),
    lambda: _tight({"auditor_call": ["lost"]}),
    lambda: _tight({"auditor_call": ["truncated"]}),
    lambda: _tight({"auditor_context": ["big"]}),
    lambda: _tight({}, token_cap=10_000),
    lambda: Story(plan(phase("a", auto_apply=False), caps=Caps(10_000, 25, 120, 75, None))),
    lambda: _waits({}),
    lambda: _waits({}, cap=20_000),
    lambda: Story(plan(falls_back())).says(builder_call=["auth", "ok"]),
    lambda: Story(plan(falls_back())).says(auditor_call=["not_found", "ok"]),
    lambda: Story(alone(second_audit=OTHER, auto_apply=False)),
)


def test_every_row_of_the_table_is_reached(monkeypatch: pytest.MonkeyPatch):
    reached: set[int] = set()
    pick = machine._row

    def picked(turn: Turn) -> machine.Row:
        row = pick(turn)
        reached.add(next(number for number, each in enumerate(machine.TABLE) if each is row))
        return row

    monkeypatch.setattr(machine, "_row", picked)
    for told in STORIES:
        story = told()
        assert story.tell().done
        assert refold(story) == story.run
    missing = [
        f"{row.at} {row.event.__name__} {row.guard.__name__} -> {row.to}"
        for number, row in enumerate(machine.TABLE)
        if number not in reached
    ]
    assert missing == []


def test_the_effects_of_a_story_are_the_same_on_every_machine():
    """REQ-3.5-4."""
    first, second = (Story(plan(phase("a", auto_apply=False), phase("b"))).says(ci=["red", "green"]) for _ in "12")
    first.tell()
    second.tell()
    assert first.log == second.log
    assert first.effects == second.effects


# --- the end of the ladder: patches of the Auditor's own --------------------------------------------------------------


def helped(count: int = 2, **changes: object) -> Plan:
    """One phase with a single attempt of the Builder's and then the Auditor's patches."""
    return plan(with_patches(phase("a", attempts=phase("a").attempts[:1], **changes), count))


def test_when_the_builders_attempts_are_used_up_the_auditor_gives_a_patch_that_goes_the_same_way():
    """REQ-2.3-5, REQ-2.3-6, REQ-9.3-4."""
    story = Story(helped()).says(ci=["red", "green"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert story.path("a") == "QUEUED EXECUTING GATE CI_RUNNING EXECUTING GATE CI_RUNNING GATE COMPLETE"
    assert [(e.role, e.wants) for e in story.asked(AssembleContext)] == [("builder", "edits"), ("auditor", "edits")]
    assert [(e.role, e.call) for e in story.asked(CallModel)] == [("builder", 1), ("auditor", 1)]


def test_the_patching_auditor_sees_the_last_patch_and_what_tests_say_but_not_what_may_quote_the_builder():
    """REQ-2.3-4: diff, logs and context; the Builder's words stay out."""
    two = with_patches(phase("a", attempts=phase("a").attempts[:2]))
    story = Story(plan(two)).says(builder=["edit_failed", "ok"], ci=["red", "green"])
    story.tell()
    asked = story.asked(AssembleContext)[-1]
    assert (asked.role, asked.patch) == ("auditor", "p" * 64)
    assert [(item.kind, item.blob) for item in asked.evidence] == [("edit_failed", None), ("ci_red", "e" * 64)]
    assert "refused" in asked.evidence[0].text
    assert "edit_failed" not in asked.evidence[0].text


def test_a_patch_of_the_auditors_is_audited_where_one_is_due():
    story = Story(helped(auto_apply=False)).says(auditor=["major", "approve"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert [(e.role, e.wants) for e in story.asked(AssembleContext)] == [
        ("builder", "edits"),
        ("auditor", "review"),
        ("auditor", "edits"),
        ("auditor", "review"),
    ]


def test_the_auditors_patches_are_counted_and_then_the_phase_fails():
    """REQ-9.3-2."""
    story = Story(helped()).says(ci=["red:x", "red:y", "red:z", "green"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "ci_red")
    assert story.run.phases["a"].attempt == 3


def test_a_patch_of_the_auditors_that_fails_like_its_last_one_is_the_end():
    """REQ-9.3-5: repeated low-signal attempts fail, though one is left."""
    story = Story(helped(count=3)).says(ci=["red:x"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "ci_red")
    assert story.run.phases["a"].attempt == 3


def test_escalate_is_the_end_also_with_patches_left():
    story = Story(helped(auto_apply=False)).says(auditor=["escalate"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "audit_rejected")
    assert story.run.phases["a"].attempt == 1


# --- who calls the Auditor, and how many ------------------------------------------------------------------------------

OTHER = Ask("other", 10_000, 1_000)


def judged(**words: list[str]) -> Story:
    return Story(alone(second_audit=OTHER, auto_apply=False)).says(**words)


def test_two_audits_are_by_two_models_and_both_are_named_on_the_commit():
    story = judged()
    assert ended(story) == ("DONE_SUCCESS", None)
    assert [e.model for e in story.asked(AssembleContext) if e.wants == "review"] == ["small", "other"]
    assert story.asked(Land)[0].trailers["Autopack-Audit"] == "approved by small, other"


@pytest.mark.parametrize("said", [["major", "approve"], ["approve", "major"], ["revise", "approve"]])
def test_of_two_audits_the_graver_one_counts_and_the_findings_of_both_go_back(said: list[str]):
    story = judged(auditor=[*said, "approve", "approve"])
    assert ended(story) == ("DONE_SUCCESS", None)
    again = story.asked(AssembleContext)[3]
    assert (again.role, [item.kind for item in again.evidence]) == ("builder", ["audit_rejected", "audit_rejected"])
    assert story.run.phases["a"].attempt == 2


def test_a_first_audit_that_escalates_ends_it_without_a_second():
    story = judged(auditor=["escalate"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "audit_rejected")
    assert len([e for e in story.asked(CallModel) if e.role == "auditor"]) == 1


def test_both_audits_may_be_asked_for_once_more():
    story = judged(auditor=["unreadable", "approve", "unreadable", "approve"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert [e.call for e in story.asked(CallModel) if e.role == "auditor"] == [1, 2, 3, 4]


def test_a_ruleset_may_leave_the_auditor_out_of_major_issues():
    quiet = replace(alone(), audit_policy=AuditPolicy(major_issue=False))
    story = Story(quiet).says(builder=["major"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert {e.role for e in story.asked(CallModel)} == {"builder"}


def test_a_ruleset_says_how_often_the_same_failure_may_come_before_the_auditor_does():
    """REQ-2.3-2."""
    patient = replace(alone(), audit_policy=AuditPolicy(same_failure=3))
    story = Story(patient).says(builder=["edit_failed", "edit_failed", "ok"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert {e.role for e in story.asked(CallModel)} == {"builder"}


# --- models that can't be used ----------------------------------------------------------------------------------------


def falls_back(**changes: object) -> PlanPhase:
    rung = replace(phase("a").attempts[0], fallbacks=(Ask("big", 8_000, 800), OTHER))
    told: dict[str, object] = {"attempts": (rung,), "auto_apply": False, "audit_fallbacks": (OTHER,)}
    return phase("a", **{**told, **changes})


@pytest.mark.parametrize("outcome", ["auth", "not_found", "transient", "rate_limited"])
def test_a_model_that_gives_out_is_replaced_by_the_next_one_that_the_plan_names(outcome: str):
    story = Story(plan(falls_back(auto_apply=True), retry=Retry(2, 1.0, 60.0)))
    story.says(builder_call=[outcome, "ok"] if outcome in ("auth", "not_found") else [outcome, outcome, "ok"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert [(e.model, e.input_tokens_max) for e in story.asked(AssembleContext)] == [("small", 10_000), ("big", 8_000)]
    assert story.run.phases["a"].attempt == 1
    assert story.run.unusable == {"small": f"{outcome}: said {outcome}"}
    assert story.asked(Land)[0].trailers["Autopack-Model"] == "big"


def test_what_was_given_up_is_asked_by_no_other_phase_of_the_run():
    other = replace(falls_back(auto_apply=True), phase_id="b", needs=("a",))
    story = Story(plan(falls_back(auto_apply=True), other)).says("a", builder_call=["auth", "ok"])
    story.tell()
    assert [e.model for e in story.asked(CallModel)] == ["small", "big", "big"]


def test_when_nobody_is_left_the_run_ends_with_the_last_ones_reason():
    story = Story(plan(falls_back())).says(builder_call=["auth"])
    assert ended(story) == ("DONE_FAILED_ENVIRONMENT", "auth")
    assert [e.model for e in story.asked(CallModel)] == ["small", "big", "other"]


def test_an_auditor_that_gives_out_is_replaced_but_never_by_the_one_who_has_judged_already():
    two = falls_back(second_audit=Ask("big", 10_000, 1_000), audit_fallbacks=(OTHER,))
    story = Story(plan(two)).says(auditor_call=["auth", "ok", "not_found", "ok"])
    story.tell()
    assert [e.model for e in story.asked(CallModel) if e.role == "auditor"] == ["small", "other", "big"]
    assert story.run.failure is not None
    assert story.run.failure.reason == "model_not_found"


# --- going on from an earlier run -------------------------------------------------------------------------------------


def _stopped_by_tokens() -> Story:
    """Three in a row under a cap that pays for two: what c needs is there, and nothing else."""
    told = plan(phase("a"), phase("b", needs=("a",)), phase("c", needs=("b",)), caps=Caps(10_000, 25, 120, 75, None))
    return Story(told)


def test_a_run_that_a_cap_stopped_goes_on_from_what_landed_and_pays_for_nothing_twice():
    """REQ-9.1-2: the run ends, and what it landed is where a new one with a higher cap begins."""
    first = _stopped_by_tokens().says("a", builder=["minor"])
    assert ended(first) == ("DONE_FAILED_BUDGET_EXHAUSTED", "token_cap")
    second = Story(continued(first.plan, first.run, {"tokens": 20_000}))
    assert [p.state for p in second.run.phases.values()] == ["COMPLETE", "QUEUED", "QUEUED"]
    assert ended(second) == ("DONE_SUCCESS", None)
    assert {effect.phase_id for effect in second.asked(CallModel)} == {"b", "c"}
    assert second.asked(OpenRun)[0].base_commit == first.run.head
    assert second.run.phases["a"].commit == first.run.phases["a"].commit
    assert second.run.ledger.spent(RUN) == Amount(9_000, Decimal("0.010"))
    assert second.plan.continues is not None
    assert (second.plan.continues.tokens, second.plan.continues.cost_usd) == (4_500, Decimal("0.005"))
    assert list(second.run.issues) == ["c__a__1"]
    assert refold(second) == second.run


def test_of_a_run_that_is_continued_twice_all_spend_is_shown():
    first = _stopped_by_tokens()
    first.tell()
    second = Story(continued(first.plan, first.run, {}))
    assert ended(second) == ("DONE_FAILED_BUDGET_EXHAUSTED", "token_cap")
    third = Story(continued(second.plan, second.run, {}))
    assert ended(third) == ("DONE_SUCCESS", None)
    assert [(c.phase_id, c.commit) for c in third.plan.carried] == [("a", "c1-a"), ("b", "c1-b")]
    assert third.plan.continues is not None
    assert third.plan.continues.tokens == 9_000


def test_a_plan_whose_phases_are_all_carried_only_opens_and_closes():
    first = Story(alone())
    first.tell()
    second = Story(continued(first.plan, first.run, {}))
    assert ended(second) == ("DONE_SUCCESS", None)
    assert [type(effect) for effect in second.effects[1:]] == [OpenRun, CloseRun]


# --- warnings, stages, and tiers that are not clean -------------------------------------------------------------------


def test_a_budget_that_comes_near_its_cap_is_warned_of_once_a_share():
    """GOVERNANCE: warnings at 75 % and 90 %."""
    told = plan(*(phase(name) for name in "abcd"), caps=Caps(20_000, 25, 120, 75, None), budget_warnings=(0.75, 0.9))
    story = Story(replace(told, pools={"phase": 1}))
    assert ended(story) == ("DONE_SUCCESS", None)
    assert [(w.level, w.name, w.dimension, w.share, w.used, w.cap) for w in story.run.warnings] == [
        ("run", "run-1", "tokens", 0.75, "18000", "20000"),
        ("run", "run-1", "tokens", 0.9, "18000", "20000"),
    ]
    assert refold(story).warnings == story.run.warnings


def test_every_level_and_dimension_is_warned_of():
    tiers = (PlanTier("T1", 1, "T1", ("a",), 5_000, 1, 50, 0),)
    told = alone(token_cap=6_000, cost_usd_max=Decimal("0.0075"))
    told = replace(told, tiers=tiers, caps=Caps(7_000, 25, 1, 1, Decimal("0.0075")), budget_warnings=(0.6,))
    story = Story(told).says(builder=["minor"])
    story.until(Land)
    story.give(ev.TimePassed(59.0))
    assert {(w.level, w.dimension) for w in story.run.warnings} == {
        ("run", "tokens"),
        ("run", "cost_usd"),
        ("run", "minor_issues"),
        ("tier", "tokens"),
        ("tier", "ci_runs"),
        ("phase", "tokens"),
        ("phase", "cost_usd"),
    }


def test_more_phases_than_a_run_may_have_are_never_begun():
    """REQ-9.1-2: the fourth of the run's caps, for a plan that was frozen by somebody else."""
    story = Story(plan(phase("a"), phase("b"), caps=Caps(5_000_000, 1, 120, 75, None)))
    assert ended(story) == ("DONE_FAILED_BUDGET_EXHAUSTED", "phase_limit")
    assert story.asked(CallModel) == []


def test_carried_phases_do_not_count_against_the_phases_of_a_run():
    first = Story(plan(phase("a"), phase("b"), caps=Caps(6_000, 2, 120, 75, None), pools={"phase": 1}))
    first.tell()
    second = continued(first.plan, first.run, {})
    assert ended(Story(replace(second, caps=replace(second.caps, phases=1)))) == ("DONE_SUCCESS", None)


def test_a_tier_that_is_not_clean_stops_the_run_before_the_next_one_begins():
    """REQ-7.2-2, REQ-7.2-4, REQ-9.2-5."""
    told = plan(phase("a"), phase("b", tier_id="T2", needs=("a",)), safety_profile="safety_critical")
    story = Story(told).says("a", builder=["major"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "major_issues")
    assert story.path("a").endswith("COMPLETE")
    assert story.path("b") == "QUEUED SKIPPED"


def test_a_ruleset_may_let_a_tier_that_is_not_clean_fail_a_normal_run():
    story = Story(plan(phase("a"), not_clean="fail_run")).says(builder=["major"])
    assert ended(story) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "major_issues")


def test_in_the_first_stage_every_issue_is_a_minor_one_and_calls_nobody_in():
    """REQ-11.1-1."""
    story = Story(plan(phase("a"), stage="baseline", not_clean="fail_run")).says(builder=["major"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert [issue.effective_severity for issue in story.run.issues.values()] == ["minor"]
    assert {e.role for e in story.asked(CallModel)} == {"builder"}


def test_in_the_first_stage_an_auditors_major_finding_still_blocks():
    story = Story(plan(phase("a", auto_apply=False), stage="baseline")).says(auditor=["major", "approve"])
    assert ended(story) == ("DONE_SUCCESS", None)
    assert story.run.phases["a"].attempt == 2


@pytest.mark.parametrize(
    ("builder", "minors", "promotion", "debt", "eligible_"),
    [
        ("ok", 50, "clean_tiers", "clean", True),
        ("ok", 50, "no_issues", "clean", True),
        ("minor", 50, "clean_tiers", "has_minor_issues", True),
        ("minor", 50, "no_issues", "has_minor_issues", False),
        ("minor", 0, "clean_tiers", "excess_minor_issues", False),
    ],
)
def test_debt_decides_about_promotion(builder: str, minors: int, promotion: str, debt: str, eligible_: bool):
    """REQ-7.2-3, REQ-CH-6."""
    tiers = (PlanTier("T1", 1, "T1", ("a",), 3_000_000, 50, minors, 0),)
    story = Story(replace(alone(), tiers=tiers, promotion=promotion)).says(builder=[builder])  # type: ignore[arg-type]
    assert ended(story) == ("DONE_SUCCESS", None)
    assert (debt_status(story.plan, story.run), eligible(story.plan, story.run)) == (debt, eligible_)
