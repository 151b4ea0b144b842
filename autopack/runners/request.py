"""What a model is sent: messages made from the plan's frozen instructions, the repository's files and the evidence.

Pure text. Everything that comes from the repository, from tests or from a model is fenced as data; only the plan's
own instructions speak outside a fence.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from autopack.plan.model import Plan, PlanPhase
from autopack.run.effects import AssembleContext, Evidence
from autopack.runners.context import fenced
from autopack.runners.redact import redact

Messages = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Assembled:
    """One request as it is kept: the messages and, by path, the sha256 of every file the model was shown whole."""

    messages: Messages
    shown: Mapping[str, str]

    def dump(self) -> bytes:
        kept = {"messages": self.messages, "shown": self.shown}
        return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()

    @classmethod
    def load(cls, source: bytes) -> "Assembled":
        kept = json.loads(source)
        return cls(tuple((role, content) for role, content in kept["messages"]), kept["shown"])


def builder_messages(
    plan: Plan, phase: PlanPhase, effect: AssembleContext, pack: str, details: Mapping[str, str], previous: str | None
) -> Messages:
    """For the Builder, or for the Auditor's own patch: a request for edits.

    `details` holds the text of every blob the evidence refers to, `previous` the last patch that was refused.
    """
    own = effect.role == "builder"
    system = f"{phase.builder_prompt if own else phase.patch_prompt}\n\n{plan.format_prompts[effect.edit_format]}"
    parts = [pack]
    if effect.evidence:
        parts.append(_evidence(effect.evidence, details))
    if previous:
        whose = "Your last patch" if own else "The Builder's last patch"
        parts.append(f"{whose}, which was not applied. The files above are as they were before it.\n")
        parts.append(fenced(previous, "diff"))
    return (("system", system), ("user", "\n".join(parts)))


def command_messages(
    phase: PlanPhase, effect: AssembleContext, details: Mapping[str, str], previous: str | None
) -> Messages:
    """What an agent's program is told; the files it sees for itself, as they were before any attempt."""
    parts = [phase.builder_prompt]
    if effect.evidence:
        parts.append(_evidence(effect.evidence, details))
    if previous:
        parts.append("The last patch, which did not land: the files are as they were before it.\n")
        parts.append(fenced(previous, "diff"))
    return (("user", "\n".join(parts)),)


def auditor_messages(
    phase: PlanPhase, effect: AssembleContext, patch: str, ci: str, pack: str, details: Mapping[str, str]
) -> Messages:
    """The Auditor sees goal, diff, test output and changed files, never the Builder's own prose."""
    judged = ["The patch under review:\n", fenced(patch, "diff"), "\nWhat CI says of it:\n", fenced(ci, "text")]
    parts = [*judged, "\n", pack]
    if effect.ask > 1 and effect.evidence:
        parts.append(_evidence(effect.evidence[-1:], details))
    return (("system", phase.auditor_prompt), ("user", "\n".join(parts)))


def without_secrets(messages: Messages) -> Messages:
    """Also of what the parts above were given as it is: goals, diffs, words of a model."""
    return tuple((role, redact(content)) for role, content in messages)


def _evidence(evidence: Sequence[Evidence], details: Mapping[str, str]) -> str:
    lines = ["What went wrong so far, oldest first. Change something: the same reply would fail the same way.\n"]
    for number, item in enumerate(evidence, 1):
        lines.append(f"{number}. {item.kind}: {item.text}\n")
        text = details.get(item.blob or "")
        if text:
            lines.append(fenced(text, "text"))
    return "\n".join(lines)
