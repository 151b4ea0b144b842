"""Where paths and patterns may lead, and what a phase may write."""

from collections.abc import Callable, Iterator, Sequence

from autopack.problem import Problem
from autopack.spec.at import Steps
from autopack.spec.document import Document
from autopack.spec.rules.written import Found, Names, Row, Written, present
from autopack.spec.schema import holds_template


def paths_of_playbook(written: Written, _names: Names) -> Found:
    for steps, path in written.items("context"):
        yield from path_at(written, steps, path)
    for steps, phase in written.phases():
        yield from _paths_in_phase(written, steps, phase)
        if phase.get("allow"):
            yield from allowed_paths(written, (*steps, "allow"))


def _paths_in_phase(written: Written, steps: Steps, phase: Row) -> Found:
    scope = phase.get("scope") or {}
    lists = (scope.get("write"), scope.get("read"), phase.get("deliverables"))
    faults: list[Problem] = []
    if any(path is not None and not _ordinary(path) for paths in lists for path in paths or ()):
        faults = [found for place, path in _paths_of_phase(phase) for found in path_at(written, (*steps, *place), path)]
    yield from faults or _deliverables(written, steps, phase)


def late(document: Document, steps: Steps, phase: Row) -> list[Problem]:
    """What only shows once the templates of a phase are filled in: where its paths lead."""
    return list(_paths_in_phase(Written(document, None), steps, phase))


def late_context(document: Document, context: Sequence[str]) -> list[Problem]:
    """The same of the files that a playbook shows to every Builder."""
    written = Written(document, None)
    return [found for index, path in enumerate(context) for found in path_at(written, ("context", index), path)]


def _paths_of_phase(phase: Row) -> Iterator[tuple[Steps, str]]:
    scope = phase.get("scope") or {}
    for key in ("write", "read"):
        yield from ((("scope", key, index), path) for index, path in present(scope.get(key)))
    yield from ((("deliverables", index), path) for index, path in present(phase.get("deliverables")))


def _deliverables(written: Written, steps: Steps, phase: Row) -> Found:
    scope, delivered = (phase.get("scope") or {}).get("write"), phase.get("deliverables")
    if not scope or not delivered or None in scope or any(map(holds_template, scope)):
        return
    if (
        len(scope) == 1
        and scope[0].endswith("/**")
        and all(each and each.startswith(scope[0][:-2]) for each in delivered)
    ):
        return  # as with most phases
    inside = _inside(scope)
    for index, path in present(delivered):
        if not inside(path) and not holds_template(path):
            label = written.label((*steps, "scope", "write"), "what it may write")
            message = f'the deliverable "{path}" is outside `scope.write`'
            yield written.at((*steps, "deliverables", index), "AP3010", message, "widen the scope or drop it", label)


def _inside(scope: Sequence[str]) -> Callable[[str], bool]:
    """As `paths.matches`, with the two most frequent answers before its import and without a look at each pattern."""
    if any(pattern.startswith("!") for pattern in scope):
        exact, folders, odd = frozenset[str](), frozenset[str](), list(scope)
    else:
        exact = frozenset(scope)
        folders = frozenset(pattern[:-3] for pattern in scope if pattern.endswith("/**"))
        odd = [pattern for pattern in scope if any(sign in pattern for sign in "*?[") or pattern.endswith("/")]

    def inside(path: str) -> bool:
        above = (path[:at] for at, char in enumerate(path) if char == "/")
        if path in exact or not folders.isdisjoint(above):
            return True
        from autopack.spec import paths  # noqa: PLC0415 - as said above

        return paths.matches(path, odd)

    return inside


def allowed_paths(written: Written, steps: Steps) -> Found:
    for below, word in written.items(*steps):
        if isinstance(word, dict):
            for place, path in written.items(*below, "protected_paths"):
                yield from path_at(written, place, path)


def _ordinary(path: str) -> bool:
    """Whether there is nothing to look into, as with nearly every path: no hidden, empty or odd segment."""
    if not path.isascii() or not path.isprintable() or path[0] in "/.!" or len(path) > 200:
        return False
    return not ("/." in path or "//" in path or "\\" in path or "~" in path or ":" in path)


def path_at(written: Written, steps: Steps, path: str | None) -> Found:
    """A path or pattern; a leading `!` and a trailing slash belong to the pattern."""
    if path is None or _ordinary(path) or holds_template(path):
        return
    from autopack.spec import paths  # noqa: PLC0415 - only an odd path pays for its import

    if reason := paths.fault(path.removeprefix("!").removesuffix("/")):
        yield written.at(steps, "AP3011", f'the path "{path}" {reason}', "such as src/** or tests/test_bucket.py")
