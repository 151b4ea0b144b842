"""The incident pack: what somebody needs who was not there, in one folder that can be copied anywhere.

Self-contained: `autopack replay` makes every decision again from it. Redacted: nothing in it looks like a secret.
Bounded: the plan and the events are whole, of everything else at most PACK_BYTES_MAX, long files cut in the middle.
`manifest.json` holds the digest of every file and says what was redacted, cut or left out.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from autopack.journal import chain
from autopack.journal.durable import write
from autopack.journal.export import lines
from autopack.journal.store import Store
from autopack.plan import canonical
from autopack.plan.model import Plan
from autopack.run.state import PhaseState, RunState
from autopack.runners.context import trim
from autopack.runners.redact import redact
from autopack.views import text
from autopack.views.projection import RunView, summary

PACK_BYTES_MAX = 8_000_000
FILE_BYTES_MAX = 256_000
FORMAT_VERSION = 1


@dataclass(slots=True)
class _Pack:
    """`digests` by file name; the rest says what a reader does not see."""

    folder: Path
    digests: dict[str, dict[str, Any]] = field(default_factory=dict)
    redacted: list[str] = field(default_factory=list)
    cut: list[str] = field(default_factory=list)
    left_out: list[str] = field(default_factory=list)
    room: int = PACK_BYTES_MAX

    def whole(self, name: str, words: str) -> None:
        hidden = _hidden(name, words)
        if hidden != words:
            self.redacted.append(name)
        self._keep(name, hidden.encode("utf-8", "replace"))

    def bounded(self, name: str, words: str) -> None:
        hidden = _hidden(name, words)
        short = trim(hidden, FILE_BYTES_MAX)
        data = short.encode("utf-8", "replace")
        if len(data) > self.room:
            self.left_out.append(name)
            return
        if hidden != words:
            self.redacted.append(name)
        if short != hidden:
            self.cut.append(name)
        self.room -= len(data)
        self._keep(name, data)

    def _keep(self, name: str, data: bytes) -> None:
        write(self.folder / name, data)
        self.digests[name] = {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


def pack(folder: Path, store: Store, plan: Plan, run: RunState, found: RunView) -> None:
    """The pack of a run that failed; packed again it is the same."""
    made = _Pack(folder)
    made.whole("README.md", text.incident_markdown(run, found))
    made.whole("summary.json", _pretty(summary(found, None)))
    made.whole("plan.json", canonical.text(plan))
    made.whole("events.jsonl", b"".join(lines(store, run.run_id)).decode())
    for phase in run.phases.values():
        if phase.state == "FAILED":
            for name, blob, before in _evidence(phase):
                body = store.blob(blob).decode("utf-8", "replace") if blob else ""
                made.bounded(name, before + body)
    manifest = {
        "format_version": FORMAT_VERSION,
        "run_id": run.run_id,
        "plan_sha256": run.plan_sha256,
        "redacted": sorted(made.redacted),
        "cut": sorted(made.cut),
        "left_out": sorted(made.left_out),
        "files": made.digests,
    }
    write(folder / "manifest.json", _pretty(manifest).encode())


def _hidden(name: str, words: str) -> str:
    """Without what looks like a secret. In JSON that is looked for in the values: an escape such as a line break's
    ends in a letter, which would seem to belong to the word after it.
    """
    if name.endswith(".jsonl"):
        return "".join(_hidden_json(line) + "\n" for line in words.splitlines())
    return _hidden_json(words) if name.endswith(".json") else redact(words)


def _hidden_json(words: str) -> str:
    """The very text where there is nothing to hide: digests are taken over it."""
    try:
        told = json.loads(words)
    except ValueError:
        return redact(words)
    hidden = _walk(told)
    return words if hidden == told else chain.body_text(hidden)


def _walk(value: Any) -> Any:
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, list):
        return [_walk(item) for item in value]
    return {key: _walk(item) for key, item in value.items()} if isinstance(value, dict) else value


def _evidence(phase: PhaseState) -> Iterator[tuple[str, str | None, str]]:
    """File, blob and the words before it: what went back to the Builder, the last patch, request and CI output."""
    for number, item in enumerate(phase.evidence, 1):
        words = f"{item.kind}: {item.text}\n\n"
        yield f"evidence/{phase.phase_id}_{number:02d}_{safe(item.kind)}.txt", item.blob, words
    if phase.candidate is not None:
        yield f"last/{phase.phase_id}.diff", phase.candidate.patch, ""
    if phase.request is not None:
        yield f"last/{phase.phase_id}_request.json", phase.request.blob, ""
    for log, blob in (phase.ci.logs if phase.ci else {}).items():
        yield f"ci/{phase.phase_id}/{safe(log)}", blob, ""


def safe(name: str) -> str:
    """A name that every file system takes."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in name)


def _pretty(value: object) -> str:
    return json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
