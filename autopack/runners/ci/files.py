"""Which of the files that were there before a step has rewritten or removed."""

import os
from collections.abc import Mapping, Sequence

CACHES = frozenset({".git", "__pycache__", ".pytest_cache", ".mypy_cache", ".ruff_cache", ".hypothesis"})

Facts = tuple[int, int]


def files(worktree: str) -> dict[str, Facts]:
    """Size and time of what is there. A folder so deep that no path leads there is passed over: git made none such."""
    found: dict[str, Facts] = {}
    todo = [""]
    while todo:
        folder = todo.pop()
        for entry in _entries(os.path.join(worktree, folder)):
            path = os.path.join(folder, entry.name)
            if not entry.is_dir(follow_symlinks=False):
                found |= {path: facts} if (facts := _facts(entry.path)) else {}
            elif entry.name not in CACHES:
                todo.append(path)
    return found


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return list(found)
    except OSError:  # gone, shut or too deep
        return []


def _facts(path: str) -> Facts | None:
    try:
        facts = os.lstat(path)
    except OSError:  # a temporary file, gone already
        return None
    return facts.st_size, facts.st_mtime_ns


def changed(worktree: str, before: Mapping[str, Facts], reports: Sequence[str]) -> tuple[str, ...]:
    """Looks at nothing but what was there, however much the steps have made."""
    own = {os.path.normpath(report) for report in reports} | {".git"}
    left = {path: facts for path, facts in before.items() if path not in own}
    return tuple(sorted(path for path, facts in left.items() if _facts(os.path.join(worktree, path)) != facts))
