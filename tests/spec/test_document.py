"""The text layer: what YAML becomes, where each key and value stands, and every refusal with its exact place."""

import gc
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from autopack.problem import Problem, Span, problem
from autopack.spec.document import Document, read
from autopack.spec.header import KINDS
from autopack.spec.parser import accelerated
from autopack.spec.source import BYTES_MAX, readable

H = "autopack: playbook/v1\n"
PATH = "playbooks/a.yaml"


def good(source: str) -> Document:
    """What was read from text in which nothing is wrong; the header goes before it."""
    doc, problems = read(PATH, (H + source).encode())
    assert problems == []
    assert doc is not None
    return doc


def value(source: str) -> Any:
    """What follows `v:`, with the header before it."""
    return good(f"v: {source}").value["v"]


def cut(text: str, span: Span) -> str:
    """What stands at a span; lines as editors count them."""
    lines = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")[span.line - 1 : span.end_line]
    lines[-1] = lines[-1][: span.end_column - 1]
    return "\n".join([lines[0][span.column - 1 :], *lines[1:]] if len(lines) > 1 else [lines[0][span.column - 1 :]])


def place(text: str, span: Span) -> str:
    return f"{span.line}:{span.column} {cut(text, span)}"


def shown(found: Problem, text: str) -> list[str]:
    assert found.span is not None
    return [f"{found.code} {place(text, found.span)}", *(place(text, label.span) for label in found.labels)]


def faults(source: str | bytes) -> list[list[str]]:
    """Each finding as code, line, column and token; then its labels."""
    source = source if isinstance(source, bytes) else source.encode()
    return [shown(found, readable(source)) for found in read(PATH, source)[1]]


@pytest.fixture(params=["libyaml", "PyYAML alone"])
def either_parser(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "libyaml" and not accelerated():
        pytest.skip("this PyYAML has no libyaml")
    monkeypatch.setattr(yaml, "__with_libyaml__", request.param == "libyaml")


# --- values ---


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("yes", "yes"),
        ("no", "no"),
        ("on", "on"),
        ("Off", "Off"),
        ("y", "y"),
        ("true", True),
        ("FALSE", False),
        ("tRUE", "tRUE"),
        ("null", None),
        ("~", None),
        ("", None),
        ("nULL", "nULL"),
        ("12", 12),
        ("-12", -12),
        ("+12", 12),
        ("0", 0),
        ("5_000_000", 5_000_000),
        ("5__0", "5__0"),
        ("_5", "_5"),
        ("5_", "5_"),
        ("0x1f", 31),
        ("0X1f", "0X1f"),
        ("0o17", 15),
        ("0b1", "0b1"),
        ("9223372036854775807", 9223372036854775807),
        ("0.5", 0.5),
        (".5", 0.5),
        ("5.", 5.0),
        ("-1.5e-3", -0.0015),
        ("1e3", 1000.0),
        ("1_000.5", 1000.5),
        ("1.2.3", "1.2.3"),
        (".", "."),
        ("-", None),
        ("1:30", "1:30"),
        ("2024-07-18", "2024-07-18"),
        ("2024-07-18T10:00:00Z", "2024-07-18T10:00:00Z"),
        ("'12'", "12"),
        ('"true"', "true"),
        ("!!str 12", "12"),
        ("! 12", "12"),
        ("!!int '12'", 12),
        ("!!float 1", 1.0),
        ("!!bool true", True),
        ("!!null ''", None),
        ("=", "="),
        ("a # comment", "a"),
        ("'it''s'", "it's"),
        (r'"\u00e9\n"', "é\n"),
        ("[a, 1, [], {}]", ["a", 1, [], {}]),
        ("{a: 1, 'b': x}", {"a": 1, "b": "x"}),
        ("!!map {a: !!seq [1]}", {"a": [1]}),
        ("|\n  a\n   b\n", "a\n b\n"),
        (">-\n  a\n  b\n", "a b"),
        ("a\n  b\n\n  c", "a b\nc"),
    ],
)
@pytest.mark.usefixtures("either_parser")
def test_scalars_follow_the_core_schema_of_yaml_1_2(written: str, meant: object):
    if written == "-":
        assert good("v:\n  -\n").value["v"] == [None]
    else:
        assert value(written) == meant
        assert type(value(written)) is type(meant)


def test_keys_keep_the_order_in_which_they_are_written():
    assert list(good("b: 1\na: 2\nc: 3\n").value) == ["autopack", "b", "a", "c"]


@pytest.mark.parametrize("kind", ["project", "playbook", "tier", "phase", "ruleset", "ci", "models", "scenario"])
def test_the_header_names_kind_and_version(kind: str):
    doc, problems = read(PATH, f"autopack: {kind}/v1\n".encode())
    assert doc is not None
    assert (doc.kind, doc.version, doc.path, problems) == (kind, 1, PATH, [])


@pytest.mark.usefixtures("either_parser")
def test_a_byte_order_mark_and_windows_line_ends_change_no_value_and_no_place():
    text = "autopack: playbook/v1\r\nname: é\r\ngoal: |\r\n  a\r\n  b\r\nlast: 'x'\r\n"
    doc, problems = read(PATH, b"\xef\xbb\xbf" + text.encode())
    assert doc is not None
    assert problems == []
    assert doc.value == {"autopack": "playbook/v1", "name": "é", "goal": "a\nb\n", "last": "x"}
    assert doc.text == text
    assert doc.key_span(("autopack",)) == Span(PATH, 1, 1, 1, 9)
    assert doc.span(("name",)) == Span(PATH, 2, 7, 2, 8)
    assert doc.span(("goal",)) == Span(PATH, 3, 7, 5, 4)
    assert doc.span(("last",)) == Span(PATH, 6, 7, 6, 10)


# --- places ---

PLACES = """\
x-common: &common
  category: docs
  !!str "complexity": &c low
tiers:
  - id: T1   # the first
    phases:
    - {id: a, needs: [ b , 'c' ], goal: !!str 12}
    - id: "日本"
      <<: [*common, {ci: strict}]
      goal: >-
        two
        lines

      empty:
      none: {  }
      nothing: [ ]
      folded: one
        two
      other: *c
      set: &s !!str
        - minus
      last: *s
"""


@pytest.mark.parametrize(
    ("steps", "at", "key"),
    [
        ((), "1:1 autopack", "1:1 autopack"),
        (("autopack",), "1:11 playbook/v1", "1:1 autopack"),
        (("x-common",), "3:3 category", "2:1 x-common"),
        (("x-common", "complexity"), "4:26 low", '4:3 !!str "complexity"'),
        (("tiers",), "6:5 id", "5:1 tiers"),
        (("tiers", 0), "6:5 id", "6:5 id"),
        (("tiers", 0, "id"), "6:9 T1", "6:5 id"),
        (("tiers", 0, "phases"), "8:8 id", "7:5 phases"),
        (("tiers", 0, "phases", 0, "needs"), "8:22 [", "8:15 needs"),
        (("tiers", 0, "phases", 0, "needs", 0), "8:24 b", "8:24 b"),
        (("tiers", 0, "phases", 0, "needs", 1), "8:28 'c'", "8:28 'c'"),
        (("tiers", 0, "phases", 0, "goal"), "8:41 !!str 12", "8:35 goal"),
        (("tiers", 0, "phases", 1, "id"), '9:11 "日本"', "9:7 id"),
        (("tiers", 0, "phases", 1, "category"), "3:13 docs", "3:3 category"),
        (("tiers", 0, "phases", 1, "complexity"), "4:26 low", '4:3 !!str "complexity"'),
        (("tiers", 0, "phases", 1, "ci"), "10:26 strict", "10:22 ci"),
        (("tiers", 0, "phases", 1, "goal"), "11:13 >-\n        two\n        lines", "11:7 goal"),
        (("tiers", 0, "phases", 1, "empty"), "15:13 ", "15:7 empty"),
        (("tiers", 0, "phases", 1, "none"), "16:13 {  }", "16:7 none"),
        (("tiers", 0, "phases", 1, "nothing"), "17:16 [ ]", "17:7 nothing"),
        (("tiers", 0, "phases", 1, "folded"), "18:15 one\n        two", "18:7 folded"),
        (("tiers", 0, "phases", 1, "other"), "4:26 low", "20:7 other"),
    ],
)
@pytest.mark.usefixtures("either_parser")
def test_every_key_and_value_knows_its_exact_token(steps: tuple[str | int, ...], at: str, key: str):
    doc = good(PLACES.replace("      set: &s !!str\n        - minus\n      last: *s\n", ""))
    assert doc.has(steps)
    assert place(doc.text, doc.span(steps)) == at
    assert place(doc.text, doc.key_span(steps)) == key


@pytest.mark.usefixtures("either_parser")
def test_a_mapping_that_starts_with_a_merge_is_shown_there():
    doc = good("a: &a {k: 1}\nb:\n  <<: *a\n  l: 2\n")
    assert doc.value["b"] == {"k": 1, "l": 2}
    assert place(doc.text, doc.span(("b",))) == "4:3 <<"
    assert place(doc.text, doc.span(("b", "k"))) == "2:11 1"
    assert place(doc.text, doc.span(("b", "l"))) == "5:6 2"


@pytest.mark.parametrize("steps", [("b",), ("tiers", 1), ("tiers", "id"), ("name", 0), ("name", "x"), ("tiers", -1)])
def test_what_is_not_there_is_not_there(steps: tuple[str | int, ...]):
    doc = good("name: x\ntiers: [{id: T1}]\n")
    assert not doc.has(steps)


def test_asking_for_the_place_of_nothing_is_a_mistake():
    with pytest.raises(KeyError):
        good("name: x\n").span(("nam",))


def test_a_file_of_comments_has_a_place_too():
    doc, problems = read(PATH, b"# nothing\n")
    assert doc is not None
    assert doc.value is None
    assert doc.span(()) == Span(PATH, 1, 1, 1, 1)
    assert [found.code for found in problems] == ["AP1001"]


# --- aliases and merges ---


@pytest.mark.usefixtures("either_parser")
def test_own_keys_win_over_merged_ones_and_nearer_sources_over_farther_ones():
    doc = good("a: &a {x: 1, y: 1, z: 1}\nb: &b {y: 2, z: 2}\nc:\n  z: 3\n  <<: [*b, *a]\n")
    assert doc.value["c"] == {"x": 1, "y": 2, "z": 3}
    assert [place(doc.text, doc.span(("c", key))) for key in "xyz"] == ["2:11 1", "3:11 2", "5:6 3"]


def test_merges_of_merges_lead_to_where_the_value_was_written():
    doc = good("a: &a {x: 1}\nb: &b {<<: *a, y: 2}\nc: {<<: *b}\n")
    assert doc.value["c"] == {"x": 1, "y": 2}
    assert place(doc.text, doc.span(("c", "x"))) == "2:11 1"


def test_a_quoted_merge_key_is_an_ordinary_key():
    assert value('{"<<": 1}') == {"<<": 1}


def test_an_anchor_may_be_defined_again():
    doc = good("a: &x 1\nb: *x\nc: &x 2\nd: *x\n")
    assert (doc.value["b"], doc.value["d"]) == (1, 2)
    assert place(doc.text, doc.span(("d",))) == "4:7 2"


def test_an_alias_of_text_can_be_a_key():
    doc = good("a: &x name\n*x : 1\n")
    assert doc.value["name"] == 1
    assert place(doc.text, doc.key_span(("name",))) == "2:7 name"


# --- findings ---

MERGE_CONFLICT = """\
autopack: playbook/v1
<<<<<<< HEAD
name: a
||||||| base
name: b
=======
name: c
>>>>>>> theirs
"""

FINDINGS: list[tuple[str, str | bytes, list[list[str]]]] = [
    ("an empty file", "", [["AP1001 1:1 "]]),
    ("no header", "name: x\n", [["AP1001 1:1 name"]]),
    ("a list", "- a\n", [["AP1001 1:3 a"]]),
    ("a misspelt header", "name: x\nautopak: playbook/v1\n", [["AP1001 2:1 autopak"]]),
    ("an unknown kind", "autopack: playbok/v1\n", [["AP1002 1:11 playbok/v1"]]),
    ("a header that is a number", "autopack: 1\n", [["AP1002 1:11 1"]]),
    ("an unknown version", "autopack: 'playbook/v2'\n", [["AP1003 1:11 'playbook/v2'"]]),
    ("no version", "autopack: playbook\n", [["AP1003 1:11 playbook"]]),
    ("two documents", f"{H}---\nname: x\n", [["AP1004 2:1 ---", "1:1 autopack"]]),
    ("a second document that is empty", f"{H}---\n", [["AP1004 2:1 ---", "1:1 autopack"]]),
    ("a duplicate key", f"{H}name: x\nb: 1\n'name': y\n", [["AP1005 4:1 'name'", "2:1 name"]]),
    (
        "a key three times",
        f"{H}m: {{a: 1, b: 2, a: 3, a: 4}}\n",
        [["AP1005 2:17 a", "2:5 a"], ["AP1005 2:23 a", "2:5 a"]],
    ),
    ("two merges in one mapping", f"{H}a: &a {{}}\nb: {{<<: *a, <<: *a}}\n", [["AP1005 3:13 <<", "3:5 <<"]]),
    ("a custom tag", f"{H}name: !include  x.yaml\n", [["AP1006 2:7 !include"]]),
    (
        "a custom tag on a mapping",
        f"{H}name: &a !Ref {{a: *b}}\nb: [&b 1, *a]\n",
        [["AP1006 2:10 !Ref"], ["AP1019 2:19 *b"]],
    ),
    (
        "a tag that runs code",
        f'{H}name: !!python/object/apply:os.system ["ls"]\n',
        [["AP1006 2:7 !!python/object/apply:os.system"]],
    ),
    ("a tag of YAML 1.1", f"{H}name: !!timestamp 2024-01-01\n", [["AP1006 2:7 !!timestamp"]]),
    ("a tag without its handle", f"{H}name: !a!b x\n", [["AP1006 2:7 !a!b"]]),
    ("an alias inside its anchor", f"{H}a: &a\n  b: [*a]\n", [["AP1007 3:7 *a", "2:4 &a"]]),
    ("a tab as indentation", f"{H}a:\n\t\tb: 1\n", [["AP1009 3:1 \t\t"]]),
    ("a tab in a text over two lines", f"{H}a: b\n\tc\n", [["AP1009 3:1 \t"]]),
    ("a tab in a block of text", f"{H}a: |\n\tb\n", [["AP1009 3:1 \t"]]),
    (
        "a merge conflict",
        MERGE_CONFLICT,
        [["AP1010 2:1 <<<<<<< HEAD", "4:1 ||||||| base", "6:1 =======", "8:1 >>>>>>> theirs"]],
    ),
    (
        "a merge conflict with CRLF",
        MERGE_CONFLICT.replace("\n", "\r\n"),
        [["AP1010 2:1 <<<<<<< HEAD", "4:1 ||||||| base", "6:1 =======", "8:1 >>>>>>> theirs"]],
    ),
    ("NUL", f"{H}a: é\0\0\n", [["AP1011 2:5 \0"]]),
    ("Latin 1", f"{H}a: é ".encode() + b"\xe9\n", [["AP1012 2:6 \ufffd"]]),
    ("UTF-16", H.encode("utf-16"), [["AP1012 1:1 \ufffd"]]),
    ("Latin 1 behind a byte order mark", b"\xef\xbb\xbfa: \xe9\n", [["AP1012 1:4 \ufffd"]]),
    ("a hundred and one brackets", f"{H}a: {'[' * 99}{'{a: 1'}{'}'}{']' * 99}\n", [["AP1014 2:103 {"]]),
    ("20,000 brackets", f"{H}a: {'[' * 20_000}", [["AP1014 2:103 ["]]),
    ("a colon in text", f"{H}goal: add this: that\n", [["AP1015 2:15 :"]]),
    ("a line without a colon", f"{H}a: 1\nb\nc: 2\n", [["AP1015 3:1 b"]]),
    ("text that starts with @", f"{H}a: @b\n", [["AP1015 2:4 @b"]]),
    ("a list on the line of its key", f"{H}a: - b\n", [["AP1015 2:4 -"]]),
    ("quotes left open", f"{H}a: 'b\nc: 1\n", [["AP1015 2:4 'b"]]),
    ("double quotes left open", f'{H}a: "b\n', [['AP1015 2:4 "b']]),
    ("a bracket left open", f"{H}a: [b, c\n", [["AP1015 2:4 ["]]),
    ("a number sign in a text", f"{H}a: Mend #12 now\nb: 6 #7\nc: 'd' #8\n", [["AP1027 2:9 #12 now"]]),
    ("curly quotes", f"{H}a: \u201cb\u201d\nc: '\u201cd\u201d'\n", [["AP1028 2:4 \u201cb\u201d"]]),
    ("an item too deep", f"{H}a:\n  - b\n    - c\n  - d - e\n", [["AP1029 4:5 - c", "3:5 b"]]),
    ("a brace left open, more keys", f"{H}a: {{b: c\nd: 1\n", [["AP1015 2:4 {"]]),
    ("a bracket too many", f"{H}a: [b]]\n", [["AP1015 2:7 ]", "1:1 a"]]),
    ("text behind quotes", f"{H}a: 'it's'\n", [["AP1015 2:8 s'", "1:1 a"]]),
    ("an indentation that fits nothing", f"{H}a:\n    b: 1\n  c: 2\n", [["AP1015 4:3 c", "1:1 a"]]),
    ("an item that fits nothing", f"{H}a:\n  - b\n  c\n", [["AP1015 4:3 c"]]),
    ("a name behind the asterisk missing", f"{H}a: * b\n", [["AP1015 2:4 *"]]),
    ("an unknown escape", f'{H}a: "\\d"\n', [['AP1015 2:5 \\d"']]),
    ("text behind a bar", f"{H}a: | b\n", [["AP1015 2:6 b"]]),
    ("a value that is missing", f"{H}a: [b, , c]\n", [["AP1015 2:8 ,"]]),
    ("a directive", "%FOO bar\n---\nautopack: playbook/v1\n", [["AP1015 1:1 %FOO"]]),
    ("text behind the end", f"{H}...\na: 1\n", [["AP1015 3:1 a"]]),
    ("an unused anchor", f"{H}a: &one [&two 1, *two]\n", [["AP1016 2:4 &one"]]),
    ("an unused anchor behind a tag", f"{H}a: !!str &one 1\n", [["AP1016 2:10 &one"]]),
    ("a leading zero", f"{H}a: [012, -07, 0]\n", [["AP1017 2:5 012"], ["AP1017 2:10 -07"]]),
    ("a key that is a number", f"{H}1: a\n", [["AP1018 2:1 1"]]),
    ("a key with a leading zero", f"{H}07: a\n", [["AP1018 2:1 07"]]),
    ("a key that is a boolean", f"{H}m: {{true: a}}\n", [["AP1018 2:5 true"]]),
    ("an empty key", f"{H}? # nothing\n: a\n", [["AP1018 2:2 "]]),
    ("a key that is an empty mapping", f"{H}m: {{!!map # \u2028{{}}}}\n", [["AP1018 2:14 {}"]]),
    ("a key that is a list", f"{H}? [a, b]\n: c\n", [["AP1018 2:3 ["]]),
    ("a template without quotes", f"{H}a: {{{{ inputs.b }}}}\n", [["AP1018 2:4 {{ inputs.b }}"]]),
    ("a template without quotes before text", f"{H}a: {{{{ inputs.b }}}} c\n", [["AP1015 2:19 c", "1:1 a"]]),
    ("an unknown alias", f"{H}a: &one 1\nb: *onne\n", [["AP1019 3:4 *onne"]]),
    ("a merge of a list of text", f"{H}a:\n  <<: [{{b: 1}}, c]\n", [["AP1020 3:16 c"]]),
    ("a merge of text", f"{H}a:\n  <<: b\n", [["AP1020 3:7 b"]]),
    ("a merge of an alias of text", f"{H}x: &x 1\na:\n  <<: *x\n", [["AP1020 2:7 1"]]),
    (
        "a text that swallowed keys",
        f"{H}goal: |\n  Do it.\n  scope:\n    write: [a]\n  tags: [b]\n",
        [["AP1021 4:3 scope", "2:7 |"]],
    ),
    ("infinity", f"{H}a: [.inf, -.INF, .nan]\n", [["AP1022 2:5 .inf"], ["AP1022 2:11 -.INF"], ["AP1022 2:18 .nan"]]),
    ("too large a float", f"{H}a: 1e999\n", [["AP1022 2:4 1e999"]]),
    ("too large a number", f"{H}a: 9223372036854775808\n", [["AP1022 2:4 9223372036854775808"]]),
    ("a number of many digits", f"{H}a: {'9' * 5000}\n", [[f"AP1022 2:4 {'9' * 5000}"]]),
    ("text with the tag of a number", f"{H}a: !!int x\n", [["AP1023 2:4 !!int x"]]),
    ("a number with the tag of a boolean", f"{H}a: !!bool 1\n", [["AP1023 2:4 !!bool 1"]]),
    ("a list with the tag of text", f"{H}a: !!str [b]\n", [["AP1023 2:4 !!str"]]),
    ("a control character", f"{H}a: b\x07\n", [["AP1025 2:5 \x07"]]),
    ("a second byte order mark", b"\xef\xbb\xbf\xef\xbb\xbfa: 1\n", [["AP1025 1:1 \ufeff"]]),
    ("a template of a number", f"{H}a: {{{{ 1 }}}}\n", [["AP1018 2:4 {{ 1 }}"]]),
    ("a template of an unknown alias", f"{H}a: {{{{ *b }}}}\n", [["AP1018 2:4 {{ *b }}"], ["AP1019 2:7 *b"]]),
    ("an alias above its anchor", f"{H}a: *b\nb: &b 1\n", [["AP1019 2:4 *b"]]),
    (
        "several faults at once",
        f"{H}a: 012\nb: &b !c d\na: 1\n",
        [
            ["AP1017 2:4 012"],
            ["AP1016 3:4 &b"],
            ["AP1006 3:7 !c"],
            ["AP1005 4:1 a", "2:1 a"],
        ],
    ),
]


@pytest.mark.parametrize(("source", "expected"), [row[1:] for row in FINDINGS], ids=[row[0] for row in FINDINGS])
def test_a_fault_is_reported_once_at_its_exact_token(source: str | bytes, expected: list[list[str]]):
    assert faults(source) == expected


# Where PyYAML alone gives up elsewhere, or reads what libyaml refuses.
ONLY_LIBYAML = {"a directive", "an unknown escape"}


@pytest.mark.parametrize(
    ("source", "expected"),
    [row[1:] for row in FINDINGS if row[0] not in ONLY_LIBYAML],
    ids=[row[0] for row in FINDINGS if row[0] not in ONLY_LIBYAML],
)
def test_without_libyaml_the_same_is_reported(
    source: str | bytes, expected: list[list[str]], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert not accelerated()
    assert faults(source) == expected


def test_without_libyaml_half_a_character_is_refused_too(monkeypatch: pytest.MonkeyPatch):
    source = f'{H}a: "\\ud800"\n'
    assert [found.code for found in read(PATH, source.encode())[1]] == ["AP1015"]
    monkeypatch.setattr(yaml, "__with_libyaml__", False)
    assert [found.code for found in read(PATH, source.encode())[1]] == ["AP1015"]


def test_every_code_of_the_text_layer_is_shown_by_a_test():
    elsewhere = {"AP1008", "AP1013", "AP1024", "AP1026"}  # they need large files, below
    shown_here = {finding[0][:6] for _, _, findings in FINDINGS for finding in findings}
    assert shown_here | elsewhere == {code for code in document_codes() if code.startswith("AP1")}


def document_codes() -> set[str]:
    from autopack.problem import CODES  # noqa: PLC0415

    return set(CODES)


def words(source: str) -> tuple[str, str | None]:
    (found,) = read(PATH, source.encode())[1]
    return found.message, found.help


@pytest.mark.parametrize(
    ("source", "message", "help_"),
    [
        (
            "tiers: []\n",
            "no header: the file does not say what it is",
            f"start the file with `autopack: playbook/v1` (kinds: {', '.join(KINDS)})",
        ),
        ("autopak: ci/v1\n", 'no header: the key is "autopak", not "autopack"', "write `autopack: ci/v1`"),
        ("autopack: playbok/v1\n", 'unknown kind "playbok"', "write `playbook/v1`"),
        ("autopack: ci/v2\n", 'unknown version "v2" of ci', "write `ci/v1`, the only version so far"),
        (f"{H}a: &one 1\nb: *onne\n", "no anchor &onne above this alias", "did you mean *one?"),
        (f"{H}a: 012\n", "012 is read as 12: a leading zero", 'write 12, or "012" if the zeros belong to it'),
        (f"{H}1: a\n", "a key must be a string: 1 is a number to YAML", 'write "1" in quotes'),
        (
            f"{H}a: {{{{ b }}}}\n",
            "a template without quotes, which YAML reads as a mapping inside a mapping",
            'put it in quotes: "{{ b }}"',
        ),
        (
            f"{H}a: {{{{ b }}}} c\n",
            "text behind a template without quotes",
            'put the whole text in quotes: "{{ ... }} ..."',
        ),
        (f"{H}a: 'it's'\n", "text behind the closing quote", "put it inside the quotes; write a quote inside twice"),
        (f"{H}a: @b\n", 'plain text cannot start with "@"', "put the text in quotes"),
        (
            f"{H}goal: |\n  a\n  tags: [b]\n",
            'this line is text of "goal", not the key "tags"',
            'indent it like "goal" if it is a key',
        ),
    ],
)
def test_a_finding_says_what_to_do_about_it(source: str, message: str, help_: str):
    assert words(source) == (message, help_)


def test_a_text_that_only_mentions_keys_is_left_alone():
    good("goal: |\n  Note: the scope: is small.\n  nothing: else\n    tags: no\n")


def test_a_text_may_have_lines_like_keys_that_are_there():
    good("goal: |\n  scope: small\nscope: a\n")


def test_what_is_said_about_a_long_token_stays_short():
    message, help_ = words(f"{H}a: !{'x' * 5000} y\n")
    assert len(message) < 250
    assert help_ is not None
    assert len(help_) < 250


@pytest.mark.parametrize(
    ("source", "given_value"),
    [
        (f"{H}a: 1\na: 2\n", {"autopack": "playbook/v1", "a": 2}),
        (f"{H}a: !x y\n", {"autopack": "playbook/v1", "a": "y"}),
        (f"{H}12: a\n", {"autopack": "playbook/v1", "12": "a"}),
        (f"{H}? [a]\n: b\n", {"autopack": "playbook/v1"}),
        (f"{H}a: {{{{ b.c }}}}\n", {"autopack": "playbook/v1", "a": "{{ b.c }}"}),
        (f"{H}a: .inf\n", {"autopack": "playbook/v1", "a": 1}),
        (f"{H}---\nb: 1\n", {"autopack": "playbook/v1"}),
        ("a: 1\n", {"a": 1}),
    ],
)
def test_where_the_meaning_is_certain_later_checks_get_a_document(source: str, given_value: object):
    doc, problems = read(PATH, source.encode())
    assert problems
    assert doc is not None
    assert doc.value == given_value
    assert (doc.kind is None) == ("autopack" not in doc.value)


def test_a_key_that_is_no_string_does_not_move_the_places_of_the_others():
    doc, _ = read(PATH, f"{H}a: {{x: 1, [b]: 2, {{{{ c }}}}: 3, 12: 4, y: [5]}}\n".encode())
    assert doc is not None
    assert doc.value["a"] == {"x": 1, "{{ c }}": 3, "12": 4, "y": [5]}
    assert [place(doc.text, doc.span(("a", key))) for key in ("x", "12", "y")] == ["2:8 1", "2:35 4", "2:41 ["]


@pytest.mark.parametrize("source", [f"{H}a: *b\n", f"{H}a: &a [*a]\n", f"{H}a: [\n", f"{H}a: \0\n", "a: \xff\n"])
def test_where_it_is_not_there_is_none(source: str):
    assert read(PATH, source.encode("latin-1"))[0] is None


# --- limits ---


def test_a_file_over_the_size_limit_is_not_read():
    doc, problems = read(PATH, H.encode() + b"#" * (60 * 1024 * 1024))
    message = "the file has more than 10,485,760 bytes"
    assert doc is None
    assert problems == [
        problem(
            "AP1013",
            message,
            Span(PATH, 1, 1, 1, 1),
            (),
            "split it: a playbook takes tiers and phases from other files with `uses:`",
        )
    ]


def test_a_file_at_the_size_limit_is_read():
    source = H.encode()
    doc, problems = read(PATH, source + b"#" * (BYTES_MAX - len(source)))
    assert doc is not None
    assert problems == []


def test_aliases_that_stand_for_billions_of_values_are_refused():
    rows = ["x0: &x0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    rows += [f"x{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 9)}]" for n in range(1, 20)]
    ((first, *labels),) = faults(H + "\n".join(rows) + "\n")
    assert first == "AP1008 8:20 *x5"
    assert labels == ["7:5 &x5"]


def test_merges_that_stand_for_too_much_are_refused():
    keys = ", ".join(f"k{n}: {n}" for n in range(10_000))
    (finding,) = faults(f"{H}a: &a {{{keys}}}\nb: [{'{<<: *a}, ' * 1000}]\n")
    assert finding[0].startswith("AP1026 3:")


def test_depth_counts_through_aliases():
    rows = ["x0: &x0 [a]", *(f"x{n}: &x{n} [*x{n - 1}]" for n in range(1, 98))]
    doc, problems = read(PATH, (H + "\n".join(rows) + "\nlast: *x97\n").encode())
    assert doc is not None
    assert problems == []
    ((first, *_),) = faults(H + "\n".join([*rows, "x98: &x98 [*x97]", "x99: [*x98]"]) + "\n")
    assert first == "AP1014 101:7 *x98"


def test_a_thousand_findings_are_enough():
    doc, problems = read(PATH, (H + "a: 1\n" * 5000).encode())
    assert doc is None
    assert [found.code for found in problems] == ["AP1005"] * 1000 + ["AP1024"]
    assert problems[-1].span == Span(PATH, 1003, 1, 1003, 2)


def test_more_unused_anchors_than_are_listed_are_a_finding_too():
    assert len(faults(f"{H}a: [{'&a b, ' * 5000}]\n")) == 1001


def test_more_merge_conflicts_than_are_listed_end_quickly():
    assert len(read(PATH, b"<<<<<<< a\n" * 100_000)[1]) == 1000


def test_unknown_aliases_among_very_many_anchors_are_told_quickly():
    anchors = "".join(f"&anchor{n} x, " for n in range(20_000))
    aliases = "".join(f"*anchr{n}, " for n in range(500))
    _, problems = read(PATH, f"{H}a: [{anchors}{aliases}]\n".encode())
    assert len(problems) == 1001


def test_a_quoted_text_of_many_megabytes_has_a_place():
    doc = good(f"v: \"{'é' * 2_000_000}\"\nw: '{'x' * 2_000_000}'\n")
    assert doc.span(("v",)) == Span(PATH, 2, 4, 2, 2_000_006)
    assert doc.span(("w",)) == Span(PATH, 3, 4, 3, 2_000_006)


@pytest.mark.parametrize("collecting", [True, False])
def test_garbage_collection_is_left_as_it_was(collecting: bool):
    before = gc.isenabled()
    try:
        (gc.enable if collecting else gc.disable)()
        read(PATH, b"a: [1, 2]\n")
        read(PATH, b"a: [")
        assert gc.isenabled() is collecting
    finally:
        (gc.enable if before else gc.disable)()


# --- for every text ---

PLAIN_WORDS = st.text("abcxyzé日\U0001f600 -:#,'\"", max_size=20)
KEYS = st.text("abcxyzé日\U0001f600", min_size=1, max_size=8)
SCALARS = st.one_of(
    PLAIN_WORDS,
    st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), max_size=20).filter(
        lambda text: not text[:1].isdecimal()
    ),
    st.lists(PLAIN_WORDS, max_size=3).map("\n".join),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    st.booleans(),
    st.none(),
)
DATA = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4), max_leaves=15
)
STYLES = st.fixed_dictionaries(
    {
        "default_flow_style": st.sampled_from([True, False, None]),
        "default_style": st.sampled_from([None, '"', "'", "|", ">"]),
        "allow_unicode": st.booleans(),
        "width": st.sampled_from([20, 80]),
        "indent": st.integers(2, 6),
        "line_break": st.sampled_from(["\n", "\r\n"]),
    }
)


class Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _: object) -> bool:
        return True


def tokens(
    node: yaml.Node, steps: tuple[str | int, ...], text: str
) -> Iterator[tuple[tuple[str | int, ...], str, str]]:
    """Every scalar as PyYAML's composer marks it: steps, `key` or `value`, token."""
    match node:
        case yaml.ScalarNode():
            yield steps, "value", text[node.start_mark.index : node.end_mark.index].rstrip(" \r\n")
        case yaml.SequenceNode(value=items):
            for index, item in enumerate(items):
                yield from tokens(item, (*steps, index), text)
        case yaml.MappingNode(value=pairs):
            for key, item in pairs:
                yield (*steps, key.value), "key", text[key.start_mark.index : key.end_mark.index].rstrip(" \r\n")
                yield from tokens(item, (*steps, key.value), text)


def offsets(text: str) -> Callable[[int, int], int]:
    starts = [0]
    for index, (char, after) in enumerate(pairwise(text + " ")):
        if char == "\n" or (char == "\r" and after != "\n"):
            starts.append(index + 1)
    return lambda line, column: starts[line - 1] + column - 1


@settings(max_examples=150, deadline=None)
@given(data=st.dictionaries(KEYS, DATA, max_size=5), style=STYLES, with_libyaml=st.booleans())
def test_what_a_dump_wrote_is_read_back_and_every_scalar_is_found_in_the_text(
    data: dict[str, object],
    style: dict[str, Any],
    with_libyaml: bool,
):
    text = yaml.dump({"autopack": "playbook/v1", **data}, Dumper=Dumper, sort_keys=False, **style)
    assume(yaml.safe_load(text) == {"autopack": "playbook/v1", **data})  # PyYAML breaks some lines in the wrong place
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", with_libyaml and accelerated())
        doc, problems = read(PATH, text.encode())
    assert [found for found in problems if found.severity == "error"] == []
    assert doc is not None
    assert doc.value == {"autopack": "playbook/v1", **data}
    offset = offsets(text)
    for steps, what, token in tokens(yaml.compose(text, Loader=yaml.SafeLoader), (), text):
        span = doc.key_span(steps) if what == "key" else doc.span(steps)
        start, end = offset(span.line, span.column), offset(span.end_line, span.end_column)
        assert text[start:end] == token, (steps, what)


YAML_BITS = [
    *("a", "b: ", "- ", "\n", "\n  ", "\n    ", "[", "]", "{", "}", ", ", ": ", "&x ", "*x", "<<: ", "!!str ", "!t "),
    *("'", '"', "|\n", ">-\n", "#", " ", "\t", "012", "1", "? ", "---\n", "...\n", "%", "\r\n", "é", "\u2028"),
    *("{{", "}}", "~", "tags: "),
]
YAML_SOUP = st.lists(st.sampled_from(YAML_BITS), max_size=40).map("".join)


@settings(max_examples=500, deadline=None)
@given(source=YAML_SOUP.map(str.encode) | st.binary(max_size=60), with_libyaml=st.booleans())
def test_no_text_breaks_the_reader_and_all_it_reports_lies_in_the_text(source: bytes, with_libyaml: bool):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(yaml, "__with_libyaml__", with_libyaml and accelerated())
        doc, problems = read(PATH, source)
    lines = readable(source).replace("\r\n", "\n").replace("\r", "\n").split("\n")
    spans = [found.span for found in problems] + [label.span for found in problems for label in found.labels]
    if doc is not None:
        spans += [span for steps in every(doc.value, ()) for span in (doc.span(steps), doc.key_span(steps))]
    for span in spans:
        assert span is not None
        assert (span.line, span.column) <= (span.end_line, span.end_column)
        assert 1 <= span.line <= span.end_line <= len(lines)
        assert 1 <= span.end_column <= len(lines[span.end_line - 1]) + 1


def every(node: object, steps: tuple[str | int, ...]) -> Iterator[tuple[str | int, ...]]:
    yield steps
    items = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for step, item in items:
        yield from every(item, (*steps, step))


def test_the_table_of_kinds_is_the_one_of_the_language():
    assert KINDS == ("project", "playbook", "tier", "phase", "ruleset", "ci", "models", "scenario")
