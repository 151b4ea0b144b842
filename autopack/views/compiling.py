"""The compiler as a part of `validate`: what it finds in a spec, by the passes that `plan` runs, without the seal."""

from autopack.problem import Problem
from autopack.problem.typed import TYPE_CHECKING
from autopack.spec.load import Compile

if TYPE_CHECKING:
    from collections.abc import Mapping

    from autopack.plan.backlog import BacklogEntry
    from autopack.plan.coverage import Used
    from autopack.spec.model import Spec

BACKLOG = ".autopack/project_issue_backlog.json"


def findings(spec: "Spec", backlog: str | None) -> "tuple[list[Problem], Used | None]":
    """And what was used of the policy, None where that can't be told. `backlog` is the text of the committed one."""
    from autopack.plan.compiler import drafted, told  # noqa: PLC0415 - only where something can be compiled
    from autopack.plan.coverage import used  # noqa: PLC0415

    draft = drafted(spec, backlog=_known(backlog))
    return told(draft), None if draft.failed else used(draft)


def left_over(spec: "Spec", playbooks: "list[Used]") -> list[Problem]:
    """What of the policy no playbook of the project has used."""
    from autopack.plan.coverage import dead  # noqa: PLC0415 - as above

    return dead(spec, playbooks)


def _known(text: str | None) -> "Mapping[str, BacklogEntry]":
    """What can't be read is no backlog: `plan`, which needs it, says so."""
    if text is None:
        return {}
    from autopack.plan import backlog, canonical  # noqa: PLC0415 - most projects have none yet

    try:
        return backlog.load(text)
    except canonical.NotThisShape:
        return {}


COMPILE = Compile(findings, BACKLOG, left_over)
