"""What comes with an effect from the driver to the hands."""

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Ticket:
    """`at` is when the effect was first started (epoch seconds, the same again after a crash), `token` marks its
    children, `cancelled` says whether the answer is still wanted, `started` is told each child's pid and start time.
    """

    key: str
    token: str
    at: float
    cancelled: Callable[[], bool]
    started: Callable[[int, float], None]
