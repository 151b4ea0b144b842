"""Secrets in text: one list of patterns, for hiding what is logged or sent and for refusing what is written.

Every pattern is linear in the length of the text; hostile input can't make it slow. High precision is wanted more
than high recall: a false alarm refuses good work, and the value of a known secret is hidden by value anyway.
"""

import math
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import NamedTuple

MARK = "[redacted:"  # starts what stands in a secret's place; a reply that writes it back has lost the real text

_KEY_BODY_CHARS_MAX = 16_000
_KNOWN_CHARS_MIN = 8
_BITS_PER_CHAR_MIN = 3.5


class Secret(NamedTuple):
    """What looks like a credential, as `text[start:end]`. `name` says which kind; the value itself is told nowhere."""

    name: str
    start: int
    end: int


_KEY_LABEL = r"[A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)?-----"
_PRIVATE_KEY = (
    rf"-----BEGIN {_KEY_LABEL}"
    rf"(?:(?:[^-]|-(?!----BEGIN)){{0,{_KEY_BODY_CHARS_MAX}}}?-----END {_KEY_LABEL}"
    r"|(?:(?:\\n|\s){1,4}[A-Za-z0-9+/=]{20,100})*)"  # its end was cut off
)
# An underscore before one is none of it: in an issue's key two of them stand between the parts.
_WELL_KNOWN = tuple(
    (name, re.compile(pattern))
    for name, pattern in (
        ("private key", _PRIVATE_KEY),
        ("AWS access key", r"(?<![A-Za-z0-9])(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}\b"),
        ("GitHub token", r"(?<![A-Za-z0-9])(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{36,255})\b"),
        ("GitLab token", r"(?<![A-Za-z0-9])glpat-[A-Za-z0-9_-]{20,255}"),
        (
            "API key",
            r"(?<![A-Za-z0-9])sk-(?:(?:proj|ant|svcacct|admin|or)-[A-Za-z0-9_-]{20,255}|[A-Za-z0-9]{32,255}\b)",
        ),
        ("Slack token", r"(?<![A-Za-z0-9])xox[abeoprs]-(?=[A-Za-z-]{0,20}[0-9])[A-Za-z0-9-]{10,255}"),
        ("Stripe key", r"(?<![A-Za-z0-9])[rs]k_live_[A-Za-z0-9]{16,255}\b"),
        ("Google API key", r"(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])"),
        ("npm token", r"(?<![A-Za-z0-9])npm_[A-Za-z0-9]{36}\b"),
        ("PyPI token", r"(?<![A-Za-z0-9])pypi-[A-Za-z0-9_-]{60,255}"),
        ("Hugging Face token", r"(?<![A-Za-z0-9])hf_[A-Za-z0-9]{34,64}\b"),
        (
            "JSON web token",
            r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{16,1000}",
        ),
    )
)
# `api_key = "..."`, `"token": "..."`, `SECRET=...`: the value must look random, so that words and references pass.
_ASSIGNED = re.compile(
    r"(?i:secret|token|passw(?:or)?d|api[_-]?key|access[_-]?key|private[_-]?key|credential)"
    r"(?P<tail>[A-Za-z0-9_-]{0,30})"
    r"""["']?[ \t]{0,20}(?:=>|:=|=|:)[ \t]{0,20}["']?"""
    r"(?P<value>[A-Za-z0-9+/_.~-]{20,512}={0,2})(?![A-Za-z0-9+/_.~(\[{$-])"
)
_ABOUT_A_SECRET = re.compile(r"(?i)(sha[0-9]*|hash|digest|checksum|ids?|name|path|file|url|uri)$")
_SAMPLE = re.compile(r"(?i)example|xxxx|0000|1234|abcd|changeme|placeholder|redacted")
_BEARER = re.compile(
    r"(?i:\bauthorization\b.{0,20}?\b(?:bearer|basic|token))[ \t]+(?P<value>[A-Za-z0-9._~+/=-]{16,4096})"
)
_URL_PASSWORD = re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^\s/:@'\"]{1,100}:(?P<value>[^\s/:@'\"]{3,200})@")


def secrets(text: str) -> Iterator[Secret]:
    """What would be a leak if it were committed, in no order that means anything; kinds may overlap."""
    for name, pattern in _WELL_KNOWN:
        for found in pattern.finditer(text):
            yield Secret(name, found.start(), found.end())
    for found in _ASSIGNED.finditer(text):
        if _looks_random(found["value"]) and not _ABOUT_A_SECRET.search(found["tail"]):
            yield Secret("credential", found.start("value"), found.end("value"))


def redact(text: str, known: Iterable[str] = ()) -> str:
    """`text` with every secret replaced by a mark that names its kind.

    Hides more than `secrets` reports: also `known` values (those of the provider keys in use), Authorization headers
    and passwords in URLs, which are harmless samples too often to refuse a patch for.
    """
    for value in sorted(set(known), key=len, reverse=True):
        if len(value) >= _KNOWN_CHARS_MIN:
            text = text.replace(value, f"{MARK} known value]")
    for pattern in (_BEARER, _URL_PASSWORD):
        text = pattern.sub(_hide_value, text)
    return _without(text, sorted(secrets(text), key=lambda secret: secret.start))


def _without(text: str, found: Iterable[Secret]) -> str:
    parts, at = [], 0
    for secret in found:
        if secret.start >= at:
            parts += [text[at : secret.start], f"{MARK} {secret.name}]"]
        at = max(at, secret.end)
    return "".join([*parts, text[at:]])


def _hide_value(found: re.Match[str]) -> str:
    start, end = found.span("value")
    whole = found.group()
    return whole[: start - found.start()] + f"{MARK} credential]" + whole[end - found.start() :]


def _looks_random(value: str) -> bool:
    """Holds a run as surprising as base64 or long hexadecimal: no path, version, sample or name of a variable."""
    return not _SAMPLE.search(value) and any(_random_run(run) for run in re.findall(r"[A-Za-z0-9+]{16,}", value))


def _random_run(run: str) -> bool:
    digits = sum(char.isdigit() for char in run)
    if digits < 2 or digits == len(run):
        return False
    if re.fullmatch(r"[0-9a-f]+|[0-9A-F]+", run):
        return len(run) >= 32 and _bits(run) >= 3.0
    return _bits(run) >= _BITS_PER_CHAR_MIN


def _bits(text: str) -> float:
    """Shannon entropy, in bits a character."""
    counts = Counter(text).values()
    return -sum(count / len(text) * math.log2(count / len(text)) for count in counts)
