"""What every rule looks at: a file and its value, and the names that other files declare."""

from collections.abc import Collection, Iterator, Mapping, Sequence

from autopack.problem import Label, Problem, problem
from autopack.problem.typed import Any, NamedTuple
from autopack.spec.at import Step, Steps
from autopack.spec.document import Document
from autopack.spec.nearest import replacement

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
    phases: Collection[str] | None = None  # of all playbooks of the project
    environments: Collection[str] | None = None  # of the project

    def categories(self) -> list[str] | None:
        """Every category under both of its names; None where one of them is unknown."""
        rows = self.ruleset and self.ruleset.get("categories")
        if rows is None or any(row is None or row.get("task_category", "") is None for row in rows.values()):
            return None
        tasks = (row.get("task_category") for row in rows.values())
        return list(dict.fromkeys([*rows, *filter(None, tasks)]))


THE_MODULE = "the module"  # a label at a `uses`
ANY = 1_000_000_000  # more than any file holds


class Written:
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

    def twice(self, key: str) -> bool:
        """Whether a mapping at the top holds a key twice: then one of the two was meant to be another."""
        found = self.document.value.get(key)
        return isinstance(found, dict) and id(found) in self.document.repeated

    def refused(self, *steps: Step) -> int:
        """How many items of a list the schema refused: of a list that it refused as a whole, any number."""
        found = self.get(*steps[:-1]).get(steps[-1], ())
        return ANY if found is None else sum(item is None for item in found)

    def refused_phases(self) -> int:
        return self.refused("tiers") * ANY + sum(self.refused(*place, "phases") for place, _ in self.tiers())


def present(items: Sequence[Any] | None) -> Iterator[tuple[int, Any]]:
    """What a list holds, by number, but for what was refused."""
    return ((index, item) for index, item in enumerate(items or ()) if item is not None)


def some(words: Collection[str], most: int = 20) -> str:
    shown = ", ".join(list(words)[:most])
    return f"{shown}, ..." if len(words) > most else shown
