"""Builders that are no model of the catalogue: an agent's command, or a client from outside.

Each is entered into the catalogue under a name of its own (`command:my-agent`), so that ladder, proof and ledger treat
it like everybody who may be asked. Nobody sees its bill: what one run of it may use is what its `tokens` state, and
where they state nothing its cost is UNBOUNDED. A client's bill is its own affair: nothing of it is on a budget.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal

from autopack.plan.draft import DraftPhase
from autopack.plan.model import COMMAND, Ask, Attempt, PlanBuilder
from autopack.problem import Problem, problem
from autopack.problem.typed import TYPE_CHECKING
from autopack.spec.model import Builder, Model, Phase, Price, Spec
from autopack.spec.record import replace

if TYPE_CHECKING:
    from typing import Literal

TIMEOUT_S = 1_800
MODEL = "model"


def entered(spec: Spec) -> Spec:
    """The spec with every such Builder in its catalogue."""
    made = _models(spec)
    if not made:
        return spec
    return replace(spec, models=replace(spec.models, models={**spec.models.models, **made}))


def is_outside(phase: Phase) -> bool:
    """Whether no model builds this phase."""
    return phase.builder is not None and phase.builder.kind != MODEL


def attempts(spec: Spec, phase: DraftPhase) -> tuple[Attempt, ...]:
    """The same command or client as often as it may be tried; each try is told what was wrong with the ones before."""
    builder = phase.spec.builder
    assert builder is not None
    ask = Ask(_names(spec)[_key(builder)], builder.tokens or 0, 0)
    return tuple(
        Attempt("again" if number else "first", ask, "whole_file") for number in range(phase["builder_attempts"])
    )


def sealed(phase: Phase) -> PlanBuilder:
    builder = phase.builder
    if builder is None or builder.kind == MODEL:
        return PlanBuilder()
    kind: Literal["command", "external"] = "command" if builder.kind == COMMAND else "external"
    return PlanBuilder(kind, builder.run, builder.timeout_s or TIMEOUT_S, builder.env_pass, builder.tokens or 0)


def unmetered(spec: Spec, phase: DraftPhase) -> Iterator[Problem]:
    """That a command spends what nobody counts."""
    builder = phase.spec.builder
    if builder is not None and builder.kind == COMMAND and builder.tokens is None:
        yield problem(
            "AP6010",
            f'what "{builder.run[0]}" spends in phase "{phase.spec.id}" is on nobody\'s budget: its cost is UNBOUNDED',
            spec.key_span(builder.at, "run"),
            help="state with `tokens` what one run of it may use, and hold it to that in its own settings",
        )


_Key = tuple[str, str, int | None, int | None]


def _key(builder: Builder) -> _Key:
    program = builder.run[0].rpartition("/")[2] if builder.run else ""
    return builder.kind, program, builder.tokens, builder.timeout_s


def _builders(spec: Spec) -> Iterator[Builder]:
    for tier in spec.playbook.tiers:
        for phase in tier.phases:
            if phase.builder is not None and is_outside(phase):
                yield phase.builder


def _names(spec: Spec) -> Mapping[_Key, str]:
    """By what they follow from; a program that is run in two ways has two names."""
    found: dict[_Key, str] = {}
    for builder in _builders(spec):
        kind, program, *_ = key = _key(builder)
        name = f"{kind}:{program}" if program else kind
        if key not in found:
            count = sum(other.partition("#")[0] == name for other in found.values())
            found[key] = f"{name}#{count + 1}" if count else name
    return found


def _nothing(builder: Builder) -> Price:
    """What a client costs whoever waits for it."""
    return Price(builder.at, Decimal(0), Decimal(0), None, None, "", nominal=False)


def _models(spec: Spec) -> dict[str, Model]:
    names = _names(spec)
    cap = spec.playbook.budget.tokens if spec.playbook.budget else None
    return {
        names[_key(builder)]: Model(
            at=builder.at,
            name=names[_key(builder)],
            litellm=f"{builder.kind}/{builder.kind}",
            api_base=None,
            api_key_env=None,
            tier="standard",
            context_tokens=1,
            max_output_tokens=1,
            price=None if builder.kind == COMMAND else _nothing(builder),
            token_cap=None if builder.tokens is None else cap or spec.ruleset.budget.tokens,
            edit_format="whole_file",
            timeout_s=builder.timeout_s or TIMEOUT_S,
            params={},
        )
        for builder in _builders(spec)
    }
