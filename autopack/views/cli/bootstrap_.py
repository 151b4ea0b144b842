"""autopack bootstrap"""

import json
import os
import re
from decimal import Decimal, InvalidOperation
from pathlib import Path

import click

from autopack.problem.report import render
from autopack.runners.cassette import Cassette, Recording
from autopack.runners.model import LiteLLM, ModelClient
from autopack.views import bootstrap
from autopack.views.bootstrap import Bootstrapped, NotBootstrapped, Wanted
from autopack.views.cached import today
from autopack.views.compiled import PROJECT_FILE, project_root
from autopack.views.exits import BUDGET, ENVIRONMENT, FINDINGS, USAGE

CODES = {"usage": USAGE, "findings": FINDINGS, "budget": BUDGET, "environment": ENVIRONMENT}
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


@click.command("bootstrap")
@click.argument("description", type=click.Path(dir_okay=False))
@click.option("--name", help="Name of the playbook and its folder of documents. Default: the description's file name.")
@click.option("--model", help="A model of the catalogue. Default: its first Builder for high complexity.")
@click.option("--attempts", type=click.IntRange(1, 10), default=3, show_default=True, help="How often to ask.")
@click.option("--cost-usd-max", default="2.00", show_default=True, help="No call is sent that could pass this.")
@click.option("--update", is_flag=True, help="Bring documents and playbook of an earlier bootstrap up to date.")
@click.option("--record", type=click.Path(dir_okay=False), help="Keep every model reply in this cassette.")
@click.option("--replay", type=click.Path(exists=True, dir_okay=False), help="Answer from this cassette.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written and spent as JSON.")
def command(
    *,
    description: str,
    name: str | None,
    model: str | None,
    attempts: int,
    cost_usd_max: str,
    update: bool,
    record: str | None,
    replay: str | None,
    as_json: bool,
) -> int:
    """Turn DESCRIPTION (a Markdown file) into documents and a playbook that validates, without asking anything.

    Writes docs/NAME/{spec,architecture,context,reference_repos,comprehensive_plan}.md and playbooks/NAME.yaml.
    """
    try:
        called = _named(name or bootstrap.name_of(Path(description)))
        root, most = _root(), _money(cost_usd_max)
        wanted = Wanted(root, Path(description), called, model, attempts, most, update, today())
        found = bootstrap.run(wanted, _client(record, replay), lambda line: click.echo(line, err=True))
    except NotBootstrapped as error:
        click.echo(f"autopack bootstrap: {error}", err=True)
        return CODES[error.reason]
    click.echo(_json(found) if as_json else _text(found, root))
    return 0


def _named(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise NotBootstrapped("usage", f"{name!r} can't name a playbook; use letters, digits, - and _")
    return name


def _root() -> Path:
    root = project_root(Path.cwd())
    if not (root / PROJECT_FILE).is_file():
        raise NotBootstrapped("usage", f"no {PROJECT_FILE} here; write one with `autopack init`")
    return root


def _money(text: str) -> Decimal:
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount <= 0:
        raise NotBootstrapped("usage", f"--cost-usd-max {text}: write an amount in USD, as in 2.00")
    return amount


def _client(record: str | None, replay: str | None) -> ModelClient:
    client: ModelClient = Cassette(Path(replay)) if replay else LiteLLM()
    return Recording(client, Path(record)) if record else client


def _json(found: Bootstrapped) -> str:
    spent = found.spent
    told = {
        "files": list(found.files),
        "model": found.model,
        "model_calls": spent.calls,
        "tokens_used": spent.tokens,
        "cost_usd": f"{spent.cost_usd:f}",
        "findings": [f"{problem.code}: {problem.message}" for problem in found.problems],
    }
    return json.dumps(told, indent=2)


def _text(found: Bootstrapped, root: Path) -> str:
    playbook, sources = list(found.files)[-1], dict(found.files)
    lines = [f"wrote   {path}" for path in found.files]
    if found.problems:
        lines.append(render(list(found.problems), sources, "concise", False, len(sources)).rstrip())
    spent = found.spent
    calls = "1 call" if spent.calls == 1 else f"{spent.calls} calls"
    lines.append(f"{calls} of {found.model}, {spent.tokens:,} tokens, ${spent.cost_usd:,.4f}")
    where = os.path.relpath(root / playbook)
    lines.append(f"next: read them, then autopack plan {where}")
    return "\n".join(lines)
