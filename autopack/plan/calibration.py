"""What runs have taught about calls, CI and audits: sums by slice, and rates that start from a stated prior.

The file is `calibration.json`. It words estimates and forecasts and stays outside a plan's digest: what is likely
changes with every run, what is allowed does not.
"""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from decimal import Decimal

from autopack.plan import canonical
from autopack.spec.record import field, record

FORMAT_VERSION = 1
FILE = "calibration.json"


@record
class Observation:
    """What one phase of one run was predicted to cost and what it took; tokens and `model_s` over all its calls."""

    phase_id: str
    category: str
    complexity: str
    model: str
    model_tier: str
    predicted_usd: Decimal
    actual_usd: Decimal
    builder_calls: int
    edit_failed: int
    ci_runs: int
    ci_red: int
    audits: int
    rejected: int
    input_tokens: int
    output_tokens: int
    model_s: float
    ci_s: float
    completed: bool


@record
class Sums:
    """Observations of one slice, added up."""

    phases: int = 0
    completed: int = 0
    predicted_usd: Decimal = Decimal(0)
    actual_usd: Decimal = Decimal(0)
    builder_calls: int = 0
    edit_failed: int = 0
    ci_runs: int = 0
    ci_red: int = 0
    audits: int = 0
    rejected: int = 0
    input_tokens: int = 0
    output_tokens: int = 0
    model_s: float = 0.0
    ci_s: float = 0.0


@record
class Calibration:
    """Sums keyed by `category:complexity`, and by the tier of the model that a phase began with."""

    format_version: int = FORMAT_VERSION
    slices: Mapping[str, Sums] = field(default_factory=dict)
    model_tiers: Mapping[str, Sums] = field(default_factory=dict)


@record
class Rates:
    """Chances, and means of one call or CI run. `phases` is how many of this slice were observed: 0 is the bare prior.

    `edit_failed` is of a Builder call, `ci_red` of a CI run, `rejected` of an audit.
    """

    edit_failed: float
    ci_red: float
    rejected: float
    input_tokens: float
    output_tokens: float
    model_s: float
    ci_s: float
    phases: int = 0


PRIOR = Rates(0.15, 0.2, 0.15, 6_000, 1_500, 20.0, 60.0)
"""A stated guess, where no run has taught us better."""

PRIOR_WEIGHT = 4
"""How many observed calls (CI runs, audits) the prior counts for."""


def load(text: str) -> Calibration:
    """Raises canonical.NotThisShape."""
    found = canonical.load(Calibration, text)
    if found.format_version != FORMAT_VERSION:
        raise canonical.NotThisShape("format_version", f"{found.format_version} where {FORMAT_VERSION} belongs")
    return found


def dump(calibration: Calibration) -> str:
    return canonical.text(calibration) + "\n"


def fold(calibration: Calibration, observations: Iterable[Observation]) -> Calibration:
    """The sums with these added; in whatever order they come, the same phases give the same counts."""
    slices, tiers = dict(calibration.slices), dict(calibration.model_tiers)
    for seen in observations:
        key = slice_of(seen.category, seen.complexity)
        slices[key] = _added(slices.get(key, Sums()), seen)
        tiers[seen.model_tier] = _added(tiers.get(seen.model_tier, Sums()), seen)
    return Calibration(FORMAT_VERSION, slices, tiers)


def slice_of(category: str, complexity: str) -> str:
    return f"{category}:{complexity}"


def rates(calibration: Calibration | None, category: str, complexity: str, model_tier: str) -> Rates:
    """What to expect of a slice: its own counts over those of the model's tier over the prior.

    Each layer is worth PRIOR_WEIGHT observations to the one that knows more about the phase at hand.
    """
    if calibration is None:
        return PRIOR
    by_tier = _blended(calibration.model_tiers.get(model_tier, Sums()), PRIOR)
    return _blended(calibration.slices.get(slice_of(category, complexity), Sums()), by_tier)


def _added(sums: Sums, seen: Observation) -> Sums:
    more = {each.name: getattr(seen, each.name) for each in fields(Sums) if each.name != "phases"}
    return Sums(phases=sums.phases + 1, **{name: getattr(sums, name) + value for name, value in more.items()})


def _blended(sums: Sums, prior: Rates) -> Rates:
    calls = sums.builder_calls + sums.audits
    return Rates(
        edit_failed=_rate(sums.edit_failed, sums.builder_calls, prior.edit_failed),
        ci_red=_rate(sums.ci_red, sums.ci_runs, prior.ci_red),
        rejected=_rate(sums.rejected, sums.audits, prior.rejected),
        input_tokens=_rate(sums.input_tokens, calls, prior.input_tokens),
        output_tokens=_rate(sums.output_tokens, calls, prior.output_tokens),
        model_s=_rate(sums.model_s, calls, prior.model_s),
        ci_s=_rate(sums.ci_s, sums.ci_runs, prior.ci_s),
        phases=sums.phases,
    )


def _rate(total: float, count: int, prior: float) -> float:
    return (total + prior * PRIOR_WEIGHT) / (count + PRIOR_WEIGHT)
