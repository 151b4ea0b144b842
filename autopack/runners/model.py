"""One request to a language model in, one typed answer out: the only file that knows LiteLLM.

What it knows: how to make LiteLLM send exactly one HTTP request, within one deadline, quietly; which of its exceptions
means what; how the providers' token counts become ours. What it does not know: retries, backoff, fallbacks, budgets and
prices belong to the machine, so LiteLLM's own are all off.

LiteLLM takes seconds to import, so it is imported by the first call, or by `preload` while git and CI have work.
"""

import contextlib
import functools
import importlib
import ipaddress
import logging
import math
import os
import queue
import re
import socket
import threading
import time
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any, Protocol
from urllib.parse import urlsplit

from autopack.plan import canonical
from autopack.plan.price import UNKNOWN_USAGE, Usage, cost
from autopack.plan.price import Price as PriceRow
from autopack.run.effects import Role
from autopack.run.events import Outcome
from autopack.runners.redact import redact

__all__ = [
    "NOTHING_BILLED",
    "RESERVED_PARAMS",
    "UNKNOWN_USAGE",
    "Answer",
    "LiteLLM",
    "ModelClient",
    "Outcome",
    "PriceRow",
    "ProbeResult",
    "Request",
    "Usage",
    "cost",
    "encodable",
    "input_upper_bound",
    "preload",
    "probe",
    "request_key",
]

# An answer the provider refused to give (an error status) or a request that never left: known to be free.
NOTHING_BILLED = Usage(0, 0, 0, 0, 0, known=True)
# Chat templates wrap each message in a few tokens; some models add a preamble with dates and manners of their own.
_TOKENS_PER_REQUEST = 256
_TOKENS_PER_MESSAGE = 16
_EVIDENCE_CHARS_MAX = 500
_PREPARE_S = 60.0
_HANG_UP_GRACE_S = 1.0
_NO_KEY = "none-needed"
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


class ModelClient(Protocol):
    def complete(self, request: Request) -> Answer: ...


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """`about_key`: the address may be fine, the key is missing or not taken."""

    ok: bool
    reason: str
    about_key: bool = False


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


def encodable(text: str) -> str:
    """`text` without halves of surrogate pairs: JSON may hold them, UTF-8 can't."""
    return text.encode("utf-8", "replace").decode()


def input_upper_bound(messages: Sequence[tuple[str, str]]) -> int:
    """Tokens these messages can't exceed with any byte-level tokenizer, since a token is at least one byte."""
    written = sum(len(content.encode("utf-8", "surrogatepass")) for _, content in messages)
    return _TOKENS_PER_REQUEST + _TOKENS_PER_MESSAGE * len(messages) + written


class LiteLLM:
    """Calls through `litellm.completion`: one HTTP request a call, not streamed, done or hung up after `timeout_s`."""

    def complete(self, request: Request) -> Answer:
        taken = RESERVED_PARAMS.intersection(name for name, _ in request.params)
        if taken:
            raise ValueError(f"models.{request.model}.params: {', '.join(sorted(taken))} can't be set there")
        key, trouble = _key(request)
        if trouble:
            return _failure("auth", NOTHING_BILLED, trouble)
        litellm = _litellm()
        exchange = _Exchange()
        result = exchange.run(functools.partial(litellm.completion, **_arguments(request, key)), request.timeout_s)
        if isinstance(result, Exception):
            return _failed(litellm.exceptions, request, exchange, result, key)
        return _answered(result, request, exchange)


def preload() -> None:
    """Import LiteLLM in the background; a call that comes before it is done waits for the rest of the import only."""
    threading.Thread(target=_import_ahead, name="autopack-import-litellm", daemon=True).start()


def probe(api_base: str | None, api_key_env: str | None, timeout_s: float) -> ProbeResult:
    """Whether somebody who takes this key answers at `{api_base}/models`; never a billed call.

    A key variable that is not set, no connection, 401 and 403 fail. Anything else passes, also no answer in time: not
    every server lists its models.
    """
    key = os.environ.get(api_key_env, "").strip() if api_key_env else ""
    if api_key_env and not key:
        return ProbeResult(False, f"the environment variable {api_key_env} is not set. {_SET_KEY}", about_key=True)
    if api_base is None:
        return ProbeResult(ok=True, reason="no api_base to ask: LiteLLM knows the provider's address")
    where = _shown(api_base)
    if urlsplit(api_base).scheme not in ("http", "https"):
        return ProbeResult(ok=False, reason=f"{where} is no http address. Correct api_base in the catalogue.")
    found: list[ProbeResult] = []
    asking = threading.Thread(target=lambda: found.append(_ask(api_base, api_key_env, key, timeout_s)), daemon=True)
    asking.start()
    asking.join(timeout_s + _HANG_UP_GRACE_S)
    return found[0] if found else ProbeResult(ok=True, reason=f"{where} is there but slow to list its models")


# --- what is sent


def _key(request: Request) -> tuple[str | None, str]:
    """The provider's key, read now, or what to do about a missing one.

    Without a named variable LiteLLM may look for credentials in its own way (clouds do), but never for a foreign
    address: it would send the key of the provider whose protocol is spoken there.
    """
    name = request.api_key_env
    if name is not None:
        key = os.environ.get(name, "").strip()
        return (key, "") if key else (None, _sentence(request, f"the environment variable {name} is not set", _SET_KEY))
    if request.api_base is None:
        return None, ""
    if _is_local(request.api_base):
        return _NO_KEY, ""
    return None, _sentence(request, "no variable is named that holds the key for this address", _NAME_KEY)


_SET_KEY = "Nothing was sent. Set it to the provider's key, or name another variable in api_key_env."
_NAME_KEY = "Nothing was sent. Name the variable in api_key_env."


def _is_local(api_base: str) -> bool:
    host = urlsplit(api_base).hostname or ""
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return "." not in host or host.endswith((".localhost", ".local", ".lan", ".internal", ".home.arpa"))
    return address.is_private or address.is_loopback or address.is_link_local


def _arguments(request: Request, key: str | None) -> dict[str, Any]:
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


# --- the exchange, seen from inside the HTTP client


class _NotSent(BaseException):
    """Stops a request. Not an Exception, because LiteLLM and the SDKs below it answer each of those by trying again."""


@dataclass(slots=True)
class _Exchange:
    """One HTTP request on its way, in a thread of its own, so that nobody waits for it past the deadline.

    LiteLLM's exceptions guess: a broken connection is an "InternalServerError, status 500" to it. The hooks below sit
    in the HTTP client, see what was really sent and answered, refuse a second request (LiteLLM repeats some by itself),
    and hold the socket, so that a server that drips one byte a second is hung up on at the deadline: time limits of the
    HTTP client only bound the gaps between bytes.
    """

    requests: int = 0
    latency_s: float = 0.0
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    expired: bool = False
    done: threading.Event = field(default_factory=threading.Event)
    _sent_at: float = 0.0
    _connection: socket.socket | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _result: list[Any] = field(default_factory=list)

    def run(self, call: functools.partial[Any], timeout_s: float) -> Any:
        """The reply, or the exception that came instead: TimeoutError when the call was given up.

        The provider's time starts with its request: LiteLLM's first call still imports for most of a second.
        """
        began, left_s = time.monotonic(), timeout_s
        _start(self, call)
        while not self.done.wait(left_s):
            left_s = self._left_s(began, timeout_s)
            if left_s <= 0:
                self._hang_up()
                self.done.wait(_HANG_UP_GRACE_S)
                break
        if self._sent_at:
            self.latency_s = time.monotonic() - self._sent_at
        result = self._result[0] if self._result else None
        if result is None or (self.expired and isinstance(result, Exception)):
            return TimeoutError(f"no complete answer in {timeout_s:g} s, so the connection was closed")
        return result

    def _left_s(self, began: float, timeout_s: float) -> float:
        now = time.monotonic()
        if self._sent_at:
            return self._sent_at + timeout_s - now
        return timeout_s if now < began + _PREPARE_S else 0.0

    def call(self, call: functools.partial[Any]) -> None:
        """What the thread does."""
        _here.exchange = self
        _hush_warnings()
        try:
            self._result.append(call())
        except Exception as error:  # noqa: BLE001  # why: providers raise what they like; each is given a typed outcome
            self._result.append(error)
        except _NotSent as error:
            self._result.append(ConnectionAbortedError(str(error)))
        finally:
            _here.exchange = None

    def _hang_up(self) -> None:
        """Shut the connection down, which wakes the thread that waits for it. It then closes what it opened."""
        with self._lock:
            self.expired = True
            if self._connection is not None:
                _shut(self._connection)

    @property
    def connected(self) -> bool:
        return self._connection is not None

    def sending(self, request: Any) -> None:
        """The HTTP client calls this first. One connection a call: an idle one may be dead, and nothing retries."""
        if self.requests or self.expired:
            raise _NotSent("LiteLLM was about to send a second HTTP request, or one after the deadline")
        self.requests, self._sent_at = 1, time.monotonic()
        request.headers["Connection"] = "close"
        request.extensions["trace"] = self._trace

    def receiving(self, response: Any) -> None:
        """The HTTP client calls this when it has status and headers, before the body."""
        self.status, self.headers = response.status_code, response.headers

    def _trace(self, _step: str, facts: Mapping[str, Any]) -> None:
        describe = getattr(facts.get("return_value"), "get_extra_info", None)  # only network streams have it
        if describe is None:
            return
        with self._lock:
            self._connection = describe("socket")
            if self.expired and self._connection is not None:
                _shut(self._connection)


Inbox = queue.SimpleQueue[tuple[_Exchange, functools.partial[Any]]]
_idle: list[Inbox] = []  # one for each thread that has nothing to do; a new thread costs more than the rest of a call
os.register_at_fork(after_in_child=_idle.clear)
_here = threading.local()


def _start(exchange: _Exchange, call: functools.partial[Any]) -> None:
    try:
        inbox = _idle.pop()
    except IndexError:
        inbox = queue.SimpleQueue()
        threading.Thread(target=_serve, args=(inbox,), name="autopack-model-call", daemon=True).start()
    inbox.put((exchange, call))


def _serve(inbox: Inbox) -> None:
    while True:
        exchange, call = inbox.get()
        exchange.call(call)
        _idle.append(inbox)
        exchange.done.set()
        del exchange, call  # or they stay in memory until the next call


def _sending(request: Any) -> None:
    exchange = getattr(_here, "exchange", None)
    if exchange is not None:
        exchange.sending(request)


def _receiving(response: Any) -> None:
    exchange = getattr(_here, "exchange", None)
    if exchange is not None:
        exchange.receiving(response)


def _shut(connection: socket.socket) -> None:
    """Under TLS the base class's shutdown is meant: the TLS layer's own would pull its state from under the reader."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


# --- reading an answer


def _answered(reply: Any, request: Request, exchange: _Exchange) -> Answer:
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
        message="" if outcome == "ok" else _sentence(request, fact, _ACTIONS[outcome]),
    )


def _outcome_of(said: Any, text: str, finish_reason: str, usage: Usage) -> tuple[Outcome, str]:
    refusal = (getattr(said, "provider_specific_fields", None) or {}).get("refusal")
    if finish_reason == "content_filter" or (refusal and not text.strip()):
        return "refused", f"the reply was withheld: {_evidence(str(refusal or finish_reason))}"
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


# --- reading a failure


def _failed(kinds: Any, request: Request, exchange: _Exchange, error: Exception, key: str | None) -> Answer:
    outcome = _outcome_of_error(kinds, exchange, error)
    usage = NOTHING_BILLED if _surely_free(kinds, exchange, error) else UNKNOWN_USAGE
    message = _sentence(request, _fact(exchange, error, key), _ACTIONS[outcome])
    waits = outcome in ("rate_limited", "transient")
    retry_after_s = _retry_after_s(exchange.headers or _headers(error)) if waits else None
    return _failure(outcome, usage, message, exchange.latency_s, retry_after_s)


def _fact(exchange: _Exchange, error: Exception, key: str | None) -> str:
    """What the provider said, without the class names LiteLLM stacks before it and the source lines it adds."""
    said = str(error).partition("Traceback (most recent call last)")[0].partition(". Handle with `litellm")[0]
    said = _evidence(_CLASS_NAMES.sub("", said), key)
    status = f"HTTP {exchange.status}, " if exchange.status else ""
    return f"{status}{type(error).__name__}: {said}" if said else f"{status}{type(error).__name__}"


def _evidence(said: str, key: str | None = None) -> str:
    """Cut after secrets are hidden: half of one would not be recognised."""
    return redact(encodable(said), [key] if key else []).strip()[:_EVIDENCE_CHARS_MAX]


_CLASS_NAMES = re.compile(r"^(?:(?:litellm\.)?[A-Z]?\w*(?:Error|Exception|Timeout)(?: Error)?(?:: | - ))+")


def _outcome_of_error(kinds: Any, exchange: _Exchange, error: Exception) -> Outcome:
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


# Statuses that LiteLLM leaves unnamed for some providers. 402 is an account without money: nothing that waiting mends.
_BY_STATUS: Mapping[int | None, Outcome] = {
    401: "auth",
    402: "auth",
    403: "auth",
    404: "not_found",
    413: "context_overflow",
    429: "rate_limited",
}
_ACTIONS: Mapping[Outcome, str] = {
    "auth": "Check the key, its rights and the account behind it.",
    "not_found": "Check `litellm`, `api_base` and `params` of this model in the catalogue.",
    "context_overflow": "Show it fewer or smaller files, or use a model with a larger window.",
    "refused": "Reword the goal, or use another model.",
    "truncated": "Ask for less at once, or raise `max_output_tokens` of this model in the catalogue.",
    "empty_output": "Use another model if this is frequent.",
    "rate_limited": "It is tried again later; lower the provider's limits in the catalogue if this is frequent.",
    "transient": "It is tried again later; if it stays, check the provider's status page or the server's log.",
}


def _surely_free(kinds: Any, exchange: _Exchange, error: Exception) -> bool:
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


def _sentence(request: Request, fact: str, action: str) -> str:
    where = f"{request.litellm} at {_shown(request.api_base)}" if request.api_base else request.litellm
    return f'model "{request.model}" ({where}): {fact.rstrip(".")}. {action}'


def _shown(api_base: str) -> str:
    """The address without what may be secret in it: user, password, query."""
    parts = urlsplit(api_base)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _failure(
    outcome: Outcome, usage: Usage, message: str, latency_s: float = 0.0, retry_after_s: float | None = None
) -> Answer:
    return Answer(outcome, "", "", usage, "", latency_s, retry_after_s, None, message)


# --- the import


def _import_ahead() -> None:
    with contextlib.suppress(ImportError):  # the first call reports it, where somebody reads it
        _litellm()


def _litellm() -> Any:
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
    _hush_warnings()
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
                http.event_hooks = {"request": [_sending], "response": [_receiving]}
            return super().set_cache(key, value, **rest)

    return Clients()


def _hush_warnings() -> None:
    """pydantic and others warn about providers' replies. Neither an error (under -W error) nor a word to the user."""
    if not any(row[3] is not None and getattr(row[3], "pattern", "") == _NOISY for row in warnings.filters):
        warnings.filterwarnings("ignore", module=_NOISY)


_NOISY = r"(litellm|openai|pydantic|httpx|httpcore|anyio|aiohttp)(\.|\Z)"


# --- the probe


def _ask(api_base: str, api_key_env: str | None, key: str, timeout_s: float) -> ProbeResult:
    from http.client import HTTPException  # noqa: PLC0415  # why: asked once a run, by one command
    from urllib import request  # noqa: PLC0415
    from urllib.error import HTTPError, URLError  # noqa: PLC0415

    class NoRedirect(request.HTTPRedirectHandler):
        def redirect_request(self, *_args: Any, **_rest: Any) -> None:
            """Another host must not get the key; the redirect itself is an answer."""

    where, url = _shown(api_base), f"{api_base.rstrip('/')}/models"
    asked = request.Request(url, headers=_probe_headers(api_base, key))  # noqa: S310  # why: the scheme was checked
    try:
        with request.build_opener(NoRedirect).open(asked, timeout=timeout_s) as reply:
            return ProbeResult(ok=True, reason=f"{where} answered HTTP {reply.status}")
    except HTTPError as error:
        error.close()
        return _probed(error.code, where, api_key_env)
    except URLError as error:
        fact = f"no connection to {where}: {error.reason}"
        return ProbeResult(ok=False, reason=f"{fact}. Start the server or correct api_base.")
    except (OSError, HTTPException) as error:
        return ProbeResult(ok=True, reason=f"{where} is there but did not answer ({type(error).__name__})")


def _probed(status: int, where: str, api_key_env: str | None) -> ProbeResult:
    if status in (401, 403):
        holder = f"the key in {api_key_env}" if api_key_env else "a request without a key (set api_key_env)"
        return ProbeResult(False, f"{where} answered HTTP {status}: it does not take {holder}.", about_key=True)
    return ProbeResult(ok=True, reason=f"{where} answered HTTP {status}")


def _probe_headers(api_base: str, key: str) -> dict[str, str]:
    if not key:
        return {}
    host = urlsplit(api_base).hostname or ""
    if host.endswith("anthropic.com"):
        return {"x-api-key": key, "anthropic-version": "2023-06-01"}
    if host.endswith(".azure.com"):
        return {"api-key": key}
    return {"Authorization": f"Bearer {key}"}
