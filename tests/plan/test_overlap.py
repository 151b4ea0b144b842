"""Scopes that lie far apart at a glance do: the quick look leaves out no pair that the exact one would find."""

from types import SimpleNamespace
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from autopack.plan.overlap import _crowded
from autopack.spec.territory import meet

segments = st.sampled_from(["a", "b", "ab", "*", "**", "a*", "?"])
patterns = st.lists(segments, min_size=1, max_size=3).map("/".join)
scopes = st.lists(st.lists(patterns, min_size=1, max_size=2), min_size=2, max_size=5)


@given(scopes)
def test_whoever_meets_another_scope_is_looked_at_closely(written: list[list[str]]) -> None:
    phases: Any = [SimpleNamespace(spec=SimpleNamespace(scope=SimpleNamespace(write=tuple(each)))) for each in written]
    meeting = {
        number
        for number, mine in enumerate(written)
        for other, theirs in enumerate(written)
        if number != other and meet(mine, theirs) is not None
    }
    assert meeting <= _crowded(phases)


def test_neighbours_are_not_looked_at() -> None:
    phases: Any = [
        SimpleNamespace(spec=SimpleNamespace(scope=SimpleNamespace(write=(each,))))
        for each in ("src/a/**", "src/ab/**", "src/b.py", "docs/*.md", "src/c/*/x.py")
    ]
    assert _crowded(phases) == set()
