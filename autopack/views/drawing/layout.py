"""Where everything goes: bands below each other, in each band the phases in rows of what could run side by side.

A row that is too long is broken, so that a hundred phases side by side stay readable; the order in a row follows the
neighbours above and below, which keeps edges short. Where an edge is longer than a row, all rows share one grid, so
that there are straight lanes between the columns, in which it passes every row without touching a phase.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from autopack.views.drawing.content import Band, Content, Node

WIDTH, HEIGHT = 216, 70
GAP_X, GAP_Y, GAP_BAND, GAP_COLUMN = 24, 40, 36, 60
MARGIN, HEADING, PADDING = 24, 34, 18
SWEEPS = 4
ASPECT = 1.5


@dataclass(frozen=True, slots=True)
class Box:
    x: float
    y: float
    width: float
    height: float

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


@dataclass(frozen=True, slots=True)
class Layout:
    """`rows` holds the ids of each row from top to bottom, for moving about with the arrow keys.

    `lanes` are the free lines between the columns of phases, from the left edge of a band.
    """

    width: float
    height: float
    nodes: Mapping[str, Box]
    bands: Mapping[str, Box]
    rows: tuple[tuple[str, ...], ...]
    lanes: tuple[float, ...]


def layout(drawn: Content) -> Layout:
    most = _columns(drawn)
    banded = [(band, _rows(band, most)) for band in drawn.bands]
    widest = max((len(row) for _, rows in banded for row in rows), default=1)
    inner = widest * (WIDTH + GAP_X) - GAP_X
    pitch = inner + 2 * PADDING + GAP_COLUMN
    heights = [HEADING + len(rows) * (HEIGHT + GAP_Y) - GAP_Y + PADDING for _, rows in banded]
    places = list(_stacked(heights, pitch))
    gridded = _gridded(drawn, banded)
    nodes: dict[str, Box] = {}
    bands: dict[str, Box] = {}
    for (band, rows), height, (column, y) in zip(banded, heights, places, strict=True):
        left = MARGIN + column * pitch
        bands[band.tier_id] = Box(left, y, inner + 2 * PADDING, height)
        for number, row in enumerate(rows):
            top = y + HEADING + number * (HEIGHT + GAP_Y)
            first = (widest - len(row)) // 2 if band.tier_id in gridded else (widest - len(row)) / 2
            for cell, name in enumerate(row):
                nodes[name] = Box(left + PADDING + (first + cell) * (WIDTH + GAP_X), top, WIDTH, HEIGHT)
    columns = max((column for column, _ in places), default=0) + 1
    bottom = max((box.y + box.height for box in bands.values()), default=float(MARGIN)) + MARGIN
    width = columns * pitch - GAP_COLUMN + 2 * MARGIN
    lanes = tuple(PADDING + cell * (WIDTH + GAP_X) - GAP_X / 2 for cell in range(widest + 1))
    return Layout(width, bottom, nodes, bands, tuple(row for _, rows in banded for row in rows), lanes)


def _gridded(drawn: Content, banded: Sequence[tuple[Band, list[tuple[str, ...]]]]) -> set[str]:
    """The tiers that an edge has to pass in a lane; the rows of others are centred, which looks better."""
    row_of = {name: (band.tier_id, number) for band, rows in banded for number, row in enumerate(rows) for name in row}
    found: set[str] = set()
    for edge in drawn.edges:
        (tier, start), (other, end) = row_of[edge.start], row_of[edge.end]
        if tier != other:
            return {band.tier_id for band, _ in banded}
        if end - start != 1:
            found.add(tier)
    return found


def _stacked(heights: Sequence[float], pitch: float) -> Iterator[tuple[int, float]]:
    """Column and top of each band: below each other, and beside each other where that would be a mere thread."""
    whole = sum(heights) + len(heights) * GAP_BAND
    columns = max(1, int(math.sqrt(ASPECT * whole / pitch)))
    column, y = 0, float(MARGIN)
    for height in heights:
        if column < columns - 1 and y > MARGIN and y + height / 2 > MARGIN + whole / columns:
            column, y = column + 1, float(MARGIN)
        yield column, y
        y += height + GAP_BAND


def _columns(drawn: Content) -> int:
    """How long a row may be: wide pictures of large plans, narrow ones of small plans."""
    largest = max((len(band.nodes) for band in drawn.bands), default=1)
    return max(4, min(10, math.ceil(math.sqrt(largest) * 1.4)))


def _rows(band: Band, most: int) -> list[tuple[str, ...]]:
    members = {node.id for node in band.nodes}
    inside = {node.id: [need for need in node.needs if need in members] for node in band.nodes}
    layers = _layers(band.nodes, inside)
    ordered = _untangled(layers, inside)
    return [part for layer in ordered for part in _broken(layer, most)]


def _layers(nodes: Iterable[Node], inside: Mapping[str, Sequence[str]]) -> list[list[str]]:
    depth: dict[str, int] = {}
    for node in nodes:
        depth[node.id] = 1 + max((depth[need] for need in inside[node.id] if need in depth), default=-1)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=-1) + 1)]
    for name, at in depth.items():
        layers[at].append(name)
    return layers


def _untangled(layers: list[list[str]], inside: Mapping[str, Sequence[str]]) -> list[list[str]]:
    """By the mean place of the neighbours, down and up again; ties keep the order of the plan."""
    below: dict[str, list[str]] = {name: [] for name in inside}
    for name, needs in inside.items():
        for need in needs:
            below[need].append(name)
    found = [list(layer) for layer in layers]
    for sweep in range(SWEEPS if len(layers) > 1 else 0):
        neighbours: Mapping[str, Sequence[str]] = below if sweep % 2 else inside
        place = _places(found)
        for layer in reversed(found) if sweep % 2 else found:
            keys = {name: _mean([place[other] for other in neighbours[name]], place[name]) for name in layer}
            layer.sort(key=keys.__getitem__)
            place.update(_places([layer]))
    return found


def _places(layers: Sequence[Sequence[str]]) -> dict[str, float]:
    """From 0 to 1 within each layer, so that layers of different length compare."""
    return {name: (number + 0.5) / len(layer) for layer in layers for number, name in enumerate(layer)}


def _mean(places: Sequence[float], otherwise: float) -> float:
    return sum(places) / len(places) if places else otherwise


def _broken(layer: Sequence[str], most: int) -> list[tuple[str, ...]]:
    """Parts of equal length, none longer than `most`."""
    parts = math.ceil(len(layer) / most)
    size = math.ceil(len(layer) / parts)
    return [tuple(layer[at : at + size]) for at in range(0, len(layer), size)]
