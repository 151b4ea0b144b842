"""The proof is an upper bound: no rehearsal of a shipped playbook spends more than its plan's worst case."""

from decimal import Decimal
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopack.plan.compiler import compile as compile_spec
from autopack.plan.model import Plan, pinned
from autopack.run.calling import REPEATED
from autopack.run.effects import TYPES
from autopack.run.ledger import RUN
from autopack.runners.rehearsed import ANSWERS, HEAD, WORDS, Lines, Manner, Rehearsed
from autopack.runners.virtual import play
from autopack.spec.load import load
from tests.plan.test_playbooks import GIVEN, PLAYBOOKS

NOT_FORESEEN = {"lost"}  # what a dead driver may have paid for is held by the caps, not by the proof


@cache
def planned(name: str) -> Plan:
    spec, _ = load(str(PLAYBOOKS), f"{name}.yaml", GIVEN[name])
    assert spec is not None
    plan, _ = compile_spec(spec)
    assert plan is not None
    return pinned(plan, HEAD)


def lines() -> st.SearchStrategy[Lines]:
    lists = {r: st.lists(st.sampled_from(sorted({*w} - NOT_FORESEEN)), max_size=9) for r, w in WORDS.items()}
    tokens = st.sampled_from((1, 6_000, 1_000_000))
    return st.builds(Lines, st.fixed_dictionaries(lists), st.builds(Manner, tokens, tokens))


@settings(max_examples=40, deadline=None)
@given(st.data())
@pytest.mark.parametrize("name", GIVEN)
def test_no_answers_make_a_run_spend_more_than_was_proved(name: str, data: st.DataObject) -> None:
    """REQ-9.1-1"""
    plan = planned(name)
    said = {phase.phase_id: data.draw(lines()) for phase in plan.phases}
    run = play(plan, Rehearsed(said.__getitem__))
    assert run.done
    for phase in plan.phases:
        spent = run.ledger.spent(f"phase:{phase.phase_id}")
        assert spent.tokens <= phase.worst.tokens
        assert phase.worst.cost_usd is None or spent.cost_usd <= phase.worst.cost_usd
        assert sum(call.outcome not in REPEATED for call in run.phases[phase.phase_id].calls) <= phase.worst.calls
    whole = run.ledger.spent(RUN)
    assert whole.tokens <= min(plan.worst.tokens, plan.caps.tokens)
    assert whole.cost_usd <= (plan.worst.cost_usd or Decimal("Infinity"))


def test_every_wish_of_the_machine_has_a_rehearsed_answer() -> None:
    assert set(ANSWERS) == set(TYPES.values())
