"""CI: `run_profile` runs a profile in one worktree and says what came of it."""

from autopack.runners.ci.evidence import EVIDENCE_BYTES
from autopack.runners.ci.profile import run_profile
from autopack.runners.ci.result import Cancelled, CiResult, StepResult

__all__ = ["EVIDENCE_BYTES", "Cancelled", "CiResult", "StepResult", "run_profile"]
