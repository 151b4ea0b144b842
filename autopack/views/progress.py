"""How a run looks while it runs: a small live table on a terminal, one plain line a change in a pipe."""

import os
import time
from types import TracebackType
from typing import Self, TextIO

from autopack.plan.model import Plan
from autopack.run import events as ev
from autopack.run.state import ENDED, RunState, moved
from autopack.views import text
from autopack.views.projection import PhaseView, RunView, view

SIGNS = {
    "COMPLETE": "✓",
    "FAILED": "✗",
    "SKIPPED": "-",
    "QUEUED": "·",
    "EXECUTING": "▸",
    "GATE": "▸",
    "CI_RUNNING": "▸",
}
REDRAW_S = 0.1


class Progress:
    """Told of every state the run goes through; writes to `out` (stderr), never to stdout."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._live = out.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self._lines = 0
        self._drawn = 0.0
        self._warned = 0
        self._states: dict[str, tuple[str, int]] = {}
        self._before: RunState | None = None
        self._run_id = ""
        self._ended = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._erase()

    def observe(self, plan: Plan, run: RunState, event: ev.Event | None) -> None:
        """A new state; `event` led to it (None: just look). Of a series one run comes after the other."""
        if run.run_id != self._run_id:
            self._run_id, self._warned, self._states, self._before = run.run_id, 0, {}, None
            self._leave()
        if not self._live:
            self._tell(plan, run, event)
        elif run.done or time.monotonic() - self._drawn >= REDRAW_S:
            self._draw(view(plan, run))

    def _tell(self, plan: Plan, run: RunState, event: ev.Event | None) -> None:
        """One line for each phase that moved."""
        before, self._before = self._before, run
        for phase in (run.phases[name] for name in (run.phases if before is None else moved(before, run))):
            now = (phase.state, phase.attempt)
            if self._states.get(phase.phase_id, ("QUEUED", 0)) == now:
                continue
            self._states[phase.phase_id] = now
            why = self._why(event) if now[0] in ("EXECUTING", "FAILED") else ""
            self._say(f"{text.duration(run.elapsed_s):>6} {phase.phase_id}: {_words(*now)}{why}")
        for warning in run.warnings[self._warned :]:
            self._say(f"{text.duration(run.elapsed_s):>6} near a cap: {text.near(warning)}")
        self._warned = len(run.warnings)
        if run.done:
            self._say(text.run_line(view(plan, run)))

    def _why(self, event: ev.Event | None) -> str:
        message = getattr(event, "message", "") or ""
        if isinstance(event, ev.CiFinished):
            message = f"CI {event.verdict}: {', '.join(event.failing[:3])}"
        return f" ({' '.join(message.split())[:160]})" if message else ""

    def _say(self, line: str) -> None:
        self._write(f"{line}\n")

    def _write(self, words: str) -> None:
        """A reader who has left, or a terminal that was closed, is no reason to stop a run."""
        try:
            self._out.write(words)
            self._out.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), self._out.fileno())

    def _draw(self, run: RunView) -> None:
        """The table over itself; as many phases as the terminal has room for, those under way first."""
        width, height = self._size()
        lines = [self._head(run), *self._body(run, height - 3)]
        self._erase()
        self._write("".join(f"{line[: width - 1]}\n" for line in lines))
        self._lines, self._drawn = len(lines), time.monotonic()
        self._ended = text.run_line(run) if run.done else ""

    def _leave(self) -> None:
        """What came of the run before stays above the table of the next."""
        if self._live and self._ended:
            self._erase()
            self._say(self._ended)
            self._ended = ""

    def _size(self) -> tuple[int, int]:
        """Of the terminal that is drawn on: standard output may be a pipe or another one."""
        try:
            size = os.get_terminal_size(self._out.fileno())
        except OSError:
            size = os.terminal_size((0, 0))
        return size.columns or 80, size.lines or 24

    def _head(self, run: RunView) -> str:
        done = sum(phase.state in ENDED for phase in run.phases)
        cap = f" of {text.money(run.cost_usd_max)}" if run.cost_usd_max is not None else ""
        return (
            f"{run.run_id}  {run.state}  {done}/{len(run.phases)} phases  {text.tokens(run.tokens_used)}"
            f"/{text.tokens(run.token_cap)} tokens  {text.money(run.cost_usd)}{cap}  {text.duration(run.elapsed_s)}"
        )

    def _body(self, run: RunView, room: int) -> list[str]:
        lines: list[str] = []
        for tier in run.tiers:
            members = [phase for phase in run.phases if phase.tier_id == tier.tier_id]
            lines.append(f" {tier.tier_id} {tier.name}: {tier.state}")
            lines += [self._phase(phase) for phase in members]
        if len(lines) <= room:
            return lines
        moving = [self._phase(p) for p in run.phases if p.state not in ENDED and p.state != "QUEUED"]
        return moving[: max(room, 1)]

    def _phase(self, phase: PhaseView) -> str:
        tries = f" attempt {phase.attempts}" if phase.attempts > 1 else ""
        spent = f"  {text.tokens(phase.tokens_used)} tokens {text.money(phase.cost_usd)}" if phase.model_calls else ""
        return f"   {SIGNS[phase.state]} {phase.phase_id}: {phase.state}{tries}{spent}"

    def _erase(self) -> None:
        if self._lines:
            self._write(f"\x1b[{self._lines}F\x1b[J")
            self._lines = 0


def _words(state: str, attempt: int) -> str:
    return f"{state}, attempt {attempt}" if state == "EXECUTING" and attempt > 1 else state
