"""A plan as a file: its canonical JSON, and after it the digest of all that under `sha256`.

The digest is there against what happens to files: an edit by hand, a merge, half a copy. A plan that is not what its
digest says is no plan of anybody's, so nothing reads it any further.
"""

from autopack.plan import canonical
from autopack.plan.model import FORMAT_VERSION, Plan

KEY = "sha256"
_ID_CHARS = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-")
BYTES_MAX = 128_000_000
"""Ten thousand phases take about half of it."""


class Changed(canonical.NotThisShape):
    """The file is not as it was written. `.plan` is what it says now, where that is a plan at all."""

    def __init__(self, fact: str, plan: Plan) -> None:
        super().__init__(KEY, fact)
        self.plan = plan


def dump(plan: Plan) -> str:
    """One line; equal plans give equal files."""
    text = canonical.text(plan)
    return sealed(text, canonical.digest_of(text))


def sealed(text: str, sha256: str) -> str:
    """As `dump`, of a plan whose canonical text and digest are at hand: a thousand phases are four megabytes."""
    return f'{text[:-1]},"{KEY}":"{sha256}"}}\n'


def load(source: str) -> Plan:
    """Raises NotThisShape, also for another version's plan, and Changed."""
    data = canonical.parsed(source)
    if not isinstance(data, dict):
        raise canonical.NotThisShape("", f"{type(data).__name__} where an object belongs")
    version = data.get("format_version")
    if version != FORMAT_VERSION or isinstance(version, bool):
        raise canonical.NotThisShape("format_version", f"{version!r} where {FORMAT_VERSION} belongs")
    told = data.pop(KEY, None)
    plan = canonical.build(Plan, data)
    found = canonical.digest(plan)
    if told is None:
        raise Changed("is not there; only a whole plan, as autopack wrote it, carries one", plan)
    if told != found:
        raise Changed(f"says {_short(told)}, and the plan has {found[:12]}: it was changed after it was written", plan)
    _hold(plan)
    return plan


def _hold(plan: Plan) -> None:
    """Raises NotThisShape where names don't fit each other, or could lead out of a run's folder and its refs.

    Whoever writes a digest can write the right one.
    """
    tiers, phases = {tier.tier_id for tier in plan.tiers}, {phase.phase_id for phase in plan.phases}
    carried = {each.phase_id for each in plan.carried}
    for name in (*tiers, *phases):
        if not name or not set(name) <= _ID_CHARS or ".." in name:
            raise canonical.NotThisShape("phases", f"{name!r} can't be an id")
    if "phase" not in plan.pools:
        raise canonical.NotThisShape("pools", "how many phases run at once is missing")
    if len(phases) != len(plan.phases):
        raise canonical.NotThisShape("phases", "two have one id")
    before: set[str] = set()
    for phase in plan.phases:
        if unknown := {*phase.needs} - phases - carried or {phase.tier_id} - tiers:
            raise canonical.NotThisShape(f"phase {phase.phase_id}", f"{min(unknown)!r} is nowhere in the plan")
        if late := {*phase.needs} & phases - before:
            raise canonical.NotThisShape(f"phase {phase.phase_id}", f"needs {min(late)!r}, which comes after it")
        before.add(phase.phase_id)
    for tier in plan.tiers:
        if unknown := set(tier.phases) - phases:
            raise canonical.NotThisShape(f"tier {tier.tier_id}", f"{min(unknown)!r} is nowhere in the plan")


def _short(told: object) -> str:
    return told[:12] if isinstance(told, str) else repr(told)[:12]
