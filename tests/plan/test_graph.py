"""Needs to order and waves."""

import itertools

import networkx as nx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from autopack.plan.graph import Cycle, order, waves

Needs = dict[str, tuple[str, ...]]


@st.composite
def graphs(draw: st.DrawFn, *, cyclic: bool = False) -> Needs:
    """Needs among up to 12 ids, written in any order; without cycles unless asked."""
    count = draw(st.integers(1, 12))
    names = [f"n{number}" for number in range(count)]
    found: Needs = {}
    for number, name in enumerate(names):
        others = names if cyclic else names[:number]
        found[name] = tuple(draw(st.lists(st.sampled_from(others), unique=True, max_size=4))) if others else ()
    return {name: found[name] for name in draw(st.permutations(names))}


def _graph(needs: Needs) -> "nx.DiGraph[str]":
    graph: nx.DiGraph[str] = nx.DiGraph()
    graph.add_nodes_from(needs)
    graph.add_edges_from((need, name) for name, all_of in needs.items() for need in all_of)
    return graph


def test_ties_keep_the_order_in_which_they_are_written():
    assert order({"c": (), "a": (), "b": ()}) == ("c", "a", "b")
    assert order({"d": ("b",), "c": (), "b": (), "a": ("c",)}) == ("c", "b", "d", "a")


def test_a_need_named_twice_counts_once():
    assert order({"a": ("b", "b"), "b": ()}) == ("b", "a")


def test_nothing_has_an_order():
    assert (order({}), waves({}, ())) == ((), ())


def test_waves_hold_what_could_run_side_by_side():
    needs = {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c"), "e": ()}
    assert waves(needs, order(needs)) == (("a", "e"), ("b", "c"), ("d",))


@pytest.mark.parametrize(
    ("needs", "path"),
    [
        ({"a": ("a",)}, ("a", "a")),
        ({"a": ("c",), "b": ("a",), "c": ("b",)}, ("a", "c", "b", "a")),
        ({"c": ("b",), "b": ("a",), "a": ("c",)}, ("c", "b", "a", "c")),
        ({"z": (), "a": ("z", "b"), "b": ("a",)}, ("a", "b", "a")),
        ({"down": ("b",), "a": ("b",), "b": ("a",)}, ("a", "b", "a")),
    ],
)
def test_a_cycle_is_told_from_the_id_that_is_written_first(needs: Needs, path: tuple[str, ...]):
    with pytest.raises(Cycle) as caught:
        order(needs)
    assert caught.value.path == path


def test_a_very_long_cycle_is_told_as_well():
    count = 10_000
    needs = {f"n{number}": (f"n{(number + 1) % count}",) for number in range(count)}
    with pytest.raises(Cycle) as caught:
        order(needs)
    assert len(caught.value.path) == count + 1
    assert caught.value.path[:2] == ("n0", "n1")


@given(graphs())
def test_the_order_is_the_one_networkx_finds_with_ties_as_written(needs: Needs):
    place = {name: number for number, name in enumerate(needs)}
    assert order(needs) == tuple(nx.lexicographical_topological_sort(_graph(needs), key=place.__getitem__))


@given(graphs())
def test_the_waves_are_networkx_s_generations(needs: Needs):
    found = waves(needs, order(needs))
    assert [set(wave) for wave in found] == [set(wave) for wave in nx.topological_generations(_graph(needs))]


@given(graphs(cyclic=True))
def test_a_cycle_is_found_exactly_where_networkx_finds_one_and_each_step_of_it_is_a_need(needs: Needs):
    if nx.is_directed_acyclic_graph(_graph(needs)):
        assert sorted(order(needs)) == sorted(needs)
        return
    with pytest.raises(Cycle) as caught:
        order(needs)
    path = caught.value.path
    assert path[0] == path[-1]
    assert len(set(path)) == len(path) - 1
    assert all(need in needs[name] for name, need in itertools.pairwise(path))
    assert path[0] == min(path, key=list(needs).index)
