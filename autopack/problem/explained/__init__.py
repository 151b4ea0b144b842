"""What `explain` says about a code: one page each, in Markdown, beside this file.

A page tells what to do about the finding, then shows files that get it and the same files mended. A fence names its
file behind the language; without a name it is what a run says. Where a file can't be shown as it is, the fence says
`escaped`: there `\\x00` is one byte and `(text){1,000}` the text a thousand times.
"""

import os.path
import re
from typing import NamedTuple

_HERE = os.path.dirname(os.path.abspath(__file__))
_SECTIONS = re.compile(r"(?s)(?P<advice>.*?)\n## Fails\n(?P<failing>.*?)\n## Fixed\n(?P<fixed>.*)")
_FENCE = re.compile(r"(?ms)^```(?P<info>[^\n]*)\n(?P<text>.*?)^```$")
_TIMES = re.compile(r"\(([^)]*)\)\{([0-9,]+)\}")
_BYTE = re.compile(rb"\\x([0-9a-f]{2})")


class File(NamedTuple):
    name: str  # "": no file, but what a run says
    text: str  # as the page shows it
    escaped: bool

    @property
    def content(self) -> bytes:
        if not self.escaped:
            return self.text.encode()
        repeated = _TIMES.sub(lambda found: found[1] * int(found[2].replace(",", "")), self.text)
        return _BYTE.sub(lambda found: bytes.fromhex(found[1].decode()), repeated.encode())


class Explanation(NamedTuple):
    advice: str
    failing: tuple[File, ...]
    fixed: tuple[File, ...]


def explanation(code: str) -> Explanation:
    """The page of a code of `CODES`; every one has a page."""
    with open(page_of(code), encoding="utf-8") as file:
        page = _SECTIONS.fullmatch(file.read())
    if page is None:
        raise ValueError(f"{code}.md: first what to do, then `## Fails` and `## Fixed`")
    return Explanation(page["advice"].strip(), _files(page["failing"]), _files(page["fixed"]))


def page_of(code: str) -> str:
    """Where the page of a code is on this machine."""
    return os.path.join(_HERE, f"{code}.md")


def _files(section: str) -> tuple[File, ...]:
    """The fenced blocks. The first word behind the fence is the language, for whoever shows the page in colours."""
    found = ((fence["info"].split()[1:], fence["text"]) for fence in _FENCE.finditer(section))
    return tuple(File(words[0] if words else "", text, "escaped" in words[1:]) for words, text in found)
