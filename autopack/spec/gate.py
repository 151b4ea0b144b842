"""A schema turned into one small function that says yes or no.

It exists for its price: importing jsonschema takes longer than everything else `validate` does, and this answers a
phase in microseconds. It knows the keywords our schemas use and refuses to be built from others; what is wrong with a
value it can't say. A property test shows that it and jsonschema agree.
"""

import re
from collections.abc import Callable, Mapping

from autopack.problem.typed import Any

Test = Callable[[Any], bool]
Node = Mapping[str, Any]

_CLASSES: Mapping[str, frozenset[type]] = {
    "string": frozenset({str}),
    "integer": frozenset({int}),
    "number": frozenset({int, float}),
    "boolean": frozenset({bool}),
    "null": frozenset({type(None)}),
    "array": frozenset({list}),
    "object": frozenset({dict}),
}
_ANNOTATIONS = frozenset({"$schema", "$id", "$defs", "title", "description", "default", "examples"})


class Gate:
    """The tests of one schema and of all its parts, each made once."""

    def __init__(self, root: Node) -> None:
        self._root = root
        self._made: dict[int, Test] = {}  # by the identity of the part, which the root keeps alive

    def test(self, node: Node | bool) -> Test:  # noqa: FBT001 - true and false are schemas
        """Whether a value is valid by this part. Raises KeyError for a keyword that nobody taught it."""
        if isinstance(node, bool):
            return _always if node else _never
        if id(node) not in self._made:
            parts = [_MAKERS[keyword](self, node) for keyword in _keywords(node)]
            self._made[id(node)] = _all(tuple(parts))
        return self._made[id(node)]

    def reference(self, node: Node) -> Test:
        return self.test(target(self._root, node["$ref"]))

    def mapping(self, node: Node) -> Test:
        tests = {key: self.test(below) for key, below in node.get("properties", {}).items()}
        patterns = [(re.compile(form).search, self.test(below)) for form, below in _patterns(node)]
        other = self.test(node.get("additionalProperties", True))
        required = tuple(node.get("required", ()))
        if not tests and not patterns and other is _always:  # a choice by keys looks at no value
            return lambda value: value.__class__ is not dict or all(key in value for key in required)

        def unknown(key: str, value: object) -> bool:
            spoken_of = [test for search, test in patterns if search(key)]
            return all(test(value) for test in spoken_of) if spoken_of else other(value)

        def passes(value: Any) -> bool:
            if value.__class__ is not dict:
                return True
            for key, item in value.items():
                test = tests.get(key)
                if not (unknown(key, item) if test is None else test(item)):
                    return False
            return all(key in value for key in required)

        return passes

    def property_names(self, node: Node) -> Test:
        test = self.test(node["propertyNames"])
        return lambda value: value.__class__ is not dict or all(map(test, value))

    def items(self, node: Node) -> Test:
        test = self.test(node["items"])
        return lambda value: value.__class__ is not list or all(map(test, value))

    def choice(self, node: Node) -> Test:
        condition, then, otherwise = (self.test(node.get(part, True)) for part in ("if", "then", "else"))
        return lambda value: then(value) if condition(value) else otherwise(value)


def target(root: Node, pointer: str) -> Node:
    """What a reference inside the same schema stands for: `#/$defs/phase`."""
    node: Any = root
    for step in pointer.removeprefix("#/").split("/"):
        node = node[step]
    found: Node = node
    return found


def _keywords(node: Node) -> list[str]:
    """The keywords to obey, the type first; those that one closure answers together are named once."""
    found = [_TOGETHER.get(key, key) for key in node if key not in _ANNOTATIONS and not key.startswith("x-")]
    return sorted(dict.fromkeys(found), key=lambda keyword: keyword != "type")


def _patterns(node: Node) -> list[tuple[str, Any]]:
    return list(node.get("patternProperties", {}).items())


def _all(parts: tuple[Test, ...]) -> Test:
    if len(parts) == 1:
        return parts[0]
    if len(parts) == 2:
        first, second = parts
        return lambda value: first(value) and second(value)
    return lambda value: all(part(value) for part in parts)


def _always(_value: object) -> bool:
    return True


def _never(_value: object) -> bool:
    return False


def _type(_gate: Gate, node: Node) -> Test:
    names = [node["type"]] if isinstance(node["type"], str) else node["type"]
    classes = frozenset[type]().union(*(_CLASSES[name] for name in names))
    if "integer" in names and float not in classes:  # JSON Schema takes 3.0 for an integer
        return lambda value: value.__class__ in classes or (value.__class__ is float and value.is_integer())
    if len(classes) == 1:
        (only,) = classes
        return lambda value: value.__class__ is only
    return lambda value: value.__class__ in classes


def _enum(_gate: Gate, node: Node) -> Test:
    allowed = frozenset(_identity(value) for value in node.get("enum", [node.get("const")]))
    return lambda value: _identity(value) in allowed


def _pattern(_gate: Gate, node: Node) -> Test:
    search = re.compile(node["pattern"]).search
    return lambda value: value.__class__ is not str or search(value) is not None


def _unique(_gate: Gate, node: Node) -> Test:
    if not node["uniqueItems"]:
        return _always
    return lambda value: value.__class__ is not list or len({_identity(item) for item in value}) == len(value)


def _identity(value: Any) -> object:
    """Equal for what JSON Schema calls equal: 1 and 1.0 are, 1 and true aren't."""
    if value.__class__ is str:
        return value
    if isinstance(value, dict):
        return "object", frozenset((key, _identity(item)) for key, item in value.items())
    if isinstance(value, list):
        return "array", tuple(_identity(item) for item in value)
    return isinstance(value, bool), value


def _bound(keyword: str, classes: frozenset[type], holds: Callable[[Any, Any], bool]) -> Callable[..., Test]:
    def make(_gate: Gate, node: Node) -> Test:
        limit = node[keyword]
        return lambda value: value.__class__ not in classes or holds(value, limit)

    return make


_TOGETHER = {
    **dict.fromkeys(("patternProperties", "additionalProperties", "required"), "properties"),
    **dict.fromkeys(("then", "else"), "if"),
}
_NUMBER = _CLASSES["number"]
_MAKERS: Mapping[str, Callable[[Gate, Node], Test]] = {
    "$ref": Gate.reference,
    "type": _type,
    "enum": _enum,
    "const": _enum,
    "pattern": _pattern,
    "properties": Gate.mapping,
    "propertyNames": Gate.property_names,
    "items": Gate.items,
    "if": Gate.choice,
    "uniqueItems": _unique,
    "minimum": _bound("minimum", _NUMBER, lambda value, limit: value >= limit),
    "maximum": _bound("maximum", _NUMBER, lambda value, limit: value <= limit),
    "exclusiveMinimum": _bound("exclusiveMinimum", _NUMBER, lambda value, limit: value > limit),
    "minLength": _bound("minLength", _CLASSES["string"], lambda value, limit: len(value) >= limit),
    "minItems": _bound("minItems", _CLASSES["array"], lambda value, limit: len(value) >= limit),
    "minProperties": _bound("minProperties", _CLASSES["object"], lambda value, limit: len(value) >= limit),
}
