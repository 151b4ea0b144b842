"""Where a hunk's lines are in a file, and what to write there: rules from strict to lenient, one row each.

Knows one file's bytes. A rung gives every place it finds and never chooses. What surrounds a place, and the file's own
newlines, byte order mark and missing final newline, stay as they were.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import NamedTuple

BOM = b"\xef\xbb\xbf"
PLACES_MAX = 100  # of one hunk: whether there are two decides, the rest is for the message
_COMPARED_MAX = 250_000  # pairs of lines: SequenceMatcher is quadratic


@dataclass(frozen=True, slots=True)
class Hunk:
    """Lines to find and what stands there afterwards.

    Both texts end with a newline, except where the format says that the file's last line has none. `line` is that
    of the reply, `block` counts the reply's blocks. `hint` is a line that stands above the right place, in case there
    are several, `at_line` the line (from 1) at which somebody who counts says it is. `at_end`: the lines are the file's
    last ones.
    """

    search: str
    replace: str
    line: int = 0
    block: int = 0
    hint: str = ""
    at_end: bool = False
    at_line: int = 0


def is_text(data: bytes) -> bool:
    if b"\0" in data:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


class Target:
    """A file as lines, and as one searchable string per rung."""

    __slots__ = ("_strings", "bom", "data", "is_text", "lines", "newline", "path")

    def __init__(self, path: str, data: bytes) -> None:
        self.path = path
        self.data = data
        self.is_text = is_text(data)
        self.bom = data.startswith(BOM)
        self.newline = _newline_of(data)
        self.lines = split(data)
        self._strings: dict[_Key, bytes] = {}

    @property
    def ends_with_newline(self) -> bool:
        return self.data.endswith(self.newline)

    def string(self, key: "_Key") -> bytes:
        if key not in self._strings:
            self._strings[key] = _string(self.lines, key)
        return self._strings[key]


def _newline_of(data: bytes) -> bytes:
    """The commoner one; `\\r` alone only where there is nothing else."""
    breaks = data.count(b"\n")
    if not breaks:
        return b"\r" if b"\r" in data else b"\n"
    return b"\r\n" if data.count(b"\r\n") * 2 > breaks else b"\n"


def split(data: bytes) -> list[bytes]:
    """Lines with their ends. `\\r` inside a line isn't one."""
    newline = b"\n" if b"\n" in data else b"\r"
    *whole, rest = data.split(newline)
    return [line + newline for line in whole] + ([rest] if rest else [])


def without_newline(line: bytes) -> bytes:
    return line[:-1].removesuffix(b"\r") if line.endswith(b"\n") else line.removesuffix(b"\r")


_Key = Callable[[bytes], bytes]  # what of a line counts on a rung


class Span(NamedTuple):
    """Lines `start` to `end` (exclusive, from 0) of the file."""

    start: int
    end: int


class Rung(NamedTuple):
    """A rule for finding a hunk, and for what to write where it was found."""

    number: int
    fuzz: int
    rule: str
    find: Callable[[Target, Hunk], list[Span]]
    put: Callable[[Target, Span, Hunk], bytes]


def _find_equal(target: Target, hunk: Hunk) -> list[Span]:
    wanted = hunk.search.encode()
    return [span for span in _find(target, hunk, _line) if b"".join(target.lines[span.start : span.end]) == wanted]


def _find_any_newline(target: Target, hunk: Hunk) -> list[Span]:
    return _find(target, hunk, without_newline)


def _find_any_trailing_space(target: Target, hunk: Hunk) -> list[Span]:
    return _find(target, hunk, bytes.rstrip)


def _put_verbatim(target: Target, span: Span, hunk: Hunk) -> bytes:
    """REPLACE as it is. Where SEARCH is a last line without a newline, the file has to say which it uses."""
    return hunk.replace.encode() if "\n" in hunk.search else _put_in_style(target, span, hunk)


def _put_in_style(target: Target, span: Span, hunk: Hunk) -> bytes:
    """REPLACE with the file's newlines; lines that SEARCH and REPLACE share stay as the file has them."""
    there = target.lines[span.start : span.end]
    bom = target.bom and span.start == 0
    if bom:
        there = [there[0].removeprefix(BOM), *there[1:]]
    newline = _newline_of(b"".join(there)) if b"".join(there[:1]).endswith((b"\n", b"\r")) else target.newline
    old, new = split(hunk.search.encode()), split(hunk.replace.encode())
    lines = [
        without_newline(line) + newline if kept is None else there[kept]
        for line, kept in zip(new, _kept(old, new), strict=True)
    ]
    lines = [line if line.endswith((b"\n", b"\r")) else line + newline for line in lines]
    if lines and not _wants_final_newline(target, span, hunk):
        lines[-1] = without_newline(lines[-1])
    return (BOM if bom else b"") + b"".join(lines).removeprefix(BOM if bom else b"")


# Later rungs are rows here: indentation, blank edges, punctuation, elision, anchors.
LADDER = (
    Rung(0, 0, "bytes equal", _find_equal, _put_verbatim),
    Rung(1, 1, "newline style, byte order mark and final newline ignored", _find_any_newline, _put_in_style),
    Rung(2, 2, "trailing white space ignored", _find_any_trailing_space, _put_in_style),
)


def _line(line: bytes) -> bytes:
    return line.removesuffix(b"\n")


def _string(lines: Sequence[bytes], key: _Key) -> bytes:
    """Lines as the rung sees them, each between two newlines."""
    first, rest = lines[:1], lines[1:]
    if key is not _line:
        first = [line.removeprefix(BOM) for line in first]
    return b"\n".join([b"", *map(key, first), *map(key, rest), b""])


def _find(target: Target, hunk: Hunk, key: _Key) -> list[Span]:
    """Every place where the lines are equal under `key`, also overlapping ones. Linear: bytes.find does the work."""
    search = split(hunk.search.encode())
    if not search:
        return []
    text, wanted = target.string(key), _string(search, key)
    spans: list[Span] = []
    line, seen, at = 0, 0, text.find(wanted)
    while at >= 0 and len(spans) < PLACES_MAX:
        line += text.count(b"\n", seen, at)
        seen = at
        if _end_fits(target, line + len(search), hunk):
            spans.append(Span(line, line + len(search)))
        at = text.find(wanted, at + 1)
    return spans


def _end_fits(target: Target, end: int, hunk: Hunk) -> bool:
    """A text that says the file has no final newline is about the file's end."""
    at_end = hunk.at_end or not hunk.search.endswith("\n") or (bool(hunk.replace) and not hunk.replace.endswith("\n"))
    return end == len(target.lines) or not at_end


def _wants_final_newline(target: Target, span: Span, hunk: Hunk) -> bool:
    """The file's own way, unless the hunk says that this is what it changes."""
    said = not (hunk.search.endswith("\n") and hunk.replace.endswith("\n"))
    if said or span.end < len(target.lines):
        return hunk.replace.endswith("\n")
    return target.lines[-1].endswith((b"\n", b"\r"))


def _kept(old: Sequence[bytes], new: Sequence[bytes]) -> list[int | None]:
    """For every new line the old one it repeats, None where it is a changed one."""
    kept: list[int | None] = [None] * len(new)
    head = next((at for at, (a, b) in enumerate(zip(old, new, strict=False)) if a != b), min(len(old), len(new)))
    room = min(len(old), len(new)) - head
    tail = next((at for at in range(room) if old[-1 - at] != new[-1 - at]), room)
    kept[:head] = range(head)
    if tail:
        kept[-tail:] = range(len(old) - tail, len(old))
    middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(middle_old) * len(middle_new) <= _COMPARED_MAX:
        for block in SequenceMatcher(None, middle_old, middle_new, autojunk=False).get_matching_blocks():
            for at in range(block.size):
                kept[head + block.b + at] = head + block.a + at
    return kept


def under_hint(target: Target, spans: Sequence[Span], hint: str) -> list[Span]:
    """The only place inside what the hint names, if the hint names one thing and it holds one place."""
    wanted = hint.strip().encode()
    heads = [at for at, line in enumerate(target.lines) if line.strip().startswith(wanted)] if wanted else []
    if len(heads) != 1:
        return []
    depth = _indent(target.lines[heads[0]])
    end = heads[0] + 1
    while end < len(target.lines) and (not target.lines[end].strip() or _indent(target.lines[end]) > depth):
        end += 1
    inside = [span for span in spans if heads[0] <= span.start < end]
    return inside if len(inside) == 1 else []


def _indent(line: bytes) -> int:
    return len(line) - len(line.lstrip(b" \t"))
