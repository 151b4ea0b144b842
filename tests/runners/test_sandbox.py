"""A step inside bubblewrap tries what it must not do: real namespaces, a real home with secrets, real servers."""

import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from autopack.plan.model import Profile, Step
from autopack.runners import sandbox
from autopack.runners.ci import CiResult, run_profile
from autopack.runners.sandbox import Walls

pytestmark = pytest.mark.skipif(
    sandbox.fault(os.environ) is not None, reason=f"no sandbox here: {sandbox.fault(os.environ)}"
)

BIN = str(Path(sys.executable).parent)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A home with secrets and a repository in it, and a worktree where a run would have it."""
    home = tmp_path / "home"
    for name, text in {".ssh/id_ed25519": "KEY", ".aws/credentials": "AWS", ".netrc": "NET"}.items():
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(text)
    subprocess.run(["git", "init", "-q", "-b", "main", str(home / "project")], check=True)
    (home / "project" / "code.py").write_text("x = 1\n")
    git = ["git", "-C", str(home / "project"), "-c", "user.name=a", "-c", "user.email=a@localhost"]
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "-c", "core.hooksPath=/dev/null", "commit", "-qm", "one"], check=True)
    (home / "cache" / "run" / "1" / "tree").mkdir(parents=True)
    (home / "cache" / "run" / "2" / "tree").mkdir(parents=True)
    (home / "cache" / "run" / "2" / "tree" / "theirs").write_text("of another phase")
    return tmp_path


def go(place: Path, code: str, **more: object) -> CiResult:
    home = place / "home"
    tree = home / "cache" / "run" / "1" / "tree"
    step = Step("attack", ("python", "-c", code, str(home)), 60)
    walled = Profile("normal", (), (step,), 0, ("PATH", "HOME"), {}, sandbox="bubblewrap", network=False)
    project = str(home / "project")
    return run_profile(
        replace(walled, **more),  # type: ignore[arg-type]
        str(tree),
        token=f"box-{os.getpid()}",
        keep=lambda name, _data: name,
        setup_done=False,
        cancelled=None,
        environ={"PATH": f"{BIN}:{os.defpath}", "HOME": str(home)},
        walls=Walls((project, str(home / "cache" / "run")), (f"{project}/.git/objects",)),
    )


def said(result: CiResult) -> str:
    return result.output


def test_a_step_writes_its_worktree_and_nothing_else(place: Path) -> None:
    code = """
import os, sys
home = sys.argv[1]
open('made', 'w').write('x')
open('/tmp/mine', 'w').write('x')
open(home + '/.mine', 'w').write('x')
refused = []
for path in ('/etc/evil', '/usr/evil', home + '/project/code.py', '/opt/evil', '/evil'):
    try:
        open(path, 'r+' if path.endswith('.py') else 'w').write('evil')
    except OSError as error:
        refused.append(path.replace(home, '~'))
print(refused)
"""
    result = go(place, code)
    assert result.verdict == "green", result.evidence
    assert "['/etc/evil', '/usr/evil', '~/project/code.py', '/opt/evil', '/evil']" in said(result)
    tree = place / "home" / "cache" / "run" / "1"
    assert (tree / "tree" / "made").read_text() == "x"
    assert [each.name for each in tree.iterdir()] == ["tree"]  # its home and temporary folder are gone
    assert not (place / "home" / ".mine").exists()
    assert (place / "home" / "project" / "code.py").read_text() == "x = 1\n"


def test_a_step_finds_no_secret_no_repository_and_no_other_run(place: Path) -> None:
    code = """
import os, sys
home = sys.argv[1]
for path in ('.ssh/id_ed25519', '.aws/credentials', '.netrc', 'project/code.py', 'project/.git/HEAD',
             'cache/run/2/tree/theirs'):
    print(path, os.path.exists(os.path.join(home, path)))
print('objects', os.path.isdir(os.path.join(home, 'project/.git/objects')))
print('sockets', [name for name in os.listdir('/run') if name != 'systemd'])
print('shadow', open('/etc/shadow').read() if os.access('/etc/shadow', os.R_OK) else '')
"""
    words = said(go(place, code))
    assert words.count("False") == 6
    assert "True" in words
    assert "objects True" in words
    assert "sockets []" in words
    assert "root:" not in words


def test_the_borrowed_objects_can_be_read_and_not_be_written(place: Path) -> None:
    code = """
import os, subprocess, sys
objects = sys.argv[1] + '/project/.git/objects'
found = [os.path.join(top, name) for top, _, names in os.walk(objects) for name in names]
print(len(found), all(open(path, 'rb').read() for path in found))
try:
    os.chmod(found[0], 0o600); open(found[0], 'w')
except OSError as error:
    print(error.strerror)
"""
    assert "3 True\n    Read-only file system" in said(go(place, code))


def test_refs_can_not_be_forged(place: Path) -> None:
    project = place / "home" / "project"
    head = subprocess.check_output(["git", "-C", str(project), "rev-parse", "main"])
    code = (
        "import subprocess, sys; subprocess.run(['git', '-C', sys.argv[1] + '/project', 'branch', '-f', 'main', '0'])"
    )
    assert "not a git repository" in said(go(place, code))
    assert subprocess.check_output(["git", "-C", str(project), "rev-parse", "main"]) == head


@pytest.fixture
def listening() -> Iterator[int]:
    """The port of a server of this machine, outside every sandbox."""

    def serve(server: socket.socket) -> None:
        while True:
            talk, _ = server.accept()
            with talk:
                if talk.recv(1) != b"?":
                    return
                talk.sendall(b"hello")

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=serve, args=(server,))
        thread.start()
        yield server.getsockname()[1]
        with socket.create_connection(server.getsockname()) as last:
            last.sendall(b"!")
        thread.join()


REACH = """
import socket
try:
    with socket.create_connection(('127.0.0.1', PORT), 5) as talk:
        talk.sendall(b'?')
        print(talk.recv(5))
except OSError as error:
    print(error.strerror)
"""


def test_without_network_not_even_the_machines_own_servers_are_reached(place: Path, listening: int) -> None:
    assert "Connection refused" in said(go(place, REACH.replace("PORT", str(listening))))


def test_with_network_they_are(place: Path, listening: int) -> None:
    assert "b'hello'" in said(go(place, REACH.replace("PORT", str(listening)), network=True))


def test_without_network_a_test_can_still_serve_itself(place: Path) -> None:
    code = (
        "import socket as s; made = s.create_server(('127.0.0.1', 0)); "
        "s.create_connection(made.getsockname()); print('own')"
    )
    assert "own" in said(go(place, code))


def test_a_daemon_dies_with_the_sandbox(place: Path) -> None:
    known = f"86399.{os.getpid()}"
    code = f"""
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for fd in range(3): os.dup2(os.open(os.devnull, os.O_RDWR), fd)
        os.execve('/bin/sleep', ['sleep', '{known}'], {{}})
    os._exit(0)
os.wait()
time.sleep(0.2)
"""
    assert go(place, code).verdict == "green"
    assert not [pid for pid in os.listdir("/proc") if pid.isdecimal() and known.encode() in _command_line(pid)]


def _command_line(pid: str) -> bytes:
    """Empty where it has ended meanwhile."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return b""


def test_other_processes_can_not_be_seen_or_signalled(place: Path) -> None:
    mine = f"/proc/{os.getpid()}/cmdline"
    code = f"import os; print(os.path.exists({mine!r}) and b'pytest' in open({mine!r}, 'rb').read())"
    assert "False" in said(go(place, code))


def test_a_tool_that_is_not_there_is_said_in_the_usual_words(place: Path) -> None:
    missing = go(place, "", steps=(Step("lint", ("no-such-linter",), 60),))
    assert (missing.verdict, missing.steps[0].outcome) == ("unusable", "cannot_start")
    assert "no-such-linter" in missing.evidence


def test_a_tool_that_the_sandbox_hides_can_be_shown(place: Path) -> None:
    tool = place / "home" / "tools" / "lint"
    tool.parent.mkdir()
    shutil.copy("/bin/true", tool)
    steps = (Step("lint", (str(tool),), 60),)
    hidden = go(place, "", steps=steps)
    assert hidden.verdict == "unusable"
    assert "sandbox.read" in hidden.evidence
    assert go(place, "", steps=steps, readable=(str(tool.parent),)).verdict == "green"


def test_limits_hold_inside_as_well(place: Path) -> None:
    result = go(place, "bytearray(600 * 2**20)", memory_mb=300)
    assert result.steps[0].fact == "it ran out of memory: one process may have 300 MB (sandbox.memory_mb)"


def test_a_sandbox_that_can_not_be_made_says_what_to_do(tmp_path: Path) -> None:
    words = sandbox.fault({"PATH": str(tmp_path)})
    assert words is not None
    assert "apt install bubblewrap" in words
    assert "sandbox: {kind: none}" in words
    broken = tmp_path / "bwrap"
    broken.write_text("#!/bin/sh\necho 'bwrap: No permissions to create new namespace' >&2; exit 1\n")
    broken.chmod(0o755)
    refused = sandbox.fault({"PATH": str(tmp_path)})
    assert refused is not None
    assert "No permissions to create new namespace" in refused


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become somebody else")
def test_an_unprivileged_user_gets_the_same_walls(tmp_path: Path) -> None:
    """bubblewrap then makes a user namespace of its own."""
    tree = tmp_path / "1" / "tree"
    tree.mkdir(parents=True)
    words = sandbox.wrapped(
        ["sh", "-c", "id -u; touch made; touch /etc/evil; ls -a /root"],
        str(tree),
        {"PATH": os.defpath, "HOME": "/nonexistent"},
        str(tmp_path),
        Walls(),
        network=False,
    )
    for path in (tmp_path, *tmp_path.rglob("*")):
        os.chown(path, 65534, 65534)
    for parent in tmp_path.parents:
        if parent != Path("/tmp") and str(parent).startswith("/tmp/"):
            parent.chmod(0o755)
    done = subprocess.run(words, user=65534, group=65534, extra_groups=[], capture_output=True, text=True, check=False)
    assert done.stdout.splitlines()[0] == "65534", done.stderr
    assert "/etc/evil" in done.stderr
    assert (tree / "made").exists()


ESCAPES = {
    "mount": "subprocess.run(['mount', '-t', 'tmpfs', 'x', '/mnt'], check=True)",
    "remount": "subprocess.run(['mount', '-o', 'remount,rw', '/'], check=True)",
    "unmount": "subprocess.run(['umount', home], check=True)",
    "setuid": "os.setuid(12345)",
    "setuid of a file": "os.chown('made', 12345, 12345)",
    "chroot": "os.chroot('/tmp')",
    "kernel settings": "open('/proc/sys/kernel/core_pattern', 'a')",  # opened and never written: it is the machine's
    "settings of memory": "open('/proc/sys/vm/overcommit_memory', 'a')",
    "a disk": "os.mknod('disk', 0o60600, os.makedev(8, 0)); open('disk', 'rb').read(1)",
    "memory": "open('/dev/mem', 'rb').read(1)",
    "another's root": "os.listdir(f'/proc/{DRIVER}/root')",
    "another's folder": "os.listdir(f'/proc/{DRIVER}/cwd')",
    "a signal": "os.kill(DRIVER, 0)",
    "another namespace": "subprocess.run(['nsenter', '-t', '1', '-m', 'ls', home + '/project/code.py'], check=True)",
    "groups of processes": "open('/sys/fs/cgroup/cgroup.procs', 'a')",
    "the refs through objects": "open(home + '/project/.git/objects/../refs/heads/main', 'w').write('0' * 40)",
    "another worktree": "open(home + '/cache/run/2/tree/theirs', 'w').write('mine')",
    "a hard link out": "os.link('/etc/passwd', 'link'); open('link', 'a').write('mine')",
}


@pytest.mark.parametrize("way", ESCAPES)
def test_no_way_leads_out(place: Path, way: str) -> None:
    """What must not succeed is told by what it raised; and what it aimed at is as it was."""
    lines = f"""\
import os, subprocess, sys
home, DRIVER = sys.argv[1], {os.getpid()}
open('made', 'w').write('x')
try:
    {ESCAPES[way]}
except (OSError, subprocess.CalledProcessError) as error:
    print('refused', type(error).__name__)
else:
    print('it went through')
"""
    result = go(place, lines)
    assert "refused" in said(result), said(result)
    home = place / "home"
    assert (home / "project" / "code.py").read_text() == "x = 1\n"
    assert (home / "cache" / "run" / "2" / "tree" / "theirs").read_text() == "of another phase"


def test_the_temporary_folder_is_the_steps_own(place: Path) -> None:
    shared = Path("/tmp") / f"shared-{os.getpid()}"
    shared.write_text("of the machine")
    try:
        code = f"import os; print(os.path.exists({str(shared)!r})); open({str(shared)!r}, 'w').write('mine')"
        assert "False" in said(go(place, code))
        assert shared.read_text() == "of the machine"
    finally:
        shared.unlink()


def test_processor_time_and_the_number_of_processes_are_limited_inside(place: Path) -> None:
    burned = go(place, "while True: pass", cpu_s=1)
    assert burned.steps[0].fact == "it used up its 1 s of processor time (sandbox.cpu_s)"
    many = "import subprocess\nwhile True: subprocess.Popen(['sleep', '60'])"
    assert go(place, many, processes=20).steps[0].fact == "more than 20 processes at once (sandbox.processes)"


def test_what_a_step_leaves_in_its_worktree_leads_nobody_out_afterwards(place: Path) -> None:
    """A report that is a link, a folder that is one: read by us, outside the walls, after the step."""
    (place / "outside").mkdir()
    (place / "outside" / "report.xml").write_text("<testsuite><testcase name='theirs'/></testsuite>")
    code = f"import os; os.symlink({str(place / 'outside')!r}, 'out')"
    step = Step("attack", ("python", "-c", code), 60, "out/report.xml")
    result = go(place, "", steps=(step,))
    assert result.verdict != "green"
    assert (place / "outside" / "report.xml").exists()


def test_a_link_that_a_step_makes_leads_to_nothing_of_the_machine(place: Path) -> None:
    code = "import os, sys; os.symlink(sys.argv[1] + '/project/code.py', 'link'); open('link', 'w').write('mine')"
    go(place, code)
    assert (place / "home" / "project" / "code.py").read_text() == "x = 1\n"
