"""Needs to order: who comes after whom, in waves, and what forms a cycle.

The hot path is plain Python over integers; networkx is for the views that ask for a graph, and is not needed here.
"""

import heapq
from collections.abc import Mapping, Sequence
from itertools import combinations, islice, pairwise

from autopack.problem.typed import Any


class Cycle(Exception):
    """Needs that bite their own tail; `.path` starts and ends at the one written first: ("a", "c", "a")."""

    def __init__(self, path: tuple[str, ...]) -> None:
        super().__init__(" -> ".join(path))
        self.path = path


Needs = Mapping[str, Sequence[str]]
Edge = tuple[str, str]
"""Who needs, and what."""

CYCLES_MAX = 50


def cycles(needs: Needs) -> list[tuple[str, ...]]:
    """Every cycle, the shortest first, each from the id written first and back to it; of very many, some."""
    import networkx as nx  # noqa: PLC0415 - for what went wrong only

    graph: Any = nx.DiGraph([(name, need) for name, all_of in needs.items() for need in all_of if need in needs])
    place = {name: number for number, name in enumerate(needs)}
    found = []
    for loop in islice(nx.simple_cycles(graph), CYCLES_MAX):
        turn = loop.index(min(loop, key=place.__getitem__))
        found.append((*loop[turn:], *loop[:turn], loop[turn]))
    return sorted(found, key=lambda path: (len(path), [place[name] for name in path]))


def smallest_cut(paths: Sequence[tuple[str, ...]]) -> tuple[Edge, ...]:
    """The fewest needs without which none of these cycles is left; of many cycles nearly the fewest."""
    loops = [set(pairwise(path)) for path in paths]
    edges = sorted({edge for loop in loops for edge in loop})
    for size in range(1, CUT_MAX + 1):
        for chosen in combinations(edges, size):
            if all(loop & set(chosen) for loop in loops):
                return chosen
    cut: list[Edge] = []
    while loops:  # each time the need that is in most of what is left
        best = max(edges, key=lambda edge: sum(edge in loop for loop in loops))
        cut.append(best)
        loops = [loop for loop in loops if best not in loop]
    return tuple(cut)


CUT_MAX = 2
"""Up to so many needs every choice is tried."""


def order(needs: Needs) -> tuple[str, ...]:
    """Every id after all it needs; ties keep the order of the mapping.

    Kahn's algorithm with a stable queue, so that equal playbooks give equal digests. Raises Cycle.
    """
    names = list(needs)
    place = {name: number for number, name in enumerate(names)}
    open_needs = [len(set(needs[name])) for name in names]
    dependents: list[list[int]] = [[] for _ in names]
    for number, name in enumerate(names):
        for need in set(needs[name]):
            dependents[place[need]].append(number)
    ready = [number for number, count in enumerate(open_needs) if not count]
    found: list[str] = []
    while ready:
        number = heapq.heappop(ready)
        found.append(names[number])
        for dependent in dependents[number]:
            open_needs[dependent] -= 1
            if not open_needs[dependent]:
                heapq.heappush(ready, dependent)
    if len(found) < len(names):
        raise Cycle(_cycle(needs, set(found)))
    return tuple(found)


def waves(needs: Needs, ordered: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    """What could run side by side: each wave needs only earlier ones."""
    depth: dict[str, int] = {}
    found: list[list[str]] = []
    for name in ordered:
        depth[name] = 1 + max((depth[need] for need in needs[name]), default=-1)
        if depth[name] == len(found):
            found.append([])
        found[depth[name]].append(name)
    return tuple(tuple(wave) for wave in found)


def _cycle(needs: Needs, settled: set[str]) -> tuple[str, ...]:
    """One cycle among what could not be ordered, turned so that it starts at the id written first."""
    name = next(name for name in needs if name not in settled)
    seen: dict[str, int] = {}
    path: list[str] = []
    while name not in seen:
        seen[name] = len(path)
        path.append(name)
        name = next(need for need in needs[name] if need not in settled)
    loop = path[seen[name] :]
    members = set(loop)
    first = next(name for name in needs if name in members)
    turn = loop.index(first)
    return (*loop[turn:], *loop[:turn], first)
