"""How long it can take at most: every call, wait, command, probe and CI step at its timeout, as often as it may come.

What autopack and git do themselves in between takes milliseconds and has no timeout worth counting: it is not in here.

A run is a greedy schedule: whenever the longest chain of phases does not get on, `at_once` others do (Graham's bound).
Three things stand beside that. A phase that finds the head moved is carried onto it and checked once more: each landing
does that to every other phase under way, once at most. They are carried one at a time, and who waits for that waits for
one phase alone. A phase that waits for money waits for a single call of another one, so
where money may be short nothing is sure to get on side by side. And while anybody waits for a provider's rate, that
rate is used up to the full.
"""

import math
from collections.abc import Iterable, Mapping, Sequence

from autopack.plan.model import OUTSIDE, PROBE_STEP_TIMEOUT_S, Ask
from autopack.problem.typed import Protocol
from autopack.spec.record import record

HOOK_STEPS = 2
"""Commands beside the probes where the repository's hooks are run: a commit, and a look at what it has changed."""

PREFLIGHTS = 4
"""Profiles that are tried side by side."""


class Timed(Protocol):
    """A CI step, of a spec or of a plan."""

    @property
    def timeout_s(self) -> int: ...
    @property
    def junit(self) -> str | None: ...


class Asked(Protocol):
    """A model, of a catalogue or of a plan."""

    @property
    def provider(self) -> str: ...
    @property
    def timeout_s(self) -> int: ...


class Patience(Protocol):
    """What a ruleset or a plan says about trouble of a provider; `attempts` are how often a request is sent at most."""

    @property
    def attempts(self) -> int: ...
    @property
    def backoff_s_max(self) -> float: ...


class Rate(Protocol):
    """How fast a provider may be asked."""

    @property
    def requests_per_minute(self) -> int | None: ...
    @property
    def tokens_per_minute(self) -> int | None: ...


@record
class Beside:
    """What one phase means for another. `at_once` get on whatever the others do, `places` may be under way together.

    `carried` is the longest way onto a moved head, which phases take one at a time, `again` the longest check that
    follows; `before` passes once, whatever the phases do.
    """

    at_once: int
    places: int = 1
    carried: int = 0
    again: int = 0
    before: int = 0


def whole(seconds: float) -> int:
    return math.ceil(seconds / 60)


def asking_s(calls: Sequence[Sequence[Ask]], models: Mapping[str, Asked], retry: Patience) -> float:
    """Each call by the slowest who may answer it; who has somebody to fall back to gives out once at most."""
    slowest = sum(max(call_s(models[ask.model], retry) for ask in call) for call in calls)
    replaced = {ask.model for call in calls if len(call) > 1 for ask in call}
    return slowest + sum(call_s(models[name], retry) for name in replaced)


def call_s(model: Asked, retry: Patience) -> float:
    """One call, sent as often as provider trouble allows, and the waits in between, which the provider may ask for.

    A command is run, and a client waited for, once: what it could not do is another attempt's.
    """
    if model.provider in OUTSIDE:
        return model.timeout_s
    return model.timeout_s * retry.attempts + retry.backoff_s_max * (retry.attempts - 1)


def longest_s(calls: Sequence[Sequence[Ask]], models: Mapping[str, Asked]) -> int:
    """The call that may be on its way when a phase's time is up: it is paid, so its answer is waited for."""
    asked = {ask.model for call in calls for ask in call if models[ask.model].provider not in OUTSIDE}
    return max((models[name].timeout_s for name in asked), default=0)


def probed_s(setup: Sequence[Timed], commands: int) -> int:
    """One candidate through its probes and hooks, in a worktree that has to be set up."""
    return sum(step.timeout_s for step in setup) + commands * PROBE_STEP_TIMEOUT_S if commands else 0


def checked_s(setup: Sequence[Timed], steps: Sequence[Timed], retries: int) -> int:
    """One candidate through the base commit's tests, where it changes those, and through its CI profile."""
    reporting = [step for step in steps if step.junit is not None]
    base_s = trial_s(setup, reporting, retries) if reporting else 0
    return base_s + trial_s(setup, steps, retries)


def candidate_s(
    setup: Sequence[Timed], steps: Sequence[Timed], retries: int, *, probes: int, hooks: bool
) -> tuple[int, int]:
    """One candidate through everything that may refuse it: probes and hooks, then CI."""
    return probed_s(setup, probes + HOOK_STEPS * hooks), checked_s(setup, steps, retries)


def trial_s(setup: Sequence[Timed], steps: Sequence[Timed], retries: int) -> int:
    return sum(step.timeout_s for step in (*setup, *steps)) * (1 + retries)


def preflight_s(once_s: int, tries: int, backoff_s: float) -> float:
    """One profile on the base commit, tried again as long as it comes out otherwise, after waits that double."""
    return once_s * tries + sum(backoff_s * float(2**number) for number in range(tries - 1))


def preflights(each_s: Sequence[float]) -> int:
    """Whole minutes before the first phase."""
    return whole(max(each_s, default=0.0) if len(each_s) <= PREFLIGHTS else sum(each_s))


def rated(
    calls: Iterable[tuple[Sequence[Ask], int]], models: Mapping[str, Asked], retry: Patience, rates: Mapping[str, Rate]
) -> int:
    """Whole minutes in which a provider's rate may keep a call waiting: what all calls of a run take of it.

    Each call stands with how many phases may make it.
    """
    if not rates:
        return 0
    requests, tokens = dict.fromkeys(rates, 0), dict.fromkeys(rates, 0)
    for call, phases in calls:
        for ask in call:
            provider = models[ask.model].provider
            if provider in rates:
                requests[provider] += phases * retry.attempts
                tokens[provider] += phases * retry.attempts * (ask.input_tokens_max + ask.output_tokens_max)
    found = 0.0
    for name, rate in rates.items():
        found += requests[name] / rate.requests_per_minute if rate.requests_per_minute else 0.0
        found += tokens[name] / rate.tokens_per_minute if rate.tokens_per_minute else 0.0
    return math.ceil(found)


def together(needs: Mapping[str, Sequence[str]], minutes: Mapping[str, int], beside: Beside) -> int:
    """Of a whole run. `needs` stand in an order in which each phase comes after all it needs.

    Phases that stand in one line have nobody to race with.
    """
    line = _longest(needs, dict.fromkeys(needs, 1))
    races = beside.places - 1 if line < len(needs) else 0
    again, width, count = beside.again if races else 0, beside.at_once, len(needs)
    # a chain of c phases takes its own time and loses at most count - c races; all else is shared by `width`
    chain = _longest(needs, {name: (width - 1) * minutes[name] - width * again for name in needs})
    lost = again * count * (width + races)
    carried = beside.carried * count * races
    return beside.before + carried + -(-(chain + sum(minutes.values()) + lost) // width)


def _longest(needs: Mapping[str, Sequence[str]], weights: Mapping[str, int]) -> int:
    """The heaviest chain."""
    ends: dict[str, int] = {}
    for name, above in needs.items():
        ends[name] = weights[name] + max((ends[need] for need in above if need in ends), default=0)
    return max(ends.values(), default=0)
