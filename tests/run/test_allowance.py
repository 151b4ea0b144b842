"""What a run may spend of what its project and its providers have left."""

from dataclasses import replace
from decimal import Decimal

from autopack.plan.model import Ask, Attempt, Plan, PlanPhase, ProjectBudget, Quota
from autopack.run.allowance import DAY_S, Account, caps
from autopack.run.effects import AssembleContext, CallModel, OpenRun, TakeAllowance
from autopack.run.ledger import RUN, Amount
from autopack.run.warnings import Warned
from tests.run.story import NOW, Story, model, phase, plan, refold

SMALL, OTHER = Ask("small", 10_000, 1_000), Ask("other", 10_000, 1_000)
ROUTE = tuple(Attempt("first", SMALL, "search_replace", (OTHER,)) for _ in range(2))


def told(*phases: PlanPhase, budget: ProjectBudget | None = None, quota: Quota | None = None) -> Plan:
    """`small` is of the provider a, `other` of the provider b; a has the quota."""
    shop = plan(*(phases or (phase("a", attempts=ROUTE, audit_fallbacks=(OTHER,)),)))
    models = {
        **shop.models,
        "small": replace(model("small"), provider="a"),
        "other": replace(model("other"), provider="b"),
    }
    return replace(shop, models=models, project_budget=budget, quotas={"a": quota} if quota else {})


def ended(run_id: str, tokens: int, days_ago: float, cost_usd: str = "0", **providers: int) -> Account:
    return Account(run_id, "shop", NOW - days_ago * DAY_S, Amount(tokens, Decimal(cost_usd)), providers)


def living(run_id: str, spent: int, held: int, **held_tokens: int) -> Account:
    return Account(run_id, "shop", None, Amount(spent, Decimal(0)), {}, Amount(held, Decimal(0)), held_tokens)


def story(built: Plan, *others: Account) -> Story:
    found = Story(built)
    found.others = others
    return found


def outcome(found: Story) -> tuple[str, str | None]:
    run = found.tell()
    return run.state, run.failure.reason if run.failure else None


# --- the project --------------------------------------------------------------------------------------------------


def test_without_a_cap_for_all_runs_nothing_is_asked():
    found = story(told())
    assert outcome(found) == ("DONE_SUCCESS", None)
    assert found.asked(TakeAllowance) == []


def test_a_run_asks_for_the_least_of_its_cap_and_its_worst_case_before_anything_is_opened():
    built = told(budget=ProjectBudget(8_000_000, None, 30))
    found = story(built)
    assert outcome(found) == ("DONE_SUCCESS", None)
    (asked,) = found.asked(TakeAllowance)
    assert (asked.tokens, asked.cost_usd) == (1_000_000, Decimal(1_000))
    assert found.effects.index(asked) < found.effects.index(found.asked(OpenRun)[0])
    assert refold(found) == found.run


def test_what_others_have_spent_and_hold_lowers_the_run_s_own_caps():
    """REQ-2.1-3"""
    built = told(budget=ProjectBudget(100_000, None, 30))
    found = story(built, ended("old", 40_000, 29), ended("older", 50_000, 31), living("now", 1_000, 30_000))
    assert outcome(found) == ("DONE_SUCCESS", None)
    share = found.run.allowance
    assert share is not None
    assert (share.tokens, share.spent_tokens, share.held_by) == (30_000, 41_000, ("now",))
    assert caps(built, found.run).tokens == 30_000


def test_the_accounts_of_another_project_do_not_count():
    built = told(budget=ProjectBudget(100_000, None, 30))
    found = story(built, replace(ended("old", 100_000, 1), project="bank"))
    assert outcome(found) == ("DONE_SUCCESS", None)


def test_with_nothing_left_the_run_ends_before_its_first_call_and_says_when_some_is_free_again():
    """REQ-1.3-1: by itself, as a budget that is exhausted."""
    built = told(budget=ProjectBudget(100_000, None, 30))
    found = story(built, ended("one", 60_000, 29), ended("two", 60_000, 10))
    assert outcome(found) == ("DONE_FAILED_BUDGET_EXHAUSTED", "token_cap")
    assert (found.asked(CallModel), found.asked(OpenRun)) == ([], [])
    assert found.run.failure is not None
    assert found.run.failure.message == (
        "the project's budget has nothing left, so no call was made: 120,000 of 100,000 tokens were spent in 30 days; "
        "the window frees some at 2027-01-16 08:00 UTC. Raise budget.tokens in autopack.yaml, or wait; "
        "then: autopack rerun run-1 --failed"
    )


def test_money_ends_it_as_well():
    built = told(budget=ProjectBudget(None, Decimal("2.00"), 7))
    found = story(built, ended("one", 10, 1, "2.50"))
    assert outcome(found) == ("DONE_FAILED_BUDGET_EXHAUSTED", "cost_cap")
    assert found.run.failure is not None
    assert "2.50 of 2.00 USD were spent in 7 days" in found.run.failure.message


def test_what_a_run_holds_that_has_not_ended_is_named():
    built = told(budget=ProjectBudget(100_000, None, 30))
    found = story(built, living("now", 0, 100_000))
    assert outcome(found) == ("DONE_FAILED_BUDGET_EXHAUSTED", "token_cap")
    assert found.run.failure is not None
    assert "run now, which has not ended, may still spend the rest" in found.run.failure.message


def test_a_call_that_would_pass_what_was_left_is_never_sent_and_ends_the_run():
    built = told(budget=ProjectBudget(100_000, None, 30))
    found = story(built, ended("one", 95_000, 1)).says(builder=["edit_failed"])
    assert outcome(found) == ("DONE_FAILED_BUDGET_EXHAUSTED", "token_cap")
    assert found.run.failure is not None
    assert found.run.failure.message.startswith('phase "a" would pass the 5,000 tokens that were left for this run')
    assert found.run.ledger.spent(RUN).tokens == 0


def test_warnings_are_measured_against_what_was_left():
    built = replace(told(budget=ProjectBudget(100_000, None, 30)), budget_warnings=(0.75,))
    found = story(built, ended("one", 94_000, 1))
    found.tell()
    assert found.run.warnings == (Warned("run", "run-1", "tokens", 0.75, "4500", "6000"),)


# --- providers ----------------------------------------------------------------------------------------------------

WEEKLY = Quota(None, None, 100_000, 0.8)


def models_asked(found: Story) -> list[str]:
    return [effect.model for effect in found.asked(CallModel)]


def test_below_the_soft_limit_the_first_of_the_route_is_asked():
    found = story(told(quota=WEEKLY), ended("one", 0, 6, a=70_000))
    assert outcome(found) == ("DONE_SUCCESS", None)
    assert models_asked(found) == ["small"]
    assert found.run.phases["a"].calls[0].why == "first of its route"


def test_above_the_soft_limit_a_model_of_another_provider_is_asked_and_the_call_says_why():
    found = story(told(quota=WEEKLY), ended("one", 0, 6, a=80_000))
    assert outcome(found) == ("DONE_SUCCESS", None)
    assert models_asked(found) == ["other"]
    assert found.run.phases["a"].calls[0].why == "instead of small (a is above its soft limit)"
    assert refold(found) == found.run


def test_what_was_spent_more_than_seven_days_ago_is_free_again():
    found = story(told(quota=WEEKLY), ended("one", 0, 7.1, a=100_000))
    assert outcome(found) == ("DONE_SUCCESS", None)
    assert models_asked(found) == ["small"]


def test_every_project_of_the_store_counts_for_a_provider():
    found = story(told(quota=WEEKLY), replace(ended("one", 0, 1, a=80_000), project="bank"))
    found.tell()
    assert models_asked(found) == ["other"]


def test_what_the_run_itself_spends_counts_on():
    """4,500 tokens a call: after the first attempt the soft limit is reached."""
    found = story(told(quota=WEEKLY), ended("one", 0, 1, a=76_000)).says(builder=["edit_failed", "ok"])
    assert outcome(found) == ("DONE_SUCCESS", None)
    assert models_asked(found) == ["small", "other"]


def test_a_category_that_is_never_lowered_stays_where_it_is():
    """external_feature_reuse, security_auth_change and schema_contract_change by default."""
    kept = phase("a", category="security_auth_change", attempts=ROUTE, may_downgrade=False)
    found = story(told(kept, quota=WEEKLY), ended("one", 0, 1, a=80_000))
    assert outcome(found) == ("DONE_SUCCESS", None)
    assert models_asked(found) == ["small"]
    why = "first of its route: a is above its soft limit, and security_auth_change is never lowered"
    assert found.run.phases["a"].calls[0].why == why


def test_above_the_soft_limit_with_nobody_else_the_first_is_asked_all_the_same():
    found = story(told(phase("a"), quota=WEEKLY), ended("one", 0, 1, a=80_000))
    assert outcome(found) == ("DONE_SUCCESS", None)
    why = "first of its route: a is above its soft limit, and nobody else has room"
    assert found.run.phases["a"].calls[0].why == why


def test_above_the_quota_another_provider_answers_also_where_the_category_is_never_lowered():
    """What may answer in its place is what the plan named: no model of a lower tier."""
    kept = phase("a", attempts=ROUTE, may_downgrade=False, audit_fallbacks=(OTHER,))
    found = story(told(kept, quota=WEEKLY), ended("one", 0, 1, a=100_000))
    assert outcome(found) == ("DONE_SUCCESS", None)
    assert models_asked(found) == ["other"]
    assert found.run.unusable["small"].startswith("a has used 100,000 of its 100,000 tokens in 7 days, some is free")


def test_above_the_quota_with_nobody_else_the_run_ends_before_its_first_call():
    found = story(told(phase("a"), quota=WEEKLY), ended("one", 0, 1, a=100_000))
    assert outcome(found) == ("DONE_FAILED_BUDGET_EXHAUSTED", "token_cap")
    assert found.asked(CallModel) == []
    assert found.run.failure is not None
    assert 'attempt 1 of phase "a" has nobody left to ask' in found.run.failure.message


def test_a_quota_that_ends_under_way_moves_the_phase_to_the_next_provider():
    hard = Quota(None, None, 100_000, None)
    found = story(told(quota=hard), ended("one", 0, 1, a=92_000)).says(builder=["edit_failed", "ok"])
    assert outcome(found) == ("DONE_SUCCESS", None)
    assert models_asked(found) == ["small", "other"]
    assert [effect.model for effect in found.asked(AssembleContext)] == ["small", "small", "other"]
    assert refold(found) == found.run


def test_a_quota_that_ends_under_way_fails_the_phase_where_nobody_else_is_named():
    """The other phase has its own provider and goes on."""
    hard = Quota(None, None, 100_000, None)
    apart = phase("b", attempts=(Attempt("first", OTHER, "search_replace"),) * 2, audit=OTHER)
    built = told(phase("a"), apart, quota=hard)
    found = story(built, ended("one", 0, 1, a=92_000)).says("a", builder=["edit_failed"])
    assert outcome(found) == ("DONE_FAILED_BUDGET_EXHAUSTED", "token_cap")
    assert found.run.phases["b"].state == "COMPLETE"
    failure = found.run.phases["a"].failure
    assert failure is not None
    assert "Raise its weekly_tokens, or name a model of another provider behind it." in failure.message


def test_what_a_living_run_may_still_spend_is_out_of_the_quota_but_not_above_the_soft_limit():
    found = story(told(quota=WEEKLY), living("now", 0, 0, a=60_000))
    assert outcome(found) == ("DONE_SUCCESS", None)
    assert found.run.allowance is not None
    share = found.run.allowance.providers["a"]
    assert (share.tokens, share.soft, share.spent) == (40_000, 80_000, 0)


# --- a probe that failed ------------------------------------------------------------------------------------------


def test_a_model_whose_probe_failed_is_not_asked_where_the_plan_names_another():
    found = story(told()).says(probe=["down small"])
    assert outcome(found) == ("DONE_SUCCESS", None)
    assert models_asked(found) == ["other"]
    assert found.run.phases["a"].calls[0].why == "instead of small (no connection)"
    assert refold(found) == found.run


def test_where_a_phase_has_nobody_left_the_run_ends_before_its_first_call():
    found = story(told()).says(probe=["down small other"])
    assert outcome(found) == ("DONE_FAILED_ENVIRONMENT", "provider_down")
    assert found.asked(CallModel) == []


def test_also_a_call_that_may_never_be_made_needs_somebody():
    """The second attempt goes to `small` alone."""
    rungs = (ROUTE[0], Attempt("same_model", SMALL, "search_replace"))
    found = story(told(phase("a", attempts=rungs, audit_fallbacks=(OTHER,)))).says(probe=["down small"])
    assert outcome(found) == ("DONE_FAILED_ENVIRONMENT", "provider_down")


def test_two_audits_need_two_models():
    both = phase("a", attempts=ROUTE, audit=OTHER, second_audit=SMALL)
    assert outcome(story(told(both)).says(probe=["down small"])) == ("DONE_FAILED_ENVIRONMENT", "provider_down")
    third = replace(both, audit_fallbacks=(Ask("big", 10_000, 1_000),))
    assert outcome(story(told(third)).says(probe=["down small"])) == ("DONE_SUCCESS", None)
