"""What an editor holds and has not saved wins over the files."""

from autopack.spec.load import government, load
from tests.spec.marks import TODAY, Case, phase, playbook

PROJECT = "autopack: project/v1\nname: shop\n"


def test_an_unsaved_buffer_is_judged_instead_of_its_file(case: Case) -> None:
    case.write("autopack.yaml", PROJECT)
    case.write("playbooks/a.yaml", playbook(phase("a")))
    unsaved = {str(case.root / "playbooks/a.yaml"): playbook(phase("a", "needs: [b]")).encode()}
    assert [found.code for found in case.check(instead=unsaved).problems] == ["AP3002"]
    assert case.check().problems == []


def test_a_buffer_counts_where_no_file_was_saved_yet(case: Case) -> None:
    unsaved = {
        str(case.root / "autopack.yaml"): f"{PROJECT}ruleset: house.yaml\n".encode(),
        str(case.root / "house.yaml"): b"autopack: ruleset/v1\nname: house\n",
        str(case.root / "playbooks/a.yaml"): playbook(phase("a")).encode(),
        str(case.root / "elsewhere/b.yaml"): b"not ours",
    }
    found = case.check(instead=unsaved)
    assert found.problems == []
    assert found.files == ("autopack.yaml", "playbooks/a.yaml", "house.yaml")


def test_a_ruleset_in_a_buffer_governs_the_playbooks_in_files(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}ruleset: house.yaml\n")
    case.write("house.yaml", "autopack: ruleset/v1\nname: house\n")
    case.write("playbooks/a.yaml", playbook(phase("a").replace("category: docs", "category: payments")))
    assert [found.code for found in case.check().problems] == ["AP5001"]
    ruleset = b"autopack: ruleset/v1\nname: house\ncategories: {payments: {}}\n"
    unsaved = {str(case.root / "house.yaml"): ruleset}
    assert case.check(instead=unsaved).problems == []
    spec, problems = load(str(case.root), "playbooks/a.yaml", today=TODAY, instead=unsaved)
    assert (problems, spec is not None) == ([], True)


def test_government_names_all_that_says_what_a_file_may_refer_to(case: Case) -> None:
    case.write("autopack.yaml", f"{PROJECT}ruleset: house.yaml\nmodels: builtin:replay\n")
    case.write("house.yaml", "autopack: ruleset/v1\nname: house\nextends: builtin:strict\n")
    case.write("playbooks/a.yaml", playbook(phase("a")))
    found = government(str(case.root), "playbooks/a.yaml")
    assert found.project is not None
    assert found.project.path == "autopack.yaml"
    assert [each.path for each in found.rulesets] == ["house.yaml", "builtin:strict", "builtin:default"]
    assert (found.ci and found.ci.path, found.models and found.models.path) == ("builtin:python", "builtin:replay")
    assert [each.path for each in found.playbooks] == ["playbooks/a.yaml"]
    assert found.places["house.yaml"] == str(case.root / "house.yaml")


def test_a_file_without_a_project_is_governed_by_the_builtins_and_a_ruleset_by_itself(case: Case) -> None:
    case.write("lone.yaml", "autopack: ruleset/v1\nname: lone\n")
    found = government(str(case.root), "lone.yaml")
    assert found.project is None
    assert [each.path for each in found.rulesets] == ["lone.yaml", "builtin:default"]
    assert found.playbooks == ()


def test_government_of_what_cannot_be_read_is_that_of_the_builtins(case: Case) -> None:
    found = government(str(case.root), "nowhere.yaml")
    assert [each.path for each in found.rulesets] == ["builtin:default"]
