"""Findings of the schemas: one a fault, at the token, with what to write instead."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from autopack.problem import CODES
from autopack.spec import bare, schema, shipped
from autopack.spec.document import read
from autopack.spec.load import check
from tests.spec.marks import Case, phase, playbook

Expect = Callable[[str, str], str]
RULESETS = Path(shipped.folder("rulesets"))
GRANT = "{phases: [a], allow: [binary], owner: b, reason: c,"
SCALARS = ["x", "", " ", 0, 1, -1, 2.5, 3.0, True, False, None, "builtin:default", "2027-13-01", "5.00", [], {}]


# --- one fault, one finding -------------------------------------------------------------------------------


def test_an_unknown_key_is_told_at_the_key_with_the_one_that_was_meant(expect: Expect) -> None:
    text = playbook(phase("a", "⟦complexty⟧: low"))
    assert expect("AP2001", text) == (
        'unknown key "complexty" in this phase | did you mean `complexity`? allowed here: id, uses, with, name, '
        "goal, category, complexity, builder_mode, needs, for_each, matrix, scope, deliverables, acceptance, probes, "
        "ci, budget, builder, allow, external, tags, meta"
    )


def test_an_unknown_key_that_resembles_a_missing_one_is_the_only_finding(expect: Expect) -> None:
    expect("AP2001", playbook("{id: a, ⟦gaol⟧: Do it., category: docs, scope: {write: [a]}}"))


def test_a_missing_key_is_told_at_the_first_key_of_its_mapping(expect: Expect) -> None:
    said = expect("AP2002", playbook("{⟦id⟧: a, category: docs, scope: {write: [a]}}"))
    assert said == '"goal" is missing in this phase | add `goal:` - What is to be done, in the words the Builder reads.'


def test_each_missing_key_is_a_finding(case: Case) -> None:
    case.write("it.yaml", playbook("{id: a}"))
    found = case.check("it.yaml").problems
    assert [p.message for p in found] == [
        '"category" is missing in this phase',
        '"goal" is missing in this phase',
        '"scope" is missing in this phase',
    ]


def test_a_missing_key_of_an_empty_mapping_is_told_at_the_braces(expect: Expect) -> None:
    expect("AP2002", playbook("{id: a, goal: x, category: docs, scope: ⟦{}⟧}"))


def test_a_number_is_not_made_text(expect: Expect) -> None:
    said = expect("AP2003", playbook(phase("a", "name: ⟦3.10⟧")))
    assert said == '"name" is 3.10 where text belongs | write `"3.10"` if text is meant'


def test_text_is_not_made_a_number(expect: Expect) -> None:
    said = expect("AP2003", playbook(phase("a", 'budget: {tokens: ⟦"12"⟧}')))
    assert said == '"tokens" is text where a whole number belongs | write `12` without quotes'


def test_true_is_not_a_number(expect: Expect) -> None:
    expect("AP2003", playbook(phase("a", "budget: {tokens: ⟦true⟧}")))


def test_a_key_without_a_value_is_told_at_the_key(expect: Expect) -> None:
    assert expect("AP2003", "autopack: playbook/v1\n⟦name⟧:\ntiers:\n  - {id: T1, phases: [" + phase("a") + "]}\n") == (
        '"name" is empty where text belongs | give it a value or remove the key'
    )


def test_a_written_null_is_told_at_the_null(expect: Expect) -> None:
    expect("AP2003", playbook(phase("a", "name: ⟦null⟧")))


def test_text_where_a_list_belongs_comes_with_the_list(expect: Expect) -> None:
    text = playbook(phase("a"), phase("b"), phase("c", "needs: ⟦a b⟧"))
    assert expect("AP2004", text) == '"needs" is one piece of text where a list belongs | write `[a, b]`'


def test_a_command_written_as_text_is_told_to_be_a_list(expect: Expect) -> None:
    said = expect("AP2004", playbook(phase("a", "probes: [⟦python -m pytest⟧]")))
    assert said == 'an item of "probes" is one piece of text where a list belongs | write `[python, -m, pytest]`'


def test_a_word_outside_the_vocabulary_is_told_with_the_vocabulary(expect: Expect) -> None:
    assert expect("AP2005", playbook(phase("a", 'complexity: ⟦"hihg"⟧'))) == (
        '"complexity" is "hihg", which is not one of its values | did you mean `high`? allowed: low, medium, high'
    )


def test_the_allowances_are_a_vocabulary_or_protected_paths(expect: Expect) -> None:
    expect("AP2005", playbook(phase("a", "allow: [test_changes, ⟦test_change⟧, {protected_paths: [tox.ini]}]")))


@pytest.mark.parametrize(
    "text",
    [
        playbook(phase("⟦1a⟧")),
        playbook(phase("a").replace("Do it.", '⟦"  "⟧')),
        playbook(phase("a", "budget: {cost_usd: ⟦five⟧}")),
        playbook(phase("a", 'budget: {cost_usd: ⟦"-5"⟧}')),
        playbook(phase("a"), top="inputs: {⟦9x⟧: {default: a}}\n"),
        f"autopack: ruleset/v1\nname: x\ngrants: [{GRANT} until: ⟦2027-13-01⟧}}]\n",
    ],
    ids=["id", "blank", "money", "negative money", "key", "date"],
)
def test_a_value_of_the_wrong_form_is_told_with_the_right_form(expect: Expect, text: str) -> None:
    assert "| it must be " in expect("AP2006", text)


def test_a_key_with_a_line_break_at_its_end_is_no_id(expect: Expect) -> None:
    expect("AP2006", playbook(phase('⟦"a\\n"⟧')))


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("budget: {tokens: ⟦0⟧}", '"tokens" is 0, it must be at least 1 | write 1 or more'),
        ("budget: {cost_usd: ⟦-0.5⟧}", '"cost_usd" is -0.5, it must be at least 0 | write 0 or more'),
    ],
)
def test_a_number_out_of_range_is_told_with_the_range(expect: Expect, more: str, said: str) -> None:
    assert expect("AP2007", playbook(phase("a", more))) == said


def test_an_empty_list_is_told_where_something_is_needed(expect: Expect) -> None:
    said = expect("AP2008", playbook("{id: a, goal: x, category: docs, scope: {write: ⟦[]⟧}}"))
    assert said == '"write" is empty | it must hold something'


def test_a_repeated_item_is_told_at_the_second_one(expect: Expect) -> None:
    assert expect("AP2009", playbook(phase("a", "tags: [⟪x⟫, y, ⟦x⟧]"))) == (
        '"x" is in "tags" twice | remove one of them'
    )


def test_many_faults_of_one_file_are_told_in_one_go(case: Case) -> None:
    case.write(
        "it.yaml",
        playbook(
            phase("a", "name: 1, complexity: hard, needs: [b]"),
            phase("b", "ci: nightly").replace("docs,", "dosc,"),
            "7",
        ),
    )
    found = [(p.code, p.span and p.span.line) for p in case.check("it.yaml").problems]
    assert found == [("AP2003", 6), ("AP2005", 6), ("AP5001", 7), ("AP3005", 7), ("AP2003", 8)]


def test_what_comes_by_an_alias_is_told_once_where_it_is_written(expect: Expect) -> None:
    expect(
        "AP2007",
        playbook(phase("a", "budget: *all"), phase("b", "budget: *all"), top="x-budget: &all {tokens: ⟦0⟧}\n"),
    )


def test_keys_that_start_with_x_and_meta_are_free(case: Case) -> None:
    case.write("it.yaml", playbook(phase("a", "meta: {ticket: [1, {}]}"), top="x-notes: [1]\nmeta: {any: thing}\n"))
    assert case.check("it.yaml").problems == []


def test_money_may_be_a_number_and_counts_may_have_underscores(case: Case) -> None:
    case.write(
        "it.yaml", playbook(phase("a", "budget: {cost_usd: 0.5, tokens: 5_000}"), top='budget: {cost_usd: "5"}\n')
    )
    assert case.check("it.yaml").problems == []


# --- the schemas themselves -------------------------------------------------------------------------------


def nodes(node: Any, path: str = "#") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema of a key that people can write, by its place."""
    if isinstance(node, dict):
        for key, below in node.get("properties", {}).items() if isinstance(node.get("properties"), dict) else ():
            yield f"{path}/{key}", below
        for key, below in node.items():
            if key not in ("examples", "default", "enum", "const"):
                yield from nodes(below, f"{path}/{key}")
    elif isinstance(node, list):
        for index, below in enumerate(node):
            yield from nodes(below, f"{path}/{index}")


@pytest.mark.parametrize("kind", schema.KINDS)
def test_a_schema_is_valid_and_explains_every_key(kind: str) -> None:
    published = schema.schema(kind)
    jsonschema.Draft202012Validator.check_schema(published)
    assert published["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    silent = [place for place, node in nodes(published) if not {"title", "description", "examples"} <= set(node)]
    assert silent == []


@pytest.mark.parametrize("kind", schema.KINDS)
def test_every_example_in_a_schema_is_valid(kind: str) -> None:
    published = schema.schema(kind)
    every = [("#", published), *nodes(published), *((f"#/$defs/{n}", d) for n, d in published["$defs"].items())]
    for place, node in every:
        validator = jsonschema.Draft202012Validator({**node, "$defs": published["$defs"]})
        assert [place for example in node["examples"] if not validator.is_valid(example)] == []


@pytest.mark.parametrize("kind", schema.KINDS)
def test_a_bare_schema_demands_and_presumes_what_the_published_one_does(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    examples = [{}, *schema.schema(kind)["examples"]]
    made = [(schema.passes(kind)(each), schema.filled(kind, each)) for each in examples]
    monkeypatch.setattr(bare, "OF", {})  # as in a checkout in which the schema has changed since
    for known in (schema.bare, schema.passes):
        known.cache_clear()
    assert schema.bare(kind) is schema.schema(kind)
    assert [(schema.passes(kind)(each), schema.filled(kind, each)) for each in examples] == made
    for known in (schema.bare, schema.passes):
        known.cache_clear()


def test_definitions_of_the_same_name_are_the_same_in_every_schema() -> None:
    seen: dict[str, Any] = {}
    for kind in schema.KINDS:
        for name, definition in schema.schema(kind)["$defs"].items():
            assert seen.setdefault(name, definition) == definition, (kind, name)


def test_a_form_is_described_wherever_a_pattern_is_demanded() -> None:
    for kind in schema.KINDS:
        text = json.dumps(schema.schema(kind))
        assert text.count('"pattern":') == text.count('"x-form":')


@pytest.mark.parametrize("file", sorted(RULESETS.rglob("*.yaml")), ids=lambda file: file.stem)
def test_every_shipped_file_is_valid(case: Case, file: Path) -> None:
    case.write(file.name, file.read_text(encoding="utf-8"))
    assert case.check(file.name).problems == []


def test_shipped_files_have_names_of_their_own() -> None:
    names = [file.stem for file in RULESETS.rglob("*.yaml")]
    assert sorted(names) == sorted(set(names))


# --- the gate ---------------------------------------------------------------------------------------------


RICH = """
autopack: playbook/v1
name: rich
inputs: {service: {enum: [orders, users], default: orders}, fast: {type: boolean}}
context: [docs/a.md]
budget: {tokens: 5, cost_usd: "5.00"}
defaults: {complexity: medium, ci: normal}
tiers:
  - id: T1
    phases:
      - id: store
        goal: Add {{ inputs.service }} {% if inputs.fast %}now{% endif %}
        category: docs
        needs: [api]
        scope: {write: ["{{ inputs.service }}/**", docs/**], read: [src/**]}
        deliverables: [docs/a.md]
        probes: [[python, -m, pytest]]
        allow: [test_changes, {protected_paths: [tox.ini]}]
        external: {source: here, licence: MIT}
        tags: [a, b]
      - {id: api, goal: x, category: schema_change, scope: {write: [a]}, ci: strict, builder: {kind: model}}
  - {id: T2, needs: [T1], phases: [{id: last, goal: y, category: tests, scope: {write: [b/]}, needs: [store, api]}]}
"""


FANNED = """
autopack: playbook/v1
name: fanned
inputs: {service: {default: orders}}
tiers:
  - id: T1
    phases:
      - id: store
        goal: Add {{ matrix.db }} on {{ matrix.py }}
        category: docs
        matrix: {db: [pg, sqlite], py: ["3.11", 3, true]}
        scope: {write: ["{{ matrix.db }}/**"]}
      - {id: one, goal: "{{ item }}", category: docs,
         for_each: [a, b], needs: [store.pg.3-11, store], scope: {write: [a]}}
      - {uses: marks.yaml, id: own, needs: [one.a], tags: [x], for_each: [c], with: {page: "{{ item }}", n: 3, b: true}}
  - {uses: "git+https://example.org/x@v1#tiers/a.yaml", id: T2, needs: [T1], with: {service: "{{ inputs.service }}"}}
  - {uses: gone.yaml, name: Gone, description: Away.}
"""
TIER = """
autopack: tier/v1
inputs: {page: {type: string}, n: {type: integer, default: 3}}
id: T
phases:
  - {uses: gone.yaml, with: {page: "{{ inputs.page }}"}, matrix: {a: [x, y]}}
  - {id: a, goal: "{{ inputs.page }}", category: docs, for_each: [x], needs: [b], scope: {write: [docs/**]}}
  - {id: b, goal: "{{ inputs.n }}", category: docs, scope: {write: [docs/**]}, deliverables: [docs/a.md]}
"""
SCENARIO = """
autopack: scenario/v1
name: s
playbook: gone.yaml
inputs: {service: users, n: 3}
env: nightly
answers: {store: {builder: [edit_failed, ok], ci: [red, green], auditor: [revise]}, "*": {builder: [ok]}}
expect:
  state: DONE_SUCCESS
  phases: {store: COMPLETE}
  path: {store: [EXECUTING, GATE]}
  builder_calls: {store: 3}
  cost_usd_max: "0.40"
"""
SOURCES = {"playbook": (RICH, FANNED), "tier": (TIER,), "scenario": (SCENARIO,)}


def seeds(kind: str) -> list[Any]:
    """Valid values to damage: what is shipped, and the schema's own examples."""
    folder = {"ruleset": ".", "ci": "ci", "models": "models"}.get(kind)
    files = sorted((RULESETS / folder).glob("*.yaml")) if folder else []
    sources = [file.read_bytes() for file in files] + [text.encode() for text in SOURCES.get(kind, ())]
    documents = [read("it.yaml", source)[0] for source in sources]
    return [document.value for document in documents if document] + list(schema.schema(kind)["examples"])


def walk(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield way
    for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
        yield from walk(value[key], (*way, key))


@st.composite
def damaged(draw: st.DrawFn) -> tuple[str, Any]:
    """A valid document with up to three values changed, removed, renamed or repeated."""
    kind = draw(st.sampled_from(schema.KINDS))
    value = json.loads(json.dumps(draw(st.sampled_from(seeds(kind)))))
    for _ in range(draw(st.integers(0, 3))):
        *way, last = draw(st.sampled_from([way for way in walk(value) if way] or [("autopack",)]))
        holder = value
        for step in way:
            holder = holder[step]
        match draw(st.sampled_from(["change", "remove", "rename", "repeat"])):
            case "remove":
                del holder[last]
            case "rename" if isinstance(last, str):
                holder[draw(st.sampled_from(["x-a", "9", "nmae", "a.b"]))] = holder.pop(last)
            case "repeat" if isinstance(holder, list):
                holder.append(holder[last])
            case _:
                holder[last] = draw(st.sampled_from(SCALARS) | st.text(max_size=5) | st.integers() | st.floats(0, 2))
    return kind, value


BLANKS = ["\x1f", "\x85", "\ufeff", "\u2003", " \t", "\u200b", "\x7f"]
"""What one engine of regular expressions takes for white space, and another for a character."""


@settings(max_examples=300, deadline=None)
@given(damaged())
def test_the_gate_and_jsonschema_agree(case: tuple[str, Any]) -> None:
    kind, value = case
    published = dict(schema.schema(kind))
    expected = jsonschema.Draft202012Validator(published).is_valid(value)
    assert schema.passes(kind)(value) is expected
    assert jsonschema_rs.validator_for(published).is_valid(value) is expected


@pytest.mark.parametrize("goal", BLANKS)
def test_every_engine_says_the_same_of_a_goal_that_nobody_can_see(goal: str) -> None:
    phase = {"autopack": "phase/v1", "id": "a", "goal": goal, "category": "docs", "scope": {"write": ["a"]}}
    blank = goal not in ("\u200b", "\x7f")
    assert schema.passes("phase")(phase) is not blank
    assert jsonschema_rs.validator_for(dict(schema.schema("phase"))).is_valid(phase) is not blank


@settings(max_examples=200, deadline=None)
@given(damaged())
def test_whatever_is_invalid_has_a_finding_and_what_is_valid_has_none(case: tuple[str, Any]) -> None:
    kind, value = case
    value["autopack"] = f"{kind}/v1"
    document, problems = read("it.yaml", json.dumps(value).encode())
    if document is None or problems or "\x85" in document.text:
        return
    left, found = schema.check(document)
    assert bool(found) is not schema.passes(kind)(document.value)
    assert left is not None


@settings(max_examples=200, deadline=None)
@given(damaged())
def test_nothing_that_can_be_written_raises(case: tuple[str, Any]) -> None:
    """What a schema refused is hidden from the rules, which would trip over it."""
    kind, value = case
    value["autopack"] = f"{kind}/v1"
    found = check(str(Path(__file__).parent), ["-"], stdin=json.dumps(value).encode(), today="2030-01-01")
    assert all(problem.code in CODES for problem in found.problems)
