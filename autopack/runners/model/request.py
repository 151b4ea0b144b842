"""What a language model is asked, and what of it decides the answer."""

from collections.abc import Sequence
from dataclasses import dataclass

from autopack.plan import canonical
from autopack.run.effects import Role

# Chat templates wrap each message in a few tokens; some models add a preamble with dates and manners of their own.
_TOKENS_PER_REQUEST = 256
_TOKENS_PER_MESSAGE = 16

# Names in a catalogue's `params` that would undo what this file or the budget relies on.
RESERVED_PARAMS = frozenset(
    {
        *("model", "messages", "timeout", "request_timeout", "max_tokens", "max_completion_tokens", "n", "stream"),
        *("num_retries", "max_retries", "retry_policy", "fallbacks", "context_window_fallback_dict", "drop_params"),
        *("api_base", "base_url", "api_key", "client", "mock_response", "acompletion", "cache", "caching"),
    }
)


@dataclass(frozen=True, slots=True)
class Request:
    """One call. `messages` are (role, content) pairs; `call` is the nth call of that role in that phase, from 1."""

    model: str
    litellm: str
    api_base: str | None
    api_key_env: str | None
    messages: tuple[tuple[str, str], ...]
    max_output_tokens: int
    timeout_s: float
    params: tuple[tuple[str, object], ...]
    phase: str
    role: Role
    call: int


def request_key(request: Request) -> str:
    """sha256 over what decides the answer: model, messages, parameters, output limit.

    Who asks (phase, role, call), where the model is served, which variable holds the key and how long one waits are
    left out, so that a recorded answer is found again on another machine.
    """
    return canonical.digest(
        {
            "model": request.model,
            "litellm": request.litellm,
            "messages": request.messages,
            "max_output_tokens": request.max_output_tokens,
            "params": dict(request.params),
        }
    )


def input_upper_bound(messages: Sequence[tuple[str, str]]) -> int:
    """Tokens these messages can't exceed with any byte-level tokenizer, since a token is at least one byte."""
    written = sum(len(content.encode("utf-8", "surrogatepass")) for _, content in messages)
    return _TOKENS_PER_REQUEST + _TOKENS_PER_MESSAGE * len(messages) + written
