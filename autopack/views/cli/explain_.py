"""autopack explain"""

import json
import re
from collections.abc import Iterator
from textwrap import indent

import click

from autopack.problem.codes import CODES, LAYERS, layer
from autopack.problem.explained import File, explanation
from autopack.spec.nearest import did_you_mean
from autopack.views import terminal
from autopack.views.exits import USAGE
from autopack.views.table import paragraphs

_FIELD = r"[A-Za-z][A-Za-z0-9_.-]*\.[a-z_.]+"
_LINE_BREAK = re.compile(r"(?<!\n)\n(?![\n*|> -])")  # inside a paragraph, where a page has been wrapped
ESCAPES = r"\x00 is one byte, (text){3} the text three times"


@click.command("explain")
@click.argument("code", metavar="CODE|PHASE.FIELD")
@click.argument("playbook", required=False)
@click.option("--input", "inputs", multiple=True, metavar="NAME=VALUE", help="Set a declared input.")
@click.option("--env", metavar="NAME", help="Take this environment of the project.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")
def command(*, code: str, playbook: str | None, inputs: tuple[str, ...], env: str | None, as_json: bool) -> int:
    """Say what CODE (AP2003) means, why it matters and how to mend it; list the codes of a layer (AP2).

    Of a field of a phase (greet.ci) say who decided it, at which line, and who was passed over. A project with a single
    playbook needs no PLAYBOOK.
    """
    wanted = code.upper()
    if wanted in LAYERS:
        click.echo(json.dumps(_layer_as_json(wanted), indent=2) if as_json else "\n".join(_layer(wanted)))
    elif wanted in CODES:
        click.echo(json.dumps(_code_as_json(wanted), indent=2) if as_json else "\n".join(_code(wanted)))
    elif re.fullmatch(_FIELD, code):
        from autopack.views.cli.explaining import field  # noqa: PLC0415 - codes need no playbook

        return field(code, playbook, inputs, env, as_json=as_json)
    else:
        advice = did_you_mean(wanted, CODES) if len(wanted) > len("AP2") else None
        layers = ", ".join(f"{name} {about}" for name, about in LAYERS.items())
        click.echo(f"autopack explain: no finding has the code {code}; {advice or f'layers: {layers}'}", err=True)
        return USAGE
    return 0


def _layer(name: str) -> Iterator[str]:
    """A heading, and a line a code."""
    yield f"{name}: {LAYERS[name]}"
    for code in _codes_of(name):
        yield f"  {code}  {CODES[code].severity:<7}  {CODES[code].title}"
    if not _codes_of(name):
        yield "  no code so far"


def _codes_of(name: str) -> list[str]:
    return [code for code in CODES if code.startswith(name)]


def _code(code: str) -> Iterator[str]:
    (title, severity, why), page = CODES[code], explanation(code)
    width = terminal.columns()
    prose = (paragraphs(part if width is None else _LINE_BREAK.sub(" ", part), width) for part in (why, page.advice))
    yield "\n\n".join([f"{code}: {title} ({severity}, {layer(code)})", *prose])
    yield from (_example("Fails", file) for file in page.failing)
    yield from (_example("Fixed", file) for file in page.fixed)


def _example(heading: str, file: File) -> str:
    what = f"{heading}, {file.name}" if file.name else "What the run says"
    return f"\n{what}{f' ({ESCAPES})' if file.escaped else ''}:\n\n{indent(file.text, '    ').rstrip()}"


def _layer_as_json(name: str) -> dict[str, object]:
    codes = [{"code": code, **CODES[code]._asdict()} for code in _codes_of(name)]
    return {"format_version": 1, "layer": name, "about": LAYERS[name], "codes": codes}


def _code_as_json(code: str) -> dict[str, object]:
    page = explanation(code)
    return {
        "format_version": 1,
        "code": code,
        "layer": code[:3],
        "about": layer(code),
        **CODES[code]._asdict(),
        "advice": page.advice,
        "failing": [file._asdict() for file in page.failing],
        "fixed": [file._asdict() for file in page.fixed],
    }
