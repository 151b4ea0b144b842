"""What failed and why, in bounded text that is equal for equal failures."""

from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from autopack.runners.ci.result import Ran, StepResult, bad
from autopack.runners.mask import Mask

EVIDENCE_BYTES = 8_000
DETAIL_BYTES_MAX = 2_400  # of one failing test, or of one log
DETAIL_BYTES_MIN = 400
LINE_CHARS = 400
LOG_HEAD_BYTES = 16_000
LOG_TAIL_BYTES = 64_000


class _Detail(NamedTuple):
    title: str
    text: Callable[[], str]  # asked for only while there is room: hundreds of tests may fail with a novel each


def evidence(ran: Sequence[Ran], mask: Mask) -> str:
    """What failed and why, in bounded text that is equal for equal failures."""
    details = [detail for step in ran if step.result.outcome != "ok" for detail in _details(step, mask)]
    room = EVIDENCE_BYTES - 200
    share = min(max(room // max(len(details), 1), DETAIL_BYTES_MIN), DETAIL_BYTES_MAX)
    parts: list[str] = []
    for count, detail in enumerate(details):
        title = detail.title + "\n"
        if _size(title) > room:
            parts.append(f"and {len(details) - count} more\n")
            break
        body = _indented(_trimmed(detail.text(), share)) if room - _size(title) > DETAIL_BYTES_MIN else ""
        parts.append(title + body if _size(title + body) <= room else title)
        room -= _size(parts[-1])
    return "".join(parts)


def _details(step: Ran, mask: Mask) -> Iterator[_Detail]:
    result = step.result
    failing = bad(result.tests)
    yield _Detail(_title(result, len(failing)), lambda: result.fact)
    for test in failing:
        word = "ERROR" if test.outcome == "error" else "FAILED"
        yield _Detail(f"{word} {mask.name(test.test_id)}", partial(mask.text, test.message))
    if not failing and step.log:
        yield _Detail(f"output of step {result.id}:", partial(mask.log, _ends(step.log)))


def printed(step: Ran, mask: Mask) -> str:
    title = _title(step.result, len(bad(step.result.tests)))
    return f"{title}\n{_indented(_trimmed(mask.log(_ends(step.log)), DETAIL_BYTES_MAX))}"


def _ends(log: bytes) -> str:
    """As much of both ends as could ever be shown."""
    if len(log) > LOG_HEAD_BYTES + LOG_TAIL_BYTES:
        log = log[:LOG_HEAD_BYTES].rpartition(b"\n")[0] + b"\n[...]\n" + log[-LOG_TAIL_BYTES:].partition(b"\n")[2]
    return log.decode(errors="replace")


def _title(result: StepResult, bad: int) -> str:
    kind = "setup step" if result.setup else "step"
    exit_text = "" if result.exit_code is None else f", exit {result.exit_code}"
    tests = f", {bad} of {len(result.tests)} tests failing" if bad else ""
    return f"{kind} {result.id}: {result.outcome}{exit_text}{tests}"


def _indented(text: str) -> str:
    return "".join(f"    {line}".rstrip() + "\n" for line in text.splitlines())


def _trimmed(text: str, limit_bytes: int) -> str:
    """Whole lines: a quarter from the beginning (where), the rest from the end (what)."""
    lines = [_short(line) for line in text.strip("\n").splitlines()]
    if _size("\n".join(lines)) <= limit_bytes:
        return "\n".join(lines)
    tail = _fitting(lines[::-1], limit_bytes * 3 // 4)[::-1]
    head = _fitting(lines[: len(lines) - len(tail)], limit_bytes // 4)
    return "\n".join([*head, "[...]", *tail])


def _short(line: str) -> str:
    return line if len(line) <= LINE_CHARS else f"{line[: LINE_CHARS - 100]}[...]{line[-95:]}"


def _fitting(lines: Sequence[str], limit_bytes: int) -> list[str]:
    taken: list[str] = []
    for line in lines:
        limit_bytes -= _size(line) + 1
        if limit_bytes < 0:
            break
        taken.append(line)
    return taken


def _size(text: str) -> int:
    return len(text.encode(errors="replace"))
