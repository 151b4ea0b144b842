import json

import pytest

from autopack.problem import Label, Problem, Span, problem
from autopack.problem.report import FORMATS, LINE_CELLS, escape, render, width

PATH = "playbooks/limits.yaml"


def at(line: int, column: int, end_column: int, path: str = PATH, end_line: int = 0) -> Span:
    return Span(path, line, column, end_line or line, end_column)


def full(found: Problem, source: str, **others: str) -> str:
    """The finding without the summary."""
    text = render([found], {PATH: source, **others}, "full", color=False, files=1)
    return text.removesuffix("\n1 error in 1 file\n").removesuffix("\n1 warning in 1 file\n")


def test_a_finding_shows_its_line_the_exact_token_and_what_to_do():
    found = problem("AP1003", 'unknown version "v2" of playbook', at(2, 11, 22), (), "write `playbook/v1`")
    assert (
        full(found, "# limits\nautopack: playbook/v2\nname: x\n")
        == """\
playbooks/limits.yaml:2:11: error[AP1003]: unknown version "v2" of playbook
2 | autopack: playbook/v2
  |           ^^^^^^^^^^^
  help: write `playbook/v1`
"""
    )


def test_a_label_on_another_line_is_underlined_with_dashes_and_words():
    found = problem("AP1005", 'duplicate key "name"', at(12, 1, 5), (Label(at(9, 1, 5), "first written here"),))
    source = "\n" * 8 + "name: a\n\n\nname: b\n"
    assert (
        full(found, source)
        == """\
playbooks/limits.yaml:12:1: error[AP1005]: duplicate key "name"
 9 | name: a
   | ---- first written here
   :
12 | name: b
   | ^^^^
"""
    )


def test_a_label_on_the_same_line_gets_a_row_of_its_own():
    found = problem("AP1005", 'duplicate key "a"', at(1, 8, 9), (Label(at(1, 2, 3), "first written here"),))
    assert (
        full(found, "{a: 1, a: 2}")
        == """\
playbooks/limits.yaml:1:8: error[AP1005]: duplicate key "a"
1 | {a: 1, a: 2}
  |        ^
  |  - first written here
"""
    )


def test_a_label_in_another_file_names_that_file():
    label = Label(Span("tiers/t.yaml", 1, 5, 1, 6), "declared here")
    found = problem("AP1006", "custom tag !x", at(1, 4, 6), (label,))
    assert (
        full(found, "a: !x 1\n", **{"tiers/t.yaml": "id: T\n"})
        == """\
playbooks/limits.yaml:1:4: error[AP1006]: custom tag !x
1 | a: !x 1
  |    ^^
  --> tiers/t.yaml:1:5
1 | id: T
  |     - declared here
"""
    )


def test_carets_line_up_below_wide_characters_and_tabs():
    found = problem("AP1006", "custom tag !x", at(1, 8, 10))
    assert (
        full(found, "日本\te\u0301: !x 1\n")
        == """\
playbooks/limits.yaml:1:8: error[AP1006]: custom tag !x
1 | 日本    é: !x 1
  |            ^^
""".replace("é", "e\u0301")
    )


def test_a_place_between_two_characters_gets_one_caret():
    found = problem("AP1015", "a value is missing", at(1, 5, 5))
    assert full(found, "key:\n").splitlines()[2] == "  |     ^"


def test_a_token_over_several_lines_is_underlined_on_its_first_ones():
    found = problem("AP1023", "too long", at(1, 7, 6, end_line=5))
    assert (
        full(found, "goal: |\n    one\n    two\n    three\n    four\n")
        == """\
playbooks/limits.yaml:1:7: error[AP1023]: too long
1 | goal: |
  |       ^
2 |     one
  |     ^^^
3 |     two
  |     ^^^
"""
    )


def test_a_very_long_line_is_cut_around_its_token():
    found = problem("AP1006", "custom tag !x", at(1, 2001, 2003))
    line, carets = full(found, "a" * 2000 + "!x" + "b" * 5000).splitlines()[1:3]
    assert len(line) < LINE_CELLS + 10
    assert line.startswith("1 | …aaa")
    assert line.endswith("bbb…")
    assert line[carets.index("^") : carets.rindex("^") + 1] == "!x"


@pytest.mark.parametrize("format_", ["full", "concise", "json"])
def test_a_hostile_file_cannot_drive_the_terminal(format_: str):
    evil = "\x1b]0;owned\x07\x9b31m\u202e\u2028\r"
    found = problem("AP1006", f"tag {evil}", at(1, 1, 3, path=f"{evil}.yaml"), (Label(at(1, 1, 2), evil),), evil)
    text = render([found], {PATH: f"{evil}", f"{evil}.yaml": evil}, format_, color=False, files=1, not_checked=[evil])
    assert {char for char in text if not char.isprintable()} == {"\n"}
    assert "\\x1b]0;owned" in text or "\\u001b]0;owned" in text


def test_colour_is_there_only_when_it_is_asked_for():
    found = problem("AP1016", "no alias uses it", at(1, 1, 2), (), "remove it")
    plain = render([found], {PATH: "abc"}, "full", color=False, files=1)
    coloured = render([found], {PATH: "abc"}, "full", color=True, files=1)
    assert "\x1b" not in plain
    assert "\x1b[1;33mwarning[AP1016]\x1b[0m: no alias uses it" in coloured
    assert "\x1b[1;33m^\x1b[0m" in coloured


def test_a_file_whose_text_is_not_at_hand_is_shown_without_its_lines():
    found = problem("AP1006", "custom tag !x", at(3, 1, 3), (), "remove it")
    assert (
        render([found], {}, "full", color=False, files=1)
        == """\
playbooks/limits.yaml:3:1: error[AP1006]: custom tag !x
  help: remove it

1 error in 1 file
"""
    )


def test_a_finding_without_a_place_has_no_excerpt():
    text = render([problem("AP1013", "too large", None)], {}, "full", color=False, files=1)
    assert text == "error[AP1013]: too large\n\n1 error in 1 file\n"


def test_lines_are_counted_with_every_kind_of_line_break():
    found = problem("AP1006", "custom tag !x", at(4, 1, 3))
    assert full(found, "\ufeffa: 1\r\nb: 2\rc: 3\n!x d\r\n").splitlines()[1:] == ["4 | !x d", "  | ^^"]


def test_concise_is_one_line_a_finding_in_order_and_a_summary():
    found = [
        problem("AP1005", 'duplicate key "b"', at(9, 1, 2), (Label(at(1, 1, 2), "first"),), "keep one"),
        problem("AP1016", "no alias uses the anchor &a", at(2, 4, 6)),
    ]
    assert (
        render(found, {}, "concise", color=False, files=1_234, not_checked=["remote modules", "prices"])
        == """\
playbooks/limits.yaml:2:4: warning[AP1016]: no alias uses the anchor &a
playbooks/limits.yaml:9:1: error[AP1005]: duplicate key "b"
1 error, 1 warning in 1,234 files
not checked: remote modules, prices
"""
    )


def test_no_findings_is_said_too():
    assert render([], {}, "full", color=False, files=2) == "no findings in 2 files\n"
    assert render([], {}, "concise", color=False, files=1) == "no findings in 1 file\n"


def test_json_holds_every_field_of_every_finding():
    found = problem(
        "AP1005", 'duplicate key "é"', at(9, 1, 2), (Label(at(1, 1, 2, path="b.yaml"), "first"),), "keep one"
    )
    text = render([found], {}, "json", color=False, files=3, not_checked=["remote modules"])
    assert json.loads(text) == {
        "format_version": 1,
        "findings": [
            {
                "code": "AP1005",
                "severity": "error",
                "message": 'duplicate key "é"',
                "path": PATH,
                "line": 9,
                "column": 1,
                "end_line": 9,
                "end_column": 2,
                "labels": [{"text": "first", "path": "b.yaml", "line": 1, "column": 1, "end_line": 1, "end_column": 2}],
                "help": "keep one",
                "fixes": [],
                "docs": "docs/reference/codes.md#ap1005",
            }
        ],
        "summary": {"errors": 1, "warnings": 0, "infos": 0, "files": 3},
        "not_checked": ["remote modules"],
    }


def test_json_of_a_finding_without_a_place_says_null():
    text = render([problem("AP1013", "too large", None)], {}, "json", color=False, files=1)
    finding = json.loads(text)["findings"][0]
    assert [finding[name] for name in ("path", "line", "column", "end_line", "end_column")] == [None] * 5


def test_the_same_finding_twice_is_counted_once():
    found = problem("AP1016", "no alias uses it", at(1, 1, 2))
    assert render([found, found], {}, "concise", color=False, files=1).endswith("\n1 warning in 1 file\n")


def test_the_formats_of_this_version():
    assert {"full", "concise", "json"} <= FORMATS.keys()
    with pytest.raises(KeyError, match="xml"):
        render([], {}, "xml", color=False, files=0)


def test_escaping_spells_out_what_a_terminal_hides_and_keeps_what_people_read():
    assert escape("naïve 日本 👩\u200d💻") == "naïve 日本 👩\u200d💻"
    assert escape("a\tb\u200bc\U000e0041\x7f") == r"a\x09b\u200bc\U000e0041\x7f"


def test_widths_are_those_of_terminal_cells():
    assert [width(text) for text in ("abc", "日本", "e\u0301", "\uff46", "ñ")] == [3, 4, 1, 2, 1]
