"""What governs a file: the files a project names, each followed once, and what is wrong with the references."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping

from autopack.problem import Label, Problem, problem
from autopack.problem.typed import Any
from autopack.spec import schema
from autopack.spec.at import Steps
from autopack.spec.files import BUILTIN, FOLDERS, File, Library, Unusable, folder_of
from autopack.spec.nearest import Advice, replacement

SHIPPED_DEFAULT = f"{BUILTIN}default"  # the one ruleset that extends nothing
WILD = frozenset("*?[")


_NOT_YET = object()


class Chain:
    """Rulesets, the farthest first; `whole` where the last link was found."""

    def __init__(self, files: list[File], *, whole: bool) -> None:
        self.files = files
        self.whole = whole and all(file.value is not None for file in files)
        self._value: Any = _NOT_YET

    def links(self) -> list[tuple[str, Any]]:
        return [(file.path, file.value) for file in self.files]

    def value(self) -> Any:
        """As one ruleset, joined once; None where a link is missing or can't be read."""
        if self._value is _NOT_YET:
            self._value = self._joined()
        return self._value

    def _joined(self) -> Any:
        if not self.whole:
            return None
        if len(self.files) == 1:
            return self.files[0].value
        from autopack.spec import extends  # noqa: PLC0415 - most projects take a shipped ruleset as it is

        return extends.merged(self.links()).value


class Governing:
    """The files a project names, each followed once, and the findings at the references that lead nowhere.

    Without a project it is made of the builtins.
    """

    def __init__(self, library: Library, project: File | None, env: str | None = None) -> None:
        self._library = library
        self.project = project
        self.settings: dict[str, Any] = schema.filled("project", (project and project.value) or {})
        if project is not None and project.value is None:  # there is one, and nobody knows what it names
            self.settings = dict.fromkeys(self.settings)
        self._environments: Mapping[str, Any] = self.settings.get("environments") or {}
        self._env = env if self._environments.get(env or "") else None
        self.settings.update(self._environments[self._env] if self._env else {})
        self.problems: dict[str, list[Problem]] = {}  # by the path of the file that holds the reference
        self._named: dict[str, File | None] = {}
        self._overlaid: dict[tuple[str, str], File | None] = {}
        self._chains: dict[str, Chain] = {}
        self._playbooks: list[File] | None = None

    def named(self, kind: str) -> File | None:
        """The file behind `ruleset`, `ci` or `models`; None where there is none of that kind."""
        if kind not in self._named:
            steps = (
                ("environments", self._env, kind) if self._env and kind in self._environments[self._env] else (kind,)
            )
            self._named[kind] = self._follow(self.project, steps, kind, self.settings.get(kind))
        return self._named[kind]

    def of_environments(self) -> list[File]:
        """What the overlays name that aren't chosen, once each."""
        return [file for kind in FOLDERS for file in self._of_overlays(kind) if file is not None]

    def _of_overlays(self, kind: str) -> Iterator[File | None]:
        for name, overlay in self._environments.items():
            if name == self._env or not overlay or kind not in overlay:
                continue
            if (name, kind) not in self._overlaid:
                steps: Steps = ("environments", name, kind)
                self._overlaid[name, kind] = self._follow(self.project, steps, kind, overlay[kind])
            yield self._overlaid[name, kind]

    def policy(self, ruleset: File | None) -> Chain | None:
        """A ruleset with all that it extends."""
        return None if ruleset is None else self._chain(ruleset)

    def files(self) -> list[File]:
        """The project and all it names but the playbooks, as far as they can be read."""
        ruleset = self.named("ruleset")
        chain = [] if ruleset is None else reversed(self._chain(ruleset).files)
        return [file for file in (self.project, *chain, self.named("ci"), self.named("models")) if file is not None]

    def playbooks(self) -> list[File]:
        if self._playbooks is None:
            self._playbooks = list(self._find_playbooks())
        return self._playbooks

    def _find_playbooks(self) -> Iterator[File]:
        for index, pattern in enumerate(self.settings.get("playbooks") or ()):
            steps: Steps = ("playbooks", index)
            if pattern is None or os.path.isabs(pattern) or ".." in pattern.split("/"):
                continue  # which is told as a path that leads out
            if not WILD & set(pattern):
                file = self._follow(self.project, steps, "playbook", pattern)
                yield from [file] if file else []
                continue
            found = _matching(self._library, folder_of(self._library, self.project), pattern)
            if not found:
                advice = "correct the pattern, or write a playbook there"
                self._report(self.project, steps, "AP3023", f'no file matches "{pattern}"', advice)
            for place in found:
                try:
                    yield self._library.follow(place, folder_of(self._library, self.project))
                except Unusable as error:
                    named = os.path.relpath(place, self._library.root).replace(os.sep, "/")
                    self._report(self.project, steps, error.code, f"{named} {error}", error.advice)

    def _chain(self, ruleset: File) -> Chain:
        if ruleset.path not in self._chains:
            self._chains[ruleset.path] = self._followed(ruleset)
        return self._chains[ruleset.path]

    def _followed(self, ruleset: File) -> Chain:
        chain = [ruleset]
        while chain[0].path != SHIPPED_DEFAULT:
            parent = _parent(chain[0])
            file = parent and self._follow(chain[0], ("extends",), "ruleset", parent)
            if not file:
                return Chain(chain, whole=False)
            if file in chain:
                names = [each.path for each in reversed(chain)]
                circle = [*names[names.index(file.path) :], file.path]
                message = f"these rulesets extend each other in a circle: {' -> '.join(circle)}"
                labels = tuple(
                    Label(each.document.span(("extends",)), f"{each.path} extends {_parent(each)}")
                    for each in reversed(chain[1:])
                    if each.path in circle and each.document is not None
                )
                self._report(chain[0], ("extends",), "AP3009", message, "let one of them extend nothing else", labels)
                return Chain(chain, whole=False)
            chain.insert(0, file)
        return Chain(chain, whole=True)

    def _follow(self, holder: File | None, steps: Steps, kind: str, named: str | None) -> File | None:
        """The file a reference names; a finding at the reference where there is none of its kind.

        A file that doesn't say its kind is given all the same: what is wrong with it is told there.
        """
        if named is None:
            return None
        try:
            file = self._open(holder, kind, named)
        except Unusable as error:
            advice = error.advice if named.startswith(BUILTIN) else self._meant(holder, kind, named) or error.advice
            self._report(holder, steps, error.code, f'"{named}" {error}', advice)
            return None
        if file.kind not in (None, kind):
            message = f'"{named}" is a file of kind {file.kind}, not {kind}'
            self._report(holder, steps, "AP3008", message, f"name a file that starts with `autopack: {kind}/v1`")
            return None
        return file

    def _meant(self, holder: File | None, kind: str, named: str) -> str | None:
        """What a name that leads to no file may have been meant to be."""
        if named in self._library.shipped(kind):
            return Advice(f"did you mean `{BUILTIN}{named}`?", BUILTIN + named)
        return self._library.like(folder_of(self._library, holder), named)

    def _open(self, holder: File | None, kind: str, named: str) -> File:
        if named.startswith(BUILTIN):
            return self._library.builtin(kind, named.removeprefix(BUILTIN))
        home = folder_of(self._library, self.project)
        return self._library.follow(os.path.join(folder_of(self._library, holder), named), home)

    def _report(
        self, holder: File | None, steps: Steps, code: str, message: str, advice: str, labels: tuple[Label, ...] = ()
    ) -> None:
        """Defaults lead somewhere, so what leads nowhere is written in a file."""
        if holder is not None and holder.document is not None and holder.document.has(steps):
            span = holder.document.span(steps)
            found = problem(code, message, span, labels, advice, replacement(span, advice))
            self.problems.setdefault(holder.path, []).append(found)


def _parent(file: File) -> str | None:
    """What a ruleset extends: what it says, else the shipped default; None where nobody knows."""
    if file.value is None:
        return None
    found: str | None = schema.filled("ruleset", file.value).get("extends")
    return found


def _below(library: Library, folder: str, pattern: str) -> set[str]:
    """What a pattern with `**` gives; links to folders are not entered, for one could lead to all there is.

    A link that the pattern itself names is, inside the repository; outside it is given, so that it is told.
    """
    from autopack.spec import paths  # noqa: PLC0415 - most patterns name one folder

    parts = pattern.split("/")
    fixed = next(number for number, part in enumerate(parts) if WILD & set(part))
    top = os.path.join(folder, *parts[:fixed])
    if not library.inside(top, folder):
        return {top}
    found: set[str] = set()
    for here, folders, names in os.walk(top):
        folders[:] = [name for name in folders if not name.startswith(".")]
        within = os.path.relpath(here, folder).replace(os.sep, "/").removeprefix(".").removeprefix("/")
        given = (name for name in names if not name.startswith("."))
        found.update(os.path.join(here, n) for n in given if paths.matches(f"{within}/{n}".lstrip("/"), [pattern]))
    return found


def _matching(library: Library, folder: str, pattern: str) -> list[str]:
    import glob  # noqa: PLC0415 - only a check of the whole project looks for files

    head, _, _ = pattern.rpartition("/")
    if WILD & set(head):
        library.seen.whole = False  # it may match anywhere
    library.seen.names(os.path.join(folder, head))
    if "**" in pattern:
        places = _below(library, folder, pattern)
    else:
        places = {os.path.join(folder, name) for name in glob.glob(pattern, root_dir=folder)}
    found = {place for place in places if not os.path.isdir(place) or not library.inside(place, folder)}
    if unsaved := [place for place in library.instead if place not in places and place.startswith(folder + os.sep)]:
        from autopack.spec import paths  # noqa: PLC0415 - only an editor has files that don't exist yet

        library.seen.whole = False
        found.update(place for place in unsaved if paths.matches(os.path.relpath(place, folder), [pattern]))
    return sorted(found)
