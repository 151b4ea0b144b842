"""What makes a person's git start a program of somebody else's choosing, by name and digest of its content."""

import hashlib
import os
import re
from collections.abc import Iterator

from autopack.runners.git.repository import Repository

# Ordinary commands write these sections: new branches and remotes. They start nothing.
_HARMLESS = re.compile(r'\[\s*(?:branch|remote)\s+"(?:[^"\\\n]|\\.)*"\s*\]', re.IGNORECASE)
_REMOTE_PROGRAMS = re.compile(r"^\s*(?:uploadpack|receivepack|vcs|proxy)\s*=", re.IGNORECASE)


def watched(repository: Repository) -> dict[str, str]:
    """Hooks, attributes and settings of the user's repository."""
    return dict(_found(repository.common_dir))


def _found(folder: str) -> Iterator[tuple[str, str]]:
    for name in ("config", "config.worktree", "info/attributes"):
        data = _read(os.path.join(folder, name))
        if data is not None:
            yield name, _digest(_settings(data) if name.startswith("config") else data)
    hooks = os.path.join(folder, "hooks")
    for name in sorted(os.listdir(hooks)) if os.path.isdir(hooks) else ():
        data = _read(os.path.join(hooks, name))
        if data is not None and not name.endswith(".sample"):
            yield f"hooks/{name}", _digest(data)


def _settings(data: bytes) -> bytes:
    kept, harmless = [], False
    for line in data.decode("utf-8", "surrogateescape").splitlines():
        if line.lstrip().startswith("["):
            harmless = _HARMLESS.fullmatch(line.strip()) is not None
        if not harmless or _REMOTE_PROGRAMS.match(line):
            kept.append(line)
    return "\n".join(kept).encode("utf-8", "surrogateescape")


def _read(path: str) -> bytes | None:
    try:
        with open(path, "rb") as file:
            return file.read()
    except OSError:
        return None


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
