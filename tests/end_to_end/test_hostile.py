"""Replies that want out of their scope: each is refused, changes nothing, and a good reply after it still lands.

The whole machine: real git, real gate, real CI, a cassette in place of the model.
"""

from pathlib import Path

import pytest

from tests.end_to_end.answers import reply
from tests.end_to_end.scratch import Project, cassette, hello, quick_ci, record

PLAYBOOK = """\
autopack: playbook/v1
name: note
tiers:
  - id: T1
    phases:
      - id: note
        category: feature_scaffolding
        goal: Add a note.
        scope: {write: ["src/hello/note.py", "src/hello/data/**"], read: ["src/**"]}
        deliverables: [src/hello/note.py]
"""


def whole(path: str, text: str) -> str:
    return f"`{path}`\n\n````\n{text}\n````\n"


GOOD = reply("a note", whole("src/hello/note.py", 'NOTE = "a note"'))
SECRET = "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"

HOSTILE = {
    "out of the repository": ("scope", whole("../evil.py", "x = 1")),
    "an absolute path": ("scope", whole("/etc/evil", "x = 1")),
    "hidden by dots": ("scope", whole("src/hello/data/../../../evil.py", "x = 1")),
    "out of scope": ("scope", whole("tests/test_evil.py", "x = 1")),
    "into .git": ("scope", whole(".git/hooks/post-checkout", "touch /tmp/evil")),
    "into .git by another name": ("scope", whole("src/hello/data/.GIT/config", "x = 1")),
    "into .git as a file system may read it": ("scope", whole("src/hello/data/git~1/config", "x = 1")),
    "an unseen rules file": ("scope", whole("autopack.yaml", "autopack: project/v1\nname: evil")),
    "deleting another file": ("scope", "DELETE: src/hello/greeting.py\n"),
    "renaming a file away": ("scope", "RENAME: src/hello/greeting.py -> src/hello/data/g.py\n"),
    "a credential file": ("protected", whole("src/hello/data/.env", "TOKEN=1")),
    "a look-alike name": ("scope", whole("src/hello/n\u043ete.py", "x = 1")),
    "a name that differs in case": (
        "scope",
        whole("src/hello/data/A.py", "x = 1") + whole("src/hello/data/a.py", "x = 1"),
    ),
    "a name with a control character": ("scope", whole("src/hello/data/a\u202eb.py", "x = 1")),
    "a secret": ("secret", whole("src/hello/note.py", f'TOKEN = "{SECRET}"')),
    "a placeholder": ("placeholder", whole("src/hello/note.py", "NOTE = 1\n# ... rest of the code unchanged ...")),
    "a marker inside": ("conflict_marker", whole("src/hello/note.py", "NOTE = 1\n<<<<<<< HEAD\nx = 1")),
    "NUL bytes": ("binary", whole("src/hello/note.py", "NOTE = '\0'")),
    "a line of 5 MB": ("limit", whole("src/hello/note.py", "NOTE = '" + "x" * 5_000_000 + "'")),
    "nothing at all": ("no_op", "I would rather not."),
    "a link as a mode": (
        "format_error",
        "```diff\n--- /dev/null\n+++ b/src/hello/data/link\nnew file mode 120000\n@@ -0,0 +1 @@\n+../../../.git\n```\n",
    ),
}


def _refused(project: Project, run_id: str) -> list[str]:
    return [event["kind"] for event in project.events(run_id, "PatchRefused")]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return hello(tmp_path_factory.mktemp("hostile"), {"ci.yaml": quick_ci(), "playbooks/note.yaml": PLAYBOOK})


@pytest.mark.parametrize("case", HOSTILE)
def test_nothing_outside_the_scope_changes_and_a_good_reply_still_lands(project: Project, case: str) -> None:
    """REQ-3.4-2, REQ-3.4-3, REQ-1.2-3, REQ-2.2-5"""
    kind, hostile = HOSTILE[case]
    run_id = f"h{list(HOSTILE).index(case)}"
    tape = project.places / f"{run_id}.jsonl"
    tape.parent.mkdir(parents=True, exist_ok=True)
    rows = [record("note", "builder", 1, reply("evil", hostile)), record("note", "builder", 2, GOOD)]
    tape.write_text(cassette(rows), encoding="utf-8")
    before = project.snapshot()
    ended = project.autopack("run", "playbooks/note.yaml", "--run-id", run_id, "--json", "--replay", str(tape))
    assert ended.code == 0, ended.err + ended.out
    assert ended.json["phases"][0]["attempts"] == 2, ended.out
    assert _refused(project, run_id) == [kind]
    landed = project.git("diff", "--name-only", "main", f"autonomous/{run_id}").splitlines()
    assert [path for path in landed if not path.startswith(".autopack/")] == ["src/hello/note.py"]
    assert project.git("show", f"autonomous/{run_id}:src/hello/note.py") == 'NOTE = "a note"'
    assert project.snapshot() == before
    assert not Path("/etc/evil").exists()
    assert not (project.root.parent / "evil.py").exists()
