"""A real model server on 127.0.0.1: OpenAI's chat completions and Anthropic's messages, with faults on request.

It knows nothing of autopack. What it billed, at its own price table, is what a test compares autopack's books with.

    with Loopback("first reply", Reply(status=429, headers={"Retry-After": "2"}), Reply("second", cached=40)) as server:
        ...  # api_base = server.url
    assert server.cost_usd == ...
    assert [call.prompt for call in server.calls] == ...
"""

import json
import select
import socket
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Any, Literal, Self

MILLION = Decimal(1_000_000)
DRIP_S = 0.01
POLL_S = 0.02

Fault = Literal["hang", "drip_head", "drip_body", "close", "cut"]


@dataclass(frozen=True, slots=True)
class Price:
    """USD per million tokens; the cached rates are for input read from and written to the cache."""

    input: Decimal
    cached_input: Decimal
    cached_write: Decimal
    output: Decimal


PRICE = Price(Decimal("0.15"), Decimal("0.075"), Decimal("0.15"), Decimal("0.60"))


@dataclass(frozen=True, slots=True)
class Tokens:
    """What one call used. The cached parts are inside `input`, `reasoning` is inside `output`."""

    input: int
    output: int
    cached: int = 0
    written: int = 0
    reasoning: int = 0

    def cost_usd(self, price: Price) -> Decimal:
        fresh = self.input - self.cached - self.written
        kept = self.cached * price.cached_input + self.written * price.cached_write
        return (fresh * price.input + kept + self.output * price.output) / MILLION


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. Token counts that are left out are one for every four bytes, rounded up.

    `usage` False sends no usage; `raw` replaces the whole body; `fault` breaks the connection: `hang` never answers,
    `drip_head` and `drip_body` send a byte at a time for ever, `close` ends it unanswered, `cut` in the middle of the
    body. A reply with status 200 is billed, whatever became of it on the way, unless `billed` says otherwise.
    """

    text: str | None = ""
    finish_reason: str = "stop"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    error: Mapping[str, object] = field(default_factory=lambda: {"message": "made to fail", "type": "server_error"})
    input: int | None = None
    output: int | None = None
    cached: int = 0
    written: int = 0
    reasoning: int = 0
    usage: bool = True
    message: Mapping[str, object] = field(default_factory=dict)
    model: str | None = None
    raw: bytes | None = None
    fault: Fault | None = None
    delay_s: float = 0.0
    billed: bool | None = None

    def tokens(self, sent: "Sent") -> Tokens:
        asked = sent.tokens if self.input is None else self.input
        given = four_bytes(self.text or "") if self.output is None else self.output
        return Tokens(asked, given, self.cached, self.written, self.reasoning)


@dataclass(frozen=True, slots=True)
class Sent:
    """One request as it came in. `body` is the parsed JSON, {} for none; `dropped` is set once the client hung up."""

    number: int
    method: str
    path: str
    headers: Mapping[str, str]
    body: Mapping[str, Any]
    dropped: threading.Event = field(default_factory=threading.Event, compare=False)

    @property
    def messages(self) -> Sequence[Mapping[str, Any]]:
        return list(self.body.get("messages", ()))

    @property
    def prompt(self) -> str:
        """Everything the model was shown, as one text."""
        return "\n\n".join(_text(part) for part in (self.body.get("system", ""), *self.messages) if part)

    @property
    def tokens(self) -> int:
        return four_bytes(self.prompt)


@dataclass(frozen=True, slots=True)
class Bill:
    model: str
    tokens: Tokens
    cost_usd: Decimal


Answerer = Callable[[Sent], Reply | str]


class Loopback:
    """The server. Replies come from `answer`, else in the order given; one too few is an error on exit."""

    def __init__(
        self,
        *replies: Reply | str,
        answer: Answerer | None = None,
        prices: Mapping[str, Price] | None = None,
        models: Reply | None = None,
    ) -> None:
        self._replies: deque[Reply | str] = deque(replies)
        self._answer = answer
        self._prices = prices or {}
        self.models = models or Reply(raw=b'{"object": "list", "data": [{"id": "loopback", "object": "model"}]}')
        self._lock = threading.Lock()
        self.closing = threading.Event()
        self.requests: list[Sent] = []
        self.bills: list[Bill] = []
        self.faults: list[BaseException] = []

    def __enter__(self) -> Self:
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.loopback = self
        self._thread = threading.Thread(target=self._server.serve_forever, args=(POLL_S,), daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.closing.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        if error is None and self.faults:
            raise self.faults[0]

    @property
    def root(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def url(self) -> str:
        """The `api_base` of a model that is served here."""
        return f"{self.root}/v1"

    @property
    def calls(self) -> list[Sent]:
        """The requests that ask a model for words, answered or not."""
        return [sent for sent in self.requests if sent.method == "POST"]

    @property
    def cost_usd(self) -> Decimal:
        return sum((bill.cost_usd for bill in self.bills), Decimal(0))

    @property
    def tokens(self) -> int:
        return sum(bill.tokens.input + bill.tokens.output for bill in self.bills)

    def add(self, *replies: Reply | str) -> None:
        self._replies.extend(replies)

    def receive(self, method: str, path: str, headers: Mapping[str, str], body: Mapping[str, Any]) -> Sent:
        with self._lock:
            sent = Sent(len(self.requests) + 1, method, path, headers, body)
            self.requests.append(sent)
        return sent

    def reply_to(self, sent: Sent) -> Reply:
        """The reply to a call, entered in the books before a byte of it is sent."""
        try:
            found = self._answer(sent) if self._answer else self._next(sent)
        except Exception as error:  # noqa: BLE001  # why: the test that wrote the answerer must see it, not this thread
            self.faults.append(error)
            found = Reply(status=500, error={"message": f"the test's own answer failed: {error!r}"})
        reply = Reply(found) if isinstance(found, str) else found
        if reply.billed if reply.billed is not None else reply.status == 200:
            self._bill(sent, reply)
        return reply

    def _next(self, sent: Sent) -> Reply | str:
        with self._lock:
            if not self._replies:
                raise AssertionError(f"call {sent.number} found no reply left:\n{sent.prompt[:400]}")
            return self._replies.popleft()

    def _bill(self, sent: Sent, reply: Reply) -> None:
        model, tokens = str(sent.body.get("model")), reply.tokens(sent)
        with self._lock:
            self.bills.append(Bill(model, tokens, tokens.cost_usd(self._prices.get(model, PRICE))))


def four_bytes(text: str) -> int:
    """The made-up tokenizer of this server: a token is four bytes."""
    return -(-len(text.encode()) // 4)


def _text(part: Any) -> str:
    content = part.get("content", "") if isinstance(part, Mapping) else part
    return content if isinstance(content, str) else "".join(piece.get("text", "") for piece in content)


def completion(sent: Sent, reply: Reply) -> dict[str, object]:
    """The body of OpenAI's chat completion."""
    tokens = reply.tokens(sent)
    usage = {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": {"cached_tokens": tokens.cached},
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    }
    message = {"role": "assistant", "content": reply.text, **reply.message}
    return {
        "id": f"chatcmpl-{sent.number}",
        "object": "chat.completion",
        "created": 1_700_000_000,
        "model": reply.model or sent.body.get("model"),
        "choices": [{"index": 0, "message": message, "finish_reason": reply.finish_reason}],
        **({"usage": usage} if reply.usage else {}),
    }


def message(sent: Sent, reply: Reply) -> dict[str, object]:
    """The body of Anthropic's message, whose input_tokens leave the cached parts out."""
    tokens = reply.tokens(sent)
    usage = {
        "input_tokens": tokens.input - tokens.cached - tokens.written,
        "cache_read_input_tokens": tokens.cached,
        "cache_creation_input_tokens": tokens.written,
        "output_tokens": tokens.output,
    }
    return {
        "id": f"msg_{sent.number}",
        "type": "message",
        "role": "assistant",
        "model": reply.model or sent.body.get("model"),
        "content": [{"type": "text", "text": reply.text}],
        "stop_reason": {"stop": "end_turn", "length": "max_tokens"}.get(reply.finish_reason, reply.finish_reason),
        "stop_sequence": None,
        **({"usage": usage} if reply.usage else {}),
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    loopback: Loopback

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that hung up is an everyday event here; the base class would print it."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # head and body are two writes; the second would wait 40 ms for the first's receipt
    server: _Server

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # why: the base class named it
        """The record is `Loopback.requests`; nothing is printed."""

    def do_GET(self) -> None:
        sent = self._receive({})
        known = sent.path.endswith("/models")
        self._answer(sent, self.server.loopback.models if known else Reply(status=404))

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        sent = self._receive(json.loads(raw))
        self._answer(sent, self.server.loopback.reply_to(sent))

    def _receive(self, body: Mapping[str, Any]) -> Sent:
        headers = {name.lower(): value for name, value in self.headers.items()}
        return self.server.loopback.receive(self.command, self.path, headers, body)

    def _answer(self, sent: Sent, reply: Reply) -> None:
        if reply.delay_s:
            self.server.loopback.closing.wait(reply.delay_s)
        shape = message if sent.path.endswith("/messages") else completion
        body = shape(sent, reply) if reply.status == 200 else {"type": "error", "error": dict(reply.error)}
        payload = json.dumps(body).encode() if reply.raw is None else reply.raw
        if reply.fault is None:
            self._send(reply.status, reply.headers, payload)
        else:
            self._break(sent, reply, payload)

    def _send(self, status: int, headers: Mapping[str, str], payload: bytes) -> None:
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def _break(self, sent: Sent, reply: Reply, payload: bytes) -> None:
        self.close_connection = True
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n"
        if reply.fault == "hang":
            self._wait_for_hang_up(sent)
        elif reply.fault == "drip_head":
            self._drip(sent, head + b"X-Slow: ")
        elif reply.fault == "drip_body":
            self._drip(sent, head + b"\r\n")
        elif reply.fault == "cut":
            self.wfile.write(head + b"\r\n" + payload[: len(payload) // 2])

    def _wait_for_hang_up(self, sent: Sent) -> None:
        while not self.server.loopback.closing.is_set():
            readable, _, _ = select.select([self.connection], [], [], POLL_S)
            if readable and not self._peek():
                sent.dropped.set()
                return

    def _peek(self) -> bytes:
        try:
            waiting: bytes = self.connection.recv(1, socket.MSG_PEEK)
        except OSError:
            return b""
        return waiting

    def _drip(self, sent: Sent, head: bytes) -> None:
        try:
            self.wfile.write(head)
            while not self.server.loopback.closing.wait(DRIP_S):
                self.wfile.write(b" ")
        except OSError:
            sent.dropped.set()
