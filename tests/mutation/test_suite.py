"""Every fault the schemas know of, planted into a valid project: one finding each, at the exact token."""

from pathlib import Path

import pytest

from autopack.spec import schema, wording
from tests.mutation import suite
from tests.mutation.emit import scalar, write
from tests.mutation.mutants import SORTS, undecided


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    suite.settle(tmp_path)
    return tmp_path


@pytest.mark.parametrize("kind", schema.KINDS)
def test_what_is_mutated_is_valid_before(folder: Path, kind: str) -> None:
    """For a new property whose example fits nothing, give `world/` a value of it."""
    with suite.remembering():
        assert list(suite.unclean(folder, kind)) == []


@pytest.mark.parametrize("kind", schema.KINDS)
def test_it_is_decided_of_every_text_whether_it_names_something(kind: str) -> None:
    """A property that fails here belongs in REFERENCES, or its name in FREE."""
    assert [site.name for site in suite.all_sites(kind) if undecided(site)] == []


@pytest.mark.parametrize("style", suite.STYLES)
@pytest.mark.parametrize("kind", schema.KINDS)
def test_every_mutant_is_answered_with_the_one_finding_that_is_due(folder: Path, kind: str, style: str) -> None:
    score = suite.score(folder, kind, (style,))
    assert [fault for _, fault in score.missed] == []


def test_every_sort_of_fault_is_planted(folder: Path) -> None:
    planted = suite.Score.empty().planted
    for kind in schema.KINDS:
        for site in suite.all_sites(kind):
            for sort, make in SORTS.items():
                planted[sort] += any(True for _ in make(site))
    assert [sort for sort, count in planted.items() if not count] == []


def test_a_fault_that_is_not_answered_lowers_the_score(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The measure is measured: without did-you-mean it must fall."""
    monkeypatch.setattr(wording, "nearest", lambda *_: None)
    score = suite.score(folder, "project", ("block",))
    assert {sort for sort, _ in score.missed} == {"typo", "alien word"}


def test_the_writer_knows_where_it_wrote() -> None:
    text, keys, values = write({"a": {"b c": ["x", 1, {"k": None}]}, "d": "no"})
    lines = text.splitlines()
    assert lines[1:] == ["a:", "  b c:", "    - x", "    - 1", "    - k: null", 'd: "no"']
    assert keys["a", "b c"] == (3, 3, 3, 6)
    assert values["a", "b c"] == values["a", "b c", 0] == (4, 7, 4, 8)
    assert values["a", "b c", 2] == keys["a", "b c", 2, "k"] == (6, 7, 6, 8)
    assert values["d",] == (7, 4, 7, 8)


@pytest.mark.parametrize("text", ["yes", "", "- x", "a: b", "12", "a #b", "ä", "x, y", "null", "a "])
def test_the_writer_quotes_what_would_not_be_the_same_text(text: str) -> None:
    assert scalar(text).startswith('"')
