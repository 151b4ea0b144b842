"""A plan's digest taken apart: what changed, and whether a phase would be done the same again."""

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest

from autopack.plan import facets as the
from autopack.plan.facets import FACETS, facets, plan_facets
from autopack.plan.model import Plan, PlanPhase, digest, pinned
from tests.plan.folder import Folder

TWO = ("id: a, category: docs, probes: [[make, docs]]", "id: b, category: tests, needs: [a]")


def changed(one: Plan, two: Plan, phase_id: str) -> list[str]:
    before, after = (facets(plan, plan.phase(phase_id)) for plan in (one, two))
    return [name for name in FACETS if before[name] != after[name]]


def test_every_field_of_a_plan_belongs_to_a_facet():
    of_phase = {name for names in the.OF_PHASE.values() for name in names} | the.DERIVED
    of_plan = {name for names in the.OF_PLAN.values() for name in names} | {"phases", "models"}
    assert of_phase == {each.name for each in fields(PlanPhase)}
    assert of_plan == {each.name for each in fields(Plan)}


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"builder_prompt": "other"}, ["prompt"]),
        ({"deliverables": ("x",)}, ["inputs"]),
        ({"attempts": ()}, ["prompt", "model"]),
        ({"write": ("**",)}, ["policy"]),
        ({"token_cap": 5}, ["policy"]),
        ({"probes": ()}, ["ci"]),
        ({"index": 9, "name": "x", "why": "x", "tags": ("x",)}, []),
    ],
)
def test_a_change_of_a_phase_shows_in_its_facet_and_no_other(folder: Folder, change: dict[str, Any], names: list[str]):
    plan = folder.phases(*TWO).plan()
    other = replace(plan, phases=(replace(plan.phases[0], **change), plan.phases[1]))
    assert changed(plan, other, "a") == names
    assert changed(plan, other, "b") == []


def test_a_dearer_model_changes_the_price_alone_and_a_new_base_the_base(folder: Folder):
    plan = folder.phases(*TWO).plan()
    name = plan.phase("a").attempts[0].ask.model
    price = plan.models[name].price
    assert price is not None
    dearer = replace(plan.models[name], price=replace(price, output=Decimal(99)))
    assert changed(plan, replace(plan, models={**plan.models, name: dearer}), "a") == ["price"]
    assert changed(plan, pinned(plan, "c" * 40), "a") == ["base"]
    assert changed(plan, replace(plan, protected_paths=()), "a") == ["policy"]
    assert changed(plan, replace(plan, caps=replace(plan.caps, tokens=9)), "a") == []


@pytest.mark.parametrize("field", [each.name for each in fields(Plan) if each.name not in ("phases", "models")])
def test_two_plans_have_equal_facets_when_their_digests_are_equal_and_only_then(folder: Folder, field: str):
    plan = folder.phases(*TWO).plan()
    other = replace(plan, **{field: "something else"})
    assert digest(other) != digest(plan)
    assert [n for n in FACETS if plan_facets(other)[n] != plan_facets(plan)[n]] == [
        next(name for name, names in the.OF_PLAN.items() if field in names)
    ]
    assert plan_facets(folder.plan()) == plan_facets(plan)


@pytest.mark.parametrize("field", [each.name for each in fields(PlanPhase)])
def test_no_field_of_a_phase_escapes_the_facets_of_the_plan(folder: Folder, field: str):
    plan = folder.phases(*TWO).plan()
    other = replace(plan, phases=(replace(plan.phases[0], **{field: "something else"}), plan.phases[1]))
    assert plan_facets(other) != plan_facets(plan)
