"""What a change may not do: the published rules of `autopack diff --deny`."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from autopack.plan.calibration import Calibration
from autopack.plan.diff import Change
from autopack.plan.estimate import basis, expected
from autopack.plan.model import Plan
from autopack.plan.shape import shape
from autopack.spec.nearest import did_you_mean


def _is(*effects: str, fields: Sequence[str] = (), group: str | None = None) -> Callable[[Change], bool]:
    return lambda change: (
        change.effect in effects
        and (not fields or change.field.partition(".")[0] in fields)
        and (group is None or change.group == group)
        and not change.follows
    )


RULES: Mapping[str, tuple[str, Callable[[Change], bool]]] = {
    "widen-scope": (
        "a phase may write where it could not, or a new phase where none could",
        _is("widened", fields=("write",)),
    ),
    "new-commands": (
        "a probe, CI step, setup step or Builder's command is new or says something else, or a CI profile is new",
        lambda c: (
            (c.field in {"probes", "steps", "setup", "env_set"} and c.effect in {"widened", "changed"})
            or (c.group == "authority" and c.field.startswith("builder") and c.effect != "narrowed")
            or (c.field == "CI profile" and c.effect == "added")
            or c.field.startswith("env_")
        ),
    ),
    "unprotect": (
        "a path or branch is no longer protected",
        _is("widened", fields=("protected_paths", "protected_branches")),
    ),
    "new-grants": (
        "a phase is allowed more of what the gate refuses",
        _is("widened", fields=("allow", "allowed_protected")),
    ),
    "new-models": (
        "a model is asked that was not asked before, or it is reached elsewhere",
        lambda c: c.group == "authority" and c.subject.startswith("model ") and c.effect in {"added", "changed"},
    ),
    "loosen-guards": (
        "complexity, risk, CI, audit, sandbox, hooks, promotion, stage, safety profile or a limit guards less",
        lambda c: c.effect == "loosened" or (c.field.startswith("limits.") and c.effect == "raised"),
    ),
    "raise-caps": (
        "a cap of the run, a tier or a phase is raised or gone",
        lambda c: c.effect == "raised" and c.field.startswith(("caps.", "token_cap", "cost_usd_max", "minutes_max")),
    ),
    "new-phases": ("a phase is new", _is("added", fields=("phase",))),
    "drop-phases": ("a phase is gone", _is("removed", fields=("phase",))),
    "any": ("anything differs", lambda _change: True),
}
GROWTH = {
    "cost": "the worst case in USD",
    "expected": "what it is likely to cost",
    "tokens": "the worst case in tokens",
    "minutes": "the longest it can take",
}
_KNOWN = [*RULES, *(f"{name}+20%" for name in GROWTH)]
_GROWTH = re.compile(r"(?P<what>[a-z]+)\+(?P<share>\d+(?:\.\d+)?)%")


class NoRule(ValueError):
    """There is no such rule; the text says what there is."""


@dataclass(frozen=True, slots=True)
class Denied:
    """A rule that was broken, and by what."""

    rule: str
    fact: str
    change: Change | None = None


@dataclass(frozen=True, slots=True)
class Sums:
    """A plan in numbers; None: nobody can say."""

    cost: Decimal | None
    expected: Decimal
    tokens: int
    minutes: Decimal
    basis: str = ""  # of what is expected


def sums(plan: Plan, calibration: Calibration | None = None) -> Sums:
    likely = sum((expected(plan, phase, calibration) for phase in plan.phases), Decimal(0))
    return Sums(plan.worst.cost_usd, likely, plan.worst.tokens, shape(plan).length, basis(plan, calibration))


def rules(asked: Sequence[str]) -> tuple[str, ...]:
    """`widen-scope,cost+20%` and the like as single rules. Raises NoRule."""
    found = tuple(word.strip() for each in asked for word in each.split(",") if word.strip())
    if asked and not found:
        raise NoRule(f"--deny names no rule, so nothing would be denied; there are {', '.join(_KNOWN)}")
    for word in found:
        growth = _GROWTH.fullmatch(word)
        if word in RULES or (growth and growth["what"] in GROWTH):
            continue
        raise NoRule(f"there is no rule {word!r}; {did_you_mean(word, _KNOWN) or 'there are ' + ', '.join(_KNOWN)}")
    return found


def denied(asked: Sequence[str], changes: Sequence[Change], before: Sums, after: Sums) -> tuple[Denied, ...]:
    return tuple(found for rule in asked for found in _broken(rule, changes, before, after))


def _broken(rule: str, changes: Sequence[Change], before: Sums, after: Sums) -> Iterator[Denied]:
    growth = _GROWTH.fullmatch(rule)
    if growth is None:
        about, breaks = RULES[rule]
        yield from (Denied(rule, about, change) for change in changes if breaks(change))
        return
    old, new = getattr(before, growth["what"]), getattr(after, growth["what"])
    if new is None and old is not None:
        yield Denied(rule, f"{GROWTH[growth['what']]} has no bound any more")
    elif new is not None and old is not None and new > old * (1 + Decimal(growth["share"]) / 100):
        grown = f"by {(new / old - 1) * 100:.1f} %" if old else f"from nothing to {new:,}"
        yield Denied(rule, f"{GROWTH[growth['what']]} grows {grown}, at most {growth['share']} % is allowed")
