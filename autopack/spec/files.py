"""Each file once: read, checked by itself, known by the path that findings show; the only reader of files here.

`builtin:NAME` stands for a file that ships with autopack. What an editor holds and has not saved wins over the file.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping

from autopack.problem import Label, Problem, problem
from autopack.problem.typed import TYPE_CHECKING, Any
from autopack.spec import schema, shipped
from autopack.spec.document import Document, read
from autopack.spec.header import PROJECT, VERSION, is_project
from autopack.spec.nearest import Advice, did_you_mean
from autopack.spec.seen import Seen
from autopack.spec.source import BYTES_MAX

if TYPE_CHECKING:
    from autopack.spec.lock import Pin

SCENARIOS = "scenarios"  # the project's folder of them
STDIN = "<stdin>"
BUILTIN = "builtin:"
REMOTE = "git+"
_NAMES_MAX = 500  # of one folder, to look through for what was meant
FOLDERS = {"ruleset": "", "ci": "ci", "models": "models"}  # below the shipped `rulesets`, by kind


class Unusable(Exception):
    """Why a file can't be read, in words that follow its name, and what to do about it."""

    def __init__(self, reason: str, advice: str = "write the file, or correct the path", code: str = "AP3007") -> None:
        super().__init__(reason)
        self.advice = advice
        self.code = code


class OutOfReach(Exception):
    """A remote module that nobody has looked at: a code, the fact and the next action."""

    def __init__(self, code: str, fact: str, action: str) -> None:
        super().__init__(fact)
        self.code = code
        self.fact = fact
        self.action = action


class File:
    """A file that was read.

    `place` is where it is on this machine, "" for stdin. `value` is None, in whole or in parts, for what no later
    check may look at.
    """

    __slots__ = ("document", "path", "place", "problems", "value")

    def __init__(self, path: str, place: str, document: Document | None, value: Any, problems: list[Problem]) -> None:
        self.path = path
        self.place = place
        self.document = document
        self.value = value
        self.problems = problems

    @property
    def kind(self) -> str | None:
        return None if self.document is None else self.document.kind

    @property
    def broken(self) -> bool:
        return broken(self.problems)


def _with_prefix(advice: str) -> str:
    """The word it proposes as the reference would spell it."""
    word = advice.word if isinstance(advice, Advice) else None
    return Advice(str(advice), word and BUILTIN + word)


class Library:
    """Each file once, by the path findings show."""

    def __init__(self, root: str, instead: Mapping[str, bytes] | None = None) -> None:
        self.root = os.path.abspath(root)
        self.files: dict[str, File] = {}
        self.seen = Seen()
        self.instead = instead or {}
        self._limits: dict[str, str] = {}
        self._tops: dict[str, str] = {}

    def open(self, place: str, path: str | None = None) -> File:
        """Raises Unusable."""
        place = os.path.abspath(place)
        path = path or os.path.relpath(place, self.root).replace(os.sep, "/")
        if path not in self.files:
            self.add(path, place, self.content(place))
        return self.files[path]

    def follow(self, place: str, home: str) -> File:
        """What a file refers to; `home` is the folder of its project, or its own. Raises Unusable.

        Whoever checks a stranger's repository shows lines of what it refers to, so nothing beyond it is followed, also
        not through links. A file that is named on the command line is opened wherever it is.
        """
        if not self.inside(place, home):
            advice = "copy it into the repository"
            raise Unusable("leads out of the repository, so it is not followed", advice, "AP3011")
        return self.open(place)

    def top(self, folder: str) -> str:
        """How far up to look for the project of what is in a folder."""
        if folder not in self._tops:
            self._tops[folder] = repository(folder) or self.root
        return self._tops[folder]

    def inside(self, place: str, home: str) -> bool:
        """Whether a file is in the repository around a folder, wherever links lead; without git, in the folder."""
        if home not in self._limits:
            around = home if within(home, self.root) is None else self.root
            self._limits[home] = os.path.realpath(repository(home) or around)
        return "\0" in place or within(os.path.realpath(place), self._limits[home]) is not None

    def content(self, place: str) -> bytes:
        """Raises Unusable."""
        if place in self.instead:
            self.seen.whole = False
            return self.instead[place]
        try:
            source = content_of(place)
        except Unusable:
            self.seen.whole = False  # why not may change in many ways
            raise
        self.seen.file(place, source)
        return source

    def there(self, place: str) -> bool:
        """Whether a file is there, which is remembered where it is not: where it is, it is read."""
        place = os.path.abspath(place)
        found = place in self.instead or os.path.isfile(place)
        if not found:
            self.seen.absent(place)
        return found

    def named(self, folder: str, path: str) -> bool:
        """Whether there is anything of this name below a folder; whether there is, is remembered."""
        place = os.path.abspath(os.path.join(folder, path))
        self.seen.names(os.path.dirname(place))
        return place in self.instead or os.path.lexists(place)

    def like(self, folder: str, path: str) -> str | None:
        """A name beside it that may have been meant."""
        head = os.path.dirname(path)
        try:
            names = os.listdir(os.path.join(folder, head))
        except OSError:
            return None
        return did_you_mean(path, [os.path.join(head, name) for name in sorted(names)[:_NAMES_MAX]])

    def add(self, path: str, place: str, source: bytes) -> File:
        document, problems = read(path, source)
        value: Any = None
        if document is not None and path.startswith(BUILTIN):
            value = document.value  # shipped files are checked by the tests
        elif document is not None and is_project(path) and document.kind not in (None, "project"):
            problems = [*problems, _no_project(document)]
        elif document is not None:
            value, more = schema.check(document)
            more = _without_consequences(problems, more)
            problems = _with_what_was_swallowed(_without_doubts(problems, more), more)
        self.files[path] = File(path, place, document, value, problems)
        return self.files[path]

    def remote(self, named: str, pins: Mapping[str, Pin]) -> File:
        """What the lock pins, from the cache. Raises Unusable, OutOfReach."""
        from autopack.spec.lock import sha256  # noqa: PLC0415 - most projects take nothing from elsewhere

        if named in self.files:
            return self.files[named]
        pin = pins.get(named)
        if pin is None:
            raise OutOfReach("AP7002", f'"{named}" is not pinned', "pin it with `autopack lock`, and commit the lock")
        try:
            content = content_of(cached(pin.sha256))
        except Unusable:
            content = b""
        if sha256(content) != pin.sha256:
            raise OutOfReach("AP7003", f'"{named}" is pinned and was not fetched', "fetch it with `autopack lock`")
        return self.add(named, "", content)

    def builtin(self, kind: str, name: str) -> File:
        """Raises Unusable."""
        if kind not in FOLDERS:
            raise Unusable(f"is no path to a {kind}", f"only {', '.join(FOLDERS)} can be `{BUILTIN}`")
        folder = os.path.join(shipped.folder("rulesets"), FOLDERS[kind])
        place = os.path.join(folder, f"{name}.yaml")
        if "/" in name or not os.path.isfile(place):
            known = self.shipped(kind)
            advice = did_you_mean(name, known) or f"there are: {', '.join(known)}"
            raise Unusable(f"is no {kind} that ships with autopack", _with_prefix(advice))
        return self.open(place, BUILTIN + name)

    def shipped(self, kind: str) -> list[str]:
        """The names behind `builtin:` of a kind."""
        folder = os.path.join(shipped.folder("rulesets"), FOLDERS[kind]) if kind in FOLDERS else os.devnull
        entries = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        return [entry.removesuffix(".yaml") for entry in entries if entry.endswith(".yaml")]


def _no_project(document: Document) -> Problem:
    """One finding, and none about what a file of its kind would need: nobody knows which of the two was meant."""
    message = f"{PROJECT} is a file of kind {document.kind}, not project"
    advice = f"write `project/v{VERSION}`, or give the file another name"
    return problem("AP3008", message, document.span(("autopack",)), (), advice)


def _with_what_was_swallowed(found: list[Problem], more: list[Problem]) -> list[Problem]:
    """A key that is missing because the text above swallowed it is one fault: told as missing, with the line."""
    for each in [each for each in found if each.code == "AP1021" and each.span]:
        name = each.message.rpartition(" ")[2]
        missing = [index for index, other in enumerate(more) if other.message.startswith(f"{name} is missing in ")]
        before = [index for index in missing if (more[index].span or (0,))[1:3] <= each.span[1:3]] if each.span else []
        if before and each.span:
            label = Label(each.span, each.message)
            more[before[-1]] = more[before[-1]]._replace(labels=(label,), help=each.help)
            found = [other for other in found if other is not each]
    return found + more


_DOUBTFUL = frozenset({"AP1006", "AP1018", "AP1022", "AP1023"})  # after them nobody knows what was to be there


def _without_consequences(found: list[Problem], more: list[Problem]) -> list[Problem]:
    """What the schema says about a token in which the text itself is at fault is said already."""
    told = {each.span[:3] for each in found if each.code in _DOUBTFUL and each.span}
    return [each for each in more if each.span is None or each.span[:3] not in told] if told else more


_DOUBTS = frozenset({"AP1017", "AP1028"})  # what a value may not be meant to be


def _without_doubts(found: list[Problem], more: list[Problem]) -> list[Problem]:
    """A value that is refused is not doubted as well."""
    if not any(each.code in _DOUBTS for each in found):
        return found
    refused = {each.span[:3] for each in more if each.span}
    return [each for each in found if each.code not in _DOUBTS or not each.span or each.span[:3] not in refused]


def shipped_place(path: str) -> str | None:
    """Where the file is that findings call `builtin:NAME`; None for any other path."""
    name = path.removeprefix(BUILTIN)
    if name == path or "/" in name:
        return None
    places = (os.path.join(shipped.folder("rulesets"), folder, f"{name}.yaml") for folder in FOLDERS.values())
    return next(filter(os.path.isfile, places), None)


def within(place: str, folder: str) -> str | None:
    """The way from a folder to something in it; None where it isn't."""
    if folder in (place, os.sep):
        return place[len(folder) :]
    return place[len(folder) + 1 :] if place.startswith(folder + os.sep) else None


def repository(folder: str) -> str | None:
    """The nearest folder upwards that git calls a repository."""
    while not os.path.lexists(os.path.join(folder, ".git")):
        above = os.path.dirname(folder)
        if above == folder:
            return None
        folder = above
    return folder


def content_of(place: str) -> bytes:
    """The content of a regular file; nothing else is opened, for a pipe would block. Raises Unusable."""
    try:
        mode = os.stat(place).st_mode
        if stat.S_ISDIR(mode):
            raise Unusable("is a folder")
        if not stat.S_ISREG(mode):
            raise Unusable("is not a regular file")
        with open(place, "rb") as file:
            return file.read(BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise Unusable("is a link that leads nowhere" if os.path.islink(place) else "does not exist") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else None
        raise Unusable(f"cannot be read: {(reason or str(error)).lower()}") from error


def cached(digest: str) -> str:
    """Where a fetched module is kept, by its content."""
    told = os.environ.get("XDG_CACHE_HOME", "")
    home = told if os.path.isabs(told) else os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "autopack", "modules", f"{digest}.yaml")


def folder_of(library: Library, file: File | None) -> str:
    return os.path.dirname(file.place) if file is not None and file.place else library.root


def broken(problems: Iterable[Problem]) -> bool:
    return any(found.severity == "error" for found in problems)
