"""Fenced blocks: whole files, diffs, facts, containers of blocks, and code that is only prose."""

import re

from autopack.runners import diffs
from autopack.runners.edit import Edit
from autopack.runners.reply.blocks import lines_of
from autopack.runners.reply.grammar import FENCE, ORDER, SEARCH, files_in, path_line
from autopack.runners.reply.orders import ordered
from autopack.runners.reply.outcome import refuse, wrong
from autopack.runners.reply.scan import Scan

_PROSE_FILES = (".md", ".markdown", ".mdx", ".rst", ".txt")
_NOT_CONTENT = frozenset({"", "bash", "console", "log", "output", "sh", "shell", "shell-session", "text", "txt", "zsh"})


def fenced(scan: Scan, fence: re.Match[str]) -> None:
    start, word = scan.at, fence["info"].strip().lower().partition(" ")[0]
    if _holds_blocks(scan):
        scan.fence, scan.fence_at = fence["mark"], start
        scan.at += 1
    elif scan.doubtful and not word and fence["mark"].startswith(scan.doubtful["mark"]):
        reason = (
            f"this file's text seems to hold fences of its own (line {start + 1}): put a longer fence around it, ````"
        )
        wrong(scan.doubtful_at, reason)
    elif word == "autopack":
        _take_facts(scan, fence)
    else:
        _take_body(scan, fence, _body(scan, fence), start, word)
    scan.doubtful = scan.doubtful if scan.doubtful_at == start else None


def _take_body(scan: Scan, fence: re.Match[str], body: list[str], start: int, word: str) -> None:
    if (word in ("diff", "patch", "udiff") or diffs.looks_unified(body)) and not _is_patch_file(scan):
        _take_diff(scan, body, start)
    elif scan.adjacent:
        _take_whole_file(scan, body, start, fence)
    else:
        _take_code_in_prose(scan, body, start, fence["info"].strip().lower())
    scan.label = ""


def _holds_blocks(scan: Scan) -> bool:
    """Whether search/replace blocks or an apply_patch start in this fence, perhaps below a path line."""
    inside = (line.rstrip() for line in scan.lines[scan.at + 1 : scan.at + 6])
    filled = [line for line in inside if line]
    if len(filled) > 1 and path_line(filled[0]):
        filled = filled[1:]
    return bool(filled) and (bool(SEARCH.fullmatch(filled[0])) or filled[0] == diffs.BEGIN)


def close_container(scan: Scan, fence: re.Match[str]) -> None:
    if fence["info"].strip() or not fence["mark"].startswith(scan.fence):
        wrong(scan.at, f"the fence of line {scan.fence_at + 1} isn't closed before this one")
    scan.fence = ""
    scan.at += 1


def _body(scan: Scan, fence: re.Match[str]) -> list[str]:
    """The lines of a fenced block, and `scan` behind it.

    A fence is closed by one as far indented and at least as long; one with an info string opens a block inside, whose
    closing fence is content.
    """
    start = scan.at
    open_marks = [fence["mark"]]
    while open_marks:
        scan.at += 1
        if scan.at == len(scan.lines):
            refuse("truncated", f"line {start + 1} of the reply: this fence is never closed")
        inner = FENCE.fullmatch(scan.line())
        if inner is None or inner["indent"] != fence["indent"] or not inner["mark"].startswith(fence["mark"]):
            continue
        if inner["info"].strip():
            open_marks.append(inner["mark"])
        elif inner["mark"].startswith(open_marks[-1]):
            open_marks.pop()
    scan.at += 1
    return scan.lines[start + 1 : scan.at - 1]


def _take_facts(scan: Scan, fence: re.Match[str]) -> None:
    start = scan.at
    body = _body(scan, fence)
    indent = len(fence["indent"])
    scan.facts.append((lines_of([line[indent:] if not line[:indent].strip() else line for line in body]), start + 2))
    scan.adjacent = False


def _is_patch_file(scan: Scan) -> bool:
    return scan.adjacent and scan.path is not None and scan.path.endswith((".diff", ".patch"))


def _take_diff(scan: Scan, body: list[str], start: int) -> None:
    try:
        scan.add(diffs.unified(body, start + 2, scan.path if scan.adjacent else None, scan.blocks))
    except diffs.DiffError as error:
        wrong(error.line - 1, str(error))


def apply_patch(scan: Scan) -> None:
    start = scan.at
    end = next((at for at in range(start, len(scan.lines)) if scan.lines[at].rstrip() == diffs.END), None)
    if end is None:
        refuse("truncated", f"line {start + 1} of the reply: the patch has no `{diffs.END}`")
    try:
        scan.add(diffs.apply_patch(scan.lines[start + 1 : end], start + 2, scan.blocks))
    except diffs.DiffError as error:
        wrong(error.line - 1, str(error))
    scan.at = end + 1


def _take_whole_file(scan: Scan, body: list[str], start: int, fence: re.Match[str]) -> None:
    if fence["indent"]:
        wrong(start, "the fence of a whole file starts at the beginning of its line")
    path = scan.path or ""
    scan.add([Edit(path, "write", content=lines_of(body), line=start + 1, block=next(scan.blocks))])
    if path.lower().endswith(_PROSE_FILES) or "." not in path.rpartition("/")[2]:
        scan.doubtful, scan.doubtful_at = fence, start


def _take_code_in_prose(scan: Scan, body: list[str], start: int, info: str) -> None:
    """Code that belongs to no file is prose, unless it may be a file that lost its path."""
    filled = [line.rstrip() for line in body if line.strip()]
    orders = [ORDER.fullmatch(line) for line in filled]
    if filled and all(orders):
        scan.add([ordered(scan, order["what"], order["rest"]) for order in orders if order])
    elif files_in(info) or (scan.label and info not in _NOT_CONTENT):
        named = files_in(info)[0] if files_in(info) else scan.label
        wrong(
            start,
            f"is this a file's content? `{named}` is no path line: write the path alone, directly above the fence",
        )
    elif not scan.used and info not in _NOT_CONTENT:
        wrong(start, f"is this the content of {scan.path}? The path line must stand directly above the fence")
