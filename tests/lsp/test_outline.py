"""Where a cursor is, in text that need not be YAML yet."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lsprotocol.types import Position

from autopack.problem import Span
from autopack.spec import shipped
from autopack.spec.at import Steps
from autopack.spec.document import Document, read
from autopack.views.lsp.outline import spot
from autopack.views.lsp.places import Text
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


# --- against the reader of valid files --------------------------------------------------------------------

FOLDERS = ("rulesets", "examples", "playbooks")
VALID = sorted(file for folder in FOLDERS for file in Path(shipped.folder(folder)).rglob("*.y*ml"))


def every_token(document: Document, steps: Steps = ()) -> Iterator[tuple[str, Steps, Span]]:
    """Each key with the way to its mapping, and each scalar with the way to itself."""
    value = document.value
    for step in steps:
        value = value[step]
    if isinstance(value, dict):
        for key in value:
            yield "key", steps, document.key_span((*steps, key))
            yield from every_token(document, (*steps, key))
    elif isinstance(value, list):
        for index in range(len(value)):
            yield from every_token(document, (*steps, index))
    else:
        yield "value", steps, document.span(steps)


@pytest.mark.parametrize("file", VALID, ids=lambda file: file.name)
def test_where_a_file_is_valid_the_outline_agrees_with_its_reader(file: Path) -> None:
    document, _ = read(file.name, file.read_bytes())
    assert document is not None
    text = Text(document.text, "utf-32")
    for place, steps, span in every_token(document):
        start = text.offset(Position(span.line - 1, span.column - 1))
        end = text.offset(Position(span.end_line - 1, span.end_column - 1))
        if span.line != span.end_line or document.text[start] in "|>&":
            continue  # a block of text, in which nothing is suggested
        found = spot(document.text, start + 1)
        if found is None:
            assert " " in document.text[start:end]  # prose as an item of a list
            continue
        wanted = {place, "either"} if place == "value" else {place}
        assert (found.place in wanted, found.steps, found.start) == (True, steps, start), document.text[start:end]


@given(text=st.text(alphabet="ab:-#[]{},'\"|>&*! \n\t🚀", max_size=80), data=st.data())
def test_nothing_that_may_be_typed_stops_it(text: str, data: st.DataObject) -> None:
    cursor = data.draw(st.integers(0, len(text)))
    found = spot(text, cursor)
    assert found is None or found.start <= cursor <= found.end <= len(text)
