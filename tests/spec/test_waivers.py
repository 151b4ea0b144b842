"""Waivers: what they silence, how long, and what is said of those that do nothing."""

import pytest

from autopack.problem import CODES
from autopack.spec.waivers import waivable
from tests.spec.marks import Case

GOOD = "until=2027-01-31 owner=ann reason=the tool has no other way in"
CI = """\
autopack: ci/v1
name: x
setup:
{above}  - {{id: deps, run: [{shell}bash, -c, make], timeout_s: 60}}{behind}
profiles: {{normal: {{steps: [{{id: unit, run: [make], timeout_s: 60}}]}}}}
"""


def ci(above: str = "", behind: str = "", shell: str = "") -> str:
    return CI.format(above=above, behind=behind, shell=shell)


@pytest.mark.parametrize(
    "text",
    [
        ci(behind=f"  # autopack: ignore[AP3025] {GOOD}"),
        ci(above=f"  # autopack: ignore[AP3025] {GOOD}\n"),
        ci(above="  # autopack: ignore[ AP3025 ] owner=ann until=2026-11-22 reason=today is its last day\n"),
        ci(above=f"  # autopack: ignore[AP3025] {GOOD}\n\n  # and why we do it\n"),
        ci(above='  # autopack: ignore[AP3025] reason="the tool, until=when" until=2027-01-31 owner="ann b"\n'),
        ci(behind=f"  # autopack: ignore[AP3025] {GOOD}").replace("\n", "\r\n"),
    ],
)
def test_a_waiver_on_the_line_or_above_it_silences_its_finding(case: Case, text: str):
    case.write("ci.yaml", text)
    found = case.check("ci.yaml")
    assert found.problems == []
    assert [waived.code for waived in found.waived] == ["AP3025"]


def test_waivers_may_be_stacked_above_a_line(case: Case):
    case.write(
        "ci.yaml",
        "autopack: ci/v1\n"
        "name: x\n"
        f"# autopack: ignore[AP1016] {GOOD}\n"
        f"# autopack: ignore[AP1017] {GOOD}\n"
        "meta: {zip: &zip 012}\n"
        "profiles: {normal: {steps: [{id: unit, run: [make], timeout_s: 60}]}}\n",
    )
    found = case.check("ci.yaml")
    assert found.problems == []
    assert [waived.code for waived in found.waived] == ["AP1016", "AP1017"]


def test_an_expired_waiver_is_told_and_its_finding_as_well(case: Case):
    case.write("ci.yaml", ci(behind="  # autopack: ignore[AP3025] until=2026-11-21 owner=ann reason=x"))
    told = [(found.code, found.span and found.span[1:], found.message) for found in case.check("ci.yaml").problems]
    assert told == [
        ("AP3025", (4, 22, 4, 26), 'the step "deps" runs a shell'),
        ("AP5903", (4, 55, 4, 117), "this waiver held until 2026-11-21"),
    ]


def test_a_code_that_silences_nothing_is_told_at_the_code(case: Case):
    case.write("ci.yaml", ci(behind=f"  # autopack: ignore[AP3025, ⟦AP1016⟧] {GOOD}"))
    assert case.expect("AP5902", "ci.yaml").problems[0].message == "nothing on line 4 is an AP1016"


def test_a_code_that_only_a_compile_finds_is_not_called_unused_by_a_check(case: Case):
    case.write("ci.yaml", ci(behind=f"  # autopack: ignore[AP3025, AP6005] {GOOD}"))
    assert case.check("ci.yaml").problems == []


@pytest.mark.parametrize(
    ("waiver", "message"),
    [
        ("⟦# autopack: ignore⟧", "a waiver that names no code"),
        ("⟦# autopack: ignore[]⟧", "a waiver that names no code"),
        ("⟦# autopack: ignore[AP3026]⟧", "a waiver without until and owner and reason"),
        ("⟦# autopack: ignore[AP3026] until=2027-01-31 owner=ann⟧", "a waiver without reason"),
        ("⟦# autopack: ignore[AP3026] until=2027-01-31 owner= reason=x⟧", "a waiver without owner"),
        ("⟦# autopack: ignore[AP3026] until=soon owner=ann reason=x⟧", '"soon" is no date'),
        ("⟦# autopack: ignore[AP3026] until=2027-02-30 owner=ann reason=x⟧", '"2027-02-30" is no date'),
        (
            f"⟦# autopack: ignore[AP3026] {GOOD} # autopack: ignore[AP1016] {GOOD}⟧",
            "two waivers in one comment, of which the second is part of the first",
        ),
        (f"# autopack: ignore[⟦AP9999⟧] {GOOD}", 'no finding has the code "AP9999"'),
        (f"# autopack: ignore[⟦AP2001⟧] {GOOD}", "AP2001 can't be waived"),
        (f"# autopack: ignore[⟦AP5902⟧] {GOOD}", "AP5902 can't be waived"),
    ],
)
def test_a_waiver_that_cannot_hold_is_an_error_and_silences_nothing(case: Case, waiver: str, message: str):
    case.write("ci.yaml", ci(behind=f"  {waiver}").replace("bash, -c, make", "make"))
    assert case.expect("AP5901", "ci.yaml").problems[0].message == message


def test_what_looks_like_a_waiver_inside_a_text_is_none(case: Case):
    case.write(
        "ci.yaml",
        "autopack: ci/v1\nname: x\ndescription: |\n  # autopack: ignore\nmeta:\n  a: 'x # autopack: ignore'\n"
        "  b: a#autopack: ignore\nprofiles: {normal: {steps: [{id: u, run: [make], timeout_s: 6}]}}\n".replace(
            "a#autopack: ignore", "a#autopack"
        ),
    )
    assert case.check("ci.yaml").problems == []


def test_no_error_can_be_waived_but_those_of_policy_that_leave_a_spec_usable():
    assert {code for code in CODES if waivable(code) and CODES[code].severity == "error"} == {
        code for code in CODES if code.startswith("AP52") and CODES[code].severity == "error"
    }
