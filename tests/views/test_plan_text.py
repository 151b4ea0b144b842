"""What `plan`, `show` and `explain` say of a plan: every width, every reason."""

import json
from pathlib import Path

import pytest

from autopack.plan.model import Plan, digest
from autopack.views.plan_text import since, verbose
from autopack.views.text import plan_screen
from tests.plan.folder import Folder
from tests.views.command import run

PROJECT = "autopack: project/v1\nname: demo\nmodels: builtin:replay\nruleset: rules.yaml\nplaybooks: [p.yaml]\n"
RULES = "autopack: ruleset/v1\nname: house\nextends: builtin:default\ncategories:\n  docs: {builder_attempts: 4}\n"
PLAYBOOK = """\
autopack: playbook/v1
name: first
tiers:
  - id: T1
    phases:
      - {id: store, goal: g, category: schema_contract_change, scope: {write: ["src/store/**"]}}
      - {id: page, goal: g, category: docs, needs: [store], scope: {write: ["docs/**"]}, budget: {attempts: 3}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name, text in {"autopack.yaml": PROJECT, "rules.yaml": RULES, "p.yaml": PLAYBOOK}.items():
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def plan(shop: Path) -> Plan:
    return Folder(shop).plan()


def test_the_screen_fits_eighty_columns_with_every_reason(plan: Plan):
    """REQ-7.1-4."""
    lines = plan_screen(plan, digest(plan), 80).splitlines()
    table = lines[2 : lines.index("", 2)]
    assert max(map(len, table)) <= 80
    assert table[1].split()[:3] == ["1", "store", "high!"]
    assert table[2] == "      T1 schema_contract_change, CI strict, audit premium: high risk -> premium"
    wide = plan_screen(plan, digest(plan), 200).splitlines()
    assert len(wide[2 : wide.index("", 2)]) == len(table) - 2


def test_what_all_runs_may_spend_stands_beside_the_run_s_own_caps(shop: Path):
    """Where the playbook says nothing, the run's cap is the project's; where it says less, both are told."""
    (shop / "autopack.yaml").write_text(f"{PROJECT}budget: {{tokens: 3_000_000, cost_usd: '9.00', days: 1}}\n")
    screen = plan_screen(Folder(shop).plan(), "", 200)
    assert "run cap: $9.00 (all runs in 1 day: $9.00)." in screen
    assert "run cap: 3,000,000 (all runs in 1 day: 3,000,000)." in screen
    (shop / "p.yaml").write_text(f"{PLAYBOOK}budget: {{tokens: 2_500_000}}\n")
    screen = plan_screen(Folder(shop).plan(), "", 200)
    assert "run cap: 2,500,000 (all runs in 1 day: 3,000,000)." in screen


def test_no_line_is_wider_than_the_terminal(plan: Plan):
    words = "\n".join([plan_screen(plan, "0" * 60, 72), verbose(plan, 72), since(plan, plan, "x" * 50, 72)])
    assert max(map(len, words.splitlines())) <= 72
    assert "  try  step" in words


def test_a_plan_of_several_runs_says_which(shop: Path):
    (shop / "p.yaml").write_text(PLAYBOOK.replace("name: first", "name: first\nbudget: {phases: 1}"))
    out = run(shop, "plan", "p.yaml")[1]
    assert "Executed as 2 runs, one after the other, each from what the one before has landed:\n" in out
    assert "run  phases" in out
    assert "; cap of each run: " in out


def test_verbose_adds_ladder_bounds_slack_and_prompts(shop: Path):
    code, out, _ = run(shop, "plan", "p.yaml", "-v")
    assert code == 0
    assert "  3.   next_tier" in out
    assert "  +    audit, each candidate" in out
    assert "on the critical path" in out
    assert "Critical path, at most" in out
    assert out.rstrip().endswith("minutes: store -> page")


def test_state_says_what_became_of_each_phase_and_the_exit_code_can_tell(shop: Path):
    assert run(shop, "plan", "p.yaml", "-o", "old.json")[0] == 0
    same = run(shop, "plan", "p.yaml", "--state", "old.json", "--detailed-exitcode")
    assert (same[0], "Since old.json: no phase has changed." in same[1]) == (0, True)
    (shop / "p.yaml").write_text(PLAYBOOK.replace("id: store, goal: g", "id: store, goal: more"))
    code, out, _ = run(shop, "plan", "p.yaml", "--state", "old.json", "--detailed-exitcode")
    assert code == 6
    assert "Since old.json: 1 modified: store (inputs, prompt)." in out
    assert run(shop, "plan", "p.yaml", "--state", "old.json")[0] == 0
    assert run(shop, "plan", "p.yaml", "--detailed-exitcode")[0] == 2


def test_a_field_is_explained_with_winner_and_losers(shop: Path):
    code, out, _ = run(shop, "explain", "page.builder_attempts")
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert lines[0] == ["page.builder_attempts", "=", "3"]
    assert lines[2] == ["decided", "by", "3", "phase", "p.yaml:7:109"]
    assert lines[3] == ["passed", "over", "4", "category", "docs", "rules.yaml:5:28"]
    chain = json.loads(run(shop, "explain", "page.builder_attempts", "--json")[1])["chain"]
    assert [each["value"] for each in chain][:2] == [3, 4]
    assert run(shop, "explain", "page.scope.write")[1].splitlines()[0] == "page.scope.write = docs/**"


def test_what_can_not_be_explained_says_what_there_is(shop: Path):
    assert run(shop, "explain", "paeg.ci")[::2] == (
        2,
        "autopack explain: no phase has the id 'paeg'; did you mean `page`?\n",
    )
    assert "did you mean `ci`?" in run(shop, "explain", "page.cii")[2]
    assert "there is no x.yaml" in run(shop, "explain", "page.ci", "x.yaml")[2]


def test_prompts_are_shown_as_they_are_frozen(shop: Path, plan: Plan):
    code, out, _ = run(shop, "show", "p.yaml", "page", "--prompt")
    assert code == 0
    phase = plan.phase("page")
    assert out == f"--- Builder ---\n{phase.builder_prompt}\n--- Auditor ---\n{phase.auditor_prompt}\n"
