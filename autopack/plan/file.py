"""A plan as a file: its canonical JSON, and after it the digest of all that under `sha256`.

The digest is there against what happens to files: an edit by hand, a merge, half a copy. A plan that is not what its
digest says is no plan of anybody's, so nothing reads it any further.
"""

from autopack.plan import canonical
from autopack.plan.model import FORMAT_VERSION, Plan

KEY = "sha256"
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
    return plan


def _short(told: object) -> str:
    return told[:12] if isinstance(told, str) else repr(told)[:12]
