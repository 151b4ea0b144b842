"""A playbook as written -> plain tiers of plain phases: modules taken in, fan-outs spread, templates filled in.

Every value keeps the place it was written at, also in a module, and the `uses` that led there. What comes in has
passed every check of `rules`; what only a filled-in template can show is found here.
"""

from collections.abc import Iterator, Mapping

from autopack.problem import Label, Problem, Span, problem
from autopack.problem.typed import Any, NamedTuple
from autopack.spec import fanout, schema
from autopack.spec.at import At, Steps
from autopack.spec.filling import Filling
from autopack.spec.rules import scopes
from autopack.spec.rules.inputs import converted, misfit
from autopack.spec.rules.written import Row, Source

USED = "used here"
OF_USES = ("id", "name", "description", "tags")  # what is said beside `uses` outweighs the module


class Whole(NamedTuple):
    """A tier or phase that stands for itself. `via` are the `uses` that led to it, the outermost first."""

    at: At
    value: Row
    via: tuple[At, ...]
    needs: tuple[str, ...] | None
    needs_at: tuple[At, ...] = ()
    phases: tuple["Whole", ...] = ()
    fan_out: str | None = None


class _Place(NamedTuple):
    """A tier or phase of one file, with what its templates are filled in with and the way that led there."""

    source: Source
    steps: Steps
    filling: Filling
    via: tuple[At, ...] = ()
    spans: tuple[Span, ...] = ()  # of `via`

    @property
    def at(self) -> At:
        return At(self.source.document.path, self.steps)

    @property
    def entry(self) -> Any:
        value = self.source.value
        for step in self.steps:
            value = value[step]
        return value

    def below(self, *steps: str | int) -> "_Place":
        return self._replace(steps=self.steps + steps)


def expanded(playbook: Source, filling: Filling) -> tuple[dict[str, Any], list[Whole], list[Problem]]:
    """The playbook's own keys, its tiers, and what is wrong with texts once they are filled in."""
    work = _Expansion(filling.project)
    top = work.keys(_Place(playbook, (), filling), "tiers")
    work.problems += scopes.late_context(playbook.document, top.get("context") or ())
    count = len(playbook.value["tiers"])
    tiers = [work.tier(_Place(playbook, ("tiers", index), filling)) for index in range(count)]
    return top, list(work.with_needs(tiers)), _once(work.problems)


class _Expansion:
    def __init__(self, project: str) -> None:
        self.problems: list[Problem] = []
        self._project = project
        self._stands_for: dict[str, tuple[str, ...]] = {}  # what a need of this id means
        self._templated: dict[str, bool] = {}

    def tier(self, place: _Place) -> Whole:
        value = self.keys(place, "phases")
        needs = value.get("needs")
        inner = place
        if "uses" in value:
            inner = self._module(place, value)
            value = self._over(inner, value)
        phases: list[Whole] = []
        for index, entry in enumerate(inner.entry["phases"]):
            if "uses" in entry or fanout.fans(entry) or self._holds_template(inner):
                phases += self._phases(inner.below("phases", index))
            else:
                phases.append(_as_written(inner.at.to("phases", index), entry, inner.via))
        return Whole(inner.at, value, inner.via, None if needs is None else tuple(needs), (), tuple(phases))

    def _phases(self, place: _Place) -> Iterator[Whole]:
        entry = place.entry
        module = place.source.modules.get(entry["uses"]) if "uses" in entry else None
        name = entry["id"] if module is None or "id" in entry else module.value["id"]
        found = []
        for branch in fanout.branches(entry, name):
            found.append(branch.id)
            yield self._phase(place, branch)._replace(fan_out=name if fanout.fans(entry) else None)
        self._stands_for[name] = tuple(found)

    def _phase(self, place: _Place, branch: fanout.Branch) -> Whole:
        here = place._replace(filling=place.filling._replace(more=branch.names))
        before = len(self.problems)
        value, inner = self.keys(here), here
        if "uses" in value:
            inner = self._module(here, value)
            value = self._over(inner, value)
        if self._holds_template(inner):
            self.problems += [_by(inner, found) for found in scopes.late(inner.source.document, inner.steps, value)]
        if branch.names and len(self.problems) > before:
            label = Label(place.source.document.span((*place.steps, *branch.place)), "for this value")
            self.problems[before:] = [each._replace(labels=(*each.labels, label)) for each in self.problems[before:]]
        needs = tuple(place.entry.get("needs") or ())
        places = tuple(place.at.to("needs", index) for index in range(len(needs)))
        return Whole(inner.at, {**value, "id": branch.id}, inner.via, needs, places)

    def keys(self, place: _Place, *but: str) -> dict[str, Any]:
        """What is written at a place, filled in, but for some keys."""
        entry = place.entry
        if not self._holds_template(place):
            return {key: item for key, item in entry.items() if key not in but}
        if not but:
            return dict(self._filled(place, place.steps))
        return {key: self._filled(place, (*place.steps, key)) for key in entry if key not in but}

    def _filled(self, place: _Place, steps: Steps) -> Any:
        from autopack.spec import template  # noqa: PLC0415 - most files hold none

        found, problems = template.filled_in(place.source.document, place.filling, steps)
        self.problems += [_by(place, each) for each in problems]
        return found

    def _holds_template(self, place: _Place) -> bool:
        document = place.source.document
        if document.path not in self._templated:
            self._templated[document.path] = schema.holds_template(document.text)
        return self._templated[document.path]

    def _module(self, place: _Place, value: Row) -> _Place:
        """The module's own root, with the inputs that are given to it here."""
        module = place.source.modules[value["uses"]]
        assert module is not None
        inputs, problems = _inputs(place, module, value.get("with") or {})
        self.problems += [_by(place, each) for each in problems]
        span = place.source.document.span((*place.steps, "uses"))
        via = (*place.via, place.at.to("uses"))
        return _Place(module, (), Filling(inputs, self._project), via, (*place.spans, span))

    def _over(self, module: _Place, value: Row) -> dict[str, Any]:
        own = {key: value[key] for key in OF_USES if key in value}
        return {**self.keys(module, "phases", "autopack", "inputs", "meta"), **own}

    def with_needs(self, tiers: list[Whole]) -> Iterator[Whole]:
        """Each need of a fan-out as needs of all its branches, now that all ids are known."""
        for tier in tiers:
            yield tier._replace(phases=tuple(map(self._with_needs, tier.phases))) if self._stands_for else tier

    def _with_needs(self, phase: Whole) -> Whole:
        if self._stands_for.keys().isdisjoint(phase.needs or ()):
            return phase
        pairs = {
            name: at
            for need, at in zip(phase.needs or (), phase.needs_at, strict=True)
            for name in self._stands_for.get(need, (need,))
        }
        return phase._replace(needs=tuple(pairs), needs_at=tuple(pairs.values()))


def _as_written(at: At, entry: Row, via: tuple[At, ...]) -> Whole:
    """A phase in which nothing is to be filled in, taken in or spread, as with most."""
    needs = tuple(entry.get("needs", ()))
    return Whole(at, entry, via, needs, tuple([at.to("needs", index) for index in range(len(needs))]))


def _inputs(place: _Place, module: Source, given: Row) -> tuple[dict[str, Any], list[Problem]]:
    """The value of every input of a module; text that a template made is read as the declared type."""
    written: Mapping[str, Any] = place.entry.get("with") or {}
    values: dict[str, Any] = {}
    problems = []
    for name, declared in module.value.get("inputs", {}).items():
        value = given.get(name, declared.get("default"))
        if name in given and value != written[name]:
            value = converted(declared.get("type", "string"), value)
        if reason := misfit(declared, value):
            span = place.source.document.span((*place.steps, "with", name))
            problems.append(problem("AP3019", f'the input "{name}" {reason}', span))
        values[name] = value
    return values, problems


def _by(place: _Place, found: Problem) -> Problem:
    """What is found inside a module is told with the `uses` that pulled it in."""
    return found._replace(labels=(*found.labels, *(Label(span, USED) for span in place.spans)))


def _once(problems: list[Problem]) -> list[Problem]:
    """One fault, one finding: the same place isn't told again for every branch or use of it."""
    first: dict[Any, Problem] = {}
    for each in problems:
        first.setdefault((each.code, each.span), each)
    return list(first.values())
