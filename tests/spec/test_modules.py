"""Tiers and phases from modules: what they are given, what comes out, and where a fault is told."""

from collections.abc import Callable

import pytest

from autopack.plan.compiler import compile as compile_spec
from autopack.problem import Span
from autopack.spec.at import At
from autopack.spec.load import load
from autopack.spec.model import Spec
from tests.spec.marks import Case, phase, playbook

Expect = Callable[[str, str], str]
PROJECT = "autopack: project/v1\nname: shop\n"
TIER = """\
autopack: tier/v1
inputs: {service: {}, replicas: {type: integer, default: 2}}
id: observability
name: Watching {{ inputs.service }}
phases:
  - {id: metrics, category: docs, scope: {write: [a]}, goal: "Count {{ inputs.service }} on {{ inputs.replicas }}."}
  - {id: alerts, needs: [metrics], goal: Alert., category: docs, scope: {write: [docs/**]}}
"""
PHASE = """\
autopack: phase/v1
inputs: {page: {default: CHANGELOG.md}}
id: changelog
goal: "Add an entry to {{ inputs.page }}."
category: docs
scope: {write: ["{{ inputs.page }}"]}
"""
INPUTS = "inputs: {service: {default: orders}}\n"


def with_tier(uses: str, *phases: str, top: str = INPUTS) -> str:
    return playbook(*(phases or (phase("a"),)), top=top) + f"  - {uses}\n"


def loaded(case: Case, **inputs: str) -> Spec:
    spec, problems = load(str(case.root), "p.yaml", inputs)
    assert problems == []
    assert spec is not None
    return spec


# --- what comes out ---------------------------------------------------------------------------------------


def test_a_tier_comes_from_a_module_with_the_inputs_it_is_given(case: Case) -> None:
    case.write("tiers/o.yaml", TIER)
    case.write("p.yaml", with_tier('{uses: tiers/o.yaml, with: {service: "{{ inputs.service }}", replicas: 3}}'))
    tier = loaded(case, service="users").playbook.tiers[1]
    assert (tier.id, tier.name, tier.needs) == ("observability", "Watching users", None)
    assert [(each.id, each.goal, each.needs) for each in tier.phases] == [
        ("metrics", "Count users on 3.", ()),
        ("alerts", "Alert.", ("metrics",)),
    ]


def test_what_is_said_beside_uses_outweighs_the_module(case: Case) -> None:
    case.write("o.yaml", TIER)
    case.write("c.yaml", PHASE)
    use = '{uses: c.yaml, id: notes, name: Notes, tags: [x], needs: [a], with: {page: "N.md"}}'
    text = with_tier("{uses: o.yaml, id: T9, name: Mine, needs: [], with: {service: x}}", phase("a"), use)
    case.write("p.yaml", text)
    first, second = loaded(case).playbook.tiers
    assert (second.id, second.name, second.needs) == ("T9", "Mine", ())
    notes = first.phases[1]
    assert (notes.id, notes.name, notes.tags, notes.needs) == ("notes", "Notes", ("x",), ("a",))
    assert (notes.goal, notes.scope.write) == ("Add an entry to N.md.", ("N.md",))


def test_phases_of_a_module_know_their_own_file_and_who_pulled_them_in(case: Case) -> None:
    case.write("o.yaml", TIER)
    case.write("p.yaml", with_tier("{uses: o.yaml, with: {service: x}}"))
    spec = loaded(case)
    metrics, alerts = spec.playbook.tiers[1].phases
    assert metrics.at == At("o.yaml", ("phases", 0))
    assert metrics.via == (At("p.yaml", ("tiers", 1, "uses")),)
    assert spec.span(metrics.at, "id") == Span("o.yaml", 6, 10, 6, 17)
    assert alerts.need_at("metrics") == At("o.yaml", ("phases", 1, "needs", 0))
    plan, _ = compile_spec(spec)
    assert plan is not None
    assert "o.yaml" in plan.protected_paths


def test_a_module_in_a_fan_out_is_used_once_for_each_value(case: Case) -> None:
    case.write("c.yaml", PHASE)
    case.write(
        "p.yaml",
        playbook('{uses: c.yaml, for_each: [a, b], with: {page: "{{ item }}.md"}}', phase("z", "needs: [changelog]")),
    )
    found = loaded(case).playbook.tiers[0].phases
    assert [(each.id, each.scope.write) for each in found[:2]] == [
        ("changelog.a", ("a.md",)),
        ("changelog.b", ("b.md",)),
    ]
    assert found[2].needs == ("changelog.a", "changelog.b")


def test_a_tier_module_may_use_phase_modules_and_fan_out(case: Case) -> None:
    case.write("lib/c.yaml", PHASE)
    case.write(
        "lib/t.yaml",
        "autopack: tier/v1\nid: T2\nphases:\n  - {uses: c.yaml, with: {page: X.md}}\n"
        f"  - {phase('n', 'for_each: [1, 2], needs: [changelog]')}\n",
    )
    case.write(
        "p.yaml",
        with_tier("{uses: lib/t.yaml}", phase("a")) + f"  - {{id: T3, phases: [{phase('e', 'needs: [n]')}]}}\n",
    )
    _, second, third = loaded(case).playbook.tiers
    assert [(each.id, each.needs) for each in second.phases] == [
        ("changelog", ()),
        ("n.1", ("changelog",)),
        ("n.2", ("changelog",)),
    ]
    assert second.phases[0].via == (At("p.yaml", ("tiers", 1, "uses")), At("lib/t.yaml", ("phases", 0, "uses")))
    assert third.phases[0].needs == ("n.1", "n.2")


def test_a_module_is_found_from_the_project_where_the_playbook_s_folder_has_none(case: Case) -> None:
    case.write("autopack.yaml", PROJECT)
    case.write("tiers/o.yaml", TIER)
    case.write("playbooks/p.yaml", with_tier("{uses: tiers/o.yaml, with: {service: x}}"))
    assert case.check().problems == []
    assert case.check().files == ("autopack.yaml", "playbooks/p.yaml", "tiers/o.yaml")


def test_a_template_is_read_as_the_type_the_module_declares(case: Case) -> None:
    case.write("o.yaml", TIER)
    case.write(
        "p.yaml",
        with_tier(
            '{uses: o.yaml, with: {service: x, replicas: "{{ inputs.n }}"}}', top="inputs: {n: {type: integer}}\n"
        ),
    )
    assert loaded(case, n="7").playbook.tiers[1].phases[0].goal == "Count x on 7."


# --- what is refused at the `uses` ------------------------------------------------------------------------


def test_an_input_the_module_does_not_have_is_told_at_its_name(case: Case, expect: Expect) -> None:
    case.write("o.yaml", TIER)
    said = expect("AP3019", with_tier("{uses: o.yaml, with: {⟦sevice⟧: x}}"))
    assert said == 'the module has no input "sevice" | did you mean `service`?'


def test_an_input_the_module_needs_is_told_at_the_uses(case: Case, expect: Expect) -> None:
    case.write("o.yaml", TIER.replace("service: {}", "⟪service⟫: {}"))
    said = expect("AP3019", with_tier("{uses: ⟦o.yaml⟧}"))
    assert said == 'the module needs the input "service" | add `with: {service: ...}`'


def test_a_value_that_does_not_fit_the_module_s_input_is_told_at_the_value(case: Case, expect: Expect) -> None:
    case.write("o.yaml", TIER.replace("replicas:", "⟪replicas⟫:", 1))
    expect("AP3019", with_tier("{uses: o.yaml, with: {service: x, replicas: ⟦two⟧}}"))


def test_a_template_that_gives_no_fitting_value_is_told_once_it_is_filled_in(case: Case) -> None:
    case.write("o.yaml", TIER)
    case.write("p.yaml", with_tier('{uses: o.yaml, with: {service: x, replicas: ⟦"{{ inputs.service }}"⟧}}'))
    assert case.check("p.yaml").problems == []
    spec, problems = load(str(case.root), "p.yaml")
    assert spec is None
    assert [(p.code, p.span and p.span[1:]) for p in problems] == [("AP3019", case.marked[0][1])]


def test_names_in_with_are_those_of_the_playbook(case: Case, expect: Expect) -> None:
    case.write("o.yaml", TIER)
    expect("AP3020", with_tier('{uses: o.yaml, with: {service: "{{ inputs.⟦serivce⟧ }}"}}'))


@pytest.mark.parametrize(
    ("code", "use"),
    [
        ("AP3007", "{uses: ⟦gone.yaml⟧}"),
        ("AP3008", "{uses: ⟦c.yaml⟧}"),
        ("AP3008", "{uses: ⟦it.yaml⟧}"),
        ("AP2003", "{uses: ⟦3⟧}"),
        ("AP2001", "{⟦use⟧: c.yaml}"),
        ("AP3007", '{uses: ⟦"git+http://x/y@z#a.yaml"⟧}'),
        ("AP3007", '{uses: ⟦"git+https://x/y@z#../a.yaml"⟧}'),
    ],
)
def test_a_use_that_leads_nowhere_is_told_at_the_use(case: Case, expect: Expect, code: str, use: str) -> None:
    case.write("c.yaml", PHASE)
    expect(code, with_tier(use))


def test_what_the_module_decides_has_no_place_beside_uses(case: Case, expect: Expect) -> None:
    case.write("c.yaml", PHASE)
    said = expect("AP3030", playbook("{uses: ⟪c.yaml⟫, ⟦goal⟧: x}"))
    assert said.startswith('the module decides "goal", so beside `uses` there is no place for it | ')


def test_a_module_and_a_whole_phase_beside_it_are_one_fault(case: Case) -> None:
    beside = "⟦goal⟧: x, ⟪category⟫: docs, ⟪scope⟫: {write: [c]}"
    case.write("c.yaml", PHASE)
    case.write("p.yaml", playbook(f"{{uses: ⟪c.yaml⟫, {beside}}}", f"{{id: b, uses: ⟪gone.yaml⟫, {beside}}}"))
    found, other = case.expect("AP3030", "p.yaml").problems
    assert found.message == 'the module decides "goal" and 2 more keys, so beside `uses` there is no place for them'
    assert [label.text for label in found.labels] == ["the module", "and this one", "and this one"]
    assert other.labels[0].text == '"gone.yaml" does not exist'


def test_all_inputs_that_a_module_misses_are_one_finding(case: Case) -> None:
    case.write("c.yaml", PHASE.replace("inputs:", "inputs: {⟪page⟫: {}, ⟪size⟫: {}}\nx-before:"))
    case.write("p.yaml", playbook("{uses: ⟦c.yaml⟧}"))
    (found,) = [each for each in case.check("p.yaml").problems if each.code == "AP3019"]
    assert found.message == 'the module needs the inputs "page", "size"'
    assert found.help == "add `with: {page: ..., size: ...}`"
    assert [label.text for label in found.labels] == ["declared here"] * 2


def test_with_needs_a_module(expect: Expect) -> None:
    expect("AP3030", playbook(phase("a", "⟦with⟧: {x: y}")))


def test_an_id_that_a_module_brings_again_is_told_at_the_uses(case: Case, expect: Expect) -> None:
    case.write("o.yaml", TIER.replace("id: metrics", "id: ⟪metrics⟫"))
    expect("AP3001", with_tier("{uses: ⟦o.yaml⟧, with: {service: x}}", phase("⟪metrics⟫")))


def test_a_need_of_a_phase_in_a_module_is_known_and_one_of_nothing_is_not(case: Case, expect: Expect) -> None:
    case.write("o.yaml", TIER)
    more = f"  - {{id: T3, phases: [{phase('z', 'needs: [metrics, ⟦alert⟧]')}]}}\n"
    said = expect("AP3002", with_tier("{uses: o.yaml, with: {service: x}}") + more)
    assert said.endswith("did you mean `alerts`?")


def test_what_an_unknown_module_may_hold_is_not_missed(case: Case, expect: Expect) -> None:
    more = f"  - {{id: T3, phases: [{phase('z', 'needs: [metrics]')}]}}\n"
    expect("AP3007", with_tier("{uses: ⟦gone.yaml⟧}") + more)


# --- what is refused in the module ------------------------------------------------------------------------


def test_a_module_is_checked_on_its_own(case: Case, expect: Expect) -> None:
    expect("AP3002", TIER.replace("needs: [metrics]", "needs: [⟦metric⟧]"))


def test_a_module_can_not_need_what_surrounds_it(expect: Expect) -> None:
    expect("AP2001", PHASE + "⟦needs⟧: [a]\n")


def test_a_module_s_names_are_its_own_inputs(case: Case, expect: Expect) -> None:
    expect("AP3020", PHASE.replace("inputs.page", "inputs.⟦pgae⟧", 1))


def test_a_finding_inside_a_module_labels_the_uses_that_pulled_it_in(case: Case) -> None:
    case.write("autopack.yaml", PROJECT)
    case.write("playbooks/c.yaml", PHASE.replace("category: docs", "category: ⟦dosc⟧"))
    case.write("playbooks/p.yaml", playbook("{uses: ⟪c.yaml⟫}"))
    case.write("autopack.yaml", f"{PROJECT}playbooks: [playbooks/p.yaml]\n")
    case.expect("AP5001")


def test_a_fault_that_only_the_plan_shows_labels_the_uses_too(case: Case) -> None:
    case.write("c.yaml", PHASE + "budget: {tokens: 100}\n")
    case.write("p.yaml", playbook("{uses: ⟪c.yaml⟫}"))
    _, problems = compile_spec(loaded(case))
    assert [(p.code, p.span and p.span.path) for p in problems] == [("AP6003", "c.yaml")]
    assert [(label.span.path, label.span[1:]) for label in problems[0].labels] == case.labelled


def test_a_path_that_an_input_leads_astray_labels_the_uses(case: Case) -> None:
    case.write("c.yaml", PHASE.replace('["{{ inputs.page }}"]', '[⟦"{{ inputs.page }}"⟧]'))
    case.write("p.yaml", playbook("{uses: ⟪c.yaml⟫, with: {page: ../x}}"))
    spec, problems = load(str(case.root), "p.yaml")
    assert spec is None
    assert [(p.code, p.span and (p.span.path, p.span[1:])) for p in problems] == [("AP3011", case.marked[0])]
    assert [(label.span.path, label.span[1:]) for label in problems[0].labels] == case.labelled
