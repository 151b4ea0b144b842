"""Tables and paragraphs in a terminal of any width: every word stays."""

from hypothesis import given
from hypothesis import strategies as st

from autopack.problem.report import width as cells
from autopack.views import reporting
from autopack.views.projection import view
from autopack.views.report_text import report_screen
from autopack.views.table import paragraph, table
from autopack.views.text import run_screen
from tests.run.story import Story, phase, plan

HEADING = ("phase", "writes", "worst")
ROWS = [("store", "src/store/** tests/test_store.py", "$14.92"), ("a-rather-long-phase-name", "docs/**", "$0.10")]


def test_without_a_width_no_line_is_folded():
    assert table(HEADING, ROWS, frozenset({2})) == (
        "phase                     writes                             worst\n"
        "store                     src/store/** tests/test_store.py  $14.92\n"
        "a-rather-long-phase-name  docs/**                            $0.10"
    )


def test_a_list_goes_on_below_in_its_column_before_a_word_is_parted():
    assert table(HEADING, ROWS, frozenset({2}), 55) == (
        "phase                     writes                  worst\n"
        "store                     src/store/**           $14.92\n"
        "                          tests/test_store.py\n"
        "a-rather-long-phase-name  docs/**                 $0.10"
    )


def test_where_words_find_no_room_they_are_parted_behind_a_sign():
    assert table(HEADING, ROWS, frozenset({2}), 36) == (
        "phase          writes          worst\n"
        "store          src/store/**   $14.92\n"
        "               tests/test_\n"
        "               store.py\n"
        "a-rather-      docs/**         $0.10\n"
        "long-phase-\n"
        "name"
    )


def test_wide_letters_take_two_cells():
    assert table(("name", "n"), [("構築", "1"), ("build", "2")]) == "name   n\n構築   1\nbuild  2"


def test_what_a_terminal_would_obey_is_spelled_out():
    assert table(("name", "n"), [("a\x1b[31m\nb", "1")]) == "name            n\na\\x1b[31m\\x0ab  1"
    assert paragraph("Plan \x1b]0;mine\x07", None) == "Plan \\x1b]0;mine\\x07"


def test_a_line_goes_on_below_further_in():
    assert paragraph("  why     high risk -> premium; CI strict", 30, 8) == (
        "  why     high risk ->\n          premium; CI strict"
    )


@given(st.lists(st.tuples(*[st.text("ab/-. é構", max_size=30)] * 3), min_size=1, max_size=5), st.integers(30, 70))
def test_every_letter_is_there_and_no_line_is_too_wide(rows: list[tuple[str, ...]], width: int):
    shown = table(("one", "two", "three"), rows, width=width)
    assert all(cells(line) <= width for line in shown.splitlines())
    assert sorted("".join(shown.split())) == sorted("".join("".join(["onetwothree", *map("".join, rows)]).split()))


def test_a_run_and_its_report_are_folded_to_the_terminal_and_lose_no_word():
    long = "a-phase-with-a-name-that-leaves-no-room"
    run = Story(plan(phase(long), phase("b"))).says("b", builder=["edit_failed"])
    seen, found = view(run.plan, run.tell()), reporting.report(run.plan, run.tell())
    for screen in (lambda width: run_screen(seen, width), lambda width: report_screen(found, width)):
        whole, folded = screen(None), screen(70)
        assert max(map(cells, whole.split("\n"))) > 70 >= max(map(cells, folded.split("\n")))
        assert sorted("".join(whole.split())) == sorted("".join(folded.split()))
