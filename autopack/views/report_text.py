"""Words and tables of `report`, `issues` and `backlog`, folded to a terminal's width where there is one."""

from collections.abc import Mapping, Sequence
from typing import Any

from autopack.plan.backlog import BacklogEntry
from autopack.run.issues import Issue
from autopack.views.reporting import Abort, RunReport, TierLine
from autopack.views.table import paragraph, paragraphs, table
from autopack.views.text import MARKS, money, run_line, tokens


def report_screen(found: RunReport, width: int | None = None) -> str:
    """What `autopack report RUN` prints."""
    run, total = found.run, found.total
    parts = [paragraph(run_line(run), width), ""]
    rows = [
        (
            each.phase_id,
            MARKS.get(each.state, each.state),
            str(each.spent.calls),
            tokens(each.spent.tokens),
            money(each.expected_usd),
            money(each.spent.cost_usd),
        )
        for each in found.phases
    ]
    parts += [
        table(("phase", "state", "calls", "tokens", "expected", "cost"), rows, frozenset({2, 3, 4, 5}), width),
        "",
    ]
    lines = [
        (f"{name} {key}", str(each.calls), tokens(each.tokens), money(each.cost_usd), f"{each.model_s:.1f}s")
        for name, sums in found.by.items()
        for key, each in sums.items()
    ]
    parts += [table(("by", "calls", "tokens", "cost", "waited"), lines, frozenset({1, 2, 3, 4}), width), ""]
    said = [f"total: {total.calls} calls, {total.tokens:,} tokens, {money(total.cost_usd)}"]
    if total.unknown:
        said.append(f"{total.unknown} call(s) told no usage and are charged with their upper bound")
    each_done = "-" if found.per_completed_usd is None else money(found.per_completed_usd)
    each_lost = "-" if found.per_failed_usd is None else money(found.per_failed_usd)
    said.append(f"a successful phase: {each_done} ({found.completed}); a failed one: {each_lost} ({found.failed})")
    return "\n".join([*parts, *(paragraph(line, width) for line in (*said, _savings(found)))])


def _savings(found: RunReport) -> str:
    saved = found.savings
    if saved is None:
        return "against always premium: this plan has no premium model to compare with"
    share = f" ({saved.saved_usd / saved.priced_usd:.0%})" if saved.priced_usd else ""
    return (
        f"against always {saved.model} (price of {saved.as_of}): {money(saved.priced_usd)}, "
        f"saved {money(saved.saved_usd)}{share}"
    )


def runs_screen(rows: Sequence[Mapping[str, Any]]) -> str:
    """Two lines a run: at 80 columns ids stay whole."""
    if not rows:
        return "no runs yet; start one with: autopack run playbooks/NAME.yaml"
    return "\n".join(f"{_run_facts(row)}\n    {_run_numbers(row)}" for row in rows)


def _run_facts(row: Mapping[str, Any]) -> str:
    reason = f" ({row['failure_reason']})" if row.get("failure_reason") else ""
    return f"{row['run_id']}  {row.get('state')}{reason}"


def _run_numbers(row: Mapping[str, Any]) -> str:
    words = [str(row.get(name) or "-") for name in ("debt_status", "safety_profile", "run_scope")]
    return f"{', '.join(words)}; {row.get('tokens_used') or 0:,} tokens, {row.get('ci_runs') or 0} CI runs"


def tiers_screen(lines: Sequence[TierLine], width: int | None = None) -> str:
    if not lines:
        return "no runs yet"
    rows = [
        (
            line.run_id,
            line.tier.tier_id,
            line.tier.state,
            f"{line.tier.minor_issues}/{line.tier.major_issues}",
            _caps_hit(line),
            "blocked" if line.promotion_blocked else "free",
        )
        for line in lines
    ]
    return table(("run", "tier", "state", "minor/major", "caps hit", "promotion"), rows, width=width)


def _caps_hit(line: TierLine) -> str:
    hit = [word for word, is_hit in (("tokens", line.token_cap_hit), ("ci", line.ci_cap_hit)) if is_hit]
    return ", ".join(hit) or "-"


def aborts_screen(found: Sequence[Abort], width: int | None = None) -> str:
    if not found:
        return "no run was ended by a cap"
    return "\n\n".join(paragraphs(_abort(each), width) for each in found)


def _abort(each: Abort) -> str:
    total = sum(each.slices.values()) or 1
    shares = ", ".join(f"{name} {count / total:.0%}" for name, count in list(each.slices.items())[:3])
    helped = f"{each.auditor_calls} Auditor calls, {each.auditor_helped} of the phases that had one completed"
    tiers = ", ".join(each.tiers) or "none"
    return f"{each.run_id}: {each.reason}\n  {each.failure}\n  tiers: {tiers}; tokens: {shares or 'none'}\n  {helped}"


def flaky_screen(found: Mapping[str, tuple[int, int]], runs: int, width: int | None = None) -> str:
    if not found:
        return f"no flaky test in {runs} run(s)"
    rows = [(str(times), str(seen), name) for name, (times, seen) in found.items()]
    return table(("times", "runs", "test"), rows, frozenset({0, 1}), width)


def issues_screen(found: Sequence[Issue]) -> str:
    """Two lines an issue, the gravest first: keys are long, and are what one copies."""
    if not found:
        return "no issues"
    return "\n".join(
        f"{'resolved' if issue.resolved else issue.effective_severity:<8} {issue.source:<17} x{issue.occurrence_count} "
        f"{', '.join(issue.phases)}\n    {issue.issue_key}\n    {_short(issue.description)}"
        for issue in found
    )


def backlog_screen(found: Sequence[BacklogEntry]) -> str:
    """Those seen in most runs, tiers and times first (REQ-11.3-3)."""
    if not found:
        return "nothing is open"
    rows = [
        (
            entry.base_severity,
            str(entry.age_in_runs),
            str(entry.age_in_tiers),
            str(entry.occurrence_count),
            f"resolved by {entry.resolved_by}" if entry.resolved_by else entry.last_seen_run,
        )
        for entry in found
    ]
    heading, *lines = table(
        ("severity", "runs", "tiers", "times", "last seen"), rows, frozenset({1, 2, 3})
    ).splitlines()
    told = zip(lines, found, strict=True)
    return "\n".join(
        [heading, *(f"{line}\n    {entry.issue_key}\n    {_short(entry.description)}" for line, entry in told)]
    )


def _short(words: str) -> str:
    one = " ".join(words.split())
    return one if len(one) <= 76 else one[:73] + "..."
