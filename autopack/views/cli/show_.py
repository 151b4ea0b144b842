"""autopack show"""

import json
import os
import sys
from pathlib import Path

import click

from autopack.problem.report import render
from autopack.spec.load import check, load
from autopack.spec.model import Spec
from autopack.views import cached, resolved, terminal
from autopack.views.compiled import Unusable, given_inputs, project_root
from autopack.views.exits import FINDINGS, USAGE
from autopack.views.table import paragraph, paragraphs, table


@click.command("show")
@click.argument("playbook", required=False)
@click.argument("phase_id", metavar="[PHASE]", required=False)
@click.option("--resolved", "values", is_flag=True, help="Every effective value, inherited ones included.")
@click.option("--origins", is_flag=True, help="Where each was decided: file:line:column and layer. Implies --resolved.")
@click.option("--prompt", is_flag=True, help="What Builder and Auditor are told of it.")
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="Set a declared input.")
@click.option("--env", metavar="NAME", help="Take this environment of the project.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document, values and origins included.")
def command(
    *,
    playbook: str | None,
    phase_id: str | None,
    values: bool,
    origins: bool,
    prompt: bool,
    inputs: tuple[str, ...],
    env: str | None,
    as_json: bool,
) -> int:
    """Show the phases of PLAYBOOK (only PHASE), what holds for each of them and who decided it.

    A project with a single playbook needs no PLAYBOOK.
    """
    if playbook is None or not Path(playbook).exists():
        playbook, phase_id = only_playbook(playbook), phase_id or playbook
    try:
        given = given_inputs(inputs)
    except Unusable as error:
        click.echo(f"autopack show: {error}", err=True)
        return error.code
    spec = loaded(playbook, given, env)
    if spec is None:
        return FINDINGS
    phases = resolved.phases(spec)[0]
    found = [phase for phase in phases if phase_id in (None, phase.phase_id)]
    if not found:
        click.echo(f"autopack show: no phase has the id {phase_id!r}; there are {_ids(phases)}", err=True)
        return USAGE
    if prompt:
        return _prompts(spec, [phase.phase_id for phase in found], as_json=as_json)
    if as_json:
        document = [{**phase._asdict(), "values": [value._asdict() for value in phase.values]} for phase in found]
        click.echo(json.dumps({"format_version": 1, "phases": document}, indent=2, ensure_ascii=False, default=str))
        return 0
    if phase_id is not None and not (values or origins):
        goal = paragraphs(found[0].goal.rstrip(), terminal.columns())
        click.echo(f"{found[0].phase_id} ({found[0].tier_id}) {found[0].origin}\n\n{goal}")
        return 0
    for number, phase in enumerate(found):
        if number and (values or origins):
            click.echo()
        _show(phase, values=values or origins, origins=origins)
    return 0


def only_playbook(named: str | None) -> str:
    """Raises UsageError where the project has several, or none."""
    root = project_root(Path.cwd())
    found = check(str(root)).documents
    playbooks = [path for path, document in found.items() if document.kind == "playbook"]
    if len(playbooks) != 1:
        there = f"there is no {named}; " if named else ""
        raise click.UsageError(f"{there}name one of the project's playbooks: {', '.join(playbooks) or 'it has none'}")
    return str(root / playbooks[0])


def loaded(playbook: str, inputs: dict[str, str], env: str | None) -> Spec | None:
    """None where there are errors, which are told."""
    where = Path(playbook).resolve()
    root = project_root(where.parent)
    relative = os.path.relpath(where, root).replace(os.sep, "/")
    spec, problems = load(str(root), relative, inputs, today=cached.today(), env=env)
    if spec is not None:
        problems = [*problems, *resolved.phases(spec)[1]]
    if any(found.severity == "error" for found in problems):
        paths = {span.path for found in problems if (span := found.span) is not None}
        texts = {path: (root / path).read_text("utf-8", "replace") for path in paths if (root / path).is_file()}
        print(render(problems, texts, "full", sys.stderr.isatty(), len(texts)), file=sys.stderr)
        return None
    return spec


def _prompts(spec: Spec, phase_ids: list[str], *, as_json: bool) -> int:
    from autopack.plan.compiler import compile as compile_spec  # noqa: PLC0415 - only prompts need a whole plan
    from autopack.views import plan_text  # noqa: PLC0415

    plan, _ = compile_spec(spec)
    if plan is None:
        click.echo("autopack show: this playbook has no plan; `autopack plan` says why", err=True)
        return FINDINGS
    if as_json:
        phases = [(name, plan.phase(name)) for name in phase_ids]
        told = [{"phase_id": name, "builder": p.builder_prompt, "auditor": p.auditor_prompt} for name, p in phases]
        click.echo(json.dumps({"format_version": 1, "prompts": told}, indent=2, ensure_ascii=False))
    else:
        click.echo("\n".join(plan_text.prompts(plan.phase(name)) for name in phase_ids), nl=False)
    return 0


def _show(phase: resolved.Phase, *, values: bool, origins: bool) -> None:
    click.echo(paragraph(f"{phase.phase_id} ({phase.tier_id}) {phase.origin}", terminal.columns()))
    if values:
        rows = [(f"  {each.name}", word(each.value), *_origin(each, origins=origins)) for each in phase.values]
        click.echo(
            table(("  field", "value", "layer", "origin")[: 4 if origins else 2], rows, width=terminal.columns())
        )


def _origin(each: resolved.Effective, *, origins: bool) -> tuple[str, ...]:
    return (each.layer or "-", each.origin or "-") if origins else ()


def word(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)


def _ids(phases: list[resolved.Phase]) -> str:
    return ", ".join(phase.phase_id for phase in phases)
