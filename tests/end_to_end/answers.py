"""A Builder's reply, made from the two trees it has to lead from and to; and an Auditor's."""

import difflib
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

CONTEXT_LINES = 3
MARKERS = (7, 6, 8, 5, 9)

Tree = Mapping[str, str]


def tree_of(folder: Path) -> dict[str, str]:
    """Every file of a folder but git's as text, without translating anything."""
    files = sorted(path for path in folder.rglob("*") if path.is_file() and ".git" not in path.parts)
    return {path.relative_to(folder).as_posix(): path.read_bytes().decode() for path in files}


def reply(summary: str, *parts: str) -> str:
    return "\n".join([f"{summary}.", "", *parts, "```autopack", f"summary: {summary}", "issues: []", "```", ""])


def review(recommendation: str, confidence: str = "high") -> str:
    facts = f"recommendation: {recommendation}\nconfidence: {confidence}\nfindings: []"
    return f"I have read the patch.\n\n```autopack\n{facts}\n```\n"


def changed(old: Tree, new: Tree, paths: Sequence[str]) -> str:
    """Search/replace blocks for files that exist in both trees."""
    return "\n".join(search_replace(path, old[path], new[path]) for path in paths)


def search_replace(path: str, old: str, new: str) -> str:
    """Blocks whose SEARCH halves stand exactly once in the old text."""
    before, after = _lines(old), _lines(new)
    mark = _marker([*before, *after])
    blocks = [f"`{path}`", ""]
    for search, replace in _hunks(before, after):
        blocks += [f"{'<' * mark} SEARCH", *search, "=" * mark, *replace, f"{'>' * mark} REPLACE", ""]
    return "\n".join(blocks)


def whole_file(path: str, text: str) -> str:
    longest = max((len(ticks) for ticks in re.findall("`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"`{path}`\n\n{fence}\n{text}{fence}\n"


def delete(path: str) -> str:
    return f"DELETE: {path}\n"


def rename(old: str, new: str) -> str:
    return f"RENAME: {old} -> {new}\n"


def _lines(text: str) -> list[str]:
    return text.removesuffix("\n").split("\n")


def _marker(lines: Sequence[str]) -> int:
    """A length of markers that no line of the content could be taken for."""
    taken = {len(line.rstrip()) for line in lines if re.fullmatch("={5,9}", line.rstrip())}
    return next(length for length in MARKERS if length not in taken)


def _hunks(before: list[str], after: list[str]) -> Iterator[tuple[list[str], list[str]]]:
    """With as little context as makes each of them unique, the same for all."""
    for context in range(CONTEXT_LINES, len(before)):
        groups = difflib.SequenceMatcher(None, before, after, autojunk=False).get_grouped_opcodes(context)
        spans = [(group[0][1], group[-1][2], group[0][3], group[-1][4]) for group in groups]
        if all(_is_once(before, before[i1:i2]) for i1, i2, _, _ in spans):
            yield from ((before[i1:i2], after[j1:j2]) for i1, i2, j1, j2 in spans)
            return
    yield before, after


def _is_once(lines: list[str], wanted: list[str]) -> bool:
    places = range(len(lines) - len(wanted) + 1)
    return any(wanted) and sum(lines[at : at + len(wanted)] == wanted for at in places) == 1
