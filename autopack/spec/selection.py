"""How phases are named in bulk: `+store`, `tag:api,risk:high`, `state:modified+`. Text to atoms; nothing is looked up.

As in dbt: a space means one or the other, a comma both; `+x` adds all that x needs, `x+` all that needs x, `2+x` two
steps of it, and `@x` all that needs x with everything those need. Without `method:` an atom is an id, or a pattern of
ids.
"""

import re
from typing import NamedTuple

from autopack.spec.nearest import did_you_mean

METHODS = {
    "id": "a phase's id, or a pattern of ids; the id of a fan-out stands for all its branches",
    "tag": "a tag",
    "tier": "a tier's id",
    "category": "a category, by either of its names",
    "complexity": "low, medium or high",
    "risk": "high (phases of high risk) or normal",
    "ci": "a CI profile",
    "model": "a model that may be asked",
    "path": "a path or pattern: phases whose write scope reaches into it",
    "state": "new, modified, modified.FACET or unmodified against --state",
    "selector": "a selector of the project",
}

EVERY = 1_000_000_000
"""So many steps are all of them."""

_ATOM = re.compile(r"(?P<at>@)?(?:(?P<up>\d*)\+)?(?:(?P<method>[A-Za-z_]+):)?(?P<value>.*?)(?:\+(?P<down>\d*))?")


class Unreadable(ValueError):
    """No selection: the fact, and what would be right."""

    def __init__(self, fact: str, advice: str) -> None:
        super().__init__(f"{fact}; {advice}")
        self.fact = fact
        self.advice = advice


class Atom(NamedTuple):
    """`up` and `down` are steps towards what it needs and what needs it; `at`: what needs it, with all of its needs."""

    method: str
    value: str
    up: int
    down: int
    at: bool
    text: str


Selection = tuple[tuple[Atom, ...], ...]
"""Any of these, each of which is all of its atoms."""


def read(text: str) -> Selection:
    """Raises Unreadable."""
    if not text.strip():
        raise Unreadable("an empty selection selects nothing", "write an id, or method:value, as in tag:api")
    return tuple(tuple(_atom(each) for each in union.split(",")) for union in text.split())


def _atom(text: str) -> Atom:
    parts = _ATOM.fullmatch(text)
    if parts is None or not parts["value"]:
        raise Unreadable(f'"{text}" selects nothing', "write an id, or method:value, as in tag:api")
    method = parts["method"] or "id"
    if method not in METHODS:
        advice = did_you_mean(method, METHODS) or f"there are {', '.join(METHODS)}"
        raise Unreadable(f'"{text}": phases can\'t be selected by {method}', advice)
    at, up, down = parts["at"] is not None, _steps(parts["up"]), _steps(parts["down"])
    if at and (up or down):
        raise Unreadable(f'"{text}" has both @ and +', "@x holds x+ and everything those need; leave the + away")
    return Atom(method, parts["value"], up, down, at, text)


def _steps(word: str | None) -> int:
    if word is None:
        return 0
    return int(word[:9]) if word else EVERY
