"""Which paths two lists of patterns give, compared: is one inside the other, do they meet.

The answer is exact for the patterns of `paths.matches`, and comes with a path that shows it. A list of patterns is read
as an automaton over characters; both are walked at once, over one character of each class that they tell apart.
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from fnmatch import translate
from typing import NamedTuple

from autopack.spec.paths import matches

STATES_MAX = 20_000
"""Beyond this many states of the walk the answer is the careful one: it widens, they meet."""

_PLAIN = "xyzabcdefghijklmnopqrstuvw0123456789"
_WILD = re.compile(r"[^A-Za-z0-9_./-]")
_SET = re.compile(r"\[!?\]?[^\]]*\]")


def beyond(new: Sequence[str], old: Sequence[str]) -> str | None:
    """A path that `new` gives and `old` does not; None where there is none."""
    if set(new) <= set(old) and not any(pattern.startswith("!") for pattern in (*new, *old)):
        return None
    return _found(new, old, lambda one, other: one and not other, next(iter(new), ""))


def meet(one: Sequence[str], other: Sequence[str]) -> str | None:
    """A path that both give; None where they have nothing in common."""
    return _found(one, other, lambda mine, theirs: mine and theirs, next(iter(one), ""))


def meets(patterns: Sequence[str], asked: str) -> bool:
    """Whether some path is given by both. Nearly always a look at how they begin and end, or at an example, tells."""
    given = [pattern for pattern in patterns if not pattern.startswith("!")]
    if not any(_alike(pattern, asked) for pattern in given):
        return False
    if len(given) == len(patterns) and any(
        matches(path, (asked,)) for each in given for path in _examples(each, asked)
    ):
        return True
    return meet(patterns, (asked,)) is not None


def _alike(one: str, other: str) -> bool:
    """Whether the plain beginnings and ends of two patterns go together."""
    (head, tail), (start, end) = _plain_ends(one), _plain_ends(other)
    begins = head.startswith(start) or start.startswith(head)
    return begins and (tail.endswith(end) or end.endswith(tail))


def _plain_ends(pattern: str) -> tuple[str, str]:
    parts = _WILD.split(pattern)
    return parts[0], "" if pattern.endswith("/") else parts[-1]


def _examples(pattern: str, asked: str) -> Iterator[str]:
    """Paths that a pattern gives, as like what is asked as a look allows."""
    if "[" in pattern or "?" in pattern:
        return
    spelled = _spelled_out(pattern)
    yield spelled
    if spelled != pattern and pattern.endswith(("/", "/**")) and "[" not in asked:
        above = spelled.removesuffix("x")
        yield above + _spelled_out(asked)
        yield above + _spelled_out(asked).rpartition("/")[2]


def _spelled_out(pattern: str) -> str:
    """A path that a pattern without sets gives."""
    return (pattern + "x" if pattern.endswith("/") else pattern).replace("**", "x").replace("*", "x").replace("?", "x")


class _Token(NamedTuple):
    """`takes` says which character it consumes (never a slash, but for a literal one).

    `repeats`: it may consume any number, none included. `gap`: it stands for any number of whole segments.
    """

    takes: Callable[[str], bool]
    repeats: bool = False
    gap: bool = False


_Places = frozenset[int]


class _Pattern(NamedTuple):
    """One way to spell one pattern; a place is twice a token's number, odd inside a segment of a gap."""

    tokens: tuple[_Token, ...]
    taken_back: bool

    def start(self) -> _Places:
        return self._past({0})

    def step(self, places: _Places, char: str) -> _Places:
        after: set[int] = set()
        for place in places:
            number, inside = divmod(place, 2)
            if number == len(self.tokens):
                continue
            token = self.tokens[number]
            if token.gap:
                after.add(number * 2 + (char != "/") if inside or char != "/" else -1)
            elif token.takes(char):
                after.add(place if token.repeats else place + 2)
        after.discard(-1)
        return self._past(after)

    def ends(self, places: _Places) -> bool:
        return 2 * len(self.tokens) in places

    def _past(self, places: set[int]) -> _Places:
        """Over what may stand for nothing; places are only ever added further on, so one walk is enough."""
        reached = set(places)
        for number, token in enumerate(self.tokens):
            if 2 * number in reached and (token.repeats or token.gap):
                reached.add(2 * number + 2)
        return frozenset(reached)


def _found(
    one: Sequence[str], other: Sequence[str], wanted: Callable[[bool, bool], bool], otherwise: str
) -> str | None:
    """The shortest path for which the two answers are as wanted."""
    mine, theirs = _read(one), _read(other)
    every = (*mine, *theirs)
    alphabet = _alphabet((*one, *other), every)
    begin = (tuple(pattern.start() for pattern in every), True)
    before: dict[object, tuple[object, str]] = {begin: (None, "")}
    waiting = deque([begin])
    while waiting:
        state = waiting.popleft()
        places, fresh = state
        if not fresh and wanted(_gives(mine, places), _gives(theirs, places[len(mine) :])):
            return _spelled(before, state)
        for char in alphabet:
            if fresh and char == "/":  # no path has an empty segment
                continue
            after = (tuple(p.step(at, char) for p, at in zip(every, places, strict=True)), char == "/")
            if after not in before and any(after[0][: len(mine)]):  # else nothing that is wanted can follow
                before[after] = (state, char)
                waiting.append(after)
        if len(before) > STATES_MAX:
            return otherwise
    return None


def _spelled(before: dict[object, tuple[object, str]], state: object) -> str:
    letters: list[str] = []
    while state is not None:
        state, letter = before[state]
        letters.append(letter)
    return "".join(reversed(letters))


def _gives(patterns: Sequence[_Pattern], places: Sequence[_Places]) -> bool:
    """The last one that matches decides."""
    for pattern, at in zip(reversed(patterns), reversed(places[: len(patterns)]), strict=True):
        if pattern.ends(at):
            return not pattern.taken_back
    return False


def _read(patterns: Iterable[str]) -> tuple[_Pattern, ...]:
    found: list[_Pattern] = []
    for pattern in patterns:
        taken_back, text = pattern.startswith("!"), pattern.removeprefix("!")
        found.append(_Pattern(tuple(_literal(text)), taken_back))
        if text.endswith("/") or re.search(r"[*?\[]", text):
            found.append(_Pattern(tuple(_tokens(text)), taken_back))
    return tuple(found)


def _literal(text: str) -> Iterator[_Token]:
    return (_Token(char.__eq__) for char in text)


def _tokens(text: str) -> Iterator[_Token]:
    parts = (text + "**" if text.endswith("/") else text).split("/")
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        if part == "**":
            yield _Token(_no_slash, gap=True)
            if last:
                yield _Token(_no_slash, repeats=True)
            continue
        yield from _segment(part)
        if not last:
            yield _Token("/".__eq__)


def _segment(part: str) -> Iterator[_Token]:
    at = 0
    while at < len(part):
        chosen = _SET.match(part, at)
        if chosen:
            yield _Token(_one_of(chosen[0]))
            at = chosen.end()
            continue
        if part[at] == "*":
            yield _Token(_no_slash, repeats=True)
        elif part[at] == "?":
            yield _Token(_no_slash)
        else:
            yield _Token(part[at].__eq__)
        at += 1


def _one_of(chosen: str) -> Callable[[str], bool]:
    fits = re.compile(translate(chosen)).match
    return lambda char: char != "/" and fits(char) is not None


def _no_slash(char: str) -> bool:
    return char != "/"


def _alphabet(texts: Iterable[str], patterns: Iterable[_Pattern]) -> tuple[str, ...]:
    """A slash, and one character of each class that the patterns tell apart; plain letters where any will do."""
    named = {char for text in texts for char in text} - {"/"}
    ends = {chr(ord(char) + by) for char in named for by in (-1, 1) if 0 < ord(char) + by < 0x110000} - {"/"}
    tokens = [token for pattern in patterns for token in pattern.tokens]
    classes: dict[tuple[bool, ...], str] = {}
    for char in (*_PLAIN, *sorted(named | ends)):
        classes.setdefault(tuple(token.takes(char) for token in tokens), char)
    return ("/", *classes.values())
