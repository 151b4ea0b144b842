"""Remote modules: pinned by `autopack lock` from a real repository, used offline, never used unpinned."""

import json
import subprocess
from pathlib import Path

import pytest

from autopack.spec import lock
from autopack.spec.load import check, load
from autopack.spec.model import Spec
from autopack.views.cli import main
from autopack.views.compiling import COMPILE

PHASE = """\
autopack: phase/v1
inputs: {page: {default: CHANGELOG.md}}
id: changelog
goal: "Add an entry to {{ inputs.page }}."
category: docs
scope: {write: ["{{ inputs.page }}"]}
"""
TIER = "autopack: tier/v1\nid: closing\nphases: [{uses: ../phases/changelog.yaml}]\n"


class House:
    """A project, and beside it a repository with modules."""

    def __init__(self, folder: Path) -> None:
        self.theirs = folder / "theirs"
        self.root = folder / "shop"
        self.cache = folder / "cache" / "autopack" / "modules"
        self.theirs.mkdir()
        self.git("init", "--quiet", "-b", "main")
        self.publish("phases/changelog.yaml", PHASE)
        self.git("tag", "v1")
        self.write("autopack.yaml", "autopack: project/v1\nname: shop\nmodels: builtin:replay\n")

    def git(self, *words: str) -> str:
        who = ("-c", "user.name=ann", "-c", "user.email=ann@example.org", "-c", "commit.gpgsign=false")
        done = subprocess.run(["git", *who, *words], cwd=self.theirs, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def publish(self, path: str, text: str) -> str:
        (self.theirs / path).parent.mkdir(parents=True, exist_ok=True)
        (self.theirs / path).write_text(text, encoding="utf-8")
        self.git("add", "-A")
        self.git("commit", "--quiet", "-m", "as told")
        return self.git("rev-parse", "HEAD")

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def name(self, ref: str = "v1", path: str = "phases/changelog.yaml") -> str:
        return f"git+file://{self.theirs}@{ref}#{path}"

    def playbook(self, *uses: str) -> None:
        lines = "".join(f'      - {{uses: "{name}", id: p{index}}}\n' for index, name in enumerate(uses))
        self.write("playbooks/p.yaml", f"autopack: playbook/v1\nname: p\ntiers:\n  - id: T1\n    phases:\n{lines}")

    def load(self) -> tuple[Spec | None, list[str]]:
        spec, problems = load(str(self.root), "playbooks/p.yaml")
        return spec, [found.code for found in problems]

    def lock(self) -> dict[str, dict[str, str]]:
        found: dict[str, dict[str, str]] = json.loads((self.root / "autopack.lock").read_text())["modules"]
        return found


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    made = House(tmp_path)
    monkeypatch.chdir(made.root)
    return made


def test_a_validate_stays_offline_and_names_what_it_did_not_see(house: House) -> None:
    house.playbook(house.name())
    found = check(str(house.root))
    assert found.problems == []
    assert found.not_checked == (
        "model reachability",
        f'remote module "{house.name()}" is not pinned: pin it with `autopack lock`, and commit the lock',
    )


def test_only_what_uses_a_module_that_is_not_at_hand_is_not_compiled(house: House) -> None:
    house.playbook(house.name())
    here = "autopack: playbook/v1\nname: q\ntiers: [{id: T1, phases: [%s]}]\n"
    phase = "{id: a, goal: g, category: docs, scope: {write: ['docs/**']}, builder_mode: scaffolding_heavy}"
    house.write("playbooks/q.yaml", here % phase)
    found = check(str(house.root), compile=COMPILE)
    assert [(each.code, each.span and each.span.path) for each in found.problems] == [("AP5024", "playbooks/q.yaml")]
    assert found.not_checked[-1] == "graph, policy and budget of 1 playbook with remote modules out of reach"


def test_what_is_not_pinned_never_runs(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.playbook(house.name())
    assert house.load() == (None, ["AP7002"])
    assert main(["plan", "playbooks/p.yaml"]) == 6
    assert "playbooks/p.yaml:6:16: error[AP7002]" in capsys.readouterr().err


def test_a_lock_pins_the_commit_and_the_content_and_the_plan_needs_no_network(house: House) -> None:
    commit = house.git("rev-parse", "v1")
    house.playbook(house.name())
    assert main(["lock"]) == 0
    assert house.lock() == {house.name(): {"commit": commit, "sha256": lock.sha256(PHASE.encode())}}
    house.theirs.rename(house.theirs.with_name("gone"))
    spec, codes = house.load()
    assert codes == []
    assert spec is not None
    assert spec.playbook.tiers[0].phases[0].goal == "Add an entry to CHANGELOG.md."
    assert check(str(house.root)).not_checked == ("model reachability",)
    assert main(["plan", "playbooks/p.yaml"]) == 0


def test_a_lock_stays_at_its_commit_until_it_is_updated(house: House) -> None:
    first = house.git("rev-parse", "main")
    house.playbook(house.name("main"))
    assert main(["lock"]) == 0
    second = house.publish("phases/changelog.yaml", PHASE.replace("Add", "Write"))
    assert main(["lock"]) == 0
    assert house.lock()[house.name("main")]["commit"] == first
    assert main(["lock", "--update"]) == 0
    assert house.lock()[house.name("main")]["commit"] == second
    spec, _ = house.load()
    assert spec is not None
    assert spec.playbook.tiers[0].phases[0].goal.startswith("Write")


def test_a_pin_that_is_not_at_hand_is_fetched_again_at_its_commit(house: House) -> None:
    house.playbook(house.name("main"))
    main(["lock"])
    house.publish("phases/changelog.yaml", PHASE.replace("Add", "Write"))
    for kept in house.cache.iterdir():
        kept.unlink()
    assert house.load() == (None, ["AP7003"])
    assert "was not fetched" in check(str(house.root)).not_checked[1]
    assert main(["lock"]) == 0
    assert house.load()[1] == []


def test_what_was_changed_in_the_cache_is_not_taken(house: House) -> None:
    house.playbook(house.name())
    main(["lock"])
    (kept,) = house.cache.iterdir()
    kept.write_text(PHASE.replace("Add", "Drop"), encoding="utf-8")
    assert house.load() == (None, ["AP7003"])


def test_a_commit_that_holds_other_content_than_the_lock_says_is_refused(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.playbook(house.name())
    main(["lock"])
    pin = {**house.lock()[house.name()], "sha256": "0" * 64}
    house.write("autopack.lock", json.dumps({"version": 1, "modules": {house.name(): pin}}))
    assert main(["lock"]) == 6
    assert "holds other content than autopack.lock says" in capsys.readouterr().err


def test_a_remote_tier_takes_its_phases_from_the_same_repository_at_the_same_ref(house: House) -> None:
    house.publish("tiers/closing.yaml", TIER)
    house.git("tag", "v2")
    name = house.name("v2", "tiers/closing.yaml")
    house.write("playbooks/p.yaml", f'autopack: playbook/v1\nname: p\ntiers: [{{uses: "{name}"}}]\n')
    assert main(["lock"]) == 0
    assert sorted(house.lock()) == [house.name("v2"), name]
    spec, codes = house.load()
    assert codes == []
    assert spec is not None
    assert [phase.id for phase in spec.playbook.tiers[0].phases] == ["changelog"]


def test_what_is_used_no_more_loses_its_pin(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.playbook(house.name(), house.name("main"))
    main(["lock"])
    house.playbook(house.name())
    assert main(["lock"]) == 0
    assert sorted(house.lock()) == [house.name()]
    assert f"removed {house.name('main')}" in capsys.readouterr().out


def test_findings_of_a_fetched_module_are_told_with_its_uses(house: House) -> None:
    house.publish("phases/changelog.yaml", PHASE.replace("docs", "dosc"))
    house.playbook(house.name("main"))
    assert main(["lock"]) == 1
    (found,) = check(str(house.root)).problems
    assert (found.code, found.span and found.span.path) == ("AP5001", house.name("main"))
    assert [(label.span.path, label.span.line) for label in found.labels] == [("playbooks/p.yaml", 6)]


@pytest.mark.parametrize(
    ("ref", "path", "said"),
    [
        ("v9", "phases/changelog.yaml", '"v9" can\'t be fetched'),
        ("v1", "phases/gone.yaml", "v1 holds no file phases/gone.yaml"),
        ("v1", "phases", "phases is no plain file of a module's size"),
    ],
)
def test_what_can_not_be_fetched_is_said(
    house: House, ref: str, path: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    house.playbook(house.name(ref, path))
    assert main(["lock"]) == 7
    assert said in capsys.readouterr().err
    assert not (house.root / "autopack.lock").exists()


def test_a_lock_that_can_not_be_read_is_said_and_written_anew(house: House, capsys: pytest.CaptureFixture[str]) -> None:
    house.playbook(house.name())
    house.write("autopack.lock", "<<<<<<< ours\n")
    (found,) = load(str(house.root), "playbooks/p.yaml")[1]
    assert found.message == f"\"{house.name()}\" can't be pinned: autopack.lock can't be read"
    assert found.help == "write the lock anew with `autopack lock --update`"
    assert main(["lock"]) == 6
    assert "`autopack lock --update`" in capsys.readouterr().err
    assert main(["lock", "--update"]) == 0
    assert house.load()[1] == []


@pytest.mark.parametrize(
    "name",
    [
        "git+https://example.org/x.git@v1#a.yaml",
        "git+ssh://git@example.org/x.git@release/2.1#dir/a.yaml",
        "git+file:///srv/x@0123456789abcdef0123456789abcdef01234567#a.yaml",
        "git+/srv/x@main#a.yaml",
    ],
)
def test_names_of_remote_modules_that_are_taken(name: str) -> None:
    assert str(lock.remote(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        "git+http://example.org/x.git@v1#a.yaml",
        "git+ext::sh@v1#a.yaml",
        "git+https://example.org/x.git#a.yaml",
        "git+https://example.org/x.git@v1",
        "git+https://example.org/x.git@--upload-pack=x#a.yaml",
        "git+https://example.org/x.git@a..b#a.yaml",
        "git+https://example.org/x.git@v1#../a.yaml",
        "git+https://example.org/x.git@v1#/a.yaml",
    ],
)
def test_names_of_remote_modules_that_are_refused(name: str) -> None:
    with pytest.raises(lock.Unreadable):
        lock.remote(name)


def test_a_commit_that_was_rewritten_away_is_said_and_a_new_one_is_pinned_when_asked(
    house: House, capsys: pytest.CaptureFixture[str]
) -> None:
    house.playbook(house.name())
    assert main(["lock"]) == 0
    gone = house.lock()[house.name()]["commit"]
    house.git("commit", "--amend", "--quiet", "-m", "told otherwise")
    house.git("tag", "--force", "v1")
    house.git("reflog", "expire", "--expire=now", "--all")
    house.git("gc", "--quiet", "--prune=now")
    for kept in house.cache.iterdir():
        kept.unlink()
    capsys.readouterr()
    assert main(["lock"]) == 7
    assert capsys.readouterr().err == (
        f"autopack lock: file://{house.theirs}: no branch or tag leads to {gone[:12]} any more. Its history was "
        "rewritten: look at what is there now, then pin that with `autopack lock --update`.\n"
    )
    assert house.lock()[house.name()]["commit"] == gone
    assert main(["lock", "--update"]) == 0
    assert house.lock()[house.name()]["commit"] == house.git("rev-parse", "v1")


def test_a_lock_of_ten_thousand_brackets_is_refused_like_any_other(house: House) -> None:
    house.playbook(house.name())
    (house.root / "autopack.lock").write_text("[" * 10_000)
    assert [found.code for found in check(str(house.root)).problems] == ["AP3007"]
    assert main(["lock"]) == 6
