"""Templates: unknown names at their exact place, nothing but filling in, and what comes out."""

from collections.abc import Callable

import pytest

from autopack.spec import model
from autopack.spec.load import load
from autopack.spec.template import RUN_ID
from tests.spec.marks import Case, phase, playbook

Expect = Callable[[str, str], str]
INPUTS = "inputs: {service: {default: orders}, fast: {type: boolean, default: true}, n: {type: integer, default: 3}}\n"


def goal(text: str) -> str:
    return playbook(phase("a").replace("Do it.", text), top=INPUTS)


def spec_of(case: Case, text: str, **inputs: str) -> model.Spec:
    case.write("p.yaml", text)
    spec, problems = load(str(case.root), "p.yaml", inputs)
    assert problems == []
    assert spec is not None
    return spec


# --- what is refused --------------------------------------------------------------------------------------


def test_an_unknown_input_is_told_at_its_name_with_the_one_that_was_meant(expect: Expect) -> None:
    said = expect("AP3020", goal('"Add to {{ inputs.⟦serivce⟧ }}."'))
    assert said == 'unknown name "inputs.serivce" | did you mean `service`?'


def test_a_name_is_found_in_any_way_of_writing_text(expect: Expect) -> None:
    block = "|\n          One {{ inputs.service }},\n          then {{ inputs.⟦servce⟧ }}.\n        "
    text = playbook(
        "id: a\n        category: docs\n        scope: {write: [a]}\n        goal: "
        + block
        + "name: Do {{ ⟦input⟧.n }} things\n        deliverables: ['{{ ⟦service⟧ }}']",
        top=INPUTS,
    )
    expect("AP3020", text)


def test_the_second_of_two_equal_words_is_the_one_at_fault(expect: Expect) -> None:
    expect("AP3020", goal('"servce: {{ inputs.service }} {{ inputs.⟦servce⟧ }} servce"'))


def test_a_name_after_white_space_control_is_found(expect: Expect) -> None:
    expect("AP3020", goal('"a {{- inputs.⟦x⟧ -}} b {%- if ⟦y⟧ %}c{% endif %}"'))


@pytest.mark.parametrize("text", ["{{ ⟦inputs⟧ }}", "{{ ⟦item⟧ }}", "{{ project.⟦nam⟧ }}", "{{ ⟦service⟧ }}"])
def test_names_are_those_of_inputs_project_and_run(expect: Expect, text: str) -> None:
    expect("AP3020", goal(f'"{text}"'))


@pytest.mark.parametrize(
    "text",
    [
        "{% ⟦for⟧ x in inputs.service %}{{ x }}{% endfor %}",
        "{% ⟦set⟧ x = 1 %}",
        "{% ⟦include⟧ 'x' %}",
        "{{ inputs.service ⟦*⟧ 1000000 }}",
        "{{ inputs.n ⟦**⟧ inputs.n }}",
        "{{ inputs.service⟦.⟧upper }}",
        "{{ inputs.service⟦[⟧0] }}",
        "{{ inputs.service⟦(⟧) }}",
        "{{ inputs.service|⟦center⟧(1000000) }}",
        "{{ inputs.n ⟦is⟧ odd }}",
        "{{ ⟦run⟧.id|upper }}",
        "{% if ⟦run⟧.id == 'x' %}a{% endif %}",
    ],
)
def test_a_template_fills_in_and_does_nothing_else(expect: Expect, text: str) -> None:
    expect("AP3022", goal(f'"{text}"'))


@pytest.mark.parametrize(
    "text",
    [
        "some ⟦{{⟧ inputs.service",
        "a {{ inputs.service }} ⟦{{⟧ inputs.n and {{ inputs.n }}",
        "{{ inputs.service }} ⟦{{⟧ }}",
        "x ⟦{%⟧ if inputs.fast %}x",
        "x ⟦{%⟧ if inputs.fast",
        "⟦{{⟧ 'a }}",
    ],
)
def test_what_can_not_be_read_is_told_at_its_braces(expect: Expect, text: str) -> None:
    expect("AP3021", goal(f'"{text}"'))


def test_a_name_that_nothing_declares_is_told_once_with_its_further_uses(expect: Expect) -> None:
    said = expect("AP3020", goal('"{{ inputs.⟦servce⟧ }}, {{ inputs.⟪servce⟫ }} and {{ inputs.⟪servce⟫ }}"'))
    assert said == 'unknown name "inputs.servce" | did you mean `service`?'


@pytest.mark.parametrize(
    "text",
    [
        "{{ " + "(" * 10 + "⟦(⟧" + "(" * 300 + "1" + ")" * 311 + " }}",
        "{{ " + "not " * 100 + "⟦not⟧ " + "not " * 900 + "true }}",
        "{% if inputs.fast %}" * 10 + "⟦{%⟧ if inputs.fast %}" + "{% if inputs.fast %}" * 300 + "{% endif %}" * 311,
    ],
    ids=["brackets", "nots", "ifs"],
)
def test_a_template_is_neither_long_nor_deep(expect: Expect, text: str) -> None:
    expect("AP3022", goal(f'"{text}"'))


def test_braces_where_no_template_is_taken_are_braces(case: Case) -> None:
    case.write("p.yaml", playbook(phase("a", 'acceptance: ["renders {{ name }} as written"]')))
    assert case.check("p.yaml").problems == []


def test_a_ci_file_has_no_inputs(expect: Expect) -> None:
    expect(
        "AP3020",
        "autopack: ci/v1\nname: x\nprofiles: {normal: {steps: [{id: a, run: [echo, '{{ inputs.⟦x⟧ }}']}]}}\n",
    )


# --- what comes out ---------------------------------------------------------------------------------------


def test_inputs_and_the_project_s_name_are_filled_in(case: Case) -> None:
    case.write("autopack.yaml", "autopack: project/v1\nname: shop-api\nplaybooks: []\n")
    text = goal('"{{ inputs.service|upper }} of {{ project.name }}, {{ inputs.fast }}, {{ inputs.n }}"')
    assert spec_of(case, text, n="5").playbook.tiers[0].phases[0].goal == "ORDERS of shop-api, true, 5"


def test_conditions_choose_text(case: Case) -> None:
    text = goal("\"{% if inputs.fast and inputs.n > 2 %}quick{% else %}slow{% endif %}{{ ' x' if inputs.n == 3 }}\"")
    assert spec_of(case, text).playbook.tiers[0].phases[0].goal == "quick x"


def test_the_run_s_id_is_left_for_whoever_names_the_run(case: Case) -> None:
    spec = spec_of(case, goal('"See {{run.id}} and {{- run.id }}."'))
    assert spec.playbook.tiers[0].phases[0].goal == f"See {RUN_ID} and{RUN_ID}."


def test_paths_names_and_commands_are_filled_in(case: Case) -> None:
    text = playbook(
        '{id: a, name: "For {{ inputs.service }}", goal: x, category: docs, '
        'scope: {write: ["{{ inputs.service }}/**"]}, deliverables: ["{{ inputs.service }}/a.py"], '
        'probes: [[test, -e, "{{ inputs.service }}"]]}',
        top=INPUTS,
    )
    (found,) = spec_of(case, text, service="users").playbook.tiers[0].phases
    assert (found.name, found.scope.write, found.deliverables, found.probes) == (
        "For users",
        ("users/**",),
        ("users/a.py",),
        (("test", "-e", "users"),),
    )


def test_a_path_that_leaves_the_repository_once_filled_in_is_refused(case: Case) -> None:
    case.write(
        "p.yaml",
        playbook('{id: a, goal: x, category: docs, scope: {write: [⟦"{{ inputs.service }}/**"⟧]}}', top=INPUTS),
    )
    spec, problems = load(str(case.root), "p.yaml", {"service": "../elsewhere"})
    assert spec is None
    assert [(p.code, p.span and tuple(p.span[1:])) for p in problems] == [("AP3011", case.marked[0][1])]


def test_a_deliverable_outside_the_scope_once_filled_in_is_refused(case: Case) -> None:
    text = '{id: a, goal: x, category: docs, scope: {write: [orders/**]}, deliverables: ["{{ inputs.service }}/a"]}'
    case.write("p.yaml", playbook(text, top=INPUTS))
    assert load(str(case.root), "p.yaml", {})[1] == []
    assert [p.code for p in load(str(case.root), "p.yaml", {"service": "users"})[1]] == ["AP3010"]


@pytest.mark.parametrize(
    "text",
    [
        "{{ inputs.service < inputs.n }}",
        f"{{{{ inputs.service|replace('o', '{'x' * 999}')|replace('x', '{'y' * 999}') }}}}",
    ],
)
def test_a_template_without_a_value_is_told_and_makes_no_plan(case: Case, text: str) -> None:
    case.write("p.yaml", goal(f'"{text}"'))
    assert case.check("p.yaml").problems == []
    spec, problems = load(str(case.root), "p.yaml", {})
    assert (spec, [p.code for p in problems]) == (None, ["AP3021"])


def test_a_value_that_looks_like_a_template_stays_as_it_is(case: Case) -> None:
    text = goal('"{{ inputs.service }}"')
    assert spec_of(case, text, service="{{ project.name }}").playbook.tiers[0].phases[0].goal == "{{ project.name }}"


@pytest.mark.parametrize(
    ("text", "advice"),
    [
        ("{{ inputs⟦['service']⟧ }}", "write `inputs.service`"),
        ('{{ inputs⟦["service"]⟧ | upper }}', "write `inputs.service`"),
        ("{{ inputs⟦[⟧ 'service' ] }}", "write `inputs.service`"),
        ("{{ inputs⟦['servce']⟧ }}", "did you mean `service`?"),
        ("{{ project⟦['nmae']⟧ }}", "did you mean `name`?"),
    ],
)
def test_a_name_in_brackets_is_one_fault_with_the_dot_as_advice(case: Case, text: str, advice: str) -> None:
    goal = f"autopack: playbook/v1\nname: x\ninputs: {{service: {{}}}}\ndescription: >-\n  {text}\n"
    more = "tiers: [{id: T1, phases: [{id: a, goal: x, category: docs, scope: {write: [a]}}]}]\n"
    case.write("p.yaml", goal + more)
    (found,) = case.expect("AP3022", "p.yaml").problems
    assert (found.message, found.help) == ("a name stands behind a dot, not in brackets", advice)
