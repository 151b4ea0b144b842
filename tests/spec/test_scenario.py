"""Scenarios: what they may say about a playbook, and the value that comes out."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from autopack.spec.load import scenario
from tests.spec.marks import Case, phase, playbook

Expect = Callable[[str, str], str]
HEAD = "autopack: scenario/v1\nname: auditor rejects twice\nplaybook: p.yaml\n"
ALL = "answers: {'*': {builder: [ok]}}\n"
FULL = """\
inputs: {service: users}
env: nightly
answers:
  store: {builder: [edit_failed, ok], ci: [red, green], auditor: [revise, approve]}
  "*": {builder: [ok], ci: [green], auditor: [approve]}
expect:
  state: DONE_SUCCESS
  phases: {store.pg: COMPLETE}
  path: {store: [EXECUTING, GATE, EXECUTING, GATE, CI_RUNNING, GATE, COMPLETE]}
  builder_calls: {store: 3}
  cost_usd_max: "0.40"
"""


@pytest.fixture
def written(case: Case) -> Case:
    case.write("autopack.yaml", "autopack: project/v1\nname: shop\nplaybooks: []\nenvironments: {nightly: {}}\n")
    case.write("p.yaml", playbook(phase("store", "for_each: [pg, x]"), top="inputs: {service: {default: orders}}\n"))
    return case


def test_a_scenario_becomes_values_as_written(written: Case) -> None:
    written.write("s.yaml", HEAD + FULL)
    found, problems = scenario(str(written.root), "s.yaml")
    assert problems == []
    assert found is not None
    assert (found.name, found.playbook, found.inputs, found.env) == (
        "auditor rejects twice",
        "p.yaml",
        {"service": "users"},
        "nightly",
    )
    assert found.answers["store"].builder == ("edit_failed", "ok")
    assert found.answers["*"].auditor == ("approve",)
    assert (found.expect.state, found.expect.phases, found.expect.builder_calls) == (
        "DONE_SUCCESS",
        {"store.pg": "COMPLETE"},
        {"store": 3},
    )
    assert found.expect.path["store"][:2] == ("EXECUTING", "GATE")
    assert found.expect.cost_usd_max == Decimal("0.40")


def test_the_playbook_is_found_from_the_project_too(written: Case) -> None:
    written.write("scenarios/s.yaml", HEAD + FULL)
    assert written.check("scenarios").problems == []
    found, _ = scenario(str(written.root), "scenarios/s.yaml")
    assert found is not None
    assert found.playbook == "p.yaml"


@pytest.mark.parametrize(
    ("code", "text"),
    [
        ("AP3031", "answers: {⟦stor⟧: {builder: [ok]}}\nexpect: {state: DONE_SUCCESS}\n"),
        ("AP3031", f"{ALL}expect: {{builder_calls: {{⟦store.y⟧: 3}}}}\n"),
        ("AP3031", f"{ALL}expect: {{phases: {{⟦'*'⟧: COMPLETE}}}}\n"),
        ("AP3031", f"{ALL}expect: {{path: {{⟦nothing⟧: [GATE]}}}}\n"),
        ("AP3019", f"inputs: {{⟦servce⟧: a}}\n{ALL}expect: {{state: DONE_SUCCESS}}\n"),
        ("AP3029", f"env: ⟦nihgtly⟧\n{ALL}expect: {{state: DONE_SUCCESS}}\n"),
        ("AP2005", f"{ALL}expect: {{state: ⟦DONE⟧}}\n"),
        ("AP2005", "answers: {store: {builder: [⟦okay⟧]}}\nexpect: {state: DONE_SUCCESS}\n"),
        ("AP2001", "answers: {store: {⟦bilder⟧: [ok]}}\nexpect: {state: DONE_SUCCESS}\n"),
        ("AP2008", "answers: {store: {builder: ⟦[]⟧}}\nexpect: {state: DONE_SUCCESS}\n"),
        ("AP2007", f"{ALL}expect: {{ci_runs: {{store: ⟦-1⟧}}}}\n"),
        ("AP2006", f"{ALL}expect: {{cost_usd_max: ⟦much⟧}}\n"),
    ],
)
def test_a_fault_of_a_scenario_is_told_at_its_token(written: Case, expect: Expect, code: str, text: str) -> None:
    expect(code, HEAD + text)


def test_a_playbook_that_is_not_there_is_told_once(written: Case, expect: Expect) -> None:
    text = HEAD.replace("p.yaml", "⟦gone.yaml⟧") + FULL
    expect("AP3007", text)


def test_a_scenario_rehearses_a_playbook_and_nothing_else(written: Case, expect: Expect) -> None:
    written.write("c.yaml", "autopack: ruleset/v1\nname: x\n")
    expect("AP3008", HEAD.replace("p.yaml", "⟦c.yaml⟧") + FULL)


def test_another_kind_of_file_is_no_scenario(written: Case) -> None:
    found, problems = scenario(str(written.root), "p.yaml")
    assert (found, [p.code for p in problems]) == (None, ["AP3008"])
