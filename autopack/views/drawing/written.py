"""The graph as text for other programs: Mermaid, Graphviz, JSON."""

import json
from collections.abc import Iterator
from typing import Any

from autopack.plan import canonical
from autopack.plan.model import digest
from autopack.views.drawing.content import Content, Node
from autopack.views.text import money


def mermaid(drawn: Content) -> str:
    """A flowchart that GitHub and GitLab draw in Markdown."""
    return "\n".join(_mermaid(drawn)) + "\n"


def dot(drawn: Content) -> str:
    return "\n".join(_dot(drawn)) + "\n"


def document(drawn: Content) -> str:
    """JSON: phases with wave, slack and costs, the edges worth drawing, and the critical path."""
    plan, known = drawn.plan, drawn.shape
    found = {
        "format_version": 1,
        "playbook": plan.playbook,
        "plan_sha256": digest(plan),
        "critical_path": known.critical,
        "minutes": round(float(known.length), 1),
        "expected_from": drawn.basis,
        "waves": known.waves,
        "tiers": [
            {"tier": b.tier_id, "name": b.name, "waits_for": b.waits_for, "phases": [n.id for n in b.nodes]}
            for b in drawn.bands
        ],
        "phases": [facts(node) for node in drawn.nodes()],
        "edges": [{"from": edge.start, "to": edge.end, "critical": edge.critical} for edge in drawn.edges],
    }
    return json.dumps(canonical.plain(found), indent=2, ensure_ascii=False) + "\n"


def facts(node: Node) -> dict[str, Any]:
    phase = node.phase
    return {
        "phase": node.id,
        "name": phase.name,
        "tier": phase.tier_id,
        "wave": node.wave,
        "category": phase.category,
        "complexity": phase.complexity,
        "high_risk": phase.high_risk,
        "ci": phase.ci,
        "models": node.models,
        "tags": phase.tags,
        "needs": node.needs,
        "expected_usd": node.expected,
        "worst_usd": phase.worst.cost_usd,
        "worst_tokens": phase.worst.tokens,
        "minutes": round(float(node.minutes), 1),
        "slack": round(float(node.slack), 1),
        "critical": node.critical,
    }


# --- Mermaid ---


def _mermaid(drawn: Content) -> Iterator[str]:
    names = {node.id: f"p{number}" for number, node in enumerate(drawn.nodes(), 1)}
    bands = {band.tier_id: f"t{number}" for number, band in enumerate(drawn.bands, 1)}
    yield "flowchart TB"
    for band in drawn.bands:
        yield f'  subgraph {bands[band.tier_id]}["{_quoted(_title(band.tier_id, band.name))}"]'
        for node in band.nodes:
            label = f"{node.sign} {node.id}<br/>{node.phase.category}<br/>{money(node.phase.worst.cost_usd)} worst"
            yield f'    {names[node.id]}["{_quoted(label)}"]'
        yield "  end"
    arrows = [(names[edge.start], names[edge.end], edge.critical) for edge in drawn.edges]
    yield from (f"  {start} {'==>' if critical else '-->'} {end}" for start, end, critical in arrows)
    yield from (f"  {bands[t]} ==> {bands[band.tier_id]}" for band in drawn.bands for t in band.waits_for if t in bands)
    yield "  classDef critical stroke-width:3px"
    yield "  classDef risky stroke-dasharray:6 3"
    critical = [names[node.id] for node in drawn.nodes() if node.critical]
    risky = [names[node.id] for node in drawn.nodes() if node.phase.high_risk]
    yield from (
        f"  class {','.join(found)} {style}" for found, style in ((critical, "critical"), (risky, "risky")) if found
    )


def _title(tier_id: str, name: str) -> str:
    return tier_id if name == tier_id else f"{tier_id}: {name}"


def _quoted(label: str) -> str:
    """Mermaid's own way to write what would end a label or begin a tag."""
    words = label.replace("#", "#35;").replace('"', "#quot;")
    return words.replace("<br/>", "\0").replace("<", "#lt;").replace(">", "#gt;").replace("\0", "<br/>")


# --- Graphviz ---


def _dot(drawn: Content) -> Iterator[str]:
    yield f"digraph {_word(drawn.plan.playbook)} {{"
    yield '  compound=true; node [shape=box, style=rounded, fontname="sans-serif"]; rankdir=TB;'
    for number, band in enumerate(drawn.bands):
        yield f"  subgraph cluster_{number} {{"
        yield f"    label={_word(_title(band.tier_id, band.name))};"
        for node in band.nodes:
            label = f"{node.sign} {node.id}\n{node.phase.category}\n{money(node.phase.worst.cost_usd)} worst"
            width = ", penwidth=3" if node.critical else ""
            yield f"    {_word(node.id)} [label={_word(label)}{width}];"
        yield "  }"
    for edge in drawn.edges:
        yield f"  {_word(edge.start)} -> {_word(edge.end)}{' [penwidth=3]' if edge.critical else ''};"
    place = {band.tier_id: number for number, band in enumerate(drawn.bands)}
    for number, band in enumerate(drawn.bands):
        for other in band.waits_for:
            before = drawn.bands[place[other]]
            ends = f"ltail=cluster_{place[other]}, lhead=cluster_{number}, penwidth=2"
            yield f"  {_word(before.nodes[-1].id)} -> {_word(band.nodes[0].id)} [{ends}];"
    yield "}"


def _word(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
