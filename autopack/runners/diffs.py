"""Unified diffs and `apply_patch` texts -> edits. Line numbers in them are ignored: models get those wrong most.

A hunk becomes what a SEARCH/REPLACE block is: context and removed lines are looked for, context and added lines put.
The text after `@@` is kept as a hint, for hunks that match in several places.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from autopack.runners.edit import Edit
from autopack.runners.ladder import Hunk

BEGIN, END = "*** Begin Patch", "*** End Patch"

_HUNK_HEAD = re.compile(r"@@(?:.*? @@|)[ \t]*(?P<hint>.*)")
_NOTHING = "/dev/null"
_MODES = ("100644", "100755")
_IGNORED = ("index ", "similarity index ", "dissimilarity index ")
_UNSUPPORTED = {
    "GIT binary patch": "binary patches aren't understood",
    "Binary files ": "binary patches aren't understood",
    "copy from ": "copies aren't understood: write the new file out",
    "copy to ": "copies aren't understood: write the new file out",
}
_ESCAPES = {"n": b"\n", "t": b"\t", "r": b"\r", '"': b'"', "\\": b"\\", "a": b"\a", "b": b"\b", "f": b"\f", "v": b"\v"}


class DiffError(ValueError):
    """What is wrong, and on which line of the reply."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.line = line


@dataclass(slots=True)
class _File:
    """What a diff has said about one file so far."""

    line: int
    block: int
    old: str = ""
    new: str = ""
    mode: str = ""
    created: bool = False
    deleted: bool = False
    renamed: bool = False
    hunks: list[Hunk] = field(default_factory=list)

    def edit(self) -> Edit:
        line, block = self.line, self.block
        if not self.old or not self.new:
            raise DiffError(self.line, "the diff doesn't say which file it is for")
        if self.created:
            return Edit(self.new, "create", content=self._content(), mode=self.mode, line=line, block=block)
        if self.deleted:
            return Edit(self.old, "delete", line=line, block=block)
        if self.renamed:
            return Edit(
                self.old, "rename", tuple(self.hunks), new_path=self.new, mode=self.mode, line=line, block=block
            )
        if self.old != self.new:
            raise DiffError(
                self.line, f"{self.old} and {self.new} differ: a rename needs `rename from` and `rename to`"
            )
        if not self.hunks and not self.mode:
            raise DiffError(self.line, f"nothing is changed in {self.old}")
        return Edit(self.old, "replace", tuple(self.hunks), mode=self.mode, line=line, block=block)

    def _content(self) -> str:
        old = next((hunk for hunk in self.hunks if hunk.search), None)
        if old:
            raise DiffError(old.line, f"{self.new} is new: every line of it must start with `+`")
        return "".join(hunk.replace for hunk in self.hunks)


# --- unified diffs ---


def looks_unified(lines: Sequence[str]) -> bool:
    """Whether a fenced block without a telling info string is a diff."""
    head = [line for line in lines if line.strip()][:3]
    names = len(head) > 1 and head[0].startswith("--- ") and head[1].startswith("+++ ")
    return names or (bool(head) and head[0].startswith("diff --git "))


def unified(lines: Sequence[str], first: int, path: str | None, blocks: Iterator[int]) -> list[Edit]:
    """`first` is the reply's line of lines[0]; `path` is what the line above the fence named. Raises DiffError."""
    files: list[_File] = []
    at = 0
    while at < len(lines):
        at = _unified_step(lines, at, first, path, files, blocks)
    if not files:
        raise DiffError(first, "the diff is empty")
    return [file.edit() for file in files]


def _unified_step(
    lines: Sequence[str], at: int, first: int, path: str | None, files: list[_File], blocks: Iterator[int]
) -> int:
    """Takes in what starts at lines[at] and returns what comes after it."""
    line = lines[at]
    if line.startswith("diff --git "):
        files.append(_git_head(line, first + at, next(blocks)))
        return at + 1
    if _names(lines, at):
        if not files or files[-1].hunks:
            files.append(_File(first + at, next(blocks)))
        _name(files[-1], line[4:], lines[at + 1][4:])
        return at + 2
    if line.startswith(("@@", "+", "-", " ")):
        if not files and path is None:
            raise DiffError(first + at, "a hunk without a file: `--- a/path` and `+++ b/path` must stand above it")
        if not files:
            files.append(_File(first + at, next(blocks), path or "", path or ""))
        return _hunk(lines, at, first, files[-1], blocks)
    if line.strip():
        _extended(line, first + at, files)
    return at + 1


def _names(lines: Sequence[str], at: int) -> bool:
    return lines[at].startswith("--- ") and at + 1 < len(lines) and lines[at + 1].startswith("+++ ")


def _git_head(line: str, number: int, block: int) -> _File:
    """Both names are the same here, or else `rename from` and `rename to` follow."""
    rest = line.removeprefix("diff --git ").strip()
    file = _File(number, block)
    half = re.fullmatch(r'(?P<old>"?a/.*) (?P<new>"?b/.*)', rest)
    if half and _unquoted(half["old"])[2:] == _unquoted(half["new"])[2:]:
        file.old = file.new = _unquoted(half["old"])[2:]
    return file


def _name(file: _File, old: str, new: str) -> None:
    old, new = _unquoted(old.partition("\t")[0].rstrip()), _unquoted(new.partition("\t")[0].rstrip())
    file.created, file.deleted = old == _NOTHING, new == _NOTHING
    if (old.startswith("a/") or file.created) and (new.startswith("b/") or file.deleted):
        old, new = old.removeprefix("a/"), new.removeprefix("b/")
    file.old, file.new = (new if file.created else old), (old if file.deleted else new)


def _extended(line: str, number: int, files: Sequence[_File]) -> None:
    """A header line of git's, or something that has no place in a diff."""
    reason = next((reason for start, reason in _UNSUPPORTED.items() if line.startswith(start)), None)
    found = re.fullmatch(
        r"(?P<what>old mode|new mode|new file mode|deleted file mode|rename from|rename to) (?P<value>.*)",
        line.rstrip(),
    )
    if line.startswith(_IGNORED):
        return
    if reason or not found or not files or files[-1].hunks:
        raise DiffError(number, reason or "this line is no part of a unified diff: context lines start with a space")
    _take_header(files[-1], found["what"], found["value"], number)


def _take_header(file: _File, what: str, value: str, number: int) -> None:
    if what.endswith("mode") and value not in _MODES:
        raise DiffError(number, f"mode {value} is refused: only {' and '.join(_MODES)} are ordinary files")
    if what == "rename from":
        file.old, file.renamed = _unquoted(value), True
    elif what == "rename to":
        file.new, file.renamed = _unquoted(value), True
    elif what in ("new mode", "new file mode"):
        file.mode = value
    file.created = file.created or what == "new file mode"
    file.deleted = file.deleted or what == "deleted file mode"


def _hunk(lines: Sequence[str], at: int, first: int, file: _File, blocks: Iterator[int]) -> int:
    """One hunk, which ends where the next one or the next file starts."""
    start, hint = at, ""
    head = _HUNK_HEAD.fullmatch(lines[at])
    if head:
        hint, at = head["hint"].strip(), at + 1
    end = at
    while end < len(lines) and not lines[end].startswith(("@@", "diff --git ")):
        if _names(lines, end) and any(line.startswith("@@") for line in lines[end + 2 : end + 3]):
            break
        end += 1
    search, replace = _halves(lines[at:end], first + at)
    if search or replace:
        block = file.block if not file.hunks else next(blocks)
        file.hunks.append(Hunk(search, replace, first + start, block, hint))
    return end


def _halves(lines: Sequence[str], first: int) -> tuple[str, str]:
    """What is looked for and what is put. An empty line is a context line that lost its space; final ones are none."""
    while lines and not lines[-1]:
        lines = lines[:-1]
    halves = ["", ""]
    previous = ""
    for at, line in enumerate(lines):
        sign, rest = (line[0], line[1:]) if line else (" ", "")
        if sign not in " +-\\":
            raise DiffError(first + at, "every line of a hunk starts with a space, `+` or `-`")
        for side, signs in enumerate((" -", " +")):
            if sign == "\\" and previous in signs:
                halves[side] = halves[side].removesuffix("\n")
            elif sign in signs:
                halves[side] += rest + "\n"
        previous = sign
    return halves[0], halves[1]


def _unquoted(name: str) -> str:
    """Git quotes names with bytes above 127, quotes or control characters, as C would."""
    if not (len(name) > 1 and name.startswith('"') and name.endswith('"')):
        return name
    data = re.sub(rb"\\([0-7]{3}|.)", lambda found: _unescaped(found[1].decode("latin-1")), name[1:-1].encode())
    return data.decode(errors="replace")


def _unescaped(code: str) -> bytes:
    return bytes([int(code, 8) & 255]) if len(code) == 3 else _ESCAPES.get(code, code.encode("latin-1"))


# --- apply_patch ---


def apply_patch(lines: Sequence[str], first: int, blocks: Iterator[int]) -> list[Edit]:
    """The lines between BEGIN and END. Raises DiffError."""
    files: list[_File] = []
    at = 0
    while at < len(lines):
        at = _patch_step(lines, at, first, files, blocks)
    if not files:
        raise DiffError(first, "the patch is empty")
    return [file.edit() for file in files]


def _patch_step(lines: Sequence[str], at: int, first: int, files: list[_File], blocks: Iterator[int]) -> int:
    head = re.fullmatch(r"\*\*\* (?P<what>(?:Add|Delete|Update) File|Move to): *(?P<path>.*)", lines[at].rstrip())
    if head and head["what"] == "Move to":
        if not files or files[-1].hunks or files[-1].created or files[-1].deleted:
            raise DiffError(first + at, "`*** Move to:` stands directly below `*** Update File:`")
        files[-1].new, files[-1].renamed = head["path"], True
        return at + 1
    if head:
        file = _File(first + at, next(blocks), head["path"], head["path"])
        file.created, file.deleted = head["what"] == "Add File", head["what"] == "Delete File"
        files.append(file)
        return at + 1
    if not lines[at].strip():
        return at + 1
    if not files or files[-1].deleted:
        raise DiffError(first + at, "expected `*** Add File:`, `*** Update File:` or `*** Delete File:`")
    return _patch_hunk(lines, at, first, files[-1], blocks)


def _patch_hunk(lines: Sequence[str], at: int, first: int, file: _File, blocks: Iterator[int]) -> int:
    start, hint = at, ""
    while at < len(lines) and lines[at].startswith("@@"):  # several narrow each other down; the last one is the nearest
        hint, at = lines[at].removeprefix("@@").removesuffix("@@").strip(), at + 1
    end = at
    while end < len(lines) and not lines[end].startswith(("@@", "*** ")):
        end += 1
    at_end = end < len(lines) and lines[end].rstrip() == "*** End of File"
    if end < len(lines) and lines[end].startswith("*** ") and not at_end and not lines[end].rstrip().partition(": ")[2]:
        raise DiffError(first + end, f"not understood: {lines[end].strip()[:80]}")
    search, replace = _halves(lines[at:end], first + at)
    if search or replace:
        block = file.block if not file.hunks else next(blocks)
        file.hunks.append(Hunk(search, replace, first + start, block, hint, at_end))
    return end + 1 if at_end else end
