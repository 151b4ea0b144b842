"""Unified diffs and apply_patch texts in replies become the same edits that search/replace blocks are."""

import difflib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.runners.edit import Applied, Edit, EditFailed, Hunk, apply
from autopack.runners.reply import Refusal, Reply, parse_builder


def edits(text: str) -> tuple[Edit, ...]:
    parsed = parse_builder(text, "stop")
    assert isinstance(parsed, Reply), parsed
    return parsed.edits


def message(text: str) -> str:
    parsed = parse_builder(text, "stop")
    assert isinstance(parsed, Refusal), parsed
    assert parsed.outcome == "format_error"
    return parsed.message


def diff(text: str) -> str:
    return f"Here it is:\n\n```diff\n{text}```\n"


# --- unified diffs ---


def test_a_hunk_is_context_and_removed_lines_against_context_and_added_ones():
    text = "--- a/src/a.py\n+++ b/src/a.py\n@@ -9,3 +99,4 @@ def f():\n x = 1\n-y = 2\n+y = 3\n+z = 4\n \n w\n"
    assert edits(diff(text)) == (
        Edit(
            "src/a.py",
            "replace",
            (Hunk("x = 1\ny = 2\n\nw\n", "x = 1\ny = 3\nz = 4\n\nw\n", line=6, block=1, hint="def f():"),),
            line=4,
            block=1,
        ),
    )


def test_several_hunks_and_files_in_one_fence():
    text = (
        "diff --git a/a.py b/a.py\nindex 123..456 100644\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-a\n+b\n"
        "@@ -5 +5 @@\n-c\n+d\n"
        "\n--- b.py\n+++ b.py\n@@\n-e\n+f\n"
    )
    found = edits(diff(text))
    assert [(edit.path, [(hunk.search, hunk.replace) for hunk in edit.hunks]) for edit in found] == [
        ("a.py", [("a\n", "b\n"), ("c\n", "d\n")]),
        ("b.py", [("e\n", "f\n")]),
    ]
    assert [hunk.block for edit in found for hunk in edit.hunks] == [1, 2, 3]


def test_a_hunk_may_name_its_file_by_the_line_above_the_fence():
    assert edits("src/a.py\n```diff\n@@\n-a\n+b\n```\n")[0].path == "src/a.py"
    assert "a hunk without a file" in message("```diff\n@@\n-a\n+b\n```\n")


def test_new_deleted_and_renamed_files_and_modes():
    text = (
        "diff --git a/new.sh b/new.sh\nnew file mode 100755\n--- /dev/null\n+++ b/new.sh\n"
        "@@ -0,0 +1,2 @@\n+#!/bin/sh\n+ls\n"
        "diff --git a/empty b/empty\nnew file mode 100644\nindex 0000000..e69de29\n"
        "diff --git a/old.py b/old.py\ndeleted file mode 100644\n--- a/old.py\n+++ /dev/null\n@@ -1 +0,0 @@\n-x\n"
        "diff --git a/a.py b/b/b.py\nsimilarity index 90%\nrename from a.py\nrename to b/b.py\n"
        "--- a/a.py\n+++ b/b/b.py\n@@ -1 +1 @@\n-x\n+y\n"
        "diff --git a/run.sh b/run.sh\nold mode 100644\nnew mode 100755\n"
    )
    found = edits(diff(text))
    assert [(edit.op, edit.path, edit.new_path, edit.content, edit.mode) for edit in found] == [
        ("create", "new.sh", "", "#!/bin/sh\nls\n", "100755"),
        ("create", "empty", "", "", "100644"),
        ("delete", "old.py", "", "", ""),
        ("rename", "a.py", "b/b.py", "", ""),
        ("replace", "run.sh", "", "", "100755"),
    ]
    assert [(hunk.search, hunk.replace) for hunk in found[3].hunks] == [("x\n", "y\n")]


def test_lines_that_look_like_headers_inside_a_hunk_are_content():
    text = "--- a/a.sql\n+++ b/a.sql\n@@ -1,3 +1,3 @@\n select 1;\n--- a comment\n+++ counter\n select 2;\n"
    (edit,) = edits(diff(text))
    assert [(hunk.search, hunk.replace) for hunk in edit.hunks] == [
        ("select 1;\n-- a comment\nselect 2;\n", "select 1;\n++ counter\nselect 2;\n")
    ]


def test_a_missing_final_newline_is_what_the_diff_says():
    text = "--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n\\ No newline at end of file\n+y\n"
    (edit,) = edits(diff(text))
    assert [(hunk.search, hunk.replace) for hunk in edit.hunks] == [("x", "y\n")]


def test_a_fence_in_the_content_does_not_end_the_diff():
    text = "--- a/a.md\n+++ b/a.md\n@@ -1,3 +1,3 @@\n ```\n-x\n+y\n ```\n"
    (edit,) = edits(diff(text))
    assert edit.hunks[0].search == "```\nx\n```\n"


def test_names_in_quotes_are_read_as_git_writes_them():
    text = '--- "a/\\303\\244 \\"b\\".txt"\n+++ "b/\\303\\244 \\"b\\".txt"\n@@ -1 +1 @@\n-x\n+y\n'
    assert edits(diff(text))[0].path == 'ä "b".txt'


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("--- a/a\n+++ b/b\n@@ -1 +1 @@\n-x\n+y\n", "a rename needs `rename from` and `rename to`"),
        (
            "diff --git a/l b/l\nnew file mode 120000\n--- /dev/null\n+++ b/l\n@@ -0,0 +1 @@\n+/etc\n",
            "mode 120000 is refused",
        ),
        ("diff --git a/i b/i\nGIT binary patch\nliteral 5\n", "binary patches aren't understood"),
        ("diff --git a/i b/i\ncopy from i\ncopy to j\n", "copies aren't understood"),
        ("--- a/a\n+++ b/a\n@@ -1 +1 @@\nx\n+y\n", "every line of a hunk starts with a space, `+` or `-`"),
        ("--- /dev/null\n+++ b/a\n@@ -1 +1 @@\n x\n+y\n", "every line of it must start with `+`"),
        ("--- a/a\n+++ b/a\n", "nothing is changed in a"),
        ("new file mode 100644\n--- a/a\n+++ b/a\n", "this line is no part of a unified diff"),
        ("diff --git a/a b/b\nold mode 100644\nnew mode 100755\n", "doesn't say which file it is for"),
        ("Some text\n", "this line is no part of a unified diff"),
        ("", "the diff is empty"),
    ],
)
def test_a_diff_that_is_none_is_refused_at_its_line(text: str, words: str):
    assert words in message(diff(text))


def test_a_diff_outside_a_fence_is_not_overlooked():
    assert "must stand in a fenced block" in message("--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n-x\n+y\n")
    assert "must stand in a fenced block" in message("diff --git a/a.py b/a.py\n--- a/a.py\n+++ b/a.py\n@@ -1 +1 @@\n")


def test_a_patch_file_is_a_file():
    (edit,) = edits("`fix.patch`\n```diff\n--- a/a\n+++ b/a\n@@ -1 +1 @@\n-x\n+y\n```\n")
    assert (edit.op, edit.path) == ("write", "fix.patch")


LINES = st.lists(
    st.sampled_from(["", " ", "a", "b", "-- x", "++ y", "@@", "```", " a", "\\", "diff --git a/x b/x"]), max_size=10
)


@given(LINES.filter(bool), LINES.filter(bool), st.booleans(), st.booleans(), st.integers(1, 3))
def test_what_difflib_writes_gives_the_second_text_or_a_refusal(
    old: list[str], new: list[str], old_final: bool, new_final: bool, context: int
):
    before, after = _lines(old, old_final), _lines(new, new_final)
    if before == after:
        return
    body = [
        line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"
        for line in difflib.unified_diff(before, after, "a/f", "b/f", n=context)
    ]
    parsed = parse_builder(diff("".join(body)), "stop")
    assert isinstance(parsed, Reply), parsed
    outcome = apply({"f": "".join(before).encode()}, parsed.edits, fuzz_cap=0)
    if isinstance(outcome, EditFailed):
        assert {failure.kind for failure in outcome.failures} <= {"ambiguous", "overlap"}
    else:
        assert outcome.changes["f"].content == "".join(after).encode()


def _lines(lines: list[str], final: bool) -> list[str]:
    whole = [f"{line}\n" for line in lines]
    return whole if final or not lines[-1] else [*whole[:-1], lines[-1]]


def test_what_git_writes_applies_to_what_git_read(tmp_path: Path):
    def git(*argv: str) -> str:
        done = subprocess.run(["git", *argv], cwd=tmp_path, check=True, capture_output=True, text=True)
        return done.stdout

    git("init", "-q")
    before = {
        "a.py": "".join(f"line {at}\n" for at in range(40)),
        "gone.txt": "x\n",
        "moved.txt": "one\ntwo\nthree\nfour\n5\n",
    }
    for name, text in before.items():
        (tmp_path / name).write_text(text)
    git("add", "-A")
    tree = git("write-tree").strip()
    (tmp_path / "a.py").write_text(before["a.py"].replace("line 3\n", "line three\n").replace("line 30\n", ""))
    (tmp_path / "gone.txt").unlink()
    (tmp_path / "moved.txt").rename(tmp_path / "dir moved ü.txt")
    (tmp_path / "dir moved ü.txt").write_text("one\ntwo\nthree\nfour\nfive\n")
    (tmp_path / "new.sh").write_text("#!/bin/sh")
    (tmp_path / "new.sh").chmod(0o755)
    git("add", "-A")
    found = edits(diff(git("diff", "--cached", "-M", tree)))
    files: dict[str, bytes | None] = {name: text.encode() for name, text in before.items()}
    outcome = apply({"dir moved ü.txt": None, "new.sh": None, **files}, found, fuzz_cap=0)
    assert isinstance(outcome, Applied)
    after = {path: change.content for path, change in outcome.changes.items() if change.content is not None}
    assert after == {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert outcome.changes["new.sh"].mode == "100755"
    assert outcome.changes["dir moved ü.txt"].renamed_from == "moved.txt"


# --- apply_patch ---

PATCH = """\
*** Begin Patch
*** Update File: src/a.py
@@ class A:
@@     def f(self):
-        return 1
+        return 2
\x20
@@
 last
-line
+LINE
*** End of File

*** Add File: new.py
+x = 1
+
+y = 2
*** Delete File: old.py
*** Update File: b.py
*** Move to: c.py
@@
-a
+b
*** End Patch
"""


@pytest.mark.parametrize("text", [PATCH, f"```\n{PATCH}```\n", f"Done:\n```text\n{PATCH}```\nBye.\n"])
def test_an_apply_patch_text_is_edits(text: str):
    found = edits(text)
    assert [(edit.op, edit.path, edit.new_path, edit.content) for edit in found] == [
        ("replace", "src/a.py", "", ""),
        ("create", "new.py", "", "x = 1\n\ny = 2\n"),
        ("delete", "old.py", "", ""),
        ("rename", "b.py", "c.py", ""),
    ]
    assert [(hunk.search, hunk.replace, hunk.hint, hunk.at_end) for hunk in found[0].hunks] == [
        ("        return 1\n\n", "        return 2\n\n", "def f(self):", False),
        ("last\nline\n", "last\nLINE\n", "", True),
    ]
    assert [(hunk.search, hunk.replace) for hunk in found[3].hunks] == [("a\n", "b\n")]


def test_lines_at_the_end_are_found_there_only():
    patch = "*** Begin Patch\n*** Update File: a\n@@\n-x\n+y\n*** End of File\n*** End Patch\n"
    outcome = apply({"a": b"x\nz\nx\n"}, edits(patch), fuzz_cap=0)
    assert isinstance(outcome, Applied)
    assert outcome.changes["a"].content == b"x\nz\ny\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("*** Begin Patch\n*** End Patch\n", "the patch is empty"),
        ("*** Begin Patch\n+x\n*** End Patch\n", "expected `*** Add File:`"),
        ("*** Begin Patch\n*** Copy File: x\n*** End Patch\n", "expected `*** Add File:`"),
        ("*** Begin Patch\n*** Update File: x\n@@\n-a\n*** What\n*** End Patch\n", "not understood: *** What"),
        ("*** Begin Patch\n*** Update File: x\n-a\n*** Move to: y\n*** End Patch\n", "stands directly below"),
        ("*** Begin Patch\n*** Add File: x\n y\n*** End Patch\n", "every line of it must start with `+`"),
        ("*** Begin Patch\n*** Update File: x\n*** End Patch\n", "nothing is changed in x"),
        ("*** Begin Patch\n*** Update File: x\nabc\n*** End Patch\n", "every line of a hunk starts with"),
    ],
)
def test_a_patch_that_is_none_is_refused(text: str, words: str):
    assert words in message(text)


def test_a_patch_without_an_end_is_cut_off():
    parsed = parse_builder("*** Begin Patch\n*** Delete File: x\n", "stop")
    assert isinstance(parsed, Refusal)
    assert parsed.outcome == "truncated"
