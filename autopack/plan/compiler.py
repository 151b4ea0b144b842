"""spec -> plan, as a tuple of small passes. Each pass takes a draft and hands on a draft; findings add up.

The same call serves `validate`, `plan`, `run --dry-run` and `run`: what was printed is what is executed. A check of
files stops before the seal (`drafted`): what a plan holds beside its findings would be made for nobody.
"""

from collections.abc import Callable, Mapping

from autopack.plan.aging import age
from autopack.plan.budget import prove_budget
from autopack.plan.commands import entered
from autopack.plan.coverage import cover
from autopack.plan.draft import NO_BACKLOG, Draft
from autopack.plan.expand import expand
from autopack.plan.inherit import inherit
from autopack.plan.ordering import order
from autopack.plan.overlap import keep_apart
from autopack.plan.policy import obey
from autopack.plan.routing import route
from autopack.plan.split import split
from autopack.plan.stage import stage
from autopack.problem import Problem
from autopack.problem.typed import TYPE_CHECKING
from autopack.spec.model import Spec

if TYPE_CHECKING:  # what only a sealed plan needs is on no validate's way
    from autopack.plan.backlog import BacklogEntry
    from autopack.plan.calibration import Calibration
    from autopack.plan.model import Plan

Pass = Callable[[Draft], Draft]

PHASES_AT_ONCE = 4
"""How many phases may be under way together where nobody says otherwise (`--jobs`)."""

PASSES: tuple[Pass, ...] = (expand, age, order, keep_apart, inherit, stage, obey, cover, route, split, prove_budget)


def compile(  # noqa: A001 - the field's word
    spec: Spec,
    *,
    jobs: int | None = None,
    backlog: "Mapping[str, BacklogEntry]" = NO_BACKLOG,
    calibration: "Calibration | None" = None,
) -> "tuple[Plan | None, list[Problem]]":
    """The frozen plan, or None with errors among the findings. Equal specs give equal plans, byte for byte.

    `calibration` words findings (what is likely beside what is possible) and never reaches the plan.
    """
    from autopack.plan.seal import seal  # noqa: PLC0415 - see the module

    draft = drafted(spec, jobs=jobs, backlog=backlog, calibration=calibration)
    return (None if draft.failed else seal(draft)), told(draft)


def drafted(
    spec: Spec,
    *,
    jobs: int | None = None,
    backlog: "Mapping[str, BacklogEntry]" = NO_BACKLOG,
    calibration: "Calibration | None" = None,
) -> Draft:
    """All passes but the seal; after an error the later ones, which would stumble over it, are left out."""
    draft = Draft(entered(spec), jobs or PHASES_AT_ONCE, backlog, calibration)
    for step in PASSES:
        draft = step(draft)
        if draft.failed:
            break
    return draft


def told(draft: Draft) -> list[Problem]:
    """What was found on the way."""
    return [draft.spec.told_with_uses(found) for found in draft.problems]
