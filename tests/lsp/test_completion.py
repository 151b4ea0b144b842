"""What is suggested at a cursor, in files that are valid, half written or broken."""

import pytest

from tests.lsp.client import Editor
from tests.spec.marks import phase, playbook

PROJECT = "autopack: project/v1\nname: shop\n"
STORE = phase("store", "name: A bucket")


@pytest.fixture
def shop(editor: Editor) -> Editor:
    """A project with policy, CI and models of its own."""
    editor.write("autopack.yaml", f"{PROJECT}ruleset: rules/house.yaml\nci: ci.yaml\nmodels: models.yaml\n")
    house = "autopack: ruleset/v1\nname: house\ncategories: {payments: {complexity: high, high_risk: true}}\n"
    editor.write("rules/house.yaml", house)
    ci = "autopack: ci/v1\nname: ci\nprofiles: {quick: {steps: [{id: unit, run: [pytest]}]}, full: {extends: quick}}\n"
    editor.write("ci.yaml", ci)
    price = '{input: "1", output: "2", as_of: 2026-01-01}'
    model = f"{{litellm: openai/x, tier: economy, context_tokens: 1000, max_output_tokens: 100, price: {price}}}"
    route = "{builder: [mini], auditor: [mini]}"
    routing = f"{{complexity: {{low: {route}, medium: {route}, high: {route}}}}}"
    editor.write("models.yaml", f"autopack: models/v1\nname: m\nmodels:\n  mini: {model}\nrouting: {routing}\n")
    return editor


def test_keys_of_a_phase_come_with_what_the_schema_says_and_the_required_ones_first(editor: Editor) -> None:
    items = editor.at("completion", "a.yaml", playbook(STORE) + "      - id: api\n        ¦\n")["items"]
    labels = [item["label"] for item in sorted(items, key=lambda item: item["sortText"])]
    assert labels[:3] == ["category", "goal", "scope"]
    assert "id" not in labels
    category = next(item for item in items if item["label"] == "category")
    assert category["detail"] == "required"
    assert category["documentation"]["kind"] == "markdown"
    assert category["documentation"]["value"].startswith(
        "**Category**\n\nThe kind of change, as declared in the ruleset"
    )


def test_a_key_is_written_with_its_colon_over_what_is_typed_already(editor: Editor) -> None:
    found = editor.completed("a.yaml", playbook(STORE) + "      - id: 🚀\n        cat¦\n        goal: x\n")
    assert found["category"].endswith("      - id: 🚀\n        category: \n        goal: x\n")
    assert found["scope"].endswith("      - id: 🚀\n        scope:\n        goal: x\n")
    assert "goal" not in found


def test_a_key_that_has_its_colon_is_replaced_alone(editor: Editor) -> None:
    found = editor.completed("a.yaml", playbook(STORE) + "      - id: x\n        cat¦: docs\n")
    assert found["category"].endswith("        category: docs\n")


def test_keys_in_braces(editor: Editor) -> None:
    found = editor.completed("a.yaml", playbook("{id: a, ¦, goal: x}"))
    assert found["category"].endswith("      - {id: a, category: , goal: x}\n")
    assert not {"id", "goal"} & set(found)


def test_values_of_a_fixed_vocabulary(editor: Editor) -> None:
    found = editor.completed("a.yaml", playbook("{id: a, complexity: l¦}"))
    assert list(found) == ["low", "medium", "high"]
    assert found["low"] == playbook("{id: a, complexity: low}")
    found = editor.completed("ci.yaml", "autopack: ci/v1\nname: x\nbaseline: ¦\n")
    assert list(found) == ["true", "false"]


def test_words_of_a_list_whose_items_may_also_be_mappings(editor: Editor) -> None:
    found = editor.completed("a.yaml", playbook("{id: a, allow: [¦]}"))
    assert {"test_changes", "binary"} <= set(found)


def test_ids_for_needs_are_those_of_this_and_earlier_tiers_but_not_its_own(editor: Editor) -> None:
    text = (
        f"autopack: playbook/v1\nname: x\ntiers:\n  - id: T1\n    phases:\n      - {STORE}\n      - {phase('api')}\n"
        f"  - id: T2\n    phases:\n      - {phase('late')}\n"
    )
    editor.type("a.yaml", text)
    marked = text.replace("id: api,", "id: api, needs: [¦],")
    assert list(editor.completed("a.yaml", marked)) == ["store"]
    marked = text.replace("id: late,", "id: late, needs: [¦],")
    assert list(editor.completed("a.yaml", marked)) == ["store", "api"]
    items = editor.at("completion", "a.yaml", marked)["items"]
    assert items[0]["documentation"]["value"] == "A bucket\n\nDo it."
    assert list(editor.completed("a.yaml", text.replace("id: T2\n", "id: T2\n    needs: [¦]\n"))) == ["T1"]


def test_a_list_that_has_not_begun_is_begun_with_the_word(editor: Editor) -> None:
    editor.type("a.yaml", playbook(STORE))
    found = editor.completed("a.yaml", playbook(STORE) + "      - id: x\n        needs: ¦\n")
    assert found["store"].endswith("        needs: [store]\n")
    found = editor.completed("a.yaml", playbook(STORE) + "      - id: x\n        needs:\n          ¦\n")
    assert found["store"].endswith("        needs:\n          - store\n")
    found = editor.completed("a.yaml", playbook(STORE) + "      - id: x\n        needs:\n          - ¦\n")
    assert found["store"].endswith("        needs:\n          - store\n")


def test_broken_yaml_is_completed_from_the_last_text_that_could_be_read(editor: Editor) -> None:
    editor.type("a.yaml", playbook(STORE))
    broken = playbook(STORE) + '      - id: x\n        name: "half\n        scope: {write: [a\n        needs: [¦\n'
    assert list(editor.completed("a.yaml", broken)) == ["store"]
    keys = editor.completed("a.yaml", playbook(STORE) + "      - id: x\n        scope: {write: [a\n        ¦\n")
    assert "category" in keys
    assert "scope" not in keys


def test_categories_of_the_ruleset_and_of_all_it_extends(shop: Editor) -> None:
    found = shop.completed("playbooks/a.yaml", playbook("{id: a, category: ¦}"))
    assert {"payments", "docs", "schema_contract_change", "schema_change"} <= set(found)
    items = shop.at("completion", "playbooks/a.yaml", playbook("{id: a, category: ¦}"))["items"]
    payments = next(item for item in items if item["label"] == "payments")
    assert payments["documentation"]["value"] == "complexity: high, high_risk: true"


def test_profiles_of_the_ci_file(shop: Editor) -> None:
    assert list(shop.completed("playbooks/a.yaml", playbook("{id: a, ci: ¦}"))) == ["quick", "full"]
    found = shop.completed("rules/house.yaml", "autopack: ruleset/v1\nname: x\ncategories: {docs: {ci: ¦}}\n")
    assert list(found) == ["quick", "full"]
    text = "autopack: ruleset/v1\nname: x\nlanding:\n  recheck:\n    ¦\n"
    found = shop.completed("rules/house.yaml", text)
    assert found["full"] == text.replace("¦", "full: ")


def test_names_that_are_typed_and_not_saved_count(shop: Editor) -> None:
    shop.type("ci.yaml", "autopack: ci/v1\nname: ci\nprofiles: {nightly: {steps: [{id: unit, run: [pytest]}]}}\n")
    assert list(shop.completed("playbooks/a.yaml", playbook("{id: a, ci: ¦}"))) == ["nightly"]


def test_models_of_the_catalogue_and_categories_as_keys_of_its_routes(shop: Editor) -> None:
    text = (shop.root / "models.yaml").read_text()
    assert list(shop.completed("models.yaml", text.replace("low: {builder: [mini]", "low: {builder: [¦]"))) == ["mini"]
    routes = text.replace("routing: {", "routing: {categories: {¦}, ")
    assert shop.completed("models.yaml", routes)["payments"] == routes.replace("¦", "payments: ")


def test_files_that_ship_with_autopack_and_files_of_the_project(shop: Editor) -> None:
    found = shop.completed("autopack.yaml", f"{PROJECT}ruleset: ¦\n")
    assert {"builtin:default", "builtin:strict", "rules/house.yaml"} <= set(found)
    assert found["rules/house.yaml"] == f"{PROJECT}ruleset: rules/house.yaml\n"
    assert "ci.yaml" not in found
    assert {"builtin:openai", "builtin:replay", "models.yaml"} <= set(
        shop.completed("autopack.yaml", f"{PROJECT}models: ¦\n")
    )
    extended = shop.completed("rules/house.yaml", "autopack: ruleset/v1\nextends: ¦\n")
    assert "builtin:strict" in extended
    assert "house.yaml" not in extended


def test_the_header_of_an_empty_file(editor: Editor) -> None:
    assert editor.completed("a.yaml", "¦") == {"autopack": "autopack: "}
    found = editor.completed("a.yaml", "autopack: ¦")
    assert found["playbook/v1"] == "autopack: playbook/v1"
    assert editor.completed("a.yaml", "services:\n  ¦") == {}


def test_nothing_is_suggested_in_comments_and_blocks_of_text(editor: Editor) -> None:
    assert editor.completed("a.yaml", playbook(STORE) + "      # ¦\n") == {}
    assert editor.completed("a.yaml", playbook(STORE) + "      - id: x\n        goal: |\n          nee¦\n") == {}
    assert editor.completed("a.yaml", playbook(STORE) + "      - id: x\n        goal: ¦\n") == {}


# --- between braces ---------------------------------------------------------------------------------------

TEMPLATED = """\
autopack: playbook/v1
name: x
inputs: {service: {type: string}, port: {type: integer, default: 80}}
tiers:
  - id: T
    phases:
      - id: store
        matrix: {db: [pg, sqlite], py: ["3.12"]}
        goal: "Store ¦"
        category: docs
        scope: {write: [a]}
      - {id: late, goal: "Late ¤", category: docs, scope: {write: [a]}}
"""


@pytest.mark.parametrize(
    ("written", "suggested"),
    [
        ("{{ ¦", ["inputs", "project", "run", "matrix"]),
        ("{{ ¦ }}", ["inputs", "project", "run", "matrix"]),
        ("{{ inputs.¦", ["service", "port"]),
        ("{{ inputs.se¦rv }}", ["service", "port"]),
        ("🚀 {{ matrix.¦ }}", ["db", "py"]),
        ("{{ run.¦ }}", ["id"]),
        ("{{ project.¦ }}", ["name"]),
        ("{{ inputs.service | ¦ }}", ["capitalize", "lower", "replace", "title", "trim", "upper"]),
        ("{% ¦ %}", ["elif", "else", "endif", "if"]),
        ("{% if inputs.¦ %}", ["service", "port"]),
        ("{{ inputs.service }} and ¦", []),
        ("{{ nothing.¦ }}", []),
    ],
)
def test_between_braces_come_the_names_a_template_may_use(editor: Editor, written: str, suggested: list[str]) -> None:
    assert list(editor.completed("a.yaml", TEMPLATED.replace("¤", "").replace("¦", written))) == suggested


def test_a_name_replaces_all_of_the_word_it_is_asked_at(editor: Editor) -> None:
    found = editor.completed("a.yaml", TEMPLATED.replace("¤", "").replace("¦", "{{ inputs.se¦rv }}"))
    assert found["service"] == TEMPLATED.replace("¤", "").replace("¦", "{{ inputs.service }}")


def test_only_a_phase_that_is_fanned_out_has_what_a_fan_out_adds(editor: Editor) -> None:
    text = TEMPLATED.replace("¦", "").replace("¤", "{{ ¦ }}")
    assert list(editor.completed("a.yaml", text)) == ["inputs", "project", "run"]


def test_between_braces_the_last_text_that_could_be_read_says_the_names(editor: Editor) -> None:
    editor.open("a.yaml", TEMPLATED.replace("¦", "").replace("¤", ""))
    broken = TEMPLATED.replace("¤", "").replace('"Store ¦"', '"Store {{ inputs.¦')
    assert list(editor.completed("a.yaml", broken)) == ["service", "port"]


def test_what_a_module_takes_is_suggested_at_with(editor: Editor) -> None:
    editor.write(
        "base.yaml", "autopack: tier/v1\nid: b\ninputs: {port: {type: integer, default: 80}, on: {type: boolean}}\n"
    )
    text = "autopack: playbook/v1\nname: x\ntiers:\n  - uses: base.yaml\n    with: {on: true, ¦}\n"
    assert editor.completed("a.yaml", text) == {"port": text.replace("¦", "port: ")}
