"""What a run is at one moment: a frozen value, folded from the plan and its events, with its wishes inside."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from autopack.plan.model import Ask, PlanTier
from autopack.plan.price import Usage
from autopack.run import issues
from autopack.run.effects import CloseRun, Effect, Evidence, Role, phase_of
from autopack.run.events import AllowanceTaken
from autopack.run.frozen import replace
from autopack.run.issues import Issues
from autopack.run.ledger import Ledger

RunStateName = Literal[
    "PLAN_BOOTSTRAP",
    "RUN_CREATED",
    "PHASE_QUEUEING",
    "PHASE_EXECUTION",
    "GATE",
    "CI_RUNNING",
    "SNAPSHOT_CREATED",
    "DONE_SUCCESS",
    "DONE_FAILED_BUDGET_EXHAUSTED",
    "DONE_FAILED_POLICY_VIOLATION",
    "DONE_FAILED_REQUIRES_HUMAN_REVIEW",
    "DONE_FAILED_ENVIRONMENT",
]
PhaseStateName = Literal["QUEUED", "EXECUTING", "GATE", "CI_RUNNING", "COMPLETE", "FAILED", "SKIPPED"]
TierStateName = Literal["PENDING", "IN_PROGRESS", "COMPLETE", "FAILED", "SKIPPED"]
Reason = Literal[
    "token_cap",
    "cost_cap",
    "duration",
    "phase_limit",
    "minor_issues",
    "tier_caps",
    "protected_ref",
    "scope_repeated",
    "secret_repeated",
    "tampered_record",
    "ci_red",
    "audit_rejected",
    "edit_failed",
    "no_op",
    "major_issues",
    "conflict",
    "cancelled",
    "provider_down",
    "auth",
    "model_not_found",
    "ci_unusable",
    "git_unusable",
    "disk_full",
    "store_lost",
]
DONE: Mapping[str, RunStateName] = {
    **dict.fromkeys(
        ("token_cap", "cost_cap", "duration", "phase_limit", "minor_issues", "tier_caps"),
        "DONE_FAILED_BUDGET_EXHAUSTED",
    ),
    **dict.fromkeys(
        ("protected_ref", "scope_repeated", "secret_repeated", "tampered_record"),
        "DONE_FAILED_POLICY_VIOLATION",
    ),
    **dict.fromkeys(
        ("ci_red", "audit_rejected", "edit_failed", "no_op", "major_issues", "conflict", "cancelled"),
        "DONE_FAILED_REQUIRES_HUMAN_REVIEW",
    ),
    **dict.fromkeys(
        (
            "provider_down",
            "auth",
            "model_not_found",
            "ci_unusable",
            "git_unusable",
            "disk_full",
            "store_lost",
        ),
        "DONE_FAILED_ENVIRONMENT",
    ),
}
ENDED: frozenset[str] = frozenset({"COMPLETE", "FAILED", "SKIPPED"})


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a phase or run did not succeed: a typed reason and a sentence with place, fact and next action."""

    reason: Reason
    message: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A patch that passed the gate: its commit (no ref points at it yet) and how it was made."""

    commit: str
    patch: str
    files: tuple[str, ...]
    lines_added: int
    lines_removed: int
    rung: int
    fuzz: int
    summary: str


@dataclass(frozen=True, slots=True)
class CiSummary:
    verdict: Literal["green", "red"]
    digest: str
    executed_tests: int
    failing: tuple[str, ...]
    logs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Call:
    """One model call as it was booked. `maybe_paid`: a driver died while it was in flight; `why` it was this model."""

    role: Role
    attempt: int
    model: str
    outcome: str
    usage: Usage
    tokens: int
    cost_usd: Decimal
    latency_s: float
    maybe_paid: bool
    why: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """An assembled request that waits for money or for its answer; `ask` is whom it was made for."""

    role: Role
    ask: Ask
    blob: str
    input_tokens_max: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Review:
    """One Auditor's judgement of the patch under way; `evidence` is the blob of its findings."""

    model: str
    recommendation: str
    approves: bool
    words: str
    evidence: str


@dataclass(frozen=True, slots=True)
class PhaseState:
    """One phase. `attempt` counts builder attempts from 1, `path` is every state it has been in.

    `delay_s` is what its request still has to wait for beside the money, `races` counts the landings that came too
    late, `signatures` names each way an attempt has failed, once for each time. `last_patch` is the one that the
    attempt before this one made; `reviews` are those of the patch under way.
    """

    phase_id: str
    state: PhaseStateName = "QUEUED"
    path: tuple[PhaseStateName, ...] = ("QUEUED",)
    attempt: int = 0
    base: str | None = None
    ask: int = 1
    retry: int = 0
    request: Request | None = None
    waiting: bool = False
    delay_s: float = 0.0
    evidence: tuple[Evidence, ...] = ()
    candidate: Candidate | None = None
    ci: CiSummary | None = None
    ci_runs: int = 0
    last_patch: str | None = None
    model: str | None = None
    reviews: tuple[Review, ...] = ()
    audit_due: bool = False
    approved: bool = False
    races: int = 0
    signatures: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    commit: str | None = None
    failure: Failure | None = None
    started_s: float | None = None
    ended_s: float | None = None


@dataclass(frozen=True, slots=True)
class Warned:
    """A budget that has reached a share of its cap: `level` is run, tier or phase, `name` which one."""

    level: Literal["run", "tier", "phase"]
    name: str
    dimension: str
    share: float
    used: str
    cap: str


@dataclass(frozen=True, slots=True)
class RunState:
    """The whole run. `pending` maps the key of every unanswered effect to the effect, oldest first.

    `ready` holds phases whose needs are met and that wait for a place among the active ones, by `Plan.urgency`.
    `active` names the phases under way, in the order they began, and `left` counts those that have not ended: both
    follow from `phases` and are kept, so that an event costs the same in a large run as in a small one.
    `unusable` says of each model that was given up why; others are asked in its place.
    `standing` names, by CI profile, the blob of what is red on the base commit. `allowance` is what project and
    providers had left for this run.
    `landing` are the phases that have passed everything, in the order in which they land; the first one is at it.
    """

    run_id: str
    plan_sha256: str
    state: RunStateName
    elapsed_s: float
    head: str
    protected_refs: Mapping[str, str]
    phases: Mapping[str, PhaseState]
    ready: tuple[str, ...]
    ledger: Ledger
    issues: Issues
    pending: Mapping[str, Effect]
    failure: Failure | None = None
    stopping: bool = False
    unusable: Mapping[str, str] = field(default_factory=dict)
    active: tuple[str, ...] = ()
    left: int = 0
    warnings: tuple[Warned, ...] = ()
    standing: Mapping[str, str] = field(default_factory=dict)
    allowance: AllowanceTaken | None = None
    landing: tuple[str, ...] = ()

    @property
    def done(self) -> bool:
        return self.state.startswith("DONE_")

    @property
    def closing(self) -> bool:
        """Whether only the last look at the protected refs is left: too late to cancel, or to run out of time."""
        return any(isinstance(effect, CloseRun) for effect in self.pending.values())


def with_phases(run: RunState, *changed: PhaseState) -> RunState:
    """The run with these phases in place of what they were."""
    active, left, landing = run.active, run.left, run.landing
    for phase in changed:
        was, now = run.phases[phase.phase_id].state, phase.state
        if was == now:
            continue
        left -= now in ENDED
        if now != "GATE" and phase.phase_id in landing:
            landing = tuple(name for name in landing if name != phase.phase_id)
        if was == "QUEUED" and now not in ENDED:
            active = (*active, phase.phase_id)
        elif now in ENDED:
            active = tuple(name for name in active if name != phase.phase_id)
    phases = {**run.phases, **{phase.phase_id: phase for phase in changed}}
    return replace(run, phases=phases, active=active, left=left, landing=landing)


def moved(before: RunState, now: RunState) -> list[str]:
    """The phases that one event has changed.

    Only those under way before or after it can be, the one it was about, and those it has ended; whether there are any
    of the latter is told by how many are left. So a run of thousands is not searched after each event.
    """
    about = (phase_of(effect) for key, effect in before.pending.items() if key not in now.pending)
    under_way = dict.fromkeys((*before.active, *now.active, *(name for name in about if name is not None)))
    found = [name for name in under_way if now.phases[name] is not before.phases[name]]
    if before.left - now.left == sum(
        now.phases[n].state in ENDED and before.phases[n].state not in ENDED for n in found
    ):
        return found
    return [name for name, phase in now.phases.items() if phase is not before.phases[name]]


def tier_state(run: RunState, tier: PlanTier) -> TierStateName:
    """A tier's state is what its phases make it."""
    states = {run.phases[phase_id].state for phase_id in tier.phases}
    if states == {"QUEUED"}:
        return "PENDING"
    if not states <= ENDED:
        return "IN_PROGRESS"
    if "FAILED" in states:
        return "FAILED"
    return "SKIPPED" if states == {"SKIPPED"} else "COMPLETE" if states == {"COMPLETE"} else "FAILED"


def blemishes(run: RunState, tier: PlanTier) -> tuple[str, ...]:
    """Why a tier is not_clean, in words; empty means clean."""
    found = []
    if tier_state(run, tier) in ("FAILED", "SKIPPED"):
        found.append("not all phases are complete")
    tokens = run.ledger.spent(f"tier:{tier.tier_id}").tokens
    if tokens > tier.token_cap:
        found.append(f"{tokens:,} tokens used of {tier.token_cap:,}")
    ci_runs = sum(run.phases[phase_id].ci_runs for phase_id in tier.phases)
    if ci_runs > tier.ci_runs:
        found.append(f"{ci_runs} CI runs of {tier.ci_runs}")
    minors = issues.count(run.issues, "minor", tier_id=tier.tier_id)
    if minors > tier.minor_issues:
        found.append(f"{minors} minor issues of {tier.minor_issues}")
    majors = issues.count(run.issues, "major", tier_id=tier.tier_id)
    if majors > tier.major_issues:
        found.append(f"{majors} major issues of {tier.major_issues}")
    return tuple(found)
