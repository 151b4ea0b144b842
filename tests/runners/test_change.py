"""What a reply says goes on record without its secrets, and what the CI profile's commands name is guarded."""

import pytest

from autopack.plan.model import Profile, Step
from autopack.runners.change import ci_files, reported
from autopack.runners.facts import Issue
from tests.run.story import phase

SECRET = "ghp_" + "a1B2" * 9
HIDDEN = "[redacted: GitHub token]"


def test_what_a_model_reports_is_kept_without_secrets():
    said = Issue(f"c__{SECRET}", "major", "security", (f"src/a.py:1 {SECRET}",), f"{SECRET} is written out")
    (kept,) = reported(phase("a"), [said], "auditor")
    assert kept.issue_key == f"c__{HIDDEN}"
    assert kept.evidence_refs == (f"src/a.py:1 {HIDDEN}",)
    assert kept.description == f"{HIDDEN} is written out"


@pytest.mark.parametrize(
    ("argv", "named"),
    [
        (("bash", "./ci/run.sh"), ("ci/run.sh",)),
        (("sh", "-c", "cd . && ci/run.sh; true"), ("ci/run.sh",)),
        (("python", "-m", "pytest", "-c", "ci/x.ini", "tests"), ("ci/x.ini",)),
        (("python", "-m", "pytest", "--cov-config=ci/x.ini"), ("ci/x.ini",)),
        (("python", "-m", "pytest", "tests/test_a.py"), ()),
        (("python", "tests/check.py"), ("tests/check.py",)),
        (("elsewhere/run.sh",), ()),
    ],
)
def test_the_files_that_a_step_names_are_the_ci_profiles_own(argv: tuple[str, ...], named: tuple[str, ...]):
    """REQ-10.2-4."""
    present = frozenset({"ci/run.sh", "ci/x.ini", "tests/test_a.py", "tests/check.py", "src/a.py"})
    one = Step("unit", argv, 60)
    assert ci_files(Profile("normal", (), (one,)), present) == named
    assert ci_files(Profile("normal", (one,), ()), present) == named


def test_make_reads_makefiles_unasked_also_those_that_are_not_there_yet():
    found = ci_files(Profile("normal", (), (Step("unit", ("make", "-C", "sub", "test"), 60),)), frozenset())
    assert {"GNUmakefile", "makefile", "Makefile", "sub/Makefile"} <= set(found)
