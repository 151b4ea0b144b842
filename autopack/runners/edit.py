"""Edits applied in memory, all of them or none.

Knows bytes by path and nothing of files, git or replies' grammar. A hunk is looked for on a ladder of rules, strictest
first. A rung gives every place it finds; exactly one is needed, and two are a failure rather than a guess. What
surrounds a place, and the file's own newlines, byte order mark and missing final newline, stay as they were.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, NamedTuple

from autopack.runners.diagnosis import BlockFailure, Kind, explained
from autopack.runners.ladder import (
    BOM,
    LADDER,
    PLACES_MAX,
    Hunk,
    Rung,
    Span,
    Target,
    is_text,
    under_hint,
    without_newline,
)

__all__ = ["Applied", "BlockFailure", "Change", "Edit", "EditFailed", "Hunk", "Op", "Placement", "apply"]

Op = Literal["replace", "write", "create", "delete", "rename"]

_DETAILED_MAX = 10  # failures that are looked into; the others are only named


@dataclass(frozen=True, slots=True)
class Edit:
    """What a reply wants done to one file. `write` takes a path with or without a file, `create` only one without.

    A rename may bring hunks along; the others use what their name says. `mode` is "" or git's ("100755").
    """

    path: str
    op: Op
    hunks: tuple[Hunk, ...] = ()
    content: str = ""  # of write and create
    new_path: str = ""  # of rename
    mode: str = ""
    line: int = 0
    block: int = 0

    @property
    def paths(self) -> tuple[str, ...]:
        """What it names: `apply` wants each of them in `files`."""
        return (self.path, self.new_path) if self.new_path else (self.path,)


@dataclass(frozen=True, slots=True)
class Change:
    """One path afterwards. `content` None: the file is gone. `mode` None: as it was, or an ordinary file."""

    content: bytes | None
    renamed_from: str | None = None
    mode: str | None = None


@dataclass(frozen=True, slots=True)
class Placement:
    """Where a hunk went: `line` of the file before any change, the rung that found it and how far that stretches."""

    path: str
    block: int
    rung: int
    fuzz: int
    line: int


@dataclass(frozen=True, slots=True)
class Applied:
    """Every touched path, also one whose bytes came out the same."""

    changes: Mapping[str, Change]
    placements: tuple[Placement, ...] = ()

    @property
    def rung(self) -> int:
        return max((placement.rung for placement in self.placements), default=0)

    @property
    def fuzz(self) -> int:
        return max((placement.fuzz for placement in self.placements), default=0)


@dataclass(frozen=True, slots=True)
class EditFailed:
    """No file was changed."""

    failures: tuple[BlockFailure, ...]

    def evidence(self) -> str:
        """What the Builder needs to do better, block by block."""
        return "\n".join(failure.text() for failure in self.failures) + "\n"


def apply(files: Mapping[str, bytes | None], edits: Sequence[Edit], *, fuzz_cap: int) -> Applied | EditFailed:
    """All edits, against the files as they were at base.

    `files` holds content by path, None for a path without a file; a path that isn't in it can't be edited. Files that
    no edit names are used for hints only. Rungs above `fuzz_cap` aren't climbed.
    """
    groups, failures = _grouped(edits)
    changes: dict[str, Change] = {}
    placements: list[Placement] = []
    for group in groups:
        outcome = _changed(group, files, fuzz_cap)
        if isinstance(outcome, Applied):
            changes.update(outcome.changes)
            placements += outcome.placements
        else:
            failures += outcome
    if not failures:
        return Applied(changes, tuple(placements))
    failures.sort(key=lambda failure: failure.block)
    hunks = {path: group.hunks for group in groups for path in group.names}
    detailed = [explained(failure, hunks.get(failure.path, []), files) for failure in failures[:_DETAILED_MAX]]
    return EditFailed((*detailed, *failures[_DETAILED_MAX:]))


# --- which edits belong together ---


@dataclass(slots=True)
class _Group:
    """All that one reply wants of one file: hunks, or one other operation, and perhaps a new name."""

    path: str
    edits: list[Edit] = field(default_factory=list)
    rename: Edit | None = None

    @property
    def names(self) -> list[str]:
        return [self.path, self.rename.new_path] if self.rename else [self.path]

    @property
    def all(self) -> list[Edit]:
        return [*self.edits, self.rename] if self.rename else self.edits

    @property
    def hunks(self) -> list[Hunk]:
        return [hunk for edit in self.all for hunk in edit.hunks]

    @property
    def mode(self) -> str | None:
        return next((edit.mode for edit in reversed(self.all) if edit.mode), None)


def _grouped(edits: Sequence[Edit]) -> tuple[list[_Group], list[BlockFailure]]:
    """By the path at base: edits under a file's new name belong to the old one."""
    renames = [edit for edit in edits if edit.op == "rename"]
    old_path = {edit.new_path: edit.path for edit in renames}
    groups: dict[str, _Group] = {}
    failures = [
        _failed(edit, "contradiction", "a path can be renamed or renamed to only once") for edit in _repeated(renames)
    ]
    for edit in edits:
        path = edit.path if edit.op == "rename" else old_path.get(edit.path, edit.path)
        group = groups.setdefault(path, _Group(path))
        if edit.op == "rename":
            group.rename = edit
        else:
            group.edits.append(edit)
    failures += [failure for group in groups.values() for failure in _contradictions(group)]
    return list(groups.values()), failures


def _repeated(renames: Sequence[Edit]) -> list[Edit]:
    """A path may be the old name of one file, or the new name of one."""
    ends = Counter(path for edit in renames for path in (edit.path, edit.new_path))
    return [edit for edit in renames if ends[edit.path] > 1 or ends[edit.new_path] > 1]


def _contradictions(group: _Group) -> Iterator[BlockFailure]:
    whole = [edit for edit in group.edits if edit.op != "replace"]
    if not whole:
        return
    last = whole[-1]
    if len(group.edits) > 1 or group.hunks:
        words = " and ".join(f"block {edit.block} ({edit.op})" for edit in group.all)
        yield _failed(last, "contradiction", f"{words} can't all be done to one file: give it one edit")
    elif group.rename and last.op != "write":
        reason = f"block {group.rename.block} renames this file: it can't also be {last.op}d"
        yield _failed(last, "contradiction", reason)


def _failed(edit: Edit, kind: Kind, reason: str, *, done: bool = False) -> BlockFailure:
    return BlockFailure(edit.block, edit.path, reason, already_applied=done, line=edit.line, kind=kind)


# --- one file ---


def _changed(group: _Group, files: Mapping[str, bytes | None], fuzz_cap: int) -> Applied | list[BlockFailure]:
    refused = _refused(group, files)
    if refused:
        return [refused]
    base = files[group.path]
    first = group.edits[0] if group.edits else None
    placements: tuple[Placement, ...] = ()
    content: bytes | None
    if first and first.op == "delete":
        content = None
    elif first and first.op in ("write", "create"):
        content = _written(first.content, base)
    else:
        placed = _hunks_placed(Target(group.path, base or b""), group.hunks, fuzz_cap)
        if isinstance(placed, list):
            return placed
        content, placements = placed
    if group.rename is None:
        return Applied({group.path: Change(content, mode=group.mode)}, placements)
    new = Change(content, renamed_from=group.path, mode=group.mode)
    return Applied({group.path: Change(None), group.rename.new_path: new}, placements)


def _refused(group: _Group, files: Mapping[str, bytes | None]) -> BlockFailure | None:
    """What stands against a group's operations before its hunks are looked at."""
    edit = group.all[0]
    missing = [path for path in group.names if path not in files]
    if missing:
        return _failed(edit, "not_offered", f"{missing[0]} can't be edited here")
    base = files[group.path]
    if edit.op == "create" and base is not None:
        reason = "exists already, and an empty SEARCH creates a file: put the lines to change into SEARCH"
        return _failed(edit, "exists", reason, done=base == edit.content.encode())
    if base is None and edit.op == "replace":
        return _failed(edit, "missing", "does not exist: an empty SEARCH creates a file")
    if base is None and (edit.op == "delete" or group.rename):
        return _failed(edit, "missing", "does not exist")
    if group.rename and files[group.rename.new_path] is not None:
        return _failed(group.rename, "exists", f"can't be renamed to {group.rename.new_path}, which exists")
    return None


def _written(content: str, base: bytes | None) -> bytes:
    """Whole content, in the style of the file that was there."""
    new = content.encode()
    if not base or not is_text(base):
        return new
    target = Target("", base)
    if target.newline == b"\r\n" and b"\r" not in new and base.count(b"\n") == base.count(b"\r\n"):
        new = new.replace(b"\n", b"\r\n")
    last = new.removesuffix(b"\n").removesuffix(b"\r").rpartition(b"\n")[2]
    if not target.ends_with_newline and last == without_newline(target.lines[-1]).removeprefix(BOM):
        new = without_newline(new)
    return BOM + new if target.bom and not new.startswith(BOM) else new


# --- the hunks of one file ---


class _Placed(NamedTuple):
    hunk: Hunk
    span: Span
    rung: Rung


def _hunks_placed(
    target: Target, hunks: Sequence[Hunk], fuzz_cap: int
) -> tuple[bytes, tuple[Placement, ...]] | list[BlockFailure]:
    outcomes = [_placed(target, hunk, fuzz_cap) for hunk in hunks]
    placed = [outcome for outcome in outcomes if isinstance(outcome, _Placed)]
    failures = [outcome for outcome in outcomes if isinstance(outcome, BlockFailure)]
    placed.sort(key=lambda one: one.span)
    failures += _overlaps(target.path, placed)
    if failures:
        return failures
    placements = (
        Placement(target.path, one.hunk.block, one.rung.number, one.rung.fuzz, one.span.start + 1) for one in placed
    )
    return _joined(target, placed), tuple(sorted(placements, key=lambda placement: placement.block))


def _placed(target: Target, hunk: Hunk, fuzz_cap: int) -> _Placed | BlockFailure:
    if not hunk.search:
        return _unplaced(target, hunk, "no_match", "nothing to search for: give at least one line that is in the file")
    if not target.is_text and not hunk.replace.isascii():
        reason = "the file is not UTF-8 text: only a whole-file edit can put such characters in it"
        return _unplaced(target, hunk, "no_match", reason)
    for rung in LADDER if target.is_text else LADDER[:1]:
        spans = rung.find(target, hunk)
        if spans:
            return _decided(target, hunk, rung, spans, fuzz_cap)
    binary = "" if target.is_text else "; the file is not UTF-8 text, so bytes must be equal"
    return _unplaced(target, hunk, "no_match", f"SEARCH matches nothing{binary}")


def _decided(target: Target, hunk: Hunk, rung: Rung, spans: list[Span], fuzz_cap: int) -> _Placed | BlockFailure:
    """The one place, or why none of them is taken. A more lenient rung would only find more."""
    if rung.fuzz > fuzz_cap:
        reason = f"matches line {spans[0].start + 1} only with {rung.rule}, which this phase doesn't allow: be exact"
        return _unplaced(target, hunk, "fuzz_cap", reason)
    if len(spans) > 1:
        counted = [span for span in spans if span.start + 1 == hunk.at_line]
        spans = counted or under_hint(target, spans, hunk.hint) or spans
    if len(spans) == 1:
        return _Placed(hunk, spans[0], rung)
    many = f"{len(spans)}{' or more' if len(spans) == PLACES_MAX else ''}"
    candidates = tuple(span.start + 1 for span in spans[:20])
    return _unplaced(target, hunk, "ambiguous", f"SEARCH matches {many} places, exactly one is needed", candidates)


def _unplaced(target: Target, hunk: Hunk, kind: Kind, reason: str, candidates: tuple[int, ...] = ()) -> BlockFailure:
    return BlockFailure(hunk.block, target.path, reason, candidates=candidates, line=hunk.line, kind=kind)


def _overlaps(path: str, placed: Sequence[_Placed]) -> list[BlockFailure]:
    return [
        BlockFailure(
            after.hunk.block,
            path,
            f"overlaps block {before.hunk.block} at line {after.span.start + 1}: make one block of the two",
            line=after.hunk.line,
            kind="overlap",
        )
        for before, after in pairwise(placed)
        if after.span.start < before.span.end
    ]


def _joined(target: Target, placed: Sequence[_Placed]) -> bytes:
    parts: list[bytes] = []
    at = 0
    for one in placed:
        parts += target.lines[at : one.span.start]
        parts.append(one.rung.put(target, one.span, one.hunk))
        at = one.span.end
    return b"".join([*parts, *target.lines[at:]])
