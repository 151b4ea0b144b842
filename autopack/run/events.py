"""Facts, in the past tense: what the hands report and the journal keeps.

Every event that answers an effect carries that effect's `key`. `elapsed_s` is the run's own clock: seconds of
driving since it was started, read by the driver, so that the fold needs no clock of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

from autopack.plan import canonical
from autopack.plan.price import Usage

Outcome = Literal[
    "ok",
    "empty_output",
    "truncated",
    "context_overflow",
    "refused",
    "rate_limited",
    "transient",
    "auth",
    "not_found",
]
Trouble = Literal["ci_unusable", "git_unusable", "disk_full", "store_lost", "provider_down", "protected_ref"]


@dataclass(frozen=True, slots=True)
class ReportedIssue:
    """A problem somebody saw; identity is `issue_key` (`<category>__<object>__<defect>`)."""

    issue_key: str
    severity: Literal["minor", "major"]
    category: str
    source: str
    description: str
    evidence_refs: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ProvidersProbed:
    """`failures` maps an endpoint to why it can't be used; none: all passed. `about_keys`: only keys are at fault.
    `models` names the models behind them, each with the reason.
    """

    key: str
    elapsed_s: float
    failures: Mapping[str, str]
    about_keys: bool
    models: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProviderShare:
    """Of a provider's `weekly` tokens: what others have `spent` of them, what this run may take at most, and from how
    many on other providers are preferred (None: never).
    """

    weekly: int
    spent: int
    tokens: int
    soft: int | None
    frees_at: str | None


@dataclass(frozen=True, slots=True)
class AllowanceTaken:
    """What the run may spend at most of what its project and its providers have left; None: as much as its own caps
    allow. `spent_` is what all runs of the window were billed, `held_by` names those that have not ended, `frees_at`
    says when the window lets go of some.
    """

    key: str
    elapsed_s: float
    tokens: int | None
    cost_usd: Decimal | None
    providers: Mapping[str, ProviderShare]
    spent_tokens: int
    spent_cost_usd: Decimal
    held_by: tuple[str, ...]
    frees_at: str | None


@dataclass(frozen=True, slots=True)
class RunOpened:
    key: str
    elapsed_s: float
    head: str
    protected_refs: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class PreflightFinished:
    """`standing` is the blob that names what fails on the base commit (`failing` counts it), without what is `flaky`:
    failed in one try and passed in another. `settled`: another try could say nothing new.
    """

    key: str
    elapsed_s: float
    verdict: Literal["green", "red", "unusable"]
    standing: str
    failing: int
    executed_tests: int
    flaky: tuple[str, ...]
    settled: bool
    message: str


@dataclass(frozen=True, slots=True)
class ContextAssembled:
    """`request` is the blob of the canonical request; `input_tokens_max` its byte-safe upper bound."""

    key: str
    elapsed_s: float
    request: str
    input_tokens_max: int
    shown: tuple[str, ...]
    left_out: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ModelAnswered:
    """One HTTP attempt's outcome, as billed. `reply` is a blob id, None when there was no text."""

    key: str
    elapsed_s: float
    outcome: Outcome
    reply: str | None
    finish_reason: str
    usage: Usage
    served_model: str
    latency_s: float
    retry_after_s: float | None
    message: str


@dataclass(frozen=True, slots=True)
class BuilderFinished:
    """A Builder that is no model is done. `change` is the blob of what differs in a command's worktree, or of the patch
    of a client; None when there is nothing to be used: it failed (`failed`), was cut short or waited for in vain
    (`timed_out`, `cancelled`) or could not be started (`not_found`).

    `output` is the blob of its last words, for the next attempt; nothing that it says is believed. `claimed_tokens` is
    what a client says it has used, on nobody's budget; `wants_review` that it asks for the Auditor.
    """

    key: str
    elapsed_s: float
    outcome: Literal["ok", "failed", "timed_out", "cancelled", "not_found"]
    change: str | None
    output: str | None
    exit_code: int | None
    latency_s: float
    message: str
    issues: tuple[ReportedIssue, ...]
    claimed_tokens: int = 0
    wants_review: bool = False


@dataclass(frozen=True, slots=True)
class PatchAccepted:
    """The candidate commit exists (no ref points at it); `patch` is the blob of its canonical diff."""

    key: str
    elapsed_s: float
    commit: str
    patch: str
    files: tuple[str, ...]
    lines_added: int
    lines_removed: int
    rung: int
    fuzz: int
    summary: str
    issues: tuple[ReportedIssue, ...]


@dataclass(frozen=True, slots=True)
class PatchRefused:
    """Nothing changed. `kind` is a stable word (format_error, edit_failed, scope, secret, no_op ...)."""

    key: str
    elapsed_s: float
    kind: str
    message: str
    evidence: str
    issues: tuple[ReportedIssue, ...]


@dataclass(frozen=True, slots=True)
class CiFinished:
    """`evidence` is the blob that goes back to the Builder when red; `digest` covers verdict and per-test outcomes.
    `tolerated` failed and did not count (red on the base commit too, or in quarantine); `selection` says in words
    which tests ran and why.
    """

    key: str
    elapsed_s: float
    verdict: Literal["green", "red"]
    digest: str
    executed_tests: int
    failing: tuple[str, ...]
    evidence: str
    logs: Mapping[str, str]
    flaky: tuple[str, ...]
    issues: tuple[ReportedIssue, ...]
    tolerated: tuple[str, ...] = ()
    selection: str = ""


@dataclass(frozen=True, slots=True)
class ReviewRead:
    """A parsed review. Approval is computed by the machine from the findings, not taken on the Auditor's word."""

    key: str
    elapsed_s: float
    recommendation: Literal["approve", "revise", "escalate"]
    confidence: str
    evidence: str
    issues: tuple[ReportedIssue, ...]


@dataclass(frozen=True, slots=True)
class ReviewUnreadable:
    key: str
    elapsed_s: float
    message: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Rebased:
    """The candidate on the moved head. `overlaps`: what landed meanwhile reaches into what this phase works on."""

    key: str
    elapsed_s: float
    commit: str
    patch: str
    overlaps: bool


@dataclass(frozen=True, slots=True)
class Conflicted:
    key: str
    elapsed_s: float
    paths: tuple[str, ...]
    evidence: str


@dataclass(frozen=True, slots=True)
class Landed:
    key: str
    elapsed_s: float
    commit: str
    tag: str


@dataclass(frozen=True, slots=True)
class HeadMoved:
    key: str
    elapsed_s: float
    head: str


@dataclass(frozen=True, slots=True)
class RunClosed:
    """`violations` names each protected ref that was changed during the run, with both values."""

    key: str
    elapsed_s: float
    violations: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class EffectFailed:
    """The world is not usable for this effect: no verdict about the code."""

    key: str
    elapsed_s: float
    trouble: Trouble
    message: str


@dataclass(frozen=True, slots=True)
class EffectLost:
    """A driver died while this model call was in flight: maybe paid, no answer on disk."""

    key: str
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class CallDropped:
    """Nobody had sent this model call yet when its phase ended, and now nobody will: nothing was paid."""

    key: str
    elapsed_s: float


@dataclass(frozen=True, slots=True)
class CancelRequested:
    elapsed_s: float
    by: str


@dataclass(frozen=True, slots=True)
class TimePassed:
    """The driver's timer for `machine.next_deadline_s` rang."""

    elapsed_s: float


Event = (
    ProvidersProbed
    | AllowanceTaken
    | RunOpened
    | PreflightFinished
    | ContextAssembled
    | ModelAnswered
    | BuilderFinished
    | PatchAccepted
    | PatchRefused
    | CiFinished
    | ReviewRead
    | ReviewUnreadable
    | Rebased
    | Conflicted
    | Landed
    | HeadMoved
    | RunClosed
    | EffectFailed
    | EffectLost
    | CallDropped
    | CancelRequested
    | TimePassed
)
TYPES: Mapping[str, type[Any]] = {cls.__name__: cls for cls in Event.__args__}


def build(type_name: str, fields: object) -> Event:
    """An event from the journal. Raises canonical.NotThisShape, also for a type this version doesn't know."""
    cls = TYPES.get(type_name)
    if cls is None:
        raise canonical.NotThisShape("type", f"no event is called {type_name!r}")
    event: Event = canonical.build(cls, fields)
    return event
