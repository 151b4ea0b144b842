"""A Builder that is a command: an agent's command-line program, run in the phase's worktree.

Its words are of no interest and what it claims is not believed: the caller takes the difference of the worktree
afterwards, and that takes the same path as any other reply. What it commits, or writes outside the worktree, is not
part of that difference.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autopack.plan.model import Profile
from autopack.runners import process, sandbox

# What a program needs to find itself, its settings and its language. A key for its own model is not among them: it
# comes from the program's own settings below HOME, or by naming the variable in `env_pass`.
PASSED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ")


PROMPT = "AUTOPACK_PROMPT"
"""Names the file that holds the same text as the command's standard input."""


@dataclass(frozen=True, slots=True)
class Box:
    """What stands around the program: that of the phase's CI, its sandbox and its limits, or nothing at all.

    `scratch` is an empty folder of the caller's, removed afterwards.
    """

    profile: Profile
    walls: sandbox.Walls
    scratch: str

    @property
    def is_open(self) -> bool:
        return self.profile.sandbox == "none"


def run_agent(
    argv: Sequence[str],
    worktree: str,
    prompt: bytes,
    *,
    timeout_s: float,
    token: str,
    environ: Mapping[str, str],
    cancelled: process.Cancelled | None,
    env_pass: Sequence[str] = (),
    on_start: process.OnStart | None = None,
    box: Box | None = None,
) -> process.Finished:
    """The prompt goes to stdin; `environ` is the user's, of which only PASSED and `env_pass` are handed on.

    In a sandbox it also gets the folders that the CI file's `sandbox.read` names, and its network where that is open.

    A non-zero exit is for the caller to judge: the worktree may hold a usable change all the same.
    Raises CannotStart.
    """
    env = process.scrubbed(environ, (*PASSED, *env_pass), {})
    words, limits = list(argv), None
    if box is not None:
        env[PROMPT], words = _placed(prompt, argv, worktree, env, box)
        limits = None if box.is_open else sandbox.limits(box.profile)
    return process.run(
        words,
        cwd=worktree,
        env=env,
        timeout_s=timeout_s,
        token=token,
        stdin=prompt,
        limits=limits,
        on_start=on_start,
        cancelled=cancelled,
    )


def _placed(
    prompt: bytes, argv: Sequence[str], worktree: str, env: Mapping[str, str], box: Box
) -> tuple[str, list[str]]:
    """The file with the prompt, by the name that the program finds it under, and the command to start."""
    folder = os.path.join(box.scratch, "tmp")
    os.makedirs(folder, mode=0o700, exist_ok=True)
    path = os.path.join(folder, "prompt.md")
    with open(path, "wb") as file:
        file.write(prompt)
    if box.is_open:
        return path, list(argv)
    if not process.found(argv[0], worktree, env):  # what is not there outside can't be there inside
        raise process.CannotStart("command", argv, process.not_found(argv[0], worktree, env))
    inside, profile = os.path.join(sandbox.TMP, "prompt.md"), box.profile
    told = {**env, PROMPT: inside}
    walls, readable = box.walls, profile.readable
    return inside, sandbox.wrapped(argv, worktree, told, box.scratch, walls, network=profile.network, readable=readable)
