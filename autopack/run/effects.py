"""Wishes, in the imperative: what the machine wants done, as data.

An effect's key is the digest of its own fields, so a driver may deliver one twice after a crash and the hands
can tell. The machine never wishes the same key twice: whatever is tried again says which time it is.
Big texts travel as blob ids (sha256 of their bytes).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal

from autopack.plan import canonical
from autopack.plan.calibration import Observation
from autopack.run.issues import Issue

Role = Literal["builder", "auditor"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Why something was refused, for the next request: `kind` is a stable word, `blob` holds the details if any."""

    kind: str
    text: str
    blob: str | None


@dataclass(frozen=True, slots=True)
class ProbeProviders:
    """Ask every endpoint the plan can reach whether it is there; never a billed call."""

    run_id: str


@dataclass(frozen=True, slots=True)
class TakeAllowance:
    """Take what the run may spend of what its project and its providers have left, at most so much; once."""

    run_id: str
    tokens: int
    cost_usd: Decimal | None
    providers: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OpenRun:
    """Record the protected refs, make the integration branch at the base commit."""

    run_id: str
    base_commit: str


@dataclass(frozen=True, slots=True)
class Preflight:
    """Try a profile on the base commit, before the first model call. `time` counts the tries, `seen` is what the one
    before left standing.
    """

    run_id: str
    profile: str
    commit: str
    time: int
    seen: str | None
    delay_s: float


@dataclass(frozen=True, slots=True)
class AssembleContext:
    """Render the request for one attempt from the files at `base`, in at most `input_tokens_max` tokens.

    `wants` says what has to come back: edits from whoever is at this rung of the ladder, or the Auditor's review.
    `patch` is what the Auditor is to judge at `commit`, or the last patch that did not land.

    For the Auditor `ci` says in words how CI went and `logs` names its output blobs. `evidence` holds what went wrong
    before, oldest first. `why` says why it is this model.
    """

    phase_id: str
    role: Role
    wants: Literal["edits", "review"]
    attempt: int
    ask: int
    model: str
    input_tokens_max: int
    edit_format: str
    base: str
    patch: str | None
    commit: str | None
    ci: str
    logs: Mapping[str, str]
    evidence: tuple[Evidence, ...]
    why: str = ""


@dataclass(frozen=True, slots=True)
class CallModel:
    """Send one request, once. `call` counts this role's requests in the phase, `retry` repeats of this one."""

    phase_id: str
    role: Role
    attempt: int
    call: int
    retry: int
    model: str
    request: str
    input_tokens_max: int
    output_tokens_max: int
    cost_usd_max: Decimal
    delay_s: float


@dataclass(frozen=True, slots=True)
class RunBuilder:
    """Run the phase's own command in a worktree at `base`, once; what differs afterwards is its change.

    `run` counts the runs of the phase, `retry` repeats of one that was lost. `tokens` is what is reserved for it.
    """

    phase_id: str
    attempt: int
    run: int
    retry: int
    base: str
    request: str
    model: str
    tokens: int


@dataclass(frozen=True, slots=True)
class AskExternal:
    """Wait until a client from outside has handed in what it makes of `base`. `request` is what it is told, `evidence`
    why its earlier attempts came back. Nothing is paid: a second delivery waits on for the same answer.
    """

    phase_id: str
    attempt: int
    base: str
    request: str
    evidence: tuple[Evidence, ...]


@dataclass(frozen=True, slots=True)
class ApplyChange:
    """Take what a command has left behind, or the patch of a client, through the gate; make the candidate commit."""

    phase_id: str
    attempt: int
    base: str
    change: str


@dataclass(frozen=True, slots=True)
class ApplyReply:
    """Parse a Builder reply, match its edits on `base`, pass the gate, make the candidate commit."""

    phase_id: str
    attempt: int
    base: str
    request: str
    reply: str
    finish_reason: str


@dataclass(frozen=True, slots=True)
class ReadReview:
    """Parse an Auditor reply."""

    phase_id: str
    attempt: int
    ask: int
    model: str
    reply: str
    finish_reason: str


@dataclass(frozen=True, slots=True)
class RunCi:
    """One execution of a profile on one commit, in a private worktree. `base` is what the patch was made on;
    `standing` lists what fails on the run's base commit as well and does not count.
    """

    phase_id: str
    attempt: int
    time: int
    commit: str
    profile: str
    base: str
    standing: str | None


@dataclass(frozen=True, slots=True)
class Rebase:
    """Carry the candidate from `base` onto the moved `head`."""

    phase_id: str
    attempt: int
    base: str
    commit: str
    head: str


@dataclass(frozen=True, slots=True)
class Land:
    """Advance the integration branch from `head` to the candidate's tree, as one commit with its trailers and tag.

    `issues` are those of the run as they are with this landing, `observed` what the phase took; files that tell both
    are part of the commit (`observed` None: nothing is committed beside the code).
    """

    phase_id: str
    attempt: int
    head: str
    commit: str
    trailers: Mapping[str, str]
    issues: tuple[Issue, ...]
    observed: Observation | None


@dataclass(frozen=True, slots=True)
class CloseRun:
    """Compare the protected refs with those recorded at the start and put all private places away."""

    run_id: str
    protected_refs: Mapping[str, str]


Effect = (
    ProbeProviders
    | TakeAllowance
    | OpenRun
    | Preflight
    | AssembleContext
    | CallModel
    | RunBuilder
    | AskExternal
    | ApplyReply
    | ApplyChange
    | ReadReview
    | RunCi
    | Rebase
    | Land
    | CloseRun
)
PAID = (CallModel, RunBuilder)
"""What may cost money once it is under way, so that its answer counts whatever has become of its phase."""

TYPES: Mapping[str, type[Any]] = {cls.__name__: cls for cls in Effect.__args__}


def key(effect: Effect) -> str:
    """sha256 over the effect's type and fields."""
    return canonical.digest({"effect": type(effect).__name__, "fields": effect})


def phase_of(effect: Effect) -> str | None:
    """The phase an effect works for, None for those of the whole run."""
    return getattr(effect, "phase_id", None)
