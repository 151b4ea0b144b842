"""`builder: {kind: command}`: a small program stands for an agent; git, gate, CI and the run are real."""

import os
import signal
import time
from pathlib import Path

import pytest

from autopack.runners import sandbox
from tests.end_to_end.scratch import Ended, Project, alive, eventually, hello, quick_ci

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


def project(tmp_path: Path, agent: str, more: str = "", kind: str | None = None, ci: str | None = None) -> Project:
    """The example with a playbook of one phase; `agent` is the program, which lies outside the repository."""
    program = tmp_path / "agent.py"
    program.write_text(f"import os, subprocess, sys, time\n{agent}")
    said = kind or f'command, run: [python, "{program}"], tokens: 5_000{more}'
    return hello(tmp_path, {PLAYBOOK: TEXT % said, "ci.yaml": ci or quick_ci()})


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


# --- killed and cancelled ---

# What it does first is to hang, with a child beside it, until somebody has seen both; from then on it works.
HANGS = """
seen = {seen!r}
if not os.path.exists(seen):
    child = subprocess.Popen([sys.executable, '-S', '-c', 'import time; time.sleep(300)'])
    open(seen + '.new', 'w').write(f'{{os.getpid()}} {{child.pid}}'); os.rename(seen + '.new', seen)
    open('README.md', 'a').write('half' + chr(10))
    time.sleep(300)
open('README.md', 'a').write('whole' + chr(10))
"""


def started(seen: Path) -> list[int]:
    eventually(seen.exists, "the program's start")
    return [int(pid) for pid in seen.read_text().split()]


def test_a_driver_that_is_killed_leaves_no_program_behind_and_the_next_one_starts_afresh(tmp_path: Path) -> None:
    """kill -9 of the driver; `resume` ends what it had started and takes nothing of the half change."""
    seen = tmp_path / "seen"
    made = project(tmp_path, HANGS.format(seen=str(seen)))
    words = ("run", PLAYBOOK, "--run-id", "agent-1", "--replay", "playbooks/languages.cassette.jsonl")
    with made.driving(*words) as driver:
        pids = started(seen)
        driver.kill()
        driver.wait()
    ended = made.autopack("resume", "agent-1", "--json")
    assert (ended.code, ended.json["state"]) == (0, "DONE_SUCCESS"), ended.err
    assert [pid for pid in pids if alive(pid)] == []
    assert branch(made, "README.md").endswith("\nwhole")
    assert "half" not in branch(made, "README.md")


def test_a_program_that_is_killed_has_failed_and_is_started_again(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    made = project(tmp_path, HANGS.format(seen=str(seen)))
    with made.driving(
        "run", PLAYBOOK, "--run-id", "agent-1", "--replay", "playbooks/languages.cassette.jsonl"
    ) as driver:
        program, child = started(seen)
        os.kill(program, signal.SIGKILL)
        driver.communicate()
    assert driver.returncode == 0
    assert not alive(child), "what it had started died with it"
    assert [event["outcome"] for event in made.events("agent-1", "BuilderFinished")] == ["failed", "ok"]
    assert "half" not in branch(made, "README.md")


def test_an_interrupt_ends_the_program_with_all_it_has_started(tmp_path: Path) -> None:
    seen = tmp_path / "seen"
    made = project(tmp_path, HANGS.format(seen=str(seen)))
    with made.driving(
        "run", PLAYBOOK, "--run-id", "agent-1", "--replay", "playbooks/languages.cassette.jsonl"
    ) as driver:
        pids = started(seen)
        driver.send_signal(signal.SIGINT)
        driver.communicate()
    assert driver.returncode == 130
    assert [pid for pid in pids if alive(pid)] == []
    assert made.autopack("resume", "agent-1").code == 0
    assert branch(made, "README.md").endswith("\nwhole")


# --- in the sandbox ---

boxed = pytest.mark.skipif(sandbox.fault(os.environ) is not None, reason="no sandbox can be made here")
ATTACK = """
found = {}
def attempt(name, act):
    try: found[name] = str(act())
    except BaseException as error: found[name] = type(error).__name__
attempt('repository', lambda: open(ROOT + '/README.md'))
attempt('home', lambda: open(os.environ['HOME'] + '/.netrc'))
attempt('store', lambda: open(ROOT + '/.autonomous_runs/autopack.db'))
attempt('write', lambda: open('/usr/evil', 'w'))
attempt('tmp', lambda: open('/tmp/evil', 'w') and os.path.exists('/tmp/prompt.md'))
attempt('prompt', lambda: open(os.environ['AUTOPACK_PROMPT']).read() == sys.stdin.read())
attempt('driver', lambda: os.kill(os.getppid(), 0) or len([p for p in os.listdir('/proc') if p.isdecimal()]) < 6)
import socket
attempt('network', lambda: socket.create_connection(('127.0.0.1', 9), 2))
subprocess.Popen(['sleep', '86398'], start_new_session=True)
open('README.md', 'a').write(repr(sorted(found.items())) + chr(10))
"""


@boxed
def test_in_a_sandbox_a_program_has_the_walls_of_ci(tmp_path: Path) -> None:
    """The program is shown by `sandbox.read`; its folder is all that it can write, and its daemon dies with it."""
    walls = f'sandbox: {{kind: bubblewrap, network: false, read: ["{tmp_path}/agent.py"]}}\nprofiles:'
    attack = f"ROOT = {str(tmp_path / 'hello')!r}\n{ATTACK}"
    made = project(tmp_path, attack, ci=quick_ci().replace("profiles:", walls))
    (made.places / "home").mkdir(parents=True, exist_ok=True)
    (made.places / "home" / ".netrc").write_text("secret")
    ended = run(made)
    assert ended.json["state"] == "DONE_SUCCESS", ended.err
    assert branch(made, "README.md").splitlines()[-1] == repr(
        [
            ("driver", "True"),
            ("home", "FileNotFoundError"),
            ("network", "ConnectionRefusedError"),
            ("prompt", "True"),
            ("repository", "FileNotFoundError"),
            ("store", "FileNotFoundError"),
            ("tmp", "True"),
            ("write", "OSError"),
        ]
    )
    lines = [Path(f"/proc/{pid}/cmdline") for pid in os.listdir("/proc") if pid.isdecimal()]
    assert not [line for line in lines if line.exists() and b"sleep\x0086398" in line.read_bytes()]
    assert not Path("/tmp/evil").exists()


@boxed
def test_a_program_that_the_sandbox_hides_is_told_how_to_show_it(tmp_path: Path) -> None:
    tool = tmp_path / "tools" / "agent"
    tool.parent.mkdir()
    tool.write_text("#!/bin/sh\necho x >> README.md\n")
    tool.chmod(0o755)
    ci = quick_ci().replace("profiles:", "sandbox: {kind: bubblewrap}\nprofiles:")
    made = project(tmp_path, "", kind=f"command, run: [{tool}], tokens: 5_000", ci=ci)
    ended = run(made)
    assert (ended.code, ended.json["failure_reason"]) == (7, "model_not_found")
    assert "sandbox.read" in ended.json["failure"]


@boxed
def test_in_a_sandbox_a_program_has_the_limits_of_ci(tmp_path: Path) -> None:
    walls = f'sandbox: {{kind: bubblewrap, memory_mb: 200, read: ["{tmp_path}/agent.py"]}}\nprofiles:'
    made = project(tmp_path, "bytearray(600 * 2**20)", ci=quick_ci().replace("profiles:", walls))
    assert run(made).json["state"] != "DONE_SUCCESS"
    assert [event["exit_code"] for event in made.events("agent-1", "BuilderFinished")] == [1, 1]
