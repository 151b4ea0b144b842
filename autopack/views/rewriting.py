"""What `fmt` and `migrate` do with files: each is read, rewritten, proved, and only then shown or written."""

import os
from collections.abc import Callable, Sequence
from typing import NamedTuple

from autopack.spec.document import Document, read
from autopack.spec.edits import Overlap, edited
from autopack.spec.layout import Unformattable, formatted
from autopack.spec.load import check
from autopack.spec.migrate import NoWay, expected, migrated
from autopack.spec.source import BOM
from autopack.views.rewrite import Change

Rewrite = Callable[[Document, bytes], bytes]


class Left(Exception):
    """Why a file stays as it is, in words that follow its name."""


class Rewritten(NamedTuple):
    """A file with its change; `reason` says why there is none though there might be."""

    path: str
    change: Change | None
    reason: str | None = None


def rewritten(root: str, paths: Sequence[str] | None, rewrite: Rewrite) -> tuple[list[Rewritten], list[str]]:
    """Every file of ours among the paths (none: the whole project), and what could not be read."""
    found = check(root, paths)
    missing = [problem.message for problem in found.problems if problem.span is None]
    return [_one(root, path, rewrite) for path in found.files], missing


def _one(root: str, path: str, rewrite: Rewrite) -> Rewritten:
    place = os.path.abspath(os.path.join(root, path))
    try:
        with open(place, "rb") as file:
            before = file.read()
        after = text(path, before, rewrite)
    except (Left, OSError) as error:
        return Rewritten(path, None, str(error))
    return Rewritten(path, None if after == before else Change(path, place, before, after))


def text(path: str, source: bytes, rewrite: Rewrite) -> bytes:
    """One file rewritten. Raises Left."""
    document, problems = read(path, source)
    broken = [found for found in problems if found.severity == "error" and found.code != "AP1003"]
    if document is None or broken:
        raise Left(f"has errors; see `autopack validate {path}`")
    return rewrite(document, source)


def fmt(document: Document, source: bytes) -> bytes:
    """Raises Left."""
    try:
        return BOM * source.startswith(BOM) + formatted(document).encode()
    except Unformattable as error:
        raise Left(f"is left as it is: {error}") from error


def migrate(document: Document, source: bytes) -> bytes:
    """Step by step to the newest version. Raises Left."""
    try:
        while fixes := migrated(document):
            wanted = expected(document)
            source = edited(source, fixes)
            after, _ = read(document.path, source)
            if after is None or after.value != wanted:
                raise Left("is left as it is: it would not say the same afterwards")
            document = after
    except NoWay as error:
        raise Left(f"is left as it is: {error}") from error
    except Overlap as error:
        raise Left("is left as it is: an alias repeats what has to change") from error
    return source
