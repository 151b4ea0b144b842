"""A plan while it is being compiled: what each pass hands to the next."""

from __future__ import annotations

from collections.abc import Mapping
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


@record
class DraftPhase:
    """`values` holds every inherited field with its origin; the rest is filled by the passes named beside it."""

    spec: spec_model.Phase
    tier: spec_model.Tier
    needs: tuple[str, ...]
    values: Mapping[str, Value]  # inherit
    attempts: tuple[Attempt, ...] = ()  # route
    audit: Ask | None = None  # route
    audit_fallbacks: tuple[Ask, ...] = ()  # route
    second_audit: Ask | None = None  # route
    patches: tuple[Attempt, ...] = ()  # route
    why: str = ""  # route
    worst: Worst = NOTHING  # prove_budget
    aged: tuple[str, ...] = ()  # age: the keys of aged issues that it has to do with
    scheduled: tuple[str, ...] = ()  # age: the keys of aged issues that it was scheduled for

    def __getitem__(self, name: str) -> Any:
        return self.values[name].value

    @property
    def auditors(self) -> tuple[Ask, ...]:
        """Who reviews each candidate: one, or two."""
        return tuple(ask for ask in (self.audit, self.second_audit) if ask is not None)

    @property
    def asks(self) -> tuple[Ask, ...]:
        """Everybody who may be asked, in whatever role."""
        builders = (ask for attempt in (*self.attempts, *self.patches) for ask in (attempt.ask, *attempt.fallbacks))
        return (*builders, *self.auditors, *self.audit_fallbacks)


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
    def failed(self) -> bool:
        return any(problem.severity == "error" for problem in self.problems)
