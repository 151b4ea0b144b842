"""What compiling costs, and what is asked of a plan afterwards: rows 7 and 8 of the table of targets, and views.

`plan` runs as a whole process. Its peers (`snakemake -n`, `dbt parse`) are not installed with the project: their
figures of the table stand for them, as multiples of `import yaml`, which is measured beside.
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from autopack.plan.diff import diff
from autopack.plan.graph import order, waves
from autopack.plan.select import Choice, select
from autopack.plan.shape import reduced
from autopack.views.cli.graph_ import FORMATS, drawn
from benchmarks import Row, judged, unmeasured
from benchmarks._played import plan, playbook
from benchmarks.startup import CHECKOUT, PYTHON, Command, Refused, interleaved, launcher

REPEATS = 5
SMALL, LARGE = 1_000, 10_000
SNAKEMAKE, DBT = 95, 93  # x `import yaml`, for 1,000 steps
SNAKEMAKE_FACTOR, DBT_FACTOR = 8, 12
US_A_NODE, REDUCTION_MS = 6, 60
DRAWN = 2_500
SELECTED = ("+p9999", "@p5000", "path:src/m77.py", "tier:T7,category:docs p3+", "state:modified+")
HEAD = "autopack: playbook/v1\nname: large\ntiers:\n"
PHASE = """\
      - {{id: p{number}, category: docs, goal: Describe module {number}., needs: [{needs}],
         scope: {{write: [docs/m{number}.md]}}, budget: {{tokens: 20_000}}}}
"""


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        try:
            yield from _plans()
        finally:
            os.chdir(CHECKOUT)
    yield from _graph()
    yield from _views()


def _plans() -> Iterator[Row]:
    for phases in (SMALL, LARGE):
        Path(f"{phases}.yaml").write_text(_playbook(phases), encoding="utf-8")
    planned = (*launcher("autopack"), "plan", "-o", os.devnull)
    try:
        cost = interleaved(
            {
                "yaml": Command((*PYTHON, "import yaml")),
                "small": Command((*planned, f"{SMALL}.yaml")),
                "large": Command((*planned, f"{LARGE}.yaml")),
            },
            REPEATS,
        )
    except Refused as refusal:
        yield unmeasured("7", "plan", "<= 7.75x", str(refusal))
        return
    yaml, small, large = cost["yaml"], cost["small"], cost["large"]
    shown = f"{small.ms:.0f} ms / {yaml.ms:.0f} ms import yaml"
    for peer, times, factor in (("snakemake -n", SNAKEMAKE, SNAKEMAKE_FACTOR), ("dbt parse, cached", DBT, DBT_FACTOR)):
        what = f"plan of {SMALL:,} phases, {factor}x faster than {peer} (recorded: {times}x import yaml)"
        yield judged("7", what, shown, small.ms / yaml.ms, times / factor)
    shown = f"{large.ms:.0f} ms / {small.ms:.0f} ms"
    yield judged("7", f"plan of {LARGE:,} phases against {SMALL:,}", shown, large.ms / small.ms, 12)


def _views() -> Iterator[Row]:
    """No peer has these, so no target stands beside them."""
    found = plan(playbook(LARGE))
    changed = replace(found.phase("p5000"), goal="another")
    old = replace(found, phases=tuple(changed if each.phase_id == "p5000" else each for each in found.phases))
    for word in SELECTED:
        ms = _median(lambda word=word: _took(lambda: select(found, Choice((word,), state=old)))) * 1000  # type: ignore[misc]
        yield Row("views", f"--select {word}, {LARGE:,} phases", f"{ms:.0f} ms", None, "", None)
    ms = _median(lambda: _took(lambda: diff(old, found))) * 1000
    yield Row("views", f"diff of two plans, {LARGE:,} phases", f"{ms:.0f} ms", None, "", None)
    drawing = plan(playbook(DRAWN))
    for form in FORMATS:
        ms = _median(lambda form=form: _took(lambda: drawn(drawing, form))) * 1000  # type: ignore[misc]
        yield Row("views", f"graph as {form}, {DRAWN:,} phases", f"{ms:.0f} ms", None, "", None)


def _graph() -> Iterator[Row]:
    needs = {f"p{n}": tuple(f"p{m}" for m in (n - 1, n - 7, n // 2) if 0 <= m < n) for n in range(LARGE)}
    each_us = _median(lambda: _took(lambda: waves(needs, order(needs)))) / LARGE * 1e6
    what = f"cycle check, order and waves at {LARGE:,} nodes"
    yield Row("8", what, f"{each_us:.1f} us a node", None, "<= 6 us", each_us <= US_A_NODE)
    ms = _median(lambda: _took(lambda: reduced(needs))) * 1000
    yield Row("8", f"transitive reduction at {LARGE:,} nodes", f"{ms:.0f} ms", None, "<= 60 ms", ms <= REDUCTION_MS)


def _playbook(phases: int) -> str:
    """Tiers of 25, each phase but a tier's first after the one before."""
    text = HEAD
    for number in range(phases):
        if number % 25 == 0:
            text += f"  - id: T{number // 25}\n    phases:\n"
        text += PHASE.format(number=number, needs=f"p{number - 1}" if number % 25 else "")
    return text


def _took(act: Callable[[], object]) -> float:
    """Of the processor: nothing here waits."""
    began = time.process_time()
    act()
    return time.process_time() - began


def _median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(REPEATS))
