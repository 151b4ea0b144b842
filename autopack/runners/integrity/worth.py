"""What one assertion of a Python test is worth: how much it takes for it to fail.

Only the order of the grades means something. An assertion that can't fail is worth nothing, one that runs only under a
condition a little less than the same one that always runs.
"""

import ast
import builtins
import math
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import NamedTuple

from autopack.runners.integrity.truth import Values, holds, is_plain, last_name, named, same

NOTHING, PRESENT, PART, CLOSE, EXACT = 0, 2, 4, 6, 8

_BROAD = frozenset({"Exception", "BaseException", "AssertionError"})
_TOLERANCES = frozenset({"rel", "abs", "delta", "rtol", "atol", "rel_tol", "abs_tol"})
_RAISING = frozenset({"raises", "assertRaises", "assertRaisesRegex", "warns", "assertWarns", "assertWarnsRegex"})
_GRADES = {
    "assertIsNotNone": PRESENT,
    "assertNotEqual": PRESENT,
    "assertNotIn": PRESENT,
    "assertIsNot": PRESENT,
    "assertIsInstance": PRESENT,
    "assertNotIsInstance": PRESENT,
    "assert_called": PRESENT,
    "assert_called_once": PART,
    "assert_any_call": PART,
    "assertIn": PART,
    "assertGreater": PART,
    "assertGreaterEqual": PART,
    "assertLess": PART,
    "assertLessEqual": PART,
    "assertRegex": PART,
    "assertNotRegex": PRESENT,
    "assertAlmostEqual": CLOSE,
    "assertNotAlmostEqual": PRESENT,
    "assertCountEqual": CLOSE,
    "assert_allclose": CLOSE,
    "assert_almost_equal": CLOSE,
    "fail": PART,
}
_SAYS = {
    **dict.fromkeys(("array_equal", "equals", "samefile"), EXACT),
    **dict.fromkeys(("isclose", "allclose"), CLOSE),
    **dict.fromkeys(("startswith", "endswith", "issubset", "issuperset", "isdisjoint"), PART),
}
_COMPARED_WORTH: Mapping[type[ast.cmpop], int] = {
    ast.Eq: EXACT,
    ast.Is: EXACT,
    ast.In: PART,
    ast.Lt: PART,
    ast.LtE: PART,
    ast.Gt: PART,
    ast.GtE: PART,
}


class Check(NamedTuple):
    """`said` is the assertion without its layout, `subject` what it looks at.

    `slack` are tolerances by name, `kinds` the errors that are expected, `matched` whether their words are.
    """

    line: int
    said: str
    subject: str
    worth: int
    words: str
    slack: tuple[tuple[str, float], ...] = ()
    kinds: frozenset[str] = frozenset()
    matched: bool = False


def asserted(statement: ast.Assert, values: Values) -> Iterator[Check]:
    """`assert a and b` is two."""
    for condition in _parts(statement.test):
        yield _condition(statement.lineno, condition, values)


def is_graded(name: str) -> bool:
    return name in _RAISING or name in _GRADES or re.match("assert[A-Z]", name) is not None


def called(call: ast.Call, values: Values) -> Check | None:
    """`self.assertEqual(...)`, `pytest.raises(...)`, `mock.assert_called_once_with(...)` and their like."""
    name = last_name(call.func)
    if name in _RAISING:
        return _raising(call)
    if not name.startswith("assert") and name != "fail":
        return None
    if name in ("assertTrue", "assert_", "assertFalse") and call.args:
        wanted = call.args[0] if name != "assertFalse" else ast.UnaryOp(ast.Not(), call.args[0])
        return _condition(call.lineno, wanted, values)
    worth = _GRADES.get(name, EXACT)
    if len(call.args) > 1 and worth > PRESENT and same(call.args[0], call.args[1]):
        worth = NOTHING if is_plain(call.args[0]) else PRESENT
    if name in ("assertIsNotNone", "assertIsNone") and call.args and isinstance(call.args[0], ast.Constant):
        worth = NOTHING
    subject = ast.dump(call.args[0]) if call.args else ast.dump(call.func)
    return Check(call.lineno, ast.dump(call), subject, worth, _words(call), tuple(_slack(call, values)))


def _condition(line: int, condition: ast.expr, values: Values) -> Check:
    subject = condition
    if isinstance(subject, ast.UnaryOp) and isinstance(subject.op, ast.Not):
        subject = subject.operand
    if isinstance(subject, ast.Compare):
        left, right = subject.left, subject.comparators[0]
        subject = right if isinstance(left, ast.Constant) else left
    elif isinstance(subject, ast.Call) and last_name(subject.func) in ("isinstance", "len", "bool") and subject.args:
        subject = subject.args[0]
    slack = tuple(one for node in ast.walk(condition) if isinstance(node, ast.Call) for one in _slack(node, values))
    words = f"assert {_words(condition)}"
    return Check(line, ast.dump(condition), ast.dump(subject), _worth(condition, values), words, slack)


def _parts(condition: ast.expr) -> Iterator[ast.expr]:
    if isinstance(condition, ast.BoolOp) and isinstance(condition.op, ast.And):
        for part in condition.values:
            yield from _parts(part)
    else:
        yield condition


def _worth(condition: ast.expr, values: Values) -> int:
    if holds(condition, values):
        return NOTHING
    match condition:
        case ast.BoolOp(op=ast.Or(), values=parts):
            return min(PART, *(_worth(part, values) for part in parts))
        case ast.BoolOp(values=parts):
            return max(_worth(part, values) for part in parts)
        case ast.IfExp(body=body, orelse=other):
            return min(_worth(body, values), _worth(other, values))
        case ast.Compare():
            return _compared(condition, values)
        case ast.Call(func=function, args=[ast.GeneratorExp(elt=each)]) if last_name(function) == "all":
            return _worth(each, values)
        case ast.Call(func=function) if last_name(function) in _SAYS:
            return _SAYS[last_name(function)]
        case ast.UnaryOp(op=ast.Not(), operand=ast.Compare(ops=[ast.NotEq() | ast.IsNot()])):
            return EXACT
        case _:
            return PRESENT


def _compared(condition: ast.Compare, values: Values) -> int:
    sides = [condition.left, *condition.comparators]
    if any(same(one, other) for one, other in pairwise(sides)):
        return PRESENT  # `f() == f()`: that it is the same every time
    if any(
        isinstance(node, ast.Call) and last_name(node.func) == "approx" for side in sides for node in ast.walk(side)
    ):
        return CLOSE
    if any(_whatever(named(side, values)) for side in sides):
        return NOTHING
    return max(_COMPARED_WORTH.get(type(operator), PRESENT) for operator in condition.ops)


def _whatever(side: ast.expr) -> bool:
    """`mock.ANY` equals everything."""
    owner = last_name(side.value) if isinstance(side, ast.Attribute) else "mock"
    return last_name(side) == "ANY" and owner == "mock"


# --- errors and tolerances ---


def _raising(call: ast.Call) -> Check:
    expected = call.args[0] if call.args else next((word.value for word in call.keywords), None)
    nodes = expected.elts if isinstance(expected, ast.Tuple) else [expected] if expected else []
    kinds = frozenset(last_name(node) or ast.dump(node) for node in nodes)
    matched = any(word.arg in ("match", "check") for word in call.keywords) or last_name(call.func).endswith("Regex")
    broad = not kinds or kinds & _BROAD
    worth = EXACT if not broad else PART if matched else PRESENT
    return Check(call.lineno, ast.dump(call), "raises", worth, _words(call), (), kinds, matched)


def wider(new: Check, old: Check) -> bool:
    """Whether the new one is content with errors that the old one was not."""
    if not (new.kinds and old.kinds) or new.kinds == old.kinds:
        return bool(new.kinds and old.kinds) and old.matched and not new.matched
    return old.kinds < new.kinds or any(_above(one, other) for one in new.kinds - old.kinds for other in old.kinds)


def _above(name: str, below: str) -> bool:
    one, other = getattr(builtins, name, None), getattr(builtins, below, None)
    return isinstance(one, type) and isinstance(other, type) and one is not other and issubclass(other, one)


def looser(new: Check, old: Check) -> bool:
    """Whether a tolerance was raised, or brought in where the old one had been content with a smaller default."""
    before = dict(old.slack)
    most = max(before.values(), default=0.0)  # under another name: `places` has become `abs`
    return any(value > before.get(name, max(most, _BY_DEFAULT.get(name, 0.0))) for name, value in new.slack)


_BY_DEFAULT = {"rel": 1e-6, "abs": 1e-12, "rtol": 1e-7, "rel_tol": 1e-9, "places": 10**-7}


def _slack(call: ast.Call, values: Values) -> Iterator[tuple[str, float]]:
    name = last_name(call.func)
    for word in call.keywords:
        if word.arg in _TOLERANCES:
            yield word.arg, _number(word.value, values)
        elif word.arg in ("places", "decimal"):
            yield "places", _places(word.value, values)
    if name in ("approx", "assert_allclose", "allclose", "isclose"):
        start = 1 if name == "approx" else 2
        for key, argument in zip(("rel", "abs") if start == 1 else ("rtol", "atol"), call.args[start:], strict=False):
            yield key, _number(argument, values)
    if name == "assertAlmostEqual" and len(call.args) > 2:
        yield "places", _places(call.args[2], values)


def _places(node: ast.expr, values: Values) -> float:
    number = _number(node, values)
    return 10.0**-number if abs(number) < 100 else math.inf


def _number(node: ast.expr, values: Values) -> float:
    """Its value where that is written out; anything else may be as large as it likes."""
    node = named(node, values)
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and abs(node.value) < 1e6:
        return float(node.value)
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        return -_number(node.operand, values)
    return math.inf


# --- words ---


def _words(node: ast.AST) -> str:
    words = ast.unparse(ast.fix_missing_locations(node)).replace("\n", " ")
    return words if len(words) <= 60 else words[:57] + "..."
