"""One effect in, one event out: the table that leads from a wish to the runner that carries it out.

Every effect may be delivered twice after a crash. What is written is content-addressed, made by compare-and-swap, or
dated with the time the effect was first started, so the second delivery finds the first one's work or repeats it to
the letter.
"""

import errno
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from autopack.journal.errors import BlobDamaged, BlobMissing, StoreUnusable
from autopack.journal.rows import AccountRow
from autopack.journal.store import Store
from autopack.journal.writer import Writer
from autopack.plan import canonical
from autopack.plan.model import Plan, PlanPhase
from autopack.plan.standing import KINDS, place_of
from autopack.run import allowance
from autopack.run import effects as ef
from autopack.run import events as ev
from autopack.runners import accounts, agent, ci, git, outside, process, record, reply, request, sandbox
from autopack.runners.candidates import AUTHOR, Candidates, candidate_message
from autopack.runners.change import reported
from autopack.runners.conversation import Conversation
from autopack.runners.model import ModelClient, probe
from autopack.runners.protection import Protection
from autopack.runners.redact import hidden, redact, secrets_of
from autopack.runners.remade import remade
from autopack.runners.ticket import Ticket
from autopack.runners.trial import CiUnusable, Trials
from autopack.runners.verdict import Verdicts

PROBE_TIMEOUT_S = 10.0


@dataclass(frozen=True)
class Hands:
    """The real runners of one run. Thread-safe: the driver calls `perform` from many threads at once.

    `called` names the models that are really asked; the others answer from a cassette. `standing` is what stood when
    the run was created: backlog and calibration, by kind. `private` are places that no CI step may see;
    `kept` is where what CI says of base commits is remembered. Not `charged`: everything is answered from a cassette.
    """

    plan: Plan
    run_id: str
    repository: git.Repository
    pool: git.Pool
    client: ModelClient
    store: Store
    writer: Writer
    environ: Mapping[str, str]
    called: frozenset[str]
    standing: Mapping[str, str] = field(default_factory=dict)
    private: tuple[str, ...] = ()
    kept: str | None = None
    charged: bool = True

    # --- what the driver calls ---

    def perform(self, effect: ef.Effect, ticket: Ticket, elapsed_s: Callable[[], float]) -> ev.Event:
        """The event that answers the effect. What the world refuses becomes EffectFailed; a bug stays an exception."""
        trouble: ev.Trouble
        try:
            answer: Any = self._done(effect, ticket)
            told: ev.Event = hidden(replace(answer, key=ticket.key, elapsed_s=elapsed_s()))
        except (CiUnusable, ci.Cancelled) as error:
            trouble, message = "ci_unusable", str(error)
        except git.DiskFull as error:
            trouble, message = "disk_full", str(error)
        except git.GitError as error:
            trouble, message = "git_unusable", str(error)
        except StoreUnusable as error:
            trouble, message = "disk_full" if error.reason == "disk_full" else "store_lost", str(error)
        except (BlobMissing, BlobDamaged) as error:
            trouble, message = "store_lost", str(error)
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
                raise
            trouble, message = "disk_full", f"{error.filename or 'a file'} can't be written: {error.strerror}"
        else:
            return told
        return ev.EffectFailed(ticket.key, elapsed_s(), trouble, redact(message))

    def _done(self, effect: ef.Effect, ticket: Ticket) -> ev.Event:
        """A second time where git failed and what it may have missed could be made again."""
        does: Callable[[Hands, Any, Ticket], ev.Event] = DOES[type(effect)]
        try:
            return does(self, effect, ticket)
        except git.GitFailed:
            if not self._remade(effect):
                raise
        return does(self, effect, ticket)

    def _remade(self, effect: ef.Effect) -> bool:
        """What a `git gc --prune=now` of somebody takes away: the candidate that the effect is about."""
        if isinstance(effect, (ef.ApplyReply, ef.ApplyChange)):
            return True  # the second time makes all of it
        if not isinstance(effect, (ef.AssembleContext, ef.RunCi, ef.Rebase, ef.Land)) or effect.commit is None:
            return False
        message = candidate_message(self.run_id, self.plan.phase(effect.phase_id).name, effect.phase_id)
        return remade(self.store, self.run_id, self.repository, effect.commit, message, AUTHOR)

    def answer_from(self, effect: ef.CallModel, kept: Mapping[str, Any], elapsed_s: float) -> ev.Event:
        """The answer that a dead driver had put on disk but not yet believed."""
        answered = canonical.build(ev.ModelAnswered, kept)
        return replace(answered, key=ef.key(effect), elapsed_s=elapsed_s)

    def reap(self, token: str) -> None:
        process.reap(token)

    # --- one method an effect; `key` and `elapsed_s` of the events are filled in by `perform` ---

    def probe_providers(self, _effect: ef.ProbeProviders, _ticket: Ticket) -> ev.Event:
        """Each address once for each key that it will be sent; nobody is asked for models that a cassette answers."""
        models = [self.plan.models[name] for name in sorted(self.called)]
        failures, about_keys, behind = {}, True, {}
        for api_base, key_env in dict.fromkeys((model.api_base, model.api_key_env) for model in models):
            found = probe(api_base, key_env, PROBE_TIMEOUT_S)
            if not found.ok:
                failures[api_base or next(m.provider for m in models if m.api_key_env == key_env)] = found.reason
                about_keys = about_keys and found.about_key
                mine = (m.name for m in models if (m.api_base, m.api_key_env) == (api_base, key_env))
                behind.update(dict.fromkeys(mine, found.reason))
        return ev.ProvidersProbed("", 0.0, failures, about_keys and bool(failures), behind)

    def take_allowance(self, effect: ef.TakeAllowance, ticket: Ticket) -> ev.Event:
        """In one transaction with the accounts of all other runs; a second time the first answer is found."""

        def decided(rows: Sequence[AccountRow]) -> Mapping[str, Any]:
            if not self.charged:
                return accounts.free()
            found = allowance.granted(self.plan, effect, [accounts.read(row) for row in rows], ticket.at)
            return accounts.kept(effect, found)

        return accounts.answer(self.store.allot(self.run_id, ticket.at, decided))

    def open_run(self, effect: ef.OpenRun, ticket: Ticket) -> ev.Event:
        ref = self._branch()
        self.repository.checkout_in_use(ref)
        if not self.repository.make(ref, effect.base_commit, ticket.token):
            there = self.repository.branch_head(ref)
            raise git.GitError(
                self.repository.place,
                f"{ref} is there already, at {there}: another run of this name has made it",
                "Give the run another id with --run-id, or delete that branch.",
            )
        return ev.RunOpened("", 0.0, effect.base_commit, self._protected_refs())

    def assemble_context(self, effect: ef.AssembleContext, _ticket: Ticket) -> ev.Event:
        return self._conversation.assembled(effect)

    def call_model(self, effect: ef.CallModel, ticket: Ticket) -> ev.Event:
        return self._conversation.answered(effect, ticket)

    def apply_reply(self, effect: ef.ApplyReply, ticket: Ticket) -> ev.Event:
        return self._candidates.of_reply(effect, ticket)

    def apply_change(self, effect: ef.ApplyChange, ticket: Ticket) -> ev.Event:
        return self._candidates.of_change(effect, ticket)

    def rebase(self, effect: ef.Rebase, ticket: Ticket) -> ev.Event:
        return self._candidates.rebased(effect, ticket)

    def run_builder(self, effect: ef.RunBuilder, ticket: Ticket) -> ev.Event:
        """What the command has left is on disk before anybody believes it."""
        phase, seen = self.plan.phase(effect.phase_id), self._protection.seen()
        builder = phase.builder
        prompt = "\n\n".join(text for _, text in request.Assembled.load(self.store.blob(effect.request)).messages)
        profile = self.plan.profiles[phase.ci]
        if profile.sandbox != "none" and (fault := sandbox.fault(self.environ)):
            raise CiUnusable(fault)
        walls = self._trials.walls()
        ended = agent.run(builder, self.pool, effect.base, prompt, ticket, self.environ, profile, walls)
        guilty, issues = self._protection.judged(seen, effect.phase_id, effect.base, profile)
        if guilty:
            return ev.EffectFailed("", 0.0, "protected_ref", redact(guilty))
        outcome: Any = ended.outcome
        secrets, change, message = secrets_of(self.environ), ended.change, ended.message
        if change is not None and (told := agent.leak(change, self._before(effect.base, change), secrets)):
            outcome, change = "failed", None
            message = f"{told} holds the value of a variable that is secret by its name: leave it out"
        return ev.BuilderFinished(
            key="",
            elapsed_s=0.0,
            outcome=outcome,
            change=None if change is None else self._left(effect.base, change),
            output=self.writer.put_blob(redact(ended.output, secrets).encode()) if ended.output else None,
            exit_code=ended.exit_code,
            latency_s=ended.latency_s,
            message=redact(message, secrets),
            issues=issues,
        )

    def ask_external(self, effect: ef.AskExternal, ticket: Ticket) -> ev.Event:
        """What a client hands in is on disk, put there by a server, before anybody believes it."""
        timeout_s = float(self.plan.phase(effect.phase_id).builder.timeout_s)
        return outside.wait(self.store, self.run_id, ticket.key, timeout_s, ticket.cancelled, time.monotonic)

    def _left(self, base: str, change: Mapping[str, git.FileChange]) -> str:
        """A file with a new secret is refused for it: it is kept without."""
        return self.writer.put_blob(agent.dump(agent.without_secrets(change, self._before(base, change))))

    def _before(self, base: str, change: Mapping[str, git.FileChange]) -> dict[str, bytes]:
        return self.repository.read_files(base, change.keys())

    def read_review(self, effect: ef.ReadReview, _ticket: Ticket) -> ev.Event:
        text = self._text(effect.reply)
        found = reply.parse_auditor(text, effect.finish_reason)
        evidence = self.writer.put_blob(text.encode())
        if isinstance(found, reply.Refusal):
            return ev.ReviewUnreadable("", 0.0, redact(found.message), evidence)
        phase = self.plan.phase(effect.phase_id)
        issues = reported(phase, found.facts.findings, "auditor")
        words = self.writer.put_blob("\n".join(f"- {i.severity}: {i.description}" for i in issues).encode())
        return ev.ReviewRead("", 0.0, found.facts.recommendation, found.facts.confidence, words, issues)

    def preflight(self, effect: ef.Preflight, ticket: Ticket) -> ev.Event:
        return self._verdicts.preflight(effect, ticket)

    def run_ci(self, effect: ef.RunCi, ticket: Ticket) -> ev.Event:
        return self._verdicts.finished(effect, ticket)

    def land(self, effect: ef.Land, ticket: Ticket) -> ev.Event:
        """One commit on the integration branch, by compare-and-swap, and its tag."""
        ref, phase = self._branch(), self.plan.phase(effect.phase_id)
        tree = self._snapshot(effect, int(ticket.at))
        message = snapshot_message(phase.name, effect.trailers)
        commit = self.repository.commit(tree, [effect.head], message, int(ticket.at), AUTHOR)
        if not self.repository.advance(ref, commit, effect.head):
            head = self.repository.branch_head(ref)
            if head is None:
                raise git.GitError(self.repository.place, f"{ref} is gone", "Somebody deleted it; start a new run.")
            return ev.HeadMoved("", 0.0, head)
        tag = landed_tag(self.run_id, phase)
        self.repository.tag(tag, commit, tag_message(phase.name, self.run_id), int(ticket.at), AUTHOR)
        return ev.Landed("", 0.0, commit, tag)

    def close_run(self, effect: ef.CloseRun, _ticket: Ticket) -> ev.Event:
        return ev.RunClosed("", 0.0, self._violations(effect.protected_refs))

    # --- parts ---

    def _snapshot(self, effect: ef.Land, at: int) -> str:
        """The candidate's tree, with what is committed beside the code."""
        if effect.observed is None:
            return self.repository.tree(effect.commit)
        changed = self.repository.diff_stat(effect.head, effect.commit).paths
        places = {place_of(kind): kind for kind in KINDS}
        found = self.repository.read_files(effect.head, places)
        committed = {places[path]: text.decode("utf-8", "replace") for path, text in found.items()}
        made = record.files(self.plan, self.run_id, effect, changed, self.standing, committed, at)
        changes = {path: git.FileChange(content) for path, content in made.items()}
        return self.repository.write_tree(effect.commit, changes)

    def _branch(self) -> str:
        return "refs/heads/" + self.plan.branch(self.run_id)

    def _protected_refs(self) -> dict[str, str]:
        return self.repository.refs(f"refs/heads/{pattern}" for pattern in self.plan.protected_branches)

    def _violations(self, before: Mapping[str, str]) -> tuple[str, ...]:
        """Protected refs that this run must have touched: gone, moved sideways, or holding a commit of its own.

        A person may go on committing to main while a run is under way; that moves it forward by foreign commits.
        """
        now = self._protected_refs()
        found = []
        for name, old in before.items():
            new = now.get(name)
            if new is None:
                found.append(f"{name} was deleted (it was at {old})")
            elif new != old and not git.only_foreign_commits(self.repository, old, new, self.run_id):
                found.append(f"{name} was moved from {old} to {new}")
        base = self.plan.base_commit or ""
        made = sorted(now.keys() - before.keys())
        own = [name for name in made if git.holds_commit_of(self.repository, self.run_id, now[name], base)]
        return (*found, *(f"{name} was made, at {now[name]}, a commit of this run" for name in own))

    @property
    def _trials(self) -> Trials:
        return Trials(self.repository, self.pool, self.writer, self.environ, self.private)

    @property
    def _protection(self) -> Protection:
        return Protection(self.plan, self.run_id, self.repository)

    @property
    def _verdicts(self) -> Verdicts:
        return Verdicts(self.plan, self.repository, self._trials, self.store, self._protection, self.kept)

    @property
    def _conversation(self) -> Conversation:
        return Conversation(self.plan, self.repository, self.client, self.store, self.writer)

    @property
    def _candidates(self) -> Candidates:
        parts = self._trials, self._protection, self._verdicts
        return Candidates(self.plan, self.run_id, self.repository, self.store, self.writer, *parts)

    def _text(self, blob: str) -> str:
        return self.store.blob(blob).decode("utf-8", "replace")


def snapshot_message(name: str, trailers: Mapping[str, str]) -> str:
    """What a phase's commit says."""
    return f"{name}\n\n{git.trailers(trailers)}"


def landed_tag(run_id: str, phase: PlanPhase) -> str:
    return f"autonomous/{run_id}/tier-{phase.tier_id}/phase-{phase.phase_id}"


def tag_message(name: str, run_id: str) -> str:
    return f"{name} of run {run_id}\n"


DOES: Mapping[type, Callable[[Hands, Any, Ticket], Any]] = {
    ef.ProbeProviders: Hands.probe_providers,
    ef.TakeAllowance: Hands.take_allowance,
    ef.OpenRun: Hands.open_run,
    ef.AssembleContext: Hands.assemble_context,
    ef.CallModel: Hands.call_model,
    ef.RunBuilder: Hands.run_builder,
    ef.AskExternal: Hands.ask_external,
    ef.ApplyChange: Hands.apply_change,
    ef.ApplyReply: Hands.apply_reply,
    ef.ReadReview: Hands.read_review,
    ef.Preflight: Hands.preflight,
    ef.RunCi: Hands.run_ci,
    ef.Rebase: Hands.rebase,
    ef.Land: Hands.land,
    ef.CloseRun: Hands.close_run,
}
