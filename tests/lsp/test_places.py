"""Lines and columns of findings against lines and characters of editors."""

import pytest
from lsprotocol.types import Position

from autopack.views.lsp.places import Text

LINE = "a🚀ö: x"


@pytest.mark.parametrize(
    ("encoding", "characters"), [("utf-8", [0, 1, 5, 7, 8]), ("utf-16", [0, 1, 3, 4, 5]), ("utf-32", [0, 1, 2, 3, 4])]
)
def test_places_go_there_and_back(encoding: str, characters: list[int]) -> None:
    text = Text(f"first\r\n{LINE}\r\n", encoding)
    for column, character in enumerate(characters, 1):
        assert text.position(2, column) == Position(1, character)
        assert text.place(text.offset(Position(1, character))) == (2, column)


def test_a_place_inside_a_character_is_the_one_before_it_and_one_past_the_end_the_end() -> None:
    text = Text("🚀x\ny", "utf-16")
    assert text.offset(Position(0, 1)) == 0
    assert text.offset(Position(0, 99)) == 2
    assert text.offset(Position(1, 99)) == text.offset(Position(99, 0)) == 4


def test_only_what_editors_break_lines_at_does() -> None:
    text = Text("a\u2028b\x0cc\x85d\re\nf", "utf-16")
    assert [text.line(number) for number in range(4)] == ["a\u2028b\x0cc\x85d", "e", "f", ""]


def test_a_byte_order_mark_counts_on_the_first_line() -> None:
    text = Text("\ufeffab\ncd", "utf-16")
    assert (text.text, text.position(1, 2), text.position(2, 2)) == ("ab\ncd", Position(0, 2), Position(1, 1))
    assert text.offset(Position(0, 2)) == 1
