"""Whether a patch makes the tests say less: tests removed, skipped or weakened, and settings that decide what runs.

Adding a test or changing what one checks is no finding, only checking less is. What a rewritten assertion is worth
can't be seen here; that is why the base commit's tests run on the patched code as well.
"""

import ast
import configparser
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from autopack.runners.touched import Touched
from autopack.spec.paths import matches

_TEST_FILES = (
    *("**/test_*.py", "**/*_test.py", "**/tests.py", "**/conftest.py", "tests/**/*.py", "test/**/*.py"),
    *(
        "**/tests/**/*.py",
        "**/*.test.*",
        "**/*.spec.*",
        "**/*_test.go",
        "**/*_spec.rb",
        "**/*Test.java",
        "**/*Tests.cs",
    ),
    *("**/__tests__/**", "**/tests/**/*.rs", "!**/*.md"),
)
# Where pytest looks for tests unless it is told otherwise; projects often tell it to look in their tests folder only.
_COLLECTED = (
    *("**/test_*.py", "**/*_test.py", "**/tests.py"),
    *("!**/.*/**", "!**/build/**", "!**/dist/**", "!**/venv/**", "!**/node_modules/**", "!**/*.egg/**"),
)
_IN_TESTS = ("tests/**/*.py", "test/**/*.py", "**/tests/**/*.py")
_SETTINGS = (
    *(
        "**/pytest.ini",
        "**/.pytest.ini",
        "**/pytest.toml",
        "**/.pytest.toml",
        "**/tox.ini",
        "**/tox.toml",
        "**/noxfile.py",
    ),
    *("**/.coveragerc", ".github/workflows/**", ".gitlab-ci.yml", ".circleci/**", "azure-pipelines.yml", "Jenkinsfile"),
)
_SKIPS = frozenset({"skip", "skipif", "xfail", "skipIf", "skipUnless", "skipTest", "expectedFailure", "importorskip"})
_SKIP_OWNERS = frozenset({"pytest", "unittest", "mark", "self"})
_SILENCERS = frozenset({"collect_ignore", "collect_ignore_glob", "__test__"})
_HOOKS = frozenset(
    "pytest_" + name
    for name in (
        *(
            "collection_modifyitems",
            "deselected",
            "ignore_collect",
            "pycollect_makeitem",
            "pyfunc_call",
            "report_teststatus",
        ),
        *(
            "runtest_call",
            "runtest_logreport",
            "runtest_makereport",
            "runtest_protocol",
            "runtest_setup",
            "sessionfinish",
        ),
    )
)
_CHECKING_CALLS = frozenset({"raises", "warns", "deprecated_call", "fail"})

# Other languages: counted, not understood.
_CHECK_TEXT = re.compile(r"\b(?:assert\w*|expect|require|should)\b\s*[.(!]")
_TEST_TEXT = re.compile(r"\b(?:it|test)\s*\(|\bfunc\s+Test\w|@Test\b|#\[test\]")
_SKIP_TEXT = re.compile(
    r"\b(?:it|test|describe)\.(?:skip|only|todo)\b|\bx(?:it|test|describe)\s*\(|\bt\.Skip|@Disabled|@Ignore|#\[ignore"
)


class Weakening(NamedTuple):
    """`about_settings`: what decides which tests run and how, rather than a test."""

    path: str
    line: int
    message: str
    about_settings: bool = False


def is_test(path: str) -> bool:
    return matches(path, _TEST_FILES)


def is_collected(path: str) -> bool:
    """Whether pytest takes it for a file of tests by its name, not for a script or a helper."""
    return matches(path, _COLLECTED)


def weakenings(files: Sequence[Touched], ci_files: Sequence[str]) -> Iterator[Weakening]:
    """`ci_files` are the CI profile's own. A test that moved to another touched file is still there, if it is run."""
    tests = [file for file in files if any(map(is_test, file.names))]
    measured = {file.path: _functions(file.new_tree) for file in tests}
    for file in files:
        yield from _settings(file, ci_files)
        if file not in tests:
            continue
        if file.after is None and file.suffix != ".py":
            yield Weakening(file.path, 0, "the test file is removed")
        elif file.suffix != ".py" and not _still_run(file.names[0], file.path):
            yield Weakening(file.path, 0, f"the test file {file.names[0]} gets a name that no test runner looks for")
        elif file.suffix == ".py":
            yield from _fewer_checks(file, _functions(file.old_tree), measured)
            yield from _new_skips(file)
        else:
            yield from _counted(file)


def _still_run(old: str, new: str) -> bool:
    """Whether what finds tests at `old` finds them at `new` as well."""
    return all(matches(new, kind) or not matches(old, kind) for kind in (_TEST_FILES, _COLLECTED, _IN_TESTS))


# --- Python ---


class _Function(NamedTuple):
    """What a function of a test file checks: assertions, and the sets of parameters it runs with."""

    is_test: bool
    line: int
    checks: int
    cases: int


def _functions(tree: ast.Module | None) -> dict[str, _Function]:
    """Tests, and helpers that check something."""
    found: dict[str, _Function] = {}
    todo: list[tuple[str, ast.AST]] = [("", tree)] if tree else []
    while todo:
        prefix, scope = todo.pop()
        for node in getattr(scope, "body", []):
            if isinstance(node, ast.ClassDef):
                todo.append((f"{prefix}{node.name}.", node))
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                checks = sum(map(_is_check, ast.walk(node)))
                if checks or node.name.startswith("test"):
                    one = _Function(node.name.startswith("test"), node.lineno, checks, _cases(node))
                    found[prefix + node.name] = one
    return found


def _is_check(node: ast.AST) -> bool:
    if isinstance(node, ast.Assert):
        return True
    if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
        return False
    return node.func.attr.startswith("assert") or node.func.attr in _CHECKING_CALLS


def _cases(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """How many sets of parameters are written out for it."""
    lists = [
        decorator.args[1]
        for decorator in function.decorator_list
        if isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr == "parametrize"
        and len(decorator.args) > 1
    ]
    return sum(len(one.elts) for one in lists if isinstance(one, ast.List | ast.Tuple))


def _fewer_checks(
    file: Touched, before: Mapping[str, _Function], measured: Mapping[str, Mapping[str, _Function]]
) -> Iterator[Weakening]:
    if file.after is not None and file.new_tree is None:
        return  # it doesn't parse: that is another rule's finding
    run = {path: _run_at(path, file.names[0], functions) for path, functions in measured.items()}
    after = run[file.path]
    there = {name.rpartition(".")[2]: one for functions in run.values() for name, one in functions.items()}
    for name, old in before.items():
        new = after.get(name) or there.get(name.rpartition(".")[2])
        if new is None:
            what = "test" if old.is_test else "helper that checks something"
            yield Weakening(file.path, 0, f"the {what} {name} is removed")
        elif new.checks < old.checks:
            yield Weakening(file.path, new.line, f"{name} has {new.checks} assertions, it had {old.checks}")
        elif new.cases < old.cases:
            yield Weakening(file.path, new.line, f"{name} runs with {new.cases} sets of parameters, it had {old.cases}")


def _run_at(path: str, old: str, functions: Mapping[str, _Function]) -> Mapping[str, _Function]:
    """What can stand in for a function that was at `old`: helpers may be anywhere, tests where tests are run."""
    return functions if _still_run(old, path) else {name: one for name, one in functions.items() if not one.is_test}


def _new_skips(file: Touched) -> Iterator[Weakening]:
    before = [name for name, _ in _silencing(file.old_tree)]
    for name, line in _silencing(file.new_tree):
        if name in before:
            before.remove(name)
        else:
            yield Weakening(file.path, line, f"new {name}: tests that would have run don't count any more")


def _silencing(tree: ast.Module | None) -> Iterator[tuple[str, int]]:
    imported = _imported_skips(tree)
    for node in ast.walk(tree) if tree else ():
        match node:
            case ast.Attribute(attr=name, value=owner) if name in _SKIPS and _last_part(owner) in _SKIP_OWNERS:
                yield name, node.lineno
            case ast.Name(id=name, ctx=ast.Load()) if name in imported:
                yield name, node.lineno
            case ast.Name(id=name, ctx=ast.Store()) if name in _SILENCERS:
                yield name, node.lineno
            case ast.FunctionDef(name=name) if name in _HOOKS:
                yield name, node.lineno


def _imported_skips(tree: ast.Module | None) -> set[str]:
    return {
        alias.asname or alias.name
        for node in (tree.body if tree else ())
        if isinstance(node, ast.ImportFrom) and node.module in ("pytest", "unittest")
        for alias in node.names
        if alias.name in _SKIPS
    }


def _last_part(node: ast.expr) -> str:
    return node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")


# --- other languages ---


def _counted(file: Touched) -> Iterator[Weakening]:
    old, new = file.old_text or "", file.new_text or ""
    for pattern, what in ((_TEST_TEXT, "tests"), (_CHECK_TEXT, "assertions")):
        before, after = len(pattern.findall(old)), len(pattern.findall(new))
        if after < before:
            yield Weakening(file.path, 0, f"has {after} {what}, it had {before}")
    if len(_SKIP_TEXT.findall(new)) > len(_SKIP_TEXT.findall(old)):
        yield Weakening(file.path, 0, "skips tests that would have run")


# --- settings ---


def _settings(file: Touched, ci_files: Sequence[str]) -> Iterator[Weakening]:
    for path in file.names:
        name = path.rpartition("/")[2]
        if matches(path, [*_SETTINGS, *ci_files], ignore_case=True):
            yield Weakening(path, 0, "decides which tests run and how", about_settings=True)
        elif name in _PARTS and _PARTS[name](file.old_text) != _PARTS[name](file.new_text):
            yield Weakening(path, 0, "changes the settings of pytest or coverage", about_settings=True)


def _toml_settings(text: str | None) -> Any:
    try:
        tool = tomllib.loads(text or "").get("tool", {})
    except (ValueError, RecursionError):  # also a number beyond Python's limit on digits
        return text  # unreadable: any difference counts
    return {name: tool.get(name) for name in ("pytest", "coverage", "tox")} if isinstance(tool, dict) else tool


def _cfg_settings(text: str | None) -> Any:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text or "")
    except configparser.Error:
        return text
    return {
        name: dict(parser[name]) for name in parser.sections() if name.startswith(("tool:pytest", "coverage", "tox"))
    }


# Files of which only some settings are about tests.
_PARTS: Mapping[str, Callable[[str | None], Any]] = {"pyproject.toml": _toml_settings, "setup.cfg": _cfg_settings}
