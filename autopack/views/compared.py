"""What `autopack diff` compares: playbooks, frozen plans, and both as they were at a revision of the repository."""

import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Self

from autopack.plan.calibration import Calibration
from autopack.plan.model import Plan
from autopack.runners import git
from autopack.spec.load import check
from autopack.views.compiled import Unusable, compiled, learned, project_root
from autopack.views.exits import ENVIRONMENT, USAGE

SUFFIXES = (".yaml", ".yml", ".json")


@dataclass(frozen=True, slots=True)
class Side:
    """One thing to compile: `path` is from the folder of the command, `revision` None for what is there now."""

    path: str
    revision: str | None = None

    def __str__(self) -> str:
        return self.path if self.revision is None else f"{self.revision}:{self.path}"


@dataclass(frozen=True, slots=True)
class Pair:
    """The plans to compare; one that is not there on one side is compared with nothing."""

    name: str
    before: Plan
    after: Plan
    there: tuple[bool, bool] = (True, True)
    calibration: Calibration | None = None  # for both sides: what is compared is the plans


def pairs(words: Sequence[str], inputs: dict[str, str], env: str | None) -> Iterator[Pair]:
    """From `A B`, `REV:A B`, `REV [PLAYBOOK...]`, `REV..REV [PLAYBOOK...]` and `REV...REV`. Raises Unusable."""
    with _Pasts() as pasts:
        if len(words) == 2 and all(_is_thing(word) for word in words):
            before, after = (_plan(pasts, _side(word), inputs, env) for word in words)
            yield Pair(words[1], before, after, calibration=learned(Path.cwd()))
            return
        old, new, playbooks = _revisions(words)
        stand_ins: dict[Side, dict[str, str]] = {}
        for path in playbooks or _playbooks(pasts, stand_ins, old, new):
            sides = [Side(path, old), Side(path, new)]
            there = tuple(pasts.place(side).is_file() for side in sides)
            if not any(there):
                raise Unusable(USAGE, f"there is no {sides[0]} and no {sides[1]}; name a playbook or a frozen plan")
            plans = [
                _plan(pasts, side, stand_ins.get(side, {}) | inputs, env) if is_there else None
                for side, is_there in zip(sides, there, strict=True)
            ]
            before, after = (plan or _nothing(next(p for p in plans if p is not None)) for plan in plans)
            yield Pair(path, before, after, (there[0], there[1]), learned(Path.cwd()))


class _Pasts:
    """Each revision that is asked for, once, in a folder of its own."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._folders: dict[str, Path] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def folder(self, revision: str | None) -> Path:
        """What stands for the folder of the command. Raises Unusable."""
        if revision is None:
            return Path.cwd()
        if revision not in self._folders:
            target = Path(self._stack.enter_context(tempfile.TemporaryDirectory(prefix="autopack-past-"))).resolve()
            with told():
                self._folders[revision] = git.write_specs(Path.cwd(), revision, target)
        return self._folders[revision]

    def place(self, side: Side) -> Path:
        return self.folder(side.revision) / side.path


@contextmanager
def told() -> Iterator[None]:
    """Git's trouble as ours."""
    try:
        yield
    except git.GitUnusable as error:
        raise Unusable(ENVIRONMENT if "no commit" not in str(error) else USAGE, str(error)) from None
    except git.GitError as error:
        raise Unusable(ENVIRONMENT, str(error)) from None


def _is_thing(word: str) -> bool:
    """A file, or a file at a revision."""
    return Path(word).is_file() or word.endswith(SUFFIXES)


def _side(word: str) -> Side:
    revision, colon, path = word.partition(":")
    return Side(word) if Path(word).is_file() or not colon else Side(path, revision)


def _revisions(words: Sequence[str]) -> tuple[str, str | None, list[str]]:
    """The older side, the newer one (None: what is there now), and the playbooks that are named. Raises Unusable."""
    revisions = [word for word in words if not _is_thing(word)]
    playbooks = [word for word in words if _is_thing(word)]
    if not revisions or len(revisions) > 2:
        raise Unusable(USAGE, "name two playbooks or plans, or a revision such as main, HEAD~1 or main..HEAD")
    first, second = revisions[0], revisions[1] if len(revisions) > 1 else None
    for dots in ("...", ".."):
        if dots in first and second is None:
            one, other = (each or "HEAD" for each in first.split(dots, 1))
            return _parting(one, other) if dots == "..." else one, other, playbooks
    return first, second, playbooks


def _parting(one: str, other: str) -> str:
    with told():
        return git.merge_base(Path.cwd(), one, other)[:12]


def _playbooks(pasts: _Pasts, stand_ins: dict[Side, dict[str, str]], *revisions: str | None) -> list[str]:
    """Those of the project, on either side, from the folder of the command. Raises Unusable.

    Fills in what stands for inputs that nobody gives: nothing may stay out of sight because it needs one.
    """
    found = set()
    for revision in revisions:
        folder = pasts.folder(revision)
        root = project_root(folder)
        documents = check(str(root)).documents
        for path, file in documents.items():
            if file.kind == "playbook":
                named = os.path.relpath(root / path, folder)
                found.add(named)
                stand_ins[Side(named, revision)] = dict(_stand_ins(file.value))
    if not found:
        raise Unusable(USAGE, "the project has no playbook on either side; name one")
    return sorted(found)


def _stand_ins(playbook: Any) -> Iterator[tuple[str, str]]:
    """For each input without a default a value of its type: for text its own name."""
    inputs = playbook.get("inputs") if isinstance(playbook, dict) else None
    for name, each in inputs.items() if isinstance(inputs, dict) else ():
        if isinstance(each, dict) and each.get("default") is None:
            kind, known = each.get("type", "string"), each.get("enum")
            first = str(known[0]) if isinstance(known, list) and known else name
            yield name, {"integer": "1", "number": "1", "boolean": "false"}.get(kind, first)


def _plan(pasts: _Pasts, side: Side, inputs: dict[str, str], env: str | None) -> Plan:
    place = pasts.place(side)
    if not place.is_file():
        raise Unusable(USAGE, f"there is no {side}; name a playbook or a frozen plan")
    folder = pasts.folder(side.revision)
    return _read(side, place, lambda path: os.path.relpath(path, folder), inputs, env)


def _read(side: Side, place: Path, seen: Callable[[Path], str], inputs: dict[str, str], env: str | None) -> Plan:
    """`seen` names a file as from the folder of the command. Raises Unusable."""

    def called(path: Path) -> str:
        return str(replace(side, path=seen(path).replace(os.sep, "/")))

    store_of = None if side.revision is None else project_root(Path(side.path).resolve().parent)
    try:
        return compiled(str(place), inputs, None, env, quiet=True, called=called, store_of=store_of).plan
    except Unusable as error:
        raise Unusable(error.code, _told(side, place, error)) from None


def _told(side: Side, place: Path, error: Unusable) -> str:
    """Once by the name that was given, wherever it was read from."""
    return str(error).replace(str(place), str(side)) if str(error) else f"{side} has the findings above"


def at(revision: str, playbook: str, like: Plan, inputs: dict[str, str], env: str | None) -> Plan:
    """A playbook or plan as it was at a revision; nothing, where there was none. Raises Unusable."""
    here = Path(playbook)
    with tempfile.TemporaryDirectory(prefix="autopack-past-") as target:
        with told():
            folder = git.write_specs(here.resolve().parent, revision, Path(target).resolve())

        def seen(path: Path) -> str:
            return os.path.normpath(here.parent / os.path.relpath(path, folder))

        place = folder / here.name
        return _read(Side(playbook, revision), place, seen, inputs, env) if place.is_file() else _nothing(like)


def _nothing(plan: Plan) -> Plan:
    """What a playbook that is new is compared with."""
    none = replace(plan.worst, calls=0, tokens=0, cost_usd=Decimal(0))
    return replace(plan, phases=(), tiers=(), models={}, profiles={}, worst=none)
