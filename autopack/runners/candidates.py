"""The commit of a change that passes the gate and the phase's probes, and what becomes of it on a head that moved."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from autopack.journal.store import Store
from autopack.journal.writer import Writer
from autopack.plan.model import EXTERNAL, PROBE_STEP_TIMEOUT_S, Plan, PlanPhase, Step
from autopack.run import effects as ef
from autopack.run import events as ev
from autopack.runners import agent, ci, context, git, request
from autopack.runners.change import Change, Refused, candidate, carried, submitted, taken
from autopack.runners.protection import Protection
from autopack.runners.redact import redact
from autopack.runners.ticket import Ticket
from autopack.runners.trial import Trials
from autopack.runners.verdict import Verdicts

AUTHOR = git.Identity("autopack", "autopack@localhost")


@dataclass(frozen=True)
class Candidates:
    plan: Plan
    run_id: str
    repository: git.Repository
    store: Store
    writer: Writer
    trials: Trials
    protection: Protection
    verdicts: Verdicts

    def of_reply(self, effect: ef.ApplyReply, ticket: Ticket) -> ev.Event:
        phase = self.plan.phase(effect.phase_id)
        shown = request.Assembled.load(self.store.blob(effect.request)).shown
        text = self.store.blob(effect.reply).decode("utf-8", "replace")

        def make() -> Change:
            return candidate(self.plan, phase, self.repository, effect.base, shown, text, effect.finish_reason)

        return self._candidate(phase, effect.base, make, ticket)

    def of_change(self, effect: ef.ApplyChange, ticket: Ticket) -> ev.Event:
        phase, change = self.plan.phase(effect.phase_id), self.store.blob(effect.change)

        def make() -> Change:
            if phase.builder.kind == EXTERNAL:
                return submitted(self.plan, phase, self.repository, effect.base, change.decode("utf-8", "replace"))
            return taken(self.plan, phase, self.repository, effect.base, agent.load(change))

        return self._candidate(phase, effect.base, make, ticket)

    def rebased(self, effect: ef.Rebase, ticket: Ticket) -> ev.Event:
        merged = git.carry(self.repository, effect.base, effect.head, effect.commit)
        if isinstance(merged, git.Conflict):
            landed = self.repository.diff(effect.base, effect.head).decode("utf-8", "replace")
            words = context.trim(f"What landed meanwhile:\n{landed}", ci.EVIDENCE_BYTES)
            return ev.Conflicted("", 0.0, merged.paths, self.writer.put_blob(words.encode()))
        message = candidate_message(self.run_id, f"Carried onto {effect.head}", effect.phase_id)
        commit = self.repository.commit(merged.tree, [effect.head], message, int(ticket.at), AUTHOR)
        phase, (patch, _) = self.plan.phase(effect.phase_id), self.repository.compare(effect.head, commit)
        try:
            carried(self.plan, phase, self.repository, effect.head, commit)
        except Refused as refused:
            return self._refused(refused)
        failed, _ = self._probes(phase, commit, ticket, ())
        if failed is not None:
            return failed
        overlaps = self.verdicts.overlaps(phase, effect.base, effect.head, commit)
        return ev.Rebased("", 0.0, commit, self.writer.put_blob(patch), overlaps)

    def _candidate(self, phase: PlanPhase, base: str, make: Callable[[], Change], ticket: Ticket) -> ev.Event:
        """The commit of a change that passes the gate and the phase's probes."""
        try:
            made = make()
        except Refused as refused:
            return self._refused(refused)
        message = candidate_message(self.run_id, phase.name, phase.phase_id)
        commit = self.repository.commit(made.tree, [base], message, int(ticket.at), AUTHOR)
        failed, noticed = self._probes(phase, commit, ticket, made.issues)
        if failed is not None:
            return failed
        patch, stat = self.repository.compare(base, commit)
        return ev.PatchAccepted(
            key="",
            elapsed_s=0.0,
            commit=commit,
            patch=self.writer.put_blob(patch),
            files=stat.paths,
            lines_added=stat.added,
            lines_removed=stat.removed,
            rung=made.rung,
            fuzz=made.fuzz,
            summary=redact(made.summary),
            issues=(*made.issues, *noticed),
        )

    def _probes(
        self, phase: PlanPhase, commit: str, ticket: Ticket, issues: tuple[ev.ReportedIssue, ...]
    ) -> tuple[ev.Event | None, tuple[ev.ReportedIssue, ...]]:
        """The phase's own commands and the repository's hooks, before CI; what fails goes back to the Builder.

        Beside it what was noticed meanwhile.
        """
        hooks = git.hooks_of(self.repository) if self.plan.hooks == "run" else None
        commands: list[tuple[str, tuple[str, ...]]] = []
        if hooks is not None:
            body = git.trailers({"Autopack-Run": self.run_id, "Autopack-Phase": phase.phase_id})
            commands += git.hook_commands(hooks, commit, phase.name, body)
        commands += [(f"probe-{number}", argv) for number, argv in enumerate(phase.probes, 1)]
        if not commands:
            return None, ()
        steps = tuple(Step(name, argv, PROBE_STEP_TIMEOUT_S, None, allow_no_tests=True) for name, argv in commands)
        seen, profile = self.protection.seen(), self.plan.profiles[phase.ci]
        result, _ = self.trials.run(replace(profile, steps=steps, retries=0), commit, ticket, hooks=hooks)
        guilty, noticed = self.protection.judged(seen, phase.phase_id, commit, profile)
        if guilty:
            return ev.EffectFailed("", 0.0, "protected_ref", guilty), ()
        if result.verdict == "green":
            return None, noticed
        if result.verdict == "unusable":
            return ev.EffectFailed("", 0.0, "ci_unusable", redact(result.evidence)), ()
        evidence = self.writer.put_blob(redact(result.evidence).encode())
        kind = "hook" if all(name.startswith("hooks") for name in result.failing) else "probe"
        told = (*issues, *noticed)
        return ev.PatchRefused("", 0.0, kind, f"failed: {', '.join(result.failing)}", evidence, told), ()

    def _refused(self, refused: Refused) -> ev.PatchRefused:
        evidence = self.writer.put_blob(redact(refused.evidence).encode())
        return ev.PatchRefused("", 0.0, refused.kind, redact(refused.message), evidence, refused.issues)


def candidate_message(run_id: str, subject: str, phase_id: str) -> str:
    """With the run's trailer, so that a candidate is known again wherever somebody puts it."""
    return f"{subject}\n\n{git.trailers({'Autopack-Run': run_id, 'Autopack-Candidate': phase_id})}"
