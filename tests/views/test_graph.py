"""`autopack graph`: the same plan as Mermaid, Graphviz, JSON, a picture and a page."""

import json
import re
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner

from autopack.plan.model import Plan
from autopack.plan.select import subset
from autopack.views.cli import root
from autopack.views.cli.graph_ import drawn
from autopack.views.drawing.content import content
from autopack.views.drawing.layout import layout
from tests.plan.folder import Folder

PLAYBOOK = """\
tiers:
  - id: T1
    name: Base & "ground"
    phases:
      - {id: store, goal: "</script><b>x", category: schema_contract_change, scope: {write: ["src/store/**"]}}
      - {id: limit, goal: g, category: feature_scaffolding, needs: [store], scope: {write: [src/a.py]}}
      - {id: last, goal: g, category: docs, needs: [store, limit], scope: {write: [src/b.py]}}
  - id: T2
    phases:
      - {id: guide, goal: g, category: docs, scope: {write: ["docs/**"]}}
  - id: T3
    needs: []
    phases:
      - {id: alone, goal: g, category: docs, needs: [limit], scope: {write: ["alone/**"]}}
"""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return Folder(tmp_path).project().playbook(PLAYBOOK).plan()


def test_a_tier_that_waits_as_a_whole_is_one_arrow_and_what_follows_is_not_drawn(plan: Plan):
    found = content(plan)
    assert [(band.tier_id, band.waits_for) for band in found.bands] == [("T1", ()), ("T2", ("T1",)), ("T3", ())]
    assert [(edge.start, edge.end, edge.critical) for edge in found.edges] == [
        ("store", "limit", True),
        ("limit", "last", True),
        ("limit", "alone", False),
    ]


def test_mermaid_quotes_what_would_end_a_label(plan: Plan):
    lines = drawn(plan, "mermaid").splitlines()
    assert lines[0] == "flowchart TB"
    assert lines[1] == '  subgraph t1["T1: Base & #quot;ground#quot;"]'
    assert "  t1 ==> t2" in lines
    assert "  p2 ==> p3" in lines
    assert "  class p1 risky" in lines


def test_dot_has_clusters_and_escapes(plan: Plan):
    text = drawn(plan, "dot")
    assert 'label="T1: Base & \\"ground\\"";' in text
    assert '  "store" -> "limit" [penwidth=3];' in text
    assert text.count("{") == text.count("}")


def test_json_says_what_the_pictures_show(plan: Plan):
    found = json.loads(drawn(plan, "json"))
    assert found["critical_path"] == ["store", "limit", "last", "guide"]
    assert {"from": "limit", "to": "alone", "critical": False} in found["edges"]
    assert [row["phase"] for row in found["phases"]] == ["store", "limit", "last", "guide", "alone"]


def test_the_picture_is_well_formed_and_names_every_phase(plan: Plan):
    picture = ET.fromstring(drawn(plan, "svg"))
    space = {"s": "http://www.w3.org/2000/svg"}
    nodes = picture.findall(".//s:g[@data-id]", space)
    assert [node.get("data-id") for node in nodes] == ["store", "limit", "last", "guide", "alone"]
    said = nodes[0].find("s:title", space)
    assert said is not None
    assert said.text is not None
    assert said.text.startswith("store: schema_contract_change, high risk, ")
    assert "▲ store" in [text.text for text in nodes[0].findall("s:text", space)]


def test_a_picture_stays_well_formed_whatever_a_phase_is_called(plan: Plan):
    named = replace(plan, phases=(replace(plan.phases[0], name="\x1b[31m]]> & <b> \ufffe"), *plan.phases[1:]))
    ET.fromstring(drawn(named, "svg"))


@pytest.mark.parametrize("form", ["svg", "html"])
def test_nothing_is_asked_of_another_place(plan: Plan, form: str):
    text = drawn(plan, form).replace("http://www.w3.org/2000/svg", "")
    assert re.findall(r"(?:https?:)?//[a-z]|@import|url\((?!#)|<link|<img|src=", text) == []


def test_no_text_of_a_playbook_can_end_the_script(plan: Plan):
    page = drawn(plan, "html")
    data = page.split('<script id="data" type="application/json">')[1].split("</script>")[0]
    assert json.loads(data)["phases"]["store"]["goal"] == "</script><b>x"


def test_no_two_phases_overlap_and_every_phase_is_inside_its_tier(plan: Plan):
    found = content(plan)
    placed = layout(found)
    boxes = list(placed.nodes.values())
    for number, box in enumerate(boxes):
        for other in boxes[:number]:
            apart = box.x + box.width <= other.x or other.x + other.width <= box.x
            assert apart or box.y + box.height <= other.y or other.y + other.height <= box.y
    for band in found.bands:
        around = placed.bands[band.tier_id]
        for node in band.nodes:
            box = placed.nodes[node.id]
            assert around.x < box.x < box.x + box.width < around.x + around.width
            assert around.y < box.y < box.y + box.height < around.y + around.height
    assert placed.rows[:3] == (("store",), ("limit",), ("last",))


def test_many_phases_side_by_side_are_broken_into_rows(plan: Plan):
    one = replace(plan.phases[0], needs=())
    many = tuple(replace(one, phase_id=f"p{n}", index=n) for n in range(60))
    tier = replace(plan.tiers[0], phases=tuple(phase.phase_id for phase in many))
    placed = layout(content(replace(plan, phases=many, tiers=(tier,))))
    assert [len(row) for row in placed.rows] == [10] * 6


def test_a_part_of_a_plan_and_a_single_phase_are_drawn(plan: Plan):
    for form in ("mermaid", "dot", "json", "svg", "html"):
        assert "guide" in drawn(subset(plan, ["guide"]), form)


def test_the_form_follows_the_name_of_the_file(plan: Plan, tmp_path: Path):
    playbook = str(tmp_path / "p.yaml")
    done = CliRunner().invoke(root, ["graph", playbook, "-o", str(tmp_path / "a.svg"), "-s", "guide"])
    assert (done.exit_code, done.output) == (0, "")
    assert (tmp_path / "a.svg").read_text().startswith("<svg")
    assert CliRunner().invoke(root, ["graph", playbook]).output.startswith("flowchart TB")
    bad = CliRunner().invoke(root, ["graph", playbook, "-o", str(tmp_path / "no" / "a.svg")], standalone_mode=False)
    assert bad.return_value == 2
    assert "name another file with -o" in bad.output


def test_a_hundred_tiers_stand_beside_each_other_instead_of_forming_a_thread(plan: Plan):
    one, tier = plan.phases[0], plan.tiers[0]
    phases = tuple(replace(one, phase_id=f"p{n}", index=n, tier_id=f"T{n}", needs=()) for n in range(100))
    tiers = tuple(replace(tier, tier_id=f"T{n}", index=n, phases=(f"p{n}",)) for n in range(100))
    placed = layout(content(replace(plan, phases=phases, tiers=tiers)))
    assert 0.5 < placed.width / placed.height < 3
    assert max(box.x + box.width for box in placed.bands.values()) < placed.width
    assert max(box.y + box.height for box in placed.bands.values()) < placed.height
