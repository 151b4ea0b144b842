"""Child processes: `run` one to its end with all that it starts, `reap` what a dead driver left."""

from autopack.runners.process.child import Cancelled, Finished, OnStart, reap, run, scrubbed
from autopack.runners.process.start import CannotStart, Limits, found, not_found

__all__ = ["Cancelled", "CannotStart", "Finished", "Limits", "OnStart", "found", "not_found", "reap", "run", "scrubbed"]
