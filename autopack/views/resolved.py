"""`autopack show --resolved`: every effective value of a phase, and the place of the layer that decided it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

from autopack.plan.draft import Draft, DraftPhase
from autopack.plan.expand import expand
from autopack.plan.inherit import chain as heard
from autopack.plan.inherit import inherit
from autopack.plan.judges import judging
from autopack.plan.ordering import order
from autopack.plan.stage import stage
from autopack.problem import Problem
from autopack.spec.at import At
from autopack.spec.model import CiStep, Spec


class Effective(NamedTuple):
    """`origin` is file:line:column, `layer` who decided there; both None for what nobody decided."""

    name: str
    value: Any
    layer: str | None
    origin: str | None


class Phase(NamedTuple):
    phase_id: str
    tier_id: str
    goal: str
    origin: str
    values: list[Effective]


def phases(spec: Spec) -> tuple[list[Phase], Sequence[Problem]]:
    """Every phase in the order of the plan, or what keeps it from having one."""
    draft = Draft(spec)
    for step in (expand, order, inherit, stage):
        draft = step(draft)
        if draft.failed:
            return [], draft.problems
    return [_phase(spec, phase) for phase in draft.phases], draft.problems


def chain(spec: Spec, phase_id: str, name: str) -> list[Effective]:
    """Who said something about one field of a phase, the winner first; KeyError for a phase or field there is not."""
    draft = Draft(spec)
    for step in (expand, order, inherit, stage):
        draft = step(draft)
    phase = {each.spec.id: each for each in draft.phases}[phase_id]
    if name in phase.values and draft.caps is not None:
        winner, said = phase.values[name], heard(spec, phase.spec, draft.caps, name)
        said = said if winner in said[:1] else (winner, *said)  # a project that only measures outvotes everybody
        return [Effective(name, value.value, value.layer, _place(spec, value.at)) for value in said]
    return [{each.name: each for each in _phase(spec, phase).values}[name]]


def _phase(spec: Spec, phase: DraftPhase) -> Phase:
    own = phase.spec
    values = [
        Effective(name, value.value, value.layer if value.at else None, _place(spec, value.at))
        for name, value in sorted(phase.values.items())
    ]
    written = [
        Effective(name, list(getattr(own, name)), "phase", _place(spec, own.at.to(name)))
        for name in ("acceptance", "deliverables", "needs", "probes", "tags")
        if getattr(own, name)
    ]
    scope = [
        Effective(f"scope.{name}", list(paths), "phase", _place(spec, own.scope.at.to(name)))
        for name, paths in (("write", own.scope.write), ("read", own.scope.read))
        if paths
    ]
    commands = [*own.probes, *(step.run for step in _steps(spec, phase["ci"]))]
    judged_by = Effective("judged_by", list(judging(commands, own.deliverables)), None, None)
    place = _place(spec, own.at.to("id"))
    return Phase(
        own.id,
        phase.tier.id,
        own.goal,
        place or "",
        sorted([*values, *written, *scope, *([judged_by] if judged_by.value else [])]),
    )


def _steps(spec: Spec, profile: str) -> Sequence[CiStep]:
    found = spec.ci.profiles.get(profile)
    return (*spec.ci.setup, *found.steps) if found else ()


def _place(spec: Spec, at: At | None) -> str | None:
    if at is None:
        return None
    span = spec.span(at)
    return f"{span.path}:{span.line}:{span.column}"
