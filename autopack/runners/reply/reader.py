"""The reply read line by line: what starts at each, and who reads it from there."""

import re

from autopack.runners import diffs
from autopack.runners.reply.blocks import search_replace
from autopack.runners.reply.fences import apply_patch, close_container, fenced
from autopack.runners.reply.grammar import FENCE, ODD_MARKER, ORDER, SEARCH, files_in, path_line, shape
from autopack.runners.reply.orders import ordered
from autopack.runners.reply.outcome import refuse, wrong
from autopack.runners.reply.scan import Scan

_CUT = frozenset({"length", "max_tokens"})
_REFUSED = frozenset({"content_filter", "refusal", "safety"})
_FORMATS = "search/replace blocks, whole files, unified diffs, apply_patch, `DELETE: path` and `RENAME: old -> new`"
_LABEL = re.compile(r"(?:#{1,6}|\*\*|[-*+]|[0-9]{1,3}[.)]|\W{0,3}(?:file|file ?name|path)\W{0,3}:).*", re.IGNORECASE)


def scanned(text: str, finish_reason: str) -> Scan:
    reason = finish_reason.lower()
    if reason in _REFUSED:
        refuse("refused", f"the provider withheld the reply ({finish_reason})")
    if reason in _CUT:
        refuse("truncated", f"the reply was cut off at the output limit ({finish_reason}): make it shorter")
    if not text.strip():
        refuse("empty_output", "the reply is empty")
    scan = Scan(_lines(text))
    while scan.at < len(scan.lines):
        _step(scan)
    if scan.fence:
        refuse("truncated", f"line {scan.fence_at + 1} of the reply: this fence is never closed")
    if not scan.edits and not scan.facts:
        refuse("format_error", f"the reply holds nothing but prose; understood are {_FORMATS}, and a facts block")
    return scan


def _lines(text: str) -> list[str]:
    """Without what transport or a model's reasoning added; numbers of lines stay the same."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        wrong(
            text.count("\n", 0, error.start), "holds half a surrogate pair: no such character can be written to a file"
        )
    if text.count("\r\n") == text.count("\n"):
        text = text.replace("\r\n", "\n")
    text = text.removeprefix("\ufeff")
    if text.lstrip().startswith("<think>"):
        thoughts, end, rest = text.partition("</think>")
        if not end:
            refuse("truncated", "the reply ends inside <think>")
        text = "\n" * thoughts.count("\n") + rest
    return text.removesuffix("\n").split("\n")


def _step(scan: Scan) -> None:
    line = scan.line()
    fence = FENCE.fullmatch(line)
    marker = SEARCH.fullmatch(line)
    order = ORDER.fullmatch(line)
    if marker:
        search_replace(scan, len(marker[1]))
    elif line == diffs.BEGIN:
        apply_patch(scan)
    elif fence and scan.fence:
        close_container(scan, fence)
    elif fence:
        fenced(scan, fence)
    elif order:
        scan.add([ordered(scan, order["what"], order["rest"])])
        scan.at += 1
    else:
        _other(scan, line)


def _other(scan: Scan, line: str) -> None:
    """A path line, prose, or an edit gone wrong."""
    if ODD_MARKER.fullmatch(line):
        wrong(scan.at, f"no block is open or opened by `{line[:60]}`; a block is {shape()}")
    if diffs.looks_unified(scan.lines[scan.at : scan.at + 2]):
        wrong(scan.at, "a unified diff must stand in a fenced block, ```diff")
    path = path_line(line)
    if path is not None:
        scan.take_path(path)
    elif line:
        scan.adjacent = False
        _read_prose(scan, line)
    scan.at += 1


def _read_prose(scan: Scan, line: str) -> None:
    """Text between a path line and a block is allowed, unless it speaks of another file."""
    scan.prose.append(line)
    files = files_in(line)
    scan.label = line.strip()[:100] if files and _LABEL.fullmatch(line.strip()) else ""
    path = scan.path or ""
    other = next((word for word in files if not f"/{path}".endswith(f"/{word}")), None)
    if path and other:
        scan.unclear = f"line {scan.at + 1} mentions {other[:100]}, so it is unclear which file is meant: "
        scan.path, scan.used = None, True
