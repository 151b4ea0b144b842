"""Valid YAML that most likely does not say what was meant, seen in how a scalar is written.

Read a second time, and only where the text holds one of the signs: almost no file does.
"""

import re
from collections.abc import Callable
from typing import Any

from autopack.spec.findings import Findings, in_quotes
from autopack.spec.meant import straight
from autopack.spec.parser import ScalarEvent, StreamEndEvent, events

DOLLAR_TEMPLATE = re.compile(r"\$\{\{\s*(?:inputs|item|matrix|project|run)\b")
CUT = re.compile(r"[ \t]* (#[0-9][^\r\n]*)")
ITEM = re.compile(r"\n[ ]*(- +\S[^\r\n]*)")


def slips(found: Findings, source: bytes) -> bool:
    """Of a text that could be read; whether its lists hold what was meant."""
    before = len(found.problems)
    get: Callable[[], Any] = events(found.text, source)
    event: Any = None
    while type(event) is not StreamEndEvent:
        event = get()
        if type(event) is not ScalarEvent or event.start_mark is None or event.end_mark is None:
            continue
        start, end = event.start_mark.index, event.end_mark.index
        if not event.style:
            _plain(found, start, end, event.value)
        for dollar in DOLLAR_TEMPLATE.finditer(found.text, start, end):
            message = "a `$` before a template stays in the text"
            place = dollar.start(), dollar.start() + 1
            found.report("AP3035", message, *place, help="remove it: templates are `{{ ... }}`")
    return all(each.code != "AP1029" for each in found.problems[before:])


def _plain(found: Findings, start: int, end: int, value: str) -> None:
    written = found.text[start:end]
    if straight(value) != value:
        meant = in_quotes(straight(value))
        help_ = f"write {meant}" if meant else 'write straight ones: "'
        found.report("AP1028", "curly quotes are part of the text", start, end, help=help_, fix=meant)
    elif (item := ITEM.search(written)) is not None:
        label = found.label(start, start + len(written.split("\n", 1)[0].rstrip()), "this item goes on")
        message = "an item that became text of the one above, for it is indented deeper"
        found.report("AP1029", message, start + item.start(1), start + item.end(1), (label,), "indent both alike")
    elif (comment := CUT.match(found.text, end)) is not None and not _word(value):
        whole = in_quotes(f"{written}{comment[0]}".rstrip()) if "\n" not in written else None
        help_ = f"if it is text: {whole}" if whole else "put the text in quotes if it is text"
        found.report("AP1027", "a comment cuts off this text", *comment.span(1), help=f"{help_}; else write `# `")


def _word(value: str) -> bool:
    """Whether a comment may well stand behind it: it is no text for people."""
    return value[:1].isdigit() or value in ("true", "false", "null", "")
