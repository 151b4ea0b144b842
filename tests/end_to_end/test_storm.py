"""A few random kills of drivers and children, in runs with phases side by side and models that err.

`python -m tests.end_to_end.kill_sweep --random 1000` is the long form.
"""

from tests.end_to_end.storm import storm


def test_whatever_is_killed_at_whatever_moment_the_run_ends_as_if_nothing_had_been():
    """Tree, landings, issues, files and evidence are equal; nothing is paid twice but what was in flight."""
    told: list[str] = []
    found = storm(8, 7, told.append)
    assert found.bad == [], told
    assert found.hits.total() >= 8, told
