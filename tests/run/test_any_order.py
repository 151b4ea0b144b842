"""Answers of phases side by side may come in any order: what they lead to is the same."""

from collections.abc import Mapping
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from autopack.run.effects import Effect
from autopack.run.state import RunState
from tests.run.story import Story, phase, plan, with_patches

WORDS: Mapping[str, tuple[str, ...]] = {
    "a": ("ok",),
    "b": ("edit_failed", "ok"),
    "c": ("no_op", "scope", "ok"),
    "d": ("edit_failed",),
    "e": ("ok",),
    "f": ("truncated",),
}
"""What each phase's Builder answers; d never gets anywhere, and f needs it."""


def told(order: Random, jobs: int) -> RunState:
    built = plan(
        phase("a"),
        phase("b", auto_apply=False),
        phase("c"),
        with_patches(phase("d"), 0),
        phase("e", needs=("a", "b")),
        phase("f", needs=("d",)),
        pools={"phase": jobs},
    )

    def any_of(pending: Mapping[str, Effect]) -> str:
        return order.choice(list(pending))

    story = Story(built, order=any_of)
    for name, words in WORDS.items():
        story.says(name, builder=list(words))
    return story.tell()


def outcome(run: RunState) -> object:
    """All but what the order decides: which commit lies on which, and how often CI had to look again."""
    phases = {
        name: (each.state, each.attempt, each.signatures, each.failure, each.commit and each.commit.split("-")[1])
        for name, each in run.phases.items()
    }
    return run.state, run.failure, phases, sorted(run.issues), run.ledger.used, run.left, run.active


@settings(max_examples=150)
@given(st.randoms(use_true_random=False), st.integers(1, 6))
def test_any_order_of_answers_and_any_number_of_places_lead_to_the_same_states_spend_and_landings(
    order: Random, jobs: int
):
    """REQ-12.0-2: deterministic progression or failure."""
    assert outcome(told(order, jobs)) == outcome(told(Random(0), 1))
