"""Anchors: what an alias repeats, and those that nothing repeats."""

from collections.abc import Collection, Iterable

from autopack.spec.findings import Findings
from autopack.spec.scalars import Value


class Anchor:
    __slots__ = ("cell", "chars", "height", "name", "start", "used", "value")

    def __init__(self, name: str, cell: int, start: int) -> None:
        self.name = name
        self.cell = cell
        self.start = start
        self.value: Value = None
        self.chars = -1  # of text, aliases inside expanded; -1 until it is read to its end
        self.height = 0  # of nested collections, aliases inside expanded
        self.used = False

    def token(self, text: str) -> tuple[int, int]:
        start = text.find("&" + self.name, self.start)
        return start, start + len(self.name) + 1


def unused_anchors(found: Findings, anchors: Iterable[Anchor], sought: Collection[str]) -> None:
    for anchor in anchors:
        if not anchor.used and anchor.name not in sought:
            help_ = "remove it, or repeat the value with an alias"
            message = f"no alias uses the anchor &{anchor.name}"
            found.report("AP1016", message, *anchor.token(found.text), help=help_)
