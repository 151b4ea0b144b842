"""Requests and tokens by the minute, on a clock that stands still unless told."""

from autopack.plan.model import Quota
from autopack.runners.rates import Rates


class Clock:
    def __init__(self) -> None:
        self.at = 1_000.0

    def __call__(self) -> float:
        return self.at


def test_so_many_requests_go_at_once_and_then_one_each_time_the_minute_has_room():
    clock = Clock()
    rates = Rates({"openai": Quota(2, None)}, clock)
    for _ in range(2):
        assert rates.wait_s("openai", 1_000) == 0
        rates.take("openai", 1_000)
    assert rates.wait_s("openai", 1_000) == 30.0
    clock.at += 30.0
    assert rates.wait_s("openai", 1_000) == 0


def test_tokens_are_counted_by_the_upper_bound_of_each_call():
    clock = Clock()
    rates = Rates({"openai": Quota(None, 6_000)}, clock)
    rates.take("openai", 5_000)
    assert rates.wait_s("openai", 1_000) == 0
    assert rates.wait_s("openai", 3_000) == 20.0


def test_a_call_larger_than_the_minutes_tokens_goes_when_nothing_else_has():
    clock = Clock()
    rates = Rates({"openai": Quota(None, 6_000)}, clock)
    assert rates.wait_s("openai", 50_000) == 0
    rates.take("openai", 50_000)
    assert rates.wait_s("openai", 50_000) == 60.0


def test_a_provider_without_limits_never_waits():
    rates = Rates({"openai": Quota(1, 1)}, Clock())
    rates.take("ollama", 10**9)
    assert rates.wait_s("ollama", 10**9) == 0
