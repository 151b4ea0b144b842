"""Bytes, lines and characters of a file."""

from autopack.spec.patterns import put_off

BYTES_MAX = 10 * 1024 * 1024  # of one file
SPLIT = "split it: a playbook takes tiers and phases from other files with `uses:`"
BOM = b"\xef\xbb\xbf"
BREAK = put_off(r"\r\n|\r|\n")  # what editors count as lines; YAML's further ones are ordinary characters


def readable(source: bytes) -> str:
    """A file's text for showing it: as `Document.text`, and with U+FFFD for what is not UTF-8."""
    return source.decode("utf-8-sig", "replace")
