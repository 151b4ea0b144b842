"""What a failed block is told: the nearest lines with their white space, where else its lines are, whether it is done.

For the Builder's next attempt only; nothing here is ever applied.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Literal

from autopack.runners.ladder import LADDER, Hunk, Target, is_text, split

_NEAREST_LINES_MAX = 12
_LINE_CHARS_MAX = 200
_VISIBLE = str.maketrans({"\t": "→", "\r": "␍", "\n": "", "\u00a0": "⍽", "\ufeff": "<BOM>"})


Kind = Literal["no_match", "ambiguous", "overlap", "fuzz_cap", "missing", "exists", "contradiction", "not_offered"]


@dataclass(frozen=True, slots=True)
class BlockFailure:
    """Why one block can't be applied. Lines are those of the file at base; `line` is the reply's."""

    block: int
    path: str
    reason: str
    nearest: tuple[tuple[int, str], ...] = ()
    candidates: tuple[int, ...] = ()
    already_applied: bool = False
    line: int = 0
    difference: str = ""
    elsewhere: tuple[str, ...] = ()
    kind: Kind = "no_match"

    def text(self) -> str:
        parts = [f"block {self.block} (line {self.line} of the reply), {self.path}: {self.reason}"]
        if self.candidates:
            lines = ", ".join(map(str, self.candidates))
            parts.append(f"  it matches at lines {lines}: add lines that tell them apart")
        if self.already_applied:
            parts.append("  already applied: the REPLACE half is there; leave this block out")
        if self.nearest:
            parts.append("  nearest lines (`·` space and `→` tab at the edges of a line, `␍` carriage return):")
            parts += [f"  {number:>6}| {line}" for number, line in self.nearest]
        if self.difference:
            parts.append(f"  {self.difference}")
        parts += [f"  the same lines are in {place}; nothing was changed there" for place in self.elsewhere]
        return "\n".join(parts)


def explained(failure: BlockFailure, hunks: Sequence[Hunk], files: Mapping[str, bytes | None]) -> BlockFailure:
    """The failure of a hunk that found no place, with what helps to correct it. `hunks` are all of that file.

    Walks over every file, so it is for the first few failures of a reply only.
    """
    hunk = next((hunk for hunk in hunks if (hunk.block, hunk.line) == (failure.block, failure.line)), None)
    if hunk is None or failure.kind not in ("no_match", "missing"):
        return failure
    elsewhere = tuple(_elsewhere(failure.path, hunk, files))
    base = files.get(failure.path)
    if base is None or not is_text(base):
        return replace(failure, elsewhere=elsewhere)
    target, search = Target(failure.path, base), split(hunk.search.encode())
    nearest, difference = _shown(target, search, _nearest(target, search))
    return replace(
        failure,
        reason=failure.reason + _written_by_another(hunk, hunks),
        nearest=nearest,
        difference=difference,
        already_applied=_already_applied(target, hunk),
        elsewhere=elsewhere,
    )


def _written_by_another(hunk: Hunk, hunks: Sequence[Hunk]) -> str:
    lines = f"\n{hunk.search}"
    other = next((one for one in hunks if one is not hunk and lines.strip() and lines in f"\n{one.replace}"), None)
    return (
        f"; block {other.block} writes these lines, but every block is matched with the file as shown" if other else ""
    )


def _already_applied(target: Target, hunk: Hunk) -> bool:
    done = Hunk(hunk.replace, hunk.replace)
    return bool(hunk.replace.strip()) and any(rung.find(target, done) for rung in LADDER)


def _elsewhere(path: str, hunk: Hunk, files: Mapping[str, bytes | None]) -> Iterator[str]:
    """Other files that hold the lines; only for lines that say something."""
    if len("".join(hunk.search.split())) < 10:
        return
    found = 0
    for other in sorted(files.keys() - {path}):
        data = files[other]
        spans = LADDER[-1].find(Target(other, data), hunk) if data and found < 3 else []
        if spans:
            found += 1
            yield f"{other}, line {spans[0].start + 1}"


def _nearest(target: Target, search: Sequence[bytes]) -> int | None:
    """The line of the file at which most lines of the search half would stand where they are."""
    wanted: dict[bytes, list[int]] = {}
    for at, line in enumerate(search):
        if line.strip():
            wanted.setdefault(line.strip(), []).append(at)
    votes: Counter[int] = Counter()
    for at, line in enumerate(target.lines):
        for place in wanted.get(line.strip(), ())[:20]:
            votes[at - place] += 1
    if votes:
        start, _ = max(votes.items(), key=lambda vote: (vote[1], -vote[0]))
        return max(0, start)
    return _similar(target, max(wanted, key=len, default=b""), wanted)


def _similar(target: Target, line: bytes, wanted: Mapping[bytes, Sequence[int]]) -> int | None:
    """No line is equal: one that resembles the search half's longest."""
    texts = [_cut(one.strip()) for one in target.lines[:2000]]
    close = get_close_matches(_cut(line), texts, n=1, cutoff=0.6) if line else []
    return max(0, texts.index(close[0]) - wanted[line][0]) if close else None


def _shown(target: Target, search: Sequence[bytes], start: int | None) -> tuple[tuple[tuple[int, str], ...], str]:
    """The lines around the first one that differs, and in words how it differs."""
    if start is None:
        return (), ""
    there = target.lines[start : start + len(search)]
    differs = next(
        (
            at
            for at, (a, b) in enumerate(zip(there, search, strict=False))
            if a.removesuffix(b"\n") != b.removesuffix(b"\n")
        ),
        None,
    )
    first = start + max(0, (differs or 0) - 3)
    last = min(start + len(search), first + _NEAREST_LINES_MAX, len(target.lines))
    nearest = tuple((at + 1, _visible(target.lines[at])) for at in range(first, last))
    if differs is None:
        return nearest, ""
    return nearest, f"line {start + differs + 1} differs, SEARCH has: {_visible(search[differs])}"


def _cut(line: bytes) -> str:
    return line[: 4 * _LINE_CHARS_MAX].decode(errors="replace")[:_LINE_CHARS_MAX]


def _visible(line: bytes) -> str:
    """A line with the white space that gets lost in copies."""
    text = _cut(line.rstrip(b"\n"))
    body = text.strip(" ")
    lead = len(text) - len(text.lstrip(" "))
    return ("·" * lead + body + "·" * (len(text) - lead - len(body))).translate(_VISIBLE)
