"""`autopack rehearse`: what a scenario says is played by the real machine, and what differs is told at its place."""

import json
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from autopack.problem import Problem
from autopack.run.machine import TABLE
from autopack.run.state import DONE
from autopack.runners.rehearsed import WORDS, Manner
from autopack.spec.load import scenarios
from autopack.spec.schema import schema
from autopack.views.rehearsal import Rehearsal, Stage
from tests.spec.marks import TODAY, Case

PLAYBOOK = """\
autopack: playbook/v1
name: rates
budget: {tokens: 600_000, minutes: 60}
tiers:
  - id: T1
    phases:
      - {id: store, goal: Store., category: feature_scaffolding, scope: {write: [src/**]}}
      - {id: login, goal: Log in., category: security_auth_change, scope: {write: [src/auth/**]}, needs: [store]}
      - {id: page, for_each: [a, b], goal: "Page {{ item }}.", category: docs, scope: {write: ["docs/{{ item }}.md"]}}
"""
HEAD = "autopack: scenario/v1\nname: it\nplaybook: p.yaml\n"


@pytest.fixture
def case(tmp_path: Path) -> Case:
    made = Case(tmp_path)
    made.write("p.yaml", PLAYBOOK)
    return made


def rehearse(case: Case, text: str) -> Rehearsal:
    case.write("s.yaml", HEAD + text)
    (found,) = scenarios(str(case.root), ["s.yaml"], today=TODAY)
    return Stage(str(case.root), TODAY).rehearse(found)


def path(each: Rehearsal, phase_id: str) -> str:
    assert each.run is not None
    return " ".join(each.run.phases[phase_id].path[1:])


def told(case: Case, each: Rehearsal) -> list[str]:
    """Findings as code and message, each at a mark of the scenario."""
    spans = [(p.span.path, tuple(p.span[1:])) for p in each.problems if p.span]
    assert sorted(spans) == sorted(case.marked)
    return [f"{p.code} {p.message}" for p in each.problems]


# --- what is answered ---


def test_answers_come_in_order_and_the_last_one_repeats(case: Case) -> None:
    """REQ-3.5-4, REQ-CH-3"""
    each = rehearse(
        case,
        "answers:\n  store: {builder: [edit_failed, ok], ci: [red, green]}\n"
        "expect: {state: DONE_SUCCESS, builder_calls: {store: 3, login: 1}, auditor_calls: {login: 1, store: 0}}\n",
    )
    assert each.problems == ()  # the pages land first, so it is carried onto the moved head and tested again
    assert (
        path(each, "store")
        == "EXECUTING GATE EXECUTING GATE CI_RUNNING EXECUTING GATE CI_RUNNING GATE CI_RUNNING GATE COMPLETE"
    )


def test_a_phase_without_a_list_of_its_own_takes_that_of_its_fan_out_and_then_that_of_everybody(case: Case) -> None:
    each = rehearse(
        case,
        "answers:\n"
        "  page.a: {ci: [red]}\n"
        "  page: {builder: [no_op, ok]}\n"
        '  "*": {builder: [truncated, ok], input_tokens: 1_000}\n'
        "expect: {builder_calls: {page.b: 2, store: 2, page.a: 2}, failure_reasons: {page.a: ci_red}}\n",
    )
    assert each.problems == ()
    assert path(each, "page.a") == "EXECUTING GATE EXECUTING GATE CI_RUNNING EXECUTING GATE CI_RUNNING FAILED"


def test_the_bill_is_the_stated_one(case: Case) -> None:
    """6,000 tokens in and 1,500 out each call of Builder and Auditor, where nothing else is said."""
    each = rehearse(case, "answers: {'*': {builder: [ok]}}\nexpect: {tokens_max: 37_500, cost_usd_max: '0.2'}\n")
    assert each.run is not None
    assert each.run.ledger.spent("run").tokens == 5 * 7_500
    assert [problem.code for problem in each.problems] == []


def test_time_passes_only_in_the_rehearsal(case: Case) -> None:
    """An hour of CI runs out a cap of an hour, in no time."""
    each = rehearse(
        case,
        "answers: {store: {ci_s: 3_700}}\n"
        "expect: {state: DONE_FAILED_BUDGET_EXHAUSTED, failure_reason: duration, phases: {login: SKIPPED}}\n",
    )
    assert each.problems == ()
    assert each.run is not None
    assert each.run.elapsed_s == 3_600


def test_a_budget_stops_the_run_before_it_is_passed(case: Case) -> None:
    each = rehearse(
        case,
        "answers: {'*': {builder: [edit_failed], input_tokens: 1_000_000, output_tokens: 1_000_000}}\n"
        "expect: {state: DONE_FAILED_BUDGET_EXHAUSTED, failure_reason: token_cap, tokens_max: 600_000}\n",
    )
    assert each.problems == ()


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ("store: {builder: [auth]}", "DONE_FAILED_ENVIRONMENT auth"),
        ("store: {builder: [not_found]}", "DONE_FAILED_ENVIRONMENT model_not_found"),
        ("store: {builder: [transient]}", "DONE_FAILED_ENVIRONMENT provider_down"),
        ("store: {builder: [rate_limited, transient, lost, ok]}", "DONE_SUCCESS None"),
        ("store: {builder: [scope]}", "DONE_FAILED_POLICY_VIOLATION scope_repeated"),
        ("store: {builder: [secret]}", "DONE_FAILED_POLICY_VIOLATION secret_repeated"),
        ("store: {builder: [no_op]}", "DONE_FAILED_REQUIRES_HUMAN_REVIEW no_op"),
        ("store: {builder: [empty_output]}", "DONE_FAILED_REQUIRES_HUMAN_REVIEW edit_failed"),
        ("store: {builder: [context_overflow, refused, ok]}", "DONE_SUCCESS None"),
        ("store: {builder: [too_big]}", "DONE_FAILED_BUDGET_EXHAUSTED token_cap"),
        ("store: {ci: [unusable]}", "DONE_FAILED_ENVIRONMENT ci_unusable"),
        ("store: {ci: [no_tests, flaky]}", "DONE_SUCCESS None"),
        ("login: {auditor: [escalate]}", "DONE_FAILED_REQUIRES_HUMAN_REVIEW audit_rejected"),
        ("login: {auditor: [major_issue]}", "DONE_FAILED_REQUIRES_HUMAN_REVIEW audit_rejected"),
        ("login: {auditor: [unreadable, approve]}", "DONE_SUCCESS None"),
    ],
)
def test_each_word_leads_where_the_real_thing_would_lead(case: Case, answers: str, expected: str) -> None:
    each = rehearse(case, f"answers: {{{answers}}}\nexpect: {{tokens_max: 10_000_000}}\n")
    assert each.run is not None
    reason = each.run.failure.reason if each.run.failure else None
    assert f"{each.run.state} {reason}" == expected


def test_a_major_issue_and_the_same_red_test_twice_call_the_auditor_in(case: Case) -> None:
    """REQ-2.3-1, REQ-2.3-2"""
    each = rehearse(
        case,
        "answers:\n  store: {builder: [major_issue]}\n  page.a: {ci: [red_new, green]}\n"
        "expect: {auditor_calls: {store: 1, page.a: 0}}\n",
    )
    assert each.problems == ()


def test_two_phases_that_land_on_top_of_each_other_may_conflict(case: Case) -> None:
    each = rehearse(case, "answers: {'*': {rebase: [conflict, clean]}}\nexpect: {state: DONE_SUCCESS}\n")
    assert each.problems == ()
    assert any("EXECUTING GATE CI_RUNNING GATE EXECUTING" in path(each, name) for name in ("store", "page.a", "page.b"))


# --- what differs ---


def test_what_went_another_way_is_told_at_its_own_token(case: Case) -> None:
    each = rehearse(
        case,
        "answers:\n  store: {builder: [edit_failed, ok], ci: [green, green, green, ⟦red⟧]}\n"
        "expect:\n"
        "  state: ⟦DONE_FAILED_ENVIRONMENT⟧\n"
        "  failure_reason: ⟦auth⟧\n"
        "  phases: {store: ⟦FAILED⟧}\n"
        "  failure_reasons: {login: ⟦ci_red⟧}\n"
        "  path: {store: [EXECUTING, GATE, ⟦CI_RUNNING⟧, GATE, COMPLETE]}\n"
        "  builder_calls: {store: ⟦1⟧}\n"
        '  cost_usd_max: ⟦"0.01"⟧\n'
        "  tokens_max: ⟦10⟧\n"
        "  minutes_max: ⟦1⟧\n"
        "  promotion_eligible: ⟦false⟧\n",
    )
    assert told(case, each) == [
        "AP8001 the run ends in DONE_SUCCESS, not DONE_FAILED_ENVIRONMENT",
        "AP8001 the run does not fail, not of auth",
        "AP8001 the run takes 0.2136 USD, more than 0.01",
        "AP8001 the run takes 45,000 tokens, more than 10",
        "AP8001 the run takes 5.8 minutes, more than 1",
        "AP8001 the run is eligible for promotion",
        'AP8001 phase "store" comes to EXECUTING here, step 3 of its path, not to CI_RUNNING',
        'AP8001 phase "store" ends in COMPLETE, not FAILED',
        'AP8001 phase "login" does not fail, not ci_red',
        'AP8001 phase "store" asks the Builder 2 times, not 1',
        'AP8002 "red" is never answered: in phase "store" ci is asked 3 times',
    ]
    (help_,) = helps(each.problems)
    assert help_ == (
        '"store" went EXECUTING, GATE (builder: ok), >>EXECUTING<< (patch refused: edit_failed), GATE (builder: ok), '
        "CI_RUNNING (patch accepted), GATE (CI: green), CI_RUNNING (rebased onto a moved head), GATE (CI: green), "
        "CI_RUNNING (rebased onto a moved head), GATE (CI: green), COMPLETE (landed)"
    )


def helps(problems: tuple[Problem, ...]) -> list[str]:
    return [found.help for found in problems if found.help and ">>" in found.help]


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ("[EXECUTING, GATE, CI_RUNNING, GATE, COMPLETE, ⟦FAILED⟧]", "has ended in COMPLETE before this step, 6 of its"),
        ("[EXECUTING, GATE, CI_RUNNING, ⟦GATE⟧]", "goes on to COMPLETE after this, the last expected step"),
        ("[QUEUED, EXECUTING, ⟦CI_RUNNING⟧]", "comes to GATE here, step 3 of its path, not to CI_RUNNING"),
    ],
)
def test_the_first_step_that_differs_is_marked(case: Case, expected: str, message: str) -> None:
    each = rehearse(case, f"answers: {{'*': {{builder: [ok]}}}}\nexpect: {{path: {{store: {expected}}}}}\n")
    (found,) = told(case, each)
    assert message in found


def test_a_playbook_that_does_not_compile_is_not_rehearsed(case: Case) -> None:
    case.write("p.yaml", PLAYBOOK.replace("category: docs", "category: dosc"))
    each = rehearse(case, "answers: {store: {builder: [ok]}}\nexpect: {state: DONE_SUCCESS}\n")
    assert (each.run, [problem.code for problem in each.problems]) == (None, ["AP5001"])


# --- the words ---


def test_the_schema_offers_the_words_that_the_machine_knows() -> None:
    node = schema("scenario")
    answers, expect = node["$defs"]["answers"]["properties"], node["properties"]["expect"]["properties"]
    assert {role: tuple(answers[role]["items"]["enum"]) for role in WORDS} == WORDS
    assert expect["failure_reason"]["enum"] == list(DONE)
    assert expect["failure_reasons"]["additionalProperties"]["enum"] == list(DONE)
    stated = {name: answers[name]["default"] for name in Manner.__dataclass_fields__}
    assert Manner(**stated) == Manner()
    states = {row.at for row in TABLE} | {row.to for row in TABLE}
    assert states <= set(expect["path"]["additionalProperties"]["items"]["enum"])


# --- the verb ---


def autopack(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "autopack", "rehearse", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


@pytest.fixture
def project(case: Case) -> Path:
    case.write("autopack.yaml", "autopack: project/v1\nname: shop\nplaybooks: [p.yaml]\n")
    good = HEAD + "answers: {store: {ci: [red, green]}}\nexpect: {state: DONE_SUCCESS}\n"
    case.write("scenarios/good.yaml", good)
    bad = good.replace("name: it", "name: never").replace("DONE_SUCCESS", "DONE_FAILED_ENVIRONMENT")
    case.write("scenarios/deep/bad.yml", bad)
    return case.root


def test_all_scenarios_of_the_project_are_played_and_a_difference_is_exit_1(project: Path) -> None:
    done = autopack(project)
    assert done.returncode == 1
    assert done.stdout == (
        "scenarios/deep/bad.yml:5:17: error[AP8001]: the run ends in DONE_SUCCESS, not DONE_FAILED_ENVIRONMENT\n"
        "5 | expect: {state: DONE_FAILED_ENVIRONMENT}\n"
        "  |                 ^^^^^^^^^^^^^^^^^^^^^^^\n"
        "  help: expect that, or change the answers\n"
        "\n"
        "1 error in 2 files\n"
        "2 scenarios: 1 as expected, 1 not (54 moves of phases)\n"
    )
    assert done.stderr == ""


def test_a_word_or_a_path_chooses_among_them(project: Path) -> None:
    assert autopack(project, "-k", "GOOD").stdout == "1 scenario as expected (27 moves of phases)\n"
    assert autopack(project, "scenarios/good.yaml").returncode == 0
    assert autopack(project / "scenarios", "deep").returncode == 1


def test_who_asks_sees_the_way_of_every_phase(project: Path) -> None:
    told = autopack(project, "-v", "-k", "good").stdout.splitlines()
    assert told[0] == "ok  scenarios/good.yaml: it: DONE_SUCCESS, $0.21, 45.0k tokens, 5m50s"
    assert told[1].startswith(
        "      store   EXECUTING, GATE (builder: ok), CI_RUNNING (patch accepted), EXECUTING (CI: r"
    )


def test_programs_get_json_and_junit(project: Path) -> None:
    document = json.loads(autopack(project, "--json", "--junit", "out.xml").stdout)
    assert document["summary"] == {"scenarios": 2, "passed": 1, "failed": 1}
    good = next(each for each in document["scenarios"] if each["passed"])
    assert good["run"]["phases"]["store"]["ci_runs"] == 3
    root = ET.parse(project / "out.xml").getroot()
    assert (root.get("tests"), root.get("failures"), root.get("errors")) == ("2", "1", "0")


def test_nothing_to_play_is_said_with_what_to_do(tmp_path: Path) -> None:
    assert autopack(tmp_path).returncode == 2
    (tmp_path / "scenarios").mkdir()
    done = autopack(tmp_path)
    assert done.returncode == 2
    assert "there is no scenario in scenarios/; write one" in done.stderr


def test_validate_of_the_project_checks_its_scenarios(project: Path) -> None:
    broken = project / "scenarios" / "good.yaml"
    broken.write_text(broken.read_text().replace("store", "stor"))
    command = [sys.executable, "-m", "autopack", "validate", "--format", "concise"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert "scenarios/good.yaml:4:11: error[AP3031]" in done.stdout


SERIES = """\
autopack: playbook/v1
name: rates
budget: {phases: 1}
tiers:
  - id: T1
    phases:
      - {id: store, goal: Store., category: feature_scaffolding, scope: {write: [src/**]}}
  - id: T2
    phases:
      - {id: page, goal: Page., category: docs, scope: {write: [docs/page.md]}}
"""


def test_a_playbook_of_several_runs_is_rehearsed_run_by_run(case: Case) -> None:
    case.write("p.yaml", SERIES)
    answers = "answers: {'*': {ci: [green]}}\n"
    each = rehearse(case, answers + "expect: {state: DONE_SUCCESS, phases: {store: COMPLETE, page: COMPLETE}}\n")
    assert each.passed
    assert each.run is not None
    assert each.run.ledger.calls == 2


def test_a_series_ends_with_the_run_that_fails(case: Case) -> None:
    case.write("p.yaml", SERIES)
    answers = "answers: {store: {ci: [red]}}\n"
    ends = "state: DONE_FAILED_REQUIRES_HUMAN_REVIEW, promotion_eligible: false"
    each = rehearse(case, f"{answers}expect: {{{ends}, phases: {{store: FAILED, page: SKIPPED}}}}\n")
    assert each.passed, [found.message for found in each.problems]
