"""An agent's command-line program as Builder: real processes that edit a folder."""

import os
import sys
from pathlib import Path

import pytest

from autopack.runners.command import run_agent
from autopack.runners.process import CannotStart, Finished

ENVIRON = {
    "PATH": f"{Path(sys.executable).parent}:{os.defpath}",
    "HOME": "/home/ann",
    "ANTHROPIC_API_KEY": "sk-1",
    "DATABASE_URL": "postgresql://shop",
}
TOKEN = f"agent-{os.getpid()}"  # somebody else may run these tests on this machine at the same time


def go(worktree: Path, code: str, prompt: bytes = b"", **more) -> Finished:
    facts = {"timeout_s": 300.0, "token": TOKEN, "environ": ENVIRON, "cancelled": None} | more
    return run_agent(["python", "-c", code], str(worktree), prompt, **facts)


def test_the_agent_reads_its_task_from_stdin_and_edits_the_worktree(tmp_path):
    (tmp_path / "a.py").write_text("old")
    done = go(tmp_path, "import sys; open('a.py', 'w').write(sys.stdin.read()); print('edited a.py')", "new ü".encode())
    assert (done.exit_code, done.output) == (0, b"edited a.py\n")
    assert (tmp_path / "a.py").read_text(encoding="utf-8") == "new ü"


def test_the_agent_sees_no_secret_unless_it_is_named(tmp_path):
    facts = {"timeout_s": 300.0, "token": TOKEN, "environ": ENVIRON, "cancelled": None}
    bare = run_agent(["env"], str(tmp_path), b"", **facts)
    assert sorted(bare.output.decode().split()) == [
        f"AUTOPACK_CHILD={TOKEN}",
        "HOME=/home/ann",
        f"PATH={ENVIRON['PATH']}",
    ]
    named = run_agent(["env"], str(tmp_path), b"", env_pass=("ANTHROPIC_API_KEY",), **facts)
    assert b"ANTHROPIC_API_KEY=sk-1\n" in named.output


def test_an_agent_that_fails_leaves_its_edits_and_its_exit_code_to_the_caller(tmp_path):
    done = go(tmp_path, "open('half.py', 'w').write('x'); raise SystemExit(3)")
    assert (done.exit_code, (tmp_path / "half.py").read_text()) == (3, "x")


def test_an_agent_that_never_ends_is_ended(tmp_path):
    assert go(tmp_path, "import time; time.sleep(600)", timeout_s=0.3).timed_out
    endless = "import time; open('up', 'w'); time.sleep(600)"
    assert go(tmp_path, endless, cancelled=(tmp_path / "up").exists).cancelled


def test_an_agent_that_is_not_installed_is_a_named_error(tmp_path):
    with pytest.raises(CannotStart) as caught:
        run_agent(["no-such-agent"], str(tmp_path), b"", timeout_s=5, token=TOKEN, environ=ENVIRON, cancelled=None)
    assert caught.value.what == "command"
