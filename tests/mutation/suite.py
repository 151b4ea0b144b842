"""Plants every mutant into a valid project and says which were not answered with the one finding that was due."""

import collections
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

from autopack.problem import Problem
from autopack.spec import extends, files, schema
from autopack.spec.document import read
from autopack.spec.load import check
from tests.mutation.emit import STYLES, Written, write
from tests.mutation.mutants import SORTS, Mutant, base, mutants
from tests.mutation.sites import Site, sites

WORLD = Path(__file__).parent / "world"
TODAY = "2026-11-22"
FILES = {
    "project": "autopack.yaml",
    "playbook": "playbooks/rate-limiting.yaml",
    "tier": "tiers/observability.yaml",
    "phase": "phases/changelog.yaml",
    "ruleset": "policy/house.yaml",
    "ci": "ci.yaml",
    "models": "models.yaml",
    "scenario": "rehearsals/rejected.yaml",
}
NOT_OF_THE_PROJECT = ("scenario",)  # no other file names it, so it is asked for by its own name


class Score(NamedTuple):
    """By sort of fault: how many were planted, and what was said of those that were not answered rightly."""

    planted: collections.Counter[str]
    missed: list[tuple[str, str]]

    @classmethod
    def empty(cls) -> "Score":
        return cls(collections.Counter(dict.fromkeys(SORTS, 0)), [])

    def table(self) -> str:
        wrong = collections.Counter(sort for sort, _ in self.missed)
        rows = [f"{sort:14} {count - wrong[sort]:6,} of {count:6,}" for sort, count in self.planted.items()]
        total = self.planted.total()
        share = 100 * (total - len(self.missed)) / total if total else 0
        return "\n".join([*rows, f"{'score':14} {total - len(self.missed):6,} of {total:6,}   {share:.2f} %"])


@contextmanager
def remembering() -> Iterator[None]:
    """Works out once what does not depend on the mutated file: only that one differs from check to check."""
    judge, join = _by_identity(schema.check), _by_identity(extends.merged)
    with (
        mock.patch.object(files, "read", lru_cache(maxsize=12)(read)),
        mock.patch.object(schema, "check", judge),
        mock.patch.object(extends, "merged", lambda chain: join(*chain)),
    ):
        yield


def _by_identity(function: Callable[..., Any]) -> Callable[..., Any]:
    """Remembered by the very objects, which are kept so that no other can take their place."""
    known: dict[tuple[int, ...], tuple[Any, Any]] = {}

    def remembered(*given: Any) -> Any:
        key = tuple(id(each[1]) if isinstance(each, tuple) else id(each) for each in given)
        if key not in known:
            if len(known) > 100:
                known.clear()
            known[key] = (given, function(list(given) if isinstance(given[0], tuple) else given[0]))
        return known[key][1]

    return remembered


def settle(folder: Path) -> None:
    shutil.copytree(WORLD, folder, dirs_exist_ok=True)


def document_of(kind: str) -> dict[str, Any]:
    """The valid document that is mutated."""
    if kind not in FILES:
        return base(kind)
    document, problems = read(FILES[kind], (WORLD / FILES[kind]).read_bytes())
    assert document is not None
    assert problems == []
    value: dict[str, Any] = document.value
    return value


def kinds() -> list[str]:
    return list(schema.KINDS)


def all_sites(kind: str) -> list[Site]:
    return sites(kind, document_of(kind))


def findings(folder: Path, kind: str, written: Written) -> list[Problem]:
    """Of the whole project, in which one file was written anew."""
    file = folder / FILES.get(kind, f"mutants/{kind}.yaml")
    file.parent.mkdir(exist_ok=True)
    file.write_bytes(written.text.encode())
    whole = kind in FILES and kind not in NOT_OF_THE_PROJECT
    return check(str(folder), None if whole else [str(file)], today=TODAY).problems


def restore(folder: Path, kind: str) -> None:
    if kind in FILES:
        shutil.copyfile(WORLD / FILES[kind], folder / FILES[kind])


def unclean(folder: Path, kind: str) -> Iterator[str]:
    """Places whose document has findings before anything is mutated."""
    seen: list[dict[str, Any]] = []
    for site in all_sites(kind):
        if site.document in seen:
            continue
        seen.append(site.document)
        for found in findings(folder, kind, write(site.document)):
            yield f"{site.name}: {_said(found)}"
    restore(folder, kind)


def score(folder: Path, kind: str, styles: tuple[str, ...] = STYLES) -> Score:
    result = Score.empty()
    with remembering():
        for mutant, style in (
            (mutant, style) for site in all_sites(kind) for mutant in mutants(site) for style in styles
        ):
            result.planted[mutant.sort] += 1
            if fault := _missed(folder, kind, mutant, write(mutant.document, style)):
                result.missed.append((mutant.sort, f"{kind} {mutant.name} {mutant.sort} ({style}): {fault}"))
    restore(folder, kind)
    return result


def _missed(folder: Path, kind: str, mutant: Mutant, written: Written) -> str | None:
    """Why the answer is not the right one; None if it is."""
    found = findings(folder, kind, written)
    if len(found) != 1:
        return f"{len(found)} findings instead of one {mutant.code}: {'; '.join(map(_said, found[:4]))}"
    (only,) = found
    path = FILES.get(kind, f"mutants/{kind}.yaml")
    expected = (mutant.code, path, *mutant.where(written))
    if only.span is None or (only.code, *only.span) != expected:
        return f"{_said(only)} instead of {expected}"
    if mutant.says is not None and mutant.says not in (only.help or ""):
        return f"{_said(only)} does not say: {mutant.says}"
    if mutant.label is not None and tuple(only.labels[0].span[1:]) != mutant.label(written):
        return f"label at {only.labels[0].span} instead of {mutant.label(written)}"
    return None


def _said(found: Problem) -> str:
    place = ":".join(map(str, found.span)) if found.span else "nowhere"
    return f"{found.code} at {place.replace(os.sep, '/')}: {found.message} | {found.help}"
