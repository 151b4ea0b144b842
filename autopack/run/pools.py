"""Places: how many effects of a kind may be under way at once. Data of the plan, read alike by every driver."""

from autopack.plan.model import Plan
from autopack.run.effects import CallModel, Effect

DEFAULT_PLACES = 4
"""Of a pool that the plan does not name."""


def names(plan: Plan, effect: Effect) -> tuple[str, ...]:
    """The pools in which an effect takes a place: that of its type and, for a call, that of the provider."""
    if isinstance(effect, CallModel):
        return ("CallModel", f"provider:{plan.models[effect.model].provider}")
    return (type(effect).__name__,)


def places(plan: Plan, name: str) -> int:
    return max(1, plan.pools.get(name, DEFAULT_PLACES))
