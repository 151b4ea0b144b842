"""Answers of `validate` that would be the same again, kept under the user's cache folder.

An answer is found by what was asked (folder, arguments, terminal, the variables that choose a format) and by whom
(this very autopack), and given when every file, folder and gap it was made from is as it was, and, where a day decides
about anything, on that day only. A cache that is broken, full or not writable is no cache: nothing is said about it.
Several processes may use it at once: an answer is put in its place in one step. `--no-cache` looks away.
"""

from __future__ import annotations

import marshal
import os
import sys
import time

import autopack
from autopack.spec.seen import REGULAR, TYPE, Seen, digest, still

TYPE_CHECKING = False  # typing's own would cost its import, which is most of what an answer may cost
if TYPE_CHECKING:
    from collections.abc import Sequence

ENTRIES_MAX = 512
KEPT = 384  # of so many, the newest, once there are more
BYTES_MAX = 256 * 1024  # of one answer: all of them stay below 128 MB
DIGEST_BYTES = 16
SOURCES = ("", "problem", "problem/formats", "spec", "spec/rules", "plan", "views", "../schemas", "_shipped/schemas")
ENVIRONMENT = ("GITHUB_ACTIONS", "GITHUB_WORKSPACE", "CI_PROJECT_DIR", "NO_COLOR", "PYTHONIOENCODING", "PYTHONUTF8")


class Answer:
    """What is printed, and the exit code."""

    __slots__ = ("code", "text")

    def __init__(self, text: str, code: int) -> None:
        self.text = text
        self.code = code


def recall(arguments: Sequence[str]) -> Answer | None:
    """The answer to this command line, if it is known."""
    place = _place(arguments)
    try:
        if os.stat(place).st_mode & TYPE != REGULAR:  # a pipe would block
            return None
        with open(place, "rb", buffering=0) as file:
            kept = file.read(BYTES_MAX + 1)
    except OSError:
        return None
    body = kept[DIGEST_BYTES:]
    if kept[:DIGEST_BYTES] != digest(body):  # cut off or damaged: marshal must never see it
        return None
    try:
        day, facts, text, code = marshal.loads(body)  # noqa: S302 - what we wrote, by its digest
        if (day and day != today()) or not still(facts) or not (type(text) is str and type(code) is int):
            return None
    except (ValueError, TypeError, EOFError, AttributeError):  # the digest fits, but no autopack wrote this
        return None
    return Answer(text, code)


def keep(arguments: Sequence[str], seen: Seen, answer: Answer, *, dated: bool) -> None:
    """Remembers an answer; `dated`: it holds today."""
    if not seen.whole:
        return
    body = marshal.dumps((today() if dated else "", seen.facts, answer.text, answer.code))
    if len(body) + DIGEST_BYTES > BYTES_MAX:
        return
    place = _place(arguments)
    beside = f"{place}.{os.getpid()}"
    try:
        os.makedirs(os.path.dirname(place), 0o700, exist_ok=True)
        with open(beside, "xb") as file:
            file.write(digest(body) + body)
        os.replace(beside, place)
        _trim(os.path.dirname(place))
    except OSError:
        return


def today() -> str:
    """Local date, 2027-01-31: what has expired is judged where the person is. `datetime` would cost 3 ms of import."""
    return time.strftime("%Y-%m-%d")


def _place(arguments: Sequence[str]) -> str:
    asked = (
        autopack.__version__,
        sys.version,
        _written(),
        os.getcwd(),
        tuple(arguments),
        sys.stdout.isatty(),
        [os.environ.get(name) for name in ENVIRONMENT],
    )
    return os.path.join(_folder(), digest(repr(asked).encode("utf-8", "surrogateescape")).hex())


def _folder() -> str:
    told = os.environ.get("XDG_CACHE_HOME", "")
    home = told if os.path.isabs(told) else os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "autopack", "validate")


def _written() -> list[tuple[str, int]]:
    """When autopack itself was last changed: in a checkout one version has many contents."""
    package = os.path.dirname(autopack.__file__)
    found = []
    for folder in SOURCES:
        try:
            with os.scandir(os.path.join(package, folder)) as entries:
                found += [
                    (each.name, each.stat().st_mtime_ns) for each in entries if each.name.endswith((".py", "json"))
                ]
        except OSError:
            continue
    return sorted(found)


def _trim(folder: str) -> None:
    """The oldest go; that another process takes the same one away is no trouble."""
    names = os.listdir(folder)
    if len(names) <= ENTRIES_MAX:
        return
    aged = sorted((_age(os.path.join(folder, name)), name) for name in names)
    for _, name in aged[: len(names) - KEPT]:
        try:
            os.unlink(os.path.join(folder, name))
        except FileNotFoundError:
            continue


def _age(place: str) -> float:
    try:
        return os.stat(place).st_mtime
    except FileNotFoundError:
        return 0.0
