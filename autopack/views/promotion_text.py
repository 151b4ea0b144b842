"""What a promotion would do, in words: what lands, why it may, what it cost and how to check it."""

from decimal import Decimal

from autopack.plan.model import Plan
from autopack.run.promotion import debt_status, obstacles
from autopack.run.state import PhaseState, RunState
from autopack.views.text import money

HEADING = ("phase", "state", "files", "lines", "model", "cost", "commit")
RULE = ("---", "---", "---:", "---:", "---", "---:", "---")


def markdown(plan: Plan, run: RunState) -> str:
    """Ready to be a pull request's text, and the file `promotion.md` of a run."""
    branch, against = plan.branch(run.run_id), obstacles(plan, run)
    may = "Eligible for promotion." if not against else "Not eligible for promotion:"
    calls = sum(len(phase.calls) for phase in run.phases.values())
    spent = run.ledger.spent("run")
    sections = [
        f"# Promote {plan.playbook} (run {run.run_id}) to {plan.base_branch}",
        "\n".join([may, *(f"- {reason}" for reason in against)]),
        f"## What lands\n\nBranch `{branch}` at `{run.head}`, from `{plan.base_commit}`.\n\n{_phases(plan, run)}",
        f"## Evidence\n\n{_evidence(plan, run)}",
        f"## Open issues\n\nDebt: {debt_status(plan, run)}.\n\n{_issues(run)}",
        f"## Cost\n\n{money(spent.cost_usd)}, {spent.tokens:,} tokens in {calls} model calls.",
        f"## How to check it\n\n{_check(plan, run)}",
    ]
    return "\n\n".join(sections) + "\n"


def _phases(plan: Plan, run: RunState) -> str:
    rows = [
        "| phase | state | files | lines | model | cost | commit |",
        "| --- | --- | ---: | ---: | --- | ---: | --- |",
    ]
    for spec in plan.phases:
        phase = run.phases[spec.phase_id]
        rows.append(f"| {spec.phase_id}: {_cell(spec.name)} | {phase.state} | {_size(phase)} | {_money(run, phase)} |")
    return "\n".join(rows)


def _size(phase: PhaseState) -> str:
    made = phase.candidate if phase.state == "COMPLETE" else None
    if made is None:
        return "- | -"
    return f"{len(made.files)} | +{made.lines_added} -{made.lines_removed}"


def _money(run: RunState, phase: PhaseState) -> str:
    cost: Decimal = run.ledger.spent(f"phase:{phase.phase_id}").cost_usd
    model = phase.calls[-1].model if phase.calls else "-"
    return f"{model} | {money(cost)} | {(phase.commit or '-')[:12]}"


def _evidence(plan: Plan, run: RunState) -> str:
    lines = [f"- plan `{run.plan_sha256}`"]
    for spec in plan.phases:
        phase = run.phases[spec.phase_id]
        if phase.state != "COMPLETE" or phase.ci is None:
            continue
        audit = "approved by the Auditor" if phase.approved else "no audit was due"
        tests = f"{phase.ci.executed_tests} tests"
        lines.append(
            f"- {spec.phase_id}: CI {phase.ci.verdict} ({spec.ci}, {tests}, `{phase.ci.digest[:12]}`), {audit}"
        )
    return "\n".join(lines)


def _issues(run: RunState) -> str:
    found = [issue for _, issue in sorted(run.issues.items()) if not issue.resolved]
    return "\n".join(f"- {i.effective_severity}: `{i.issue_key}`: {_cell(i.description)}" for i in found) or "None."


def _check(plan: Plan, run: RunState) -> str:
    branch = plan.branch(run.run_id)
    commands = (
        f"autopack verify {branch}",
        f"autopack replay {run.run_id}",
        f"git log --stat {(plan.base_commit or '')[:12]}..{branch}",
        f"autopack promote {run.run_id} --merge",
    )
    return "```sh\n" + "\n".join(commands) + "\n```"


def _cell(words: str) -> str:
    return " ".join(words.split()).replace("|", "\\|")
