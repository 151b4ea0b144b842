"""What a new run takes over from an earlier one, and why not."""

from pathlib import Path

import pytest

from autopack.plan.model import Plan
from autopack.plan.reuse import Earlier, verdicts
from tests.plan.folder import Folder

PLAYBOOK = """\
tiers:
  - id: T1
    phases:
      - {id: a, goal: g, category: docs, scope: {write: [docs/a.md]}}
      - {id: b, goal: g, category: docs, scope: {write: [docs/b.md]}}
      - {id: c, goal: g, category: docs, needs: [a], scope: {write: [docs/c.md]}}
      - {id: d, goal: g, category: docs, needs: [b], scope: {write: [docs/d.md]}}
"""
LANDED = (("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"))


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path).project()


def plan(folder: Folder, *changes: tuple[str, str]) -> Plan:
    text = PLAYBOOK
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    return folder.playbook(text).plan()


def told(earlier: Earlier, new: Plan, asked: set[str] | None = None, *, keep: bool = False) -> dict[str, str]:
    return {v.phase_id: f"{v.kind}: {', '.join(v.reasons)}" for v in verdicts(earlier, new, asked, keep=keep)}


def done(folder: Folder) -> Earlier:
    return Earlier("r", plan(folder), LANDED, {})


def test_what_is_complete_and_unchanged_is_taken_over(folder: Folder):
    found = verdicts(done(folder), plan(folder))
    assert [(v.kind, v.commit) for v in found] == [
        ("carried", "1"),
        ("carried", "2"),
        ("carried", "3"),
        ("carried", "4"),
    ]


def test_a_change_ends_what_is_taken_over_and_each_phase_says_why(folder: Folder):
    new = plan(folder, ("id: b, goal: g", "id: b, goal: other"))
    assert told(done(folder), new) == {
        "a": "carried: complete, and nothing has changed",
        "b": "run: changed since r",
        "c": "run: landed on top of b, which is not taken over",
        "d": "run: needs b, which is not taken over",
    }
    changes = {v.phase_id: [(c.field, c.before, c.after) for c in v.changes] for v in verdicts(done(folder), new)}
    assert changes["b"] == [("goal", "g", "other")]
    assert changes["d"] == []


def test_what_failed_runs_again_with_its_failure(folder: Folder):
    earlier = Earlier("r", plan(folder), LANDED[:2], {"c": "FAILED (CI red)", "d": "SKIPPED"})
    assert told(earlier, plan(folder)) == {
        "a": "carried: complete, and nothing has changed",
        "b": "carried: complete, and nothing has changed",
        "c": "run: FAILED (CI red) in r",
        "d": "run: SKIPPED in r",
    }


def test_a_new_phase_runs_and_one_that_is_gone_ends_what_is_taken_over(folder: Folder):
    new = plan(folder, ("id: a,", "id: z,"), ("needs: [a]", "needs: [z]"))
    assert told(done(folder), new) == {
        "z": "run: new in the playbook",
        "b": "run: landed on top of a (no longer in the playbook), which is not taken over",
        "c": "run: changed since r",
        "d": "run: needs b, which is not taken over",
    }


def test_a_larger_budget_and_a_tag_change_no_phase(folder: Folder):
    new = plan(
        folder, ("id: a, goal: g", "id: a, tags: [x], goal: g"), ("tiers:", "budget: {tokens: 9_000_000}\ntiers:")
    )
    assert {verdict.kind for verdict in verdicts(done(folder), new)} == {"carried"}


def test_the_models_price_and_the_profile_count(folder: Folder):
    earlier = done(folder)
    folder.ruleset("limits: {files: 3}\n")
    found = verdicts(earlier, plan(folder))
    assert [v.kind for v in found] == ["run"] * 4
    assert "limits.files" in [change.field for change in found[0].changes]


def test_only_what_is_selected_runs(folder: Folder):
    assert told(done(folder), plan(folder), {"c"}) == {
        "a": "carried: complete, and nothing has changed",
        "b": "carried: complete, and nothing has changed",
        "c": "run: selected",
        "d": "left out: not selected, landed on top of c, which is not taken over",
    }


def test_failed_keeps_what_completed_although_it_has_changed(folder: Folder):
    earlier = Earlier("r", plan(folder), LANDED[:3], {"d": "FAILED"})
    new = plan(folder, ("id: b, goal: g", "id: b, goal: other"))
    assert told(earlier, new, {"d"}, keep=True) == {
        "a": "carried: complete, and nothing has changed",
        "b": "carried: complete, and kept although it has changed",
        "c": "carried: complete, and nothing has changed",
        "d": "run: FAILED in r",
    }
