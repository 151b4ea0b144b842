"""The one HTTP request of a call, seen from inside the HTTP client."""

import contextlib
import functools
import os
import queue
import socket
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from autopack.runners.model.quiet import hush_warnings

_PREPARE_S = 60.0
HANG_UP_GRACE_S = 1.0


class _NotSent(BaseException):
    """Stops a request. Not an Exception, because LiteLLM and the SDKs below it answer each of those by trying again."""


@dataclass(slots=True)
class Exchange:
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
                self.done.wait(HANG_UP_GRACE_S)
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
        hush_warnings()
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


Inbox = queue.SimpleQueue[tuple[Exchange, functools.partial[Any]]]
_idle: list[Inbox] = []  # one for each thread that has nothing to do; a new thread costs more than the rest of a call
os.register_at_fork(after_in_child=_idle.clear)
_here = threading.local()


def _start(exchange: Exchange, call: functools.partial[Any]) -> None:
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


def sending(request: Any) -> None:
    exchange = getattr(_here, "exchange", None)
    if exchange is not None:
        exchange.sending(request)


def receiving(response: Any) -> None:
    exchange = getattr(_here, "exchange", None)
    if exchange is not None:
        exchange.receiving(response)


def _shut(connection: socket.socket) -> None:
    """Under TLS the base class's shutdown is meant: the TLS layer's own would pull its state from under the reader."""
    with contextlib.suppress(OSError):
        socket.socket.shutdown(connection, socket.SHUT_RDWR)
