"""Remote modules: how they are named, and `autopack.lock`, which pins each to a commit and to what it holds.

Knows texts only. Nobody in this room fetches anything: what is pinned is read from a cache, by its sha256.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import NamedTuple

LOCK = "autopack.lock"
VERSION = 1

_NAME = re.compile(
    r"git\+(?P<url>(?:https|ssh|file)://[^\s#]+|/[^\s#]+)@(?P<ref>[A-Za-z0-9][\w./-]*)#(?P<path>[^\s#]+)"
)
_SHA256 = re.compile(r"[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")


class Remote(NamedTuple):
    """`git+https://host/repository.git@ref#path`, taken apart."""

    url: str
    ref: str
    path: str

    def __str__(self) -> str:
        return f"git+{self.url}@{self.ref}#{self.path}"

    def beside(self, path: str) -> "Remote":
        """A file of the same repository at the same ref, by its path from this one's folder."""
        folder, _, _ = self.path.rpartition("/")
        return self._replace(path=_normal(f"{folder}/{path}"))


class Pin(NamedTuple):
    commit: str
    sha256: str


class Unreadable(ValueError):
    """What is wrong with a lock or with the name of a remote module, in words that follow its name."""


def remote(named: str) -> Remote:
    """Raises Unreadable."""
    found = _NAME.fullmatch(named)
    if found is None or ".." in found["ref"] or found["ref"].endswith(".lock"):
        raise Unreadable("is no remote module: write git+https://host/repository.git@ref#path/in/it.yaml")
    path = _normal(found["path"])
    if path.startswith((".", "/")) or path != found["path"]:
        raise Unreadable("names a path that doesn't start at the repository's root or leaves it")
    return Remote(found["url"], found["ref"], path)


def _normal(path: str) -> str:
    """Without `.` and `..` inside; what leaves the root keeps its `..`."""
    parts: list[str] = []
    for part in path.split("/"):
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def pins(text: bytes) -> dict[str, Pin]:
    """The pins of a lock, by the name of the module. Raises Unreadable."""
    try:
        found = json.loads(text)
        if found["version"] != VERSION:
            raise Unreadable(f"is of version {found['version']}, this autopack knows {VERSION}")
        held = {name: Pin(pin["commit"], pin["sha256"]) for name, pin in found["modules"].items()}
        if not all(_COMMIT.fullmatch(pin.commit) and _SHA256.fullmatch(pin.sha256) for pin in held.values()):
            raise Unreadable("holds a pin that is no commit or no sha256")
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable("can't be read; write it anew with `autopack lock --update`") from error
    return held


def written(held: Mapping[str, Pin]) -> str:
    """The same pins give the same bytes."""
    modules = {name: held[name]._asdict() for name in sorted(held)}
    return json.dumps({"version": VERSION, "modules": modules}, indent=2) + "\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
