"""What came instead of a reply, as an answer: which outcome, whether it may have been billed, how long to wait."""

import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any

from autopack.plan.price import UNKNOWN_USAGE, Usage
from autopack.run.events import Outcome
from autopack.runners.model.answer import NOTHING_BILLED, Answer
from autopack.runners.model.exchange import Exchange
from autopack.runners.model.request import Request
from autopack.runners.model.words import ACTIONS, evidence, sentence

_CLASS_NAMES = re.compile(r"^(?:(?:litellm\.)?[A-Z]?\w*(?:Error|Exception|Timeout)(?: Error)?(?:: | - ))+")
# Statuses that LiteLLM leaves unnamed for some providers. 402 is an account without money: nothing that waiting mends.
_BY_STATUS: Mapping[int | None, Outcome] = {
    401: "auth",
    402: "auth",
    403: "auth",
    404: "not_found",
    413: "context_overflow",
    429: "rate_limited",
}


def failed(kinds: Any, request: Request, exchange: Exchange, error: Exception, key: str | None) -> Answer:
    outcome = _outcome_of_error(kinds, exchange, error)
    usage = NOTHING_BILLED if _surely_free(kinds, exchange, error) else UNKNOWN_USAGE
    message = sentence(request, _fact(exchange, error, key), ACTIONS[outcome])
    waits = outcome in ("rate_limited", "transient")
    retry_after_s = _retry_after_s(exchange.headers or _headers(error)) if waits else None
    return failure(outcome, usage, message, exchange.latency_s, retry_after_s)


def _fact(exchange: Exchange, error: Exception, key: str | None) -> str:
    """What the provider said, without the class names LiteLLM stacks before it and the source lines it adds."""
    said = str(error).partition("Traceback (most recent call last)")[0].partition(". Handle with `litellm")[0]
    said = evidence(_CLASS_NAMES.sub("", said), key)
    status = f"HTTP {exchange.status}, " if exchange.status else ""
    return f"{status}{type(error).__name__}: {said}" if said else f"{status}{type(error).__name__}"


def _outcome_of_error(kinds: Any, exchange: Exchange, error: Exception) -> Outcome:
    """The first row that fits; order matters, since two of these are BadRequestErrors themselves."""
    rows: tuple[tuple[type[Exception] | tuple[type[Exception], ...], Outcome], ...] = (
        (kinds.ContextWindowExceededError, "context_overflow"),
        (kinds.ContentPolicyViolationError, "refused"),
        ((kinds.AuthenticationError, kinds.PermissionDeniedError), "auth"),
        (kinds.NotFoundError, "not_found"),
        (kinds.RateLimitError, "rate_limited"),
        ((kinds.Timeout, kinds.APIConnectionError), "transient"),
        ((kinds.InternalServerError, kinds.ServiceUnavailableError), "transient"),
    )
    for row, outcome in rows:
        if isinstance(error, row):
            return outcome
    if isinstance(error, kinds.BadRequestError) and not exchange.requests:
        return "not_found"  # LiteLLM itself refused: an id it can't route, or a parameter that model doesn't have
    return _BY_STATUS.get(exchange.status, "transient")


def _surely_free(kinds: Any, exchange: Exchange, error: Exception) -> bool:
    """Only success is billed, and what never connected did not arrive. Anything else may have been paid."""
    if exchange.status is not None:
        return not 200 <= exchange.status < 300
    if exchange.requests:
        return not exchange.connected
    return isinstance(error, (kinds.BadRequestError, kinds.AuthenticationError, kinds.NotFoundError))


def _headers(error: Exception) -> Mapping[str, str]:
    return getattr(error, "litellm_response_headers", None) or {}


def _retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Seconds from now: the header holds seconds or an HTTP date. None when it is absent or says nothing usable."""
    written = headers.get("retry-after")
    if written is None:
        return None
    try:
        seconds = float(written)
    except ValueError:
        return _seconds_until(written)
    return seconds if math.isfinite(seconds) and seconds >= 0 else None


def _seconds_until(date: str) -> float | None:
    try:
        moment = parsedate_to_datetime(date)
    except ValueError:
        return None
    return max(0.0, (moment.astimezone(UTC) - datetime.now(UTC)).total_seconds())


def failure(
    outcome: Outcome, usage: Usage, message: str, latency_s: float = 0.0, retry_after_s: float | None = None
) -> Answer:
    return Answer(outcome, "", "", usage, "", latency_s, retry_after_s, None, message)
