"""How fast a provider may be asked: buckets of requests and tokens that fill again by the minute.

They belong to one driver and are in no journal: a run that is taken up again begins with full ones, as the provider's
own clock will long have gone on. What is taken is the upper bound of a call, so the provider never sees more.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from autopack.plan.model import Quota

MINUTE_S = 60.0


@dataclass(slots=True)
class Bucket:
    per_minute: float
    level: float
    at_s: float

    def wait_s(self, amount: float, now_s: float) -> float:
        """Until so much is in it; more than it holds is let through when it is full."""
        missing = min(amount, self.per_minute) - self._level(now_s)
        return max(0.0, missing * MINUTE_S / self.per_minute)

    def take(self, amount: float, now_s: float) -> None:
        self.level, self.at_s = self._level(now_s) - min(amount, self.per_minute), now_s

    def _level(self, now_s: float) -> float:
        return min(self.per_minute, self.level + (now_s - self.at_s) * self.per_minute / MINUTE_S)


class Rates:
    """The buckets of every provider that has a limit; `now` is a monotonic clock in seconds."""

    def __init__(self, quotas: Mapping[str, Quota], now: Callable[[], float]) -> None:
        self._now = now
        self._buckets: dict[tuple[str, str], Bucket] = {}
        for provider, quota in quotas.items():
            limits = ("requests", quota.requests_per_minute), ("tokens", quota.tokens_per_minute)
            for kind, limit in limits:
                if limit is not None:
                    self._buckets[provider, kind] = Bucket(limit, limit, now())

    def wait_s(self, provider: str, tokens: int) -> float:
        """How long a call of so many tokens has to wait; 0: it may go now."""
        return max((b.wait_s(n, self._now()) for b, n in self._of(provider, tokens)), default=0.0)

    def take(self, provider: str, tokens: int) -> None:
        for bucket, amount in self._of(provider, tokens):
            bucket.take(amount, self._now())

    def _of(self, provider: str, tokens: int) -> list[tuple[Bucket, float]]:
        amounts = (("requests", 1.0), ("tokens", float(tokens)))
        return [(self._buckets[provider, k], n) for k, n in amounts if (provider, k) in self._buckets]
