"""Tests of a patch before and after, function by function: which of them are gone, and which check less."""

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from autopack.runners.integrity.names import still_run
from autopack.runners.integrity.suite import Function, functions
from autopack.runners.integrity.weakening import Weakening
from autopack.runners.integrity.worth import CLOSE, NOTHING, Check, looser, wider
from autopack.runners.touched import Touched


class _There(NamedTuple):
    path: str
    name: str
    function: Function


def fewer_checks(files: Sequence[Touched]) -> Iterator[Weakening]:
    """Of Python test files. One that doesn't parse any more is another rule's finding."""
    for file in files:
        if file.old_text and file.old_tree is None:
            yield Weakening(file.path, 0, "no parser can hold it, so what it checks can't be seen")
    try:
        old, new = _read(files)
    except RecursionError:
        yield Weakening(files[0].path, 0, "the tests are nested too deeply to see what they check")
        return
    for file, before, found in _matched(old, new):
        if found is None:
            what = "test" if before.function.is_test else "helper that checks something"
            yield Weakening(file.path, 0, f"the {what} {before.name} is removed")
        elif weaker := _weaker(before.name, before.function, found.function):
            yield Weakening(found.path, weaker[0], weaker[1])


def _read(files: Sequence[Touched]) -> tuple[list[tuple[Touched, _There]], list[_There]]:
    judged = [file for file in files if file.after is None or file.new_tree is not None]
    old = [(file, _There(file.path, name, one)) for file in judged for name, one in functions(file.old_tree).items()]
    new = [_There(file.path, name, one) for file in judged for name, one in functions(file.new_tree).items()]
    return old, new


# --- who stands for whom ---


class _Free:
    """New functions that stand for none yet, by what one may be known again by."""

    def __init__(self, there: Sequence[_There]) -> None:
        self.left = {(one.path, one.name): one for one in there}
        self._by_key: dict[tuple[str, str], list[_There]] = {}
        for one in there:
            for key in self._keys(one):
                self._by_key.setdefault(key, []).append(one)

    @staticmethod
    def _keys(one: _There) -> set[tuple[str, str]]:
        checks = {("check", check.said) for check in one.function.checks if check.worth}
        return {("name", _last(one.name)), ("said", one.function.said)} | checks

    def known_by(self, kind: str, word: str) -> Iterator[_There]:
        """At most so many: a patch with more of a kind than a person reads is not worth the search."""
        found = (one for one in self._by_key.get((kind, word), ()) if (one.path, one.name) in self.left)
        return islice(found, CANDIDATES_MAX)

    def take(self, one: _There) -> None:
        del self.left[one.path, one.name]


CANDIDATES_MAX = 50


def _matched(
    old: Sequence[tuple[Touched, _There]], new: Sequence[_There]
) -> Iterator[tuple[Touched, _There, _There | None]]:
    """Each function with what it has become. A new test stands for one old one only, a helper for as many as use it."""
    free = _Free(new)
    pairs: dict[int, _There] = {}
    for rule in (_stayed, _moved, _renamed):
        for number, (file, before) in enumerate(old):
            if number in pairs:
                continue
            one = next((one for one in rule(file, before, free) if _may_stand(file, before, one)), None)
            if one is not None:
                pairs[number] = one
                if before.function.is_test:
                    free.take(one)
    return ((file, before, pairs.get(number)) for number, (file, before) in enumerate(old))


def _stayed(file: Touched, before: _There, free: _Free) -> Iterator[_There]:
    if found := free.left.get((file.path, before.name)):
        yield found


def _moved(_file: Touched, before: _There, free: _Free) -> Iterator[_There]:
    same = free.known_by("name", _last(before.name))
    yield from sorted(same, key=lambda one: one.function.said != before.function.said)


def _renamed(_file: Touched, before: _There, free: _Free) -> Iterator[_There]:
    """One that says the same, or checks all of it."""
    yield from free.known_by("said", before.function.said)
    wanted = Counter(check.said for check in before.function.checks if check.worth)
    if wanted:
        candidates = free.known_by("check", next(iter(wanted)))
        yield from (one for one in candidates if not wanted - Counter(check.said for check in one.function.checks))


def _last(name: str) -> str:
    return name.rpartition(".")[2]


def _may_stand(file: Touched, before: _There, one: _There) -> bool:
    """Helpers may be anywhere, tests where tests are run."""
    return not before.function.is_test or (one.function.is_test and still_run(file.names[0], one.path))


# --- what a function has lost ---


def _weaker(name: str, old: Function, new: Function) -> tuple[int, str] | None:
    """Line and words; nothing where helpers of the same file check what it checked itself."""
    found = _lost(name, old.checks, new.checks, new.line)
    if found and not _lost(name, old.expanded, new.expanded, new.line):
        found = None
    if found is None and new.cases < old.cases:
        found = new.line, f"{name} runs with {new.cases} sets of parameters, it had {old.cases}"
    if found is None and new.rounds is not None and new.rounds < (old.rounds or 0):
        found = new.line, f"{name} goes {new.rounds} rounds, it had {old.rounds}"
    return found


def _lost(name: str, old: Sequence[Check], new: Sequence[Check], line: int) -> tuple[int, str] | None:
    before, after = _worthwhile(old), _worthwhile(new)
    if len(after) < len(before):
        idle = next((check for check in new if check.worth == NOTHING and check not in old), None)
        why = f"; `{idle.words}` can't fail, or is never reached" if idle else ""
        return (idle.line if idle else line), f"{name} has {len(after)} assertions, it had {len(before)}{why}"
    gone, fresh = _without(before, after), _without(after, before)
    for check in sorted(gone, key=lambda one: -one.worth):
        other = min(fresh, key=lambda one: (one.subject != check.subject, -one.worth), default=None)
        if other is None:
            break
        fresh.remove(other)
        if _checks_less(other, check):
            now = "under a condition" if other.words == check.words else f"as `{other.words}`"
            return other.line, f"{name} has `{check.words}` only {now}, which checks less"
    return None


def _worthwhile(checks: Sequence[Check]) -> list[Check]:
    return [check for check in checks if check.worth > NOTHING]


def _without(these: Sequence[Check], those: Sequence[Check]) -> list[Check]:
    """What of these is not among those, place and all that follows from it aside."""
    left = Counter((check.said, check.worth) for check in those)
    found = []
    for check in these:
        left[check.said, check.worth] -= 1
        if left[check.said, check.worth] < 0:
            found.append(check)
    return found


def _checks_less(new: Check, old: Check) -> bool:
    if new.worth != old.worth:
        return new.worth < old.worth
    return wider(new, old) or (CLOSE - 1 <= new.worth <= CLOSE and looser(new, old))
