"""`autopack ls`, and the selection options that `plan` and `run` share with it."""

import json
import subprocess
from pathlib import Path

import pytest

from tests.views.command import run

PROJECT = """\
autopack: project/v1
name: demo
models: builtin:replay
selectors:
  risky: {select: ["risk:high", "path:src/pay/**"], exclude: [page]}
"""
PLAYBOOK = """\
autopack: playbook/v1
name: first
tiers:
  - id: T1
    phases:
      - {id: store, goal: g, category: schema_contract_change, tags: [db], scope: {write: ["src/store/**"]}}
      - {id: pay, goal: g, category: feature_scaffolding, needs: [store], scope: {write: ["src/pay/**"]}}
  - id: T2
    phases:
      - {id: page, goal: g, category: docs, scope: {write: ["docs/**", "src/pay/README.md"]}}
"""


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    (tmp_path / "autopack.yaml").write_text(PROJECT)
    (tmp_path / "p.yaml").write_text(PLAYBOOK)
    return tmp_path


def test_phases_are_listed_with_what_they_are(shop: Path):
    code, out, _ = run(shop, "ls", "p.yaml")
    assert code == 0
    assert out == (
        "phase  tier  wave  category                risk    tags\n"
        "store  T1       1  schema_contract_change  high!   db\n"
        "pay    T1       2  feature_scaffolding     medium  -\n"
        "page   T2       3  docs                    low     -\n"
    )


def test_one_column_is_for_scripts(shop: Path):
    assert run(shop, "ls", "p.yaml", "--select", "pay+", "--columns", "phase")[1] == "pay\npage\n"


def test_json_holds_every_column(shop: Path):
    row = json.loads(run(shop, "ls", "p.yaml", "-s", "store", "--json")[1])["phases"][0]
    assert (row["phase"], row["wave"], row["write"], row["slack"]) == ("store", 1, ["src/store/**"], 0.0)


def test_a_selector_of_the_project_is_used_by_its_name(shop: Path):
    assert run(shop, "ls", "p.yaml", "-s", "selector:risky", "--columns", "phase")[1] == "store\npay\n"


def test_an_unknown_name_an_unknown_column_and_an_empty_selection_are_told(shop: Path):
    assert run(shop, "ls", "p.yaml", "-s", "stroe")[::2] == (
        2,
        'autopack ls: no phase has the id "stroe"; did you mean `store`?\n',
    )
    assert run(shop, "ls", "p.yaml", "--columns", "fase")[::2] == (
        2,
        "autopack ls: --columns: there is no column 'fase'; did you mean `phase`?\n",
    )
    code, out, err = run(shop, "plan", "p.yaml", "--select", "tag:db,category:docs")
    assert (code, out) == (2, "")
    assert "no phase is selected by tag:db,category:docs" in err


def test_a_plan_of_a_part_names_what_it_takes_for_done(shop: Path):
    code, out, _ = run(shop, "plan", "p.yaml", "--select", "page")
    assert code == 0
    assert "Taken for done: store, pay." in out
    assert [p["phase_id"] for p in json.loads(run(shop, "plan", "p.yaml", "-s", "page", "--json")[1])["phases"]] == [
        "page"
    ]


def test_state_compares_with_a_plan_file(shop: Path):
    run(shop, "plan", "p.yaml", "-o", "old.json")
    (shop / "p.yaml").write_text(PLAYBOOK.replace("id: pay, goal: g", "id: pay, goal: another"))
    assert run(shop, "ls", "p.yaml", "--state", "old.json", "-s", "state:modified", "--columns", "phase")[1] == "pay\n"
    (shop / "no.json").write_text("{}")
    code, _, err = run(shop, "ls", "p.yaml", "--state", "no.json", "-s", "state:modified")
    assert code == 2
    assert "no.json is no frozen plan" in err


def test_state_compares_with_the_playbook_at_a_revision(shop: Path):
    git(shop, "init", "-q", "-b", "main")
    git(shop, "add", "-A")
    git(shop, "commit", "-q", "-m", "first")
    (shop / "p.yaml").write_text(PLAYBOOK.replace("id: pay, goal: g", "id: pay, goal: another"))
    modified = ("--state", "main", "-s", "state:modified", "--columns", "phase")
    assert run(shop, "ls", "p.yaml", *modified) == (0, "pay\n", "")
    assert run(shop, "ls", "p.yaml", "--state", "main", "-s", "state:modified.price")[0] == 2
    assert run(shop, "plan", "p.yaml", "--state", "main")[1].endswith("Since main: 1 modified: pay (inputs, prompt).\n")
    (shop / "q.yaml").write_text(PLAYBOOK)
    assert run(shop, "ls", "q.yaml", "--state", "main", "-s", "state:new", "--columns", "phase")[1].split() == [
        "store",
        "pay",
        "page",
    ]


def test_a_state_that_is_neither_file_nor_revision_is_told(shop: Path):
    code, _, err = run(shop, "ls", "p.yaml", "--state", "old.json", "-s", "state:modified")
    assert (code, err) == (
        2,
        "autopack ls: --state old.json: there is no such file; name a frozen plan (JSON) or a revision\n",
    )
    git(shop, "init", "-q", "-b", "main")
    git(shop, "commit", "-q", "--allow-empty", "-m", "first")
    code, _, err = run(shop, "ls", "p.yaml", "--state", "mian", "-s", "state:modified")
    assert (code, '"mian" names no commit' in err) == (2, True)


def git(folder: Path, *words: str) -> None:
    named = ("-c", "user.name=Ann", "-c", "user.email=ann@example.com")
    subprocess.run(["git", *named, *words], cwd=folder, check=True, capture_output=True)
