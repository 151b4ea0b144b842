"""Which test shows which requirement: docs/requirements.yaml joined with the numbers that tests name.

A test shows a requirement when its docstring names it (`REQ-5.2-3`). The docstring of a test class or module counts
for every test in it that names none itself.
"""

import ast
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import yaml

NUMBER = re.compile(r"REQ-[0-9A-Z.]+-[0-9]+")
SOURCE = "docs/requirements.yaml"


class Shown(NamedTuple):
    """A test that names a requirement: `path` relative to the repository, `name` as pytest knows it."""

    path: str
    name: str


def requirements(root: Path) -> dict[str, dict[str, str]]:
    """Section -> number -> what is required, in the order of the file."""
    sections: dict[str, dict[str, str]] = yaml.safe_load((root / SOURCE).read_text(encoding="utf-8"))
    return sections


def shown(root: Path) -> dict[str, list[Shown]]:
    """Number -> the tests that name it, by path."""
    found: dict[str, list[Shown]] = {}
    for path in sorted((root / "tests").rglob("test_*.py")):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        for number, test in _named(tree, path.relative_to(root).as_posix()):
            found.setdefault(number, []).append(test)
    return found


def _named(
    node: ast.Module | ast.ClassDef, path: str, inherited: frozenset[str] = frozenset()
) -> Iterator[tuple[str, Shown]]:
    around = inherited | _numbers(node)
    for inner in node.body:
        if isinstance(inner, ast.ClassDef):
            yield from _named(inner, path, around)
        elif isinstance(inner, ast.FunctionDef | ast.AsyncFunctionDef) and inner.name.startswith("test"):
            for number in sorted(_numbers(inner) or around):
                yield number, Shown(path, inner.name)


def _numbers(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> frozenset[str]:
    return frozenset(NUMBER.findall(ast.get_docstring(node) or ""))


def page(root: Path, made: str) -> str:
    """The page: a table a section, and how many are shown. `made` says who writes it."""
    tests = shown(root)
    sections = requirements(root)
    every = [number for rows in sections.values() for number in rows]
    covered = sum(number in tests for number in every)
    parts = [
        f"# Requirements\n\n{made}\n",
        f"What the build playbook asks for, a line each, and the tests that show it: {covered} of {len(every)}.\n",
    ]
    for title, rows in sections.items():
        parts += [f"## {title}\n", "| number | what is required | shown by |\n| --- | --- | --- |"]
        parts += [f"| {number} | {text} | {_cell(number, tests)} |" for number, text in rows.items()]
        parts.append("")
    return "\n".join(parts)


def _cell(number: str, tests: Mapping[str, list[Shown]]) -> str:
    return _links(tests[number]) if number in tests else "-"


def _links(tests: list[Shown], at_most: int = 3) -> str:
    """The first few tests; the rest as a number. No lines: they move with every edit."""
    links = [f"[{test.name.removeprefix('test_').replace('_', ' ')}](../{test.path})" for test in tests[:at_most]]
    more = len(tests) - at_most
    return "; ".join(links) + (f"; {more} more" if more > 0 else "")


def unshown(root: Path) -> list[str]:
    """Numbers that no test names, in the order of the list."""
    tests = shown(root)
    return [number for rows in requirements(root).values() for number in rows if number not in tests]


def unknown(root: Path) -> Mapping[str, list[Shown]]:
    """Numbers that tests name and the list does not have."""
    known = {number for rows in requirements(root).values() for number in rows}
    return {number: tests for number, tests in shown(root).items() if number not in known}
