"""The hands of a rehearsal: what Builder, CI and Auditor answer is written down, and everything else succeeds.

No model, no git, no clock. A word of a script is used up by what it is about: a Builder's word by a call of the
Builder (and by the patch that comes of it), CI's by a run of a profile, the Auditor's by a call of the Auditor,
`rebase`'s by carrying a patch onto a moved head. The last word of a list repeats. A word that says nothing about the
bill is billed as `Manner` states, so what a rehearsal costs is the same every time.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast, get_args

from autopack.plan.price import Usage
from autopack.run import effects as ef
from autopack.run import events as ev
from autopack.run.allowance import FREE

BUILDER = "builder"
AUDITOR = "auditor"

CALL_WORDS = tuple(word for word in get_args(ev.Outcome) if word != "ok")
"""What a call of either role may come to instead of a reply: the outcomes of `ModelAnswered`."""

NEVER_BILLED = frozenset({"context_overflow", "rate_limited", "transient", "auth", "not_found"})

PATCH_WORDS = (
    "format_error",
    "facts_error",
    "edit_failed",
    "scope",
    "protected",
    "secret",
    "no_op",
    "placeholder",
    "conflict_marker",
    "shrink",
    "growth",
    "symbol_gone",
    "duplicate_definition",
    "limit",
    "binary",
    "deliverable",
    "syntax",
    "test_change",
    "probe",
)
"""What a Builder's reply may be refused for: the kinds of `PatchRefused`."""

BUILDER_WORDS = ("ok", "minor_issue", "major_issue", *CALL_WORDS, "lost", "too_big", *PATCH_WORDS)
CI_WORDS = ("green", "red", "red_new", "flaky", "no_tests", "unusable")
AUDITOR_WORDS = ("approve", "revise", "escalate", "minor_issue", "major_issue", "unreadable", *CALL_WORDS, "lost")
REBASE_WORDS = ("clean", "apart", "refused", "conflict")
WORDS: Mapping[str, tuple[str, ...]] = {
    BUILDER: BUILDER_WORDS,
    "ci": CI_WORDS,
    AUDITOR: AUDITOR_WORDS,
    "rebase": REBASE_WORDS,
}
GOOD: Mapping[str, str] = {BUILDER: "ok", "ci": "green", AUDITOR: "approve", "rebase": "clean"}
"""What is answered where a script says nothing."""

BLOB = "0" * 64
HEAD = "0" * 40


@dataclass(frozen=True, slots=True)
class Manner:
    """What an answer takes: tokens of a call (never more than its bounds), seconds of a call and of a CI run."""

    input_tokens: int = 6_000
    output_tokens: int = 1_500
    builder_s: float = 30.0
    auditor_s: float = 20.0
    ci_s: float = 60.0


@dataclass(frozen=True, slots=True)
class Lines:
    """What a phase answers, by role, in order; a role that is absent succeeds."""

    words: Mapping[str, Sequence[str]] = field(default_factory=dict)
    manner: Manner = field(default_factory=Manner)


@dataclass(slots=True)
class Rehearsed:
    """Hands for `virtual.play`. `lines` says who answers what, by phase id; `used` how often each list was asked."""

    lines: Callable[[str], Lines]
    used: dict[tuple[str, str], int] = field(default_factory=dict)
    _head: str = HEAD
    _landed: int = 0
    _patch: dict[str, str] = field(default_factory=dict)  # by phase, the word about the reply that was just given
    _review: dict[str, str] = field(default_factory=dict)
    _wants: dict[str, str] = field(default_factory=dict)  # by phase, what the request under way asks for

    def takes_s(self, effect: ef.Effect) -> float:
        match effect:
            case ef.CallModel():
                manner = self.lines(effect.phase_id).manner
                return manner.builder_s if effect.role == BUILDER else manner.auditor_s
            case ef.RunBuilder() | ef.AskExternal():
                return self.lines(effect.phase_id).manner.builder_s
            case ef.RunCi():
                return self.lines(effect.phase_id).manner.ci_s
        return 0.0

    def answer(self, key: str, effect: ef.Effect, at_s: float) -> ev.Event:
        return ANSWERS[type(effect)](self, key, effect, at_s)

    # --- words ---

    def peek(self, phase_id: str, role: str) -> str:
        words = self.lines(phase_id).words.get(role) or (GOOD[role],)
        return words[min(self.used.get((phase_id, role), 0), len(words) - 1)]

    def take(self, phase_id: str, role: str) -> str:
        word = self.peek(phase_id, role)
        self.used[phase_id, role] = self.used.get((phase_id, role), 0) + 1
        return word

    # --- answers ---

    def _probed(self, key: str, _effect: ef.ProbeProviders, at_s: float) -> ev.Event:
        return ev.ProvidersProbed(key, at_s, {}, about_keys=False)

    def _allotted(self, key: str, _effect: ef.TakeAllowance, at_s: float) -> ev.Event:
        """A rehearsal spends nothing of what others have left."""
        return replace(FREE, key=key, elapsed_s=at_s)

    def _opened(self, key: str, effect: ef.OpenRun, at_s: float) -> ev.Event:
        self._head = effect.base_commit
        return ev.RunOpened(key, at_s, effect.base_commit, {})

    def _preflight(self, key: str, _effect: ef.Preflight, at_s: float) -> ev.Event:
        return ev.PreflightFinished(key, at_s, "green", BLOB, 0, 1, (), settled=True, message="")

    def _assembled(self, key: str, effect: ef.AssembleContext, at_s: float) -> ev.Event:
        tokens = min(self.lines(effect.phase_id).manner.input_tokens, effect.input_tokens_max)
        self._wants[effect.phase_id] = effect.wants
        if effect.wants == "edits" and self.peek(effect.phase_id, BUILDER) == "too_big":
            self.take(effect.phase_id, BUILDER)
            tokens = effect.input_tokens_max + 1
        return ev.ContextAssembled(key, at_s, BLOB, tokens, (), ())

    def _called(self, key: str, effect: ef.CallModel, at_s: float) -> ev.Event:
        edits = self._wants.get(effect.phase_id) != "review"  # also of the Auditor: its patches go on in the same list
        word = self.take(effect.phase_id, BUILDER if edits else AUDITOR)
        if word == "lost":
            return ev.EffectLost(key, at_s)
        if word not in CALL_WORDS:
            said = self._patch if edits else self._review
            said[effect.phase_id] = word
        return self.answered(key, effect, at_s, word if word in CALL_WORDS else "ok")

    def answered(self, key: str, effect: ef.CallModel, at_s: float, outcome: str) -> ev.ModelAnswered:
        """A call with its bill: what never reached a model costs nothing, a cut reply is as long as it may be."""
        manner = self.lines(effect.phase_id).manner
        tokens_in = 0 if outcome in NEVER_BILLED else min(manner.input_tokens, effect.input_tokens_max)
        tokens_out = min(manner.output_tokens, effect.output_tokens_max) if outcome == "ok" else 0
        if outcome == "truncated":
            tokens_out = effect.output_tokens_max
        return ev.ModelAnswered(
            key=key,
            elapsed_s=at_s,
            outcome=cast("ev.Outcome", outcome),
            reply=BLOB if outcome == "ok" else None,
            finish_reason="length" if outcome == "truncated" else "stop",
            usage=Usage(tokens_in, 0, 0, tokens_out, 0, known=True),
            served_model=effect.model,
            latency_s=self.takes_s(effect),
            retry_after_s=None,
            message="" if outcome == "ok" else f"rehearsed: {outcome}",
        )

    def _ran(self, key: str, effect: ef.RunBuilder | ef.AskExternal, at_s: float) -> ev.Event:
        """Of a command or client: what may come of a call that is no word of the gate is that it fails."""
        word = self.take(effect.phase_id, BUILDER)
        if word == "lost":
            vain = isinstance(effect, ef.AskExternal)
            return self._ended(key, effect, at_s, "timed_out", word) if vain else ev.EffectLost(key, at_s)
        self._patch[effect.phase_id] = word
        if word in CALL_WORDS:
            return self._ended(key, effect, at_s, "not_found" if word == "not_found" else "failed", word)
        return self._ended(key, effect, at_s, "ok", "")

    def cut_short(self, key: str, effect: ef.Effect, at_s: float) -> ev.Event:
        return self._ended(key, effect, at_s, "cancelled", "cut short")

    def _ended(self, key: str, effect: Any, at_s: float, outcome: Any, why: str) -> ev.Event:
        return ev.BuilderFinished(
            key=key,
            elapsed_s=at_s,
            outcome=outcome,
            change=BLOB if outcome == "ok" else None,
            output=None,
            exit_code=0 if outcome == "ok" else 1,
            latency_s=self.takes_s(effect),
            message=f"rehearsed: {why}" if why else "",
            issues=(),
        )

    def _applied(self, key: str, effect: ef.ApplyReply | ef.ApplyChange, at_s: float) -> ev.Event:
        word = self._patch.get(effect.phase_id, "ok")
        if word in PATCH_WORDS:
            return ev.PatchRefused(key, at_s, word, f"rehearsed: {word}", BLOB, ())
        return ev.PatchAccepted(
            key=key,
            elapsed_s=at_s,
            commit=f"{effect.phase_id}.{effect.attempt}",
            patch=BLOB,
            files=(),
            lines_added=1,
            lines_removed=0,
            rung=0,
            fuzz=0,
            summary="",
            issues=_issues(effect.phase_id, word, "cursor_self_doubt", effect.attempt),
        )

    def _reviewed(self, key: str, effect: ef.ReadReview, at_s: float) -> ev.Event:
        word = self._review.get(effect.phase_id, "approve")
        if word == "unreadable":
            return ev.ReviewUnreadable(key, at_s, "rehearsed: unreadable", BLOB)
        said: Any = word if word in ("revise", "escalate") else "approve"
        found = _issues(effect.phase_id, word, "auditor", effect.attempt)
        return ev.ReviewRead(key, at_s, said, "high", BLOB, found)

    def _checked(self, key: str, effect: ef.RunCi, at_s: float) -> ev.Event:
        word = self.take(effect.phase_id, "ci")
        if word == "unusable":
            return ev.EffectFailed(key, at_s, "ci_unusable", "rehearsed: unusable")
        test = "rehearsed" if word == "red" else f"rehearsed-{effect.attempt}-{effect.time}"
        red = word in ("red", "red_new", "no_tests")
        return ev.CiFinished(
            key=key,
            elapsed_s=at_s,
            verdict="red" if red else "green",
            digest=BLOB,
            executed_tests=0 if word == "no_tests" else 1,
            failing=(test,) if word in ("red", "red_new") else (),
            evidence=BLOB,
            logs={},
            flaky=("rehearsed",) if word == "flaky" else (),
            issues=(),
        )

    def _rebased(self, key: str, effect: ef.Rebase, at_s: float) -> ev.Event:
        word = self.take(effect.phase_id, "rebase")
        if word == "conflict":
            return ev.Conflicted(key, at_s, ("rehearsed",), BLOB)
        if word == "refused":
            return ev.PatchRefused(key, at_s, "syntax", "rehearsed: refused", BLOB, ())
        return ev.Rebased(key, at_s, f"{effect.commit}+", BLOB, overlaps=word != "apart")

    def _landed_on(self, key: str, effect: ef.Land, at_s: float) -> ev.Event:
        if effect.head != self._head:
            return ev.HeadMoved(key, at_s, self._head)
        self._landed += 1
        self._head = f"landed-{self._landed}"
        return ev.Landed(key, at_s, self._head, f"rehearsed-{effect.phase_id}")

    def _closed(self, key: str, _effect: ef.CloseRun, at_s: float) -> ev.Event:
        return ev.RunClosed(key, at_s, ())


ANSWERS: Mapping[type, Callable[[Rehearsed, str, Any, float], ev.Event]] = {
    ef.ProbeProviders: Rehearsed._probed,  # noqa: SLF001 - the table of this very class
    ef.TakeAllowance: Rehearsed._allotted,  # noqa: SLF001
    ef.OpenRun: Rehearsed._opened,  # noqa: SLF001
    ef.Preflight: Rehearsed._preflight,  # noqa: SLF001
    ef.AssembleContext: Rehearsed._assembled,  # noqa: SLF001
    ef.CallModel: Rehearsed._called,  # noqa: SLF001
    ef.RunBuilder: Rehearsed._ran,  # noqa: SLF001
    ef.AskExternal: Rehearsed._ran,  # noqa: SLF001
    ef.ApplyChange: Rehearsed._applied,  # noqa: SLF001
    ef.ApplyReply: Rehearsed._applied,  # noqa: SLF001
    ef.ReadReview: Rehearsed._reviewed,  # noqa: SLF001
    ef.RunCi: Rehearsed._checked,  # noqa: SLF001
    ef.Rebase: Rehearsed._rebased,  # noqa: SLF001
    ef.Land: Rehearsed._landed_on,  # noqa: SLF001
    ef.CloseRun: Rehearsed._closed,  # noqa: SLF001
}


def _issues(phase_id: str, word: str, source: str, attempt: int) -> tuple[ev.ReportedIssue, ...]:
    if word not in ("minor_issue", "major_issue"):
        return ()
    severity: Any = word.removesuffix("_issue")
    key = f"rehearsed__{phase_id}__{source}_{attempt}"
    return (ev.ReportedIssue(key, severity, "rehearsed", source, f"rehearsed: {word}", ()),)
