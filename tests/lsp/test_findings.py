"""Findings while somebody types: of the whole project, by unsaved texts, at the place editors count."""

import json
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pytest

from tests.lsp.client import Client, Editor, applied, numbers
from tests.spec.marks import phase, playbook

PROJECT = "autopack: project/v1\nname: shop\n"
FIRST = "      - "  # before a phase of `playbook`


def told(editor: Editor, path: str) -> list[tuple[str, tuple[int, int, int, int]]]:
    return [(each["code"], numbers(each["range"])) for each in editor.findings(path)]


def test_a_finding_is_told_at_its_token_with_severity_help_and_source(editor: Editor) -> None:
    editor.write("autopack.yaml", PROJECT)
    editor.type("playbooks/a.yaml", playbook(phase("a", "needs: [stroe]"), phase("store")))
    (found,) = editor.findings("playbooks/a.yaml")
    assert numbers(found["range"]) == (5, 81, 5, 86)
    assert (found["code"], found["severity"], found["source"]) == ("AP3002", 1, "autopack")
    assert found["message"] == 'no phase has the id "stroe"\ndid you mean `store`?'


def test_columns_after_an_emoji_count_as_editors_count(editor: Editor) -> None:
    line = '{id: a, name: "🚀 größer 🚀", goal: Do it., category: docz, scope: {write: [docs/**]}}'
    editor.type("a.yaml", playbook(line))
    start = len(f"{FIRST}{line}".partition("docz")[0].encode("utf-16-le")) // 2
    assert start == len(f"{FIRST}{line}".partition("docz")[0]) + 2
    assert told(editor, "a.yaml") == [("AP5001", (5, start, 5, start + 4))]


@pytest.mark.parametrize(("encoding", "more"), [("utf-8", 6), ("utf-32", 0)])
def test_an_editor_may_count_otherwise(tmp_path, encoding: str, more: int) -> None:
    line = '{id: a, name: "🚀🚀", goal: Do it., category: docz, scope: {write: [docs/**]}}'
    start = len(f"{FIRST}{line}".partition("docz")[0]) + more
    with Client(capabilities={"general": {"positionEncodings": [encoding]}}) as asked:
        assert asked.capabilities["positionEncoding"] == encoding
        editor = Editor(asked, tmp_path)
        editor.type("a.yaml", playbook(line))
        assert told(editor, "a.yaml") == [("AP5001", (5, start, 5, start + 4))]


def test_a_byte_order_mark_that_the_editor_keeps_is_counted_on_the_first_line_only(editor: Editor) -> None:
    editor.type("a.yaml", "\ufeffautopack: ci/v2\n")
    assert told(editor, "a.yaml") == [("AP1003", (0, 11, 0, 16))]


def test_what_is_typed_wins_over_the_file_and_a_correction_takes_the_finding_back(editor: Editor) -> None:
    editor.write("autopack.yaml", PROJECT)
    editor.write("playbooks/a.yaml", playbook(phase("a")))
    editor.open("playbooks/a.yaml")
    assert told(editor, "playbooks/a.yaml") == []
    editor.type("playbooks/a.yaml", playbook(phase("a", "needs: [a]")))
    assert [code for code, _ in told(editor, "playbooks/a.yaml")] == ["AP3003"]
    editor.type("playbooks/a.yaml", playbook(phase("a")))
    assert told(editor, "playbooks/a.yaml") == []


def test_after_closing_the_file_counts_again(editor: Editor) -> None:
    editor.write("autopack.yaml", PROJECT)
    editor.write("playbooks/a.yaml", playbook(phase("a", "needs: [a]")))
    editor.type("playbooks/a.yaml", playbook(phase("a")))
    assert told(editor, "playbooks/a.yaml") == []
    editor.close("playbooks/a.yaml")
    assert [code for code, _ in told(editor, "playbooks/a.yaml")] == ["AP3003"]


def test_an_unsaved_ruleset_is_felt_in_a_playbook_nobody_has_open(editor: Editor) -> None:
    editor.write("autopack.yaml", f"{PROJECT}ruleset: house.yaml\n")
    editor.write("house.yaml", "autopack: ruleset/v1\nname: house\ncategories: {payments: {}}\n")
    editor.write("playbooks/a.yaml", playbook(phase("a").replace("docs,", "payments,", 1)))
    editor.open("house.yaml")
    assert told(editor, "playbooks/a.yaml") == []
    editor.type("house.yaml", "autopack: ruleset/v1\nname: house\ncategories: {payment: {}}\n")
    (found,) = editor.findings("playbooks/a.yaml")
    assert found["message"] == 'no category "payments" in the ruleset\ndid you mean `payment`?'


def test_labels_lead_to_the_other_place(editor: Editor) -> None:
    editor.type("a.yaml", playbook(phase("store"), phase("Store")))
    (found,) = editor.findings("a.yaml")
    assert numbers(found["range"]) == (6, 13, 6, 18)
    (related,) = found["relatedInformation"]
    assert (related["message"], related["location"]["uri"]) == ("first here", editor.uri("a.yaml"))
    assert numbers(related["location"]["range"]) == (5, 13, 5, 18)


def test_text_that_is_not_yaml_is_a_finding_and_not_the_end(editor: Editor) -> None:
    editor.type("a.yaml", "autopack: playbook/v1\nname: [\n")
    assert [code for code, _ in told(editor, "a.yaml")] == ["AP1015"]
    editor.type("a.yaml", playbook(phase("a")))
    assert told(editor, "a.yaml") == []


def test_half_of_a_character_is_a_finding_too(editor: Editor) -> None:
    editor.type("a.yaml", "autopack: playbook/v1\nname: \ud83d\n")
    assert [code for code, _ in told(editor, "a.yaml")] == ["AP1012"]


def test_a_file_of_somebody_else_is_left_alone(editor: Editor) -> None:
    editor.type("compose.yaml", "services: {a: {image: b}}\n")
    assert told(editor, "compose.yaml") == []


def test_a_reference_that_leads_nowhere_is_told_where_it_stands(editor: Editor) -> None:
    editor.type("autopack.yaml", f"{PROJECT}ci: nowhere.yaml\n")
    assert told(editor, "autopack.yaml")[0] == ("AP3007", (2, 4, 2, 16))


def test_an_unused_anchor_is_shown_as_unnecessary(editor: Editor) -> None:
    editor.type("autopack.yaml", f"{PROJECT}x-a: &left 1\nplaybooks: [playbooks/*.yaml]\n")
    found = [each for each in editor.findings("autopack.yaml") if each["code"] == "AP1016"]
    assert [each["tags"] for each in found] == [[1]]


def test_a_file_that_changes_on_disk_is_looked_at_again(editor: Editor) -> None:
    editor.write("autopack.yaml", PROJECT)
    editor.write("playbooks/a.yaml", playbook(phase("a")))
    editor.open("autopack.yaml")
    assert told(editor, "playbooks/a.yaml") == []
    editor.write("playbooks/a.yaml", playbook(phase("a", "needs: [a]")))
    change = {"changes": [{"uri": editor.uri("playbooks/a.yaml"), "type": 2}]}
    editor.client.notify("workspace/didChangeWatchedFiles", change)
    assert [code for code, _ in told(editor, "playbooks/a.yaml")] == ["AP3003"]


def test_the_server_asks_to_be_told_of_files_where_the_editor_can(tmp_path) -> None:
    able = {"workspace": {"didChangeWatchedFiles": {"dynamicRegistration": True}}}
    with Client(capabilities=able) as asked:
        Editor(asked, tmp_path).at("hover", "a.yaml", "autopack: ¦")
        (wish,) = asked.asked
        assert wish["method"] == "client/registerCapability"


# --- replacements -----------------------------------------------------------------------------------------


def actions(editor: Editor, path: str, text: str, line: int, column: int) -> list[tuple[str, str]]:
    """Titles, and the text after each."""
    editor.type(path, text)
    place = {"line": line, "character": column}
    document, there = {"uri": editor.uri(path)}, {"start": place, "end": place}
    params = {"textDocument": document, "range": there, "context": {"diagnostics": []}}
    found = editor.client.request("textDocument/codeAction", params)
    return [(each["title"], applied(text, each["edit"]["changes"][editor.uri(path)])) for each in found]


def test_a_misspelt_need_is_replaced(editor: Editor) -> None:
    wrong = playbook(phase("store"), phase("a", "needs: [stroe]"))
    right = playbook(phase("store"), phase("a", "needs: [store]"))
    assert actions(editor, "a.yaml", wrong, 6, 84) == [("Replace with `store`", right)]
    assert actions(editor, "a.yaml", wrong, 5, 0) == []


def test_a_replacement_minds_the_emoji_before_it(editor: Editor) -> None:
    wrong = playbook(
        phase("store"), "{id: a, name: 🚀🚀, needs: [stroe], goal: x, category: docs, scope: {write: [a]}}"
    )
    assert actions(editor, "a.yaml", wrong, 6, 40) == [("Replace with `store`", wrong.replace("stroe", "store"))]


def test_a_misspelt_key_and_value_are_replaced(editor: Editor) -> None:
    key = playbook(phase("a", "complexty: low"))
    assert actions(editor, "a.yaml", key, 5, 76) == [
        ("Replace with `complexity`", key.replace("complexty", "complexity"))
    ]
    value = playbook(phase("a", "complexity: lov"))
    assert actions(editor, "a.yaml", value, 5, 86) == [("Replace with `low`", value.replace("lov", "low"))]


def test_text_where_a_list_belongs_becomes_one_and_a_number_becomes_text(editor: Editor) -> None:
    text = playbook(phase("store"), phase("b"), phase("a", "needs: store b"))
    wanted = text.replace("needs: store b", "needs: [store, b]")
    assert actions(editor, "a.yaml", text, 7, 83) == [("Replace with `[store, b]`", wanted)]
    number = playbook(phase("a", "name: 3.10"))
    assert actions(editor, "a.yaml", number, 5, 82) == [('Replace with `"3.10"`', number.replace("3.10", '"3.10"'))]


def test_advice_that_is_no_replacement_offers_none(editor: Editor) -> None:
    assert actions(editor, "a.yaml", playbook(phase("a", "needs: [a]")), 5, 82) == []


def test_a_warning_can_be_waived_by_whoever_says_why(editor: Editor) -> None:
    head = "autopack: ci/v1\nname: x\nsetup:\n"
    text = f"{head}  - {{id: deps, run: [bash, -c, make]}}\nprofiles: {{normal: {{steps: [{{id: u, run: [make]}}]}}}}\n"
    ((title, after),) = actions(editor, "ci.yaml", text, 3, 22)
    assert title == "Waive AP3025 for thirty days: say why"
    added = after.removeprefix(head).partition("\n")[0]
    assert re.fullmatch(r"  # autopack: ignore\[AP3025\] until=\d{4}-\d\d-\d\d owner=\S* reason=", added)
    assert after.replace(added + "\n", "") == text
    editor.type("ci.yaml", after.replace("owner=", "owner=ann").replace("reason=", "reason=there is no other way"))
    assert editor.findings("ci.yaml") == []


def test_an_error_can_not_be_waived_and_neither_can_what_stands_inside_a_text(editor: Editor) -> None:
    assert actions(editor, "a.yaml", playbook(phase("a", "needs: [a]")), 5, 82) == []
    swallowed = "autopack: playbook/v1\nname: x\ndescription: |\n  Hello\n  name: x\n  tiers: []\ntiers: []\n"
    assert all(not title.startswith("Waive") for title, _ in actions(editor, "a.yaml", swallowed, 4, 4))


def test_a_finding_leads_to_the_page_that_explains_its_code(editor: Editor) -> None:
    editor.open("a.yaml", playbook(phase("a", "needs: [a]")))
    (found,) = editor.findings("a.yaml")
    page = Path(url2pathname(urlsplit(found["codeDescription"]["href"]).path))
    assert page.name == "AP3003.md"
    assert page.read_text().startswith("Remove it from its own needs.")


def test_findings_are_those_of_validate(editor: Editor) -> None:
    """Of the compiler as well: circles, scopes that overlap, budgets that can't hold."""
    editor.write("autopack.yaml", PROJECT)
    phases = [phase("a", "needs: [b]"), phase("b", "needs: [a]")]
    editor.write("playbooks/circle.yaml", playbook(*phases))
    editor.write("playbooks/dear.yaml", playbook(phase("c"), phase("d"), top="budget: {minutes: 1}\n"))
    editor.open("playbooks/circle.yaml")
    editor.open("playbooks/dear.yaml")
    told = [
        (path, found["code"], found["range"]["start"]["line"] + 1, found["range"]["start"]["character"] + 1)
        for path in ("playbooks/circle.yaml", "playbooks/dear.yaml")
        for found in editor.findings(path)
    ]
    command = [sys.executable, "-m", "autopack", "validate", "--format", "json"]
    done = subprocess.run(command, cwd=editor.root, capture_output=True, text=True, check=False)
    said = [(each["path"], each["code"], each["line"], each["column"]) for each in json.loads(done.stdout)["findings"]]
    assert told == said
    assert {code[:3] for _, code, _, _ in told} == {"AP4", "AP6"}


def test_a_change_that_changes_nothing_is_not_the_end(editor: Editor) -> None:
    editor.open("a.yaml", playbook(phase("a")))
    about = {"uri": editor.uri("a.yaml"), "version": 2}
    editor.client.notify("textDocument/didChange", {"textDocument": about, "contentChanges": []})
    editor.versions["a.yaml"] = 2
    editor.type("a.yaml", playbook(phase("a", "nmae: x")))
    assert [each["code"] for each in editor.findings("a.yaml")] == ["AP2001"]


def test_two_folders_are_two_projects(editor: Editor) -> None:
    for name, category in (("one", "docs"), ("two", "dosc")):
        editor.write(f"{name}/autopack.yaml", f"{PROJECT}playbooks: [p.yaml]\n")
        editor.write(f"{name}/p.yaml", playbook(phase("a")).replace("docs", category, 1))
        editor.open(f"{name}/p.yaml")
    assert told(editor, "one/p.yaml") == []
    assert [code for code, _ in told(editor, "two/p.yaml")] == ["AP5001"]


def test_of_many_changes_at_once_the_last_one_counts(editor: Editor) -> None:
    text = playbook(phase("a", "needs: [b]"))
    for end in range(0, len(text), 3):
        editor.type("a.yaml", text[:end])
    editor.type("a.yaml", text)
    assert [code for code, _ in told(editor, "a.yaml")] == ["AP3002"]


def test_a_file_that_is_deleted_has_no_findings_and_is_missed_by_who_names_it(editor: Editor) -> None:
    editor.write("autopack.yaml", f"{PROJECT}playbooks: [p.yaml]\n")
    editor.write("p.yaml", playbook(phase("a", "needs: [b]")))
    editor.open("p.yaml")
    assert [code for code, _ in told(editor, "p.yaml")] == ["AP3002"]
    assert told(editor, "autopack.yaml") == []
    (editor.root / "p.yaml").unlink()
    editor.close("p.yaml")
    changes = [{"uri": editor.uri("p.yaml"), "type": 3}]
    editor.client.notify("workspace/didChangeWatchedFiles", {"changes": changes})
    assert editor.client.findings(editor.uri("p.yaml")) == []
    assert [code for code, _ in told(editor, "autopack.yaml")] == ["AP3007"]
