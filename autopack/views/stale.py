"""`plan --check`: whether a committed plan still says what its sources say, and where not, what changed where.

What a plan starts from (the base commit, the issues known by then) is left out: a committed plan stays valid when main
moves.
"""

import json
from collections.abc import Iterator
from dataclasses import replace

from autopack.plan import canonical
from autopack.plan.diff import Change, diff
from autopack.plan.facets import FACETS, plan_facets
from autopack.plan.file import Changed, load
from autopack.plan.inherit import chain, run_caps
from autopack.plan.model import Plan
from autopack.spec.at import At
from autopack.spec.model import Phase, Spec
from autopack.views.compiled import read
from autopack.views.differences import said

CAPS = "caps."
SCOPE = ("write", "read")


class NoPlan(ValueError):
    """The file holds something else."""


def differences(path: str, now: Plan, spec: Spec | None) -> list[str]:
    """Nothing where the plan at `path` is up to date; else facets, then fields, in lines. Raises NoPlan."""
    try:
        text = read(path)
    except (UnicodeDecodeError, canonical.NotThisShape):
        raise NoPlan(path) from None
    if not _is_plan(text):
        raise NoPlan(path)
    by_hand = []
    try:
        before = load(text)
    except Changed as error:
        before, by_hand = error.plan, [f"{path} was changed by hand: {error}"]
    except canonical.NotThisShape as error:
        return [f"{path} was written by another version of autopack, or by hand: {error}"]
    old, new = unbased(before), unbased(now)
    if old == new:
        return by_hand
    was, becomes = plan_facets(old), plan_facets(new)
    changed = [name for name in FACETS if was[name] != becomes[name]]
    return [*by_hand, f"changed: {', '.join(changed)}", *_fields(old, new, spec)]


def unbased(plan: Plan) -> Plan:
    """The plan without what it starts from."""
    return replace(plan, base_commit=None, backlog_sha256=None, carried=(), continues=None)


def _is_plan(text: str) -> bool:
    """By two of its keys: a plan that another version wrote is out of date, not something else."""
    try:
        plan = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(plan, dict) and {"format_version", "playbook"} <= plan.keys()


def _fields(old: Plan, new: Plan, spec: Spec | None) -> Iterator[str]:
    changes = diff(old, new)
    for change in changes:
        if not change.follows:
            place = _place(spec, change) if spec is not None else None
            yield f"  {said(change)}" + (f"  [{place}]" if place else "")
    if hidden := sum(change.follows for change in changes):
        yield f"  {hidden} more follow from these (prompts, places, sums)"


def _place(spec: Spec, change: Change) -> str | None:
    """Where the value that holds now is written, for what is written in one place."""
    at = _written(spec, change)
    if at is None or at.path not in spec.documents:
        return None
    span = spec.span(at)
    return f"{span.path}:{span.line}:{span.column}"


def _written(spec: Spec, change: Change) -> At | None:
    kind, _, name = change.subject.partition(" ")
    field = change.field.partition(".")[0]
    if kind == "phase":
        phase = next((each for tier in spec.playbook.tiers for each in tier.phases if each.id == name), None)
        return None if phase is None else _of_phase(spec, phase, field)
    if kind == "model" and name in spec.models.models:
        return spec.models.models[name].at.to(field)
    if kind == "run" and change.field.startswith(CAPS):
        cap, own = change.field.removeprefix(CAPS), spec.playbook.budget
        written = own is not None and getattr(own, cap, None) is not None
        return own.at.to(cap) if written and own is not None else spec.ruleset.origin("budget", cap)
    return None


def _of_phase(spec: Spec, phase: Phase, field: str) -> At:
    """The layer that decided an inherited value; the phase's own key, or the phase, for all else."""
    if field in SCOPE:
        return phase.scope.at.to(field)
    name = "builder_attempts" if field == "attempts" else field
    try:
        winner = chain(spec, phase, run_caps(spec, 1), name)[0]
    except KeyError:
        return phase.at.to(field)
    return winner.at or phase.at
