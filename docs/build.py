"""Writes what the documentation takes from the code: docs/reference, the pictures, the diagram in architecture.md.

Without an option it writes what has changed. `--check` writes nothing and exits with 1 when something is out of date.
`--capture` first runs the console examples and corrects what they no longer print.
"""

import argparse
import inspect
import json
import pprint
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, NamedTuple, get_args

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import click  # noqa: E402  the path to the package comes first
import console  # noqa: E402
import requirements  # noqa: E402
import terminal  # noqa: E402

from autopack.plan.compiler import compile as compile_spec  # noqa: E402
from autopack.problem.codes import CODES  # noqa: E402
from autopack.run import effects, events, state  # noqa: E402
from autopack.run.machine import ANSWERS, TABLE  # noqa: E402
from autopack.spec.document import read  # noqa: E402
from autopack.spec.load import load  # noqa: E402
from autopack.spec.seen import digest  # noqa: E402
from autopack.views import cli, exits  # noqa: E402
from autopack.views.cli.graph_ import drawn  # noqa: E402

MADE = "<!-- Made by docs/build.py; a change here is lost. -->"
KINDS = ("project", "playbook", "tier", "phase", "ruleset", "ci", "models", "scenario")
LAYERS = {
    "AP1": "Text",
    "AP2": "Schema",
    "AP3": "References and templates",
    "AP4": "Graph",
    "AP5": "Policy",
    "AP6": "Budget",
    "AP7": "Plan and lock",
    "AP8": "Run",
}


class Shot(NamedTuple):
    """A command that is run in a terminal; the folder is one of docs/pictures."""

    folder: str
    command: tuple[str, ...]
    columns: int


SHOTS: Mapping[str, Shot] = {"findings.svg": Shot("findings", ("validate",), 108)}


# --- what is written --------------------------------------------------------------------------------------------


def built() -> dict[Path, str]:
    """Every file that is made, and its text."""
    docs = ROOT / "docs"
    reference = {f"{kind}.md": _schema_page(kind) for kind in KINDS} | {
        "README.md": _index(),
        "cli.md": _cli_page(),
        "codes.md": _codes_page(),
        "events.md": _events_page(),
        "exit-codes.md": _exits_page(),
        "states.md": _states_page(),
    }
    made = {docs / "reference" / name: text for name, text in reference.items()}
    made[ROOT / "autopack" / "spec" / "bare.py"] = _bare_schemas()
    made[docs / "requirements.md"] = requirements.page(ROOT, MADE)
    made[docs / "pictures" / "graph.svg"] = _graph()
    architecture = docs / "architecture.md"
    made[architecture] = _with_part(architecture.read_text(encoding="utf-8"), "phase states", _diagram())
    for page in console.pages():
        for block in console.blocks(page) if page.exists() and page.parent.name != "reference" else ():
            if block.note.startswith("picture: "):  # picture: name.svg, columns
                name, columns = block.note.removeprefix("picture: ").split(", ")
                made[docs / "pictures" / name] = terminal.picture(block.text, int(columns))
    for name, shot in SHOTS.items():
        printed = terminal.captured(docs / "pictures" / shot.folder, shot.command, shot.columns)
        made[docs / "pictures" / name] = terminal.picture(printed, shot.columns)
    return made


FOR_PEOPLE = ("$schema", "$id", "title", "description", "examples")
BY_NAME = ("properties", "patternProperties", "$defs")
DEMANDS = ("items", "additionalProperties", "propertyNames", "if", "then", "else")


def _bare_schemas() -> str:
    """What the schemas demand and presume, as Python (`autopack.spec.schema.bare`)."""
    sources = {kind: (ROOT / "schemas" / f"{kind}.v1.schema.json").read_bytes() for kind in KINDS}
    parts = [
        '"""The schemas without their words for people. Made by docs/build.py; a change here is lost."""\n',
        f"OF = {pprint.pformat({kind: digest(source).hex() for kind, source in sources.items()}, width=118)}",
        '"""Of what each was made."""\n\n',
    ]
    for kind, source in sources.items():
        body = pprint.pformat(_bare(json.loads(source)), indent=1, width=118, sort_dicts=False)
        parts.append(f"def _{kind}() -> dict[str, object]:\n    return {body}\n\n")
    parts.append("SCHEMAS = {" + ", ".join(f'"{kind}": _{kind}' for kind in KINDS) + "}\n")
    return "\n".join(parts)


def _bare(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    found = {}
    for key, below in node.items():
        if key in BY_NAME:
            found[key] = {name: _bare(each) for name, each in below.items()}
        elif key in DEMANDS:
            found[key] = _bare(below)
        elif key not in FOR_PEOPLE and key != "x-form":
            found[key] = below
    return found


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit 1 when something is out of date")
    parser.add_argument("--capture", action="store_true", help="run the console examples and correct their output")
    asked = parser.parse_args(argv)
    if asked.capture:
        for page in console.pages():
            capture(page)
    stale = [path for path, text in built().items() if not path.exists() or path.read_text(encoding="utf-8") != text]
    for path in stale:
        print(f"{'out of date' if asked.check else 'wrote'}: {path.relative_to(ROOT)}")
        if not asked.check:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(built()[path], encoding="utf-8")
    if asked.check and stale:
        print("run `make docs`", file=sys.stderr)
    return 1 if asked.check and stale else 0


def capture(page: Path) -> None:
    """Where a command no longer prints what the page says, the page says what it prints."""
    with tempfile.TemporaryDirectory(prefix="autopack-docs-") as folder:
        ran = [found for found in console.run(page, Path(folder)) if found.fault]
    lines = page.read_text(encoding="utf-8").splitlines()
    for found in reversed(ran):
        first = found.block.line + found.step.line  # of the output; lines count from 1, the list from 0
        printed = [line.rstrip() for line in found.printed.rstrip("\n").splitlines()]
        lines[first : first + len(found.step.expected)] = printed
        print(f"corrected: {page.relative_to(ROOT)}:{first}: $ {found.step.command}")
    if ran:
        page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _with_part(page: str, name: str, part: str) -> str:
    """The page with the part between its two marks made anew."""
    opening, closing = f"<!-- made by docs/build.py: {name} -->", "<!-- end -->"
    before, mark, rest = page.partition(opening)
    if not mark or closing not in rest:
        raise ValueError(f"no place for {name}: {opening} ... {closing}")
    return f"{before}{opening}\n{part}{closing}{rest.partition(closing)[2]}"


def _page(title: str, *parts: str) -> str:
    return "\n".join([f"# {title}\n", f"{MADE}\n", *parts])


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def _index() -> str:
    rows = [f"- [{kind}]({kind}.md): every key of a `{kind}` file\n" for kind in KINDS]
    others = (
        "- [Command line](cli.md): every verb and its options\n"
        "- [Exit codes](exit-codes.md)\n"
        "- [Codes](codes.md): every finding, and why it matters\n"
        "- [States](states.md): runs, tiers, phases, the transition table, why runs fail\n"
        "- [Events](events.md): what the journal holds\n"
    )
    return _page("Reference", "Generated from the code, so it can't disagree with it.\n", "".join(rows) + others)


# --- command line, codes, states --------------------------------------------------------------------------------


def _cli_page() -> str:
    root = click.Context(cli.root, info_name="autopack", max_content_width=100, terminal_width=100)
    parts = [_help(cli.root, root)]
    for verb in cli.VERBS:
        command = cli.root.get_command(root, verb)
        if command is None:
            raise LookupError(f"the verb {verb} has no command")
        inner = click.Context(command, parent=root, info_name=verb, max_content_width=100, terminal_width=100)
        parts += [f"## {verb}\n", _help(command, inner)]
    return _page("Command line", *parts)


def _help(command: click.Command, context: click.Context) -> str:
    return f"```text\n{command.get_help(context)}\n```\n"


def _exits_page() -> str:
    rows = [(str(code), meaning) for code, meaning in exits.MEANINGS.items()]
    ends = [(f"`{name}`", str(exits.of_run(name))) for name in get_args(state.RunStateName) if name.startswith("DONE_")]
    return _page(
        "Exit codes",
        _table(("code", "meaning"), rows),
        "What `run` and `resume` exit with, by the state in which the run ended:\n",
        _table(("state", "code"), ends),
    )


def _codes_page() -> str:
    parts = ["A code never changes its meaning. `autopack explain CODE` prints the same text.\n"]
    for layer, title in LAYERS.items():
        found = {code: entry for code, entry in CODES.items() if code.startswith(layer)}
        parts += [f"## {layer}xxx: {title}\n"] if found else []
        parts += [f"### {code}\n\n**{e.title}** ({e.severity}). {e.why}\n" for code, e in found.items()]
    return _page("Codes", *parts)


def _states_page() -> str:
    rows = [
        (row.at, row.event.__name__, _said(row.guard.__name__), row.to, _said(row.action.__name__)) for row in TABLE
    ]
    reasons: dict[str, list[str]] = {}
    for reason, end in state.DONE.items():
        reasons.setdefault(end, []).append(f"`{reason}`")
    return _page(
        "States",
        "A run is in one of these; it shows the state of the phase that moved last:\n",
        _listed(get_args(state.RunStateName)),
        "A tier:\n",
        _listed(get_args(state.TierStateName)),
        "A phase:\n",
        _listed(get_args(state.PhaseStateName)),
        "## Why a run did not succeed\n",
        _table(("state", "failure_reason"), [(f"`{end}`", ", ".join(names)) for end, names in reasons.items()]),
        "## The transition table\n",
        "The first row that fits decides: the phase is in the state, the event has come, the guard holds. No row: the\n"
        "event is illegal and changes nothing. QUEUED phases start when all they need is complete and there is room.\n",
        _table(("state", "event", "guard", "next state", "action"), rows),
    )


def _listed(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names) + "\n"


def _said(name: str) -> str:
    return name.replace("_", " ")


def _diagram() -> str:
    """The table's moves from state to state, each with the events that lead to it."""
    moves: dict[tuple[str, str], list[str]] = {("QUEUED", "EXECUTING"): ["needs complete"]}
    for row in TABLE:
        if row.at != row.to:
            moves.setdefault((row.at, row.to), []).append(row.event.__name__)
    moves["QUEUED", "SKIPPED"] = ["a need failed"]
    lines = [f"    {at} --> {to}: {', '.join(dict.fromkeys(why))}" for (at, to), why in moves.items()]
    ends = [f"    {end} --> [*]" for end in ("COMPLETE", "FAILED", "SKIPPED")]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> QUEUED", *lines, *ends, "```", ""])


def _events_page() -> str:
    answered = {
        effect: ", ".join(f"`{event.__name__}`" for event in answers if event is not events.EffectFailed)
        for effect, answers in ANSWERS.items()
    }
    wishes = [(f"`{name}`", _doc(cls), answered[cls]) for name, cls in effects.TYPES.items()]
    return _page(
        "Events",
        "A run's journal is a list of these, each with a running number, a time and a hash that covers the one\n"
        "before it. `events.jsonl` and `autopack logs RUN --json` show them. A blob is named by the sha256 of its\n"
        "bytes, which the store keeps.\n",
        *(_event(name, cls) for name, cls in events.TYPES.items()),
        "## Effects\n",
        "What the machine asks for. Each is answered by one event with the effect's key; `EffectFailed` may answer\n"
        "any of them.\n",
        _table(("effect", "what it asks for", "answers"), wishes),
    )


def _event(name: str, cls: type[Any]) -> str:
    rows = [(f"`{field.name}`", _type_name(field.type)) for field in fields(cls)]
    said = _doc(cls)
    return f"## {name}\n\n" + (f"{said}\n\n" if said else "") + _table(("field", "type"), rows)


def _doc(cls: type[Any]) -> str:
    said = cls.__doc__ or ""
    return "" if said.startswith(f"{cls.__name__}(") else " ".join(inspect.cleandoc(said).split())


def _type_name(hint: object) -> str:
    found = hint.__name__ if isinstance(hint, type) and not getattr(hint, "__args__", ()) else str(hint)
    return f"`{re.sub(r'(?:typing|collections.abc|autopack[a-z.]*|decimal)[.]', '', found)}`"


# --- schemas ----------------------------------------------------------------------------------------------------


def _schema_page(kind: str) -> str:
    schema = json.loads((ROOT / "schemas" / f"{kind}.v1.schema.json").read_text(encoding="utf-8"))
    defaults = _shipped_default() if kind == "ruleset" else {}
    rows = [
        (
            f"`{path}`{' *' if required else ''}",
            _type(schema, node),
            _default(node, path, defaults),
            node.get("description", ""),
        )
        for path, node, required in _properties(schema, schema)
    ]
    parts = [
        schema["description"] + f" The schema: `autopack schema {kind}`.\n",
        _SIGNS,
        _table(("key", "type", "default", "what it says"), rows),
    ]
    if kind == "ruleset":
        parts.insert(1, "Defaults are those of `builtin:default`, which every ruleset extends in the end.\n")
        parts += ["## How a ruleset joins the one it extends\n", _merges(schema), "## Categories\n", _categories()]
    return _page(f"{kind} files", *parts)


_SIGNS = """\
`[]` stands for the items of a list, `*` inside a path for any name; `*` after one: the key is required.
Keys that start with `x-` are ignored at the top level.
"""


def _properties(
    schema: Any, node: Any, path: str = "", told: dict[str, str] | None = None
) -> Iterator[tuple[str, Any, bool]]:
    """Every property below a node: dotted path, its schema with references followed, whether it is required.

    `told` holds where a shape that several properties share was told; the others only name that place.
    """
    told = {} if told is None else told
    for word in ("then", "else"):
        yield from _below(schema, node[word], path, told) if isinstance(node.get(word), dict) else ()
    required = node.get("required") or ("properties" in node and node.get("else", {}).get("required")) or ()
    for name, inner in node.get("properties", {}).items():
        here = f"{path}.{name}" if path else name
        yield here, _shared(inner, _followed(schema, inner), told), name in required
        yield from _below(schema, inner, here, told)
    named = node.get("additionalProperties")
    if isinstance(named, dict):
        here = f"{path}.*"
        yield here, _shared(named, _followed(schema, named), told), False
        yield from _below(schema, named, here, told)


def _shared(inner: Any, found: Any, told: Mapping[str, str]) -> Any:
    place = told.get(inner.get("$ref", ""))
    return found | {"type": f"object, keys as `{place}`"} if place else found


def _below(schema: Any, inner: Any, path: str, told: dict[str, str]) -> Iterator[tuple[str, Any, bool]]:
    ref, node = inner.get("$ref", ""), _followed(schema, inner)
    if ref in told:
        return
    if ref and "properties" in node:
        told[ref] = path
    yield from _properties(schema, node, path, told)
    if isinstance(node.get("items"), dict):
        yield from _below(schema, node["items"], f"{path}[]", told)


def _followed(schema: Any, node: Any) -> Any:
    """A schema with its `$ref` resolved; what stands beside the reference wins."""
    if "$ref" not in node:
        return node
    name = node["$ref"].removeprefix("#/$defs/")
    return _followed(schema, schema["$defs"][name]) | {key: value for key, value in node.items() if key != "$ref"}


def _type(schema: Any, node: Any) -> str:
    if "const" in node:
        return f"`{node['const']}`"
    if "enum" in node:
        return ", ".join(f"`{_plain(value)}`" for value in node["enum"])
    kinds = node.get("type", "any")
    said = " or ".join(kinds) if isinstance(kinds, list) else kinds
    if said == "array":
        items = _followed(schema, node["items"])
        return f"list of {_type(schema, items) if 'properties' not in items else 'objects'}"
    form = node.get("x-form") or (f"at least {node['minimum']}" if "minimum" in node else "")
    return f"{said}: {form}" if form else said


def _default(node: Any, path: str, defaults: Mapping[str, object]) -> str:
    value = node.get("default", defaults.get(path, ...))
    return "" if value is ... or value == {} else f"`{_plain(value)}`"


def _plain(value: object) -> str:
    """As it could be written in YAML."""
    if type(value) is int:
        return f"{value:_}"
    return value if isinstance(value, str) else json.dumps(value)


def _shipped_default() -> dict[str, object]:
    """Dotted path -> value of builtin:default; a mapping is told by its members, categories by a table of their own."""
    found: dict[str, object] = {}

    def walk(value: object, path: str) -> None:
        if isinstance(value, dict) and value:
            for name, inner in value.items():
                walk(inner, f"{path}.{name}" if path else name)
        else:
            found[path] = value

    walk({key: value for key, value in _default_ruleset().items() if key not in _NO_DEFAULTS}, "")
    return found


_NO_DEFAULTS = ("autopack", "name", "description", "categories")


def _default_ruleset() -> dict[str, Any]:
    document, problems = read("default.yaml", (ROOT / "rulesets" / "default.yaml").read_bytes())
    if document is None:
        raise ValueError(problems)
    value: dict[str, Any] = document.value
    return value


def _merges(schema: Any) -> str:
    words = {
        "replace": "the extending file's value replaces the other",
        "by_key": "joined key by key",
        "append": "the extending file's items are added",
    }
    rows: dict[str, list[str]] = {}
    for path, node, _ in _properties(schema, schema):
        if "x-merge" in node and "." not in path:
            rows.setdefault(node["x-merge"], []).append(f"`{path}`")
    return _table(("keys", "rule"), [(", ".join(paths), words.get(rule, rule)) for rule, paths in rows.items()])


def _categories() -> str:
    shown = ("complexity", "ci", "builder_attempts", "incident_tokens", "minor_factor", "auto_apply", "high_risk")
    heading = ("category", "task category", *(name.replace("_", " ") for name in shown))
    rows = [
        (f"`{name}`", f"`{row['task_category']}`", *(_plain(row[key]) for key in shown))
        for name, row in _default_ruleset()["categories"].items()
    ]
    return "Those of `builtin:default`. Either name is accepted everywhere.\n\n" + _table(heading, rows)


def _graph() -> str:
    """The plan of the example, as `autopack graph` draws it."""
    spec, _ = load(str(ROOT / "examples" / "hello"), "playbooks/languages.yaml")
    if spec is None:
        raise LookupError("the example has findings")
    plan, _ = compile_spec(spec)
    if plan is None:
        raise LookupError("the example has no plan")
    return drawn(plan, "svg")


if __name__ == "__main__":
    sys.exit(main())
