"""What keeps tests from running or from counting: skips, marks that leave a test out, hooks, swallowed errors."""

import ast
from collections import Counter
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from autopack.runners.integrity.suite import AnyFunction, own_nodes, swallows
from autopack.runners.integrity.truth import last_name
from autopack.runners.integrity.weakening import Weakening
from autopack.runners.touched import Touched

_SKIPS = frozenset(
    {"skip", "skipif", "xfail", "skipIf", "skipUnless", "skipTest", "SkipTest", "expectedFailure", "importorskip"}
)
_IN_WORDS = frozenset({"skip", "xfail", "skipTest", "SkipTest"})  # their first argument is a reason
_EXITS = frozenset({("pytest", "exit"), ("os", "_exit")})
_OWNERS = frozenset({"pytest", "unittest", "mark", "self"})
_INNER = frozenset({"mark", "case", "outcomes"})
_LIBRARIES = ("pytest", "_pytest", "unittest")
_SILENCERS = frozenset({"collect_ignore", "collect_ignore_glob", "__test__", "pytest_plugins"})
_RUN_BY = frozenset({"runtest", "obj", "_testMethodName"})  # what pytest and unittest call when they run a test
_HOOKS = frozenset(
    "pytest_" + name
    for name in (
        *("cmdline_main", "cmdline_parse", "collect_file", "collection", "collection_modifyitems", "configure"),
        *("deselected", "fixture_setup", "generate_tests", "ignore_collect", "itemcollected", "load_initial_conftests"),
        *("make_parametrize_id", "plugin_registered", "pycollect_makeitem", "pycollect_makemodule", "pyfunc_call"),
        *("report_teststatus", "runtest_call", "runtest_logreport", "runtest_makereport", "runtest_protocol"),
        *("runtest_setup", "runtest_teardown", "runtestloop", "sessionfinish", "sessionstart", "unconfigure"),
    )
)
_HARMLESS = frozenset({"pytest_make_parametrize_id"})


class _Silencer(NamedTuple):
    """`owner` is the test or class it is about, `said` all of it that decides something."""

    name: str
    owner: str
    said: str
    line: int


def new_skips(files: Sequence[Touched], left_out: Collection[str]) -> Iterator[Weakening]:
    """Of all test files together: a test that moves takes its skip along."""
    old = [one for file in files for one in _silencing(file.old_tree, left_out)]
    new = [(file.path, one) for file in files for one in _silencing(file.new_tree, left_out)]
    there = Counter((one.name, one.owner, one.said) for one in old)
    fresh = []
    for path, one in new:
        there[one[:3]] -= 1
        if there[one[:3]] < 0:
            fresh.append((path, one))
    owners = {one.owner for _, one in new}
    orphans = Counter((name, said) for (name, owner, said), count in there.items() if count > 0 and owner not in owners)
    for path, one in sorted(fresh, key=lambda each: (each[0], each[1].line)):
        orphans[one.name, one.said] -= 1
        if orphans[one.name, one.said] < 0:
            yield Weakening(path, one.line, f"new {one.name}: tests that would have run don't count any more")


def _silencing(tree: ast.Module | None, left_out: Collection[str]) -> Iterator[_Silencer]:
    if tree is None:
        return
    known = _Known(_owners(tree), _imported(tree), left_out)
    todo: list[tuple[ast.AST, str]] = [(tree, "")]
    while todo:
        node, owner = todo.pop()
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            owner = node.name
        said_whole = False
        for name, said in _says(node, known):
            yield _Silencer(name, owner, said, getattr(node, "lineno", 0))
            said_whole = True
        todo += [(child, owner) for child in _inside(node, whole=said_whole)]


def _inside(node: ast.AST, *, whole: bool) -> Iterator[ast.AST]:
    """What is left to look at: a call that has been told is not told again by its name."""
    told: Sequence[ast.expr] = []
    if whole and isinstance(node, ast.Call):
        told = [node.func]
    elif whole and isinstance(node, ast.Assign):
        told = node.targets
    return (child for child in ast.iter_child_nodes(node) if child not in told)


class _Known(NamedTuple):
    """By which names pytest, unittest and their skips are known in a file, and the marks that leave tests out."""

    owners: frozenset[str]
    imported: frozenset[str]
    left_out: Collection[str]


def _says(node: ast.AST, known: _Known) -> Iterator[tuple[str, str]]:
    match node:
        case ast.Call():
            yield from _of_call(node, known)
        case ast.Attribute():
            yield from _of_attribute(node, known)
        case ast.Name(id=name, ctx=ast.Load()) if name in known.imported:
            yield name, ""
        case ast.Name(id=name) if name in _SILENCERS or (name in _HOOKS and isinstance(node.ctx, ast.Store)):
            yield name, ""
        case ast.Assign(targets=[ast.Name(id=name)], value=value) if name in _SILENCERS:
            yield name, ast.dump(value)
        case ast.FunctionDef() | ast.AsyncFunctionDef():
            yield from _of_function(node)


def _of_call(node: ast.Call, known: _Known) -> Iterator[tuple[str, str]]:
    match node.func:
        case ast.Attribute(attr=name, value=owner) if name in _SKIPS and last_name(owner) in known.owners:
            yield name, _arguments(node, name)
        case ast.Name(id=name) if name in known.imported:
            yield name, _arguments(node, name)
        case ast.Name(id="getattr") if node.args and last_name(node.args[0]) in known.owners - {"self"}:
            yield f"getattr of {last_name(node.args[0])}", _arguments(node)
        case _ if any(map(_names_a_hook, node.keywords)):
            yield "hook under another name", _arguments(node)


def _of_attribute(node: ast.Attribute, known: _Known) -> Iterator[tuple[str, str]]:
    name, owner = node.attr, last_name(node.value)
    if owner in known.owners and (name in _SKIPS or name in known.left_out):
        yield name, ""
    elif (owner, name) in _EXITS:
        yield f"{owner}.{name}", ""
    elif name in _RUN_BY and owner in ("item", "node") and isinstance(node.ctx, ast.Store):
        yield name, ""


def _of_function(node: AnyFunction) -> Iterator[tuple[str, str]]:
    if node.name in _HOOKS - _HARMLESS and not _only_registers(node):
        yield node.name, "\n".join(map(ast.dump, node.body))
    if node.name == "__exit__" and any(_says_true(part) for part in own_nodes(node)):
        yield "__exit__ that swallows errors", ""
    taken = {argument.arg for argument in (*node.args.args, *node.args.posonlyargs, *node.args.kwonlyargs)}
    for part in ast.walk(node):
        if isinstance(part, ast.Try | ast.TryStar) and swallows(part) and _runs_others(part, taken):
            yield "except that swallows failures", ""
        if isinstance(part, ast.With | ast.AsyncWith) and _suppressing(part) and _runs_others(part, taken):
            yield "suppress that swallows failures", ""


def _runs_others(node: ast.Try | ast.TryStar | ast.With | ast.AsyncWith, taken: Collection[str]) -> bool:
    """A `yield` inside, or a call of what the function was given: fixtures, context managers, decorators."""
    for statement in node.body:
        for part in ast.walk(statement):
            if isinstance(part, ast.Yield):
                return True
            if isinstance(part, ast.Call) and isinstance(part.func, ast.Name) and part.func.id in taken:
                return True
    return False


def _suppressing(node: ast.With | ast.AsyncWith) -> bool:
    calls = [item.context_expr for item in node.items if isinstance(item.context_expr, ast.Call)]
    broad = {"AssertionError", "Exception", "BaseException"}
    return any(last_name(one.func) == "suppress" and any(last_name(arg) in broad for arg in one.args) for one in calls)


def _says_true(node: ast.AST) -> bool:
    return isinstance(node, ast.Return) and isinstance(node.value, ast.Constant) and bool(node.value.value)


def _only_registers(node: AnyFunction) -> bool:
    """`config.addinivalue_line("markers", ...)` decides nothing, nor do words about it."""
    return node.name == "pytest_configure" and all(
        isinstance(each, ast.Pass)
        or (isinstance(each, ast.Expr) and isinstance(each.value, ast.Constant))
        or (isinstance(each, ast.Expr) and "'markers'" in ast.dump(each) and "addinivalue_line" in ast.dump(each))
        for each in node.body
    )


def _names_a_hook(word: ast.keyword) -> bool:
    return word.arg == "specname" and isinstance(word.value, ast.Constant) and word.value.value in _HOOKS


def _arguments(call: ast.Call, name: str = "") -> str:
    """What it decides by; the reason it gives in words is none of it."""
    words = [ast.dump(word) for word in call.keywords if word.arg not in ("reason", "msg")]
    placed = call.args[1:] if name in _IN_WORDS else call.args
    return "\n".join([*map(ast.dump, placed), *sorted(words)])


def _owners(tree: ast.Module) -> frozenset[str]:
    """Names by which pytest, unittest and `pytest.mark` are known here."""
    found = set(_OWNERS)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            module = node.module or "" if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                whole = f"{module}.{alias.name}" if module else alias.name
                if whole.partition(".")[0] in _LIBRARIES and (not module or alias.name in _INNER):
                    found.add(alias.asname or alias.name)
    return frozenset(found)


def _imported(tree: ast.Module) -> frozenset[str]:
    """Skips that are called by their own name."""
    return frozenset(
        alias.asname or alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in _LIBRARIES
        for alias in node.names
        if alias.name in _SKIPS | {"Skipped", "XFailed", "exit"}
    )
