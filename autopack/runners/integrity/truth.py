"""Conditions that are true, or false, whatever the code under test does."""

import ast
from collections.abc import Mapping

Values = Mapping[str, ast.expr]
"""What is assigned at the top of a file, by name."""


def holds(condition: ast.expr, values: Values) -> bool:
    """Whether it is true whatever the code does."""
    match named(condition, values):
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return fails(inner, values)
        case ast.BoolOp(op=ast.Or(), values=parts):
            return any(holds(part, values) for part in parts) or _either(parts)
        case ast.BoolOp(values=parts):
            return all(holds(part, values) for part in parts)
        case ast.IfExp(body=body, orelse=other):
            return holds(body, values) and holds(other, values)
        case ast.NamedExpr(value=inner):
            return holds(inner, values)
        case ast.Compare(left=left, ops=[operator], comparators=[right]):
            return _always(left, operator, right)
        case ast.Call(func=function, args=[first, *rest], keywords=[]):
            return _call_holds(last_name(function), first, rest, values)
        case value:
            return _is_full(value)


def _is_full(value: ast.expr) -> bool:
    """A value that is written out, and not an empty one."""
    match value:
        case ast.Constant(value=known):
            return bool(known)
        case ast.Tuple(elts=parts) | ast.List(elts=parts) | ast.Set(elts=parts):
            return bool(parts)
        case ast.Dict(keys=keys):
            return bool(keys)
        case ast.JoinedStr(values=texts):
            return any(isinstance(part, ast.Constant) for part in texts)
        case _:
            return isinstance(value, ast.Lambda | ast.GeneratorExp)


def fails(condition: ast.expr, values: Values) -> bool:
    """Whether it is false whatever the code does."""
    match named(condition, values):
        case ast.Constant(value=value):
            return not value
        case ast.Tuple(elts=[]) | ast.List(elts=[]) | ast.Dict(keys=[]):
            return True
        case ast.UnaryOp(op=ast.Not(), operand=inner):
            return holds(inner, values)
        case ast.BoolOp(op=ast.And(), values=parts):
            return any(fails(part, values) for part in parts)
        case ast.Name(id="TYPE_CHECKING") | ast.Attribute(attr="TYPE_CHECKING"):
            return True
        case ast.Compare(left=left, ops=[ast.NotEq() | ast.IsNot() | ast.Lt() | ast.Gt()], comparators=[right]):
            return same(left, right) and is_plain(left)
        case ast.Compare(left=ast.Constant(value=left), ops=[ast.Eq()], comparators=[ast.Constant(value=right)]):
            return bool(left != right)
        case _:
            return False


def _always(left: ast.expr, operator: ast.cmpop, right: ast.expr) -> bool:
    if isinstance(operator, ast.Eq | ast.Is | ast.LtE | ast.GtE) and same(left, right) and is_plain(left):
        return True
    if isinstance(operator, ast.In) and isinstance(right, ast.Tuple | ast.List | ast.Set):
        return any(same(left, part) and is_plain(left) for part in right.elts)
    if isinstance(left, ast.Constant) and isinstance(right, ast.Constant):
        return not isinstance(operator, ast.Eq) or bool(left.value == right.value)
    zero = isinstance(right, ast.Constant) and right.value in (0, -1) and not isinstance(right.value, bool)
    counts = isinstance(left, ast.Call) and last_name(left.func) in ("len", "abs")
    return counts and zero and isinstance(operator, ast.GtE)


def _call_holds(name: str, first: ast.expr, rest: list[ast.expr], values: Values) -> bool:
    if name in ("isinstance", "issubclass"):
        return bool(rest) and last_name(rest[0]) == "object"
    if name == "hasattr":
        return bool(rest) and isinstance(rest[0], ast.Constant) and str(rest[0].value).startswith("__")
    if name == "all" and isinstance(first, ast.Tuple | ast.List):
        return all(holds(part, values) for part in first.elts)
    if name == "any" and isinstance(first, ast.Tuple | ast.List):
        return any(holds(part, values) for part in first.elts)
    return name == "bool" and holds(first, values)


def _either(parts: list[ast.expr]) -> bool:
    """`x or not x`, `x is None or x is not None`."""
    said = {ast.dump(part) for part in parts}
    for part in parts:
        opposite = part.operand if isinstance(part, ast.UnaryOp) else ast.UnaryOp(ast.Not(), part)
        if ast.dump(opposite) in said and is_plain(part):
            return True
    opposites = {ast.Is: ast.IsNot, ast.Eq: ast.NotEq, ast.In: ast.NotIn, ast.Lt: ast.GtE, ast.Gt: ast.LtE}
    for part in parts:
        if isinstance(part, ast.Compare) and type(part.ops[0]) in opposites:
            other = ast.Compare(part.left, [opposites[type(part.ops[0])]()], part.comparators)
            if ast.dump(other) in said:
                return True
    return False


def same(one: ast.expr, other: ast.expr) -> bool:
    return ast.dump(one) == ast.dump(other)


def is_plain(node: ast.expr) -> bool:
    """No call in it, so that it is the same twice."""
    return not any(isinstance(part, ast.Call | ast.Await) for part in ast.walk(node))


def last_name(node: ast.AST | None) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


def named(node: ast.expr, values: Values) -> ast.expr:
    return values.get(node.id, node) if isinstance(node, ast.Name) else node
