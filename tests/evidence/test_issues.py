"""Issues of a real run: in its folder, on its branch, in the store, and in the next compile."""

import json
from pathlib import Path
from typing import Any

from tests.end_to_end.scratch import CASSETTE, PLAYBOOK, Project, cassette, hello, quick_ci, record, replies, text_of

FOLDER = ".autopack/issues/hello-1"


def shown(project: Project, path: str, run_id: str = "hello-1") -> Any:
    return json.loads(project.git("show", f"autonomous/{run_id}:{path}"))


def test_issue_files_land_with_the_code_in_the_one_commit_of_their_phase(built: Project):
    """REQ-5.1-8, REQ-5.1-1, REQ-5.2-1."""
    commits = built.commits("hello-1")
    assert len(commits) == 4
    for commit in commits:
        phase = built.trailers(commit)["Autopack-Phase"]
        names = built.git("show", "--name-only", "--format=", commit).splitlines()
        own = next(name for name in names if name.endswith(f"_{phase}_issues.json"))
        assert own.startswith(f"{FOLDER}/phase_0")
        assert ".autopack/calibration.json" in names
    told = shown(built, f"{FOLDER}/phase_03_suite_issues.json")
    assert (told["run_id"], told["phase_id"], told["tier_id"]) == ("hello-1", "suite", "T2")


def test_the_patches_and_the_users_checkout_know_nothing_of_them(built: Project):
    for patch in (built.artifacts("hello-1") / "patches").iterdir():
        assert ".autopack" not in patch.read_text()
    assert not (built.root / ".autopack").exists()
    assert built.git("status", "--porcelain") == ""


def test_the_committed_files_say_what_the_runs_folder_says(built: Project):
    folder = built.artifacts("hello-1") / "issues"
    last = shown(built, f"{FOLDER}/run_issue_index.json")
    assert last == json.loads((folder / "run_issue_index.json").read_text())
    assert sorted(last["issues_by_key"]) == sorted(
        issue["issue_key"] for name in folder.glob("phase_*") for issue in json.loads(name.read_text())["issues"]
    )


def test_an_entry_tells_every_field_that_is_asked_for(built: Project):
    """REQ-5.1-3, REQ-5.1-4, REQ-5.1-7."""
    folder = built.artifacts("hello-1") / "issues"
    files = [json.loads(path.read_text()) for path in sorted(folder.glob("phase_*"))]
    (told,) = (file for file in files if file["issues"])
    assert {"minor_issue_count", "major_issue_count", "issue_state"} <= told.keys()
    (entry,) = told["issues"]
    assert set(entry) == {
        *("issue_key", "severity", "effective_severity", "source", "category", "task_category", "complexity"),
        *("expected_fail", "occurrence_count", "first_seen_run", "last_seen_run", "evidence_refs"),
        *("description", "resolved"),
    }
    plan = json.loads((built.artifacts("hello-1") / "plan.json").read_text())
    phase = next(each for each in plan["phases"] if each["phase_id"] == told["phase_id"])
    assert (entry["task_category"], entry["complexity"]) == (phase["task_category"], phase["complexity"])
    assert (entry["first_seen_run"], entry["last_seen_run"]) == ("hello-1", "hello-1")


def test_red_ci_becomes_an_issue_by_itself_and_is_resolved_by_the_landing(tmp_path: Path):
    """REQ-5.1-6, REQ-2.4-3: the same problem has the same key in the next run."""
    project = hello(tmp_path, {"ci.yaml": text_of("ci.yaml")})
    keys = {}
    for run_id in ("red-1", "red-2"):
        ended = project.autopack("run", PLAYBOOK, "--run-id", run_id, "--json")
        assert ended.code == 0, ended.err
        keys[run_id] = [i["issue_key"] for i in ended.json["issues"] if i["source"] == "ci"]
        assert all(issue["resolved"] for issue in ended.json["issues"] if issue["source"] == "ci")
    assert (
        keys["red-1"]
        == keys["red-2"]
        == [
            "ci__tests/test_greeting.py::test_nobody_is_not_greeted__fails",
            "ci__tests/test_greeting.py::test_white_space_around_a_name_does_not_matter__fails",
        ]
    )


def test_a_second_run_makes_what_stays_open_older_and_a_plan_reads_it(built: Project, project: Project):
    """REQ-5.3-1, REQ-5.3-2."""
    before = shown(project, ".autopack/project_issue_backlog.json")["issues"]
    assert [(each["age_in_runs"], each["first_seen_run"]) for each in before] == [(1, "hello-1")] * len(before)
    assert before
    ended = project.autopack("run", PLAYBOOK, "--run-id", "hello-2")
    assert ended.code == 0, ended.err
    after = shown(project, ".autopack/project_issue_backlog.json", "hello-2")["issues"]
    assert [(e["age_in_runs"], e["age_in_tiers"], e["first_seen_run"], e["last_seen_run"]) for e in after] == [
        (2, 1, "hello-1", "hello-2")
    ] * len(before)
    first = json.loads(built.autopack("plan", PLAYBOOK, "--json").out)
    assert first["backlog_sha256"] is not None


def test_each_run_grades_its_plan_in_the_store_and_on_the_branch(built: Project):
    told = shown(built, ".autopack/calibration.json")
    assert sum(each["phases"] for each in told["slices"].values()) == 4
    assert sum(each["completed"] for each in told["slices"].values()) == 4
    assert sum(float(each["actual_usd"]) for each in told["slices"].values()) > 0


def test_a_phase_may_not_write_what_runs_say_about_themselves(tmp_path: Path):
    """Not even one whose scope would let it."""
    rows = [row for row in replies() if row["phase"] == "phrasebook" and row["role"] == "builder"]
    text = rows[0]["reply"]["text"]
    lines = text if isinstance(text, list) else text.splitlines()
    forged = "\n".join(lines).replace("src/hello/phrasebook.py", ".autopack/phrasebook.py")
    playbook = text_of(PLAYBOOK).replace("src/hello/phrasebook.py", ".autopack/phrasebook.py")
    files = {
        "ci.yaml": quick_ci(),
        CASSETTE: cassette([record("phrasebook", "builder", 1, forged)]),
        PLAYBOOK: playbook,
    }
    project = hello(tmp_path, files)
    project.autopack("run", PLAYBOOK, "--run-id", "forged-1", "--json")
    told = project.autopack("logs", "forged-1", "phrasebook").out
    assert "kind=protected" in told, told
    assert project.commits("forged-1") == []
