"""A CI profile tried on a commit: a worktree of the pool, walls around it, logs kept without secrets."""

import errno
import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from autopack.journal.writer import Writer
from autopack.plan import canonical
from autopack.plan.model import Profile
from autopack.runners import ci, git, sandbox
from autopack.runners.ci.selection import EVERYTHING, Selection
from autopack.runners.redact import redact, secrets_of
from autopack.runners.ticket import Ticket

OUTPUT = "output.txt"  # among a CI run's logs the one that models see: two runs of one commit give the same text


ROOM_BYTES = 1 << 20
"""With less left on the disk of its worktree a step that fails has most likely failed of that."""


class CiUnusable(Exception):
    """No patch could be judged here; the message holds the next action."""


@dataclass(frozen=True)
class Trials:
    """`private` are places that no step may see beside the repository and the pool: the project, its store and runs."""

    repository: git.Repository
    pool: git.Pool
    writer: Writer
    environ: Mapping[str, str]
    private: tuple[str, ...] = ()

    def run(
        self,
        profile: Profile,
        commit: str,
        ticket: Ticket,
        *,
        selection: Selection = EVERYTHING,
        known: Collection[str] = (),
        hooks: git.Hooks | None = None,
    ) -> tuple[ci.CiResult, dict[str, str]]:
        """The result, and the blobs of its logs and reports by name.

        Raises CiUnusable, ci.Cancelled, GitError, and OSError where the disk has filled up.
        """
        if profile.sandbox != "none" and (fault := sandbox.fault(self.environ)):
            raise CiUnusable(fault)
        setup = canonical.digest({"setup": profile.setup, "env": profile.env_set}) if profile.setup else ""
        worktree = self.pool.take(commit, setup)
        logs: dict[str, str] = {}
        secrets = secrets_of(self.environ)

        def keep(name: str, data: bytes) -> str:
            logs[name] = self.writer.put_blob(redact(data.decode("utf-8", "replace"), secrets).encode())
            return logs[name]

        try:
            if hooks is not None:
                git.lay_hooks(hooks, worktree.path, self.repository.resolve(f"{commit}^"))
            result = ci.run_profile(
                profile,
                os.fspath(worktree.path),
                token=ticket.token,
                keep=keep,
                setup_done=worktree.is_set_up,
                cancelled=ticket.cancelled,
                environ=self.environ,
                on_start=ticket.started,
                walls=self.walls(),
                selection=selection,
                known=known,
            )
            if result.verdict != "green":
                _room_was_left(worktree.path)
            if setup and not worktree.is_set_up and all(step.outcome == "ok" for step in result.steps if step.setup):
                self.pool.keep(worktree, setup)
            keep(OUTPUT, result.output.encode())
            return result, logs
        finally:
            self.pool.give_back(worktree)

    def walls(self) -> sandbox.Walls:
        repository = self.repository
        hidden = (repository.place, repository.common_dir, self.pool.home, *self.private)
        return sandbox.Walls(hidden, repository.object_folders())


def _room_was_left(worktree: Path) -> None:
    """Raises OSError where a step has no room to work in: what it says is no verdict on a patch."""
    found = os.statvfs(worktree)
    if found.f_bavail * found.f_frsize < ROOM_BYTES or (found.f_files and not found.f_favail):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), os.fspath(worktree))
