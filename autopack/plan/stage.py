"""How much of the policy is in force yet: a project starts by measuring, and tightens what it has measured.

`baseline` has the run's caps and one number of attempts for everything, `operational` all caps and thresholds of
categories, phases and tiers, `stewardship` also issues that grow old and debt that blocks promotion. What keeps a
change from landing (scope, protected files, CI, mandatory audits) is in force at every stage.
"""

from autopack.plan.draft import Draft, DraftPhase, Kind, Value
from autopack.plan.model import Caps
from autopack.spec.record import replace

LAYER = "stage baseline"


def stage(draft: Draft) -> Draft:
    """In the first stage: the ruleset's defaults in place of what categories and complexities say about budgets."""
    if draft.spec.project.stage != "baseline" or draft.caps is None:
        return draft
    caps = draft.caps
    return draft.decided(lambda phase: _measured(draft, phase, caps))


def _measured(draft: Draft, phase: DraftPhase, caps: Caps) -> Kind:
    rules, own = draft.spec.ruleset, phase.spec.budget
    default, at = rules.category_defaults, draft.spec.project.at.to("stage")
    values = dict(phase.kind.values)
    if own is None or own.attempts is None:
        values["builder_attempts"] = Value(default.builder_attempts, LAYER, at)
    if own is None or own.tokens is None:
        values["token_cap"] = Value(caps.tokens, LAYER, at)
    most = max(1, values["builder_attempts"].value - 1)
    values["auditor_attempts"] = Value(min(default.auditor_attempts or 1, most), LAYER, at)
    values["minor_factor"] = Value(default.minor_factor, LAYER, at)
    return replace(phase.kind, values=values)
