"""Every place of a valid document that a schema says something about.

The schemas are walked together with a base document. What the base lacks is grafted into it from the schema's own
examples, so a property that is added to a schema is in the suite from then on; so is a new kind, whose base is made
of its examples when `world/` has no file of it.
"""

import copy
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from autopack.spec import schema
from tests.mutation.emit import Step, Steps

Node = dict[str, Any]


class Site(NamedTuple):
    """A value in a document that is valid as it stands."""

    kind: str
    name: str  # where the schema says it: `tiers[].phases[].goal`, `models.*.price`
    document: dict[str, Any]
    steps: Steps
    node: Node
    parent: Node  # of the mapping or list that holds it
    by_name: bool  # a property the schema names, in contrast to an item or a free key

    @property
    def value(self) -> Any:
        return at(self.document, self.steps)

    @property
    def required(self) -> bool:
        return self.by_name and self.steps[-1] in self.parent.get("required", ())


def at(document: Any, steps: Steps) -> Any:
    for step in steps:
        document = document[step]
    return document


def with_value(document: dict[str, Any], steps: Steps, value: Any) -> dict[str, Any]:
    """A copy with another value at a place, or with one more key there."""
    changed = copy.deepcopy(document)
    at(changed, steps[:-1])[steps[-1]] = value
    return changed


def sample(kind: str, node: Node) -> Any:
    """A valid value for a part of a schema."""
    node = resolved(kind, node)
    for key in ("examples", "enum"):
        if node.get(key):
            return next((copy.deepcopy(value) for value in node[key] if value is not None), None)
    for key in ("const", "default"):
        if node.get(key) is not None:
            return copy.deepcopy(node[key])
    return {"boolean": True, "integer": 1, "number": 1, "array": [], "object": {}}.get(str(node.get("type")), "x")


def resolved(kind: str, node: Node) -> Node:
    found: Node = dict(schema.resolved(schema.schema(kind), node))
    return found


def chosen(kind: str, node: Node, value: Any) -> Node:
    """The node with the branch of its `if` that is about this value."""
    node = resolved(kind, node)
    if "if" not in node:
        return node
    branch = node["then" if schema.gate(kind).test(node["if"])(value) else "else"]
    rest = {key: node[key] for key in node if key not in ("if", "then", "else")}
    return rest if branch is True else {**rest, **resolved(kind, branch)}


def sites(kind: str, document: dict[str, Any]) -> list[Site]:
    """Each place the schema names, once; of lists and free keys the first entry of each shape."""
    found: dict[str, Site] = {}
    for site in _inside(kind, document, (), "", schema.schema(kind), document):
        if found.setdefault(site.name, site).document is not document and site.document is document:
            found[site.name] = site  # what is written beats what is grafted
    return list(found.values())


def _inside(kind: str, document: dict[str, Any], steps: Steps, name: str, node: Node, value: Any) -> Iterator[Site]:
    node = chosen(kind, node, value)
    if isinstance(value, dict):
        yield from _named(kind, document, steps, name, node, value)
        other = node.get("additionalProperties")
        if isinstance(other, dict):
            for key in value:
                if key not in node.get("properties", {}):
                    yield from _here(kind, document, (*steps, key), f"{name}.*", other, node, by_name=False)
    elif isinstance(value, list) and isinstance(node.get("items"), dict):
        for index, item in enumerate(value):
            one_of = resolved(kind, node["items"])  # a choice by keys has one shape
            by_type = "if" in one_of and "properties" not in one_of and not isinstance(item, str)
            shape = type(item).__name__ if by_type else ""
            yield from _here(kind, document, (*steps, index), f"{name}[{shape}]", node["items"], node, by_name=False)


def _named(
    kind: str, document: dict[str, Any], steps: Steps, name: str, node: Node, value: dict[str, Any]
) -> Iterator[Site]:
    for key, below in node.get("properties", {}).items():
        here = (*steps, key)
        grown = document if key in value else with_value(document, here, sample(kind, below))
        yield from _here(kind, grown, here, f"{name}.{key}".removeprefix("."), below, node, by_name=True)


def _here(
    kind: str, document: dict[str, Any], steps: Steps, name: str, below: Node, parent: Node, *, by_name: bool
) -> Iterator[Site]:
    value = at(document, steps)
    shape = "=" if "if" in resolved(kind, below) and isinstance(value, str) and by_name else ""
    yield Site(kind, name + shape, document, steps, resolved(kind, below), parent, by_name)
    yield from _inside(kind, document, steps, name, below, value)


# --- what the schema says of a value ----------------------------------------------------------------------

TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
    "array": (list,),
    "object": (dict,),
}
SMALLEST = {"minLength": len, "minItems": len, "minProperties": len}


def verdict(kind: str, node: Node, value: Any) -> str | None:
    """The code of the one fault this value has by itself, None if it has none. What it holds is not looked at."""
    node = resolved(kind, node)
    wanted = [node["type"]] if isinstance(node.get("type"), str) else node.get("type", [])
    if wanted and not any(type(value) in TYPES[each] for each in wanted):
        return "AP2004" if "array" in wanted and isinstance(value, str) else "AP2003"
    if "if" in node:
        return verdict(kind, {k: v for k, v in chosen(kind, node, value).items() if k != "type" or v != wanted}, value)
    if "const" in node or "enum" in node:
        allowed = node.get("enum", [node.get("const")])
        if not any(type(each) is type(value) and each == value for each in allowed):
            return "AP2005"
    for key, measure in SMALLEST.items():
        if key in node and isinstance(value, str if key == "minLength" else list | dict) and measure(value) < node[key]:
            return "AP2008"
    if "pattern" in node and isinstance(value, str) and not re.search(node["pattern"], value):
        return "AP2006"
    if isinstance(value, int | float) and not isinstance(value, bool):
        beyond = (
            ("minimum" in node and value < node["minimum"])
            or ("maximum" in node and value > node["maximum"])
            or ("exclusiveMinimum" in node and value <= node["exclusiveMinimum"])
        )
        return "AP2007" if beyond else None
    return None


def last_name(steps: tuple[Step, ...]) -> str:
    return next((step for step in reversed(steps) if isinstance(step, str)), "")
