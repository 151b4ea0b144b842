"""`for_each` and `matrix`: one phase as written, several as meant, with ids that others can need."""

from collections.abc import Callable

import pytest

from autopack.plan.compiler import compile as compile_spec
from autopack.spec.fanout import slug
from autopack.spec.load import load
from autopack.spec.model import Phase
from tests.spec.marks import Case, phase, playbook

Expect = Callable[[str, str], str]
MATRIX = 'matrix: {db: [pg, sqlite], py: ["3.11"]}'


def phases(case: Case, *written: str, top: str = "") -> list[Phase]:
    case.write("p.yaml", playbook(*written, top=top))
    spec, problems = load(str(case.root), "p.yaml")
    assert problems == []
    assert spec is not None
    return list(spec.playbook.tiers[0].phases)


# --- what comes out ---------------------------------------------------------------------------------------


def test_for_each_makes_one_phase_of_each_value(case: Case) -> None:
    found = phases(case, phase("store", "for_each: [a, B c, 3]").replace("Do it.", '"Do {{ item }}."'))
    assert [(each.id, each.goal) for each in found] == [
        ("store.a", "Do a."),
        ("store.B-c", "Do B c."),
        ("store.3", "Do 3."),
    ]


def test_a_matrix_makes_one_phase_of_each_combination_with_its_axes_in_written_order(case: Case) -> None:
    text = phase("store", 'matrix: {db: [pg, sqlite], py: ["3.11", "3.12"]}')
    found = phases(case, text.replace("Do it.", '"{{ matrix.py }} on {{ matrix.db }}"'))
    assert [(each.id, each.goal) for each in found] == [
        ("store.pg.3-11", "3.11 on pg"),
        ("store.pg.3-12", "3.12 on pg"),
        ("store.sqlite.3-11", "3.11 on sqlite"),
        ("store.sqlite.3-12", "3.12 on sqlite"),
    ]


@pytest.mark.parametrize(
    ("value", "expected"),
    [("3.11", "3-11"), ("pg", "pg"), ("a  b/c", "a-b-c"), (True, "true"), (7, "7"), ("-x-", "x"), ("é1", "1")],
)
def test_values_are_slugged(value: object, expected: str) -> None:
    assert slug(value) == expected


def test_paths_and_commands_of_a_branch_are_its_own(case: Case) -> None:
    text = (
        '{id: m, goal: x, category: docs, for_each: [a, b], scope: {write: ["docs/{{ item }}/**"]}, '
        'deliverables: ["docs/{{ item }}/x.md"], probes: [[test, -d, "docs/{{ item }}"]]}'
    )
    found = phases(case, text)
    assert [each.scope.write for each in found] == [("docs/a/**",), ("docs/b/**",)]
    assert [each.probes for each in found] == [(("test", "-d", "docs/a"),), (("test", "-d", "docs/b"),)]
    assert found[0].at == found[1].at


def test_a_need_of_a_fan_out_means_all_of_it_and_a_need_of_a_branch_one(case: Case) -> None:
    found = phases(
        case,
        phase("store", "for_each: [a, b]"),
        phase("all", "needs: [store]"),
        phase("one", "needs: [store.b]"),
        phase("both", "needs: [store.a, store, all]"),
    )
    assert {each.id: each.needs for each in found} == {
        "store.a": (),
        "store.b": (),
        "all": ("store.a", "store.b"),
        "one": ("store.b",),
        "both": ("store.a", "store.b", "all"),
    }


def test_a_fan_out_needs_what_its_phase_needs(case: Case) -> None:
    found = phases(case, phase("x", f"needs: [y], {MATRIX}"), phase("y", "for_each: [1, 2]"))
    assert [(each.id, each.needs) for each in found[:2]] == [
        ("x.pg.3-11", ("y.1", "y.2")),
        ("x.sqlite.3-11", ("y.1", "y.2")),
    ]


def test_a_circle_through_a_fan_out_is_told_at_the_needs_that_are_written(case: Case) -> None:
    case.write("p.yaml", playbook(phase("a", "for_each: [x, y], needs: [⟦b⟧]"), phase("b", "needs: [⟪a⟫]"), phase("c")))
    spec, _ = load(str(case.root), "p.yaml")
    assert spec is not None
    plan, problems = compile_spec(spec)
    assert plan is None
    (found,) = problems
    assert found.message == "phases need each other in a circle: a.x -> b -> a.x"
    assert [(found.span or [])[1:], *(label.span[1:] for label in found.labels)] == [
        case.marked[0][1],
        case.labelled[0][1],
    ]


def test_a_plan_holds_every_branch(case: Case) -> None:
    case.write("p.yaml", playbook(phase("store", MATRIX), phase("api", "needs: [store]")))
    spec, _ = load(str(case.root), "p.yaml")
    assert spec is not None
    plan, _ = compile_spec(spec)
    assert plan is not None
    assert [(each.phase_id, each.needs) for each in plan.phases] == [
        ("store.pg.3-11", ()),
        ("store.sqlite.3-11", ()),
        ("api", ("store.pg.3-11", "store.sqlite.3-11")),
    ]


def test_a_grant_for_a_fan_out_holds_for_each_branch_and_one_for_a_branch_for_it_alone(case: Case) -> None:
    grant = "{phases: [%s], allow: [%s], owner: ann, reason: told, until: 2099-01-01}"
    grants = f"[{grant % ('store', 'growth')}, {grant % ('store.b', 'binary')}]"
    case.write("autopack.yaml", "autopack: project/v1\nname: shop\nruleset: r.yaml\nmodels: builtin:replay\n")
    case.write("r.yaml", f"autopack: ruleset/v1\nname: house\ngrants: {grants}\n")
    case.write("p.yaml", playbook(phase("store", "for_each: [a, b]")))
    spec, problems = load(str(case.root), "p.yaml", today="2026-11-22")
    assert problems == []
    assert spec is not None
    plan, _ = compile_spec(spec)
    assert plan is not None
    assert [(each.phase_id, each.allow) for each in plan.phases] == [
        ("store.a", ("growth",)),
        ("store.b", ("growth", "binary")),
    ]


# --- what is refused --------------------------------------------------------------------------------------


def test_two_values_of_one_slug_are_a_duplicate_id(expect: Expect) -> None:
    said = expect("AP3001", playbook(phase("a", 'for_each: [⟪"x y"⟫, z, ⟦x-y⟧]')))
    assert said.startswith('a second value that becomes "x-y" in an id | ')


def test_two_values_of_an_axis_that_become_one_are_told_once(expect: Expect) -> None:
    expect("AP3001", playbook(phase("a", "matrix: {n: [1, 2, 3], db: [⟪pg⟫, ⟦PG⟧]}")))


def test_an_equal_value_is_a_repeated_item(expect: Expect) -> None:
    expect("AP2009", playbook(phase("a", "for_each: [⟪x⟫, ⟦x⟧]")))


def test_a_branch_that_is_called_like_a_phase_is_a_duplicate_id(expect: Expect) -> None:
    said = expect("AP3001", playbook(phase("a", "for_each: [⟪x⟫, y]"), phase("⟦a.x⟧")))
    assert said.startswith('a second phase with the id "a.x" | ')


def test_a_phase_that_is_called_like_a_later_branch_is_told_at_the_value(expect: Expect) -> None:
    expect("AP3001", playbook(phase("⟪a.pg.3-11⟫"), phase("a", 'matrix: {db: [pg, x], py: [⟦"3.11"⟧]}')))


def test_a_need_of_a_branch_that_is_not_there_comes_with_the_nearest(expect: Expect) -> None:
    said = expect("AP3002", playbook(phase("a", "for_each: [orders, users]"), phase("b", "needs: [⟦a.order⟧]")))
    assert said == 'no phase has the id "a.order" | did you mean `a.orders`?'


def test_a_branch_that_needs_its_own_fan_out_needs_itself(expect: Expect) -> None:
    expect("AP3003", playbook(phase("a", "for_each: [x, y], needs: [⟦a.x⟧]")))


def test_a_fan_out_over_both_is_refused(expect: Expect) -> None:
    expect("AP3028", playbook(phase("a", "⟪for_each⟫: [x], ⟦matrix⟧: {y: [z]}")))


def test_more_branches_than_anybody_wants_are_refused(expect: Expect) -> None:
    axis = ", ".join(map(str, range(40)))
    said = expect("AP3028", playbook(phase("a", f"⟦matrix⟧: {{x: [{axis}], y: [{axis}]}}")))
    assert said.startswith("this fan-out makes 1,600 phases, at most 1,000 are taken")


def test_a_branch_whose_id_is_too_long_is_told_at_its_value(expect: Expect) -> None:
    said = expect("AP3028", playbook(phase("store", f"for_each: [x, ⟦{'y' * 60}⟧]")))
    assert "has 66 characters, at most 64 are taken" in said


def test_a_branch_that_git_takes_for_no_branch_is_told_at_its_value(expect: Expect) -> None:
    expect("AP3012", playbook(phase("a", "for_each: [x, ⟦lock⟧]")))


def test_a_value_is_no_template_because_ids_are_known_before_inputs(expect: Expect) -> None:
    expect("AP3028", playbook(phase("a", 'for_each: [x, ⟦"{{ inputs.s }}"⟧]'), top="inputs: {s: {default: y}}\n"))


@pytest.mark.parametrize(
    ("code", "more"),
    [
        ("AP2008", "for_each: ⟦[]⟧"),
        ("AP2004", "for_each: ⟦a b⟧"),
        ("AP2003", "for_each: [⟦1.5⟧]"),
        ("AP2003", "for_each: [⟦null⟧]"),
        ("AP2006", 'for_each: [⟦"*"⟧]'),
        ("AP2008", "matrix: ⟦{}⟧"),
        ("AP2008", "matrix: {db: ⟦[]⟧}"),
        ("AP2006", "matrix: {⟦a-b⟧: [x]}"),
        ("AP2003", "matrix: ⟦[⟧a]"),
    ],
)
def test_a_fan_out_of_the_wrong_shape_is_told_at_the_token(expect: Expect, code: str, more: str) -> None:
    expect(code, playbook(phase("a", more)))


# --- names ------------------------------------------------------------------------------------------------


def test_the_names_of_a_fan_out_are_known_only_inside_it(expect: Expect) -> None:
    text = playbook(
        phase("a", "for_each: [x]").replace("Do it.", '"{{ item }}"'),
        phase("b").replace("Do it.", '"{{ ⟦item⟧ }}"'),
    )
    assert expect("AP3020", text) == 'unknown name "item" | only a phase with `for_each` has `item`'


def test_a_matrix_has_its_axes_and_no_item(case: Case) -> None:
    case.write("it.yaml", playbook(phase("a", MATRIX).replace("Do it.", '"{{ item }} {{ matrix.pyy }} {{ db }}"')))
    found = [(p.code, p.message, p.help) for p in case.check("it.yaml").problems]
    assert found == [
        ("AP3020", 'unknown name "item"', "only a phase with `for_each` has `item`"),
        ("AP3020", 'unknown name "matrix.pyy"', "did you mean `py`?"),
        ("AP3020", 'unknown name "db"', "write `matrix.db`"),
    ]


def test_an_item_has_no_parts(expect: Expect) -> None:
    expect("AP3022", playbook(phase("a", "for_each: [x]").replace("Do it.", '"{{ item⟦.⟧name }}"')))


def test_a_path_that_one_value_leads_astray_is_told_once_with_the_value(case: Case) -> None:
    text = "{id: a, goal: x, category: docs, for_each: [ok, ⟪../x⟫, ../y], scope: {write: [⟦'{{ item }}/**'⟧]}}"
    case.write("p.yaml", playbook(text))
    assert case.check("p.yaml").problems == []
    spec, problems = load(str(case.root), "p.yaml")
    assert spec is None
    assert [(p.code, p.span and p.span[1:], [label.span[1:] for label in p.labels]) for p in problems] == [
        ("AP3011", case.marked[0][1], [case.labelled[0][1]])
    ]
