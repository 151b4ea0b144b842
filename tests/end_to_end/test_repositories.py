"""Repositories as people really have them: each one is built in, or refused with what to do before a model is asked."""

import os
import shutil
import sqlite3
import stat
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.end_to_end.scratch import CASSETTE, ONE, PLAYBOOK, Ended, Project, hello, quick_ci

GREETING = "src/hello/greeting.py"
Odd = Callable[[Project], Project]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return hello(tmp_path, {"ci.yaml": quick_ci()})


def _run(project: Project, run_id: str = "r1", *words: str) -> Ended:
    return project.autopack("run", PLAYBOOK, "--run-id", run_id, *words)


def _no_model_was_asked(project: Project) -> bool:
    store = project.root / ".autonomous_runs" / "autopack.db"
    if not store.exists():
        return True
    with sqlite3.connect(store) as connection:
        (calls,) = connection.execute("SELECT count(*) FROM calls").fetchone()
    return bool(calls == 0)


# --- what works -------------------------------------------------------------------------------------------------


def _detached(project: Project) -> Project:
    project.git("checkout", "-q", "--detach")
    return project


def _dirty(project: Project) -> Project:
    """Changed, staged, half staged, untracked and stashed."""
    greeting = project.root / GREETING
    greeting.write_text("half written\n")
    project.git("stash", "push", "-q")
    greeting.write_text("staged\n")
    project.git("add", GREETING)
    greeting.write_text("and changed again\n")
    (project.root / "README.md").unlink()
    (project.root / "new.txt").write_text("untracked\n")
    return project


def _in_the_middle_of_a_rebase(project: Project) -> Project:
    project.git("checkout", "-q", "-b", "topic")
    (project.root / "pyproject.toml").write_text("topic\n")
    project.git("commit", "-q", "-am", "topic")
    project.git("checkout", "-q", "main")
    (project.root / "pyproject.toml").write_text("main\n")
    project.git("commit", "-q", "-am", "main")
    with pytest.raises(subprocess.CalledProcessError):
        project.git("rebase", "main", "topic")
    return project


def _linked_worktree(project: Project) -> Project:
    """The project lies in a linked worktree, on a branch of its own."""
    other = project.root.parent / "linked"
    project.git("worktree", "add", "-q", "-b", "side", str(other))
    return Project(other, other, project.places)


def _bare(project: Project) -> Project:
    """The specs lie in a checkout, what is built is a bare repository elsewhere."""
    bare = project.root.parent / "bare.git"
    project.git("clone", "-q", "--bare", ".", str(bare))
    spec = project.root / "autopack.yaml"
    spec.write_text(spec.read_text() + "repository: ../bare.git\n")
    return Project(project.root, bare, project.places)


def _shallow(project: Project) -> Project:
    (project.root / "later.txt").write_text("second commit\n")
    project.git("add", "later.txt")
    project.git("commit", "-q", "-m", "second")
    shallow = project.root.parent / "shallow"
    project.git("clone", "-q", "--depth=1", f"file://{project.root}", str(shallow))
    return Project(shallow, shallow, project.places)


def _sparse(project: Project) -> Project:
    project.git("sparse-checkout", "set", "playbooks")
    assert not (project.root / GREETING).exists()
    return project


def _packed(project: Project) -> Project:
    project.git("gc", "-q", "--prune=now")
    project.git("pack-refs", "--all")
    return project


def _crlf(project: Project) -> Project:
    """Attributes and settings that turn line endings around on the way into a checkout."""
    (project.root / ".gitattributes").write_text("*.py text eol=crlf\n*.md text\n")
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "line endings")
    project.git("config", "core.autocrlf", "true")
    return project


def _lfs(project: Project) -> Project:
    """A pointer of git-lfs, whose filter is configured and not installed."""
    oid = "4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393"
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize 12345\n"
    (project.root / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    (project.root / "model.bin").write_text(pointer)
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "a large file")
    for name in ("clean", "smudge", "process"):
        project.git("config", f"filter.lfs.{name}", f"no-such-git-lfs {name} %f")
    project.git("config", "filter.lfs.required", "true")
    return project


def _submodule(project: Project) -> Project:
    """A submodule that nobody has fetched."""
    other = project.root.parent / "library"
    other.mkdir()
    library = replace(project, repository=other)
    library.git("init", "-q", "-b", "main")
    library.git("commit", "-q", "--allow-empty", "-m", "library")
    project.git("-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "vendor/library")
    project.git("commit", "-q", "-m", "a library")
    shutil.rmtree(other)
    return project


def _links_and_modes(project: Project) -> Project:
    (project.root / "tool.sh").write_text("#!/bin/sh\n")
    (project.root / "tool.sh").chmod(0o755)
    (project.root / "docs").symlink_to("requests")
    (project.root / "broken").symlink_to("nowhere")
    (project.root / "etc").symlink_to("/etc")
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "links and programs")
    return project


def _names(project: Project) -> Project:
    """Names that are one on a Mac, that hold spaces, quotes, line breaks, and bytes that are no UTF-8."""
    for name in ("Notes.txt", "notes.txt", "two words.txt", 'quo"te.txt', "line\nbreak.txt", "-rf", "ü.txt"):
        (project.root / name).write_text(name)
    Path(os.fsdecode(os.fsencode(project.root) + b"/latin-\xfc.txt")).write_text("latin")
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "names")
    return project


def _settings(project: Project) -> Project:
    """Settings with which a commit by git's porcelain would fail or ask."""
    for name, value in {
        "commit.gpgSign": "true",
        "tag.gpgSign": "true",
        "gpg.program": "/bin/false",
        "user.useConfigOnly": "true",
        "core.editor": "/bin/false",
        "core.fsync": "none",
        "receive.denyCurrentBranch": "refuse",
        "commit.template": "/no/such/template",
        "diff.external": "/bin/false",
        "merge.conflictStyle": "zdiff3",
        "core.pager": "/bin/false",
        "i18n.commitEncoding": "latin1",
        "extensions.worktreeConfig": "true",
    }.items():
        project.git("config", name, value)
    return project


def _index_locked(project: Project) -> Project:
    (project.root / ".git" / "index.lock").write_text("")
    return project


ODD: tuple[Odd, ...] = (
    _detached,
    _dirty,
    _in_the_middle_of_a_rebase,
    _linked_worktree,
    _bare,
    _shallow,
    _sparse,
    _packed,
    _crlf,
    _lfs,
    _submodule,
    _links_and_modes,
    _names,
    _settings,
    _index_locked,
)


@pytest.mark.parametrize("odd", ODD, ids=lambda odd: odd.__name__.strip("_"))
def test_a_run_builds_there_and_leaves_the_rest_alone(project: Project, odd: Odd):
    """REQ-1.2-2, REQ-CH-8"""
    built = odd(project)
    before, status = built.snapshot(), _status(built)
    ended = _run(built)
    assert ended.code == 0, ended.err + _evidence(built)
    assert len(built.commits("r1")) == 4
    changed = built.git("diff", "--name-only", "--no-renames", "--no-ext-diff", "main", "autonomous/r1").splitlines()
    expected = {
        GREETING,
        "README.md",
        "requests/test_languages.py",
        "src/hello/phrasebook.py",
        "tests/test_languages.py",
    }
    assert set(changed) - _kept(changed) == expected
    assert (built.snapshot(), _status(built)) == (before, status)
    assert built.git("fsck", "--connectivity-only", "--no-dangling") == ""


def _evidence(project: Project) -> str:
    """What an incident pack says, for the one who reads the failed test."""
    texts = sorted(project.artifacts("r1").glob("incident/evidence/*"))
    return "\n".join(f"--- {path.name}\n{path.read_text(encoding='utf-8')}" for path in texts)


def _kept(paths: list[str]) -> set[str]:
    """The records that a run commits beside what it builds."""
    return {path for path in paths if path.startswith(".autopack/")}


def _status(project: Project) -> str:
    if project.git("rev-parse", "--is-bare-repository") == "true":
        return ""
    no_filter = [word for name in ("clean", "process", "required") for word in ("-c", f"filter.lfs.{name}=")]
    return project.git(*no_filter, "--no-optional-locks", "status", "--porcelain=v2", "--branch")


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("verb", [("run", PLAYBOOK), ("runs",), ("verify", "r1")])
def test_a_folder_whose_name_is_not_utf_8_is_said_at_once(project: Project, verb: tuple[str, ...]):
    other = Path(os.fsdecode(os.fsencode(project.root.parent) + b"/latin-\xfc"))
    project.root.rename(other)
    ended = Project(other, other, project.places).autopack(*verb)
    assert (ended.code, ended.out) == (2, "")
    assert "latin-\\xfc: the bytes of this path are not UTF-8. Rename that folder." in ended.err
    assert not (other / ".autonomous_runs").exists()


def test_a_cache_folder_that_is_no_absolute_path_is_none_and_nothing_is_made_in_the_checkout(project: Project):
    before = project.snapshot()
    ended = project.autopack("run", PLAYBOOK, "--run-id", "r1", XDG_CACHE_HOME="cache")
    assert ended.code == 0, ended.err
    assert project.snapshot() == before


@pytest.mark.parametrize("path", ["vendor/library", "vendor/library/one.py"])
def test_what_a_submodule_holds_can_not_be_asked_for(project: Project, path: str):
    built = _submodule(project)
    (built.root / "playbooks" / "one.yaml").write_text(ONE.replace("src/hello/one.py", path))
    ended = built.autopack("run", "playbooks/one.yaml", "--run-id", "r1", "--replay", CASSETTE)
    assert (ended.code, ended.out) == (2, "")
    assert f'phase "one" has to deliver {path}, and vendor/library is a submodule' in ended.err
    assert not built.artifacts("r1").exists()


def _tag_in_the_way(project: Project) -> str:
    project.git("tag", "autonomous/r1/tier-T2/phase-suite")
    return "refs/tags/autonomous/r1/tier-T2/phase-suite leaves no room for refs/tags/autonomous/r1/"


def _tag_above(project: Project) -> str:
    project.git("tag", "autonomous/r1")
    return "refs/tags/autonomous/r1 leaves no room for refs/tags/autonomous/r1/"


def _branch_above(project: Project) -> str:
    project.git("branch", "autonomous")
    return "refs/heads/autonomous leaves no room for refs/heads/autonomous/r1"


def _branch_below(project: Project) -> str:
    project.git("branch", "autonomous/r1/mine")
    return "refs/heads/autonomous/r1/mine leaves no room for refs/heads/autonomous/r1"


def _branch_there(project: Project) -> str:
    project.git("branch", "autonomous/r1")
    return "branch autonomous/r1 exists already"


@pytest.mark.parametrize(
    "story",
    [_tag_in_the_way, _tag_above, _branch_above, _branch_below, _branch_there],
    ids=lambda story: story.__name__.strip("_"),
)
def test_a_name_that_is_taken_is_said_before_there_is_a_run(project: Project, story: Callable[[Project], str]):
    fact = story(project)
    before = project.snapshot()
    ended = _run(project)
    assert (ended.code, ended.out) == (2, "")
    assert fact in ended.err
    assert "--run-id" in ended.err
    assert project.snapshot() == before
    assert not project.artifacts("r1").exists()
    assert _no_model_was_asked(project)


def test_runs_have_room_beside_each_other(project: Project):
    assert _run(project, "r1").code == 0
    assert _run(project, "r2").code == 0
    assert project.tree("r1") == project.tree("r2")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_repository_that_cannot_be_written_is_said_before_a_model_is_asked(project: Project):
    folder = project.root / ".git" / "refs" / "heads"
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    try:
        ended = _run(project)
    finally:
        folder.chmod(stat.S_IRWXU)
    assert ended.code == 7
    assert _no_model_was_asked(project)


def test_a_missing_object_ends_the_run_with_how_to_get_it(project: Project):
    """A partial clone whose server is gone, or a damaged disk."""
    blob = project.git("rev-parse", f"main:{GREETING}")
    (project.root / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    ended = _run(project)
    assert ended.code == 7
    assert "git_unusable" in ended.err
    assert "git fetch --refetch" in (project.artifacts("r1") / "run_summary.md").read_text()
