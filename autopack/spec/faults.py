"""What the parser can't read, in plain words and at the place that says most."""

import re
from typing import NamedTuple

from autopack.problem import Fix, Label
from autopack.spec import tokens
from autopack.spec.findings import Findings, in_quotes
from autopack.spec.meant import strange
from autopack.spec.parser import MarkedYAMLError, ReaderError

QUOTED_MAX = 10_000  # characters to look back for the quote that opened a text
TOKEN = re.compile(r"\t+|[^\s,\[\]{}:]+|\S")
FORBIDDEN = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def unreadable(found: Findings, error: ReaderError | MarkedYAMLError) -> None:
    """The finding about what made the parser give up."""
    if isinstance(error, ReaderError):
        _forbidden(found)
    else:
        _syntax(found, error)


def token(text: str, start: int) -> tuple[int, int]:
    """What stands at a place, as far as it looks like one thing."""
    found = TOKEN.match(text, start)
    return start, found.end() if found else start


def _forbidden(found: Findings) -> None:
    match = FORBIDDEN.search(found.text)
    start, end = match.span() if match else (0, 0)
    code = ord(found.text[start])
    message = f"a control character, U+{code:04X}"
    found.report("AP1025", message, start, end, help=f'remove it, or write "\\u{code:04x}" in double quotes')


def _syntax(found: Findings, error: MarkedYAMLError) -> None:
    fault = _in_plain_words(error, found.text)
    start = fault.start
    if _slipped(found, fault):
        return
    if fault.message in AFTER_QUOTES and (opened := _opening_quote(found.text, start)) is not None:
        first, last = opened
        label = found.label(last, last + 1, "closed only here, and text follows")
        message = "quotes that are not closed where they should be"
        found.report(fault.code, message, *token(found.text, first), (label,), CLOSE)
        return
    if fault.message in AFTER_QUOTES and (bracket := _left_open_above(found.text, error)) is not None:
        help_ = f"close it with `{_PAIRS[found.text[bracket]]}`"
        found.report(fault.code, f"`{found.text[bracket]}` is never closed", bracket, bracket + 1, help=help_)
        return
    if "{{" in found.text[found.text.rfind("\n", 0, start) + 1 : start]:
        found.problems = [each for each in found.problems if each.code != "AP1018"]  # the same fault
    labels = _opened(found, error, start)
    found.report(fault.code, fault.message, *token(found.text, start), labels, fault.help)
    if fault.message == BEHIND_TEMPLATE:
        _quote_template(found, start)


def _opening_quote(text: str, behind: int) -> tuple[int, int] | None:
    """Where a quoted text over several lines starts and ends, whose end stands before a place: most likely the next
    text's first quote, taken for the last of this one.
    """
    last = len(text[:behind].rstrip(" \t")) - 1
    if text[last] not in "\"'":
        return None
    quoted = tokens.DOUBLE_QUOTED if text[last] == '"' else tokens.SINGLE_QUOTED
    first = text.rfind(text[last], 0, last)
    while first >= 0:
        found = quoted.match(text, first, last + 1)
        if found is not None and found.end() == last + 1 and (first == 0 or text[first - 1] in " \t\r\n[{,:-"):
            return (first, last) if "\n" in found[0] else None
        if last - first > QUOTED_MAX:
            return None
        first = text.rfind(text[last], 0, first)
    return None


def _slipped(found: Findings, fault: "_Fault") -> bool:
    """Reports a fault in which the line shows what was meant; whether it does."""
    first = found.text.rfind("\n", 0, fault.start) + 1
    line = _line(found.text, first)
    above = found.text.rfind("\n", 0, max(first - 1, 0)) + 1
    if first + len(line) - above > LINES_MAX:
        return False
    if fault.message in (COLON, NO_KEY) and (odd := ODD_SPACE.search(found.text, above, first + len(line))):
        message = f"{strange(odd[0])}, where a space belongs"
        found.report("AP1015", message, *odd.span(), help="write a space", fix=" " if odd[0] != "\u200b" else None)
    elif fault.message == NO_KEY and (joined := JOINED.match(line)):
        _joined(found, first, joined)
    elif fault.message == NO_KEY and (block := BLOCK_KEY.search(found.text, above, first)):
        help_ = f'indent the text deeper than "{block[1]}"'
        found.report(
            "AP1015", f'text of "{block[1]}" that is not indented', *token(found.text, fault.start), help=help_
        )
    elif fault.message == NO_KEY and (dash := DASH.match(line)):
        place = first + dash.start(1), first + dash.end(1)
        found.report("AP1015", "a `-` without a space behind it", *place, help="write `- `", fix="- ")
    elif fault.message == NO_KEY and (equals := EQUALS.match(line)):
        start, end = first + equals.start(1), first + equals.end()
        meant = f"{equals[1]}: {equals[2]}"
        found.report("AP1015", "a `=` where a `:` belongs", start, end, help=f"write `{meant}`", fix=meant)
    elif fault.message == COLON and (joined := JOINED.match(_line(found.text, above))):
        _joined(found, above, joined)
    elif fault.message == COLON and (text := COLON_TEXT.match(line)) and first + text.start(2) < fault.start:
        _quote_colon(found, fault, first, text)
    elif fault.message == COLON and (key := KEY_ALONE.match(line)) and first + key.end(1) == fault.start:
        _too_deep(found, fault, above, first + key.start(1), key[1])
    else:
        return False
    return True


def _joined(found: Findings, first: int, joined: re.Match[str]) -> None:
    """`complexity:low`."""
    place = first + joined.start(1), first + joined.end(2)
    meant = f"{joined[1]}: {joined[2]}"
    found.report("AP1015", "a `:` without a space behind it", *place, help=f"write `{meant}`", fix=meant)


def _quote_colon(found: Findings, fault: "_Fault", first: int, text: re.Match[str]) -> None:
    """`goal: Note: this`."""
    place = fault.start, fault.start + 1
    if (quoted := in_quotes(text[2])) is None:
        found.report("AP1015", fault.message, *place, help="put the text in quotes")
        return
    found.report("AP1015", fault.message, *place, help=f"put the text in quotes: {quoted}")
    span = found.places.span(first + text.start(2), first + text.end(2))
    found.problems[-1] = found.problems[-1]._replace(fixes=(Fix(span, quoted),))


def _too_deep(found: Findings, fault: "_Fault", above: int, start: int, name: str) -> None:
    """A key that goes on with the value of the line above it, since it is indented deeper than the key there."""
    upper = KEY_AND_TEXT.match(_line(found.text, above))
    if upper is None or above + upper.start(1) == start:
        found.report("AP1015", fault.message, fault.start, fault.start + 1, help=fault.help)
        return
    label = found.label(above + upper.start(1), above + upper.end(1), "the key above starts here")
    message = f'"{name}" is indented deeper than the key above it'
    found.report("AP1015", message, start, fault.start, (label,), f'indent it like "{upper[1]}"')


def _line(text: str, first: int) -> str:
    end = text.find("\n", first)
    return text[first : end if end >= 0 else len(text)].rstrip("\r")


def _quote_template(found: Findings, behind: int) -> None:
    """The repair of a template that is the start of a longer text."""
    first = found.text.rfind("\n", 0, behind) + 1
    value = re.compile(TEMPLATE_VALUE, re.MULTILINE).match(found.text, first)
    quoted = in_quotes(value[1]) if value else None
    if value and quoted:
        fixes = (Fix(found.places.span(*value.span(1)), quoted),)
        found.problems[-1] = found.problems[-1]._replace(fixes=fixes)


def _opened(found: Findings, error: MarkedYAMLError, before: int) -> tuple[Label, ...]:
    """Where the collection starts that the parser was in."""
    mark, context = error.context_mark, error.context or ""
    if mark is None or mark.index >= before or not context.endswith(("mapping", "sequence", "collection")):
        return ()
    what = "mapping" if context.endswith("mapping") else "list"
    return (found.label(mark.index, mark.index + 1, f"the {what} starts here"),)


class _Fault(NamedTuple):
    code: str
    start: int
    message: str
    help: str | None


class _Words(NamedTuple):
    fragment: str  # of the parser's own words, libyaml's or PyYAML's
    message: str  # `{char}` is the character at the place
    help: str | None = None
    at_context: bool = False  # where the construct starts says more than where the parser gave up


NO_TAGS = "remove it, or put text that starts with `!` in quotes; nothing is included"
CLOSE = "close them on this line"
BEHIND_QUOTES = "text behind the closing quote"
COLON = "a `:` makes a key of what stands where no key can be"
NO_KEY = "a line that is neither a key with `:` nor part of the value above"
IN_LIST, IN_MAPPING = "a `,` or the `]` of this list is missing", "a `,` or the `}}` of this mapping is missing"
AFTER_QUOTES = (BEHIND_QUOTES, IN_LIST, IN_MAPPING.format())
LINES_MAX = 2_000  # characters of two lines that are looked at for what was meant
ODD_SPACE = re.compile("[\u00a0\u2000-\u200b\u202f\u3000\ufeff]")
JOINED = re.compile(r"[ ]*(?:- +)*([A-Za-z_][\w-]*):([^\s:/][^\n]*?)(?:[ \t]+#.*)?[ \t]*$")
DASH = re.compile(r"[ ]*(-)[^\s-]")
EQUALS = re.compile(r"[ ]*(?:- +)*([A-Za-z_][\w-]*) *= *(\S[^\n#]*?)(?=[ \t]*(?: #.*)?$)")
BLOCK_KEY = re.compile(r"([\w-]+):[ ]+[|>][-+0-9]*[ \t]*\r?\n")
COLON_TEXT = re.compile(
    r"""[ ]*(?:- +)*([\w-]+):[ ]+([^\s"'\[{|>&*!%@`#](?:[^#\n]|(?<!\s)\#)*?)(?:[ \t]+\#.*)?[ \t]*$"""
)
KEY_ALONE = re.compile(r"[ ]*(?:- +)*([A-Za-z_][\w-]*)(?=:)")
KEY_AND_TEXT = re.compile(r"[ ]*(?:- +)*([\w-]+):[ ]+\S")
INDENTATION = "compare the indentation of this line with the lines above"
PLAIN_WORDS = (
    _Words(
        "mapping values are not allowed",
        COLON,
        f"put the text in quotes if the colon belongs to it; otherwise {INDENTATION}",
    ),
    _Words(
        "could not find expected ':'",
        NO_KEY,
        f"add the colon, or {INDENTATION}",
        at_context=True,
    ),
    _Words("cannot start any token", 'plain text cannot start with "{char}"', "put the text in quotes"),
    _Words(
        "sequence entries are not allowed",
        "a list item `-` where no list can start",
        f"start the list on the line below its key, or {INDENTATION}",
    ),
    _Words("found unexpected end of stream", "quotes that are never closed", CLOSE, at_context=True),
    _Words("found unexpected document", "quotes that are never closed", "close them on this line", at_context=True),
    _Words(
        "unknown escape",
        "an escape that YAML does not know",
        "use single quotes, where a backslash is only a backslash, or write it twice",
    ),
    _Words(
        "hexdecimal",
        "an escape whose hexadecimal digits are missing",
        "write the character itself",
    ),
    _Words(
        "hexadecimal",
        "an escape whose hexadecimal digits are missing",
        "write the character itself",
    ),
    _Words("invalid Unicode", "an escape that is half a character", "write the character itself"),
    _Words("',' or ']'", IN_LIST, "add the one that is missing"),
    _Words("',' or '}'", IN_MAPPING, "add the one that is missing"),
    _Words("document start", "text after the end of the document", "remove the `...` above"),
    _Words("comment or", "text behind the `|` or `>` of a block", "start the text on the next line"),
    _Words("indentation indicator", "an indentation of 0 for a block of text", "leave the digit out"),
    _Words("scanning an alias", "`*` without a name", "put text that starts with `*` in quotes", at_context=True),
    _Words("scanning an anchor", "`&` without a name", "put text that starts with `&` in quotes", at_context=True),
    _Words("node content", 'a value is missing before "{char}"', "write the value, or remove what asks for one"),
    _Words("directive", "a broken `%` directive", "remove it: no file here needs one", at_context=True),
    _Words("incompatible YAML", "a YAML version that is not 1.x", "remove the `%YAML` line"),
    _Words("tag", "a broken tag", "put text that starts with `!` in quotes", at_context=True),
    _Words("unexpected ':'", "a `:` without a space behind it", "write `key: value`"),
)
BEHIND_TEMPLATE = "text behind a template without quotes"
TEMPLATE_VALUE = r"(?:[ \t]*-)*[ \t]*(?:[\w-]+:[ \t]+)?(\{\{[^\r\n#]*[^\r\n# \t])[ \t]*(?:[ \t]#.*)?\r?$"
QUOTE_CLOSED = re.compile(r"""["'][ \t]*$""")


def _in_plain_words(error: MarkedYAMLError, text: str) -> _Fault:
    said = f"{error.context or ''}: {error.problem or ''}"
    context = error.context_mark.index if error.context_mark else None
    start = error.problem_mark.index if error.problem_mark else context or 0
    if text.startswith("\t", start) and ("tab character" in said or "start any token" in said):
        return _Fault("AP1009", start, "a tab where the indentation decides", "indent with spaces")
    if "undefined tag handle" in said:
        return _Fault("AP1006", start, "custom tag", NO_TAGS)
    line = text[text.rfind("\n", 0, start) + 1 : start]
    char = text[start : start + 1]
    if "expected key" in said or "block end" in said or "'-' indicator" in said:
        return _misplaced(text, start, line, "list" if "collection" in said else "mapping")
    words = next((words for words in PLAIN_WORDS if words.fragment in said), None)
    if words is None:
        return _Fault("AP1015", start, f"not valid YAML: {error.problem}", INDENTATION)
    if start >= len(text.rstrip()) and (opened := _left_open(text)) is not None:
        bracket = text[opened]
        return _Fault("AP1015", opened, f"`{bracket}` is never closed", f"close it with `{_PAIRS[bracket]}`")
    if words.fragment == "document start" and "\n..." not in text[:start]:
        return _Fault("AP1015", start, "this is indented less than the first line", "indent both lines alike")
    if context is not None and (words.at_context or start >= len(text.rstrip())):
        start = context
    return _Fault("AP1015", start, words.message.format(char=char or "the end"), words.help)


def _left_open_above(text: str, error: MarkedYAMLError) -> int | None:
    """The bracket the parser was in, where by its looks the line of a fault is no part of what it opened."""
    if error.context_mark is None or error.problem_mark is None:
        return None
    opened, start = error.context_mark.index, error.problem_mark.index
    first, upper = text.rfind("\n", 0, start) + 1, text.rfind("\n", 0, opened) + 1
    below = FRESH.match(text, first)
    around = len(text[upper:]) - len(text[upper:].lstrip(" "))
    beyond = first > opened and below is not None and len(below[1]) <= around
    return opened if beyond and text[opened] in _PAIRS else None


FRESH = re.compile(r"( *)(?:- |[A-Za-z_][\w-]*:[ \n])")
_PAIRS = {"[": "]", "{": "}"}
_BRACKETS_AND_TEXTS = re.compile(
    r"""[\[\]{}]|(?<![^\s\[{,:])(?:"[^"\\]*(?:\\.[^"\\]*)*"|'[^']*(?:''[^']*)*')"""  # outside of texts in quotes,
    r"""|(?<!\S)#[^\n]*"""  # and of comments
)


def _left_open(text: str) -> int | None:
    """The first bracket of the last lines that nothing closes, as far as brackets alone tell."""
    open_: list[int] = []
    first = max(text.rfind("\n", 0, max(len(text) - QUOTED_MAX, 0)), 0)
    for found in _BRACKETS_AND_TEXTS.finditer(text, first):
        if found[0] in _PAIRS:
            open_.append(found.start())
        elif found[0] in "]}" and open_:
            open_.pop()
    return open_[0] if open_ else None


def _misplaced(text: str, start: int, line: str, what: str) -> _Fault:
    """The parser found something that continues nothing; `line` is what stands before it."""
    char = text[start : start + 1]
    if text.startswith("//", start):
        message, help_ = "a `//` where a comment may begin", "a comment begins with `#`"
    elif "{{" in line:
        message, help_ = BEHIND_TEMPLATE, 'put the whole text in quotes: "{{ ... }} ..."'
    elif QUOTE_CLOSED.search(line):
        message, help_ = BEHIND_QUOTES, "put it inside the quotes; write a quote inside twice"
    elif char and char in "]}":
        message, help_ = f"a `{char}` that nothing opened", "remove it, or open it before"
    else:
        message, help_ = f"this does not fit the {what} it stands in", INDENTATION
    return _Fault("AP1015", start, message, help_)
