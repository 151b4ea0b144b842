"""A Builder that is a client of the REST interface: what it hands in comes by the store, and is waited for here.

`result` is the shape in which a server keeps it. Nothing of it is believed: the patch takes the way of every reply.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import count
from typing import Any

from autopack.journal import outside
from autopack.journal.rows import Body
from autopack.journal.store import Store
from autopack.run.events import BuilderFinished, ReportedIssue
from autopack.runners import diffs, reply
from autopack.runners.redact import redact

POLL_S = 0.25
SOURCE = "cursor_self_doubt"
"""Of what a Builder says of its own work, whoever it is."""


def wait(
    store: Store, run_id: str, key: str, timeout_s: float, cancelled: Callable[[], bool], now: Callable[[], float]
) -> BuilderFinished:
    """Until a result is there, nobody wants it any more, or the time is up. A second time the first result is found.

    Time counts from here: while nobody drives the run, nobody is kept waiting.
    """
    began_s = now()
    while (found := outside.answer(store, run_id, key)) is None:
        if cancelled():
            return _nothing("cancelled", now() - began_s, "nobody waits for it any more")
        if now() - began_s >= timeout_s:
            return _nothing("timed_out", now() - began_s, f"no client had handed in a result after {timeout_s:,g} s")
        time.sleep(POLL_S)
    return _finished(found, now() - began_s)


def result(
    *,
    status: str,
    patch: str | None,
    notes: str | None,
    issues: Sequence[Mapping[str, Any]],
    tokens: int,
    claims: Mapping[str, Any],
    delivery: Mapping[str, str] | None,
) -> Body:
    """`patch` and `notes` are blobs; `claims` is all that a client says and nobody looks at."""
    said = {"status": status, "patch": patch, "notes": notes, "issues": list(issues), "tokens": tokens}
    return {**said, "claims": dict(claims), "delivery": dict(delivery) if delivery else None}


def parsed(text: str) -> reply.Reply | reply.Refusal:
    """What a client's patch, a unified diff, wants done. A program made it, so its line numbers count."""
    if not text.strip():
        return reply.Reply(())
    if text.count("\r\n") == text.count("\n"):
        text = text.replace("\r\n", "\n")
    lines = text.removesuffix("\n").split("\n")
    try:
        edits = diffs.unified(lines, 1, None, count(1))
    except diffs.DiffError as error:
        return reply.Refusal("format_error", f"line {error.line} of the patch: {error}")
    return reply.Reply(tuple(replace(edit, hunks=_counted(edit.hunks, lines)) for edit in edits))


def _counted(hunks: Sequence[reply.Hunk], lines: Sequence[str]) -> tuple[reply.Hunk, ...]:
    heads = (_HEAD.match(lines[hunk.line - 1]) for hunk in hunks)
    return tuple(replace(hunk, at_line=int(head[1]) if head else 0) for hunk, head in zip(hunks, heads, strict=True))


_HEAD = re.compile(r"@@ -([0-9]{1,9})[, ]")


def _nothing(outcome: Any, waited_s: float, message: str) -> BuilderFinished:
    return BuilderFinished("", 0.0, outcome, None, None, None, round(waited_s, 3), message, ())


def _finished(found: Body, waited_s: float) -> BuilderFinished:
    failed = found["status"] == "failed"
    return BuilderFinished(
        key="",
        elapsed_s=0.0,
        outcome="failed" if failed else "ok",
        change=None if failed else found["patch"],
        output=found["notes"],
        exit_code=None,
        latency_s=round(waited_s, 3),
        message="the client says that it failed" if failed else "",
        issues=tuple(_issues(found["issues"])),
        claimed_tokens=found["tokens"],
        wants_review=found["status"] == "needs_review",
    )


def _issues(found: Sequence[Mapping[str, Any]]) -> Iterator[ReportedIssue]:
    for issue in found:
        yield ReportedIssue(
            issue_key=redact(issue["issue_key"]),
            severity=issue["severity"],
            category=redact(issue["category"]),
            source=SOURCE,
            description=redact(issue["description"]),
            evidence_refs=tuple(map(redact, issue["evidence_refs"])),
        )
