"""What the parser can't read, in plain words and at the place that says most."""

import re
from typing import NamedTuple

from autopack.problem import Fix, Label
from autopack.spec import tokens
from autopack.spec.findings import Findings, in_quotes
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
    if fault.message == BEHIND_QUOTES and (opened := _opening_quote(found.text, start)) is not None:
        first, last = opened
        label = found.label(last, last + 1, "closed only here, and text follows")
        message = "quotes that are not closed where they should be"
        found.report(fault.code, message, *token(found.text, first), (label,), CLOSE)
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
INDENTATION = "compare the indentation of this line with the lines above"
PLAIN_WORDS = (
    _Words(
        "mapping values are not allowed",
        "a `:` makes a key of what stands where no key can be",
        f"put the text in quotes if the colon belongs to it; otherwise {INDENTATION}",
    ),
    _Words(
        "could not find expected ':'",
        "a line that is neither a key with `:` nor part of the value above",
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
    _Words("',' or ']'", "a `,` or the `]` of this list is missing", "add the one that is missing"),
    _Words("',' or '}'", "a `,` or the `}}` of this mapping is missing", "add the one that is missing"),
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
        return _misplaced(start, char, line, "list" if "collection" in said else "mapping")
    words = next((words for words in PLAIN_WORDS if words.fragment in said), None)
    if words is None:
        return _Fault("AP1015", start, f"not valid YAML: {error.problem}", INDENTATION)
    if start >= len(text.rstrip()) and (opened := _left_open(text)) is not None:
        bracket = text[opened]
        return _Fault("AP1015", opened, f"`{bracket}` is never closed", f"close it with `{_PAIRS[bracket]}`")
    if context is not None and (words.at_context or start >= len(text.rstrip())):
        start = context
    return _Fault("AP1015", start, words.message.format(char=char or "the end"), words.help)


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


def _misplaced(start: int, char: str, line: str, what: str) -> _Fault:
    """The parser found something that continues nothing; `line` is what stands before it."""
    if "{{" in line:
        message, help_ = BEHIND_TEMPLATE, 'put the whole text in quotes: "{{ ... }} ..."'
    elif QUOTE_CLOSED.search(line):
        message, help_ = BEHIND_QUOTES, "put it inside the quotes; write a quote inside twice"
    elif char and char in "]}":
        message, help_ = f"a `{char}` that nothing opened", "remove it, or open it before"
    else:
        message, help_ = f"this does not fit the {what} it stands in", INDENTATION
    return _Fault("AP1015", start, message, help_)
