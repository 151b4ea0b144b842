"""What a run that failed says to do next: something that works in the state it is in."""

import pytest

from autopack.plan.model import Caps
from autopack.views.projection import view
from autopack.views.text import next_step
from tests.run.story import Story, phase, plan

RERUN = "`autopack rerun run-1 --failed`"


def said(story: Story) -> str:
    return next_step(view(story.plan, story.tell()))


@pytest.mark.parametrize(
    "words",
    [{"probe": ["down"]}, {"builder": ["scope"]}, {"ci": ["red"]}, {"trouble_RunCi": ["disk_full"]}],
    ids=["environment", "policy", "review", "disk"],
)
def test_what_has_ended_is_run_again_and_never_resumed(words: dict[str, list[str]]):
    told = said(Story(plan(phase("a"))).says(**words))
    assert RERUN in told
    assert "resume" not in told


def test_a_cap_of_the_run_is_raised_by_the_name_it_has():
    assert "`autopack resume run-1 --budget minor_issues=...`" in said(
        Story(plan(phase("a"), caps=Caps(5_000_000, 25, 120, 1, None))).says(builder=["minor", "minor"], ci=["red"])
    )
    told = said(Story(plan(phase("a"), caps=Caps(5_000, 25, 120, 75, None))))
    assert "`autopack resume run-1 --budget tokens=...`" in told


def test_how_many_phases_a_run_may_have_is_settled_when_it_is_planned():
    story = Story(plan(phase("a"), phase("b"), caps=Caps(5_000_000, 1, 120, 75, None)))
    assert said(story) == f"Raise budget.phases, then {RERUN}."
