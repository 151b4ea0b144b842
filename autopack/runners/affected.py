"""Which test files a patch can affect: what they import, directly or not, by the files as they stand.

A static graph over the Python files of the candidate, joined with that of its base for what was removed or renamed. A
test file is affected when it changed, or when it reaches a changed module through imports (a package's `__init__` and
every `conftest.py` above count as imported), or names a changed file that is no Python by its name.

Whenever the graph can't be trusted, everything runs, and the reason is told: a changed setting or requirement, a file
that doesn't parse, a changed conftest, plugins, an import whose name is made at run time and whose targets may be what
changed, a changed file that nobody names, no test file reached.
"""

import ast
import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from autopack.runners.ci.selection import Selection
from autopack.runners.integrity import is_collected
from autopack.runners.touched import parsed, text_of
from autopack.spec.paths import matches

_PROSE = ("**/*.md", "**/*.rst", "**/*.adoc", "docs/**", "LICENSE*", "CHANGELOG*", ".gitignore", "**/.gitkeep")
_SETTINGS = (
    *("**/*.toml", "**/*.cfg", "**/*.ini", "**/*.lock", "**/requirements*", "**/Pipfile*", "**/.coveragerc"),
    *("**/Makefile", "**/*.mk", ".github/**", "**/Dockerfile*", "**/*.pth", "**/*.so", "**/*.pyx", "**/*.c"),
)
_DYNAMIC = frozenset({"import_module", "__import__", "load_module", "exec_module", "spec_from_file_location"})
_WORD = re.compile(r"[\w.-]+")


def is_read(path: str) -> bool:
    return path.endswith(".py")


@dataclass(frozen=True)
class Tree:
    """Every path of a commit, and the content of its Python files."""

    paths: frozenset[str]
    files: Mapping[str, bytes]

    @cached_property
    def modules(self) -> Mapping[str, "_Module"]:
        return {path: _module(path, data) for path, data in self.files.items() if is_read(path)}

    @cached_property
    def names(self) -> Mapping[str, frozenset[str]]:
        """Dotted name -> the files that it may be."""
        found: dict[str, set[str]] = {}
        for path in self.modules:
            for name in _dotted(path):
                found.setdefault(name, set()).add(path)
        return {name: frozenset(paths) for name, paths in found.items()}


@dataclass(frozen=True, slots=True)
class _Module:
    """What a file imports (dotted names), which words stand in its texts, and what keeps it from being understood."""

    imports: frozenset[str] = field(default_factory=frozenset)
    words: frozenset[str] = field(default_factory=frozenset)
    parses: bool = True
    dynamic: bool = False


class _Unsure(Exception):
    pass


def select(now: Tree, before: Tree, changed: Sequence[str]) -> Selection:
    """The test files that the changed paths can affect; everything where that can't be told."""
    try:
        paths = _affected(now, before, [path for path in changed if not matches(path, _PROSE)])
    except _Unsure as why:
        return Selection(None, f"every test: {why}")
    tests = sum(is_collected(path) for path in now.modules)
    return Selection(paths, f"{len(paths)} of {tests} test files can be affected by the patch")


def reached(now: Tree, before: Tree, changed: Sequence[str]) -> frozenset[str] | None:
    """The test files that the changed paths can affect, which may be none; None where that can't be told."""
    try:
        return frozenset(_reached(now, before, [path for path in changed if not matches(path, _PROSE)]))
    except _Unsure:
        return None


def _affected(now: Tree, before: Tree, changed: Sequence[str]) -> tuple[str, ...]:
    found = _reached(now, before, changed)
    if not found:
        raise _Unsure("no test file imports what changed" if changed else "nothing but prose changed")
    return found


def _reached(now: Tree, before: Tree, changed: Sequence[str]) -> tuple[str, ...]:
    code = [path for path in changed if is_read(path)]
    for path in code:
        _understood(path, now)
    starts = frozenset(code)
    if _reached_dynamically(now, before, starts):
        raise _Unsure("an import whose name is made at run time reaches what changed, or may")
    dependents = _dependents(now, before, starts | _users(now, [path for path in changed if not is_read(path)]))
    return tuple(sorted(path for path in dependents if path in now.paths and is_collected(path)))


def _understood(path: str, tree: Tree) -> None:
    name = posixpath.basename(path)
    if name in ("conftest.py", "setup.py", "noxfile.py", "sitecustomize.py"):
        raise _Unsure(f"{path} changed, which decides how tests run")
    if path in tree.modules and not tree.modules[path].parses:
        raise _Unsure(f"{path} can't be parsed")


def _users(now: Tree, others: Sequence[str]) -> frozenset[str]:
    """Modules that name a changed file which is no Python; a file that nobody names may be read by anybody."""
    found: set[str] = set()
    for path in others:
        if matches(path, _SETTINGS):
            raise _Unsure(f"{path} changed, which may decide anything")
        name = posixpath.basename(path)
        users = {user for user, module in now.modules.items() if name in module.words}
        if not users:
            raise _Unsure(f"{path} changed, and no Python file names it")
        found |= users
    return frozenset(found)


def _reached_dynamically(now: Tree, before: Tree, starts: frozenset[str]) -> bool:
    """Whether a module that imports by computed names exists: it may import any of what changed."""
    return bool(starts) and any(m.dynamic for tree in (now, before) for m in tree.modules.values())


def _dependents(now: Tree, before: Tree, starts: frozenset[str]) -> frozenset[str]:
    users: dict[str, set[str]] = {}
    for tree in (now, before):
        for path in tree.modules:
            for used in _uses(path, tree):
                users.setdefault(used, set()).add(path)
    reached, todo = set(starts), list(starts)
    while todo:
        for user in users.get(todo.pop(), ()):
            if user not in reached:
                reached.add(user)
                todo.append(user)
    return frozenset(reached)


def _uses(path: str, tree: Tree) -> Iterator[str]:
    """Files that loading this one loads: what it imports, the packages on the way, and every conftest above it."""
    for name in tree.modules[path].imports:
        parts = name.split(".")
        for count in range(1, len(parts) + 1):
            yield from tree.names.get(".".join(parts[:count]), ())
    folder = posixpath.dirname(path)
    while True:
        for beside in ("__init__.py", "conftest.py"):
            near = posixpath.join(folder, beside)
            if near in tree.modules and near != path and (beside == "__init__.py" or _is_test_side(path)):
                yield near
        if not folder:
            return
        folder = posixpath.dirname(folder)


def _is_test_side(path: str) -> bool:
    return is_collected(path) or posixpath.basename(path) == "conftest.py"


def _dotted(path: str) -> Iterator[str]:
    """Every name under which a file may be imported: whichever of its folders imports begin at."""
    stem = path.removesuffix(".py").removesuffix("/__init__")
    parts = stem.split("/")
    for start in range(len(parts)):
        yield ".".join(parts[start:])


def _module(path: str, data: bytes) -> _Module:
    text = text_of(data)
    tree = parsed(text)[0] if text is not None else None
    if text is None or tree is None:
        return _Module(parses=False, words=frozenset(_WORD.findall(text or "")))
    imports = {name for node in ast.walk(tree) for name in _imported(node, path)}
    return _Module(frozenset(imports), frozenset(_words(tree)), parses=True, dynamic=_is_dynamic(tree))


def _imported(node: ast.AST, path: str) -> Iterator[str]:
    match node:
        case ast.Import(names=names):
            yield from (alias.name for alias in names)
        case ast.ImportFrom(module=module, names=names, level=level):
            base = _absolute(path, level, module or "") if level else module or ""
            yield base
            yield from (f"{base}.{alias.name}" if base else alias.name for alias in names if alias.name != "*")
        case ast.Call(args=[ast.Constant(value=str(name)), *_]) if _called(node) in ("import_module", "__import__"):
            yield name.lstrip(".")
        case ast.Call(args=[ast.Constant(value=str(name)), *_]) if _called(node) in (
            "patch",
            "importorskip",
            "setattr",
        ):
            yield name
        case ast.Assign(targets=[ast.Name(id="pytest_plugins")], value=value):
            yield from (n.value for n in ast.walk(value) if isinstance(n, ast.Constant) and isinstance(n.value, str))


def _absolute(path: str, level: int, module: str) -> str:
    folder = posixpath.dirname(path)
    for _ in range(level - 1):
        folder = posixpath.dirname(folder)
    return ".".join(part for part in (folder.replace("/", "."), module) if part)


def _called(node: ast.AST) -> str:
    target = node.func if isinstance(node, ast.Call) else node
    return target.attr if isinstance(target, ast.Attribute) else getattr(target, "id", "")


def _is_dynamic(tree: ast.Module) -> bool:
    """An import by a name that isn't written out."""
    return any(
        isinstance(node, ast.Call)
        and _called(node) in _DYNAMIC
        and not (node.args and isinstance(node.args[0], ast.Constant) and not str(node.args[0].value).startswith("."))
        for node in ast.walk(tree)
    )


def _words(tree: ast.Module) -> Iterator[str]:
    """Words of its texts, so that a file's name inside a path counts."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from _WORD.findall(node.value)
