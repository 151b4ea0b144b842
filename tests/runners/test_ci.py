"""A CI profile on a worktree: real commands, real pytest."""

import os
import re
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

from autopack.plan.model import Profile, Step
from autopack.runners.ci import Cancelled, CiResult, run_profile
from autopack.runners.ci.profile import standing
from autopack.runners.ci.selection import Selection
from autopack.runners.git import remove_tree
from autopack.runners.mask import mask_for

BIN = str(Path(sys.executable).parent)  # holds `python` and `pytest`
ENVIRON = {"PATH": f"{BIN}:{os.defpath}", "HOME": "/nonexistent/home", "OPENAI_API_KEY": "sk-secret"}
PYTEST = ("python", "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:randomly")

GREEN = "def test_a(): pass\ndef test_b(): pass\n"
RED = "def test_a(): pass\ndef test_b(): assert [1, 2] == [1, 3], 'the second differs'\n"


class Shelf(dict[str, bytes]):
    """Blobs by name, and the names in the order in which they came."""

    def keep(self, name: str, data: bytes) -> str:
        self[name] = data
        return f"blob of {name}"


TOKEN = f"ci-{os.getpid()}"  # somebody else may run these tests on this machine at the same time


def step(*run: str, **more) -> Step:
    return Step(**{"id": "unit", "run": run, "timeout_s": 300} | more)


def python(code: str, **more) -> Step:
    return step("python", "-c", code, **more)


def pytest_step(*arguments: str, **more) -> Step:
    return step(*PYTEST, "--junitxml=report.xml", *arguments, **{"junit": "report.xml"} | more)


def profile(*steps: Step, **more) -> Profile:
    return Profile(**{"name": "normal", "setup": (), "steps": steps, "env_pass": ("PATH",)} | more)


def check(worktree: Path, wanted: Profile | Step, shelf: Shelf | None = None, **more) -> CiResult:
    return run_profile(
        wanted if isinstance(wanted, Profile) else profile(wanted),
        str(worktree),
        **{
            "token": TOKEN,
            "keep": (Shelf() if shelf is None else shelf).keep,
            "setup_done": False,
            "cancelled": None,
            "environ": ENVIRON,
        }
        | more,
    )


def project(folder: Path, text: str) -> Path:
    (folder / "tests").mkdir(parents=True)
    (folder / "tests" / "test_x.py").write_text(text)
    return folder


# Verdicts ---------------------------------------------------------------------------------------------------------


def test_green_names_every_test_and_says_nothing_to_the_builder(tmp_path):
    shelf = Shelf()
    result = check(project(tmp_path, GREEN), pytest_step(), shelf)
    assert (result.verdict, result.executed_tests, result.failing, result.evidence) == ("green", 2, (), "")
    unit = result.steps[0]
    assert (unit.outcome, unit.exit_code, unit.attempts, unit.flaky, unit.fact) == ("ok", 0, 1, False, "")
    assert [test.test_id for test in unit.tests] == ["tests/test_x.py::test_a", "tests/test_x.py::test_b"]
    assert (unit.log_blob, unit.report_blob) == ("blob of unit.log", "blob of unit.xml")
    assert b"2 passed" in shelf["unit.log"]
    assert shelf["unit.xml"].startswith(b"<?xml")


def test_red_comes_with_the_failing_tests_and_their_tracebacks(tmp_path):
    """REQ-2.4-3."""
    result = check(project(tmp_path, RED), pytest_step())
    assert (result.verdict, result.failing) == ("red", ("tests/test_x.py::test_b",))
    assert (result.steps[0].outcome, result.steps[0].exit_code, result.executed_tests) == ("failed", 1, 2)
    assert result.evidence.startswith(
        "step unit: failed, exit 1, 1 of 2 tests failing\nFAILED tests/test_x.py::test_b\n"
    )
    assert "    E   AssertionError: the second differs\n" in result.evidence
    assert "    tests/test_x.py:2: AssertionError\n" in result.evidence


def test_a_red_step_without_a_report_sends_back_the_end_of_its_output(tmp_path):
    result = check(tmp_path, python("print('x.py:1: F401', flush=True); raise SystemExit('lint failed')", id="lint"))
    assert (result.verdict, result.failing) == ("red", ("lint",))
    assert result.evidence == "step lint: failed, exit 1\noutput of step lint:\n    x.py:1: F401\n    lint failed\n"


def test_a_failed_step_does_not_hide_what_the_next_one_finds(tmp_path):
    project(tmp_path, RED)
    result = check(tmp_path, profile(python("raise SystemExit(2)", id="lint"), pytest_step()))
    assert [found.outcome for found in result.steps] == ["failed", "failed"]
    assert result.failing == ("lint", "tests/test_x.py::test_b")


def test_an_exit_of_zero_does_not_hide_failing_tests(tmp_path):
    project(tmp_path, RED)
    liar = step("sh", "-c", "python -m pytest -q --junitxml=report.xml; exit 0", junit="report.xml")
    result = check(tmp_path, liar)
    assert (result.verdict, result.steps[0].fact) == ("red", "exit 0, but its report names failing tests")


def test_all_tests_passing_does_not_hide_a_failing_exit(tmp_path):
    project(tmp_path, GREEN)
    (tmp_path / "tests" / "conftest.py").write_text("def pytest_sessionfinish(session): session.exitstatus = 9")
    result = check(tmp_path, pytest_step())
    assert (result.verdict, result.failing, result.executed_tests) == ("red", ("unit",), 2)
    assert "output of step unit:" in result.evidence


def test_a_step_that_crashes_says_by_which_signal(tmp_path):
    result = check(tmp_path, python("import os; os.abort()"))
    assert result.evidence.startswith("step unit: failed, exit -6\n    ended by SIGABRT\n")


# Tests that count ---------------------------------------------------------------------------------------------------


def test_a_step_without_a_report_counts_as_executed_when_it_succeeds(tmp_path):
    result = check(tmp_path, profile(python("pass"), python("pass", id="lint")))
    assert (result.verdict, result.executed_tests) == ("green", 2)


@pytest.mark.parametrize("junit", ["report.xml", None])
def test_pytests_exit_5_is_no_executed_test(tmp_path, junit):
    project(tmp_path, GREEN)
    nothing = pytest_step("-k", "no_such_test", junit=junit)
    result = check(tmp_path, nothing)
    assert (result.verdict, result.executed_tests, result.failing) == ("red", 0, ("unit",))
    assert (result.steps[0].outcome, result.steps[0].exit_code) == ("no_tests", 5)
    allowed = check(tmp_path, replace(nothing, allow_no_tests=True))
    assert (allowed.verdict, allowed.executed_tests, allowed.steps[0].outcome) == ("green", 0, "ok")


def test_an_exit_of_5_does_not_hide_failing_tests(tmp_path):
    project(tmp_path, RED)
    (tmp_path / "tests" / "conftest.py").write_text("def pytest_sessionfinish(session): session.exitstatus = 5")
    result = check(tmp_path, pytest_step(allow_no_tests=True))
    assert (result.verdict, result.failing) == ("red", ("tests/test_x.py::test_b",))


def test_an_exit_of_5_from_anything_else_is_a_failure(tmp_path):
    assert check(tmp_path, python("raise SystemExit(5)", allow_no_tests=True)).steps[0].outcome == "failed"


def test_skipped_tests_are_not_executed_ones(tmp_path):
    project(tmp_path, "import pytest\n@pytest.mark.skip\ndef test_a(): pass\n")
    result = check(tmp_path, pytest_step())
    assert (result.verdict, result.executed_tests, result.steps[0].outcome) == ("red", 0, "no_tests")
    assert result.evidence.startswith("step unit: no_tests, exit 0\n    exit 0, and no executed test in report.xml\n")


def test_a_promised_report_that_is_not_written_proves_no_test(tmp_path):
    result = check(tmp_path, python("print('all is well')", junit="report.xml"))
    assert (result.verdict, result.steps[0].outcome, result.executed_tests) == ("red", "no_tests", 0)


def test_a_report_from_before_is_not_taken_for_this_steps(tmp_path):
    project(tmp_path, GREEN)
    assert check(tmp_path, pytest_step()).verdict == "green"
    assert (tmp_path / "report.xml").exists()
    stale = check(tmp_path, python("pass", junit="report.xml"))
    assert (stale.verdict, stale.steps[0].outcome, stale.steps[0].report_blob) == ("red", "no_tests", None)


def test_a_report_that_is_refused_fails_the_step_and_says_so(tmp_path):
    text = "<!DOCTYPE t [<!ENTITY a 'x'>]><testsuite><testcase name='&a;'/></testsuite>"
    result = check(tmp_path, python(f"open('report.xml', 'w').write({text!r})", junit="report.xml"))
    assert (result.verdict, result.steps[0].outcome) == ("red", "failed")
    assert "the JUnit report is refused: it declares a DOCTYPE" in result.evidence


def test_a_profile_without_steps_is_red(tmp_path):
    result = check(tmp_path, profile(setup=(python("pass"),)))
    assert (result.verdict, result.evidence) == ("red", "profile normal has no steps\n")


# Report paths -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/etc/passwd", "../report.xml", "a/../../report.xml"])
def test_a_report_path_outside_the_worktree_makes_ci_unusable(tmp_path, path):
    worktree = project(tmp_path / "wt", GREEN)
    (tmp_path / "report.xml").write_text("somebody else's")
    result = check(worktree, python("pass", junit=path))
    assert result.verdict == "unusable"
    assert f"the report path {path} leaves the worktree. Give one inside it." in result.evidence
    assert (tmp_path / "report.xml").read_text() == "somebody else's"


def test_a_link_out_of_the_worktree_is_neither_emptied_nor_read(tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "report.xml").write_text("<testsuite><testcase name='secret'/></testsuite>")
    worktree = project(tmp_path / "wt", GREEN)
    (worktree / "out").symlink_to(outside)
    before = check(worktree, python("pass", junit="out/report.xml"))
    during = check(worktree, python(f"import os; os.symlink({str(outside)!r}, 'new')", junit="new/report.xml"))
    itself = check(worktree, python(f"import os; os.symlink('{outside}/report.xml', 'r.xml')", junit="r.xml"))
    for result in (before, during, itself):
        assert (result.verdict, result.steps[0].outcome, result.steps[0].tests) == ("red", "failed", ())
    assert "through a symbolic link" in before.evidence
    assert "through a symbolic link" in during.evidence
    assert (outside / "report.xml").exists()


def test_a_link_in_place_of_a_report_is_removed_and_not_followed(tmp_path):
    worktree = project(tmp_path / "wt", GREEN)
    (tmp_path / "precious").write_text("keep me")
    (worktree / "report.xml").symlink_to(tmp_path / "precious")
    assert check(worktree, pytest_step()).verdict == "green"
    assert (tmp_path / "precious").read_text() == "keep me"


def test_a_report_that_is_no_file_fails_the_step_and_hangs_nobody(tmp_path):
    pipe = check(tmp_path, python("import os; os.mkfifo('report.xml')", junit="report.xml"))
    assert "report.xml is not a regular file" in pipe.evidence
    folder = check(tmp_path, python("import os; os.mkdir('r.xml')", junit="r.xml"))
    again = check(tmp_path, python("pass", junit="r.xml"))
    assert (folder.verdict, again.verdict) == ("red", "red")
    assert "r.xml can't be replaced" in again.evidence


# Environment --------------------------------------------------------------------------------------------------------


def test_a_step_sees_what_its_profile_names_and_sets_and_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    shelf = Shelf()
    wanted = profile(step("env"), env_pass=("PATH", "LANG"), env_set={"PYTHONHASHSEED": "0"})
    check(tmp_path, wanted, shelf, token=TOKEN, environ=dict(os.environ) | ENVIRON | {"LANG": "C"})
    seen = dict(line.split("=", 1) for line in shelf["unit.log"].decode().splitlines())
    assert seen == {"PATH": ENVIRON["PATH"], "LANG": "C", "PYTHONHASHSEED": "0", "AUTOPACK_CHILD": TOKEN}


def test_a_step_runs_in_the_worktree(tmp_path):
    shelf = Shelf()
    check(tmp_path, python("import os; print(os.getcwd())"), shelf)
    assert shelf["unit.log"].decode().strip() == str(tmp_path.resolve())


# Unusable -----------------------------------------------------------------------------------------------------------


def test_a_missing_tool_makes_ci_unusable_and_stops_it(tmp_path):
    result = check(tmp_path, profile(step("no-such-linter", "."), python("pass", id="later"), retries=3))
    assert (result.verdict, [found.outcome for found in result.steps]) == ("unusable", ["cannot_start"])
    assert result.steps[0].attempts == 1
    assert result.evidence == (
        "step unit: cannot_start\n"
        f'    "no-such-linter" is in no folder of PATH ({ENVIRON["PATH"]}). '
        "Install no-such-linter, or correct the step's `run`.\n"
    )


def test_where_only_python3_exists_the_message_says_so(tmp_path):
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "python3").symlink_to(sys.executable)
    result = check(tmp_path, python("pass"), environ={"PATH": str(tools)})
    assert result.verdict == "unusable"
    assert f'"python" is in no folder of PATH ({tools}). {tools}/python3 exists: write python3' in result.evidence


def test_a_profile_that_passes_no_path_is_told_to(tmp_path):
    result = check(tmp_path, profile(step("no-such-linter"), env_pass=()))
    assert result.verdict == "unusable"
    assert "its environment has no PATH. Add PATH to the CI profile's env.pass." in result.evidence


def test_a_python_without_the_tool_makes_ci_unusable(tmp_path):
    bare = step("python", "-I", "-S", "-m", "pytest", "-q")
    result = check(project(tmp_path, GREEN), bare)
    assert result.verdict == "unusable"
    assert "python has no module pytest. Install it there (python -m pip install pytest)." in result.evidence


def test_a_version_managers_stand_in_makes_ci_unusable(tmp_path):
    shim = tmp_path / "bin" / "python"
    shim.parent.mkdir()
    shim.write_text("#!/bin/sh\necho 'pyenv: python: command not found'\nexit 127\n")
    shim.chmod(0o755)
    result = check(tmp_path, python("pass"), environ={"PATH": f"{shim.parent}:{os.defpath}"})
    assert result.verdict == "unusable"
    assert "python answers: pyenv: python: command not found. Choose an installed version." in result.evidence


def test_what_the_repository_itself_should_hold_is_red_when_it_is_missing(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "shop.py").write_text("raise SystemExit(__import__('no_such_module'))")
    script = check(tmp_path, step("./check.sh"))
    assert (script.verdict, script.steps[0].outcome) == ("red", "failed")
    assert "there is no file ./check.sh in the repository" in script.evidence
    assert check(tmp_path, step("python", "-m", "shop")).verdict == "red"
    said = "import sys; print('python: No module named pytest'); print('...'); sys.exit(1)"
    assert check(tmp_path, python(said)).verdict == "red"
    assert check(tmp_path, python("raise SystemExit(127)")).verdict == "red"


def test_a_worktree_that_is_gone_makes_ci_unusable(tmp_path):
    result = check(tmp_path / "gone", python("pass"))
    assert result.verdict == "unusable"
    assert "worktrees are made anew" in result.evidence


# Setup, retries, time, cancel -----------------------------------------------------------------------------------------


def test_setup_runs_once_a_worktree_and_is_no_test(tmp_path):
    setup = python("open('count', 'a').write('x')", id="deps")
    wanted = profile(python("assert open('count').read() == 'x'"), setup=(setup,))
    first = check(tmp_path, wanted)
    second = check(tmp_path, wanted, setup_done=True)
    assert [(found.id, found.setup) for found in first.steps] == [("deps", True), ("unit", False)]
    assert [found.id for found in second.steps] == ["unit"]
    assert (first.verdict, first.executed_tests, second.verdict) == ("green", 1, "green")


def test_a_failed_setup_is_red_and_nothing_is_checked_on_it(tmp_path):
    result = check(tmp_path, profile(python("pass"), setup=(python("raise SystemExit('no wheel')", id="deps"),)))
    assert (result.verdict, [found.id for found in result.steps]) == ("red", ["deps"])
    assert result.evidence == "setup step deps: failed, exit 1\noutput of step deps:\n    no wheel\n"


FLAKY = """
import os, sys
first = not os.path.exists("tried")
open("tried", "w").close()
print("first try" if first else "second try")
sys.exit(first)
"""


def test_a_pass_after_a_fail_is_green_and_shown_as_flaky(tmp_path):
    """REQ-10.2-2."""
    shelf = Shelf()
    result = check(tmp_path, profile(python("pass", id="lint"), python(FLAKY), retries=1), shelf)
    assert result.verdict == "green"
    assert [(found.id, found.attempts, found.flaky) for found in result.steps] == [
        ("lint", 1, False),
        ("unit", 2, True),
    ]
    assert shelf["unit.log"] == (b"[attempt 1: failed, exit 1]\nfirst try\n\n[attempt 2: ok, exit 0]\nsecond try\n")


def test_without_retries_the_first_answer_holds(tmp_path):
    result = check(tmp_path, profile(python(FLAKY)))
    assert (result.verdict, result.steps[0].attempts) == ("red", 1)


def test_what_fails_every_time_is_red_and_not_flaky(tmp_path):
    result = check(tmp_path, profile(python("raise SystemExit(1)"), retries=2))
    assert (result.verdict, result.steps[0].attempts, result.steps[0].flaky) == ("red", 3, False)


def test_a_step_that_does_not_end_is_killed_and_red(tmp_path):
    project(tmp_path, "import time\ndef test_slow(): time.sleep(600)\n")
    result = check(tmp_path, pytest_step(timeout_s=0.5))
    assert (result.verdict, result.failing, result.executed_tests) == ("red", ("unit",), 0)
    assert (result.steps[0].outcome, result.steps[0].exit_code) == ("timeout", None)
    assert result.evidence.startswith(
        "step unit: timeout\n    no end after 0.5 s; it was killed with all it had started\n"
    )


def test_a_cancelled_step_has_no_verdict(tmp_path):
    endless = python("import time; open('up', 'w'); time.sleep(600)")
    with pytest.raises(Cancelled, match="cancelled during step unit of profile normal"):
        check(tmp_path, endless, cancelled=(tmp_path / "up").exists)


def test_limits_reach_the_step(tmp_path):
    hungry = python("bytearray(400 * 2**20)")
    assert check(tmp_path, profile(hungry)).verdict == "green"
    limited = check(tmp_path, profile(hungry, memory_mb=100))
    assert (limited.verdict, "MemoryError" in limited.evidence) == ("red", True)


def test_each_steps_start_is_told(tmp_path):
    pids: list[int] = []
    check(tmp_path, profile(python("pass"), python("pass", id="b")), on_start=lambda pid, _time: pids.append(pid))
    assert len(set(pids)) == 2


# Changed files ------------------------------------------------------------------------------------------------------


def test_files_that_a_step_rewrote_or_removed_are_named(tmp_path):
    project(tmp_path, GREEN)
    (tmp_path / "a.py").write_text("a")
    (tmp_path / "b.py").write_text("b")
    (tmp_path / "c.py").write_text("c")
    (tmp_path / "report.xml").write_text("old")
    meddle = python("import os; open('a.py', 'w').write('changed'); os.remove('b.py'); open('new.py', 'w')", id="fmt")
    assert check(tmp_path, profile(meddle, pytest_step())).changed == ("a.py", "b.py")
    assert check(tmp_path, profile(pytest_step())).changed == ()


# Evidence and digest --------------------------------------------------------------------------------------------------

WANDERING = """
import datetime, logging, os, random, socket, sys, tempfile, time, unittest, unittest.mock

class Thing:
    pass

def test_address(): assert Thing() is None

def test_path(tmp_path):
    assert os.path.exists(tmp_path / "out" / "x.txt"), tmp_path / "out" / "x.txt"

def test_worktree(): assert os.path.abspath("tests/x.txt") == "y"

def test_temporary(): assert open(tempfile.mkdtemp() + "/x.txt")

def test_clock():
    now = datetime.datetime.now()
    raise ValueError(f"{now} {now.isoformat()} {now!r} {now.date()} {time.time()} {time.ctime()}")

def test_fixed_date(): assert datetime.date(2019, 5, 1).isoformat() == "2019-05-02"

def test_port():
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        raise OSError("no answer from 127.0.0.1:%d" % server.getsockname()[1])

def test_library(): unittest.mock.Mock().assert_called_once_with(1)

def test_duration(): raise TimeoutError("gave up after %.6f seconds" % (1 + random.random()))

def test_logged():
    logging.getLogger("x").warning("pid %d", os.getpid())
    print(os.getcwd(), file=sys.stderr)
    assert False

def test_interpreter(): raise OSError(sys.executable + ": cannot open")
"""


def wandering(folder: Path, *, junit: bool, slow: float = 0.0) -> CiResult:
    project(folder, WANDERING + f"\ntime.sleep({slow})\n")
    run = pytest_step() if junit else step(*PYTEST)
    return check(folder, profile(run, env_set={"COLUMNS": "80"}), environ=ENVIRON | {"HOME": str(folder.parent)})


@pytest.mark.parametrize("junit", [True, False])
def test_equal_failures_give_equal_evidence_in_two_folders_at_two_times(tmp_path, junit):
    one = wandering(tmp_path / "a", junit=junit)
    other = wandering(tmp_path / "much" / "deeper" / "a-folder-with-a-longer-name", junit=junit, slow=0.0)
    assert one.verdict == "red"
    assert one.evidence == other.evidence
    assert one.digest == other.digest
    assert one.failing == other.failing
    assert len(one.evidence.encode()) <= 8_000
    assert str(tmp_path) not in one.evidence
    assert not re.search(r"0x[0-9a-f]|/tmp/|\d\.\d\ds|20[23]\d-\d\d-\d\d \d\d:", one.evidence)
    if junit:
        assert "Thing object at 0x...>" in one.evidence
        assert "2019-05-0" in one.evidence


def test_much_evidence_is_cut_to_its_bound_and_says_what_is_missing(tmp_path):
    many = "import pytest\n@pytest.mark.parametrize('n', range(400))\ndef test_n(n):\n    assert n < 0, 'x' * 5000\n"
    result = check(project(tmp_path, many), pytest_step())
    assert len(result.failing) == 400
    assert 7_000 < len(result.evidence.encode()) <= 8_000
    assert result.evidence.startswith("step unit: failed, exit 1, 400 of 400 tests failing\nFAILED tests/test_x.py::")
    assert re.search(r"\nand \d+ more\n$", result.evidence)


def test_a_long_log_keeps_its_beginning_and_its_end(tmp_path):
    code = "print('compiling'); print(('é' * 200 + chr(10)) * 2000); print('\\x1b[31mreason\\x1b[0m'); exit(1)"
    evidence = check(tmp_path, python(code)).evidence
    assert "    compiling\n" in evidence
    assert "    [...]\n" in evidence
    assert evidence.endswith("    reason\n")
    assert len(evidence.encode()) <= 8_000


@pytest.mark.parametrize(
    ("said", "plain"),
    [
        ("/wt/x/a.py:3: in /wt/x.", "./a.py:3: in .."),
        ("assert '/wt/x/lo...sts/x.txt' == '/users...'", "assert '<path>' == '/users...'"),
        ("/wt/x2/a.py and /wt/x-old", "/wt/x2/a.py and /wt/x-old"),
        ("/tmp/pytest-of-ann/pytest-12/test_a0/f.txt", "<tmp>/test_a0/f.txt"),
        ("open('/tmp/tmp1a2b3c4d/x')", "open('<tmp>/x')"),
        ("../../../home/ann/lib/python3.11/site-packages/foo/x.py:3", "<site-packages>/foo/x.py:3"),
        ("/home/ann/.cache/x", "~/.cache/x"),
        ("/opt/tools/bin/gcc: error", "gcc: error"),
        ("GET /tmp2/x /api/home/ann", "GET /tmp2/x /api/home/ann"),
        ("http://host/tmp/x", "http://host/tmp/x"),
        ("<A at 0x1f> 0x1f 0xdeadbeef 0x7f0011223344", "<A at 0x...> 0x1f 0xdeadbeef 0x..."),
        ("2030-06-15T12:00:00.123456+00:00 up", "<date> up"),
        ("Sat, 15 Jun 2030 12:00:00 GMT", "<date>"),
        ("date(2030, 6, 15) datetime.datetime(2030, 6, 14, 1, 2)", "date(<date>) datetime.datetime(<date>)"),
        ("1907755200 1907755200.5 1907755200123", "<date> <date> <date>"),
        ("2029-06-15 1999-12-31T00:00:00 1234567890", "2029-06-15 1999-12-31T00:00:00 1234567890"),
        ("[gw3] linux -- Python 3.11.7 /usr/bin/python\nassert 5s", "assert 5s"),
        ("http://127.0.0.1:40123/x 127.0.0.1:8080", "http://127.0.0.1:<port>/x 127.0.0.1:8080"),
        ("assert '/users/1' == '/users/2'", "assert '/users/1' == '/users/2'"),
    ],
)
def test_what_belongs_to_the_machine_is_rewritten_and_the_failure_is_not(said, plain):
    noon = 1907755200.0  # 2030-06-15 12:00 UTC
    environ = {"HOME": "/home/ann", "PATH": "/opt/tools/bin:/usr/bin"}
    assert mask_for("/wt/x", [environ], noon).text(said) == plain


@pytest.mark.parametrize(
    "unit", ["x", " ", "/", "../", "1", "E \n", "\n", "\x1b]", "\x1b[", "\r", "Jan", "/lib", "? ^", "/tmp/"]
)
def test_no_text_takes_for_ever(unit):
    rules = mask_for("/wt/x", [ENVIRON], time.time())
    assert isinstance(rules.log(unit * 60_000), str)


def test_in_logs_durations_go_too():
    rules = mask_for("/wt/x", [{}], time.time())
    assert rules.log("====== 2 failed in 0.12s ======") == "==== 2 failed in <time> ===="
    assert rules.log("Time: 1.2 s (5 ms) [0.01s]") == "Time <time> (<time>) [<time>]"
    assert rules.log("FAILED tests/x.py::t - assert '/wt/x/fo...") == "FAILED tests/x.py::t"
    assert rules.log("10%\r50%\r100%\ndone\r\n") == "100%\ndone\n"


def test_the_digest_follows_outcomes_and_not_durations_or_logs(tmp_path):
    def digest(name: str, text: str) -> str:
        return check(project(tmp_path / name, text), pytest_step()).digest

    green = digest("a", GREEN)
    assert re.fullmatch(r"[0-9a-f]{64}", green)
    assert digest("b", "import time\ndef test_a(): time.sleep(0.01)\ndef test_b(): print(1)\n") == green
    assert digest("c", RED) != green
    assert digest("d", GREEN + "def test_c(): pass\n") != green


def test_a_tree_deeper_than_any_path_is_no_trouble(tmp_path: Path):
    worktree = project(tmp_path / "tree", GREEN)
    code = "import os\nfor _ in range(3_000):\n    os.mkdir('d')\n    os.chdir('d')\n"
    try:
        dug = profile(python(code, id="dig"), python("open('tests/test_x.py', 'w').close()", id="edit"))
        assert check(worktree, dug).changed == ("tests/test_x.py",)
        assert check(worktree, python("pass")).verdict == "green", "nor when it was there before"
    finally:
        remove_tree(str(worktree))


# What doesn't count -----------------------------------------------------------------------------------------------


def test_what_is_red_on_the_base_commit_does_not_count_and_what_is_new_does(tmp_path):
    project(tmp_path, RED)
    known = standing(check(tmp_path, pytest_step()))
    assert known == ("tests/test_x.py::test_b", "unit (failed, exit 1)")
    again = check(tmp_path, pytest_step(), known=known)
    assert (again.verdict, again.failing, again.tolerated) == ("green", (), ("tests/test_x.py::test_b",))
    assert again.steps[0].outcome == "failed"  # on record as it was
    (tmp_path / "tests" / "test_y.py").write_text("def test_new(): assert False\n")
    worse = check(tmp_path, pytest_step(), known=known)
    assert (worse.verdict, worse.failing) == ("red", ("tests/test_y.py::test_new",))
    assert "FAILED tests/test_x.py" not in worse.evidence
    assert "not counted (red on the base commit, or in quarantine): tests/test_x.py::test_b\n" in worse.evidence


def test_an_interrupted_session_is_a_failure_of_its_own(tmp_path):
    project(tmp_path, RED)
    known = standing(check(tmp_path, pytest_step()))
    (tmp_path / "tests" / "conftest.py").write_text("def pytest_sessionfinish(session): session.exitstatus = 9")
    assert check(tmp_path, pytest_step(), known=known).verdict == "red"


def test_a_step_without_a_report_that_ends_as_on_the_base_commit_does_not_count(tmp_path):
    lint = python("raise SystemExit(3)", id="lint")
    project(tmp_path, GREEN)
    known = standing(check(tmp_path, profile(lint, pytest_step())))
    assert check(tmp_path, profile(lint, pytest_step()), known=known).verdict == "green"
    worse = python("raise SystemExit(4)", id="lint")
    assert check(tmp_path, profile(worse, pytest_step()), known=known).failing == ("lint",)


def test_nothing_but_tolerated_failures_is_no_green(tmp_path):
    lint = python("raise SystemExit(3)", id="lint")
    known = standing(check(tmp_path, lint))
    assert check(tmp_path, lint, known=known).verdict == "red"


def test_a_pytest_that_can_not_even_collect_is_never_tolerated(tmp_path):
    broken = step(*PYTEST, "no/such/folder")
    project(tmp_path, GREEN)
    known = standing(check(tmp_path, profile(broken, pytest_step(id="rest"))))
    assert check(tmp_path, profile(broken, pytest_step(id="rest")), known=known).failing == ("unit",)


@pytest.mark.parametrize("name", ["tests/test_x.py::test_b", "tests/test_x.py", "tests"])
def test_tests_in_quarantine_are_told_and_do_not_count(tmp_path, name):
    project(tmp_path, RED)
    result = check(tmp_path, profile(pytest_step(), quarantine=(name,)))
    assert (result.verdict, result.tolerated) == ("green", ("tests/test_x.py::test_b",))


def test_a_quarantine_covers_no_other_test_of_a_like_name(tmp_path):
    project(tmp_path, RED)
    assert check(tmp_path, profile(pytest_step(), quarantine=("tests/test_x.py::test",))).verdict == "red"


FLAKY_TEST = """
import os
def test_a(): pass
def test_sometimes():
    first = not os.path.exists('been')
    open('been', 'w').close()
    assert not first
"""


def test_a_test_that_passes_on_the_second_try_is_named_as_flaky(tmp_path):
    """REQ-10.2-2"""
    project(tmp_path, FLAKY_TEST)
    result = check(tmp_path, profile(pytest_step(), retries=1))
    assert (result.verdict, result.flaky) == ("green", ("tests/test_x.py::test_sometimes",))


def test_it_is_named_also_where_another_test_fails_for_good(tmp_path):
    project(tmp_path, FLAKY_TEST + "def test_never(): assert False\n")
    result = check(tmp_path, profile(pytest_step(), retries=1))
    assert (result.failing, result.flaky) == (("tests/test_x.py::test_never",), ("tests/test_x.py::test_sometimes",))


@pytest.mark.parametrize(
    ("code", "limits", "fact"),
    [
        ("while True: pass", {"cpu_s": 1}, "it used up its 1 s of processor time (sandbox.cpu_s)"),
        ("bytearray(500 * 2**20)", {"memory_mb": 200}, "one process may have 200 MB (sandbox.memory_mb)"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGKILL)", {}, "most often the system ran out of memory"),
    ],
    ids=["cpu", "memory", "killed"],
)
def test_a_step_that_ran_into_a_limit_is_told_which(tmp_path, code, limits, fact):
    result = check(tmp_path, profile(python(code), **limits))
    assert fact in result.steps[0].fact
    assert fact in result.evidence


def test_only_the_tests_of_a_selection_run_where_the_step_allows_it(tmp_path):
    """REQ-10.1-1."""
    project(tmp_path, RED)
    (tmp_path / "tests" / "test_y.py").write_text("def test_y(): pass\n")
    only = Selection(("tests/test_y.py",), "1 of 2")
    assert check(tmp_path, pytest_step(affected=True), selection=only).verdict == "green"
    assert check(tmp_path, pytest_step(), selection=only).verdict == "red"
