"""Phases that may write the same files and have no order: whoever lands second is rebased, and may conflict.

Most scopes are far apart, and that is seen without comparing pairs: a set of phases is one integer, a bit a phase, kept
for each folder that patterns begin with. Only what is left is compared exactly.
"""

import re
from collections.abc import Iterator, Sequence

from autopack.plan.draft import Draft, DraftPhase
from autopack.problem import Label, Problem, problem
from autopack.problem.typed import NamedTuple

WILD = re.compile(r"[*?\[]")
TOLD_MAX = 20
LABELS_MAX = 5  # of the phases that meet one broad scope
COMPARED_MAX = 2_000


class Meeting(NamedTuple):
    """Two patterns and a path that both give."""

    earlier: DraftPhase
    mine: int
    theirs: int
    path: str


def keep_apart(draft: Draft) -> Draft:
    """A warning for each pattern that gives what later phases without an order may write, too.

    One phase is told at its own scope; several, once at the broad scope that all of them meet.
    """
    met: dict[tuple[str, int], list[tuple[DraftPhase, Meeting]]] = {}
    for phase, found in _meetings(draft.phases):
        met.setdefault((found.earlier.spec.id, found.theirs), []).append((phase, found))
        if len(met) > TOLD_MAX:
            break
    told = [_problem(draft, *each[0]) if len(each) == 1 else _broad(draft, each) for each in met.values()]
    return draft.found(*told[:TOLD_MAX])


def _meetings(phases: Sequence[DraftPhase]) -> Iterator[tuple[DraftPhase, Meeting]]:
    above: list[int] = []
    place = {phase.spec.id: number for number, phase in enumerate(phases)}
    folders = _Folders()
    compared = 0
    for number, phase in enumerate(phases):
        known = 0
        for need in phase.needs:
            known |= above[place[need]] | 1 << place[need]
        above.append(known)
        near = folders.near(phase) & ~known
        folders.add(phase, 1 << number)
        while near and compared < COMPARED_MAX:
            lowest = near & -near
            near ^= lowest
            compared += 1
            if found := _meet(phase, phases[lowest.bit_length() - 1]):
                yield phase, found
                break


class _Folders:
    """Which phases have a pattern that begins with a folder (`here`), and which with one below it (`below`)."""

    def __init__(self) -> None:
        self.here: dict[tuple[str, ...], int] = {}
        self.below: dict[tuple[str, ...], int] = {}

    def add(self, phase: DraftPhase, bit: int) -> None:
        for fixed in _all_fixed(phase):
            self.here[fixed] = self.here.get(fixed, 0) | bit
            for length in range(len(fixed) + 1):
                self.below[fixed[:length]] = self.below.get(fixed[:length], 0) | bit

    def near(self, phase: DraftPhase) -> int:
        found = 0
        for fixed in _all_fixed(phase):
            found |= self.below.get(fixed, 0)
            for length in range(len(fixed)):
                found |= self.here.get(fixed[:length], 0)
        return found


def _all_fixed(phase: DraftPhase) -> list[tuple[str, ...]]:
    """Of the patterns that give; what takes back adds nothing."""
    return [_fixed(pattern) for pattern in phase.spec.scope.write if not pattern.startswith("!")]


def _fixed(pattern: str) -> tuple[str, ...]:
    """The segments before the first that holds a wildcard."""
    parts: list[str] = []
    for part in pattern.rstrip("/").split("/"):
        if WILD.search(part):
            break
        parts.append(part)
    return tuple(parts)


def _meet(phase: DraftPhase, earlier: DraftPhase) -> Meeting | None:
    """Branches of one fan-out share what they are written as, and whoever fans out means it."""
    if phase.spec.fan_out is not None and phase.spec.fan_out == earlier.spec.fan_out:
        return None
    from autopack.spec.territory import meet  # noqa: PLC0415 - most scopes are far apart

    mine, theirs = phase.spec.scope.write, earlier.spec.scope.write
    if meet(mine, theirs) is None:
        return None
    for number, one in enumerate(mine):
        for other, two in enumerate(theirs):
            if not (one.startswith("!") or two.startswith("!")) and (path := meet([one], [two])) is not None:
                return Meeting(earlier, number, other, path)
    return None


def _problem(draft: Draft, phase: DraftPhase, found: Meeting) -> Problem:
    spec, earlier = draft.spec, found.earlier.spec
    theirs = Label(spec.span(earlier.scope.at, "write", found.theirs), f"{earlier.id} may write these")
    return problem(
        "AP4002",
        f'phase "{phase.spec.id}" may write what "{earlier.id}" may write, and neither needs the other',
        spec.span(phase.spec.scope.at, "write", found.mine),
        (theirs,),
        help=f"both may change {found.path}: add `needs: [{earlier.id}]`, or narrow one of the scopes",
    )


def _broad(draft: Draft, met: Sequence[tuple[DraftPhase, Meeting]]) -> Problem:
    spec, first = draft.spec, met[0][1]
    earlier = first.earlier.spec
    labels = tuple(
        Label(spec.span(phase.spec.scope.at, "write", found.mine), f'"{phase.spec.id}" may change {found.path}')
        for phase, found in met[:LABELS_MAX]
    )
    more = "" if len(met) <= LABELS_MAX else f"; the first {LABELS_MAX} are shown"
    return problem(
        "AP4002",
        f'phase "{earlier.id}" may write what {len(met):,} others may write, without an order between them{more}',
        spec.span(earlier.scope.at, "write", first.theirs),
        labels,
        help=f"narrow this scope, or add `needs: [{earlier.id}]` to the others",
    )
