"""What editors have open, and what follows from it. Buffers win over files; nothing is ever written.

Everything derived is kept until something changes, then thrown away as a whole: a project is small, and a stale answer
costs more than a check.
"""

import os
import posixpath
import re
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from functools import partial
from typing import Any, NamedTuple, TypeVar

from lsprotocol.types import Location
from pygls import uris

from autopack.plan.compiler import compile as compile_spec
from autopack.plan.model import Plan
from autopack.problem import Problem, Span, order
from autopack.spec.document import Document, read
from autopack.spec.files import SCENARIOS, cached
from autopack.spec.header import PROJECT
from autopack.spec.load import Government, check, government, load
from autopack.spec.lock import LOCK, Unreadable, pins
from autopack.spec.seen import SUFFIXES
from autopack.spec.source import BYTES_MAX, readable
from autopack.views.compiling import COMPILE
from autopack.views.lsp.mentions import REMOTE, Mention, mentions, used
from autopack.views.lsp.places import Text, holds

T = TypeVar("T")

OURS = re.compile("^\ufeff?autopack:", re.MULTILINE)
AT_ONCE_MAX = 200_000  # bytes of a text that is read at every change; a longer one at the next pause
ACROSS = frozenset({"ruleset", "scenario"})  # kinds that speak of other files' phases; elsewhere ids stay in their file


class Buffer(NamedTuple):
    uri: str
    version: int | None
    text: str
    source: bytes


class Found(NamedTuple):
    """Findings of a project, and the paths of the files that were judged."""

    problems: list[Problem]
    files: tuple[str, ...]


class Workspace:
    """Files are called by their absolute path on this machine, their `place`."""

    def __init__(self) -> None:
        self.encoding = "utf-16"
        self.buffers: dict[str, Buffer] = {}
        self._readable: dict[str, bytes] = {}  # the last content of each buffer that had a meaning
        self._kept: dict[tuple[str, ...], Any] = {}

    # --- buffers ---

    def put(self, uri: str, version: int | None, text: str) -> str | None:
        """A buffer that was opened or changed; its place, None for what is no file."""
        place = uris.to_fs_path(uri)
        if place is None:
            return None
        source = text.encode("utf-8", "surrogatepass")
        self.buffers[place] = Buffer(uri, version, text, source)
        self.forget()
        if len(source) <= AT_ONCE_MAX:
            self.settle(place)
        return place

    def settle(self, place: str) -> None:
        """Keeps the content of a buffer, if it has a meaning, for the time when it has none."""
        if (document := self.document(place)) is not None:
            self._readable[place] = document.text.encode("utf-8", "surrogatepass")

    def close(self, uri: str) -> str | None:
        place = uris.to_fs_path(uri)
        if place is not None and self.buffers.pop(place, None) is not None:
            self._readable.pop(place, None)
            self.forget()
        return place

    def forget(self) -> None:
        """Something changed, here or on disk."""
        self._kept.clear()

    def _once(self, key: tuple[str, ...], make: Callable[[], T]) -> T:
        if key not in self._kept:
            self._kept[key] = make()
        found: T = self._kept[key]
        return found

    # --- places ---

    def uri(self, place: str) -> str:
        """As the editor spells it, where it has the file open."""
        if place in self.buffers:
            return self.buffers[place].uri
        return uris.from_fs_path(place) or place

    def root(self, place: str) -> str:
        """The folder of the project that governs a file; its own folder where there is none."""
        folder = own = os.path.dirname(place)
        while True:
            project = os.path.join(folder, PROJECT)
            if project in self.buffers or os.path.isfile(project):
                return folder
            above = os.path.dirname(folder)
            if above == folder:
                return own
            folder = above

    def path(self, place: str) -> str:
        """As findings show it."""
        return os.path.relpath(place, self.root(place)).replace(os.sep, "/")

    def place(self, root: str, path: str) -> str | None:
        """Where a path that a finding or document shows is; None for what is no file."""
        if path.startswith("builtin:"):
            return self.governing(os.path.join(root, PROJECT)).places.get(path)
        return None if path.startswith(REMOTE) else os.path.normpath(os.path.join(root, path))

    def text(self, place: str) -> Text:
        """What the editor shows of a file; of one that is not open, what is saved."""
        return self._once(("text", place), partial(self._text, place))

    def _text(self, place: str) -> Text:
        if place in self.buffers:
            return Text(self.buffers[place].text, self.encoding)
        try:
            with open(place, "rb") as file:
                return Text(readable(file.read(BYTES_MAX)), self.encoding)
        except OSError:
            return Text("", self.encoding)

    def location(self, root: str, span: Span) -> Location | None:
        place = self.place(root, span.path)
        return None if place is None else Location(self.uri(place), self.text(place).range(span))

    # --- what is known ---

    def document(self, place: str) -> Document | None:
        """An open file as it is now; None when it can't be read or isn't open."""
        return self._once(("document", place), partial(self._document, place, "source"))

    def last_document(self, place: str) -> Document | None:
        """An open file as it was when it last could be read."""
        return self.document(place) or self._once(("last", place), partial(self._document, place, "readable"))

    def _document(self, place: str, what: str) -> Document | None:
        buffer = self.buffers.get(place)
        source = self._readable.get(place) if what == "readable" else buffer and buffer.source
        return None if source is None else read(self.path(place), source)[0]

    def governing(self, place: str) -> Government:
        """Who says what the file may refer to; a buffer that can't be read counts as it was when it could."""
        found = {each: self._readable.get(each, buffer.source) for each, buffer in self.buffers.items()}
        return self._once(("government", place), lambda: government(self.root(place), self.path(place), found))

    def checked(self, root: str) -> Found:
        """As `validate`: of the whole project in `root`, and of the open files below it that it doesn't name."""
        return self._once(("checked", root), partial(self._checked, root))

    def _checked(self, root: str) -> Found:
        sources = {place: buffer.source for place, buffer in self.buffers.items()}
        today = time.strftime("%Y-%m-%d")
        project = os.path.join(root, PROJECT)
        whole = Found([], ())
        if project in self.buffers or os.path.isfile(project):
            judged = check(root, None, today=today, instead=sources, compile=COMPILE)
            whole = Found(judged.problems, judged.files)
        others = [self.path(place) for place in self._opened(root) if self.path(place) not in whole.files]
        if not others:
            return whole
        more = check(root, others, today=today, instead=sources, compile=COMPILE)
        return Found(order([*whole.problems, *more.problems]), (*whole.files, *more.files))

    def _opened(self, root: str) -> Iterator[str]:
        """Open files of this root with our header."""
        for place, buffer in self.buffers.items():
            if self.root(place) == root and OURS.search(buffer.text):
                yield place

    def plan(self, place: str) -> Plan | None:
        """The plan of a playbook with the defaults of its inputs; None where it has none yet."""
        return self._once(("plan", place), partial(self._plan, place))

    def _plan(self, place: str) -> Plan | None:
        sources = {each: buffer.source for each, buffer in self.buffers.items()}
        spec, _ = load(self.root(place), self.path(place), {}, instead=sources)
        return None if spec is None else compile_spec(spec)[0]

    def problems_at(self, place: str, line: int, column: int) -> list[Problem]:
        found, path = self.checked(self.root(place)).problems, self.path(place)
        return [each for each in found if each.span and each.span.path == path and holds(each.span, line, column)]

    # --- names ---

    def governed(self, place: str) -> list[Document]:
        """The file and the documents that say what it may refer to, the nearest first."""
        who = self.governing(place)
        others = (who.project, *who.rulesets, who.ci, who.models, *who.playbooks)
        return self._with_modules(self.root(place), (self.last_document(place), *others))

    def related(self, place: str) -> list[Document]:
        """Every document in which names of this file may be declared or used, the file first."""
        root = self.root(place)
        opened = (self.last_document(each) for each in self._opened(root))
        return self._with_modules(root, (*self.governed(place), *opened, *self._scenarios(root)))

    def _scenarios(self, root: str) -> Iterator[Document | None]:
        """The project's own, which nothing names."""
        folder = os.path.join(root, SCENARIOS)
        for name in sorted(os.listdir(folder)) if os.path.isdir(folder) else ():
            if name.endswith(SUFFIXES):
                yield self._module(root, f"{SCENARIOS}/{name}")

    def _speaks_of(self, root: str, document: Document, homes: Collection[str]) -> bool:
        """Whether a file's phases, which it does not declare, may be those of these files."""
        if document.kind != "scenario":
            return document.kind in ACROSS
        named = document.value.get("playbook") if isinstance(document.value, dict) else None
        path = self.module(root, document, named) if isinstance(named, str) else None
        return path is None or path in homes

    def _with_modules(self, root: str, documents: Iterable[Document | None]) -> list[Document]:
        """Each document once, followed in the end by the modules they take phases from."""
        waiting = [document for document in documents if document is not None]
        found: dict[str, Document] = {}
        for document in waiting:
            if document.path not in found:
                found[document.path] = document
                waiting += filter(None, (self._module(root, path) for path in self.uses(root, document)))
        return list(found.values())

    def uses(self, root: str, document: Document) -> list[str]:
        """The paths of the modules a file takes tiers and phases from; remote ones left out."""
        found = (self.module(root, document, named) for named in used(document))
        return [path for path in found if path is not None]

    def module(self, root: str, document: Document, named: str) -> str | None:
        """A module's path: from its user's folder or, where there is nothing, from the project's."""
        if named.startswith(REMOTE):
            return None
        near = posixpath.normpath(posixpath.join(posixpath.dirname(document.path), named))
        far = posixpath.normpath(named)
        return near if self._there(root, near) or not self._there(root, far) else far

    def module_place(self, place: str, document: Document, named: str) -> str | None:
        """Where a module is: in the checkout or, where the lock pins it and it was fetched, among what is kept."""
        root = self.root(place)
        if not named.startswith(REMOTE):
            path = self.module(root, document, named)
            return os.path.normpath(os.path.join(root, path)) if path else None
        try:
            with open(os.path.join(root, LOCK), "rb") as file:
                pin = pins(file.read()).get(named)
        except (OSError, Unreadable):
            return None
        return None if pin is None else cached(pin.sha256)

    def _there(self, root: str, path: str) -> bool:
        place = os.path.normpath(os.path.join(root, path))
        return place in self.buffers or os.path.isfile(place)

    def _module(self, root: str, path: str) -> Document | None:
        place = os.path.normpath(os.path.join(root, path))
        if place in self.buffers:
            return self.last_document(place)
        source = self.text(place).text.encode("utf-8", "surrogatepass")
        return self._once(("module", place), lambda: read(path, source)[0])

    def mentioned(self, place: str, line: int, column: int) -> Mention | None:
        """The name under a cursor."""
        document = self.document(place)
        return next((each for each in mentions(document) if holds(each.span, line, column)), None) if document else None

    def same(self, place: str, name: Mention) -> list[Mention]:
        """The name wherever it is declared or used, each token once."""
        documents = self.related(place)
        found = (each for document in documents for each in mentions(document))
        alike = [each for each in found if each.what == name.what and each.name == name.name]
        root = self.root(place)
        homes = _homes(name, alike, self.uses(root, name.document))
        within = {each.path for each in documents if each.path in homes or not homes.isdisjoint(self.uses(root, each))}
        across = name.what == "phase"
        spoken = {each.path for each in documents if across and self._speaks_of(root, each, within | homes)}
        reached = (each for each in alike if each.document.path in within or each.document.path in spoken)
        return list({each.span: each for each in reached}.values())

    def declared(self, place: str, what: str, kind: str) -> list[Mention]:
        """All names of a sort that a file of a kind may refer to, as far as they are known."""
        found = [each for document in self.governed(place) for each in mentions(document)]
        found = [each for each in found if each.what == what and each.declares]
        if kind in ACROSS or (what == "profile" and kind != "ci") or what == "category":
            return found
        own = self.last_document(place)
        within = {self.path(place), *(self.uses(self.root(place), own) if own else ())}
        return [each for each in found if each.document.path in within]


def _homes(name: Mention, alike: Iterable[Mention], modules: Iterable[str]) -> set[str]:
    """The files that declare what a name means; its own where none does, so that it is at least found there."""
    declaring = {each.document.path for each in alike if each.declares}
    everywhere = name.what in ("category", "profile") or name.document.kind in ACROSS
    if everywhere:
        return declaring | {each.document.path for each in alike}
    own = name.document.path
    return {own} if own in declaring else declaring & set(modules) or {own}
