"""Plain words of YAML as values, by the core schema of version 1.2."""

import re
from math import isinf

from autopack.problem.typed import Any

Value = Any  # dict[str, Value] | list[Value] | str | int | float | bool | None; mypy has no use for the recursion

NULLS = ("null", "Null", "NULL", "~")
WORDS: dict[str, Value] = {
    "": None,
    **dict.fromkeys(NULLS),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
KNOWN_MAX = 1000  # conversions that are kept to be met again; what repeats comes early
BLOCK_STYLES = frozenset("|>")
SUSPECTS = frozenset("+-.0123456789")  # how a plain scalar starts that may be a number
STARTS = SUSPECTS | {word[:1] for word in WORDS}  # or a word that is no string
NUMBER = re.compile(
    r"(?P<int>[-+]?[0-9]+(?:_[0-9]+)*)"
    r"|(?P<oct>0o[0-7]+)"
    r"|(?P<hex>0x[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<never>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
DIGITS_MAX = 40  # longer integers are out of range whatever they say, and int() refuses very long ones
OUT_OF_RANGE = object()


def plain(text: str) -> Value:
    """A plain scalar by YAML 1.2's core schema, with `5_000_000` besides.

    OUT_OF_RANGE for what JSON or 64 bits cannot keep. `012` is 12 here; the reader reports it.
    """
    if text in WORDS:
        return WORDS[text]
    if "/" in text or " " in text:  # as in paths and sentences, which need no pattern to be told from numbers
        return text
    number = NUMBER.fullmatch(text)
    if number is None:
        return text
    if number.lastgroup == "never":
        return OUT_OF_RANGE
    if number.lastgroup == "float":
        value = float(text)
        return OUT_OF_RANGE if isinf(value) else value
    return _integer(text, {"int": 10, "oct": 8, "hex": 16}[number.lastgroup or "int"])


def _integer(text: str, base: int) -> Value:
    if len(text) > DIGITS_MAX:
        return OUT_OF_RANGE
    value = int(text, base)
    return value if -(2**63) <= value < 2**63 else OUT_OF_RANGE
