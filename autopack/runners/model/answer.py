"""What one HTTP attempt came to."""

from dataclasses import dataclass
from decimal import Decimal

from autopack.plan.price import Usage
from autopack.run.events import Outcome

# An answer the provider refused to give (an error status) or a request that never left: known to be free.
NOTHING_BILLED = Usage(0, 0, 0, 0, 0, known=True)


@dataclass(frozen=True, slots=True)
class Answer:
    """What one HTTP attempt came to. A failure has no text and a `message`: redacted, bounded, with the next action.

    `usage` of a failure is NOTHING_BILLED when the provider surely charged nothing, else UNKNOWN_USAGE: a call that may
    have been paid is one whose reservation stays charged.
    """

    outcome: Outcome
    text: str
    finish_reason: str
    usage: Usage
    served_model: str
    latency_s: float
    retry_after_s: float | None
    litellm_cost_usd: Decimal | None
    message: str
