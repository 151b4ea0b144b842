"""Selecting phases as in dbt: words, relatives, states, set operations; and the plan that is left."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopack.plan.model import Plan
from autopack.plan.select import Choice, Named, NoPhase, select, subset
from autopack.spec.selection import METHODS, Unreadable
from autopack.spec.territory import _alike
from tests.plan.folder import Folder

PLAYBOOK = """\
tiers:
  - id: T1
    phases:
      - {id: store, goal: g, category: schema_contract_change, tags: [db], scope: {write: ["src/store/**"]}}
      - {id: limiter, goal: g, category: feature_scaffolding, needs: [store], scope: {write: ["src/limit.py"]}}
      - {id: load, for_each: [read, write], goal: "{{ item }}", category: tests, needs: [store],
         scope: {write: ["tests/{{ item }}/**"]}, tags: [slow, db]}
  - id: T2
    phases:
      - {id: guide, goal: g, category: docs, scope: {write: ["docs/**", "!docs/internal/**"]}}
      - {id: news, goal: g, category: docs, complexity: medium, needs: [guide], scope: {write: [NEWS.md]}}
"""


@pytest.fixture
def plan(folder: Folder) -> Plan:
    return folder.playbook(PLAYBOOK).plan()


CASES = {
    "store": "store",
    "limiter+": "limiter guide news",
    "+guide": "store limiter load.read load.write guide",
    "1+guide": "store limiter load.read load.write guide",
    "+limiter+": "store limiter guide news",
    "1+news": "guide store limiter load.read load.write news",
    "0+news": "news",
    "store+1": "store limiter load.read load.write guide news",
    "@limiter": "store limiter load.read load.write guide news",
    "load": "load.read load.write",
    "load.read": "load.read",
    "*e*": "store limiter load.read load.write guide news",
    "n*": "news",
    "tag:db": "store load.read load.write",
    "tag:s*": "load.read load.write",
    "tier:T2": "guide news",
    "category:docs": "guide news",
    "category:schema_change": "store",
    "risk:high": "store",
    "complexity:medium": "limiter news",
    "ci:strict": "store",
    "path:src/**": "store limiter",
    "path:src/limit.py": "limiter",
    "path:tests/read/a.py": "load.read",
    "path:docs/internal/x.md tier:T1,tag:slow": "load.read load.write",
    "tag:db,category:tests": "load.read load.write",
    "store news": "store news",
    "tag:db,risk:high news": "store news",
}


@pytest.mark.parametrize(("text", "ids"), CASES.items())
def test_a_selection_names_phases(plan: Plan, text: str, ids: str):
    assert set(select(plan, Choice((text,)))) == set(ids.split())


def test_the_order_is_the_plans_and_what_is_excluded_goes(plan: Plan):
    assert select(plan, Choice(("news", "store"))) == ("store", "news")
    assert select(plan, Choice(exclude=("tier:T1",))) == ("guide", "news")
    assert select(plan, Choice(("tier:T1",), ("load", "+limiter,risk:high"))) == ("limiter",)


def test_several_selections_are_a_union(plan: Plan):
    assert select(plan, Choice(("store", "news"))) == select(plan, Choice(("store news",)))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("stroe", 'no phase has the id "stroe"; did you mean `store`?'),
        ("tag:dbb", 'no phase answers to "tag:dbb"; did you mean `db`?'),
        ("tier:T9", 'no phase answers to "tier:T9"; there are T1, T2'),
        ("risk:hihg", 'no phase answers to "risk:hihg"; did you mean `high`?'),
        ("state:new", '"state:new" compares with an earlier plan; name its file or a revision with --state'),
        ("state:modified.promt", 'there is no state "modified.promt"; did you mean `modified.prompt`?'),
        ("selector:x", 'the project has no selector "x"; there is none'),
        ("tag:db,tier:T2", "no phase is selected by tag:db,tier:T2; `autopack ls` shows what each phase answers to"),
        ("zzz*", "no phase is selected by zzz*; `autopack ls` shows what each phase answers to"),
    ],
)
def test_what_selects_nothing_says_so(plan: Plan, text: str, said: str):
    with pytest.raises(NoPhase) as error:
        select(plan, Choice((text,)))
    assert str(error.value) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("teg:db", '"teg:db": phases can\'t be selected by teg; did you mean `tag`?'),
        ("@+store", '"@+store" has both @ and +; @x holds x+ and everything those need; leave the + away'),
        ("a,,b", '"" selects nothing; write an id, or method:value, as in tag:api'),
        ("tag:", '"tag:" selects nothing; write an id, or method:value, as in tag:api'),
        (" ", "an empty selection selects nothing; write an id, or method:value, as in tag:api"),
        ("+", '"+" selects nothing; write an id, or method:value, as in tag:api'),
    ],
)
def test_what_is_no_selection_says_so(plan: Plan, text: str, said: str):
    with pytest.raises(Unreadable) as error:
        select(plan, Choice((text,)))
    assert str(error.value) == said


def test_state_compares_with_an_earlier_plan(plan: Plan):
    before = subset(plan, ["store", "limiter", "load.read", "load.write", "guide"])
    changed = tuple(
        replace(p, goal="another") if p.phase_id == "store" else replace(p, token_cap=1) if p.phase_id == "guide" else p
        for p in before.phases
    )
    earlier = replace(before, phases=changed)

    def chosen(text: str) -> str:
        return " ".join(select(plan, Choice((text,), state=earlier)))

    assert chosen("state:new") == "news"
    assert chosen("state:modified") == "store guide news"
    assert chosen("state:modified.inputs") == "store"
    assert chosen("state:modified.policy+") == "guide news"
    assert chosen("state:unmodified") == "limiter load.read load.write"


def test_a_selector_of_the_project_is_used_by_name_also_in_another(plan: Plan):
    named = {"data": Named(("tag:db",), ("load",)), "all": Named(("selector:data", "tier:T2"))}
    assert select(plan, Choice(("selector:all",), named=named)) == ("store", "guide", "news")


def test_selectors_that_use_each_other_in_a_circle_are_refused(plan: Plan):
    named = {"a": Named(("selector:b",)), "b": Named(("selector:a",))}
    with pytest.raises(Unreadable, match="circle: a -> b -> a"):
        select(plan, Choice(("selector:a",), named=named))


def test_a_plan_cut_down_says_what_it_takes_for_done(plan: Plan):
    small = subset(plan, ["guide", "news"])
    assert [phase.phase_id for phase in small.phases] == ["guide", "news"]
    assert small.assumed == ("store", "limiter", "load.read", "load.write")
    assert [phase.needs for phase in small.phases] == [(), ("guide",)]
    assert [tier.tier_id for tier in small.tiers] == ["T2"]
    assert small.worst.cost_usd == sum(phase.worst.cost_usd for phase in small.phases)
    assert set(small.profiles) == {"normal"}
    assert subset(plan, [phase.phase_id for phase in plan.phases]) == plan


# --- against a naive reading ------------------------------------------------------------------------------------


def _naive(plan: Plan, text: str) -> set[str]:
    return {name for word in text.split() for name in set.intersection(*(_atom(plan, a) for a in word.split(",")))}


def _atom(plan: Plan, atom: str) -> set[str]:
    """By trying every phase on its own, and every path between two phases."""
    bare, at = atom.removeprefix("@"), atom.startswith("@")
    up, plus, rest = bare.rpartition("+") if bare.startswith("+") or bare[:1].isdigit() else ("", "", bare)
    body, _, down = (rest, "", None) if "/" not in rest else rest.partition("/")
    own = {p.phase_id for p in plan.phases if _fits(p, body)}
    steps_up = 99 if plus and not up else int(up or 0) if plus else 0
    steps_down = 0 if down is None else int(down or 99)
    needs = {p.phase_id: set(p.needs) for p in plan.phases}
    needed_by = {name: {other for other in needs if name in needs[other]} for name in needs}
    if at:
        own = own | {n for start in own for n in needs if _distance(needed_by, start, n, 99)}
        return own | {n for start in own for n in needs if _distance(needs, start, n, 99)}
    above = {n for start in own for n in needs if _distance(needs, start, n, steps_up)}
    return own | above | {n for start in own for n in needs if _distance(needed_by, start, n, steps_down)}


def _distance(edges: dict[str, set[str]], start: str, end: str, steps: int) -> bool:
    return steps > 0 and any(n == end or _distance(edges, n, end, steps - 1) for n in edges[start])


def _fits(phase: object, body: str) -> bool:
    method, _, value = body.partition(":") if ":" in body else ("id", "", body)
    answers = {"id": "phase_id", "tier": "tier_id", "category": "category", "tag": "tags"}[method]
    found = getattr(phase, answers)
    return value in found if method == "tag" else value == found


@st.composite
def graphs(draw: st.DrawFn) -> tuple[dict[str, tuple[str, ...]], str]:
    names = [f"n{number}" for number in range(draw(st.integers(1, 7)))]
    needs = {
        name: tuple(draw(st.lists(st.sampled_from(names[:number]), unique=True, max_size=3))) if number else ()
        for number, name in enumerate(names)
    }
    body = st.sampled_from([*names, "tier:T1", "category:docs", "tag:odd"])
    atom = st.one_of(
        body.map("@{}".format),
        st.tuples(st.sampled_from(["", "+", "1+", "2+"]), body, st.sampled_from(["", "/", "/1", "/2"])).map("".join),
    )
    words = st.lists(atom, min_size=1, max_size=3).map(",".join)
    return needs, " ".join(draw(st.lists(words, min_size=1, max_size=3)))


TEMPLATE: dict[str, Plan] = {}


@settings(max_examples=200, deadline=None)
@given(graphs())
def test_selection_agrees_with_a_naive_reading(drawn: tuple[dict[str, tuple[str, ...]], str]):
    """In the drawn texts a slash stands for the plus behind a body, which keeps the naive reading simple."""
    needs, text = drawn
    plan = _drawn(needs)
    expected = _naive(plan, text)
    spoken = text.replace("/", "+")
    if expected:
        assert set(select(plan, Choice((spoken,)))) == expected
    else:
        with pytest.raises(NoPhase):
            select(plan, Choice((spoken,)))


def _drawn(needs: dict[str, tuple[str, ...]]) -> Plan:
    phase = TEMPLATE["plan"].phases[0]
    phases = []
    for number, (name, all_of) in enumerate(needs.items()):
        category, tags = "tests" if number % 3 else "docs", ("odd",) if number % 2 else ("even", "odd")
        named = replace(phase, phase_id=name, index=number, needs=all_of)
        phases.append(replace(named, category=category, task_category=category, tags=tags))
    return replace(TEMPLATE["plan"], phases=tuple(phases))


@pytest.fixture(autouse=True, scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> None:
    TEMPLATE["plan"] = Folder(tmp_path_factory.mktemp("one")).project().phases("id: a, category: docs").plan()


def test_every_method_is_shown_here():
    shown = {text.split(":")[0].lstrip("@+") for text in CASES if ":" in text} | {"id", "state", "selector", "model"}
    assert shown >= set(METHODS) - {"id"}


def test_of_a_plan_in_several_runs_each_keeps_what_is_selected(folder: Folder):
    phases = "".join(
        f"      - {{id: p{n}, goal: g, category: docs, scope: {{write: [docs/{n}.md]}}}}\n" for n in range(3)
    )
    others = phases.replace("id: p", "id: q")
    text = f"budget: {{phases: 3}}\ntiers:\n  - id: T1\n    phases:\n{phases}  - id: T2\n    phases:\n{others}"
    plan = folder.playbook(text).plan()
    assert [run.phases for run in plan.runs] == [("p0", "p1", "p2"), ("q0", "q1", "q2")]
    assert [run.phases for run in subset(plan, ["p1", "q2"]).runs] == [("p1",), ("q2",)]
    assert subset(plan, ["q1", "q2"]).runs == ()


def test_a_path_is_looked_for_only_where_beginnings_and_ends_agree():
    """What begins and ends alike is compared in full, also where a wildcard comes early."""
    assert [
        _alike(one, other)
        for one, other in (
            ("src/**", "src/a.py"),
            ("**/a.py", "src/a.py"),
            ("src/[ab].py", "src/b.py"),
            ("docs/**", "src/**"),
            ("src/**/*.md", "src/*.py"),
        )
    ] == [True, True, True, False, False]
