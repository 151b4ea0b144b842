"""Did you mean: the known word that a misspelt one resembles."""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from itertools import islice

from autopack.problem import Fix, Span
from autopack.problem.typed import Self

CUTOFF = 0.6  # difflib's own; `gaol` finds `goal` (0.75), `T2` doesn't find `T1` (0.5)
CLEAR = 0.75  # as similar as this, and by LEAD more than any other, a word can be replaced without asking
LEAD = 0.08
COMPARED_MAX = 200  # among more words only those one slip away are compared: each with each would take minutes
LETTERS_MAX = 64  # of an id; from there on a slip in a longer word is not looked for


class Advice(str):
    """The sentence for a finding's help, which knows the word it proposes.

    `word` is None where another one might have been meant as well: good enough for a question, not for a replacement.
    """

    __slots__ = ("word",)

    def __new__(cls, sentence: str, word: str | None) -> Self:
        made = super().__new__(cls, sentence)
        made.word = word
        return made

    word: str | None


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The most similar of the known words, upper and lower case and `-` and `_` being the same; None: none is."""
    return _best(word, tuple(known))[0]


def _same_letters(word: str, by_form: Mapping[str, str]) -> str | None:
    """A word with its letters in another order: what difflib can't see in short ones, such as `ic` for `ci`."""
    letters = sorted(word)
    return next((known for form, known in by_form.items() if sorted(form) == letters), None)


def did_you_mean(word: str, known: Iterable[str]) -> Advice | None:
    """The sentence for a finding's help."""
    found, clear = _best(word, tuple(known))
    return None if found is None else Advice(f"did you mean `{found}`?", found if clear else None)


def clear(word: str, known: Iterable[str]) -> str | None:
    """The known word that must have been meant; None where that is not certain."""
    found, certain = _best(word, tuple(known))
    return found if certain else None


def replacement(span: Span | None, advice: str | None, *, quote: str = "") -> tuple[Fix, ...]:
    """The advice as something a program can do; nothing where it is only a question."""
    word = advice.word if isinstance(advice, Advice) else None
    return () if word is None or span is None else (Fix(span, f"{quote}{word}{quote}"),)


@lru_cache(maxsize=256)
def _best(word: str, known: tuple[str, ...]) -> tuple[str | None, bool]:
    """Kept, because one slip is often copied to hundreds of places."""
    by_form, form = _forms(known), _form(word)
    if (same := by_form.get(form)) is not None:
        return same, sum(_form(each) == form for each in known) == 1
    if len(known) > COMPARED_MAX:
        by_form = {each: by_form[each] for each in _one_slip_away(form, known)}
    from difflib import SequenceMatcher, get_close_matches  # noqa: PLC0415 - only something misspelt pays for its import

    found = get_close_matches(form, by_form, n=2, cutoff=CUTOFF)
    if not found:
        return _same_letters(form, by_form), False
    best, *other = (SequenceMatcher(None, each, form).ratio() for each in found)
    return by_form[found[0]], best >= CLEAR and all(best - ratio >= LEAD for ratio in other)


@lru_cache(maxsize=16)
def _forms(known: tuple[str, ...]) -> Mapping[str, str]:
    return {_form(candidate): candidate for candidate in reversed(known)}


@lru_cache(maxsize=16)
def _by_remains(known: tuple[str, ...]) -> Mapping[str, list[str]]:
    """The forms by what is left of each when nothing or one letter is taken out."""
    found: dict[str, list[str]] = {}
    for form in _forms(known):
        for remains in _remains(form):
            found.setdefault(remains, []).append(form)
    return found


def _one_slip_away(form: str, known: tuple[str, ...]) -> Iterator[str]:
    """The forms with one letter more, less or other than this one, or with two in another order."""
    by_remains = _by_remains(known)
    near = dict.fromkeys(each for remains in _remains(form) for each in by_remains.get(remains, ()))
    yield from islice(near, COMPARED_MAX)


def _remains(form: str) -> set[str]:
    return {form, *(form[:at] + form[at + 1 :] for at in range(min(len(form), LETTERS_MAX)))}


def _form(word: str) -> str:
    return word.casefold().replace("-", "_")
