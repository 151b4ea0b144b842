"""One touched file, before and after: what the gate's rules look at, worked out once and only when asked for."""

import ast
import threading
import warnings
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cached_property
from typing import Literal

from autopack.runners.edit import Applied

Severity = Literal["block", "major", "minor"]

_COMPARED_MAX = 40_000  # pairs of lines: SequenceMatcher is quadratic and worse
_PARSING = threading.Lock()


@dataclass(frozen=True, slots=True)
class GateFinding:
    """What a rule has against a patch. `block` refuses it, the others go on record. `line` 0: the whole file."""

    kind: str
    severity: Severity
    path: str
    line: int
    message: str


@dataclass(frozen=True)
class Touched:
    """A renamed file has its old content before and its old name in `renamed_from`."""

    path: str
    before: bytes | None
    after: bytes | None
    renamed_from: str | None = None
    mode: str | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return (self.renamed_from, self.path) if self.renamed_from else (self.path,)

    @property
    def suffix(self) -> str:
        stem, dot, suffix = self.path.rpartition("/")[2].rpartition(".")
        return f".{suffix.lower()}" if dot and stem else ""

    @cached_property
    def old_text(self) -> str | None:
        return text_of(self.before)

    @cached_property
    def new_text(self) -> str | None:
        return text_of(self.after)

    @cached_property
    def added(self) -> Sequence[tuple[int, str]]:
        """Lines that the file had not (as often) before, with their numbers now. A moved line is no added one."""
        left = Counter((self.old_text or "").split("\n"))
        found = []
        for number, line in enumerate((self.new_text or "").split("\n"), 1):
            left[line] -= 1
            if left[line] < 0:
                found.append((number, line))
        return found

    @cached_property
    def changed_lines(self) -> int:
        """Added plus removed, about as a diff counts them. Of what isn't text every line counts."""
        return changed_lines(_lines(self.before), _lines(self.after))

    @cached_property
    def old_tree(self) -> ast.Module | None:
        return None if self.old_text is None else parsed(self.old_text)[0]

    @cached_property
    def new_tree(self) -> ast.Module | None:
        return None if self.new_text is None else parsed(self.new_text)[0]


def touched(before: Mapping[str, bytes | None], applied: Applied) -> list[Touched]:
    """What really changes: a renamed file counts once, one that came out the same not at all."""
    files = []
    renamed = {change.renamed_from for change in applied.changes.values()}
    for path, change in applied.changes.items():
        if change.content is None and path in renamed:
            continue
        old = before.get(change.renamed_from or path)
        if change.renamed_from or change.mode or old != change.content:
            files.append(Touched(path, old, change.content, change.renamed_from, change.mode))
    return files


def text_of(data: bytes | None) -> str | None:
    """None for no file, and for one that isn't UTF-8 text."""
    if data is None or b"\0" in data:
        return None
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return None


def parsed(text: str) -> tuple[ast.Module | None, tuple[int, str] | None]:
    """A Python file's tree, or the line and words of what is wrong with it.

    Warnings about odd escapes are the project's business. Where they are errors the parser would refuse the file, so
    they are silenced; the interpreter has one list of filters for all threads, hence the lock.
    """
    try:
        with _PARSING, warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text), None
    except SyntaxError as error:
        return None, (error.lineno or 0, error.msg)
    except (ValueError, RecursionError, MemoryError) as error:  # NUL bytes; nesting beyond what the parser can hold
        return None, (0, str(error) or "nested too deeply to be parsed")


# --- counting changed lines ---


def changed_lines(old: Sequence[bytes], new: Sequence[bytes]) -> int:
    """Removed plus added lines of a patience diff: never fewer than the shortest diff has, rarely more."""
    count, todo = 0, [(old, new)]
    while todo:
        a, b = _without_ends(*todo.pop())
        anchors = _anchors(a, b) if a and b else []
        if anchors:
            todo += _gaps(a, b, anchors)
        elif len(a) * len(b) <= _COMPARED_MAX:
            count += len(a) + len(b) - 2 * _kept(a, b)
        else:
            count += len(a) + len(b)
    return count


def _lines(data: bytes | None) -> list[bytes]:
    return (data or b"").splitlines(keepends=True)


def _without_ends(a: Sequence[bytes], b: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[bytes]]:
    shorter = min(len(a), len(b))
    head = next((at for at in range(shorter) if a[at] != b[at]), shorter)
    tail = next((at for at in range(shorter - head) if a[-1 - at] != b[-1 - at]), shorter - head)
    return a[head : len(a) - tail], b[head : len(b) - tail]


def _anchors(a: Sequence[bytes], b: Sequence[bytes]) -> list[tuple[int, int]]:
    """Lines that both hold exactly once, as many as keep their order."""
    once_a, once_b = Counter(a), Counter(b)
    place = {line: at for at, line in enumerate(b) if once_b[line] == 1}
    pairs = [(at, place[line]) for at, line in enumerate(a) if once_a[line] == 1 and line in place]
    ends: list[int] = []  # the smallest end of an increasing run of each length, and how each pair continues one
    last: list[int] = []
    before: list[int | None] = []
    for number, (_, at) in enumerate(pairs):
        length = bisect_left(ends, at)
        before.append(last[length - 1] if length else None)
        ends[length : length + 1] = [at]
        last[length : length + 1] = [number]
    return list(_run(pairs, before, last[-1] if last else None))[::-1]


def _run(pairs: Sequence[tuple[int, int]], before: Sequence[int | None], at: int | None) -> Iterator[tuple[int, int]]:
    while at is not None:
        yield pairs[at]
        at = before[at]


def _gaps(
    a: Sequence[bytes], b: Sequence[bytes], anchors: Sequence[tuple[int, int]]
) -> Iterator[tuple[Sequence[bytes], Sequence[bytes]]]:
    at_a = at_b = 0
    for one, other in [*anchors, (len(a), len(b))]:
        if one > at_a or other > at_b:
            yield a[at_a:one], b[at_b:other]
        at_a, at_b = one + 1, other + 1


def _kept(a: Sequence[bytes], b: Sequence[bytes]) -> int:
    if not a or not b:
        return 0
    return sum(block.size for block in SequenceMatcher(None, a, b, autojunk=False).get_matching_blocks())
