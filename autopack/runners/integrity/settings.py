"""Files that decide which tests run and how: settings of test runners, CI of others, what stands in a tool's place."""

import configparser
import json
import posixpath
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from autopack.runners.integrity.weakening import Weakening
from autopack.runners.touched import Touched
from autopack.spec.paths import matches

_SETTINGS = (
    *("**/pytest.ini", "**/.pytest.ini", "**/pytest.toml", "**/.pytest.toml", "**/tox.ini", "**/tox.toml"),
    *("**/noxfile.py", "**/.coveragerc", "**/codecov.yml", "**/.codecov.yml", ".github/workflows/**"),
    *(".github/actions/**", ".gitlab-ci.yml", ".circleci/**", "azure-pipelines.yml", "Jenkinsfile"),
    *("**/jest.config.*", "**/vitest.config.*", "**/playwright.config.*", "**/.mocharc.*", "**/karma.conf.*"),
    *("**/phpunit.xml", "**/phpunit.xml.dist", "**/.rspec"),
)
# What Python runs before anything else, and what `python -m pytest` would take for the tool itself: the folder it is
# started in comes first on its path, and `src` is where projects point PYTHONPATH to.
_BEFORE_ALL = ("**/sitecustomize.py", "**/usercustomize.py", "**/*.pth")
_TOOLS = (
    *("pytest", "_pytest", "py", "pluggy", "iniconfig", "unittest", "doctest", "coverage", "pytest_cov", "xdist"),
    *("hypothesis", "tox", "nox", "mypy", "ruff"),
)
_INSTEAD = tuple(
    f"{folder}{tool}{end}" for folder in ("", "src/") for tool in _TOOLS for end in (".py", "/__init__.py")
)


def settings(file: Touched, ci_files: Sequence[str]) -> Iterator[Weakening]:
    for path in file.names:
        name = posixpath.basename(path)
        if path in ci_files or matches(path, ci_files, ignore_case=True):
            yield Weakening(path, 0, "is run by CI or a probe to judge this very patch", about_settings=True)
        elif matches(path, _SETTINGS, ignore_case=True):
            yield Weakening(path, 0, "decides which tests run and how", about_settings=True)
        elif file.after is not None and file.before is None and matches(path, (*_BEFORE_ALL, *_INSTEAD)):
            yield Weakening(path, 0, "is run in place of a tool, or before it", about_settings=True)
        elif name in _PARTS and (changed := _changed(_PARTS[name](file.old_text), _PARTS[name](file.new_text))):
            message = f"changes the settings of pytest or coverage ({changed})"
            yield Weakening(path, 0, message, about_settings=True)


def _changed(old: Mapping[str, Any] | None, new: Mapping[str, Any] | None) -> str:
    """The names of what differs; what can't be read differs."""
    if old is None or new is None:
        return "" if old is new else "it can't be read"
    names = sorted(name for name in old.keys() | new.keys() if old.get(name) != new.get(name))
    return ", ".join(names[:5]) + (" ..." if names[5:] else "")


def _flat(value: object, name: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{name}.{key}" if name else str(key))
    else:
        yield name, value


def _toml(text: str | None) -> Mapping[str, Any] | None:
    try:
        read = tomllib.loads(text or "")
    except (ValueError, RecursionError):  # also a number beyond Python's limit on digits
        return None
    kept = dict(_flat(read, ""))
    prefixes = (
        "tool.pytest",
        "tool.coverage",
        "tool.tox",
        "tool.hatch.envs",
        "tool.nox",
        "project.entry-points.pytest11",
    )
    return {name: value for name, value in kept.items() if name.startswith(prefixes)}


def _cfg(text: str | None) -> Mapping[str, Any] | None:
    parser = configparser.RawConfigParser(strict=False)
    try:
        parser.read_string(text or "")
    except configparser.Error:
        return None
    kept = {
        f"{section}.{key}": value
        for section in parser.sections()
        if section.startswith(("tool:pytest", "coverage", "tox"))
        for key, value in parser[section].items()
    }
    plugins = parser.get("options.entry_points", "pytest11", fallback=None)
    return {**kept, **({"options.entry_points.pytest11": plugins} if plugins else {})}


def _json(text: str | None) -> Mapping[str, Any] | None:
    """Of a package.json: which command `npm test` is, and what its runners are told there."""
    try:
        read = json.loads(text or "{}")
    except (ValueError, RecursionError):
        return None
    wanted = ("scripts", "jest", "mocha", "vitest", "ava", "c8", "nyc")
    kept = {name: read[name] for name in wanted if name in read} if isinstance(read, dict) else {}
    return dict(_flat(kept, ""))


# Files of which only some settings are about tests.
_PARTS: Mapping[str, Callable[[str | None], Mapping[str, Any] | None]] = {
    "pyproject.toml": _toml,
    "setup.cfg": _cfg,
    "package.json": _json,
}
