"""Rules that only effective values can break: the CI profile a phase ends up with, and code taken over from outside.
And what the policy advises for work of a kind.
"""

from collections import Counter
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
    found = (each for phase in draft.phases for rule in rules for each in rule(draft.spec, phase))
    return draft.found(*found, *_advised(draft))


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


def _advised(draft: Draft) -> Iterator[Problem]:
    """Where the policy would have heavy work cut smaller, and nobody has done so: one word about it, no more."""
    pieces = Counter((phase.tier.id, phase["advice"]) for phase in draft.phases)
    for phase in draft.phases:
        advice = phase["advice"]
        if advice == "split" and pieces[phase.tier.id, advice] == 1:
            help_ = "make two or three phases of it: first what others build on, then what builds on it"
            yield _advice(draft.spec, phase, "split", help_)
        elif advice == "single_tier" and draft.run_scope == "multi_tier" and len(draft.spec.playbook.tiers) > 1:
            help_ = "write `run_scope: single_tier` in autopack.yaml: each tier gets a run of its own, judged by itself"
            yield _advice(draft.spec, phase, "run in a tier of its own", help_)


def _advice(spec: Spec, phase: DraftPhase, done: str, help_: str) -> Problem:
    mode = phase.values["builder_mode"].at
    span = spec.key_span(phase.spec.at, "category") if mode is None else spec.span(mode)
    kind = phase["builder_mode"] or phase["category"]
    return problem("AP5008", f'phase "{phase.spec.id}" is {kind} work, which is better {done}', span, help=help_)
