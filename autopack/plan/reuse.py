"""What a run may take over from an earlier one, decided phase by phase, with every reason.

A branch is a line of commits, so what is taken over is its beginning: as long as one landed phase after the other is
still the same in every facet but the base, and so are all it needs. The first one that is not ends it; what landed on
top of that has to be done again, because it was tested on top of it.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from autopack.plan.diff import Change, diff
from autopack.plan.facets import GOVERNS, models_of
from autopack.plan.model import Plan
from autopack.plan.select import differing

Kind = Literal["carried", "run", "left out"]


@dataclass(frozen=True, slots=True)
class Verdict:
    """One phase of the new plan. `commit` is that of a carried one; `changes` are the fields that differ."""

    phase_id: str
    kind: Kind
    commit: str | None
    reasons: tuple[str, ...]
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class Earlier:
    """A run that has ended: its plan, what landed in which order, and why each other phase did not."""

    run_id: str
    plan: Plan
    landed: tuple[tuple[str, str], ...]  # phase id and commit
    missing: Mapping[str, str]


def verdicts(
    earlier: Earlier, new: Plan, asked: Collection[str] | None = None, *, keep: bool = False
) -> tuple[Verdict, ...]:
    """In the order of the new plan. `asked` are run even if nothing changed, and nothing else is (None: all that must).

    `keep`: what completed stays, also where it has changed since.
    """
    changes = _changes(earlier.plan, new)
    own = {p.phase_id: tuple(_own(earlier, p.phase_id, changes, asked, keep=keep)) for p in new.phases}
    carried = _carried(earlier, new, own)
    ended = next((name for name, _ in earlier.landed if name not in carried), None)
    found = []
    for phase in new.phases:
        name = phase.phase_id
        changed = changes.get(name, ())
        if name in carried:
            why = "complete, and kept although it has changed" if changed else "complete, and nothing has changed"
            found.append(Verdict(name, "carried", carried[name], (why,), changed))
        elif asked is not None and name not in asked:
            found.append(
                Verdict(name, "left out", None, ("not selected", *_inherited(earlier, new, name, carried, ended)))
            )
        else:
            reasons = own[name] or tuple(_inherited(earlier, new, name, carried, ended))
            found.append(Verdict(name, "run", None, reasons, () if keep and name not in earlier.missing else changed))
    return tuple(found)


def _own(
    earlier: Earlier, name: str, changes: Mapping[str, tuple[Change, ...]], asked: Collection[str] | None, *, keep: bool
) -> Iterator[str]:
    """What speaks against taking this phase over, whatever became of the others."""
    if name not in {phase.phase_id for phase in earlier.plan.phases}:
        yield "new in the playbook"
    elif name in earlier.missing:
        yield f"{earlier.missing[name]} in {earlier.run_id}"
    elif name in changes and not keep:
        yield f"changed since {earlier.run_id}"
    elif asked is not None and name in asked:
        yield "selected"


def _carried(earlier: Earlier, new: Plan, own: Mapping[str, tuple[str, ...]]) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, commit in earlier.landed:
        if name not in own or own[name] or not found.keys() >= set(new.phase(name).needs):
            break
        found[name] = commit
    return found


def _inherited(earlier: Earlier, new: Plan, name: str, carried: Mapping[str, str], ended: str | None) -> Iterator[str]:
    """Why a phase with no reason of its own can't be taken over."""
    landed = [each for each, _ in earlier.landed]
    open_needs = [need for need in new.phase(name).needs if need not in carried]
    if open_needs:
        yield f"needs {open_needs[0]}, which is not taken over"
    elif ended is not None and name in landed and landed.index(name) > landed.index(ended):
        gone = "" if ended in {phase.phase_id for phase in new.phases} else " (no longer in the playbook)"
        yield f"landed on top of {ended}{gone}, which is not taken over"


def _changes(old: Plan, new: Plan) -> dict[str, tuple[Change, ...]]:
    """Of each phase that both plans have and that differs: the fields, those of its models and profile included."""
    both = {phase.phase_id for phase in old.phases} & {phase.phase_id for phase in new.phases}
    changed = [name for name in (phase.phase_id for phase in new.phases) if name in both]
    differs = {name: differing(old, new, name) - {"base"} for name in changed}
    if not any(differs.values()):
        return {}
    by_subject: dict[str, list[Change]] = {}
    for change in diff(old, new):
        by_subject.setdefault(change.subject, []).append(change)
    return {name: tuple(_of_phase(old, new, name, by_subject)) for name, facets in differs.items() if facets}


def _of_phase(old: Plan, new: Plan, name: str, by_subject: Mapping[str, Sequence[Change]]) -> Iterator[Change]:
    before, after = old.phase(name), new.phase(name)
    told = [change for change in by_subject.get(f"phase {name}", ()) if change.field.partition(".")[0] not in _DERIVED]
    yield from [change for change in told if not change.follows] or told
    for model in sorted(models_of(before) & models_of(after)):
        yield from by_subject.get(f"model {model}", ())
    if before.ci == after.ci:
        yield from by_subject.get(f"CI profile {after.ci}", ())
    for change in by_subject.get("run", ()):
        if change.field.partition(".")[0] in (*GOVERNS, "format_prompts"):
            yield change


_DERIVED = frozenset({"index", "tags", "why", "worst"})
