"""Two plans compared: authority, money, risk, graph; and what `--deny` refuses of it."""

from collections.abc import Mapping
from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopack.plan import canonical
from autopack.plan import diff as subject
from autopack.plan.deny import GROWTH, RULES, NoRule, Sums, denied, rules, sums
from autopack.plan.diff import Change, diff
from autopack.plan.model import (
    AuditPolicy,
    Plan,
    PlanBuilder,
    PlanModel,
    PlanPhase,
    PlanTier,
    Profile,
    Quota,
    SeverityUpgrade,
    digest,
)
from tests.plan.folder import Folder

PLAYBOOK = """\
inputs: {write: {type: string, default: abc}}
tiers:
  - id: T1
    phases:
      - {id: store, goal: g, category: schema_contract_change, scope: {write: ["src/store/**"]}}
      - {id: limit, goal: g, category: feature_scaffolding, needs: [store], scope: {write: [src/a.py]},
         probes: [[python, -V]]}
  - id: T2
    phases:
      - {id: guide, goal: g, category: docs, scope: {write: ["docs/**"]}}
"""


def changed(folder: Folder, old: str, new: str) -> list[Change]:
    """What differs after a replacement in the playbook, without what only follows."""
    assert old in PLAYBOOK
    before = folder.playbook(PLAYBOOK).plan()
    after = folder.playbook(PLAYBOOK.replace(old, new)).plan()
    return [change for change in diff(before, after) if not change.follows]


def said(found: list[Change]) -> list[tuple[str, str, str, str]]:
    return [(change.group, change.subject, change.field, change.effect) for change in found]


def test_equal_plans_have_no_difference(folder: Folder):
    plan = folder.playbook(PLAYBOOK).plan()
    assert diff(plan, canonical.load(Plan, canonical.text(plan))) == ()


def test_a_wider_scope_is_shown_by_a_path_that_was_out_of_reach(folder: Folder):
    found = changed(folder, "write: [src/a.py]", 'write: ["src/*.py"]')
    assert said(found) == [("authority", "phase limit", "write", "widened")]
    assert found[0].shown == "src/.py"


def test_another_spelling_of_the_same_scope_widens_nothing(folder: Folder):
    found = changed(folder, '"docs/**"', "docs/")
    assert said(found) == [("authority", "phase guide", "write", "changed")]


def test_a_narrower_scope_is_shown_by_what_is_lost(folder: Folder):
    found = changed(folder, '"src/store/**"', '"src/store/**", "!src/store/secret.py"')
    assert [(c.effect, c.shown) for c in found] == [("narrowed", "src/store/secret.py")]


def test_a_new_phase_says_what_it_may_write_and_whether_that_is_new(folder: Folder):
    more = "      - {id: news, goal: g, category: docs, scope: {write: [%s]}}\n"
    inside = folder.playbook(PLAYBOOK + more % "docs/news.md").plan()
    beyond = folder.playbook(PLAYBOOK + more % "NEWS.md").plan()
    before = folder.playbook(PLAYBOOK).plan()
    assert [(c.effect, c.shown) for c in diff(before, inside) if c.field == "write"] == [("added", "")]
    assert [(c.effect, c.shown) for c in diff(before, beyond) if c.field == "write"] == [("widened", "NEWS.md")]
    assert ("graph", "phase news", "phase", "added") in said(list(diff(before, beyond)))
    assert ("graph", "phase news", "phase", "removed") in said(list(diff(beyond, before)))


def test_money_goes_up_and_down(folder: Folder):
    found = said(changed(folder, "needs: [store],", "needs: [store], budget: {tokens: 100_000},"))
    assert ("money", "phase limit", "token_cap", "lowered") in found
    assert ("money", "run", "worst.cost_usd", "lowered") in found


def test_less_guard_is_called_loosened(folder: Folder):
    found = said(changed(folder, "schema_contract_change", "docs"))
    assert ("risk", "phase store", "complexity", "loosened") in found
    assert ("risk", "phase store", "ci", "loosened") in found
    assert ("risk", "phase store", "auto_apply", "loosened") in found
    assert ("risk", "phase store", "high_risk", "loosened") in found


def test_a_change_of_words_changes_instructions_and_prompts_follow(folder: Folder):
    before = folder.playbook(PLAYBOOK).plan()
    after = folder.playbook(PLAYBOOK.replace("{id: guide, goal: g", "{id: guide, goal: another")).plan()
    assert [(c.group, c.field, c.follows) for c in diff(before, after)] == [
        ("instructions", "goal", False),
        ("instructions", "builder_prompt", True),
        ("instructions", "auditor_prompt", True),
        ("instructions", "patch_prompt", True),
    ]


def test_a_prompt_that_changes_alone_follows_from_nothing(folder: Folder):
    plan = folder.playbook(PLAYBOOK).plan()
    other = replace(plan, phases=(replace(plan.phases[0], builder_prompt="x"), *plan.phases[1:]))
    assert [(c.field, c.follows) for c in diff(plan, other)] == [("builder_prompt", False)]


def test_an_input_may_be_called_like_a_field(folder: Folder):
    found = changed(folder, "default: abc", "default: b")
    assert said(found) == [("instructions", "run", "inputs.write", "changed")]


def test_less_protection_widens(folder: Folder):
    plan = folder.playbook(PLAYBOOK).plan()
    other = replace(plan, protected_paths=plan.protected_paths[1:])
    assert [(c.field, c.effect) for c in diff(plan, other)] == [("protected_paths", "widened")]
    assert [(c.field, c.effect) for c in diff(other, plan)] == [("protected_paths", "narrowed")]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"hooks": "skip"}, ("authority", "run", "hooks", "loosened")),
        ({"not_clean": "fail_run"}, ("risk", "run", "not_clean", "tightened")),
        ({"promotion": "no_issues"}, ("risk", "run", "promotion", "tightened")),
        ({"audit_policy": AuditPolicy(same_failure=3)}, ("risk", "run", "audit_policy.same_failure", "loosened")),
        ({"audit_policy": AuditPolicy(major_issue=False)}, ("risk", "run", "audit_policy.major_issue", "loosened")),
        ({"aged": ("docs__x__y",)}, ("risk", "run", "aged", "changed")),
        ({"quotas": {"openai": Quota(5, None)}}, ("money", "run", "quotas.openai", "changed")),
    ],
)
def test_what_governs_a_run_has_its_place(folder: Folder, change: dict[str, Any], told: tuple[str, ...]):
    plan = folder.playbook(PLAYBOOK).plan()
    assert said(list(diff(plan, replace(plan, **change)))) == [told]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"recheck": "overlap"}, ("risk", "recheck", "loosened")),
        ({"aged": ("docs__x__y",)}, ("risk", "aged", "changed")),
        ({"patches": ()}, ("money", "patches", "lowered")),
    ],
)
def test_what_governs_a_phase_has_its_place(folder: Folder, change: dict[str, Any], told: tuple[str, ...]):
    plan = folder.playbook(PLAYBOOK).plan()
    first, *rest = plan.phases
    found = diff(plan, replace(plan, phases=(replace(first, **change), *rest)))
    assert [(each.group, each.field, each.effect) for each in found] == [told]


def test_a_command_that_builds_is_authority_and_what_it_may_use_is_money(folder: Folder):
    plan = folder.playbook(PLAYBOOK).plan()
    *rest, last = plan.phases

    def by(builder: PlanBuilder) -> Plan:
        return replace(plan, phases=(*rest, replace(last, builder=builder)))

    agent = PlanBuilder("command", ("agent", "-p"), 60, ("TOKEN",), 1000)
    found = diff(by(agent), by(replace(agent, run=("agent", "--yes"), env_pass=("TOKEN", "KEY"), tokens=2000)))
    assert [(each.group, each.field, each.effect) for each in found] == [
        ("authority", "builder.run", "changed"),
        ("authority", "builder.env_pass", "widened"),
        ("money", "builder.tokens", "raised"),
    ]
    assert "new-commands phase guide" in refused("new-commands", plan, by(agent))
    fresh = replace(plan, phases=tuple(rest))
    assert "new-commands phase guide" in refused("new-commands", fresh, by(agent))
    assert refused("new-commands", fresh, plan) == []


def test_a_second_audit_that_goes_and_a_sandbox_that_opens_loosen(folder: Folder):
    plan = folder.playbook(PLAYBOOK).plan()
    first, *rest = plan.phases
    twice = replace(plan, phases=(replace(first, second_audit=first.audit), *rest))
    assert refused("loosen-guards", twice, plan) == ["loosen-guards phase store"]
    name, profile = next(iter(plan.profiles.items()))
    shut = replace(plan, profiles={**plan.profiles, name: replace(profile, sandbox="bubblewrap", network=False)})
    assert refused("loosen-guards", shut, plan) == [f"loosen-guards CI profile {name}"] * 2
    upgraded = replace(plan, severity_upgrades=(SeverityUpgrade("major", "docs", None, None),))
    assert refused("loosen-guards", upgraded, plan) == ["loosen-guards run"]


def test_the_tables_name_every_field_once():
    tables = {PlanPhase: subject.OF_PHASE, PlanModel: subject.OF_MODEL, Profile: subject.OF_PROFILE}
    for shape, table in {**tables, PlanTier: subject.OF_TIER, Plan: subject.OF_PLAN}.items():
        placed = [name for names in table.values() for name in names]
        called = {PlanPhase: {"phase_id"}, PlanTier: {"tier_id"}}.get(shape, set())
        compared = set(subject.KEYED) if shape is Plan else set()  # one by one
        assert set(placed) == {field.name for field in fields(shape)} - called - compared, shape.__name__
        assert len(placed) == len(set(placed))


# --- empty iff the digests match --------------------------------------------------------------------------------


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    if isinstance(value, dict) and value:
        return [leaf for key, item in value.items() for leaf in leaves(item, (*path, key))]
    if isinstance(value, list) and value:
        return [leaf for number, item in enumerate(value) for leaf in leaves(item, (*path, number))]
    return [path]


def put(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    if not path:
        return new
    copy = dict(value) if isinstance(value, dict) else list(value)
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


def at(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


OTHER: Mapping[type, Any] = {str: "another", int: 77, float: 0.77, bool: True, type(None): None, list: [], dict: {}}


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Plan:
    return Folder(tmp_path_factory.mktemp("sample")).project().playbook(PLAYBOOK).plan()


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_there_is_no_difference_exactly_when_the_digests_are_equal(sample: Plan, data: st.DataObject):
    document = canonical.plain(sample)
    for _ in range(data.draw(st.integers(0, 3))):
        path = data.draw(st.sampled_from(leaves(document)))
        old = at(document, path)
        new = not old if isinstance(old, bool) else OTHER[type(old)]
        document = put(document, path, new)
    try:
        other = canonical.build(Plan, document)
    except canonical.NotThisShape:
        return
    assert (diff(sample, other) == ()) == (digest(sample) == digest(other))
    assert (diff(other, sample) == ()) == (digest(sample) == digest(other))


# --- deny -------------------------------------------------------------------------------------------------------


def refused(rule: str, before: Plan, after: Plan) -> list[str]:
    found = denied(rules([rule]), diff(before, after), sums(before), sums(after))
    return [f"{each.rule} {each.change.subject if each.change else each.fact}" for each in found]


BREAKS = {
    "widen-scope": ("[src/a.py]", '["src/**"]', "widen-scope phase limit"),
    "new-commands": ("[python, -V]", "[python, -c, pass]", "new-commands phase limit"),
    "new-grants": ("probes:", "allow: [growth], probes:", "new-grants phase limit"),
    "loosen-guards": ("category: docs", "category: tests, complexity: low", None),
    "raise-caps": ("needs: [store],", "needs: [store], budget: {tokens: 900_000},", "raise-caps phase limit"),
    "drop-phases": ("id: guide", "id: manual", "drop-phases phase guide"),
    "new-phases": ("id: guide", "id: manual", "new-phases phase manual"),
    "any": ("category: docs", "category: docs, tags: [x]", "any phase guide"),
}


@pytest.mark.parametrize(("rule", "case"), BREAKS.items())
def test_a_rule_names_what_breaks_it(folder: Folder, rule: str, case: tuple[str, str, str | None]):
    old, new, told = case
    before = folder.playbook(PLAYBOOK).plan()
    after = folder.playbook(PLAYBOOK.replace(old, new)).plan()
    assert refused(rule, before, before) == []
    if told is not None:
        assert told in refused(rule, before, after)


def test_guards_models_and_protection_have_their_rules(folder: Folder):
    before = folder.playbook(PLAYBOOK).plan()
    risky = folder.playbook(PLAYBOOK.replace("schema_contract_change", "docs")).plan()
    assert "loosen-guards phase store" in refused("loosen-guards", before, risky)
    assert refused("loosen-guards", risky, before) == []
    assert refused("unprotect", before, replace(before, protected_paths=())) == ["unprotect run"]
    name, model = next(iter(before.models.items()))
    elsewhere = replace(before, models={**before.models, name: replace(model, api_base="http://127.0.0.1:1")})
    assert refused("new-models", before, elsewhere) == [f"new-models model {name}"]


def test_growth_is_judged_by_its_share(folder: Folder):
    old, new = Sums(Decimal(10), Decimal(1), 1000, Decimal(60)), Sums(Decimal("12.5"), Decimal(1), 1000, Decimal(60))
    assert [found.fact for found in denied(("cost+20%",), (), old, new)] == [
        "the worst case in USD grows by 25.0 %, at most 20 % is allowed"
    ]
    assert denied(("cost+25%", "tokens+0%", "expected+0%", "minutes+0%"), (), old, new) == ()
    assert [f.fact for f in denied(("cost+20%",), (), old, replace(new, cost=None))] == [
        "the worst case in USD has no bound any more"
    ]


def test_an_unknown_rule_is_told():
    assert rules(["widen-scope, cost+20%", "any"]) == ("widen-scope", "cost+20%", "any")
    with pytest.raises(NoRule, match="there is no rule 'widen-scop'; did you mean `widen-scope`"):
        rules(["widen-scop"])
    with pytest.raises(NoRule, match="there is no rule 'price"):
        rules(["price+10%"])
    assert set(GROWTH) == {"cost", "expected", "tokens", "minutes"}
    assert set(BREAKS) <= set(RULES)
