"""The pass that puts every phase after all it needs, and tells of the needs that allow no order."""

from collections.abc import Mapping
from itertools import pairwise

from autopack.plan.draft import Draft, DraftPhase
from autopack.plan.graph import Cycle, Edge, cycles, smallest_cut
from autopack.plan.graph import order as ordered
from autopack.problem import Label, Problem, problem
from autopack.spec.at import At
from autopack.spec.model import Spec
from autopack.spec.record import replace


def order(draft: Draft) -> Draft:
    """Every phase after all it needs; every cycle is a finding with each of its edges."""
    by_id = {phase.spec.id: phase for phase in draft.phases}
    needs = {name: phase.needs for name, phase in by_id.items()}
    try:
        ids = ordered(needs)
    except Cycle:
        written: dict[tuple[At, ...], tuple[str, ...]] = {}
        for path in cycles(needs):  # of a fan-out once: its branches share what is written
            written.setdefault(tuple(by_id[who].spec.need_at(need) for who, need in pairwise(path)), path)
        paths = list(written.values())
        cut = smallest_cut(paths)
        return draft.found(*(_cycle(draft.spec, by_id, path, cut, len(paths)) for path in paths))
    return replace(draft, phases=tuple(by_id[name] for name in ids))


def _cycle(
    spec: Spec, by_id: Mapping[str, DraftPhase], path: tuple[str, ...], cut: tuple[Edge, ...], count: int
) -> Problem:
    """The whole cycle, with every edge where it is written."""
    edges = []
    for who, need in pairwise(path):
        phase = by_id[who].spec
        edges.append(Label(spec.span(phase.need_at(need)), f"{who} needs {need}"))
    words = "phases need each other in a circle: " + " -> ".join(path)
    advice = "remove one of these needs"
    if count > 1:
        fewest = " and ".join(f"{who} needs {need}" for who, need in cut)
        advice += f"; the fewest that break all {count} circles: {fewest}"
    return problem("AP4001", words, edges[0].span, tuple(edges[1:]), help=advice)
