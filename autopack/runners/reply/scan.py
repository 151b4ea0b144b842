"""Where the reader of a reply is, and what it has found so far."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

from autopack.runners.edit import Edit
from autopack.runners.reply.grammar import SEARCH


@dataclass(slots=True)
class Scan:
    """Where the reader is. `lines` have no ends; `at` is the next one."""

    lines: list[str]
    at: int = 0
    path: str | None = None  # of the last path line: what blocks below it are about
    adjacent: bool = False  # only blank lines since then
    used: bool = True  # a block has been read for it
    unclear: str = ""  # why there is no path although there was one
    label: str = ""  # the line directly above, if it names a file without being a path line
    fence: str = ""  # the open fence around search/replace blocks
    fence_at: int = -1
    doubtful: re.Match[str] | None = None  # the fence of a prose file, which may hold fences of the same length
    doubtful_at: int = -1
    blocks: Iterator[int] = field(default_factory=lambda: count(1))
    edits: list[Edit] = field(default_factory=list)
    facts: list[tuple[str, int]] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)
    widths: frozenset[int] = frozenset()  # of the markers that start blocks, or may do so

    def __post_init__(self) -> None:
        openings = (SEARCH.fullmatch(line.rstrip()) for line in self.lines if line.startswith("<<<<<"))
        self.widths = frozenset(len(opening[1]) for opening in openings if opening)

    def line(self) -> str:
        return self.lines[self.at].rstrip()

    def take_path(self, path: str) -> None:
        self.path, self.unclear, self.label, self.adjacent, self.used = path, "", "", True, False

    def add(self, edits: Sequence[Edit]) -> None:
        self.edits += edits
        self.used, self.adjacent, self.label = True, False, ""

    def edits_by_file(self) -> tuple[Edit, ...]:
        """Blocks of search/replace for one file are one edit."""
        merged: list[Edit] = []
        place: dict[str, int] = {}
        for edit in self.edits:
            at = place.setdefault(edit.path, len(merged)) if edit.op == "replace" else len(merged)
            if at == len(merged):
                merged.append(edit)
            else:
                known = merged[at]
                merged[at] = replace(known, hunks=known.hunks + edit.hunks, mode=edit.mode or known.mode)
        return tuple(merged)
