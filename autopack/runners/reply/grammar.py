"""What a line of a reply can be: a marker, a fence, an order, a path."""

import re

SEARCH = re.compile(r"(<{5,9}) SEARCH")
DIVIDER = re.compile(r"(={5,9})")
REPLACE = re.compile(r"(>{5,9}) REPLACE")
ODD_MARKER = re.compile(r"<{5,9}(?: .*)?|>{5,9} ?REPLACE.*|<{3,} ?SEARCH.*|>{3,} ?REPLACE.*")
FENCE = re.compile(r"(?P<indent>[ ]{0,3})(?P<mark>`{3,}(?!.*`)|~{3,})(?P<info>.*)")
ORDER = re.compile(r"(?P<what>DELETE|RENAME):(?P<rest>.*)")
TICKED = re.compile(r"`(?P<text>[^`]+)`")
_HEADING = re.compile(r"#{1,6}\s+(?P<text>.*?)(?:\s+#+)?")
_BOLD = re.compile(r"\*\*(?P<text>[^*]+)\*\*")
_NAMED_FILE = re.compile(r"(?=\S*[/\\.])(?!\S*://)[^\s<>|*\"'`(,;!?][^\s<>|*\"'`,;!?]*[^\s<>|*\"'`),;:!?.]")
_WITHOUT_SUFFIX = re.compile(
    r"(?:Container|Docker|GNUmake|Gem|Jenkins|Just|Make|Pip|Proc|Rake|Vagrant|just|make)file"
    r"|AUTHORS|CHANGELOG|CODEOWNERS|CONTRIBUTING|COPYING|LICENSE|NOTICE|README"
)
_SOURCE = re.compile(
    r".*\.(?:pyi?|md|rst|txt|toml|ya?ml|json|cfg|ini|m?js|tsx?|jsx|css|html|sh|go|rs|java|kt|[ch]|cc|[ch]pp|cs|rb|php|sql|xml)"
)
_WORD = re.compile(r"[\w@.+/-]+")
PATH_LINE_CHARS_MAX = 1200


def files_in(text: str) -> list[str]:
    """Words that are names of source files."""
    words = (word.rstrip(".") for word in _WORD.findall(text))
    return [word for word in words if _SOURCE.fullmatch(word)]


def path_line(line: str) -> str | None:
    """The path, where a line is nothing but one: bare, in backticks, as a heading or bold."""
    if len(line) > PATH_LINE_CHARS_MAX:
        return None
    text = line.strip().removesuffix(":").rstrip()
    for wrapper in (_HEADING, _BOLD):
        inner = wrapper.fullmatch(text)
        text = inner["text"].removesuffix(":").rstrip() if inner else text
    ticked = TICKED.fullmatch(text)
    if ticked:
        return ticked["text"]
    return text if _WITHOUT_SUFFIX.fullmatch(text) or (_NAMED_FILE.fullmatch(text) and text.strip(".-_=/\\")) else None


def shape(width: int = 7) -> str:
    return f"`{'<' * width} SEARCH`, old lines, `{'=' * width}`, new lines, `{'>' * width} REPLACE`"
