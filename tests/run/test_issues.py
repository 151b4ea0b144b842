"""Issues: one identity, merged on sight, counted by distinct key."""

from dataclasses import replace

from autopack.run.issues import Issues, Sighting, count, record, resolve
from tests.run.story import Story, issue, phase, plan

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


# --- what CI sees beside its verdict -----------------------------------------------------------------------------


def issues_after(word: str, **profile: object) -> tuple[Story, Issues]:
    shop = plan(phase("a"))
    normal = replace(shop.profiles["normal"], **profile)  # type: ignore[arg-type]
    story = Story(replace(shop, profiles={"normal": normal})).says(ci=[word])
    return story, story.tell().issues


def test_a_test_that_passes_after_it_failed_becomes_an_issue_under_a_key_that_stays():
    """REQ-5.2-2, REQ-5.1-6."""
    story, known = issues_after("flaky")
    assert story.run.state == "DONE_SUCCESS"
    (found,) = known.values()
    assert (found.issue_key, found.severity, found.source) == ("ci__test_f__flaky", "minor", "ci")
    assert (found.description, found.evidence_refs) == (
        "test_f passed after it had failed on the same commit",
        ("test_f",),
    )
    assert (found.expected_fail, count(known, "minor")) == (False, 1)


def test_what_fails_on_the_base_commit_too_is_expected_to_fail_and_uses_up_no_tolerance():
    """REQ-5.1-3: known, and not this run's doing."""
    _, known = issues_after("tolerated:test_old")
    (found,) = known.values()
    assert (found.issue_key, found.expected_fail) == ("ci__test_old__fails_on_base", True)
    assert count(known, "minor") == 0


def test_what_is_in_quarantine_says_so():
    _, known = issues_after("tolerated:tests/test_net.py::test_dns", quarantine=("tests/test_net.py",))
    (found,) = known.values()
    assert found.issue_key == "ci__tests/test_net.py::test_dns__quarantined"
    assert found.description.endswith("fails, and is in quarantine")
    assert found.expected_fail


def test_an_expected_failure_that_has_grown_old_counts_like_any_other():
    """REQ-5.4-3: no aged issue stays ignored."""
    shop = replace(plan(phase("a")), aged=("ci__test_old__fails_on_base",))
    story = Story(shop).says(ci=["tolerated:test_old"])
    assert story.tell().state == "DONE_SUCCESS"
    assert count(story.run.issues, "major") == 1
    assert not story.run.phases["a"].audit_due
