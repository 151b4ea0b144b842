"""Findings about ids, references, paths and exceptions: one a fault, at the token, and none that only follow."""

from collections.abc import Callable

import pytest

from autopack.spec.seen import still
from tests.spec.marks import Case, phase, playbook

Expect = Callable[[str, str], str]
CI = "autopack: ci/v1\nname: x\nprofiles:\n"
UNIT = "{id: unit, run: [pytest]}"


def tiers(*texts: str) -> str:
    return "autopack: playbook/v1\nname: demo\ntiers:\n" + "".join(f"  - {text}\n" for text in texts)


def models(**keys: str) -> str:
    """A catalogue of one model `mini`, one line a key; keys replace or add lines."""
    lines = {
        "litellm": "openai/mini",
        "tier": "economy",
        "context_tokens": "1000",
        "max_output_tokens": "100",
        "price": '{input: "1", output: "2", as_of: 2026-01-01}',
    } | {key: value for key, value in keys.items() if not key.startswith("_")}
    body = "".join(f"    {key}: {value}\n" for key, value in lines.items() if value)
    name, routing = keys.get("_name", "mini"), keys.get("_routing", "")
    route = "{builder: [mini], auditor: [mini]}"
    by_complexity = keys.get("_complexity", f"{{low: {route}, medium: {route}, high: {route}}}")
    return (
        f"autopack: models/v1\nname: x\nmodels:\n  {name}:\n{body}"
        f"routing:\n  complexity: {by_complexity}\n{routing}{keys.get('_more', '')}"
    )


# --- ids --------------------------------------------------------------------------------------------------


def test_a_duplicate_id_is_told_at_the_later_one_whatever_its_case(expect: Expect) -> None:
    said = expect("AP3001", playbook(phase("⟪store⟫"), phase("b"), phase("⟦Store⟧")))
    assert said.startswith('a second phase with the id "Store" | ')


def test_a_duplicate_id_in_another_tier_is_one_too(expect: Expect) -> None:
    """REQ-4.2-1."""
    expect("AP3001", tiers(f"{{id: T1, phases: [{phase('⟪a⟫')}]}}", f"{{id: T2, phases: [{phase('⟦a⟧')}]}}"))


def test_a_tier_may_be_called_like_a_phase_but_not_like_a_tier(expect: Expect) -> None:
    expect("AP3001", tiers(f"{{id: ⟪a⟫, phases: [{phase('a')}]}}", f"{{id: ⟦A⟧, phases: [{phase('b')}]}}"))


def test_what_follows_from_a_duplicate_id_is_not_told_again(expect: Expect) -> None:
    """The third phase was to be `limit`: its need of `store` looks like one of itself, and `limit` is missing."""
    expect(
        "AP3001",
        playbook(
            phase("⟪store⟫"), phase("api"), phase("⟦store⟧", "needs: [store]"), phase("docs", "needs: [limit, store]")
        ),
    )


def test_a_need_beyond_what_a_duplicate_explains_is_told(case: Case) -> None:
    case.write("it.yaml", playbook(phase("a"), phase("a"), phase("c", "needs: [bee]"), phase("dee", "needs: [de]")))
    found = [(p.code, p.message) for p in case.check("it.yaml").problems]
    assert found == [("AP3001", 'a second phase with the id "a"'), ("AP3002", 'no phase has the id "de"')]


def test_a_refused_id_is_not_missed_by_those_who_need_it(expect: Expect) -> None:
    expect("AP2003", playbook(phase("⟦12⟧"), phase("b", "needs: [store]")))


@pytest.mark.parametrize("name", ["a..b", "a.", "a.lock", "a.LOCK"])
def test_an_id_that_git_takes_for_no_branch_is_refused(expect: Expect, name: str) -> None:
    expect("AP3012", playbook(phase(f"⟦{name}⟧")))


# --- needs ------------------------------------------------------------------------------------------------


def test_a_need_of_nothing_known_comes_with_the_nearest_id(expect: Expect) -> None:
    said = expect("AP3002", playbook(phase("store"), phase("b", "needs: [⟦stroe⟧]")))
    assert said == 'no phase has the id "stroe" | did you mean `store`?'


def test_ids_are_told_apart_by_case_where_they_are_needed(expect: Expect) -> None:
    assert "did you mean `store`?" in expect("AP3002", playbook(phase("store"), phase("b", "needs: [⟦Store⟧]")))


def test_a_phase_that_needs_itself_is_refused(expect: Expect) -> None:
    expect("AP3003", playbook(phase("a", "needs: [⟦a⟧]")))


def test_a_tier_that_needs_itself_is_refused(expect: Expect) -> None:
    expect("AP3003", tiers(f"{{id: T1, needs: [⟦T1⟧], phases: [{phase('a')}]}}"))


def test_a_need_of_a_later_tier_is_refused(expect: Expect) -> None:
    expect(
        "AP3004",
        tiers(f"{{id: T1, phases: [{phase('a', 'needs: [⟦b⟧]')}]}}", f"{{id: T2, phases: [{phase('⟪b⟫')}]}}"),
    )


def test_a_tier_that_needs_a_later_one_is_refused(expect: Expect) -> None:
    expect(
        "AP3004",
        tiers(f"{{id: T1, needs: [⟦T2⟧], phases: [{phase('a')}]}}", f"{{id: ⟪T2⟫, phases: [{phase('b')}]}}"),
    )


def test_a_need_of_an_earlier_tier_or_a_later_phase_of_the_same_is_fine(case: Case) -> None:
    case.write(
        "it.yaml",
        tiers(
            f"{{id: T1, phases: [{phase('a', 'needs: [b]')}, {phase('b')}]}}",
            f"{{id: T2, needs: [], phases: [{phase('c', 'needs: [a]')}]}}",
        ),
    )
    assert case.check("it.yaml").problems == []


# --- references -------------------------------------------------------------------------------------------


def test_an_undeclared_category_is_refused(expect: Expect) -> None:
    said = expect("AP5001", playbook(phase("a").replace("docs,", "⟦dosc⟧,")))
    assert said == 'no category "dosc" in the ruleset | did you mean `docs`?'


def test_both_names_of_a_category_are_taken(case: Case) -> None:
    case.write("it.yaml", playbook(*(phase(f"p{n}").replace("docs,", f"{name},") for n, name in enumerate(
        ["schema_contract_change", "schema_change", "security_auth_change", "security_auth", "bulk_operation"]
    ))))  # fmt: skip
    assert case.check("it.yaml").problems == []


def test_an_unknown_ci_profile_is_refused(expect: Expect) -> None:
    assert expect("AP3005", playbook(phase("a", "ci: ⟦strcit⟧"))) == 'no CI profile "strcit" | did you mean `strict`?'


def test_an_unknown_ci_profile_for_all_phases_is_refused(expect: Expect) -> None:
    said = expect("AP3005", playbook(phase("a"), top="defaults: {ci: ⟦nightly⟧}\n"))
    assert said == 'no CI profile "nightly" | profiles of the CI file: normal, strict'


def test_a_route_to_an_unknown_model_is_refused(expect: Expect) -> None:
    route = "{builder: [mini], auditor: [mini]}"
    broken = "{builder: [mini, ⟦big⟧], auditor: [mini]}"
    said = expect("AP3006", models(_complexity=f"{{low: {route}, medium: {broken}, high: {route}}}"))
    assert said == 'no model "big" in this catalogue | models: mini'


def test_a_route_of_an_unknown_category_is_refused_at_its_key(expect: Expect) -> None:
    expect("AP5001", models(_routing="  categories: {⟦dosc⟧: {builder: [mini], auditor: [mini]}}\n"))


def test_a_category_that_must_not_fall_has_to_exist(expect: Expect) -> None:
    expect("AP5001", models(_routing="  never_downgrade: [⟦security⟧, security_auth]\n"))


def test_a_ruleset_names_profiles_and_categories_that_exist(case: Case) -> None:
    case.write(
        "r.yaml",
        "autopack: ruleset/v1\nname: x\ncategories:\n  payments: {ci: ⟦strickt⟧}\n"
        "landing: {recheck: {⟦nightly⟧: always}}\n",
    )
    case.expect("AP3005", "r.yaml")


def test_a_severity_upgrade_is_about_a_category_that_exists(expect: Expect) -> None:
    expect("AP5001", "autopack: ruleset/v1\nname: x\nseverity_upgrades: [{match: {category: ⟦payment⟧}, to: major}]\n")


def test_no_two_categories_share_a_name(expect: Expect) -> None:
    said = expect("AP3001", "autopack: ruleset/v1\nname: x\ncategories: {payments: {task_category: ⟦schema_change⟧}}\n")
    assert said.startswith('"schema_change" already stands for the category "schema_contract_change"')


# --- paths ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/etc/passwd", "is absolute"),
        ("C:/x", "is absolute"),
        ("../other/**", "leaves its folder"),
        ("src/../../x", "leaves its folder"),
        (".git/hooks/**", "enters `.git`"),
        ("src/.GIT/config", "enters `.git`"),
        ("src\\\\x", "holds a backslash"),
        ("src//x", "is not normalised"),
        ("!../x", "leaves its folder"),
    ],
)
@pytest.mark.parametrize("key", ["write", "read"])
def test_a_scope_stays_inside_the_repository(expect: Expect, key: str, path: str, reason: str) -> None:
    other = "" if key == "write" else "write: [a], "
    scope = f'{{{other}{key}: ["src/**", ⟦"{path}"⟧]}}'
    assert reason in expect("AP3011", playbook(f"{{id: a, goal: x, category: docs, scope: {scope}}}"))


@pytest.mark.parametrize(
    "text",
    [
        playbook(phase("a"), top="context: [⟦/etc/motd⟧]\n"),
        playbook(phase("a", "allow: [{protected_paths: [⟦.git/config⟧]}]")),
        playbook(phase("a", "deliverables: [⟦../x⟧]")),
        "autopack: project/v1\nname: x\nartifacts: {path: ⟦/tmp⟧}\nplaybooks: []\n",
        f"{CI}  normal: {{steps: [{{id: a, run: [a], report: {{junit: ⟦../r.xml⟧}}}}]}}\n",
        "autopack: ruleset/v1\nname: x\nprotected_paths: [.git/**, ⟦/etc/**⟧]\n",
    ],
    ids=["context", "allow", "deliverables", "artifacts", "junit", "protected"],
)
def test_every_other_path_stays_inside_the_repository(expect: Expect, text: str) -> None:
    expect("AP3011", text)


@pytest.mark.parametrize(
    "path", ["src/**", "a/b-c_d.e", "*.md", ".github/**", "docs/", "!docs/x.md", "**/x", "app/[id].ts"]
)
def test_ordinary_patterns_are_no_fault(case: Case, path: str) -> None:
    case.write("it.yaml", playbook(phase("a").replace("docs/**", f'"{path}"')))
    assert case.check("it.yaml").problems == []


def test_a_deliverable_outside_the_scope_is_refused(expect: Expect) -> None:
    said = expect(
        "AP3010",
        playbook("{id: a, goal: x, category: docs, scope: {write: ⟪[⟫src/**]}, deliverables: [src/a.py, ⟦docs/a.md⟧]}"),
    )
    assert said.startswith('the deliverable "docs/a.md" is outside `scope.write`')


@pytest.mark.parametrize("write", ["src/**", "src/", "src/*.py", "**/*.py", "src/a.py", "**"])
def test_a_deliverable_inside_the_scope_is_fine(case: Case, write: str) -> None:
    text = f'{{id: a, goal: x, category: docs, scope: {{write: ["{write}"]}}, deliverables: [src/a.py]}}'
    case.write("it.yaml", playbook(text))
    assert case.check("it.yaml").problems == []


def test_a_faulty_scope_says_nothing_about_deliverables(expect: Expect) -> None:
    expect(
        "AP3011", playbook("{id: a, goal: x, category: docs, scope: {write: [⟦/src/**⟧]}, deliverables: [src/a.py]}")
    )


# --- project ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["a b", "a..b", "x.lock", "a~1", '"-x"', "a/", "/a", '"@"', "a//b", ".a/b"])
def test_a_branch_has_a_name_that_git_takes(expect: Expect, name: str) -> None:
    expect("AP3016", f"autopack: project/v1\nname: x\nplaybooks: []\nintegration_branch: ⟦{name}⟧\n")


def test_a_branch_knows_one_word_in_braces(expect: Expect) -> None:
    said = expect("AP3016", 'autopack: project/v1\nname: x\nplaybooks: []\nintegration_branch: ⟦"auto/{run}"⟧\n')
    assert said.startswith('"{run}" stands for nothing')


@pytest.mark.parametrize(
    "text",
    [
        "integration_branch: ⟦release/{run_id}⟧\nprotected_branches: [main, ⟪release/*⟫]\n",
        "integration_branch: ⟦main⟧\n",
        "integration_branch: ⟦trunk⟧\nbase_branch: ⟪trunk⟫\n",
        "protected_branches: [main, ⟦autonomous/*⟧]\n",
    ],
    ids=["pattern", "default pattern", "base branch", "default branch"],
)
def test_the_integration_branch_is_not_protected(expect: Expect, text: str) -> None:
    expect("AP3015", f"autopack: project/v1\nname: x\nplaybooks: []\n{text}")


# --- ruleset ----------------------------------------------------------------------------------------------


def test_the_auditor_gets_fewer_attempts_than_the_builder(expect: Expect) -> None:
    said = expect(
        "AP3013",
        "autopack: ruleset/v1\nname: x\ncategories:\n  payments: {builder_attempts: ⟪3⟫, auditor_attempts: ⟦3⟧}\n",
    )
    assert said == "3 attempts of the Auditor beside 3 of the Builder | write at most 2"


def test_the_builder_s_attempts_may_be_inherited(expect: Expect) -> None:
    """A high-risk category without a number of its own has 2, from the row `high_risk`."""
    expect("AP3013", "autopack: ruleset/v1\nname: x\ncategories: {pay: {high_risk: true, auditor_attempts: ⟦2⟧}}\n")


def test_one_attempt_each_is_the_least_there_is(case: Case) -> None:
    case.write(
        "r.yaml", "autopack: ruleset/v1\nname: x\ncategories: {pay: {builder_attempts: 1, auditor_attempts: 1}}\n"
    )
    assert case.check("r.yaml").problems == []


GRANT = "autopack: ruleset/v1\nname: x\ngrants: [{phases: [a], allow: [binary], owner: ann, reason: b, until: %s}]\n"


def test_an_expired_grant_is_an_error(expect: Expect) -> None:
    said = expect("AP3014", GRANT % "⟦2026-11-21⟧")
    assert said == "this grant held until 2026-11-21 | ask ann to renew it, or remove it"


def test_a_grant_holds_on_its_last_day(case: Case) -> None:
    case.write("r.yaml", GRANT % "2026-11-22")
    assert case.check("r.yaml").problems == []


# --- ci ---------------------------------------------------------------------------------------------------


def test_an_expired_quarantine_is_an_error(expect: Expect) -> None:
    expect(
        "AP3014",
        f"{CI}  normal: {{steps: [{UNIT}]}}\nquarantine: [{{test: t, owner: ann, reason: b, until: ⟦2020-01-01⟧}}]\n",
    )


def test_a_profile_extends_one_of_its_file(expect: Expect) -> None:
    said = expect("AP3005", f"{CI}  normal: {{steps: [{UNIT}]}}\n  strict: {{extends: ⟦nromal⟧}}\n")
    assert said == 'no CI profile "nromal" | did you mean `normal`?'


def test_profiles_that_extend_each_other_are_told_once_with_the_whole_circle(expect: Expect) -> None:
    said = expect(
        "AP3009", f"{CI}  a: {{extends: ⟦b⟧}}\n  b: {{extends: ⟪c⟫}}\n  c: {{extends: ⟪a⟫, steps: [{UNIT}]}}\n"
    )
    assert "a -> b -> c -> a" in said


def test_a_profile_without_steps_is_refused(expect: Expect) -> None:
    expect("AP3024", f"{CI}  normal: {{steps: [{UNIT}]}}\n  ⟦none⟧: {{retries: 1}}\n")


def test_a_profile_may_take_all_its_steps_from_another(case: Case) -> None:
    case.write("c.yaml", f"{CI}  normal: {{steps: [{UNIT}]}}\n  strict: {{extends: normal}}\n")
    assert case.check("c.yaml").problems == []


def test_steps_of_a_list_have_ids_of_their_own(expect: Expect) -> None:
    expect("AP3001", f"{CI}  normal: {{steps: [{UNIT.replace('unit', '⟪unit⟫')}, {UNIT.replace('unit', '⟦unit⟧')}]}}\n")


@pytest.mark.parametrize("run", ["[⟦bash⟧, -c, make test]", "[⟦/bin/sh⟧, -ec, make]"])
def test_a_shell_is_pointed_out(expect: Expect, run: str) -> None:
    expect("AP3025", f"{CI}  normal: {{steps: [{{id: a, run: {run}}}]}}\n")


def test_a_shell_is_information_and_no_error(case: Case) -> None:
    case.write("c.yaml", f"{CI}  normal: {{steps: [{{id: a, run: [bash, -c, make]}}]}}\n")
    assert [p.severity for p in case.check("c.yaml").problems] == ["info"]


# --- models -----------------------------------------------------------------------------------------------


def test_a_model_without_a_price_is_refused(expect: Expect) -> None:
    assert expect("AP3017", models(_name="⟦mini⟧", price="")).startswith('the model "mini" has no price | ')


def test_a_refused_price_is_not_missed(expect: Expect) -> None:
    expect("AP2005", models(price="⟦free⟧"))


def test_an_unmetered_model_needs_a_cap(expect: Expect) -> None:
    expect("AP3017", models(price="⟦unmetered⟧"))


def test_an_unmetered_model_with_a_cap_is_fine(case: Case) -> None:
    case.write("m.yaml", models(price="unmetered", token_cap="1_000"))
    assert case.check("m.yaml").problems == []


def test_an_answer_must_leave_room_for_the_question(expect: Expect) -> None:
    expect("AP3027", models(context_tokens="⟪1000⟫", max_output_tokens="⟦1000⟧"))


def test_a_quota_for_a_provider_without_models_is_a_warning(case: Case) -> None:
    case.write("m.yaml", models(_more="providers: {⟦opnai⟧: {concurrency: 1}, openai: {concurrency: 2}}\n"))
    (found,) = case.expect("AP3026", "m.yaml").problems
    assert (found.severity, found.help) == ("warning", "did you mean `openai`?")


# --- inputs -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "declared",
    [
        "{type: integer, default: ⟦x⟧}",
        "{type: boolean, default: ⟦1⟧}",
        "{type: number, default: ⟦true⟧}",
        "{default: ⟦5⟧}",
        "{enum: [a, b], default: ⟦c⟧}",
        "{type: ⟪integer⟫, enum: [1, ⟦b⟧]}",
        "{type: ⟪integer⟫, enum: [⟦a⟧, ⟪b⟫], default: a}",
    ],
)
def test_defaults_and_values_of_an_input_are_of_its_type(expect: Expect, declared: str) -> None:
    assert expect("AP3018", playbook(phase("a"), top=f"inputs: {{n: {declared}}}\n")).startswith('the input "n" ')


@pytest.mark.parametrize(
    ("declared", "advice", "fix"),
    [
        ('{type: integer, default: "3"}', "write `3` without quotes", "3"),
        ('{type: boolean, default: "true"}', "write `true` without quotes", "true"),
        ("{type: integer, default: three}", "write a value of that type, or declare another type", None),
        ("{type: integer, default: a, enum: [a, b]}", "write values of that type, or declare another type", None),
        ("{type: integer, default: x, enum: [1, 2]}", "write one of: 1, 2", None),
        ("{default: orders, enum: [order, users]}", "did you mean `order`?", "order"),
        ("{default: 5, enum: [a, b]}", 'write one of: "a", "b"', None),
    ],
)  # fmt: skip
def test_a_default_that_does_not_fit_is_never_advised_again(
    case: Case, declared: str, advice: str, fix: str | None
) -> None:
    case.write("p.yaml", playbook(phase("a"), top=f"inputs: {{n: {declared}}}\n"))
    (found,) = case.check("p.yaml").problems
    assert (found.code, found.help) == ("AP3018", advice)
    assert [each.text for each in found.fixes] == ([fix] if fix else [])


def test_a_price_was_looked_up_on_a_day_of_the_calendar(expect: Expect) -> None:
    said = expect("AP2006", models(price='{input: "1", output: "2", as_of: ⟦2026-02-30⟧}'))
    assert said == "2026-02-30 is no day of the calendar | write it like 2027-01-31"


def test_a_missing_route_is_missing_in_the_routing_by_complexity(expect: Expect) -> None:
    route = "{builder: [mini], auditor: [mini]}"
    said = expect("AP2002", models(_complexity=f"{{⟦low⟧: {route}, medium: {route}}}"))
    assert said.startswith('"high" is missing in this routing by complexity | ')


# --- what other files have --------------------------------------------------------------------------------

GRANTED = "{phases: [%s], allow: [test_changes], owner: ann, reason: rewrite, until: 2027-01-31}"


def project_with(case: Case, grants: str, *phases: str, top: str = "") -> Case:
    case.write("autopack.yaml", "autopack: project/v1\nname: shop\nplaybooks: [p.yaml]\nruleset: r.yaml\n")
    case.write("r.yaml", f"autopack: ruleset/v1\nname: x\ngrants: [{GRANTED % grants}]\n")
    case.write("p.yaml", playbook(*phases, top=top))
    return case


def test_a_grant_names_phases_of_a_playbook_of_the_project(case: Case) -> None:
    (found,) = project_with(case, "store, ⟦stoer⟧", phase("store")).expect("AP3033").problems
    assert (found.severity, found.help, [fix.text for fix in found.fixes]) == (
        "warning",
        "did you mean `store`?",
        ["store"],
    )


def test_a_grant_may_name_a_fan_out_or_one_of_it(case: Case) -> None:
    project_with(case, "a, a.x", phase("a", "for_each: [x, y]")).expect("AP3033")


def test_nobody_knows_which_phases_there_are_while_a_playbook_is_broken(case: Case) -> None:
    project_with(case, "b", phase("a"), "⟦5⟧").expect("AP2003")


def test_context_that_is_not_in_the_checkout_is_told_with_what_is_there(case: Case) -> None:
    (case.root / "docs").mkdir()
    (case.root / "docs" / "limits.md").write_text("Few.\n", encoding="utf-8")
    shown = 'context: [docs/limits.md, ⟦docs/limit.md⟧, "docs/*.txt"]\n'
    (found,) = project_with(case, "a", phase("a"), top=shown).expect("AP3034").problems
    assert (found.severity, found.help) == ("warning", "did you mean `docs/limits.md`?")


def test_context_is_looked_for_in_the_repository_that_is_built(case: Case) -> None:
    case.write("autopack.yaml", "autopack: project/v1\nname: shop\nplaybooks: [p.yaml]\nrepository: app\n")
    (case.root / "app").mkdir()
    (case.root / "app" / "README.md").write_text("Shop.\n", encoding="utf-8")
    case.write("p.yaml", playbook(phase("a"), top="context: [README.md]\n"))
    case.expect("AP3034")


def test_an_answer_is_not_kept_past_the_file_that_is_shown(case: Case) -> None:
    file = case.root / "README.md"
    file.write_text("Shop.\n", encoding="utf-8")
    checked = project_with(case, "a", phase("a"), top="context: [README.md]\n").check()
    assert checked.seen.whole
    assert still(checked.seen.facts)
    file.unlink()
    assert not still(checked.seen.facts)
