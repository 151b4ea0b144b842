"""A Builder that is a command: an agent's command-line program, run in the phase's worktree.

Its words are of no interest and what it claims is not believed: the caller takes the difference of the worktree
afterwards, and that takes the same path as any other reply. What it commits, or writes outside the worktree, is not
part of that difference.
"""

from collections.abc import Mapping, Sequence

from autopack.runners import process

# What a program needs to find itself, its settings and its language. A key for its own model is not among them: it
# comes from the program's own settings below HOME, or by naming the variable in `env_pass`.
PASSED = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ")


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
) -> process.Finished:
    """The prompt goes to stdin; `environ` is the user's, of which only PASSED and `env_pass` are handed on.

    A non-zero exit is for the caller to judge: the worktree may hold a usable change all the same.
    Raises CannotStart.
    """
    return process.run(
        argv,
        cwd=worktree,
        env=process.scrubbed(environ, (*PASSED, *env_pass), {}),
        timeout_s=timeout_s,
        token=token,
        stdin=prompt,
        on_start=on_start,
        cancelled=cancelled,
    )
