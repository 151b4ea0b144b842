"""The command line as people and scripts meet it: help, exit codes, what goes where, terminals and pipes."""

import json
import os
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from autopack.__main__ import main
from autopack.run.state import RunState
from autopack.views.cli import VERBS
from autopack.views.cli.running import driven, place_here
from tests.end_to_end.scratch import PLAYBOOK, Ended, Project, hello, hello_of_many_runs, quick_ci, text_of
from tests.end_to_end.terminal import on_terminal

Answer = Callable[..., Ended]


@dataclass(frozen=True)
class Place:
    """The example, and the one run in it that these tests share."""

    project: Project
    ran: Ended


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Place:
    project = hello_of_many_runs(tmp_path_factory.mktemp("cli"), {"ci.yaml": quick_ci()})
    return Place(project, project.autopack("run", PLAYBOOK, "--run-id", "one", "--json"))


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Answer:
    """A command line in this process, in the folder given; for all that does not depend on being a process."""

    def ask(folder: Path, *words: str) -> Ended:
        monkeypatch.chdir(folder)
        capfd.readouterr()
        code = main(list(words))
        said = capfd.readouterr()
        return Ended(code, said.out, said.err)

    return ask


# --- help and usage ---


def test_help_lists_every_verb_with_a_word_about_it(answer: Answer, tmp_path: Path):
    told = answer(tmp_path, "--help")
    assert (told.code, told.err) == (0, "")
    assert answer(tmp_path, "-h") == told
    unwrapped = " ".join(told.out.split())
    assert [verb for verb, about in VERBS.items() if f" {verb} {about}" not in unwrapped] == []


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_explains_itself_without_a_project(answer: Answer, tmp_path: Path, verb: str):
    told = answer(tmp_path, verb, "--help")
    assert (told.code, told.err) == (0, "")
    assert told.out.startswith(f"Usage: autopack {verb} ")
    assert "--help" in told.out
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "words",
    [
        ("rnu",),
        ("run",),
        ("run", PLAYBOOK, "--no-such-option"),
        ("run", PLAYBOOK, "--jobs", "0"),
        ("run", "playbooks/missing.yaml"),
        ("run", PLAYBOOK, "--run-id", "../up"),
        ("run", PLAYBOOK, "--run-id", "ends.lock"),
        ("run", PLAYBOOK, "--run-id", "x" * 65),
        ("run", PLAYBOOK, "--input", "nonsense"),
        ("run", PLAYBOOK, "--replay", "missing.jsonl"),
        ("plan", "playbooks/missing.yaml"),
        ("plan", PLAYBOOK, "--check", "missing.json"),
        ("plan", "README.md.json"),
        ("explain", "AP9999"),
        ("schema", "nonsense"),
        ("validate", "--format", "nonsense"),
        ("logs", "one", "no-such-phase"),
    ],
)
def test_what_nobody_can_mean_is_a_usage_error_on_stderr(answer: Answer, shared: Place, words: tuple[str, ...]):
    (shared.project.root / "README.md.json").write_text('{"autopack": "no plan"}')
    told = answer(shared.project.root, *words)
    assert (told.code, told.out) == (2, "")
    assert told.err
    assert "Traceback" not in told.err


@pytest.mark.parametrize("words", [("status", "two"), ("logs", "two"), ("resume", "two"), ("cancel", "two")])
def test_an_unknown_run_is_named_and_exits_with_2(
    answer: Answer, shared: Place, tmp_path: Path, words: tuple[str, str]
):
    told = answer(shared.project.root, *words)
    assert (told.code, told.out) == (2, "")
    assert "two" in told.err
    shutil.copy(shared.project.root / "autopack.yaml", tmp_path)
    never_run = answer(tmp_path, *words)
    assert (never_run.code, never_run.out) == (2, "")
    assert not (tmp_path / ".autonomous_runs").exists()


def test_a_project_that_was_never_run_has_no_runs(answer: Answer, tmp_path: Path):
    told = answer(tmp_path, "runs")
    assert (told.code, told.err) == (0, "")
    assert "no runs yet" in told.out
    assert answer(tmp_path, "runs", "--json").json == []


# --- findings, plans ---


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    root = hello_files(tmp_path)
    playbook = root / PLAYBOOK
    wrong = text_of(PLAYBOOK).replace("category: tests", "categroy: tests")
    playbook.write_text(wrong.replace("needs: [phrasebook]", "needs: [phrasbook]"))
    return root


def hello_files(folder: Path) -> Path:
    """The example's files without a repository, which only `run` needs."""
    for name in ("autopack.yaml", "ci.yaml", PLAYBOOK):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text_of(name))
    return folder


def test_findings_of_all_files_come_in_one_go_and_exit_with_1(answer: Answer, broken: Path):
    told = answer(broken, "validate", "--format", "concise")
    assert (told.code, told.err) == (1, "")
    places = re.findall(r"^(\S+):\d+:\d+: error\[AP(\d)", told.out, re.MULTILINE)
    assert places == [(PLAYBOOK, "3"), (PLAYBOOK, "2")]


def test_every_format_tells_the_same_findings(answer: Answer, broken: Path):
    def told(form: str) -> str:
        ended = answer(broken, "validate", "--format", form)
        assert (ended.code, ended.err) == (1, "")
        return ended.out

    codes = [finding["code"] for finding in json.loads(told("json"))["findings"]]
    assert len(codes) == 2
    assert re.findall(r"error\[(AP\d+)\]", told("full")) == codes
    assert re.findall(r"error\[(AP\d+)\]", told("concise")) == codes
    lines = [json.loads(line) for line in told("jsonl").splitlines()]
    assert [line["code"] for line in lines if "code" in line] == codes
    (run,) = json.loads(told("sarif"))["runs"]
    assert [result["ruleId"] for result in run["results"]] == codes
    assert [finding["check_name"] for finding in json.loads(told("gitlab"))] == codes
    annotations = [line for line in told("github").splitlines() if line.startswith("::error ")]
    assert [code for code, line in zip(codes, annotations, strict=True) if code not in line] == []
    failures = ET.fromstring(told("junit")).iter("failure")
    assert len(list(failures)) == 2


def test_codes_can_be_chosen_and_left_out(answer: Answer, broken: Path):
    assert answer(broken, "validate", "--codes", "AP4").code == 0
    assert answer(broken, "validate", "--ignore", "AP2,AP3").code == 0
    only = answer(broken, "validate", "--codes", "AP3", "--format", "json")
    assert (only.code, len(only.json["findings"])) == (1, 1)


def test_a_file_can_come_from_standard_input(shared: Place):
    done = subprocess.run(
        [sys.executable, "-m", "autopack", "validate", "-", "--format", "concise"],
        cwd=shared.project.root,
        env=shared.project.environ,
        input="autopack: playbook/v1\nname: piped\ntears: []\n",
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert ":3:1: error[AP2" in done.stdout


def test_a_playbook_with_findings_is_neither_planned_nor_run(answer: Answer, broken: Path):
    for verb in ("plan", "run"):
        told = answer(broken, verb, PLAYBOOK)
        assert (told.code, told.out) == (1, "")
        assert f"{PLAYBOOK}:" in told.err
    assert not (broken / ".autonomous_runs").exists()


def test_a_plan_is_written_checked_and_found_stale(answer: Answer, tmp_path: Path):
    root = hello_files(tmp_path)
    printed = answer(root, "plan", PLAYBOOK, "--json")
    written = answer(root, "plan", PLAYBOOK, "-o", "plan.json")
    assert (printed.code, written.code) == (0, 0)
    assert (root / "plan.json").read_text() == printed.out
    assert "Plan sha256" in written.out
    fresh = answer(root, "plan", PLAYBOOK, "--check", "plan.json")
    assert (fresh.code, fresh.out) == (0, "plan.json is up to date\n")

    playbook = root / PLAYBOOK
    playbook.write_text(playbook.read_text().replace("4_000_000", "5_000_000"))
    stale = answer(root, "plan", PLAYBOOK, "--check", "plan.json")
    assert stale.code == 6
    assert "changed: policy\n" in stale.out
    assert f"run: caps.tokens raised: 4,000,000 -> 5,000,000  [{PLAYBOOK}:5:" in stale.out
    assert "-o plan.json" in stale.err


def test_a_dry_run_shows_the_plan_and_touches_nothing(answer: Answer, tmp_path: Path):
    """REQ-CH-2."""
    root = hello_files(tmp_path)
    before = sorted(root.rglob("*"))
    planned, dry = answer(root, "plan", PLAYBOOK), answer(root, "run", PLAYBOOK, "--dry-run")
    assert dry == planned
    assert answer(root, "run", PLAYBOOK, "--dry-run", "--json").json == answer(root, "plan", PLAYBOOK, "--json").json
    assert sorted(root.rglob("*")) == before


def test_a_run_carries_out_the_plan_that_was_printed(shared: Place, tmp_path: Path):
    """REQ-12.0-1, REQ-7.1-4: From the playbook and from the frozen plan alike: only the base commit is added."""
    project, frozen = shared.project, tmp_path / "frozen.json"
    assert project.autopack("plan", PLAYBOOK, "-o", str(frozen)).code == 0
    (project.root / "frozen.json").write_bytes(frozen.read_bytes())
    ran = project.autopack("run", "frozen.json", "--run-id", "frozen", "--replay", "playbooks/languages.cassette.jsonl")
    assert ran.code == 0, ran.err
    used = [json.loads((project.artifacts(run_id) / "plan.json").read_text()) for run_id in ("one", "frozen")]
    printed = json.loads(frozen.read_text())
    assert printed.pop("sha256")
    assert used[1] == printed | {"base_commit": project.git("rev-parse", "main")}
    assert used[0] | {"backlog_sha256": used[1]["backlog_sha256"]} == used[1]  # the first run has left its issues
    assert project.tree("frozen") == project.tree("one")


def test_what_init_writes_validates_and_plans_and_is_never_overwritten(answer: Answer, tmp_path: Path):
    assert answer(tmp_path, "init").code == 0
    validated = answer(tmp_path, "validate", "--format", "json")
    assert (validated.code, validated.json["findings"]) == (0, [])
    assert answer(tmp_path, "plan", "playbooks/first.yaml").code == 0
    (tmp_path / "autopack.yaml").write_text("mine\n")
    again = answer(tmp_path, "init")
    assert again.code == 0
    assert "kept    autopack.yaml" in again.out
    assert (tmp_path / "autopack.yaml").read_text() == "mine\n"


def test_codes_and_schemas_are_explained(answer: Answer, tmp_path: Path):
    assert answer(tmp_path, "explain", "ap2003").out.startswith("AP2003: ")
    near = answer(tmp_path, "explain", "AP2O03")
    assert near.code == 2
    kinds = answer(tmp_path, "schema").out.split()
    assert {"project", "playbook", "ruleset", "ci", "models"} <= set(kinds)
    for kind in kinds:
        assert answer(tmp_path, "schema", kind).json["$schema"].endswith("2020-12/schema")


# --- one JSON document, and nothing else ---


@pytest.mark.parametrize(
    "words",
    [
        ("status", "one", "--json"),
        ("resume", "one", "--json"),
        ("cancel", "one", "--json"),
        ("runs", "--json"),
        ("logs", "one", "--json"),
        ("logs", "one", "greet", "--json"),
        ("plan", PLAYBOOK, "--json"),
        ("run", PLAYBOOK, "--dry-run", "--json"),
        ("validate", "--format", "json"),
    ],
)
def test_json_is_one_document_and_nothing_else(answer: Answer, shared: Place, words: tuple[str, ...]):
    told = answer(shared.project.root, *words)
    assert (told.code, told.err) == (0, "")
    assert told.json
    assert "\x1b" not in told.out


def test_the_summary_of_a_run_is_the_same_whoever_prints_it(answer: Answer, shared: Place):
    assert shared.ran.code == 0, shared.ran.err
    root = shared.project.root
    assert shared.ran.json["state"] == "DONE_SUCCESS"
    for verb in ("status", "resume", "cancel"):
        assert answer(root, verb, "one", "--json").json == shared.ran.json
    (row,) = [row for row in answer(root, "runs", "--json").json if row["run_id"] == "one"]
    shown = ("state", "failure_reason", "tokens_used", "cost_usd", "model_calls", "elapsed_s")
    assert {name: row[name] for name in shown} == {name: shared.ran.json[name] for name in shown}
    assert "one " in answer(root, "runs").out


def test_logs_tell_what_happened_to_one_phase(answer: Answer, shared: Place):
    root = shared.project.root
    events = answer(root, "logs", "one", "greet", "--json").json
    assert {event["phase_id"] for event in events} == {"greet"}
    assert [event["type"] for event in events] == [
        *("ContextAssembled", "ModelAnswered", "PatchAccepted", "CiFinished", "Landed")
    ]
    lines = answer(root, "logs", "one", "greet").out.splitlines()
    assert [line.split()[3] for line in lines] == [event["type"] for event in events]
    assert len(answer(root, "logs", "one").out.splitlines()) == len(answer(root, "logs", "one", "--json").json)


# --- pipes and terminals ---


@pytest.mark.parametrize("words", [("plan", PLAYBOOK, "--json"), ("logs", "one", "--output"), ("status", "one")])
def test_a_reader_that_has_left_ends_it_without_a_word(shared: Place, words: tuple[str, ...]):
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "autopack", *words]
    ended = subprocess.run(
        command, cwd=shared.project.root, env=shared.project.environ, stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (ended.returncode, ended.stderr) == (141, b"")


def test_a_run_goes_on_when_nobody_reads_its_progress_any_more(shared: Place):
    project = shared.project
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "autopack", "run", PLAYBOOK, "--run-id", "unwatched", "--json"]
    ended = subprocess.run(
        command, cwd=project.root, env=project.environ, stdout=subprocess.PIPE, stderr=write, check=False
    )
    os.close(write)
    assert ended.returncode == 0
    assert json.loads(ended.stdout)["state"] == "DONE_SUCCESS"


def test_a_terminal_shows_a_live_table_and_afterwards_nothing_of_it(shared: Place):
    seen = on_terminal(shared.project, "run", PLAYBOOK, "--run-id", "live", columns=160)
    assert seen.code == 0
    for drawn in ("live  DONE_SUCCESS  4/4 phases", " T1 Phrases: COMPLETE", "   ✓ greet: COMPLETE"):
        assert drawn in seen.written
    assert seen.written.count("\x1b[") >= 2
    assert seen.screen == shared.project.autopack("status", "live").out.strip()


def test_a_narrow_terminal_is_drawn_on_within_its_width_though_stdout_is_a_pipe(shared: Place):
    seen = on_terminal(shared.project, "run", PLAYBOOK, "--run-id", "narrow", "--json", columns=30, piped=True)
    assert seen.code == 0
    assert json.loads(seen.out)["state"] == "DONE_SUCCESS"
    assert "narrow  DONE_SUCCESS" in seen.written
    assert seen.screen == ""


def test_a_terminal_that_can_do_nothing_gets_plain_lines(shared: Place):
    seen = on_terminal(shared.project, "run", PLAYBOOK, "--run-id", "dumb", columns=160, TERM="dumb")
    assert seen.code == 0
    assert "\x1b" not in seen.written
    assert "phrasebook: EXECUTING" in seen.screen


def test_colour_is_for_terminals_and_only_where_it_is_wanted(shared: Place, broken: Path):
    project = Project(broken, broken, shared.project.places)
    assert "\x1b[" in on_terminal(project, "validate", columns=100).written
    assert "\x1b" not in on_terminal(project, "validate", columns=100, NO_COLOR="1").written
    assert "\x1b" not in on_terminal(project, "validate", "--no-color", columns=100).written
    assert "\x1b" not in project.autopack("validate").out
    assert "\x1b" not in on_terminal(project, "plan", PLAYBOOK, columns=100, NO_COLOR="1").written


# --- places that can't be used ---


def test_a_plan_is_written_through_links_and_into_pipes_and_leaves_modes_alone(answer: Answer, tmp_path: Path):
    root = hello_files(tmp_path)
    printed = answer(root, "plan", PLAYBOOK, "--json").out
    (root / "kept.json").write_text("old")
    (root / "kept.json").chmod(0o640)
    (root / "link.json").symlink_to("kept.json")
    assert answer(root, "plan", PLAYBOOK, "-o", "link.json").code == 0
    assert (root / "link.json").is_symlink()
    assert (root / "kept.json").read_text() == printed
    assert (root / "kept.json").stat().st_mode & 0o777 == 0o640

    mask = os.umask(0o027)
    try:
        assert answer(root, "plan", PLAYBOOK, "-o", "new.json").code == 0
        assert os.umask(0o027) == 0o027
    finally:
        os.umask(mask)
    assert (root / "new.json").stat().st_mode & 0o777 == 0o640

    os.mkfifo(root / "pipe")
    with subprocess.Popen(["cat", "pipe"], cwd=root, stdout=subprocess.PIPE, text=True) as reader:
        assert answer(root, "plan", PLAYBOOK, "-o", "pipe").code == 0
        assert reader.communicate()[0] == printed
    assert (root / "pipe").is_fifo()
    assert answer(root, "plan", PLAYBOOK, "-o", "-") == Ended(0, printed, "")
    assert not (root / "-").exists()


def test_a_plan_takes_no_sources_place_and_makes_no_folder(answer: Answer, tmp_path: Path):
    root = hello_files(tmp_path)
    (root / "alias").symlink_to("ci.yaml")
    for source in (PLAYBOOK, "autopack.yaml", "alias"):
        told = answer(root, "plan", PLAYBOOK, "-o", source)
        assert (told.code, told.out) == (2, "")
        assert f"{source} is a source of this plan" in told.err
    assert (root / "ci.yaml").read_text() == text_of("ci.yaml")
    assert (root / PLAYBOOK).read_text() == text_of(PLAYBOOK)
    for folder in ("missing", "ci.yaml"):
        told = answer(root, "plan", PLAYBOOK, "-o", f"{folder}/plan.json")
        assert (told.code, told.out) == (2, "")
        assert f"there is no folder {root / folder} to write plan.json into" in told.err
    assert not (root / "missing").exists()


def test_only_a_plan_can_be_out_of_date(answer: Answer, tmp_path: Path):
    root = hello_files(tmp_path)
    (root / "list.json").write_text("[]")
    (root / "bytes").write_bytes(b"\xff\x00")
    for other in (PLAYBOOK, "list.json", "bytes"):
        told = answer(root, "plan", PLAYBOOK, "--check", other)
        assert (told.code, told.out) == (2, "")
        assert f"{other} is no frozen plan" in told.err


def test_an_input_has_one_value(answer: Answer, tmp_path: Path):
    told = answer(hello_files(tmp_path), "plan", PLAYBOOK, "--input", "who=a", "--input", "who=b")
    assert (told.code, told.out) == (2, "")
    assert "--input who is given twice" in told.err


@pytest.mark.parametrize(
    ("option", "word", "advice"),
    [
        ("--codes", "AP2O08", "did you mean `AP2008`?"),
        ("--ignore", "foo", "layers: AP1, "),
    ],
)
def test_a_code_that_does_not_exist_is_not_left_out_in_silence(
    answer: Answer, broken: Path, option: str, word: str, advice: str
):
    told = answer(broken, "validate", option, word)
    assert (told.code, told.out) == (2, "")
    assert f"no code is or begins with '{word}'" in told.err
    assert advice in told.err


def test_one_of_a_thing_is_not_many(answer: Answer, tmp_path: Path):
    assert answer(tmp_path, "init").code == 0
    told = answer(tmp_path, "plan", "playbooks/first.yaml").out
    assert "1 phase in 1 tier and 1 wave, up to" in told
    assert re.search(r"run cap: (none|\$\d+\.\d\d)\.$", told, re.MULTILINE)


def test_init_says_where_it_may_not_write(answer: Answer, tmp_path: Path):
    (tmp_path / "file").write_text("")
    told = answer(tmp_path, "init", "file/project")
    assert told.code == 2
    assert told.err == "autopack init: file is a file where a folder is needed; move it away, or name another folder\n"


@pytest.mark.parametrize(
    ("record", "fact"), [("missing/x.jsonl", "there is no folder"), ("pipe", "this is no regular file")]
)
def test_a_recording_that_can_not_be_made_is_refused_before_there_is_a_run(
    answer: Answer, shared: Place, record: str, fact: str
):
    root = shared.project.root
    if not (root / "pipe").exists():
        os.mkfifo(root / "pipe")
    told = answer(root, "run", PLAYBOOK, "--run-id", "unrecorded", "--record", record)
    assert (told.code, told.out) == (2, "")
    assert f"--record {record}: {fact}" in told.err
    assert answer(root, "status", "unrecorded").code == 2


def test_places_of_a_run_that_are_no_folders_are_named_with_what_to_do(tmp_path: Path):
    project = hello(tmp_path, {"ci.yaml": quick_ci()})
    runs = project.root / ".autonomous_runs"
    runs.write_text("")
    as_file = project.autopack("run", PLAYBOOK)
    runs.unlink()
    runs.symlink_to("nowhere/else")
    runs_dangling = project.autopack("runs")
    cache = project.autopack("run", PLAYBOOK, XDG_CACHE_HOME=str(project.root / "ci.yaml"))
    assert as_file.code == 2
    assert f"runs can't be kept in {runs}: " in as_file.err
    assert "artifacts.path" in as_file.err
    assert runs_dangling.code == 0
    assert cache.code == 7
    assert "ci.yaml/autopack/" in cache.err
    assert "Set XDG_CACHE_HOME" in cache.err
    assert [told.err for told in (as_file, cache) if "Traceback" in told.err or "bug" in told.err] == []


def test_a_place_nobody_foresaw_is_named_and_no_bug(answer: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def unreadable(*_: object) -> None:
        raise PermissionError(13, "Permission denied", "/some/place")

    monkeypatch.delenv("AUTOPACK_DEBUG", raising=False)
    monkeypatch.setattr("autopack.views.planning.compiled", unreadable)
    told = answer(hello_files(tmp_path), "plan", PLAYBOOK)
    assert (told.code, told.out) == (7, "")
    assert told.err.startswith("autopack: /some/place: Permission denied. See that ")


# --- closed and full streams, a second Ctrl-C ---


@pytest.mark.parametrize("words", ["--version", "validate", f"plan {PLAYBOOK} --json", "status one"])
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_full_standard_output_is_one_line_on_stderr(shared: Place, words: str, unbuffered: str):
    variables = shared.project.environ | {"AUTOPACK_DEBUG": "", "PYTHONUNBUFFERED": unbuffered}
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", "autopack", *words.split()],
            cwd=shared.project.root,
            env=variables,
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert (ended.returncode, ended.stderr) == (7, "autopack: stdout can't be written: No space left on device\n")


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("--version >&-", 0),
        ("validate >&- 2>&-", 0),
        (f"plan {PLAYBOOK} <&- >&- 2>&-", 0),
        (f"plan {PLAYBOOK} -o closed.json >&-", 0),
        ("status one >&-", 0),
        ("validate - <&-", 1),
    ],
)
def test_a_closed_stream_is_as_good_as_an_empty_one(shared: Place, line: str, code: int):
    command = f'"{sys.executable}" -m autopack {line}'
    ended = subprocess.run(
        command,
        shell=True,
        cwd=shared.project.root,
        env=shared.project.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (code, "")


def test_a_second_interrupt_still_says_how_to_go_on(
    shared: Place, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(os, "_exit", lambda _code: None)  # due where threads of other tests are still about

    def stopped(_: object) -> RunState:
        raise KeyboardInterrupt

    place = place_here(start=shared.project.root)
    assert driven(place, "one", stopped, as_json=False) == 130
    assert capsys.readouterr().err == "interrupted; go on with: autopack resume one\n"
    assert driven(place, "never", stopped, as_json=False) == 130
    assert capsys.readouterr().err == "interrupted before the run began\n"
