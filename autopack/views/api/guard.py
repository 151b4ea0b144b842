"""What a request has to be before a route sees it: small enough, JSON, and by somebody who may."""

from collections.abc import Callable, Iterator

from fastapi import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from autopack.journal import tokens
from autopack.journal.tokens import Token
from autopack.views.api.problems import Refused, answer

BODY_BYTES_MAX = 2_000_000
"""A patch of a million characters, escaped, and all that may come with it."""

DRAINED_BYTES_MAX = 20_000_000


class Bounded:
    """Refuses a body that is too long, declared or not, and one that is no JSON, before anything is parsed."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] not in ("POST", "PUT", "PATCH"):
            await self.app(scope, receive, send)
            return
        try:
            body = await _body(scope, receive)
        except Refused as refused:
            await answer(refused)(scope, receive, send)
            return
        parts: Iterator[Message] = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again() -> Message:
            return next(parts, None) or await receive()

        await self.app(scope, again, send)


async def _body(scope: Scope, receive: Receive) -> bytes:
    headers = {name.lower(): value for name, value in scope["headers"]}
    body = await _read(receive)
    kind = headers.get(b"content-type", b"").partition(b";")[0].strip().lower()
    if kind != b"application/json":
        raise Refused(415, "not_json", "send a body of type application/json")
    return body


async def _read(receive: Receive) -> bytes:
    """What is too long is read on for a while and forgotten: a client that still writes would not see the answer."""
    found, length, more = bytearray(), 0, True
    while more and length <= DRAINED_BYTES_MAX:
        message = await receive()
        length += len(message.get("body", b""))
        if length <= BODY_BYTES_MAX:
            found += message.get("body", b"")
        more = message.get("more_body", False)
    if length > BODY_BYTES_MAX:
        raise _too_long()
    return bytes(found)


def _too_long() -> Refused:
    words = f"a body may have {BODY_BYTES_MAX:,} bytes: split the phase, or hand in a smaller patch"
    return Refused(413, "too_long", words, {"Connection": "close"})


def needs(scope: tokens.Scope) -> Callable[[Request], Token]:
    """A dependency: the token of whoever asks, which reaches as far as `scope`."""

    def allowed(request: Request) -> Token:
        kind, _, secret = request.headers.get("authorization", "").partition(" ")
        found = tokens.known(request.app.state.store, secret.strip()) if kind.lower() == "bearer" else None
        if found is None:
            words = "name a token: `Authorization: Bearer ...`; `autopack token create --scope write` makes one"
            raise Refused(401, "no_token", words, {"WWW-Authenticate": 'Bearer realm="autopack"'})
        if not found.may(scope):
            raise Refused(403, "scope_too_small", f"this token may {found.scope}, and this takes {scope}")
        return found

    return allowed
