"""The graph as one SVG, drawn by ourselves: no font, script or file from elsewhere, light or dark as the reader is.

Nothing is said by colour alone: risk has a sign, categories their name, the critical path its width and its marks.
"""

import hashlib
from collections.abc import Iterator
from xml.sax import saxutils

from autopack.plan.worst import total
from autopack.problem.report import escape as spelled
from autopack.views.drawing.content import SIGNS, Band, Content, Edge, Node
from autopack.views.drawing.layout import GAP_BAND, GAP_Y, Box, Layout
from autopack.views.text import money

CHAR = 7.3
"""Pixels of a character at 13 pixels; text is cut by this, because no font can be asked."""

STYLE = """
.g{--paper:#ffffff;--ink:#1f2328;--soft:#59636e;--line:#8c959f;--card:#ffffff;--edge:#d1d9e0;--band:#f6f8fa;--hot:#b3261e}
@media (prefers-color-scheme:dark){.g{--paper:#0d1117;--ink:#e6edf3;--soft:#9198a1;--line:#6e7681;--card:#161b22;
--edge:#3d444d;--band:#10151c;--hot:#ff8d7e}}
.g text{font-family:ui-sans-serif,system-ui,-apple-system,"Segoe UI",Helvetica,Arial,sans-serif;fill:var(--ink)}
.g .soft{fill:var(--soft);font-size:11.5px}.g .id,.g .tier{font-size:13px;font-weight:600}
.g .paper{fill:var(--paper)}.g .band{fill:var(--band);stroke:var(--edge)}.g .card{fill:var(--card);stroke:var(--edge)}
.g .wire{fill:none;stroke:var(--line);stroke-width:1.4}.g .tip{fill:var(--line)}.g .hottip{fill:var(--hot)}
.g .wire.hot{stroke:var(--hot);stroke-width:3}.g .node.hot .card{stroke:var(--hot);stroke-width:2.5}
.g .wait{stroke:var(--line);stroke-width:5;fill:none;stroke-linecap:round}.g .mark{fill:var(--hot);font-size:13px}
""".replace("\n", "")


def svg(drawn: Content, placed: Layout, *, legend: bool = True) -> str:
    """The whole picture; `legend` off for a page that has one of its own."""
    height = placed.height + (LEGEND if legend else 0)
    plan = drawn.plan
    label = f"{plan.playbook}: {len(plan.phases)} phases in {len(drawn.bands)} tiers"
    wide, high = f"{placed.width:g}", f"{height:g}"
    size = f'viewBox="0 0 {wide} {high}" width="{wide}" height="{high}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" class="g" {size} role="img" aria-label={quoteattr(label)}>',
        f"<title>{escape(label)}</title><style>{STYLE}</style>",
        f'<rect class="paper" width="{placed.width:g}" height="{height:g}"/>',
        DEFS,
        '<g id="scene">',
        *_bands(drawn, placed),
        *_wires(drawn, placed),
        *(_node(node, placed.nodes[node.id]) for node in drawn.nodes()),
        "</g>",
        *(_legend(drawn, placed) if legend else ()),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def hue(category: str) -> int:
    """The same for a category in every plan."""
    return int(hashlib.sha256(category.encode()).hexdigest()[:4], 16) % 360


LEGEND = 44
DEFS = (
    '<defs><marker id="tip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto" '
    'markerUnits="userSpaceOnUse"><path class="tip" d="M0 0 8 4 0 8z"/></marker>'
    '<marker id="hottip" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="11" markerHeight="11" orient="auto" '
    'markerUnits="userSpaceOnUse"><path class="hottip" d="M0 0 8 4 0 8z"/></marker></defs>'
)


def _bands(drawn: Content, placed: Layout) -> Iterator[str]:
    for band in drawn.bands:
        box = placed.bands[band.tier_id]
        title = band.tier_id if band.name == band.tier_id else f"{band.tier_id}  {band.name}"
        worst = total([node.phase.worst for node in band.nodes]).cost_usd
        waits = _waits(band, placed)
        said = f"{_count(len(band.nodes), 'phase')}, at most {money(worst)}{waits}"
        right = ' text-anchor="end"'
        yield (
            f'<rect class="band" x="{box.x:g}" y="{box.y:g}" width="{box.width:g}" height="{box.height:g}" rx="10"/>'
            f"{_text('tier', box.x + 16, box.y + 21, _cut(title, box.width - 60 - 6.2 * len(said), 7.6))}"
            f"{_text('soft', box.x + box.width - 16, box.y + 21, said, right)}"
        )
        for other in band.waits_for:
            above = placed.bands[other]
            if _right_above(above, box):
                start, end = above.y + above.height, box.y
                yield f'<path class="wait" d="M{box.middle:g} {start + 4:g}V{end - 13:g}"/>{_head(box.middle, end)}'


def _right_above(above: Box, box: Box) -> bool:
    return above.x == box.x and 0 < box.y - above.y - above.height <= GAP_BAND


def _head(x: float, y: float) -> str:
    return f'<path class="tip" d="M{x - 11:g} {y - 15:g}H{x + 11:g}L{x:g} {y - 2:g}z"/>'


def _waits(band: Band, placed: Layout) -> str:
    """What an arrow from the band above does not already say."""
    if not band.waits_for:
        return ", waits for no tier" if len(placed.bands) > 1 and band.tier_id != next(iter(placed.bands)) else ""
    box = placed.bands[band.tier_id]
    others = [other for other in band.waits_for if not _right_above(placed.bands[other], box)]
    return f", after {', '.join(others[:4])}{'...' if len(others) > 4 else ''}" if others else ""


def _wires(drawn: Content, placed: Layout) -> Iterator[str]:
    """The critical ones last, so that they lie on top."""
    taken: dict[float, int] = {}
    for edge in sorted(drawn.edges, key=lambda edge: edge.critical):
        start, end = placed.nodes[edge.start], placed.nodes[edge.end]
        x1, y1, x2, y2 = start.middle, start.y + start.height, end.middle, end.y - 1
        if 0 < y2 - y1 <= GAP_Y:
            yield _wire(edge, f"M{x1:g} {y1:g}{_bend(x1, y1, x2, y2)}")
            continue
        left = placed.bands[drawn.plan.phase(edge.start).tier_id].x
        lane = min((left + x for x in placed.lanes), key=lambda x: abs(x - x1) + abs(x - x2))
        taken[lane] = taken.get(lane, -1) + 1
        x = lane + (-2, 2, -6, 6)[taken[lane] % 4]
        low, high = (y1 + GAP_Y, y2 - GAP_Y) if y2 > y1 else (y1 + GAP_Y / 2, y2 - GAP_Y / 2)
        yield _wire(edge, f"M{x1:g} {y1:g}{_bend(x1, y1, x, low)}V{high:g}{_bend(x, high, x2, y2)}")


def _bend(x1: float, y1: float, x2: float, y2: float) -> str:
    middle = (y1 + y2) / 2
    return f"C{x1:g} {middle:g} {x2:g} {middle:g} {x2:g} {y2:g}"


def _wire(edge: Edge, path: str) -> str:
    hot = edge.critical
    return (
        f'<path class="wire{" hot" if hot else ""}" data-from={quoteattr(edge.start)} data-to={quoteattr(edge.end)} '
        f'd="{path}" marker-end="url(#{"hottip" if hot else "tip"})"/>'
    )


def escape(words: str) -> str:
    """For XML, which has no place for control characters: those are spelled out."""
    return saxutils.escape(spelled(words))


def quoteattr(words: str) -> str:
    return saxutils.quoteattr(spelled(words))


def _node(node: Node, box: Box) -> str:
    phase, x, y = node.phase, box.x, box.y
    name, said, hot = quoteattr(node.id), spoken(node), " hot" if node.critical else ""
    price = f"{money(phase.worst.cost_usd)} worst, {money(node.expected)} expected"
    star = f'<text class="mark" x="{x + box.width - 21:g}" y="{y + 21:g}">★</text>' if hot else ""
    stripe = f'x="{x + 4:g}" y="{y + 8:g}" width="4" height="{box.height - 16:g}" rx="2"'
    return (
        f'<g class="node{hot}" data-id={name} aria-label={quoteattr(said)}><title>{escape(said)}</title>'
        f'<rect class="card" x="{x:g}" y="{y:g}" width="{box.width:g}" height="{box.height:g}" rx="7"/>'
        f'<rect {stripe} fill="hsl({hue(phase.category)} 55% 52%)"/>'
        f"{_text('id', x + 16, y + 21, f'{node.sign} {_cut(node.id, box.width - 60, 8)}')}{star}"
        f"{_text('soft', x + 16, y + 40, _cut(f'{phase.category}, {phase.ci}', box.width - 24, 6.2))}"
        f"{_text('soft', x + 16, y + 58, _cut(price, box.width - 24, 6.2))}</g>"
    )


def _text(style: str, x: float, y: float, words: str, more: str = "") -> str:
    return f'<text class="{style}"{more} x="{x:g}" y="{y:g}">{escape(words)}</text>'


def spoken(node: Node) -> str:
    """A phase in one sentence, for a pointer that rests on it and for those who listen."""
    phase = node.phase
    name = "" if phase.name == node.id else f" ({phase.name})"
    path = ", on the critical path" if node.critical else ""
    risk = node.risk if node.risk == "high risk" else f"{node.risk} complexity"
    needs = f", needs {', '.join(node.needs[:6])}" if node.needs else ""
    return (
        f"{node.id}{name}: {phase.category}, {risk}, {' then '.join(node.models)}, {phase.ci} CI, "
        f"at most {money(phase.worst.cost_usd)}{path}{needs}"
    )


def _legend(drawn: Content, placed: Layout) -> Iterator[str]:
    """In two lines: a picture of one column is narrow."""
    y, x = placed.height + 6, 24.0
    for risk, sign in SIGNS.items():
        word = f"{sign} {risk if risk == 'high risk' else risk + ' complexity'}"
        yield _text("soft", x, y, word)
        x += len(word) * 6.3 + 12
    yield _text("soft", 24, y + 20, f"★ critical path, {drawn.shape.length:,.0f} minutes at most")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


def _cut(words: str, pixels: float, char: float = CHAR) -> str:
    most = max(4, int(pixels / char))
    return words if len(words) <= most else words[: most - 1] + "…"
