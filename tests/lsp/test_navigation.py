"""Hover, definition, references, rename and symbols: names lead to where they are declared, and back."""

from pathlib import Path

import pytest

from autopack.spec import shipped
from tests.lsp.client import Editor, Refusal, applied, numbers
from tests.spec.marks import phase, playbook

PROJECT = "autopack: project/v1\nname: shop\n"
GRANT = "{phases: [store], allow: [test_changes], owner: ann, reason: rewrite, until: 2099-01-31}"
ROW = "payments: {complexity: high, ci: full}"
HOUSE = f"autopack: ruleset/v1\nname: house\ncategories:\n  {ROW}\ngrants:\n  - {GRANT}\n"
CI = "autopack: ci/v1\nname: ci\nprofiles:\n  normal: {steps: [{id: unit, run: [pytest]}]}\n  full: {extends: normal}\n"
STORE, API = phase("store", "name: A bucket"), phase("api", "name: 🚀, needs: [store]")


@pytest.fixture
def shop(editor: Editor) -> Editor:
    editor.write("autopack.yaml", f"{PROJECT}ruleset: rules/house.yaml\nci: ci.yaml\n")
    editor.write("rules/house.yaml", HOUSE)
    editor.write("ci.yaml", CI)
    editor.write("playbooks/a.yaml", playbook(STORE, API))
    return editor


def hovered(editor: Editor, path: str, marked: str) -> str:
    answer = editor.at("hover", path, marked)
    return "" if answer is None else answer["contents"]["value"]


# --- hover ------------------------------------------------------------------------------------------------


def test_a_key_is_explained_by_its_schema(editor: Editor) -> None:
    answer = editor.at("hover", "a.yaml", playbook(phase("a", "comple¦xity: low")))
    assert numbers(answer["range"]) == (5, 73, 5, 83)
    assert answer["contents"]["value"] == (
        "**Complexity**\n\nHow hard the work is; the category decides where this is absent.\n\n"
        "One of: `low`, `medium`, `high`\n\nExample: `low`"
    )


def test_a_default_is_named(editor: Editor) -> None:
    assert "Default: `main`" in hovered(editor, "autopack.yaml", f"{PROJECT}base_¦branch: dev\n")


def test_a_phase_says_who_builds_it_and_what_it_can_cost(shop: Editor) -> None:
    said = hovered(shop, "playbooks/a.yaml", playbook(STORE, API.replace("[store]", "[st¦ore]")))
    lines = said.split("\n\n")
    assert lines[:2] == ["**phase `store`**", "A bucket"]
    assert lines[2:5] == [
        "Do it.",
        "Built by `gpt-4o-mini` (search_replace), complexity low, CI profile `normal`",
        "Worst case: 200.0k tokens, $0.40 in 9 calls",
    ]
    assert lines[5] == "Declared in playbooks/a.yaml"


def test_a_category_says_its_row_and_a_profile_where_it_is(shop: Editor) -> None:
    marked = playbook(phase("a").replace("docs,", "paym¦ents,", 1))
    said = hovered(shop, "playbooks/a.yaml", marked)
    assert said == "**category `payments`**\n\ncomplexity: high, ci: full\n\nDeclared in rules/house.yaml"
    assert hovered(shop, "playbooks/a.yaml", playbook(phase("a", "ci: fu¦ll"))).startswith("**profile `full`**")


def test_a_finding_is_explained_where_it_is_and_a_code_where_it_is_written(editor: Editor) -> None:
    said = hovered(editor, "a.yaml", playbook(phase("a", "needs: [a¦]")))
    explained = (
        "**AP3003: needs itself** (error)\n\nWhat waits for itself never starts.\n\nRemove it from its own needs."
    )
    assert said.endswith(f"\n\n---\n\n{explained}")
    said = hovered(editor, "a.yaml", playbook(phase("a"), top="# see AP3¦003\n"))
    assert said.startswith(f"{explained}\n\nFails, limits.yaml:\n\n```yaml\nautopack: playbook/v1\n")
    assert "\n\nFixed, limits.yaml:\n\n```yaml\n" in said


def test_there_is_nothing_to_say_about_blanks_and_broken_files(editor: Editor) -> None:
    assert hovered(editor, "a.yaml", playbook(phase("a")).replace("tiers:", "¦\ntiers:")) == ""
    assert "AP1015" in hovered(editor, "a.yaml", "autopack: playbook/v1\nname: [¦\n")


# --- definition -------------------------------------------------------------------------------------------


def defined(editor: Editor, path: str, marked: str) -> list[tuple[str, int, int, int, int]]:
    return editor.places(editor.at("definition", path, marked))


def test_a_need_leads_to_the_id(shop: Editor) -> None:
    marked = playbook(STORE, API.replace("[store]", "[store¦]"))
    assert defined(shop, "playbooks/a.yaml", marked) == [("playbooks/a.yaml", 5, 13, 5, 18)]


def test_a_need_of_a_tier_leads_to_the_tier_and_not_to_a_phase_of_that_name(editor: Editor) -> None:
    text = f"autopack: playbook/v1\nname: x\ntiers:\n  - id: store\n    phases:\n      - {STORE}\n"
    second = f"  - id: T2\n    needs: [sto¦re]\n    phases:\n      - {phase('late')}\n"
    assert defined(editor, "a.yaml", text + second) == [("a.yaml", 3, 8, 3, 13)]


def test_a_category_and_a_profile_lead_to_their_files(shop: Editor) -> None:
    marked = playbook(phase("a").replace("docs,", "¦payments,", 1))
    assert defined(shop, "playbooks/a.yaml", marked) == [("rules/house.yaml", 3, 2, 3, 10)]
    marked = playbook(phase("a", "ci: ¦full"))
    assert defined(shop, "playbooks/a.yaml", marked) == [("ci.yaml", 4, 2, 4, 6)]
    assert defined(shop, "rules/house.yaml", HOUSE.replace("full", "fu¦ll")) == [("ci.yaml", 4, 2, 4, 6)]
    assert defined(shop, "ci.yaml", CI.replace("extends: normal", "extends: nor¦mal")) == [("ci.yaml", 3, 2, 3, 8)]


def test_a_category_of_a_shipped_ruleset_leads_into_it(shop: Editor) -> None:
    (found,) = shop.at("definition", "playbooks/a.yaml", playbook(phase("a").replace("docs,", "do¦cs,", 1)))
    place = Path(shipped.folder("rulesets")) / "default.yaml"
    assert found["uri"] == place.as_uri()
    line, start, _, end = numbers(found["range"])
    assert place.read_text().split("\n")[line][start:end] == "docs"


def test_a_model_leads_to_its_entry(editor: Editor) -> None:
    text = (Path(shipped.folder("rulesets")) / "models" / "openai.yaml").read_text()
    before, _, after = text.rpartition("auditor: [")
    name = after.partition("]")[0].split(",")[0]
    (found,) = defined(editor, "models.yaml", f"{before}auditor: [¦{after}")
    assert text.split("\n")[found[1]][found[2] : found[4]] == name


def test_references_to_files_lead_to_the_files(shop: Editor) -> None:
    text = (shop.root / "autopack.yaml").read_text()
    assert defined(shop, "autopack.yaml", text.replace("rules/", "rul¦es/")) == [("rules/house.yaml", 0, 0, 0, 0)]
    assert defined(shop, "autopack.yaml", text.replace("ci.yaml", "ci.ya¦ml")) == [("ci.yaml", 0, 0, 0, 0)]
    shop.write("playbooks/b.yaml", playbook(phase("b")))
    found = defined(shop, "autopack.yaml", f"{text}playbooks: [playbooks/¦*.yaml]\n")
    assert found == [("playbooks/a.yaml", 0, 0, 0, 0), ("playbooks/b.yaml", 0, 0, 0, 0)]
    (strict,) = shop.at("definition", "rules/house.yaml", f"{HOUSE}extends: builtin:st¦rict\n")
    assert strict["uri"] == (Path(shipped.folder("rulesets")) / "strict.yaml").as_uri()
    assert defined(shop, "autopack.yaml", f"{PROJECT}models: nowh¦ere.yaml\n") == []


def test_words_that_name_nothing_lead_nowhere(shop: Editor) -> None:
    assert defined(shop, "playbooks/a.yaml", playbook(STORE, API).replace("Do it", "Do¦ it", 1)) == []


# --- references and rename --------------------------------------------------------------------------------


def test_a_phase_is_found_in_needs_and_in_grants(shop: Editor) -> None:
    marked = playbook(STORE.replace("store", "sto¦re", 1), API)
    everywhere = shop.at("references", "playbooks/a.yaml", marked, context={"includeDeclaration": True})
    column = len(f"      - {API}".partition("[store")[0].encode("utf-16-le")) // 2 + 1
    uses = [("playbooks/a.yaml", 6, column, 6, column + 5), ("rules/house.yaml", 5, 14, 5, 19)]
    assert shop.places(everywhere) == [("playbooks/a.yaml", 5, 13, 5, 18), *uses]
    used = shop.at("references", "playbooks/a.yaml", marked, context={"includeDeclaration": False})
    assert shop.places(used) == uses


def test_a_category_is_found_in_every_playbook(shop: Editor) -> None:
    shop.write("playbooks/b.yaml", playbook(phase("b").replace("docs,", "payments,", 1)))
    marked = HOUSE.replace("payments", "pay¦ments")
    found = shop.at("references", "rules/house.yaml", marked, context={"includeDeclaration": False})
    assert shop.places(found) == [("playbooks/b.yaml", 5, 40, 5, 48)]


def renamed(editor: Editor, path: str, marked: str, new: str) -> dict[str, str]:
    """Every file that changes, as it is afterwards."""
    changes = editor.at("rename", path, marked, newName=new)["changes"]
    found = {}
    for uri, edits in changes.items():
        name = uri.removeprefix(editor.root.as_uri() + "/")
        text = editor.texts.get(name) or (editor.root / name).read_text(encoding="utf-8")
        found[name] = applied(text, edits)
    return found


def test_a_phase_is_renamed_with_its_needs_and_grants_but_not_in_prose(shop: Editor) -> None:
    text = playbook(STORE, API, phase("docs", "needs: ['store', api], tags: [store]"), top="description: the store\n")
    after = renamed(shop, "playbooks/a.yaml", text.replace("needs: [store]", "needs: [st¦ore]"), "depot")
    assert after == {
        "playbooks/a.yaml": text.replace("id: store", "id: depot")
        .replace("needs: [store]", "needs: [depot]")
        .replace("'store'", "'depot'"),
        "rules/house.yaml": HOUSE.replace("[store]", "[depot]"),
    }


def test_a_phase_is_renamed_in_the_scenarios_of_its_playbook_and_in_no_others(shop: Editor) -> None:
    told = 'autopack: scenario/v1\nname: s\nplaybook: playbooks/{}.yaml\nanswers: {{"store": {{ci: [green]}}}}\n'
    more = "expect:\n  phases: {'store': COMPLETE}\n  path:\n    store: [EXECUTING]\n"
    shop.write("scenarios/a.yaml", told.format("a") + more)
    shop.write("scenarios/b.yaml", told.format("b"))
    shop.write("playbooks/b.yaml", playbook(STORE))
    shop.write("rules/house.yaml", HOUSE.replace("[store]", "[]"))
    marked = playbook(STORE.replace("id: store", 'id: "st¦ore"'), API.replace("[store]", "['store']"))
    answer = shop.at("rename", "playbooks/a.yaml", marked, newName="bucket")
    assert sorted(answer["changes"]) == [shop.uri("playbooks/a.yaml"), shop.uri("scenarios/a.yaml")]
    renamed = applied(told.format("a") + more, answer["changes"][shop.uri("scenarios/a.yaml")])
    assert renamed == (told.format("a") + more).replace("store", "bucket")


def test_a_part_of_a_phase_that_is_fanned_out_follows_its_name(editor: Editor) -> None:
    """Whether or not this version can run such a phase."""
    fanned = phase("store", "matrix: {db: [pg, sqlite]}")
    text = playbook(fanned, phase("a", "needs: [store.pg]"), phase("b", "needs: [store]"))
    marked = text.replace("store.pg", "sto¦re.pg")
    assert defined(editor, "a.yaml", marked) == [("a.yaml", 5, 13, 5, 18)]
    after = renamed(editor, "a.yaml", marked, "depot")
    assert after == {"a.yaml": text.replace("store", "depot")}
    answer = editor.at("prepareRename", "a.yaml", marked)
    assert answer["placeholder"] == "store"
    assert text.split("\n")[6][answer["range"]["start"]["character"] : answer["range"]["end"]["character"]] == "store"


def test_a_phase_of_a_module_is_found_from_every_playbook_that_uses_it(shop: Editor) -> None:
    """Whether or not this version can run modules."""
    module = f"autopack: tier/v1\nid: base\nphases:\n  - {STORE}\n  - {API}\n"
    shop.write("tiers/base.yaml", module)
    users = {}
    for name in ("a", "b"):
        late = f"  - id: T2\n    phases:\n      - {phase('late', 'needs: [store]')}\n"
        users[name] = f"autopack: playbook/v1\nname: {name}\ntiers:\n  - uses: ../tiers/base.yaml\n{late}"
        shop.write(f"playbooks/{name}.yaml", users[name])
    shop.write("playbooks/c.yaml", playbook(STORE, API))
    marked = users["a"].replace("[store]", "[st¦ore]")
    assert defined(shop, "playbooks/a.yaml", marked) == [("tiers/base.yaml", 3, 9, 3, 14)]
    marked = users["a"].replace("tiers/base", "ti¦ers/base")
    assert defined(shop, "playbooks/a.yaml", marked) == [("tiers/base.yaml", 0, 0, 0, 0)]
    shop.type("playbooks/a.yaml", users["a"])
    found = shop.at(
        "references", "tiers/base.yaml", module.replace("store", "sto¦re", 1), context={"includeDeclaration": False}
    )
    assert [path for path, *_ in shop.places(found)] == [
        "playbooks/a.yaml",
        "playbooks/b.yaml",
        "rules/house.yaml",
        "tiers/base.yaml",
    ]
    assert "store" in shop.completed("playbooks/a.yaml", users["a"].replace("[store]", "[¦]"))


def test_what_may_be_renamed_is_said_before(shop: Editor) -> None:
    answer = shop.at("prepareRename", "playbooks/a.yaml", playbook(STORE.replace("store", "sto¦re", 1), API))
    assert (numbers(answer["range"]), answer["placeholder"]) == ((5, 13, 5, 18), "store")
    assert shop.at("prepareRename", "playbooks/a.yaml", playbook(STORE.replace("docs,", "do¦cs,"), API)) is None


@pytest.mark.parametrize(
    ("new", "reason"),
    [
        ("API", '"API" is taken: playbooks/a.yaml:7'),
        ("a b", '"a b" can\'t be an id: a letter, then up to 63 letters'),
        ("x.lock", '"x.lock" can\'t be an id'),
    ],
)
def test_a_name_that_could_not_be_an_id_is_refused(shop: Editor, new: str, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        shop.at("rename", "playbooks/a.yaml", playbook(STORE.replace("store", "sto¦re", 1), API), newName=new)
    assert str(refused.value).startswith(reason)


def test_a_grant_that_also_holds_for_another_playbooks_phase_is_not_taken_from_it(shop: Editor) -> None:
    shop.write("playbooks/b.yaml", playbook(STORE))
    with pytest.raises(Refusal) as refused:
        shop.at("rename", "playbooks/a.yaml", playbook(STORE.replace("store", "sto¦re", 1), API), newName="depot")
    expected = 'the grant in rules/house.yaml:6 is for "store" of playbooks/a.yaml, playbooks/b.yaml'
    assert str(refused.value) == f"{expected}; give each its own first"


def test_an_id_that_is_declared_twice_is_not_renamed(editor: Editor) -> None:
    with pytest.raises(Refusal, match="is declared twice"):
        editor.at("rename", "a.yaml", playbook(STORE.replace("store", "sto¦re", 1), STORE, API), newName="depot")


def test_what_another_playbook_calls_its_phases_does_not_matter(shop: Editor) -> None:
    shop.write("rules/house.yaml", HOUSE.partition("grants")[0])
    shop.write("playbooks/b.yaml", playbook(STORE, phase("depot")))
    text = playbook(STORE, API)
    after = renamed(shop, "playbooks/a.yaml", text.replace("id: store", "id: sto¦re"), "depot")
    assert after == {"playbooks/a.yaml": text.replace("store", "depot")}


def test_a_word_of_yaml_gets_quotes(editor: Editor) -> None:
    text = playbook(STORE, API)
    after = renamed(editor, "a.yaml", text.replace("id: store", "id: sto¦re"), "null")
    assert after == {"a.yaml": text.replace("id: store", 'id: "null"').replace("[store]", '["null"]')}


# --- symbols ----------------------------------------------------------------------------------------------


def test_tiers_and_phases_are_the_outline_of_a_playbook(shop: Editor) -> None:
    text = playbook(STORE, API)
    shop.type("playbooks/a.yaml", text)
    document = {"textDocument": {"uri": shop.uri("playbooks/a.yaml")}}
    (tier,) = shop.client.request("textDocument/documentSymbol", document)
    assert (tier["name"], numbers(tier["selectionRange"])) == ("T1", (3, 8, 3, 10))
    assert numbers(tier["range"])[:2] == (3, 4)
    assert [(each["name"], each["detail"]) for each in tier["children"]] == [("store", "A bucket"), ("api", "🚀")]
    assert numbers(tier["children"][0]["selectionRange"]) == (5, 13, 5, 18)
    assert numbers(tier["children"][0]["range"]) == (5, 9, 5, len(f"      - {STORE}") - 1)


def test_categories_and_profiles_are_the_outline_of_their_files(shop: Editor) -> None:
    for path, names in (("rules/house.yaml", ["payments"]), ("ci.yaml", ["normal", "full"])):
        shop.open(path)
        found = shop.client.request("textDocument/documentSymbol", {"textDocument": {"uri": shop.uri(path)}})
        assert [each["name"] for each in found] == names


# --- inputs and what stands between braces ----------------------------------------------------------------

MODULE = """\
autopack: tier/v1
id: base
inputs: {service: {type: string, description: Whose metrics.}, port: {type: integer, default: 80}}
phases:
  - {id: metrics, goal: "Of {{ inputs.service }} at {{ inputs.port }}.", category: docs, scope: {write: [a]}}
"""
USER = """\
autopack: playbook/v1
name: x
inputs: {service: {type: string, default: orders}}
tiers:
  - uses: tiers/base.yaml
    with: {service: "{{ inputs.service }}"}
  - id: T2
    phases:
      - id: store
        for_each: [pg, sqlite]
        goal: |
          Store 🚀 {{ item }} of {{ inputs.service }}.
        category: docs
        scope: {write: [a]}
"""


@pytest.fixture
def modular(shop: Editor) -> Editor:
    """The playbook stands in a folder, the module beside the project: it is found from there."""
    shop.write("tiers/base.yaml", MODULE)
    shop.write("playbooks/b.yaml", USER)
    return shop


def test_an_input_leads_from_the_template_to_its_declaration(modular: Editor) -> None:
    marked = USER.replace("of {{ inputs.service", "of {{ inputs.ser¦vice")
    assert defined(modular, "playbooks/b.yaml", marked) == [("playbooks/b.yaml", 2, 9, 2, 16)]
    assert "\n\norders" not in hovered(modular, "playbooks/b.yaml", marked)
    assert hovered(modular, "playbooks/b.yaml", marked) == (
        "**input `service`**\n\nstring; default orders\n\nDeclared in playbooks/b.yaml"
    )


def test_what_is_given_to_a_module_leads_to_the_module_and_not_to_an_input_of_the_same_name(modular: Editor) -> None:
    marked = USER.replace("with: {service", "with: {ser¦vice")
    assert defined(modular, "playbooks/b.yaml", marked) == [("tiers/base.yaml", 2, 9, 2, 16)]
    said = "**input `service`**\n\nWhose metrics; string; needed\n\nDeclared in tiers/base.yaml"
    assert hovered(modular, "playbooks/b.yaml", marked) == said


def test_item_leads_to_the_values_of_its_fan_out(modular: Editor) -> None:
    marked = USER.replace("{{ item", "{{ it¦em")
    assert defined(modular, "playbooks/b.yaml", marked) == [("playbooks/b.yaml", 9, 8, 9, 16)]
    assert hovered(modular, "playbooks/b.yaml", marked) == "**item**\n\nOne of: pg, sqlite"


def test_an_input_of_a_module_is_renamed_with_all_that_give_it_and_nothing_else(modular: Editor) -> None:
    modular.open("playbooks/b.yaml")
    marked = MODULE.replace("inputs.service", "inputs.serv¦ice")
    found = modular.at("references", "tiers/base.yaml", marked, context={"includeDeclaration": True})
    assert modular.places(found) == [
        ("playbooks/b.yaml", 5, 11, 5, 18),
        ("tiers/base.yaml", 2, 9, 2, 16),
        ("tiers/base.yaml", 4, 38, 4, 45),
    ]
    assert renamed(modular, "tiers/base.yaml", marked, "of") == {
        "tiers/base.yaml": MODULE.replace("{service", "{of").replace("inputs.service", "inputs.of"),
        "playbooks/b.yaml": USER.replace("with: {service", "with: {of"),
    }


@pytest.mark.parametrize(
    ("new", "reason"), [("port", '"port" is taken in tiers/base.yaml'), ("a-b", '"a-b" can\'t be an input')]
)
def test_a_name_that_could_not_be_an_input_is_refused(modular: Editor, new: str, reason: str) -> None:
    with pytest.raises(Refusal) as refused:
        modular.at("rename", "tiers/base.yaml", MODULE.replace("inputs.service", "inputs.serv¦ice"), newName=new)
    assert str(refused.value).startswith(reason)


def test_files_that_are_named_are_links(modular: Editor) -> None:
    modular.open("playbooks/b.yaml")
    asked = {"textDocument": {"uri": modular.uri("playbooks/b.yaml")}}
    (link,) = modular.client.request("textDocument/documentLink", asked)
    assert (numbers(link["range"]), link["target"]) == ((4, 10, 4, 25), modular.uri("tiers/base.yaml"))
    modular.open("autopack.yaml")
    asked = {"textDocument": {"uri": modular.uri("autopack.yaml")}}
    found = modular.client.request("textDocument/documentLink", asked)
    assert [each["target"] for each in found] == [modular.uri("rules/house.yaml"), modular.uri("ci.yaml")]


def test_a_file_is_formatted_as_by_fmt_and_one_with_errors_stays(modular: Editor) -> None:
    modular.type("ci.yaml", CI.replace("  normal", "      normal").replace("  full", "      full"))
    asked = {"textDocument": {"uri": modular.uri("ci.yaml")}, "options": {"tabSize": 2, "insertSpaces": True}}
    (edit,) = modular.client.request("textDocument/formatting", asked)
    assert edit["newText"] == CI
    modular.type("ci.yaml", CI)
    assert modular.client.request("textDocument/formatting", asked) == []
    modular.type("ci.yaml", "autopack: ci/v1\nname: [\n")
    with pytest.raises(Refusal, match="has errors"):
        modular.client.request("textDocument/formatting", asked)
