"""Paths and patterns: one meaning for scopes, protected paths and deliverables, and no way around them."""

import subprocess
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.spec.paths import fault, is_secret_like, matches, spelling, unportable


@pytest.mark.parametrize(
    ("pattern", "given", "not_given"),
    [
        ("a.py", ["a.py"], ["b/a.py", "a.pyc", "A.py"]),
        ("src/**", ["src/a", "src/a/b"], ["src", "srcs/a", "a/src/b"]),
        ("src/", ["src/a", "src/a/b"], ["src", "srcs/a"]),
        ("src/*", ["src/a"], ["src/a/b", "src"]),
        ("*.py", ["a.py", ".py"], ["a/b.py"]),
        ("**/*.py", ["a.py", "a/b.py", "a/b/c.py"], ["a.txt"]),
        ("**/test_*.py", ["test_a.py", "x/test_a.py"], ["x/a_test.py"]),
        ("a/**/b", ["a/b", "a/x/b", "a/x/y/b"], ["a", "a/bb", "x/a/b"]),
        ("**", ["a", "a/b"], []),
        ("**/docs/**", ["docs/a", "x/docs/a/b"], ["docs", "x/docs"]),
        ("a?c", ["abc"], ["a/c", "ac"]),
        ("[ab].py", ["a.py", "b.py"], ["c.py", "ab.py"]),
        ("[!ab].py", ["c.py"], ["a.py"]),
        ("app/[slug]/page.tsx", ["app/[slug]/page.tsx", "app/s/page.tsx"], ["app/slug/page.tsx"]),
        ("a**b", ["ab", "axb"], ["a/b"]),
        ("docs/*.md", ["docs/a.md"], ["docs/a/b.md", "docs/a.mdx"]),
        ("a.c", ["a.c"], ["abc"]),
    ],
)
def test_what_a_pattern_gives(pattern: str, given: list[str], not_given: list[str]):
    assert [path for path in [*given, *not_given] if matches(path, [pattern])] == given


def test_the_last_pattern_that_speaks_about_a_path_decides():
    patterns = ["src/**", "!src/secret/**", "src/secret/open.py"]
    assert matches("src/a.py", patterns)
    assert not matches("src/secret/a.py", patterns)
    assert matches("src/secret/open.py", patterns)
    assert not matches("a.py", ["!b.py"])
    assert not matches("a.py", [])


def test_case_matters_unless_it_is_about_what_must_not_be_touched():
    assert not matches(".GitHub/workflows/x.yml", [".github/**"])
    assert matches(".GitHub/workflows/x.yml", [".github/**"], ignore_case=True)


def test_many_stars_are_not_slow():
    assert not matches("/".join("a" * 200), ["**/a" * 40 + "/b"])
    assert not matches("a" * 255, ["*a" * 60 + "b"])


segment = st.sampled_from(["a", "b", "ab", "x.py"])
glob = st.lists(st.sampled_from(["a", "b", "*", "**", "*b", "x.*"]), min_size=1, max_size=4).map("/".join)


@given(st.lists(segment, min_size=1, max_size=5).map("/".join), glob)
def test_patterns_agree_with_a_plain_definition(path: str, pattern: str):
    def fits(parts: tuple[str, ...], wanted: tuple[str, ...]) -> bool:
        if not wanted:
            return not parts
        if wanted[0] == "**":
            here = bool(parts) if len(wanted) == 1 else fits(parts, wanted[1:])
            return here or (bool(parts) and fits(parts[1:], wanted))
        return bool(parts) and PurePosixPath(parts[0]).match(wanted[0]) and fits(parts[1:], wanted[1:])

    assert matches(path, [pattern]) == fits(tuple(path.split("/")), tuple(pattern.split("/")))


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("", "is empty"),
        ("/etc/passwd", "is absolute"),
        ("C:/x", "is absolute"),
        ("c:x", "is absolute"),
        ("../x", "leaves its folder"),
        ("a/../../x", "leaves its folder"),
        ("a/..", "leaves its folder"),
        ("./a", "is not normalised"),
        ("a//b", "is not normalised"),
        ("a/", "is not normalised"),
        ("a/./b", "is not normalised"),
        ("a\\b", "holds a backslash"),
        ("..\\x", "holds a backslash"),
        ("a\0b", "holds a control or invisible character"),
        ("a\nb", "holds a control or invisible character"),
        ("a\x1bb", "holds a control or invisible character"),
        ("a\u202eb", "holds a control or invisible character"),
        ("a\ud800", "holds a control or invisible character"),
        (".git/config", "enters `.git`"),
        ("a/.git", "enters `.git`"),
        (".GIT/config", "enters `.git`"),
        (".git /config", "enters `.git`"),
        (".git./config", "enters `.git`"),
        (".git::$INDEX_ALLOCATION/config", "enters `.git`"),
        ("git~1/config", "enters `.git`"),
        ("GIT~2", "enters `.git`"),
        (".g\u200cit/config", "holds a control or invisible character"),
        ("\uff0egit/config", "enters `.git`"),
        (".\uff27\uff29\uff34/config", "enters `.git`"),
        ("x" * 1025, "is longer than 1024 characters"),
    ],
)
def test_a_path_that_leads_elsewhere_has_a_fault(path: str, reason: str):
    assert (fault(path) or "").startswith(reason)


@pytest.mark.parametrize(
    "path", ["a.py", ".gitignore", ".github/x.yml", "a b/c.txt", "ä/é.md", "app/[id]/(x)/page.tsx", "..a"]
)
def test_an_ordinary_path_has_none(path: str):
    assert (fault(path), unportable(path)) == (None, None)


@pytest.mark.parametrize(
    "path", ["aux.txt", "src/CON", "com1", "ab:c", "what?.md", "a./b", "a /b", " a", 'q".txt', "é" * 200]
)
def test_some_names_do_not_travel(path: str):
    assert fault(path) is None
    assert unportable(path)


def test_git_refuses_nothing_that_passes(tmp_path: Path):
    """What has no fault can be added to an index; git's own list of treacherous names is part of ours."""
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    blob = subprocess.run(
        ["git", "hash-object", "-w", "--stdin"], cwd=tmp_path, input=b"", check=True, capture_output=True
    ).stdout.decode()
    names = [
        ".git/x",
        "a/.GIT/x",
        "git~1",
        ".git ",
        ".git.",
        "../x",
        "a/../x",
        "a//b",
        "./a",
        "/x",
        ".gitignore",
        "a b",
        "ok/ü",
    ]
    for name in names:
        argv = [
            "git",
            "-c",
            "core.protectNTFS=true",
            "-c",
            "core.protectHFS=true",
            "update-index",
            "--add",
            "--cacheinfo",
        ]
        done = subprocess.run([*argv, f"100644,{blob.strip()},{name}"], cwd=tmp_path, check=False, capture_output=True)
        assert fault(name) is not None or done.returncode == 0, name
        assert done.returncode == 0 or fault(name) is not None, name


@pytest.mark.parametrize(
    "path",
    [
        ".env",
        "a/.env",
        ".env.local",
        "prod.env",
        "x.pem",
        "x.KEY",
        "id_rsa",
        ".ssh/config",
        "a/.aws/credentials",
        ".netrc",
        ".npmrc",
    ],
)
def test_names_of_secrets(path: str):
    assert is_secret_like(path)


@pytest.mark.parametrize("path", [".env.example", "id_rsa.pub", "env.py", "keys.py", "environment.yml", "a.environ"])
def test_names_that_only_resemble_them(path: str):
    assert not is_secret_like(path)


def test_spellings_that_some_file_systems_cannot_keep_apart():
    assert spelling("README.md") == spelling("readme.MD")
    assert spelling("caf\u00e9") == spelling("cafe\u0301")
    assert spelling("a") != spelling("b")
