"""What is said about a call: which model, what happened, what to do. Bounded, and without secrets."""

from collections.abc import Mapping
from urllib.parse import urlsplit

from autopack.run.events import Outcome
from autopack.runners.model.request import Request
from autopack.runners.redact import redact

_EVIDENCE_CHARS_MAX = 500
SET_KEY = "Nothing was sent. Set it to the provider's key, or name another variable in api_key_env."
NAME_KEY = "Nothing was sent. Name the variable in api_key_env."
ACTIONS: Mapping[Outcome, str] = {
    "auth": "Check the key, its rights and the account behind it.",
    "not_found": "Check `litellm`, `api_base` and `params` of this model in the catalogue.",
    "context_overflow": "Show it fewer or smaller files, or use a model with a larger window.",
    "refused": "Reword the goal, or use another model.",
    "truncated": "Ask for less at once, or raise `max_output_tokens` of this model in the catalogue.",
    "empty_output": "Use another model if this is frequent.",
    "rate_limited": "It is tried again later; lower the provider's limits in the catalogue if this is frequent.",
    "transient": "It is tried again later; if it stays, check the provider's status page or the server's log.",
}


def sentence(request: Request, fact: str, action: str) -> str:
    where = f"{request.litellm} at {shown(request.api_base)}" if request.api_base else request.litellm
    return f'model "{request.model}" ({where}): {fact.rstrip(".")}. {action}'


def evidence(said: str, key: str | None = None) -> str:
    """Cut after secrets are hidden: half of one would not be recognised."""
    return redact(encodable(said), [key] if key else []).strip()[:_EVIDENCE_CHARS_MAX]


def encodable(text: str) -> str:
    """`text` without halves of surrogate pairs: JSON may hold them, UTF-8 can't."""
    return text.encode("utf-8", "replace").decode()


def shown(api_base: str) -> str:
    """The address without what may be secret in it: user, password, query."""
    parts = urlsplit(api_base)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
