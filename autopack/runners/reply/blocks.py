"""Search/replace blocks."""

from collections.abc import Sequence

from autopack.runners.edit import Edit, Hunk
from autopack.runners.reply.grammar import DIVIDER, REPLACE, SEARCH, shape
from autopack.runners.reply.outcome import refuse, wrong
from autopack.runners.reply.scan import Scan


def _required_path(scan: Scan) -> str:
    if scan.path is None:
        hint = scan.unclear or "no path line stands above this block: "
        wrong(scan.at, f"{hint}write the file's path on a line of its own above it, in backticks")
    return scan.path


def search_replace(scan: Scan, width: int) -> None:
    path, start, block = _required_path(scan), scan.at, next(scan.blocks)
    end = _block_end(scan, width, block)
    middle = _divider(scan, end, width, block)
    search, new = lines_of(scan.lines[start + 1 : middle]), lines_of(scan.lines[middle + 1 : end])
    if search.strip():
        hunk = Hunk(search, new, start + 1, block)
        scan.add([Edit(path, "replace", (hunk,), line=start + 1, block=block)])
    else:
        scan.add([Edit(path, "create", content=new, line=start + 1, block=block)])
    scan.at = end + 1


def lines_of(lines: Sequence[str]) -> str:
    return "".join(f"{line}\n" for line in lines)


def _block_end(scan: Scan, width: int, block: int) -> int:
    """The marker as long as the opening one, so that shorter and longer ones are content.

    Models miscount: without one, a marker of another length will do, if all blocks of the reply start alike. Where
    they don't, the lengths were chosen.
    """
    start = scan.at
    other: int | None = None
    for at in range(start + 1, len(scan.lines)):
        line = scan.lines[at].rstrip()
        opening, closing = SEARCH.fullmatch(line), REPLACE.fullmatch(line)
        if closing and len(closing[1]) == width:
            return at
        if closing and other is None and len(scan.widths) == 1:
            other = at
        if opening and len(opening[1]) == width and other is None:
            message = f"block {block} isn't closed before the next one starts in line {at + 1}; it is {shape(width)}"
            wrong(start, message)
        if opening and other is not None:
            return other
    if other is None:
        message = f"line {start + 1} of the reply: block {block} is never closed; it is {shape(width)}"
        refuse("truncated", message)
    return other


def _divider(scan: Scan, end: int, width: int, block: int) -> int:
    """The only line of `=` as long as the opening marker; one of another length as in `_block_end`."""
    found = [(at, DIVIDER.fullmatch(scan.lines[at].rstrip())) for at in range(scan.at + 1, end)]
    dividers = [(at, len(match[1])) for at, match in found if match]
    fitting = [at for at, length in dividers if length == width]
    if not fitting and len(scan.widths) == 1:
        fitting = [at for at, _ in dividers]
    if not fitting:
        message = f"block {block} has no line of `{'=' * width}` between old and new lines; it is {shape(width)}"
        wrong(scan.at, message)
    if len(fitting) > 1:
        wrong(
            fitting[1],
            f"block {block} has several lines of `=` that could divide it (also line {fitting[0] + 1}): use markers of "
            "another length, 5 to 9 characters, that no line of the content has",
        )
    return fitting[0]
