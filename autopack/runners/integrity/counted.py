"""Tests of other languages: counted, not understood."""

import re
from collections.abc import Iterator

from autopack.runners.integrity.weakening import Weakening
from autopack.runners.touched import Touched

_CHECK = re.compile(r"\b(?:assert\w*|expect|require|should)\b\s*[.(!]")
_TRIVIAL = re.compile(r"\b(?:expect|assert\w*(?:\.\w+)?!?)\s*\(\s*(true|1|!0)\s*(?:\)|,)|\bassert!\(true")
_TEST = re.compile(r"\b(?:it|test)\s*\(|\bfunc\s+Test\w|@Test\b|#\[test\]")
_SKIP = re.compile(
    r"\b(?:it|test|describe)\.(?:skip|only|todo|fixme|failing)\b|\bx(?:it|test|describe)\s*\(|\bf(?:it|describe)\s*\("
    r"|\bt\.Skip|@Disabled|@Ignore|#\[ignore|\bpending\s*\("
)


def counted(file: Touched) -> Iterator[Weakening]:
    old, new = file.old_text or "", file.new_text or ""
    for count, what in ((_tests, "tests"), (_assertions, "assertions")):
        before, after = count(old), count(new)
        if after < before:
            yield Weakening(file.path, 0, f"has {after} {what}, it had {before}")
    if len(_SKIP.findall(new)) > len(_SKIP.findall(old)):
        yield Weakening(file.path, 0, "skips tests that would have run")


def _tests(text: str) -> int:
    return len(_TEST.findall(text))


def _assertions(text: str) -> int:
    """Without those that can't fail."""
    return len(_CHECK.findall(text)) - len(_TRIVIAL.findall(text))
