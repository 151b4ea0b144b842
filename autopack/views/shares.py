"""What project and providers have left for all runs, as a run that begins now would find it."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from autopack.journal.store import Store
from autopack.plan import canonical
from autopack.plan.model import Plan, ProjectBudget
from autopack.plan.price import exact
from autopack.run.allowance import granted
from autopack.run.effects import TakeAllowance
from autopack.run.events import AllowanceTaken, ProviderShare
from autopack.runners import accounts
from autopack.spec.record import replace


def shares(store: Store, plan: Plan, budget: ProjectBudget | None, now: float) -> AllowanceTaken:
    """`plan` names the project, and the quotas of its providers; `budget` is the project's of today."""
    weekly = {name: quota.weekly_tokens for name, quota in plan.quotas.items() if quota.weekly_tokens is not None}
    today = replace(plan, project_budget=budget)
    everything = TakeAllowance(
        run_id="",
        tokens=(budget.tokens if budget else None) or 0,
        cost_usd=budget.cost_usd if budget else None,
        providers=weekly,
    )
    return granted(today, everything, [accounts.read(row) for row in store.accounts()], now)


def document(budget: ProjectBudget | None, found: AllowanceTaken) -> Mapping[str, Any]:
    """For programs: `left_tokens` and `left_cost_usd` are null where there is no cap."""
    project = None
    if budget is not None:
        project = canonical.plain(budget) | {
            "spent_tokens": found.spent_tokens,
            "spent_cost_usd": f"{found.spent_cost_usd:f}",
            "left_tokens": found.tokens,
            "left_cost_usd": canonical.plain(found.cost_usd),
            "held_by": list(found.held_by),
            "frees_at": found.frees_at,
        }
    return {"project": project, "providers": {name: _of_provider(share) for name, share in found.providers.items()}}


def _of_provider(share: ProviderShare) -> Mapping[str, Any]:
    return {
        "weekly_tokens": share.weekly,
        "spent": share.spent,
        "left": share.tokens,
        "left_to_soft_limit": share.soft,
        "frees_at": share.frees_at,
    }


def screen(budget: ProjectBudget | None, found: AllowanceTaken) -> str:
    """A line for each cap that all runs share; nothing where there is none."""
    return "\n".join([*_project_lines(budget, found), *_provider_lines(found)])


def _project_lines(budget: ProjectBudget | None, found: AllowanceTaken) -> Iterator[str]:
    if budget is None:
        return
    if budget.tokens is not None:
        spent = f"{found.spent_tokens:,} of {budget.tokens:,} tokens"
        yield _line("project", spent, budget.days, f"{found.tokens or 0:,}")
    if budget.cost_usd is not None:
        spent = f"{exact(found.spent_cost_usd)} of {exact(budget.cost_usd)} USD"
        yield _line("project", spent, budget.days, exact(found.cost_usd or Decimal(0)))
    if found.held_by:
        yield f"  held by runs that have not ended: {', '.join(found.held_by)}"
    if found.frees_at:
        yield f"  some is free again at {found.frees_at}"


def _provider_lines(found: AllowanceTaken) -> Iterator[str]:
    for name, share in found.providers.items():
        yield _line(name, f"{share.spent:,} of {share.weekly:,} tokens", 7, f"{share.tokens:,}")
        if share.soft == 0:
            yield "  above its soft limit: others are asked where a phase may go elsewhere"
        if share.frees_at:
            yield f"  some is free again at {share.frees_at}"


def _line(whose: str, spent: str, days: int, left: str) -> str:
    return f"{whose}: {spent} in {days} days, {left} left"
