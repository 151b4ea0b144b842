"""A model that answers from memory: what stands for a provider where a recording is under test."""

import threading
from collections import deque
from collections.abc import Iterable, Mapping

from autopack.plan.price import UNKNOWN_USAGE, Usage
from autopack.run.events import Outcome
from autopack.runners.cassette import CassetteMiss
from autopack.runners.model import Answer, Request


class Scripted:
    """Answers from memory, by (phase, role), each given once and in order. `requests` keeps what was asked.

    A plain text stands for an ok answer whose usage is made up: a token for every four bytes, either way.
    """

    def __init__(self, replies: Mapping[tuple[str, str], Iterable[str | Answer]]) -> None:
        self._replies = {place: deque(answers) for place, answers in replies.items()}
        self._lock = threading.Lock()
        self.requests: list[Request] = []

    def complete(self, request: Request) -> Answer:
        with self._lock:
            self.requests.append(request)
            left = self._replies.get((request.phase, request.role))
            if not left:
                raise CassetteMiss(f"the script holds no reply for {request.phase}, {request.role} call {request.call}")
            reply = left.popleft()
        return said(reply, usage=_made_up(request, reply)) if isinstance(reply, str) else reply


def said(
    text: str = "",
    outcome: Outcome = "ok",
    *,
    usage: Usage = UNKNOWN_USAGE,
    finish_reason: str = "stop",
    retry_after_s: float | None = None,
    message: str = "",
) -> Answer:
    """An answer as a script gives it."""
    return Answer(outcome, text, finish_reason, usage, "scripted", 0.0, retry_after_s, None, message)


def _made_up(request: Request, text: str) -> Usage:
    asked = sum(len(content.encode()) for _, content in request.messages)
    return Usage(-(-asked // 4), 0, 0, -(-len(text.encode()) // 4), 0, known=True)
