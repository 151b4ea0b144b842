"""What each event leaves behind: the run's figures, and a digest of every part of its state.

Journalled with the event, it is the record of metrics that costs and thresholds are tuned by, and what a replay is
compared with: equal digests are equal states, byte for byte, and the part that differs has a name.
"""

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from autopack.plan import canonical
from autopack.run import issues
from autopack.run.ledger import RUN
from autopack.run.state import RunState

DIGITS = 16
"""Of each digest; against forgery there is the hash chain, this only has to tell two states apart."""

_APART = frozenset({"phases", "ledger", "issues", "pending", "elapsed_s"})


class Trace:
    """Remembers the digests of what did not change, so that a large run costs no more an event than a small one."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, str]] = {}

    def after(self, run: RunState) -> Mapping[str, Any]:
        """The figures of the run as it is now, and under `parts` the digests."""
        spent = run.ledger.spent(RUN)
        return {
            "state": run.state,
            "tokens_used": spent.tokens,
            "cost_usd": canonical.plain(spent.cost_usd),
            "model_calls": sum(len(phase.calls) for phase in run.phases.values()),
            "ci_runs": sum(phase.ci_runs for phase in run.phases.values()),
            "minor_issues": issues.count(run.issues, "minor"),
            "major_issues": issues.count(run.issues, "major"),
            "parts": {
                "run": _short({f.name: getattr(run, f.name) for f in fields(run) if f.name not in _APART}),
                "pending": _short(list(run.pending)),
                "ledger": self._kept("ledger", run.ledger),
                "issues": self._kept("issues", run.issues),
                "phases": _short([self._kept(f"phase {name}", phase) for name, phase in run.phases.items()]),
            },
        }

    def _kept(self, part: str, value: object) -> str:
        known = self._known.get(part)
        if known is None or known[0] is not value:
            known = self._known[part] = (value, _short(value))
        return known[1]


def _short(value: object) -> str:
    return canonical.digest(value)[:DIGITS]
