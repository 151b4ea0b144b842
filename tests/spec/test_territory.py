"""Lists of patterns compared by what they give: inside, beyond, in common."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopack.spec.paths import matches
from autopack.spec.territory import beyond, meet, meets


@pytest.mark.parametrize(
    ("new", "old", "shown"),
    [
        (["src/**"], ["src/**"], None),
        (["src/a.py"], ["src/**"], None),
        (["src/**"], ["src/a.py"], "src/x"),
        (["src/**/*.py"], ["src/**"], None),
        (["src/**"], ["src/**/*.py"], "src/x"),
        (["src/*"], ["src/**"], None),
        (["src/**"], ["src/*"], "src/x/x"),
        (["src/"], ["src/**"], None),
        (["src/[ab].py"], ["src/a.py", "src/b.py", "src/[[]ab].py"], None),
        (["src/[ab].py"], ["src/a.py", "src/b.py"], "src/[ab].py"),
        (["src/[a-c].py"], ["src/a.py", "src/b.py"], "src/c.py"),
        (["src/?.py"], ["src/[!q].py"], "src/q.py"),
        (["src/**"], ["src/**", "!src/secret/**"], "src/secret/x"),
        (["src/**", "!src/secret/**"], ["src/**"], None),
        (["docs/**", "src/**"], ["src/**"], "docs/x"),
        ([], ["src/**"], None),
        (["app/[slug]/page.tsx"], ["app/**/page.tsx"], None),
        (["app/[slug]/page.tsx"], ["app/?/page.tsx"], "app/[slug]/page.tsx"),
        (["**"], ["*", "*/**"], None),
    ],
)
def test_what_is_beyond_is_shown_by_a_path(new: list[str], old: list[str], shown: str | None):
    assert beyond(new, old) == shown


@pytest.mark.parametrize(
    ("one", "other", "shown"),
    [
        (["src/**"], ["tests/**"], None),
        (["src/**"], ["**/*.py"], "src/.py"),
        (["src/a*"], ["src/*b"], "src/ab"),
        (["src/**", "!src/a.py"], ["src/a.py"], None),
    ],
)
def test_what_both_give_is_shown_by_a_path(one: list[str], other: list[str], shown: str | None):
    assert meet(one, other) == shown


SEGMENTS = st.sampled_from(["a", "b", "ab", "*", "a*", "*b", "?", "[ab]", "[!a]", "**", "**"])
PATTERNS = st.lists(
    st.tuples(
        st.sampled_from(["", "", "!"]), st.lists(SEGMENTS, min_size=1, max_size=3), st.sampled_from(["", "", "/"])
    ).map(lambda parts: parts[0] + "/".join(parts[1]) + parts[2]),
    max_size=3,
)
WORDS = ["a", "b", "c", "ab", "ba", "cb", "abc"]
PATHS = ["/".join(words) for length in (1, 2, 3) for words in itertools.product(WORDS, repeat=length)]


@settings(max_examples=200, deadline=None)
@given(PATTERNS, PATTERNS)
def test_the_answer_agrees_with_matching_path_by_path(new: list[str], old: list[str]):
    shown = beyond(new, old)
    if shown is None:
        assert [path for path in PATHS if matches(path, new) and not matches(path, old)] == []
    else:
        assert matches(shown, new)
        assert not matches(shown, old)


@settings(max_examples=200, deadline=None)
@given(PATTERNS, PATTERNS)
def test_what_they_have_in_common_agrees_with_matching_path_by_path(one: list[str], other: list[str]):
    shown = meet(one, other)
    if shown is None:
        assert [path for path in PATHS if matches(path, one) and matches(path, other)] == []
    else:
        assert matches(shown, one)
        assert matches(shown, other)


@settings(max_examples=400, deadline=None)
@given(PATTERNS, PATTERNS)
def test_a_look_at_two_ends_and_an_example_says_what_a_walk_says(one: list[str], other: list[str]):
    for asked in (pattern.removeprefix("!") for pattern in other):
        assert meets(one, asked) == (meet(one, [asked]) is not None)
