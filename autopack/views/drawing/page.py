"""The graph as one page: the picture with pan, zoom, search, costs and details; nothing is asked of any other place."""

import html
from functools import cache
from importlib import resources
from typing import Any

from autopack.plan import canonical
from autopack.plan.model import digest
from autopack.views.drawing.content import SIGNS, Content, Node
from autopack.views.drawing.layout import Layout
from autopack.views.drawing.svg import hue, spoken, svg
from autopack.views.drawing.written import facts
from autopack.views.text import money


def page(drawn: Content, placed: Layout) -> str:
    plan = drawn.plan
    parts = {
        "title": html.escape(f"{plan.playbook}: plan"),
        "heading": html.escape(plan.playbook),
        "summary": html.escape(_summary(drawn)),
        "signs": " ".join(f"<span>{sign} {risk}</span>" for risk, sign in SIGNS.items()),
        "picture": svg(drawn, placed, legend=False),
        "data": _data(drawn, placed),
    }
    text = _template()
    for name, part in parts.items():
        text = text.replace(f"<!--{name}-->", part, 1)
    return text


@cache
def _template() -> str:
    return resources.files("autopack.views.drawing").joinpath("page.html").read_text(encoding="utf-8")


def _summary(drawn: Content) -> str:
    plan = drawn.plan
    runs = f", executed as {len(plan.runs):,} runs" if plan.runs else ""
    return (
        f"{len(plan.phases):,} phases, {len(drawn.bands):,} tiers, {len(drawn.shape.waves):,} waves{runs}. "
        f"At most {money(plan.worst.cost_usd)}, {plan.worst.tokens:,} tokens and {drawn.shape.length:,.0f} minutes."
    )


def _data(drawn: Content, placed: Layout) -> str:
    """For a script element: no `<` in it, so that no text of a playbook can end it."""
    found = {
        "sha256": digest(drawn.plan),
        "rows": placed.rows,
        "basis": drawn.basis,
        "critical": drawn.shape.critical,
        "phases": {node.id: _phase(drawn, node) for node in drawn.nodes()},
    }
    return canonical.text(found).replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


def _phase(drawn: Content, node: Node) -> dict[str, Any]:
    phase = node.phase
    return facts(node) | {
        "said": spoken(node),
        "hue": hue(phase.category),
        "worst_said": money(phase.worst.cost_usd),
        "expected_said": money(node.expected),
        "goal": phase.goal,
        "write": phase.write,
        "read": phase.read,
        "acceptance": phase.acceptance,
        "probes": [" ".join(argv) for argv in phase.probes],
        "ladder": [f"{attempt.ask.model}, {attempt.edit_format} ({attempt.step})" for attempt in phase.attempts],
        "auditor": phase.audit.model if phase.audited else None,
        "why": phase.why,
        "needed_by": [name for name in drawn.plan.dependents[node.id] if node.id in drawn.shape.edges[name]],
    }
