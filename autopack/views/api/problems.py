"""Errors as problem documents (RFC 9457): a stable code, the fact, the next action, and never a stack trace."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from autopack.journal.errors import JournalError, StoreUnusable, UnknownRun
from autopack.views.external import Answered, NotPending, NotYours, UnknownPhase, moment
from autopack.views.served import BadCursor

MEDIA_TYPE = "application/problem+json"
DETAILS_MAX = 20
"""Of what is wrong with a request, so many are named."""

_SCHEMA = {
    "type": "object",
    "required": ["type", "title", "status", "code", "detail"],
    "properties": {
        **{name: {"type": "string"} for name in ("type", "title", "code", "detail")},
        "status": {"type": "integer"},
        "errors": {"type": "array", "items": {"type": "object"}},
        "until": {"type": "string"},
    },
}


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """What a route may be answered beside what it is there for, for its OpenAPI."""
    content = {MEDIA_TYPE: {"schema": _SCHEMA}}
    return {status: {"description": HTTPStatus(status).phrase, "content": content} for status in statuses}


class Refused(Exception):
    """A request that is not carried out."""

    def __init__(
        self, status: int, code: str, detail: str, headers: Mapping[str, str] | None = None, **more: Any
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.headers = headers
        self.more = more


def document(status: int, code: str, detail: str, **more: Any) -> dict[str, Any]:
    """`type` is a name, not a place to look at; `code` is its last part."""
    title = HTTPStatus(status).phrase
    return {"type": f"urn:autopack:{code}", "title": title, "status": status, "code": code, "detail": detail, **more}


def answer(refused: Refused) -> JSONResponse:
    body = document(refused.status, refused.code, refused.detail, **refused.more)
    return JSONResponse(body, refused.status, dict(refused.headers or {}), MEDIA_TYPE)


def attach(app: FastAPI) -> None:
    """Every error of every route leaves as a problem document."""
    kinds: tuple[type[Exception], ...] = (Refused, *_WORDS, RequestValidationError, HTTPException, Exception)
    for kind in kinds:
        app.add_exception_handler(kind, _told)


async def _told(_request: Request, error: Exception) -> JSONResponse:
    return answer(error if isinstance(error, Refused) else _refused(error))


def _refused(error: Exception) -> Refused:
    if isinstance(error, RequestValidationError):
        return _unreadable(error)
    if isinstance(error, HTTPException):
        return _of_the_framework(error)
    words = next((words for kind, words in _WORDS.items() if isinstance(error, kind)), None)
    return (
        words(error) if words else Refused(500, "internal_error", "this is a bug of autopack; the server's log has it")
    )


def _unreadable(error: RequestValidationError) -> Refused:
    """What was sent is not repeated: it may be long, or secret."""
    found = error.errors()
    if any(each["type"] == "json_invalid" for each in found):
        return Refused(400, "not_json", "the body is not valid JSON")
    told = [{"field": ".".join(map(str, each["loc"])), "problem": each["msg"]} for each in found[:DETAILS_MAX]]
    fields = ", ".join(each["field"] for each in told[:3])
    return Refused(422, "not_this_shape", f"the request is not of the shape that is asked for: {fields}", errors=told)


def _of_the_framework(error: HTTPException) -> Refused:
    codes = {400: "not_json", 404: "no_such_route", 405: "no_such_method"}
    return Refused(error.status_code, codes.get(error.status_code, "refused"), str(error.detail), error.headers)


def _not_yours(error: NotYours) -> Refused:
    until = moment(error.row.until or 0.0)
    return Refused(409, "lease_held", f"{error.row.holder} has a lease on this until {until}", until=until)


_WORDS: Mapping[type[Exception], Any] = {
    UnknownRun: lambda error: Refused(404, "unknown_run", f"no run is called {error.run_id}"),
    UnknownPhase: lambda error: Refused(404, "unknown_phase", f"the run has no phase called {error}"),
    NotPending: lambda error: Refused(409, "not_pending", str(error)),
    Answered: lambda _: Refused(409, "answered_already", "a result for this attempt was handed in before"),
    NotYours: _not_yours,
    BadCursor: lambda _: Refused(422, "not_this_shape", "this cursor is none that a page has ended with"),
    StoreUnusable: lambda error: Refused(503, "store_unusable", error.fact, {"Retry-After": "5"}),
    JournalError: lambda error: Refused(500, "damaged_record", error.fact),
}
