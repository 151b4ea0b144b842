"""Issues: one identity, merged on sight, counted by distinct key."""

from dataclasses import replace

from autopack.run.issues import Issues, Sighting, count, record, resolve
from tests.run.story import issue

IN_A = Sighting("a", 1, "T1", "docs", "low")
IN_B = Sighting("b", 2, "T2", "tests", "medium")


def seen(*sightings: tuple[str, str, Sighting]) -> Issues:
    known: Issues = {}
    for key, severity, where in sightings:
        known = record(known, [issue(key, severity)], where)
    return known


def test_an_issue_mirrors_the_slice_of_the_phase_that_saw_it_first():
    """REQ-5.1-7."""
    found = seen(("k", "minor", IN_B))["k"]
    assert (found.task_category, found.complexity, found.phases, found.tiers) == ("tests", "medium", ("b",), ("T2",))
    assert (found.first_phase_index, found.last_phase_index, found.occurrence_count) == (2, 2, 1)


def test_seeing_one_again_raises_its_count_only():
    """REQ-5.2-4."""
    once, twice = seen(("k", "minor", IN_A)), seen(("k", "minor", IN_A), ("k", "minor", IN_A))
    assert twice["k"] == replace(once["k"], occurrence_count=2)
    assert count(twice, "minor") == 1


def test_an_issue_of_two_phases_is_one_in_the_run_and_one_in_each():
    """REQ-5.2-3, REQ-5.2-5, REQ-4.2-2."""
    known = seen(("k", "minor", IN_A), ("k", "minor", IN_B))
    assert (known["k"].phases, known["k"].tiers) == (("a", "b"), ("T1", "T2"))
    assert (known["k"].first_phase_index, known["k"].last_phase_index) == (1, 2)
    assert [count(known, "minor"), count(known, "minor", phase_id="a"), count(known, "minor", tier_id="T2")] == [
        1,
        1,
        1,
    ]


def test_severity_is_raised_and_never_lowered():
    """REQ-5.1-5."""
    known = seen(("k", "minor", IN_A), ("k", "major", IN_A), ("k", "minor", IN_A))
    assert (known["k"].severity, known["k"].effective_severity) == ("minor", "major")
    assert (count(known, "minor"), count(known, "major")) == (0, 1)


def test_evidence_adds_up_without_repeats():
    known = record({}, [replace(issue("k"), evidence_refs=("x", "y"))], IN_A)
    known = record(known, [replace(issue("k"), evidence_refs=("y", "z"))], IN_A)
    assert known["k"].evidence_refs == ("x", "y", "z")


def test_what_a_source_alone_reported_of_a_phase_alone_is_resolved_by_it_and_opened_again_on_sight():
    known = record({}, [issue("mine", "major", "auditor"), issue("other", "major", "ci")], IN_A)
    known = record(known, [issue("shared", "major", "auditor")], IN_A)
    known = record(known, [issue("shared", "major", "auditor")], IN_B)
    settled = resolve(known, "a", ("auditor",))
    assert [key for key, each in settled.items() if each.resolved] == ["mine"]
    assert count(settled, "major", phase_id="a") == 2
    again = record(settled, [issue("mine", "minor", "auditor")], IN_A)
    assert (again["mine"].resolved, again["mine"].effective_severity) == (False, "major")


def test_recording_leaves_what_was_known_untouched():
    """REQ-5.1-2."""
    known = seen(("k", "minor", IN_A))
    record(known, [issue("k", "major"), issue("l")], IN_B)
    assert known == seen(("k", "minor", IN_A))
