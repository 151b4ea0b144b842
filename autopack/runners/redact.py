"""Secrets hidden in all that is logged, sent or kept; which texts are such is known in `spec/credentials`."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar

from autopack.spec.credentials import Secret, secrets

__all__ = ["KNOWN_CHARS_MIN", "MARK", "WITHHELD", "hidden", "redact", "secrets", "secrets_of", "withheld"]

MARK = "[redacted:"  # starts what stands in a secret's place; a reply that writes it back has lost the real text
WITHHELD = "<withheld-"  # the same in what a model wrote: one word, also in YAML and in an issue's key

KNOWN_CHARS_MIN = 8
T = TypeVar("T")

_SECRET_NAME = re.compile(r"(?i:secret|token|passw|credential|api_?key|(?:^|_)(?:key|pat|pwd)$)")
_BEARER = re.compile(
    r"(?i:\bauthorization\b.{0,20}?\b(?:bearer|basic|token))[ \t]+(?P<value>[A-Za-z0-9._~+/=-]{16,4096})"
)
_URL_PASSWORD = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"]{1,100}:(?P<value>[^\s/:@'\"]{3,200})@")


def redact(text: str, known: Iterable[str] = ()) -> str:
    """`text` with every secret replaced by a mark that names its kind.

    Hides more than `secrets` reports: also `known` values (those of the provider keys in use), Authorization headers
    and passwords in URLs, which are harmless samples too often to refuse a patch for.
    """
    text = without_known(text, known)
    for pattern in (_BEARER, _URL_PASSWORD):
        text = pattern.sub(_hide_value, text)
    return _without(text, lambda name: f"{MARK} {name}]")


def without_known(text: str, known: Iterable[str]) -> str:
    for value in sorted(set(known), key=len, reverse=True):
        if len(value) >= KNOWN_CHARS_MIN:
            text = text.replace(value, f"{MARK} known value]")
    return text


def secrets_of(environ: Mapping[str, str]) -> tuple[str, ...]:
    """The values of variables that are secret by their names, and each line of such a value.

    A program that runs as the user can find all of them, whatever it is given. Plain words and paths are left alone:
    they hide nothing, and would be taken out of every sentence.
    """
    values = [value for name, value in environ.items() if _SECRET_NAME.search(name)]
    lines = {each.strip() for value in values for each in (value, *value.splitlines())}
    return tuple(sorted(each for each in lines if not each.isalpha() and not each.startswith(("/", "-----"))))


def withheld(text: str) -> str:
    """What a Builder wrote, as it may be kept: it would be refused for any of what is missing here.

    Hides what `secrets` reports and no more: a harmless sample that a patch may hold has to stay what it is.
    """
    return _without(text, lambda name: f"{WITHHELD}{name.replace(' ', '-')}>")


def hidden(value: T) -> T:
    """Any value of ours, event or JSON, with every text in it redacted."""
    found: Any = value
    if isinstance(value, str):
        found = redact(value)
    elif isinstance(value, Mapping):
        found = {redact(key) if isinstance(key, str) else key: hidden(inner) for key, inner in value.items()}
    elif isinstance(value, tuple) and not hasattr(value, "_fields"):
        found = tuple(map(hidden, value))
    elif isinstance(value, list):
        found = list(map(hidden, value))
    elif is_dataclass(value) and not isinstance(value, type):
        found = replace(value, **{each.name: hidden(getattr(value, each.name)) for each in fields(value)})
    return found  # type: ignore[no-any-return]


def _without(text: str, mark: Callable[[str], str]) -> str:
    found: Iterable[Secret] = sorted(secrets(text), key=lambda secret: secret.start)
    parts, at = [], 0
    for secret in found:
        if secret.start >= at:
            parts += [text[at : secret.start], mark(secret.name)]
        at = max(at, secret.end)
    return "".join([*parts, text[at:]])


def _hide_value(found: re.Match[str]) -> str:
    start, end = found.span("value")
    whole = found.group()
    return whole[: start - found.start()] + f"{MARK} credential]" + whole[end - found.start() :]
