"""What a tier or phase needs: known, not itself, and not later than itself."""

from collections.abc import Sequence

from autopack.spec.at import Steps
from autopack.spec.nearest import did_you_mean
from autopack.spec.rules.ids import Node, phases, tiers
from autopack.spec.rules.written import Found, Names, Written, present, some


def needs_of_tiers(written: Written, names: Names) -> Found:
    yield from _needs(written, "tier", list(tiers(written, names)), written.refused("tiers"))


def needs_of_phases(written: Written, names: Names) -> Found:
    yield from _needs(written, "phase", phases(written, names), written.refused_phases())


def _needs(written: Written, what: str, nodes: Sequence[Node], refused: int) -> Found:
    """Unknown, own and later ones. A need that names a duplicate id may mean any of them, so it is left alone.

    `refused` entries are not among `nodes`, and may be the ones that are needed.
    """
    known: dict[str, Node] = {}
    forms: set[str] = set()
    repeated: list[str] = []
    for name, owner in ((each.name, node) for node in nodes for each in node.names):
        known.setdefault(name, owner)
        if (form := name.casefold()) in forms:
            repeated.append(form)
        forms.add(form)
    dangling: list[tuple[str, Steps]] = []
    for node in nodes:
        for index, need in present(node.needs):
            place = (*node.steps, "needs", index)
            if need not in known:
                dangling.append((need, place))
            elif need.casefold() not in repeated:
                yield from _order(written, what, node, known[need], place)
    if any(node.unknown for node in nodes):  # what is needed may be in there
        return
    nameless = sum(not node.names for node in nodes)
    yield from _dangling(written, what, dangling, list(known), len(repeated) + nameless + refused)


def _order(written: Written, what: str, node: Node, needed: Node, place: Steps) -> Found:
    if needed is node:
        message = f'the {what} "{node.names[0].name}" needs itself'
        yield written.at(place, "AP3003", message, "remove it from its needs")
    elif needed.rank > node.rank:
        label = written.label(needed.names[0].place, f"this {what} comes later")
        message = f'"{written.get(*place)}" comes later than the {what} that needs it'
        yield written.at(place, "AP3004", message, "tiers run in the order they are written", label)


def _dangling(
    written: Written, what: str, found: Sequence[tuple[str, Steps]], known: Sequence[str], spared: int
) -> Found:
    """Needs of unknown ids.

    A duplicate or refused id has most likely taken the place of one that is needed. So as many unknown names are its
    consequence, first those that resemble nothing else, and aren't reported again.
    """
    advice = {name: did_you_mean(name, known) for name, _ in found}
    excused = sorted(advice, key=lambda name: advice[name] is not None)[:spared]
    for name, place in found:
        if name not in excused:
            others = f"ids of {what}s: {some(known)}"
            yield written.at(place, "AP3002", f'no {what} has the id "{name}"', advice[name] or others)
