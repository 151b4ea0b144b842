"""The accounts of runs: rows of the store as the machine reads them, and what the store keeps of a share."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from autopack.journal.rows import AccountRow
from autopack.plan import canonical
from autopack.run.allowance import FREE, Account
from autopack.run.effects import TakeAllowance
from autopack.run.events import AllowanceTaken
from autopack.run.ledger import ZERO, Amount


def read(row: AccountRow) -> Account:
    """What a run was billed until now, and what it may still spend; nothing of one that a cassette answers."""
    summary, kept = row.summary or {}, row.allowance or {}
    if kept.get("free"):
        summary = {}
    return Account(
        run_id=row.run_id,
        project=row.project,
        ended_at=row.last_at if row.state.startswith("DONE_") else None,
        spent=Amount(summary.get("tokens_used", 0), Decimal(summary.get("cost_usd", "0"))),
        provider_tokens=summary.get("provider_tokens", {}),
        held=Amount(kept["tokens"], Decimal(kept["cost_usd"])) if kept else ZERO,
        held_tokens=kept.get("providers", {}),
    )


def kept(asked: TakeAllowance, given: AllowanceTaken) -> Mapping[str, Any]:
    """What the run may spend at most, as the next ones have to count it, and the answer itself."""
    cost = asked.cost_usd if given.cost_usd is None else given.cost_usd
    return {
        "tokens": asked.tokens if given.tokens is None else given.tokens,
        "cost_usd": f"{cost or Decimal(0):f}",
        "providers": {name: share.tokens for name, share in given.providers.items()},
        "answer": canonical.plain(given),
    }


def free() -> Mapping[str, Any]:
    """Of a run that a cassette answers: it is asked for nothing, and takes nothing from others."""
    return {"tokens": 0, "cost_usd": "0", "providers": {}, "free": True, "answer": canonical.plain(FREE)}


def answer(kept: Mapping[str, Any]) -> AllowanceTaken:
    return canonical.build(AllowanceTaken, kept["answer"])
