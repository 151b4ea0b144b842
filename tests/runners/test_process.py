"""A child process is started, watched and killed: real processes, all of them gone afterwards."""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from autopack.runners import process
from autopack.runners.process import CannotStart, Finished, Limits, lineage, reap, run, scrubbed
from autopack.runners.process.lineage import look

HAS_PROC = Path("/proc/self/stat").exists()
needs_proc = pytest.mark.skipif(not HAS_PROC, reason="what left its group is found through /proc")

# Writes its pid to a file, says so, and is hard to get rid of.
STUBBORN = """
import os, signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
open(sys.argv[1] + ".new", "w").write(str(os.getpid()))
os.rename(sys.argv[1] + ".new", sys.argv[1])
time.sleep(600)
"""
# Starts STUBBORN in one of several ways, waits until it runs, and ends.
PARENT = """
import os, subprocess, sys, time
code, pid_file, how = sys.argv[1:]
argv = [sys.executable, "-c", code, pid_file]
if how == "daemon":
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            null = os.open(os.devnull, os.O_RDWR)
            for fd in (0, 1, 2):
                os.dup2(null, fd)
            os.chdir("/")
            os.execv(argv[0], argv)
        os._exit(0)
    os.wait()
else:
    subprocess.Popen(argv, env={} if how == "no environment" else None, start_new_session=how != "same group")
while not os.path.exists(pid_file):
    time.sleep(0.01)
print("up", flush=True)
"""


@pytest.fixture(autouse=True)
def _short_grace(monkeypatch):
    monkeypatch.setattr(lineage, "GRACE_S", 0.2)


PATIENCE_S = 300.0
TOKEN = f"t-{os.getpid()}"  # somebody else may run these tests on this machine at the same time


def timed_out(argv: list[str], cwd: Path, came_so_far: Callable[[Finished], bool]) -> Finished:
    """Ended by its deadline when it had come so far, however slow the machine."""
    timeout_s = 1.0
    done = go(argv, cwd, timeout_s=timeout_s)
    while done.timed_out and not came_so_far(done) and timeout_s < PATIENCE_S:
        timeout_s *= 3
        done = go(argv, cwd, timeout_s=timeout_s)
    return done


def python(code: str, *arguments: str) -> list[str]:
    return [sys.executable, "-c", code, *arguments]


def go(argv, cwd, *, token=TOKEN, timeout_s=PATIENCE_S, env=None, **more) -> Finished:
    return run(argv, cwd=str(cwd), env={} if env is None else env, timeout_s=timeout_s, token=token, **more)


def is_alive(pid: int) -> bool:
    if HAS_PROC:
        return look(pid, living=True) is not None
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def pid_in(file: Path) -> int:
    return int(file.read_text())


def test_both_streams_come_back_in_the_order_in_which_they_were_written(tmp_path):
    code = "import os\nfor i in range(3): os.write(1, b'out %d\\n' % i); os.write(2, b'err %d\\n' % i)"
    done = go(python(code), tmp_path)
    assert done.output == b"out 0\nerr 0\nout 1\nerr 1\nout 2\nerr 2\n"
    assert (done.exit_code, done.timed_out, done.cancelled, done.truncated) == (0, False, False, False)


def test_the_exit_code_is_the_childs_own(tmp_path):
    assert go(python("raise SystemExit(7)"), tmp_path).exit_code == 7
    assert go(python("import os; os.kill(os.getpid(), 9)"), tmp_path).exit_code == -signal.SIGKILL


def test_a_child_sees_the_given_variables_and_its_token_only(tmp_path, monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    done = go(["/usr/bin/env"], tmp_path, env={"LANG": "C"}, token=TOKEN)
    assert sorted(done.output.decode().split()) == [f"AUTOPACK_CHILD={TOKEN}", "LANG=C"]


def test_scrubbing_takes_what_is_named_and_there_and_then_sets_the_rest():
    environ = {"PATH": "/bin", "HOME": "/h", "AWS_SECRET_ACCESS_KEY": "x"}
    assert scrubbed(environ, ["PATH", "LANG"], {"SEED": "0"}) == {"PATH": "/bin", "SEED": "0"}


def test_arguments_reach_no_shell(tmp_path):
    done = go(["echo", "$HOME; touch x", "`id`", "*"], tmp_path, env={"PATH": os.defpath})
    assert done.output == b"$HOME; touch x `id` *\n"
    assert not (tmp_path / "x").exists()


def test_stdin_is_empty_unless_given(tmp_path):
    code = "import sys; print(len(sys.stdin.buffer.read()))"
    assert go(python(code), tmp_path).output == b"0\n"
    assert go(python(code), tmp_path, stdin=b"").output == b"0\n"
    assert go(python(code), tmp_path, stdin=b"x" * 1_000_000).output == b"1000000\n"


def test_a_child_that_answers_while_it_reads_a_long_input_does_not_lock_up(tmp_path):
    done = go(["cat"], tmp_path, env={"PATH": os.defpath}, stdin=b"line\n" * 300_000)
    assert done.output == b"line\n" * 300_000


def test_a_child_may_leave_its_input_unread(tmp_path):
    assert go(python("print('enough')"), tmp_path, stdin=b"x" * 5_000_000).output == b"enough\n"


def test_of_200_megabytes_the_first_and_the_last_are_kept_in_bounded_memory(tmp_path):
    code = (
        "import os\nos.write(1, b'first\\n')\nblock = b'x' * 65536\n"
        "for _ in range(3200): os.write(1, block)\nos.write(1, b'last\\n')"
    )
    tracemalloc.start()
    done = go(python(code), tmp_path, output_limit_bytes=100_000)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert done.truncated
    assert len(done.output) <= 100_000
    assert done.output.startswith(b"first\nxxx")
    assert done.output.endswith(b"xxxlast\n")
    assert b" bytes left out ...]\n" in done.output
    assert peak < 2_000_000


def test_an_output_of_exactly_the_limit_is_whole(tmp_path):
    done = go(python("print('y' * 999)"), tmp_path, output_limit_bytes=1000)
    assert (done.output, done.truncated) == (b"y" * 999 + b"\n", False)
    over = go(python("print('y' * 1000)"), tmp_path, output_limit_bytes=1000)
    assert (len(over.output) <= 1000, over.truncated) == (True, True)


def test_at_its_deadline_a_child_is_killed_and_its_exit_code_says_nothing(tmp_path):
    pids: list[int] = []
    code = "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit(0))\ntime.sleep(600)"
    done = go(python(code), tmp_path, timeout_s=0.3, on_start=lambda pid, _time: pids.append(pid))
    assert (done.exit_code, done.timed_out, done.cancelled) == (None, True, False)
    assert not is_alive(pids[0])


def test_what_a_child_says_when_it_is_asked_to_end_is_kept(tmp_path, monkeypatch):
    monkeypatch.setattr(lineage, "GRACE_S", PATIENCE_S)
    code = (
        "import signal, sys, time\nsignal.signal(15, lambda *_: sys.exit('where I was'))\n"
        "open('up', 'w')\ntime.sleep(600)"
    )
    assert go(python(code), tmp_path, cancelled=(tmp_path / "up").exists).output == b"where I was\n"


def test_a_cancel_ends_a_child_that_ignores_sigterm(tmp_path):
    file = tmp_path / "pid"
    done = go(python(STUBBORN, str(file)), tmp_path, cancelled=file.exists)
    assert (done.exit_code, done.cancelled, done.timed_out) == (None, True, False)
    assert not is_alive(pid_in(file))


@pytest.mark.parametrize(
    "how",
    [
        "same group",
        pytest.param("own session", marks=needs_proc),
        pytest.param("daemon", marks=needs_proc),
    ],
)
def test_a_grandchild_that_ignores_sigterm_and_holds_the_pipe_neither_hangs_us_nor_survives(tmp_path, how):
    file = tmp_path / "pid"
    done = go(python(PARENT, STUBBORN, str(file), how), tmp_path)
    assert (done.exit_code, done.output) == (0, b"up\n")
    assert not is_alive(pid_in(file))


@needs_proc
def test_a_grandchild_without_token_group_or_session_is_found_through_its_parent(tmp_path):
    file = tmp_path / "pid"
    code = PARENT + "\ntime.sleep(600)"
    go(python(code, STUBBORN, str(file), "no environment"), tmp_path, cancelled=file.exists)
    assert not is_alive(pid_in(file))


def test_without_proc_the_group_still_dies(tmp_path, monkeypatch):
    monkeypatch.setattr(lineage, "HAS_PROC", False)
    file = tmp_path / "pid"
    done = go(python(PARENT, STUBBORN, str(file), "same group"), tmp_path)
    assert done.output == b"up\n"
    while is_alive(pid_in(file)):  # it was sent the signal that can't be ignored; nobody could be asked for its end
        time.sleep(0.01)
    assert reap(TOKEN) == 0


def test_without_waitid_a_child_ends_all_the_same(tmp_path, monkeypatch):
    monkeypatch.delattr(os, "waitid")
    monkeypatch.setattr(lineage, "HAS_PROC", False)
    assert go(python("print('done')"), tmp_path).output == b"done\n"


def test_one_childs_end_leaves_the_others_alone(tmp_path):
    file, stop = tmp_path / "pid", threading.Event()
    other: list[Finished] = []

    def live_on() -> None:
        other.append(go(python(STUBBORN, str(file)), tmp_path, token=f"{TOKEN}-2", cancelled=stop.is_set))

    thread = threading.Thread(target=live_on)
    thread.start()
    go(python("import os, sys, time\nwhile not os.path.exists(sys.argv[1]): time.sleep(0.01)", str(file)), tmp_path)
    assert is_alive(pid_in(file))
    stop.set()
    thread.join()
    assert other[0].cancelled


@needs_proc
def test_what_a_killed_driver_left_is_reaped_by_its_token(tmp_path):
    file = tmp_path / "pid"
    driver = (
        "import sys\nfrom autopack.runners.process import run\n"
        f"run(sys.argv[1:], cwd='.', env={{}}, timeout_s=600, token='{TOKEN}-left')"
    )
    repository = Path(process.__file__).parents[3]
    with subprocess.Popen(
        python(driver, *python(PARENT + "\ntime.sleep(600)", STUBBORN, str(file), "daemon")), cwd=repository
    ) as dead:
        while not file.exists():
            assert dead.poll() is None
            time.sleep(0.01)
        dead.kill()
    assert is_alive(pid_in(file))
    assert reap(f"{TOKEN}-right") == 0
    assert reap(f"{TOKEN}-left") > 0
    assert not is_alive(pid_in(file))
    assert reap(f"{TOKEN}-left") == 0


def test_the_start_is_told_with_pid_and_start_time(tmp_path):
    told: list[tuple[int, float]] = []
    done = go(python("import os; print(os.getppid())"), tmp_path, on_start=lambda *facts: told.append(facts))
    assert [pid for pid, _ in told] == [int(done.output)]
    if HAS_PROC:
        own = look(os.getpid())
        assert own is not None
        assert told[0][1] >= own.start_ticks / os.sysconf("SC_CLK_TCK")


def test_a_child_whose_start_can_not_be_recorded_does_not_run_on(tmp_path):
    pids: list[int] = []

    def refuse(pid: int, _start_time: float) -> None:
        pids.append(pid)
        raise RuntimeError("the journal is gone")

    with pytest.raises(RuntimeError, match="the journal is gone"):
        go(python("import time; time.sleep(600)"), tmp_path, on_start=refuse)
    assert not is_alive(pids[0])


@pytest.mark.parametrize("limits", [None, Limits(memory_mb=512)])
def test_what_can_not_start_is_a_named_error_that_says_why(tmp_path, limits):
    def why(argv: list[str], cwd: Path = tmp_path, **env: str) -> tuple[str, str]:
        with pytest.raises(CannotStart) as caught:
            go(argv, cwd, env=env, limits=limits)
        return caught.value.what, caught.value.fact

    (tmp_path / "plain").write_text("echo no")
    (tmp_path / "script").write_text("#!/no/such/interpreter\n")
    (tmp_path / "script").chmod(0o755)
    assert why(["nope"], PATH="/a:/b") == ("command", '"nope" is in no folder of PATH (/a:/b)')
    assert why(["nope"]) == ("command", f'"nope" was looked for in {os.defpath} only: its environment has no PATH')
    assert why(["./nope"]) == ("command", "there is no file ./nope")
    assert why(["./plain"]) == ("command", "./plain: Permission denied")
    assert why(["./script"]) == ("command", "./script exists, but the interpreter named in its first line does not")
    assert why(["true"], tmp_path / "gone") == ("cwd", f"there is no folder {tmp_path / 'gone'} to work in")
    assert why(["true"], tmp_path / "plain") == ("cwd", f"there is no folder {tmp_path / 'plain'} to work in")
    assert why(["true", "a\0b"]) == ("arguments", "embedded null byte")
    assert why([]) == ("arguments", "the command is empty")


def test_memory_is_limited_for_the_command_and_not_for_us(tmp_path):
    code = "block = bytearray(400 * 2**20); print(len(block))"
    assert go(python(code), tmp_path, limits=Limits(memory_mb=2_000)).output == b"419430400\n"
    refused = go(python(code), tmp_path, limits=Limits(memory_mb=100))
    assert refused.exit_code == 1
    assert b"MemoryError" in refused.output


def test_processor_time_is_limited(tmp_path):
    assert go(python("while True: pass"), tmp_path, limits=Limits(cpu_s=1)).exit_code == -signal.SIGXCPU


def test_a_limited_command_gets_the_same_environment_and_arguments(tmp_path):
    for env in ({}, {"LC_CTYPE": "C"}, {"LANG": "C", "PYTHONPATH": "/x"}):
        free = go(["/usr/bin/env"], tmp_path, env=env)
        limited = go(["/usr/bin/env"], tmp_path, env=env, limits=Limits(cpu_s=60))
        assert sorted(free.output.split()) == sorted(limited.output.split())
    done = go(python("import sys; print(sys.argv[1:])", "-c", "", "a b"), tmp_path, limits=Limits(cpu_s=60))
    assert done.output == b"['-c', '', 'a b']\n"


def test_no_descriptor_is_left_open(tmp_path):
    folder = Path("/proc/self/fd" if HAS_PROC else "/dev/fd")
    before = len(list(folder.iterdir()))
    for limits in (None, Limits(memory_mb=512)):
        go(python("print(1)"), tmp_path, stdin=b"x", limits=limits)
        go(python("import time; time.sleep(600)"), tmp_path, timeout_s=0.1, limits=limits)
        with pytest.raises(CannotStart):
            go(["./nope"], tmp_path, stdin=b"x", limits=limits)
    assert len(list(folder.iterdir())) == before


# Sets a session of its own, without token, environment or descriptors: nothing but its parents leads to it.
GHOST = """
import os, sys
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in range(3): os.dup2(os.open(os.devnull, os.O_RDWR), fd)
        os.execve(sys.executable, [sys.executable, "-c", sys.argv[1], sys.argv[2]], {})
    os._exit(0)
os.wait()
import time
while not os.path.exists(sys.argv[2]): time.sleep(0.01)
"""


@needs_proc
def test_a_daemon_with_neither_token_nor_session_nor_parent_is_adopted_and_killed(tmp_path):
    file = tmp_path / "pid"
    done = go(python(GHOST, STUBBORN, str(file)), tmp_path)
    assert (done.exit_code, done.left) == (0, 1)
    assert not is_alive(pid_in(file))


@needs_proc
def test_such_a_daemon_is_killed_at_a_timeout_too_and_after_its_driver_was_killed(tmp_path):
    file = tmp_path / "pid"
    done = timed_out(python(GHOST + "time.sleep(600)", STUBBORN, str(file)), tmp_path, lambda _: file.exists())
    assert done.timed_out
    assert not is_alive(pid_in(file))


@needs_proc
def test_a_command_that_stops_its_keeper_ends_at_its_deadline_with_nothing_left(tmp_path):
    code = "import os, signal; print(os.getppid(), flush=True); os.kill(os.getppid(), signal.SIGSTOP)"
    done = timed_out(python(code), tmp_path, lambda done: done.output.endswith(b"\n"))
    assert done.timed_out
    assert not is_alive(int(done.output))


def test_a_command_that_kills_its_keeper_has_not_ended_well(tmp_path):
    code = "import os, signal, time; os.kill(os.getppid(), signal.SIGKILL); time.sleep(600)"
    assert go(python(code), tmp_path).exit_code == -signal.SIGKILL


def test_the_size_of_a_file_and_the_number_of_open_files_are_limited(tmp_path):
    code = "open('big', 'wb').write(bytes(3 * 2**20))"
    assert go(python(code), tmp_path, limits=Limits(file_mb=1)).exit_code != 0
    assert (tmp_path / "big").stat().st_size == 2**20
    many = "import os; [os.open('/dev/null', 0) for _ in range(100)]"
    assert b"Too many open files" in go(python(many), tmp_path, limits=Limits(open_files=50)).output


@needs_proc
def test_too_many_processes_at_once_end_the_command(tmp_path):
    code = "import subprocess, time\nfor _ in range(20): subprocess.Popen(['sleep', '600'])\ntime.sleep(600)"
    done = go(python(code), tmp_path, limits=Limits(processes=10))
    assert (done.crowded, done.exit_code) == (True, None)


@needs_proc
def test_what_has_too_many_processes_is_stopped_and_not_asked_first_because_it_may_multiply(tmp_path):
    code = (
        "import os, signal, time\n"
        "signal.signal(signal.SIGTERM, lambda *_: open('asked', 'w').close())\n"
        "for _ in range(20):\n"
        "    if not os.fork(): break\n"
        "while True: time.sleep(600)"
    )
    done = go(python(code), tmp_path, limits=Limits(processes=10))
    assert done.crowded
    assert not (tmp_path / "asked").exists()
    assert reap(TOKEN) == 0


@needs_proc
@pytest.mark.skipif(os.geteuid() == 0, reason="root has no limit of tasks")
def test_a_fork_bomb_can_not_take_all_that_the_user_may_start(tmp_path):
    code = "import resource; print(resource.getrlimit(resource.RLIMIT_NPROC)[0])"
    told = int(go(python(code), tmp_path, limits=Limits(processes=10)).output)
    assert 540 < told != resource.getrlimit(resource.RLIMIT_NPROC)[0]
