"""`builder: {kind: command}`: a small program stands for an agent; git, gate, CI and the run are real."""

import os
import time
from pathlib import Path

import pytest

from tests.end_to_end.scratch import Ended, Project, hello, quick_ci

PLAYBOOK = "playbooks/agent.yaml"
TEXT = """\
autopack: playbook/v1
name: agent
tiers:
  - id: T1
    phases:
      - id: page
        goal: Say in README.md how to greet in another language.
        category: docs
        scope: {write: [README.md, "docs/**"]}
        builder: {kind: %s}
"""


def project(tmp_path: Path, agent: str, more: str = "", kind: str | None = None) -> Project:
    """The example with a playbook of one phase; `agent` is the program, which lies outside the repository."""
    program = tmp_path / "agent.py"
    program.write_text(f"import os, subprocess, sys, time\n{agent}")
    said = kind or f'command, run: [python, "{program}"], tokens: 5_000{more}'
    return hello(tmp_path, {PLAYBOOK: TEXT % said, "ci.yaml": quick_ci()})


def run(made: Project, **variables: str) -> Ended:
    cassette = "playbooks/languages.cassette.jsonl"
    return made.autopack("run", PLAYBOOK, "--run-id", "agent-1", "--replay", cassette, "--json", **variables)


def branch(made: Project, path: str) -> str:
    return made.git("show", f"autonomous/agent-1:{path}")


def test_what_the_program_changes_becomes_the_phase_s_commit(tmp_path: Path) -> None:
    """REQ-2.2-1, REQ-1.2-1"""
    made = project(
        tmp_path,
        "task = sys.stdin.read()\n"
        "assert task == open(os.environ['AUTOPACK_PROMPT']).read()\n"
        "open('README.md', 'a').write('told: ' + ('another language' in task and 'yes') + chr(10))\n"
        "os.makedirs('docs'); open('docs/new.md', 'w').write('# New' + chr(10))\n",
    )
    before = made.git("rev-parse", "main")
    ended = run(made)
    assert (ended.code, ended.json["state"]) == (0, "DONE_SUCCESS")
    assert branch(made, "README.md").endswith("told: yes")
    assert branch(made, "docs/new.md") == "# New"
    assert ended.json["tokens_used"] == 5_000
    assert made.git("rev-parse", "main") == before
    assert made.git("status", "--porcelain") == ""


def test_a_program_that_fails_is_told_why_and_gets_another_attempt(tmp_path: Path) -> None:
    made = project(
        tmp_path,
        "task = sys.stdin.read()\n"
        "open('README.md', 'a').write('again' + chr(10))\n"
        "if 'ended with 3' not in task: print('my own words'); sys.exit(3)\n"
        "assert 'my own words' in task\n"
        "assert open('README.md').read().count('again') == 1\n",
    )
    ended = run(made)
    assert ended.json["state"] == "DONE_SUCCESS"
    assert branch(made, "README.md").count("again") == 1
    assert [event["outcome"] for event in made.events("agent-1", "BuilderFinished")] == ["failed", "ok"]


@pytest.mark.parametrize(
    ("agent", "kind"),
    [
        ("open('src/hello/greeting.py', 'a').write('# mine' + chr(10))", "scope"),
        ("open('autopack.yaml', 'a').write('# mine' + chr(10))", "scope"),
        ("os.remove('README.md'); os.symlink('/etc/passwd', 'README.md')", "scope"),
        ("pass", "no_op"),
        ("open('README.md', 'a').write('AKIA' + 'QX7ZPLMN4RTVW2KD' + chr(10))", "secret"),
    ],
)
def test_what_the_gate_refuses_of_others_it_refuses_of_a_program(tmp_path: Path, agent: str, kind: str) -> None:
    made = project(tmp_path, agent)
    ended = run(made)
    assert ended.json["state"] != "DONE_SUCCESS"
    assert {event["kind"] for event in made.events("agent-1", "PatchRefused")} == {kind}


def test_what_a_program_does_elsewhere_is_not_believed_and_nothing_of_it_is_left(tmp_path: Path) -> None:
    """It commits, moves branches and hooks in its folder, writes outside and leaves a daemon: the difference counts."""
    outside = tmp_path / "outside.txt"
    made = project(
        tmp_path,
        "open('README.md', 'a').write('mine' + chr(10))\n"
        "git = ['git', '-c', 'user.name=a', '-c', 'user.email=a@b']\n"
        "subprocess.run([*git, 'commit', '-qam', 'mine'], check=True)\n"
        "subprocess.run([*git, 'branch', '-f', 'main'], check=True)\n"
        "open('.git/hooks-ran', 'w').write('x'); os.makedirs('.git/hooks', exist_ok=True)\n"
        "open('.git/hooks/pre-commit', 'w').write('#!/bin/sh' + chr(10) + 'touch hooked')\n"
        "open('.git/config', 'a').write('[core]' + chr(10) + ' fsmonitor = touch pwned' + chr(10))\n"
        f"open({str(outside)!r}, 'w').write('x')\n"
        "daemon = 'import time, os; os.setsid(); time.sleep(300)'\n"
        "started = subprocess.Popen([sys.executable, '-c', daemon])\n"
        f"open({str(tmp_path / 'pid')!r}, 'w').write(str(started.pid))\n",
    )
    before = made.git("for-each-ref", "refs/heads/main", "--format=%(objectname)")
    ended = run(made)
    assert ended.json["state"] == "DONE_SUCCESS"
    assert made.git("for-each-ref", "refs/heads/main", "--format=%(objectname)") == before
    assert made.git("diff", "--name-only", "main", "autonomous/agent-1", "--", ".", ":!.autopack") == "README.md"
    assert made.git("log", "--format=%an", "main..autonomous/agent-1") == "autopack"
    assert gone(int((tmp_path / "pid").read_text()))


def gone(pid: int) -> bool:
    for _ in range(50):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.1)
    return False


def test_a_repository_inside_the_folder_is_no_change_that_git_can_read(tmp_path: Path) -> None:
    made = project(tmp_path, "subprocess.run(['git', 'init', '-q', 'docs'], check=True)")
    assert run(made).json["state"] != "DONE_SUCCESS"
    assert "git can't read what it left behind" in str(made.events("agent-1", "BuilderFinished")[0]["message"])


def test_a_program_that_does_not_end_is_ended(tmp_path: Path) -> None:
    made = project(tmp_path, "open('README.md', 'a').write('x'); time.sleep(300)", ", timeout_s: 1")
    ended = run(made)
    assert ended.json["state"] != "DONE_SUCCESS"
    assert [event["outcome"] for event in made.events("agent-1", "BuilderFinished")] == ["timed_out", "timed_out"]
    assert "was not done after 1 s" in str(made.events("agent-1", "BuilderFinished")[0]["message"])


def test_a_program_sees_only_what_it_is_given(tmp_path: Path) -> None:
    made = project(
        tmp_path,
        "found = {name: os.environ.get(name) for name in ('MY_KEY', 'OTHER_KEY')}\n"
        "assert found == {'MY_KEY': 'k', 'OTHER_KEY': None}, found\n"
        "open('README.md', 'a').write('x' + chr(10))\n",
        ", env_pass: [MY_KEY]",
    )
    assert run(made, MY_KEY="k", OTHER_KEY="o").json["state"] == "DONE_SUCCESS"


def test_a_program_that_is_not_there_ends_the_run_at_once(tmp_path: Path) -> None:
    made = project(tmp_path, "", kind="command, run: [no-such-agent], tokens: 5_000")
    ended = run(made)
    assert (ended.code, ended.json["failure_reason"]) == (7, "model_not_found")
    assert "no-such-agent" in ended.json["failure"]


def test_a_phase_that_waits_for_a_client_can_be_planned_and_not_run(tmp_path: Path) -> None:
    made = project(tmp_path, "", kind="external")
    assert made.autopack("validate").code == 0
    assert made.autopack("plan", PLAYBOOK).code == 0
    ended = run(made)
    assert ended.code == 2
    assert "this version has no server" in ended.err
    assert made.git("branch", "--list", "autonomous/*") == ""
