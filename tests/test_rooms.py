"""The house rule: a room imports only rooms to its left, and each outside package has one door.

Read from the source, so that an import inside a function or under TYPE_CHECKING counts like any other.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

HOUSE = Path(__file__).parent.parent / "autopack"
ROOMS = ("problem", "spec", "plan", "run", "journal", "runners", "drive", "views")
ENTRANCES = {"__init__": (), "__main__": ("views",)}
DOORS = {  # a folder ends with a slash
    "alembic": ("journal/",),
    "click": ("views/cli/",),
    "fastapi": ("views/api/",),
    "git": ("runners/git/command.py",),
    "jinja2": ("spec/template.py", "plan/prompt.py"),
    "jsonschema": ("spec/schema.py",),
    "litellm": ("runners/model/library.py",),
    "lsprotocol": ("views/lsp/",),
    "networkx": ("plan/graph.py",),
    "pydantic": ("views/api/",),
    "pygls": ("views/lsp/",),
    "sqlalchemy": ("journal/",),
    "starlette": ("views/api/",),
    "uvicorn": ("views/api/",),
    "yaml": ("spec/parser.py",),
}
LAZY = {"jinja2", "litellm", "networkx"}  # slow to import: only inside the function that needs them
WORLD = {"os", "pathlib", "subprocess", "threading", "time", "random", "socket"} | {  # and other ways to the same
    *("asyncio", "concurrent", "glob", "http", "io", "locale", "logging", "multiprocessing", "platform", "secrets"),
    *("select", "selectors", "shutil", "signal", "sqlite3", "ssl", "sys", "tempfile", "urllib"),
}
UNFOUND_NOUNS = {"utils", "helpers", "common", "core", "base", "manager", "handler", "service"}


def imports(source: str) -> Iterator[tuple[str, bool]]:
    """Every module named by an import statement or a call of import_module, and whether it loads with the file."""
    tree = ast.parse(source)
    scopes = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    inside = {id(node) for scope in scopes for node in ast.walk(scope)}
    for node in ast.walk(tree):
        for name in _named(node):
            yield name, id(node) not in inside


def _named(node: ast.AST) -> list[str]:
    match node:
        case ast.Import(names=names):
            return [name.name for name in names]
        case ast.ImportFrom(module=module, names=names, level=0):
            return [f"{module}.{name.name}" for name in names]
        case ast.ImportFrom():
            return ["(a relative import)"]
        case ast.Call(
            func=ast.Name(id="__import__" | "import_module") | ast.Attribute(attr="import_module"),
            args=[ast.Constant(value=str(name)), *_],
        ):
            return [name]
    return []


def faults(path: str, source: str) -> list[str]:
    """What the file at `path`, given from the package's folder ("plan/graph.py"), has no right to."""
    room = PurePosixPath(path).parts[0].removesuffix(".py")
    found = [f"{path}: {noun} is not a noun" for noun in UNFOUND_NOUNS & set(path.removesuffix(".py").split("/"))]
    if room not in ROOMS and room not in ENTRANCES:
        return [*found, f"{path}: {room} is not a room"]
    allowed = ENTRANCES[room] if room in ENTRANCES else ROOMS[: ROOMS.index(room) + 1]
    for module, at_once in imports(source):
        top, _, rest = module.partition(".")
        target = rest.partition(".")[0]
        if top == "autopack":
            bad = target not in {*allowed, "", "__version__"}
        elif top in sys.stdlib_module_names:
            bad = room in {"plan", "run"} and top in WORLD
        else:
            bad = not path.startswith(DOORS.get(top, ())) or (at_once and top in LAZY)
        if bad:
            found.append(f"{path}: {module}")
    return found


def test_a_room_imports_only_rooms_to_its_left_and_outside_packages_only_at_their_doors():
    files = {file.relative_to(HOUSE).as_posix(): file.read_text() for file in HOUSE.rglob("*.py")}
    assert sorted(fault for path, source in files.items() for fault in faults(path, source)) == []


@pytest.mark.parametrize(
    ("path", "source", "fault"),
    [
        ("plan/model.py", "from autopack.run import state", "autopack.run.state"),
        ("plan/model.py", "from autopack import run", "autopack.run"),
        ("plan/model.py", "import autopack.run.state", "autopack.run.state"),
        ("plan/model.py", "if TYPE_CHECKING:\n    from autopack.views import text", "autopack.views.text"),
        ("spec/judge.py", "def f():\n    from autopack.plan.graph import order", "autopack.plan.graph.order"),
        ("spec/judge.py", "importlib.import_module('autopack.plan')", "autopack.plan"),
        ("spec/judge.py", "from . import model", "(a relative import)"),
        ("spec/judge.py", "import yaml", "yaml"),
        ("spec/judge.py", "def f():\n    from yaml import load", "yaml.load"),
        ("spec/judge.py", "import numpy", "numpy"),
        ("spec/template.py", "import jinja2", "jinja2"),
        ("run/machine.py", "import time", "time"),
        ("plan/compiler.py", "from os.path import join", "os.path.join"),
        ("__init__.py", "from autopack import views", "autopack.views"),
        ("__main__.py", "from autopack.drive import loop", "autopack.drive.loop"),
        ("tools.py", "", "tools is not a room"),
        ("plan/utils.py", "", "utils is not a noun"),
    ],
)
def test_the_rule_can_be_broken(path: str, source: str, fault: str):
    assert faults(path, source) == [f"{path}: {fault}"]


def test_what_the_rule_allows():
    assert faults("spec/parser.py", "import yaml, os\nfrom autopack.problem import Span") == []
    assert faults("spec/template.py", "def f():\n    import jinja2") == []
    assert faults("views/cli/run.py", "import click, autopack\nfrom autopack import __version__, drive") == []
    assert faults("journal/store.py", "from sqlalchemy import exc\nimport alembic.config, sqlite3") == []
