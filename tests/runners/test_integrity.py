"""The test-integrity gate over real git: what makes tests say less is refused, what only rewrites them is not."""

import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from autopack.plan.model import Plan, Profile, Step
from autopack.runners import git
from autopack.runners.change import Refused, left_out, probe_files, taken
from tests.run.story import phase, plan

WHO = git.Identity("autopack", "autopack@localhost")
PATH = "tests/test_a.py"
TESTS = """\
import pytest

CASES = [1, 2, 3]
TOLERANCE = 1e-6


def check(x):
    assert x.state == "ok"


@pytest.mark.parametrize("n", CASES)
def test_one(n):
    assert n
    assert double(n) == 2 * n


class TestTwo:
    def test_two(self):
        with pytest.raises(KeyError, match="no"):
            find("x")

    def test_close(self):
        assert third() == pytest.approx(0.3333, rel=1e-3)
        assert third() == pytest.approx(0.3333, abs=TOLERANCE)


def test_helped():
    check(make())


def test_loop():
    for n in (1, 2, 3):
        assert double(n) == 2 * n
"""


class Place:
    """A real repository without a checkout: what a Builder left is judged by the same gate as in a run."""

    def __init__(self, root: Path) -> None:
        self.repository = git.open_repository(made(root), home=root / "home")
        self.first = self.repository.resolve("main")
        self.phase = phase("a", write=("**",), allow=("large_deletion", "growth"))
        self.plan = plan(self.phase)

    def judged(self, before: Mapping[str, str], after: Mapping[str, str | None]) -> str:
        """Empty, or the refusal in words."""
        changes = {path: git.FileChange(text.encode()) for path, text in before.items()}
        base = self.repository.commit(self.repository.write_tree(self.first, changes), [self.first], "b", 1, WHO)
        left = {path: git.FileChange(None if text is None else text.encode()) for path, text in after.items()}
        try:
            taken(self.plan, self.phase, self.repository, base, left)
        except Refused as refused:
            return refused.evidence if refused.kind == "test_change" else f"refused as {refused.kind}"
        return ""

    def weaker(self, old: str, new: str) -> str:
        text = TESTS.replace(old, new)
        assert text != TESTS
        return self.judged({PATH: TESTS}, {PATH: text})


def made(root: Path) -> Path:
    where = root / "repo"
    words = ["git", "-c", "user.name=a", "-c", "user.email=a@localhost"]
    subprocess.run([*words, "init", "-q", "-b", "main", "--template=", str(where)], check=True)
    commit = ["-c", "core.hooksPath=/dev/null", "commit", "-q", "--allow-empty", "-m", "one"]
    subprocess.run([*words, "-C", str(where), *commit], check=True)
    return where


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    one = Place(tmp_path_factory.mktemp("integrity"))
    with one.repository:
        yield one


EXACT = "    assert double(n) == 2 * n\n\n"
RAISES = 'pytest.raises(KeyError, match="no")'

WEAKER = {
    "true": (EXACT, "    assert True\n\n", "can't fail"),
    "or true": ("assert n\n", "assert n or True\n", "can't fail"),
    "itself": (EXACT, "    assert n == n\n\n", "can't fail"),
    "a tuple": (EXACT, '    assert (double(n) == 2 * n, "doubled")\n\n', "can't fail"),
    "a length": (EXACT, "    assert len(CASES) >= 0\n\n", "can't fail"),
    "a contradiction": (EXACT, "    assert n is None or n is not None\n\n", "can't fail"),
    "any": (EXACT, "    assert double(n) == mock.ANY\n\n", "can't fail"),
    "not none": (EXACT, "    assert double(n) is not None\n\n", "which checks less"),
    "truth": (EXACT, "    assert double(n)\n\n", "which checks less"),
    "larger": (EXACT, "    assert double(n) > 0\n\n", "which checks less"),
    "a type": (EXACT, "    assert isinstance(double(n), int)\n\n", "which checks less"),
    "about": (EXACT, "    assert double(n) == pytest.approx(2 * n)\n\n", "which checks less"),
    "or else": (EXACT, "    assert double(n) == 2 * n or n > 1\n\n", "which checks less"),
    "under a condition": (EXACT, "    if n > 1:\n        assert double(n) == 2 * n\n\n", "which checks less"),
    "never": (EXACT, "    if False:\n        assert double(n) == 2 * n\n\n", "never reached"),
    "for nothing": (EXACT, "    for m in ():\n        assert double(m) == 2 * n\n\n", "never reached"),
    "inside": (EXACT, "    def later():\n        assert double(n) == 2 * n\n\n", "never reached"),
    "a return": ("    assert n\n", "    return\n    assert n\n", "never reached"),
    "a return for some": ("    assert n\n", "    if n > 1:\n        return\n    assert n\n", "which checks less"),
    "an except": (
        EXACT,
        "    try:\n        assert double(n) == 2 * n\n    except AssertionError:\n        pass\n\n",
        "never reached",
    ),
    "a bare except": (
        EXACT,
        "    try:\n        assert double(n) == 2 * n\n    except:\n        print(n)\n\n",
        "never reached",
    ),
    "a finally": (
        EXACT,
        "    try:\n        assert double(n) == 2 * n\n    finally:\n        return\n\n",
        "never reached",
    ),
    "suppress": (
        EXACT,
        "    with contextlib.suppress(AssertionError):\n        assert double(n) == 2 * n\n\n",
        "never reached",
    ),
    "wanted to fail": (
        EXACT,
        "    with pytest.raises(AssertionError):\n        assert double(n) == 2 * n\n\n",
        "which checks less",
    ),
    "any error": (RAISES, "pytest.raises(Exception)", "which checks less"),
    "a base of the error": (RAISES, 'pytest.raises(LookupError, match="no")', "which checks less"),
    "more errors": (RAISES, 'pytest.raises((KeyError, ValueError), match="no")', "which checks less"),
    "without its words": (RAISES, "pytest.raises(KeyError)", "which checks less"),
    "tolerance": ("rel=1e-3", "rel=1e-1", "which checks less"),
    "another tolerance": ("rel=1e-3", "rel=1e-3, abs=0.5", "which checks less"),
    "without bound": ("rel=1e-3", "rel=float('inf')", "which checks less"),
    "tolerance by name": ("abs=TOLERANCE", "abs=LIMIT", "which checks less"),
    "fewer cases": ("CASES = [1, 2, 3]", "CASES = [1]", "runs with 1 sets of parameters, it had 3"),
    "fewer rounds": ("in (1, 2, 3)", "in (1,)", "goes 1 rounds, it had 3"),
    "another name": ("def test_two", "def two", "the test TestTwo.test_two is removed"),
    "another class": ("class TestTwo", "class Two", "the test TestTwo.test_two is removed"),
    "a class with an init": (
        "class TestTwo:\n",
        "class TestTwo:\n    def __init__(self): ...\n\n",
        "the test TestTwo.test_two is removed",
    ),
    "inside another": (
        "def test_loop():\n",
        "def outer():\n  def test_loop():\n    for n in (1, 2, 3): assert double(n)\n\n\ndef unused():\n",
        "the test test_loop is removed",
    ),
    "a generator": (
        "def test_helped():\n    check(make())\n",
        "def test_helped():\n    check(make())\n    yield\n",
        "test_helped is removed",
    ),
    "the helper": ('assert x.state == "ok"', "assert x", "check has `assert x.state"),
    "the helper's call": ("    check(make())\n", "    make()\n", "test_helped has 0 assertions, it had 1"),
    "a skip": ("def test_loop", "@pytest.mark.skip\ndef test_loop", "new skip"),
    "a skip with words": ("def test_loop", '@pytest.mark.skip("later")\ndef test_loop', "new skip"),
    "a skip on a condition": ("def test_loop", "@pytest.mark.skipif(True, reason='x')\ndef test_loop", "new skipif"),
    "an xfail": ("def test_loop", "@pytest.mark.xfail(strict=False)\ndef test_loop", "new xfail"),
    "a skip inside": ("    check(make())\n", '    pytest.skip("x")\n    check(make())\n', "new skip"),
    "an import": ("import pytest\n", 'import pytest\n\nx = pytest.importorskip("x")\n', "new importorskip"),
    "a mark for all": ("CASES =", "pytestmark = [pytest.mark.skip]\nCASES =", "new skip"),
    "by another name": ("import pytest\n", "import pytest\nimport pytest as p\n\np.skip('x')\n", "new skip"),
    "by getattr": (
        "    check(make())\n",
        "    getattr(pytest, 'sk' + 'ip')()\n    check(make())\n",
        "getattr of pytest",
    ),
    "an exception": ("    check(make())\n", "    raise unittest.SkipTest\n", "new SkipTest"),
    "the end of all": ("CASES =", "pytest.exit('enough', 0)\nCASES =", "new pytest.exit"),
    "a process's end": ("    check(make())\n", "    os._exit(0)\n    check(make())\n", "new os._exit"),
    "not collected": ("class TestTwo:\n", "class TestTwo:\n    __test__ = False\n", "new __test__"),
    "a mark that CI leaves out": ("def test_loop", "@pytest.mark.e2e\ndef test_loop", "new e2e"),
}


@pytest.mark.parametrize("case", WEAKER)
def test_a_test_that_says_less_is_refused(place: Place, case: str):
    old, new, words = WEAKER[case]
    profile = Profile("normal", (), (Step("unit", ("python", "-m", "pytest", "-m", "not e2e"), 60),))
    place.plan = replace(place.plan, profiles={"normal": profile})
    assert words in place.weaker(old, new)


CONFTEST = {
    "hook": "def pytest_collection_modifyitems(items):\n    del items[:]\n",
    "hook as a value": "pytest_runtest_call = print\n",
    "hook by another name": '@pytest.hookimpl(specname="pytest_runtest_call")\ndef quiet(item): ...\n',
    "options": "def pytest_configure(config):\n    config.option.markexpr = 'none'\n",
    "files left out": 'collect_ignore = ["test_a.py"]\n',
    "files left out later": 'collect_ignore_glob += ["test_*"]\n',
    "a plugin": 'pytest_plugins = ["quiet"]\n',
    "a fixture that swallows": (
        "@pytest.fixture(autouse=True)\ndef quiet():\n    try:\n        yield\n    except Exception:\n        pass\n"
    ),
    "a fixture that marks": (
        "@pytest.fixture(autouse=True)\ndef quiet(request):\n    request.node.add_marker(pytest.mark.xfail)\n"
    ),
    "a fixture that replaces": (
        "@pytest.fixture(autouse=True)\ndef quiet(request):\n    request.node.runtest = lambda: None\n"
    ),
    "a manager that swallows": "class Quiet:\n    def __exit__(self, *_):\n        return True\n",
    "a decorator that swallows": (
        "def quiet(f):\n    def inner(*a):\n        try:\n            f(*a)\n        except AssertionError:\n"
        "            pass\n    return inner\n"
    ),
}


@pytest.mark.parametrize("case", CONFTEST)
def test_a_conftest_may_not_decide_what_counts(place: Place, case: str):
    before = "import pytest\n"
    assert "new " in place.judged({"tests/conftest.py": before}, {"tests/conftest.py": before + CONFTEST[case]})


def test_a_hook_that_was_there_may_not_be_rewritten(place: Place):
    old = "def pytest_collection_modifyitems(items):\n    items.sort()\n"
    assert "new pytest_collection_modifyitems" in place.judged(
        {"tests/conftest.py": old}, {"tests/conftest.py": old.replace("items.sort()", "items.clear()")}
    )


SETTINGS = {
    "addopts": ("pyproject.toml", "", '[tool.pytest.ini_options]\naddopts = "-k none"\n'),
    "deselect": ("pytest.ini", "[pytest]\n", "[pytest]\naddopts = --deselect tests/test_a.py\n"),
    "testpaths": ("pyproject.toml", "", '[tool.pytest.ini_options]\ntestpaths = ["docs"]\n'),
    "norecursedirs": (
        "setup.cfg",
        "[metadata]\nname = a\n",
        "[metadata]\nname = a\n[tool:pytest]\nnorecursedirs = t\n",
    ),
    "markers": ("tox.ini", "[pytest]\n", "[pytest]\nmarkers = e2e\n"),
    "python_files": ("pyproject.toml", "", '[tool.pytest.ini_options]\npython_files = "x.py"\n'),
    "coverage in a file of its own": (".coveragerc", "[report]\nfail_under = 90\n", "[report]\nfail_under = 1\n"),
    "coverage": (
        "pyproject.toml",
        "[tool.coverage.report]\nfail_under = 90\n",
        "[tool.coverage.report]\nfail_under = 10\n",
    ),
    "a plugin of its own": ("pyproject.toml", "", '[project.entry-points.pytest11]\nq = "quiet"\n'),
    "npm's test": ("package.json", '{"scripts": {"test": "jest"}}', '{"scripts": {"test": "true"}}'),
    "actions": (".github/workflows/ci.yml", "on: push\n", "on: workflow_dispatch\n"),
    "in pytest's place": ("pytest.py", "", "print('1 passed')\n"),
    "in its place on the path": ("src/pytest/__init__.py", "", "print('1 passed')\n"),
    "before all": ("src/sitecustomize.py", "", "import os\nos._exit(0)\n"),
    "a runner's settings": ("pytest.toml", "", '[pytest]\naddopts = ["-k", "none"]\n'),
}


@pytest.mark.parametrize("case", SETTINGS)
def test_what_decides_which_tests_run_is_refused(place: Place, case: str):
    path, old, new = SETTINGS[case]
    assert path in place.judged({path: old} if old else {}, {path: new})


def test_of_settings_the_name_of_what_changed_is_told(place: Place):
    old = '[tool.pytest.ini_options]\naddopts = "-q"\nminversion = "7"\n'
    words = place.judged({"pyproject.toml": old}, {"pyproject.toml": old.replace("-q", "-x")})
    assert "changes the settings of pytest or coverage (tool.pytest.ini_options.addopts)" in words


@pytest.mark.parametrize(
    ("after", "words"),
    [
        ({PATH: None}, "the test test_one is removed"),
        ({PATH: ""}, "the test test_one is removed"),
        ({PATH: '"""All of it is gone."""\n'}, "the test test_one is removed"),
        ({PATH: None, "tests/helper.py": TESTS}, "the test test_one is removed"),
        ({PATH: None, "old/test_a.py": TESTS}, "the test test_one is removed"),
        ({"tests/data/expected.json": None}, "a file that tests may read is removed"),
    ],
)
def test_what_takes_tests_away_is_refused(place: Place, after: Mapping[str, str | None], words: str):
    assert words in place.judged({PATH: TESTS, "tests/data/expected.json": "{}\n"}, after)


def test_of_two_tests_of_one_name_one_may_not_stand_for_both(place: Place):
    one, other = (f"class Test{name}:\n    def test_x(self):\n        assert f() == 1\n" for name in "AB")
    assert "the test TestB.test_x is removed" in place.judged({PATH: one + other}, {PATH: one})


# --- what is no weakening ---

HEAD, _, TAIL = TESTS.partition("class TestTwo")

HONEST: Mapping[str, Mapping[str, str | None]] = {
    "added": {PATH: TESTS + "\n\ndef test_three():\n    assert third() == 1\n"},
    "more asserts": {PATH: TESTS.replace("    check(make())\n", "    check(make())\n    assert make() == 3\n")},
    "stricter": {PATH: TESTS.replace("assert n\n", "assert n == abs(n)\n").replace("rel=1e-3", "rel=1e-6")},
    "another expectation": {PATH: TESTS.replace("== 2 * n", "== n + n")},
    "layout": {
        PATH: TESTS.replace("assert double(n) == 2 * n", "assert (\n        double(n)\n        == 2 * n\n    )")
    },
    "comments": {PATH: TESTS.replace("    assert n\n", '    """It holds."""\n    # always\n    assert n\n')},
    "moved": {PATH: HEAD, "tests/test_b.py": "import pytest\n\nTOLERANCE = 1e-6\n\n\nclass TestTwo" + TAIL},
    "moved as a file": {PATH: None, "tests/unit/test_a.py": TESTS},
    "renamed": {PATH: TESTS.replace("def test_one", "def test_doubling")},
    "renamed with more": {
        PATH: TESTS.replace("def test_one(n):\n", "def test_doubling(n):\n    assert n > 0\n"),
    },
    "a renamed class": {PATH: TESTS.replace("class TestTwo", "class TestFinding")},
    "joined": {PATH: TESTS.replace("    assert n\n    assert double", "    assert n and double")},
    "a helper of its own": {
        PATH: TESTS.replace(
            "    assert n\n    assert double(n) == 2 * n\n\n\nclass", "    doubled(n)\n\n\nclass"
        ).replace("def check(x)", "def doubled(n):\n    assert n\n    assert double(n) == 2 * n\n\n\ndef check(x)")
    },
    "more cases": {PATH: TESTS.replace("[1, 2, 3]", "[1, 2, 3, 4]")},
    "cases written out": {PATH: TESTS.replace('"n", CASES', '"n", [1, 2, 3]')},
    "a narrower error": {PATH: TESTS.replace("KeyError", "MissingKeyError")},
    "a loop as one": {
        PATH: TESTS.replace(
            "    for n in (1, 2, 3):\n        assert double(n) == 2 * n\n",
            "    assert all(double(n) == 2 * n for n in (1, 2, 3))\n    assert double(3) == 6\n",
        )
    },
    "a try that raises again": {
        PATH: TESTS.replace(
            "    check(make())\n",
            "    try:\n        check(make())\n    except AssertionError:\n        show()\n        raise\n",
        )
    },
    "a fixture": {"tests/conftest.py": "import pytest\n\n\n@pytest.fixture\ndef x():\n    yield 1\n"},
    "a mark registered": {
        "tests/conftest.py": 'def pytest_configure(config):\n    config.addinivalue_line("markers", "slow: x")\n'
    },
    "new data": {"tests/data/more.json": "{}\n"},
    "another setting": {"pyproject.toml": '[project]\nname = "a"\nversion = "2"\n\n[tool.ruff]\nline-length = 100\n'},
}


@pytest.mark.parametrize("case", HONEST)
def test_who_rewrites_tests_honestly_is_not_refused(place: Place, case: str):
    before = {PATH: TESTS, "pyproject.toml": '[project]\nname = "a"\n'}
    assert place.judged(before, HONEST[case]) == ""


UNITTEST = """\
import unittest


class Case(unittest.TestCase):
    @unittest.skip("later")
    def test_later(self):
        self.assertEqual(f(), 1)

    def test_x(self):
        self.assertEqual(f(), 1)
        self.assertAlmostEqual(g(), 0.5, places=5)
        with self.assertRaises(ValueError):
            h()
"""


def test_unittest_becomes_pytest_without_a_word(place: Place):
    """And a test that is skipped already takes its skip along."""
    new = """\
import pytest


@pytest.mark.skip(reason="not yet")
def test_later():
    assert f() == 1


def test_x():
    assert f() == 1
    assert g() == pytest.approx(0.5, abs=1e-6)
    with pytest.raises(ValueError):
        h()
"""
    assert place.judged({PATH: UNITTEST}, {PATH: new}) == ""
    assert "which checks less" in place.judged({PATH: UNITTEST}, {PATH: UNITTEST.replace("places=5", "places=1")})


def test_a_skip_may_not_change_its_condition(place: Place):
    old = "import pytest\n\n\n@pytest.mark.skipif(windows(), reason='x')\ndef test_x():\n    assert f() == 1\n"
    assert place.judged({PATH: old}, {PATH: old.replace("'x'", "'there it hangs'")}) == ""
    assert "new skipif" in place.judged({PATH: old}, {PATH: old.replace("windows()", "True")})
    assert place.judged({PATH: old}, {PATH: old.replace("@pytest.mark.skipif(windows(), reason='x')\n", "")}) == ""


def test_a_test_too_deep_to_be_understood_is_not_taken_on_trust(place: Place):
    deep = "def test_x():\n    assert f() == " + "+".join("1" * 3_000) + "\n"
    assert "no parser can hold it" in place.judged({PATH: deep}, {PATH: deep.replace("f()", "g()")})


# --- who may rewrite what judges it ---

CHECK = "import sys\nsys.exit(0 if ok() else 1)\n"


@pytest.mark.parametrize(
    "probe",
    [
        ("python", "tools/check.py"),
        ("python", "-m", "tools.check"),
        ("sh", "-c", "cd . && python tools/check.py --fast"),
        ("tools/check.py",),
    ],
)
def test_a_script_that_a_probe_runs_is_not_rewritten_by_whom_it_judges(place: Place, probe: tuple[str, ...]):
    judged = replace(place.phase, probes=(probe,))
    words = judge(place, judged, {"tools/check.py": CHECK}, {"tools/check.py": "import sys\n"})
    assert words == "tools/check.py: test_change: is run by CI or a probe to judge this very patch"
    delivered = replace(judged, deliverables=("tools/check.py",))
    assert judge(place, delivered, {"tools/check.py": CHECK}, {"tools/check.py": "import sys\n"}) == ""
    granted = replace(judged, allow=("ci_config", "growth", "large_deletion"))
    assert judge(place, granted, {"tools/check.py": CHECK}, {"tools/check.py": "import sys\n"}) == ""
    assert judge(place, judged, {}, {"tools/check.py": CHECK}) == "", "one that is not there yet is the Builder's"


def judge(place: Place, judged: object, before: Mapping[str, str], after: Mapping[str, str]) -> str:
    one = Place.__new__(Place)
    one.repository, one.first, one.phase, one.plan = place.repository, place.first, judged, place.plan  # type: ignore[assignment]
    return one.judged(before, after)


def test_tests_that_a_probe_names_are_judged_as_tests():
    """REQ-10.2-4: they may be added to, and not be weakened."""
    probed = phase("a", probes=(("python", "-m", "pytest", "-q", "tests/test_a.py::test_one"),))
    assert probe_files(probed, frozenset({"tests/test_a.py"})) == ()


def test_the_marks_that_ci_speaks_of_are_known():
    told: Plan = plan(phase("a"))
    steps = (Step("unit", ("python", "-m", "pytest", "-q", "-m", "not e2e and (slow or fast)"), 60),)
    assert left_out(replace(told.profiles["normal"], steps=steps)) == ("e2e", "fast", "slow")
    assert left_out(replace(told.profiles["normal"], steps=(Step("x", ("python", "-m", "tools"), 60),))) == ()


def test_very_many_renamed_tests_are_matched_with_some_candidates_each(place: Place):
    """Each may be any of the others by what it checks: trying all would take the square of them."""
    old = "".join(f"def test_{n}():\n    assert f() == {n % 7}\n\n\n" for n in range(1_000))
    new = old.replace("def test_", "def test_x")
    assert place.judged({PATH: old}, {PATH: new}) == "refused as limit"


def test_a_loop_over_what_is_made_elsewhere_is_no_shorter_one(place: Place):
    assert place.judged({PATH: TESTS}, {PATH: TESTS.replace("for n in (1, 2, 3)", "for n in numbers()")}) == ""
