"""A plan while it is being compiled: what each pass hands to the next."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal

from autopack.plan.model import Ask, Attempt, Caps, Worst
from autopack.problem import Problem
from autopack.problem.typed import TYPE_CHECKING, Any
from autopack.spec import model as spec_model
from autopack.spec.at import At
from autopack.spec.model import Spec
from autopack.spec.record import field, record, replace

if TYPE_CHECKING:  # neither is on the way of a check of files
    from autopack.plan.backlog import BacklogEntry
    from autopack.plan.calibration import Calibration

NO_BACKLOG: Mapping[str, BacklogEntry] = {}
NOTHING = Worst(0, 0, Decimal(0))


@record
class Value:
    """An effective value and where it was decided: a place in a file and the words for the layer that won."""

    value: Any
    layer: str
    at: At | None


HERE = ""
"""The path of a place in the phase itself: phases of one kind say the same, each in a place of its own."""


@record
class Kind:
    """What is decided once for all phases that ask for the same; see `inherit` for what makes them alike."""

    values: Mapping[str, Value]  # inherit: every field; a place may be HERE
    attempts: tuple[Attempt, ...] = ()  # route
    audit: Ask | None = None  # route
    audit_fallbacks: tuple[Ask, ...] = ()  # route
    second_audit: Ask | None = None  # route
    patches: tuple[Attempt, ...] = ()  # route
    why: str = ""  # route
    worst: Worst = NOTHING  # prove_budget
    first: Worst = NOTHING  # prove_budget: a first attempt and its audits

    @property
    def auditors(self) -> tuple[Ask, ...]:
        """Who reviews each candidate: one, or two."""
        return tuple(ask for ask in (self.audit, self.second_audit) if ask is not None)

    @property
    def asks(self) -> tuple[Ask, ...]:
        """Everybody who may be asked, in whatever role."""
        builders = (ask for attempt in (*self.attempts, *self.patches) for ask in (attempt.ask, *attempt.fallbacks))
        return (*builders, *self.auditors, *self.audit_fallbacks)


UNDECIDED = Kind({})


@record
class DraftPhase:
    """A phase with all it needs, and of which kind it is."""

    spec: spec_model.Phase
    tier: spec_model.Tier
    needs: tuple[str, ...]
    kind: Kind = UNDECIDED
    aged: tuple[str, ...] = ()  # age: the keys of aged issues that it has to do with
    scheduled: tuple[str, ...] = ()  # age: the keys of aged issues that it was scheduled for

    def __getitem__(self, name: str) -> Any:
        return self.kind.values[name].value

    @property
    def values(self) -> Mapping[str, Value]:
        """Every inherited field with its place, also where that is in this very phase."""
        return {name: below(value, self.spec.at) for name, value in self.kind.values.items()}


def below(value: Value, at: At) -> Value:
    """The value with its place, where it is HERE, in the phase at `at`."""
    return value if value.at is None or value.at.path != HERE else replace(value, at=at.to(*value.at.steps))


@record
class Draft:
    """`jobs`, `backlog` and `calibration` are what a compile is told beside the spec."""

    spec: Spec
    jobs: int = 1
    backlog: Mapping[str, BacklogEntry] = field(default_factory=lambda: NO_BACKLOG)
    calibration: Calibration | None = None
    phases: tuple[DraftPhase, ...] = ()
    caps: Caps | None = None
    safety_profile: str = "normal"
    run_scope: str = "multi_tier"
    aged: tuple[str, ...] = ()  # age: the keys of all aged issues
    runs: tuple[tuple[str, ...], ...] = ()  # split: the ids of each run's phases
    problems: tuple[Problem, ...] = ()

    def found(self, *problems: Problem) -> Draft:
        return replace(self, problems=self.problems + problems)

    @property
    def kinds(self) -> Sequence[DraftPhase]:
        """The first phase of each kind."""
        first: dict[int, DraftPhase] = {}
        for phase in self.phases:
            first.setdefault(id(phase.kind), phase)
        return tuple(first.values())

    def decided(self, decide: Callable[[DraftPhase], Kind]) -> Draft:
        """Every phase with what is decided of its kind, by the first phase of that."""
        made = {id(phase.kind): decide(phase) for phase in self.kinds}
        phases = (DraftPhase(p.spec, p.tier, p.needs, made[id(p.kind)], p.aged, p.scheduled) for p in self.phases)
        return replace(self, phases=tuple(phases))

    def at_each(self, find: Callable[[DraftPhase], Iterable[Problem]]) -> Iterator[Problem]:
        """What is found at each phase: where nothing is at the first of a kind, nothing is at the others."""
        silent = {id(phase.kind) for phase in self.kinds if not any(True for _ in find(phase))}
        return (found for phase in self.phases if id(phase.kind) not in silent for found in find(phase))

    @property
    def failed(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)
