"""What each event leaves behind: the run's figures, and a digest of every part of its state.

Journalled with the event, it is the record of metrics that costs and thresholds are tuned by, and what a replay is
compared with: equal digests are equal states, byte for byte, and the part that differs has a name.

Of what has one entry a phase only the entries that an event can have changed are looked at: an event of a large run
costs what one of a small run costs.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields
from operator import attrgetter
from typing import Any, TypeVar

from autopack.plan import canonical
from autopack.run import issues
from autopack.run.ledger import RUN, Ledger, booked
from autopack.run.state import RunState, moved

T = TypeVar("T")

DIGITS = 16
"""Of each digest; against forgery there is the hash chain, this only has to tell two states apart."""

_ALL = 16**DIGITS
_APART = frozenset({"phases", "ledger", "issues", "pending", "elapsed_s", "ready"})

_RUN = attrgetter(*sorted(f.name for f in fields(RunState) if f.name not in _APART))
_RETOLD = 64
"""Entries whose text is kept for the next time that they change: more than are under way at once."""


class Trace:
    """Of one run, told each of its states in order."""

    def __init__(self) -> None:
        self._before: RunState | None = None
        self._known: dict[str, tuple[object, str]] = {}
        self._run, self._held = canonical.Retelling(), canonical.Retelling()
        self._phases = _Sum()
        self._used = _Sum()

    def after(self, run: RunState) -> Mapping[str, Any]:
        """The figures of the run as it is now, and under `parts` the digests."""
        spent, before = run.ledger.spent(RUN), self._before
        self._phases.take(run.phases, run.phases if before is None else moved(before, run))
        self._used.take(run.ledger.used, run.ledger.used if before is None else booked(before.ledger, run.ledger))
        self._before = run
        return {
            "state": run.state,
            "tokens_used": spent.tokens,
            "cost_usd": canonical.plain(spent.cost_usd),
            "model_calls": run.ledger.calls,
            "ci_runs": run.ledger.ci_runs,
            "minor_issues": issues.count(run.issues, "minor"),
            "major_issues": issues.count(run.issues, "major"),
            "parts": {
                "run": _digest(self._run.text([self._kept("ready", run.ready), *_RUN(run)])),
                "pending": _short(list(run.pending)),
                "ledger": self._kept("ledger", run.ledger, self._booked),
                "issues": self._kept("issues", run.issues),
                "phases": self._phases.digest,
            },
        }

    def _booked(self, ledger: Ledger) -> str:
        """As a list of what was used, what is held, and both counts."""
        return f'["{self._used.digest}",{self._held.text(ledger.held)},{ledger.calls},{ledger.ci_runs}]'

    def _kept(self, part: str, value: T, tell: Callable[[T], str] = canonical.text) -> str:
        known = self._known.get(part)
        if known is None or known[0] is not value:
            known = self._known[part] = (value, _digest(tell(value)))
        return known[1]


class _Sum:
    """The digests of all entries, added up: one that changes is taken out and added anew."""

    def __init__(self) -> None:
        self._digests: dict[str, int] = {}
        self._told: dict[str, canonical.Retelling] = {}
        self._total = 0

    def take(self, entries: Mapping[str, object], names: Iterable[str]) -> None:
        """The entries as they are now, of which those named may be others than before."""
        for name in names:
            new = int(self._digest(name, entries[name]), 16)
            self._total = (self._total + new - self._digests.get(name, 0)) % _ALL
            self._digests[name] = new

    def _digest(self, name: str, entry: object) -> str:
        """Of name and entry; one that has changed is likely to change again."""
        if name not in self._digests:
            return _short([name, entry])
        if name not in self._told:
            self._told[name] = canonical.Retelling()
            if len(self._told) > _RETOLD:
                del self._told[next(iter(self._told))]
        return _digest(f"[{canonical.text(name)},{self._told[name].text(entry)}]")

    @property
    def digest(self) -> str:
        return f"{self._total:0{DIGITS}x}"


def _short(value: object) -> str:
    return _digest(canonical.text(value))


def _digest(text: str) -> str:
    return canonical.digest_of(text)[:DIGITS]
