"""What can't be put in an order, and what should be."""

from itertools import pairwise

import pytest

from autopack.plan.graph import cycles, smallest_cut
from tests.plan.folder import Folder


def test_every_circle_is_told_with_every_need_and_the_fewest_to_remove(folder: Folder):
    text = "tiers:\n  - id: T1\n    phases:\n"
    for number, (name, needs) in enumerate({"a": "b", "b": "c, a", "c": "a", "d": "e", "e": "d"}.items()):
        scope = f"scope: {{write: [src/{number}.py]}}"
        text += f"      - {{id: {name}, category: docs, goal: do it, needs: [{needs}], {scope}}}\n"
    found = folder.playbook(text).found("AP4001")
    assert [each.message.split(": ")[1] for each in found] == ["a -> b -> a", "d -> e -> d", "a -> b -> c -> a"]
    assert [folder.under(each.span) for each in found] == ["b", "e", "b"]
    assert [label.text for label in found[2].labels] == ["b needs c", "c needs a"]
    fewest = "the fewest that break all 3 circles: a needs b and d needs e"
    assert [each.help for each in found] == [f"remove one of these needs; {fewest}"] * 3


def test_many_circles_are_cut_all_the_same():
    names = [f"p{number}" for number in range(8)]
    needs = {name: tuple(other for other in names if other != name) for name in names}
    paths = cycles(needs)
    cut = set(smallest_cut(paths))
    left = [path for path in paths if not any(edge in cut for edge in pairwise(path))]
    assert (len(paths), left) == (50, [])


def scopes(*writes: str, needs: str = "") -> str:
    text = "tiers:\n  - id: T1\n    phases:\n"
    for number, write in enumerate(writes):
        more = needs if number else ""
        text += f"      - {{id: p{number}, category: docs, goal: do it, {more}scope: {{write: [{write}]}}}}\n"
    return text


@pytest.mark.parametrize(
    ("one", "other", "path"),
    [
        ("src/a.py", "src/a.py", "src/a.py"),
        ("src/**", "src/b/c.py", "src/b/c.py"),
        ("'*.md'", "README.md", "README.md"),
        ("src/, docs/**", "docs/x/**", "docs/x/"),
        ("src/a.py", "src/b.py", None),
        ("src/**", "tests/**", None),
        ("src/*.py", "src/a/b.py", None),
        ("src/a/**", "src/ab/**", None),
        ("src/**, '!src/a.py'", "src/a.py", None),
    ],
)
def test_phases_that_may_write_the_same_files_in_any_order_are_told(
    folder: Folder, one: str, other: str, path: str | None
):
    found = folder.playbook(scopes(one, other)).found("AP4002")
    assert len(found) == (path is not None)
    for each in found:
        assert each.severity == "warning"
        assert each.help is not None
        assert f"both may change {path}" in each.help
        assert "add `needs: [p0]`" in each.help
        assert [label.text for label in each.labels] == ["p0 may write these"]
    assert folder.playbook(scopes(one, other, needs="needs: [p0], ")).found("AP4002") == []


def test_an_order_over_others_is_an_order(folder: Folder):
    text = "tiers:\n  - id: T1\n    phases:\n"
    for name, needs, write in (("a", "", "src/**"), ("b", "a", "docs/**"), ("c", "b", "src/x.py")):
        text += f"      - {{id: {name}, category: docs, goal: do, needs: [{needs}], scope: {{write: [{write}]}}}}\n"
    assert folder.playbook(text).found("AP4002") == []


def test_one_broad_scope_is_one_finding_at_that_scope(folder: Folder):
    (found,) = folder.playbook(scopes("src/**", *[f"src/{number}.py" for number in range(30)])).found("AP4002")
    assert found.message == (
        'phase "p0" may write what 30 others may write, without an order between them; the first 5 are shown'
    )
    assert [label.text for label in found.labels] == [f'"p{n + 1}" may change src/{n}.py' for n in range(5)]
    assert found.help == "narrow this scope, or add `needs: [p0]` to the others"
    assert found.span is not None
    assert found.span.line < found.labels[0].span.line


def test_of_very_many_the_first_are_told(folder: Folder):
    pairs = [f"src/{number // 2}/**" for number in range(100)]
    assert len(folder.playbook(scopes(*pairs)).found("AP4002")) == 20
