"""Where a cursor is, in text that need not be YAML yet."""

import pytest

from autopack.views.lsp.outline import spot
from tests.lsp.client import CURSOR

IN_PHASE = ("tiers", 0, "phases", 0)
HEAD = "tiers:\n  - id: T1\n    phases:\n      - id: a\n"


@pytest.mark.parametrize(
    ("marked", "place", "steps", "written", "token"),
    [
        ("¦", "key", (), set(), ""),
        ("na¦me", "key", (), set(), "name"),
        ("name: x\n¦\ntiers: []\n", "key", (), {"name", "tiers"}, ""),
        ("name: ¦", "value", ("name",), set(), ""),
        ('name: "x y¦"', "value", ("name",), set(), '"x y"'),
        ("name: 'it''s¦' # c", "value", ("name",), set(), "'it''s'"),
        ('"na¦me": x', "key", (), set(), '"name"'),
        ("- a\n- ¦\n", "either", (1,), set(), ""),
        ("a:\n- x\n- y¦\n", "either", ("a", 1), set(), "y"),
        ("a:\n- x\n¦\nb: 1\n", "key", (), {"a", "b"}, ""),
        ("- - a\n  - b¦", "either", (0, 1), set(), "b"),
        ("a:\n  b:\n    c: 1\n  ¦\n", "key", ("a",), {"b"}, ""),
        ("a:\n  ¦\n  b: 1\n", "either", ("a",), {"b"}, ""),
        ("a: &x !!map {b: ¦}", "value", ("a", "b"), set(), ""),
        ("a: {b: [1, {c: 2}], ¦}", "key", ("a",), {"b"}, ""),
        ("a: [x, 'y, z', ¦]", "value", ("a", 2), set(), ""),
        ('a: {"b": c¦}', "value", ("a", "b"), set(), "c"),
        ("a: [\n  x,\n  ¦\n]\nb: 1", "value", ("a", 1), set(), ""),
        ("a: {b: 1, # not }\n  ¦}", "key", ("a",), {"b"}, ""),
        ("a: [x\nb: ¦", "value", ("b",), set(), ""),
        ("a: |\n  b: [\nc: ¦", "value", ("c",), set(), ""),
        ("- >\n  b: [\n- ¦", "either", (1,), set(), ""),
        ("a: http://x#y\nb: ¦", "value", ("b",), set(), ""),
        ("<<: *base\n¦", "key", (), {"<<"}, ""),
        ("# c\n---\na: ¦", "value", ("a",), set(), ""),
        (HEAD + "        goal: x\n        ¦", "key", IN_PHASE, {"id", "goal"}, ""),
        (HEAD + "      - ¦", "either", ("tiers", 0, "phases", 1), set(), ""),
        (HEAD + "  - ¦", "either", ("tiers", 1), set(), ""),
        (HEAD + "    ¦", "key", ("tiers", 0), {"id", "phases"}, ""),
        (HEAD.replace("\n", "\r\n") + "        ¦", "key", IN_PHASE, {"id"}, ""),
    ],
)
def test_the_place_the_way_to_it_and_the_token(
    marked: str, place: str, steps: tuple[str | int, ...], written: set[str], token: str
) -> None:
    cursor = marked.index(CURSOR)
    text = marked.replace(CURSOR, "")
    found = spot(text, cursor)
    assert found is not None
    assert (found.place, found.steps, set(found.written)) == (place, steps, written)
    assert text[found.start : found.end] == token


@pytest.mark.parametrize(
    "marked",
    [
        "# c¦",
        "a: 1 # c¦",
        "a: |\n  te¦xt\n",
        "a: |\n  text\n  ¦\n",
        "a:¦",
        "a: {b: 1, # c¦\n}",
        "a: {b: [1]¦}",
        "some words h¦ere",
        "-¦",
    ],
)
def test_nothing_can_be_written_here(marked: str) -> None:
    assert spot(marked.replace(CURSOR, ""), marked.index(CURSOR)) is None
