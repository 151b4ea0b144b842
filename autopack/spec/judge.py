"""Everything wrong with a file, by the project that governs it and the modules it uses."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Sequence
from itertools import islice

from autopack.problem import Label, Problem, Span, order, problem
from autopack.problem.typed import TYPE_CHECKING, Any
from autopack.spec import rules, schema
from autopack.spec.at import Steps
from autopack.spec.document import Document
from autopack.spec.files import BUILTIN, REMOTE, File, Library, OutOfReach, Unusable, folder_of
from autopack.spec.findings import FINDINGS_MAX, too_many
from autopack.spec.government import Governing
from autopack.spec.header import PROJECT
from autopack.spec.nearest import did_you_mean, replacement
from autopack.spec.rules.kept_secrets import kept_secrets
from autopack.spec.rules.written import THE_MODULE, Names, Source

if TYPE_CHECKING:
    from autopack.spec.lock import Pin

USED = "used here"


class Judge:
    """Finds everything wrong with a file, by the project that governs it."""

    def __init__(self, library: Library, today: str, env: str | None) -> None:
        self.library = library
        self.remotes: set[str] = set()
        self.remote_problems: list[Problem] = []  # of remote modules that aren't at hand
        self._today = today
        self._env = env
        self._governments: dict[str, Governing] = {}
        self._modules: dict[str, dict[str, File | None]] = {}
        self._problems: dict[str, list[Problem]] = {}  # at `uses` and the like, by the path of the file that says so
        self._used: dict[str, Span] = {}  # the first `uses` that led to a module, by the module's path
        self._pins: dict[str, dict[str, Pin]] = {}  # by folder

    def government(self, file: File) -> Governing:
        project = file if file.kind == "project" else self._project_above(file)
        path = project.path if project else ""
        if path not in self._governments:
            self._governments[path] = Governing(self.library, project, self._env)
        return self._governments[path]

    def problems(self, file: File) -> list[Problem]:
        judged = self._judged(file)
        found = [*file.problems, *_without_a_module(judged, self._problems.get(file.path, ()))]
        used = self._used.get(file.path)
        return [each._replace(labels=(*each.labels, Label(used, USED))) for each in found] if used else found

    def _judged(self, file: File) -> list[Problem]:
        if file.document is None or file.value is None or file.path.startswith(BUILTIN):  # the tests check those
            return []
        government = self.government(file)
        if file.kind == "project":
            government.files()
            government.of_environments()
        names = self.names(file)
        value = government.settings if file.kind == "project" else file.value
        return few([
            *kept_secrets(file.document),
            *of_templates(file.document, file.value, file.value.get("inputs", ())),
            *islice(rules.check(file.document, value, names), FINDINGS_MAX + 1),
            *government.problems.get(file.path, ()),
            *self._context(file, government),
        ])  # fmt: skip

    def names(self, file: File) -> Names:
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
        granted = self._phases(government) if file.kind == "ruleset" and file.value.get("grants") else None
        return Names(ruleset, profiles, self._today, modules, source, granted, environments)

    def _phases(self, government: Governing) -> list[str] | None:
        """The ids in all playbooks of a project; None where one of them can't be seen."""
        if government.project is None:
            return None
        from autopack.spec.rules import ids  # noqa: PLC0415 - only grants speak of another file's phases

        playbooks = government.playbooks()
        if any(found.code != "AP3023" for found in government.problems.get(government.project.path, ())):
            return None
        found = [None if file.value is None else ids.of_playbook(self.source(file)) for file in playbooks]
        names = [name for each in found for name in each or ()]
        return None if None in found or not names else names

    # --- what Builders are shown ---

    def _context(self, file: File, government: Governing) -> Iterator[Problem]:
        """Files that a playbook shows to every Builder and that aren't in the checkout."""
        shown = file.value.get("context") if file.kind == "playbook" else None
        if not shown or government.project is None or government.settings.get("repository") is None:
            return
        home = os.path.join(folder_of(self.library, government.project), government.settings["repository"])
        for index, path in enumerate(shown):
            if path is not None and file.document is not None and _plain(path) and not self.library.named(home, path):
                span = file.document.span(("context", index))
                advice = self.library.like(home, path) or "correct the path, or write the file"
                message = f'there is no "{path}" to show to the Builders'
                yield problem("AP3034", message, span, (), advice, replacement(span, advice))

    # --- environments ---

    def without_environment(self, files: Sequence[File]) -> list[Problem]:
        """That no overlay has the name that was asked for, once for each project the files belong to."""
        if self._env is None:
            return []
        projects = dict.fromkeys(government.project for government in map(self.government, files))
        return [found for project in projects for found in self._no_environment(project)]

    def _no_environment(self, project: File | None) -> list[Problem]:
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

    def playbook_of(self, file: File) -> File | None:
        """What a scenario rehearses, where it is there and is a playbook that can be judged."""
        if file.kind != "scenario" or not file.value or file.value.get("playbook") is None:
            return None
        if (found := self._referred(file).get("playbook")) is None or found.value is None:
            return None
        return found

    def _referred(self, file: File) -> dict[str, File | None]:
        if file.path not in self._modules:
            found = self._follow(file, ("playbook",), "playbook", file.value["playbook"])
            self._modules[file.path] = {"playbook": found}
        return self._modules[file.path]

    # --- modules ---

    def source(self, file: File) -> Source:
        """A playbook or module with the modules it uses, as far as they can be judged."""
        assert file.document is not None
        below = {
            named: None if module is None or module.value is None else self.source(module)
            for named, module in self.modules(file).items()
        }
        return Source(file.document, file.value, below)

    def modules_below(self, file: File) -> list[File]:
        """Every module that a playbook uses, also through another one, once."""
        found: dict[str, File] = {}
        for module in filter(None, self.modules(file).values()):
            found[module.path] = module
            found.update({below.path: below for below in self.modules_below(module)})
        return list(found.values())

    def modules(self, file: File) -> dict[str, File | None]:
        """The files behind each `uses` of a file; None where there is none, or none of its kind, or out of reach."""
        if file.path not in self._modules:
            found = self._modules[file.path] = {}
            for steps, kind, named in _all_uses(file):
                if named not in found:
                    found[named] = self._follow(file, (*steps, "uses"), kind, named)
        return self._modules[file.path]

    def _follow(self, holder: File, steps: Steps, kind: str, named: str) -> File | None:
        assert holder.document is not None
        span = holder.document.span(steps)
        try:
            file = self._open(holder, named)
        except Unusable as error:
            self._problems.setdefault(holder.path, []).append(
                problem(error.code, f'"{named}" {error}', span, (), error.advice)
            )
            return None
        except OutOfReach as error:
            self.remote_problems.append(problem(error.code, error.fact, span, (), error.action))
            return None
        if file.kind not in (None, kind):
            message = f'"{named}" is a file of kind {file.kind}, not {kind}'
            advice = f"name a file that starts with `autopack: {kind}/v1`"
            self._problems.setdefault(holder.path, []).append(problem("AP3008", message, span, (), advice))
            return None
        if kind != "playbook":
            self._used.setdefault(file.path, span)
        return file

    def _open(self, holder: File, named: str) -> File:
        """From the holder's folder or, where there is nothing, from the project's. Raises Unusable, OutOfReach."""
        if REMOTE in (holder.path[: len(REMOTE)], named[: len(REMOTE)]):
            return self._remote(holder, named)
        project = self.government(holder).project
        near = os.path.join(folder_of(self.library, holder), named)
        far = os.path.join(folder_of(self.library, project), named)
        home = folder_of(self.library, project or holder)
        return self.library.follow(near if self.library.there(near) or not self.library.there(far) else far, home)

    def _remote(self, holder: File, named: str) -> File:
        from autopack.spec.lock import Unreadable, remote  # noqa: PLC0415 - as said above

        self.library.seen.whole = False  # the lock and the cache of modules are not among what is remembered
        try:
            if not named.startswith(REMOTE):
                named = str(remote(holder.path).beside(named))
            self.remotes.add(str(remote(named)))
            return self.library.remote(named, self._pinned(holder))
        except Unreadable as error:
            fact, _, _ = str(error).partition(": write ")
            raise Unusable(fact, "such as git+https://host/repository.git@v1#tiers/it.yaml") from error

    def _pinned(self, holder: File) -> dict[str, Pin]:
        """What the lock beside the project says. Raises Unusable for a lock that says nothing certain."""
        from autopack.spec.lock import LOCK, Unreadable, pins  # noqa: PLC0415 - as said above

        folder = folder_of(self.library, self.government(holder).project)
        if folder not in self._pins:
            place = os.path.join(folder, LOCK)
            try:
                self._pins[folder] = pins(self.library.content(place)) if os.path.lexists(place) else {}
            except Unreadable as error:
                fact, _, _ = str(error).partition("; ")
                advice = "write the lock anew with `autopack lock --update`"
                raise Unusable(f"can't be pinned: {LOCK} {fact}", advice) from error
        return self._pins[folder]

    def out_of_reach(self) -> list[str]:
        """The remote modules that a check did not see, and what would show them."""
        told = {found.message: found for found in self.remote_problems}
        return [f"remote module {message}: {found.help}" for message, found in sorted(told.items())]

    # --- projects ---

    def _project_above(self, file: File) -> File | None:
        """The project in the nearest folder above, as far up as the repository goes; without git, up to the root."""
        folder = folder_of(self.library, file)
        top = self.library.top(folder)
        while True:
            place = os.path.join(folder, PROJECT)
            if self.library.there(place):
                return self._project_at(place)
            above = os.path.dirname(folder)
            if folder in (top, above):
                return None
            folder = above

    def _project_at(self, place: str) -> File | None:
        try:
            file = self.library.open(place)
        except Unusable:
            return None
        return file if file.kind in (None, "project") else None


def few(found: list[Problem]) -> list[Problem]:
    """As many as anybody reads, the first in the file; the last says that there are more."""
    if len(found) <= FINDINGS_MAX:
        return found
    kept = order(found)[:FINDINGS_MAX]
    return [*kept, too_many(kept[-1].span)]


def _without_a_module(found: list[Problem], unfollowed: Sequence[Problem]) -> list[Problem]:
    """A `uses` that leads nowhere beside a phase's own keys is one fault: told at the keys, with the reason."""
    places = {each.span: each for each in unfollowed}
    if not places:
        return found
    told: set[Span | None] = set()
    for number, each in enumerate(found):
        if each.code == "AP3030" and (label := next((one for one in each.labels if one.text == THE_MODULE), None)):
            nowhere = places.get(label.span)
            if nowhere is not None:
                told.add(nowhere.span)
                others = [one for one in each.labels if one is not label]
                found[number] = each._replace(labels=(Label(label.span, nowhere.message), *others))
    return [*found, *(each for each in unfollowed if each.span not in told)]


def _plain(path: str) -> bool:
    """Whether it is the path of one file, which is known before anything is filled in."""
    odd = set(path) & set("*?[{}\\\0") or path.startswith(("!", "/", "~")) or ".." in path.split("/")
    return not odd and path[1:2] != ":"


_WITH_PHASES = ("playbook", "tier", "phase")


def _all_uses(file: File) -> Iterator[tuple[Steps, str, str]]:
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


def of_templates(document: Document, value: Any, inputs: Collection[str] | None) -> list[Problem]:
    if not schema.holds_template(document.text):
        return []
    from autopack.spec import template  # noqa: PLC0415 - most files hold no template

    declared = document.value.get("inputs")
    if isinstance(declared, dict) and id(declared) in document.repeated:
        inputs = None  # one of the two was meant to be another
    return template.check(document, value, inputs)
