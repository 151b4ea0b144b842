"""Words and tables for people: the plan on one screen, a run's state, and the Markdown files of a run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING

from autopack.plan.calibration import Calibration
from autopack.plan.estimate import basis, of_each
from autopack.plan.graph import waves
from autopack.plan.model import Earlier, Plan, PlanPhase, PlanRun
from autopack.views.table import blocks, paragraph, table

if TYPE_CHECKING:  # the screen of a plan is made without the machine
    from autopack.run.state import RunState, Warned
    from autopack.views.projection import PhaseView, RunView, TierView


def money(value: Decimal | None) -> str:
    """USD with as many digits as tell something: $0.0042, $1.23, $1,234; None has no bound."""
    if value is None:
        return "UNBOUNDED"
    if value == 0:
        return "$0"
    if value < Decimal("0.01"):
        return f"${value:.4f}"
    return f"${value:,.2f}" if value < 1000 else f"${value:,.0f}"


def tokens(value: int) -> str:
    """1,234 -> 1.2k, 2,000,000 -> 2.0M."""
    if value < 1_000:
        return str(value)
    return f"{value / 1_000:.1f}k" if value < 1_000_000 else f"{value / 1_000_000:.1f}M"


def duration(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours}h{minutes:02d}m"
    return f"{minutes}m{rest:02d}s" if minutes else f"{rest}s"


# --- a plan ---


def plan_screen(plan: Plan, digest: str, width: int | None = None, calibration: Calibration | None = None) -> str:
    """What `autopack plan` prints: every phase with model, reason and price, then the sums against the caps.

    Where the table is wider than `width`, a phase takes two lines. `calibration` decides what is expected.
    """
    wave_of = _waves(plan)
    costs = of_each(plan, calibration)
    rows = [_plan_row(phase, wave_of[phase.phase_id], cost) for phase, cost in zip(plan.phases, costs, strict=True)]
    heading = ("wave", "phase", "tier", "category", "risk", "ci", "model", "tries", "audit", "expected", "worst", "why")
    sums = _sums(plan, sum(costs, Decimal(0)), max(wave_of.values(), default=0), calibration)
    return "\n".join(
        [
            paragraph(f"Plan for playbook {plan.playbook} of project {plan.project}", width),
            "",
            _fitting(heading, rows, width),
            "",
            *([_in_turn(plan.runs, width), ""] if plan.runs else []),
            *(paragraph(line, width) for line in sums),
            f"Plan sha256 {digest}",
        ]
    )


def _sums(plan: Plan, likely: Decimal, waves: int, calibration: Calibration | None) -> Iterator[str]:
    """What it all comes to, against the caps."""
    caps, worst = plan.caps, plan.worst
    whose = "cap of each run" if plan.runs else "run cap"
    cost_cap = money(caps.cost_usd) if caps.cost_usd is not None else "none"
    cost_cap, token_cap = f"{cost_cap}{_whole(plan, 'cost_usd')}", f"{caps.tokens:,}{_whole(plan, 'tokens')}"
    counted = f"{_counted(len(plan.phases), 'phase')} in {_counted(len(plan.tiers), 'tier')}"
    yield f"{counted} and {_counted(waves, 'wave')}, up to {plan.pools['phase']} at once."
    bounds = f"{money(likely)} expected ({basis(plan, calibration)}), at most {money(worst.cost_usd)}"
    yield f"Cost: {bounds}; {whose}: {cost_cap}."
    used = f"Tokens: at most {worst.tokens:,} in {_counted(worst.calls, 'call')}; {whose}: {token_cap}."
    minutes = f"Minutes: at most {worst.minutes:,}; {whose}: {caps.minutes:,}."
    yield from (f"{used} {minutes}",) if plan.project_budget is None else (used, minutes)
    if plan.assumed:
        yield f"Taken for done: {_some(plan.assumed)}."
    yield f"Lands on {plan.integration_branch} only; never on {', '.join(plan.protected_branches)}."


def _whole(plan: Plan, name: str) -> str:
    """Beside a run's cap, which is never above it, what all runs of the project may spend together."""
    whole = plan.project_budget
    most = getattr(whole, name) if whole is not None else None
    if whole is None or most is None:
        return ""
    shown = money(most) if name == "cost_usd" else f"{most:,}"
    return f" (all runs in {_counted(whole.days, 'day')}: {shown})"


RUNS_SHOWN = 12


def _in_turn(runs: Sequence[PlanRun], width: int | None) -> str:
    """The runs that a long plan is executed as."""
    rows = [_run_of(number, run) for number, run in enumerate(runs[:RUNS_SHOWN], 1)]
    heading = ("run", "phases", "worst", "tokens at most", "tiers")
    said = f"Executed as {len(runs):,} runs, one after the other, each from what the one before has landed:"
    left = len(runs) - len(rows)
    more = [f"and {left:,} more; --json has all"] if left else []
    return "\n".join([paragraph(said, width), table(heading, rows, frozenset({0, 1, 2, 3}), width), *more])


def _run_of(number: int, run: PlanRun) -> tuple[str, ...]:
    tiers = [tier.tier_id for tier in run.tiers]
    named = ", ".join(tiers) if len(tiers) < ENDS else f"{tiers[0]} ... {tiers[-1]}"
    return str(number), str(len(run.phases)), money(run.worst.cost_usd), tokens(run.worst.tokens), named


ENDS = 3
"""From so many on a list is told by its ends."""


def _fitting(heading: Sequence[str], rows: Sequence[Sequence[str]], width: int | None) -> str:
    """The table, or the columns that fit with the rest below each row."""
    wide = table(heading, rows, frozenset({0, 7, 9, 10}))
    if width is None or max(map(len, wide.splitlines())) <= width:
        return wide
    first = blocks(*_columns(heading, rows, (0, 1, 4, 6, 7, 9, 10)), frozenset({0, 4, 5, 6}), width)
    below = (paragraph(_rest(row), width) for row in rows)
    return "\n".join([next(first), *(part for pair in zip(first, below, strict=True) for part in pair)])


def _rest(row: Sequence[str]) -> str:
    """What the narrow table has no column for."""
    audit = f", audit {row[8]}" if row[8] != "-" else ""
    return f"      {row[2]} {row[3]}, CI {row[5]}{audit}: {row[11]}"


def _columns(
    heading: Sequence[str], rows: Sequence[Sequence[str]], wanted: Sequence[int]
) -> tuple[list[str], list[list[str]]]:
    return [heading[n] for n in wanted], [[row[n] for n in wanted] for row in rows]


def _counted(number: int, thing: str) -> str:
    return f"{number:,} {thing}{'' if number == 1 else 's'}"


def _some(names: Sequence[str], most: int = 8) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def _plan_row(phase: PlanPhase, wave: int, cost: Decimal) -> tuple[str, ...]:
    ladder = [attempt.ask.model for attempt in phase.attempts]
    return (
        str(wave),
        phase.phase_id,
        phase.tier_id,
        phase.category,
        f"{phase.complexity}{'!' if phase.high_risk else ''}",
        phase.ci,
        " > ".join(dict.fromkeys(ladder)),
        str(len(ladder)),
        phase.audit.model if phase.audited else "-",
        money(cost),
        money(phase.worst.cost_usd),
        phase.why,
    )


def _waves(plan: Plan) -> dict[str, int]:
    needs = {phase.phase_id: phase.needs for phase in plan.phases}
    found = waves(needs, list(needs))
    return {name: number for number, wave in enumerate(found, 1) for name in wave}


# --- a run ---

MARKS = {"COMPLETE": "ok", "FAILED": "FAILED", "SKIPPED": "skipped", "QUEUED": "waiting"}


def run_screen(run: RunView, width: int | None = None) -> str:
    """What `run`, `resume` and `status` print at the end."""
    rows = [_run_row(phase) for phase in run.phases]
    heading = ("phase", "tier", "state", "tries", "tokens", "cost", "time", "commit")
    parts = [f"tier {tier.tier_id}: {tier.state}, {_clean(tier)}" for tier in run.tiers]
    parts += ["", run_line(run)]
    if run.failure:
        parts.append(f"why: {run.failure}")
    parts += [f"near a cap: {near(warning)}" for warning in run.warnings]
    parts += [f"model {name} was given up: {why}" for name, why in run.unusable.items()]
    if run.continues:
        parts.append(_earlier(run.continues))
    if run.maybe_paid_calls:
        parts.append(
            f"{run.maybe_paid_calls} model call(s) were in flight when a driver died: maybe paid, charged in full."
        )
    if run.done and run.head != run.base_commit:
        parts.append(f"what landed: git log {run.base_commit[:12]}..{run.integration_branch}")
    told = table(heading, rows, frozenset({3, 4, 5, 6}), width)
    return "\n".join([told, "", *(paragraph(line, width) for line in "\n".join(parts).split("\n"))])


def near(warning: Warned) -> str:
    """A budget that came near its cap, in words."""
    whose = "the run" if warning.level == "run" else f"{warning.level} {warning.name}"
    amount = f"{Decimal(warning.used):,f} of {Decimal(warning.cap):,f} {warning.dimension.replace('_', ' ')}"
    return f"{whose} has used {amount} ({warning.share:.0%})"


def _earlier(before: Earlier) -> str:
    spent = f"{before.tokens:,} tokens and {money(before.cost_usd)} were spent until there"
    return f"goes on from run {before.run_id}: {spent}, and are not charged again"


def run_line(run: RunView) -> str:
    return (
        f"run {run.run_id}: {run.state}{f' ({run.failure_reason})' if run.failure_reason else ''}, "
        f"{run.tokens_used:,} tokens, {money(run.cost_usd)}, {run.model_calls} model calls, {duration(run.elapsed_s)}"
    )


def _run_row(phase: PhaseView) -> tuple[str, ...]:
    return (
        phase.phase_id,
        phase.tier_id,
        MARKS.get(phase.state, phase.state),
        str(phase.attempts),
        f"{phase.tokens_used:,}",
        money(phase.cost_usd),
        "-" if phase.seconds is None else duration(phase.seconds),
        (phase.commit or "-")[:12],
    )


def _clean(tier: TierView) -> str:
    from autopack.run.state import ENDED  # noqa: PLC0415 - see the imports

    if tier.state not in ENDED:
        return "under way"
    return "clean" if not tier.why_not_clean else f"not clean: {'; '.join(tier.why_not_clean)}"


# --- files of a run ---


def run_markdown(run: RunView) -> str:
    rows = "\n".join(
        f"| {p.phase_id} | {p.tier_id} | {p.state} | {p.attempts} | {p.tokens_used:,} | {money(p.cost_usd)} "
        f"| {(p.commit or '')[:12]} |"
        for p in run.phases
    )
    issues = "\n".join(f"- {i.effective_severity}: `{i.issue_key}`: {i.description}" for i in run.issues) or "none"
    tiers = "\n".join(f"- {tier.tier_id} ({tier.name}): {tier.state}, {_clean(tier)}" for tier in run.tiers)
    return f"""# Run {run.run_id}

{run.state}{f": {run.failure_reason}" if run.failure_reason else ""}

{run.failure or "Every phase passed gate, CI and audit where one is due."}
{f"{chr(10)}This run {_earlier(run.continues)}.{chr(10)}" if run.continues else ""}
| | |
| --- | --- |
| project, playbook | {run.project}, {run.playbook} |
| integration branch | `{run.integration_branch}` at `{run.head[:12]}`, from `{run.base_commit[:12]}` |
| tokens | {run.tokens_used:,} of {run.token_cap:,} |
| cost | {money(run.cost_usd)}{f" of {money(run.cost_usd_max)}" if run.cost_usd_max is not None else ""} |
| model calls | {run.model_calls}{f", {run.maybe_paid_calls} maybe paid" if run.maybe_paid_calls else ""} |
| time | {duration(run.elapsed_s)} |
| debt | {run.debt_status} |
| eligible for promotion | {"yes" if run.promotion_eligible_to_main else "no"} |
| plan | `{run.plan_sha256}` |

## Phases

| phase | tier | state | attempts | tokens | cost | commit |
| --- | --- | --- | ---: | ---: | ---: | --- |
{rows}

## Tiers

{tiers}

## Issues

{issues}
"""


def tier_markdown(run: RunView, tier_id: str) -> str:
    tier = next(tier for tier in run.tiers if tier.tier_id == tier_id)
    members = "\n".join(f"- {phase.phase_id}: {phase.state}" for phase in run.phases if phase.tier_id == tier_id)
    return f"""# Tier {tier.tier_id}: {tier.name}

{tier.state}, {_clean(tier)}

{tier.tokens_used:,} of {tier.token_cap:,} tokens, {money(tier.cost_usd)}, {tier.ci_runs} of {tier.ci_runs_cap} CI runs,
{tier.minor_issues} minor and {tier.major_issues} major issues.

{members}
"""


def phase_markdown(plan: Plan, run: RunState, phase_id: str) -> str:
    spec, phase = plan.phase(phase_id), run.phases[phase_id]
    calls = "\n".join(
        f"| {c.role} | {c.attempt} | {c.model} | {c.outcome} | {c.usage.input:,} | {c.usage.output:,} "
        f"| {money(c.cost_usd)} | {c.latency_s:.1f} | {c.why} |"
        for c in phase.calls
    )
    evidence = "\n".join(f"{n}. {item.kind}: {item.text}" for n, item in enumerate(phase.evidence, 1)) or "none"
    return f"""# Phase {spec.phase_id}: {spec.name}

{phase.state}: {" -> ".join(phase.path)}

{phase.failure.message if phase.failure else ""}

Category {spec.category}, complexity {spec.complexity}, CI profile {spec.ci}. {spec.why}.

## Goal

{spec.goal}

## Model calls

| role | attempt | model | outcome | input | output | cost | seconds | why this model |
| --- | ---: | --- | --- | ---: | ---: | ---: | ---: | --- |
{calls}

## What went back to the Builder

{evidence}

## Commit

{phase.commit or "none"}
"""


def incident_markdown(run: RunState, found: RunView) -> str:
    failed = "\n".join(
        f"- **{p.phase_id}** (attempt {p.attempt}): {p.failure.message if p.failure else 'failed'}"
        for p in run.phases.values()
        if p.state == "FAILED"
    )
    landed = "\n".join(f"- {p.phase_id}: {p.commit}" for p in found.phases if p.commit)
    return f"""# Incident: run {run.run_id}

{found.state}, reason: {found.failure_reason}

{found.failure}

## Failed phases

{failed or "none: the run was stopped before a phase had failed"}

## What landed all the same

{landed or "nothing"}

The integration branch `{found.integration_branch}` holds exactly that; nothing else was changed anywhere.

## In this folder

`plan.json` is the frozen plan, `events.jsonl` every event in order, `evidence/` what was sent back to the Builder,
`summary.json` the numbers. Secrets are redacted.

## Next

{next_step(found)}
"""


def next_step(run: RunView) -> str:
    """What people do after this end; `resume` takes up only what has not ended, or what a cap of the run stopped."""
    cap = _CAPS.get(run.failure_reason or "")
    said = _NEXT.get(run.failure_reason or "") or _NEXT.get(run.state, _NEXT[""])
    return said.replace("CAP", cap or "tokens").replace("RUN", run.run_id)


_CAPS = {"token_cap": "tokens", "cost_cap": "cost_usd", "duration": "minutes", "minor_issues": "minor_issues"}
_NEXT = {
    "DONE_FAILED_BUDGET_EXHAUSTED": "Where a cap of the run stopped it, go on from what landed with "
    "`autopack resume RUN --budget CAP=...`; where it was that of a phase, the project or a provider, raise that one, "
    "then `autopack rerun RUN --failed`.",
    "phase_limit": "Raise budget.phases, then `autopack rerun RUN --failed`.",
    "tier_caps": "Raise the tier's cap in the ruleset or mend what makes it not clean, then "
    "`autopack rerun RUN --failed`.",
    "cancelled": "Go on from what landed with `autopack rerun RUN --failed`.",
    "DONE_FAILED_ENVIRONMENT": "Mend what is named above (key, provider, git, CI tool, disk), then "
    "`autopack rerun RUN --failed`.",
    "DONE_FAILED_POLICY_VIOLATION": "Read what was tried in `evidence/` before anything else; then narrow or widen the "
    "phase's scope on purpose, and `autopack rerun RUN --failed`.",
    "": "Read `evidence/`, sharpen the goal, scope or acceptance of the failed phase, then "
    "`autopack rerun RUN --failed`.",
}
