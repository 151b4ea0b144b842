"""Did you mean: the known word that a misspelt one resembles."""

from collections.abc import Iterable, Mapping

CUTOFF = 0.6  # difflib's own; `gaol` finds `goal` (0.75), `T2` doesn't find `T1` (0.5)


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The most similar of the known words, upper and lower case and `-` and `_` being the same; None: none is."""
    by_form = {_form(candidate): candidate for candidate in reversed(list(known))}
    if (same := by_form.get(_form(word))) is not None:
        return same
    from difflib import get_close_matches  # noqa: PLC0415 - only something misspelt pays for its import

    found = get_close_matches(_form(word), by_form, n=1, cutoff=CUTOFF)
    return by_form[found[0]] if found else _same_letters(_form(word), by_form)


def _same_letters(word: str, by_form: Mapping[str, str]) -> str | None:
    """A word with its letters in another order: what difflib can't see in short ones, such as `ic` for `ci`."""
    letters = sorted(word)
    return next((known for form, known in by_form.items() if sorted(form) == letters), None)


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """The sentence for a finding's help."""
    found = nearest(word, known)
    return None if found is None else f"did you mean `{found}`?"


def _form(word: str) -> str:
    return word.casefold().replace("-", "_")
