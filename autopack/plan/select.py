"""Which phases of a plan are meant: selections evaluated, and a plan cut down to them.

Says with did-you-mean when a name is unknown, and refuses to select nothing: a run of nothing that succeeds would be
believed.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from fnmatch import fnmatchcase

from autopack.plan.facets import FACETS, GROUND, facets, models_of
from autopack.plan.model import Plan, PlanPhase, PlanRun, PlanTier
from autopack.plan.worst import of_plan, total
from autopack.spec.nearest import did_you_mean
from autopack.spec.record import field, record, replace
from autopack.spec.selection import EVERY, Atom, Selection, Unreadable, read
from autopack.spec.territory import meets


class NoPhase(ValueError):
    """Nothing is selected; the text says why, and what to do."""


@record
class Named:
    """A selector of the project."""

    select: tuple[str, ...]
    exclude: tuple[str, ...] = ()


@record
class Choice:
    """What was asked for. `state` is the plan that `state:` compares with."""

    select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    state: Plan | None = None
    named: Mapping[str, Named] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.select or self.exclude)


def select(plan: Plan, choice: Choice) -> tuple[str, ...]:
    """Ids in the order of the plan; all where nothing is selected. Raises NoPhase, Unreadable."""
    found = _Search(plan, choice).chosen(choice.select, choice.exclude, ())
    if not found:
        asked = " ".join(choice.select) or "everything"
        but = f" without {' '.join(choice.exclude)}" if choice.exclude else ""
        raise NoPhase(f"no phase is selected by {asked}{but}; `autopack ls` shows what each phase answers to")
    return tuple(phase.phase_id for phase in plan.phases if phase.phase_id in found)


def subset(plan: Plan, phase_ids: Iterable[str]) -> Plan:
    """The plan with these phases only. What they need beyond that is taken for done, and named in `assumed`."""
    kept = set(phase_ids)
    if kept.issuperset(phase.phase_id for phase in plan.phases):
        return plan
    cut = {
        p.phase_id: replace(p, needs=tuple(n for n in p.needs if n in kept)) for p in plan.phases if p.phase_id in kept
    }
    phases = tuple(cut.values())
    assumed = {need for phase in plan.phases if phase.phase_id in kept for need in phase.needs if need not in kept}
    used = {name for phase in phases for name in models_of(phase)}
    profiles = {phase.ci for phase in phases}
    runs = [_run(plan, run, cut) for run in plan.runs if kept.intersection(run.phases)]
    return replace(
        plan,
        phases=phases,
        tiers=_tiers(plan.tiers, kept),
        models={name: model for name, model in plan.models.items() if name in used},
        profiles={name: profile for name, profile in plan.profiles.items() if name in profiles},
        assumed=tuple(dict.fromkeys((*plan.assumed, *(p.phase_id for p in plan.phases if p.phase_id in assumed)))),
        worst=of_plan(plan, phases) if len(runs) < 2 else total([run.worst for run in runs]),
        runs=tuple(runs) if len(runs) > 1 else (),
    )


def _run(plan: Plan, run: PlanRun, cut: Mapping[str, PlanPhase]) -> PlanRun:
    names = tuple(name for name in run.phases if name in cut)
    return PlanRun(
        names,
        _tiers(run.tiers, set(names)),
        run.caps,
        of_plan(replace(plan, caps=run.caps), [cut[name] for name in names]),
    )


def _tiers(tiers: Iterable[PlanTier], kept: set[str]) -> tuple[PlanTier, ...]:
    left = (replace(tier, phases=tuple(name for name in tier.phases if name in kept)) for tier in tiers)
    return tuple(tier for tier in left if tier.phases)


class _Search:
    """One evaluation: what was looked up once is kept."""

    def __init__(self, plan: Plan, choice: Choice) -> None:
        self.plan = plan
        self.choice = choice
        self.needs = {phase.phase_id: phase.needs for phase in plan.phases}

    def chosen(self, select: Sequence[str], exclude: Sequence[str], inside: tuple[str, ...]) -> set[str]:
        found = self._union(select, inside) if select else set(self.needs)
        return found - self._union(exclude, inside)

    def _union(self, texts: Sequence[str], inside: tuple[str, ...]) -> set[str]:
        selections: list[Selection] = [read(text) for text in texts]
        return {name for each in selections for atoms in each for name in self._all_of(atoms, inside)}

    def _all_of(self, atoms: Sequence[Atom], inside: tuple[str, ...]) -> set[str]:
        first, *rest = (self._with_relatives(atom, self._matching(atom, inside)) for atom in atoms)
        return first.intersection(*rest)

    def _with_relatives(self, atom: Atom, found: set[str]) -> set[str]:
        if atom.at:
            below = found | _reached(found, self.plan.dependents, EVERY)
            return below | _reached(below, self.needs, EVERY)
        return found | _reached(found, self.needs, atom.up) | _reached(found, self.plan.dependents, atom.down)

    def _matching(self, atom: Atom, inside: tuple[str, ...]) -> set[str]:
        match atom.method:
            case "id":
                return self._by_id(atom)
            case "path":
                known: dict[tuple[str, ...], bool] = {}  # what many phases may write is asked once
                for phase in self.plan.phases:
                    if phase.write not in known:
                        known[phase.write] = meets(phase.write, atom.value)
                return {phase.phase_id for phase in self.plan.phases if known[phase.write]}
            case "state":
                return self._by_state(atom)
            case "selector":
                return self._by_selector(atom, inside)
        return self._by_word(atom, _WORDS[atom.method])

    def _by_id(self, atom: Atom) -> set[str]:
        if atom.value in self.needs:
            return {atom.value}
        if any(char in atom.value for char in "*?["):
            return {name for name in self.needs if fnmatchcase(name, atom.value)}
        branches = {name for name in self.needs if name.startswith(f"{atom.value}.")}
        if not branches:
            raise NoPhase(f'no phase has the id "{atom.value}"; {_advice(atom.value, self.needs)}')
        return branches

    def _by_word(self, atom: Atom, words: Callable[[PlanPhase], Iterable[str]]) -> set[str]:
        known = {phase.phase_id: tuple(words(phase)) for phase in self.plan.phases}
        found = {name for name, answers in known.items() if any(fnmatchcase(word, atom.value) for word in answers)}
        there = sorted({word for answers in known.values() for word in answers} | _ALWAYS.get(atom.method, frozenset()))
        if not found and atom.value not in there and not any(char in atom.value for char in "*?["):
            raise NoPhase(f'no phase answers to "{atom.method}:{atom.value}"; {_advice(atom.value, there)}')
        return found

    def _by_state(self, atom: Atom) -> set[str]:
        what, dot, facet = atom.value.partition(".")
        if what not in {"new", "modified", "unmodified"} or (dot and (what != "modified" or facet not in FACETS)):
            known = ["new", "modified", "unmodified", *(f"modified.{name}" for name in FACETS)]
            raise NoPhase(f'there is no state "{atom.value}"; {_advice(atom.value, known)}')
        old = self.choice.state
        if old is None:
            raise NoPhase(f'"{atom.text}" compares with an earlier plan; name its file or a revision with --state')
        before = {phase.phase_id: phase for phase in old.phases}
        new = {name for name in self.needs if name not in before}
        if what == "new":
            return new
        wanted = {facet} if facet else set(FACETS) - {"base"}
        changed = {
            phase.phase_id
            for phase in self.plan.phases
            if phase.phase_id in before and wanted & differing(old, self.plan, phase.phase_id)
        }
        if what == "unmodified":
            return set(self.needs) - new - changed
        return changed if facet else new | changed

    def _by_selector(self, atom: Atom, inside: tuple[str, ...]) -> set[str]:
        named = self.choice.named.get(atom.value)
        if named is None:
            raise NoPhase(f'the project has no selector "{atom.value}"; {_advice(atom.value, self.choice.named)}')
        if atom.value in inside:
            circle = " -> ".join((*inside[inside.index(atom.value) :], atom.value))
            raise Unreadable(f"selectors use each other in a circle: {circle}", "take one of them out")
        return self.chosen(named.select, named.exclude, (*inside, atom.value))


def differing(old: Plan, new: Plan, phase_id: str) -> set[str]:
    """The facets in which a phase differs between two plans that both have it."""
    if old.phase(phase_id) == new.phase(phase_id) and _same_ground(old, new):
        return set()
    before, after = facets(old, old.phase(phase_id)), facets(new, new.phase(phase_id))
    return {name for name in FACETS if before[name] != after[name]}


def _same_ground(old: Plan, new: Plan) -> bool:
    """Whether all is equal that facets take from the plan itself: then equal phases have equal facets, unasked."""
    return all(getattr(old, name) == getattr(new, name) for name in GROUND)


_WORDS: Mapping[str, Callable[[PlanPhase], Iterable[str]]] = {
    "tag": lambda phase: phase.tags,
    "tier": lambda phase: (phase.tier_id,),
    "category": lambda phase: (phase.category, phase.task_category),
    "complexity": lambda phase: (phase.complexity,),
    "risk": lambda phase: ("high" if phase.high_risk else "normal",),
    "ci": lambda phase: (phase.ci,),
    "model": models_of,
}
_ALWAYS = {"risk": frozenset({"high", "normal"}), "complexity": frozenset({"low", "medium", "high"})}


def _reached(start: set[str], edges: Mapping[str, Iterable[str]], steps: int) -> set[str]:
    found, edge = set(start), set(start)
    while edge and steps > 0:
        edge = {name for each in edge for name in edges[each]} - found
        found |= edge
        steps -= 1
    return found - start


def _advice(word: str, known: Iterable[str]) -> str:
    names = list(known)
    listed = ", ".join(names[:12]) + (f" and {len(names) - 12} more" if len(names) > 12 else "")
    return did_you_mean(word, names) or (f"there are {listed}" if names else "there is none")
