"""What the published schemas say about a place in a file, as far as somebody who types wants to know it."""

import json
from collections.abc import Iterator
from typing import Any

from autopack.spec import schema
from autopack.spec.at import Step, Steps
from autopack.spec.gate import Node

BRANCHES = ("then", "else")
CHOICES = ("allOf", "anyOf", "oneOf")


def at(kind: str, steps: Steps) -> Node:
    """The schema of a place; {} where none speaks of it."""
    if kind not in schema.KINDS:
        return {}
    root = schema.schema(kind)
    node = schema.resolved(root, root)
    for step in steps:
        node = next((found for each in _branches(root, node) if (found := _below(root, each, step))), {})
    return node


def properties(kind: str, node: Node) -> dict[str, Node]:
    """The keys a mapping may have, with what the schema says about each."""
    root = schema.schema(kind)
    found: dict[str, Node] = {}
    for each in _branches(root, node):
        for key, below in each.get("properties", {}).items():
            if key not in found and isinstance(below, dict):
                found[key] = schema.resolved(root, below)
    return found


def words(kind: str, node: Node) -> list[Any]:
    """The values of a fixed vocabulary; [] where there is none."""
    found: list[Any] = []
    for each in _branches(schema.schema(kind), node):
        found += each.get("enum", ())
        found += [each["const"]] if "const" in each else []
        found += [True, False] if each.get("type") == "boolean" and "enum" not in each else []
    return list(dict.fromkeys(found))


def is_a(node: Node, kind: str) -> bool:
    """Whether the schema allows this JSON type."""
    named = node.get("type", "object" if "properties" in node else ())
    return kind in ([named] if isinstance(named, str) else named)


def described(node: Node) -> str:
    """Title, description, type, values, default and an example, in Markdown."""
    lines = [f"**{node['title']}**" if "title" in node else "", node.get("description", "")]
    if "type" in node or "enum" in node:
        lines.append(_type(node))
    if "default" in node:
        lines.append(f"Default: `{_shown(node['default'])}`")
    if node.get("examples"):
        lines.append(f"Example: `{_shown(node['examples'][0])}`")
    return "\n\n".join(line for line in lines if line)


def declared_input(said: Any) -> str:
    """What a declaration of an input says, in a line."""
    if not isinstance(said, dict):
        return ""
    parts = [said["description"] if isinstance(said.get("description"), str) else "", str(said.get("type", "string"))]
    if isinstance(said.get("enum"), list):
        parts.append("one of " + ", ".join(map(_shown, said["enum"])))
    parts.append(f"default {_shown(said['default'])}" if "default" in said else "needed")
    return "; ".join(part.strip().rstrip(".;") for part in parts if part)


def _type(node: Node) -> str:
    if "enum" in node:
        return "One of: " + ", ".join(f"`{_shown(word)}`" for word in node["enum"])
    named = node["type"]
    return f"Type: {named if isinstance(named, str) else ' or '.join(named)}"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _branches(root: Node, node: Node) -> Iterator[Node]:
    """The node and what it says under conditions."""
    yield node
    inner = [node[key] for key in BRANCHES if key in node]
    inner += [each for key in CHOICES for each in node.get(key, ())]
    for each in inner:
        if isinstance(each, dict):
            yield from _branches(root, schema.resolved(root, each))


def _below(root: Node, node: Node, step: Step) -> Node:
    found = node.get("items", {}) if isinstance(step, int) else schema.below(node, step)
    return schema.resolved(root, found) if isinstance(found, dict) else {}
