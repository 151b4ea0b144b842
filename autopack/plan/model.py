"""The frozen plan: everything a run may do, with every default filled in and every price fixed.

A Plan holds no times and no absolute paths, so that equal specs give equal digests on every machine.
`base_commit` is None in a plan made without a repository; a run fixes it before it starts. `backlog_sha256` names the
issues of earlier runs that the compiler knew of.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import cached_property

from autopack.plan.price import Price
from autopack.problem.typed import TYPE_CHECKING, TypeAlias
from autopack.spec.record import field, record, replace

if TYPE_CHECKING:  # who evaluates these annotations (`canonical`) knows what it is
    from typing import Literal

FORMAT_VERSION = 1

AUDITOR_ASKS = 2
"""How often one review is asked for: a reply that can't be read gets one re-ask that carries the error."""

AUDITOR_PATCH = "auditor_patch"
"""The step of a rung at which the Auditor is asked for a minimal patch."""

PROBE_STEP_TIMEOUT_S = 600
"""How long one probe of a phase may run."""

Complexity: TypeAlias = 'Literal["low", "medium", "high"]'
EditFormat: TypeAlias = 'Literal["search_replace", "whole_file", "unified_diff", "apply_patch"]'
Argv = tuple[str, ...]
Parameter = str | int | float | bool


@record
class PlanModel:
    """One model of the catalogue as this plan may call it. `price` None means unmetered (then `token_cap` holds)."""

    name: str
    litellm: str
    api_base: str | None
    api_key_env: str | None
    provider: str
    tier: str
    context_tokens: int
    max_output_tokens: int
    price: Price | None
    token_cap: int | None
    timeout_s: int
    params: Mapping[str, Parameter]


@record
class Ask:
    """Who is asked, and how much: no request is larger and no reply longer, so price x bounds is a proof."""

    model: str
    input_tokens_max: int
    output_tokens_max: int


@record
class Attempt:
    """One rung of a phase's ladder: who answers in which format, and what changed against the rung before.

    `fallbacks` are asked in their order where the model of `ask` can't be used; the worst case is the dearest of all.
    """

    step: str
    ask: Ask
    edit_format: EditFormat
    fallbacks: tuple[Ask, ...] = ()

    @property
    def role(self) -> Literal["builder", "auditor"]:
        """Whose words make the patch: the last rungs of a ladder may be the Auditor's own."""
        return "auditor" if self.step == AUDITOR_PATCH else "builder"


@record
class Limits:
    """What one patch of the phase may look like; `fuzz` is the dearest matching rung that is accepted."""

    files: int
    changed_lines: int
    file_bytes: int
    shrink: float
    growth: float
    fuzz: int


@record
class Worst:
    """The proved upper bound of what a phase (or run) can spend; the ledger refuses a call that would pass it.

    `calls` are those of the ladder and its audits; a call that is sent again is not another one. `cost_usd` None is
    UNBOUNDED: some part has a price that nobody knows. With `unmetered` some models bill nothing, so that their tokens
    count and their cost doesn't.
    """

    calls: int
    tokens: int
    cost_usd: Decimal | None
    minutes: int = 0
    unmetered: bool = False


COMMAND = "command"
EXTERNAL = "external"
OUTSIDE = (COMMAND, EXTERNAL)
"""The providers of Builders that are commands, and clients from outside: nobody to be probed, called or quoted."""


COMMAND_PROMPT_TOKENS = 200_000
"""How much a command or a client may be told at most, by the same bound as a model's request."""


@record
class PlanBuilder:
    """Who does the work of a phase. `timeout_s` is for both that are no model, the rest for `command`; `tokens` is what
    one run of it may use, as the playbook states it, 0 where it states nothing.
    """

    kind: Literal["model", "command", "external"] = "model"
    run: Argv = ()
    timeout_s: int = 0
    env_pass: tuple[str, ...] = ()
    tokens: int = 0


BY_MODEL = PlanBuilder()


@record
class PlanPhase:
    """One phase with every value effective. `needs` holds all phases that must be COMPLETE first, tiers included.

    `attempts` are the Builder's, one entry each, so that the ladder ends by construction; when they are used up,
    `patches` are the Auditor's own. `audit` is who reviews, `audit_fallbacks` who does where that model can't be used,
    `second_audit` who reviews beside it. Without `may_downgrade` a provider's soft limit moves it nowhere. `aged` are
    the keys of issues of earlier runs that made the compiler handle this phase with more care.
    """

    phase_id: str
    index: int
    tier_id: str
    name: str
    category: str
    task_category: str
    complexity: Complexity
    builder_mode: str | None
    high_risk: bool
    severity: Literal["minor", "major"]
    goal: str
    acceptance: tuple[str, ...]
    deliverables: tuple[str, ...]
    write: tuple[str, ...]
    read: tuple[str, ...]
    needs: tuple[str, ...]
    tags: tuple[str, ...]
    allow: tuple[str, ...]
    allowed_protected: tuple[str, ...]
    probes: tuple[Argv, ...]
    ci: str
    recheck: Literal["always", "overlap"]
    auto_apply: bool
    auditor_profile: str | None
    audit: Ask
    attempts: tuple[Attempt, ...]
    auditor_attempts: int
    token_cap: int
    cost_usd_max: Decimal | None
    minutes_max: int | None
    limits: Limits
    builder_prompt: str
    auditor_prompt: str
    why: str
    worst: Worst
    audit_fallbacks: tuple[Ask, ...] = ()
    second_audit: Ask | None = None
    aged: tuple[str, ...] = ()
    builder: PlanBuilder = BY_MODEL
    patches: tuple[Attempt, ...] = ()
    patch_prompt: str = ""
    may_downgrade: bool = True

    @property
    def ladder(self) -> tuple[Attempt, ...]:
        """Every attempt there can be, in order."""
        return (*self.attempts, *self.patches)

    @property
    def audited(self) -> bool:
        """Whether nothing of this phase lands without the Auditor's approval."""
        return not self.auto_apply

    @property
    def asks(self) -> tuple[Ask, ...]:
        """Everybody who may be asked, in whatever role."""
        builders = (ask for attempt in self.ladder for ask in (attempt.ask, *attempt.fallbacks))
        second = () if self.second_audit is None else (self.second_audit,)
        return (*builders, self.audit, *self.audit_fallbacks, *second)


@record
class PlanTier:
    tier_id: str
    index: int
    name: str
    phases: tuple[str, ...]
    token_cap: int
    ci_runs: int
    minor_issues: int
    major_issues: int


@record
class Step:
    """One CI command. `junit` is the report it writes, relative to the worktree, or None. `affected`: it may be limited
    to the tests that a patch can affect.
    """

    id: str
    run: Argv
    timeout_s: int
    junit: str | None = None
    allow_no_tests: bool = False
    affected: bool = False


@record
class Preflight:
    """How often a profile is tried on the base commit before the first model call, and the wait, which doubles."""

    attempts: int
    backoff_s: float


@record
class Profile:
    """`setup` runs once a worktree, `retries` are for a failed step alone, the limits hold for each process (but
    `processes`, which counts them). Tests in `quarantine` don't count; with `baseline` neither does what is red on the
    base commit too. `readable`: what stays visible inside the sandbox.
    """

    name: str
    setup: tuple[Step, ...]
    steps: tuple[Step, ...]
    retries: int = 0
    env_pass: tuple[str, ...] = ()
    env_set: Mapping[str, str] = field(default_factory=dict)
    memory_mb: int | None = None
    cpu_s: int | None = None
    file_mb: int | None = None
    open_files: int | None = None
    processes: int | None = None
    sandbox: Literal["none", "bubblewrap"] = "none"
    network: bool = True
    readable: tuple[str, ...] = ()
    quarantine: tuple[str, ...] = ()
    baseline: bool = False
    preflight: Preflight | None = None


@record
class Caps:
    """A run's caps. `cost_usd` None means none; the other four always hold."""

    tokens: int
    phases: int
    minutes: int
    minor_issues: int
    cost_usd: Decimal | None


@record
class PlanRun:
    """One of several runs that a plan is executed as; `tiers` hold only the phases of this one, `caps` are its own."""

    phases: tuple[str, ...]
    tiers: tuple[PlanTier, ...]
    caps: Caps
    worst: Worst


@record
class Retry:
    """Transient provider trouble: how often one request is sent at most, and how long to wait (doubling, bounded)."""

    attempts: int
    backoff_s: float
    backoff_s_max: float


@record
class AuditPolicy:
    """What calls the Auditor into a phase beside a category that always needs it; `same_failure` counts repeats."""

    major_issue: bool = True
    same_failure: int = 2
    attempts_used_up: bool = True
    test_changes: bool = True


@record
class Quota:
    """How fast a provider may be asked (None: as fast as there are places), and how much in any seven days.

    Above `soft_limit`, a share of `weekly_tokens`, other providers are preferred where a phase may go elsewhere.
    """

    requests_per_minute: int | None
    tokens_per_minute: int | None
    weekly_tokens: int | None = None
    soft_limit: float | None = None


@record
class ProjectBudget:
    """What all runs of the project together may spend in a rolling window of so many days; None: no cap."""

    tokens: int | None
    cost_usd: Decimal | None
    days: int


@record
class Carried:
    """A phase that an earlier run has landed: its commit is below `base_commit`, so it is COMPLETE from the start."""

    phase_id: str
    run_id: str
    commit: str


@record
class OpenIssue:
    """What was still wrong with a carried phase; it goes on counting, so that going on launders nothing."""

    issue_key: str
    severity: Literal["minor", "major"]
    category: str
    source: str
    description: str
    evidence_refs: tuple[str, ...]
    phase_id: str


@record
class Earlier:
    """The run that this plan goes on from, and what it and those before it have spent: shown, never charged again."""

    run_id: str
    tokens: int
    cost_usd: Decimal
    open_issues: tuple[OpenIssue, ...]


@record
class SeverityUpgrade:
    """An issue that matches every given field counts as `to`; nothing ever lowers one."""

    to: str
    category: str | None
    source: str | None
    complexity: str | None


@record
class Plan:
    """The whole. `pools` bounds how many effects run at once: by effect type, and by `provider:<name>`.

    `aged` are the keys of issues that came back so often that they count as major.
    `runs` is empty where the plan is executed as one run; else each of them is made a plan of its own by `part`.
    `assumed` names the phases that are needed, left out by a selection, and taken for done.

    The look-up tables below are made once and kept beside the fields.
    """

    format_version: int
    project: str
    playbook: str
    description: str
    inputs: Mapping[str, Parameter]
    base_branch: str
    base_commit: str | None
    integration_branch: str
    protected_branches: tuple[str, ...]
    protected_paths: tuple[str, ...]
    safety_profile: Literal["normal", "safety_critical"]
    run_scope: Literal["multi_tier", "single_tier"]
    stage: Literal["baseline", "operational", "stewardship"]
    fail_fast: bool
    caps: Caps
    retry: Retry
    pools: Mapping[str, int]
    tiers: tuple[PlanTier, ...]
    phases: tuple[PlanPhase, ...]
    models: Mapping[str, PlanModel]
    profiles: Mapping[str, Profile]
    format_prompts: Mapping[str, str]
    worst: Worst
    carried: tuple[Carried, ...] = ()
    continues: Earlier | None = None
    backlog_sha256: str | None = None
    runs: tuple[PlanRun, ...] = ()
    aged: tuple[str, ...] = ()
    audit_policy: AuditPolicy = AuditPolicy()
    not_clean: Literal["mark", "fail_run"] = "mark"
    promotion: Literal["clean_tiers", "no_issues"] = "clean_tiers"
    budget_warnings: tuple[float, ...] = ()
    quotas: Mapping[str, Quota] = field(default_factory=dict)
    severity_upgrades: tuple[SeverityUpgrade, ...] = ()
    commit_issues: bool = False
    hooks: Literal["refuse", "run", "skip"] = "refuse"
    assumed: tuple[str, ...] = ()
    project_budget: ProjectBudget | None = None

    def phase(self, phase_id: str) -> PlanPhase:
        return self._phases[phase_id]

    def tier(self, tier_id: str) -> PlanTier:
        return self._tiers[tier_id]

    def branch(self, run_id: str) -> str:
        """The integration branch of a run, without refs/heads/."""
        return self.integration_branch.replace("{run_id}", run_id)

    @cached_property
    def dependents(self) -> Mapping[str, tuple[str, ...]]:
        """Phase id -> the phases that need it directly, in plan order."""
        table: dict[str, list[str]] = {phase.phase_id: [] for phase in self.phases}
        for phase in self.phases:
            for need in phase.needs:
                table[need].append(phase.phase_id)
        return {phase_id: tuple(found) for phase_id, found in table.items()}

    @cached_property
    def urgency(self) -> Mapping[str, tuple[int, int]]:
        """Phase id -> what phases that could begin now are sorted by: who has the longest chain of phases behind it
        comes first, so that the run ends as early as it can; ties keep the plan's order.
        """
        behind: dict[str, int] = {}
        for phase in reversed(self.phases):
            behind[phase.phase_id] = max((behind[name] + 1 for name in self.dependents[phase.phase_id]), default=0)
        return {phase.phase_id: (-behind[phase.phase_id], phase.index) for phase in self.phases}

    @cached_property
    def _phases(self) -> Mapping[str, PlanPhase]:
        return {phase.phase_id: phase for phase in self.phases}

    @cached_property
    def _tiers(self) -> Mapping[str, PlanTier]:
        return {tier.tier_id: tier for tier in self.tiers}


def digest(plan: Plan) -> str:
    """sha256 over the whole plan: prompts, models, prices, policy, CI profile, base commit."""
    from autopack.plan import canonical  # noqa: PLC0415 - a check of files does without

    return canonical.digest(plan)


def pinned(plan: Plan, base_commit: str) -> Plan:
    """The plan with the commit it starts from."""
    return replace(plan, base_commit=base_commit)


def part(plan: Plan, number: int) -> Plan:
    """The plan of one of several runs, from 1. What it needs of earlier runs is done: it starts from their commits."""
    run = plan.runs[number - 1]
    mine = set(run.phases)
    phases = (plan.phase(phase_id) for phase_id in run.phases)
    return replace(
        plan,
        phases=tuple(replace(each, needs=tuple(need for need in each.needs if need in mine)) for each in phases),
        tiers=run.tiers,
        caps=run.caps,
        worst=run.worst,
        runs=(),
    )


def load(source: str) -> Plan:
    """A plan from its JSON text. Raises canonical.NotThisShape."""
    from autopack.plan import canonical  # noqa: PLC0415 - a check of files does without

    plan = canonical.load(Plan, source)
    if plan.format_version != FORMAT_VERSION:
        raise canonical.NotThisShape("format_version", f"{plan.format_version} where {FORMAT_VERSION} belongs")
    return plan
