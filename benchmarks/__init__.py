"""Measurements that `make bench` prints: `python -m benchmarks`, or one part with `--only startup`.

A part is a module of this package with `rows() -> Iterable[Row]`. It interleaves what it compares inside one run,
takes medians, and says in the row which peer was missing: what was not measured is never called met.
"""

from __future__ import annotations

from typing import NamedTuple

UNMEASURED = "not measured: "


class Row(NamedTuple):
    """One line of the table.

    `number` is the row of the table of targets it answers ("2"), or the word that heads its section ("running");
    `measured` shows the figures a reader can check ("22.1 ms / 17.0 ms"), or why there are none; `ratio` is what the
    target speaks of; `met` is None where nothing was measured or the figure has no target.
    """

    number: str
    what: str
    measured: str
    ratio: float | None
    target: str
    met: bool | None


def judged(number: str, what: str, measured: str, ratio: float, at_most: float) -> Row:
    """A row whose target is a ratio that must not be passed."""
    return Row(number, what, measured, ratio, f"<= {at_most:g}x", ratio <= at_most)


def at_least(number: str, what: str, measured: str, ratio: float, floor: float) -> Row:
    """A row whose target is a ratio that must be reached."""
    return Row(number, what, measured, ratio, f">= {floor:g}x", ratio >= floor)


def unmeasured(number: str, what: str, target: str, reason: str) -> Row:
    """A row without figures: the reason takes their place, and the target stays unmet."""
    return Row(number, what, UNMEASURED + reason, None, target, None)
