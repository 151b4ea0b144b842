"""What was written, as frozen values: one dataclass for each thing a person can write.

What a playbook leaves out is None here: defaults are the compiler's, from the ruleset. What a project, a CI file or
a catalogue of models leaves out holds the default its schema declares. Money is Decimal, counts are int. Every value a
later layer can complain about carries `at`, and `Spec.span` turns that into a place in a file.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from autopack.problem import Label, Problem, Span
from autopack.problem.typed import Any
from autopack.spec.at import At, Step, Steps
from autopack.spec.document import Document
from autopack.spec.record import field, record
from autopack.spec.rules.catalogue import provider

Scalar = str | int | float | bool
Argv = tuple[str, ...]


# --- project ---


@record
class Artifacts:
    path: str
    commit_issues: bool


@record
class ProjectBudget:
    """What all runs of a project together may spend in a rolling window; None: no cap."""

    at: At
    tokens: int | None
    cost_usd: Decimal | None
    days: int


@record
class Selector:
    """A selection with a name; `select` empty: everything."""

    at: At
    name: str
    select: tuple[str, ...]
    exclude: tuple[str, ...]


@record
class Project:
    """`safety_profile` and `run_scope` are None where the ruleset decides."""

    at: At
    name: str
    repository: str
    base_branch: str
    integration_branch: str  # holds "{run_id}"
    protected_branches: tuple[str, ...]
    playbooks: tuple[str, ...]
    ruleset: str
    ci: str
    models: str
    safety_profile: str | None  # normal | safety_critical
    run_scope: str | None  # multi_tier | single_tier
    stage: str  # baseline | operational | stewardship
    store: str
    artifacts: Artifacts
    budget: ProjectBudget
    selectors: Mapping[str, Selector] = field(default_factory=dict)


# --- playbook ---


@record
class Input:
    """One declared input. `default` None: it must be given."""

    at: At
    name: str
    type: str  # string | integer | number | boolean
    default: Scalar | None
    enum: tuple[Scalar, ...]
    description: str | None


@record
class Budget:
    """Explicit caps of a playbook or a phase; None: not capped here.

    `phases` and `minor_issues` exist on a playbook only, `attempts` on a phase only.
    """

    at: At
    tokens: int | None = None
    cost_usd: Decimal | None = None
    minutes: int | None = None
    phases: int | None = None
    minor_issues: int | None = None
    attempts: int | None = None


@record
class Scope:
    at: At
    write: tuple[str, ...]
    read: tuple[str, ...]


@record
class External:
    """Where taken-over code comes from, and its licence (an SPDX id)."""

    at: At
    source: str
    licence: str


@record
class PhaseDefaults:
    """What phases of the playbook get where they say nothing."""

    at: At
    complexity: str | None = None
    builder_mode: str | None = None
    ci: str | None = None


@record
class Builder:
    """Who does the work; all but the kind is for `command`."""

    at: At
    kind: str
    run: Argv = ()
    timeout_s: int | None = None
    env_pass: tuple[str, ...] = ()
    tokens: int | None = None


@record
class Phase:
    """One phase as written. `allow` holds the plain words, `allow_protected` the paths of `protected_paths: [...]`.

    Of a fan-out each branch is one; its `id` is the branch's, its `at` what all of them share.
    """

    at: At
    id: str
    goal: str
    category: str
    scope: Scope
    name: str | None = None
    complexity: str | None = None
    builder_mode: str | None = None
    needs: tuple[str, ...] = ()
    deliverables: tuple[str, ...] = ()
    acceptance: tuple[str, ...] = ()
    probes: tuple[Argv, ...] = ()
    ci: str | None = None
    budget: Budget | None = None
    builder: Builder | None = None
    allow: tuple[str, ...] = ()
    allow_protected: tuple[str, ...] = ()
    external: External | None = None
    tags: tuple[str, ...] = ()
    needs_at: tuple[At, ...] = ()  # where each need is written; a need of a fan-out is several
    via: tuple[At, ...] = ()  # the `uses` that led to the module it is written in, the outermost first
    fan_out: str | None = None  # the id that stands for all branches, of a branch

    def need_at(self, need: str) -> At:
        """Where a need is written; the phase itself where it follows from its tier's."""
        return self.needs_at[self.needs.index(need)] if need in self.needs else self.at


@record
class Tier:
    """`needs` None: it needs the tier before it."""

    at: At
    id: str
    phases: tuple[Phase, ...]
    name: str | None = None
    description: str | None = None
    needs: tuple[str, ...] | None = None
    via: tuple[At, ...] = ()


@record
class Playbook:
    at: At
    name: str
    tiers: tuple[Tier, ...]
    description: str | None = None
    inputs: Mapping[str, Input] = field(default_factory=dict)
    context: tuple[str, ...] = ()
    budget: Budget | None = None
    defaults: PhaseDefaults | None = None


# --- ruleset ---


@record
class CategoryRule:
    """One row of policy; None: this row says nothing about it.

    The same row shape serves `categories`, `category_defaults`, `high_risk`, `complexities` and `builder_modes`.
    """

    at: At
    name: str
    task_category: str | None = None
    complexity: str | None = None
    ci: str | None = None
    builder_attempts: int | None = None
    auditor_attempts: int | None = None
    incident_tokens: int | None = None
    minor_factor: float | None = None
    auto_apply: bool | None = None
    auditor_profile: str | None = None
    severity: str | None = None  # minor | major
    high_risk: bool | None = None
    audits: int | None = None
    files: int | None = None
    advice: str | None = None  # split | single_tier


@record
class RunBudget:
    """A run's caps. `cost_usd` None: no cap; `minor_issues_per_phase` times the number of phases."""

    at: At
    tokens: int
    phases: int
    minutes: int
    minor_issues_per_phase: int
    cost_usd: Decimal | None


@record
class TierRule:
    """How a tier's caps follow from its phases. The mappings are keyed by safety profile."""

    at: At
    incident_token_factor: float
    ci_runs_per_phase: int
    minor_issues_per_phase: Mapping[str, int]
    major_issues: int
    not_clean: Mapping[str, str]  # mark | fail_run


@record
class Aging:
    """When a minor issue that keeps coming back counts as major; the mappings are keyed by safety profile."""

    at: At
    runs: Mapping[str, int]
    tiers: Mapping[str, int]
    action: str  # escalate | schedule


@record
class SeverityUpgrade:
    """An issue that matches every given field is raised `to`."""

    at: At
    to: str
    category: str | None = None
    source: str | None = None
    complexity: str | None = None


@record
class AuditRule:
    """When the Auditor is called beside the categories that always need it."""

    at: At
    major_issue: bool
    same_failure: int
    attempts_used_up: bool
    test_changes: bool


@record
class Retry:
    """Transient provider trouble: sent again after a wait that doubles up to `backoff_s_max`."""

    at: At
    attempts: int
    backoff_s: float
    backoff_s_max: float


@record
class Limits:
    """What one patch may look like; `fuzz` is keyed by complexity."""

    at: At
    files: int
    changed_lines: int
    file_bytes: int
    shrink: float
    growth: float
    fuzz: Mapping[str, int]


@record
class Grant:
    """What some phases may do beyond their own `allow`, on whose word and until when (a date, inclusive)."""

    at: At
    phases: tuple[str, ...]
    allow: tuple[str, ...]
    allow_protected: tuple[str, ...]
    owner: str
    reason: str
    until: str


@record
class ExternalRule:
    at: At
    sources: tuple[str, ...]
    licences: tuple[str, ...]


@record
class Ruleset:
    """The policy after `extends`: `at` is the file the project names, `origins` where each single value was written.

    `categories` is keyed by the issue category; `category` finds a row under either of its names. The mappings
    `fail_fast` and `recheck` are keyed by safety profile and by CI profile; `recheck` is `always` or `overlap`.
    """

    at: At
    name: str
    safety_profile: str
    run_scope: str
    budget: RunBudget
    budget_warnings: tuple[float, ...]
    budget_proof: str  # warning | error
    tier: TierRule
    fail_fast: Mapping[str, bool]
    category_defaults: CategoryRule
    high_risk: CategoryRule
    complexities: Mapping[str, CategoryRule]
    builder_modes: Mapping[str, CategoryRule]
    categories: Mapping[str, CategoryRule]
    aging: Aging
    severity_upgrades: tuple[SeverityUpgrade, ...]
    escalation: tuple[str, ...]
    attempts_per_model_tier: int
    audit: AuditRule
    retry: Retry
    limits: Limits
    protected_paths: tuple[str, ...]
    grants: tuple[Grant, ...]
    external: ExternalRule
    recheck: Mapping[str, str]
    hooks: str  # refuse | run | skip
    promotion: str  # clean_tiers | no_issues
    origins: Mapping[Steps, At]
    outvoted: Mapping[Steps, Sequence[tuple[At, Any]]]  # what the files it extends said there, the farthest first

    def origin(self, *steps: Step) -> At:
        """Where a value of the merged ruleset was written; the file itself for what no file holds."""
        return self.origins.get(steps, self.at)

    def category(self, name: str) -> CategoryRule | None:
        """The row of an issue category or of a task category; both names are accepted everywhere."""
        if name in self.categories:
            return self.categories[name]
        return next((row for row in self.categories.values() if row.task_category == name), None)


# --- ci ---


@record
class CiStep:
    """One command, an argv list. `junit` is the report it writes, relative to the worktree."""

    at: At
    id: str
    run: Argv
    timeout_s: int
    junit: str | None
    when: str  # affected | always
    allow_no_tests: bool


@record
class Profile:
    """A profile after `extends`: steps of the parent first, a step of the same id replaced in its place."""

    at: At
    name: str
    retries: int
    steps: tuple[CiStep, ...]


@record
class Quarantine:
    at: At
    test: str
    owner: str
    reason: str
    until: str


@record
class Sandbox:
    at: At
    kind: str
    network: bool
    read: tuple[str, ...]
    memory_mb: int | None
    cpu_s: int | None
    file_mb: int | None
    open_files: int | None
    processes: int | None


@record
class Preflight:
    at: At
    attempts: int
    backoff_s: float


@record
class Ci:
    at: At
    name: str
    env_pass: tuple[str, ...]
    env_set: Mapping[str, str]
    setup: tuple[CiStep, ...]
    baseline: bool
    quarantine: tuple[Quarantine, ...]
    sandbox: Sandbox
    preflight: Preflight
    profiles: Mapping[str, Profile]


# --- models ---


@record
class Price:
    """USD per million tokens. `cached_input` and `cached_write` None: charged as plain input."""

    at: At
    input: Decimal
    output: Decimal
    cached_input: Decimal | None
    cached_write: Decimal | None
    as_of: str
    nominal: bool  # a made-up rate, so that budgets work where nothing is billed


@record
class Model:
    """One entry of the catalogue. `price` None means `unmetered`; then `token_cap` is there."""

    at: At
    name: str
    litellm: str
    api_base: str | None
    api_key_env: str | None
    tier: str  # economy | standard | premium
    context_tokens: int
    max_output_tokens: int
    price: Price | None
    token_cap: int | None
    edit_format: str  # search_replace | whole_file | unified_diff | apply_patch
    timeout_s: int
    params: Mapping[str, Scalar]

    @property
    def provider(self) -> str:
        """Whose quota it uses: "openai"."""
        return provider(self.litellm)


@record
class Route:
    """Model names in order of preference, for each role."""

    at: At
    builder: tuple[str, ...]
    auditor: tuple[str, ...]


@record
class Routing:
    at: At
    complexity: Mapping[str, Route]
    categories: Mapping[str, Route]
    high_risk: Route | None
    never_downgrade: tuple[str, ...]


@record
class Provider:
    """Quotas of one provider; None: no such limit."""

    at: At
    name: str
    concurrency: int | None
    requests_per_minute: int | None
    tokens_per_minute: int | None
    weekly_tokens: int | None
    soft_limit: float | None


@record
class Models:
    at: At
    name: str
    models: Mapping[str, Model]
    routing: Routing
    providers: Mapping[str, Provider]


# --- scenario ---


@record
class Answers:
    """What a phase gets, in order; the last one repeats. Empty or None: nothing is said, so `*` or a default holds."""

    at: At
    builder: tuple[str, ...]
    ci: tuple[str, ...]
    auditor: tuple[str, ...]
    rebase: tuple[str, ...] = ()
    input_tokens: int | None = None
    output_tokens: int | None = None
    builder_s: int | None = None
    auditor_s: int | None = None
    ci_s: int | None = None


@record
class Expected:
    """What must be true at the end, by phase id; None or absent: not checked."""

    at: At
    state: str | None
    failure_reason: str | None
    phases: Mapping[str, str]
    failure_reasons: Mapping[str, str]
    path: Mapping[str, tuple[str, ...]]
    builder_calls: Mapping[str, int]
    auditor_calls: Mapping[str, int]
    ci_runs: Mapping[str, int]
    cost_usd_max: Decimal | None
    tokens_max: int | None
    minutes_max: int | None
    promotion_eligible: bool | None


@record
class Scenario:
    """`playbook` as it is written; `answers` may hold "*" for every phase that isn't named."""

    at: At
    name: str
    playbook: str
    inputs: Mapping[str, Scalar]
    env: str | None
    safety_profile: str | None
    answers: Mapping[str, Answers]
    expect: Expected


# --- all of it ---


@record
class Spec:
    """One playbook with everything that governs it. `documents` is keyed by path as findings show it.

    `inputs` holds the value of every declared input. Texts are rendered, but for `{{ run.id }}`, which stays as
    `template.RUN_ID` until a run has a name.
    """

    root: str
    project: Project
    playbook: Playbook
    ruleset: Ruleset
    ci: Ci
    models: Models
    documents: Mapping[str, Document]
    inputs: Mapping[str, Scalar]
    modules: Mapping[str, At] = field(default_factory=dict)  # the first `uses` that led to each, by path

    def told_with_uses(self, found: Problem) -> Problem:
        """A finding inside a module with the place that pulled the module in."""
        at = self.modules.get(found.span.path) if found.span else None
        if at is None:
            return found
        return found._replace(labels=(*found.labels, Label(self.span(at), "used here")))

    def span(self, at: At, *more: Step) -> Span:
        """Where a value stands; the nearest mapping or list around it, where it was not written at all."""
        document = self.documents[at.path]
        return document.span(_written(document, at.steps + more))

    def key_span(self, at: At, *more: Step) -> Span:
        """Where the key of a value stands, by the same rule."""
        document = self.documents[at.path]
        steps = _written(document, at.steps + more)
        return document.key_span(steps) if steps and isinstance(steps[-1], str) else document.span(steps)


def _written(document: Document, steps: Steps) -> Steps:
    while steps and not document.has(steps):
        steps = steps[:-1]
    return steps
