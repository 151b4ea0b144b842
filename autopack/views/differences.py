"""What `autopack diff` says: for a terminal, for a pull request, for a program."""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

from autopack.plan import canonical
from autopack.plan.deny import Denied, Sums, denied, sums
from autopack.plan.diff import GROUPS, Change, diff
from autopack.plan.model import digest
from autopack.views.compared import Pair
from autopack.views.text import money

FORMATS = ("text", "markdown", "json")
ABOUT = {
    "authority": "what may be touched, run and shown",
    "money": "what may be spent",
    "risk": "how it is guarded",
    "graph": "what happens in which order",
    "instructions": "what is asked for",
    "other": "everything else",
}
SIGNS = {"widened": "!", "raised": "!", "loosened": "!", "added": "+", "removed": "-"}
MARKS = {"widened": "⚠️", "raised": "⚠️", "loosened": "⚠️", "added": "🆕", "removed": "🗑️"}
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


def told(found: Sequence[Compared], form: str) -> str:
    if form == "json":
        return canonical_document(found)
    tell = _text if form == "text" else _markdown
    return "\n".join(line for each in found for line in tell(each)).rstrip("\n") + "\n"


# --- terminal ---


def _text(each: Compared) -> Iterator[str]:
    if not each.changes:
        yield f"{each.pair.name}: no difference"
        return
    yield f"{each.pair.name}: {_phases(each)}"
    yield from (f"  {name:14} {before} -> {after}{by}" for name, before, after, by in _sums(each))
    for group, changes in _grouped(each.changes):
        yield f"\n{group}: {ABOUT[group]}"
        for change in changes:
            yield f"  {SIGNS.get(change.effect, ' ')} {said(change)}"
            if change.shown:
                yield f"      {_proof(change)}"
    if hidden := sum(change.follows for change in each.changes):
        follow = "follows" if hidden == 1 else "follow"
        yield f"\n{hidden} more {follow} from these (prompts, places, sums); --format json has all."
    yield from _refusals(each)
    yield ""


def said(change: Change) -> str:
    """One change in one line."""
    return f"{change.subject}: {change.field} {change.effect}{_values(change)}"


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


def _sums(each: Compared) -> Iterator[tuple[str, str, str, str]]:
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


def _grouped(changes: Iterable[Change]) -> Iterator[tuple[str, list[Change]]]:
    shown = [change for change in changes if not change.follows]
    for group in GROUPS:
        if found := [change for change in shown if change.group == group]:
            yield group, found


def _values(change: Change) -> str:
    if change.field in NEVER_SHOWN or change.field.startswith("format_prompts"):
        return ""
    if isinstance(change.before, list) and isinstance(change.after, list) and change.field != "attempts":
        return _items(change.before, change.after)
    before, after = _word(change.field, change.before), _word(change.field, change.after)
    if isinstance(change.before, str) and isinstance(change.after, str) and len(change.before + change.after) > CHARS:
        before, after = _from_difference(change.before, change.after)
    if change.effect == "added":
        return f": {after}"
    return f": {before}" if change.effect == "removed" else f": {before} -> {after}"


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
    return ": " + _few([*gone, *come] or [_item(each) for each in after])


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


def _proof(change: Change) -> str:
    if change.field.startswith("protected"):
        return f"{'no longer' if change.effect == 'widened' else 'now'} protected: {change.shown}"
    return f"{'now also' if change.effect == 'widened' else 'no longer'}: {change.shown}"


# --- pull request ---


def _markdown(each: Compared) -> Iterator[str]:
    """For a comment: the sums first, then a table a group, long ones folded."""
    yield f"### autopack: `{each.pair.name}`\n"
    if not each.changes:
        yield "No difference in authority, money, risk or order: both compile to the same plan.\n"
        return
    if each.denied:
        yield f"> **Denied** ({len(each.denied)})\n>"
        for refused in each.denied:
            where = f" {_cell(refused.change.subject)}: {_cell(refused.change.field)}" if refused.change else ""
            yield f"> - `{refused.rule}`{where}: {_cell(refused.fact)}"
        yield ""
    yield "| | before | after | |\n| --- | ---: | ---: | --- |"
    yield f"| phases | {len(each.pair.before.phases)} | {len(each.pair.after.phases)} | |"
    yield from (f"| {name} | {before} | {after} | {by.strip(' ()')} |" for name, before, after, by in _sums(each))
    for group, changes in _grouped(each.changes):
        folded = group in {"instructions", "other"} or len(changes) > 20
        heading = f"{group} ({len(changes)}): {ABOUT[group]}"
        yield f"\n<details><summary>{heading}</summary>\n" if folded else f"\n**{heading}**\n"
        yield "| | where | what | |\n| --- | --- | --- | --- |"
        yield from map(_row, changes)
        if folded:
            yield "\n</details>"
    yield f"\n<sub>plan {digest(each.pair.before)[:12]} -> {digest(each.pair.after)[:12]}</sub>\n"


def _row(change: Change) -> str:
    proof = f" <br>{_proof(change)}" if change.shown else ""
    said = _cell(_values(change).removeprefix(": "))
    mark = MARKS.get(change.effect, "")
    return f"| {mark} {change.effect} | {_cell(change.subject)} | {_cell(change.field)} | {said}{proof} |"


def _cell(words: str) -> str:
    for sign in "\\`*_<>|":
        words = words.replace(sign, f"\\{sign}")
    return words


# --- programs ---


def canonical_document(found: Sequence[Compared]) -> str:
    import json  # noqa: PLC0415 - the other formats do without

    document = {
        "format_version": 1,
        "equal": not any(each.changes for each in found),
        "plans": [_document(each) for each in found],
    }
    return json.dumps(canonical.plain(document), indent=2, ensure_ascii=False) + "\n"


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
