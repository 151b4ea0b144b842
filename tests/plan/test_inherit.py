"""Where a value comes from: everybody who said something about it, and who won."""

from autopack.plan.inherit import FIELDS, chain, effective, run_caps
from tests.plan.folder import Folder


def told(folder: Folder, name: str) -> list[str]:
    """`value layer path:line` of everybody, the winner first."""
    spec = folder.spec()
    caps = run_caps(spec, 1)
    found = []
    for each in chain(spec, spec.playbook.tiers[0].phases[0], caps, name):
        span = spec.span(each.at) if each.at else None
        place = f" {span.path}:{span.line}" if span and not span.path.startswith("builtin:") else " builtin"
        found.append(f"{each.value} <- {each.layer}{place if span else ''}")
    return found


def test_a_value_names_its_winner_and_all_that_lost_to_it(folder: Folder):
    folder.ruleset("categories: {docs: {ci: strict}}\n")
    folder.phases(
        "id: a, category: docs, ci: normal, builder_mode: tweak_light", head="defaults: {ci: strict, complexity: low}\n"
    )
    assert told(folder, "ci") == [
        "normal <- phase p.yaml:7",
        "strict <- playbook defaults p.yaml:3",
        "normal <- builder mode tweak_light builtin",
        "strict <- category docs rules.yaml:3",
        "normal <- category docs, extended builtin",
        "normal <- ruleset default builtin",
    ]


def test_a_clamp_stands_before_what_it_clamped(folder: Folder):
    folder.phases("id: a, category: bulk_operation, budget: {attempts: 1}", head="budget: {tokens: 600_000}\n")
    assert told(folder, "token_cap") == [
        "600000 <- clamped to the run's cap p.yaml:3",
        "1500000 <- category bulk_operation builtin",
        "500000 <- ruleset default builtin",
    ]
    assert told(folder, "builder_attempts")[:2] == ["1 <- phase p.yaml:7", "2 <- category bulk_operation builtin"]


def test_a_phases_own_budget_outvotes_its_category(folder: Folder):
    folder.phases("id: a, category: docs, budget: {tokens: 90_000}")
    assert told(folder, "token_cap") == [
        "90000 <- phase p.yaml:6",
        "200000 <- category docs builtin",
        "500000 <- ruleset default builtin",
    ]


def test_high_risk_and_complexity_speak_in_their_place(folder: Folder):
    folder.ruleset("categories: {risky: {high_risk: true}}\n").phases("id: a, category: risky")
    assert told(folder, "ci") == [
        "strict <- high risk builtin",
        "strict <- high complexity builtin",
        "normal <- ruleset default builtin",
    ]


def test_the_first_of_a_chain_is_always_what_holds(folder: Folder):
    for phase in (
        "category: docs",
        "category: security_auth, complexity: low, budget: {attempts: 9, tokens: 40_000}",
        "category: tests, builder_mode: refactor_heavy, ci: normal",
        "category: bulk_operation, budget: {attempts: 1}",
    ):
        folder.phases(f"id: a, {phase}", head="budget: {tokens: 700_000}\ndefaults: {complexity: high}\n")
        spec = folder.spec()
        own, caps = spec.playbook.tiers[0].phases[0], run_caps(spec, 1)
        values = effective(spec, own, caps)
        for name in (*FIELDS, "complexity", "token_cap"):
            said = chain(spec, own, caps, name)
            assert (said[0].value, said[0].layer) == (values[name].value, values[name].layer), name


def test_phases_of_one_kind_share_what_they_inherit_and_keep_what_they_say(folder: Folder):
    plan = folder.phases("id: a, category: docs", "id: b, category: docs, ci: strict", "id: c, category: docs").plan()
    assert [phase.ci for phase in plan.phases] == ["normal", "strict", "normal"]
