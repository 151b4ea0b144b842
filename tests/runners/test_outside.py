"""What a client's patch is read as, and where its hunks go."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from autopack.runners import edit, git, outside, reply
from autopack.runners.change import Refused, submitted
from tests.run.story import by_client, plan

SAME = "".join(f"start\nvalue = {number}\n\n" for number in (1, 1, 1, 1))


def placed(before: str, patch: str) -> str | None:
    parsed = outside.parsed(patch)
    assert isinstance(parsed, reply.Reply)
    applied = edit.apply({"a.txt": before.encode()}, parsed.edits, fuzz_cap=0)
    assert isinstance(applied, edit.Applied)
    content = applied.changes["a.txt"].content
    return None if content is None else content.decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (SAME, SAME[:34] + "middle\n" + SAME[34:]),
        (SAME, SAME.replace("1", "2")),
        ("a\r\nb\r\nc\r\n", "a\r\nB\r\nc\r\n"),
        ("a\nb", "a\nb\n"),
        ("a\nb\n", "a\nb"),
        ("", "new\n"),
        ("-- old\n++ sign\n", "-- new\n++ sign\n"),
        ("ä\x0cb\u2028c\nd\n", "ä\x0cb\u2028C\nd\n"),
    ],
)
def test_what_git_diff_prints_gives_what_git_saw_also_where_lines_repeat(
    tmp_path: Path, before: str, after: str
) -> None:
    (tmp_path / "a.txt").write_bytes(before.encode())
    git = ["git", "-C", str(tmp_path), "-c", "core.autocrlf=false"]
    subprocess.run([*git, "init", "-q", "--template="], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    (tmp_path / "a.txt").write_bytes(after.encode())
    made = subprocess.run([*git, "diff"], check=True, capture_output=True).stdout.decode()
    if before:
        assert placed(before, made) == after
    else:
        parsed = outside.parsed(made)
        assert isinstance(parsed, reply.Reply)


def test_a_line_number_decides_between_equal_places_and_overrules_no_content() -> None:
    patch = "--- a/a.txt\n+++ b/a.txt\n@@ -{} +{} @@\n-x\n+y\n"
    assert placed("x\nx\nx\n", patch.format(2, 2)) == "x\ny\nx\n"
    assert placed("a\nx\nb\n", patch.format(1, 1)) == "a\ny\nb\n"


@pytest.mark.parametrize(
    ("patch", "words"),
    [
        ("no diff at all", "line 1 of the patch: this line is no part of a unified diff"),
        ("diff --git a/a b/a\nGIT binary patch\n", "binary patches aren't understood"),
        ("@@ -1 +1 @@\n-x\n+y\n", "a hunk without a file"),
        ("diff --git a/a b/a\nnew file mode 120000\n", "mode 120000 is refused"),
    ],
)
def test_what_is_no_diff_is_refused_with_its_line(patch: str, words: str) -> None:
    found = outside.parsed(patch)
    assert isinstance(found, reply.Refusal)
    assert found.outcome == "format_error"
    assert words in found.message


def test_an_empty_patch_wants_nothing() -> None:
    assert outside.parsed(" \n") == reply.Reply(())


HOSTILE = {
    "--- /dev/null\n+++ b/../x\n@@ -0,0 +1 @@\n+x\n": "scope",
    "--- /dev/null\n+++ b//etc/passwd\n@@ -0,0 +1 @@\n+x\n": "scope",
    "--- /dev/null\n+++ b/.git/hooks/pre-commit\n@@ -0,0 +1 @@\n+x\n": "scope",
    "--- /dev/null\n+++ b/docs/.GIT/config\n@@ -0,0 +1 @@\n+x\n": "scope",
    "--- /dev/null\n+++ b/elsewhere.md\n@@ -0,0 +1 @@\n+x\n": "scope",
    "--- /dev/null\n+++ b/docs/.env\n@@ -0,0 +1 @@\n+x\n": "protected",
    "--- /dev/null\n+++ b/docs/nul\0.md\n@@ -0,0 +1 @@\n+x\n": "scope",
    "--- /dev/null\n+++ b/docs/new.md\n@@ -0,0 +1 @@\n+a\0b\n": "binary",
    "--- /dev/null\n+++ b/docs/link\n@@ -0,0 +1 @@\n+x\n": "scope",
    "--- a/docs/link\n+++ b/docs/link\n@@ -1 +1 @@\n-README.md\n+/etc/passwd\n": "scope",
    "--- a/README.md\n+++ b/README.md\n@@ -1 +1 @@\n-no such line\n+x\n": "edit_failed",
    "--- a/README.md\n+++ b/README.md\n@@ -1 +1,900 @@\n hello\n" + "+x\n" * 900: "limit",
    "--- /dev/null\n+++ b/docs/key.md\n@@ -0,0 +1 @@\n+<withheld-AWS-access-key>\n": "secret",
    "diff --git a/README.md b/README.md\nold mode 100644\nnew mode 120000\n": "format_error",
    "diff --git a/README.md b/docs/gone.md\nrename from ../../x\nrename to docs/gone.md\n": "scope",
    "": "no_op",
}


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Iterator[git.Repository]:
    """With README.md, and a link to it in docs/."""
    root = tmp_path_factory.mktemp("repository")
    (root / "docs").mkdir()
    (root / "README.md").write_text("hello\n")
    (root / "docs" / "link").symlink_to("../README.md")
    said = ["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b"]
    for words in (["init", "-q", "-b", "main", "--template="], ["add", "-A"], ["commit", "-qm", "first"]):
        subprocess.run([*said, *words], check=True)
    with git.open_repository(root, home=tmp_path_factory.mktemp("home")) as opened:
        yield opened


@pytest.mark.parametrize(("patch", "kind"), HOSTILE.items())
def test_what_a_client_hands_in_passes_the_gate_of_every_reply(
    repository: git.Repository, patch: str, kind: str
) -> None:
    told = plan(by_client("a", write=("README.md", "docs/**")))
    base = repository.resolve("main")
    with pytest.raises(Refused) as caught:
        submitted(told, told.phase("a"), repository, base, patch)
    assert caught.value.kind == kind, caught.value.message


def test_a_client_changes_what_nobody_has_shown_it(repository: git.Repository) -> None:
    told = plan(by_client("a", write=("README.md",)))
    made = submitted(
        told,
        told.phase("a"),
        repository,
        repository.resolve("main"),
        "--- a/README.md\n+++ b/README.md\n@@ -1 +1 @@\n-hello\n+bonjour\n",
    )
    assert repository.read_files(made.tree, ["README.md"]) == {"README.md": b"bonjour\n"}
