"""Overlays of a project: what they change, what they may not, and what is wrong in them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from autopack.spec import schema
from autopack.spec.load import check, load
from autopack.views.cli import main
from tests.spec.marks import Case, phase, playbook

Expect = Callable[[str, str], str]
PROJECT = "autopack: project/v1\nname: shop\nplaybooks: [p.yaml]\nmodels: builtin:replay\n"
STRICT = "environments: {nightly: {safety_profile: safety_critical, ruleset: builtin:strict}, empty: {}}\n"
RULES = "autopack: ruleset/v1\nname: house\ncategories: {payments: {}}\n"


def project(case: Case, more: str = STRICT) -> None:
    case.write("autopack.yaml", PROJECT + more)
    case.write("p.yaml", playbook(phase("a")))


def test_an_overlay_holds_instead_of_the_project_s_own_keys(case: Case) -> None:
    project(case)
    plain, _ = load(str(case.root), "p.yaml")
    nightly, problems = load(str(case.root), "p.yaml", env="nightly")
    assert problems == []
    assert plain is not None
    assert nightly is not None
    assert (plain.project.safety_profile, plain.ruleset.name) == (None, "default")
    assert (nightly.project.safety_profile, nightly.ruleset.name) == ("safety_critical", "strict")
    assert nightly.project.models == "builtin:replay"


def test_an_overlay_that_says_nothing_changes_nothing(case: Case) -> None:
    project(case)
    plain, _ = load(str(case.root), "p.yaml")
    empty, problems = load(str(case.root), "p.yaml", env="empty")
    assert problems == []
    assert plain is not None
    assert empty is not None
    assert plain.project == empty.project


def test_names_come_from_the_overlay_s_files(case: Case) -> None:
    project(case, "environments: {pay: {ruleset: r.yaml}}\n")
    case.write("r.yaml", RULES)
    case.write("p.yaml", playbook(phase("a").replace("docs,", "payments,")))
    assert [p.code for p in case.check().problems] == ["AP5001"]
    assert case.check(env="pay").problems == []


def test_what_every_overlay_names_is_checked_with_the_project(case: Case) -> None:
    project(case, "environments: {pay: {ruleset: r.yaml, ci: ⟦gone.yaml⟧}}\n")
    case.write("r.yaml", RULES)
    assert case.expect("AP3007").files == ("autopack.yaml", "p.yaml", "r.yaml")
    assert [p.code for p in case.check(env="pay").problems] == ["AP3007"]


def test_an_unknown_environment_is_told_where_they_are_declared(case: Case) -> None:
    project(case)
    found = case.check(env="nightlyy").problems
    assert [(p.code, p.span and tuple(p.span), p.help) for p in found] == [
        ("AP3029", ("autopack.yaml", 5, 1, 5, 13), "did you mean `nightly`?")
    ]
    assert load(str(case.root), "p.yaml", env="nightlyy") == (None, found)


def test_a_project_without_environments_has_none(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text(playbook(phase("a")), encoding="utf-8")
    (found,) = check(str(tmp_path), ["p.yaml"], env="nightly").problems
    assert (found.code, found.span, found.help) == ("AP3029", None, "environments: none")


@pytest.mark.parametrize(
    ("code", "overlay"),
    [
        ("AP2001", "{⟦protected_branches⟧: []}"),
        ("AP2001", "{⟦store⟧: sqlite}"),
        ("AP2005", "{safety_profile: ⟦safe⟧}"),
        ("AP2003", "⟦3⟧"),
    ],
)
def test_what_an_overlay_may_not_change_is_refused(case: Case, code: str, overlay: str) -> None:
    project(case, f"environments: {{nightly: {overlay}}}\n")
    case.expect(code)


def test_the_keys_that_may_be_overlaid_are_marked_in_the_schema() -> None:
    published = schema.schema("project")
    marked = {key for key, node in published["properties"].items() if node.get("x-overridable")}
    assert marked == set(published["$defs"]["environment"]["properties"])
    assert marked == {"ruleset", "ci", "models", "safety_profile", "run_scope", "stage"}


def test_the_command_line_takes_an_environment(
    case: Case, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    project(case)
    monkeypatch.chdir(case.root)
    assert main(["validate", "--env", "nightly"]) == 0
    assert main(["validate", "--env", "nihgtly"]) == 1
    assert main(["plan", "p.yaml", "--json"]) == 0
    plain = capsys.readouterr().out
    assert main(["plan", "p.yaml", "--json", "--env", "nightly"]) == 0
    assert '"safety_profile":"safety_critical"' in capsys.readouterr().out
    assert '"safety_profile":"normal"' in plain
    assert main(["run", "p.yaml", "--dry-run", "--env", "nightly"]) == 0
