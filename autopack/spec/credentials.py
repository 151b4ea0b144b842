"""What looks like a credential in a text: one list of patterns for all who hide it, refuse it or report it.

Every pattern is linear in the length of the text; hostile input can't make it slow. High precision is wanted more
than high recall: a false alarm refuses good work, and the value of a known secret is hidden by value anyway.
"""

import math
import re
from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

_KEY_BODY_CHARS_MAX = 16_000
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
    r"|(?:(?:\\+n|\s){1,4}[A-Za-z0-9+/=]{20,100})*)"  # its end was cut off
)
# Where a token may begin: at no letter or digit, or right behind an escape that ends in one, as a dump of JSON (`\\n`),
# a terminal's colours (`[31m`) and an address (`%3D`) hold them. It matters not how often the escape was escaped.
_BEGIN = (
    r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbfve0])|(?<=\\u[0-9A-Fa-f]{4})|(?<=\\x[0-9A-Fa-f]{2})"
    r"|(?<=[0-9;\[]m)|(?<=%[0-9A-F]{2}))"
)
# An underscore before one is none of it: in an issue's key two of them stand between the parts. Last, what a text must
# hold to be worth the search: looking for these is many times faster.
_WELL_KNOWN = tuple(
    (name, re.compile(pattern if name == "private key" else _BEGIN + pattern), tuple(starts.split()))
    for name, pattern, starts in (
        ("private key", _PRIVATE_KEY, "-----BEGIN"),
        ("AWS access key", r"(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}(?![A-Za-z0-9])", "AKIA ASIA ABIA ACCA"),
        (
            "GitHub token",
            r"(?:gh[pousr]_[A-Za-z0-9]{36,255}|github_pat_[A-Za-z0-9_]{36,255})(?![A-Za-z0-9])",
            "ghp_ gho_ ghu_ ghs_ ghr_ github_pat_",
        ),
        ("GitLab token", r"glpat-[A-Za-z0-9_-]{20,255}", "glpat-"),
        (
            "API key",
            r"sk-(?:(?:proj|ant|svcacct|admin|or)-[A-Za-z0-9_-]{20,255}|[A-Za-z0-9]{32,255}(?![A-Za-z0-9]))",
            "sk-",
        ),
        ("Slack token", r"xox[abeoprs]-(?=[A-Za-z-]{0,20}[0-9])[A-Za-z0-9-]{10,255}", "xox"),
        ("Stripe key", r"[rs]k_live_[A-Za-z0-9]{16,255}(?![A-Za-z0-9])", "k_live_"),
        ("Google API key", r"AIza[A-Za-z0-9_-]{35}(?![A-Za-z0-9_-])", "AIza"),
        ("npm token", r"npm_[A-Za-z0-9]{36}(?![A-Za-z0-9])", "npm_"),
        ("PyPI token", r"pypi-[A-Za-z0-9_-]{60,255}", "pypi-"),
        ("Hugging Face token", r"hf_[A-Za-z0-9]{34,64}(?![A-Za-z0-9])", "hf_"),
        (
            "JSON web token",
            r"eyJ[A-Za-z0-9_-]{10,2000}\.eyJ[A-Za-z0-9_-]{10,4000}\.[A-Za-z0-9_-]{16,1000}",
            ".eyJ",
        ),
    )
)
# `api_key = "..."`, `"token": "..."`, `SECRET=...`: the value must look random, so that words and references pass.
_ASSIGNED = re.compile(
    r"(?i:secret|token|passw(?:or)?d|api[_-]?key|access[_-]?key|private[_-]?key|credential)"
    r"(?P<tail>[A-Za-z0-9_-]{0,30})"
    r"""\\{0,3}["']?[ \t]{0,20}(?:=>|:=|=|:)[ \t]{0,20}\\{0,3}["']?"""
    r"(?P<value>[A-Za-z0-9+/_.~-]{20,512}={0,2})(?![A-Za-z0-9+/_.~(\[{$-])"
)
_ABOUT_A_SECRET = re.compile(r"(?i)(sha[0-9]*|hash|digest|checksum|ids?|name|path|file|url|uri)$")
_SAMPLE = re.compile(r"(?i)example|xxxx|0000|1234|abcd|changeme|placeholder|redacted")


def secrets(text: str) -> Iterator[Secret]:
    """What would be a leak if it were committed, in no order that means anything; kinds may overlap."""
    yield from well_known(text)
    for found in _ASSIGNED.finditer(text):
        if _looks_random(found["value"]) and not _ABOUT_A_SECRET.search(found["tail"]):
            yield Secret("credential", found.start("value"), found.end("value"))


def well_known(text: str) -> Iterator[Secret]:
    """Those that are known by how they begin."""
    for name, pattern, starts in _WELL_KNOWN:
        if any(start in text for start in starts):
            for found in pattern.finditer(text):
                yield Secret(name, found.start(), found.end())


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
