"""What is handed to `litellm.completion`, and the provider's key with it."""

import ipaddress
import os
from typing import Any
from urllib.parse import urlsplit

from autopack.runners.model.request import Request
from autopack.runners.model.words import NAME_KEY, SET_KEY, sentence

_NO_KEY = "none-needed"


def key_of(request: Request) -> tuple[str | None, str]:
    """The provider's key, read now, or what to do about a missing one.

    Without a named variable LiteLLM may look for credentials in its own way (clouds do), but never for a foreign
    address: it would send the key of the provider whose protocol is spoken there.
    """
    name = request.api_key_env
    if name is not None:
        key = os.environ.get(name, "").strip()
        return (key, "") if key else (None, sentence(request, f"the environment variable {name} is not set", SET_KEY))
    if request.api_base is None:
        return None, ""
    if _is_local(request.api_base):
        return _NO_KEY, ""
    return None, sentence(request, "no variable is named that holds the key for this address", NAME_KEY)


def _is_local(api_base: str) -> bool:
    host = urlsplit(api_base).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".lan", ".internal", ".home.arpa"))
    return address.is_private or address.is_loopback or address.is_link_local


def arguments(request: Request, key: str | None) -> dict[str, Any]:
    """For `litellm.completion`. `num_retries` is LiteLLM's own, `max_retries` the one of the SDKs below it."""
    return {
        **dict(request.params),
        "model": request.litellm,
        "messages": [{"role": role, "content": content} for role, content in request.messages],
        "max_tokens": request.max_output_tokens,
        "timeout": float(request.timeout_s),
        "num_retries": 0,
        "max_retries": 0,
        "drop_params": False,
        **({"api_base": request.api_base} if request.api_base else {}),
        **({"api_key": key} if key else {}),
    }
