"""Runs told in memory: a small plan, scripted answers, the real machine. No clock, no files, nothing to mock."""

import itertools
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any, Self

from autopack.plan import canonical
from autopack.plan.model import (
    AUDITOR_PATCH,
    Ask,
    Attempt,
    Caps,
    Limits,
    Plan,
    PlanBuilder,
    PlanModel,
    PlanPhase,
    PlanTier,
    Profile,
    Retry,
    Step,
    Worst,
)
from autopack.plan.price import Price, Usage
from autopack.run import events as ev
from autopack.run.allowance import Account, granted
from autopack.run.effects import (
    ApplyChange,
    ApplyReply,
    AskExternal,
    AssembleContext,
    CallModel,
    CloseRun,
    Effect,
    Land,
    OpenRun,
    Preflight,
    ProbeProviders,
    ReadReview,
    Rebase,
    RunBuilder,
    RunCi,
    TakeAllowance,
    phase_of,
)
from autopack.run.machine import react, start
from autopack.run.state import RunState

BASE = "b" * 40
NOW = 1_800_000_000.0
PRICE = Price(Decimal("1"), Decimal("0.5"), Decimal("1"), Decimal("2"), "2026-01-01")


def phase(name: str, **changes: object) -> PlanPhase:
    """A phase of 3 attempts, 10,000 tokens in and 1,000 out at most, without an audit."""
    ask = Ask("small", 10_000, 1_000)
    plain = PlanPhase(
        phase_id=name,
        index=0,
        tier_id="T1",
        name=name,
        category="feature_scaffolding",
        task_category="feature_scaffolding",
        complexity="medium",
        builder_mode=None,
        high_risk=False,
        severity="minor",
        goal="do it",
        acceptance=(),
        deliverables=(),
        write=("src/**",),
        read=(),
        needs=(),
        tags=(),
        allow=(),
        allowed_protected=(),
        probes=(),
        ci="normal",
        recheck="overlap",
        auto_apply=True,
        auditor_profile=None,
        audit=ask,
        attempts=tuple(Attempt(step, ask, "search_replace") for step in ("first", "same_model", "other_format")),
        auditor_attempts=1,
        token_cap=1_000_000,
        cost_usd_max=None,
        minutes_max=None,
        limits=Limits(20, 800, 1_000_000, 0.6, 3.0, 20),
        builder_prompt="build",
        auditor_prompt="audit",
        why="because",
        worst=Worst(9, 1_000_000, Decimal(1_000)),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def by_command(name: str, **changes: object) -> PlanPhase:
    """A phase that an agent's command builds, with 2,000 tokens stated for each run of it."""
    asks = tuple(Attempt(step, Ask("command:agent", 2_000, 0), "whole_file") for step in ("first", "again", "again"))
    builder = PlanBuilder("command", ("agent",), 60, (), 2_000)
    return phase(name, **{"attempts": asks, "builder": builder, **changes})


def by_client(name: str, **changes: object) -> PlanPhase:
    """A phase that a client from outside builds; nothing is stated for it."""
    asks = tuple(Attempt(step, Ask("external:client", 1, 0), "whole_file") for step in ("first", "again", "again"))
    return phase(name, **{"attempts": asks, "builder": PlanBuilder("external", (), 60, (), 0), **changes})


def model(name: str) -> PlanModel:
    return PlanModel(name, f"replay/{name}", None, None, "replay", "economy", 128_000, 1_000, PRICE, None, 60, {})


def with_patches(each: PlanPhase, count: int = 2) -> PlanPhase:
    """The phase with so many rungs of the Auditor's own."""
    rung = Attempt(AUDITOR_PATCH, each.audit, "search_replace")
    return replace(each, patches=(rung,) * count, patch_prompt="patch")


def plan(*phases: PlanPhase, **changes: object) -> Plan:
    """One tier unless the phases say otherwise; 5,000,000 tokens, two phases at once."""
    numbered = tuple(replace(each, index=number) for number, each in enumerate(phases, 1))
    tier_ids = tuple(dict.fromkeys(each.tier_id for each in numbered))
    plain = Plan(
        format_version=1,
        project="shop",
        playbook="story",
        description="",
        inputs={},
        base_branch="main",
        base_commit=BASE,
        integration_branch="autonomous/{run_id}",
        protected_branches=("main",),
        protected_paths=(),
        safety_profile="normal",
        run_scope="multi_tier",
        stage="stewardship",
        fail_fast=False,
        caps=Caps(5_000_000, 25, 120, 75, None),
        retry=Retry(4, 1.0, 60.0),
        pools={"phase": 2},
        tiers=tuple(
            PlanTier(t, n, t, tuple(p.phase_id for p in numbered if p.tier_id == t), 3_000_000, 50, 50, 0)
            for n, t in enumerate(tier_ids)
        ),
        phases=numbered,
        models={
            **{name: model(name) for name in ("small", "big", "other")},
            **{ask.model: _agent(ask.model) for each in numbered for ask in each.asks if ":" in ask.model},
        },
        profiles={"normal": Profile("normal", (), (Step("unit", ("true",), 60, None, False),), 0, (), {})},
        format_prompts={"search_replace": "sr", "whole_file": "wf"},
        worst=Worst(0, 0, Decimal(0)),
    )
    strict = changes.get("safety_profile") == "safety_critical"
    return replace(plain, **{"not_clean": "fail_run" if strict else "mark", **changes})  # type: ignore[arg-type]


def _agent(name: str) -> PlanModel:
    kind = name.partition(":")[0]
    return PlanModel(name, f"{kind}/{kind}", None, None, kind, "standard", 1, 1, None, 1_000_000, 60, {})


class Story:
    """Scripted answers by phase (`"*"`: any): each list is taken in order, its last word repeats.

    builder, patch (the Auditor's own): ok, major, minor, or the kind of a refusal (edit_failed, scope, no_op ...);
    builder_call, auditor_call: ok, unknown_usage, lost, dropped, or an outcome (truncated, transient, auth ...);
    builder_context, auditor_context: ok, big; ci: green, red, red:<test>, major, flaky, tolerated:<test>;
    command: ok, failed, timed_out, not_found, lost;
    auditor: approve, revise, escalate, major, unreadable; land: ok, moved, foreign;
    rebase: ok, apart, refused, conflict;
    probe: ok, down, `down MODEL ...`; close: ok, touched; trouble_<effect>: "" or the trouble of an EffectFailed.
    """

    def __init__(self, told: Plan, *, order: Callable[[Mapping[str, Effect]], str] | None = None) -> None:
        self.plan = told
        self.words: dict[tuple[str, str], list[str]] = {}
        self.run = start(told, "run-1")
        self.log: list[ev.Event] = []
        self.effects: list[Effect] = []
        self._order = order or (lambda pending: next(iter(pending)))
        self._clock = itertools.count(1)
        self._head = itertools.count(1)
        self.others: tuple[Account, ...] = ()

    def says(self, phase_id: str = "*", /, **lists: list[str]) -> Self:
        self.words.update({(phase_id, role): list(words) for role, words in lists.items()})
        return self

    def tell(self, steps: int = 10_000) -> RunState:
        """To the end, or for so many events."""
        for _ in range(steps):
            if self.run.done:
                break
            self.step()
        return self.run

    def until(self, kind: type, phase_id: str | None = None) -> str:
        """Up to the moment at which such an effect is pending; its key."""
        for _ in range(1_000):
            for key, effect in self.run.pending.items():
                if isinstance(effect, kind) and phase_id in (None, phase_of(effect)):
                    return key
            self.step()
        raise AssertionError(f"no {kind.__name__} was ever wished")

    def step(self, key: str | None = None) -> None:
        key = key or self._order(self.run.pending)
        effect = self.run.pending[key]
        self.effects.append(effect)
        self.give(self.answer(key, effect))

    def give(self, event: ev.Event) -> None:
        self.run = react(self.plan, self.run, event)
        self.log.append(event)

    def path(self, phase_id: str) -> str:
        return " ".join(self.run.phases[phase_id].path)

    def asked(self, kind: type, phase_id: str | None = None) -> list[Any]:
        """The effects of a type that were carried out, oldest first."""
        return [e for e in self.effects if isinstance(e, kind) and phase_id in (None, phase_of(e))]

    def word(self, phase_id: str, role: str, default: str) -> str:
        words = self.words.get((phase_id, role)) or self.words.get(("*", role)) or [default]
        return words.pop(0) if len(words) > 1 else words[0]

    def answer(self, key: str, effect: Effect) -> ev.Event:
        at, kind = float(next(self._clock)), type(effect).__name__
        trouble = self.word(phase_of(effect) or "*", f"trouble_{kind}", "")
        if trouble:
            return ev.EffectFailed(key, at, trouble, f"told to fail: {trouble}")  # type: ignore[arg-type]
        answered: ev.Event = getattr(self, "_" + kind)(key, effect, at)
        return answered

    def _ProbeProviders(self, key: str, _effect: ProbeProviders, at: float) -> ev.Event:
        word = self.word("*", "probe", "ok")
        if word == "ok":
            return ev.ProvidersProbed(key, at, {}, about_keys=False)
        behind = dict.fromkeys(word.split()[1:], "no connection")
        return ev.ProvidersProbed(key, at, {"http://x": "no connection"}, about_keys=False, models=behind)

    def _TakeAllowance(self, key: str, effect: TakeAllowance, at: float) -> ev.Event:
        """`others` are the accounts of other runs."""
        return replace(granted(self.plan, effect, self.others, NOW), key=key, elapsed_s=at)

    def _OpenRun(self, key: str, effect: OpenRun, at: float) -> ev.Event:
        return ev.RunOpened(key, at, effect.base_commit, {"refs/heads/main": BASE})

    def _Preflight(self, key: str, effect: Preflight, at: float) -> ev.Event:
        word = self.word(effect.profile, "preflight", "green")
        settled = (word in ("green", "red") and effect.seen is not None) or word == "green"
        failing = 1 if word in ("red", "changed") else 0
        flaky = ("test_f",) if word == "green" and effect.seen else ()
        verdict = {"green": "green", "unusable": "unusable"}.get(word, "red")
        return ev.PreflightFinished(key, at, verdict, "5" * 64, failing, 1, flaky, settled=settled, message=word)  # type: ignore[arg-type]

    def _AssembleContext(self, key: str, effect: AssembleContext, at: float) -> ev.Event:
        big = self.word(effect.phase_id, f"{effect.role}_context", "ok") == "big"
        return ev.ContextAssembled(key, at, "r" * 64, effect.input_tokens_max + 1 if big else 5_000, (), ())

    def _CallModel(self, key: str, effect: CallModel, at: float) -> ev.Event:
        word = self.word(effect.phase_id, f"{effect.role}_call", "ok")
        if word == "lost":
            return ev.EffectLost(key, at)
        if word == "dropped":
            return ev.CallDropped(key, at)
        usage = Usage(4_000, 0, 0, 500, 0, known=word != "unknown_usage")
        outcome = "ok" if word == "unknown_usage" else word
        return ev.ModelAnswered(key, at, outcome, "a" * 64, "stop", usage, "m", 1.0, None, f"said {word}")  # type: ignore[arg-type]

    def _RunBuilder(self, key: str, effect: RunBuilder, at: float) -> ev.Event:
        word: Any = self.word(effect.phase_id, "command", "ok")
        if word == "lost":
            return ev.EffectLost(key, at)
        change = "g" * 64 if word == "ok" else None
        return ev.BuilderFinished(key, at, word, change, "o" * 64, 0, 1.0, f"it {word}", ())

    def _AskExternal(self, key: str, effect: AskExternal, at: float) -> ev.Event:
        word: Any = self.word(effect.phase_id, "client", "ok")
        outcome: Any = "ok" if word == "review" else word
        change = "g" * 64 if outcome == "ok" else None
        said = {"claimed_tokens": 700, "wants_review": word == "review"}
        return ev.BuilderFinished(key, at, outcome, change, "o" * 64, None, 1.0, f"it {word}", (), **said)

    def _ApplyChange(self, key: str, effect: ApplyChange, at: float) -> ev.Event:
        word = self.word(effect.phase_id, "builder", "ok")
        if word == "ok":
            commit = f"{effect.phase_id}{effect.attempt}"
            return ev.PatchAccepted(key, at, commit, "p" * 64, ("src/a",), 1, 0, 0, 0, "", ())
        return ev.PatchRefused(key, at, word, f"refused: {word}", "e" * 64, ())

    def _ApplyReply(self, key: str, effect: ApplyReply, at: float) -> ev.Event:
        rung = self.plan.phase(effect.phase_id).ladder[effect.attempt - 1]
        word = self.word(effect.phase_id, "builder" if rung.role == "builder" else "patch", "ok")
        found: tuple[ev.ReportedIssue, ...] = ()
        if word in ("major", "minor"):
            found = (issue(f"c__{effect.phase_id}__{effect.attempt}", word, "cursor_self_doubt"),)
            word = "ok"
        if word == "ok":
            commit = f"{effect.phase_id}{effect.attempt}"
            return ev.PatchAccepted(key, at, commit, "p" * 64, ("src/a",), 1, 0, 0, 0, "", found)
        return ev.PatchRefused(key, at, word, f"refused: {word}", "e" * 64, ())

    def _RunCi(self, key: str, effect: RunCi, at: float) -> ev.Event:
        word, _, test = self.word(effect.phase_id, "ci", "green").partition(":")
        failing = (test or "test_a",) if word == "red" else ()
        found = (issue(f"ci__{effect.phase_id}", "major", "ci"),) if word == "major" else ()
        verdict = "red" if word == "red" else "green"
        flaky, known = (("test_f",), ()) if word == "flaky" else ((), (test,) if word == "tolerated" else ())
        seen = ("d" * 64, 3, failing, "e" * 64, {}, flaky, found, known)
        return ev.CiFinished(key, at, verdict, *seen)  # type: ignore[arg-type]

    def _ReadReview(self, key: str, effect: ReadReview, at: float) -> ev.Event:
        word = self.word(effect.phase_id, "auditor", "approve")
        if word == "unreadable":
            return ev.ReviewUnreadable(key, at, "no facts block", "e" * 64)
        found = (issue(f"audit__{effect.phase_id}", "major", "auditor"),) if word == "major" else ()
        verdict = "approve" if word == "major" else word
        return ev.ReviewRead(key, at, verdict, "high", "e" * 64, found)  # type: ignore[arg-type]

    def _Land(self, key: str, effect: Land, at: float) -> ev.Event:
        word = self.word(effect.phase_id, "land", "ok")
        if word == "foreign":
            return ev.HeadMoved(key, at, f"f{next(self._head)}")
        if effect.head != self.run.head or word == "moved":
            return ev.HeadMoved(key, at, self.run.head)
        return ev.Landed(key, at, f"c{next(self._head)}-{effect.phase_id}", f"tag-{effect.phase_id}")

    def _Rebase(self, key: str, effect: Rebase, at: float) -> ev.Event:
        word = self.word(effect.phase_id, "rebase", "ok")
        if word == "conflict":
            return ev.Conflicted(key, at, ("src/a",), "e" * 64)
        if word == "refused":
            return ev.PatchRefused(key, at, "syntax", "src/a no longer parses", "e" * 64, ())
        return ev.Rebased(key, at, f"{effect.commit}'", "p" * 64, overlaps=word != "apart")

    def _CloseRun(self, key: str, _effect: CloseRun, at: float) -> ev.Event:
        touched = self.word("*", "close", "ok") == "touched"
        return ev.RunClosed(key, at, ("refs/heads/main was moved",) if touched else ())


def issue(key: str, severity: str = "minor", source: str = "test") -> ev.ReportedIssue:
    return ev.ReportedIssue(key, severity, "c", source, f"what is wrong with {key}", ())  # type: ignore[arg-type]


def refold(story: Story) -> RunState:
    """The state that the log leads to after a round trip through JSON, as after a crash."""
    run = start(story.plan, "run-1")
    for event in story.log:
        line = canonical.text(event)
        run = react(story.plan, run, ev.build(type(event).__name__, json.loads(line)))
    return run
