"""One value, one text; and nothing half understood on the way back."""

import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.plan import canonical
from autopack.plan.canonical import NotThisShape


@dataclass(frozen=True, slots=True)
class Inner:
    name: str
    amount: Decimal


@dataclass(frozen=True, slots=True)
class Outer:
    count: int
    ratio: float
    flag: bool
    word: Literal["a", "b"]
    maybe: str | None
    scalar: str | int | float | bool
    items: tuple[str, ...]
    pair: tuple[int, str]
    inner: Inner
    many: tuple[Inner, ...]
    table: Mapping[str, Inner]


VALUE = Outer(
    count=1,
    ratio=0.5,
    flag=True,
    word="a",
    maybe=None,
    scalar=2.5,
    items=("x",),
    pair=(1, "y"),
    inner=Inner("é", Decimal("5.00")),
    many=(),
    table={"b": Inner("n", Decimal("0.10")), "a": Inner("m", Decimal(0))},
)
TEXT = (
    '{"count":1,"flag":true,"inner":{"amount":"5","name":"é"},"items":["x"],"many":[],"maybe":null,"pair":[1,"y"],'
    '"ratio":0.5,"scalar":2.5,"table":{"a":{"amount":"0","name":"m"},"b":{"amount":"0.1","name":"n"}},"word":"a"}'
)

TEXTS = st.text(st.characters(exclude_categories=[])).filter(lambda text: not _has_whole_pair(text))
"""Any text of Python's, halves of surrogate pairs included; two halves side by side are one character in JSON."""
MONEY = st.decimals(allow_nan=False, allow_infinity=False, places=8, min_value=-(10**9), max_value=10**9)
INNERS = st.builds(Inner, TEXTS, MONEY)
OUTERS = st.builds(
    Outer,
    count=st.integers(),
    ratio=st.floats(allow_nan=False, allow_infinity=False),
    flag=st.booleans(),
    word=st.sampled_from(("a", "b")),
    maybe=st.none() | TEXTS,
    scalar=st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXTS,
    items=st.lists(TEXTS).map(tuple),
    pair=st.tuples(st.integers(), TEXTS),
    inner=INNERS,
    many=st.lists(INNERS).map(tuple),
    table=st.dictionaries(TEXTS, INNERS),
)


def _has_whole_pair(text: str) -> bool:
    return any("\ud800" <= a <= "\udbff" and "\udc00" <= b <= "\udfff" for a, b in itertools.pairwise(text))


def test_the_text_is_sorted_dense_and_spells_money_the_shortest_way():
    assert canonical.text(VALUE) == TEXT


def test_the_digest_is_the_sha256_of_the_text():
    assert canonical.digest({"a": 1}) == "015abd7f5cc57a2dd94b7590f04ad8084273905ee33ec5cebeae62276a97f862"


@given(OUTERS)
def test_what_was_written_is_read_back(value: Outer):
    text = canonical.text(value)
    again = canonical.load(Outer, text)
    assert again == value
    assert canonical.text(again) == text
    assert canonical.build(Outer, json.loads(text)) == value


@given(OUTERS)
def test_the_plain_form_says_the_same_as_the_value(value: Outer):
    assert canonical.text(canonical.plain(value)) == canonical.text(value)


@given(st.lists(st.tuples(OUTERS, st.sets(st.sampled_from([field.name for field in fields(Outer)]))), min_size=1))
def test_a_thing_that_changes_in_part_is_told_as_if_for_the_first_time(changes: list[tuple[Outer, set[str]]]):
    """Each time some fields are those of another record, as when a phase moves."""
    value, record, row, table = VALUE, canonical.Retelling(), canonical.Retelling(), canonical.Retelling()
    for other, names in changes:
        value = replace(value, **{name: getattr(other, name) for name in names})
        assert record.text(value) == canonical.text(value)
        listed = [getattr(value, field.name) for field in fields(Outer)]
        some = {name: getattr(value, name) for name in names} | dict(value.table)
        assert row.text(listed) == canonical.text(listed)
        assert row.text(listed[: len(names)]) == canonical.text(listed[: len(names)])
        assert table.text(some) == canonical.text(some)


@given(TEXTS)
def test_every_text_can_be_encoded_and_hashed(value: str):
    assert json.loads(canonical.text(value).encode()) == value
    assert len(canonical.digest(value)) == 64


def test_half_a_surrogate_pair_is_escaped_and_differs_from_what_it_looks_like():
    assert canonical.text(["\ud83d", "\U0001f600"]) == '["\\ud83d","\U0001f600"]'
    assert canonical.digest("\ud83d") != canonical.digest("\\ud83d")


@pytest.mark.parametrize("same", ["5", "5.0", "5.00", "5E0", "0.5E1"])
def test_equal_amounts_have_one_text(same: str):
    assert canonical.text(Decimal(same)) == '"5"'


@pytest.mark.parametrize(("amount", "text"), [("1E+3", "1000"), ("-0", "0"), ("0.000", "0"), ("1E-7", "0.0000001")])
def test_amounts_are_written_out(amount: str, text: str):
    assert canonical.text(Decimal(amount)) == f'"{text}"'


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), Decimal("-Infinity")])
def test_what_is_no_number_has_no_text(value: object):
    with pytest.raises(ValueError, match=r"Out of range|is no amount"):
        canonical.text(value)


def test_what_has_no_order_has_no_canonical_form():
    with pytest.raises(TypeError, match="set has no canonical form"):
        canonical.text({"a": {1, 2}})


def changed(**fields: Any) -> dict[str, Any]:
    return {**json.loads(TEXT), **fields}


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in json.loads(TEXT).items() if key != name}


@pytest.mark.parametrize(
    ("data", "path", "fact"),
    [
        ([], "", "list where an object belongs"),
        (without("count"), "", "missing ['count']"),
        (changed(extra=1), "", "unknown ['extra']"),
        (changed(count=True), "count", "bool where int belongs"),
        (changed(count="1"), "count", "str where int belongs"),
        (changed(count=1.0), "count", "float where int belongs"),
        (changed(ratio=True), "ratio", "bool where float belongs"),
        (changed(ratio=10**400), "ratio", "no number to count with"),
        (changed(flag=1), "flag", "int where bool belongs"),
        (changed(word="c"), "word", "'c' is none of a, b"),
        (changed(maybe=1), "maybe", "int where str belongs"),
        (changed(scalar=None), "scalar", "NoneType is none of str, int, float, bool"),
        (changed(scalar=float("inf")), "scalar", "no number to count with"),
        (changed(items="x"), "items", "str where a list belongs"),
        (changed(items=["x", 1]), "items[1]", "int where str belongs"),
        (changed(pair=[1]), "pair", "1 items where 2 belong"),
        (changed(inner={"name": "n", "amount": 1}), "inner.amount", "no decimal number in a string"),
        (changed(inner={"name": "n", "amount": "NaN"}), "inner.amount", "no decimal number in a string"),
        (changed(inner={"name": "n", "amount": "1,5"}), "inner.amount", "is no decimal number"),
        (changed(many=[{"name": "n"}]), "many[0]", "missing ['amount']"),
        (changed(table=[]), "table", "list where an object belongs"),
        (changed(table={"k": {"name": 1, "amount": "1"}}), "table.k.name", "int where str belongs"),
    ],
)
def test_a_difference_is_refused_with_its_place(data: object, path: str, fact: str):
    with pytest.raises(NotThisShape) as caught:
        canonical.build(Outer, data)
    assert caught.value.path == path
    assert fact in str(caught.value)


@pytest.mark.parametrize(
    ("source", "fact"),
    [
        ("{", "not JSON: line 1 column 2"),
        ('{"name":"n","amount":"1","name":"m"}', "name: written more than once"),
        ('{"name":NaN,"amount":"1"}', "name: float where str belongs"),
        ("9" * 5000, "not readable"),
        ("[" * 100_000, "not readable"),
    ],
)
def test_text_that_says_something_twice_or_nothing_is_refused(source: str, fact: str):
    with pytest.raises(NotThisShape, match=fact):
        canonical.load(Inner, source)


def test_a_whole_number_where_a_float_belongs_becomes_one_so_that_both_have_one_text():
    assert canonical.text(canonical.build(Outer, changed(ratio=2))) == canonical.text(
        canonical.build(Outer, changed(ratio=2.0))
    )
