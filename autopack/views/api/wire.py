"""What comes over the wire: unknown fields are refused, every text has a bound. What is sent back is made by views."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

RUN_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$"
PHASE_ID = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,199}$"
PATCH_CHARS_MAX = 1_000_000

Key = Annotated[str, Field(min_length=1, max_length=300)]
Line = Annotated[str, Field(max_length=1_000)]
Text = Annotated[str, Field(max_length=20_000)]
Count = Annotated[int, Field(ge=0, le=10**12)]
Seconds = Annotated[float, Field(ge=0, le=10**9, allow_inf_nan=False)]


class Wire(BaseModel):
    """Strict: `"3"` is no number, `1` no truth, and a field that nobody knows is an error."""

    model_config = ConfigDict(extra="forbid", strict=True)


class ProbeResult(Wire):
    """A command that the builder says it has run."""

    probe_type: Key
    exit_code: int
    stdout: Text = ""
    stderr: Text = ""
    duration_seconds: Seconds = 0


class SuggestedIssue(Wire):
    """A problem the builder saw; `issue_key` is `<category>__<object>__<defect>`."""

    issue_key: Key
    severity: Literal["minor", "major"]
    source: Line = ""
    category: Key
    evidence_refs: list[Line] = Field(default=[], max_length=50)
    description: Text = ""


class BuilderResult(Wire):
    """What came of a phase. Only `patch_content`, `status`, `notes` and `suggested_issues` have consequences; the rest
    is kept as what the builder claims.
    """

    phase_id: Key
    run_id: Key
    patch_content: str = Field(
        default="",
        max_length=PATCH_CHARS_MAX,
        description="A unified diff against the base commit, as `git diff` prints it.",
    )
    files_changed: list[Line] = Field(default=[], max_length=5_000)
    lines_added: Count = 0
    lines_removed: Count = 0
    builder_attempts: Count = 0
    tokens_used: Count = 0
    duration_minutes: Seconds = 0
    probe_results: list[ProbeResult] = Field(default=[], max_length=100)
    suggested_issues: list[SuggestedIssue] = Field(default=[], max_length=100)
    status: Literal["success", "failed", "needs_review"]
    notes: Text = ""

    def claims(self) -> dict[str, Any]:
        """All that nobody looks at."""
        heard = {"phase_id", "run_id", "patch_content", "suggested_issues", "status", "notes", "tokens_used"}
        return self.model_dump(exclude=heard)


class StatusUpdate(Wire):
    """How far a builder is. `state` is the phase's own, and a phase that waits for a builder is EXECUTING."""

    phase_id: Key
    run_id: Key
    state: Literal["QUEUED", "EXECUTING", "GATE", "CI_RUNNING", "COMPLETE", "FAILED", "SKIPPED"]
    message: Line = ""
    percent: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] | None = None
    builder_attempts: Count = 0
    tokens_used: Count = 0
