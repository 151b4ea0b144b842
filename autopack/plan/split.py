"""One playbook, several runs: where it has more phases than a run may have, or more tiers than its scope allows.

Runs follow each other, each from the integration head of the one before and each with its own caps. Tiers stay whole
where they fit; a tier that doesn't is cut in plan order, so that no run needs anything of a later one.
"""

from collections.abc import Iterator

from autopack.plan.draft import Draft, DraftPhase
from autopack.plan.inherit import cap_at
from autopack.problem import Label, Problem, problem
from autopack.spec.model import Tier
from autopack.spec.record import replace


def split(draft: Draft) -> Draft:
    """The draft with its runs, as ids in plan order; one that needs no split is one run."""
    if draft.caps is None:
        raise ValueError("the inherit pass has not run")
    alone = draft.run_scope == "single_tier"
    runs = _packed([_pieces(tier, draft.caps.phases) for tier in _by_tier(draft)], draft.caps.phases, alone=alone)
    if len(runs) == 1:
        return replace(draft, runs=(tuple(phase.spec.id for phase in draft.phases),))
    # the tiers of one run may mix in plan order; of two, the earlier run comes first
    phases = tuple(phase for run in runs for phase in run)
    after = replace(draft, phases=phases, runs=tuple(tuple(phase.spec.id for phase in run) for run in runs))
    return after.found(*_why(after, draft.caps.phases))


def _why(draft: Draft, cap: int) -> Iterator[Problem]:
    """That there are several runs is worth knowing, and nothing is wrong with it."""
    spec, count = draft.spec, len(draft.runs)
    tiers = len(_by_tier(draft))
    if draft.run_scope == "single_tier" and tiers > 1:
        yield problem(
            "AP7001",
            f"run_scope is single_tier and this playbook has {tiers} tiers: it is executed as {count} runs",
            spec.span(_second_tier(draft).at, "id"),
            help="each run starts from what the one before has landed; nothing needs to be done",
        )
    if len(draft.phases) > cap:
        written = cap_at(spec, "phases")
        shipped = written.path.startswith("builtin:")
        yield problem(
            "AP6002",
            f"{len(draft.phases)} phases, and a run may have {cap}: this playbook is executed as {count} runs",
            spec.span(draft.phases[cap].spec.at, "id") if shipped else spec.span(written),
            (Label(spec.span(written), "the cap, where nobody writes another"),) if shipped else (),
            help="each run has its own caps; raise budget.phases for one long run, or leave it",
        )


def _second_tier(draft: Draft) -> Tier:
    """Where a single-tier run would have to end."""
    first = draft.phases[0].tier
    return next(phase.tier for phase in draft.phases if phase.tier.id != first.id)


def _by_tier(draft: Draft) -> list[list[DraftPhase]]:
    tiers: dict[str, list[DraftPhase]] = {tier.id: [] for tier in draft.spec.playbook.tiers}
    for phase in draft.phases:
        tiers.setdefault(phase.tier.id, []).append(phase)
    return [phases for phases in tiers.values() if phases]


def _pieces(phases: list[DraftPhase], cap: int) -> list[list[DraftPhase]]:
    return [phases[start : start + cap] for start in range(0, len(phases), cap)]


def _packed(tiers: list[list[list[DraftPhase]]], cap: int, *, alone: bool) -> list[list[DraftPhase]]:
    """Pieces into runs: as many whole tiers together as fit, none together where each has to be alone."""
    runs: list[list[DraftPhase]] = []
    for pieces in tiers:
        for number, piece in enumerate(pieces):
            joins = runs and not alone and not number and len(runs[-1]) + len(piece) <= cap
            if joins:
                runs[-1] = [*runs[-1], *piece]
            else:
                runs.append(piece)
    return runs
