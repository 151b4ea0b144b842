"""Replies: what counts is parsed into one type, prose is ignored, and what could be read in two ways is refused."""

import itertools
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.runners.context import fenced
from autopack.runners.edit import Applied, apply
from autopack.runners.reply import (
    AuditorFacts,
    BuilderFacts,
    Edit,
    Finding,
    Hunk,
    Issue,
    Refusal,
    Reply,
    Review,
    parse_auditor,
    parse_builder,
)

BLOCK = "<<<<<<< SEARCH\nold\n=======\nnew\n>>>>>>> REPLACE\n"


def edits(text: str) -> tuple[Edit, ...]:
    parsed = parse_builder(text, "stop")
    assert isinstance(parsed, Reply), parsed
    return parsed.edits


def only(text: str) -> Edit:
    (edit,) = edits(text)
    return edit


def refusal(text: str, finish_reason: str = "stop") -> Refusal:
    parsed = parse_builder(text, finish_reason)
    assert isinstance(parsed, Refusal), parsed
    return parsed


def halves(edit: Edit) -> list[tuple[str, str]]:
    return [(hunk.search, hunk.replace) for hunk in edit.hunks]


# --- search/replace ---


@pytest.mark.parametrize(
    "head",
    [
        "src/a.py",
        "`src/a.py`",
        "### src/a.py",
        "### `src/a.py`",
        "# src/a.py:",
        "**src/a.py**",
        "`src/a.py`:",
        "src/a.py\n",
    ],
)
@pytest.mark.parametrize("fence", ["", "```python\n", "~~~\n", "````\n"])
def test_a_path_line_and_a_block_are_an_edit(head: str, fence: str):
    closing = fence.strip().rstrip("python") + "\n" if fence else ""
    edit = only(f"I change it:\n\n{head}\n{fence}{BLOCK}{closing}Done.\n")
    assert (edit.path, edit.op, halves(edit)) == ("src/a.py", "replace", [("old\n", "new\n")])


def test_a_path_line_may_stand_inside_the_fence():
    assert only(f"```python\nsrc/a.py\n{BLOCK}```\n").path == "src/a.py"


def test_several_blocks_below_one_path_are_one_edit_with_their_places_in_the_reply():
    edit = only(f"src/a.py\n{BLOCK}And the second function:\n\n```\n{BLOCK}{BLOCK}```\n")
    assert [(hunk.line, hunk.block) for hunk in edit.hunks] == [(2, 1), (10, 2), (15, 3)]


def test_each_path_has_its_own_edit():
    assert [edit.path for edit in edits(f"a.py\n{BLOCK}\nb.py\n{BLOCK}")] == ["a.py", "b.py"]


def test_text_that_speaks_of_another_file_leaves_a_block_without_a_path():
    found = refusal(f"a.py\n{BLOCK}Now the same in src/b.py.\n{BLOCK}")
    assert found.outcome == "format_error"
    assert found.message == (
        "line 8 of the reply: line 7 mentions src/b.py, so it is unclear which file is meant: "
        "write the file's path on a line of its own above it, in backticks"
    )


def test_text_that_names_the_same_file_changes_nothing():
    assert len(only(f"src/a.py\n{BLOCK}In src/a.py (see a.py, `a.py`) also:\n{BLOCK}").hunks) == 2


def test_a_block_without_a_path_is_refused():
    assert "line 3 of the reply: no path line stands above this block" in refusal(f"Here:\n\n{BLOCK}").message


def test_an_empty_search_creates_a_file():
    edit = only("new.py\n<<<<<<< SEARCH\n=======\nx = 1\n>>>>>>> REPLACE\n")
    assert (edit.op, edit.content, edit.hunks) == ("create", "x = 1\n", ())
    assert only("new.py\n<<<<<<< SEARCH\n\n=======\nx = 1\n>>>>>>> REPLACE\n").op == "create"


def test_an_empty_replace_removes_lines():
    assert halves(only("a.py\n<<<<<<< SEARCH\nold\n=======\n>>>>>>> REPLACE\n")) == [("old\n", "")]


@pytest.mark.parametrize("width", [5, 6, 7, 8, 9])
def test_markers_are_five_to_nine_characters(width: int):
    text = f"a.py\n{'<' * width} SEARCH\nold\n{'=' * width}\nnew\n{'>' * width} REPLACE\n"
    assert halves(only(text)) == [("old\n", "new\n")]


@pytest.mark.parametrize("width", [4, 10])
def test_other_lengths_are_no_markers(width: int):
    text = f"a.py\n{'<' * width} SEARCH\nold\n{'=' * width}\nnew\n{'>' * width} REPLACE\n"
    assert refusal(text).outcome == "format_error"


def test_markers_of_another_length_inside_a_block_are_content():
    inner = "<<<<<<< SEARCH\na\n=======\nb\n>>>>>>> REPLACE\n"
    text = f"a.md\n<<<<<<<<< SEARCH\n{inner}=========\n{inner}more\n>>>>>>>>> REPLACE\n"
    assert halves(only(text)) == [(inner, inner + "more\n")]


def test_a_conflict_can_be_resolved_with_longer_markers():
    conflict = "<<<<<<< HEAD\na\n=======\nb\n>>>>>>> theirs\n"
    text = f"a.py\n<<<<<<<< SEARCH\n{conflict}========\nb\n>>>>>>>> REPLACE\n"
    assert halves(only(text)) == [(conflict, "b\n")]


def test_several_dividers_of_one_length_are_refused_with_the_way_out():
    found = refusal("a.rst\n<<<<<<< SEARCH\nTitle\n=======\n=======\nHeading\n=======\n>>>>>>> REPLACE\n")
    assert found == Refusal(
        "format_error",
        "line 5 of the reply: block 1 has several lines of `=` that could divide it (also line 4): "
        "use markers of another length, 5 to 9 characters, that no line of the content has",
    )


def test_a_miscounted_marker_is_taken_where_nothing_else_could_be_meant():
    assert halves(only("a.py\n<<<<<<< SEARCH\nold\n======\nnew\n>>>>>>>> REPLACE\n")) == [("old\n", "new\n")]


def test_a_miscounted_end_is_taken_before_the_next_block():
    miscounted = BLOCK.replace(">>>>>>>", ">>>>>>")
    assert halves(only(f"a.py\n{miscounted}{miscounted}")) == [("old\n", "new\n")] * 2


def test_a_fence_inside_a_block_is_content():
    text = "a.md\n```\n<<<<<<< SEARCH\n```\nold\n```\n=======\n```python\nnew\n```\n>>>>>>> REPLACE\n```\n"
    assert halves(only(text)) == [("```\nold\n```\n", "```python\nnew\n```\n")]


@pytest.mark.parametrize(
    ("text", "outcome", "words"),
    [
        ("a.py\n<<<<<<< SEARCH\nold\n=======\nnew\n", "truncated", "line 2 of the reply: block 1 is never closed"),
        ("a.py\n<<<<<<< SEARCH\nold\n", "truncated", "block 1 is never closed"),
        (f"a.py\n```\n{BLOCK}", "truncated", "line 2 of the reply: this fence is never closed"),
        ("a.py\n```python\nx = 1\n", "truncated", "this fence is never closed"),
        (f"a.py\n{BLOCK}```python\nx = 1\n", "truncated", "this fence is never closed"),
        (f"a.py\n<<<<<<< SEARCH\nold\n{BLOCK}", "format_error", "isn't closed before the next one starts in line 4"),
        ("a.py\n<<<<<<< SEARCH\nold\n>>>>>>> REPLACE\n", "format_error", "has no line of `=======`"),
        (f"a.py\n{BLOCK}>>>>>>> REPLACE\n", "format_error", "no block is open or opened by `>>>>>>> REPLACE`"),
        ("a.py\n<<<<<<< ORIGINAL\nx\n=======\ny\n>>>>>>> UPDATED\n", "format_error", "`<<<<<<< ORIGINAL`"),
        ("a.py\n<<<<<<< SEARCH\nx\n=======\ny\n>>>>>>> REPLACED\n", "truncated", "never closed"),
        (
            f"a.py\n```\n{BLOCK}```python\n{BLOCK}```\n",
            "format_error",
            "the fence of line 2 isn't closed before this one",
        ),
    ],
)
def test_a_block_that_is_not_whole_is_never_used(text: str, outcome: str, words: str):
    found = refusal(text)
    assert (found.outcome, words in found.message) == (outcome, True), found


# --- whole files ---


def test_a_path_line_and_a_fence_are_a_whole_file():
    edit = only("src/a.py\n```python\nx = 1\n\ny = 2\n```\n")
    assert (edit.path, edit.op, edit.content, edit.line, edit.block) == ("src/a.py", "write", "x = 1\n\ny = 2\n", 2, 1)


def test_an_empty_fence_is_an_empty_file():
    assert only("src/__init__.py\n```\n```\n").content == ""


@pytest.mark.parametrize("name", ["Makefile", "`Justfile`", ".gitignore", "### Dockerfile", "`with space.txt`"])
def test_names_without_a_slash_are_paths_too(name: str):
    assert only(f"{name}\n```\nx\n```\n").path == name.strip("`# ")


def test_a_longer_fence_holds_shorter_ones():
    body = "# T\n```\nls\n```\n````md\n```\n"
    assert only(f"README.md\n`````markdown\n{body}`````\n").content == body


def test_a_fence_with_an_info_string_opens_a_block_inside():
    body = "# T\n\n```sh\nls\n```\n\nmore\n\n```python\nx\n```\n"
    assert only(f"README.md\n```markdown\n{body}```\n").content == body


def test_tildes_and_backticks_do_not_close_each_other():
    assert only("a.md\n~~~\n```\nx\n~~~\n").content == "```\nx\n"


def test_a_fence_that_is_indented_more_is_content():
    assert only("a.py\n```\nx = '''\n  ```\n'''\n```\n").content == "x = '''\n  ```\n'''\n"


@pytest.mark.parametrize("rest", ["pip install x\n", "setup.cfg\n", "DELETE: x.py\n", ""])
def test_prose_whose_fences_are_as_long_as_the_one_around_it_is_refused(rest: str):
    found = refusal(f"README.md\n```\nInstall:\n```\n{rest}```\nDone.\n```\n")
    assert found.outcome == "format_error"
    assert "put a longer fence around it" in found.message


def test_files_may_follow_each_other():
    found = edits("README.md\n```markdown\n# T\n```\n\n`a.py`\n```python\nx\n```\n\nb.py\n```\ny\n```\n")
    assert [(edit.path, edit.content) for edit in found] == [("README.md", "# T\n"), ("a.py", "x\n"), ("b.py", "y\n")]


def test_markers_in_the_middle_of_a_whole_file_are_content():
    body = f"# How to edit\n\n{BLOCK}"
    assert only(f"docs/edits.md\n```markdown\n{body}```\n").content == body


def test_code_without_a_path_is_prose():
    text = f"For example:\n```python\nx = 1\n```\n\na.py\n{BLOCK}\nRun it:\n```sh\npytest\n```\n```js\nx\n```\n"
    assert [edit.path for edit in edits(text)] == ["a.py"]


def test_code_that_may_have_lost_its_path_line_is_refused():
    found = refusal(f"b.py\n{BLOCK}\nsrc/a.py\nThis is the new content:\n```python\nx = 1\n```\n")
    assert found.message == (
        "line 10 of the reply: is this the content of src/a.py? The path line must stand directly above the fence"
    )


@pytest.mark.parametrize(
    "head",
    [
        "1. `src/a.py`",
        "- src/a.py",
        "File: src/a.py",
        "**File:** `src/a.py`",
        "### 1. src/a.py",
        "### src/a.py (new)",
        "Filename: a.py:",
    ],
)
def test_a_fence_below_something_like_a_path_line_is_not_overlooked(head: str):
    found = refusal(f"b.py\n{BLOCK}\n{head}\n\n```python\nx = 1\n```\n")
    assert found.message.startswith("line 10 of the reply: is this a file's content?")
    assert "write the path alone, directly above the fence" in found.message


@pytest.mark.parametrize("info", ["python src/a.py", "python:src/a.py", "src/a.py", "py title=a.py"])
def test_a_path_in_the_info_string_is_not_overlooked(info: str):
    assert "write the path alone" in refusal(f"b.py\n{BLOCK}\n```{info}\nx = 1\n```\n").message


def test_sentences_and_lists_that_name_files_stay_prose():
    prose = "In src/a.py there is:\n```python\nx = 1\n```\n- src/a.py\n- src/c.py\n\nThat's all:\n```py\nx\n```\n"
    text = f"b.py\n{BLOCK}\n{prose}"
    assert [edit.path for edit in edits(text)] == ["b.py"]


def test_inline_code_is_no_fence():
    assert only(f"Use ```x``` here.\n```x```\na.py\n{BLOCK}").path == "a.py"


# --- DELETE and RENAME ---


def test_files_are_deleted_and_renamed_by_a_line():
    found = edits("DELETE: src/old.py\nRENAME: src/a.py -> src/b.py\nRENAME: `a b.txt` → `c.txt`\nDELETE: `d e.txt`\n")
    assert [(edit.op, edit.path, edit.new_path) for edit in found] == [
        ("delete", "src/old.py", ""),
        ("rename", "src/a.py", "src/b.py"),
        ("rename", "a b.txt", "c.txt"),
        ("delete", "d e.txt", ""),
    ]


def test_a_fence_of_nothing_but_such_lines_counts():
    assert [edit.op for edit in edits("```\nDELETE: a.py\n\nRENAME: b.py -> c.py\n```\n")] == ["delete", "rename"]


@pytest.mark.parametrize("line", ["DELETE: the old file", "RENAME: a.py", "RENAME: a.py -> b.py -> c.py", "DELETE:"])
def test_an_order_that_is_not_clear_is_refused(line: str):
    assert refusal(f"{line}\n").message.startswith("line 1 of the reply: expected `")


def test_an_indented_fence_below_a_path_line_is_refused():
    assert "starts at the beginning of its line" in refusal("a.py\n  ```\n  x\n  ```\n").message


def test_such_a_line_inside_a_file_is_content():
    assert only("a.md\n```\nDELETE: x\n```\n").op == "write"


# --- prose, endings, transport ---


@pytest.mark.parametrize(
    ("text", "finish_reason", "outcome"),
    [
        ("", "stop", "empty_output"),
        (" \n\t\n", "stop", "empty_output"),
        ("I can't help with that.", "stop", "format_error"),
        ("```python\nx = 1\n```\n", "stop", "format_error"),
        (f"a.py\n{BLOCK}", "length", "truncated"),
        (f"a.py\n{BLOCK}", "max_tokens", "truncated"),
        ("", "length", "truncated"),
        ("", "content_filter", "refused"),
        (f"a.py\n{BLOCK}", "content_filter", "refused"),
        ("<think>hmm\n" + BLOCK, "stop", "truncated"),
    ],
)
def test_a_reply_that_is_none_has_a_typed_outcome(text: str, finish_reason: str, outcome: str):
    assert refusal(text, finish_reason).outcome == outcome


def test_nothing_but_prose_says_what_is_understood():
    assert refusal("Hello.").message == (
        "the reply holds nothing but prose; understood are search/replace blocks, whole files, unified diffs, "
        "apply_patch, `DELETE: path` and `RENAME: old -> new`, and a facts block"
    )


def test_a_reply_in_crlf_is_read_as_lf():
    text = f"a.py\n{BLOCK}\nb.py\n```\nx\n```\n"
    assert edits(text.replace("\n", "\r\n")) == edits(text)


def test_a_carriage_return_in_one_line_of_content_stays():
    assert halves(only("a.py\n<<<<<<< SEARCH\nold\r\n=======\nnew\r\n>>>>>>> REPLACE\n")) == [("old\r\n", "new\r\n")]


def test_only_newlines_end_lines():
    text = "a.py\n```\na\x0bb\x0cc\x1cd\u2028e\x85f\n```\n"
    assert only(text).content == "a\x0bb\x0cc\x1cd\u2028e\x85f\n"


def test_a_models_thoughts_are_no_edits():
    edit = only(f"<think>\nb.py\n{BLOCK}</think>\n\na.py\n{BLOCK}")
    assert (edit.path, edit.line) == ("a.py", 11)


def test_prose_is_kept_for_whoever_wants_to_read_it():
    parsed = parse_builder(f"I drop `helper`.\n\na.py\n{BLOCK}Bye.\n", "stop")
    assert isinstance(parsed, Reply)
    assert parsed.prose == "I drop `helper`.\nBye."


# --- facts ---

FACTS = """\
```autopack
summary: Adds the bucket
issues:
  - issue_key: api__bucket__no_lock
    severity: minor
    category: feature_scaffolding
    evidence_refs: [src/bucket.py:12]
    description: not safe with threads
notes: none
```
"""


def test_facts_in_yaml_and_in_json_are_the_same():
    issue = {
        "issue_key": "api__bucket__no_lock",
        "severity": "minor",
        "category": "feature_scaffolding",
        "evidence_refs": ["src/bucket.py:12"],
        "description": "not safe with threads",
    }
    as_json = json.dumps({"summary": "Adds the bucket", "issues": [issue], "notes": "none"}, indent=2)
    expected = BuilderFacts(
        "Adds the bucket",
        (
            Issue(
                "api__bucket__no_lock",
                "minor",
                "feature_scaffolding",
                ("src/bucket.py:12",),
                "not safe with threads",
            ),
        ),
        "none",
    )
    for text in (FACTS, f"```autopack\n{as_json}\n```\n", f"  ```autopack\n  {json.dumps(json.loads(as_json))}\n  ```"):
        parsed = parse_builder(text, "stop")
        assert isinstance(parsed, Reply)
        assert (parsed.facts, parsed.edits) == (expected, ())
        assert parsed.facts.issues[0].path == "src/bucket.py"


def test_a_builder_may_say_nothing():
    parsed = parse_builder(f"a.py\n{BLOCK}```autopack\n```\n", "stop")
    assert isinstance(parsed, Reply)
    assert parsed.facts == BuilderFacts()


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ("summary: [a]", "summary: expected a string, got a list"),
        ("summary: 3", "summary: expected a string, got a number"),
        ("sumary: x", "sumary: unknown key; the keys are summary, issues, notes"),
        ("- a", "the block: expected a mapping, got a list"),
        ("issues: x", 'issues: expected a list, got "x"'),
        ("summary: {a: b}", "summary: expected a string, got a mapping"),
        ("summary: true", "summary: expected a string, got true"),
        ("issues: [null]", "issues[0]: expected a mapping, got nothing"),
        (
            "issues: [{issue_key: a__b__c, severity: minor, category: x, evidence_refs: [1]}]",
            "issues[0].evidence_refs: expected a list of strings, got a number",
        ),
        ("issues: [x]", 'issues[0]: expected a mapping, got "x"'),
        ("issues: [{severity: minor, category: x}]", "issues[0].issue_key: missing"),
        (
            "issues: [{issue_key: a__b__c, severity: high, category: x}]",
            'issues[0].severity: expected one of minor, major, got "high"',
        ),
        (
            "issues: [{issue_key: no lock, severity: minor, category: x}]",
            'issues[0].issue_key: expected <category>__<object>__<defect> without spaces, got "no lock"',
        ),
        (
            "issues: [{issue_key: a__b__c, severity: minor, category: x, evidence_refs: a.py}]",
            'issues[0].evidence_refs: expected a list, got "a.py"',
        ),
        ("issues: [{issue_key: a__b__c, severity: minor, category: ''}]", "issues[0].category: is empty"),
        ("summary: a\nsummary: b", "line 3 of the reply: "),
        ("summary: a: b", "line 2 of the reply: "),
        ("summary: !!python/object:os.system x", "line 2 of the reply: "),
        ('{"summary": "a",\n"notes" "b"}', "line 3 of the reply: not JSON: Expecting ':' delimiter"),
        ('{"summary": "a", "summary": "b"}', "summary: the key is written twice"),
        ('{"summary": NaN}', "NaN is not a value in JSON"),
        ('{"summary": ' + "[" * 100_000, "nested too deeply"),
        ('{"summary": ' + "1" * 5000 + "}", "too many digits"),
        ("summary: " + "x" * 300_000, "more than 262,144 characters"),
    ],
)
def test_wrong_facts_are_told_at_their_place(body: str, words: str):
    found = refusal(f"```autopack\n{body}\n```\na.py\n{BLOCK}")
    assert found.outcome == "facts_error"
    assert words in found.message


def test_two_facts_blocks_are_one_too_many():
    assert refusal(FACTS + FACTS) == Refusal(
        "facts_error", "the reply has several facts blocks (lines 1, 11): one is allowed".replace(", ", " and ", 1)
    )


def test_what_could_drive_a_terminal_or_break_a_store_is_dropped_from_facts():
    parsed = parse_builder('```autopack\n{"summary": "a\\u001b[31mb\\ud800c\\nd"}\n```\n', "stop")
    assert isinstance(parsed, Reply)
    assert parsed.facts.summary == "a[31mbc\nd"


REVIEW = """\
```autopack
recommendation: revise
confidence: high
findings:
  - {severity: major, description: the lock is never released, path: src/a.py, line: 12}
  - {severity: minor, description: a typo}
```
"""


def test_a_review_has_a_verdict_and_findings():
    assert parse_auditor(REVIEW, "stop") == Review(
        AuditorFacts(
            "revise",
            "high",
            (
                Finding("major", "the lock is never released", "src/a.py", 12),
                Finding("minor", "a typo"),
            ),
        )
    )


def test_a_review_may_bring_a_minimal_patch():
    review = parse_auditor(f"{REVIEW}\nsrc/a.py\n{BLOCK}", "stop")
    assert isinstance(review, Review)
    assert [edit.path for edit in review.edits] == ["src/a.py"]


@pytest.mark.parametrize(
    ("text", "outcome", "words"),
    [
        ("Looks fine.", "format_error", "nothing but prose"),
        ("", "empty_output", "empty"),
        (f"a.py\n{BLOCK}", "facts_error", "the facts block is missing"),
        (REVIEW.replace("revise", "ok"), "facts_error", "recommendation: expected one of approve, revise, escalate"),
        (REVIEW.replace("confidence: high\n", ""), "facts_error", "confidence: missing"),
        ("```autopack\nrecommendation: approve\nconfidence: low\n```\n", "facts_error", "findings: missing"),
        (REVIEW.replace("12", "-1"), "facts_error", "findings[0].line: expected a line number"),
        (REVIEW.replace("a typo", "''"), "facts_error", "findings[1].description: is empty"),
        (REVIEW[:-4], "truncated", "never closed"),
    ],
)
def test_a_review_that_is_none_is_refused(text: str, outcome: str, words: str):
    found = parse_auditor(text, "stop")
    assert isinstance(found, Refusal)
    assert (found.outcome, words in found.message) == (outcome, True), found


# --- hostile replies ---


@pytest.mark.parametrize(
    "path", ["../../etc/passwd", "/etc/passwd", ".git/config", "C:\\x.py", "a\x00.py", "src/./a.py"]
)
def test_a_path_is_taken_as_it_stands_for_the_gate_to_judge(path: str):
    assert only(f"`{path}`\n{BLOCK}").path == path
    assert only(f"{path}\n{BLOCK}").path == path


def test_half_a_surrogate_pair_is_refused_at_its_line():
    assert refusal(f"a.py\n{BLOCK}x\ud800").message.startswith("line 7 of the reply: holds half a surrogate pair")


@pytest.mark.parametrize(
    "line",
    [
        "a" * 5_000_000,
        "/" * 5_000_000,
        "DELETE: " + " " * 5_000_000 + "x y",
        "`" * 5_000_000,
        "# " * 2_500_000,
        "a.py" * 1_250_000,
        "```autopack\n" + "[" * 200_000 + "\n```",
        "RENAME: " + " ->" * 1_600_000,
    ],
    ids=["word", "slashes", "spaces", "backticks", "headings", "names", "brackets", "arrows"],
)
def test_a_line_of_five_megabytes_is_read_in_linear_time(line: str):
    parse_builder(f"a.py\n{BLOCK}{line}\nb.py\n{BLOCK}", "stop")
    parse_builder(f"a.py\n```\n{line}\n```\n", "stop")


@given(st.text(st.sampled_from("<=>` \n.SEARCHREPLACEab/~*-+@"), max_size=200))
def test_any_text_is_a_reply_or_a_refusal(text: str):
    assert isinstance(parse_builder(text, "stop"), Reply | Refusal)


NASTY = st.lists(
    st.sampled_from(
        ["", " ", "x", "x = 1", "=======", "=====", "```", "```python", "  ```", "~~~", "...", "# T", "<think>"]
    )
    | st.sampled_from(
        ["<<<<<<< SEARCH", ">>>>>>> REPLACE", "<<<<< SEARCH", ">>>>> REPLACE", "<<<<<<< HEAD", ">>>>>>> main"]
    )
    | st.sampled_from(["src/b.py", "`c.py`", "DELETE: d.py", "*** Begin Patch", "*** End Patch"])
    | st.sampled_from(["--- a", "+++ b", "@@", "-x", "+x", " x"]),
    max_size=8,
)


def text_of(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


@given(NASTY.filter(lambda lines: any(map(str.strip, lines))), NASTY, st.integers(5, 9), st.booleans())
def test_nasty_content_in_a_block_arrives_or_is_refused_and_is_never_changed(
    old: list[str], new: list[str], width: int, in_fence: bool
):
    search, replace = text_of(old), text_of(new)
    block = f"{'<' * width} SEARCH\n{search}{'=' * width}\n{replace}{'>' * width} REPLACE\n"
    parsed = parse_builder(f"a.py\n```\n{block}```\n" if in_fence else f"a.py\n{block}", "stop")
    line = 2 + in_fence
    right = (Edit("a.py", "replace", (Hunk(search, replace, line, 1),), line=line, block=1),)
    content = {*old, *new}
    if not content & {"=" * width, f"{'<' * width} SEARCH", f"{'>' * width} REPLACE"}:
        assert isinstance(parsed, Reply)
    if not {f"{'<' * width} SEARCH", f"{'>' * width} REPLACE"} <= content:  # with both it may be two good blocks
        assert isinstance(parsed, Refusal) or parsed.edits == right


@given(NASTY)
def test_nasty_content_in_a_long_enough_fence_arrives(lines: list[str]):
    body = text_of(lines)
    parsed = parse_builder(f"docs/a.py\n{fenced(body, 'python')}\nDone.\n", "stop")
    starts_like_an_edit = {"<<<<<<< SEARCH", "<<<<< SEARCH", "*** Begin Patch", "--- a"} & set(
        [*filter(str.strip, lines)][:2]
    )
    if not starts_like_an_edit:
        assert isinstance(parsed, Reply)
        assert [(edit.path, edit.op, edit.content) for edit in parsed.edits] == [("docs/a.py", "write", body)]


@given(st.lists(st.text("ab \t", max_size=4), min_size=1, max_size=12, unique=True), st.data())
def test_blocks_in_a_reply_make_one_text_into_another(before: list[str], data: st.DataObject):
    """From text to reply to edits to text: what is written into a block ends up in the file."""
    at = data.draw(st.integers(0, len(before) - 1))
    new = data.draw(st.lists(st.text("ab \t", max_size=4), max_size=4))
    if not before[at].strip():
        return
    blocks = f"<<<<<<< SEARCH\n{before[at]}\n=======\n{text_of(new)}>>>>>>> REPLACE\n"
    outcome = apply({"a.py": text_of(before).encode()}, edits(f"a.py\n{blocks}"), fuzz_cap=0)
    assert isinstance(outcome, Applied)
    assert outcome.changes["a.py"].content == text_of([*before[:at], *new, *before[at + 1 :]]).encode()


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_the_order_of_blocks_does_not_matter(order: tuple[int, ...]):
    parts = [f"a.py\n{BLOCK}", "b.py\n```\nx\n```\n", "DELETE: c.py\n"]
    found = edits("\n".join(parts[at] for at in order))
    assert sorted((edit.path, edit.op) for edit in found) == [
        ("a.py", "replace"),
        ("b.py", "write"),
        ("c.py", "delete"),
    ]
