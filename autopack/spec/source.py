"""Bytes, lines and characters of a file."""

import re

BYTES_MAX = 10 * 1024 * 1024  # of one file
SPLIT = "split it into modules (`uses:`)"
BOM = b"\xef\xbb\xbf"
BREAK = re.compile(r"\r\n|\r|\n")  # what editors count as lines; YAML's further ones are ordinary characters
FORBIDDEN = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def readable(source: bytes) -> str:
    """A file's text for showing it: as `Document.text`, and with U+FFFD for what is not UTF-8."""
    return source.decode("utf-8-sig", "replace")
