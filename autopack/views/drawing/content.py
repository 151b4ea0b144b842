"""What a drawing of a plan shows: phases, tiers as bands, and the edges that no other edge implies.

A tier that waits for another one as a whole is one arrow between bands: as edges between phases it would be many, and
say less.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from autopack.plan.calibration import Calibration
from autopack.plan.estimate import basis, expected
from autopack.plan.facets import models_of
from autopack.plan.model import Plan, PlanPhase
from autopack.plan.shape import Shape, shape

SIGNS = {"high risk": "▲", "high": "◆", "medium": "●", "low": "○"}
"""Risk, readable without any colour."""


@dataclass(frozen=True, slots=True)
class Node:
    """One phase. `risk` is a key of SIGNS; `slack` and `minutes` are worst minutes."""

    phase: PlanPhase
    risk: str
    models: tuple[str, ...]
    expected: Decimal
    minutes: Decimal
    slack: Decimal
    wave: int
    critical: bool
    needs: tuple[str, ...]

    @property
    def id(self) -> str:
        return self.phase.phase_id

    @property
    def sign(self) -> str:
        return SIGNS[self.risk]


@dataclass(frozen=True, slots=True)
class Band:
    """A tier; `waits_for` are the tiers all of whose phases come before all of its own."""

    tier_id: str
    name: str
    nodes: tuple[Node, ...]
    waits_for: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Edge:
    """Between phases; what a waiting tier implies is left out."""

    start: str
    end: str
    critical: bool


@dataclass(frozen=True, slots=True)
class Content:
    plan: Plan
    shape: Shape
    basis: str  # of what is expected, in words
    bands: tuple[Band, ...]
    edges: tuple[Edge, ...]

    def nodes(self) -> Iterator[Node]:
        return (node for band in self.bands for node in band.nodes)


def content(plan: Plan, calibration: Calibration | None = None) -> Content:
    known = shape(plan)
    critical = frozenset(known.critical)
    nodes = {phase.phase_id: _node(plan, phase, known, critical, calibration) for phase in plan.phases}
    members = {tier.tier_id: tuple(name for name in tier.phases if name in nodes) for tier in plan.tiers}
    waiting = {tier_id: _waits_for(plan, tier_id, members) for tier_id in members}
    bands = tuple(
        Band(tier.tier_id, tier.name, tuple(nodes[name] for name in members[tier.tier_id]), waiting[tier.tier_id])
        for tier in plan.tiers
        if members[tier.tier_id]
    )
    chain = set(zip(known.critical, known.critical[1:], strict=False))
    tier_of = {phase.phase_id: phase.tier_id for phase in plan.phases}
    edges = tuple(
        Edge(need, name, (need, name) in chain)
        for name, needs in known.edges.items()
        for need in needs
        if tier_of[need] not in waiting[tier_of[name]]
    )
    return Content(plan, known, basis(plan, calibration), bands, edges)


def _node(
    plan: Plan, phase: PlanPhase, known: Shape, critical: frozenset[str], calibration: Calibration | None
) -> Node:
    name = phase.phase_id
    return Node(
        phase=phase,
        risk="high risk" if phase.high_risk else phase.complexity,
        models=tuple(dict.fromkeys(attempt.ask.model for attempt in phase.attempts)) or tuple(models_of(phase)),
        expected=expected(plan, phase, calibration),
        minutes=known.weights[name],
        slack=known.slack[name],
        wave=known.wave_of[name],
        critical=name in critical,
        needs=known.edges[name],
    )


def _waits_for(plan: Plan, tier_id: str, members: dict[str, tuple[str, ...]]) -> tuple[str, ...]:
    """Of two tiers one of which waits for the other, the later one is enough."""
    common: set[str] | None = None
    for name in members[tier_id]:
        needs = set(plan.phase(name).needs)
        common = needs if common is None else common & needs
    if not common:
        return ()
    return tuple(other for other, names in members.items() if other != tier_id and names and common.issuperset(names))
