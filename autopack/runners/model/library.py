"""LiteLLM itself: imported late, offline and silent, with our hooks in its HTTP clients. The only door to it."""

import contextlib
import functools
import importlib
import logging
import os
import threading
from typing import Any

from autopack.runners.model.exchange import receiving, sending
from autopack.runners.model.quiet import hush_warnings


def preload() -> None:
    """Import LiteLLM in the background; a call that comes before it is done waits for the rest of the import only."""
    threading.Thread(target=_import_ahead, name="autopack-import-litellm", daemon=True).start()


def _import_ahead() -> None:
    with contextlib.suppress(ImportError):  # the first call reports it, where somebody reads it
        library()


def library() -> Any:
    with _importing:
        return _load()


_importing = threading.Lock()


@functools.cache
def _load() -> Any:
    """LiteLLM, offline and silent.

    Only "True" or "true" keep it from fetching prices while it is imported. By name rather than by statement, because
    a type checker that follows it reads for twenty seconds.
    """
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    hush_warnings()
    litellm: Any = importlib.import_module("litellm")
    litellm.in_memory_llm_clients_cache = _hooked(type(litellm.in_memory_llm_clients_cache))
    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.turn_off_message_logging = True
    litellm.redact_messages_in_exceptions = True
    litellm.drop_params = False
    for name in ("LiteLLM", "LiteLLM Router", "LiteLLM Proxy", "httpx", "httpcore", "openai"):
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    return litellm


def _hooked(cache: Any) -> Any:
    """LiteLLM's cache of HTTP clients, which sees each one as it is made, whatever the provider; ours hooks into them.

    Rejected: handing in clients of our own, which would lose its proxies, certificates and the providers' differences.
    """

    class Clients(cache):  # type: ignore[misc]
        def set_cache(self, key: str, value: object, **rest: Any) -> Any:
            http: Any = getattr(value, "client", None) or getattr(value, "_client", None)
            if hasattr(http, "event_hooks") and hasattr(http, "close"):  # an asynchronous one has aclose
                http.event_hooks = {"request": [sending], "response": [receiving]}
            return super().set_cache(key, value, **rest)

    return Clients()
