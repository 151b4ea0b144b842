"""`autopack show`: what holds for a phase, and the line that decided it."""

import json
from pathlib import Path

import pytest

from tests.views import command

PROJECT = "autopack: project/v1\nname: demo\nplaybooks: [p.yaml]\nruleset: rules.yaml\nmodels: builtin:replay\n"
RULES = """\
autopack: ruleset/v1
name: house
extends: builtin:default
categories:
  docs: {builder_attempts: 2, auditor_attempts: 1}
"""
PLAYBOOK = """\
autopack: playbook/v1
name: first
defaults: {complexity: low}
tiers:
  - id: T1
    phases:
      - id: guide
        goal: |
          Write the guide.
          In two lines.
        category: docs
        scope: {write: [docs/**]}
        budget: {tokens: 120_000}
      - {id: index, goal: List it., category: docs, needs: [guide], scope: {write: [docs/**]}, complexity: high}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "autopack.yaml").write_text(PROJECT)
    (tmp_path / "rules.yaml").write_text(RULES)
    (tmp_path / "p.yaml").write_text(PLAYBOOK)
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    return command.run(folder, "show", *arguments)


def origins(out: str) -> dict[str, tuple[str, str, str]]:
    values = json.loads(out)["phases"][0]["values"]
    return {each["name"]: (each["value"], each["layer"], each["origin"]) for each in values}


def test_an_environment_decides_as_in_a_run(shop: Path):
    (shop / "strict.yaml").write_text("autopack: ruleset/v1\nname: s\ncategories: {docs: {builder_attempts: 4}}\n")
    with (shop / "autopack.yaml").open("a") as project:
        project.write("environments: {nightly: {ruleset: strict.yaml}}\n")
    found = origins(run(shop, "p.yaml", "guide", "--json", "--env", "nightly")[1])
    assert found["builder_attempts"] == (4, "category docs", "strict.yaml:3:39")
    assert run(shop, "p.yaml", "guide", "--env", "nigthly")[0] == 1


def test_every_layer_is_named_with_its_line(shop: Path):
    found = origins(run(shop, "p.yaml", "guide", "--json")[1])
    assert found["complexity"] == ("low", "playbook defaults", "p.yaml:3:24")
    assert found["builder_attempts"] == (2, "category docs", "rules.yaml:5:28")
    assert found["auditor_attempts"] == (1, "category docs", "rules.yaml:5:49")
    assert found["token_cap"] == (120000, "phase", "p.yaml:13:26")
    assert found["scope.write"] == (["docs/**"], "phase", "p.yaml:12:24")
    assert found["ci"][1:] == ("category docs", found["ci"][2])
    assert found["ci"][2].startswith("builtin:default:")
    assert found["builder_mode"] == (None, None, None)


def test_a_phase_wins_over_the_defaults(shop: Path):
    assert origins(run(shop, "index", "--json")[1])["complexity"] == ("high", "phase", "p.yaml:14:108")


def test_text_shows_a_table_and_without_options_the_phases(shop: Path):
    code, out, err = run(shop, "p.yaml", "index", "--resolved", "--origins")
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "index (T1) p.yaml:14:14"
    assert lines[1].split() == ["field", "value", "layer", "origin"]
    assert ["complexity", "high", "phase", "p.yaml:14:108"] in [line.split() for line in lines]
    assert run(shop) == (0, "guide (T1) p.yaml:7:13\nindex (T1) p.yaml:14:14\n", "")
    assert run(shop, "guide") == (0, "guide (T1) p.yaml:7:13\n\nWrite the guide.\nIn two lines.\n", "")


def test_an_unknown_phase_and_a_faulty_playbook_say_so(shop: Path):
    there = "autopack show: no phase has the id 'x'; there are guide, index\n"
    assert run(shop, "p.yaml", "x") == (2, "", there)
    (shop / "p.yaml").write_text(PLAYBOOK.replace("needs: [guide]", "needs: [guid]"))
    code, out, err = run(shop, "p.yaml")
    assert (code, out) == (1, "")
    assert err.startswith('p.yaml:14:61: error[AP3002]: no phase has the id "guid"\n')
    (shop / "autopack.yaml").write_text(PROJECT.replace("playbooks: [p.yaml]\n", ""))
    assert run(shop)[0] == 2


def test_the_files_that_judge_a_phase_are_told_before_it_runs(shop: Path):
    """What its probes and CI run, but for what it is to deliver."""
    text = PLAYBOOK.replace("budget: {tokens: 120_000}", "probes: [[python, tools/a.py], [sh, -c, cd x && tools/b.sh]]")
    (shop / "p.yaml").write_text(text)
    _, out, _ = run(shop, "p.yaml", "guide", "--json")
    assert origins(out)["judged_by"][0] == ["tools/a.py", "tools/b.sh"]
    delivered = text.replace("[docs/**]}\n        probes", "[docs/**, tools/a.py]}\n        probes")
    (shop / "p.yaml").write_text(delivered.replace("probes:", "deliverables: [tools/a.py]\n        probes:"))
    _, out, _ = run(shop, "p.yaml", "guide", "--json")
    assert origins(out)["judged_by"][0] == ["tools/b.sh"]


def test_while_a_project_only_measures_its_stage_is_who_decides(shop: Path) -> None:
    (shop / "autopack.yaml").write_text(PROJECT + "stage: baseline\n")
    code, out, _ = run(shop, "index", "--json")
    assert code == 0
    values = {each["name"]: (each["value"], each["layer"]) for each in json.loads(out)["phases"][0]["values"]}
    assert values["token_cap"] == (5_000_000, "stage baseline")
    assert values["builder_attempts"] == (3, "stage baseline")
