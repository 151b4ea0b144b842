"""From files to findings, and from files without one to a Spec: the only file of this room that reads files.

A project's references are followed here: playbooks and the modules they use, ruleset and what it extends, CI, models.
`builtin:NAME` stands for a file that ships with autopack; a path starts at the folder of the file that holds it; a
remote module is what the lock pins, read from a cache. What an editor holds and has not saved wins over the file
(`instead`). No network, no git, no keys, no clock: whoever asks says which day it is. What only a Spec needs is
imported by the functions that make one, because this file is on the way of every `validate`.
"""

from __future__ import annotations

import gc
import os
import stat
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from autopack.problem import Label, Problem, Span, order, problem
from autopack.spec import rules, schema, shipped
from autopack.spec.at import At, Steps
from autopack.spec.document import BYTES_MAX, Document, read
from autopack.spec.nearest import did_you_mean
from autopack.spec.seen import SUFFIXES, Seen

if TYPE_CHECKING:  # this room's own model; at run time only `load` pays for dataclasses
    from autopack.spec.expand import Whole
    from autopack.spec.lock import Pin
    from autopack.spec.model import Project, Scalar, Scenario, Spec

PROJECT = "autopack.yaml"
SCENARIOS = "scenarios"  # the project's folder of them
WAIVER = "ignore"  # a word of every file with a waiver
USED = "used here"
STDIN = "<stdin>"

_BUILTIN = "builtin:"
_SHIPPED_DEFAULT = f"{_BUILTIN}default"  # the one ruleset that extends nothing
_REMOTE = "git+"
_FOLDERS = {"ruleset": "", "ci": "ci", "models": "models"}  # below the shipped `rulesets`, by kind
_WILD = frozenset("*?[")


class Checked(NamedTuple):
    """What a check found. `documents` are all files it read, by the path findings show; `files` those it judged.

    `waived` is what inline waivers silenced; `seen`, all on disk that the rest was made from.
    """

    documents: dict[str, Document]
    problems: list[Problem]
    files: tuple[str, ...]
    not_checked: tuple[str, ...]
    waived: tuple[Problem, ...]
    seen: Seen


class Government(NamedTuple):
    """The documents that say what a file may refer to; None and () for those that can't be read."""

    project: Document | None
    rulesets: tuple[Document, ...]  # the nearest first
    ci: Document | None
    models: Document | None
    playbooks: tuple[Document, ...]
    places: Mapping[str, str]  # where each file is on this machine, by the path its document shows


def check(
    root: str,
    paths: Sequence[str] | None = None,
    *,
    stdin: bytes | None = None,
    today: str = "",
    env: str | None = None,
    instead: Mapping[str, bytes] | None = None,
) -> Checked:
    """Everything wrong with the project in the folder `root`, or with the given files and folders ("-": stdin).

    A file is judged by the project in the nearest folder above it, or by the builtins where there is none. Paths are
    shown relative to `root`. `today` (2027-01-31) decides what has expired, `env` names an overlay of the project.
    `instead` holds what to believe of files in place of what is on disk, by absolute path.
    """
    judge = _Judge(_Library(root, instead), today, env)
    with _uncollected():
        asked = _asked(judge, paths, stdin)
        problems = [found for file in asked.files for found in judge.problems(file)]
        problems += judge.without_environment(asked.files)
    files = judge.library.files
    judged = [file.path for file in asked.files]
    broken = [path for path, file in files.items() if file.broken and path not in judged]
    left, silenced = _waived(asked.files, problems, today)
    return Checked(
        {path: file.document for path, file in files.items() if file.document is not None},
        order([*asked.problems, *left]),
        tuple(judged),
        (
            "model reachability",
            *asked.passed_over,
            *judge.out_of_reach(),
            *(f"names from {path}, which has errors" for path in broken),
        ),
        tuple(order(silenced)),
        judge.library.seen,
    )


def government(root: str, path: str, instead: Mapping[str, bytes] | None = None) -> Government:
    """What governs the file at `path`, relative to `root`; a ruleset, CI or models file stands for its own kind."""
    judge = _Judge(_Library(root, instead), "", None)
    try:
        file: _File | None = judge.library.open(os.path.join(root, path))
    except _Unusable:
        file = None
    found = judge.government(file) if file else _Government(judge.library, None)
    named = {kind: file if file and file.kind == kind else found.named(kind) for kind in _FOLDERS}
    policy = found.policy(named["ruleset"])
    chain = list(reversed(policy.files)) if policy else []
    ci, models = named["ci"], named["models"]
    playbooks = found.playbooks()
    return Government(
        found.project.document if found.project else None,
        tuple(each.document for each in chain if each.document is not None),
        ci.document if ci else None,
        models.document if models else None,
        tuple(each.document for each in playbooks if each.document is not None),
        {each.path: each.place for each in judge.library.files.values()},
    )


def load(
    root: str,
    playbook: str,
    inputs: Mapping[str, Scalar] | None = None,
    *,
    today: str = "",
    env: str | None = None,
    instead: Mapping[str, bytes] | None = None,
) -> tuple[Spec | None, list[Problem]]:
    """The playbook with all that governs it, templates filled in, and every finding; no Spec where one is an error.

    Values of `inputs` may be text, as on a command line. `{{ run.id }}` stays in the texts as `template.RUN_ID`.
    `env` names an overlay of the project. A remote module that isn't pinned and at hand is an error here.
    """
    judge = _Judge(_Library(root, instead), today, env)
    try:
        file = judge.library.open(os.path.join(root, playbook))
    except _Unusable as error:
        return None, [problem("AP3007", f"{playbook} {error}", None)]
    involved = [file, *judge.modules_below(file), *judge.government(file).files()]
    problems = [found for each in involved for found in judge.problems(each)]
    problems += [*judge.without_environment([file]), *judge.remote_problems]
    problems, _ = _waived(involved, problems, today)
    if file.document is not None and file.kind not in (None, "playbook"):
        message = f"this is a file of kind {file.kind}, a playbook is asked for"
        problems.append(problem("AP3008", message, file.document.span(("autopack",))))
    if _broken(problems):
        return None, order(problems)
    values, wrong = _inputs(file, inputs or {})
    spec, late = (None, wrong) if wrong else _spec(judge, file, values)
    problems = order([*problems, *late])
    return (None if _broken(problems) else spec), problems


def project_of(root: str) -> Project | None:
    """The project whose file is in the folder `root`, the defaults where there is none; None when it has errors."""
    judge = _Judge(_Library(root), "", None)
    place = os.path.join(root, PROJECT)
    if not os.path.lexists(place):
        return _project(_Government(judge.library, None), PROJECT, judge.library.root)
    try:
        file = judge.library.open(place)
    except _Unusable:
        return None
    usable = file.kind == "project" and not _broken(judge.problems(file))
    return _project(judge.government(file), PROJECT, judge.library.root) if usable else None


def scenario(root: str, path: str, *, today: str = "") -> tuple[Scenario | None, list[Problem]]:
    """A scenario, its playbook as a path from `root`, and every finding in the scenario's own file."""
    judge = _Judge(_Library(root), today, None)
    try:
        file = judge.library.open(os.path.join(root, path))
    except _Unusable as error:
        return None, [problem("AP3007", f"{path} {error}", None)]
    return _scenario(judge, file, today)


class Rehearsable(NamedTuple):
    """A scenario's file as `scenarios` read it; `scenario` is None where a finding is an error."""

    path: str
    document: Document | None
    scenario: Scenario | None
    problems: list[Problem]


def scenarios(root: str, paths: Sequence[str], *, today: str = "") -> list[Rehearsable]:
    """The scenarios in files and folders; every file is read once.

    In a folder only scenarios are taken, and files that don't say what they are; a file that is named has to be one.
    """
    judge = _Judge(_Library(root), today, None)
    asked = _asked(judge, paths, None)
    named = {os.path.abspath(os.path.join(root, path)) for path in paths}
    found = [Rehearsable(each.message, None, None, [each]) for each in asked.problems]
    with _uncollected():
        found += [
            Rehearsable(file.path, file.document, *_scenario(judge, file, today))
            for file in asked.files
            if file.kind in (None, "scenario") or file.place in named
        ]
    return found


def _scenario(judge: _Judge, file: _File, today: str) -> tuple[Scenario | None, list[Problem]]:
    problems, _ = _waived([file], judge.problems(file), today)
    problems = order(problems)
    if file.document is not None and file.kind not in (None, "scenario"):
        message = f"this is a file of kind {file.kind}, a scenario is asked for"
        problems.append(problem("AP3008", message, file.document.span(("autopack",))))
    playbook = judge.playbook_of(file)
    if _broken(problems) or playbook is None:
        return None, problems
    from autopack.spec import build  # noqa: PLC0415 - see the module

    return build.scenario(At(file.path), {**file.value, "playbook": playbook.path}), problems


def remotes(root: str) -> tuple[list[str], list[Problem]]:
    """Every remote module that the project's playbooks use, also through others that are at hand, and what hinders."""
    judge = _Judge(_Library(root), "", None)
    asked = _asked(judge, None, None)
    problems = [found for file in asked.files for found in judge.problems(file)]
    problems, _ = _waived(asked.files, problems, "")
    return sorted(judge.remotes), order([*asked.problems, *problems])


@contextmanager
def _uncollected() -> Iterator[None]:
    """No garbage collection meanwhile: nothing here is garbage, and looking for it takes a third of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _waived(files: Iterable[_File], problems: list[Problem], today: str) -> tuple[list[Problem], list[Problem]]:
    """What is left to tell after the waivers in some files, and what they silenced."""
    documents = [file.document for file in files if file.document is not None and WAIVER in file.document.text]
    if not documents:
        return problems, []
    from autopack.spec.waivers import waived  # noqa: PLC0415 - most files waive nothing

    left = waived(documents, problems, today)
    return left.problems, left.silenced


def _broken(problems: Iterable[Problem]) -> bool:
    return any(found.severity == "error" for found in problems)


# --- files ------------------------------------------------------------------------------------------------


class _Unusable(Exception):
    """Why a file can't be read, in words that follow its name."""


class _OutOfReach(Exception):
    """A remote module that nobody has looked at: a code, the fact and the next action."""

    def __init__(self, code: str, fact: str, action: str) -> None:
        super().__init__(fact)
        self.code = code
        self.fact = fact
        self.action = action


class _File:
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
        return _broken(self.problems)


class _Library:
    """Each file once, by the path findings show."""

    def __init__(self, root: str, instead: Mapping[str, bytes] | None = None) -> None:
        self.root = os.path.abspath(root)
        self.files: dict[str, _File] = {}
        self.seen = Seen()
        self.instead = instead or {}

    def open(self, place: str, path: str | None = None) -> _File:
        """Raises _Unusable."""
        place = os.path.abspath(place)
        path = path or os.path.relpath(place, self.root).replace(os.sep, "/")
        if path not in self.files:
            self.add(path, place, self.content(place))
        return self.files[path]

    def content(self, place: str) -> bytes:
        """Raises _Unusable."""
        if place in self.instead:
            self.seen.whole = False
            return self.instead[place]
        try:
            source = _bytes(place)
        except _Unusable:
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

    def add(self, path: str, place: str, source: bytes) -> _File:
        document, problems = read(path, source)
        value: Any = None
        if document is not None and path.startswith(_BUILTIN):
            value = document.value  # shipped files are checked by the tests
        elif document is not None:
            value, more = schema.check(document)
            problems = problems + more
        self.files[path] = _File(path, place, document, value, problems)
        return self.files[path]

    def remote(self, named: str, pins: Mapping[str, Pin]) -> _File:
        """What the lock pins, from the cache. Raises _Unusable, _OutOfReach."""
        from autopack.spec.lock import sha256  # noqa: PLC0415 - most projects take nothing from elsewhere

        if named in self.files:
            return self.files[named]
        pin = pins.get(named)
        if pin is None:
            raise _OutOfReach("AP7002", f'"{named}" is not pinned', "pin it with `autopack lock`, and commit the lock")
        try:
            content = _bytes(cached(pin.sha256))
        except _Unusable:
            content = b""
        if sha256(content) != pin.sha256:
            raise _OutOfReach("AP7003", f'"{named}" is pinned and was not fetched', "fetch it with `autopack lock`")
        return self.add(named, "", content)

    def builtin(self, kind: str, name: str) -> _File:
        """Raises _Unusable."""
        if kind not in _FOLDERS:
            raise _Unusable(f"is no path to a {kind}; only {', '.join(_FOLDERS)} can be `{_BUILTIN}`")
        folder = os.path.join(shipped.folder("rulesets"), _FOLDERS[kind])
        place = os.path.join(folder, f"{name}.yaml")
        if "/" in name or not os.path.isfile(place):
            known = sorted(entry.removesuffix(".yaml") for entry in os.listdir(folder) if entry.endswith(".yaml"))
            advice = did_you_mean(name, known) or f"there are: {', '.join(known)}"
            raise _Unusable(f"is no {kind} that ships with autopack; {advice}")
        return self.open(place, _BUILTIN + name)


def _bytes(place: str) -> bytes:
    """The content of a regular file; nothing else is opened, for a pipe would block. Raises _Unusable."""
    try:
        mode = os.stat(place).st_mode
        if stat.S_ISDIR(mode):
            raise _Unusable("is a folder")
        if not stat.S_ISREG(mode):
            raise _Unusable("is not a regular file")
        with open(place, "rb") as file:
            return file.read(BYTES_MAX + 1)
    except FileNotFoundError as error:
        raise _Unusable("does not exist") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) else None
        raise _Unusable(f"cannot be read: {(reason or str(error)).lower()}") from error


def cached(digest: str) -> str:
    """Where a fetched module is kept, by its content."""
    home = os.environ.get("XDG_CACHE_HOME") or os.path.join(os.path.expanduser("~"), ".cache")
    return os.path.join(home, "autopack", "modules", f"{digest}.yaml")


# --- which files ------------------------------------------------------------------------------------------


class _Asked:
    """The files to judge, in the order they were named, what can't be read, and what is not ours."""

    def __init__(self) -> None:
        self.files: list[_File] = []
        self.problems: list[Problem] = []
        self.passed_over: list[str] = []


def _asked(judge: _Judge, paths: Sequence[str] | None, stdin: bytes | None) -> _Asked:
    asked, library = _Asked(), judge.library
    if paths is None:
        _ask_for_project(judge, asked)
    for path in paths or ():
        place = os.path.join(library.root, path)
        if path == "-":
            asked.files.append(library.add(STDIN, "", stdin or b""))
        elif os.path.isdir(place):
            _ask_for_folder(library, place, asked)
        else:
            _ask_for_file(library, place, path, asked)
    for file in asked.files:
        if file.kind == "project":
            judge.government(file).playbooks()
    return asked


def _ask_for_project(judge: _Judge, asked: _Asked) -> None:
    """The project file and all that it names, but what ships with autopack."""
    place = os.path.join(judge.library.root, PROJECT)
    if not (judge.library.there(place) or os.path.lexists(place)):
        advice = "name files or folders, or write a project with `autopack init`"
        asked.problems.append(problem("AP3007", f"no {PROJECT} in this folder", None, (), advice))
        return
    _ask_for_file(judge.library, place, PROJECT, asked)
    for file in list(asked.files):
        government = judge.government(file)
        playbooks = government.playbooks()
        modules = (module for playbook in playbooks for module in judge.modules_below(playbook))
        found = (*playbooks, *modules, *government.files(), *government.of_environments())
        asked.files.extend(each for each in found if each not in asked.files and not each.path.startswith(_BUILTIN))
    scenarios = os.path.join(judge.library.root, SCENARIOS)
    if os.path.isdir(scenarios):
        _ask_for_folder(judge.library, scenarios, asked)


def _ask_for_file(library: _Library, place: str, named: str, asked: _Asked) -> None:
    try:
        file = library.open(place)
    except _Unusable as error:
        asked.problems.append(problem("AP3007", f"{named} {error}", None))
    else:
        if file not in asked.files:
            asked.files.append(file)


def _ask_for_folder(library: _Library, folder: str, asked: _Asked) -> None:
    """Every YAML file below with our header; others are somebody else's."""
    for place in _yaml_files(library, folder):
        try:
            source = library.content(place)
        except _Unusable as error:
            asked.passed_over.append(f"{os.path.relpath(place, library.root)}, which {error}")
            continue
        if source.startswith(b"autopack:") or b"\nautopack:" in source:
            _ask_for_file(library, place, place, asked)


def _yaml_files(library: _Library, folder: str) -> Iterator[str]:
    for here, folders, names in os.walk(folder):
        library.seen.folder(here)
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (os.path.join(here, name) for name in sorted(names) if name.endswith(SUFFIXES))


# --- what governs a file ----------------------------------------------------------------------------------


_NOT_YET = object()


class _Chain:
    """Rulesets, the farthest first; `whole` where the last link was found."""

    def __init__(self, files: list[_File], *, whole: bool) -> None:
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


class _Government:
    """The files a project names, each followed once, and the findings at the references that lead nowhere.

    Without a project it is made of the builtins.
    """

    def __init__(self, library: _Library, project: _File | None, env: str | None = None) -> None:
        self._library = library
        self.project = project
        self.settings: dict[str, Any] = schema.filled("project", (project and project.value) or {})
        if project is not None and project.value is None:  # there is one, and nobody knows what it names
            self.settings = dict.fromkeys(self.settings)
        self._environments: Mapping[str, Any] = self.settings.get("environments") or {}
        self._env = env if self._environments.get(env or "") else None
        self.settings.update(self._environments[self._env] if self._env else {})
        self.problems: dict[str, list[Problem]] = {}  # by the path of the file that holds the reference
        self._named: dict[str, _File | None] = {}
        self._overlaid: dict[tuple[str, str], _File | None] = {}
        self._chains: dict[str, _Chain] = {}
        self._playbooks: list[_File] | None = None

    def named(self, kind: str) -> _File | None:
        """The file behind `ruleset`, `ci` or `models`; None where there is none of that kind."""
        if kind not in self._named:
            steps = (
                ("environments", self._env, kind) if self._env and kind in self._environments[self._env] else (kind,)
            )
            self._named[kind] = self._follow(self.project, steps, kind, self.settings.get(kind))
        return self._named[kind]

    def of_environments(self) -> list[_File]:
        """What the overlays name that aren't chosen, once each."""
        return [file for kind in _FOLDERS for file in self._of_overlays(kind) if file is not None]

    def _of_overlays(self, kind: str) -> Iterator[_File | None]:
        for name, overlay in self._environments.items():
            if name == self._env or not overlay or kind not in overlay:
                continue
            if (name, kind) not in self._overlaid:
                steps: Steps = ("environments", name, kind)
                self._overlaid[name, kind] = self._follow(self.project, steps, kind, overlay[kind])
            yield self._overlaid[name, kind]

    def policy(self, ruleset: _File | None) -> _Chain | None:
        """A ruleset with all that it extends."""
        return None if ruleset is None else self._chain(ruleset)

    def files(self) -> list[_File]:
        """The project and all it names but the playbooks, as far as they can be read."""
        ruleset = self.named("ruleset")
        chain = [] if ruleset is None else reversed(self._chain(ruleset).files)
        return [file for file in (self.project, *chain, self.named("ci"), self.named("models")) if file is not None]

    def playbooks(self) -> list[_File]:
        if self._playbooks is None:
            self._playbooks = list(self._find_playbooks())
        return self._playbooks

    def _find_playbooks(self) -> Iterator[_File]:
        for index, pattern in enumerate(self.settings.get("playbooks") or ()):
            steps: Steps = ("playbooks", index)
            if pattern is None:
                continue
            if not _WILD & set(pattern):
                file = self._follow(self.project, steps, "playbook", pattern)
                yield from [file] if file else []
                continue
            found = _matching(self._library, _folder(self._library, self.project), pattern)
            if not found:
                self._report(self.project, steps, "AP3023", f'no file matches "{pattern}"')
            for place in found:
                try:
                    yield self._library.open(place)
                except _Unusable as error:
                    named = os.path.relpath(place, self._library.root).replace(os.sep, "/")
                    self._report(self.project, steps, "AP3007", f"{named} {error}")

    def _chain(self, ruleset: _File) -> _Chain:
        if ruleset.path not in self._chains:
            self._chains[ruleset.path] = self._followed(ruleset)
        return self._chains[ruleset.path]

    def _followed(self, ruleset: _File) -> _Chain:
        chain = [ruleset]
        while chain[0].path != _SHIPPED_DEFAULT:
            parent = _parent(chain[0])
            file = parent and self._follow(chain[0], ("extends",), "ruleset", parent)
            if not file:
                return _Chain(chain, whole=False)
            if file in chain:
                names = [each.path for each in reversed(chain)]
                way = " -> ".join([*names[names.index(file.path) :], file.path])
                message = f"these rulesets extend each other in a circle: {way}"
                self._report(chain[0], ("extends",), "AP3009", message)
                return _Chain(chain, whole=False)
            chain.insert(0, file)
        return _Chain(chain, whole=True)

    def _follow(self, holder: _File | None, steps: Steps, kind: str, named: str | None) -> _File | None:
        """The file a reference names; a finding at the reference where there is none of its kind.

        A file that doesn't say its kind is given all the same: what is wrong with it is told there.
        """
        if named is None:
            return None
        try:
            file = self._open(holder, kind, named)
        except _Unusable as error:
            self._report(holder, steps, "AP3007", f'"{named}" {error}')
            return None
        if file.kind not in (None, kind):
            self._report(holder, steps, "AP3008", f'"{named}" is a file of kind {file.kind}, not {kind}')
            return None
        return file

    def _open(self, holder: _File | None, kind: str, named: str) -> _File:
        if named.startswith(_BUILTIN):
            return self._library.builtin(kind, named.removeprefix(_BUILTIN))
        return self._library.open(os.path.join(_folder(self._library, holder), named))

    def _report(self, holder: _File | None, steps: Steps, code: str, message: str) -> None:
        """Defaults lead somewhere, so what leads nowhere is written in a file."""
        if holder is not None and holder.document is not None and holder.document.has(steps):
            self.problems.setdefault(holder.path, []).append(problem(code, message, holder.document.span(steps)))


def _parent(file: _File) -> str | None:
    """What a ruleset extends: what it says, else the shipped default; None where nobody knows."""
    if file.value is None:
        return None
    found: str | None = schema.filled("ruleset", file.value).get("extends")
    return found


def _folder(library: _Library, file: _File | None) -> str:
    return os.path.dirname(file.place) if file is not None and file.place else library.root


def _matching(library: _Library, folder: str, pattern: str) -> list[str]:
    import glob  # noqa: PLC0415 - only a check of the whole project looks for files

    head, _, _ = pattern.rpartition("/")
    if _WILD & set(head):
        library.seen.whole = False  # it may match anywhere
    library.seen.names(os.path.join(folder, head))
    places = {os.path.join(folder, name) for name in glob.glob(pattern, root_dir=folder, recursive=True)}
    found = {place for place in places if os.path.isfile(place)}
    if unsaved := [place for place in library.instead if place not in places and place.startswith(folder + os.sep)]:
        from autopack.spec import paths  # noqa: PLC0415 - only an editor has files that don't exist yet

        library.seen.whole = False
        found.update(place for place in unsaved if paths.matches(os.path.relpath(place, folder), [pattern]))
    return sorted(found)


# --- judging ----------------------------------------------------------------------------------------------


class _Judge:
    """Finds everything wrong with a file, by the project that governs it."""

    def __init__(self, library: _Library, today: str, env: str | None) -> None:
        self.library = library
        self.remotes: set[str] = set()
        self.remote_problems: list[Problem] = []  # of remote modules that aren't at hand
        self._today = today
        self._env = env
        self._governments: dict[str, _Government] = {}
        self._modules: dict[str, dict[str, _File | None]] = {}
        self._problems: dict[str, list[Problem]] = {}  # at `uses` and the like, by the path of the file that says so
        self._used: dict[str, Span] = {}  # the first `uses` that led to a module, by the module's path
        self._pins: dict[str, dict[str, Pin]] = {}  # by folder

    def government(self, file: _File) -> _Government:
        project = file if file.kind == "project" else self._project_above(file)
        path = project.path if project else ""
        if path not in self._governments:
            self._governments[path] = _Government(self.library, project, self._env)
        return self._governments[path]

    def problems(self, file: _File) -> list[Problem]:
        found = [*file.problems, *self._judged(file), *self._problems.get(file.path, ())]
        used = self._used.get(file.path)
        return [each._replace(labels=(*each.labels, Label(used, USED))) for each in found] if used else found

    def _judged(self, file: _File) -> list[Problem]:
        if file.document is None or file.value is None:
            return []
        government = self.government(file)
        if file.kind == "project":
            government.files()
            government.of_environments()
        names = self.names(file)
        value = government.settings if file.kind == "project" else file.value
        return [
            *_templates(file.document, file.value, file.value.get("inputs", ())),
            *rules.check(file.document, value, names),
            *government.problems.get(file.path, ()),
        ]

    def names(self, file: _File) -> rules.Names:
        """What other files declare, as far as a file of this kind may refer to it."""
        government = self.government(file)
        ruleset = profiles = None
        phases = file.kind in _WITH_PHASES
        if phases or file.kind in ("ruleset", "models"):
            policy = government.policy(file if file.kind == "ruleset" else government.named("ruleset"))
            ruleset = policy.value() if policy else None
        if (phases or file.kind == "ruleset") and (ci := government.named("ci")) is not None:
            profiles = (ci.value or {}).get("profiles")
        playbook = self.playbook_of(file)
        modules = self.source(file).modules if phases else {}
        source = self.source(playbook) if playbook else None
        environments = government.settings.get("environments", ())
        return rules.Names(ruleset, profiles, self._today, modules, source, environments)

    # --- environments ---

    def without_environment(self, files: Sequence[_File]) -> list[Problem]:
        """That no overlay has the name that was asked for, once for each project the files belong to."""
        if self._env is None:
            return []
        projects = dict.fromkeys(government.project for government in map(self.government, files))
        return [found for project in projects for found in self._no_environment(project)]

    def _no_environment(self, project: _File | None) -> list[Problem]:
        if project is not None and project.value is None:  # nobody knows what it declares
            return []
        declared = project.value.get("environments", {}) if project else {}
        if declared is None or self._env in declared or self._env is None:
            return []
        advice = did_you_mean(self._env, declared) or f"environments: {', '.join(declared) or 'none'}"
        span = None
        if project is not None and project.document is not None:
            has = project.document.has(("environments",))
            span = project.document.key_span(("environments",) if has else ("autopack",))
        return [problem("AP3029", f'no environment "{self._env}" is declared', span, (), advice)]

    # --- scenarios ---

    def playbook_of(self, file: _File) -> _File | None:
        """What a scenario rehearses, where it is there and is a playbook that can be judged."""
        if file.kind != "scenario" or not file.value or file.value.get("playbook") is None:
            return None
        if (found := self._referred(file).get("playbook")) is None or found.value is None:
            return None
        return found

    def _referred(self, file: _File) -> dict[str, _File | None]:
        if file.path not in self._modules:
            found = self._follow(file, ("playbook",), "playbook", file.value["playbook"])
            self._modules[file.path] = {"playbook": found}
        return self._modules[file.path]

    # --- modules ---

    def source(self, file: _File) -> rules.Source:
        """A playbook or module with the modules it uses, as far as they can be judged."""
        assert file.document is not None
        below = {
            named: None if module is None or module.value is None else self.source(module)
            for named, module in self.modules(file).items()
        }
        return rules.Source(file.document, file.value, below)

    def modules_below(self, file: _File) -> list[_File]:
        """Every module that a playbook uses, also through another one, once."""
        found: dict[str, _File] = {}
        for module in filter(None, self.modules(file).values()):
            found[module.path] = module
            found.update({below.path: below for below in self.modules_below(module)})
        return list(found.values())

    def modules(self, file: _File) -> dict[str, _File | None]:
        """The files behind each `uses` of a file; None where there is none, or none of its kind, or out of reach."""
        if file.path not in self._modules:
            found = self._modules[file.path] = {}
            for steps, kind, named in _all_uses(file):
                if named not in found:
                    found[named] = self._follow(file, (*steps, "uses"), kind, named)
        return self._modules[file.path]

    def _follow(self, holder: _File, steps: Steps, kind: str, named: str) -> _File | None:
        assert holder.document is not None
        span = holder.document.span(steps)
        try:
            file = self._open(holder, named)
        except _Unusable as error:
            self._problems.setdefault(holder.path, []).append(problem("AP3007", f'"{named}" {error}', span))
            return None
        except _OutOfReach as error:
            self.remote_problems.append(problem(error.code, error.fact, span, (), error.action))
            return None
        if file.kind not in (None, kind):
            message = f'"{named}" is a file of kind {file.kind}, not {kind}'
            self._problems.setdefault(holder.path, []).append(problem("AP3008", message, span))
            return None
        if kind != "playbook":
            self._used.setdefault(file.path, span)
        return file

    def _open(self, holder: _File, named: str) -> _File:
        """From the holder's folder or, where there is nothing, from the project's. Raises _Unusable, _OutOfReach."""
        if _REMOTE in (holder.path[: len(_REMOTE)], named[: len(_REMOTE)]):
            return self._remote(holder, named)
        project = self.government(holder).project
        near = os.path.join(_folder(self.library, holder), named)
        far = os.path.join(_folder(self.library, project), named)
        return self.library.open(near if self.library.there(near) or not self.library.there(far) else far)

    def _remote(self, holder: _File, named: str) -> _File:
        from autopack.spec.lock import Unreadable, remote  # noqa: PLC0415 - as said above

        self.library.seen.whole = False  # the lock and the cache of modules are not among what is remembered
        try:
            if not named.startswith(_REMOTE):
                named = str(remote(holder.path).beside(named))
            self.remotes.add(str(remote(named)))
            return self.library.remote(named, self._pinned(holder))
        except Unreadable as error:
            raise _Unusable(str(error)) from error

    def _pinned(self, holder: _File) -> dict[str, Pin]:
        """What the lock beside the project says. Raises _Unusable for a lock that says nothing certain."""
        from autopack.spec.lock import LOCK, Unreadable, pins  # noqa: PLC0415 - as said above

        folder = _folder(self.library, self.government(holder).project)
        if folder not in self._pins:
            place = os.path.join(folder, LOCK)
            try:
                self._pins[folder] = pins(self.library.content(place)) if os.path.lexists(place) else {}
            except Unreadable as error:
                raise _Unusable(f"can't be pinned: {LOCK} {error}") from error
        return self._pins[folder]

    def out_of_reach(self) -> list[str]:
        """The remote modules that a check did not see, and what would show them."""
        told = {found.message: found for found in self.remote_problems}
        return [f"remote module {message}: {found.help}" for message, found in sorted(told.items())]

    # --- projects ---

    def _project_above(self, file: _File) -> _File | None:
        """The project in the nearest folder above, not looking above the root for what is inside it."""
        folder = _folder(self.library, file)
        while True:
            place = os.path.join(folder, PROJECT)
            if self.library.there(place):
                return self._project_at(place)
            above = os.path.dirname(folder)
            if folder in (self.library.root, above):
                return None
            folder = above

    def _project_at(self, place: str) -> _File | None:
        try:
            file = self.library.open(place)
        except _Unusable:
            return None
        return file if file.kind in (None, "project") else None


_WITH_PHASES = ("playbook", "tier", "phase")


def _all_uses(file: _File) -> Iterator[tuple[Steps, str, str]]:
    """Each `uses` with its place and the kind of module that belongs there."""
    value = file.value or {}
    if file.kind == "tier":
        yield from _uses_in((), value.get("phases"), "phase", "phases")
    if file.kind != "playbook":
        return
    yield from _uses_in((), value.get("tiers"), "tier", "tiers")
    for index, tier in enumerate(value.get("tiers") or ()):
        yield from _uses_in(("tiers", index), (tier or {}).get("phases"), "phase", "phases")


def _uses_in(steps: Steps, entries: Any, kind: str, key: str) -> Iterator[tuple[Steps, str, str]]:
    for index, entry in enumerate(entries or ()):
        if entry is not None and entry.get("uses") is not None:
            yield (*steps, key, index), kind, entry["uses"]


def _templates(document: Document, value: Any, inputs: Collection[str] | None) -> list[Problem]:
    if not schema.holds_template(document.text):
        return []
    from autopack.spec import template  # noqa: PLC0415 - most files hold no template

    return template.check(document, value, inputs)


# --- a spec -----------------------------------------------------------------------------------------------


def _inputs(file: _File, given: Mapping[str, Scalar]) -> tuple[dict[str, Scalar], list[Problem]]:
    """The value of every declared input, and what was given wrongly or not at all."""
    declared: Mapping[str, Any] = file.value.get("inputs", {})
    problems = [_stranger(file, name, declared) for name in given if name not in declared]
    values: dict[str, Scalar] = {}
    for name, each in declared.items():
        value = rules.converted(each.get("type", "string"), given[name]) if name in given else each.get("default")
        if value is None:
            problems.append(_about_input(file, name, f'the input "{name}" is needed', f"give it: --input {name}=..."))
        elif reason := rules.misfit(each, value):
            problems.append(_about_input(file, name, f'the input "{name}" {reason}', None))
        else:
            values[name] = value
    return values, problems


def _stranger(file: _File, name: str, declared: Mapping[str, Any]) -> Problem:
    known = f"inputs of this playbook: {', '.join(declared) or 'none'}"
    return _about_input(file, None, f'no input "{name}" is declared', did_you_mean(name, declared) or known)


def _about_input(file: _File, name: str | None, message: str, advice: str | None) -> Problem:
    """At the declaration, at `inputs`, or at the top of the file: as near as there is something written."""
    assert file.document is not None
    places: list[Steps] = [("inputs", name)] if name else [("inputs",), ("autopack",)]
    place = next(steps for steps in places if file.document.has(steps))
    return problem("AP3019", message, file.document.key_span(place), (), advice)


def _spec(judge: _Judge, file: _File, inputs: dict[str, Scalar]) -> tuple[Spec, list[Problem]]:
    """All of it as frozen values, and what is wrong with the texts once they are filled in. Every file is valid."""
    from autopack.spec import build, expand, extends, template  # noqa: PLC0415 - see the module
    from autopack.spec.model import Spec  # noqa: PLC0415

    government = judge.government(file)
    ruleset, ci, models = (government.named(kind) for kind in ("ruleset", "ci", "models"))
    policy = government.policy(ruleset)
    assert file.document is not None
    assert ruleset is not None
    assert policy is not None
    assert ci is not None
    assert ci.document is not None
    assert models is not None
    project = _project(government, file.path, judge.library.root)
    playbook, tiers, late = expand.expanded(judge.source(file), template.Filling(inputs, project.name))
    ci_value, late_ci = template.filled_in(ci.document, template.Filling({}, project.name))
    spec = Spec(
        root=_folder(judge.library, government.project),
        project=project,
        playbook=build.playbook(At(file.path), playbook, tiers),
        ruleset=build.ruleset(At(ruleset.path), extends.merged(policy.links())),
        ci=build.ci(At(ci.path), schema.filled("ci", ci_value)),
        models=build.models(At(models.path), schema.filled("models", models.value)),
        documents={path: each.document for path, each in judge.library.files.items() if each.document is not None},
        inputs=inputs,
        modules=_first_uses(tiers),
    )
    return spec, [*late, *late_ci]


def _first_uses(tiers: Sequence[Whole]) -> dict[str, At]:
    found: dict[str, At] = {}
    for each in (whole for tier in tiers for whole in (tier, *tier.phases) if whole.via):
        found.setdefault(each.at.path, each.via[-1])
    return found


def _project(government: _Government, playbook: str, root: str) -> Project:
    """The project, or what stands for one where a playbook has none: the schema's defaults, called like the folder."""
    from autopack.spec import build  # noqa: PLC0415 - see the module

    if government.project is not None:
        return build.project(At(government.project.path), government.settings)
    return build.project(At(playbook), {**government.settings, "name": os.path.basename(root) or "project"})
