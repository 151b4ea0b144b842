"""What no schema can say about one file: ids, references, whose path it is, what has expired.

Works on plain values and on what other files declare; reads no file and no clock. A value is valid by its schema, or
None where the schema refused it: then nothing more is said about it. One fault, one finding: what only follows from a
finding made here is left out, and each rule says how.
"""

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from autopack.problem import Label, Problem, problem
from autopack.spec import fanout
from autopack.spec.at import Step, Steps
from autopack.spec.document import Document
from autopack.spec.nearest import did_you_mean, nearest, replacement
from autopack.spec.schema import holds_template

Row = Mapping[str, Any]
Found = Iterator[Problem]


class Source(NamedTuple):
    """A playbook or module as far as it can be judged, with the modules it uses by what `uses` says.

    A module is None where it can't be known.
    """

    document: Document
    value: Any
    modules: Mapping[str, "Source | None"]


class Names(NamedTuple):
    """What other files declare, as far as this kind of file refers to it; None: unknown, so nothing is refused."""

    ruleset: Row | None = None  # the value after `extends`
    profiles: Collection[str] | None = None  # of the CI file
    today: str = ""  # such as 2027-01-31; empty: nothing counts as expired
    modules: Mapping[str, Source | None] = {}  # of a playbook or a tier
    playbook: Source | None = None  # of a scenario
    environments: Collection[str] | None = None  # of the project

    def categories(self) -> list[str] | None:
        """Every category under both of its names; None where one of them is unknown."""
        rows = self.ruleset and self.ruleset.get("categories")
        if rows is None or any(row is None or row.get("task_category", "") is None for row in rows.values()):
            return None
        tasks = (row.get("task_category") for row in rows.values())
        return list(dict.fromkeys([*rows, *filter(None, tasks)]))


def check(document: Document, value: Any, names: Names) -> list[Problem]:
    """Every rule of the document's kind. `value` is the document's own, or the same with its templates filled in."""
    written = _Written(document, value)
    return [found for rule in _RULES.get(document.kind or "", ()) for found in rule(written, names)]


_ANY = 1_000_000_000  # more than any file holds


class _Written:
    """A document together with the value to judge, and the findings that point into it."""

    __slots__ = ("document", "value")

    def __init__(self, document: Document, value: Any) -> None:
        self.document = document
        self.value = value

    def at(self, steps: Steps, code: str, message: str, advice: str | None = None, *labels: Label) -> Problem:
        span = self.document.span(steps)
        return problem(code, message, span, labels, advice, replacement(span, advice))

    def at_key(self, steps: Steps, code: str, message: str, advice: str | None = None, *labels: Label) -> Problem:
        span = self.document.key_span(steps)
        return problem(code, message, span, labels, advice, replacement(span, advice))

    def label(self, steps: Steps, text: str) -> Label:
        return Label(self.document.span(steps), text)

    def get(self, *steps: Step) -> Any:
        """A value below mappings that may be absent; None where there is none."""
        found = self.value
        for step in steps:
            found = found[step] if isinstance(step, int) else found.get(step)
            if found is None:
                return None
        return found

    def items(self, *steps: Step) -> Iterator[tuple[Steps, Any]]:
        """The items of a list, or the values of a mapping, with their places."""
        found = self.get(*steps)
        pairs = found.items() if isinstance(found, dict) else enumerate(found or ())
        for key, item in pairs:
            if item is not None:
                yield (*steps, key), item

    def tiers(self) -> Iterator[tuple[Steps, Any]]:
        """Of a playbook those it lists; a tier is its own, and nothing else has any."""
        if self.document.kind == "tier":
            yield (), self.value
        yield from self.items("tiers")

    def phases(self) -> Iterator[tuple[Steps, Any]]:
        if self.document.kind == "phase":
            yield (), self.value
        for place, _ in self.tiers():
            yield from self.items(*place, "phases")

    def refused(self, *steps: Step) -> int:
        """How many items of a list the schema refused: of a list that it refused as a whole, any number."""
        found = self.get(*steps[:-1]).get(steps[-1], ())
        return _ANY if found is None else sum(item is None for item in found)

    def refused_phases(self) -> int:
        return self.refused("tiers") * _ANY + sum(self.refused(*place, "phases") for place, _ in self.tiers())


def _present(items: Sequence[Any] | None) -> Iterator[tuple[int, Any]]:
    """What a list holds, by number, but for what was refused."""
    return ((index, item) for index, item in enumerate(items or ()) if item is not None)


# --- ids --------------------------------------------------------------------------------------------------


class _Id(NamedTuple):
    """An id and where this file says it; `of_module` is where a module spells it."""

    name: str
    place: Steps
    of_module: Label | None = None


class _Node(NamedTuple):
    """A tier or phase under all of its names; `rank` is the number of its tier.

    There are no names where the schema refused the id, and none are certain where a module can't be known.
    """

    steps: Steps
    rank: int
    names: tuple[_Id, ...]
    needs: Sequence[str | None] = ()
    unknown: bool = False


def _tiers(written: _Written, names: Names) -> Iterator[_Node]:
    for steps, entry in written.tiers():
        found, unknown = _own_id(steps, entry, names.modules)
        yield _Node(steps, _rank(steps), found, entry.get("needs") or (), unknown)


def _phases(written: _Written, names: Names) -> Iterator[_Node]:
    for steps, tier in written.tiers():
        if "uses" in tier:
            yield from _phases_of_module(steps, names.modules.get(tier["uses"]))
        for place, entry in written.items(*steps, "phases"):
            found, unknown = _own_id(place, entry, names.modules)
            unknown = unknown or (fanout.fans(entry) and not (found and fanout.certain(entry)))
            found = (*found, *_branch_ids(found, place, entry))
            yield _Node(place, _rank(steps), found, entry.get("needs") or (), unknown)


def _rank(steps: Steps) -> int:
    return int(steps[1]) if steps else 0


def _own_id(steps: Steps, entry: Row, modules: Mapping[str, Source | None]) -> tuple[tuple[_Id, ...], bool]:
    """The id that is written, else the module's; and whether it may be any because the module isn't known."""
    if entry.get("id") is not None:
        return (_Id(entry["id"], (*steps, "id")),), False
    if entry.get("uses") is None:
        return (), False
    module = modules.get(entry["uses"])
    name = module.value.get("id") if module else None
    if module is None or name is None:
        return (), True
    return (_Id(name, (*steps, "uses"), Label(module.document.span(("id",)), "its id in the module")),), False


def _branch_ids(found: Sequence[_Id], steps: Steps, entry: Row) -> Iterator[_Id]:
    if found and fanout.fans(entry):
        for branch in fanout.branches(entry, found[0].name):
            yield _Id(branch.id, (*steps, *branch.place), found[0].of_module)


def _phases_of_module(steps: Steps, module: Source | None) -> Iterator[_Node]:
    """Of a tier that a playbook takes in, each phase, as if it were written at the `uses`."""
    if module is None:
        yield _Node(steps, _rank(steps), (), (), unknown=True)
        return
    seen: set[str] = set()
    inner = _Written(module.document, module.value)
    if inner.refused_phases():
        yield _Node(steps, _rank(steps), (), (), unknown=True)
    for node in _phases(inner, Names(modules=module.modules)):
        fresh = [each for each in node.names if each.name.casefold() not in seen]
        seen.update(each.name.casefold() for each in fresh)
        ids = (_Id(name, (*steps, "uses"), inner.label(place, "in this module")) for name, place, _ in fresh)
        yield _Node((*steps, "uses"), _rank(steps), tuple(ids), (), node.unknown)


def _ids_of_playbook(written: _Written, names: Names) -> Found:
    for what, nodes in (("tier", _tiers(written, names)), ("phase", _phases(written, names))):
        yield from _ids(written, what, (each for node in nodes for each in node.names))


def _id_of_phase(written: _Written, _names: Names) -> Found:
    yield from _ids(written, "phase", iter([_Id(written.value["id"], ("id",))] if written.get("id") else ()))


def _ids_of_ci(written: _Written, _names: Names) -> Found:
    yield from _ids(written, "step", _ids_of(written.items("setup")))
    for steps, _ in written.items("profiles"):
        yield from _ids(written, "step", _ids_of(written.items(*steps, "steps")))


def _ids_of(entries: Iterator[tuple[Steps, Any]]) -> Iterator[_Id]:
    return (_Id(entry["id"], (*steps, "id")) for steps, entry in entries if entry.get("id") is not None)


def _ids(written: _Written, what: str, ids: Iterator[_Id]) -> Found:
    """`..` and the like, and each id but the first of those that are the same: one finding a place."""
    first: dict[str, _Id] = {}
    told: set[Steps] = set()
    for each in ids:
        name, place, of_module = each
        if (before := first.setdefault(name.casefold(), each)) is not each:
            if place not in told:
                told.add(place)
                labels = [written.label(before.place, "first here"), *([of_module] if of_module else ())]
                advice = "give it an id of its own; upper and lower case count as the same"
                yield written.at(place, "AP3001", f'a second {what} with the id "{name}"', advice, *labels)
        elif of_module is None and (".." in name or name.endswith(".") or name.casefold().endswith(".lock")):
            message = f'git takes no branch or tag with "{name}" in its name'
            yield written.at(place, "AP3012", message, "no `..`, no `.` or `.lock` at the end")


# --- fan-outs ---------------------------------------------------------------------------------------------


def _fan_outs(written: _Written, names: Names) -> Found:
    """Whether ids come out of them; that each comes out once in the playbook is judged with the other ids."""
    for steps, entry in written.phases():
        if not fanout.fans(entry):
            continue
        if None not in (entry.get("for_each"), entry.get("matrix")):
            label = Label(written.document.key_span((*steps, "for_each")), "the other one")
            message = "a phase fans out over `for_each` or over `matrix`, not over both"
            yield written.at_key((*steps, "matrix"), "AP3028", message, "make `for_each` an axis of the matrix", label)
            continue
        key = "for_each" if entry.get("for_each") is not None else "matrix"
        if (size := fanout.size(entry)) > fanout.BRANCHES_MAX:
            message = f"this fan-out makes {size:,} phases, at most {fanout.BRANCHES_MAX:,} are taken"
            yield written.at_key((*steps, key), "AP3028", message, "split the work otherwise")
            continue
        for axis in fanout.axes(entry):
            yield from _same_slugs(written, steps, axis)
            yield from _templates_in_ids(written, steps, axis)
        found, _ = _own_id(steps, entry, names.modules)
        yield from _long_ids(written, steps, entry, found)


def _same_slugs(written: _Written, steps: Steps, axis: Sequence[fanout.Value]) -> Found:
    """Equal values are the schema's to tell."""
    first: dict[str, fanout.Value] = {}
    for each in axis:
        before = first.setdefault(each.slug.casefold(), each)
        if before.value != each.value or before.value.__class__ is not each.value.__class__:
            message = f'a second value that becomes "{each.slug}" in an id'
            label = written.label((*steps, *before.place), "first here")
            advice = "ids take letters, digits and `_`; the rest becomes `-`"
            yield written.at((*steps, *each.place), "AP3001", message, advice, label)


def _templates_in_ids(written: _Written, steps: Steps, axis: Sequence[fanout.Value]) -> Found:
    for each in axis:
        if isinstance(each.value, str) and holds_template(each.value):
            message = "templates are not filled in here: ids are known before any input is"
            yield written.at((*steps, *each.place), "AP3028", message, "write the values out")


def _long_ids(written: _Written, steps: Steps, entry: Row, found: Sequence[_Id]) -> Found:
    longest = max((each for each in _branch_ids(found, steps, entry)), key=lambda each: len(each.name), default=None)
    if longest is not None and len(longest.name) > fanout.ID_CHARS_MAX:
        message = f'the id "{longest.name}" has {len(longest.name)} characters, at most {fanout.ID_CHARS_MAX} are taken'
        yield written.at(longest.place, "AP3028", message, "use shorter values or a shorter id")


# --- modules ----------------------------------------------------------------------------------------------

_BESIDE_USES = {
    "tier": ("id", "uses", "with", "name", "description", "needs", "meta"),
    "phase": ("id", "uses", "with", "name", "needs", "for_each", "matrix", "tags", "meta"),
}


def _uses(written: _Written, names: Names) -> Found:
    kinds = (("tier", written.items("tiers")), ("phase", written.phases()))
    for kind, (steps, entry) in ((kind, each) for kind, entries in kinds for each in entries):
        if "uses" not in entry:
            if entry.get("with") is not None:
                message = f'"with" gives values to a module, and this {kind} uses none'
                yield written.at_key((*steps, "with"), "AP3030", message, "add `uses:`, or remove it")
            continue
        if entry["uses"] is None:
            continue
        for key in entry:
            if key not in _BESIDE_USES[kind] and entry[key] is not None:
                message = f'the module decides "{key}", so it has no place beside `uses`'
                advice = f"beside `uses` stand: {', '.join(_BESIDE_USES[kind])}"
                yield written.at_key(
                    (*steps, key), "AP3030", message, advice, written.label((*steps, "uses"), "the module")
                )
        if (module := names.modules.get(entry["uses"])) is not None:
            yield from _with(written, steps, entry.get("with", {}), module)


def _with(written: _Written, steps: Steps, given: Row | None, module: Source) -> Found:
    """Unknown names, values that don't fit, and what is missing. A template's value is judged once it has one."""
    declared = module.value.get("inputs", {})
    if given is None or declared is None:
        return
    for name, value in given.items():
        place = (*steps, "with", name)
        if name not in declared:
            advice = did_you_mean(name, declared) or f"inputs of the module: {', '.join(declared) or 'none'}"
            yield written.at_key(place, "AP3019", f'the module has no input "{name}"', advice)
        elif declared[name] is None or value is None or (isinstance(value, str) and holds_template(value)):
            continue
        elif reason := misfit(declared[name], value):
            yield written.at(place, "AP3019", f'the input "{name}" {reason}', None, _declared(module, name))
    misspelt = {nearest(name, declared) for name in given if name not in declared}
    for name, each in declared.items():
        if name not in given and name not in misspelt and each is not None and "default" not in each:
            message = f'the module needs the input "{name}"'
            yield written.at(
                (*steps, "uses"), "AP3019", message, f"add `with: {{{name}: ...}}`", _declared(module, name)
            )


def _declared(module: Source, name: str) -> Label:
    return Label(module.document.key_span(("inputs", name)), "declared here")


# --- needs ------------------------------------------------------------------------------------------------


def _needs_of_tiers(written: _Written, names: Names) -> Found:
    yield from _needs(written, "tier", list(_tiers(written, names)), written.refused("tiers"))


def _needs_of_phases(written: _Written, names: Names) -> Found:
    yield from _needs(written, "phase", list(_phases(written, names)), written.refused_phases())


def _needs(written: _Written, what: str, nodes: Sequence[_Node], refused: int) -> Found:
    """Unknown, own and later ones. A need that names a duplicate id may mean any of them, so it is left alone.

    `refused` entries are not among `nodes`, and may be the ones that are needed.
    """
    known: dict[str, _Node] = {}
    forms: set[str] = set()
    repeated: list[str] = []
    for name, owner in ((each.name, node) for node in nodes for each in node.names):
        known.setdefault(name, owner)
        if (form := name.casefold()) in forms:
            repeated.append(form)
        forms.add(form)
    dangling: list[tuple[str, Steps]] = []
    for node in nodes:
        for index, need in _present(node.needs):
            place = (*node.steps, "needs", index)
            if need not in known:
                dangling.append((need, place))
            elif need.casefold() not in repeated:
                yield from _order(written, what, node, known[need], place)
    if any(node.unknown for node in nodes):  # what is needed may be in there
        return
    nameless = sum(not node.names for node in nodes)
    yield from _dangling(written, what, dangling, list(known), len(repeated) + nameless + refused)


def _order(written: _Written, what: str, node: _Node, needed: _Node, place: Steps) -> Found:
    if needed is node:
        message = f'the {what} "{node.names[0].name}" needs itself'
        yield written.at(place, "AP3003", message, "remove it from its needs")
    elif needed.rank > node.rank:
        label = written.label(needed.names[0].place, f"this {what} comes later")
        message = f'"{written.get(*place)}" comes later than the {what} that needs it'
        yield written.at(place, "AP3004", message, "tiers run in the order they are written", label)


def _dangling(
    written: _Written, what: str, found: Sequence[tuple[str, Steps]], known: Sequence[str], spared: int
) -> Found:
    """Needs of unknown ids.

    A duplicate or refused id has most likely taken the place of one that is needed. So as many unknown names are its
    consequence, first those that resemble nothing else, and aren't reported again.
    """
    advice = {name: did_you_mean(name, known) for name, _ in found}
    excused = sorted(advice, key=lambda name: advice[name] is not None)[:spared]
    for name, place in found:
        if name not in excused:
            others = f"ids of {what}s: {_some(known)}"
            yield written.at(place, "AP3002", f'no {what} has the id "{name}"', advice[name] or others)


# --- references to other files ----------------------------------------------------------------------------


def _references_of_playbook(written: _Written, names: Names) -> Found:
    categories = names.categories()
    known = None if categories is None else frozenset(categories)
    yield from _profile(written, ("defaults", "ci"), names)
    for steps, phase in written.phases():
        if known is not None and phase.get("category") not in known:
            yield from _category(written, (*steps, "category"), categories)
        if "ci" in phase:
            yield from _profile(written, (*steps, "ci"), names)


def _references_of_ruleset(written: _Written, names: Names) -> Found:
    for steps, _ in _rows(written):
        yield from _profile(written, (*steps, "ci"), names)
    for steps, _ in written.items("severity_upgrades"):
        yield from _category(written, (*steps, "match", "category"), names.categories())
    for steps, _ in written.items("landing", "recheck"):
        name = str(steps[-1])
        if names.profiles is not None and name not in names.profiles:
            yield written.at_key(steps, "AP3005", f'no CI profile "{name}"', _known_profiles(name, names.profiles))


def _references_of_models(written: _Written, names: Names) -> Found:
    catalogue = written.get("models")
    for steps, _ in _routes(written):
        for place, name in (*written.items(*steps, "builder"), *written.items(*steps, "auditor")):
            if catalogue is not None and name not in catalogue:
                advice = did_you_mean(name, catalogue) or f"models: {_some(catalogue)}"
                yield written.at(place, "AP3006", f'no model "{name}" in this catalogue', advice)
    categories = names.categories()
    for steps, _ in written.items("routing", "categories"):
        name = str(steps[-1])
        if categories is not None and name not in categories:
            message = f'no category "{name}" in the ruleset'
            yield written.at_key(steps, "AP5001", message, _known_categories(name, categories))
    for steps, _ in written.items("routing", "never_downgrade"):
        yield from _category(written, steps, categories)


def _category(written: _Written, steps: Steps, known: Collection[str] | None) -> Found:
    name = written.get(*steps)
    if name is not None and known is not None and name not in known:
        message = f'no category "{name}" in the ruleset'
        yield written.at(steps, "AP5001", message, _known_categories(name, known))


def _known_categories(name: str, known: Collection[str]) -> str:
    return did_you_mean(name, known) or f"declare it under `categories` of the ruleset, or use one of: {_some(known)}"


def _profile(written: _Written, steps: Steps, names: Names) -> Found:
    name = written.get(*steps)
    if name is not None and names.profiles is not None and name not in names.profiles:
        yield written.at(steps, "AP3005", f'no CI profile "{name}"', _known_profiles(name, names.profiles))


def _known_profiles(name: str, known: Collection[str]) -> str:
    return did_you_mean(name, known) or f"profiles of the CI file: {_some(known)}"


def _some(words: Collection[str], most: int = 20) -> str:
    shown = ", ".join(list(words)[:most])
    return f"{shown}, ..." if len(words) > most else shown


# --- whose path -------------------------------------------------------------------------------------------


def _paths_of_playbook(written: _Written, _names: Names) -> Found:
    for steps, path in written.items("context"):
        yield from _path(written, steps, path)
    for steps, phase in written.phases():
        yield from _paths_in_phase(written, steps, phase)
        if phase.get("allow"):
            yield from _allowed_paths(written, (*steps, "allow"))


def _paths_in_phase(written: _Written, steps: Steps, phase: Row) -> Found:
    faults = [
        found
        for place, path in _paths_of_phase(phase)
        if not _ordinary(path)
        for found in _path(written, (*steps, *place), path)
    ]
    yield from faults or _deliverables(written, steps, phase)


def late(document: Document, steps: Steps, phase: Row) -> list[Problem]:
    """What only shows once the templates of a phase are filled in: where its paths lead."""
    return list(_paths_in_phase(_Written(document, None), steps, phase))


def late_context(document: Document, context: Sequence[str]) -> list[Problem]:
    """The same of the files that a playbook shows to every Builder."""
    written = _Written(document, None)
    return [found for index, path in enumerate(context) for found in _path(written, ("context", index), path)]


def _paths_of_phase(phase: Row) -> Iterator[tuple[Steps, str]]:
    scope = phase.get("scope") or {}
    for key in ("write", "read"):
        yield from ((("scope", key, index), path) for index, path in _present(scope.get(key)))
    yield from ((("deliverables", index), path) for index, path in _present(phase.get("deliverables")))


def _deliverables(written: _Written, steps: Steps, phase: Row) -> Found:
    scope = (phase.get("scope") or {}).get("write")
    if not scope or None in scope or any(map(holds_template, scope)):
        return
    for index, path in _present(phase.get("deliverables")):
        if not _inside(path, scope) and not holds_template(path):
            label = written.label((*steps, "scope", "write"), "what it may write")
            message = f'the deliverable "{path}" is outside `scope.write`'
            yield written.at((*steps, "deliverables", index), "AP3010", message, "widen the scope or drop it", label)


def _inside(path: str, scope: Sequence[str]) -> bool:
    """As `paths.matches`, with the two most frequent answers before its import."""
    if not any(pattern.startswith("!") for pattern in scope) and (
        path in scope or any(pattern.endswith("/**") and path.startswith(pattern[:-2]) for pattern in scope)
    ):
        return True
    from autopack.spec import paths  # noqa: PLC0415 - as said above

    return paths.matches(path, scope)


def _paths_of_project(written: _Written, _names: Names) -> Found:
    for steps, path in written.items("playbooks"):
        yield from _path(written, steps, path)
    yield from _path(written, ("artifacts", "path"), written.get("artifacts", "path"))


def _paths_of_ruleset(written: _Written, _names: Names) -> Found:
    for steps, path in written.items("protected_paths"):
        if not path.startswith(".git/"):  # the one folder that is named here because nobody may enter it
            yield from _path(written, steps, path)
    for steps, _ in written.items("grants"):
        yield from _allowed_paths(written, (*steps, "allow"))


def _paths_of_ci(written: _Written, _names: Names) -> Found:
    for steps, _ in written.items("profiles"):
        for below, _ in written.items(*steps, "steps"):
            place = (*below, "report", "junit")
            yield from _path(written, place, written.get(*place))


def _allowed_paths(written: _Written, steps: Steps) -> Found:
    for below, word in written.items(*steps):
        if isinstance(word, dict):
            for place, path in written.items(*below, "protected_paths"):
                yield from _path(written, place, path)


def _ordinary(path: str) -> bool:
    """Whether there is nothing to look into, as with nearly every path: no hidden, empty or odd segment."""
    if not path.isascii() or not path.isprintable() or path[0] in "/.!" or len(path) > 200:
        return False
    return not any(odd in path for odd in ("/.", "//", "\\", "~", ":"))


def _path(written: _Written, steps: Steps, path: str | None) -> Found:
    """A path or pattern; a leading `!` and a trailing slash belong to the pattern."""
    if path is None or _ordinary(path) or holds_template(path):
        return
    from autopack.spec import paths  # noqa: PLC0415 - only an odd path pays for its import

    if reason := paths.fault(path.removeprefix("!").removesuffix("/")):
        yield written.at(steps, "AP3011", f'the path "{path}" {reason}', "such as src/** or tests/test_bucket.py")


# --- project ----------------------------------------------------------------------------------------------

# Not compiled here: most files have no branches, and compiling takes longer than judging them.
_NO_BRANCH = r"(?:^|/)\.|\.\.|//|@\{|[\x00-\x20\x7f~^:?*\[\\]|\.lock(?:/|$)|^/|[/.]$|^@$|^-"
_WORD_IN_BRACES = r"\{(?!run_id\})[^}]*\}?"
_FOR_INSTANCE = "such as autonomous/{run_id}"


def _branches(written: _Written, _names: Names) -> Found:
    for key in ("base_branch", "integration_branch"):
        name = written.get(key) or "main"
        if re.search(_NO_BRANCH, name):
            yield written.at((key,), "AP3016", f'git takes no branch called "{name}"', _FOR_INSTANCE)
        elif key == "integration_branch" and (word := re.search(_WORD_IN_BRACES, name)):
            message = f'"{word[0]}" stands for nothing in the name of a branch'
            yield written.at((key,), "AP3016", message, "the one word it takes is {run_id}")


def _protected_integration(written: _Written, _names: Names) -> Found:
    """Told at the integration branch; at what protects it, where the integration branch is the default."""
    branch = written.get("integration_branch")
    if branch is None:
        return
    protected = [steps for steps, pattern in written.items("protected_branches") if fnmatchcase(branch, pattern)]
    if written.get("base_branch") == branch:
        protected.append(("base_branch",))
    if protected:
        told = [steps for steps in (("integration_branch",), *protected) if written.document.has(steps)]
        labels = [written.label(steps, "protected here") for steps in told[1:2]]
        message = f'the integration branch "{branch}" is protected'
        yield written.at(told[0], "AP3015", message, _FOR_INSTANCE, *labels)


# --- ruleset ----------------------------------------------------------------------------------------------


def _rows(written: _Written) -> Iterator[tuple[Steps, Row]]:
    for group in ("category_defaults", "high_risk"):
        if row := written.get(group):
            yield (group,), row
    for group in ("categories", "complexities", "builder_modes"):
        yield from written.items(group)


def _auditor_attempts(written: _Written, names: Names) -> Found:
    """A number that is written must fit; one that is inherited is clamped by the compiler."""
    for steps, row in _rows(written):
        auditor, builder = row.get("auditor_attempts"), row.get("builder_attempts")
        own = "builder_attempts" in row
        if not own and steps[0] == "categories" and names.ruleset is not None:
            builder = _inherited_attempts(names.ruleset, str(steps[1]))
        if auditor is not None and builder is not None and auditor > max(1, builder - 1):
            message = f"{auditor} attempts of the Auditor beside {builder} of the Builder"
            labels = [written.label((*steps, "builder_attempts"), "the Builder's")] if own else []
            advice = f"write at most {max(1, builder - 1)}"
            yield written.at((*steps, "auditor_attempts"), "AP3013", message, advice, *labels)


def _inherited_attempts(ruleset: Row, category: str) -> int | None:
    """The builder attempts that the rows of a merged ruleset give a category, nearest first."""
    row = ruleset["categories"][category]
    rows = [row, ruleset.get("high_risk") or {}] if row.get("high_risk") else [row]
    complexity = next((each["complexity"] for each in rows if each.get("complexity")), "")
    rows += [(ruleset.get("complexities") or {}).get(complexity) or {}, ruleset.get("category_defaults") or {}]
    return next((each["builder_attempts"] for each in rows if each.get("builder_attempts")), None)


def _task_categories(written: _Written, names: Names) -> Found:
    """Both names of a category lead to it, so no two categories may share one."""
    rows = (names.ruleset or written.value).get("categories") or {}
    owner: dict[str, str] = {name: name for name in rows}
    for name, row in rows.items():
        task = (row or {}).get("task_category") or name
        place = ("categories", name, "task_category")
        if owner.setdefault(task, name) != name and written.document.has(place):
            message = f'"{task}" already stands for the category "{owner[task]}"'
            yield written.at(place, "AP3001", message, "give it a name of its own")


def _grants(written: _Written, names: Names) -> Found:
    for steps, grant in written.items("grants"):
        yield from _expired(written, steps, grant, "grant", names.today)


def _expired(written: _Written, steps: Steps, exception: Row, what: str, today: str) -> Found:
    until = exception.get("until")
    if until is not None and until < today:
        owner = exception.get("owner") or "its owner"
        advice = f"ask {owner} to renew it, or remove it"
        yield written.at((*steps, "until"), "AP3014", f"this {what} held until {until}", advice)


# --- ci ---------------------------------------------------------------------------------------------------

_SHELLS = frozenset({"sh", "bash", "dash", "zsh", "ksh", "fish"})


def _profiles(written: _Written, _names: Names) -> Found:
    profiles = written.get("profiles") or {}
    for name in profiles:
        chain = chain_of(profiles, name)
        last, place = chain[-1], ("profiles", name)
        if last not in profiles:
            if len(chain) == 2:  # told once, where the unknown name stands
                advice = _known_profiles(last, profiles)
                yield written.at((*place, "extends"), "AP3005", f'no CI profile "{last}"', advice)
        elif chain.count(last) > 1:
            if last == name and name == min(chain, key=list(profiles).index):  # once a circle, at its first profile
                message = f"these profiles extend each other in a circle: {' -> '.join(chain)}"
                yield written.at((*place, "extends"), "AP3009", message, "let one of them extend nothing")
        elif all(_runs_nothing(profiles[each]) for each in chain):
            yield written.at_key(place, "AP3024", f'the profile "{name}" runs nothing', "give it steps")


def _runs_nothing(profile: Row | None) -> bool:
    return (
        profile is not None
        and not profile.get("steps", ())
        and None not in (profile.get("steps", ()), profile.get("extends", ""))
    )


def chain_of(profiles: Row, name: str) -> list[str]:
    """A profile and those it extends, up to one that is unknown or came before, which then stands there again."""
    chain = [name]
    while (parent := (profiles.get(chain[-1]) or {}).get("extends")) is not None:
        chain.append(parent)
        if parent in chain[:-1]:
            break
    return chain


def _shells(written: _Written, _names: Names) -> Found:
    lists: list[Steps] = [("setup",), *((*steps, "steps") for steps, _ in written.items("profiles"))]
    for steps, step in (found for place in lists for found in written.items(*place)):
        run = step.get("run")
        if run and None not in run and _is_shell(run):
            message = f'the step "{step.get("id")}" runs a shell'
            yield written.at((*steps, "run", 0), "AP3025", message, "write the words of the command where you can")


def _is_shell(run: Sequence[str]) -> bool:
    return run[0].rpartition("/")[2] in _SHELLS and any(re.fullmatch(r"-[a-z]*c", word) for word in run[1:])


def _quarantine(written: _Written, names: Names) -> Found:
    for steps, test in written.items("quarantine"):
        yield from _expired(written, steps, test, "quarantine", names.today)


# --- models -----------------------------------------------------------------------------------------------


def _routes(written: _Written) -> Iterator[tuple[Steps, Row]]:
    yield from written.items("routing", "complexity")
    yield from written.items("routing", "categories")
    if route := written.get("routing", "high_risk"):
        yield ("routing", "high_risk"), route


def _prices(written: _Written, _names: Names) -> Found:
    for steps, model in written.items("models"):
        if "price" not in model:
            advice = 'add `price: {input: "0.15", output: "0.60", as_of: 2024-07-18}`, or `unmetered` and a token_cap'
            yield written.at_key(steps, "AP3017", f'the model "{steps[-1]}" has no price', advice)
        elif model["price"] == "unmetered" and "token_cap" not in model:
            message = f'the model "{steps[-1]}" is unmetered and has no cap'
            yield written.at((*steps, "price"), "AP3017", message, "add `token_cap: 2_000_000`")


def _windows(written: _Written, _names: Names) -> Found:
    for steps, model in written.items("models"):
        window, longest = model.get("context_tokens"), model.get("max_output_tokens")
        if window is not None and longest is not None and longest >= window:
            label = written.label((*steps, "context_tokens"), "the window")
            message = f"an answer of {longest:,} tokens leaves no room for the question"
            yield written.at((*steps, "max_output_tokens"), "AP3027", message, f"less than {window:,}", label)


def _providers(written: _Written, _names: Names) -> Found:
    ids = [model.get("litellm") for _, model in written.items("models")]
    known = sorted({provider(name) for name in ids if name is not None})
    for steps, _ in written.items("providers"):
        name = str(steps[-1])
        if name not in known and None not in ids and written.get("models") is not None:
            message = f'no model of this catalogue belongs to "{name}"'
            yield written.at_key(steps, "AP3026", message, did_you_mean(name, known) or f"providers: {_some(known)}")


def provider(litellm: str) -> str:
    """Whose quota a model uses: what stands before the first slash; LiteLLM takes a bare name for OpenAI's."""
    head, slash, _ = litellm.partition("/")
    return head if slash else "openai"


# --- inputs -----------------------------------------------------------------------------------------------

_INPUT_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def _inputs(written: _Written, _names: Names) -> Found:
    for steps, declared in written.items("inputs"):
        values = written.items(*steps, "enum")
        misfits = [(place, misfit({**declared, "enum": None}, value)) for place, value in values]
        if declared.get("default") is not None and not any(reason for _, reason in misfits):
            misfits.append(((*steps, "default"), misfit(declared, declared["default"])))
        for place, reason in misfits:
            if reason:
                yield written.at(place, "AP3018", f'the input "{steps[-1]}" {reason}')


def misfit(declared: Row, value: object) -> str | None:
    """Why a declared input can't have this value, in words that follow its name; None when it can."""
    kind = declared.get("type", "string")
    if kind is not None and type(value) not in _INPUT_TYPES[kind]:
        return f"is declared as {kind}, which {value!r} is not"
    allowed = declared.get("enum")
    if allowed and None not in allowed and value not in allowed:
        return f"must be one of: {', '.join(map(str, allowed))}"
    return None


def converted(kind: str, value: Any) -> Any:
    """Text from a command line or a template as the declared type; left alone where it doesn't read so."""
    if not isinstance(value, str) or kind == "string":
        return value
    if kind == "boolean":
        return {"true": True, "false": False}.get(value, value)
    try:
        return int(value) if kind == "integer" else float(value)
    except ValueError:
        return value


# --- scenario ---------------------------------------------------------------------------------------------

_EXPECTED = ("phases", "failure_reasons", "path", "builder_calls", "auditor_calls", "ci_runs")
_BY_PHASE = (("answers",), *(("expect", key) for key in _EXPECTED))


def _phases_of_scenario(written: _Written, names: Names) -> Found:
    if names.playbook is None:
        return
    playbook = _Written(names.playbook.document, names.playbook.value)
    nodes = list(_phases(playbook, Names(modules=names.playbook.modules)))
    known = [each.name for node in nodes for each in node.names]
    if playbook.refused_phases() or any(node.unknown or not node.names for node in nodes):
        return
    for steps in (place for way in _BY_PHASE for place, _ in written.items(*way)):
        name = str(steps[-1])
        if name not in known and (name != "*" or steps[0] != "answers"):
            advice = did_you_mean(name, known) or f"ids of phases: {_some(known)}"
            yield written.at_key(steps, "AP3031", f'the playbook has no phase "{name}"', advice)


def _inputs_of_scenario(written: _Written, names: Names) -> Found:
    declared = names.playbook.value.get("inputs", {}) if names.playbook else None
    if declared is None or names.playbook is None:
        return
    given = written.get("inputs") or {}
    for name, value in given.items():
        place = ("inputs", name)
        if name not in declared:
            advice = did_you_mean(name, declared) or f"inputs of the playbook: {', '.join(declared) or 'none'}"
            yield written.at_key(place, "AP3019", f'the playbook has no input "{name}"', advice)
        elif value is not None and declared[name] is not None and (reason := misfit(declared[name], value)):
            yield written.at(place, "AP3019", f'the input "{name}" {reason}', None, _declared(names.playbook, name))


def _environment_of_scenario(written: _Written, names: Names) -> Found:
    name = written.get("env")
    if name is not None and names.environments is not None and name not in names.environments:
        advice = did_you_mean(name, names.environments) or f"environments: {_some(names.environments) or 'none'}"
        yield written.at(("env",), "AP3029", f'no environment "{name}" is declared', advice)


_OF_PHASES = (_fan_outs, _uses, _references_of_playbook, _paths_of_playbook, _inputs)
_RULES: Mapping[str, Sequence[Callable[[_Written, Names], Found]]] = {
    "project": (_branches, _protected_integration, _paths_of_project),
    "playbook": (_ids_of_playbook, _needs_of_tiers, _needs_of_phases, *_OF_PHASES),
    "tier": (_ids_of_playbook, _needs_of_phases, *_OF_PHASES),
    "phase": (_id_of_phase, *_OF_PHASES),
    "scenario": (_phases_of_scenario, _inputs_of_scenario, _environment_of_scenario),
    "ruleset": (_auditor_attempts, _task_categories, _references_of_ruleset, _grants, _paths_of_ruleset),
    "ci": (_ids_of_ci, _profiles, _shells, _quarantine, _paths_of_ci),
    "models": (_references_of_models, _prices, _windows, _providers),
}
