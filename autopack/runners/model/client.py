"""The client that a run calls: through `litellm.completion`."""

import functools
from typing import Protocol

from autopack.runners.model.answer import NOTHING_BILLED, Answer
from autopack.runners.model.exchange import Exchange
from autopack.runners.model.failure import failed, failure
from autopack.runners.model.library import library
from autopack.runners.model.request import RESERVED_PARAMS, Request
from autopack.runners.model.sent import arguments, key_of
from autopack.runners.model.success import answered


class ModelClient(Protocol):
    def complete(self, request: Request) -> Answer: ...


class LiteLLM:
    """Calls through `litellm.completion`: one HTTP request a call, not streamed, done or hung up after `timeout_s`."""

    def complete(self, request: Request) -> Answer:
        taken = RESERVED_PARAMS.intersection(name for name, _ in request.params)
        if taken:
            raise ValueError(f"models.{request.model}.params: {', '.join(sorted(taken))} can't be set there")
        key, trouble = key_of(request)
        if trouble:
            return failure("auth", NOTHING_BILLED, trouble)
        litellm = library()
        exchange = Exchange()
        result = exchange.run(functools.partial(litellm.completion, **arguments(request, key)), request.timeout_s)
        if isinstance(result, Exception):
            return failed(litellm.exceptions, request, exchange, result, key)
        return answered(result, request, exchange)
