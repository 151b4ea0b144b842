"""The first pass: tiers and phases as one list, the needs of tiers spelled out as needs of phases."""

from autopack.plan.draft import Draft, DraftPhase
from autopack.spec.model import Tier
from autopack.spec.record import replace


def expand(draft: Draft) -> Draft:
    """Every phase with all it needs, those of its tier first."""
    phases: list[DraftPhase] = []
    tiers = draft.spec.playbook.tiers
    for number, tier in enumerate(tiers):
        before = _tier_needs(tiers, number)
        needed = tuple(phase.id for other in tiers if other.id in before for phase in other.phases)
        for phase in tier.phases:
            needs = tuple(dict.fromkeys((*needed, *phase.needs)))
            phases.append(DraftPhase(phase, tier, needs))
    return replace(draft, phases=tuple(phases))


def _tier_needs(tiers: tuple[Tier, ...], number: int) -> frozenset[str]:
    """Tier ids that must be done first; where nothing is said, the tier before."""
    needs = tiers[number].needs
    if needs is None:
        return frozenset({tiers[number - 1].id}) if number else frozenset()
    return frozenset(needs)
