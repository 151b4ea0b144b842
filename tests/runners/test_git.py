"""The git room with real repositories: what it writes, and above all what it leaves alone."""

import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autopack.runners.git import (
    BranchInUse,
    Conflict,
    DiskFull,
    Entry,
    FileChange,
    GitFailed,
    GitLocked,
    GitUnusable,
    Identity,
    Merged,
    Pool,
    RefRefused,
    Repository,
    Stat,
    TagRefused,
    TreeRefused,
    Worktree,
    carry,
    command,
    merge_tree_onto,
    only_foreign_commits,
    open_repository,
    remove_tree,
    sweep,
    trailers,
)
from autopack.runners.git.command import Answer, Git
from autopack.runners.git.folder import Folder
from autopack.runners.git.recent import Recent
from autopack.views import launch

ROBOT = Identity("autopack", "autopack@localhost")
NOON = 1_700_000_000
RUN = "refs/heads/autonomous/run-1"
MAIN = "refs/heads/main"
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")} | {
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_AUTHOR_DATE": "1600000000 +0000",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_COMMITTER_DATE": "1600000000 +0000",
}


def git(folder: Path, *words: str, given: bytes = b"", **variables: str) -> bytes:
    env = ENVIRONMENT | variables
    done = subprocess.run(["git", *words], cwd=folder, env=env, input=given, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


def line(folder: Path, *words: str) -> str:
    return git(folder, *words).decode().strip()


def lay(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def project(folder: Path, files: Mapping[str, bytes] | None = None, *options: str) -> Path:
    folder.mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", *options)
    lay(folder, files or {"README.md": b"Shop\n", "src/app.py": b"price = 1\n", "src/tax.py": b"rate = 19\n"})
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "first")
    return folder


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    return project(tmp_path / "shop")


@pytest.fixture
def repo(shop: Path) -> Repository:
    return open_repository(shop)


def changes(**files: bytes | None) -> dict[str, FileChange]:
    return {name.replace("__", "/").replace("_py", ".py"): FileChange(content) for name, content in files.items()}


def landed(repo: Repository, base: str, change: Mapping[str, FileChange], message: str = "phase") -> str:
    return repo.commit(repo.write_tree(base, change), (base,), message, NOON, ROBOT)


def files_of(folder: Path) -> dict[str, bytes | str]:
    """All there is, `.git` left out: content of files, target of links, permission to execute as a final star."""
    found: dict[str, bytes | str] = {}
    for where, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name != ".git"]
        for name in [*names, *(name for name in folders if (Path(where) / name).is_symlink())]:
            path = Path(where) / name
            key = path.relative_to(folder).as_posix()
            if path.is_symlink():
                found[key] = str(path.readlink())
            elif key != ".git":
                found[key + "*" * bool(path.stat().st_mode & stat.S_IXUSR)] = path.read_bytes()
    return found


# Opening ----------------------------------------------------------------------------------------------------------


def test_it_opens_a_checkout_from_any_folder_in_it(shop: Path):
    repo = open_repository(shop / "src")
    assert repo.resolve("main") == repo.resolve("HEAD") == line(shop, "rev-parse", "HEAD")


def test_it_opens_a_bare_repository(shop: Path, tmp_path: Path):
    git(tmp_path, "clone", "-q", "--bare", "shop", "shop.git")
    repo = open_repository(tmp_path / "shop.git")
    commit = landed(repo, repo.resolve("main"), changes(src__app_py=b"price = 2\n"))
    assert repo.advance(RUN, commit, None)
    assert git(tmp_path / "shop.git", "show", "autonomous/run-1:src/app.py") == b"price = 2\n"


def test_in_a_linked_worktree_head_is_the_one_of_that_worktree(shop: Path, tmp_path: Path):
    git(shop, "worktree", "add", "-q", "-b", "feature", "../feature")
    (tmp_path / "feature" / "new.txt").write_bytes(b"new\n")
    git(tmp_path / "feature", "add", "-A")
    git(tmp_path / "feature", "commit", "-qm", "on the branch")
    repo = open_repository(tmp_path / "feature")
    assert repo.resolve("HEAD") == line(shop, "rev-parse", "feature") != repo.resolve("main")
    assert repo.advance(RUN, repo.resolve("HEAD"), None)
    assert line(shop, "rev-parse", RUN) == line(shop, "rev-parse", "feature")


def test_a_detached_head_is_fine(shop: Path):
    git(shop, "switch", "-q", "--detach")
    git(shop, "branch", "-D", "-q", "main")
    repo = open_repository(shop)
    assert landed(repo, repo.resolve("HEAD"), changes(src__app_py=b"price = 2\n"))


def test_a_repository_without_a_commit_is_refused_with_what_to_do(tmp_path: Path):
    git(tmp_path, "init", "-q", "-b", "main", "empty")
    with pytest.raises(GitUnusable, match=r"empty: has no commit yet\. Make a first commit there"):
        open_repository(tmp_path / "empty")


def test_an_unborn_base_is_refused_where_it_is_named(shop: Path):
    git(shop, "switch", "-q", "--orphan", "trunk")
    repo = open_repository(shop)
    with pytest.raises(GitUnusable, match=r'"trunk" names no commit.*name another base'):
        repo.resolve("trunk")
    with pytest.raises(GitUnusable, match='"--all" names no commit'):
        repo.resolve("--all")


def test_a_folder_outside_any_repository_is_refused(tmp_path: Path):
    with pytest.raises(GitUnusable, match=r"is not in a git repository\. Run `git init`"):
        open_repository(tmp_path)
    with pytest.raises(GitUnusable, match="there is no such folder"):
        open_repository(tmp_path / "nowhere")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_somebody_elses_repository_is_refused_with_the_command_that_allows_it(shop: Path):
    os.chown(shop, 12_345, 12_345)
    os.chown(shop / ".git", 12_345, 12_345)
    with pytest.raises(GitUnusable, match=r"belongs to another user.*git config --global --add safe\.directory .*shop"):
        open_repository(shop)


def test_without_git_the_error_says_so(tmp_path: Path):
    script = f"from autopack.runners.git import open_repository\nopen_repository({str(tmp_path)!r})"
    env = {"PATH": str(tmp_path), "PYTHONPATH": os.getcwd()}
    done = subprocess.run([sys.executable, "-c", script], env=env, capture_output=True, text=True, check=False)
    assert "GitUnusable: git: is not on PATH or does not start" in done.stderr
    assert "Install git 2.38 or newer." in done.stderr


def test_importing_the_room_does_not_import_gitpython():
    script = "import sys, autopack.runners.git; sys.exit('git' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_the_callers_git_variables_lead_nowhere_else(shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """As inside a hook or `git rebase --exec`."""
    other = project(tmp_path / "other", {"a.txt": b"a\n"})
    monkeypatch.setenv("GIT_DIR", str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git" / "index"))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other / ".git" / "objects"))
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "false")
    repo = open_repository(shop)
    base = repo.resolve("main")
    commit = landed(repo, base, changes(src__app_py=b"price = 2\n"))
    assert repo.diff_stat(base, commit).paths == ("src/app.py",)
    assert repo.advance(RUN, commit, None)
    with Pool(tmp_path / "home", repo) as pool:
        assert (pool.take(commit).path / "src/app.py").read_bytes() == b"price = 2\n"
    assert git(shop, "cat-file", "-t", commit) == b"commit\n"
    assert git(other, "for-each-ref").count(b"\n") == 1


def test_a_git_that_hangs_is_ended(tmp_path: Path, repo: Repository, monkeypatch: pytest.MonkeyPatch):
    lay(tmp_path, {"bin/git": b"#!/bin/sh\nsleep 600\n"})
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    with pytest.raises(GitUnusable, match=r"git status did not finish within 0\.2 s"):
        Git("shop", str(tmp_path)).run("status", timeout_s=0.2)


def test_of_commands_side_by_side_only_the_one_that_hangs_is_ended(
    tmp_path: Path, repo: Repository, monkeypatch: pytest.MonkeyPatch
):
    """The one that is done first was given longest, so that who watches them has to be told of the others."""
    lay(tmp_path, {"bin/git": b"#!/bin/sh\nfor last; do :; done\nexec sleep $last\n"})
    (tmp_path / "bin" / "git").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    ended: list[str] = []

    def run(seconds: str, timeout_s: float) -> None:
        try:
            Git("shop", str(tmp_path)).run("status", seconds, timeout_s=timeout_s)
        except GitUnusable as error:
            ended.append(f"{seconds}: {error}")

    asked = (("0", 600.0), ("601", 1.0), ("600", 0.2))
    threads = [threading.Thread(target=run, args=arguments) for arguments in asked]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(ended) == [
        f"600: {_late('0.2')}",
        f"601: {_late('1')}",
    ]


def _late(seconds: str) -> str:
    return f"shop: git status did not finish within {seconds} s. Check the disk it lies on."


def test_a_full_disk_has_a_name_of_its_own(tmp_path: Path):
    for words in (
        "fatal: write error: No space left on device",
        "fatal: sha1 file 'index' write error. Out of diskspace",
        "error: couldn't write HEAD: Disk quota exceeded",
    ):
        assert isinstance(Git("shop", str(tmp_path))._failure("write-tree", Answer(128, b"", words)), DiskFull)


# Reading ----------------------------------------------------------------------------------------------------------

ODD_NAMES = {
    "größe.txt": b"1\n",
    "with space.txt": b"2\n",
    "new\nline.txt": b"3\n",
    'tab\t"quote".txt': b"4\n",
    "-dash": b"5\n",
    "latin\udce9.txt": b"6\n",
    " lead and trail ": b"7\n",
    "深/い/名.txt": b"8\n",
}


@pytest.fixture
def odd(tmp_path: Path) -> Path:
    """A tree with a program, links, a submodule and names that need quoting."""
    shop = project(tmp_path / "odd", {**ODD_NAMES, "run.sh": b"#!/bin/sh\n", "dos.txt": b"one\r\ntwo\r\n"})
    (shop / "run.sh").chmod(0o755)
    (shop / "link").symlink_to("dos.txt")
    (shop / "out").symlink_to("/etc")
    git(shop, "add", "-A")
    git(shop, "update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},vendor/lib")
    git(shop, "commit", "-qm", "odd")
    return shop


def test_list_files_shows_links_and_submodules_by_their_mode(odd: Path):
    repo = open_repository(odd)
    found = {entry.path: entry for entry in repo.list_files(repo.resolve("main"))}
    assert found.keys() == {*ODD_NAMES, "run.sh", "dos.txt", "link", "out", "vendor/lib"}
    assert found["dos.txt"] == Entry("dos.txt", "100644", "4e349b596c5c9d38a82829fafbaf52281c21e319", 10)
    assert found["run.sh"].mode == "100755"
    assert found["link"].is_symlink
    assert found["vendor/lib"] == Entry("vendor/lib", "160000", "1" * 40, 0)


def test_read_files_gives_bytes_and_follows_nothing(odd: Path):
    repo = open_repository(odd)
    head = repo.resolve("main")
    regular = {**ODD_NAMES, "run.sh": b"#!/bin/sh\n", "dos.txt": b"one\r\ntwo\r\n"}
    assert repo.read_files(head) == regular
    assert repo.read_files(head, [*ODD_NAMES, "link", "out/passwd", "vendor/lib", "absent"]) == ODD_NAMES
    assert repo.read_files(head, []) == {}


def test_a_missing_object_is_named_with_what_to_do(shop: Path, repo: Repository):
    head = repo.resolve("main")
    blob = line(shop, "rev-parse", "HEAD:README.md")
    (shop / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    with pytest.raises(GitFailed, match=rf"the object {blob} is missing.*partial clone"):
        repo.read_files(head)


def test_refs_takes_full_names_globs_and_prefixes(shop: Path, repo: Repository):
    head = repo.resolve("main")
    for name in ("release/1", "release/1/hotfix", "releases"):
        if name != "release/1/hotfix":
            git(shop, "branch", name)
    assert repo.refs((MAIN, "refs/heads/release/*")) == {MAIN: head, "refs/heads/release/1": head}
    assert repo.refs(("refs/",)).keys() == {MAIN, "refs/heads/release/1", "refs/heads/releases"}
    assert repo.refs(()) == {}
    assert repo.branch_head("refs/heads/release") is None
    with pytest.raises(RefRefused, match='"main" is no full ref name'):
        repo.refs(("main",))


# New trees --------------------------------------------------------------------------------------------------------


def test_write_tree_changes_adds_and_deletes(repo: Repository):
    base = repo.resolve("main")
    tree = repo.write_tree(base, changes(src__app_py=b"price = 2\n", src__new__deep_py=b"", src__tax_py=None))
    assert repo.read_files(tree) == {"README.md": b"Shop\n", "src/app.py": b"price = 2\n", "src/new/deep.py": b""}
    assert repo.write_tree(base, {}) == repo.write_tree(
        tree, changes(src__app_py=b"price = 1\n", src__new__deep_py=None, src__tax_py=b"rate = 19\n")
    )


def test_modes_and_bytes_are_kept(odd: Path):
    git(odd, "config", "core.autocrlf", "true")
    lay(odd, {".git/info/attributes": b"* text=auto eol=lf\n"})
    repo = open_repository(odd)
    base = repo.resolve("main")
    new = {
        "run.sh": FileChange(b"#!/bin/sh\nexit 1\n"),
        "dos.txt": FileChange(b"one\r\n2\r\n"),
        "tool": FileChange(b"#!/bin/sh\n", "100755"),
        "größe.txt": FileChange(b"\xff\x00\r\n"),
        "new\nline.txt": FileChange(b"again"),
        "latin\udce9.txt": FileChange(None),
    }
    tree = repo.write_tree(base, new)
    modes = {entry.path: entry.mode for entry in repo.list_files(tree)}
    assert (modes["run.sh"], modes["tool"], modes["link"], modes["vendor/lib"]) == (
        "100755",
        "100755",
        "120000",
        "160000",
    )
    assert repo.read_files(tree, new) == {path: change.content for path, change in new.items() if change.content}


@pytest.mark.parametrize(
    ("change", "fact"),
    [
        ({"link": FileChange(b"x")}, "link: is a symbolic link. Change the file that it points to"),
        ({"out/passwd": FileChange(b"x")}, "out/passwd: lies below out, which is a symbolic link"),
        ({"vendor/lib": FileChange(b"x")}, "vendor/lib: is a submodule"),
        ({"vendor/lib": FileChange(None)}, "vendor/lib: is a submodule"),
        ({"vendor/lib/a.py": FileChange(b"x")}, "vendor/lib/a.py: lies below vendor/lib, which is a submodule"),
        ({"dos.txt/a": FileChange(b"x")}, "dos.txt/a: lies below dos.txt, which is a file"),
        ({"vendor": FileChange(b"x")}, "vendor: is a folder"),
        ({"a": FileChange(b"x"), "a/b": FileChange(b"x")}, "a: is a folder"),
        ({"Run.sh": FileChange(b"x")}, "Run.sh: differs from run.sh in case or accents only"),
        ({"Vendor/x": FileChange(b"x")}, "Vendor: differs from vendor in case or accents only"),
        ({"gro\u0308ße.txt": FileChange(b"x")}, "differs from größe.txt in case or accents only"),
        ({"New/a": FileChange(b"x"), "new/b": FileChange(b"x")}, "New: differs from new in case or accents only"),
        ({"gone": FileChange(None)}, "gone: can't be deleted: the base has no such file"),
        ({"../up": FileChange(b"x")}, "../up: is not a path inside the repository"),
        ({"/etc/passwd": FileChange(b"x")}, "is not a path inside the repository"),
        ({"a//b": FileChange(b"x")}, "is not a path inside the repository"),
        ({"a/": FileChange(b"x")}, "is not a path inside the repository"),
        ({"": FileChange(b"x")}, "is not a path inside the repository"),
        ({"a\0b": FileChange(b"x")}, "is not a path inside the repository"),
        ({"\ud800": FileChange(b"x")}, "is not a path: it holds half a character"),
        ({".git/config": FileChange(b"x")}, ".git/config: lies in git's own folder"),
        ({"sub/.GIT/hooks/a": FileChange(b"x")}, "lies in git's own folder"),
        ({"git~1/config": FileChange(b"x")}, "git~1/config: is a name that git refuses"),
        ({".g\u200cit/config": FileChange(b"x")}, "is a name that git refuses"),
        ({"a": FileChange(b"/etc", "120000")}, "a: can't get the mode 120000"),
    ],
)
def test_write_tree_refuses_and_says_why(odd: Path, change: dict[str, FileChange], fact: str):
    repo = open_repository(odd)
    with pytest.raises(TreeRefused) as refused:
        repo.write_tree(repo.resolve("main"), change)
    assert fact in str(refused.value)


def test_what_a_change_removes_makes_room(odd: Path):
    repo = open_repository(odd)
    base = repo.resolve("main")
    tree = repo.write_tree(
        base,
        {
            "out": FileChange(None),
            "out/real.txt": FileChange(b"no link any more\n"),
            "run.sh": FileChange(None),
            "Run.sh": FileChange(b"renamed\n"),
            "深/い/名.txt": FileChange(None),
            "深": FileChange(b"a file now\n"),
        },
    )
    assert repo.read_files(tree, ["out/real.txt", "Run.sh", "深"]).keys() == {"out/real.txt", "Run.sh", "深"}


def test_a_stale_index_lock_of_the_user_is_not_in_the_way(shop: Path, repo: Repository):
    lay(shop, {".git/index.lock": b""})
    assert repo.write_tree(repo.resolve("main"), changes(src__app_py=b"price = 2\n"))


# Diffs ------------------------------------------------------------------------------------------------------------


def test_the_canonical_diff_is_written_the_same_under_any_configuration(shop: Path, repo: Repository):
    for setting in (
        "diff.noprefix=true",
        "diff.context=9",
        "diff.external=false",
        "color.ui=always",
        "diff.algorithm=patience",
    ):
        git(shop, "config", *setting.split("="))
    lay(shop, {".git/info/attributes": b"*.py -diff\n", ".gitattributes": b"*.py binary\n"})
    base = repo.resolve("main")
    new = {
        "src/app.py": FileChange(b"price = 2\n", "100755"),
        "src/tax.py": FileChange(None),
        "lib/tax.py": FileChange(b"rate = 19\n"),
        "größe": FileChange(b"no newline"),
    }
    tree = repo.write_tree(base, new)
    assert repo.diff(base, tree).decode() == (
        'diff --git "a/gr\\303\\266\\303\\237e" "b/gr\\303\\266\\303\\237e"\n'
        "new file mode 100644\n"
        "index 0000000000000000000000000000000000000000..20cbb4d89224e1ed724b7feaf5c4f4479e25212a\n"
        "--- /dev/null\n"
        '+++ "b/gr\\303\\266\\303\\237e"\n'
        "@@ -0,0 +1 @@\n"
        "+no newline\n"
        "\\ No newline at end of file\n"
        "diff --git a/src/tax.py b/lib/tax.py\n"
        "similarity index 100%\n"
        "rename from src/tax.py\n"
        "rename to lib/tax.py\n"
        "diff --git a/src/app.py b/src/app.py\n"
        "old mode 100644\n"
        "new mode 100755\n"
        "index 205a5effd02bc17810b13d50da15e012db174fa9..04c147da42faaaa212bcfbbf136de92c6c3c93a3\n"
        "--- a/src/app.py\n"
        "+++ b/src/app.py\n"
        "@@ -1 +1 @@\n"
        "-price = 1\n"
        "+price = 2\n"
    )
    assert repo.diff_stat(base, tree) == Stat(3, 2, 1, ("größe", "lib/tax.py", "src/app.py", "src/tax.py"), ())


def test_a_binary_file_is_counted_apart(repo: Repository):
    base = repo.resolve("main")
    tree = repo.write_tree(base, {"logo.png": FileChange(b"\x89PNG\0\0"), "a.txt": FileChange(b"1\n2\n")})
    assert repo.diff_stat(base, tree) == Stat(2, 2, 0, ("a.txt", "logo.png"), ("logo.png",))
    assert b"GIT binary patch" in repo.diff(base, tree)


def test_patch_and_figures_of_one_git_are_those_of_two(odd: Path):
    """Renamed, binary, deleted, with names and contents that could be taken for the end of a part."""
    repo = open_repository(odd)
    base = repo.resolve("main")
    new = {
        "new\nline.txt": FileChange(None),
        "moved\tname.txt": FileChange(b"3\n"),
        "logo.png": FileChange(b"\x89PNG\0\0\0"),
        "größe.txt": FileChange(b"1\n2\n"),
        "empty": FileChange(b""),
    }
    tree = repo.write_tree(base, new)
    patch, stat = repo.compare(base, tree)
    alone = open_repository(odd)
    assert (patch, stat) == (alone.diff(base, tree), alone.diff_stat(base, tree))
    assert stat == Stat(4, 1, 0, ("empty", "größe.txt", "logo.png", "moved\tname.txt", "new\nline.txt"), ("logo.png",))
    assert repo.compare(base, base) == (b"", Stat(0, 0, 0, (), ()))


def test_what_was_listed_lately_is_what_git_lists(odd: Path):
    """Of a tree just written, and of the commits made of it, which no git is asked for."""
    repo = open_repository(odd)
    base = repo.resolve("main")
    new = {
        "run.sh": FileChange(b"#!/bin/sh\nexit 1\n"),
        "深/い/名.txt": FileChange(None),
        "深/い": FileChange(b"a file now\n"),
        "深.txt": FileChange(b"before the folder\n"),
        "tool": FileChange(b"", "100755"),
    }
    tree = repo.write_tree(base, new)
    commit = repo.commit(tree, [base], "m", 0, Identity("a", "a@b"))
    assert repo.list_names(commit) == repo.list_names(tree) == open_repository(odd).list_names(commit)
    assert repo.tree(commit) == open_repository(odd).tree(commit) == tree


def test_the_bytes_of_files_are_told_without_reading_them(shop: Path, repo: Repository):
    base = repo.resolve("main")
    found = {entry.path: entry.size for entry in repo.list_files(base)}
    assert repo.sizes(repo.list_names(base)) == found
    blob = line(shop, "rev-parse", "HEAD:README.md")
    (shop / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    assert repo.sizes(repo.list_names(base)) == {**found, "README.md": 0}


def test_only_so_much_is_remembered_and_what_was_not_asked_for_longest_goes_first():
    recent: Recent[str] = Recent(5, len)
    for word in ("aa", "bb", "c"):
        recent.put(word, word)
    assert recent.get("aa") == "aa"
    recent.put("dd", "dd")
    assert [recent.get(word) for word in ("aa", "bb", "c", "dd")] == ["aa", None, "c", "dd"]
    assert recent.put("too long", "too long") == "too long"
    assert [recent.get(word) for word in ("aa", "c", "dd", "too long")] == ["aa", "c", "dd", None]


def test_equal_trees_have_no_diff(repo: Repository):
    base = repo.resolve("main")
    assert repo.diff(base, repo.write_tree(base, changes(src__app_py=b"price = 1\n"))) == b""
    assert repo.diff_stat(base, base) == Stat(0, 0, 0, (), ())


names = st.sampled_from(
    ["a", "b", "dir/a", "dir/b", "dir/sub/c", "sp ace", "new\nline", "ü", 'q"uote', "tab\t", "e\udcff"]
)
contents = st.one_of(
    st.lists(st.sampled_from([b"one", b"two", b"three", b"", b"\t x ", b"\r"]), max_size=8).map(b"\n".join),
    st.lists(st.sampled_from([b"one", b"two", b"@@ -1 +1 @@", b"--- a"]), max_size=8).map(
        lambda lines: b"\r\n".join(lines) + b"\n"
    ),
    st.binary(max_size=40),
)
versions = st.dictionaries(names, st.tuples(contents, st.sampled_from(["100644", "100755"])), max_size=6)


@pytest.fixture(scope="module")
def anvil(tmp_path_factory: pytest.TempPathFactory) -> Repository:
    return open_repository(project(tmp_path_factory.mktemp("anvil") / "repo", {"root": b"root\n"}))


@settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(before=versions, after=versions)
def test_git_apply_makes_of_the_base_what_the_diff_was_taken_from(
    anvil: Repository, tmp_path: Path, before: dict[str, tuple[bytes, str]], after: dict[str, tuple[bytes, str]]
):
    empty = anvil.resolve("main")
    base = anvil.write_tree(empty, {name: FileChange(*version) for name, version in before.items()})
    gone = {name: FileChange(None) for name in before.keys() - after.keys()}
    new = anvil.write_tree(base, {**gone, **{name: FileChange(*version) for name, version in after.items()}})
    index = {"GIT_INDEX_FILE": str(tmp_path / "index"), "GIT_DIR": anvil.git_dir}
    git(tmp_path, "read-tree", base, **index)
    diff = anvil.diff(base, new)
    if diff:
        git(tmp_path, "apply", "--cached", "--whitespace=nowarn", "-", given=diff, **index)
    assert git(tmp_path, "write-tree", **index).decode().strip() == new
    touched = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert set(anvil.diff_stat(base, new).paths) == touched


# Commits ----------------------------------------------------------------------------------------------------------


def test_the_same_commit_twice_is_one(repo: Repository):
    base = repo.resolve("main")
    change = changes(src__app_py=b"price = 2\n")
    commit = landed(repo, base, change, "Raise the price\n\nBecause.")
    assert commit == landed(repo, base, change, "Raise the price\n\nBecause.\n\n")
    assert repo.desk.run("cat-file", "commit", commit).text == (
        f"tree {repo.write_tree(base, change)}\n"
        f"parent {base}\n"
        "author autopack <autopack@localhost> 1700000000 +0000\n"
        "committer autopack <autopack@localhost> 1700000000 +0000\n"
        "\n"
        "Raise the price\n"
        "\n"
        "Because."
    )


def test_a_message_from_a_model_may_hold_anything(repo: Repository):
    base = repo.resolve("main")
    commit = repo.commit(repo.write_tree(base, {}), (base,), "a\0b \ud800 ü\n# kept\n", 0, ROBOT)
    assert repo.desk.run("log", "-1", "--no-walk", "--format=%B|%at", commit).text == "ab ? ü\n# kept\n|0"


def test_trailers_are_read_back(repo: Repository):
    facts = {"Autopack-Run": "run-1", "Autopack-Plan": "sha256:ab", "Autopack-Edit": "rung 0,\n fuzz 0: fine"}
    assert trailers(facts) == "Autopack-Run: run-1\nAutopack-Plan: sha256:ab\nAutopack-Edit: rung 0, fuzz 0: fine\n"
    commit = landed(repo, repo.resolve("main"), {}, "Phase one\n\nSome words: not a trailer.\n\n" + trailers(facts))
    assert repo.read_trailers(commit) == {**facts, "Autopack-Edit": "rung 0, fuzz 0: fine"}
    assert repo.read_trailers(repo.resolve("main")) == {}
    with pytest.raises(ValueError, match="is no trailer"):
        trailers({"Bad key": "x"})


def test_a_person_may_go_on_committing_to_main(shop: Path, repo: Repository, tmp_path: Path):
    base = repo.resolve("main")
    git(shop, "config", "log.showSignature", "true")
    git(shop, "config", "gpg.program", f"touch {tmp_path}/started; false")
    git(shop, "config", "trailer.separators", "#")
    git(shop, "commit", "-q", "--allow-empty", "-m", "mine\n\nAutopack-Run: run-10")
    person = repo.resolve("main")
    robot = landed(repo, base, changes(src__app_py=b"2\n"), "phase\n\nAutopack-Run: run-1\nAutopack-Phase: a\n")
    both = repo.commit(repo.tree(robot), (person, robot), "merged", NOON, ROBOT)
    assert only_foreign_commits(repo, base, base, "run-1")
    assert only_foreign_commits(repo, base, person, "run-1")
    assert not only_foreign_commits(repo, base, robot, "run-1")
    assert not only_foreign_commits(repo, person, both, "run-1")
    assert not only_foreign_commits(repo, person, base, "run-1"), "that is backward"
    assert not (tmp_path / "started").exists()


def test_the_tree_of_a_commit(shop: Path, repo: Repository):
    assert repo.tree(repo.resolve("main")) == line(shop, "rev-parse", "main^{tree}")


def test_an_id_that_is_none_never_reaches_git(repo: Repository):
    with pytest.raises(ValueError, match="'--output=x' is no object id"):
        repo.diff("--output=x", repo.resolve("main"))


# Merging ----------------------------------------------------------------------------------------------------------


def test_a_change_is_moved_onto_a_head_that_moved(repo: Repository):
    base = repo.resolve("main")
    ours = landed(repo, base, changes(src__app_py=b"price = 2\n"), "another phase")
    theirs = landed(repo, base, changes(src__tax_py=b"rate = 7\n", new_py=b"new\n"))
    merged = merge_tree_onto(repo, base, ours, theirs)
    assert merged == Merged(repo.write_tree(ours, changes(src__tax_py=b"rate = 7\n", new_py=b"new\n")))
    assert merged == merge_tree_onto(repo, base, repo.write_tree(ours, {}), repo.write_tree(theirs, {}))
    assert merged == carry(repo, base, ours, theirs)


def test_a_change_that_collides_is_not_carried(repo: Repository):
    base = repo.resolve("main")
    ours, theirs = (landed(repo, base, changes(src__app_py=text)) for text in (b"price = 2\n", b"price = 3\n"))
    assert carry(repo, base, ours, theirs) == Conflict(("src/app.py",))


def test_only_what_lies_between_base_and_theirs_moves(repo: Repository):
    """The base given is not where the histories part: what came before it stays behind."""
    first = repo.resolve("main")
    base = landed(repo, first, changes(src__app_py=b"price = 9\n"))
    theirs = landed(repo, base, changes(src__tax_py=b"rate = 7\n"))
    assert merge_tree_onto(repo, base, first, theirs) == Merged(
        repo.write_tree(first, changes(src__tax_py=b"rate = 7\n"))
    )


def test_a_conflict_names_its_paths_and_no_merge_driver_is_started(shop: Path, repo: Repository, tmp_path: Path):
    lay(shop, {".git/info/attributes": b"*.py merge=mine\n"})
    git(shop, "config", "merge.mine.driver", f"touch {tmp_path}/started; true")
    base = repo.resolve("main")
    ours = landed(repo, base, {**changes(src__app_py=b"price = 2\n", src__tax_py=None), "größe": FileChange(b"1\n")})
    theirs = landed(
        repo, base, {**changes(src__app_py=b"price = 3\n", src__tax_py=b"rate = 7\n"), "größe": FileChange(b"2\n")}
    )
    assert merge_tree_onto(repo, base, ours, theirs) == Conflict(("größe", "src/app.py", "src/tax.py"))
    assert not (tmp_path / "started").exists()


# Refs -------------------------------------------------------------------------------------------------------------


def test_advance_is_a_compare_and_swap(shop: Path, repo: Repository):
    base = repo.resolve("main")
    first = landed(repo, base, changes(src__app_py=b"price = 2\n"))
    second = landed(repo, first, changes(src__app_py=b"price = 3\n"))
    assert repo.advance(RUN, first, None)
    assert repo.advance(RUN, first, None), "the same again, after a crash, is success"
    assert not repo.advance(RUN, second, None)
    assert not repo.advance(RUN, second, base)
    assert repo.branch_head(RUN) == first
    assert repo.advance(RUN, second, first)
    assert repo.advance(RUN, second, first)
    assert not repo.advance(RUN, first, base)
    assert line(shop, "rev-parse", RUN) == second


@pytest.mark.parametrize("logs", ["true", "false"])
def test_of_two_that_make_the_same_branch_at_the_same_commit_one_has_it(shop: Path, repo: Repository, logs: str):
    """Also where the repository keeps no logs."""
    git(shop, "config", "core.logAllRefUpdates", logs)
    base = repo.resolve("main")
    assert repo.make(RUN, base, "one")
    assert repo.make(RUN, base, "one"), "the same again, after a crash, is success"
    assert not repo.make(RUN, base, "other")
    moved = landed(repo, base, changes(src__app_py=b"price = 2\n"))
    assert repo.advance(RUN, moved, base)
    assert not repo.make(RUN, base, "one")
    assert not repo.make(RUN, moved, "other")


def test_of_many_that_make_a_branch_at_once_one_has_it(repo: Repository):
    base = repo.resolve("main")
    made: dict[str, bool] = {}
    ready = threading.Barrier(6)

    def make(owner: str) -> None:
        ready.wait()
        made[owner] = repo.make(RUN, base, owner)

    threads = [threading.Thread(target=make, args=(f"run-{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(made.values()) == [False] * 5 + [True]


def test_of_many_at_once_one_wins(repo: Repository):
    base = repo.resolve("main")
    repo.advance(RUN, base, None)
    commits = [landed(repo, base, changes(src__app_py=b"%d\n" % number)) for number in range(6)]
    outcomes: list[bool] = []

    def land(commit: str) -> None:
        try:
            outcomes.append(repo.advance(RUN, commit, base))
        except GitLocked:
            outcomes.append(False)

    threads = [threading.Thread(target=land, args=(commit,)) for commit in commits]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False] * 5 + [True]
    assert repo.branch_head(RUN) in commits


@pytest.mark.parametrize(
    "ref",
    [
        "refs/heads/main",
        "main",
        "autonomous/run-1",
        "refs/tags/autonomous/run-1",
        "refs/remotes/origin/autonomous/run-1",
        "refs/heads/autonomous",
        "refs/heads/autonomous/",
        "refs/heads/autonomous/../main",
        "refs/heads/autonomous/x.lock",
        "refs/heads/autonomous/x.lock/y",
        "refs/heads/autonomous/.x",
        "refs/heads/autonomous/x y",
        "refs/heads/autonomous/x\n",
        "refs/heads/autonomous/x@{1}",
        "HEAD",
        "--stdin",
    ],
)
def test_no_other_ref_is_written(shop: Path, repo: Repository, ref: str):
    before = git(shop, "for-each-ref")
    with pytest.raises(RefRefused, match=r"is not a ref that a run may write.*integration_branch"):
        repo.advance(ref, repo.resolve("main"), None)
    assert git(shop, "for-each-ref") == before


def test_another_integration_branch_must_be_named(shop: Path):
    repo = open_repository(shop, writes=("refs/heads/bot/next",))
    assert repo.advance("refs/heads/bot/next", repo.resolve("main"), None)
    with pytest.raises(RefRefused):
        repo.advance(RUN, repo.resolve("main"), None)
    for name in ("refs/heads/", "refs/", "refs/stash", "HEAD"):
        with pytest.raises(RefRefused, match="can't be given"):
            open_repository(shop, writes=(name,))


def test_a_symbolic_ref_does_not_carry_a_write_to_main(shop: Path, repo: Repository):
    git(shop, "symbolic-ref", RUN, MAIN)
    base = repo.resolve("main")
    repo.advance(RUN, landed(repo, base, changes(src__app_py=b"price = 2\n")), base)
    assert line(shop, "rev-parse", "main") == base


def test_a_branch_in_the_way_is_named(shop: Path, repo: Repository):
    git(shop, "branch", "autonomous")
    with pytest.raises(RefRefused, match=r"has no room.*'refs/heads/autonomous' exists.*Rename the branch"):
        repo.advance(RUN, repo.resolve("main"), None)


def test_a_stale_ref_lock_is_named_with_what_to_do(shop: Path, repo: Repository):
    base = repo.resolve("main")
    repo.advance(RUN, base, None)
    lock = shop / ".git" / "refs" / "heads" / "autonomous" / "run-1.lock"
    lock.touch()
    soon = (*repo.user.settings, "core.filesRefLockTimeout=10")
    repo = replace(repo, user=replace(repo.user, settings=soon))
    with pytest.raises(GitLocked) as locked:
        repo.advance(RUN, landed(repo, base, changes(src__app_py=b"2\n")), base)
    assert locked.value.place == str(lock)
    assert "delete the file." in str(locked.value)


@pytest.mark.parametrize("name", ["refs/heads/autonomous/run-1.lock", "packed-refs.lock", "index.lock"])
def test_a_lock_that_another_git_holds_for_a_while_is_waited_for(shop: Path, repo: Repository, name: str):
    """As `git gc` and `git commit` of a person hold them."""
    base = repo.resolve("main")
    repo.advance(RUN, base, None)
    git(shop, "pack-refs", "--all")
    lock = shop / ".git" / name
    lock.parent.mkdir(parents=True, exist_ok=True)
    lock.touch()
    threading.Timer(1.5, lock.unlink).start()
    new = landed(repo, base, changes(src__app_py=b"2\n"))
    assert repo.advance(RUN, new, base)
    repo.tag("autonomous/run-1/done", new, "done\n", NOON, ROBOT)
    assert repo.branch_head(RUN) == new


@pytest.fixture
def killing(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[str]]:
    """Kills the first `times` of the git commands that have one of these words, as an out-of-memory killer does."""

    def arm(words: str, times: int, leave: Path | None = None) -> list[str]:
        killed: list[str] = []
        talk = command._talk

        def talked(line: list[str], *arguments: object) -> Answer:
            verb = next((word for word in words.split() if word in line), None)
            if verb is None or len(killed) == times:
                return talk(line, *arguments)  # type: ignore[arg-type]
            killed.append(verb)
            if leave is not None:
                leave.touch()
            done = subprocess.run(["sh", "-c", "kill -9 $$"], check=False)
            return Answer(done.returncode, b"", "")

        monkeypatch.setattr(command, "_talk", talked)
        return killed

    return arm


def test_a_git_that_was_killed_is_started_again(repo: Repository, killing: Callable[..., list[str]]):
    base = repo.resolve("main")
    killed = killing("read-tree hash-object update-index write-tree commit-tree update-ref mktag", 2)
    new = landed(repo, base, changes(src__app_py=b"2\n"))
    assert killed == ["read-tree", "read-tree"]
    killed.clear()
    assert repo.advance(RUN, new, None)
    assert (len(killed), repo.branch_head(RUN)) == (2, new)


def test_the_lock_that_a_killed_git_of_ours_left_is_taken_away_and_no_older_one(
    shop: Path, repo: Repository, killing: Callable[..., list[str]]
):
    base = repo.resolve("main")
    repo.advance(RUN, base, None)
    repo = replace(repo, user=replace(repo.user, settings=(*repo.user.settings, "core.filesRefLockTimeout=10")))
    lock = shop / ".git" / "refs" / "heads" / "autonomous" / "run-1.lock"
    killing("update-ref", 1, leave=lock)
    new = landed(repo, base, changes(src__app_py=b"2\n"))
    assert repo.advance(RUN, new, base)

    lock.touch()
    os.utime(lock, (NOON, NOON))
    killing("update-ref", 1)
    with pytest.raises(GitLocked):
        repo.advance(RUN, landed(repo, new, changes(src__app_py=b"3\n")), new)
    assert lock.exists()


def test_a_git_that_is_killed_every_time_is_told_so(repo: Repository, killing: Callable[..., list[str]]):
    killing("commit-tree", 3)
    with pytest.raises(GitFailed, match=r"git commit-tree was ended by SIGKILL each time. See who kills it"):
        landed(repo, repo.resolve("main"), changes(src__app_py=b"2\n"))


def test_a_branch_that_somebody_has_checked_out_is_refused(shop: Path, repo: Repository, tmp_path: Path):
    repo.advance(RUN, repo.resolve("main"), None)
    repo.checkout_in_use(RUN)
    git(shop, "worktree", "add", "-q", "../look here", "autonomous/run-1")
    with pytest.raises(
        BranchInUse, match=r"look here: refs/heads/autonomous/run-1 is checked out here.*switch --detach"
    ):
        repo.checkout_in_use(RUN)
    shutil.rmtree(tmp_path / "look here")
    repo.checkout_in_use(RUN)
    with pytest.raises(BranchInUse):
        repo.checkout_in_use(MAIN)


def test_a_tag_is_annotated_and_may_be_set_again_only_to_the_same(shop: Path, repo: Repository):
    name = "autonomous/run-1/tier-T1/phase-store"
    commit = repo.resolve("main")
    for again in (name, f"refs/tags/{name}"):
        repo.tag(again, commit, "green", NOON, Identity("auto<pack>\n", "autopack@localhost"))
    assert git(shop, "cat-file", "tag", name).decode() == (
        f"object {commit}\ntype commit\ntag {name}\ntagger auto pack <autopack@localhost> 1700000000 +0000\n\ngreen\n"
    )
    other = landed(repo, commit, changes(src__app_py=b"price = 2\n"))
    with pytest.raises(TagRefused, match="is there already and says something else"):
        repo.tag(name, other, "green", NOON, ROBOT)
    with pytest.raises(RefRefused):
        repo.tag("v1.0", commit, "mine", NOON, ROBOT)
    with pytest.raises(RefRefused):
        repo.tag(RUN, commit, "no tag", NOON, ROBOT)
    assert line(shop, "rev-parse", name + "^{commit}") == commit


# Worktrees --------------------------------------------------------------------------------------------------------


@pytest.fixture
def pool(tmp_path: Path, repo: Repository) -> Pool:
    return Pool(tmp_path / "home", repo, MAIN)


SHOP = {"README.md": b"Shop\n", "src/app.py": b"price = 1\n", "src/tax.py": b"rate = 19\n"}


def test_a_worktree_holds_the_commit_and_is_used_again(shop: Path, repo: Repository, pool: Pool):
    base = repo.resolve("main")
    second = landed(repo, base, changes(src__app_py=b"price = 2\n", src__tax_py=None, lib__tax_py=b"rate = 19\n"))
    worktree = pool.take(base)
    assert files_of(worktree.path) == SHOP
    pool.give_back(worktree)
    again = pool.take(second)
    assert again.path == worktree.path
    assert files_of(again.path) == {"README.md": b"Shop\n", "src/app.py": b"price = 2\n", "lib/tax.py": b"rate = 19\n"}
    assert git(again.path, "status", "--porcelain", "--branch") == b"## HEAD (no branch)\n"
    assert line(again.path, "rev-parse", "HEAD") == second
    assert pool.take(base).path != again.path


def test_version_tools_find_tags_and_base_but_not_our_own_tags(shop: Path, repo: Repository, tmp_path: Path):
    git(shop, "tag", "-a", "v1.2.0", "-m", "release")
    base = repo.resolve("main")
    second = landed(repo, base, changes(src__app_py=b"price = 2\n"))
    repo.tag("autonomous/run-1/tier-T1/phase-a", second, "green", NOON, ROBOT)
    with Pool(tmp_path / "home", repo, MAIN) as pool:
        path = pool.take(second).path
        assert line(path, "describe", "--tags") == f"v1.2.0-1-g{second[:7]}"
        assert line(path, "rev-parse", "main") == base


def test_what_a_step_does_to_git_stays_in_its_worktree(shop: Path, repo: Repository, pool: Pool, tmp_path: Path):
    base = repo.resolve("main")
    second = landed(repo, base, changes(src__app_py=b"price = 2\n"))
    user = files_of(shop), (shop / ".git" / "config").read_bytes(), git(shop, "for-each-ref")
    worktree = pool.take(second)
    git(worktree.path, "branch", "-f", "main", second)
    git(worktree.path, "tag", "mine")
    git(worktree.path, "config", "filter.evil.smudge", f"touch {tmp_path}/started; cat")
    git(worktree.path, "config", "core.fsmonitor", f"touch {tmp_path}/started; false")
    lay(
        worktree.path,
        {".git/hooks/post-checkout": b"#!/bin/sh\ntouch ../started\n", ".git/info/attributes": b"* filter=evil\n"},
    )
    (worktree.path / ".git/hooks/post-checkout").chmod(0o755)
    git(worktree.path, "commit", "-qm", "nobody asked", "--allow-empty")
    assert (files_of(shop), (shop / ".git" / "config").read_bytes(), git(shop, "for-each-ref")) == user
    (tmp_path / "started").unlink(missing_ok=True)
    pool.give_back(worktree)
    path = pool.take(base).path
    assert line(path, "rev-parse", "main") == base
    assert git(path, "tag") == b""
    assert b"evil" not in (path / ".git" / "config").read_bytes()
    assert not (tmp_path / "started").exists()


def _restore_times(path: Path, content: bytes) -> None:
    before = path.stat()
    path.write_bytes(content)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def _hide(tree: Path) -> None:
    git(tree, "update-index", "--assume-unchanged", "src/app.py")
    git(tree, "update-index", "--skip-worktree", "src/tax.py")
    lay(tree, {"src/app.py": b"price = 0\n", "src/tax.py": b"rate = 00\n"})


def _replace(path: Path, target: Path) -> None:
    shutil.rmtree(path)
    path.symlink_to(target)


DAMAGE: dict[str, Callable[[Path, Path], object]] = {
    "same size, same time": lambda tree, _: _restore_times(tree / "src/app.py", b"price = 7\n"),
    "hidden from the index": lambda tree, _: _hide(tree),
    "untracked and ignored": lambda tree, _: lay(tree, {".gitignore": b"*\n", "a/b.pyc": b"", "x": b"", "src/y": b""}),
    "deleted": lambda tree, _: shutil.rmtree(tree / "src"),
    "file turned folder": lambda tree, _: ((tree / "README.md").unlink(), lay(tree, {"README.md/x": b""})),
    "folder turned file": lambda tree, _: (shutil.rmtree(tree / "src"), lay(tree, {"src": b""})),
    "folder turned link": lambda tree, out: _replace(tree / "src", out),
    "file turned link": lambda tree, out: (
        (tree / "README.md").unlink(),
        (tree / "README.md").symlink_to(out / "app.py"),
    ),
    "link to a folder": lambda tree, out: (tree / "extra").symlink_to(out),
    "program": lambda tree, _: (tree / "README.md").chmod(0o755),
    "no .git": lambda tree, _: shutil.rmtree(tree / ".git"),
    ".git is a file": lambda tree, _: (shutil.rmtree(tree / ".git"), lay(tree, {".git": b"gitdir: /nowhere\n"})),
    ".git is a link": lambda tree, out: _replace(tree / ".git", out),
    "index.lock": lambda tree, _: lay(tree, {".git/index.lock": b""}),
    "no index": lambda tree, _: (tree / ".git/index").unlink(),
    "repository inside": lambda tree, _: project(tree / "inner"),
    "other commit": lambda tree, _: (git(tree, "rm", "-rqf", "src"), git(tree, "commit", "-qm", "gone")),
    "closed folder": lambda tree, _: (
        lay(tree, {"shut/in/x": b""}),
        (tree / "shut/in").chmod(0),
        (tree / "shut").chmod(0o500),
    ),
    "all gone": lambda tree, _: shutil.rmtree(tree),
    "itself a link": _replace,
    "our index lock": lambda tree, _: lay(tree.parent, {"index.lock": b""}),
    "our index broken": lambda tree, _: lay(tree.parent, {"index": b"DIRC nonsense"}),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("to", ["same commit", "next commit"])
def test_no_damage_survives_the_next_take(
    repo: Repository, pool: Pool, tmp_path: Path, damage: Callable[[Path, Path], object], to: str
):
    lay(tmp_path, {"outside/app.py": b"mine\n"})
    base = repo.resolve("main")
    worktree = pool.take(base)
    damage(worktree.path, tmp_path / "outside")
    pool.give_back(worktree)
    new = {"README.md": b"Shop 2\n", "src/app.py": b"price = 1\n", "extra/a.py": b"", "shut": b""}
    change = {**{name: FileChange(content) for name, content in new.items()}, "src/tax.py": FileChange(None)}
    again = pool.take(base if to == "same commit" else landed(repo, base, change))
    assert files_of(again.path) == (SHOP if to == "same commit" else new)
    assert git(again.path, "status", "--porcelain", "--ignored") == b""
    assert files_of(tmp_path / "outside") == {"app.py": b"mine\n"}


def test_what_setup_left_is_kept_for_the_same_setup_only(repo: Repository, pool: Pool):
    base = repo.resolve("main")
    worktree = pool.take(base, "lock-1")
    assert not worktree.is_set_up
    setup = {".venv/lib/a.py": b"", "src/x.egg-info/PKG": b"", "o[d]d *name/x": b"", "!bang": b"", "#hash ": b""}
    lay(worktree.path, {".gitignore": b"*\n", **setup})
    (worktree.path / ".gitignore").unlink()
    assert pool.keep(worktree, "lock-1") == ("!bang", "#hash ", ".venv/", "o[d]d *name/", "src/x.egg-info/")
    lay(worktree.path, {"junk": b"", "src/junk": b"", "src/app.py": b"", "odd *name/x": b"", ".venv2/x": b""})
    pool.give_back(worktree)
    moved = landed(repo, base, changes(src__app_py=b"price = 2\n", src__tax_py=None))
    again = pool.take(moved, "lock-1")
    assert again == Worktree(worktree.path, moved, is_set_up=True)
    assert files_of(again.path) == {**setup, "README.md": b"Shop\n", "src/app.py": b"price = 2\n"}
    pool.give_back(again)
    other = pool.take(base)
    assert other.path != again.path, "who needs no setup doesn't cost another one's"
    fresh = pool.take(base, "lock-2")
    assert (fresh.path, fresh.is_set_up, files_of(fresh.path)) == (again.path, False, SHOP)


def test_a_submodule_is_an_empty_folder_again(odd: Path, tmp_path: Path):
    repo = open_repository(odd)
    base = repo.resolve("main")
    lay(tmp_path, {"outside/lib/app.py": b"mine\n"})
    with Pool(tmp_path / "home", repo) as pool:
        worktree = pool.take(base)
        assert files_of(worktree.path)["out"] == "/etc"
        assert (worktree.path / "vendor/lib").is_dir()
        lay(worktree.path, {"vendor/lib/built.o": b"x", "vendor/lib/.git/config": b""})
        pool.give_back(worktree)
        worktree = pool.take(base)
        assert list((worktree.path / "vendor/lib").iterdir()) == []
        _replace(worktree.path / "vendor", tmp_path / "outside")
        pool.give_back(worktree)
        assert list((pool.take(base).path / "vendor/lib").iterdir()) == []
    assert files_of(tmp_path / "outside") == {"lib/app.py": b"mine\n"}


def test_no_filter_and_no_line_ending_of_the_users_configuration_is_applied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """A repository with LFS: its pointers stay pointers, whatever is installed for the person."""
    pointer = b"version https://git-lfs.github.com/spec/v1\nsize 9\n"
    shop = project(
        tmp_path / "shop", {".gitattributes": b"*.bin filter=lfs -text\n", "a.bin": pointer, "b.txt": b"1\n2\r\n"}
    )
    settings = (
        f'[core]\n autocrlf = true\n[filter "lfs"]\n smudge = "touch {tmp_path}/started; cat"\n required = true\n'
    )
    lay(tmp_path, {"person/.gitconfig": settings.encode()})
    monkeypatch.setenv("HOME", str(tmp_path / "person"))
    git(shop, "config", "filter.lfs.smudge", f"touch {tmp_path}/started; cat")
    repo = open_repository(shop)
    with Pool(tmp_path / "home", repo) as pool:
        files = files_of(pool.take(repo.resolve("main")).path)
    assert (files["a.bin"], files["b.txt"]) == (pointer, b"1\n2\r\n")
    assert not (tmp_path / "started").exists()


def test_a_commit_that_is_not_there_is_an_error_and_the_pool_lives_on(repo: Repository, pool: Pool):
    with pytest.raises(GitFailed):
        pool.take("1" * 40)
    assert files_of(pool.take(repo.resolve("main")).path) == SHOP


def test_threads_share_a_pool(repo: Repository, pool: Pool):
    base = repo.resolve("main")
    commits = [landed(repo, base, changes(src__app_py=b"%d\n" % number)) for number in range(4)]
    wrong: list[Path] = []

    def work(number: int) -> None:
        for _ in range(4):
            worktree = pool.take(commits[number])
            if (worktree.path / "src/app.py").read_bytes() != b"%d\n" % number:
                wrong.append(worktree.path)
            (worktree.path / "src/app.py").write_bytes(b"dirty\n")
            pool.give_back(worktree)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert len({pool.take(base).path for _ in range(4)}) == 4


def test_a_shallow_clone_of_clones_that_share_objects(shop: Path, tmp_path: Path):
    for number in (2, 3):
        lay(shop, {"README.md": b"Shop %d\n" % number})
        git(shop, "commit", "-qam", f"number {number}")
    git(tmp_path, "clone", "-q", "--depth=1", f"file://{shop}", "shallow")
    git(tmp_path, "clone", "-q", "--shared", "shallow", "second")
    git(tmp_path, "clone", "-q", "--shared", "second", "third")
    shutil.copy(tmp_path / "shallow/.git/shallow", tmp_path / "third/.git/shallow")
    repo = open_repository(tmp_path / "third")
    base = repo.resolve("HEAD")
    ours = landed(repo, base, changes(src__app_py=b"price = 2\n"))
    theirs = landed(repo, base, changes(src__tax_py=b"rate = 7\n"))
    assert isinstance(merge_tree_onto(repo, base, ours, theirs), Merged)
    assert carry(repo, base, ours, theirs) == merge_tree_onto(repo, base, ours, theirs)
    assert repo.read_trailers(ours) == {}
    assert only_foreign_commits(repo, base, ours, "run-1")
    assert not only_foreign_commits(repo, ours, theirs, "run-1")
    assert repo.advance(RUN, ours, None)
    with Pool(tmp_path / "home", repo, MAIN) as pool:
        path = pool.take(ours).path
        assert files_of(path)["src/app.py"] == b"price = 2\n"
        assert line(path, "log", "--format=%s") == "phase\nnumber 3"


def test_a_sha256_repository(tmp_path: Path):
    repo = open_repository(project(tmp_path / "shop", None, "--object-format=sha256"))
    base = repo.resolve("main")
    assert len(base) == 64
    ours = landed(repo, base, changes(src__app_py=b"price = 2\n"))
    theirs = landed(repo, base, changes(src__tax_py=None))
    assert isinstance(merge_tree_onto(repo, base, ours, theirs), Merged)
    assert repo.advance(RUN, ours, None)
    assert not repo.advance(RUN, theirs, None)
    repo.tag("autonomous/run-1/a", ours, "green", NOON, ROBOT)
    with Pool(tmp_path / "home", repo, MAIN) as pool:
        assert files_of(pool.take(theirs).path) == {"README.md": b"Shop\n", "src/app.py": b"price = 1\n"}


# What is left -----------------------------------------------------------------------------------------------------


def test_nothing_is_left_of_a_repository_and_a_pool_that_were_closed(shop: Path, tmp_path: Path):
    home = tmp_path / "home"
    with open_repository(shop, home=home) as repo, Pool(home, repo) as pool:
        pool.take(repo.resolve("main"))
        assert sweep(home) == (), "what is alive is not swept"
        assert len(list(home.glob("autopack-*"))) == 2
    assert list(home.glob("autopack-*")) == []


def test_what_a_killed_driver_left_is_swept(shop: Path, tmp_path: Path):
    home = tmp_path / "home"
    script = (
        "import os, sys\n"
        "from autopack.runners.git import Pool, open_repository\n"
        "repo = open_repository(sys.argv[1], home=sys.argv[2])\n"
        "pool = Pool(sys.argv[2], repo)\n"
        "path = pool.take(repo.resolve('main')).path\n"
        "os.mkdir(path / 'shut'); os.mkdir(path / 'shut' / 'in'); os.chmod(path / 'shut', 0)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, str(shop), str(home)], check=False)
    assert done.returncode == -9
    lay(home, {"somebody-elses/file": b""})
    left = tuple(sorted(path.name for path in home.glob("autopack-*")))
    assert len(left) == 2
    assert sweep(home) == left
    assert sorted(path.name for path in home.iterdir()) == [".sweep.lock", "somebody-elses"]
    assert sweep(tmp_path / "nowhere") == ()


def dig(folder: Path, levels: int = 3_000) -> None:
    """Folders in folders, deeper than any path can say, with a file in each."""
    at = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.close(os.open("f", os.O_CREAT | os.O_WRONLY, dir_fd=at))
        os.mkdir("d", dir_fd=at)
        below = os.open("d", os.O_RDONLY, dir_fd=at)
        os.close(at)
        at = below
    os.fchmod(at, 0)
    os.close(at)


def test_a_tree_deeper_than_any_path_is_removed(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    dig(tmp_path / "deep")
    (tmp_path / "kept").mkdir()
    (tmp_path / "deep" / "link").symlink_to(tmp_path / "kept")
    remove_tree(str(tmp_path / "deep"))
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    remove_tree(str(tmp_path / "deep"))


def test_a_worktree_that_was_dug_deep_is_used_again(shop: Path, tmp_path: Path):
    home = tmp_path / "home"
    with open_repository(shop, home=home) as repo, Pool(home, repo) as pool:
        worktree = pool.take(repo.resolve("main"))
        dig(worktree.path)
        pool.give_back(worktree)
        assert not (pool.take(repo.resolve("main")).path / "d").exists()
    assert list(home.glob("autopack-*")) == []


def test_what_refuses_to_go_is_left_and_the_end_goes_on(tmp_path: Path):
    home = tmp_path / "home"
    folder = Folder(str(home))
    stubborn = Path(folder.path, "in", "stubborn")
    lay(Path(folder.path), {"in/stubborn": b"", "in/other": b""})
    if subprocess.run(["chattr", "+i", str(stubborn)], check=False, capture_output=True).returncode:
        pytest.skip("this file system or user has no immutable files")
    try:
        folder.remove()
        launch._put_away(home)
        (left,) = (path for path in home.rglob("*") if path.is_file())
        assert left.name == "stubborn"
        with pytest.raises(OSError, match="not empty"):
            remove_tree(str(home))
    finally:
        for path in home.rglob("stubborn"):
            subprocess.run(["chattr", "-i", str(path)], check=True)


def snapshot(folder: Path) -> dict[str, tuple[bytes, int]]:
    """Every byte and time below it, but for what a run may write."""
    ours = (
        ".git/objects",
        ".git/refs/heads/autonomous",
        ".git/refs/tags/autonomous",
        ".git/logs/refs/heads/autonomous",
    )
    files = (path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return {
        name: (path.read_bytes(), path.stat().st_mtime_ns)
        for path in files
        if not (name := path.relative_to(folder).as_posix()).startswith(ours)
    }


HOOKS = (
    "pre-commit",
    "commit-msg",
    "post-commit",
    "post-checkout",
    "post-index-change",
    "reference-transaction",
    "post-rewrite",
)


def test_a_full_cycle_leaves_everything_of_the_user_as_it_was(shop: Path, tmp_path: Path):
    """REQ-1.2-2, REQ-1.2-3: checkout, index, stash, HEAD, configuration and the log of main, byte for byte."""
    lay(shop, {"src/app.py": b"stashed\n"})
    git(shop, "stash", "-q")
    lay(shop, {"src/app.py": b"staged\n", ".gitignore": b"*.log\n", "debug.log": b"ignored\n", "notes": b"untracked\n"})
    git(shop, "add", "src/app.py")
    lay(shop, {"src/app.py": b"edited\n"})
    (shop / "src/tax.py").unlink()
    for hook in HOOKS:
        lay(shop, {f".git/hooks/{hook}": f"#!/bin/sh\ntouch {tmp_path}/hook-{hook}\n".encode()})
        (shop / ".git/hooks" / hook).chmod(0o755)
    for key in ("core.fsmonitor", "diff.external", "gpg.program", "core.pager", "core.editor"):
        git(shop, "config", key, f"touch {tmp_path}/started; false")
    git(shop, "config", "commit.gpgSign", "true")
    git(shop, "config", "tag.gpgSign", "true")
    before = snapshot(shop)

    with open_repository(shop) as repo, Pool(tmp_path / "home", repo, MAIN) as pool:
        base = repo.resolve("main")
        protected = repo.refs((MAIN,))
        repo.list_files(base)
        repo.read_files(base)
        commit = landed(repo, base, changes(src__app_py=b"price = 2\n"))
        other = landed(repo, base, changes(src__tax_py=b"rate = 7\n"))
        repo.diff(base, commit)
        assert isinstance(merge_tree_onto(repo, base, commit, other), Merged)
        repo.checkout_in_use(RUN)
        worktree = pool.take(commit, "setup")
        pool.keep(worktree, "setup")
        pool.give_back(worktree)
        pool.take(other, "setup")
        assert repo.advance(RUN, base, None)
        assert repo.advance(RUN, commit, base)
        repo.tag("autonomous/run-1/tier-T1/phase-a", commit, "green", NOON, ROBOT)
        assert repo.refs((MAIN,)) == protected

    assert snapshot(shop) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["home", "shop"]
    assert git(shop, "fsck", "--strict", "--no-dangling") == b""
    assert (
        line(shop, "reflog", "show", "autonomous/run-1", "--format=%gn %gs") == "autopack autopack\nautopack autopack"
    )
