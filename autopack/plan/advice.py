"""The pass that gives advice: where the policy would have heavy work cut smaller, and nobody has done so."""

from collections import Counter
from collections.abc import Iterator

from autopack.plan.draft import Draft, DraftPhase
from autopack.problem import Problem, problem
from autopack.spec.model import Spec


def advise(draft: Draft) -> Draft:
    """One word about it, no more: nothing in the plan follows from it."""
    return draft.found(*_advised(draft))


def _advised(draft: Draft) -> Iterator[Problem]:
    pieces = Counter((phase.tier.id, phase["advice"]) for phase in draft.phases)
    shared = draft.run_scope == "multi_tier" and len(draft.spec.playbook.tiers) > 1
    for phase in draft.phases:
        advice = phase["advice"]
        if advice == "split" and pieces[phase.tier.id, advice] == 1:
            help_ = "make two or three phases of it: first what others build on, then what builds on it"
            yield _told(draft.spec, phase, "split", help_)
        elif advice == "single_tier" and shared:
            help_ = "write `run_scope: single_tier` in autopack.yaml: each tier gets a run of its own, judged by itself"
            yield _told(draft.spec, phase, "done in a run of its own tier", help_)


def _told(spec: Spec, phase: DraftPhase, how: str, help_: str) -> Problem:
    mode = phase.values["builder_mode"].at
    span = spec.key_span(phase.spec.at, "category") if mode is None else spec.span(mode)
    kind = phase["builder_mode"] or phase["category"]
    return problem("AP5009", f'phase "{phase.spec.id}" is {kind} work, which is better {how}', span, help=help_)
