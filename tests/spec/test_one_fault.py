"""One fault, one finding: what a single mistake used to say several times."""

from collections.abc import Callable
from typing import Any

import pytest

from autopack.spec.files import shipped_place
from autopack.spec.load import check
from tests.spec.marks import Case, phase, playbook

Expect = Callable[[str, str], str]

PROJECT = "autopack: project/v1\nname: shop\n"


def test_a_project_file_of_another_kind_is_told_at_its_header(case: Case) -> None:
    case.write("autopack.yaml", "autopack: ⟦ruleset/v1⟧\nname: shop\nplaybooks: [a.yaml]\nbase_branch: main\n")
    found = case.expect("AP3008").problems[0]
    assert found.message == "autopack.yaml is a file of kind ruleset, not project"
    assert found.help == "write `project/v1`, or give the file another name"


def test_an_empty_project_file_is_told_the_header_of_a_project(case: Case) -> None:
    for text in ("", "- a\n", "# nothing yet\n"):
        (case.root / "autopack.yaml").write_text(text, encoding="utf-8")
        (found,) = case.check().problems
        assert (found.code, (found.help or "")[:49]) == ("AP1001", "start the file with `autopack: project/v1` (kinds")


def test_a_key_that_is_no_text_is_not_an_unknown_key_as_well(expect: Expect) -> None:
    expect("AP1018", f"{playbook(phase('a'))}⟦1⟧: x\n")


def test_a_list_of_words_for_a_list_of_commands_is_told_once_at_the_list(case: Case) -> None:
    case.write("p.yaml", playbook(phase("a", "probes: ⟦[⟧python, -m, pytest]")))
    found = case.expect("AP2004", "p.yaml").problems[0]
    assert found.help == "write `[[python, -m, pytest]]`"
    assert [fix.text for fix in found.fixes] == ["[", "]"]


def test_commands_in_one_piece_are_told_as_commands(expect: Expect) -> None:
    said = expect("AP2004", playbook(phase("a", "probes: ⟦[⟧pytest -q, ruff check]")))
    assert said == '"probes" is a list of words where a list of lists belongs | write `[[pytest, -q], [ruff, check]]`'


def test_quotes_that_swallow_lines_are_told_where_they_open(expect: Expect) -> None:
    text = "autopack: playbook/v1\nname: ⟦'x⟧\ntiers:\n  - id: T1\n    phases: [⟪'⟫a']\n"
    assert expect("AP1015", text).startswith("quotes that are not closed where they should be")


def test_a_link_that_leads_nowhere_is_told_at_the_pattern(case: Case) -> None:
    case.write("autopack.yaml", f'{PROJECT}playbooks: [⟦"p/*.yaml"⟧]\n')
    (case.root / "p").mkdir()
    (case.root / "p" / "a.yaml").symlink_to("gone.yaml")
    assert case.expect("AP3007").problems[0].message == "p/a.yaml is a link that leads nowhere"


def test_a_key_written_twice_leaves_nobody_wrong_who_names_what_it_holds(expect: Expect) -> None:
    mini = "litellm: a, tier: economy, context_tokens: 9000, max_output_tokens: 90, price: unmetered, token_cap: 9"

    route = "{builder: [big], auditor: [mini]}"
    routes = f"routing: {{complexity: {{low: {route}, medium: {route}, high: {route}}}}}\n"
    models = f"models:\n  ⟪mini⟫: {{{mini}}}\n  ⟦mini⟧: {{{mini}}}\n"
    expect("AP1005", f"autopack: models/v1\nname: h\n{models}{routes}")


def test_a_scope_written_twice_judges_no_deliverable(expect: Expect) -> None:
    scope = 'scope: {⟪write⟫: ["docs/**"], ⟦write⟧: ["src/**"]}, deliverables: [docs/x.md]'
    text = "autopack: playbook/v1\nname: x\ntiers:\n  - id: T1\n    phases:\n"
    expect("AP1005", f"{text}      - {{id: a, goal: Do it., category: docs, {scope}}}\n")


def test_a_pattern_that_leaves_the_project_is_not_followed(case: Case) -> None:
    (case.root / "a.yaml").write_text("autopack: oops\n", encoding="utf-8")
    (case.root / "shop").mkdir()
    text = f"{PROJECT}playbooks: [../*.yaml]\n"
    (case.root / "shop" / "autopack.yaml").write_text(text, encoding="utf-8")
    (found,) = case.check("shop/autopack.yaml").problems
    assert (found.code, found.span and found.span.path) == ("AP3011", "shop/autopack.yaml")


@pytest.mark.parametrize("named", ["{outside}/secret.yaml", "link.yaml", "folder/secret.yaml"])
def test_what_leads_out_of_the_repository_is_not_read(case: Case, tmp_path_factory: Any, named: str) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "secret.yaml").write_text("autopack: ruleset/v1\ntoken: hunter2\n", encoding="utf-8")
    (case.root / "link.yaml").symlink_to(outside / "secret.yaml")
    (case.root / "folder").symlink_to(outside)
    case.write("autopack.yaml", f"{PROJECT}playbooks: []\nruleset: ⟦{named.format(outside=outside)}⟧\n")
    found = case.expect("AP3011")
    assert "hunter2" not in "".join(document.text for document in found.documents.values())


def test_a_link_in_a_folder_that_leads_out_is_passed_over(case: Case, tmp_path_factory: Any) -> None:
    outside = tmp_path_factory.mktemp("outside") / "secret.yaml"
    outside.write_text("autopack: ruleset/v1\ntoken: hunter2\n", encoding="utf-8")
    (case.root / "link.yaml").symlink_to(outside)
    found = case.check(".")
    assert found.files == ()
    assert "link.yaml, which leads out of the repository" in found.not_checked


def test_of_many_files_that_are_passed_over_the_first_are_named(case: Case, tmp_path_factory: Any) -> None:
    outside = tmp_path_factory.mktemp("outside")
    for number in range(30):
        (case.root / f"{number:02}.yaml").symlink_to(outside / "secret.yaml")
    told = [each for each in case.check(".").not_checked if "more files" in each or "leads out" in each]
    assert told == [*(f"{number:02}.yaml, which leads out of the repository" for number in range(10)), "20 more files"]


def test_a_link_to_a_folder_elsewhere_is_not_walked_and_the_folder_itself_is(case: Case, tmp_path_factory: Any) -> None:
    outside = tmp_path_factory.mktemp("outside")
    (outside / "a.yaml").write_text(playbook(phase("a")), encoding="utf-8")
    (case.root / "link").symlink_to(outside)
    for named in ("link", "link/"):
        (found,) = case.check(named).problems
        assert found.message == f"{named} is a link that leads out of the repository, so it is not followed"
        assert found.help == "name the folder that it leads to"
    assert len(case.check(str(outside)).files) == 1


@pytest.mark.parametrize("pattern", ["playbooks/**/*.yaml", "play*/**/[!.]*.yaml", "**/deep/*.yaml"])
def test_links_to_folders_are_not_entered_by_a_pattern_for_any_depth(case: Case, pattern: str) -> None:
    case.write("playbooks/deep/a.yaml", playbook(phase("a")))
    case.write("playbooks/.hidden/deep/b.yaml", "token: hunter2\n")
    (case.root / "playbooks" / "loop").symlink_to(case.root / "playbooks")
    (case.root / "playbooks" / "all").symlink_to("/")
    case.write("autopack.yaml", f'{PROJECT}playbooks: ["{pattern}"]\n')
    found = case.check()
    assert found.problems == []
    assert found.files == ("autopack.yaml", "playbooks/deep/a.yaml")


def test_a_link_that_a_pattern_names_and_that_leads_out_is_told(case: Case, tmp_path_factory: Any) -> None:
    (case.root / "playbooks").symlink_to(tmp_path_factory.mktemp("outside"))
    case.write("autopack.yaml", f"{PROJECT}playbooks: [⟦playbooks/**/*.yaml⟧]\n")
    (found,) = case.expect("AP3011").problems
    assert found.message == "playbooks leads out of the repository, so it is not followed"


def test_from_a_folder_below_the_project_is_the_same_with_its_scenarios(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}playbooks: [p.yaml]\n")
    case.write("p.yaml", playbook(phase("a")))
    expected = "answers: {a: {ci: [green]}}\nexpect: {phases: {b: COMPLETE}}\n"
    case.write("scenarios/s.yaml", f"autopack: scenario/v1\nname: s\nplaybook: p.yaml\n{expected}")
    (case.root / "src" / "deep").mkdir(parents=True)
    (case.root / ".git").mkdir()
    problems = check(str(case.root / "src" / "deep")).problems
    assert [each.message for each in problems] == ['the playbook has no phase "b"']
    (found,) = problems
    assert (found.code, found.span and found.span.path) == ("AP3031", "../../scenarios/s.yaml")


def test_a_file_of_the_repository_above_the_project_is_followed(case: Case) -> None:
    (case.root / ".git").mkdir()
    (case.root / "shop").mkdir()
    (case.root / "house.yaml").write_text("autopack: ruleset/v1\nname: house\n", encoding="utf-8")
    project = case.root / "shop" / "autopack.yaml"
    project.write_text(f"{PROJECT}playbooks: []\nruleset: ../house.yaml\n", encoding="utf-8")
    assert check(str(project.parent)).problems == []


def test_a_check_in_a_folder_below_finds_the_project_above(case: Case) -> None:
    (case.root / ".git").mkdir()
    below = case.root / "playbooks" / "docs"
    below.mkdir(parents=True)
    (case.root / "autopack.yaml").write_text(f"{PROJECT}playbooks: [gone.yaml]\n", encoding="utf-8")
    (found,) = check(str(below)).problems
    assert (found.code, found.span and found.span.path) == ("AP3007", "../../autopack.yaml")


def test_without_git_a_check_looks_no_further_than_its_folder(case: Case) -> None:
    (case.root / "below").mkdir()
    (case.root / "autopack.yaml").write_text(PROJECT, encoding="utf-8")
    (found,) = check(str(case.root / "below")).problems
    assert found.message == "no autopack.yaml in this folder or above it"


@pytest.mark.parametrize("day", ["2027-02-29", "2027-02-31", "2027-04-31", "0000-01-01"])
def test_an_exception_until_a_day_that_does_not_exist_is_refused(expect: Expect, day: str) -> None:
    grant = f"phases: [store], allow: [test_changes], owner: ann, reason: r, until: ⟦{day}⟧"
    said = expect("AP2006", f"autopack: ruleset/v1\nname: r\ngrants: [{{{grant}}}]\n")
    assert said == f"{day} is no day of the calendar | write it like 2027-01-31"


def test_a_store_that_nothing_keeps_runs_in_is_refused(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}playbooks: []\nstore: ⟦mysql://db/autopack⟧\n")
    assert case.expect("AP2006").problems[0].message == '"mysql" is no store that autopack keeps runs in'


def test_a_badly_formed_profile_under_recheck_is_not_unknown_as_well(expect: Expect) -> None:
    expect("AP2006", 'autopack: ruleset/v1\nname: r\nlanding: {recheck: {⟦"bad key!"⟧: overlap}}\n')


def test_a_shipped_file_is_found_by_the_name_findings_give_it() -> None:
    assert (shipped_place("builtin:python") or "").endswith("rulesets/ci/python.yaml")
    assert [shipped_place(path) for path in ("playbooks/a.yaml", "builtin:gone", "builtin:../x")] == [None, None, None]


def test_a_needed_key_that_a_text_swallowed_is_told_once_with_the_line(expect: Expect) -> None:
    head = "autopack: playbook/v1\nname: x\ntiers:\n  - id: T1\n    phases:\n"
    text = "      - ⟦id⟧: a\n        goal: |\n          x\n          ⟪category⟫: docs\n        scope: {write: [a]}\n"
    assert expect("AP2002", head + text).endswith('| indent it like "goal" if it is a key')


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("needs: ⟦[⟧\n", "`[` is never closed | close it with `]`"),
        ("scope: ⟦{⟧write: [a, 'b]']\n", "`{` is never closed | close it with `}`"),
    ],
)
def test_a_bracket_that_nothing_closes_is_told_where_it_opens(expect: Expect, text: str, said: str) -> None:
    head = "autopack: playbook/v1\nname: x\ntiers:\n  - id: T1\n    phases:\n      - id: a\n        "
    assert expect("AP1015", head + text) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("scope: ⟦[⟧docs/**]", '"scope" is a list where a mapping belongs | write `{write: ["docs/**"]}`'),
        (
            "needs: {⟦a⟧: b}",
            '"needs" is a mapping where a list belongs | write a list: one line for each item, which starts with `- `',
        ),
    ],
)
def test_the_wrong_shape_is_told_with_the_right_one(expect: Expect, text: str, said: str) -> None:
    scope = "" if text.startswith("scope") else 'scope: {write: ["docs/**"]}, '
    head = "autopack: playbook/v1\nname: x\ntiers:\n  - id: T1\n    phases:\n"
    assert expect("AP2003", f"{head}      - {{id: a, goal: Do it., category: docs, {scope}{text}}}\n") == said


def test_inputs_under_a_key_that_resembles_nothing_leave_their_templates_alone(expect: Expect) -> None:
    text = playbook(phase("a", 'name: "{{ inputs.service }} {{ inputs.region }}"'), top="⟦params⟧: {service: {}}\n")
    assert expect("AP2001", text).startswith('unknown key "params" in this file | allowed here: ')


def test_a_builder_with_a_misspelt_key_has_that_one_finding(expect: Expect) -> None:
    expect("AP2001", playbook(phase("a", "builder: {kind: model, ⟦rum⟧: [agent]}")))


def test_a_template_with_more_brackets_than_anyone_can_read_is_one_finding(expect: Expect) -> None:
    name = "{{ inputs.a" + "[" * 200 + " }}"
    expect("AP3021", playbook(phase("a", f'name: "⟦{{{{⟧{name[2:]}"'), top="inputs: {a: {default: b}}\n"))


def test_a_profile_that_runs_nothing_is_told_and_not_who_extends_it(expect: Expect) -> None:
    text = "autopack: ci/v1\nname: ci\nprofiles:\n  ⟦normal⟧: {retries: 1}\n  strict: {extends: normal, retries: 0}\n"
    assert expect("AP3024", text) == 'the profile "normal" runs nothing | give it steps'


def test_a_word_where_a_mapping_may_stand_as_well_is_told_both(expect: Expect) -> None:
    mini = 'litellm: a, tier: economy, context_tokens: 9000, max_output_tokens: 90, price: ⟦"0.15"⟧'
    route = "{builder: [mini], auditor: [mini]}"
    routes = f"routing: {{complexity: {{low: {route}, medium: {route}, high: {route}}}}}\n"
    said = expect("AP2005", f"autopack: models/v1\nname: h\nmodels:\n  mini: {{{mini}}}\n{routes}")
    assert said.endswith("| allowed: unmetered; or write `{input: ..., output: ...}`")
