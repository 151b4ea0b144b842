"""autopack ls"""

import json
from decimal import Decimal

import click

from autopack.plan import canonical
from autopack.plan.calibration import Calibration
from autopack.plan.estimate import basis, expected
from autopack.plan.facets import models_of
from autopack.plan.model import Plan, PlanPhase
from autopack.plan.shape import Shape, shape
from autopack.spec.nearest import did_you_mean
from autopack.views import terminal, text
from autopack.views.cli import selecting
from autopack.views.compiled import Unusable, compiled, given_inputs
from autopack.views.exits import USAGE
from autopack.views.table import table

COLUMNS = {
    "phase": "its id",
    "tier": "its tier",
    "wave": "from 1: what could run side by side",
    "name": "what it is called",
    "category": "what it does",
    "risk": "its complexity, with ! where the risk is high",
    "tags": "its tags",
    "needs": "what it needs, without what follows from other needs",
    "write": "what it may change",
    "ci": "its CI profile",
    "models": "who may be asked",
    "attempts": "how often the Builder may try",
    "expected": "USD it is likely to cost",
    "worst": "USD it costs at most",
    "minutes": "how long it takes at most",
    "slack": "minutes by which it may be late at no cost; 0 on the critical path",
    "why": "why this model",
}
SHOWN = ("phase", "tier", "wave", "category", "risk", "tags")
NUMBERS = frozenset({"wave", "attempts", "expected", "worst", "minutes", "slack"})


@click.command("ls")
@click.argument("playbook")
@selecting.options
@click.option("--columns", metavar="A,B", help=f"Which columns, of {', '.join(COLUMNS)}. One alone has no heading.")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="Set a declared input.")
@click.option("--env", metavar="NAME", help="Take this environment of the project.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, every column included.")
def command(
    *,
    playbook: str,
    select: tuple[str, ...],
    exclude: tuple[str, ...],
    state: str | None,
    columns: str | None,
    inputs: tuple[str, ...],
    env: str | None,
    as_json: bool,
) -> int:
    """List the phases of PLAYBOOK (or of a frozen plan.json), or those that are selected.

    In --select a space means one or the other, a comma both. `+x` adds what x needs, `x+` what needs x, `2+x` two steps
    of it, `@x` what needs x with all of its needs. Words: an id or a pattern of ids, tag:, tier:, category:,
    complexity:, risk:high, ci:, model:, path:src/** (may write there), selector: (named in autopack.yaml), and with
    --state also state:new, state:modified[.FACET], state:unmodified.
    """
    try:
        wanted = _columns(columns)
        given = given_inputs(inputs)
        found = compiled(playbook, given, None, env, quiet=True)
        ids = selecting.chosen(found, select, exclude, selecting.earlier(state, playbook, found, given, env))
    except Unusable as error:
        if str(error):
            click.echo(f"autopack ls: {error}", err=True)
        return error.code
    known = shape(found.plan)
    rows = [_row(found.plan, found.plan.phase(name), known, found.calibration) for name in ids]
    if as_json:
        click.echo(
            json.dumps(
                {"format_version": 1, "expected_from": basis(found.plan, found.calibration), "phases": rows},
                indent=2,
                ensure_ascii=False,
            )
        )
    elif len(wanted) == 1:
        click.echo("\n".join(_word(wanted[0], row[wanted[0]]) for row in rows))
    else:
        right = frozenset(number for number, name in enumerate(wanted) if name in NUMBERS)
        cells = ([_word(name, row[name]) for name in wanted] for row in rows)
        click.echo(table(wanted, cells, right, terminal.columns()))
    return 0


def _columns(asked: str | None) -> tuple[str, ...]:
    """Raises Unusable."""
    found = tuple(name.strip() for name in (asked or ",".join(SHOWN)).split(","))
    for name in found:
        if name not in COLUMNS:
            advice = did_you_mean(name, COLUMNS) or f"there are {', '.join(COLUMNS)}"
            raise Unusable(USAGE, f"--columns: there is no column {name!r}; {advice}")
    return found


def _row(plan: Plan, phase: PlanPhase, known: Shape, calibration: Calibration | None) -> dict[str, object]:
    """What JSON shows; money as text, as everywhere."""
    name = phase.phase_id
    return {
        "phase": name,
        "tier": phase.tier_id,
        "wave": known.wave_of[name],
        "name": phase.name,
        "category": phase.category,
        "risk": f"{phase.complexity}{'!' if phase.high_risk else ''}",
        "tags": list(phase.tags),
        "needs": list(known.edges[name]),
        "write": list(phase.write),
        "ci": phase.ci,
        "models": sorted(models_of(phase)),
        "attempts": len(phase.attempts),
        "expected": canonical.plain(expected(plan, phase, calibration)),
        "worst": canonical.plain(phase.worst.cost_usd),
        "minutes": round(float(known.weights[name]), 1),
        "slack": round(float(known.slack[name]), 1),
        "why": phase.why,
    }


def _word(name: str, value: object) -> str:
    if isinstance(value, list):
        return " ".join(value) or "-"
    return text.money(Decimal(str(value))) if name in {"expected", "worst"} else str(value)
