"""What a change means, as a comment on a pull request: Markdown that shows what it holds and does nothing else.

Names, paths and commands are written by whoever asks for the change. All of them stand as code, where Markdown knows no
links, pictures, mentions or HTML; and a comment is never longer than GitHub takes.
"""

import re
from collections.abc import Iterator, Sequence

from autopack.plan.diff import Change
from autopack.plan.model import digest
from autopack.problem.report import escape
from autopack.views.differences import ABOUT, Compared, compared_sums, grouped, proof, values

CHARS_MAX = 60_000
"""GitHub refuses a comment of more than 65,536; a workflow may want to add a line of its own."""
ROWS = (1_000, 200, 60, 20, 5)
"""So many changes of a kind are shown, the first of these with which the comment is short enough."""
WORD_MAX = 160
FOLDED_FROM = 20
MARKS = {"widened": "⚠️", "raised": "⚠️", "loosened": "⚠️", "added": "🆕", "removed": "🗑️"}
NEXT = "`autopack diff` with `--format json` has all"


def comment(found: Sequence[Compared], chars_max: int = CHARS_MAX) -> str:
    """All that differs; what does not in one line."""
    differing = [each for each in found if each.changes]
    for rows in ROWS:
        text = _whole(found, differing, rows)
        if len(text) <= chars_max:
            return text
    return _brief(differing, chars_max)


def _whole(found: Sequence[Compared], differing: Sequence[Compared], rows: int) -> str:
    parts = ["\n".join(_plan(each, rows)) for each in differing]
    same = [_code(each.pair.name) for each in found if not each.changes]
    if same and not differing:
        parts.append("### autopack: no difference\n")
    if same:
        names = ", ".join(same[:rows]) + (f" and {len(same) - rows:,} more" if len(same) > rows else "")
        parts.append(f"No difference in authority, money, risk or order, both compile to the same plan: {names}\n")
    return "\n".join(parts)


def _brief(differing: Sequence[Compared], chars_max: int) -> str:
    """A line a plan, as many as there is room for."""
    text = f"### autopack: {len(differing):,} plans differ\n\n"
    for number, each in enumerate(differing):
        denied = f", **denied** ({len(each.denied):,})" if each.denied else ""
        line = f"- {_code(each.pair.name)}: {len(each.changes):,} changes{denied}\n"
        if len(text) + len(line) > chars_max - WORD_MAX:
            return text + f"\nand {len(differing) - number:,} more; {NEXT}\n"
        text += line
    return f"{text}\n{NEXT}\n"


def _plan(each: Compared, rows: int) -> Iterator[str]:
    """The sums first, then a table a group, long ones folded."""
    yield f"### autopack: {_code(each.pair.name)}\n"
    if each.denied:
        yield from _denied(each, rows)
    yield "| | before | after | |\n| --- | ---: | ---: | --- |"
    yield f"| phases | {len(each.pair.before.phases):,} | {len(each.pair.after.phases):,} | |"
    yield from (
        f"| {name} | {before} | {after} | {by.strip(' ()')} |" for name, before, after, by in compared_sums(each)
    )
    for group, changes in grouped(each.changes):
        folded = group in {"instructions", "other"} or len(changes) > FOLDED_FROM
        heading = f"{group} ({len(changes):,}): {ABOUT[group]}"
        yield f"\n<details><summary>{heading}</summary>\n" if folded else f"\n**{heading}**\n"
        yield "| | where | what | |\n| --- | --- | --- | --- |"
        yield from map(_row, changes[:rows])
        if len(changes) > rows:
            yield f"\nand {len(changes) - rows:,} more; {NEXT}"
        if folded:
            yield "\n</details>"
    yield f"\n<sub>plan {digest(each.pair.before)[:12]} -> {digest(each.pair.after)[:12]}</sub>\n"


def _denied(each: Compared, rows: int) -> Iterator[str]:
    yield f"> **Denied** ({len(each.denied):,})\n>"
    for refused in each.denied[:rows]:
        change = refused.change
        where = f" {_code(change.subject)}, {_code(change.field)}" if change else ""
        yield f"> - `{refused.rule}`{where}: {refused.fact}"
    if len(each.denied) > rows:
        yield f"> - and {len(each.denied) - rows:,} more"
    yield ""


def _row(change: Change) -> str:
    words, shown = values(change), f"<br>{_cell(proof(change))}" if change.shown else ""
    what = f"{_cell(words)}{shown}" if words else ""
    return (
        f"| {MARKS.get(change.effect, '')} {change.effect} | {_cell(change.subject)} | {_cell(change.field)} | {what} |"
    )


def _cell(words: str) -> str:
    """A bar ends a cell, also in code, unless a backslash is before it; so one that has a backslash is spelled."""
    return _code(words.replace("\\|", r"\\x7c")).replace("|", "\\|")


def _code(words: str) -> str:
    """Between more backticks than there are inside."""
    line = escape(" ".join(words.split()))
    line = line if len(line) <= WORD_MAX else line[: WORD_MAX - 3] + "..."
    fence = "`" * (1 + max(map(len, re.findall("`+", line)), default=0))
    blank = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{blank}{line}{blank}{fence}"
