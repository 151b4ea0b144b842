"""A file's bytes as text: encoding, size, and what makes it no text at all."""

import re

from autopack.problem import Label, Problem, Span, problem
from autopack.spec.findings import FINDINGS_MAX
from autopack.spec.patterns import put_off
from autopack.spec.places import Places
from autopack.spec.source import BYTES_MAX, SPLIT

LINES_MAX = 500_000  # of one file
CONFLICT = put_off(r"^([<|=>])\1{6}(?: [^\r\n]*)?(?=\r?$)", re.MULTILINE)
CONFLICT_PARTS = {"|": "what both started from", "=": "the other version starts here", ">": "and ends here"}


def decoded(path: str, source: bytes) -> tuple[str, list[Problem]]:
    if len(source) > BYTES_MAX:
        message = f"the file has more than {BYTES_MAX:,} bytes"
        return "", [problem("AP1013", message, Span(path, 1, 1, 1, 1), (), SPLIT)]
    if source.count(b"\n") + source.count(b"\r") - source.count(b"\r\n") > LINES_MAX:
        message = f"the file has more than {LINES_MAX:,} lines"
        return "", [problem("AP1026", message, Span(path, LINES_MAX + 1, 1, LINES_MAX + 1, 1), (), SPLIT)]
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        return "", [_not_utf8(path, source, error)]
    places = Places(path, text)
    if text.startswith("\ufeff"):  # libyaml would drop it and count all its places without it
        return text, [problem("AP1025", "a second byte order mark", places.span(0, 1), (), "remove it")]
    if (nul := text.find("\0")) >= 0:
        message = f"a NUL byte ({text.count(chr(0)):,} in the file)"
        return text, [problem("AP1011", message, places.span(nul, nul + 1), (), "is this a text file?")]
    if "<<<<<<<" in text and (conflicts := _conflicts(places)):
        return text, conflicts
    return text, []


def _not_utf8(path: str, source: bytes, error: UnicodeDecodeError) -> Problem:
    before = source[: error.start].decode()
    span = Places(path, before).span(len(before), len(before) + 1)
    what = "UTF-16" if source.startswith((b"\xff\xfe", b"\xfe\xff")) else f"byte 0x{source[error.start]:02x}"
    return problem("AP1012", f"not UTF-8: {what}", span, (), "save the file as UTF-8")


def _conflicts(places: Places) -> list[Problem]:
    """One finding for each `<<<<<<<`, with the markers that follow it as labels."""
    regions: list[tuple[re.Match[str], list[Label]]] = []
    for marker in CONFLICT.finditer(places.text):
        if marker[1] == "<" and len(regions) == FINDINGS_MAX:
            break
        if marker[1] == "<":
            regions.append((marker, []))
        elif regions and len(regions[-1][1]) < len(CONFLICT_PARTS):
            regions[-1][1].append(Label(places.span(*marker.span()), CONFLICT_PARTS[marker[1]]))
    message, help_ = "a merge conflict that is not resolved", "keep one version and delete the marker lines"
    return [problem("AP1010", message, places.span(*marker.span()), tuple(labels), help_) for marker, labels in regions]
