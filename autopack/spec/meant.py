"""What somebody most likely meant by a value that has the wrong type or form: the words to write instead.

Only asked about what was refused already, so nothing here decides what is valid. Known: how people write amounts,
durations, truth and quotes elsewhere. Not known: schemas, places.
"""

import re
from collections.abc import Iterator

GROUPED = r"[0-9]{1,3}(?:(?:,[0-9]{3})+|(?:'[0-9]{3})+|(?: [0-9]{3})+)"
QUANTITY = re.compile(rf"(?P<number>{GROUPED}|[0-9]+(?:_[0-9]+)*|[0-9]*[.,][0-9]+) ?(?P<unit>[A-Za-z]*)")
MONEY = re.compile(r"(?:US)?\$? ?([0-9]+)(?:[.,]([0-9]{1,2}))? ?(?:\$|USD)?", re.IGNORECASE)
TORN = re.compile(r"(?<![\w.,])[0-9]+(?:,[0-9]+)+(?![\w.])")
AMOUNT_MAX = 40  # characters of an amount
TORN_MAX = 40  # characters to look back for the start of a number
TRUTH = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}
MANY = {"k": 1_000, "m": 1_000_000, "b": 1_000_000_000}
SECONDS = {
    **dict.fromkeys(("s", "sec", "secs", "second", "seconds"), 1),
    **dict.fromkeys(("m", "min", "mins", "minute", "minutes"), 60),
    **dict.fromkeys(("h", "hr", "hrs", "hour", "hours"), 3600),
    **dict.fromkeys(("d", "day", "days"), 86400),
}
BYTES = {
    "b": 1,
    **dict.fromkeys(("k", "kb"), 1_000),
    **dict.fromkeys(("m", "mb"), 1_000_000),
    **dict.fromkeys(("g", "gb"), 1_000_000_000),
}
COUNTED = (  # the end of a key, what its numbers count, the units people write, and how many of these one of it is
    ("minutes", "minutes", SECONDS, 60),
    ("_s", "seconds", SECONDS, 1),
    ("days", "days", SECONDS, 86400),
    ("_mb", "megabytes", BYTES, 1_000_000),
    ("_bytes", "bytes", BYTES, 1),
)
CURLY = dict.fromkeys("\u201c\u201d\u201e\u00ab\u00bb\u2018\u2019\u201a")  # as word processors write them
NAMED = {"\u00a0": "a no-break space", "\u200b": "a zero-width space", "\ufeff": "a byte-order mark"}


def whole_number(key: str, text: str) -> str | None:
    """What to do with an amount that is more than digits: a unit, thousands apart, `2M`."""
    found = QUANTITY.fullmatch(straight(text))
    if found is None or len(text) > AMOUNT_MAX:
        return None
    unit = found["unit"].lower()
    name, sizes, one = next(((name, units, one) for end, name, units, one in COUNTED if key.endswith(end)), ("", {}, 1))
    factor = sizes.get(unit) if name and unit else MANY.get(unit) if unit else one
    if factor is None:
        return f"it counts {name}, so write a whole number without a unit" if name else None
    exact = _number(found["number"]) * factor
    if exact % one:
        return f"it counts {name}: write a whole number of them" if name else None
    written = f"write `{int(exact // one):_}`"
    return f"it counts {name}: {written}" if name and unit else written


def _number(text: str) -> float | int:
    if re.fullmatch(GROUPED, text) or "_" in text:
        return int(re.sub(r"[^0-9]", "", text))
    return int(text) if text.isdigit() else float(text.replace(",", "."))


def money(text: str) -> str | None:
    """An amount in US dollars as the schemas want it, from `1,50`, `$5`, `5 USD`."""
    found = MONEY.fullmatch(straight(text).strip())
    return None if found is None else f"{found[1]}.{found[2]:0<2}" if found[2] else found[1]


def truth(text: str) -> str | None:
    """`true` or `false`, from what other formats take for them."""
    return TRUTH.get(straight(text).lower())


def straight(text: str) -> str:
    """The text without the curly quotes of a word processor around it."""
    curly = len(text) > 1 and text[0] in CURLY and text[-1] in CURLY
    return text[1:-1] if curly else text


def strange(text: str) -> str | None:
    """The first letter that only looks like one of the alphabet, or can't be seen: with its number and name."""
    found = next((char for char in text if not char.isascii()), None)
    if found is None:
        return None
    from unicodedata import name  # noqa: PLC0415 - only such a letter pays for its import

    return f"U+{ord(found):04X}, {NAMED.get(found) or name(found, 'a letter without a name').lower()}"


def torn(text: str, start: int) -> tuple[int, int, str] | None:
    """Where a number stands that its commas tear apart inside `{}` or `[]`, a piece of which starts here, and what to
    write for it.
    """
    if text[start - 1 : start] != ",":
        return None
    first = max(start - TORN_MAX, text.rfind("\n", 0, start) + 1)
    for found in _all(text, first, start + TORN_MAX):
        if found.start() < start < found.end():
            pieces = found[0].split(",")
            thousands = len(pieces[0]) <= 3 and all(len(each) == 3 for each in pieces[1:])
            meant = "_".join(pieces) if thousands else ".".join(pieces) if len(pieces) == 2 else None
            return (*found.span(), f"write `{meant}`" if meant else "write it without commas")
    return None


def _all(text: str, first: int, last: int) -> Iterator[re.Match[str]]:
    return TORN.finditer(text, first, min(last, len(text)))
