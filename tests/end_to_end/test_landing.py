"""Two phases side by side, from the same head: the second to arrive is carried onto what the first one landed."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.end_to_end.answers import reply, search_replace, whole_file
from tests.end_to_end.scratch import Ended, Project, cassette, hello, quick_ci, record

PAIR = """\
autopack: playbook/v1
name: pair
tiers:
  - id: T1
    phases:
      - {id: one, category: feature_scaffolding, goal: "Add one.", scope: {write: [%s]}, deliverables: [%s]}
      - {id: two, category: feature_scaffolding, goal: "Add two.", scope: {write: [%s]}, deliverables: [%s]}
"""
SHARED = "src/hello/shared.py"
BEFORE = "".join(f"def part_{number}():\n    return {number}\n\n\n" for number in range(12))


def _project(
    folder: Path, paths: tuple[str, str], answers: list[tuple[str, int, str]], more: Mapping[str, str] | None = None
) -> Project:
    files = {
        "ci.yaml": quick_ci(),
        "playbooks/pair.yaml": PAIR % (paths[0], paths[0], paths[1], paths[1]),
        "playbooks/pair.cassette.jsonl": cassette(
            [record(name, "builder", call, text) for name, call, text in answers]
        ),
        SHARED: BEFORE,
        **(more or {}),
    }
    return hello(folder, files)


def _run(project: Project) -> Ended:
    return project.autopack("run", "playbooks/pair.yaml", "--run-id", "r1", "--jobs", "2", "--json")


def _added(number: int, words: str) -> str:
    """A block that puts something before one of the parts."""
    old = f"def part_{number}():\n    return {number}\n"
    return reply("an addition", search_replace(SHARED, BEFORE, BEFORE.replace(old, f"{words}\n\n\n{old}")))


def test_what_lies_apart_lands_without_running_ci_again(tmp_path: Path):
    paths = ("src/hello/one.py", "src/hello/two.py")
    answers = [
        (name, 1, reply("a constant", whole_file(path, f"{name.upper()} = 1\n")))
        for name, path in zip(("one", "two"), paths, strict=True)
    ]
    project = _project(tmp_path, paths, answers)
    ended = _run(project)
    assert ended.code == 0, ended.err
    assert [event["overlaps"] for event in project.events("r1", "Rebased")] == [False]
    assert len(project.events("r1", "CiFinished")) == 2
    assert len(project.commits("r1")) == 2


def test_what_shares_a_file_passes_ci_again_on_both_changes(tmp_path: Path):
    answers = [("one", 1, _added(1, "ONE = 1")), ("two", 1, _added(11, "TWO = 2"))]
    project = _project(tmp_path, (SHARED, SHARED), answers)
    ended = _run(project)
    assert ended.code == 0, ended.err
    assert [event["overlaps"] for event in project.events("r1", "Rebased")] == [True]
    assert len(project.events("r1", "CiFinished")) == 3
    landed = project.git("show", f"autonomous/r1:{SHARED}")
    assert ("ONE = 1" in landed, "TWO = 2" in landed) == (True, True)


@pytest.mark.parametrize("shared", [True, False], ids=["one-test-of-both", "a-test-for-each"])
def test_what_one_test_imports_passes_ci_again_though_no_file_is_shared(tmp_path: Path, *, shared: bool):
    """GOVERNANCE: under normal CI again "when what landed since overlaps the phase's scope or its affected tests"."""
    paths = ("src/hello/one.py", "src/hello/two.py")
    answers = [(name, 1, reply("a number", whole_file(f"src/hello/{name}.py", "N = 2\n"))) for name in ("one", "two")]
    checks = {name: f"import hello.{name}\ndef test_{name}(): assert hello.{name}.N\n" for name in ("one", "two")}
    tests = {"tests/test_both.py": "".join(checks.values())}
    if not shared:
        tests = {f"tests/test_{name}.py": text for name, text in checks.items()}
    pytest_ci = quick_ci("python", "-m", "pytest", "-q", "-p", "no:cacheprovider").replace(
        "timeout_s: 600}", "timeout_s: 600, when: affected}"
    )
    project = _project(tmp_path, paths, answers, {"ci.yaml": pytest_ci, **dict.fromkeys(paths, "N = 1\n"), **tests})
    ended = _run(project)
    assert ended.code == 0, ended.err
    assert [event["overlaps"] for event in project.events("r1", "Rebased")] == [shared]
    assert len(project.events("r1", "CiFinished")) == (3 if shared else 2)


def test_what_merges_but_does_not_go_together_goes_back_to_its_builder(tmp_path: Path):
    """Both add a function of the same name: git sees no conflict, the gate does."""
    answers = [
        ("one", 1, _added(1, "def helper():\n    return 1")),
        ("two", 1, _added(11, "def helper():\n    return 2")),
        ("one", 2, _added(1, "def another_helper():\n    return 1")),
        ("two", 2, _added(11, "def another_helper():\n    return 2")),
    ]
    project = _project(tmp_path, (SHARED, SHARED), answers)
    ended = _run(project)
    assert ended.code == 0, ended.err
    assert [event["kind"] for event in project.events("r1", "PatchRefused")] == ["duplicate_definition"]
    landed = project.git("show", f"autonomous/r1:{SHARED}")
    assert (landed.count("def helper()"), landed.count("def another_helper()")) == (1, 1)


def test_who_changes_the_same_lines_does_it_again_on_what_landed(tmp_path: Path):
    answers = [
        ("one", 1, _added(5, "ONE = 1")),
        ("two", 1, _added(5, "TWO = 2")),
        ("one", 2, _added(6, "ONE = 1")),
        ("two", 2, _added(6, "TWO = 2")),
    ]
    project = _project(tmp_path, (SHARED, SHARED), answers)
    ended = _run(project)
    assert ended.code == 0, ended.err
    assert [event["paths"] for event in project.events("r1", "Conflicted")] == [[SHARED]]
    assert sorted(phase["attempts"] for phase in ended.json["phases"]) == [1, 2]
