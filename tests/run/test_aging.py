"""Identity and age of issues, over runs: who enters the backlog, who gets older, who is resolved and by what proof."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.plan import backlog, calibration
from autopack.plan.backlog import Backlog
from autopack.plan.model import Caps, SeverityUpgrade
from autopack.run import issues
from autopack.run.aging import Seen, aged, paths_of
from autopack.run.events import ReportedIssue
from autopack.run.grading import graded
from autopack.run.issues import Issue, Sighting
from tests.run.story import Story, phase, plan

AT = 1_800_000_000.0


def issue(key: str = "tests__a__b", **changes: object) -> Issue:
    told = {
        "phase_id": "a",
        "tier_id": "T1",
        "refs": ("src/a.py:12",),
        "severity": "minor",
        "resolved": False,
    } | changes
    report = ReportedIssue(key, told["severity"], "tests", "ci", "it fails", told["refs"])  # type: ignore[arg-type]
    seen = Sighting(str(told["phase_id"]), 1, str(told["tier_id"]), "tests", "low")
    found = issues.record({}, (report,), seen)
    return issues.resolve(found, str(told["phase_id"]), ("ci",))[key] if told["resolved"] else found[key]


def after(before: Backlog, run_id: str, *found: Issue, landed: dict[str, tuple[str, ...]] | None = None) -> Backlog:
    return aged(before, plan(phase("a"), phase("b")), Seen(run_id, AT, found, landed or {}))


# --- identity ---


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ci", "tests/a.py:12", "fails"), ("ci", "tests/a.py:97:4", "fails")),
        (("ci", "a", "died at 0x7f3a in 9f1c2d3e4b"), ("ci", "a", "died at 0xdead in 0a1b2c3d4e5f")),
        (("docs", "README.md", "bad word on line 3"), ("docs", "README.md", "bad word on lines 10-12")),
        (("gate", "store", "no such  commit 1234567"), ("gate", "store", "no such commit 89abcde1")),
    ],
)
def test_the_same_problem_has_the_same_key_wherever_and_whenever_it_is_met(
    one: tuple[str, str, str], other: tuple[str, str, str]
):
    """REQ-5.2-2."""
    assert issues.key(*one) == issues.key(*other)


def test_different_problems_keep_different_keys():
    keys = {
        issues.key("ci", test, "fails")
        for test in ("tests/a.py::test_1", "tests/a.py::test_2", "tests/a.py::test_decade[1980]", "tests/b.py::test_1")
    }
    assert len(keys) == 4


@given(st.text(max_size=400), st.text(max_size=400))
def test_a_key_always_has_three_parts_and_an_end(subject: str, defect: str):
    key = issues.key("ci", subject, defect)
    assert key.count("__") == 2
    assert len(key) <= 250


# --- severity ---


def test_a_rule_raises_what_matches_and_nothing_lowers_it_again():
    """REQ-5.1-5, REQ-7.1-1."""
    rule = SeverityUpgrade("major", "tests", "ci", None)
    seen, report = Sighting("a", 1, "T1", "tests", "low"), ReportedIssue("k", "minor", "tests", "ci", "x", ())
    raised = issues.record({}, (report,), seen, (rule,))
    assert (raised["k"].severity, raised["k"].effective_severity) == ("minor", "major")
    assert issues.record(raised, (report,), seen)["k"].effective_severity == "major"
    other = ReportedIssue("k", "minor", "tests", "probe", "x", ())
    assert issues.record({}, (other,), seen, (rule,))["k"].effective_severity == "minor"


def test_an_upgraded_issue_calls_the_auditor_in():
    """REQ-2.3-1."""
    told = Story(plan(phase("a"), severity_upgrades=(SeverityUpgrade("major", None, None, None),)))
    told.says("a", builder=["minor"]).tell()
    assert told.run.phases["a"].calls[-1].role == "auditor"


# --- what a refused change leaves ---


def test_red_ci_and_refused_patches_are_issues_until_the_phase_lands():
    """REQ-12.0-2, REQ-5.1-2."""
    told = Story(plan(phase("a"))).says("a", builder=["edit_failed", "ok"], ci=["red:tests/t.py::x", "green"])
    run = told.tell()
    assert run.state == "DONE_SUCCESS"
    assert {key: (each.source, each.resolved) for key, each in run.issues.items()} == {
        "gate__a__edit_failed": ("static_check", True),
        "ci__tests/t.py::x__fails": ("ci", True),
    }


def test_a_change_that_breaks_many_tests_ends_no_run_by_its_minor_issues():
    """What was kept out is no debt: the phase fails of red CI, not the run of its issues."""
    told = Story(plan(phase("a"), phase("b"), caps=Caps(5_000_000, 25, 120, 0, None)))
    told.says("a", ci=["red:tests/t.py::x"])
    run = told.tell()
    assert (run.state, run.failure and run.failure.reason) == ("DONE_FAILED_REQUIRES_HUMAN_REVIEW", "ci_red")
    assert run.phases["b"].state == "COMPLETE"
    assert issues.count(run.issues, "minor", phase_id="a") > 0
    assert issues.debt(run.issues, "minor") == 0


# --- age ---


def test_ages_count_distinct_runs_and_tiers_however_often_an_issue_is_seen():
    """REQ-5.3-2."""
    first = after({}, "r1", issue())
    assert after(first, "r1", issue())["tests__a__b"].age_in_runs == 1
    second = after(first, "r2", issue(tier_id="T2"))
    entry = second["tests__a__b"]
    assert (entry.age_in_runs, entry.age_in_tiers, entry.tiers) == (2, 2, ("story/T1", "story/T2"))
    assert (entry.first_seen_run, entry.last_seen_run, entry.occurrence_count) == ("r1", "r2", 2)
    assert entry.last_seen_at == "2027-01-15T08:00:00Z"


def test_an_issue_is_resolved_by_a_run_that_changed_and_tested_what_it_is_about():
    known = after({}, "r1", issue())
    assert after(known, "r2", landed={"b": ("src/other.py",)})["tests__a__b"].resolved_by is None
    assert after(known, "r2", landed={"b": ("src/a.py",)})["tests__a__b"].resolved_by == "r2"


def test_an_issue_without_a_file_belongs_to_the_phase_that_saw_it():
    known = after({}, "r1", issue(refs=("it is slow",)))
    assert after(known, "r2", landed={"b": ("x.py",)})["tests__a__b"].resolved_by is None
    assert after(known, "r2", landed={"a": ("x.py",)})["tests__a__b"].resolved_by == "r2"


def test_what_comes_back_is_open_again_and_as_old_as_it_was():
    gone = after(after({}, "r1", issue()), "r2", landed={"a": ("src/a.py",)})
    entry = after(gone, "r3", issue())["tests__a__b"]
    assert (entry.resolved_by, entry.age_in_runs, entry.first_seen_run) == (None, 2, "r1")


def test_what_a_run_met_and_mended_itself_is_no_debt():
    assert after({}, "r1", issue(resolved=True)) == {}
    assert after(after({}, "r1", issue()), "r2", issue(resolved=True))["tests__a__b"].resolved_by == "r2"


@given(st.lists(st.tuples(st.sampled_from("xyz"), st.booleans()), max_size=12))
def test_no_issue_is_lost_and_no_age_passes_the_number_of_runs(told: list[tuple[str, bool]]):
    known: Backlog = {}
    for number, (key, seen) in enumerate(told):
        known = after(known, f"r{number}", *((issue(key),) if seen else ()))
    assert set(known) == {key for key, seen in told if seen}
    for key, entry in known.items():
        assert entry.age_in_runs == sum(seen for name, seen in told if name == key)
    assert backlog.load(backlog.dump(known)) == known


def test_paths_are_what_evidence_names_without_test_and_line():
    refs = ("tests/a.py::test_x[1]", "src/b.py:3", "it is slow", "../etc/passwd", "pyproject.toml", "unit")
    assert paths_of(refs) == ("tests/a.py", "src/b.py", "pyproject.toml")


# --- grades ---


def test_a_run_grades_what_its_plan_predicted():
    told = Story(plan(phase("a"), phase("b", auto_apply=False)))
    told.says("a", builder=["edit_failed", "ok"], ci=["red", "green"]).says("b", auditor=["revise", "approve"])
    run = told.tell()
    a, b = graded(told.plan, run)
    assert (a.phase_id, a.builder_calls, a.edit_failed, a.ci_runs, a.ci_red, a.completed) == ("a", 3, 1, 2, 1, True)
    assert (b.audits, b.rejected, b.completed) == (2, 1, True)
    assert a.actual_usd == run.ledger.spent("phase:a").cost_usd
    sums = calibration.fold(calibration.Calibration(), (a, b)).slices["feature_scaffolding:medium"]
    assert (sums.phases, sums.completed, sums.ci_red) == (2, 2, 1)
