"""CI: `run_profile` runs a profile in one worktree and says what came of it."""

from autopack.runners.ci.evidence import EVIDENCE_BYTES
from autopack.runners.ci.profile import run_profile
from autopack.runners.ci.result import Cancelled, CiResult, StepResult
from autopack.runners.ci.tools import hidden_tool

__all__ = ["EVIDENCE_BYTES", "Cancelled", "CiResult", "StepResult", "hidden_tool", "run_profile"]
