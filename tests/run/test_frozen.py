"""The quick `replace` gives what the slow one gives."""

import dataclasses

import pytest

from autopack.run.frozen import replace
from autopack.run.state import PhaseState


def test_a_copy_differs_only_in_what_was_changed() -> None:
    phase = PhaseState("store", attempt=1, signatures=("ci:a",))
    quick, slow = replace(phase, attempt=2, base="b"), dataclasses.replace(phase, attempt=2, base="b")
    assert quick == slow
    assert hash(quick) == hash(slow)
    assert phase == PhaseState("store", attempt=1, signatures=("ci:a",))
    with pytest.raises(dataclasses.FrozenInstanceError):
        quick.attempt = 3  # type: ignore[misc]


def test_a_field_that_does_not_exist_is_refused_by_name() -> None:
    with pytest.raises(TypeError, match="PhaseState has no field attemt"):
        replace(PhaseState("store"), attemt=2)  # type: ignore[call-arg]
