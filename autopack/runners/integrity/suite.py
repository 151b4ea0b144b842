"""What the functions of a Python test file check, and whether they are run at all.

Statements are followed as they would run: what stands behind a `return`, in a branch that is never taken or under an
`except` that swallows failures checks nothing, what stands under a condition checks a little less.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from autopack.runners.integrity.truth import Values, fails, holds, last_name
from autopack.runners.integrity.worth import EXACT, NOTHING, Check, asserted, called, is_graded

ALWAYS, SOMETIMES, NEVER = "always", "sometimes", "never"
_HELPS_BY_NAME = ("assert", "check", "verify", "expect")
_SWALLOWED = frozenset({"AssertionError", "Exception", "BaseException"})
_LEAVES = frozenset({"exit", "_exit"})  # a skip is a finding of its own
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_EXPANDED_MAX = 200

AnyFunction = ast.FunctionDef | ast.AsyncFunctionDef


class Function(NamedTuple):
    """A test, or something that checks for tests. `expanded` has the checks of helpers in place of calls to them.

    `cases` is the number of sets of parameters that are written out for it, `rounds` that of its loops, None where it
    can't be seen; `said` is the function without its name.
    """

    is_test: bool
    line: int
    checks: tuple[Check, ...]
    expanded: tuple[Check, ...]
    cases: int
    rounds: int | None
    said: str


def functions(tree: ast.Module | None) -> dict[str, Function]:
    """By qualified name. Raises RecursionError where it is nested too deeply."""
    if tree is None:
        return {}
    values = _values(tree)
    found = dict(_defined(tree.body, "", ALWAYS, collected=True))
    checks = {name: tuple(_checks(one, values)) for name, one in found.items()}
    by_name = {name.rpartition(".")[2]: own for name, own in checks.items()}
    checks = {name: tuple(one for one in own if _is_help(one, by_name)) for name, own in checks.items()}
    return {
        name: Function(
            is_test=one.is_test,
            line=one.node.lineno,
            checks=checks[name],
            expanded=tuple(_expanded(checks[name], by_name)),
            cases=sum(length or 0 for length in _cases(one, values)),
            rounds=_rounds(one.node, values),
            said=_said(one.node),
        )
        for name, one in found.items()
        if one.is_test or checks[name] or _is_fixture(one.node)
    }


# --- which functions there are ---


@dataclass(frozen=True, slots=True)
class _Defined:
    node: AnyFunction
    reach: str
    is_test: bool
    decorators: Sequence[ast.expr] = field(default=())


def _defined(
    body: Sequence[ast.stmt], prefix: str, reach: str, *, collected: bool, marks: tuple[ast.expr, ...] = ()
) -> Iterator[tuple[str, _Defined]]:
    """Of two with one name the last one counts: the caller's dict keeps it."""
    for node in body:
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                runs = collected and reach != NEVER and name.startswith("test") and not _yields(node)
                yield prefix + name, _Defined(node, reach, runs, (*marks, *node.decorator_list))
            case ast.ClassDef(name=name):
                inside = collected and _is_collected(node)
                decorators = (*marks, *node.decorator_list)
                yield from _defined(node.body, f"{prefix}{name}.", reach, collected=inside, marks=decorators)
            case ast.If(test=test, body=then, orelse=other):
                no = ast.UnaryOp(ast.Not(), test)
                yield from _defined(then, prefix, _if(test, reach, {}), collected=collected, marks=marks)
                yield from _defined(other, prefix, _if(no, reach, {}), collected=collected, marks=marks)
            case ast.Try(body=then, handlers=handlers, orelse=other, finalbody=end):
                for part in (then, *(handler.body for handler in handlers), other, end):
                    yield from _defined(part, prefix, reach, collected=collected, marks=marks)
            case ast.With(body=then):
                yield from _defined(then, prefix, reach, collected=collected, marks=marks)


def _is_collected(node: ast.ClassDef) -> bool:
    """As pytest does: by its name, or as a unittest case; never one that has an `__init__`."""
    makes_itself = any(isinstance(each, ast.FunctionDef) and each.name == "__init__" for each in node.body)
    return (node.name.startswith("Test") or bool(node.bases)) and not (makes_itself and not node.bases)


def _yields(function: AnyFunction) -> bool:
    return any(isinstance(node, ast.Yield | ast.YieldFrom) for node in own_nodes(function))


def own_nodes(scope: ast.AST) -> Iterator[ast.AST]:
    """Everything in it but for the insides of functions and classes defined there."""
    todo = list(ast.iter_child_nodes(scope))
    while todo:
        node = todo.pop()
        yield node
        if not isinstance(node, (*_FUNCTIONS, ast.Lambda, ast.ClassDef)):
            todo += ast.iter_child_nodes(node)


def _is_fixture(node: AnyFunction) -> bool:
    return any(last_name(_function_of(decorator)) == "fixture" for decorator in node.decorator_list)


def _function_of(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _said(node: AnyFunction) -> str:
    return "\n".join(map(ast.dump, (node.args, *node.decorator_list, *_without_words(node.body))))


def _without_words(body: Sequence[ast.stmt]) -> Sequence[ast.stmt]:
    told = body and isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant)
    return body[1:] if told else body


def _values(tree: ast.Module) -> Values:
    found: dict[str, ast.expr] = {}
    for node in tree.body:
        match node:
            case ast.Assign(targets=[ast.Name(id=name)], value=value):
                found[name] = value
            case ast.AnnAssign(target=ast.Name(id=name), value=ast.expr() as value):
                found[name] = value
    return found


# --- what a function checks ---


def _checks(one: _Defined, values: Values) -> Iterator[Check]:
    """Under a condition a grade less; what is never reached is worth nothing."""
    inner = {node.name for node in ast.walk(one.node) if isinstance(node, _FUNCTIONS)}
    used = {node.id for node in ast.walk(one.node) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load)}
    unused = inner - used - {one.node.name}
    for check, reach in _in_body(one.node.body, one.reach, values, unused):
        if reach == NEVER:
            yield check._replace(worth=NOTHING)
        elif reach == SOMETIMES:
            yield check._replace(worth=max(check.worth - 1, NOTHING))
        else:
            yield check


_Found = Iterator[tuple[Check, str]]


def _in_body(body: Sequence[ast.stmt], reach: str, values: Values, unused: set[str]) -> _Found:
    for statement in body:
        yield from _in_statement(statement, reach, values, unused)
        left = _left(statement, values)
        reach = NEVER if left == ALWAYS else _under(reach) if left == SOMETIMES else reach


def _in_statement(node: ast.stmt, reach: str, values: Values, unused: set[str]) -> _Found:
    for body, how in _blocks(node, reach, values, unused):
        yield from _in_body(body, how, values, unused)
    if isinstance(node, ast.Assert):
        yield from ((check, reach) for check in asserted(node, values))
    elif isinstance(node, ast.With | ast.AsyncWith):
        yield from ((check, reach) for item in node.items for check in _in_expression(item, values))
    elif not hasattr(node, "body") and not isinstance(node, ast.Match):
        yield from ((check, reach) for check in _in_expression(node, values))


_Blocks = Iterator[tuple[Sequence[ast.stmt], str]]


def _blocks(node: ast.stmt, reach: str, values: Values, unused: set[str]) -> _Blocks:
    """The blocks inside a statement, with how sure it is that the way leads there."""
    match node:
        case ast.If(test=test, body=body, orelse=other):
            yield body, _if(test, reach, values)
            yield other, _if(ast.UnaryOp(ast.Not(), test), reach, values)
        case ast.While(test=test, body=body, orelse=other):
            yield body, _if(test, reach, values)
            yield other, reach
        case ast.For(iter=items, body=body, orelse=other) | ast.AsyncFor(iter=items, body=body, orelse=other):
            yield body, NEVER if fails(items, values) else reach
            yield other, reach
        case ast.With(items=items, body=body) | ast.AsyncWith(items=items, body=body):
            yield body, NEVER if any(map(_suppresses, items)) else reach
        case ast.FunctionDef(name=name, body=body) | ast.AsyncFunctionDef(name=name, body=body):
            yield body, NEVER if name in unused else reach
        case ast.ClassDef(body=body):
            yield body, reach
        case ast.Try() | ast.TryStar():
            yield node.body, NEVER if swallows(node) else reach
            yield from ((block, _under(reach)) for block in (*(one.body for one in node.handlers), node.orelse))
            yield node.finalbody, reach
        case ast.Match(cases=cases):
            yield from ((case.body, _under(reach)) for case in cases)


def _if(test: ast.expr, reach: str, values: Values) -> str:
    return reach if holds(test, values) else NEVER if fails(test, values) else _under(reach)


def _in_expression(node: ast.AST, values: Values) -> Iterator[Check]:
    """Calls that check, and calls of helpers; what is an argument of such a call is no check itself."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call):
        name, by_name = last_name(node.value.func), isinstance(node.value.func, ast.Name)
        if not is_graded(name) and (by_name or name.startswith(_HELPS_BY_NAME)):
            yield Check(node.lineno, ast.dump(node.value), HELPED + name, EXACT, name)
            return
    for part in ast.walk(node):
        if isinstance(part, ast.Call) and (check := called(part, values)) is not None:
            yield check


HELPED = "a call of a helper: "


def _is_help(check: Check, by_name: Mapping[str, tuple[Check, ...]]) -> bool:
    """A call is one of a helper where the function in this file checks something, or its name says so."""
    name = check.subject.removeprefix(HELPED)
    if name == check.subject or name.startswith(_HELPS_BY_NAME):
        return True
    return any(not one.subject.startswith(HELPED) for one in by_name.get(name, ()))


def _expanded(checks: Iterable[Check], by_name: Mapping[str, tuple[Check, ...]]) -> Iterator[Check]:
    """The checks of helpers in the same file in place of the calls, to any depth that ends."""
    todo, seen, count = list(checks), set[str](), 0
    while todo and count < _EXPANDED_MAX:
        check = todo.pop(0)
        name = check.subject.removeprefix(HELPED)
        if name != check.subject and name in by_name:
            if name not in seen:
                seen.add(name)
                todo = [*by_name[name], *todo]
            continue
        count += 1
        yield check


# --- where the way leads ---


def _under(reach: str) -> str:
    return SOMETIMES if reach == ALWAYS else reach


def _left(node: ast.stmt, values: Values) -> str:
    """Whether what follows in the same block is left out: always, sometimes or never."""
    match node:
        case ast.Return() | ast.Raise() | ast.Continue() | ast.Break():
            return ALWAYS
        case ast.Expr(value=ast.Call(func=function)) if last_name(function) in _LEAVES:
            return ALWAYS
        case ast.If(test=test, body=body, orelse=other):
            ways = [_leaves(body, values), _leaves(other, values)]
            if holds(test, values) or fails(test, values):
                return ways[0] if holds(test, values) else ways[1]
            return ALWAYS if ways == [ALWAYS, ALWAYS] else NEVER if ways == [NEVER, NEVER] else SOMETIMES
        case ast.With(body=body) | ast.AsyncWith(body=body):
            return _leaves([part for part in body if not isinstance(part, ast.Raise)], values)
        case ast.For(body=body) | ast.While(body=body):
            return SOMETIMES if any(isinstance(part, ast.Return) for part in own_nodes(node)) else NEVER
        case ast.Try(body=body, handlers=handlers):
            found = _leaves([part for part in body if isinstance(part, ast.Return)], values)
            caught = any(_leaves(handler.body, values) != NEVER and not _tells(handler) for handler in handlers)
            return found if found != NEVER else SOMETIMES if caught else NEVER
        case _:
            return NEVER


def _leaves(body: Sequence[ast.stmt], values: Values) -> str:
    found = {_left(node, values) for node in body}
    return ALWAYS if ALWAYS in found else SOMETIMES if SOMETIMES in found else NEVER


def swallows(node: ast.Try | ast.TryStar) -> bool:
    """Whether a failed assertion in its body is no failure any more."""
    leaves = (ast.Return, ast.Break, ast.Continue)
    if any(isinstance(part, leaves) for statement in node.finalbody for part in (statement, *own_nodes(statement))):
        return True
    return any(_catches(handler) and not _tells(handler) for handler in node.handlers)


def _catches(handler: ast.ExceptHandler) -> bool:
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    return any(kind is None or last_name(kind) in _SWALLOWED for kind in kinds)


def _tells(handler: ast.ExceptHandler) -> bool:
    """It raises again, or fails in words of its own."""
    return any(
        isinstance(part, ast.Raise | ast.Assert) or (isinstance(part, ast.Call) and last_name(part.func) == "fail")
        for statement in handler.body
        for part in (statement, *own_nodes(statement))
    )


def _suppresses(item: ast.withitem) -> bool:
    """`suppress(AssertionError)`, and `raises(AssertionError)`, which wants the assertion to fail."""
    call = item.context_expr
    if not isinstance(call, ast.Call) or last_name(call.func) not in ("suppress", "raises", "assertRaises"):
        return False
    kinds = [part for each in call.args for part in (each.elts if isinstance(each, ast.Tuple) else [each])]
    return any(last_name(kind) in _SWALLOWED for kind in kinds)


# --- how often it runs ---


def _cases(one: _Defined, values: Values) -> Iterator[int | None]:
    for decorator in one.decorators:
        if isinstance(decorator, ast.Call):
            name = last_name(decorator.func)
            words = {word.arg: word.value for word in decorator.keywords}
            if name == "parametrize":
                yield _length(decorator.args[1] if len(decorator.args) > 1 else words.get("argvalues"), values)
            elif name == "fixture" and "params" in words:
                yield _length(words["params"], values)
            elif name == "settings" and "max_examples" in words:
                yield _length(words["max_examples"], values)


def _rounds(node: AnyFunction, values: Values) -> int | None:
    loops = [one.iter for one in own_nodes(node) if isinstance(one, ast.For | ast.AsyncFor | ast.comprehension)]
    lengths = [_length(each, values) for each in loops]
    return None if None in lengths else sum(length or 0 for length in lengths)


def _length(node: ast.expr | None, values: Values) -> int | None:
    """Of what is written out; None where that can't be seen."""
    match values.get(node.id, node) if isinstance(node, ast.Name) else node:
        case ast.List(elts=parts) | ast.Tuple(elts=parts) | ast.Set(elts=parts):
            return len(parts)
        case ast.Dict(keys=keys):
            return len(keys)
        case ast.Constant(value=int() as count) if not isinstance(count, bool):
            return count
        case ast.Call(func=ast.Name(id="range"), args=[ast.Constant(value=int() as count)]):
            return count
        case ast.Call(
            func=ast.Name(id="range"), args=[ast.Constant(value=int() as first), ast.Constant(value=int() as last)]
        ):
            return last - first
        case ast.Call(func=ast.Name(id="list" | "tuple" | "sorted" | "enumerate" | "set"), args=[inner, *_]):
            return _length(inner, values)
        case ast.Call(func=ast.Attribute(value=inner, attr="items" | "keys" | "values")):
            return _length(inner, values)
        case ast.BinOp(left=left, op=ast.Add(), right=right):
            one, other = _length(left, values), _length(right, values)
            return None if one is None or other is None else one + other
        case _:
            return None
