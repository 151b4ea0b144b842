"""One fault, one finding: what a single mistake used to say several times."""

from collections.abc import Callable

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
