"""Migration: an old file in new words, and not a byte more."""

import pytest

from autopack.spec.document import Document, read
from autopack.spec.edits import edited
from autopack.spec.migrate import NoWay, expected, migrated

OLD = """\
# kept
autopack: playbook/v0   # the header
title: "limits"
tiers:
  - id: T1
    title: Storage
    phases:
      - {id: store, goal: The title stays., category: docs, scope: {write: [docs/**]}}
      - id: page
        title: &t A page   # twice
        "depends_on": [store]
        goal: *t
        category: docs
        scope: {write: [docs/**]}
        meta: {title: free data}
"""
NEW = """\
# kept
autopack: playbook/v1   # the header
name: "limits"
tiers:
  - id: T1
    name: Storage
    phases:
      - {id: store, goal: The title stays., category: docs, scope: {write: [docs/**]}}
      - id: page
        name: &t A page   # twice
        needs: [store]
        goal: *t
        category: docs
        scope: {write: [docs/**]}
        meta: {title: free data}
"""


def document(text: str) -> Document:
    found, _ = read("p.yaml", text.encode())
    assert found is not None
    return found


def test_only_the_tokens_that_have_a_new_name_are_replaced():
    old = document(OLD)
    assert edited(OLD.encode(), migrated(old)).decode() == NEW
    assert expected(old) == document(NEW).value


def test_a_file_of_the_newest_version_has_nothing_to_migrate():
    assert migrated(document(NEW)) == []


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("autopack: ci/v0\n", "nothing leads from ci/v0 to v1"),
        ("autopack: playbook\n", "its header doesn't say which version it is"),
        ("name: x\n", "its header doesn't say which version it is"),
        ("[]\n", "its header doesn't say which version it is"),
        ("autopack: playbook/v0\nname: x\ntitle: y\n", 'line 3 has "title" beside "name", which is its new name'),
    ],
)
def test_what_has_no_way_says_why(text: str, reason: str):
    with pytest.raises(NoWay) as refused:
        migrated(document(text))
    assert str(refused.value) == reason
