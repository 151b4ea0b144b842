"""Documents against the published schemas; the only importer of jsonschema.

`gate` says yes or no; only after a no is jsonschema imported, to find what is wrong, and `wording` words it. What the
schemas say beside that is read here too: defaults, and which strings may hold templates (`x-template`).
Not known here: other files, ids, anything a schema can't say.
"""

from collections.abc import Iterator, Mapping
from functools import cache

from autopack.problem import Problem
from autopack.problem.typed import Any
from autopack.spec import shipped
from autopack.spec.at import Steps
from autopack.spec.document import Document
from autopack.spec.gate import Gate, Node, Test, target
from autopack.spec.seen import digest

KINDS = ("project", "playbook", "tier", "phase", "ruleset", "ci", "models", "scenario")


def path(kind: str) -> str:
    """Where the schema of a kind is on this machine."""
    return f"{shipped.folder('schemas')}/{kind}.v1.schema.json"


@cache
def schema(kind: str) -> Node:
    """The schema of one of KINDS, as published."""
    import json  # noqa: PLC0415 - only words about faults are taken from here, and editors'

    with open(path(kind), encoding="utf-8") as file:
        found: Node = json.load(file)
    return found


@cache
def bare(kind: str) -> Node:
    """What it demands and presumes, without words for people: as Python, which is loaded in a tenth of the time.

    `docs/build.py` makes that. In a checkout whose schemas have changed since, they are what counts.
    """
    from autopack.spec import bare as made  # noqa: PLC0415 - a file with a wrong header is not held against any

    with open(path(kind), "rb") as file:
        as_made = digest(file.read()).hex() == made.OF.get(kind)
    return made.SCHEMAS[kind]() if as_made else schema(kind)


@cache
def gate(kind: str) -> Gate:
    return Gate(schema(kind))


@cache
def passes(kind: str) -> Test:
    """Whether a whole document of this kind is valid: the answer of its schema, without a reason."""
    return Gate(bare(kind)).test(bare(kind))


def check(document: Document) -> tuple[Any, list[Problem]]:
    """What is left to judge, and all that the schema finds, in no particular order.

    Left is the document's value with None for each part that was refused, and for each key that is missing or whose
    name is misspelt, so that later checks can go on: None says that nobody knows, absent that nothing was written.
    Nothing at all is left where the header was at fault.
    """
    if document.kind is None:
        return None, []
    if passes(document.kind)(document.value):
        return _without(document.value, set(), {}, document.repeated), []
    from autopack.spec.wording import Wording  # noqa: PLC0415 - only a file with faults pays for its words

    wording = Wording(document)
    problems = wording.problems()
    if problems and problems[-1].code == "AP1024":
        return None, problems
    return _without(document.value, wording.refused, wording.unknown, document.repeated), problems


def filled(kind: str, value: Any) -> Any:
    """The value with the schema's defaults where nothing is written."""
    root = bare(kind)
    return _filled(root, root, value)


def templates(kind: str, value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """The strings of a valid value, from a place in it on, in which templates are filled in."""
    root = bare(kind)
    for step in steps:
        value = value[step]
    return _templates(root, _at(root, steps), value, steps)


def node(kind: str, steps: Steps) -> Node:
    """What the schema of a kind says about a place: {} where any value may stand."""
    return _at(schema(kind), steps)


def _at(root: Node, steps: Steps) -> Node:
    found = root
    for step in steps:
        here = resolved(root, found)
        found = below(here, step) if isinstance(step, str) else here.get("items", {})
    return resolved(root, found)


def _without(
    value: Any,
    refused: set[Steps],
    unknown: Mapping[Steps, set[str]],
    repeated: Mapping[int, set[str]],
    steps: Steps = (),
) -> Any:
    if not (refused or unknown or repeated):
        return value
    if steps in refused:
        return None
    if isinstance(value, dict):
        kept = {key: _without(item, refused, unknown, repeated, (*steps, key)) for key, item in value.items()}
        twice = repeated.get(id(value), ())  # nobody knows which of the two was meant
        return kept | dict.fromkeys((*unknown.get(steps, ()), *twice))
    if isinstance(value, list):
        return [_without(item, refused, unknown, repeated, (*steps, index)) for index, item in enumerate(value)]
    return value


def holds_template(text: str) -> bool:
    return "{{" in text or "{%" in text


def resolved(root: Node, node: Node) -> Node:
    """The node with what it refers to, its own words winning."""
    while "$ref" in node:
        node = {**target(root, node["$ref"]), **{key: node[key] for key in node if key != "$ref"}}
    return node


def below(node: Node, key: str) -> Node:
    """The schema of one key of a mapping; {} where any value may stand."""
    found: Any = node.get("properties", {}).get(key, node.get("additionalProperties", {}))
    return found if isinstance(found, dict) else {}


def _filled(root: Node, node: Node, value: Any) -> Any:
    node = resolved(root, node)
    if isinstance(value, list):
        return [_filled(root, node.get("items", {}), item) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(node.get("else"), dict) and "properties" not in node:  # a mapping where a word may stand as well
        node = resolved(root, {**node["else"]})
    declared = {key: resolved(root, each) for key, each in node.get("properties", {}).items() if key not in value}
    absent = {key: each["default"] for key, each in declared.items() if "default" in each}
    return {key: _filled(root, below(node, key), item) for key, item in {**value, **absent}.items()}


def _templates(root: Node, node: Node, value: Any, steps: Steps) -> Iterator[tuple[Steps, str]]:
    node = resolved(root, node)
    if isinstance(value, str):
        if node.get("x-template"):
            yield steps, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _templates(root, node.get("items", {}), item, (*steps, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _templates(root, below(node, key), item, (*steps, key))


def errors(kind: str, value: object) -> Iterator[Any]:
    """jsonschema's findings. It is led past all that passes, which makes large files with few faults cheap."""
    from jsonschema import validators  # noqa: PLC0415 - only a file with faults pays for its import

    test = gate(kind).test

    def properties(validator: Any, parts: Mapping[str, Node], instance: Any, _node: Node) -> Iterator[Any]:
        for key, below in parts.items() if isinstance(instance, dict) else ():
            if key in instance and not test(below)(instance[key]):
                yield from validator.descend(instance[key], below, path=key, schema_path=key)

    def items(validator: Any, below: Node, instance: Any, _node: Node) -> Iterator[Any]:
        for index, item in enumerate(instance) if isinstance(instance, list) else ():
            if not test(below)(item):
                yield from validator.descend(item, below, path=index)

    made: Any = validators
    guided = made.extend(validators.Draft202012Validator, {"properties": properties, "items": items})
    yield from guided(schema(kind)).iter_errors(value)
