"""Edits in memory: the right place or no place, all or nothing, and nothing around the place is touched."""

import difflib
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.runners.edit import Applied, Change, Edit, EditFailed, Hunk, Placement, apply

FILE = "def one():\n    return 1\n\n\ndef two():\n    return 2\n"


def replaced(path: str, *pairs: tuple[str, str]) -> Edit:
    hunks = tuple(Hunk(search, new, line=10 * at, block=at) for at, (search, new) in enumerate(pairs, 1))
    return Edit(path, "replace", hunks, line=10, block=1)


def content(outcome: Applied | EditFailed, path: str = "a.py") -> bytes | None:
    assert isinstance(outcome, Applied), outcome
    return outcome.changes[path].content


def failed(outcome: Applied | EditFailed) -> EditFailed:
    assert isinstance(outcome, EditFailed)
    return outcome


def edit_file(old: bytes, *pairs: tuple[str, str], fuzz_cap: int = 50) -> Applied | EditFailed:
    return apply({"a.py": old}, [replaced("a.py", *pairs)], fuzz_cap=fuzz_cap)


# --- the ladder ---


def test_equal_bytes_are_rung_0():
    outcome = edit_file(FILE.encode(), ("    return 2\n", "    return 22\n"))
    assert content(outcome) == FILE.replace("return 2", "return 22").encode()
    assert isinstance(outcome, Applied)
    assert outcome.placements == (Placement("a.py", block=1, rung=0, fuzz=0, line=6),)
    assert (outcome.rung, outcome.fuzz) == (0, 0)


def test_two_places_are_a_failure_that_names_their_lines_and_never_the_first_one():
    outcome = failed(edit_file(b"x = 1\ny = 2\nx = 1\n", ("x = 1\n", "x = 3\n")))
    assert outcome.failures[0].candidates == (1, 3)
    assert outcome.evidence() == (
        "block 1 (line 10 of the reply), a.py: SEARCH matches 2 places, exactly one is needed\n"
        "  it matches at lines 1, 3: add lines that tell them apart\n"
    )


def test_overlapping_places_of_one_block_count_as_several():
    assert failed(edit_file(b"a\na\na\n", ("a\na\n", "b\n"))).failures[0].candidates == (1, 2)


def test_a_strict_place_wins_over_lenient_ones():
    outcome = edit_file(b"x = 1  \nx = 1\n", ("x = 1\n", "x = 2\n"))
    assert content(outcome) == b"x = 1  \nx = 2\n"


def test_a_search_half_matches_whole_lines_only():
    assert failed(edit_file(b"value = 10\n", ("value = 1\n", "value = 2\n"))).failures[0].kind == "no_match"
    assert failed(edit_file(b"my_value = 1\n", ("value = 1\n", "value = 2\n"))).failures[0].kind == "no_match"


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"a\r\nb\r\nc\r\n", b"a\r\nB\r\nB2\r\nc\r\n"),
        (b"\xef\xbb\xbfa\nb\nc\n", b"\xef\xbb\xbfa\nB\nB2\nc\n"),
        (b"a\nb\nc", b"a\nB\nB2\nc"),
        (b"a\rb\rc\r", b"a\rB\rB2\rc\r"),
        (b"\xef\xbb\xbfa\r\nb\r\nc", b"\xef\xbb\xbfa\r\nB\r\nB2\r\nc"),
    ],
    ids=["crlf", "bom", "no final newline", "cr", "all of them"],
)
def test_a_file_keeps_its_newlines_its_byte_order_mark_and_its_missing_final_newline(old: bytes, new: bytes):
    outcome = edit_file(old, ("a\nb\nc\n", "a\nB\nB2\nc\n"))
    assert content(outcome) == new
    assert isinstance(outcome, Applied)
    assert (outcome.rung, outcome.fuzz) == (1, 1)


def test_lines_added_behind_a_last_line_without_newline_start_on_their_own_line():
    assert content(edit_file(b"a\nb", ("b\n", "b\nc\n"))) == b"a\nb\nc"


def test_lines_added_above_the_first_one_come_after_the_byte_order_mark():
    assert content(edit_file(b"\xef\xbb\xbfa\nb\n", ("a\n", "new\na\n"))) == b"\xef\xbb\xbfnew\na\nb\n"
    assert content(edit_file(b"\xef\xbb\xbfa\nb\n", ("a\n", ""))) == b"\xef\xbb\xbfb\n"


def test_mixed_newlines_stay_mixed_and_new_lines_follow_their_neighbours():
    outcome = edit_file(b"a\nb\nc\r\nd\r\n", ("c\nd\n", "c\nnew\nd\n"))
    assert content(outcome) == b"a\nb\nc\r\nnew\r\nd\r\n"


def test_trailing_white_space_is_rung_2_and_stays_on_lines_that_do_not_change():
    outcome = edit_file(b"a  \nb\t\nc \n", ("a\nb\nc\n", "a\nB\nc\n"))
    assert content(outcome) == b"a  \nB\nc \n"
    assert isinstance(outcome, Applied)
    assert (outcome.rung, outcome.fuzz) == (2, 2)


def test_a_cap_on_fuzz_refuses_a_lenient_place_and_says_where_it_is():
    outcome = failed(edit_file(b"a  \n", ("a\n", "b\n"), fuzz_cap=1))
    assert outcome.failures[0].kind == "fuzz_cap"
    assert "matches line 1 only with trailing white space ignored" in outcome.evidence()


def test_indentation_is_not_guessed_here():
    assert failed(edit_file(b"    x = 1\n", ("x = 1\n", "x = 2\n"))).failures[0].kind == "no_match"


def test_a_hint_decides_between_places_if_it_names_one_block_that_holds_one_of_them():
    old = b"class A:\n    def f(self):\n        return 1\n\nclass B:\n    def f(self):\n        return 1\n"
    hunk = Hunk("        return 1\n", "        return 2\n", hint="class B")
    outcome = apply({"a.py": old}, [Edit("a.py", "replace", (hunk,))], fuzz_cap=0)
    assert content(outcome) == old[:-2] + b"2\n"
    for hint in ("class", "class C", "def f(self):"):
        hunk = Hunk("        return 1\n", "        return 2\n", hint=hint)
        outcome = apply({"a.py": old}, [Edit("a.py", "replace", (hunk,))], fuzz_cap=0)
        assert failed(outcome).failures[0].kind == "ambiguous"


def test_what_is_said_about_the_final_newline_is_done():
    no_newline = Hunk("a\nb\n", "a\nc")
    assert content(apply({"a.py": b"a\nb\n"}, [Edit("a.py", "replace", (no_newline,))], fuzz_cap=0)) == b"a\nc"
    with_newline = Hunk("b", "b\n")
    assert content(apply({"a.py": b"a\r\nb"}, [Edit("a.py", "replace", (with_newline,))], fuzz_cap=1)) == b"a\r\nb\r\n"
    outcome = apply({"a.py": b"a\nb\nz\n"}, [Edit("a.py", "replace", (no_newline,))], fuzz_cap=50)
    assert failed(outcome).failures[0].kind == "no_match"


# --- operations ---


def test_an_empty_search_creates_a_file_that_is_not_there():
    create = Edit("new.py", "create", content="x = 1\n", line=3, block=1)
    assert content(apply({"new.py": None}, [create], fuzz_cap=0), "new.py") == b"x = 1\n"
    outcome = failed(apply({"new.py": b"x = 1\n"}, [create], fuzz_cap=0))
    assert (outcome.failures[0].kind, outcome.failures[0].already_applied) == ("exists", True)


def test_whole_content_takes_over_the_style_of_the_file_it_replaces():
    def written(old: bytes | None, text: str) -> bytes | None:
        return content(apply({"a.py": old}, [Edit("a.py", "write", content=text)], fuzz_cap=0))

    assert written(None, "a\n") == b"a\n"
    assert written(b"a\r\nb\r\n", "a\nc\n") == b"a\r\nc\r\n"
    assert written(b"\xef\xbb\xbfa\n", "b\n") == b"\xef\xbb\xbfb\n"
    assert written(b"a\nlast", "b\nlast\n") == b"b\nlast"
    assert written(b"a\nlast", "b\nother\n") == b"b\nother\n"
    assert written(b"a\r\nlast", "b\nlast\n") == b"b\r\nlast"
    assert written(b"a\nb\n", "") == b""
    assert written(b"\x89PNG\0", "text\n") == b"text\n"


def test_a_deleted_file_is_gone_and_one_that_is_not_there_cannot_be_deleted():
    delete = Edit("a.py", "delete", block=1)
    assert content(apply({"a.py": b"x\n"}, [delete], fuzz_cap=0)) is None
    assert failed(apply({"a.py": None}, [delete], fuzz_cap=0)).failures[0].reason == "does not exist"


def test_a_rename_moves_content_and_may_bring_edits_under_either_name():
    rename = Edit("a.py", "rename", new_path="b.py", block=1)
    files = {"a.py": b"x = 1\ny = 2\n", "b.py": None}
    outcome = apply(files, [rename], fuzz_cap=0)
    assert isinstance(outcome, Applied)
    assert outcome.changes == {"a.py": Change(None), "b.py": Change(b"x = 1\ny = 2\n", renamed_from="a.py")}
    for name in ("a.py", "b.py"):
        outcome = apply(files, [rename, replaced(name, ("y = 2\n", "y = 3\n"))], fuzz_cap=0)
        assert content(outcome, "b.py") == b"x = 1\ny = 3\n"
        assert content(outcome, "a.py") is None
    outcome = apply(files, [rename, Edit("b.py", "write", content="z\n", block=2)], fuzz_cap=0)
    assert content(outcome, "b.py") == b"z\n"


@pytest.mark.parametrize(
    ("edits", "words"),
    [
        ([Edit("a.py", "rename", new_path="b.py", block=1)], "can't be renamed to b.py, which exists"),
        ([Edit("none.py", "rename", new_path="new.py", block=1)], "does not exist"),
        (
            [Edit("a.py", "delete", block=1), Edit("a.py", "write", content="x", block=2)],
            "block 1 (delete) and block 2",
        ),
        ([replaced("a.py", ("x = 1\n", "")), Edit("a.py", "delete", block=2)], "can't all be done to one file"),
        ([Edit("a.py", "write", block=1), Edit("a.py", "write", block=2)], "can't all be done to one file"),
        ([Edit("a.py", "rename", new_path="new.py"), Edit("new.py", "delete")], "it can't also be deleted"),
        ([Edit("a.py", "rename", new_path="new.py"), Edit("new.py", "create")], "it can't also be created"),
        ([Edit("a.py", "rename", new_path="new.py"), Edit("b.py", "rename", new_path="new.py")], "only once"),
        ([Edit("a.py", "rename", new_path="none.py"), Edit("none.py", "rename", new_path="new.py")], "only once"),
        ([Edit("other.py", "write", content="x")], "other.py can't be edited here"),
        ([Edit("a.py", "rename", new_path="../other.py")], "../other.py can't be edited here"),
        ([replaced("none.py", ("x = 1\n", "y\n"))], "does not exist: an empty SEARCH creates a file"),
        ([replaced("a.py", ("", "y\n"))], "nothing to search for"),
    ],
)
def test_what_cannot_be_done_is_refused_in_words(edits: list[Edit], words: str):
    files: dict[str, bytes | None] = {"a.py": b"x = 1\n", "b.py": b"", "none.py": None, "new.py": None}
    assert words in failed(apply(files, edits, fuzz_cap=50)).evidence()


def test_one_failing_block_keeps_all_others_from_being_applied():
    edits = [Edit("new.py", "create", content="x\n", block=1), replaced("a.py", ("missing\n", "y\n"))]
    outcome = failed(apply({"a.py": b"x\n", "new.py": None}, edits, fuzz_cap=50))
    assert [failure.path for failure in outcome.failures] == ["a.py"]


def test_blocks_that_overlap_are_refused_and_neighbours_are_not():
    outcome = failed(edit_file(b"a\nb\nc\n", ("a\nb\n", "x\n"), ("b\nc\n", "y\n")))
    assert outcome.failures[0].reason == "overlaps block 1 at line 2: make one block of the two"
    assert content(edit_file(b"a\nb\nc\n", ("b\nc\n", "y\n"), ("a\n", "x\n"))) == b"x\ny\n"


def test_an_edit_tells_which_paths_it_names():
    assert Edit("a.py", "delete").paths == ("a.py",)
    assert Edit("a.py", "rename", new_path="b.py").paths == ("a.py", "b.py")


def test_a_mode_alone_can_change():
    outcome = apply({"run.sh": b"#!/bin/sh\n"}, [Edit("run.sh", "replace", mode="100755")], fuzz_cap=0)
    assert isinstance(outcome, Applied)
    assert outcome.changes == {"run.sh": Change(b"#!/bin/sh\n", mode="100755")}


# --- files that are not UTF-8 text ---


def test_bytes_that_are_not_text_can_only_be_matched_exactly():
    latin = b"# caf\xe9\nx = 1\r\ny = 2\n"
    assert content(edit_file(latin, ("y = 2\n", "y = 3\n"))) == b"# caf\xe9\nx = 1\r\ny = 3\n"
    assert "bytes must be equal" in failed(edit_file(latin, ("x = 1\n", "x = 2\n"))).evidence()
    assert "not UTF-8 text" in failed(edit_file(latin, ("y = 2\n", "y = 'é'\n"))).evidence()
    assert content(edit_file(b"\0\nx\n", ("x\n", "y\n"))) == b"\0\ny\n"


# --- what a failure says ---


def test_a_block_that_matches_nothing_shows_the_nearest_lines_with_their_white_space():
    old = b"import os\n\ndef f():\n\tif os:\n\t\treturn 1  \n\treturn 2\n"
    outcome = failed(edit_file(old, ("def f():\n    if os:\n        return 1\n    return 2\n", "pass\n")))
    assert outcome.evidence() == (
        "block 1 (line 10 of the reply), a.py: SEARCH matches nothing\n"
        "  nearest lines (`·` space and `→` tab at the edges of a line, `␍` carriage return):\n"
        "       3| def f():\n"
        "       4| →if os:\n"
        "       5| →→return 1··\n"
        "       6| →return 2\n"
        "  line 4 differs, SEARCH has: ····if os:\n"
    )


def test_a_similar_line_is_shown_where_none_is_equal():
    outcome = failed(edit_file(FILE.encode(), ("def twoo():\n", "def three():\n")))
    assert outcome.failures[0].nearest == ((5, "def two():"),)


def test_a_block_that_was_applied_before_is_told_so():
    outcome = failed(edit_file(b"x = 2\n", ("x = 1\n", "x = 2\n")))
    assert outcome.failures[0].already_applied
    assert "already applied: the REPLACE half is there" in outcome.evidence()


def test_a_match_in_another_file_is_a_hint_and_never_applied():
    files = {"a.py": b"nothing\n", "b.py": b"\nthe_line = here\n", "c.py": None}
    for path in ("a.py", "c.py"):
        outcome = failed(apply(files, [replaced(path, ("the_line = here\n", "gone\n"))], fuzz_cap=50))
        assert "the same lines are in b.py, line 2; nothing was changed there" in outcome.evidence()


def test_blocks_see_the_file_as_it_was_shown_and_not_each_others_work():
    outcome = failed(edit_file(b"a\n", ("a\n", "b\nc\n"), ("b\n", "d\n")))
    assert "block 1 writes these lines, but every block is matched with the file as shown" in outcome.evidence()


def test_every_failure_is_told_and_the_first_ten_in_detail():
    pairs = [(f"none {at}\n", "x\n") for at in range(30)]
    outcome = failed(edit_file(b"none\n", *pairs))
    assert [failure.block for failure in outcome.failures] == list(range(1, 31))
    assert [bool(failure.nearest) for failure in outcome.failures] == [True] * 10 + [False] * 20


# --- size ---


def test_a_line_of_five_megabytes_is_an_ordinary_line():
    long = "x" * 5_000_000 + "\n"
    outcome = edit_file((long + "a\n").encode(), (long, "short\n"))
    assert content(outcome) == b"short\na\n"
    evidence = failed(edit_file((long + "a\n").encode(), (long[1:], "short\n"))).evidence()
    assert len(evidence) < 2000


def test_many_equal_lines_are_counted_up_to_a_limit():
    outcome = failed(edit_file(b"\n" * 1_000_000, ("\n" * 1000, "x\n")))
    assert "SEARCH matches 100 or more places" in outcome.evidence()


# --- properties ---

lines = st.lists(st.sampled_from(["", "a", "b", "  a", "a ", "\t", "x = 1", "é", "}"]), max_size=12)
styles = st.tuples(st.sampled_from([b"\n", b"\r\n"]), st.booleans(), st.booleans())


def hunks_between(old: list[str], new: list[str]) -> list[tuple[str, str]]:
    """What a careful Builder would send: the changed lines with two lines of context."""
    groups = difflib.SequenceMatcher(None, old, new, autojunk=False).get_grouped_opcodes(2)
    spans = [(group[0][1], group[-1][2], group[0][3], group[-1][4]) for group in groups]
    return [("".join(old[a:b]), "".join(new[c:d])) for a, b, c, d in spans]


@given(st.lists(st.text("ab ", max_size=3), min_size=1, max_size=20), st.data())
def test_a_block_that_is_there_once_is_replaced_and_nothing_else(before: list[str], data: st.DataObject):
    start = data.draw(st.integers(0, len(before) - 1))
    end = data.draw(st.integers(start + 1, len(before)))
    new = data.draw(lines)
    old = "".join(f"{line}\n" for line in before)
    search = "".join(f"{line}\n" for line in before[start:end])
    places = sum(before[at : at + end - start] == before[start:end] for at in range(len(before)))
    outcome = edit_file(old.encode(), (search, "".join(f"{line}\n" for line in new)), fuzz_cap=0)
    if places == 1:
        assert content(outcome) == "".join(f"{line}\n" for line in [*before[:start], *new, *before[end:]]).encode()
    else:
        assert failed(outcome).failures[0].kind == "ambiguous"


@given(lines.filter(bool), lines)
def test_edits_between_two_texts_give_the_second_one_or_a_refusal_never_a_third(old: list[str], new: list[str]):
    before, after = [f"{line}\n" for line in old], [f"{line}\n" for line in new]
    outcome = edit_file("".join(before).encode(), *hunks_between(before, after))
    if isinstance(outcome, Applied):
        assert content(outcome) == "".join(after).encode()
    else:
        assert {failure.kind for failure in outcome.failures} <= {"ambiguous", "overlap"}


@given(st.lists(st.integers(0, 30), unique=True, min_size=2), st.lists(st.integers(0, 60), unique=True), styles)
def test_edits_between_two_texts_of_distinct_lines_always_apply_in_the_files_own_style(
    old: list[int], new: list[int], style: tuple[bytes, bool, bool]
):
    newline, bom, final = style

    def styled(numbers: list[int], final: bool) -> bytes:
        text = newline.join(b"line %d" % number for number in numbers)
        return (b"\xef\xbb\xbf" if bom else b"") + text + (newline if final and numbers else b"")

    before, after = [f"line {at}\n" for at in old], [f"line {at}\n" for at in new]
    outcome = edit_file(styled(old, final), *hunks_between(before, after))
    changed_end = old[-1:] != new[-1:] and not new
    expected = {styled(new, final)} | ({styled(new, True)} if changed_end or _last_lines_go(old, new) else set())
    assert content(outcome) in expected


def _last_lines_go(old: list[int], new: list[int]) -> bool:
    """The file then ends with a line that had its newline all along."""
    return bool(new) and old[-1] != new[-1] and new[-1] in old


@given(lines, lines, st.lists(st.sampled_from(["", " ", "\t "]), min_size=12, max_size=12))
def test_white_space_at_the_end_of_unchanged_lines_survives(top: list[str], bottom: list[str], tails: list[str]):
    there = [line.rstrip() for line in [*top, *bottom]] or ["x"]
    old = "".join(f"{line}{tail}\n" for line, tail in zip(there, itertools.cycle(tails), strict=False))
    search = "".join(f"{line}\n" for line in there)
    outcome = edit_file(old.encode(), (search, search + "new\n"))
    assert content(outcome) == (old + "new\n").encode()
