"""Files written down with their findings in place.

`⟦...⟧` stands around what a finding points to, `⟪...⟫` around what it points to besides.
"""

import re
from pathlib import Path
from typing import Any

from autopack.spec.load import Checked, check

TODAY = "2026-11-22"
MARKS = re.compile(r"⟦|⟧|⟪|⟫")
PHASE = "{id: %s, goal: Do it., category: docs, scope: {write: [docs/**]}%s}"


def phase(name: str, more: str = "") -> str:
    """One line of YAML: a phase with all it needs, and `more` keys."""
    return PHASE % (name, f", {more}" if more else "")


def playbook(*phases: str, top: str = "") -> str:
    """A playbook of one tier, each phase on a line of its own."""
    lines = "".join(f"      - {each}\n" for each in phases)
    return f"autopack: playbook/v1\nname: demo\n{top}tiers:\n  - id: T1\n    phases:\n{lines}"


def places(marked: str) -> tuple[str, list[tuple[int, int, int, int]], list[tuple[int, int, int, int]]]:
    """The text without marks, and the spans the two kinds of marks stand around."""
    text, opened = "", (0, 0)
    found: dict[str, list[tuple[int, int, int, int]]] = {"⟧": [], "⟫": []}
    for part in re.split(f"({MARKS.pattern})", marked):
        here = (text.count("\n") + 1, len(text) - text.rfind("\n"))
        if part in ("⟦", "⟪"):
            opened = here
        elif part in found:
            found[part].append((*opened, *here))
        else:
            text += part
    return text, found["⟧"], found["⟫"]


class Case:
    """A folder to write marked files into, and to check."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.marked: list[tuple[str, tuple[int, int, int, int]]] = []
        self.labelled: list[tuple[str, tuple[int, int, int, int]]] = []

    def write(self, path: str, marked: str) -> None:
        text, spans, labels = places(marked)
        self.marked += [(path, span) for span in spans]
        self.labelled += [(path, span) for span in labels]
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode())

    def check(self, *paths: str, **more: Any) -> Checked:
        return check(str(self.root), list(paths) or None, today=TODAY, **more)

    def expect(self, code: str, *paths: str) -> Checked:
        """Findings of this code at the marks of all files, labels at the others, and nothing else."""
        found = self.check(*paths)
        spans = [(p.code, p.span.path, tuple(p.span[1:])) for p in found.problems if p.span]
        labels = {(label.span.path, tuple(label.span[1:])) for p in found.problems for label in p.labels}
        assert spans == [(code, path, span) for path, span in sorted(self.marked)]
        assert len(spans) == len(found.problems)
        assert labels == set(self.labelled)
        return found
