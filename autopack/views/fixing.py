"""`validate --fix`: the replacements that findings carry, made where each of them is shown to help.

Nothing is believed: after each round everything is checked again, with the new texts in place of those on disk. What
did not settle its finding, or made a new one, is taken back. Only a repair of the text layer may bring up findings,
because nothing behind such a fault could be seen before.
"""

import os
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from autopack.problem import Problem
from autopack.spec.edits import edited, overlap
from autopack.spec.load import Checked, check
from autopack.views.compiling import COMPILE
from autopack.views.rewrite import Change

ROUNDS_MAX = 20  # each settles a finding, and a repair seldom uncovers another one

Wanted = Callable[[Problem], bool]
Texts = dict[str, bytes]  # by absolute path


class Fixed(NamedTuple):
    """What was settled, how the files read then, and what a check says of them."""

    settled: list[Problem]
    changes: list[Change]
    left: Checked


def fixed(root: str, paths: Sequence[str] | None, today: str, wanted: Wanted, env: str | None = None) -> Fixed:
    """Nothing is written; raises OSError where a file can't be read again."""
    fixer = _Fixer(root, paths, today, env)
    for _ in range(ROUNDS_MAX):
        if not fixer.round(wanted):
            break
    return Fixed(fixer.settled, fixer.changes(), fixer.found)


class _Fixer:
    def __init__(self, root: str, paths: Sequence[str] | None, today: str, env: str | None) -> None:
        self.root = root
        self.paths = paths
        self.today = today
        self.env = env
        self.original: Texts = {}
        self.texts: Texts = {}
        self.settled: list[Problem] = []
        self.refused: set[Problem] = set()
        self.found = self._checked({})

    def round(self, wanted: Wanted) -> bool:
        """Whether anything was settled: all at once, or those that help on their own where that does not work."""
        batch: list[Problem] = []
        for found in self.found.problems:
            usable = found.fixes and found not in self.refused and wanted(found) and self._ours(found)
            if usable and not any(overlap(found.fixes, other.fixes) for other in batch):
                batch.append(found)
        if not batch or self._settle(batch):
            return bool(batch)
        alone = [found for found in batch if self._helps([found]) is not None]
        self.refused.update(found for found in batch if found not in alone)
        return bool(alone) and (self._settle(alone) or self._settle(alone[:1]))

    def changes(self) -> list[Change]:
        return [
            Change(os.path.relpath(place, self.root).replace(os.sep, "/"), place, self.original[place], text)
            for place, text in sorted(self.texts.items())
            if text != self.original[place]
        ]

    def _checked(self, texts: Mapping[str, bytes]) -> Checked:
        return check(self.root, self.paths, today=self.today, env=self.env, instead=texts, compile=COMPILE)

    def _ours(self, found: Problem) -> bool:
        """Only files that were asked about are changed."""
        return all(fix.span.path in self.found.files for fix in found.fixes)

    def _settle(self, batch: Sequence[Problem]) -> bool:
        helped = self._helps(batch)
        if helped is None:
            return False
        self.texts, self.found = helped
        self.settled += batch
        return True

    def _helps(self, batch: Sequence[Problem]) -> tuple[Texts, Checked] | None:
        """The texts with these replacements and what a check says of them; None where that is no better."""
        texts = dict(self.texts)
        fixes = [fix for found in batch for fix in found.fixes]
        for path in dict.fromkeys(fix.span.path for fix in fixes):
            place = os.path.abspath(os.path.join(self.root, path))
            texts[place] = edited(self._text(place), [fix for fix in fixes if fix.span.path == path])
        after = self._checked(texts)
        return (texts, after) if self._better(batch, after) else None

    def _text(self, place: str) -> bytes:
        if place not in self.texts:
            with open(place, "rb") as file:
                self.original[place] = self.texts[place] = file.read()
        return self.texts[place]

    def _better(self, batch: Sequence[Problem], after: Checked) -> bool:
        expected = Counter(map(_fact, self.found.problems)) - Counter(map(_fact, batch))
        now = Counter(map(_fact, after.problems))
        if all(found.code.startswith("AP1") for found in batch):
            return not any(now[_fact(found)] > expected[_fact(found)] for found in batch)
        return not now - expected


def _fact(found: Problem) -> tuple[str, str, str]:
    """A finding without its line, which changes when a line is added above."""
    return found.code, found.span.path if found.span else "", found.message
