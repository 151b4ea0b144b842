"""Tools from outside the repository that are missing: no patch can be judged without them."""

import os
import re
import shutil
from collections.abc import Mapping, Sequence

from autopack.plan.model import Profile
from autopack.runners import process
from autopack.runners.ci.result import StepOutcome

NOT_FOUND = (126, 127)

_PYTHON = re.compile(r"python[\d.]*")
_NOT_INSTALLED = re.compile(r"\S+: python[\d.]*: (?:command )?not found|No version is set for command python[\d.]*")
_SAYS_NO_MODULE = re.compile(r"\S+: (?:No module named|Error while finding module spec).*")


def not_started(problem: process.CannotStart, env: Mapping[str, str]) -> tuple[StepOutcome, str]:
    """A command of the repository's own is the Builder's to mend; anything else is the machine's."""
    name = problem.argv[0] if problem.argv else ""
    if problem.what == "command" and "/" in name and not os.path.isabs(name):
        return "failed", f"{problem.fact} in the repository"
    return "cannot_start", f"{problem.fact}. {_remedy(problem, name, env)}"


def hidden_tool(argv: Sequence[str], finished: process.Finished, profile: Profile) -> str:
    """The sandbox is there, and the command is in a place that it hides."""
    if profile.sandbox == "none" or finished.exit_code != 1:
        return ""
    said = finished.output[:500].decode(errors="replace")
    if not (found := re.match(r"bwrap: (.*)", said)):
        return ""
    return f"the sandbox says: {found[1]}. Name what {argv[0]} needs in the CI file's sandbox.read."


def _remedy(problem: process.CannotStart, name: str, env: Mapping[str, str]) -> str:
    if problem.what == "cwd":
        return "Start the run again: worktrees are made anew."
    if problem.what == "arguments":
        return "Correct the step's `run`."
    if "PATH" not in env:
        return "Add PATH to the CI profile's env.pass."
    if name == "python" and (other := shutil.which("python3", path=env["PATH"])):
        return f"{other} exists: write python3 in the step's `run`, or put a folder with a `python` in PATH."
    return f"Install {name}, or correct the step's `run`."


def missing_tool(argv: Sequence[str], finished: process.Finished, worktree: str) -> str:
    """A Python that started, only to say that it isn't there (a version manager's stand-in) or lacks the tool."""
    if not argv or not _PYTHON.fullmatch(os.path.basename(argv[0])):
        return ""
    said = finished.output[:2_000].decode(errors="replace").strip()
    if finished.exit_code in NOT_FOUND and (stand_in := _NOT_INSTALLED.match(said)):
        return f"{argv[0]} answers: {stand_in[0]}. Choose an installed version."
    module = _module_run(argv).partition(".")[0]
    alone = finished.exit_code == 1 and _SAYS_NO_MODULE.fullmatch(said) is not None
    if not (module and alone and re.search(rf"No module named '?{re.escape(module)}\b", said)):
        return ""
    if any(
        os.path.exists(os.path.join(worktree, folder, module + end)) for folder in ("", "src") for end in ("", ".py")
    ):
        return ""
    return f"{argv[0]} has no module {module}. Install it there ({argv[0]} -m pip install {module})."


def _module_run(argv: Sequence[str]) -> str:
    place = argv.index("-m") + 1 if "-m" in argv else len(argv)
    return argv[place] if place < len(argv) else ""
