"""Waves, the critical path, slack, and the needs that are worth drawing."""

from decimal import Decimal

import networkx as nx
from hypothesis import given
from hypothesis import strategies as st

from autopack.plan.shape import Shape, of, reduced, shape
from tests.plan.folder import Folder

Needs = dict[str, tuple[str, ...]]


@st.composite
def graphs(draw: st.DrawFn) -> Needs:
    """Needs of up to 14 ids, each after what it needs."""
    names = [f"n{number}" for number in range(draw(st.integers(1, 14)))]
    return {
        name: tuple(draw(st.lists(st.sampled_from(names[:number]), unique=True))) if number else ()
        for number, name in enumerate(names)
    }


def _of(needs: Needs, **weights: int) -> Shape:
    return of(needs, {name: Decimal(weights[name]) for name in needs})


DIAMOND: Needs = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c", "a")}


def test_the_critical_path_is_the_longest_chain_and_the_rest_has_slack():
    found = _of(DIAMOND, a=1, b=5, c=2, d=1)
    assert found.critical == ("a", "b", "d")
    assert found.length == 7
    assert found.slack == {"a": 0, "b": 0, "c": 3, "d": 0}
    assert found.waves == (("a",), ("b", "c"), ("d",))


def test_of_two_equal_chains_the_one_written_first_is_shown():
    assert _of(DIAMOND, a=1, b=2, c=2, d=1).critical == ("a", "b", "d")


def test_a_need_that_others_imply_is_not_drawn():
    assert reduced(DIAMOND) == {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}


@given(graphs())
def test_reduction_agrees_with_networkx(needs: Needs):
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(needs)
    graph.add_edges_from((need, name) for name, all_of in needs.items() for need in all_of)
    wanted = set(nx.transitive_reduction(graph).edges)
    assert {(need, name) for name, all_of in reduced(needs).items() for need in all_of} == wanted


@given(graphs(), st.data())
def test_the_critical_path_agrees_with_networkx_and_has_no_slack(needs: Needs, data: st.DataObject):
    weights = {name: Decimal(data.draw(st.integers(0, 9))) for name in needs}
    found = of(needs, weights)
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_node("start")
    graph.add_edges_from((name, "end", {"weight": 0}) for name in needs)
    for name, all_of in needs.items():
        graph.add_edges_from((need, name, {"weight": int(weights[name])}) for need in (*all_of, "start"))
    assert found.length == nx.dag_longest_path_length(graph)
    assert sum(weights[name] for name in found.critical) == found.length
    assert all(found.slack[name] == 0 for name in found.critical)
    assert min(found.slack.values()) == 0


def test_of_nothing_there_is_no_shape():
    assert of({}, {}) == Shape((), (), Decimal(0), {}, {}, {}, {})


def test_a_plan_is_weighed_by_worst_minutes(folder: Folder):
    plan = folder.phases("id: a, category: docs, budget: {minutes: 3}", "id: b, category: docs, needs: [a]").plan()
    found = shape(plan)
    assert found.weights == {"a": 3 + 5, "b": plan.phase("b").worst.minutes}
    assert found.critical == ("a", "b")
    assert found.length == 8 + plan.phase("b").worst.minutes
