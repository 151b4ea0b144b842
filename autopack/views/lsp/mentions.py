"""Which words of a file are names: what they name, and whether they declare it or refer to it.

One table says it for all kinds. Completion, definition, references and rename are read from it.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from autopack.problem import Span
from autopack.spec.at import Step, Steps
from autopack.spec.document import Document
from autopack.spec.rules.scenario import EXPECTED

MODULES = ("tier file", "phase file")
REMOTE = "git+"

# `*` stands for any item or key; a pattern that ends in `@` speaks of keys, one that starts with `=` declares.
_PHASE = {"category": "category", "ci": "profile", "uses": "phase file"}
_TIER = {"phases.*.needs.*": "phase", **{f"phases.*.{key}": what for key, what in _PHASE.items()}, "uses": "tier file"}
_ROWS = ("category_defaults", "high_risk", "categories.*", "complexities.*", "builder_modes.*")
_ROUTES = ("routing.complexity.*", "routing.categories.*", "routing.high_risk")
_TABLE: dict[str, dict[str, str]] = {
    "project": {
        "playbooks.*": "playbook file",
        **{key: f"{key} file" for key in ("ruleset", "ci", "models")},
        **{f"environments.*.{key}": f"{key} file" for key in ("ruleset", "ci", "models")},
    },
    "playbook": {
        "=tiers.*.id": "tier",
        "tiers.*.needs.*": "tier",
        "=tiers.*.phases.*.id": "phase",
        **{f"tiers.*.{key}": what for key, what in _TIER.items()},
        "defaults.ci": "profile",
    },
    "tier": {"=id": "tier", "=phases.*.id": "phase", **_TIER},
    "phase": {"=id": "phase", **_PHASE},
    "ruleset": {
        "extends": "ruleset file",
        "=categories.*@": "category",
        "=categories.*.task_category": "category",
        "severity_upgrades.*.match.category": "category",
        "grants.*.phases.*": "phase",
        "landing.recheck.*@": "profile",
        **{f"{row}.ci": "profile" for row in _ROWS},
    },
    "ci": {"=profiles.*@": "profile", "profiles.*.extends": "profile"},
    "models": {
        "=models.*@": "model",
        **{f"{route}.{role}.*": "model" for route in _ROUTES for role in ("builder", "auditor")},
        "routing.categories.*@": "category",
        "routing.never_downgrade.*": "category",
    },
    "scenario": {
        "playbook": "playbook file",
        "answers.*@": "phase",
        **{f"expect.{key}.*@": "phase" for key in EXPECTED},
    },
}


class _Pattern(NamedTuple):
    what: str
    steps: tuple[str, ...]
    key: bool
    declares: bool


def _pattern(written: str, what: str) -> _Pattern:
    steps = tuple(written.removeprefix("=").removesuffix("@").split("."))
    return _Pattern(what, steps, written.endswith("@"), written.startswith("="))


PATTERNS = {kind: [_pattern(*row) for row in rows.items()] for kind, rows in _TABLE.items()}


class Mention(NamedTuple):
    what: str  # "phase", "category", ..., or "ruleset file" and the like
    name: str
    document: Document
    steps: Steps
    key: bool
    declares: bool
    rest: str = ""  # ".pg" where `store.pg` speaks of one part of `store`, which is fanned out

    @property
    def span(self) -> Span:
        return self.document.key_span(self.steps) if self.key else self.document.span(self.steps)


def mentions(document: Document) -> Iterator[Mention]:
    """Every name in a file, whether or not the file is valid."""
    fanned = list(_fanned_out(document))
    for pattern in PATTERNS.get(document.kind or "", ()):
        for steps, value in _expanded(document.value, pattern.steps, ()):
            name = steps[-1] if pattern.key else value
            if isinstance(name, str):
                whole = _whole(name, fanned) if pattern.what == "phase" and not pattern.declares else name
                found = (document, steps, pattern.key, pattern.declares, name[len(whole) :])
                yield Mention(pattern.what, whole, *found)


def used(document: Document) -> list[str]:
    """The modules a file takes tiers and phases from, as it names them."""
    return [each.name for each in mentions(document) if each.what in MODULES]


def _fanned_out(document: Document) -> Iterator[str]:
    """The ids of phases that stand for several."""
    for path in (("tiers", "*", "phases", "*"), ("phases", "*")):
        for _, phase in _expanded(document.value, path, ()):
            if isinstance(phase, dict) and isinstance(phase.get("id"), str) and {"for_each", "matrix"} & phase.keys():
                yield phase["id"]


def _whole(name: str, fanned: list[str]) -> str:
    """The phase of which a name is a part; the name itself where it is none."""
    return max((each for each in fanned if name.startswith(f"{each}.")), key=len, default=name)


def expected(kind: str, steps: Steps, *, key: bool) -> str | None:
    """What a reference at this place names; None where none belongs or a name is declared."""
    for pattern in PATTERNS.get(kind, ()):
        if pattern.key == key and not pattern.declares and _fits(steps, pattern.steps):
            return pattern.what
    return None


def _fits(steps: Steps, pattern: tuple[str, ...]) -> bool:
    return len(steps) == len(pattern) and all(want in ("*", step) for step, want in zip(steps, pattern, strict=True))


def _expanded(value: Any, pattern: tuple[str, ...], steps: Steps) -> Iterator[tuple[Steps, Any]]:
    if not pattern:
        yield steps, value
    elif pattern[0] == "*":
        for step, item in _items(value):
            yield from _expanded(item, pattern[1:], (*steps, step))
    elif isinstance(value, dict) and pattern[0] in value:
        yield from _expanded(value[pattern[0]], pattern[1:], (*steps, pattern[0]))


def _items(value: Any) -> Iterator[tuple[Step, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from enumerate(value)
