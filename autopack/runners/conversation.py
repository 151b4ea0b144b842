"""What a model is shown and what it answers: the pack within its bound, and the reply on disk before it is believed."""

from collections.abc import Mapping
from dataclasses import dataclass

from autopack.journal.store import Store
from autopack.journal.writer import Writer
from autopack.plan import canonical
from autopack.plan.model import OUTSIDE, Plan, PlanPhase
from autopack.plan.price import UNKNOWN_USAGE, Usage
from autopack.run import effects as ef
from autopack.run import events as ev
from autopack.runners import ci, context, git, request
from autopack.runners.cassette import CassetteMiss
from autopack.runners.model import NOTHING_BILLED, ModelClient, Request, input_upper_bound
from autopack.runners.redact import hidden, redact, withheld
from autopack.runners.ticket import Ticket
from autopack.runners.trial import OUTPUT
from autopack.spec.paths import is_secret_like, matches


@dataclass(frozen=True)
class Conversation:
    plan: Plan
    repository: git.Repository
    client: ModelClient
    store: Store
    writer: Writer

    def assembled(self, effect: ef.AssembleContext) -> ev.Event:
        phase = self.plan.phase(effect.phase_id)
        details = {item.blob: self._text(item.blob) for item in effect.evidence if item.blob}
        base = effect.commit or effect.base
        if self.plan.models[effect.model].provider in OUTSIDE:
            return self._told(phase, effect, details)
        files = self._visible(phase, base, effect)
        empty = self._messages(phase, effect, "", details)
        room = effect.input_tokens_max - input_upper_bound(empty)
        packed = context.pack(files, phase.deliverables, phase.read, limit_tokens=max(room, 0), write=phase.write)
        messages = self._messages(phase, effect, packed.text, details)
        blob = self.writer.put_blob(request.Assembled(messages, dict(packed.shown)).dump())
        bound = input_upper_bound(messages)
        return ev.ContextAssembled("", 0.0, blob, bound, tuple(sorted(packed.shown)), packed.left_out)

    def _told(self, phase: PlanPhase, effect: ef.AssembleContext, details: Mapping[str, str]) -> ev.Event:
        """A command reads the files by itself; it is told the task and what went wrong before."""
        previous = self._text(effect.patch) if effect.patch else None
        messages = request.without_secrets(request.command_messages(phase, effect, details, previous))
        blob = self.writer.put_blob(request.Assembled(messages, {}).dump())
        return ev.ContextAssembled("", 0.0, blob, input_upper_bound(messages), (), ())

    def answered(self, effect: ef.CallModel, ticket: Ticket) -> ev.Event:
        """The reply is on disk under the effect's key before anybody believes it."""
        model = self.plan.models[effect.model]
        assembled = request.Assembled.load(self.store.blob(effect.request))
        asked = Request(
            model=model.name,
            litellm=model.litellm,
            api_base=model.api_base,
            api_key_env=model.api_key_env,
            messages=assembled.messages,
            max_output_tokens=effect.output_tokens_max,
            timeout_s=float(model.timeout_s),
            params=tuple(sorted(model.params.items())),
            phase=effect.phase_id,
            role=effect.role,
            call=effect.call,
        )
        answer = hidden(self._asked(asked))
        self.writer.reply(ticket.key, canonical.plain(answer))
        return answer

    def _visible(self, phase: PlanPhase, commit: str, effect: ef.AssembleContext) -> dict[str, bytes]:
        """What this role may see: the phase's own files, what it may read, and for the Auditor what was changed."""
        patterns = (*phase.write, *phase.deliverables, *phase.read)
        opened = (*phase.read, *phase.allowed_protected)  # what a grant lets it change, it has to see
        hidden = [path for path in self.plan.protected_paths if path not in opened]
        wanted = [
            entry
            for entry in self.repository.list_names(commit)
            if entry.is_regular
            and matches(entry.path, patterns)
            and not (matches(entry.path, hidden, ignore_case=True) and not matches(entry.path, opened))
            and not is_secret_like(entry.path)
        ]
        if effect.wants == "review":
            changed = set(self.repository.diff_stat(effect.base, commit).paths)
            wanted = [entry for entry in wanted if entry.path in changed]
        sizes = self.repository.sizes(wanted)
        return self.repository.read(entry for entry in wanted if sizes[entry.path] <= phase.limits.file_bytes)

    def _messages(
        self, phase: PlanPhase, effect: ef.AssembleContext, pack: str, details: Mapping[str, str]
    ) -> request.Messages:
        patch = self._text(effect.patch) if effect.patch else None
        if effect.wants == "edits":
            return request.without_secrets(request.builder_messages(self.plan, phase, effect, pack, details, patch))
        output = self._text(effect.logs[OUTPUT]) if OUTPUT in effect.logs else ""
        ci_words = context.trim(f"{effect.ci}\n{output}", ci.EVIDENCE_BYTES)
        told = request.auditor_messages(phase, effect, patch or "", ci_words, pack, details)
        return request.without_secrets(told)

    def _asked(self, asked: Request) -> ev.ModelAnswered:
        try:
            answer = self.client.complete(asked)
        except CassetteMiss as miss:
            return _no_answer("not_found", str(miss), NOTHING_BILLED)
        kept = self.writer.put_blob(withheld(answer.text).encode("utf-8", "replace")) if answer.text else None
        return ev.ModelAnswered(
            key="",
            elapsed_s=0.0,
            outcome=answer.outcome,
            reply=kept,
            finish_reason=answer.finish_reason,
            usage=answer.usage,
            served_model=answer.served_model,
            latency_s=round(answer.latency_s, 3),
            retry_after_s=answer.retry_after_s,
            message=answer.message,
        )

    def _text(self, blob: str) -> str:
        return self.store.blob(blob).decode("utf-8", "replace")


def _no_answer(outcome: ev.Outcome, message: str, usage: Usage = UNKNOWN_USAGE) -> ev.ModelAnswered:
    return ev.ModelAnswered("", 0.0, outcome, None, "", usage, "", 0.0, None, redact(message))
