"""Hooks that a commit of the user's would pass: refused, run or left out, as the ruleset says."""

from pathlib import Path

import pytest

from tests.end_to_end.answers import reply, whole_file
from tests.end_to_end.scratch import Ended, Project, cassette, hello, quick_ci, record

ONE = """\
autopack: playbook/v1
name: one
tiers:
  - id: T1
    phases:
      - {id: one, name: "feat: one", category: docs, goal: "Add one.", scope: {write: [src/hello/one.py]}}
"""
RULES = """\
autopack: ruleset/v1
name: house
extends: builtin:default
landing: {hooks: %s}
"""
NO_TABS = """\
#!/bin/sh
git diff --cached --name-only > seen-by-hook
if git diff --cached | grep -q "^+.*\t"; then echo "one.py: tabs are not ours"; exit 1; fi
"""
FEAT_ONLY = """\
#!/bin/sh
grep -q "^feat: " "$1" || { echo "say feat:"; exit 1; }
"""
FORMATTER = """\
#!/bin/sh
printf 'ONE = 1\\n' > src/hello/one.py
git add src/hello/one.py
"""
BAD, GOOD = "def one():\n\treturn 1\n", "def one():\n    return 1\n"


def _project(folder: Path, policy: str | None, *texts: str) -> Project:
    files = {"ci.yaml": quick_ci(), "playbooks/one.yaml": ONE}
    if policy is not None:
        files |= {"rules.yaml": RULES % policy}
    answers = [reply("one", whole_file("src/hello/one.py", text)) for text in texts]
    files["playbooks/one.cassette.jsonl"] = cassette(
        [record("one", "builder", number, text) for number, text in enumerate(answers, 1)]
    )
    project = hello(folder, files)
    if policy is not None:
        spec = project.root / "autopack.yaml"
        spec.write_text(spec.read_text().replace("builtin:default", "rules.yaml"))
    return project


def _hook(project: Project, name: str, text: str, folder: str = ".git/hooks") -> None:
    path = project.root / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)


def _run(project: Project) -> Ended:
    return project.autopack("run", "playbooks/one.yaml", "--run-id", "r1")


def test_by_default_a_repository_with_hooks_asks_for_a_decision_before_there_is_a_run(tmp_path: Path):
    project = _project(tmp_path, None, GOOD)
    _hook(project, "pre-commit", NO_TABS)
    _hook(project, "pre-push", "exit 1")
    ended = _run(project)
    assert (ended.code, ended.out) == (2, "")
    assert "has hooks that a run's commits would bypass: pre-commit; say in the ruleset" in ended.err
    assert not project.artifacts("r1").exists()


def test_samples_and_files_that_nobody_may_start_are_no_hooks(tmp_path: Path):
    project = _project(tmp_path, None, GOOD)
    _hook(project, "pre-commit.sample", NO_TABS)
    _hook(project, "commit-msg", FEAT_ONLY)
    (project.root / ".git/hooks/commit-msg").chmod(0o644)
    assert _run(project).code == 0


def test_a_hook_that_refuses_sends_its_words_to_the_builder(tmp_path: Path):
    project = _project(tmp_path, "run", BAD, GOOD)
    _hook(project, "pre-commit", NO_TABS)
    _hook(project, "commit-msg", FEAT_ONLY)
    before = project.snapshot()
    ended = _run(project)
    assert ended.code == 0, ended.err
    assert "one: EXECUTING, attempt 2 (failed: hooks)" in ended.err
    assert project.git("show", "autonomous/r1:src/hello/one.py") + "\n" == GOOD
    assert "seen-by-hook" not in project.git("ls-tree", "-r", "--name-only", "autonomous/r1")
    assert project.snapshot() == before


def test_a_hook_that_rewrites_what_it_is_given_is_told_apart_from_one_that_is_content(tmp_path: Path):
    project = _project(tmp_path, "run", GOOD, "ONE = 1\n")
    _hook(project, "pre-commit", FORMATTER)
    ended = _run(project)
    assert ended.code == 0, ended.err
    assert "attempt 2 (failed: hooks-kept)" in ended.err


@pytest.mark.parametrize("folder", [".husky", "outside"])
def test_hooks_are_found_where_the_configuration_puts_them(tmp_path: Path, folder: str):
    """Not tracked, beside a script that the hook reads; or somewhere else entirely."""
    project = _project(tmp_path, "run", BAD, GOOD)
    where = folder if folder == ".husky" else "../outside"
    _hook(project, "no-tabs", NO_TABS, where)
    _hook(project, "pre-commit", '#!/bin/sh\n. "$(dirname "$0")/no-tabs"\n', where)
    project.git("config", "core.hooksPath", folder if folder == ".husky" else str(tmp_path / "hello" / ".." / folder))
    ended = _run(project)
    assert ended.code == 0, ended.err
    assert "attempt 2 (failed: hooks)" in ended.err


def test_hooks_that_are_left_out_by_decision_are_not_run(tmp_path: Path):
    project = _project(tmp_path, "skip", BAD)
    _hook(project, "pre-commit", NO_TABS)
    assert _run(project).code == 0
