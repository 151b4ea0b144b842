"""What `autopack diff` says on a terminal, and to a program; `comment` says it in a pull request."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from autopack.plan import canonical
from autopack.plan.deny import Denied, Sums, denied, sums
from autopack.plan.diff import GROUPS, Change, diff
from autopack.plan.model import digest
from autopack.views.compared import Pair
from autopack.views.table import paragraph
from autopack.views.text import money

ABOUT = {
    "authority": "what may be touched, run and shown",
    "money": "what may be spent",
    "risk": "how it is guarded",
    "graph": "what happens in which order",
    "instructions": "what is asked for",
    "other": "everything else",
}
SIGNS = {"widened": "!", "raised": "!", "loosened": "!", "added": "+", "removed": "-"}
NEVER_SHOWN = frozenset({"builder_prompt", "auditor_prompt", "patch_prompt", "format_prompts"})
CHARS = 44


class Compared(NamedTuple):
    """One pair of plans with all that is said of it."""

    pair: Pair
    changes: tuple[Change, ...]
    before: Sums
    after: Sums
    denied: tuple[Denied, ...]


def compared(pair: Pair, rules: Sequence[str]) -> Compared:
    changes, before, after = (
        diff(pair.before, pair.after),
        sums(pair.before, pair.calibration),
        sums(pair.after, pair.calibration),
    )
    return Compared(pair, changes, before, after, denied(rules, changes, before, after))


def screen(found: Sequence[Compared], width: int | None = None) -> str:
    """For a terminal; lines that are too long for it go on below."""
    lines = (paragraph(line, width, HANG) for each in found for line in _text(each))
    return "\n".join(lines).rstrip("\n") + "\n"


HANG = 4


def _text(each: Compared) -> Iterator[str]:
    if not each.changes:
        yield f"{each.pair.name}: no difference"
        return
    yield f"{each.pair.name}: {_phases(each)}"
    yield from (f"  {name:14} {before} -> {after}{by}" for name, before, after, by in compared_sums(each))
    for group, changes in grouped(each.changes):
        yield ""
        yield f"{group}: {ABOUT[group]}"
        for change in changes:
            yield f"  {SIGNS.get(change.effect, ' ')} {said(change)}"
            if change.shown:
                yield f"      {proof(change)}"
    if hidden := sum(change.follows for change in each.changes):
        follow = "follows" if hidden == 1 else "follow"
        yield ""
        yield f"{hidden} more {follow} from these (prompts, places, sums); --format json has all."
    yield from _refusals(each)
    yield ""


def said(change: Change) -> str:
    """One change in one line."""
    words = values(change)
    return f"{change.subject}: {change.field} {change.effect}{words and f': {words}'}"


def _refusals(each: Compared) -> Iterator[str]:
    if each.denied:
        yield ""
    for refused in each.denied:
        where = f"{refused.change.subject}: {refused.change.field} {refused.change.effect}" if refused.change else ""
        yield f"denied by {refused.rule}: {where}".rstrip(": ")
        yield f"    {refused.fact}"


def _phases(each: Compared) -> str:
    before, after = len(each.pair.before.phases), len(each.pair.after.phases)
    state = {(False, True): "new, ", (True, False): "gone, "}.get(each.pair.there, "")
    return f"{state}{before} phases" if before == after else f"{state}{before} -> {after} phases"


def compared_sums(each: Compared) -> Iterator[tuple[str, str, str, str]]:
    one, other = each.before, each.after
    yield "worst cost", _usd(one.cost), _usd(other.cost), _by(one.cost, other.cost)
    yield "expected cost", _usd(one.expected), _usd(other.expected), _likely(one, other)
    yield "tokens", f"{one.tokens:,}", f"{other.tokens:,}", _by(Decimal(one.tokens), Decimal(other.tokens))
    yield "minutes", f"{one.minutes:,.0f}", f"{other.minutes:,.0f}", _by(one.minutes, other.minutes)


def _likely(one: Sums, other: Sums) -> str:
    """By how much it grows, and what the estimate rests on."""
    said = ", ".join(filter(None, (_by(one.expected, other.expected).strip(" ()"), other.basis)))
    return f" ({said})" if said else ""


def _usd(value: Decimal | None) -> str:
    return "UNBOUNDED" if value is None else money(value)


def _by(old: Decimal | None, new: Decimal | None) -> str:
    if not old or new is None or old == new:
        return ""
    return f" ({(new / old - 1) * 100:+.0f} %)"


def grouped(changes: Iterable[Change]) -> Iterator[tuple[str, list[Change]]]:
    shown = [change for change in changes if not change.follows]
    for group in GROUPS:
        if found := [change for change in shown if change.group == group]:
            yield group, found


def values(change: Change) -> str:
    """What it was and what it is, in a few words; nothing of what would fill a page."""
    if change.field in NEVER_SHOWN or change.field.startswith("format_prompts"):
        return ""
    if isinstance(change.before, list) and isinstance(change.after, list) and change.field != "attempts":
        return _items(change.before, change.after)
    before, after = _word(change.field, change.before), _word(change.field, change.after)
    if isinstance(change.before, str) and isinstance(change.after, str) and len(change.before + change.after) > CHARS:
        before, after = _from_difference(change.before, change.after)
    if change.effect == "added":
        return after
    return before if change.effect == "removed" else f"{before} -> {after}"


def _from_difference(before: str, after: str) -> tuple[str, str]:
    """Of two long texts what is around the first place where they differ."""
    one, other = (" ".join(text.split()) for text in (before, after))
    same = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
    start = one.rfind(" ", 0, max(0, same - LEAD)) + 1
    mark = "..." if start else ""
    return mark + _short(one[start:]), mark + _short(other[start:])


LEAD = 12


def _items(before: Sequence[Any], after: Sequence[Any]) -> str:
    """Of lists what came and what went; where only the order differs, all of it."""
    gone = [f"-{_item(each)}" for each in before if each not in after]
    come = [f"+{_item(each)}" for each in after if each not in before]
    return _few([*gone, *come] or [_item(each) for each in after])


def _few(words: Sequence[str], most: int = 6) -> str:
    return ", ".join(words[:most]) + (f" and {len(words) - most} more" if len(words) > most else "")


def _word(field: str, value: Any) -> str:
    name = field.rpartition(".")[2]
    if value is None:
        return "none"
    if name == "cost_usd" or name.startswith("cost_usd"):
        return money(Decimal(str(value)))
    if name == "attempts":
        return f"{len(value)} tries ({' > '.join(dict.fromkeys(each['ask']['model'] for each in value))})"
    if isinstance(value, dict):
        return _short(_gist(value))
    if isinstance(value, list):
        return _few([_item(each) for each in value]) or "nothing"
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:,}" if isinstance(value, int) else _short(str(value))


def _gist(value: dict[str, Any]) -> str:
    known = [value[name] for name in ("name", "category", "litellm") if isinstance(value.get(name), str)]
    return ", ".join(dict.fromkeys(known)) or canonical.text(value)


def _item(value: Any) -> str:
    """A command as it would be typed, a step by its command."""
    if isinstance(value, list):
        return _short(" ".join(map(str, value)))
    if isinstance(value, dict) and "run" in value:
        return _short(f"{value.get('id')}: {' '.join(map(str, value['run']))}")
    return _short(canonical.text(value) if isinstance(value, dict) else str(value))


def _short(words: str) -> str:
    line = " ".join(words.split())
    return line if len(line) <= CHARS else line[: CHARS - 3] + "..."


def proof(change: Change) -> str:
    if change.field.startswith("protected"):
        return f"{'no longer' if change.effect == 'widened' else 'now'} protected: {change.shown}"
    return f"{'now also' if change.effect == 'widened' else 'no longer'}: {change.shown}"


# --- programs ---


def document(found: Sequence[Compared]) -> str:
    import json  # noqa: PLC0415 - the other formats do without

    found_all = {
        "format_version": 1,
        "equal": not any(each.changes for each in found),
        "plans": [_document(each) for each in found],
    }
    return json.dumps(canonical.plain(found_all), indent=2, ensure_ascii=False) + "\n"


def _document(each: Compared) -> dict[str, Any]:
    before, after = each.pair.there
    return {
        "name": each.pair.name,
        "before": _side(each.before, digest(each.pair.before)) if before else None,
        "after": _side(each.after, digest(each.pair.after)) if after else None,
        "changes": list(each.changes),
        "denied": list(each.denied),
    }


def _side(found: Sums, sha256: str) -> dict[str, Any]:
    return {
        "plan_sha256": sha256,
        "worst_usd": found.cost,
        "expected_usd": found.expected,
        "expected_from": found.basis,
        "tokens": found.tokens,
        "minutes": round(found.minutes, 1),
    }
