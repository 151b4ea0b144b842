"""The gate: what may not become a commit is named by kind, place and reason; the merely suspicious goes on record."""

import threading
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.runners.edit import Applied, Change, Edit, Hunk
from autopack.runners.facts import BuilderFacts
from autopack.runners.gate import GateFinding, GateRules, Limits, check
from autopack.runners.reply import Reply
from autopack.runners.touched import changed_lines

RULES = GateRules(
    write=("**",),
    protected=(".git/**", ".github/**", "autopack.yaml"),
    allow=frozenset(),
    allowed_protected=(),
    limits=Limits(files=20, changed_lines=800, file_bytes=1_000_000, shrink=0.6, growth=3.0),
    deliverables=(),
    present=frozenset(),
)
NOTHING_SAID = Reply(())
Files = Mapping[str, str | bytes | None]


def gate(
    before: Files,
    after: Files,
    *,
    rules: GateRules = RULES,
    reply: Reply = NOTHING_SAID,
    renamed: Mapping[str, str] | None = None,
) -> tuple[GateFinding, ...]:
    """`after` holds what the patch touches; `renamed` leads from new names to old ones."""
    old = {path: _bytes(text) for path, text in before.items()}
    changes = {path: Change(_bytes(text), (renamed or {}).get(path)) for path, text in after.items()}
    changes |= {path: Change(None) for path in (renamed or {}).values()}
    there = frozenset(path for path, text in old.items() if text is not None)
    return check(old, Applied(changes), reply, replace(rules, present=rules.present | there))


def _bytes(text: str | bytes | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text


def kinds(found: Iterable[GateFinding], severity: str = "block") -> list[str]:
    return [finding.kind for finding in found if finding.severity == severity]


def lines(count: int, start: int = 0) -> str:
    return "".join(f"value_{at} = {at}\n" for at in range(start, start + count))


def test_an_ordinary_patch_passes():
    assert gate({"a.py": "x = 1\n"}, {"a.py": "x = 2\n", "tests/test_a.py": "def test_a():\n    assert True\n"}) == ()


# --- paths and scope ---


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("../x.py", "this path leaves its folder with `..`"),
        ("/etc/passwd", "this path is absolute"),
        (".git/hooks/post-commit", "this path enters `.git`"),
        (".GIT/config", "this path enters `.git`"),
        (".git /config", "this path enters `.git`"),
        ("git~1/config", "this path enters `.git`"),
        ("src/../../x", "this path leaves its folder"),
        ("a\0.py", "this path holds a control or invisible character"),
        ("a\u202e.py", "this path holds a control or invisible character"),
        ("src\\a.py", "this path holds a backslash"),
        ("", "this path is empty"),
        ("src/aux.py", "this path uses a name that Windows reserves (aux.py)"),
        ("src/a.py ", "this path has a segment that starts with a space or ends"),
    ],
)
def test_a_path_that_leads_elsewhere_is_out_of_scope_whatever_the_scope_is(path: str, words: str):
    (found,) = gate({}, {path: "x\n"})
    assert (found.kind, found.severity, found.path) == ("scope", "block", path)
    assert words in found.message


def test_a_name_that_does_not_travel_may_be_edited_where_it_is_there_already():
    assert gate({"src/aux.c": "int x;\n"}, {"src/aux.c": "int y;\n"}) == ()


def test_only_the_phases_scope_may_be_written():
    rules = replace(RULES, write=("src/limiter/**", "tests/test_bucket.py"))
    assert gate({}, {"src/limiter/a.py": "x = 1\n", "tests/test_bucket.py": "x = 1\n"}, rules=rules) == ()
    (found,) = gate({}, {"src/other.py": "x = 1\n"}, rules=rules)
    assert found == GateFinding(
        "scope", "block", "src/other.py", 0, "outside the phase's scope, which is src/limiter/**, tests/test_bucket.py"
    )


def test_both_ends_of_a_rename_and_a_deleted_file_must_be_in_scope():
    rules = replace(RULES, write=("src/**",))
    found = gate({"a.py": "x\n"}, {"src/a.py": "x\n"}, renamed={"src/a.py": "a.py"}, rules=rules)
    assert [(one.kind, one.path) for one in found] == [("scope", "a.py")]
    assert kinds(gate({"a.py": "x\n"}, {"a.py": None}, rules=rules)) == ["scope"]


def test_protected_paths_need_a_grant_whatever_their_case():
    """REQ-2.1-2."""
    for path in (".github/workflows/ci.yml", ".GitHub/workflows/x.yml", "Autopack.yaml"):
        assert "protected" in kinds(gate({}, {path: "x: 1\n"}))
    granted = replace(RULES, allowed_protected=("autopack.yaml",))
    assert kinds(gate({}, {"autopack.yaml": "x: 1\n"}, rules=granted)) == []


def test_files_that_hold_credentials_are_protected_by_name():
    assert kinds(gate({}, {".env": "A=1\n"})) == ["protected"]
    assert kinds(gate({}, {"certs/key.pem": "x\n"})) == ["protected"]
    assert kinds(gate({}, {".env": "A=1\n"}, rules=replace(RULES, allowed_protected=(".env",)))) == []


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("readme.md", "readme.md differs from README.md only in case"),
        ("SRC/b.py", "SRC differs from src only in case"),
        ("src/a.py/b.py", "src/a.py is a file, so nothing can be inside it"),
        ("cafe\u0301.py", "differs from café.py only in case or in how its characters are written"),
    ],
)
def test_look_alikes_of_what_is_there_are_refused(path: str, words: str):
    rules = replace(RULES, present=frozenset({"README.md", "src/a.py", "café.py"}))
    (found,) = gate({}, {path: "x = 1\n"}, rules=rules)
    assert (found.kind, words in found.message) == ("scope", True)


def test_two_new_files_may_not_be_look_alikes_either():
    assert kinds(gate({}, {"a.py": "x = 1\n", "A.py": "x = 1\n"})) == ["scope", "scope"]


def test_a_file_may_change_the_case_of_its_name():
    assert gate({"README.md": "x\n"}, {"readme.md": "x\n"}, renamed={"readme.md": "README.md"}) == ()


# --- damage ---


@pytest.mark.parametrize(
    "line",
    [
        "# ... rest of the code ...",
        "# ... existing code ...",
        "    # ... (rest of the file unchanged)",
        "// ... existing code here",
        "/* ... rest of implementation ... */",
        "<!-- ... rest of the document ... -->",
        "# rest of code",
        "# rest of the function",
        "# The rest of the file remains the same",
        "# existing imports here",
        "# Other methods remain unchanged",
        "# (unchanged)",
        "... (rest of the file)",
        "… remaining code …",
        "-- ... previous definitions ...",
        'KEY = "[redacted: credential]"',
    ],
)
def test_a_placeholder_is_not_code(line: str):
    (found, *_) = [one for one in gate({}, {"a.txt2": f"x\n{line}\n"}) if one.kind == "placeholder"]
    assert (found.severity, found.line) == ("block", 2)


@pytest.mark.parametrize(
    "line",
    [
        "# The rest of the arguments are passed on.",
        "# existing code paths call this twice",
        "# Remaining lines are read lazily by the caller",
        "x = ...",
        "...",
        "    ...",
        "# same as in the other module",
        "# other functions of this kind are in b.py",
        "print('... rest')",
        "# here the code starts",
        "# ...",
    ],
)
def test_a_comment_that_says_something_is_no_placeholder(line: str):
    assert gate({}, {"a.rb": f"{line}\n"}) == ()


def test_a_placeholder_that_was_there_before_or_is_allowed_is_no_finding():
    old = "# ... existing code ...\nx = 1\n"
    assert gate({"a.py": old}, {"a.py": old + "y = 2\n"}) == ()
    assert gate({}, {"a.py": old}, rules=replace(RULES, allow=frozenset({"placeholder"}))) == ()


def test_dots_alone_stand_for_code_where_a_file_got_shorter():
    old = "def f():\n" + "".join(f"    x{at} = {at}\n" for at in range(5))
    assert kinds(gate({"a.py": old}, {"a.py": "def f():\n    # ...\n    x4 = 4\n"})) == ["placeholder"]


def test_in_prose_a_placeholder_is_only_noted():
    found = gate({}, {"docs/a.md": "# ... existing code ...\n"})
    assert [(one.kind, one.severity) for one in found] == [("placeholder", "minor")]


@pytest.mark.parametrize("line", ["<<<<<<< HEAD", ">>>>>>> theirs", "||||||| base", "<<<<<<< SEARCH", ">>>>> REPLACE"])
def test_markers_of_conflicts_and_edits_are_no_content(line: str):
    (found,) = gate({}, {"a.txt": f"{line}\n"})
    assert (found.kind, found.line) == ("conflict_marker", 1)


def test_an_underline_is_no_conflict_marker():
    assert gate({}, {"a.rst": "Heading\n=======\n"}) == ()


def test_a_file_that_loses_most_of_itself_is_refused_unless_that_is_allowed():
    found = gate({"a.txt": lines(100)}, {"a.txt": lines(30)})
    assert kinds(found) == ["shrink"]
    assert found[0].message == "loses 71% of its 1,380 bytes, at most 60% are allowed: was the rest left out?"
    assert gate({"a.txt": lines(100)}, {"a.txt": lines(50)}) == ()
    assert gate({"a.txt": lines(100)}, {"a.txt": None}) == ()
    assert gate({"a.txt": lines(5)}, {"a.txt": "x\n"}) == ()
    assert (
        gate({"a.txt": lines(100)}, {"a.txt": lines(30)}, rules=replace(RULES, allow=frozenset({"large_deletion"})))
        == ()
    )


def test_a_file_that_grows_beyond_measure_is_refused_unless_that_is_allowed():
    found = gate({"a.txt": lines(20)}, {"a.txt": lines(80)})
    assert kinds(found) == ["growth"]
    assert gate({"a.txt": lines(20)}, {"a.txt": lines(50)}) == ()
    assert gate({"a.txt": lines(5)}, {"a.txt": lines(80)}) == ()
    assert gate({"a.txt": lines(20)}, {"a.txt": lines(80)}, rules=replace(RULES, allow=frozenset({"growth"}))) == ()


def test_a_patch_that_changes_nothing_is_refused_unless_that_is_allowed():
    assert kinds(gate({"a.py": "x\n"}, {"a.py": "x\n"})) == ["no_op"]
    assert kinds(gate({}, {})) == ["no_op"]
    assert gate({}, {}, rules=replace(RULES, allow=frozenset({"empty_patch"}))) == ()


TWO = "def keep():\n    pass\n\n\nclass C:\n    def lost(self):\n        pass\n\n    def kept(self):\n        pass\n"
ONE = "def keep():\n    pass\n\n\nclass C:\n    def kept(self):\n        pass\n"


def test_a_function_that_vanishes_unsaid_is_refused():
    (found,) = gate({"a.py": TWO}, {"a.py": ONE})
    assert (found.kind, found.message) == (
        "symbol_gone",
        "C.lost is gone and nothing says it was meant to be: keep it, or name it in your explanation",
    )


@pytest.mark.parametrize(
    "reply",
    [
        Reply((Edit("a.py", "replace", (Hunk("    def lost(self):\n        pass\n", ""),)),)),
        Reply((), prose="I removed `lost`, nobody calls it."),
        Reply((), BuilderFacts(summary="drops C.lost")),
    ],
    ids=["search half", "prose", "facts"],
)
def test_a_function_may_go_where_it_is_named(reply: Reply):
    assert gate({"a.py": TWO}, {"a.py": ONE}, reply=reply) == ()


def test_a_function_may_move_to_another_file_or_go_with_its_file():
    assert gate({"a.py": TWO}, {"a.py": ONE, "b.py": "def lost(self):\n    pass\n"}) == ()
    assert gate({"a.py": TWO}, {"a.py": None}) == ()


def test_symbols_of_other_languages_count_as_well():
    old = "export async function lost() {}\nexport class Kept {}\nfunc (s *S) Gone() {}\n"
    found = gate({"a.ts": old}, {"a.ts": "export class Kept {}\n"})
    assert [one.message.partition(" ")[0] for one in found] == ["lost", "Gone"]


def test_a_second_definition_of_one_name_is_refused():
    old = "def f():\n    return 1\n"
    (found,) = gate({"a.py": old}, {"a.py": old + "\n\ndef f():\n    return 2\n"})
    assert (found.kind, found.line, found.message) == ("duplicate_definition", 5, "f is defined again here")
    (found,) = gate({}, {"a.py": "class C:\n    def f(self): ...\n    def f(self): ...\n"})
    assert found.message == "C.f is defined again here"


def test_definitions_that_may_stand_several_times_are_fine():
    text = (
        "import typing\n\n@typing.overload\ndef f(x: int): ...\n@typing.overload\ndef f(x: str): ...\ndef f(x): ...\n"
        "class C:\n    @property\n    def p(self): ...\n    @p.setter\n    def p(self, v): ...\n"
        "if typing.TYPE_CHECKING:\n    def g(): ...\nelse:\n    def g(): ...\ndef _(): ...\ndef _(): ...\n"
    )
    assert gate({}, {"a.py": text}) == ()
    twice = "def f(): ...\ndef f(): ...\n"
    assert gate({"a.py": twice}, {"a.py": twice + "x = 1\n"}) == ()


# --- files that parsed still parse ---


@pytest.mark.parametrize(
    ("path", "good", "bad", "line"),
    [
        ("a.py", "x = 1\n", "x = 1\ny = (\n", 2),
        ("a.json", '{"a": 1}\n', '{"a": 1,}\n', 1),
        ("a.toml", "a = 1\n", "a = 1\nb =\n", 2),
        ("a.yaml", "a: 1\n", "a: 1\nb: [1\n", 2),
        ("a.yml", "a: 1\n", "a: b: c\n", 1),
    ],
)
def test_a_file_that_parsed_must_still_parse(path: str, good: str, bad: str, line: int):
    (found,) = gate({path: good}, {path: bad})
    assert (found.kind, found.severity, found.line) == ("syntax", "block", line)
    assert found.message.startswith("doesn't parse any more: ")
    assert gate({path: bad}, {path: bad + bad}) == ()
    assert gate({path: bad}, {path: good}) == ()


def test_a_new_file_must_parse_where_it_can_be_nothing_else():
    assert kinds(gate({}, {"a.py": "def f(:\n"})) == ["syntax"]
    assert kinds(gate({}, {"chart/a.yaml": "a: {{ .Values.x }}: b\n"}), "minor") == ["syntax"]
    assert kinds(gate({}, {"tsconfig.json": "{ // comment\n}\n"}), "minor") == ["syntax"]


def test_yaml_of_others_may_use_tags_and_several_documents():
    assert gate({"a.yaml": "a: 1\n"}, {"a.yaml": "a: !Ref x\n---\nb: 1\n"}) == ()


def test_odd_escapes_are_the_projects_own_business():
    assert gate({"a.py": "x = 1\n"}, {"a.py": 'x = "\\d"\n'}) == ()


def test_odd_escapes_are_so_in_every_thread():
    results: list[tuple[GateFinding, ...]] = []

    def work() -> None:
        results.extend(gate({"a.py": "x = 1\n"}, {"a.py": 'x = "\\d"\n'}) for _ in range(50))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [()] * 200


@pytest.mark.parametrize("text", ["(" * 5000, "-" * 100_000 + "1", "[" * 5000 + "]" * 5000, "x = 1\0"])
def test_code_that_no_parser_can_hold_is_a_finding_and_not_a_crash(text: str):
    found = gate({"a.py": "x = 1\n"}, {"a.py": text})
    assert set(kinds(found)) & {"syntax", "binary"}


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.json", "[" * 100_000),
        ("a.json", "1" * 5000),
        ("a.toml", "a=" + "[" * 5000),
        ("a.toml", "a = " + "1" * 5000),
        ("pyproject.toml", "a = " + "1" * 5000),
    ],
)
def test_data_that_no_parser_can_hold_is_no_crash(path: str, text: str):
    gate({path: "1" if path == "a.json" else "a = 1\n"}, {path: text})


# --- secrets ---


def test_a_secret_in_an_added_line_is_refused_without_being_repeated():
    (found,) = gate({"a.py": "x = 1\n"}, {"a.py": 'x = 1\nKEY = "AKIAQWERTYUIOPASDFGH"\n'})
    assert found == GateFinding(
        "secret", "block", "a.py", 2, "looks like a secret (AWS access key): read it from the environment instead"
    )


def test_a_secret_that_was_there_is_not_this_patchs_doing():
    old = 'KEY = "AKIAQWERTYUIOPASDFGH"\n'
    assert gate({"a.py": old}, {"a.py": f"x = 1\n{old}"}) == ()


def test_a_private_key_is_found_at_its_first_line():
    (found,) = gate({}, {"a.txt": "x\n-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n"})
    assert (found.kind, found.line) == ("secret", 2)


# --- limits, binaries, deliverables ---


def test_limits_are_counted_over_the_whole_patch():
    rules = replace(RULES, limits=replace(RULES.limits, files=1, changed_lines=3, file_bytes=100))
    found = gate({"a.txt": "a\nb\n"}, {"a.txt": "c\nd\n", "b.txt": "x" * 101}, rules=rules)
    assert [one.message for one in found] == [
        "touches 2 files, at most 1 are allowed",
        "changes 4 lines, at most 3 are allowed",
        "would have 101 bytes, at most 100 are allowed",
    ]
    assert kinds(found) == ["limit"] * 3


@pytest.mark.parametrize("data", [b"\x89PNG\0", b"caf\xe9\n"])
def test_what_is_not_text_needs_a_grant(data: bytes):
    assert kinds(gate({}, {"a": data})) == ["binary"]
    assert kinds(gate({"a": "text\n"}, {"a": data})) == ["binary"]
    assert gate({}, {"a": data}, rules=replace(RULES, allow=frozenset({"binary"}))) == ()


def test_text_in_another_encoding_may_stay_so():
    assert gate({"a": b"caf\xe9 1\n"}, {"a": b"caf\xe9 2\n"}) == ()


def test_deliverables_must_be_there_afterwards():
    rules = replace(RULES, deliverables=("a.py", "docs/*.md"), present=frozenset({"docs/x.md"}))
    assert gate({}, {"a.py": "x = 1\n"}, rules=rules) == ()
    (found,) = gate({}, {"b.py": "x = 1\n"}, rules=rules)
    assert found == GateFinding("deliverable", "block", "a.py", 0, "the phase must deliver this, and it isn't there")
    assert kinds(gate({"docs/x.md": "x\n"}, {"docs/x.md": None, "a.py": "x = 1\n"}, rules=rules)) == ["deliverable"]


# --- test-integrity ---

TESTS = """\
import pytest


@pytest.mark.parametrize("n", [1, 2, 3])
def test_one(n):
    assert n
    assert n > 0


class TestTwo:
    def test_two(self):
        with pytest.raises(ValueError):
            raise ValueError


def check(x):
    assert x
"""


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("    assert n > 0\n", "", "test_one has 1 assertions, it had 2"),
        ("[1, 2, 3]", "[1]", "test_one runs with 1 sets of parameters, it had 3"),
        ("def test_two", "def two", "the test TestTwo.test_two is removed"),
        ("def check(x):\n    assert x\n", "", "the helper that checks something check is removed"),
        ("class TestTwo", "@pytest.mark.skip\nclass TestTwo", "new skip: tests that would have run"),
        ("    assert n\n", "    pytest.skip()\n    assert n\n", "new skip"),
        ("import pytest\n", "import pytest\n\npytestmark = pytest.mark.xfail\n", "new xfail"),
        (
            "import pytest\n",
            "import pytest\nfrom unittest import skip as later\n\n@later\ndef test_x(): ...\n",
            "new later",
        ),
        ("class TestTwo:\n", "class TestTwo:\n    __test__ = False\n", "new __test__"),
    ],
)
def test_a_test_that_says_less_needs_a_grant_and_is_then_the_auditors(old: str, new: str, words: str):
    weaker = TESTS.replace(old, new)
    assert weaker != TESTS
    found = gate({"tests/test_a.py": TESTS}, {"tests/test_a.py": weaker})
    assert [(one.kind, one.severity) for one in found] == [("test_change", "block")]
    assert words in found[0].message
    allowed = gate(
        {"tests/test_a.py": TESTS}, {"tests/test_a.py": weaker}, rules=replace(RULES, allow=frozenset({"test_changes"}))
    )
    assert [(one.kind, one.severity) for one in allowed] == [("test_change", "major")]


def test_a_test_file_that_does_not_parse_is_another_rules_finding():
    assert kinds(gate({"tests/test_a.py": TESTS}, {"tests/test_a.py": TESTS + "def (\n"})) == ["syntax"]


def test_a_skip_that_was_there_is_no_new_one():
    old = "import pytest\n\n@pytest.mark.skip\ndef test_x():\n    assert 1\n"
    assert gate({"tests/test_a.py": old}, {"tests/test_a.py": old.replace("assert 1", "assert 2")}) == ()


def test_a_removed_test_file_is_told_test_by_test():
    found = gate({"tests/test_a.py": TESTS}, {"tests/test_a.py": None})
    assert {one.kind for one in found} == {"test_change"}
    assert len(found) == 3
    assert kinds(gate({"src/a.test.ts": "it('x', () => {})\n"}, {"src/a.test.ts": None})) == ["test_change"]


def test_tests_may_be_added_changed_renamed_and_moved():
    added = TESTS + "\n\ndef test_three():\n    assert 3\n"
    assert gate({"tests/test_a.py": TESTS}, {"tests/test_a.py": added.replace("n > 0", "n > 0.5")}) == ()
    assert (
        gate({"tests/test_a.py": TESTS}, {"tests/test_b.py": TESTS}, renamed={"tests/test_b.py": "tests/test_a.py"})
        == ()
    )
    head, tail = TESTS.split("class TestTwo")
    moved = {"tests/test_a.py": head, "tests/test_b.py": f"import pytest\n\n\nclass TestTwo{tail}"}
    assert gate({"tests/test_a.py": TESTS}, moved) == ()


@pytest.mark.parametrize(
    "new", ["src/junk.py", "tests/helper_a.py", "src/test_a.py", "tests/build/test_a.py", "tests/test_a.py.txt"]
)
def test_a_test_file_renamed_to_where_it_is_not_run_counts_as_removed(new: str):
    found = gate({"tests/test_a.py": TESTS}, {new: TESTS}, renamed={new: "tests/test_a.py"})
    assert set(kinds(found)) == {"test_change"}
    moved = gate({"tests/test_a.py": TESTS}, {"tests/test_a.py": None, new: TESTS})
    assert "test_change" in kinds(moved), "nor when it is removed here and added there"
    rules = replace(RULES, allow=frozenset({"test_changes"}))
    assert kinds(gate({"tests/test_a.py": TESTS}, {new: TESTS}, renamed={new: "tests/test_a.py"}, rules=rules)) == []


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("requests/test_x.py", "tests/test_x.py"),
        ("tests/test_a.py", "tests/unit/test_a.py"),
        ("tests/test_a.py", "pkg/tests/a_test.py"),
        ("tests/check_a.py", "tests/check_b.py"),
    ],
)
def test_a_test_file_may_be_renamed_to_where_it_is_run(old: str, new: str):
    assert gate({old: TESTS}, {new: TESTS}, renamed={new: old}) == ()


def test_attributes_called_skip_elsewhere_are_no_skips():
    text = "def test_x(scanner):\n    scanner.skip(3)\n    assert scanner\n"
    assert gate({}, {"tests/test_a.py": text}) == ()


def test_a_conftest_may_hold_fixtures_but_no_new_hooks_that_decide_what_counts():
    assert gate({}, {"tests/conftest.py": "import pytest\n\n@pytest.fixture\ndef x(): ...\n"}) == ()
    hook = "def pytest_collection_modifyitems(items):\n    items.clear()\n"
    assert kinds(gate({}, {"tests/conftest.py": hook})) == ["test_change"]
    assert kinds(gate({}, {"conftest.py": "collect_ignore = ['test_a.py']\n"})) == ["test_change"]


def test_tests_of_other_languages_are_counted():
    old = "it('a', () => { expect(1).toBe(1); expect(2).toBe(2) })\nit('b', () => { expect(3) })\n"
    for new in (
        old.replace("expect(2).toBe(2)", ""),
        old.replace("it('b'", "it.skip('b'"),
        old.partition("\n")[0] + "\n",
    ):
        assert "test_change" in kinds(gate({"a.test.ts": old}, {"a.test.ts": new}))
    assert gate({"a.test.ts": old}, {"a.test.ts": old + "it('c', () => { expect(4) })\n"}) == ()


@pytest.mark.parametrize("path", ["tox.ini", "pytest.ini", "noxfile.py", ".coveragerc", "sub/pytest.ini", "ci/run.sh"])
def test_files_that_decide_which_tests_run_need_a_grant(path: str):
    """REQ-10.2-4."""
    rules = replace(RULES, ci_files=("ci/**",))
    assert kinds(gate({}, {path: "x = 1\n"}, rules=rules)) == ["test_change"]
    for grant in ("ci_config", "test_changes"):
        allowed = gate({}, {path: "x = 1\n"}, rules=replace(rules, allow=frozenset({grant})))
        assert [(one.kind, one.severity) for one in allowed] == [("test_change", "major")]


def test_of_shared_files_only_the_settings_of_tests_count():
    old = '[project]\nname = "x"\n\n[tool.pytest.ini_options]\naddopts = "-q"\n'
    assert gate({"pyproject.toml": old}, {"pyproject.toml": old.replace('"x"', '"y"')}) == ()
    assert kinds(gate({"pyproject.toml": old}, {"pyproject.toml": old.replace("-q", "-k none")})) == ["test_change"]
    broken = old.replace("[tool", "[[tool")
    assert "test_change" in kinds(gate({"pyproject.toml": old}, {"pyproject.toml": broken}))
    old = "[metadata]\nname = x\n\n[tool:pytest]\naddopts = -q\n"
    assert gate({"setup.cfg": old}, {"setup.cfg": old.replace("= x", "= y")}) == ()
    assert kinds(gate({"setup.cfg": old}, {"setup.cfg": old.replace("-q", "-x")})) == ["test_change"]


def test_settings_that_cannot_be_read_any_more_count_as_changed():
    assert kinds(gate({"setup.cfg": "[a]\nb = c\n"}, {"setup.cfg": "b = c\n"})) == ["test_change"]


def test_a_grant_for_settings_is_none_for_tests():
    rules = replace(RULES, allow=frozenset({"ci_config"}))
    assert "test_change" in kinds(gate({"tests/test_a.py": TESTS}, {"tests/test_a.py": "import pytest\n"}, rules=rules))


# --- order and size ---


def test_findings_come_in_the_order_of_the_rules():
    rules = replace(RULES, write=("src/**",), deliverables=("src/none.py",))
    after = {
        "tests/test_a.py": None,
        "src/a.py": '# ... existing code ...\n<<<<<<< HEAD\nKEY = "AKIAQWERTYUIOPASDFGH"\n',
        "src/b": b"\0",
    }
    found = gate({"tests/test_a.py": "def test_a():\n    assert 1\n", "src/a.py": "x = 1\n"}, after, rules=rules)
    assert kinds(found) == [
        "scope",
        "placeholder",
        "conflict_marker",
        "syntax",
        "secret",
        "binary",
        "deliverable",
        "test_change",
    ]


def test_a_huge_file_is_refused_for_its_size_and_not_walked_through():
    found = gate({}, {"a.py": "x" * 5_000_000})
    assert kinds(found) == ["limit"]


def test_a_line_of_almost_a_megabyte_is_no_trouble():
    for line in ("#" + " " * 900_000 + "x", "# ..." + " existing" * 100_000, "." * 900_000, "function " * 100_000):
        gate({"a.js": "x\n"}, {"a.js": f"{line}\n"})


# --- counting lines ---


@given(
    st.lists(st.sampled_from(["", "a", "b", "c", "}"]), max_size=12),
    st.lists(st.sampled_from(["", "a", "b", "}"]), max_size=12),
)
def test_changed_lines_are_never_fewer_than_there_are(old: list[str], new: list[str]):
    a, b = [line.encode() for line in old], [line.encode() for line in new]
    longest = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, one in enumerate(a):
        for j, other in enumerate(b):
            longest[i + 1][j + 1] = longest[i][j] + 1 if one == other else max(longest[i][j + 1], longest[i + 1][j])
    least = len(a) + len(b) - 2 * longest[-1][-1]
    assert least <= changed_lines(a, b) <= len(a) + len(b)


def test_changed_lines_are_counted_as_a_diff_counts_them():
    old = [b"line %d" % at for at in range(5000)]
    spaced = [line for at, one in enumerate(old) for line in ([one, b""] if at % 3 == 0 else [one])]
    assert changed_lines(spaced, [b"new", b"", *spaced[:-1], b"last"]) == 4
    assert changed_lines(old, [*old[2500:], *old[:2500]]) == 5000
    assert changed_lines([], old) == 5000
    assert changed_lines([b"a", b"b"] * 200, [b"b", b"a", b"a"] * 200) == 1000
    assert changed_lines([b""] * 100_000, [b""] * 90_000) == 10_000
