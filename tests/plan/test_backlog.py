"""The backlog's file: what a compile knows of earlier runs."""

from dataclasses import replace

import pytest

from autopack.plan import backlog
from autopack.plan.backlog import BacklogEntry
from autopack.plan.canonical import NotThisShape
from tests.plan.folder import Folder

FLAKY = BacklogEntry(
    issue_key="tests__net__flaky",
    base_severity="minor",
    category="tests",
    task_category="tests",
    complexity="low",
    description="the resolver test fails now and then",
    phase_id="a",
    tiers=("p/T1",),
    paths=("tests/test_net.py",),
    age_in_runs=2,
    age_in_tiers=1,
    occurrence_count=5,
    first_seen_run="r1",
    last_seen_run="r2",
    last_seen_at="2027-01-31T12:00:00Z",
)
LOOSE = replace(FLAKY, issue_key="docs__readme__stale", resolved_by="r2")


def test_a_backlog_survives_its_file_whatever_the_order_it_was_filled_in():
    one = {each.issue_key: each for each in (FLAKY, LOOSE)}
    two = {each.issue_key: each for each in (LOOSE, FLAKY)}
    assert backlog.dump(one) == backlog.dump(two)
    assert backlog.load(backlog.dump(one)) == one
    assert backlog.dump({}) == '{"format_version":1,"issues":[]}\n'


@pytest.mark.parametrize(
    ("text", "fact"),
    [
        ("{", "not JSON"),
        ('{"format_version":2,"issues":[]}', "2 where 1 belongs"),
        ('{"format_version":1,"issues":[{"issue_key":"a"}]}', "missing"),
    ],
)
def test_a_backlog_that_is_none_is_refused(text: str, fact: str):
    with pytest.raises(NotThisShape, match=fact):
        backlog.load(text)


def test_an_issue_that_is_there_twice_is_refused():
    text = backlog.dump({FLAKY.issue_key: FLAKY})
    entry = text[text.index("[") + 1 : text.rindex("]")]
    with pytest.raises(NotThisShape, match="there twice"):
        backlog.load(text.replace(entry, f"{entry},{entry}"))


def test_a_plan_records_the_backlog_it_was_compiled_with(folder: Folder):
    """REQ-7.1-3."""
    folder.phases("id: a, category: docs")
    known = {FLAKY.issue_key: FLAKY}
    assert folder.plan().backlog_sha256 is None
    assert folder.plan(backlog=known).backlog_sha256 == backlog.digest(known)
