"""One run of a Builder that is a command: a worktree of its own, the prompt, and what differs afterwards.

The difference is taken with our own index, so a commit, a hook or a `.git` that the command has written counts for
nothing; what it wrote outside is not part of it. It is kept as a blob before anybody believes it.
"""

import base64
import json
import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autopack.plan.model import PlanBuilder, Profile
from autopack.runners import ci, git, process, sandbox
from autopack.runners.command import Box, run_agent
from autopack.runners.redact import KNOWN_CHARS_MIN, secrets, withheld
from autopack.runners.ticket import Ticket
from autopack.runners.touched import Touched

LAST_WORDS = 16_000
"""Characters of the command's output that the next attempt is told."""


@dataclass(frozen=True, slots=True)
class Ended:
    """`change` None: not to be used, `message` says why. `output` is the end of what the command printed."""

    outcome: str
    change: Mapping[str, git.FileChange] | None
    output: str
    exit_code: int | None
    latency_s: float
    message: str


def run(
    builder: PlanBuilder,
    pool: git.Pool,
    base: str,
    prompt: str,
    ticket: Ticket,
    environ: Mapping[str, str],
    profile: Profile,
    walls: sandbox.Walls,
) -> Ended:
    """To its end or its timeout; then nothing that it started is left. Raises git.GitError."""
    worktree = pool.take(base)
    scratch = tempfile.mkdtemp(prefix="agent-", dir=os.path.dirname(worktree.path))
    try:
        finished = run_agent(
            builder.run,
            os.fspath(worktree.path),
            prompt.encode("utf-8", "replace"),
            timeout_s=builder.timeout_s,
            token=ticket.token,
            environ=environ,
            cancelled=ticket.cancelled,
            env_pass=builder.env_pass,
            on_start=ticket.started,
            box=Box(profile, walls, scratch),
        )
        if missing := ci.hidden_tool(builder.run, finished, profile):
            return Ended("not_found", None, "", finished.exit_code, 0.0, missing)
        return _judged(builder, finished, pool, worktree)
    except process.CannotStart as error:
        return Ended("not_found", None, "", None, 0.0, str(error))
    finally:
        git.remove_tree(scratch)
        pool.give_back(worktree)


def _judged(builder: PlanBuilder, finished: process.Finished, pool: git.Pool, worktree: git.Worktree) -> Ended:
    """A command that failed may have left half of a change: none of it is used."""
    output = finished.output.decode("utf-8", "replace")[-LAST_WORDS:]
    outcome, message = "ok", ""
    change: Mapping[str, git.FileChange] | None = None
    if finished.cancelled:
        outcome, message = "cancelled", "it was cut short"
    elif finished.timed_out:
        outcome, message = "timed_out", f"{builder.run[0]} was not done after {builder.timeout_s:,} s"
    elif finished.crowded:
        outcome, message = "failed", f"{builder.run[0]} had more processes at once than sandbox.processes allows"
    elif finished.exit_code != 0:
        outcome, message = "failed", f"{builder.run[0]} ended with {finished.exit_code}"
    else:
        try:
            change = pool.difference(worktree)
        except git.TooMuch as error:
            outcome, message = "failed", f"{error}: that is no change of one phase"
        except git.GitFailed as error:
            outcome, message = "failed", f"git can't read what it left behind: {error}"
    return Ended(outcome, change, output, finished.exit_code, round(finished.duration_s, 3), message)


def leak(change: Mapping[str, git.FileChange], before: Mapping[str, bytes], known: Sequence[str]) -> str | None:
    """A file into which the command has put one of these values: it was given them, or has found them."""
    values = [value.encode() for value in known if len(value) >= KNOWN_CHARS_MIN]
    for path, each in change.items():
        if any(value in (each.content or b"") and value not in before.get(path, b"") for value in values):
            return path
    return None


def without_secrets(change: Mapping[str, git.FileChange], before: Mapping[str, bytes]) -> dict[str, git.FileChange]:
    """Of a file that brings a secret what may be kept: the gate refuses it for what is missing here."""
    found = {}
    for path, each in change.items():
        file = Touched(path, before.get(path), each.content)
        leaks = any(True for _ in secrets("\n".join(line for _, line in file.added)))
        text = withheld(file.new_text or "") if leaks else ""
        found[path] = git.FileChange(text.encode(), each.mode) if leaks else each
    return found


def dump(change: Mapping[str, git.FileChange]) -> bytes:
    kept = {
        path: [None if each.content is None else base64.b64encode(each.content).decode(), each.mode]
        for path, each in change.items()
    }
    return json.dumps(kept, sort_keys=True, separators=(",", ":")).encode()  # in ASCII: paths may be any bytes


def load(source: bytes) -> dict[str, git.FileChange]:
    return {
        path: git.FileChange(None if content is None else base64.b64decode(content), mode)
        for path, (content, mode) in json.loads(source).items()
    }
