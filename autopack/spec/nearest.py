"""Did you mean: the known word that a misspelt one resembles."""

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Self

from autopack.problem import Fix, Span

CUTOFF = 0.6  # difflib's own; `gaol` finds `goal` (0.75), `T2` doesn't find `T1` (0.5)
CLEAR = 0.75  # as similar as this, and by LEAD more than any other, a word can be replaced without asking
LEAD = 0.08


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
    forms = [(_form(candidate), candidate) for candidate in reversed(known)]
    by_form, form = dict(forms), _form(word)
    if (same := by_form.get(form)) is not None:
        return same, sum(each == form for each, _ in forms) == 1
    from difflib import SequenceMatcher, get_close_matches  # noqa: PLC0415 - only something misspelt pays for its import

    found = get_close_matches(form, by_form, n=2, cutoff=CUTOFF)
    if not found:
        return _same_letters(form, by_form), False
    best, *other = (SequenceMatcher(None, each, form).ratio() for each in found)
    return by_form[found[0]], best >= CLEAR and all(best - ratio >= LEAD for ratio in other)


def _form(word: str) -> str:
    return word.casefold().replace("-", "_")
