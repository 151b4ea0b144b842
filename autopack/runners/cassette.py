"""Model replies on file, recorded or written by hand, and given again with no model, key or network.

A cassette is JSON lines. The first says what it is, each further one is a record:

    {"autopack": "cassette/v1", "scripted": false, "note": "what this is"}
    {"phase": "store", "role": "builder", "call": 1, "request_sha256": "...", "request": {...}, "reply": {"text": ...}}

A recorded reply is found by the hash of its request, so a changed request is a miss, never a wrong answer. A reply
written by hand has no hash (null) and is found by phase, role and call. Where several fit (a call that was rate-limited
and sent again), they are given in the order of the file and the last one repeats.
"""

import difflib
import fcntl
import json
import os
import threading
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import suppress
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any, Literal, get_args

from autopack.plan import canonical
from autopack.plan.price import UNKNOWN_USAGE, Usage
from autopack.run.events import Outcome
from autopack.runners.model import Answer, ModelClient, Request, encodable, request_key
from autopack.runners.redact import redact

FORMAT = "cassette/v1"
_DIFF_LINES_MAX = 40
_DIFF_CHARS_MAX = 160

Place = tuple[str, str, int]


class CassetteError(ValueError):
    """A cassette that can't be read, or must not be written to; the message starts with file and line."""


class CassetteMiss(LookupError):
    """Nothing on file for a request; the message says what is there and what changed."""


@dataclass(frozen=True, slots=True)
class Record:
    """One call and its answer; `where` is file:line."""

    where: str
    phase: str
    role: str
    call: int
    request_sha256: str | None
    request: Mapping[str, Any] | None
    answer: Answer

    @property
    def place(self) -> Place:
        return self.phase, self.role, self.call


@dataclass(frozen=True, slots=True)
class Contents:
    """A whole cassette. `scripted` says that a person wrote the replies, which views must say too."""

    scripted: bool
    note: str
    records: tuple[Record, ...]


class Cassette:
    """Answers from a file. Raises CassetteError when it can't be read, CassetteMiss for a request it doesn't hold."""

    def __init__(self, path: Path | str, mode: Literal["replay"] = "replay") -> None:
        if mode != "replay":
            raise ValueError(f"mode {mode!r}: a Cassette replays; Recording(inner, path) writes one")
        self.path = Path(path)
        self.contents = read(self.path)
        self._by_hash, self._by_place = _indexed(self.contents.records)
        self._served: Counter[tuple[str, Place]] = Counter()
        self._lock = threading.Lock()

    def complete(self, request: Request) -> Answer:
        key, place = request_key(request), (request.phase, request.role, request.call)
        found = self._found(key, place)
        if not found:
            raise CassetteMiss(_miss(self.path, self.contents.records, request))
        with self._lock:
            nth = self._served[key, place]
            self._served[key, place] += 1
        return found[min(nth, len(found) - 1)].answer

    def _found(self, key: str, place: Place) -> Sequence[Record]:
        same_request = self._by_hash.get(key, [])
        return (
            [record for record in same_request if record.place == place]
            or same_request
            or self._by_place.get(place, [])
        )


class Recording:
    """Another client, with every call and its answer added to a cassette before the answer is handed on.

    An answer that could not be written (the disk is full) was paid all the same: it is handed on, and no further call
    is made before it has been written. `finish` writes what is still left. Both raise OSError.
    A line that a crash left half-written at the end of the file is cut off, and `mended` says where it was.
    """

    def __init__(self, inner: ModelClient, path: Path | str, note: str = "") -> None:
        self._inner = inner
        self._lock = threading.Lock()
        self._left: list[dict[str, Any]] = []
        self.path = Path(path)
        self.mended = _mend(self.path)
        if not self.path.exists() or not self.path.stat().st_size:
            _append(self.path, {"autopack": FORMAT, "scripted": False, "note": note})
        elif read(self.path).scripted:
            raise CassetteError(f"{self.path}:1: a cassette of scripted replies is not recorded to. Name another file.")

    def complete(self, request: Request) -> Answer:
        self.finish()
        answer = self._inner.complete(request)
        key = os.environ.get(request.api_key_env, "").strip() if request.api_key_env else ""
        record = _recorded(request, answer, [key] if key else [])
        with self._lock:
            self._left.append(record)
        with suppress(OSError):
            self.finish()
        return answer

    def finish(self) -> None:
        with self._lock:
            while self._left:
                _append(self.path, self._left[0])
                del self._left[0]


def read(path: Path) -> Contents:
    """The cassette at `path`. Raises CassetteError, also for a last line that was not written to its end."""
    try:
        lines = path.read_bytes().split(b"\n")  # a reply may hold any line end, but JSON never holds a raw newline
    except FileNotFoundError as error:
        raise CassetteError(
            f"{path}: there is no such cassette. Correct the path, or record one with --record."
        ) from error
    rows = list(_rows(path, lines))
    where, head = rows[0] if rows else (f"{path}:1", {})
    _check(where, head, _HEADER, optional={"note"})
    if head["autopack"] != FORMAT:
        raise CassetteError(f"{where}: {head['autopack']!r} where {FORMAT!r} belongs")
    records = tuple(_record(where, row) for where, row in rows[1:])
    return Contents(head["scripted"], head.get("note", ""), records)


# --- reading

_Kinds = Mapping[str, tuple[type, ...]]
_NONE = type(None)
_HEADER: _Kinds = {"autopack": (str,), "scripted": (bool,), "note": (str,)}
_RECORD: _Kinds = {
    "phase": (str,),
    "role": (str,),
    "call": (int,),
    "reply": (dict,),
    "request_sha256": (str, _NONE),
    "request": (dict, _NONE),
}
_REPLY: _Kinds = {
    "text": (str, list),
    "finish_reason": (str,),
    "usage": (dict, _NONE),
    "outcome": (str,),
    "served_model": (str,),
    "retry_after_s": (int, float, _NONE),
    "litellm_cost_usd": (str, _NONE),
    "message": (str,),
}
_COUNTS = ("input", "cached_read", "cached_write", "output", "reasoning")
_USAGE: _Kinds = {**dict.fromkeys(_COUNTS, (int,)), "known": (bool,)}


def _rows(path: Path, lines: Sequence[bytes]) -> Iterator[tuple[str, Any]]:
    """(file:line, parsed line) of every line that isn't blank."""
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield f"{path}:{number}", _parsed(f"{path}:{number}", line, last=number == len(lines))


def _parsed(where: str, line: bytes, *, last: bool) -> Any:
    try:
        return json.loads(line)
    except ValueError as error:
        fact = f"{_torn(line)} Remove it" if last else f"not JSON: {error}"
        raise CassetteError(f"{where}: {fact}.") from error


def _torn(line: bytes) -> str:
    return f"the last record breaks off after {len(line)} bytes: the recording was interrupted."


def _record(where: str, row: Any) -> Record:
    _check(where, row, _RECORD, optional={"request_sha256", "request"})
    answer = _answer(where, row["reply"])
    return Record(where, row["phase"], row["role"], row["call"], row.get("request_sha256"), row.get("request"), answer)


def _answer(where: str, reply: Mapping[str, Any]) -> Answer:
    _check(where, reply, _REPLY, optional=_REPLY.keys() - {"text"})
    if reply.get("outcome", "ok") not in get_args(Outcome):
        raise CassetteError(f"{where}: outcome {reply['outcome']!r} is none of {', '.join(get_args(Outcome))}")
    text = reply["text"]
    return Answer(
        outcome=reply.get("outcome", "ok"),
        text=encodable(text if isinstance(text, str) else "\n".join(text)),
        finish_reason=encodable(reply.get("finish_reason", "stop")),
        usage=_usage(where, reply.get("usage")),
        served_model=encodable(reply.get("served_model", "scripted")),
        latency_s=0.0,
        retry_after_s=reply.get("retry_after_s"),
        litellm_cost_usd=_money(where, reply.get("litellm_cost_usd")),
        message=encodable(reply.get("message", "")),
    )


def _usage(where: str, row: Any) -> Usage:
    """Counts that are left out are 0; no usage at all is unknown."""
    if row is None:
        return UNKNOWN_USAGE
    _check(where, row, _USAGE, optional=_USAGE.keys())
    usage = Usage(**{name: row.get(name, 0) for name in _COUNTS}, known=row.get("known", True))
    for name in _COUNTS:
        if getattr(usage, name) < 0:
            raise CassetteError(f"{where}: {name} is {getattr(usage, name)}, and no count is negative")
    if usage.cached_read + usage.cached_write > usage.input:
        raise CassetteError(f"{where}: cached_read and cached_write are parts of input, and larger than it")
    if usage.reasoning > usage.output:
        raise CassetteError(f"{where}: reasoning is a part of output, and larger than it")
    return usage


def _money(where: str, value: str | None) -> Decimal | None:
    try:
        return None if value is None else Decimal(value)
    except InvalidOperation as error:
        raise CassetteError(f"{where}: litellm_cost_usd is {value!r} where a decimal number belongs") from error


def _check(where: str, row: Any, kinds: _Kinds, optional: AbstractSet[str]) -> None:
    if not isinstance(row, dict):
        raise CassetteError(f"{where}: {row!r} where an object belongs")
    unknown, missing = row.keys() - kinds.keys(), kinds.keys() - row.keys() - optional
    for fact, names in (("unknown", unknown), ("missing", missing)):
        if names:
            raise CassetteError(f"{where}: {fact}: {', '.join(sorted(names))}; the keys are {', '.join(kinds)}")
    for name, value in row.items():
        if type(value) not in kinds[name]:
            wanted = " or ".join(kind.__name__ for kind in kinds[name])
            raise CassetteError(f"{where}: {name} is {value!r} where {wanted} belongs")


def _indexed(records: Iterable[Record]) -> tuple[dict[str, list[Record]], dict[Place, list[Record]]]:
    by_hash: dict[str, list[Record]] = defaultdict(list)
    by_place: dict[Place, list[Record]] = defaultdict(list)
    for record in records:
        if record.request_sha256 is None:
            by_place[record.place].append(record)
        else:
            by_hash[record.request_sha256].append(record)
    return by_hash, by_place


# --- a miss, in words


def _miss(path: Path, records: Sequence[Record], request: Request) -> str:
    asked = (request.phase, request.role, request.call)
    head = f"{path} holds no reply for {_spoken(asked)}"
    near = [record for record in records if record.request is not None and record.place[:2] == asked[:2]]
    if not near:
        places = sorted({record.place for record in records})
        known = "; ".join(_spoken(place) for place in places[:8]) or "nothing"
        return f"{head}. It holds: {known}{' ...' if len(places) > 8 else ''}. Record the run, or add the reply."
    nearest = min(near, key=lambda record: abs(record.call - request.call))
    diff = "\n".join(_diff(nearest, request)) or "(they differ only in what is redacted)"
    return f"{head}: the request recorded at {nearest.where} is another. Undo what changed, or record again.\n{diff}"


def _spoken(place: Place) -> str:
    phase, role, call = place
    return f'phase "{phase}", {role} call {call}'


def _diff(recorded: Record, request: Request) -> Iterator[str]:
    before, after = _lines(recorded.request or {}), _lines(_kept(request, []))
    diff = difflib.unified_diff(before, after, recorded.where, "asked now", n=2, lineterm="")
    for number, line in enumerate(diff):
        if number == _DIFF_LINES_MAX:
            yield "..."
            return
        yield line if len(line) <= _DIFF_CHARS_MAX else f"{line[:_DIFF_CHARS_MAX]}..."


def _lines(request: Mapping[str, Any]) -> list[str]:
    facts = [f"{name}: {canonical.text(value)}" for name, value in request.items() if name != "messages"]
    said_to = [line for role, content in request.get("messages", ()) for line in (f"[{role}]", *content.splitlines())]
    return [*facts, *said_to]


# --- writing


def _kept(request: Request, known: Sequence[str]) -> dict[str, Any]:
    """The part of a request that its key is made of, with secrets hidden."""
    return {
        "model": request.model,
        "litellm": request.litellm,
        "max_output_tokens": request.max_output_tokens,
        "params": dict(request.params),
        "messages": [[role, redact(content, known)] for role, content in request.messages],
    }


def _recorded(request: Request, answer: Answer, known: Sequence[str]) -> dict[str, Any]:
    reply = {
        "text": redact(answer.text, known),
        "finish_reason": answer.finish_reason,
        "usage": canonical.plain(answer.usage) if answer.usage.known else None,
        "outcome": answer.outcome,
        "served_model": answer.served_model,
        "retry_after_s": answer.retry_after_s,
        "litellm_cost_usd": canonical.plain(answer.litellm_cost_usd),
        "message": redact(answer.message, known),
    }
    return {
        "phase": request.phase,
        "role": request.role,
        "call": request.call,
        "request_sha256": request_key(request),
        "request": _kept(request, known),
        "reply": {name: value for name, value in reply.items() if name in _ALWAYS or value not in (None, "")},
    }


_ALWAYS = {"text", "finish_reason", "usage", "outcome", "served_model"}


def _append(path: Path, row: Mapping[str, Any]) -> None:
    """One line by one write, on disk when this returns. A disk that took only part of it is left as it was before."""
    line = json.dumps(row, ensure_ascii=False).encode() + b"\n"
    descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        before = os.fstat(descriptor).st_size
        if os.write(descriptor, line) != len(line):
            os.ftruncate(descriptor, before)
            raise OSError(f"{path}: the disk took only part of a record of {len(line)} bytes")
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _mend(path: Path) -> str | None:
    """Make the file end with a whole line, so that the next one starts on its own."""
    written = path.read_bytes() if path.exists() else b""
    whole = written.rfind(b"\n") + 1
    rest = written[whole:]
    if not rest:
        return None
    if _is_json(rest):  # written by hand, without a final newline
        with path.open("ab") as file:
            file.write(b"\n")
        return None
    os.truncate(path, whole)
    number = written.count(b"\n") + 1
    return f"{path}:{number}: {_torn(rest)} It was cut off."


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True
