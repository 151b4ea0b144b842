"""Every CI profile is tried on the base commit before the first model call."""

from dataclasses import replace

from autopack.plan.model import Preflight as Tries
from autopack.run.effects import CallModel, Preflight, RunCi
from tests.run.story import Story, phase, plan, refold


def told(*, baseline: bool = True, attempts: int = 3) -> Story:
    shop = plan(phase("a"), phase("b"))
    normal = replace(shop.profiles["normal"], baseline=baseline, preflight=Tries(attempts, 5.0))
    return Story(replace(shop, profiles={"normal": normal}))


def test_each_profile_is_tried_once_and_what_is_red_there_is_known_to_every_ci_run():
    story = told()
    run = story.tell()
    assert run.state == "DONE_SUCCESS"
    assert [(effect.profile, effect.time) for effect in story.asked(Preflight)] == [("normal", 1)]
    assert {effect.standing for effect in story.asked(RunCi)} == {"5" * 64}
    assert refold(story) == run


def test_what_can_not_run_is_tried_three_times_with_growing_waits_and_nothing_is_paid():
    """REQ-10.2-1, REQ-CH-5"""
    story = told().says(preflight=["unusable"])
    run = story.tell()
    assert (run.state, run.failure.reason) == ("DONE_FAILED_ENVIRONMENT", "ci_unusable")
    assert [effect.delay_s for effect in story.asked(Preflight)] == [0.0, 5.0, 10.0]
    assert story.asked(CallModel) == []
    assert "in 3 tries, so no phase was started" in run.failure.message


def test_what_comes_good_at_the_second_try_goes_on_and_is_flaky():
    """REQ-10.2-2: a pass after a failure is told from a plain pass."""
    story = told().says(preflight=["changed", "green"])
    assert story.tell().state == "DONE_SUCCESS"
    assert [event.flaky for event in story.log if type(event).__name__ == "PreflightFinished"] == [(), ("test_f",)]


def test_red_on_the_base_commit_stands_once_two_tries_agree():
    story = told().says(preflight=["changed", "red"])
    assert story.tell().state == "DONE_SUCCESS"
    assert len(story.asked(Preflight)) == 2


def test_without_a_baseline_a_red_base_commit_ends_the_run_before_anything_is_paid():
    """REQ-CH-5: never green is no success."""
    story = told(baseline=False).says(preflight=["changed", "red"])
    run = story.tell()
    assert (run.state, run.failure.reason) == ("DONE_FAILED_ENVIRONMENT", "ci_unusable")
    assert "write `baseline: true`" in run.failure.message
    assert story.asked(CallModel) == []


def test_late_in_the_run_nothing_that_says_nothing_is_tried_again():
    """REQ-10.2-3: fails fast when the signal is low and the budget nearly spent."""
    story = told().says(preflight=["unusable"])
    key = story.until(Preflight)
    event = replace(story.answer(key, story.run.pending[key]), executed_tests=0, elapsed_s=0.8 * 120 * 60)
    story.give(event)
    assert story.run.failure.reason == "ci_unusable"
    assert not [effect for effect in story.run.pending.values() if isinstance(effect, Preflight)]
