"""Two plans compared by what a reader of a change asks: what may it touch, what may it cost, what guards were moved,
what happens in which order, what is it told.

Nothing is left out: every difference between the canonical forms becomes a change, so there is none exactly when the
digests are equal. What only follows from another change (a prompt that repeats the goal) is marked as `follows`.
"""

import operator
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from typing import Any, Literal

from autopack.plan import canonical
from autopack.plan.model import BY_MODEL, Plan, digest
from autopack.spec.territory import beyond

Group = Literal["authority", "money", "risk", "graph", "instructions", "other"]
Effect = Literal["widened", "narrowed", "raised", "lowered", "loosened", "tightened", "added", "removed", "changed"]
GROUPS: tuple[Group, ...] = ("authority", "money", "risk", "graph", "instructions", "other")

OF_PHASE: Mapping[Group, tuple[str, ...]] = {
    "authority": ("write", "read", "allow", "allowed_protected", "probes", "builder"),
    "money": (
        *("attempts", "audit", "audit_fallbacks", "second_audit", "patches"),
        *("token_cap", "cost_usd_max", "minutes_max", "worst"),
    ),
    "risk": (
        *("category", "task_category", "complexity", "builder_mode", "high_risk", "severity", "ci", "auto_apply"),
        *("auditor_profile", "auditor_attempts", "limits", "recheck", "aged", "may_downgrade"),
    ),
    "graph": ("needs", "tier_id", "index"),
    "instructions": (
        *(
            "name",
            "goal",
            "acceptance",
            "deliverables",
            "tags",
            "why",
            "builder_prompt",
            "auditor_prompt",
            "patch_prompt",
        ),
    ),
}
OF_PLAN: Mapping[Group, tuple[str, ...]] = {
    "authority": ("base_branch", "integration_branch", "protected_branches", "protected_paths", "hooks"),
    "money": ("caps", "retry", "worst", "budget_warnings", "quotas", "project_budget"),
    "risk": (
        *("safety_profile", "run_scope", "stage", "fail_fast", "severity_upgrades", "audit_policy"),
        *("not_clean", "promotion", "aged"),
    ),
    "graph": ("pools", "assumed", "carried", "continues", "runs"),
    "instructions": ("project", "playbook", "description", "inputs", "format_prompts"),
    "other": ("format_version", "base_commit", "backlog_sha256", "commit_issues"),
}
OF_MODEL: Mapping[Group, tuple[str, ...]] = {
    "authority": ("litellm", "api_base", "api_key_env", "provider"),  # who gets to see the code, and with whose key
    "money": ("price", "token_cap", "max_output_tokens", "context_tokens", "timeout_s"),
    "risk": ("tier", "params", "name"),
}
OF_PROFILE: Mapping[Group, tuple[str, ...]] = {
    "authority": ("setup", "steps", "env_pass", "env_set", "sandbox", "network", "readable", "quarantine"),
    "risk": (
        *("retries", "memory_mb", "cpu_s", "name", "file_mb", "open_files", "processes", "baseline", "preflight"),
    ),
}
OF_TIER: Mapping[Group, tuple[str, ...]] = {
    "money": ("token_cap",),
    "risk": ("ci_runs", "minor_issues", "major_issues"),
    "graph": ("phases", "index"),
    "instructions": ("name",),
}
WITHIN: Mapping[str, Group] = {"builder.tokens": "money", "builder.timeout_s": "money"}
"""What of a field belongs elsewhere than the field."""

KEYED = {"phases": OF_PHASE, "tiers": OF_TIER, "models": OF_MODEL, "profiles": OF_PROFILE}
CALLED = {"phases": "phase", "tiers": "tier", "models": "model", "profiles": "CI profile"}
FOLLOWS = frozenset({"builder_prompt", "auditor_prompt", "patch_prompt", "why", "index", "worst"})
"""Where other fields of the same thing changed, these say the same once more."""

LADDERS: Mapping[str, tuple[str, ...]] = {
    "complexity": ("low", "medium", "high"),
    "severity": ("minor", "major"),
    "ci": ("quick", "normal", "strict"),
    "safety_profile": ("normal", "safety_critical"),
    "stage": ("baseline", "operational", "stewardship"),
    "recheck": ("overlap", "always"),
    "not_clean": ("mark", "fail_run"),
    "promotion": ("clean_tiers", "no_issues"),
    "hooks": ("skip", "run", "refuse"),
    "sandbox": ("none", "bubblewrap"),
}
"""Words in the order in which they guard."""


@dataclass(frozen=True, slots=True)
class Change:
    """One difference. `before` and `after` are JSON values (None: not there, or
    nothing); `shown` is a path that proves it.
    """

    group: Group
    subject: str  # run, phase greet, tier T1, model big, CI profile strict
    field: str  # dotted
    effect: Effect
    before: Any
    after: Any
    shown: str = ""
    follows: bool = False


def diff(before: Plan, after: Plan) -> tuple[Change, ...]:
    """Every difference, sorted by group, then in the order of the plan."""
    found = _found(before, after, operator.ne)
    if not found and digest(before) != digest(after):  # 1 where 1.0 was
        found = _found(before, after, unequal)
    place = {group: number for number, group in enumerate(GROUPS)}
    return tuple(sorted(found, key=lambda change: place[change.group]))


def unequal(one: Any, other: Any) -> bool:
    """By their canonical text: 1 and 1.0 and true are three values."""
    return one is not other and canonical.text(one) != canonical.text(other)


Differ = Callable[[Any, Any], bool]


def _found(before: Plan, after: Plan, differ: Differ) -> list[Change]:
    found = list(_plan_fields(before, after, differ))
    for part in KEYED:
        found += _keyed(part, before, after, differ)
    return found


def _plan_fields(before: Plan, after: Plan, differ: Differ) -> Iterator[Change]:
    for name in (each.name for each in fields(Plan) if each.name not in KEYED):
        old, new = getattr(before, name), getattr(after, name)
        if differ(old, new):
            yield from _field(_group(OF_PLAN, name), "run", name, canonical.plain(old), canonical.plain(new))


def _keyed(part: str, before: Plan, after: Plan, differ: Differ) -> Iterator[Change]:
    """Things with a name: those that came, those that went, those that changed, and their order."""
    olds, news = _by_name(part, getattr(before, part)), _by_name(part, getattr(after, part))
    kept = [name for name in news if name in olds]
    for name, old in olds.items() if len(kept) < len(olds) else ():
        if name not in news:
            yield from _gone(part, name, canonical.plain(old))
    reach = [old.write for old in olds.values()] if part == "phases" and len(kept) < len(news) else []
    moved = len(kept) < len(news) or len(kept) < len(olds)
    for name, new in news.items():
        if name not in olds:
            yield from _come(part, name, canonical.plain(new), reach)
        elif differ(olds[name], new):
            yield from _thing(part, name, canonical.plain(olds[name]), canonical.plain(new), moved=moved)
    if part in {"phases", "tiers"} and kept != [name for name in olds if name in news]:
        yield Change("graph", "run", f"order of {part}", "changed", list(olds), list(news))


def _by_name(part: str, things: Any) -> dict[str, Any]:
    if isinstance(things, Mapping):
        return dict(things)
    return {thing.phase_id if part == "phases" else thing.tier_id: thing for thing in things}


def _thing(part: str, name: str, old: Mapping[str, Any], new: Mapping[str, Any], *, moved: bool) -> list[Change]:
    subject = f"{CALLED[part]} {name}"
    changed = [field for field in old if unequal(old[field], new[field])]
    found = [
        change
        for field in changed
        for change in _field(_group(KEYED[part], field), subject, field, old[field], new[field])
    ]
    decided = moved or any(field not in FOLLOWS for field in changed)
    return [replace(c, follows=decided) if c.field.partition(".")[0] in FOLLOWS else c for c in found]


def _gone(part: str, name: str, thing: Mapping[str, Any]) -> Iterator[Change]:
    yield Change(_home(part), f"{CALLED[part]} {name}", CALLED[part], "removed", _gist(part, thing), None)


def _come(part: str, name: str, thing: Mapping[str, Any], reach: Sequence[tuple[str, ...]]) -> Iterator[Change]:
    """A new phase also says what it may write, and whether no phase could write there before."""
    subject = f"{CALLED[part]} {name}"
    yield Change(_home(part), subject, CALLED[part], "added", None, _gist(part, thing))
    if part != "phases":
        return
    shown = _beyond_all(thing["write"], reach)
    yield Change("authority", subject, "write", "widened" if shown else "added", None, thing["write"], shown or "")
    for field in ("allow", "allowed_protected", "probes"):
        if thing[field]:
            yield Change("authority", subject, field, "widened", None, thing[field])
    if thing["builder"]["kind"] != BY_MODEL.kind:
        yield Change("authority", subject, "builder", "widened", None, thing["builder"])


def _beyond_all(write: Sequence[str], reach: Sequence[tuple[str, ...]]) -> str | None:
    """Against all phases of before together; of lists that take something back, only what they surely give."""
    plain = {pattern for patterns in reach if not any(p.startswith("!") for p in patterns) for pattern in patterns}
    near = [pattern for pattern in sorted(plain) if any(_may_meet(pattern, mine) for mine in write)]
    return None if any(list(write) == list(patterns) for patterns in reach) else beyond(write, near)


def _may_meet(one: str, other: str) -> bool:
    """Cheaply, by what stands before the first wildcard; True where that can't tell."""
    mine, theirs = _certain(one), _certain(other)
    return mine.startswith(theirs) or theirs.startswith(mine)


def _certain(pattern: str) -> str:
    text = pattern.removeprefix("!")
    return text[: min((text.find(char) for char in "*?[" if char in text), default=len(text))]


def _home(part: str) -> Group:
    return {"models": "authority", "profiles": "authority"}.get(part, "graph")  # type: ignore[return-value]


def _gist(part: str, thing: Mapping[str, Any]) -> Any:
    names = {
        "phases": ("name", "category", "tier_id", "needs", "worst"),
        "tiers": ("name", "phases"),
        "models": ("litellm", "api_base", "price"),
        "profiles": ("setup", "steps", "env_pass"),
    }
    return {name: thing[name] for name in names[part]}


def _group(table: Mapping[Group, tuple[str, ...]], field: str) -> Group:
    """A field that no table names is a risk until somebody says better: nothing new goes unseen."""
    return next((group for group, fields in table.items() if field in fields), "risk")


# --- what a difference of one field means ----------------------------------------------------------------------


def _field(group: Group, subject: str, field: str, old: Any, new: Any) -> Iterator[Change]:
    """One change, or one for each key of a mapping."""
    if isinstance(old, dict) and isinstance(new, dict):
        for key in dict.fromkeys((*old, *new)):
            if key not in old or key not in new or unequal(old[key], new[key]):
                name = f"{field}.{key}"
                yield from _field(WITHIN.get(name, group), subject, name, old.get(key), new.get(key))
        return
    if field in _MEANINGS:
        effect, shown = _MEANINGS[field](old, new)
    elif group == "money" or field.startswith("limits."):
        effect, shown = _amount(old, new), ""
    else:
        effect, shown = "changed", ""
    yield Change(group, subject, field, effect, old, new, shown)


Meaning = tuple[Effect, str]


def _scope(old: Sequence[str], new: Sequence[str]) -> Meaning:
    if shown := beyond(new, old):
        return "widened", shown
    return ("narrowed", lost) if (lost := beyond(old, new)) else ("changed", "")


def _guarded(old: Sequence[str], new: Sequence[str]) -> Meaning:
    """Protection: what is lost of it widens what may be done."""
    if lost := beyond(old, new):
        return "widened", lost
    return ("narrowed", gained) if (gained := beyond(new, old)) else ("changed", "")


def _set(old: Iterable[Any], new: Iterable[Any]) -> Meaning:
    before, after = ([canonical.text(item) for item in items] for items in (old, new))
    if any(item not in before for item in after):
        return "widened", ""
    return ("narrowed" if any(item not in after for item in before) else "changed"), ""


def _raising(old: Sequence[Any], new: Sequence[Any]) -> Meaning:
    """Rules that only ever raise: with one less there is less guard."""
    after = [canonical.text(item) for item in new]
    return ("loosened" if any(canonical.text(item) not in after for item in old) else "tightened"), ""


def _amount(old: Any, new: Any) -> Effect:
    """More is raised; None is no cap at all."""
    try:
        one, other = (float("inf") if value is None else float(value) for value in (old, new))
    except (TypeError, ValueError):
        return "changed"
    return "changed" if one == other else "raised" if other > one else "lowered"


def _guard(name: str) -> Callable[[Any, Any], Meaning]:
    words = LADDERS[name]

    def meaning(old: Any, new: Any) -> Meaning:
        if old not in words or new not in words:
            return "changed", ""
        return ("tightened" if words.index(new) > words.index(old) else "loosened"), ""

    return meaning


def _switch(*, guards: bool) -> Callable[[Any, Any], Meaning]:
    """Of something that is on or off, there or not; `guards`: on is the safer side."""
    return lambda old, new: (("changed" if old and new else "tightened" if bool(new) == guards else "loosened"), "")


_MEANINGS: Mapping[str, Callable[[Any, Any], Meaning]] = {
    "write": _scope,
    "read": _scope,
    "allowed_protected": _scope,
    "allow": _set,
    "probes": _set,
    "setup": _set,
    "steps": _set,
    "env_pass": _set,
    "protected_paths": _guarded,
    "protected_branches": _guarded,
    **{name: _guard(name) for name in LADDERS},
    "high_risk": _switch(guards=True),
    "auto_apply": _switch(guards=False),
    "auditor_profile": _switch(guards=True),
    "fail_fast": _switch(guards=True),
    "network": _switch(guards=False),
    "baseline": _switch(guards=False),
    "quarantine": _set,
    "builder.env_pass": _set,
    "second_audit": _switch(guards=True),
    "severity_upgrades": _raising,
    **{f"audit_policy.{name}": _switch(guards=True) for name in ("major_issue", "attempts_used_up", "test_changes")},
    "audit_policy.same_failure": lambda old, new: ("loosened" if new > old else "tightened", ""),
    **{name: lambda old, new: (_amount(len(old), len(new)), "") for name in ("attempts", "patches")},
    **{name: lambda old, new: (_amount(old, new), "") for name in ("auditor_attempts", "minor_issues", "ci_runs")},
}
