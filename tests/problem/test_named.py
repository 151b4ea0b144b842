"""Tuples with named fields behave like those of `typing`, which they stand for."""

import copy
import pickle
import typing
from typing import Any

import pytest

from autopack.problem import Label, Span
from autopack.problem.named import NamedTuple as Named

ARGUMENTS: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((1,), {}),
    ((1, 2, [3]), {}),
    ((1,), {"more": [3]}),
    ((), {"first": 1, "second": 5}),
]
WRONG: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
    ((), {}),
    ((1, 2, 3, 4), {}),
    ((1,), {"first": 2}),
    ((1,), {"fourth": 2}),
]


class Ours(Named):
    first: int
    second: int = 2
    more: list[int] | None = None

    @property
    def both(self) -> int:
        return self.first + self.second


class Theirs(typing.NamedTuple):
    first: int
    second: int = 2
    more: list[int] | None = None


@pytest.mark.parametrize(("values", "named"), ARGUMENTS)
def test_they_are_made_read_and_shown_alike(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    ours, theirs = Ours(*values, **named), Theirs(*values, **named)
    assert tuple(ours) == tuple(theirs)
    assert (ours.first, ours.second, ours.more) == (theirs.first, theirs.second, theirs.more)
    assert repr(ours) == repr(theirs).replace("Theirs", "Ours")
    assert ours._asdict() == theirs._asdict()
    assert ours._replace(second=7) == theirs._replace(second=7)
    assert ours.both == ours.first + ours.second


@pytest.mark.parametrize(("values", "named"), WRONG)
def test_wrong_arguments_are_refused(values: tuple[Any, ...], named: dict[str, Any]) -> None:
    for kind in (Ours, Theirs):
        with pytest.raises(TypeError):
            kind(*values, **named)


def test_they_say_what_they_are_made_of() -> None:
    assert Ours._fields == Theirs._fields == Ours.__match_args__
    assert Ours._field_defaults == Theirs._field_defaults
    assert Ours.__mro__[1:] == Theirs.__mro__[1:]
    assert Ours._make([1, 2, None]) == Theirs._make([1, 2, None])
    with pytest.raises(ValueError, match="no field third"):
        Ours(1)._replace(third=3)
    with pytest.raises(AttributeError):
        Ours(1).second = 3  # type: ignore[misc]


def test_they_can_be_copied_and_sent_elsewhere() -> None:
    label = Label(Span("a.yaml", 1, 2, 1, 5), "here")
    assert copy.deepcopy(label) == pickle.loads(pickle.dumps(label)) == label
    assert type(pickle.loads(pickle.dumps(label)).span) is Span
    match label:
        case Label(span=Span(line=line), text=text):
            assert (line, text) == (1, "here")
