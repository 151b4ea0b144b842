"""What compiling costs, and what is asked of a plan afterwards: rows 7 and 8 of the table of targets, and views.

`plan` runs as a whole process. Its peers (`snakemake -n`, `dbt parse`) are not installed with the project: their
figures of the table stand for them, as multiples of `import yaml`, which is measured beside.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from autopack.plan.diff import diff
from autopack.plan.graph import order, waves
from autopack.plan.select import Choice, select
from autopack.plan.shape import reduced
from autopack.views.cli.graph_ import FORMATS, drawn
from benchmarks import Row, judged
from benchmarks._played import plan, playbook

REPEATS = 5
SMALL, LARGE = 1_000, 10_000
SNAKEMAKE, DBT = 95, 93  # x `import yaml`, for 1,000 steps
SNAKEMAKE_FACTOR, DBT_FACTOR = 8, 12
US_A_NODE, REDUCTION_MS = 6, 60
DRAWN = 2_500
SELECTED = ("+p9999", "@p5000", "path:docs/m77.md", "tier:T7,category:docs p3+", "state:modified+")
CHECKOUT = Path(__file__).parent.parent
HEAD = "autopack: playbook/v1\nname: large\ntiers:\n"
PHASE = """\
      - {{id: p{number}, category: docs, goal: Describe module {number}., needs: [{needs}],
         scope: {{write: [docs/m{number}.md]}}, budget: {{tokens: 20_000}}}}
"""


def rows() -> Iterator[Row]:
    yaml_s = _median(lambda: _process("-c", "import yaml"))
    with tempfile.TemporaryDirectory() as folder:
        small, large = (_planned(Path(folder), phases) for phases in (SMALL, LARGE))
    shown = f"{1000 * small:.0f} ms / {1000 * yaml_s:.0f} ms import yaml"
    for peer, times, factor in (("snakemake -n", SNAKEMAKE, SNAKEMAKE_FACTOR), ("dbt parse, cached", DBT, DBT_FACTOR)):
        what = f"plan of {SMALL:,} phases, {factor}x faster than {peer} (recorded: {times}x import yaml)"
        yield judged("7", what, shown, small / yaml_s, times / factor)
    shown = f"{1000 * large:.0f} ms / {1000 * small:.0f} ms"
    yield judged("7", f"plan of {LARGE:,} phases against {SMALL:,}", shown, large / small, 12)
    yield from _graph()
    yield from _views()


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


def _planned(folder: Path, phases: int) -> float:
    playbook = folder / f"{phases}.yaml"
    playbook.write_text(_playbook(phases), encoding="utf-8")
    argv = ("-m", "autopack", "plan", playbook.name, "-o", os.devnull)
    return statistics.median(_process(*argv, cwd=folder) for _ in range(REPEATS))


def _playbook(phases: int) -> str:
    """Tiers of 25, each phase but a tier's first after the one before."""
    text = HEAD
    for number in range(phases):
        if number % 25 == 0:
            text += f"  - id: T{number // 25}\n    phases:\n"
        text += PHASE.format(number=number, needs=f"p{number - 1}" if number % 25 else "")
    return text


def _process(*words: str, cwd: Path | None = None) -> float:
    env = os.environ | {"PYTHONPATH": str(CHECKOUT)}
    command: Sequence[str] = (sys.executable, *words)
    return _took(lambda: subprocess.run(command, cwd=cwd, env=env, check=True, capture_output=True))


def _took(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


def _median(measure: Callable[[], float]) -> float:
    return statistics.median(measure() for _ in range(REPEATS))
