"""Answers that are kept: given only while everything they were made from is as it was."""

import marshal
import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from autopack.spec.seen import digest
from autopack.views import cached, check

PROJECT = "autopack: project/v1\nname: demo\nplaybooks: [playbooks/*.yaml]\nruleset: rules.yaml\n"
RULES = "autopack: ruleset/v1\nname: house\nextends: builtin:default\n"
PLAYBOOK = """\
autopack: playbook/v1
name: first
tiers:
  - id: T1
    phases:
      - {id: store, goal: Do it., category: docs, scope: {write: [docs/**]}}
"""
CLEAN = "no findings in 3 files\nnot checked: model reachability\n"


class Shop:
    """A project, a cache of its own, and whether yaml was imported for the last answer."""

    def __init__(self, root: Path) -> None:
        self.root = root / "shop"
        self.cache = root / "cache"
        (self.root / "playbooks").mkdir(parents=True)
        self.write("autopack.yaml", PROJECT)
        self.write("rules.yaml", RULES)
        self.write("playbooks/first.yaml", PLAYBOOK)
        self.worked = True

    def write(self, path: str, text: str) -> None:
        (self.root / path).write_text(text)

    def validate(self, *arguments: str, **more: str) -> tuple[int, str]:
        script = (
            "import sys; from autopack.__main__ import main; code = main(['validate', *sys.argv[1:]]);"
            "print('worked' if 'yaml' in sys.modules else 'recalled', file=sys.stderr); sys.exit(code)"
        )
        env = {**os.environ, "XDG_CACHE_HOME": str(self.cache), **more}
        argv = [sys.executable, "-c", script, *arguments]
        done = subprocess.run(argv, cwd=self.root, env=env, capture_output=True, text=True, check=False)
        self.worked = {"worked\n": True, "recalled\n": False}[done.stderr]
        return done.returncode, done.stdout

    def kept(self) -> list[Path]:
        return sorted(self.cache.glob("autopack/validate/*"))


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def test_what_has_not_changed_is_answered_without_reading_yaml(shop: Shop):
    assert shop.validate() == (0, CLEAN)
    assert shop.worked
    assert shop.validate() == (0, CLEAN)
    assert not shop.worked


def test_findings_are_recalled_to_the_letter_with_their_exit_code(shop: Shop):
    shop.write("playbooks/first.yaml", PLAYBOOK.replace("docs, scope", "dcos, scope"))
    first = shop.validate("--format", "json")
    assert first[0] == 1
    assert shop.validate("--format", "json") == first
    assert not shop.worked


@pytest.mark.parametrize(
    "change",
    [
        lambda shop: shop.write("playbooks/first.yaml", PLAYBOOK.replace("Do it.", "Do it!")),
        lambda shop: shop.write("rules.yaml", RULES + "description: changed\n"),
        lambda shop: shop.write("autopack.yaml", PROJECT + "stage: baseline\n"),
        lambda shop: shop.write("playbooks/second.yaml", PLAYBOOK.replace("first", "second")),
        lambda shop: (shop.root / "rules.yaml").unlink(),
        lambda shop: (shop.root / "rules.yaml").unlink() or os.mkfifo(shop.root / "rules.yaml"),
        lambda shop: (shop.root / "playbooks/first.yaml").rename(shop.root / "playbooks/other.yaml"),
    ],
)
def test_a_change_of_anything_it_was_made_from_means_work(shop: Shop, change: Callable[[Shop], object]):
    shop.validate()
    change(shop)
    told = shop.validate()
    assert shop.worked
    assert shop.validate("--no-cache") == told


def test_a_file_that_gets_a_project_above_it_is_checked_again(shop: Shop):
    (shop.root / "autopack.yaml").unlink()
    shop.validate("playbooks/first.yaml")
    shop.validate("playbooks/first.yaml")
    assert not shop.worked
    shop.write("autopack.yaml", PROJECT)
    shop.validate("playbooks/first.yaml")
    assert shop.worked


def test_a_new_file_in_a_folder_that_was_asked_for_is_seen(shop: Shop):
    shop.validate("playbooks")
    (shop.root / "playbooks" / "deep").mkdir()
    shop.write("playbooks/deep/new.yaml", PLAYBOOK.replace("first", "second"))
    code, out = shop.validate("playbooks")
    assert (code, out.splitlines()[0]) == (0, "no findings in 2 files")


def test_other_options_are_another_question(shop: Shop):
    shop.write("playbooks/first.yaml", PLAYBOOK + "meta: {a: &a 1}\n")
    assert shop.validate()[0] == 0
    assert shop.validate("--fail-on", "warning")[0] == 1
    left_out = CLEAN.removesuffix("\n") + ", 1 finding left out by --codes or --ignore\n"
    assert shop.validate("--ignore", "AP1016") == (0, left_out)
    assert len(shop.kept()) == 3


def test_no_cache_neither_takes_nor_keeps(shop: Shop):
    shop.validate("--no-cache")
    assert shop.kept() == []
    shop.validate()
    shop.validate("--no-cache")
    assert shop.worked


@pytest.mark.parametrize("damage", [b"", b"x" * 200, None])
def test_a_damaged_cache_is_ignored_and_repaired(shop: Shop, damage: bytes | None):
    shop.validate()
    (entry,) = shop.kept()
    entry.write_bytes(entry.read_bytes()[:-1] if damage is None else damage)
    assert shop.validate() == (0, CLEAN)
    assert shop.worked
    shop.validate()
    assert not shop.worked


@pytest.mark.parametrize(
    "body",
    [
        b"no marshal at all",
        marshal.dumps(5),
        marshal.dumps(("", {}, 5, "a text and a number the other way round")),
        marshal.dumps(("", {"no fact": b""}, "no findings\n", 0)),
    ],
)
def test_an_entry_that_no_autopack_wrote_is_ignored_though_its_digest_fits(shop: Shop, body: bytes):
    shop.validate()
    (entry,) = shop.kept()
    entry.write_bytes(digest(body) + body)
    assert shop.validate() == (0, CLEAN)
    assert shop.worked


def test_a_pipe_in_place_of_an_entry_is_not_waited_for(shop: Shop):
    shop.validate()
    (entry,) = shop.kept()
    entry.unlink()
    os.mkfifo(entry)
    assert shop.validate() == (0, CLEAN)


def test_a_cache_that_cannot_be_written_is_no_cache(shop: Shop):
    shop.cache.write_text("a file where the folder would be")
    assert shop.validate() == (0, CLEAN)
    assert shop.validate() == (0, CLEAN)


def test_what_cannot_be_read_is_looked_for_again(shop: Shop):
    assert (shop.validate("missing.yaml")[0], shop.kept()) == (1, [])
    shop.write("missing.yaml", PLAYBOOK)
    assert shop.validate("missing.yaml")[0] == 0


def test_an_answer_that_depends_on_the_day_holds_for_a_day(shop: Shop, monkeypatch: pytest.MonkeyPatch, capsys):
    grants = "grants: [{phases: [store], allow: [growth], owner: ann, reason: x, until: 2027-01-31}]\n"
    shop.write("rules.yaml", RULES + grants)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shop.cache))
    monkeypatch.chdir(shop.root)
    monkeypatch.setattr(cached, "today", lambda: "2027-01-31")
    check.run([], "concise", remember=[])
    assert cached.recall([]).text == capsys.readouterr().out == CLEAN
    monkeypatch.setattr(cached, "today", lambda: "2027-02-01")
    assert cached.recall([]) is None


def test_the_cache_is_bounded_and_the_oldest_answers_go(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cached, "ENTRIES_MAX", 8)
    monkeypatch.setattr(cached, "KEPT", 6)
    monkeypatch.setenv("XDG_CACHE_HOME", str(shop.cache))
    seen = cached.Seen()
    for number in range(12):
        cached.keep([str(number)], seen, cached.Answer("x", 0), dated=False)
        for entry in shop.kept():
            os.utime(entry, (entry.stat().st_mtime - 10, entry.stat().st_mtime - 10))
    assert len(shop.kept()) <= 8
    assert [number for number in range(12) if cached.recall([str(number)])] == list(range(3, 12))[-len(shop.kept()) :]


def test_an_answer_that_is_too_long_is_not_kept(shop: Shop, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(shop.cache))
    cached.keep([], cached.Seen(), cached.Answer("x" * cached.BYTES_MAX, 0), dated=False)
    assert shop.kept() == []


def test_many_at_once_agree(shop: Shop):
    with ThreadPoolExecutor(4) as pool:
        env = {**os.environ, "XDG_CACHE_HOME": str(shop.cache)}
        argv = [sys.executable, "-m", "autopack", "validate"]
        runs = pool.map(
            lambda _: subprocess.run(argv, cwd=shop.root, env=env, capture_output=True, text=True, check=True).stdout,
            range(8),
        )
        assert set(runs) == {CLEAN}
    assert len(shop.kept()) == 1


def test_today_is_the_local_date():
    assert cached.today() == time.strftime("%Y-%m-%d")


WATCHED = """
import os, sys
opened = set()
sys.addaudithook(lambda event, args: event == "open" and opened.add(str(args[0])))
from autopack.spec.load import check
found = check(sys.argv[1])
here = os.path.abspath(sys.argv[1]) + os.sep
known = {place for _, place in found.seen.facts}
assert found.seen.whole
print(sorted(os.path.relpath(place, here) for place in opened if place.startswith(here) and place not in known))
print(sorted(os.path.relpath(place, here) for place in opened if place.startswith(here)))
"""


def test_nothing_is_read_that_a_kept_answer_would_not_look_at_again(shop: Shop):
    shop.write("autopack.yaml", PROJECT + "ci: ci.yaml\nmodels: models.yaml\n")
    shop.write(
        "ci.yaml", "autopack: ci/v1\nname: x\nprofiles: {normal: {steps: [{id: u, run: [make], timeout_s: 9}]}}\n"
    )
    shop.write("models.yaml", "autopack: models/v1\nname: x\nmodels: {}\nrouting: {complexity: {}}\n")
    shop.write("rules.yaml", RULES.replace("builtin:default", "base.yaml"))
    shop.write("base.yaml", RULES)
    argv = [sys.executable, "-c", WATCHED, str(shop.root)]
    done = subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()
    assert done == [
        "[]",
        "['autopack.yaml', 'base.yaml', 'ci.yaml', 'models.yaml', 'playbooks/first.yaml', 'rules.yaml']",
    ]


def test_a_change_of_any_file_that_validate_is_made_of_means_work(shop: Shop):
    """In a checkout one version has many contents."""
    script = (
        "import sys; from autopack.__main__ import main; main(['validate', '--no-cache', '.']);"
        "print(*{m.__file__ for n, m in sys.modules.items() if n.startswith('autopack.')}, sep='\\n')"
    )
    shop.write("playbooks/first.yaml", PLAYBOOK + "# autopack: ignore[AP1016] until=2099-01-31 owner=a reason=x\n")
    done = subprocess.run([sys.executable, "-c", script], cwd=shop.root, capture_output=True, text=True, check=True)
    package = Path(cached.__file__).parent.parent
    used = {str(Path(line).parent.relative_to(package)) for line in done.stdout.splitlines() if line.endswith(".py")}
    assert used <= {folder or "." for folder in cached.SOURCES}
