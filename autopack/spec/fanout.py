"""One phase as written, several as meant: what `for_each` and `matrix` stand for, and what the branches are called."""

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice, product
from math import prod

from autopack.problem.typed import Any, NamedTuple
from autopack.spec.at import Steps

BRANCHES_MAX = 1_000  # of one phase: as many as anybody may want, and few enough to be told in a second
ID_CHARS_MAX = 64

Row = Mapping[str, Any]


class Branch(NamedTuple):
    """One phase of a fan-out. `names` are what its templates may use besides, `place` its value's, from the phase."""

    id: str
    names: Row
    place: Steps


class Value(NamedTuple):
    """One value of an axis, by its place from the phase."""

    slug: str
    value: Any
    place: Steps


def fans(entry: Row) -> bool:
    return "for_each" in entry or "matrix" in entry


def axes(entry: Row) -> list[list[Value]]:
    """The values of `for_each`, or those of each axis of `matrix` in written order, but for what was refused."""
    if entry.get("for_each") is not None:
        return [_values(entry["for_each"], ("for_each",))]
    found = entry.get("matrix") or {}
    return [_values(values or (), ("matrix", name)) for name, values in found.items()]


def _values(values: Sequence[Any], steps: Steps) -> list[Value]:
    given = ((index, value) for index, value in enumerate(values) if value is not None)
    return [Value(slug(value), value, (*steps, index)) for index, value in given]


def size(entry: Row) -> int:
    """How many phases there will be, without making them."""
    return prod(map(len, axes(entry)))


def certain(entry: Row) -> bool:
    """Whether every branch is known: nothing of the fan-out was refused, and there are not too many."""
    parts = [entry[key] for key in ("for_each", "matrix") if key in entry]
    found = [axis for part in parts for axis in (part.values() if isinstance(part, dict) else [part])]
    return all(axis is not None and None not in axis for axis in found) and size(entry) <= BRANCHES_MAX


def branches(entry: Row, name: str) -> list[Branch]:
    """`name.slug` for each value, `name.slug.slug` for each combination; the phase itself where it has no fan-out.

    A value whose slug another one of its axis has already is left out: `rules` refuses it.
    """
    if not fans(entry):
        return [Branch(name, {}, ("id",))]
    named = tuple(entry.get("matrix") or ()) if entry.get("for_each") is None else ()
    combinations = product(*(_distinct(axis) for axis in axes(entry)))
    return [_branch(name, named, values) for values in islice(combinations, BRANCHES_MAX) if values]


def _branch(name: str, named: Sequence[str], values: Sequence[Value]) -> Branch:
    texts = [each.value for each in values]
    names = {"matrix": dict(zip(named, texts, strict=True))} if named else {"item": texts[0]}
    return Branch(".".join([name, *(each.slug for each in values)]), names, values[-1].place)


def _distinct(axis: Sequence[Value]) -> Iterator[Value]:
    seen: set[str] = set()
    for each in axis:
        if each.slug.casefold() not in seen:
            seen.add(each.slug.casefold())
            yield each


def slug(value: Any) -> str:
    """A value as part of an id: "3.11" is 3-11, true is true."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return re.sub(r"[^A-Za-z0-9_]+", "-", text).strip("-")
