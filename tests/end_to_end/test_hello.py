"""The embedded example, built by the real command line in a scratch copy: what a run leaves, and leaves alone."""

import hashlib
import json
import shutil
import sqlite3
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end import scratch
from tests.end_to_end.scratch import CASSETTE, PLAYBOOK, Ended, Project, cassette, hello, quick_ci, record, replies

WHO = "autopack <autopack@localhost>"
PHASES = {"phrasebook": "T1", "greet": "T1", "suite": "T2", "readme": "T2"}
BROKEN_TESTS = (
    "tests/test_greeting.py::test_white_space_around_a_name_does_not_matter",
    "tests/test_greeting.py::test_nobody_is_not_greeted",
)
COST_USD = {"phrasebook": "0.0479", "greet": "0.015075", "suite": "0.0002175", "readme": "0.000291"}
TOKENS = {"phrasebook": 3_730, "greet": 4_770, "suite": 1_270, "readme": 1_490}


OWN_RULES = {
    "rules.yaml": "autopack: ruleset/v1\nname: house\nextends: builtin:default\nlanding: {hooks: skip}\n",
    "autopack.yaml": scratch.text_of("autopack.yaml").replace("builtin:default", "rules.yaml"),
}
"""For a checkout with hooks: a run says what shall become of them, or is refused."""


@dataclass(frozen=True)
class Built:
    """The one run that most of these tests look at."""

    project: Project
    before: dict[str, tuple[int, int, str]]
    ended: Ended
    recorded: Path

    @property
    def summary(self) -> Any:
        return self.ended.json

    @property
    def folder(self) -> Path:
        return self.project.artifacts("hello-1")

    def request(self, phase: str, role: str, call: int) -> str:
        """What the model was sent, as the cassette recorded it."""
        rows = [json.loads(line) for line in self.recorded.read_text().splitlines()[1:]]
        (found,) = (row for row in rows if (row["phase"], row["role"], row["call"]) == (phase, role, call))
        return "\n".join(content for _, content in found["request"]["messages"])


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Built:
    folder = tmp_path_factory.mktemp("built")
    project = hello(folder, OWN_RULES)
    _leave_it_untidy(project)
    before = project.snapshot()
    recorded = folder / "recorded.jsonl"
    ended = project.autopack("run", PLAYBOOK, "--run-id", "hello-1", "--record", str(recorded), "--json")
    return Built(project, before, ended, recorded)


def _leave_it_untidy(project: Project) -> None:
    """A checkout as people leave it: a stash, something staged, changed, deleted and new, and hooks that tell on us."""
    root = project.root
    (root / "README.md").write_text("half a thought\n")
    project.git("stash")
    (root / "src" / "hello" / "staged.py").write_text("STAGED = 1\n")
    project.git("add", "src/hello/staged.py")
    (root / "tests" / "test_greeting.py").write_text("assert not 'finished yet'\n")
    (root / "pyproject.toml").unlink()
    (root / "notes.txt").write_text("buy milk\n")
    project.git("branch", "release/1.0")
    hooks = root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for name in ("pre-commit", "post-commit", "post-checkout", "reference-transaction", "post-rewrite", "pre-push"):
        (hooks / name).write_text(f"#!/bin/sh\ntouch {root}/hook-{name}-ran\n")
        (hooks / name).chmod(0o755)


# --- what it leaves ---


def test_the_run_ends_well_and_says_what_it_took(built: Built):
    """REQ-0.1-1, REQ-1.1-1: one command line, and nobody at its standard input."""
    assert built.ended.code == 0, built.ended.err
    summary = built.summary
    assert {name: summary[name] for name in ("run_id", "state", "failure_reason", "integration_branch")} == {
        "run_id": "hello-1",
        "state": "DONE_SUCCESS",
        "failure_reason": None,
        "integration_branch": "autonomous/hello-1",
    }
    assert summary["head"] == built.project.git("rev-parse", "autonomous/hello-1")
    assert (summary["tokens_used"], summary["cost_usd"], summary["model_calls"]) == (11_260, "0.0634835", 6)
    assert summary["maybe_paid_calls"] == 0
    assert [(tier["tier_id"], tier["state"], tier["cleanliness"]) for tier in summary["tiers"]] == [
        ("T1", "COMPLETE", "clean"),
        ("T2", "COMPLETE", "clean"),
    ]
    assert [(issue["source"], issue["resolved"]) for issue in summary["issues"]] == [
        *[("ci", True)] * len(BROKEN_TESTS),
        ("auditor", False),
    ]
    assert summary["promotion_eligible_to_main"] is True
    assert summary["artifacts"] == str(built.folder)


def test_each_phase_says_what_it_took(built: Built):
    phases = {phase["phase_id"]: phase for phase in built.summary["phases"]}
    assert list(phases) == list(PHASES)
    assert {name: phase["state"] for name, phase in phases.items()} == dict.fromkeys(PHASES, "COMPLETE")
    assert {name: phase["attempts"] for name, phase in phases.items()} == {
        "phrasebook": 1,
        "greet": 2,
        "suite": 1,
        "readme": 1,
    }
    assert {name: phase["tokens_used"] for name, phase in phases.items()} == TOKENS
    assert {name: phase["cost_usd"] for name, phase in phases.items()} == COST_USD
    assert {name: phase["failure"] for name, phase in phases.items()} == dict.fromkeys(PHASES)


def test_status_tells_the_same_as_the_run_did(built: Built):
    status = built.project.autopack("status", "hello-1", "--json")
    assert (status.code, status.err) == (0, "")
    assert status.json == built.summary
    kept = json.loads((built.folder / "run_summary.json").read_text())
    assert kept == built.summary | {"artifacts": None}  # a folder that is moved still verifies


def test_progress_is_told_on_stderr_line_by_line(built: Built):
    lines = [line.split(maxsplit=1)[1] for line in built.ended.err.splitlines()]
    assert lines[:5] == [f"phrasebook: {state}" for state in ("EXECUTING", "GATE", "CI_RUNNING", "GATE", "COMPLETE")]
    again = next(line for line in lines if line.startswith("greet: EXECUTING, attempt 2"))
    assert "CI red" in again
    assert lines[-1].startswith("hello-1: DONE_SUCCESS, 11,260 tokens, $0.06, 6 model calls")


def test_the_branch_holds_one_commit_a_phase_and_each_vouches_for_itself(built: Built):
    """REQ-3.4-8, REQ-1.2-1."""
    project = built.project
    commits = project.commits("hello-1")
    told = {phase["phase_id"]: phase["commit"] for phase in built.summary["phases"]}
    trailers = {commit: project.trailers(commit) for commit in commits}
    assert {row["Autopack-Phase"]: commit for commit, row in trailers.items()} == told
    assert [row["Autopack-Phase"] for row in trailers.values()][:2] == ["phrasebook", "greet"]
    assert len(commits) == 4
    for commit, row in trailers.items():
        phase = row["Autopack-Phase"]
        assert list(row) == [
            *("Autopack-Run", "Autopack-Phase", "Autopack-Attempt", "Autopack-Plan", "Autopack-Model"),
            *("Autopack-Cost", "Autopack-Edit", "Autopack-CI", "Autopack-Audit"),
        ]
        assert row["Autopack-Run"] == "hello-1"
        assert row["Autopack-Attempt"] == ("2" if phase == "greet" else "1")
        assert row["Autopack-Plan"] == built.summary["plan_sha256"]
        assert row["Autopack-Cost"] == COST_USD[phase]
        assert row["Autopack-Edit"] == "rung=0 fuzz=0"
        assert len(row["Autopack-CI"]) == 64
        assert row["Autopack-Audit"] == ("approved by premium" if phase == "phrasebook" else "none")
        assert project.git("show", "-s", "--format=%an <%ae>, %cn <%ce>", commit) == f"{WHO}, {WHO}"
    models = {row["Autopack-Phase"]: row["Autopack-Model"] for row in trailers.values()}
    assert models == {"phrasebook": "premium", "greet": "standard", "suite": "economy", "readme": "economy"}


def test_each_commit_has_its_annotated_tag(built: Built):
    """REQ-3.4-8."""
    tags = built.project.git("for-each-ref", "--format=%(refname:strip=2) %(objecttype) %(*objectname)", "refs/tags")
    commits = {phase["phase_id"]: phase["commit"] for phase in built.summary["phases"]}
    assert sorted(tags.splitlines()) == sorted(
        f"autonomous/hello-1/tier-{tier}/phase-{phase} tag {commits[phase]}" for phase, tier in PHASES.items()
    )


def test_what_was_built_is_what_was_asked_for(built: Built):
    git = built.project.git
    everything = git("diff", "--name-status", "-M100%", "main", "autonomous/hello-1").splitlines()
    changes = [line for line in everything if ".autopack/" not in line]
    assert changes == [
        "M\tREADME.md",
        "M\tsrc/hello/greeting.py",
        "A\tsrc/hello/phrasebook.py",
        "R100\trequests/test_languages.py\ttests/test_languages.py",
    ]
    assert 'greet("Ada", "fr")  # "Bonjour, Ada !"' in git("show", "autonomous/hello-1:README.md")


def test_an_attempt_that_failed_in_ci_is_repaired_with_what_ci_said(built: Built):
    """REQ-2.1-4, REQ-3.4-6."""
    first, second = built.request("greet", "builder", 1), built.request("greet", "builder", 2)
    assert not any(test in first for test in BROKEN_TESTS)
    assert all(test in second for test in BROKEN_TESTS)
    assert "Failed: DID NOT RAISE" in second
    assert "-    name = name.strip()" in second  # its own patch, as a diff
    told = (built.folder / "phases" / "phase_02_greet.md").read_text()
    assert "QUEUED -> EXECUTING -> GATE -> CI_RUNNING -> EXECUTING -> GATE -> CI_RUNNING -> GATE -> COMPLETE" in told


def test_the_auditor_judges_diff_and_ci_but_is_not_talked_to_by_the_builder(built: Built):
    """REQ-2.3-4."""
    request = built.request("phrasebook", "auditor", 1)
    assert "+def phrase(language: str) -> str:" in request
    assert "green, 3 tests executed" in request
    assert "so that its shape stays the same" not in request
    assert "one accessor and a named error" not in request


def test_the_run_leaves_its_records(built: Built):
    """REQ-2.1-6, REQ-3.5-3, REQ-4.3-2."""
    found = {path.relative_to(built.folder).as_posix() for path in built.folder.rglob("*") if path.is_file()}
    numbered = [f"phase_{number:02}_{phase}" for number, phase in enumerate(PHASES, 1)]
    assert found >= {
        *("plan.json", "project_implementation_strategy_v1.json", "events.jsonl", "issues/run_issue_index.json"),
        *("run_summary.md", "run_summary.json"),
        *("tiers/tier_01_T1.md", "tiers/tier_02_T2.md"),
        *(f"phases/{name}.md" for name in numbered),
        *(f"issues/{name}_issues.json" for name in numbered),
        *(f"patches/{name}.diff" for name in numbered),
        *(f"ci/{name}/unit.log" for name in numbered),
        *(f"ci/{name}/unit.xml" for name in numbered),
    }
    assert not (built.folder / "incident").exists()
    assert (built.folder.parent / ".gitignore").read_text().endswith("*\n")
    assert "DONE_SUCCESS" in (built.folder / "run_summary.md").read_text()


def test_the_plan_on_file_is_the_one_every_commit_names(built: Built):
    """REQ-3.2-2, REQ-7.1-4."""
    plan = (built.folder / "plan.json").read_bytes()
    assert hashlib.sha256(plan).hexdigest() == built.summary["plan_sha256"]
    assert json.loads(plan)["base_commit"] == built.project.git("rev-parse", "main")


def test_the_strategy_on_file_is_what_policy_made_of_the_plan(built: Built):
    """REQ-3.2-1, REQ-3.2-2, REQ-7.1-2: ruleset, backlog, safety profile and scope, as they hold for each phase."""
    told = json.loads((built.folder / "project_implementation_strategy_v1.json").read_text())
    plan = json.loads((built.folder / "plan.json").read_text())
    assert told["plan_sha256"] == built.summary["plan_sha256"]
    assert (told["safety_profile"], told["run_scope"], told["stage"]) == ("normal", "multi_tier", "stewardship")
    assert {name: plan[name] for name in told.keys() & plan.keys() - {"phases"}}.items() <= told.items()
    first = told["phases"][0]
    assert {
        name: first[name] for name in ("phase_id", "tier_id", "category", "complexity", "ci", "auditor_profile")
    } == {
        "phase_id": "phrasebook",
        "tier_id": "T1",
        "category": "schema_contract_change",
        "complexity": "high",
        "ci": "strict",
        "auditor_profile": "schema_review",
    }
    assert (first["auto_apply"], first["token_cap"], first["auditor"]) == (False, 1_000_000, "premium")
    assert [rung["role"] for rung in first["escalation"]] == ["builder"] * 3 + ["auditor"] * 2
    assert not any("goal" in phase or "builder_prompt" in phase for phase in told["phases"])


def test_the_events_on_file_prove_themselves(built: Built):
    lines = [json.loads(line) for line in (built.folder / "events.jsonl").read_text().splitlines()]
    previous = built.summary["plan_sha256"]
    for number, line in enumerate(lines, 1):
        claimed = line.pop("hash")
        text = json.dumps(line, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
        assert (line["seq"], hashlib.sha256((previous + text).encode()).hexdigest()) == (number, claimed)
        previous = claimed
    assert lines[0]["type"] == "ProvidersProbed"
    assert lines[-1]["type"] == "RunClosed"


def test_the_patches_on_file_apply_and_give_the_branch(built: Built, tmp_path: Path):
    """All but the records that are committed beside the code."""
    copy = hello(tmp_path, OWN_RULES)
    for patch in sorted((built.folder / "patches").iterdir()):
        copy.git("apply", "--index", str(patch))
    lines = built.project.git("ls-tree", "-r", "autonomous/hello-1").splitlines()
    landed = {line.split("\t")[1]: line.split()[2] for line in lines if "\t.autopack/" not in line}
    assert {line.split("\t")[1]: line.split()[1] for line in copy.git("ls-files", "--stage").splitlines()} == landed


# --- what it leaves alone ---


def test_the_users_repository_is_byte_for_byte_what_it_was(built: Built):
    """REQ-10.4-3, REQ-1.2-2."""
    after = built.project.snapshot()
    assert after == built.before
    assert {name for name in after if name.startswith("hook-")} == set()
    assert {".git/index", ".git/HEAD", ".git/refs/stash", ".git/logs/HEAD", ".git/logs/refs/heads/main"} <= set(after)


def test_no_worktree_and_no_private_folder_is_left(built: Built):
    assert built.project.leftovers() == []
    built.project.git("fsck", "--strict", "--no-dangling")


# --- once more ---


def test_an_id_that_is_taken_is_refused_before_anything_happens(built: Built):
    before = built.project.git("for-each-ref")
    again = built.project.autopack("run", PLAYBOOK, "--run-id", "hello-1")
    assert (again.code, again.out) == (2, "")
    assert "hello-1" in again.err
    assert "--run-id" in again.err
    assert built.project.git("for-each-ref") == before


def test_resuming_a_run_that_has_ended_prints_its_summary_again(built: Built):
    again = built.project.autopack("resume", "hello-1", "--json")
    assert (again.code, again.json) == (0, built.summary)


def test_what_was_recorded_can_be_replayed_with_no_other_model(built: Built, tmp_path: Path):
    shutil.copytree(built.project.root, tmp_path / "hello", symlinks=True)
    copy = Project(tmp_path / "hello", tmp_path / "hello", tmp_path / "places")
    (copy.root / CASSETTE).unlink()
    replayed = copy.autopack("run", PLAYBOOK, "--run-id", "hello-2", "--replay", str(built.recorded), "--json")
    assert replayed.code == 0, replayed.err
    assert copy.tree("hello-2") == built.project.tree("hello-1")
    assert replayed.json["cost_usd"] == built.summary["cost_usd"]
    assert replayed.json["model_calls"] == 6


# --- runs that end badly ---


def _run(project: Project) -> Ended:
    return project.autopack("run", PLAYBOOK, "--run-id", "bad-1", "--json")


def _incident(project: Project) -> str:
    folder = project.artifacts("bad-1") / "incident"
    assert (folder.parent / "run_summary.md").exists()
    assert {"README.md", "summary.json", "plan.json", "events.jsonl"} <= {path.name for path in folder.iterdir()}
    return (folder / "README.md").read_text()


def _landed(project: Project) -> list[str]:
    return [project.trailers(commit)["Autopack-Phase"] for commit in project.commits("bad-1")]


def test_a_reply_that_is_not_on_the_cassette_ends_the_run_as_an_environment_failure(tmp_path: Path):
    """REQ-3.5-3: Whatever landed before stays, and the message says which call it was and what the cassette holds."""
    some = [row for row in replies() if row["phase"] in ("phrasebook", "suite", "readme")]
    project = hello(tmp_path, {CASSETTE: cassette(some), "ci.yaml": quick_ci()})
    ended = _run(project)
    assert (ended.code, ended.json["state"]) == (7, "DONE_FAILED_ENVIRONMENT")
    assert 'holds no reply for phase "greet", builder call 1' in ended.json["failure"]
    assert _landed(project) == ["phrasebook"]
    assert {phase["phase_id"]: phase["state"] for phase in ended.json["phases"]} == {
        "phrasebook": "COMPLETE",
        "greet": "FAILED",
        "suite": "SKIPPED",
        "readme": "SKIPPED",
    }
    incident = _incident(project)
    assert "DONE_FAILED_ENVIRONMENT" in incident
    assert ended.json["phases"][0]["commit"] in incident
    assert project.leftovers() == []


def test_a_run_that_would_pass_its_budget_stops_there_and_what_landed_stays(tmp_path: Path):
    """REQ-3.5-3: By the proof enough for every first attempt; what was really used leaves too little for another."""
    dear = [{**row, "reply": {**row["reply"], "usage": {"input": 155_000, "output": 10_000}}} for row in replies()]
    budget = "budget: {tokens: 500_000,"
    playbook = scratch.text_of(PLAYBOOK).replace("budget: {tokens: 4_000_000,", budget)
    assert budget in playbook
    project = hello(tmp_path, {CASSETTE: cassette(dear), "ci.yaml": quick_ci(), PLAYBOOK: playbook})
    ended = _run(project)
    assert (ended.code, ended.json["state"], ended.json["failure_reason"]) == (
        5,
        "DONE_FAILED_BUDGET_EXHAUSTED",
        "token_cap",
    )
    assert "would pass the run's cap of 500,000 tokens (495,000 used" in ended.json["failure"]
    assert "[AP6103]" in ended.json["failure"]
    assert ended.json["tokens_used"] == 495_000
    assert _landed(project) == ["phrasebook", "greet"]
    assert ended.json["head"] == project.git("rev-parse", "autonomous/bad-1")
    assert "autopack resume bad-1 --budget tokens=" in _incident(project)


def test_ci_that_stays_red_fails_the_phase_and_leaves_an_incident_pack(tmp_path: Path):
    """REQ-3.5-3: Three attempts and two patches of the Auditor's; every further one was told what CI printed."""
    builder = next(row for row in replies() if row["phase"] == "phrasebook" and row["role"] == "builder")
    rows = [{**builder, "call": call} for call in (1, 2, 3)]
    rows += [{**builder, "role": "auditor", "call": call} for call in (1, 2)]
    red = quick_ci("python", "-S", "-c", "raise SystemExit('the moon is in the wrong phase')")
    project = hello(tmp_path, {CASSETTE: cassette(rows), "ci.yaml": red})
    recorded = tmp_path / "recorded.jsonl"
    ended = project.autopack("run", PLAYBOOK, "--run-id", "bad-1", "--json", "--record", str(recorded))
    assert (ended.code, ended.json["failure_reason"]) == (1, "ci_red")
    assert ended.json["state"] == "DONE_FAILED_REQUIRES_HUMAN_REVIEW"
    assert [phase["attempts"] for phase in ended.json["phases"]] == [5, 0, 0, 0]
    assert _landed(project) == []
    requests = [json.dumps(json.loads(line)["request"]) for line in recorded.read_text().splitlines()[1:]]
    assert ["the moon is in the wrong phase" in request for request in requests] == [False, True, True, True, True]
    evidence = project.artifacts("bad-1") / "incident" / "evidence"
    assert any("the moon is in the wrong phase" in path.read_text() for path in evidence.iterdir())
    assert "phrasebook" in _incident(project)


def test_what_the_auditor_rejects_does_not_land(tmp_path: Path):
    """REQ-2.3-3, REQ-1.3-3: First sent back with its findings, then escalated: the phase fails though CI is green."""
    builder = next(row for row in replies() if row["phase"] == "phrasebook" and row["role"] == "builder")
    finding = "findings:\n  - {severity: major, path: src/hello/phrasebook.py, description: callers can change PHRASES}"
    revise = f"No.\n\n```autopack\nrecommendation: revise\nconfidence: high\n{finding}\n```\n"
    rows = [
        {**builder, "call": 1},
        {**builder, "call": 2},
        record("phrasebook", "auditor", 1, revise),
        record("phrasebook", "auditor", 2, revise.replace("revise", "escalate")),
    ]
    project = hello(tmp_path, {CASSETTE: cassette(rows), "ci.yaml": quick_ci()})
    recorded = tmp_path / "recorded.jsonl"
    ended = project.autopack("run", PLAYBOOK, "--run-id", "bad-1", "--json", "--record", str(recorded))
    assert (ended.code, ended.json["failure_reason"]) == (1, "audit_rejected")
    assert ended.json["phases"][0]["attempts"] == 2
    assert _landed(project) == []
    calls = [json.loads(line) for line in recorded.read_text().splitlines()[1:]]
    assert [(row["role"], row["call"]) for row in calls] == [
        ("builder", 1),
        ("auditor", 1),
        ("builder", 2),
        ("auditor", 2),
    ]
    assert "callers can change PHRASES" in json.dumps(calls[2]["request"])
    assert "callers can change PHRASES" in ended.json["failure"]
    assert ended.json["issues"][0]["severity"] == "major"
    _incident(project)


def test_an_approval_with_a_major_finding_is_none(tmp_path: Path):
    builder = next(row for row in replies() if row["phase"] == "phrasebook" and row["role"] == "builder")
    approval = (
        "```autopack\nrecommendation: approve\nconfidence: high\nfindings:\n"
        "  - {severity: major, path: src/hello/phrasebook.py, description: callers can change PHRASES}\n```\n"
    )
    rows = [{**builder, "call": call} for call in (1, 2, 3)]
    rows += [record("phrasebook", "auditor", call, approval) for call in (1, 2, 3, 5, 7)]
    rows += [{**builder, "role": "auditor", "call": call} for call in (4, 6)]  # its own patches, judged alike
    project = hello(tmp_path, {CASSETTE: cassette(rows), "ci.yaml": quick_ci()})
    ended = _run(project)
    assert (ended.code, ended.json["failure_reason"]) == (1, "audit_rejected")
    assert _landed(project) == []


def test_a_run_without_its_cassette_says_so_and_can_be_started_again_under_its_id(tmp_path: Path):
    project = hello(tmp_path, {"ci.yaml": quick_ci()})
    (project.root / CASSETTE).rename(project.root / "elsewhere.jsonl")
    ended = _run(project)
    assert (ended.code, ended.out) == (2, "")
    assert "languages.cassette.jsonl" in ended.err
    assert "--replay" in ended.err
    (project.root / "elsewhere.jsonl").rename(project.root / CASSETTE)
    assert _run(project).code == 0


# --- repositories that can't be built ---


@pytest.fixture
def unbuildable(tmp_path: Path) -> Project:
    project = hello(tmp_path)
    shutil.rmtree(project.root / ".git")
    return project


def _nothing_was_asked(project: Project) -> bool:
    """No model was called, and no branch was made."""
    store = project.root / ".autonomous_runs" / "autopack.db"
    if not store.exists():
        return True
    connection = sqlite3.connect(store)
    (calls,) = connection.execute("SELECT count(*) FROM calls").fetchone()
    connection.close()
    return bool(calls == 0)


def test_a_folder_that_is_no_repository_is_named(unbuildable: Project):
    ended = _run(unbuildable)
    assert (ended.code, ended.out) == (7, "")
    assert str(unbuildable.root) in ended.err
    assert "git init" in ended.err
    assert _nothing_was_asked(unbuildable)


def test_a_repository_that_is_not_there_is_named(unbuildable: Project):
    project_file = unbuildable.root / "autopack.yaml"
    project_file.write_text(project_file.read_text() + "repository: ../nowhere\n")
    ended = _run(unbuildable)
    assert (ended.code, ended.out) == (7, "")
    assert "nowhere" in ended.err
    assert _nothing_was_asked(unbuildable)


def test_a_repository_without_commits_is_named(unbuildable: Project):
    unbuildable.git("init", "-q", "-b", "main")
    ended = _run(unbuildable)
    assert (ended.code, ended.out) == (7, "")
    assert "no commit yet. Make a first commit" in ended.err
    assert _nothing_was_asked(unbuildable)


def test_a_base_branch_that_is_not_there_is_named(tmp_path: Path):
    project = hello(tmp_path)
    project_file = project.root / "autopack.yaml"
    project_file.write_text(project_file.read_text() + "base_branch: trunk\n")
    ended = _run(project)
    assert (ended.code, ended.out) == (7, "")
    assert "refs/heads/trunk" in ended.err
    assert "base_branch" in ended.err
    assert _nothing_was_asked(project)
