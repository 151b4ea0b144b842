"""Rehearsals: scenarios played through the real compiler and machine, what was expected beside what came of it."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from autopack.plan.compiler import compile as compile_spec
from autopack.plan.model import Plan, pinned
from autopack.problem import Problem, problem
from autopack.run import events as ev
from autopack.run.effects import Effect, phase_of
from autopack.run.ledger import RUN
from autopack.run.promotion import eligible
from autopack.run.state import PhaseState, RunState
from autopack.runners.in_turn import Played, as_one, play_in_turn
from autopack.runners.rehearsed import GOOD, HEAD, WORDS, Lines, Manner, Rehearsed
from autopack.spec.load import Rehearsable, load
from autopack.spec.model import Answers, Scenario, Spec

ANYONE = "*"
MANNER = ("input_tokens", "output_tokens", "builder_s", "auditor_s", "ci_s")


@dataclass(frozen=True, slots=True)
class Moment:
    """A state that a phase came to, why, and when."""

    state: str
    why: str
    at_s: float


Trace = Mapping[str, Sequence[Moment]]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """One scenario and what came of it; `run` is None where it could not be played. `trace` only for who asked."""

    found: Rehearsable
    problems: tuple[Problem, ...]
    run: RunState | None = None
    trace: Trace | None = None

    @property
    def path(self) -> str:
        return self.found.path

    @property
    def name(self) -> str:
        return self.found.scenario.name if self.found.scenario else ""

    @property
    def passed(self) -> bool:
        return self.run is not None and not any(each.severity == "error" for each in self.problems)


@dataclass(frozen=True, slots=True)
class Staged:
    """A playbook made ready: its plan, and which phases each name of a scenario stands for."""

    plan: Plan | None
    members: Mapping[str, tuple[str, ...]]
    problems: tuple[Problem, ...]
    sources: Mapping[str, str]


class Stage:
    """Compiles each playbook once for each set of inputs and overlay. `sources` grows with what findings quote."""

    def __init__(self, root: str, today: str) -> None:
        self._root, self._today = root, today
        self._staged: dict[tuple[object, ...], Staged] = {}
        self.sources: dict[str, str] = {}

    def rehearse(self, found: Rehearsable, *, traced: bool = False) -> Rehearsal:
        if found.document is not None:
            self.sources[found.path] = found.document.text
        if found.scenario is None:
            return Rehearsal(found, tuple(found.problems))
        staged = self.staged(found.scenario)
        if staged.plan is None:
            return Rehearsal(found, (*found.problems, *staged.problems))
        return _played(found, staged.plan, staged.members, traced=traced)

    def staged(self, scenario: Scenario) -> Staged:
        profile = scenario.safety_profile
        key = (scenario.playbook, scenario.env, profile, tuple(sorted((k, str(v)) for k, v in scenario.inputs.items())))
        if key not in self._staged:
            self._staged[key] = self._compiled(scenario)
            self.sources.update(self._staged[key].sources)
        return self._staged[key]

    def _compiled(self, scenario: Scenario) -> Staged:
        spec, problems = load(self._root, scenario.playbook, scenario.inputs, today=self._today, env=scenario.env)
        plan = None
        if spec is not None:
            profile = scenario.safety_profile or spec.project.safety_profile
            spec = replace(spec, project=replace(spec.project, safety_profile=profile))
            plan, more = compile_spec(spec)
            problems = [*problems, *more]
        grave = tuple(each for each in problems if each.severity == "error")
        sources = {path: document.text for path, document in spec.documents.items()} if spec else {}
        return Staged(plan and pinned(plan, HEAD), _members(spec), grave, sources)


def _members(spec: Spec | None) -> dict[str, tuple[str, ...]]:
    """Phase ids, and the names of fan-outs with all that they were fanned out to."""
    found: dict[str, tuple[str, ...]] = {}
    for phase in (phase for tier in spec.playbook.tiers for phase in tier.phases) if spec else ():
        found[phase.id] = (phase.id,)
        if phase.fan_out and phase.fan_out != phase.id:
            found[phase.fan_out] = (*found.get(phase.fan_out, ()), phase.id)
    return found


# --- playing ------------------------------------------------------------------------------------------------------


def _played(found: Rehearsable, plan: Plan, members: Mapping[str, tuple[str, ...]], *, traced: bool) -> Rehearsal:
    scenario = found.scenario
    assert scenario is not None
    hands = Rehearsed(Script(scenario, members))
    played = play_in_turn(plan, hands)
    run = as_one(plan, played)
    judged = _Judged(found, played, members, run, None)
    problems = [*judged.differences(), *judged.never_asked(hands.used)]
    trace = None
    if traced or any(each.severity == "error" for each in problems):
        trace = trace_of(plan, Rehearsed(Script(scenario, members)))
        problems = [*_once(replace(judged, trace=trace).differences()), *judged.never_asked(hands.used)]
    return Rehearsal(found, (*found.problems, *problems), run, trace)


class Script:
    """Who answers what: the phase's own list, else its fan-out's, else that of `*`, each role and figure by itself."""

    def __init__(self, scenario: Scenario, members: Mapping[str, tuple[str, ...]]) -> None:
        self._answers = scenario.answers
        self._names = {phase_id: name for name, ids in members.items() for phase_id in ids if len(ids) > 1}
        self._names |= {ids[0]: name for name, ids in members.items() if len(ids) == 1 and name != ids[0]}
        self._lines: dict[str, Lines] = {}

    def __call__(self, phase_id: str) -> Lines:
        if phase_id not in self._lines:
            self._lines[phase_id] = self._of(phase_id)
        return self._lines[phase_id]

    def _of(self, phase_id: str) -> Lines:
        names = (phase_id, self._names.get(phase_id, phase_id), ANYONE)
        said = [self._answers[name] for name in dict.fromkeys(names) if name in self._answers]
        words = {role: _first(said, role) for role in WORDS}
        figures = {name: _first(said, name) for name in MANNER}
        manner = Manner(**{name: value for name, value in figures.items() if value is not None})
        return Lines({role: found for role, found in words.items() if found}, manner)


def _first(said: Sequence[Answers], name: str) -> Any:
    return next((value for each in said if (value := getattr(each, name))), None)


def trace_of(plan: Plan, hands: Rehearsed) -> dict[str, list[Moment]]:
    """Every phase's way through its states, with what led to each."""
    trace: dict[str, list[Moment]] = {phase.phase_id: [Moment("QUEUED", "", 0.0)] for phase in plan.phases}

    def watch(effect: Effect | None, event: ev.Event, run: RunState) -> None:
        about = phase_of(effect) if effect is not None else None
        for phase_id, phase in run.phases.items():
            known = trace[phase_id]
            for state in phase.path[len(known) :]:
                why = because(effect, event) if phase_id == about else _from_outside(phase, state, run)
                known.append(Moment(state, why, run.elapsed_s))

    play_in_turn(plan, hands, watch=watch)
    return trace


def because(effect: Effect | None, event: ev.Event) -> str:
    """An event in a few words, for who knows the states."""
    words = _WORDS.get(type(event))
    return words(effect, event) if words else ""


def _reviewed(_effect: Any, event: ev.ReviewRead) -> str:
    major = any(issue.severity == "major" for issue in event.issues)
    return f"auditor: {event.recommendation}" + (", with a major finding" if major else "")


_WORDS: Mapping[type, Callable[[Any, Any], str]] = {
    ev.ContextAssembled: lambda effect, event: (
        "request too big" if event.input_tokens_max > effect.input_tokens_max else "a cap"
    ),
    ev.BuilderFinished: lambda _, event: f"builder: {event.outcome}",
    ev.ModelAnswered: lambda effect, event: f"{effect.role}: {event.outcome}",
    ev.PatchRefused: lambda _, event: f"patch refused: {event.kind}",
    ev.PatchAccepted: lambda _, __: "patch accepted",
    ev.CiFinished: lambda _, event: f"CI: {event.verdict if event.executed_tests else 'no test executed'}",
    ev.ReviewRead: _reviewed,
    ev.ReviewUnreadable: lambda _, __: "auditor: unreadable",
    ev.Landed: lambda _, __: "landed",
    ev.HeadMoved: lambda _, __: "the head moved",
    ev.Rebased: lambda _, __: "rebased onto a moved head",
    ev.Conflicted: lambda _, __: "conflict with what landed",
    ev.EffectLost: lambda _, __: "call lost",
    ev.EffectFailed: lambda _, event: event.trouble,
    ev.TimePassed: lambda _, __: "time is over",
}


def _from_outside(phase: PhaseState, state: str, run: RunState) -> str:
    """What moved a phase that the event was not about."""
    if state == "EXECUTING":
        return ""
    if state == "SKIPPED":
        return "the run stopped" if run.stopping else "a need failed"
    return phase.failure.reason if phase.failure else ""


def _once(problems: Iterable[Problem]) -> Iterator[Problem]:
    """The same help, a phase's whole way, is told with the first finding it belongs to."""
    told: set[str] = set()
    for found in problems:
        whole = (found.help or "").replace(">>", "").replace("<<", "")
        yield found._replace(help=None) if whole in told else found
        told.add(whole)


# --- comparing ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Judged:
    found: Rehearsable
    played: Played
    members: Mapping[str, tuple[str, ...]]
    run: RunState
    trace: Trace | None

    def differences(self) -> Iterator[Problem]:
        """Each expectation that did not come true, at its own place."""
        assert self.found.scenario is not None
        expect, run = self.found.scenario.expect, self.run
        yield from self._differs("state", "the run ends in", run.state, expect.state, self._why_run())
        reason = run.failure.reason if run.failure else None
        if expect.failure_reason is not None and reason != expect.failure_reason:
            words = f"the run fails of {reason}" if reason else "the run does not fail"
            yield self._unmet(("failure_reason",), f"{words}, not of {expect.failure_reason}", self._why_run())
        yield from self._above("cost_usd_max", run.ledger.spent(RUN).cost_usd, expect.cost_usd_max, "USD")
        yield from self._above("tokens_max", run.ledger.spent(RUN).tokens, expect.tokens_max, "tokens")
        yield from self._above("minutes_max", round(run.elapsed_s / 60, 1), expect.minutes_max, "minutes")
        may = all(eligible(plan, each) for plan, each in self.played)
        if expect.promotion_eligible is not None and may != expect.promotion_eligible:
            yield self._unmet(
                ("promotion_eligible",), f"the run is {'' if may else 'not '}eligible for promotion", None
            )
        for name, wanted in expect.path.items():
            yield from self._path(name, wanted)
        for key, what, of in _BY_PHASE:
            for name, value in getattr(expect, key).items():
                yield from self._of_phases(key, name, what, of, value)

    def never_asked(self, used: Mapping[tuple[str, str], int]) -> Iterator[Problem]:
        """Words of a phase's own lists that nobody came to ask for, the first of each list."""
        assert self.found.scenario is not None
        for name, answers in self.found.scenario.answers.items():
            for role in WORDS if name != ANYONE else ():
                words: tuple[str, ...] = getattr(answers, role)
                asked = max((used.get((phase_id, role), 0) for phase_id in self.members.get(name, ())), default=0)
                left = [place for place in range(asked, len(words)) if words[place] != GOOD[role]]
                if left:
                    times = f"{role} is asked {asked} times" if asked != 1 else f"{role} is asked once"
                    yield problem(
                        "AP8002",
                        f'"{words[left[0]]}" is never answered: in phase "{name}" {times}',
                        self._span("answers", name, role, left[0]),
                        help="take it out, or change the answers before it so that it is asked for",
                    )

    def _differs(self, key: str, what: str, got: str, wanted: str | None, why: str | None) -> Iterator[Problem]:
        if wanted is not None and got != wanted:
            yield self._unmet((key,), f"{what} {got}, not {wanted}", why)

    def _above(self, key: str, got: Any, most: Any, unit: str) -> Iterator[Problem]:
        if most is not None and got > most:
            yield self._unmet((key,), f"the run takes {got:,} {unit}, more than {most:,}", None)

    def _of_phases(
        self, key: str, name: str, what: str, of: Callable[[PhaseState], Any], wanted: Any
    ) -> Iterator[Problem]:
        for phase_id in self.members.get(name, ()):
            got = of(self.run.phases[phase_id])
            if got != wanted:
                said = "does not fail" if got is None else what.format(got)
                yield self._unmet((key, name), f'phase "{phase_id}" {said}, not {wanted}', self._way(phase_id))
                break

    def _path(self, name: str, wanted: tuple[str, ...]) -> Iterator[Problem]:
        for phase_id in self.members.get(name, ()):
            got = self.run.phases[phase_id].path
            skipped = 0 if wanted[0] == "QUEUED" else 1
            got = got[skipped:]
            if got == wanted:
                continue
            at = next((n for n, pair in enumerate(zip(got, wanted, strict=False)) if pair[0] != pair[1]), None)
            if at is not None:
                words = f'phase "{phase_id}" comes to {got[at]} here, step {at + 1} of its path, not to {wanted[at]}'
                yield self._unmet(("path", name, at), words, self._way(phase_id, at + skipped))
            elif len(got) < len(wanted):
                words = f'phase "{phase_id}" has ended in {got[-1]} before this step, {len(got) + 1} of its path'
                yield self._unmet(("path", name, len(got)), words, self._way(phase_id))
            else:
                words = f'phase "{phase_id}" goes on to {got[len(wanted)]} after this, the last expected step'
                yield self._unmet(("path", name, len(wanted) - 1), words, self._way(phase_id, len(wanted) + skipped))
            break

    def _why_run(self) -> str | None:
        return self.run.failure.message if self.run.failure else None

    def _way(self, phase_id: str, marked: int | None = None) -> str | None:
        return None if self.trace is None else f'"{phase_id}" went ' + way(self.trace[phase_id], marked)

    def _unmet(self, steps: tuple[str | int, ...], words: str, why: str | None) -> Problem:
        return problem("AP8001", words, self._span("expect", *steps), (), why or "expect that, or change the answers")

    def _span(self, *steps: str | int) -> Any:
        assert self.found.document is not None
        return self.found.document.span(steps)


_BY_PHASE: tuple[tuple[str, str, Callable[[PhaseState], Any]], ...] = (
    ("phases", "ends in {}", lambda phase: phase.state),
    ("failure_reasons", "fails of {}", lambda phase: phase.failure.reason if phase.failure else None),
    ("builder_calls", "asks the Builder {} times", lambda phase: _calls(phase, "builder")),
    ("auditor_calls", "asks the Auditor {} times", lambda phase: _calls(phase, "auditor")),
    ("ci_runs", "runs CI {} times", lambda phase: phase.ci_runs),
)


def _calls(phase: PhaseState, role: str) -> int:
    return sum(call.role == role for call in phase.calls)


def way(moments: Sequence[Moment], marked: int | None = None) -> str:
    """A phase's states in one line, each with what led there; `marked` is where it left the way that was expected."""
    words = []
    for number, moment in enumerate(moments[1:], 1):
        state = f">>{moment.state}<<" if number == marked else moment.state
        words.append(f"{state} ({moment.why})" if moment.why else state)
    return ", ".join(words)
