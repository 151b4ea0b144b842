"""`autopack migrate`: a file of an older version in the words of the next, as replacements of single tokens.

Everything the tokens don't touch stays to the byte. A step from one version to the next is data: which keys have a new
name. Version 0 was never published: it is here so that the way is walked and tested before anybody needs it.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from autopack.problem import Fix
from autopack.spec.at import Step, Steps
from autopack.spec.document import Document
from autopack.spec.header import VERSION

EACH = "*"  # every item of a list, every value of a mapping


class Rename(NamedTuple):
    """A key at the end of a way through the file, and what it is called since."""

    way: tuple[str, ...]
    name: str


MIGRATIONS: Mapping[tuple[str, int], Sequence[Rename]] = {
    ("playbook", 0): (
        Rename(("title",), "name"),
        Rename(("tiers", EACH, "title"), "name"),
        Rename(("tiers", EACH, "phases", EACH, "title"), "name"),
        Rename(("tiers", EACH, "phases", EACH, "depends_on"), "needs"),
    ),
}
"""From each version of a kind to the next one."""


class NoWay(ValueError):
    """Why a file can't be migrated."""


def migrated(document: Document) -> list[Fix]:
    """The replacements that lead to the next version; none for a file of the newest. Raises NoWay."""
    kind, version = _header(document)
    if version > VERSION:
        raise NoWay(f"it is of version {version}, and this autopack knows {VERSION}")
    if version == VERSION:
        return []
    renames = MIGRATIONS.get((kind, version))
    if renames is None:
        raise NoWay(f"nothing leads from {kind}/v{version} to v{version + 1}")
    return [
        Fix(document.span(("autopack",)), f"{kind}/v{version + 1}"),
        *(_renamed(document, steps, rename.name) for rename in renames for steps in _ends(document.value, rename.way)),
    ]


def renamed(value: Any, fixes: Mapping[Steps, str], steps: Steps = ()) -> Any:
    """The value with keys renamed: what the file must say when it is done."""
    if isinstance(value, dict):
        pairs = ((key, renamed(item, fixes, (*steps, key))) for key, item in value.items())
        return {fixes.get((*steps, key), key): item for key, item in pairs}
    if isinstance(value, list):
        return [renamed(item, fixes, (*steps, index)) for index, item in enumerate(value)]
    return value


def expected(document: Document) -> Any:
    """The value after `migrated`."""
    kind, version = _header(document)
    names = {
        steps: rename.name
        for rename in MIGRATIONS.get((kind, version), ())
        for steps in _ends(document.value, rename.way)
    }
    header = {"autopack": f"{kind}/v{version + 1}"} if version < VERSION else {}
    return {**renamed(document.value, names), **header}


def _header(document: Document) -> tuple[str, int]:
    header = document.value.get("autopack") if isinstance(document.value, dict) else None
    kind, _, version = header.partition("/v") if isinstance(header, str) else ("", "", "")
    if not version.isdecimal() or len(version) > 4:
        raise NoWay("its header doesn't say which version it is")
    return kind, int(version)


def _renamed(document: Document, steps: Steps, name: str) -> Fix:
    if document.has((*steps[:-1], name)):
        line = document.key_span(steps).line
        raise NoWay(f'line {line} has "{steps[-1]}" beside "{name}", which is its new name')
    return Fix(document.key_span(steps), name)


def _ends(value: Any, way: Sequence[str], steps: Steps = ()) -> Iterator[Steps]:
    """Every place that a way leads to."""
    if not way:
        yield steps
        return
    pairs: list[tuple[Step, Any]] = []
    if way[0] == EACH and isinstance(value, list):
        pairs = list(enumerate(value))
    elif isinstance(value, dict):
        pairs = [(key, item) for key, item in value.items() if way[0] in (EACH, key)]
    for key, item in pairs:
        yield from _ends(item, way[1:], (*steps, key))
