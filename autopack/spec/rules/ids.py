"""Ids of tiers, phases and steps: the names each is known under, and that no two share one."""

from collections.abc import Iterator, Mapping, Sequence

from autopack.problem import Label
from autopack.problem.typed import Any, NamedTuple
from autopack.spec import fanout
from autopack.spec.at import Steps
from autopack.spec.rules.written import Found, Names, Row, Source, Written


class Id(NamedTuple):
    """An id and where this file says it; `of_module` is where a module spells it."""

    name: str
    place: Steps
    of_module: Label | None = None


class Node(NamedTuple):
    """A tier or phase under all of its names; `rank` is the number of its tier.

    There are no names where the schema refused the id, and none are certain where a module can't be known.
    """

    steps: Steps
    rank: int
    names: tuple[Id, ...]
    needs: Sequence[str | None] = ()
    unknown: bool = False


def tiers(written: Written, names: Names) -> Iterator[Node]:
    for steps, entry in written.tiers():
        found, unknown = own_id(steps, entry, names.modules)
        yield Node(steps, _rank(steps), found, entry.get("needs") or (), unknown)


def phases(written: Written, names: Names) -> Iterator[Node]:
    for steps, tier in written.tiers():
        if "uses" in tier:
            yield from _phases_of_module(steps, names.modules.get(tier["uses"]))
        for place, entry in written.items(*steps, "phases"):
            found, unknown = own_id(place, entry, names.modules)
            unknown = unknown or (fanout.fans(entry) and not (found and fanout.certain(entry)))
            found = (*found, *branch_ids(found, place, entry))
            yield Node(place, _rank(steps), found, entry.get("needs") or (), unknown)


def of_playbook(source: Source) -> list[str] | None:
    """Every name by which a phase of a playbook may be called; None where there may be more than can be seen."""
    playbook = Written(source.document, source.value)
    nodes = list(phases(playbook, Names(modules=source.modules)))
    if playbook.refused_phases() or any(node.unknown or not node.names for node in nodes):
        return None
    return [each.name for node in nodes for each in node.names]


def _rank(steps: Steps) -> int:
    return int(steps[1]) if steps else 0


def own_id(steps: Steps, entry: Row, modules: Mapping[str, Source | None]) -> tuple[tuple[Id, ...], bool]:
    """The id that is written, else the module's; and whether it may be any because the module isn't known."""
    if entry.get("id") is not None:
        return (Id(entry["id"], (*steps, "id")),), False
    if entry.get("uses") is None:
        return (), False
    module = modules.get(entry["uses"])
    name = module.value.get("id") if module else None
    if module is None or name is None:
        return (), True
    return (Id(name, (*steps, "uses"), Label(module.document.span(("id",)), "its id in the module")),), False


def branch_ids(found: Sequence[Id], steps: Steps, entry: Row) -> Iterator[Id]:
    if found and fanout.fans(entry):
        for branch in fanout.branches(entry, found[0].name):
            yield Id(branch.id, (*steps, *branch.place), found[0].of_module)


def _phases_of_module(steps: Steps, module: Source | None) -> Iterator[Node]:
    """Of a tier that a playbook takes in, each phase, as if it were written at the `uses`."""
    if module is None:
        yield Node(steps, _rank(steps), (), (), unknown=True)
        return
    seen: set[str] = set()
    inner = Written(module.document, module.value)
    if inner.refused_phases():
        yield Node(steps, _rank(steps), (), (), unknown=True)
    for node in phases(inner, Names(modules=module.modules)):
        fresh = [each for each in node.names if each.name.casefold() not in seen]
        seen.update(each.name.casefold() for each in fresh)
        ids = (Id(name, (*steps, "uses"), inner.label(place, "in this module")) for name, place, _ in fresh)
        yield Node((*steps, "uses"), _rank(steps), tuple(ids), (), node.unknown)


def ids_of_playbook(written: Written, names: Names) -> Found:
    for what, nodes in (("tier", tiers(written, names)), ("phase", phases(written, names))):
        yield from _ids(written, what, (each for node in nodes for each in node.names))


def id_of_phase(written: Written, _names: Names) -> Found:
    yield from _ids(written, "phase", iter([Id(written.value["id"], ("id",))] if written.get("id") else ()))


def ids_of_ci(written: Written, _names: Names) -> Found:
    yield from _ids(written, "step", _ids_of(written.items("setup")))
    for steps, _ in written.items("profiles"):
        yield from _ids(written, "step", _ids_of(written.items(*steps, "steps")))


def _ids_of(entries: Iterator[tuple[Steps, Any]]) -> Iterator[Id]:
    return (Id(entry["id"], (*steps, "id")) for steps, entry in entries if entry.get("id") is not None)


def _ids(written: Written, what: str, ids: Iterator[Id]) -> Found:
    """`..` and the like, and each id but the first of those that are the same: one finding a place."""
    first: dict[str, Id] = {}
    told: set[Steps] = set()
    for each in ids:
        name, place, of_module = each
        if (before := first.setdefault(name.casefold(), each)) is not each:
            if place not in told:
                told.add(place)
                labels = [written.label(before.place, "first here"), *([of_module] if of_module else ())]
                advice = "give it an id of its own; upper and lower case count as the same"
                yield written.at(place, "AP3001", f'a second {what} with the id "{name}"', advice, *labels)
        elif of_module is None and (".." in name or name.endswith(".") or name.casefold().endswith(".lock")):
            message = f'git takes no branch or tag with "{name}" in its name'
            yield written.at(place, "AP3012", message, "no `..`, no `.` or `.lock` at the end")
