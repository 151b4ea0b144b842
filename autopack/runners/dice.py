"""Hands that throw dice: each answer fails with the chance that runs have taught, or that is stated where none has.

A Builder call comes to an edit that does not fit, a CI run to red, an audit to `revise`; nothing else goes wrong here:
no provider is down, nobody escalates. Tokens and seconds are spread around their means, as wide as real ones are.
Equal seeds give equal runs.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random

from autopack.plan.calibration import Rates
from autopack.run import effects as ef
from autopack.run import events as ev
from autopack.runners.rehearsed import BUILDER, Lines, Manner, Rehearsed

SPREAD = 0.5
"""Standard deviation of the logarithm of tokens and seconds: most values are between half and double the mean."""

BYTES_A_TOKEN = 3
"""A request is reserved by its bytes, which no tokenizer passes; so much larger is the reservation than the bill."""


@dataclass(slots=True)
class Dice:
    """Hands for `virtual.play`; `rates` by phase id."""

    rates: Mapping[str, Rates]
    random: Random
    _lines: dict[str, Lines] = field(default_factory=dict)
    _hands: Rehearsed = field(init=False)

    def __post_init__(self) -> None:
        self._hands = Rehearsed(lambda phase_id: self._lines[phase_id])

    def takes_s(self, effect: ef.Effect) -> float:
        match effect:
            case ef.CallModel() | ef.RunBuilder() | ef.AskExternal():
                return self._spread(self.rates[effect.phase_id].model_s)
            case ef.RunCi():
                return self._spread(self.rates[effect.phase_id].ci_s)
        return 0.0

    def answer(self, key: str, effect: ef.Effect, at_s: float) -> ev.Event:
        match effect:
            case ef.AssembleContext():
                drawn = self._draw(effect.phase_id, effect.role)
                return ev.ContextAssembled(key, at_s, "", min(BYTES_A_TOKEN * drawn, effect.input_tokens_max), (), ())
            case ef.RunCi():
                rate = self.rates[effect.phase_id].ci_red
                self._lines[effect.phase_id] = Lines({"ci": (self._either("red_new", "green", rate),)})
        return self._hands.answer(key, effect, at_s)

    def cut_short(self, key: str, effect: ef.Effect, at_s: float) -> ev.Event:
        return self._hands.cut_short(key, effect, at_s)

    def _draw(self, phase_id: str, role: str) -> int:
        """What comes of the call that this request is for; returns the tokens that it will be billed for."""
        rates = self.rates[phase_id]
        bad, good, rate = (
            ("edit_failed", "ok", rates.edit_failed) if role == BUILDER else ("revise", "approve", rates.rejected)
        )
        manner = Manner(
            input_tokens=1 + int(self._spread(rates.input_tokens)),
            output_tokens=1 + int(self._spread(rates.output_tokens)),
        )
        self._lines[phase_id] = Lines({role: (self._either(bad, good, rate),)}, manner)
        return manner.input_tokens

    def _either(self, bad: str, good: str, chance: float) -> str:
        return bad if self.random.random() < chance else good

    def _spread(self, mean: float) -> float:
        return self.random.lognormvariate(math.log(max(mean, 1e-9)) - SPREAD**2 / 2, SPREAD)
