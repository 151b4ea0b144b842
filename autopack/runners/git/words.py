"""What is written into objects: ids, people's names, messages, trailers."""

import re
from collections.abc import Mapping
from typing import NamedTuple

_ID = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
_TRAILER = re.compile(r"[A-Za-z][A-Za-z0-9-]*")


class Identity(NamedTuple):
    name: str
    email: str


def trailers(facts: Mapping[str, str]) -> str:
    """Lines for the end of a commit message, after an empty line. White space in a value becomes one space."""
    for key in facts:
        if not _TRAILER.fullmatch(key):
            raise ValueError(f"{key!r} is no trailer: letters, digits and hyphens only")
    return "".join(f"{key}: {' '.join(value.split())}\n" for key, value in facts.items())


def object_id(value: str) -> str:
    if not _ID.fullmatch(value):
        raise ValueError(f"{value!r} is no object id")
    return value


def message_bytes(text: str) -> bytes:
    """Ends with one line break, and holds nothing that git refuses: part of it was written by a model."""
    return (text.replace("\0", "").rstrip() + "\n").encode("utf-8", "replace")


def one_line(text: str) -> str:
    return " ".join(re.sub(r"[<>\x00]", " ", text).split())
