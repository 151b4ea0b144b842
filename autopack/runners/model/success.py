"""A reply of LiteLLM's as an answer: what was said, how it ended, what was counted."""

import math
from decimal import Decimal
from typing import Any

from autopack.plan.price import UNKNOWN_USAGE, Usage
from autopack.run.events import Outcome
from autopack.runners.model.answer import Answer
from autopack.runners.model.exchange import Exchange
from autopack.runners.model.request import Request
from autopack.runners.model.words import ACTIONS, encodable, evidence, sentence


def answered(reply: Any, request: Request, exchange: Exchange) -> Answer:
    choice = reply.choices[0] if reply.choices else None
    said = getattr(choice, "message", None)
    text = encodable(getattr(said, "content", None) or "")
    finish_reason = encodable(getattr(choice, "finish_reason", None) or "")
    usage = _usage(getattr(reply, "usage", None), text)
    outcome, fact = _outcome_of(said, text, finish_reason, usage)
    return Answer(
        outcome=outcome,
        text=text,
        finish_reason=finish_reason,
        usage=usage,
        served_model=encodable(str(getattr(reply, "model", None) or request.litellm)),
        latency_s=exchange.latency_s,
        retry_after_s=None,
        litellm_cost_usd=_cost_usd(reply) if usage.known else None,
        message="" if outcome == "ok" else sentence(request, fact, ACTIONS[outcome]),
    )


def _outcome_of(said: Any, text: str, finish_reason: str, usage: Usage) -> tuple[Outcome, str]:
    refusal = (getattr(said, "provider_specific_fields", None) or {}).get("refusal")
    if finish_reason == "content_filter" or (refusal and not text.strip()):
        return "refused", f"the reply was withheld: {evidence(str(refusal or finish_reason))}"
    if finish_reason == "length":
        return "truncated", f"the reply was cut off after {usage.output} tokens"
    return ("ok", "") if text.strip() else ("empty_output", "the reply holds no text")


def _usage(raw: Any, text: str) -> Usage:
    """LiteLLM's usage object as ours, or unknown where it can't be true, so that the reservation stays charged.

    LiteLLM fills what is missing with zeros, but no call has an empty input, and no text comes from no output.
    """
    try:
        usage = _counted(raw)
    except ValueError:
        return UNKNOWN_USAGE
    return usage if usage.input and (usage.output or not text) else UNKNOWN_USAGE


def _counted(raw: Any) -> Usage:
    """The cached parts belong inside the input and reasoning inside the output; a provider that counts them beside is
    recognised by sums that only then fit. Raises ValueError.
    """
    asked, given = _count(raw, "prompt_tokens"), _count(raw, "completion_tokens")
    read_from = getattr(raw, "prompt_tokens_details", None)
    read = _part(read_from, "cached_tokens") or _part(raw, "cache_read_input_tokens")
    written = _part(read_from, "cache_creation_tokens") or _part(raw, "cache_creation_input_tokens")
    reasoning = _part(getattr(raw, "completion_tokens_details", None), "reasoning_tokens")
    if asked and read + written > asked:
        asked += read + written
    if reasoning > given or (reasoning and _part(raw, "total_tokens") == asked + given + reasoning):
        given += reasoning
    return Usage(asked, read, written, given, reasoning, known=True)


def _count(holder: Any, name: str) -> int:
    value = getattr(holder, name, None)
    if type(value) is not int or value < 0:  # a bool is no count
        raise ValueError(f"{name} is {value!r}")
    return value


def _part(holder: Any, name: str) -> int:
    """Parts may be left out."""
    return 0 if getattr(holder, name, None) is None else _count(holder, name)


def _cost_usd(reply: Any) -> Decimal | None:
    """LiteLLM's own figure, at its own prices; None for a model it has no price of."""
    value = getattr(reply, "_hidden_params", {}).get("response_cost")
    return Decimal(str(value)) if isinstance(value, (int, float)) and math.isfinite(value) else None
