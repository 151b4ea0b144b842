"""A model's reply -> edits and facts. Parsed once, strictly; everything after works on the result.

Knows text only. Prose is ignored, but nothing that looks like an edit is: what can be read in two ways, or is cut off,
is a Refusal whose message says where and what was expected. Places are lines of the reply, from 1.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Literal, NoReturn

from autopack.runners import diffs, facts
from autopack.runners.edit import Edit, Hunk
from autopack.runners.facts import AuditorFacts, BuilderFacts, Finding, Issue

__all__ = [
    "AuditorFacts",
    "BuilderFacts",
    "Edit",
    "Finding",
    "Hunk",
    "Issue",
    "Refusal",
    "Reply",
    "Review",
    "parse_auditor",
    "parse_builder",
]

Outcome = Literal["empty_output", "truncated", "format_error", "facts_error", "refused"]

_CUT = frozenset({"length", "max_tokens"})
_REFUSED = frozenset({"content_filter", "refusal", "safety"})
_FORMATS = "search/replace blocks, whole files, unified diffs, apply_patch, `DELETE: path` and `RENAME: old -> new`"

_SEARCH = re.compile(r"(<{5,9}) SEARCH")
_DIVIDER = re.compile(r"(={5,9})")
_REPLACE = re.compile(r"(>{5,9}) REPLACE")
_ODD_MARKER = re.compile(r"<{5,9}(?: .*)?|>{5,9} ?REPLACE.*|<{3,} ?SEARCH.*|>{3,} ?REPLACE.*")
_FENCE = re.compile(r"(?P<indent>[ ]{0,3})(?P<mark>`{3,}(?!.*`)|~{3,})(?P<info>.*)")
_ORDER = re.compile(r"(?P<what>DELETE|RENAME):(?P<rest>.*)")
_ARROW = re.compile(r"\s+(?:->|→)\s+")
_HEADING = re.compile(r"#{1,6}\s+(?P<text>.*?)(?:\s+#+)?")
_BOLD = re.compile(r"\*\*(?P<text>[^*]+)\*\*")
_TICKED = re.compile(r"`(?P<text>[^`]+)`")
_NAMED_FILE = re.compile(r"(?=\S*[/\\.])(?!\S*://)[^\s<>|*\"'`(,;!?][^\s<>|*\"'`,;!?]*[^\s<>|*\"'`),;:!?.]")
_WITHOUT_SUFFIX = re.compile(
    r"(?:Container|Docker|GNUmake|Gem|Jenkins|Just|Make|Pip|Proc|Rake|Vagrant|just|make)file"
    r"|AUTHORS|CHANGELOG|CODEOWNERS|CONTRIBUTING|COPYING|LICENSE|NOTICE|README"
)
_SOURCE = re.compile(
    r".*\.(?:pyi?|md|rst|txt|toml|ya?ml|json|cfg|ini|m?js|tsx?|jsx|css|html|sh|go|rs|java|kt|[ch]|cc|[ch]pp|cs|rb|php|sql|xml)"
)
_LABEL = re.compile(r"(?:#{1,6}|\*\*|[-*+]|[0-9]{1,3}[.)]|\W{0,3}(?:file|file ?name|path)\W{0,3}:).*", re.IGNORECASE)
_WORD = re.compile(r"[\w@.+/-]+")
_PATH_LINE_CHARS_MAX = 1200
_PROSE_FILES = (".md", ".markdown", ".mdx", ".rst", ".txt")
_NOT_CONTENT = frozenset({"", "bash", "console", "log", "output", "sh", "shell", "shell-session", "text", "txt", "zsh"})


@dataclass(frozen=True, slots=True)
class Reply:
    """What a Builder wants done. `prose` is all text outside blocks; it moves nothing."""

    edits: tuple[Edit, ...]
    facts: BuilderFacts = field(default_factory=BuilderFacts)
    prose: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """An Auditor's verdict, and the minimal patch it may suggest."""

    facts: AuditorFacts
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Nothing of the reply is used. `message` is for the next attempt."""

    outcome: Outcome
    message: str


def parse_builder(text: str, finish_reason: str) -> Reply | Refusal:
    """Facts are optional. A reply of facts alone has no edits: whether that is enough is the gate's question."""
    try:
        scan = _scanned(text, finish_reason)
        return Reply(scan.edits_by_file(), _builder_facts(scan), "\n".join(scan.prose))
    except _RefusedError as refused:
        return refused.refusal


def parse_auditor(text: str, finish_reason: str) -> Review | Refusal:
    """The facts block is required."""
    try:
        scan = _scanned(text, finish_reason)
        return Review(_auditor_facts(scan), scan.edits_by_file())
    except _RefusedError as refused:
        return refused.refusal


class _RefusedError(Exception):
    def __init__(self, outcome: Outcome, message: str) -> None:
        super().__init__(message)
        self.refusal = Refusal(outcome, message)


@dataclass(slots=True)
class _Scan:
    """Where the reader is. `lines` have no ends; `at` is the next one."""

    lines: list[str]
    at: int = 0
    path: str | None = None  # of the last path line: what blocks below it are about
    adjacent: bool = False  # only blank lines since then
    used: bool = True  # a block has been read for it
    unclear: str = ""  # why there is no path although there was one
    label: str = ""  # the line directly above, if it names a file without being a path line
    fence: str = ""  # the open fence around search/replace blocks
    fence_at: int = -1
    doubtful: re.Match[str] | None = None  # the fence of a prose file, which may hold fences of the same length
    doubtful_at: int = -1
    blocks: Iterator[int] = field(default_factory=lambda: count(1))
    edits: list[Edit] = field(default_factory=list)
    facts: list[tuple[str, int]] = field(default_factory=list)
    prose: list[str] = field(default_factory=list)
    widths: frozenset[int] = frozenset()  # of the markers that start blocks, or may do so

    def __post_init__(self) -> None:
        openings = (_SEARCH.fullmatch(line.rstrip()) for line in self.lines if line.startswith("<<<<<"))
        self.widths = frozenset(len(opening[1]) for opening in openings if opening)

    def line(self) -> str:
        return self.lines[self.at].rstrip()

    def take_path(self, path: str) -> None:
        self.path, self.unclear, self.label, self.adjacent, self.used = path, "", "", True, False

    def add(self, edits: Sequence[Edit]) -> None:
        self.edits += edits
        self.used, self.adjacent, self.label = True, False, ""

    def edits_by_file(self) -> tuple[Edit, ...]:
        """Blocks of search/replace for one file are one edit."""
        merged: list[Edit] = []
        place: dict[str, int] = {}
        for edit in self.edits:
            at = place.setdefault(edit.path, len(merged)) if edit.op == "replace" else len(merged)
            if at == len(merged):
                merged.append(edit)
            else:
                known = merged[at]
                merged[at] = replace(known, hunks=known.hunks + edit.hunks, mode=edit.mode or known.mode)
        return tuple(merged)


def _refuse(outcome: Outcome, message: str) -> NoReturn:
    raise _RefusedError(outcome, message)


def _wrong(at: int, message: str) -> NoReturn:
    _refuse("format_error", f"line {at + 1} of the reply: {message}")


def _scanned(text: str, finish_reason: str) -> _Scan:
    reason = finish_reason.lower()
    if reason in _REFUSED:
        _refuse("refused", f"the provider withheld the reply ({finish_reason})")
    if reason in _CUT:
        _refuse("truncated", f"the reply was cut off at the output limit ({finish_reason}): make it shorter")
    if not text.strip():
        _refuse("empty_output", "the reply is empty")
    scan = _Scan(_lines(text))
    while scan.at < len(scan.lines):
        _step(scan)
    if scan.fence:
        _refuse("truncated", f"line {scan.fence_at + 1} of the reply: this fence is never closed")
    if not scan.edits and not scan.facts:
        _refuse("format_error", f"the reply holds nothing but prose; understood are {_FORMATS}, and a facts block")
    return scan


def _lines(text: str) -> list[str]:
    """Without what transport or a model's reasoning added; numbers of lines stay the same."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        _wrong(
            text.count("\n", 0, error.start), "holds half a surrogate pair: no such character can be written to a file"
        )
    if text.count("\r\n") == text.count("\n"):
        text = text.replace("\r\n", "\n")
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("<think>"):
        thoughts, end, rest = text.partition("</think>")
        if not end:
            _refuse("truncated", "the reply ends inside <think>")
        text = "\n" * thoughts.count("\n") + rest
    return text.removesuffix("\n").split("\n")


# --- one step: what starts at this line ---


def _step(scan: _Scan) -> None:
    line = scan.line()
    fence = _FENCE.fullmatch(line)
    marker = _SEARCH.fullmatch(line)
    order = _ORDER.fullmatch(line)
    if marker:
        _search_replace(scan, len(marker[1]))
    elif line == diffs.BEGIN:
        _apply_patch(scan)
    elif fence and scan.fence:
        _close_container(scan, fence)
    elif fence:
        _fenced(scan, fence)
    elif order:
        scan.add([_ordered(scan, order["what"], order["rest"])])
        scan.at += 1
    else:
        _other(scan, line)


def _other(scan: _Scan, line: str) -> None:
    """A path line, prose, or an edit gone wrong."""
    if _ODD_MARKER.fullmatch(line):
        _wrong(scan.at, f"no block is open or opened by `{line[:60]}`; a block is {_shape()}")
    if diffs.looks_unified(scan.lines[scan.at : scan.at + 2]):
        _wrong(scan.at, "a unified diff must stand in a fenced block, ```diff")
    path = _path_line(line)
    if path is not None:
        scan.take_path(path)
    elif line:
        scan.adjacent = False
        _read_prose(scan, line)
    scan.at += 1


def _read_prose(scan: _Scan, line: str) -> None:
    """Text between a path line and a block is allowed, unless it speaks of another file."""
    scan.prose.append(line)
    files = _files_in(line)
    scan.label = line.strip()[:100] if files and _LABEL.fullmatch(line.strip()) else ""
    path = scan.path or ""
    other = next((word for word in files if not f"/{path}".endswith(f"/{word}")), None)
    if path and other:
        scan.unclear = f"line {scan.at + 1} mentions {other[:100]}, so it is unclear which file is meant: "
        scan.path, scan.used = None, True


def _files_in(text: str) -> list[str]:
    """Words that are names of source files."""
    words = (word.rstrip(".") for word in _WORD.findall(text))
    return [word for word in words if _SOURCE.fullmatch(word)]


def _path_line(line: str) -> str | None:
    """The path, where a line is nothing but one: bare, in backticks, as a heading or bold."""
    if len(line) > _PATH_LINE_CHARS_MAX:
        return None
    text = line.strip().removesuffix(":").rstrip()
    for wrapper in (_HEADING, _BOLD):
        inner = wrapper.fullmatch(text)
        text = inner["text"].removesuffix(":").rstrip() if inner else text
    ticked = _TICKED.fullmatch(text)
    if ticked:
        return ticked["text"]
    return text if _WITHOUT_SUFFIX.fullmatch(text) or (_NAMED_FILE.fullmatch(text) and text.strip(".-_=/\\")) else None


def _required_path(scan: _Scan) -> str:
    if scan.path is None:
        hint = scan.unclear or "no path line stands above this block: "
        _wrong(scan.at, f"{hint}write the file's path on a line of its own above it, in backticks")
    return scan.path


# --- search/replace ---


def _shape(width: int = 7) -> str:
    return f"`{'<' * width} SEARCH`, old lines, `{'=' * width}`, new lines, `{'>' * width} REPLACE`"


def _search_replace(scan: _Scan, width: int) -> None:
    path, start, block = _required_path(scan), scan.at, next(scan.blocks)
    end = _block_end(scan, width, block)
    middle = _divider(scan, end, width, block)
    search, new = _text(scan.lines[start + 1 : middle]), _text(scan.lines[middle + 1 : end])
    if search.strip():
        hunk = Hunk(search, new, start + 1, block)
        scan.add([Edit(path, "replace", (hunk,), line=start + 1, block=block)])
    else:
        scan.add([Edit(path, "create", content=new, line=start + 1, block=block)])
    scan.at = end + 1


def _text(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _block_end(scan: _Scan, width: int, block: int) -> int:
    """The marker as long as the opening one, so that shorter and longer ones are content.

    Models miscount: without one, a marker of another length will do, if all blocks of the reply start alike. Where
    they don't, the lengths were chosen.
    """
    start = scan.at
    other: int | None = None
    for at in range(start + 1, len(scan.lines)):
        line = scan.lines[at].rstrip()
        opening, closing = _SEARCH.fullmatch(line), _REPLACE.fullmatch(line)
        if closing and len(closing[1]) == width:
            return at
        if closing and other is None and len(scan.widths) == 1:
            other = at
        if opening and len(opening[1]) == width and other is None:
            message = f"block {block} isn't closed before the next one starts in line {at + 1}; it is {_shape(width)}"
            _wrong(start, message)
        if opening and other is not None:
            return other
    if other is None:
        message = f"line {start + 1} of the reply: block {block} is never closed; it is {_shape(width)}"
        _refuse("truncated", message)
    return other


def _divider(scan: _Scan, end: int, width: int, block: int) -> int:
    """The only line of `=` as long as the opening marker; one of another length as in `_block_end`."""
    found = [(at, _DIVIDER.fullmatch(scan.lines[at].rstrip())) for at in range(scan.at + 1, end)]
    dividers = [(at, len(match[1])) for at, match in found if match]
    fitting = [at for at, length in dividers if length == width]
    if not fitting and len(scan.widths) == 1:
        fitting = [at for at, _ in dividers]
    if not fitting:
        message = f"block {block} has no line of `{'=' * width}` between old and new lines; it is {_shape(width)}"
        _wrong(scan.at, message)
    if len(fitting) > 1:
        _wrong(
            fitting[1],
            f"block {block} has several lines of `=` that could divide it (also line {fitting[0] + 1}): use markers of "
            "another length, 5 to 9 characters, that no line of the content has",
        )
    return fitting[0]


# --- fences ---


def _fenced(scan: _Scan, fence: re.Match[str]) -> None:
    start, word = scan.at, fence["info"].strip().lower().partition(" ")[0]
    if _holds_blocks(scan):
        scan.fence, scan.fence_at = fence["mark"], start
        scan.at += 1
    elif scan.doubtful and not word and fence["mark"].startswith(scan.doubtful["mark"]):
        reason = (
            f"this file's text seems to hold fences of its own (line {start + 1}): put a longer fence around it, ````"
        )
        _wrong(scan.doubtful_at, reason)
    elif word == "autopack":
        _take_facts(scan, fence)
    else:
        _take_body(scan, fence, _body(scan, fence), start, word)
    scan.doubtful = scan.doubtful if scan.doubtful_at == start else None


def _take_body(scan: _Scan, fence: re.Match[str], body: list[str], start: int, word: str) -> None:
    if (word in ("diff", "patch", "udiff") or diffs.looks_unified(body)) and not _is_patch_file(scan):
        _take_diff(scan, body, start)
    elif scan.adjacent:
        _take_whole_file(scan, body, start, fence)
    else:
        _take_code_in_prose(scan, body, start, fence["info"].strip().lower())
    scan.label = ""


def _holds_blocks(scan: _Scan) -> bool:
    """Whether search/replace blocks or an apply_patch start in this fence, perhaps below a path line."""
    inside = (line.rstrip() for line in scan.lines[scan.at + 1 : scan.at + 6])
    filled = [line for line in inside if line]
    if len(filled) > 1 and _path_line(filled[0]):
        filled = filled[1:]
    return bool(filled) and (bool(_SEARCH.fullmatch(filled[0])) or filled[0] == diffs.BEGIN)


def _close_container(scan: _Scan, fence: re.Match[str]) -> None:
    if fence["info"].strip() or not fence["mark"].startswith(scan.fence):
        _wrong(scan.at, f"the fence of line {scan.fence_at + 1} isn't closed before this one")
    scan.fence = ""
    scan.at += 1


def _body(scan: _Scan, fence: re.Match[str]) -> list[str]:
    """The lines of a fenced block, and `scan` behind it.

    A fence is closed by one as far indented and at least as long; one with an info string opens a block inside, whose
    closing fence is content.
    """
    start = scan.at
    open_marks = [fence["mark"]]
    while open_marks:
        scan.at += 1
        if scan.at == len(scan.lines):
            _refuse("truncated", f"line {start + 1} of the reply: this fence is never closed")
        inner = _FENCE.fullmatch(scan.line())
        if inner is None or inner["indent"] != fence["indent"] or not inner["mark"].startswith(fence["mark"]):
            continue
        if inner["info"].strip():
            open_marks.append(inner["mark"])
        elif inner["mark"].startswith(open_marks[-1]):
            open_marks.pop()
    scan.at += 1
    return scan.lines[start + 1 : scan.at - 1]


def _take_facts(scan: _Scan, fence: re.Match[str]) -> None:
    start = scan.at
    body = _body(scan, fence)
    indent = len(fence["indent"])
    scan.facts.append((_text([line[indent:] if not line[:indent].strip() else line for line in body]), start + 2))
    scan.adjacent = False


def _is_patch_file(scan: _Scan) -> bool:
    return scan.adjacent and scan.path is not None and scan.path.endswith((".diff", ".patch"))


def _take_diff(scan: _Scan, body: list[str], start: int) -> None:
    try:
        scan.add(diffs.unified(body, start + 2, scan.path if scan.adjacent else None, scan.blocks))
    except diffs.DiffError as error:
        _wrong(error.line - 1, str(error))


def _apply_patch(scan: _Scan) -> None:
    start = scan.at
    end = next((at for at in range(start, len(scan.lines)) if scan.lines[at].rstrip() == diffs.END), None)
    if end is None:
        _refuse("truncated", f"line {start + 1} of the reply: the patch has no `{diffs.END}`")
    try:
        scan.add(diffs.apply_patch(scan.lines[start + 1 : end], start + 2, scan.blocks))
    except diffs.DiffError as error:
        _wrong(error.line - 1, str(error))
    scan.at = end + 1


def _take_whole_file(scan: _Scan, body: list[str], start: int, fence: re.Match[str]) -> None:
    if fence["indent"]:
        _wrong(start, "the fence of a whole file starts at the beginning of its line")
    path = scan.path or ""
    scan.add([Edit(path, "write", content=_text(body), line=start + 1, block=next(scan.blocks))])
    if path.lower().endswith(_PROSE_FILES) or "." not in path.rpartition("/")[2]:
        scan.doubtful, scan.doubtful_at = fence, start


def _take_code_in_prose(scan: _Scan, body: list[str], start: int, info: str) -> None:
    """Code that belongs to no file is prose, unless it may be a file that lost its path."""
    filled = [line.rstrip() for line in body if line.strip()]
    orders = [_ORDER.fullmatch(line) for line in filled]
    if filled and all(orders):
        scan.add([_ordered(scan, order["what"], order["rest"]) for order in orders if order])
    elif _files_in(info) or (scan.label and info not in _NOT_CONTENT):
        named = _files_in(info)[0] if _files_in(info) else scan.label
        _wrong(
            start,
            f"is this a file's content? `{named}` is no path line: write the path alone, directly above the fence",
        )
    elif not scan.used and info not in _NOT_CONTENT:
        _wrong(start, f"is this the content of {scan.path}? The path line must stand directly above the fence")


# --- DELETE and RENAME ---


def _ordered(scan: _Scan, what: str, rest: str) -> Edit:
    names = [rest] if what == "DELETE" else _ARROW.split(rest) if len(rest) < 2 * _PATH_LINE_CHARS_MAX else []
    paths = [path for path in map(_one_path, names) if path]
    block = next(scan.blocks)
    if what == "DELETE" and len(paths) == 1:
        return Edit(paths[0], "delete", line=scan.at + 1, block=block)
    if what == "RENAME" and len(paths) == len(names) == 2:
        return Edit(paths[0], "rename", new_path=paths[1], line=scan.at + 1, block=block)
    expected = "`DELETE: path`" if what == "DELETE" else "`RENAME: old -> new`"
    _wrong(scan.at, f"expected {expected}; a path with spaces stands in backticks")


def _one_path(text: str) -> str | None:
    text = text.strip()
    ticked = _TICKED.fullmatch(text)
    if ticked:
        return ticked["text"]
    return text if text and not re.search(r"\s|`", text) else None


# --- facts ---


def _facts_block(scan: _Scan) -> tuple[str, int] | None:
    if len(scan.facts) > 1:
        lines = " and ".join(str(line - 1) for _, line in scan.facts)
        _refuse("facts_error", f"the reply has several facts blocks (lines {lines}): one is allowed")
    return scan.facts[0] if scan.facts else None


def _builder_facts(scan: _Scan) -> BuilderFacts:
    block = _facts_block(scan)
    if block is None:
        return BuilderFacts()
    try:
        return facts.builder(*block)
    except facts.FactsError as error:
        _refuse("facts_error", f"facts block in line {block[1] - 1} of the reply: {error}")


def _auditor_facts(scan: _Scan) -> AuditorFacts:
    block = _facts_block(scan)
    if block is None:
        _refuse("facts_error", "the facts block is missing: a fenced block with the info string `autopack`")
    try:
        return facts.auditor(*block)
    except facts.FactsError as error:
        _refuse("facts_error", f"facts block in line {block[1] - 1} of the reply: {error}")
