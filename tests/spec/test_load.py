"""Which files are read, what their references lead to, and the Spec that comes out."""

import os
from collections.abc import Callable
from decimal import Decimal

import pytest

from autopack.problem import Span
from autopack.spec.at import At
from autopack.spec.load import load, project_of
from autopack.spec.model import Spec
from tests.spec.marks import TODAY, Case, phase, playbook

Expect = Callable[[str, str], str]
PROJECT = "autopack: project/v1\nname: shop\n"
RULESET = "autopack: ruleset/v1\nname: house\n"
CI = """\
autopack: ci/v1
name: house
profiles: {normal: {steps: [{id: unit, run: [pytest]}]}, strict: {extends: normal}}
"""


def loaded(case: Case, path: str = "playbooks/a.yaml", **inputs: str) -> Spec:
    spec, problems = load(str(case.root), path, inputs, today=TODAY)
    assert problems == []
    assert spec is not None
    return spec


# --- the whole project ------------------------------------------------------------------------------------


def test_the_whole_project_is_checked_by_default(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}ruleset: rules/house.yaml\nci: ci.yaml\nmodels: builtin:replay\n")
    case.write("rules/house.yaml", f"{RULESET}extends: base.yaml\n")
    case.write("rules/base.yaml", RULESET)
    case.write("ci.yaml", CI)
    case.write("playbooks/b.yaml", playbook(phase("a")))
    case.write("playbooks/a.yaml", playbook(phase("a")))
    found = case.check()
    assert found.problems == []
    assert found.files == (
        "autopack.yaml",
        "playbooks/a.yaml",
        "playbooks/b.yaml",
        "rules/house.yaml",
        "rules/base.yaml",
        "ci.yaml",
    )
    assert found.not_checked == ("model reachability",)
    assert "builtin:default" in found.documents


def test_findings_of_all_files_are_told_in_one_go_in_the_order_of_their_paths(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}nmae: x\nruleset: z.yaml\n")
    case.write("z.yaml", f"{RULESET}budget: {{tokens: 0}}\n")
    case.write("playbooks/a.yaml", playbook(phase("a", "needs: [b]")))
    found = [(p.span and p.span.path, p.code) for p in case.check().problems]
    assert found == [("autopack.yaml", "AP2001"), ("playbooks/a.yaml", "AP3002"), ("z.yaml", "AP2007")]


def test_a_folder_without_a_project_is_told_what_to_do(case: Case) -> None:
    (found,) = case.check().problems
    assert (found.code, found.span, found.message) == ("AP3007", None, "no autopack.yaml in this folder or above it")


def test_what_a_project_declares_is_known_to_its_playbooks(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}ruleset: r.yaml\nci: c.yaml\n")
    case.write("r.yaml", f"{RULESET}categories: {{payments: {{high_risk: true}}}}\n")
    case.write("c.yaml", f"{CI.replace('normal: {', 'nightly: {extends: normal}, normal: {', 1)}")
    case.write("playbooks/a.yaml", playbook(phase("a", "ci: nightly").replace("docs,", "payments,")))
    assert case.check().problems == []
    assert case.check("playbooks/a.yaml").problems == []


def test_a_file_without_a_project_is_checked_with_the_builtins(case: Case) -> None:
    case.write("a.yaml", playbook(phase("a", "ci: ⟦nightly⟧")))
    case.expect("AP3005", "a.yaml")


def test_the_nearest_project_counts(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}playbooks: []\n")
    case.write("inner/autopack.yaml", f"{PROJECT}playbooks: []\nruleset: r.yaml\n")
    case.write("inner/r.yaml", f"{RULESET}categories: {{payments: {{}}}}\n")
    case.write("inner/playbooks/a.yaml", playbook(phase("a").replace("docs,", "payments,")))
    case.write("outer.yaml", playbook(phase("a").replace("docs,", "⟦payments⟧,")))
    assert case.check("inner").problems == []
    case.expect("AP5001", "outer.yaml", "inner/playbooks/a.yaml")


def test_only_the_files_that_were_named_are_judged(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}ruleset: r.yaml\n")
    case.write("r.yaml", f"{RULESET}buget: {{}}\ncategories: {{payments: {{}}}}\n")
    case.write("a.yaml", playbook(phase("a").replace("docs,", "payments,")))
    found = case.check("a.yaml")
    assert (found.problems, found.files) == ([], ("a.yaml",))
    assert found.not_checked == ("model reachability", "names from r.yaml, which has errors")


def test_names_that_can_not_be_known_are_not_refused(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}ruleset: gone.yaml\nci: gone.yaml\n")
    case.write("a.yaml", playbook(phase("a", "ci: nightly").replace("docs,", "payments,")))
    assert case.check("a.yaml").problems == []


# --- what is asked for ------------------------------------------------------------------------------------


def test_stdin_is_a_file_of_this_folder(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}ruleset: r.yaml\n")
    case.write("r.yaml", f"{RULESET}categories: {{payments: {{}}}}\n")
    text = playbook(phase("a").replace("docs,", "payments,"), phase("b", "needs: [c]"))
    found = case.check("-", stdin=text.encode())
    assert [(p.code, p.span) for p in found.problems] == [("AP3002", Span("<stdin>", 7, 82, 7, 83))]


def test_a_folder_stands_for_the_files_with_our_header(case: Case) -> None:
    case.write("specs/a.yaml", playbook(phase("a")))
    case.write("specs/deep/b.yml", "# why\n" + playbook(phase("a", "⟦nmae⟧: x")))
    case.write("specs/compose.yaml", "services: {}\n")
    case.write("specs/.hidden/c.yaml", "autopack: nonsense\n")
    assert case.expect("AP2001", "specs").files == ("specs/a.yaml", "specs/deep/b.yml")


def test_a_path_that_leads_nowhere_is_told_without_a_place(case: Case) -> None:
    (found,) = case.check("gone.yaml").problems
    assert (found.code, found.span, found.message) == ("AP3007", None, "gone.yaml does not exist")


def test_a_file_named_twice_is_judged_once(case: Case) -> None:
    case.write("a.yaml", playbook(phase("a", "⟦nmae⟧: x")))
    assert case.expect("AP2001", "a.yaml", "./a.yaml", ".").files == ("a.yaml",)


def test_paths_are_shown_relative_to_the_root(case: Case) -> None:
    case.write("a.yaml", playbook(phase("a")))
    assert case.check(str(case.root / "a.yaml")).files == ("a.yaml",)


# --- references -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("key", "name", "said"),
    [
        ("ruleset", "gone.yaml", '"gone.yaml" does not exist'),
        ("ci", "folder", '"folder" is a folder'),
        ("models", "pipe", '"pipe" is not a regular file'),
        ("models", '"a\\0b"', "cannot be read"),
        ("ruleset", "builtin:defualt", "did you mean `default`?"),
        ("ci", "builtin:go", "there are: python"),
        ("ruleset", "builtin:../default", "is no ruleset that ships with autopack | did you mean `default`?"),
    ],
)
def test_a_reference_that_leads_nowhere_is_told_at_the_reference(case: Case, key: str, name: str, said: str) -> None:
    (case.root / "folder").mkdir()
    os.mkfifo(case.root / "pipe")
    case.write("autopack.yaml", f"{PROJECT}playbooks: []\n{key}: ⟦{name}⟧\n")
    found = case.expect("AP3007").problems[0]
    assert said in f"{found.message} | {found.help}"


def test_a_playbook_is_no_builtin(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}playbooks: [⟦builtin:default⟧]\n")
    found = case.expect("AP3007").problems[0]
    assert found.message == '"builtin:default" is no path to a playbook'
    assert found.help == "only ruleset, ci, models can be `builtin:`"


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read_is_told_at_the_reference(case: Case) -> None:
    case.write("r.yaml", RULESET)
    (case.root / "r.yaml").chmod(0)
    case.write("autopack.yaml", f"{PROJECT}playbooks: []\nruleset: ⟦r.yaml⟧\n")
    case.expect("AP3007")


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_playbook_that_may_not_be_read_is_told_where_the_project_asks_for_it(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}playbooks: [⟦p/*.yaml⟧]\n")
    case.write("p/a.yaml", playbook(phase("a")))
    (case.root / "p" / "a.yaml").chmod(0)
    case.expect("AP3007")


def test_a_reference_to_another_kind_of_file_is_refused(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}playbooks: []\nruleset: ⟦a.yaml⟧\n")
    case.write("a.yaml", playbook(phase("a")))
    said = case.expect("AP3008").problems[0].message
    assert said == '"a.yaml" is a file of kind playbook, not ruleset'


def test_what_is_wrong_with_a_referenced_file_is_told_there(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}playbooks: []\nruleset: r.yaml\n")
    case.write("r.yaml", "⟦name⟧: x\n")
    case.expect("AP1001")


def test_a_playbook_that_is_named_must_exist_and_a_pattern_should_find_one(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}playbooks: [gone.yaml, plans/*.yaml]\n")
    found = [(p.code, p.severity, p.span and p.span.column) for p in case.check().problems]
    assert found == [("AP3007", "error", 13), ("AP3023", "warning", 24)]


def test_the_default_pattern_may_find_nothing(case: Case) -> None:
    case.write("autopack.yaml", PROJECT)
    assert case.check().problems == []


def test_a_path_starts_at_the_file_that_names_it(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}playbooks: []\nruleset: rules/house.yaml\n")
    case.write("rules/house.yaml", f"{RULESET}extends: ⟦rules/base.yaml⟧\n")
    case.write("rules/base.yaml", RULESET)
    case.expect("AP3007")


def test_rulesets_that_extend_each_other_are_told_with_the_whole_circle(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}playbooks: []\nruleset: a.yaml\n")
    case.write("a.yaml", f"{RULESET}extends: ⟪b.yaml⟫\n")
    case.write("b.yaml", f"{RULESET}extends: ⟦a.yaml⟧\n")
    message = case.expect("AP3009").problems[0].message
    assert message == "these rulesets extend each other in a circle: a.yaml -> b.yaml -> a.yaml"


def test_a_file_that_is_no_text_has_its_finding_and_no_traceback(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}playbooks: []\nmodels: m.yaml\n")
    (case.root / "m.yaml").write_bytes(b"\xff\xfe\x00")
    assert [(p.code, p.span and p.span.path) for p in case.check().problems] == [("AP1012", "m.yaml")]


# --- a spec -----------------------------------------------------------------------------------------------


FULL = """\
autopack: playbook/v1
name: rate-limiting
description: Token buckets for the public API.
inputs: {service: {type: string, default: orders, enum: [orders, users]}}
context: [docs/architecture.md]
budget: {tokens: 2_000_000, cost_usd: "5.00", minutes: 60, phases: 25, minor_issues: 12}
defaults: {complexity: medium}
tiers:
  - id: T1
    name: Storage
    needs: []
    phases:
      - id: store
        name: In-memory token bucket
        category: feature_scaffolding
        complexity: low
        builder_mode: tweak_light
        needs: []
        goal: |
          Add a token bucket to {{ inputs.service }} ...
        scope: {write: ["src/limiter/**", "tests/test_bucket.py"], read: ["src/**"]}
        deliverables: [src/limiter/bucket.py, tests/test_bucket.py]
        acceptance: ["refills at the configured rate", "never goes negative"]
        probes: [[python, -m, pytest, -q, tests/test_bucket.py]]
        ci: normal
        budget: {tokens: 200_000, cost_usd: "0.50", attempts: 3, minutes: 10}
        builder: {kind: model}
        allow: [test_changes, {protected_paths: [tox.ini]}]
        external: null
        tags: [api]
"""


def test_a_playbook_becomes_values_as_written(case: Case) -> None:
    case.write("playbooks/a.yaml", FULL)
    spec = loaded(case)
    found = spec.playbook.tiers[0].phases[0]
    assert (spec.playbook.name, spec.inputs, spec.playbook.context) == (
        "rate-limiting",
        {"service": "orders"},
        ("docs/architecture.md",),
    )
    assert (found.id, found.goal, found.needs) == ("store", "Add a token bucket to orders ...\n", ())
    assert found.budget is not None
    assert (found.budget.tokens, found.budget.cost_usd, found.budget.attempts) == (200_000, Decimal("0.50"), 3)
    assert (found.allow, found.allow_protected, found.external) == (("test_changes",), ("tox.ini",), None)
    assert spec.playbook.tiers[0].needs == ()


def test_what_a_playbook_leaves_out_is_left_to_the_compiler(case: Case) -> None:
    case.write("playbooks/a.yaml", playbook(phase("a")))
    spec = loaded(case)
    (tier,) = spec.playbook.tiers
    (found,) = tier.phases
    assert (tier.needs, tier.name, spec.playbook.budget, spec.playbook.defaults) == (None, None, None, None)
    assert (found.name, found.complexity, found.ci, found.budget, found.builder) == (None, None, None, None, None)


def test_a_playbook_without_a_project_has_the_defaults_of_one(case: Case) -> None:
    case.write("playbooks/a.yaml", playbook(phase("a")))
    project = loaded(case).project
    assert (project.name, project.base_branch, project.protected_branches, project.store) == (
        case.root.name,
        "main",
        ("main", "master", "release/*"),
        "sqlite",
    )
    assert (project.artifacts.path, project.safety_profile, project.stage) == (".autonomous_runs", None, "stewardship")


def test_every_value_knows_its_place(case: Case) -> None:
    case.write("playbooks/a.yaml", FULL)
    spec = loaded(case)
    found = spec.playbook.tiers[0].phases[0]
    assert spec.span(found.at, "id") == Span("playbooks/a.yaml", 13, 13, 13, 18)
    assert spec.key_span(found.at, "ci") == Span("playbooks/a.yaml", 25, 9, 25, 11)
    assert found.budget is not None
    assert spec.span(found.budget.at, "attempts") == Span("playbooks/a.yaml", 26, 63, 26, 64)
    assert spec.span(found.at, "audits") == spec.span(found.at)


def test_inputs_are_converted_from_the_text_of_a_command_line(case: Case) -> None:
    declared = "{n: {type: integer}, x: {type: number}, b: {type: boolean}, s: {}}"
    case.write("playbooks/a.yaml", playbook(phase("a"), top=f"inputs: {declared}\n"))
    assert loaded(case, n="5", x="2.5", b="false", s="7").inputs == {"n": 5, "x": 2.5, "b": False, "s": "7"}


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, 'the input "service" is needed | give it: --input service=...'),
        ({"service": "x"}, 'the input "service" must be one of: orders, users | write one of: "orders", "users"'),
        (
            {"service": "orders", "n": "x"},
            'the input "n" is declared as integer, which "x" is not | write a value of that type, or declare another type',  # noqa: E501
        ),
        ({"service": "orders", "sevice": "y"}, 'no input "sevice" is declared | did you mean `service`?'),
    ],
)
def test_wrong_inputs_are_told_where_they_are_declared(case: Case, given: dict[str, str], said: str) -> None:
    declared = "inputs: {service: {enum: [orders, users]}, n: {type: integer, default: 1}}\n"
    case.write("p.yaml", playbook(phase("a"), top=declared))
    spec, problems = load(str(case.root), "p.yaml", given)
    assert spec is None
    assert [(p.code, f"{p.message} | {p.help}", p.span and p.span.line) for p in problems] == [("AP3019", said, 3)]


def test_no_spec_is_made_of_files_with_errors(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}models: m.yaml\n")
    case.write("m.yaml", "autopack: models/v1\nname: x\n")
    case.write("playbooks/a.yaml", playbook(phase("a")))
    spec, problems = load(str(case.root), "playbooks/a.yaml")
    assert spec is None
    assert [p.code for p in problems] == ["AP2002", "AP2002"]


def test_warnings_come_with_the_spec(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}ci: c.yaml\n")
    case.write("c.yaml", CI.replace("[pytest]", "[sh, -c, pytest]"))
    case.write("playbooks/a.yaml", playbook(phase("a")))
    spec, problems = load(str(case.root), "playbooks/a.yaml")
    assert spec is not None
    assert [p.code for p in problems] == ["AP3025"]


def test_another_kind_of_file_is_no_playbook(case: Case) -> None:
    case.write("c.yaml", CI)
    spec, problems = load(str(case.root), "c.yaml")
    assert (spec, [p.code for p in problems]) == (None, ["AP3008"])


def test_a_playbook_that_is_not_there_is_a_finding(case: Case) -> None:
    spec, problems = load(str(case.root), "gone.yaml")
    assert (spec, [(p.code, p.message) for p in problems]) == (None, [("AP3007", "gone.yaml does not exist")])


def test_steps_of_a_profile_come_after_those_it_extends_and_replace_them_by_id(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}ci: c.yaml\n")
    case.write(
        "c.yaml",
        "autopack: ci/v1\nname: x\nprofiles:\n"
        "  normal: {retries: 2, steps: [{id: unit, run: [a]}, {id: lint, run: [b]}]}\n"
        "  strict: {extends: normal, steps: [{id: e2e, run: [c], timeout_s: 5}, {id: unit, run: [d]}]}\n",
    )
    case.write("playbooks/a.yaml", playbook(phase("a")))
    ci = loaded(case).ci
    strict = ci.profiles["strict"]
    assert [(step.id, step.run, step.timeout_s) for step in strict.steps] == [
        ("unit", ("d",), 600),
        ("lint", ("b",), 600),
        ("e2e", ("c",), 5),
    ]
    assert (strict.retries, strict.steps[0].at) == (2, At("c.yaml", ("profiles", "strict", "steps", 1)))
    assert (ci.env_pass, ci.baseline, ci.preflight.attempts) == (("PATH", "HOME", "LANG"), True, 3)


def test_prices_are_exact(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}models: builtin:openai\n")
    case.write("playbooks/a.yaml", playbook(phase("a")))
    mini = loaded(case).models.models["gpt-4o-mini"]
    assert mini.price is not None
    assert (mini.price.input, mini.price.cached_input, mini.price.output) == (
        Decimal("0.15"),
        Decimal("0.075"),
        Decimal("0.60"),
    )
    assert (mini.provider, mini.timeout_s, mini.price.cached_write) == ("openai", 300, None)


@pytest.mark.parametrize("name", ["default", "strict", "experimental", "auth-security", "infra-refactor"])
@pytest.mark.parametrize("models", ["openai", "anthropic", "local", "replay"])
def test_everything_that_ships_becomes_a_spec(case: Case, name: str, models: str) -> None:
    case.write("autopack.yaml", f"{PROJECT}ruleset: builtin:{name}\nmodels: builtin:{models}\n")
    case.write("playbooks/a.yaml", playbook(phase("a")))
    spec = loaded(case)
    assert (spec.ruleset.name, spec.models.name, set(spec.ci.profiles)) == (name, models, {"normal", "strict"})


def test_the_project_is_read_without_its_references_being_needed(case: Case) -> None:
    assert project_of(str(case.root)) is not None
    case.write("autopack.yaml", f"{PROJECT}base_branch: trunk\n")
    project = project_of(str(case.root))
    assert project is not None
    assert (project.name, project.base_branch) == ("shop", "trunk")
    case.write("autopack.yaml", f"{PROJECT}base: trunk\n")
    assert project_of(str(case.root)) is None
