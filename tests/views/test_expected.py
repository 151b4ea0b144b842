"""What a plan is likely to cost: by what runs have taught where a project has that, and every view says which."""

import json
from decimal import Decimal
from pathlib import Path

import pytest

from autopack.plan.calibration import Calibration, Sums, dump
from tests.views.test_ls import run, shop

__all__ = ["shop"]  # the fixture

SEEN = Sums(12, 12, Decimal(1), Decimal(1), 12, 0, 12, 0, 0, 0, 600_000, 60_000, 60.0, 60.0)


@pytest.fixture
def taught(shop: Path) -> Path:
    (shop / ".autopack").mkdir()
    known = Calibration(slices={"docs:low": SEEN})
    (shop / ".autopack" / "calibration.json").write_text(dump(known))
    return shop


BASIS = "calibrated from 12 phases, stated prior for 2 of 3"


def test_the_plan_the_list_the_graph_and_the_diff_say_what_they_expect_and_from_what(taught: Path) -> None:
    assert f"expected ({BASIS})" in run(taught, "plan", "p.yaml")[1]
    assert f"expected ({BASIS})" in run(taught, "run", "p.yaml", "--dry-run")[1]
    assert json.loads(run(taught, "ls", "p.yaml", "--json")[1])["expected_from"] == BASIS
    assert json.loads(run(taught, "graph", "p.yaml", "--format", "json")[1])["expected_from"] == BASIS
    assert f'"basis":"{BASIS}"' in run(taught, "graph", "p.yaml", "--format", "html")[1]
    (taught / "q.yaml").write_text((taught / "p.yaml").read_text().replace("goal: g", "goal: other"))
    assert BASIS in run(taught, "diff", "p.yaml", "q.yaml")[1]


def test_a_plan_from_a_file_is_worded_by_the_project_it_lies_in(taught: Path) -> None:
    before = run(taught, "ls", "p.yaml", "--columns", "phase,expected")[1]
    assert run(taught, "plan", "p.yaml", "-o", "plan.json")[0] == 0
    assert run(taught, "ls", "plan.json", "--columns", "phase,expected")[1] == before
    assert f"expected ({BASIS})" in run(taught, "plan", "plan.json")[1]


def test_calibration_changes_what_is_expected_and_not_the_plan(taught: Path) -> None:
    columns = ("ls", "p.yaml", "--select", "page", "--columns", "expected")
    learnt, digest = run(taught, *columns)[1], run(taught, "plan", "p.yaml", "--json")[1]
    (taught / ".autopack" / "calibration.json").unlink()
    assert run(taught, *columns)[1] != learnt
    assert run(taught, "plan", "p.yaml", "--json")[1] == digest
