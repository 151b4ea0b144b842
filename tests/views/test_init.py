"""What `autopack init` writes for editors and CI."""

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from autopack.spec.load import check
from autopack.spec.schema import KINDS
from autopack.views.cli import init_


def init(folder: Path) -> str:
    command = [sys.executable, "-m", "autopack", "init", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_editors_learn_which_schema_explains_which_files(tmp_path: Path) -> None:
    init(tmp_path)
    schemas = json.loads((tmp_path / ".vscode/settings.json").read_text())["yaml.schemas"]
    assert list(schemas) == [f"./.autopack/schemas/{kind}.v1.schema.json" for kind in KINDS]
    assert all((tmp_path / path).is_file() for path in schemas)
    assert schemas["./.autopack/schemas/playbook.v1.schema.json"] == ["playbooks/*.yaml", "playbooks/*.yml"]


def test_each_written_file_names_its_schema(tmp_path: Path) -> None:
    init(tmp_path)
    for path in ("autopack.yaml", "playbooks/first.yaml"):
        first = (tmp_path / path).read_text().split("\n")[0]
        named = first.removeprefix("# yaml-language-server: $schema=")
        assert ((tmp_path / path).parent / named).is_file()


def test_settings_that_exist_are_never_overwritten(tmp_path: Path) -> None:
    settings = tmp_path / ".vscode/settings.json"
    settings.parent.mkdir()
    settings.write_text("mine\n")
    assert "kept    .vscode/settings.json (exists)" in init(tmp_path)
    assert settings.read_text() == "mine\n"


def test_the_workflow_and_the_hooks_validate_and_rehearse(tmp_path: Path) -> None:
    init(tmp_path)
    workflow = yaml.safe_load((tmp_path / ".github/workflows/autopack.yml").read_text())
    steps = workflow["jobs"]["validate"]["steps"]
    assert steps[-2:] == [{"run": "autopack validate"}, {"run": "autopack rehearse"}]
    hooks = yaml.safe_load((tmp_path / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["entry"] for hook in hooks] == ["autopack validate", "autopack rehearse"]


def install_step(folder: Path, *options: str) -> tuple[str, str]:
    """What the workflow installs from, and the script that does it."""
    command = [sys.executable, "-m", "autopack", "init", *options, str(folder)]
    subprocess.run(command, capture_output=True, check=True)
    job = yaml.safe_load((folder / ".github/workflows/autopack.yml").read_text())["jobs"]["validate"]
    return job["env"]["AUTOPACK"], next(step["run"] for step in job["steps"] if step.get("name") == "Install autopack")


def test_the_workflow_installs_what_it_is_told_to(tmp_path: Path) -> None:
    source, script = install_step(tmp_path, "--source", "git+https://host/owner/autopack@0123abc")
    assert source == "git+https://host/owner/autopack@0123abc"
    (tmp_path / "python").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "python").chmod(0o755)
    env = {"PATH": f"{tmp_path}:/usr/bin:/bin", "AUTOPACK": source}
    done = subprocess.run(["bash", "-e", "-c", script], env=env, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["-m", "pip", "install", "--quiet", source]


def test_a_workflow_that_nobody_told_where_autopack_is_says_so_and_installs_nothing(tmp_path: Path) -> None:
    """No package index holds one of that name that is ours: `pip install autopack` would run a stranger's code."""
    source, script = install_step(tmp_path)
    assert source == "${{ vars.AUTOPACK }}"
    env = {"PATH": "/usr/bin:/bin", "AUTOPACK": ""}
    done = subprocess.run(["bash", "-e", "-c", script], env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stdout.startswith("::error::set the repository variable AUTOPACK")


@pytest.mark.parametrize(
    ("told", "source"),
    [
        ({"url": "https://host/a", "vcs_info": {"vcs": "git", "commit_id": "0123"}}, "git+https://host/a@0123"),
        ({"url": "https://ann:word@host/a", "vcs_info": {"vcs": "git", "commit_id": "0123"}}, None),
        ({"url": "file:///a", "dir_info": {"editable": True}}, None),
    ],
)
def test_an_autopack_installed_from_a_commit_names_that_commit(
    monkeypatch: pytest.MonkeyPatch, told: dict[str, object], source: str | None
) -> None:
    class Installed:
        def read_text(self, name: str) -> str:
            assert name == "direct_url.json"
            return json.dumps(told)

    monkeypatch.setattr("importlib.metadata.distribution", lambda _: Installed())
    assert init_._installed_from() == source


def test_hooks_that_are_there_already_are_kept_and_ours_are_told(tmp_path: Path) -> None:
    hooks = tmp_path / ".pre-commit-config.yaml"
    hooks.write_text("repos:\n")
    said = init(tmp_path)
    kept = "kept    .pre-commit-config.yaml (exists)\nadd to the `repos:` of .pre-commit-config.yaml:\n"
    assert kept in said
    added = said.split(kept)[1].split("wrote ")[0]
    hooks.write_text(f"repos:\n{added}")
    entries = [hook["entry"] for hook in yaml.safe_load(hooks.read_text())["repos"][0]["hooks"]]
    assert entries == ["autopack validate", "autopack rehearse"]
    assert "add to" not in init(tmp_path)


def test_the_scenario_beside_the_first_playbook_comes_true(tmp_path: Path) -> None:
    init(tmp_path)
    command = [sys.executable, "-m", "autopack", "rehearse"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert done.stdout == "1 scenario as expected (8 moves of phases)\n"


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("shop", "shop"),
        ("null", "project-null"),
        ("true", "project-true"),
        ("日本", "project"),
        ("42", "project-42"),
        ("it's $HOME", "it-s-HOME"),
        ("x.lock", "project-x.lock"),
        ("n" * 200, "n" * 48),
        ("a\nb", "a-b"),
    ],
)
def test_a_folder_of_any_name_becomes_a_project_that_validates(tmp_path: Path, folder: str, name: str) -> None:
    init(tmp_path / folder)
    assert f"\nname: {name}\n" in (tmp_path / folder / "autopack.yaml").read_text()
    assert check(str(tmp_path / folder)).problems == []


def test_a_link_that_leads_nowhere_is_kept(tmp_path: Path) -> None:
    (tmp_path / ".vscode").mkdir()
    (tmp_path / ".vscode/settings.json").symlink_to(tmp_path / "nowhere")
    assert "kept    .vscode/settings.json (exists)" in init(tmp_path)
    assert not (tmp_path / "nowhere").exists()


def test_in_a_part_of_a_repository_workflow_and_hooks_are_for_that_part(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    init(tmp_path / "our shop")
    workflow = yaml.safe_load((tmp_path / "our shop/.github/workflows/autopack.yml").read_text())
    assert workflow["defaults"] == {"run": {"working-directory": "our shop"}}
    hooks = yaml.safe_load((tmp_path / "our shop/.pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    assert [hook["files"] for hook in hooks] == [r"^our\ shop/.*\.ya?ml$"] * 2
    entries = [shlex.split(hook["entry"]) for hook in hooks]
    assert entries == [["autopack", "validate", "our shop"], ["autopack", "rehearse", "our shop/scenarios"]]
    for entry in entries:
        subprocess.run([sys.executable, "-m", *entry], cwd=tmp_path, check=True, capture_output=True)


def test_the_hooks_leave_alone_what_is_somebody_else_s(tmp_path: Path) -> None:
    init(tmp_path)
    (tmp_path / "models").mkdir()
    (tmp_path / "models/dbt.yml").write_text("version: 2\n")
    ours = yaml.safe_load((Path(__file__).parents[2] / ".pre-commit-hooks.yaml").read_text())
    written = yaml.safe_load((tmp_path / ".pre-commit-config.yaml").read_text())["repos"][0]["hooks"]
    for hook in (*ours, *written):
        assert hook["pass_filenames"] is False
        assert all(re.search(hook["files"], name) for name in ("ci.yaml", "rulesets/house.yml", "a/b/c.yaml"))
        command = [sys.executable, "-m", *shlex.split(hook["entry"])]
        assert subprocess.run(command, cwd=tmp_path, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize(
    ("branches", "base"),
    [
        (["trunk"], "trunk"),
        (["main"], None),
        (["main", "feature/x"], None),
        (["master", "feature/x"], "master"),
        (["1.0"], "1.0"),
    ],
)
def test_a_repository_without_a_main_is_built_on_the_branch_it_has(
    tmp_path: Path, branches: list[str], base: str | None
) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q", "-b", branches[0]], check=True)
    for branch in branches[1:]:  # else the first is still unborn
        subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "x"], check=True)
        subprocess.run([*git, "switch", "-q", "-c", branch], check=True)
    init(tmp_path)
    checked = check(str(tmp_path))
    assert checked.problems == []
    project = checked.documents["autopack.yaml"].value
    assert project.get("base_branch") == base
    assert project.get("protected_branches") == (base and list(dict.fromkeys([base, "main", "master", "release/*"])))


def test_a_file_where_a_folder_is_needed_is_named(tmp_path: Path) -> None:
    (tmp_path / "playbooks").write_text("")
    command = [sys.executable, "-m", "autopack", "init", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = "is a file where a folder is needed; move it away, or name another folder"
    assert (done.returncode, done.stderr) == (2, f"autopack init: {tmp_path}/playbooks {said}\n")


def test_in_a_part_of_a_repository_it_says_where_github_looks(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    assert f"note: GitHub and pre-commit look for their files in {tmp_path}: move them there" in init(tmp_path / "shop")
    assert "note:" not in init(tmp_path)
