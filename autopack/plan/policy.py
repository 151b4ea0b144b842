"""Rules that only effective values can break: the CI profile a phase ends up with, and code taken over from outside."""

from collections.abc import Iterator

from autopack.plan.commands import unmetered
from autopack.plan.draft import Draft, DraftPhase
from autopack.problem import Label, Problem, problem
from autopack.spec.model import Spec
from autopack.spec.nearest import did_you_mean
from autopack.spec.paths import matches

TAKES_OVER = frozenset({"external_code_intake", "external_feature_reuse"})


def obey(draft: Draft) -> Draft:
    """Findings where a phase, with every default filled in, asks for what this project does not have or allow."""
    rules = (_ci, _external, unmetered)
    return draft.found(*(each for phase in draft.phases for rule in rules for each in rule(draft.spec, phase)))


def _ci(spec: Spec, phase: DraftPhase) -> Iterator[Problem]:
    name, value = phase["ci"], phase.values["ci"]
    if name in spec.ci.profiles:
        return
    why = () if value.at is None else (Label(spec.span(value.at), f"asked for here ({value.layer})"),)
    yield problem(
        "AP5003",
        f'phase "{phase.spec.id}" has to pass the CI profile "{name}", which {spec.ci.at.path} does not hold',
        spec.span(phase.spec.at, "id"),
        why,
        help=did_you_mean(name, spec.ci.profiles)
        or f"add `profiles: {{{name}: ...}}` there, or set `ci:` at the phase",
    )


def _external(spec: Spec, phase: DraftPhase) -> Iterator[Problem]:
    """Where the code comes from and under which licence must both be on the ruleset's lists."""
    external, allowed = phase.spec.external, spec.ruleset.external
    if not {phase.spec.category, phase["task_category"]} & TAKES_OVER:
        return
    if external is None:
        yield problem(
            "AP5004",
            f'phase "{phase.spec.id}" takes over code from outside and does not say which',
            spec.key_span(phase.spec.at, "category"),
            help="add `external: {source: <where it comes from>, licence: <its SPDX id>}`",
        )
        return
    if not matches(external.source, allowed.sources):
        listed = ", ".join(allowed.sources) or "none is allowed yet"
        yield problem(
            "AP5005",
            f"{external.source} is not a source that code may be taken from",
            spec.span(external.at, "source"),
            help=f"the ruleset's external.sources: {listed}",
        )
    if external.licence not in allowed.licences:
        yield problem(
            "AP5006",
            f"code under {external.licence} may not be taken over",
            spec.span(external.at, "licence"),
            help=f"the ruleset's external.licences: {', '.join(allowed.licences) or 'none is allowed yet'}",
        )
