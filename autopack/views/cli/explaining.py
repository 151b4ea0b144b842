"""`autopack explain PHASE.FIELD`: the whole chain of who said something, the winner first."""

import json
from pathlib import Path

import click

from autopack.spec.model import Spec
from autopack.spec.nearest import did_you_mean
from autopack.views import resolved, terminal
from autopack.views.cli.show_ import loaded, only_playbook, word
from autopack.views.compiled import Unusable, given_inputs
from autopack.views.exits import FINDINGS, USAGE
from autopack.views.table import paragraph, table


def field(named: str, playbook: str | None, inputs: tuple[str, ...], env: str | None, *, as_json: bool) -> int:
    try:
        spec = loaded(_existing(playbook, named) or only_playbook(None), given_inputs(inputs), env)
        if spec is None:
            return FINDINGS
        phase_id, name = _parted(spec, named)
    except Unusable as error:
        click.echo(f"autopack explain: {error}", err=True)
        return error.code
    said = resolved.chain(spec, phase_id, name)
    if as_json:
        document = {"format_version": 1, "phase": phase_id, "field": name, "value": said[0].value}
        chain = [{"value": each.value, "layer": each.layer, "origin": each.origin} for each in said]
        click.echo(json.dumps({**document, "chain": chain}, indent=2, ensure_ascii=False, default=str))
        return 0
    width = terminal.columns()
    click.echo(paragraph(f"{phase_id}.{name} = {word(said[0].value)}", width))
    rows = [
        ("decided by" if not number else "passed over", word(each.value), each.layer or "nobody", each.origin or "-")
        for number, each in enumerate(said)
    ]
    click.echo(table(("", "value", "layer", "origin"), rows, width=width))
    return 0


def _existing(playbook: str | None, named: str) -> str | None:
    if playbook is not None and not Path(playbook).is_file():
        raise Unusable(USAGE, f"there is no {playbook}; name a playbook behind {named}")
    return playbook


def _parted(spec: Spec, named: str) -> tuple[str, str]:
    """Ids may hold dots, and so may fields. Raises Unusable."""
    phases = {phase.phase_id: phase for phase in resolved.phases(spec)[0]}
    for phase_id in sorted((name for name in phases if named.startswith(f"{name}.")), key=len, reverse=True):
        name = named[len(phase_id) + 1 :]
        fields = [each.name for each in phases[phase_id].values]
        if name in fields:
            return phase_id, name
        advice = did_you_mean(name, fields) or f"there are {', '.join(fields)}"
        raise Unusable(USAGE, f"nothing decides {name!r} of {phase_id}; {advice}")
    wanted = named.partition(".")[0]
    raise Unusable(USAGE, f"no phase has the id {wanted!r}; {did_you_mean(wanted, phases) or ', '.join(phases)}")
