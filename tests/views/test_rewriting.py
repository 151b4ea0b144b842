"""`fmt` and `migrate` on the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

UGLY = "name: x\nautopack: ci/v1\nprofiles:\n    normal: {steps: [{id: u, run: [make], timeout_s: 9}]}   # one\n"
NEAT = "autopack: ci/v1\nname: x\nprofiles:\n  normal: {steps: [{id: u, run: [make], timeout_s: 9}]}   # one\n"
DIFF = """\
--- a/ci.yaml
+++ b/ci.yaml
@@ -1,4 +1,4 @@
+autopack: ci/v1
 name: x
-autopack: ci/v1
 profiles:
-    normal: {steps: [{id: u, run: [make], timeout_s: 9}]}   # one
+  normal: {steps: [{id: u, run: [make], timeout_s: 9}]}   # one
"""
OLD = "autopack: playbook/v0\ntitle: x  # the name\ntiers: []\n"


def run(folder: Path, *arguments: str, stdin: str = "") -> tuple[int, str, str]:
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / ".cache")}
    argv = [sys.executable, "-m", "autopack", *arguments]
    done = subprocess.run(argv, cwd=folder, env=env, input=stdin, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_check_and_diff_only_look_and_fmt_writes(tmp_path: Path):
    file = tmp_path / "ci.yaml"
    file.write_text(UGLY)
    file.chmod(0o640)
    told = "1 of 1 files to change, 0 as they should be\n"
    assert run(tmp_path, "fmt", "--check", "ci.yaml") == (1, "would change ci.yaml\n", told)
    assert run(tmp_path, "fmt", "--diff", ".") == (1, DIFF, told)
    assert file.read_text() == UGLY
    assert run(tmp_path, "fmt", "ci.yaml") == (0, "changed ci.yaml\n", "1 of 1 files changed, 0 as they should be\n")
    assert file.read_text() == NEAT
    assert file.stat().st_mode & 0o777 == 0o640
    assert run(tmp_path, "fmt", "--check", "ci.yaml") == (0, "", "0 of 1 files to change, 1 as they should be\n")


def test_json_lists_every_file_and_says_why_one_was_left(tmp_path: Path):
    (tmp_path / "a.yaml").write_text(UGLY)
    (tmp_path / "b.yaml").write_text("autopack: ci/v1\nname: [\n")
    code, out, _ = run(tmp_path, "fmt", "--json", "--diff", "a.yaml", "b.yaml")
    assert code == 1
    assert json.loads(out) == {
        "format_version": 1,
        "written": False,
        "files": [
            {"path": "a.yaml", "changed": True, "reason": None},
            {"path": "b.yaml", "changed": False, "reason": "has errors; see `autopack validate b.yaml`"},
        ],
        "diff": DIFF.replace("ci.yaml", "a.yaml"),
    }


def test_standard_input_comes_out_formatted(tmp_path: Path):
    assert run(tmp_path, "fmt", "-", stdin=UGLY) == (0, NEAT, "")
    assert run(tmp_path, "fmt", "-", stdin="a: [") == (
        1,
        "",
        "autopack fmt: standard input has errors; see `autopack validate <stdin>`\n",
    )


def test_a_missing_file_is_told(tmp_path: Path):
    (tmp_path / "ci.yaml").write_text(NEAT)
    code, out, err = run(tmp_path, "fmt", "ci.yaml", "none.yaml")
    assert (code, out) == (1, "")
    assert err.splitlines() == [
        "autopack fmt: none.yaml does not exist",
        "0 of 1 files changed, 1 as they should be",
    ]


def test_migrate_writes_the_newest_version(tmp_path: Path):
    (tmp_path / "p.yaml").write_text(OLD)
    assert run(tmp_path, "migrate", "p.yaml")[:2] == (0, "changed p.yaml\n")
    assert (tmp_path / "p.yaml").read_text() == "autopack: playbook/v1\nname: x  # the name\ntiers: []\n"
    assert run(tmp_path, "migrate", "--check", "p.yaml")[0] == 0


def test_migrate_says_where_no_way_leads(tmp_path: Path):
    (tmp_path / "p.yaml").write_text(OLD.replace("playbook", "ci"))
    code, out, err = run(tmp_path, "migrate", "p.yaml")
    assert (code, out) == (1, "")
    assert err.startswith("p.yaml is left as it is: nothing leads from ci/v0 to v1\n")


@pytest.mark.parametrize("verb", ["fmt", "migrate"])
def test_a_link_stays_a_link(tmp_path: Path, verb: str):
    real = tmp_path / "real.yaml"
    real.write_text(UGLY if verb == "fmt" else OLD)
    (tmp_path / "link.yaml").symlink_to(real)
    assert run(tmp_path, verb, "link.yaml")[0] == 0
    assert (tmp_path / "link.yaml").is_symlink()
    assert real.read_text() == (NEAT if verb == "fmt" else OLD.replace("v0", "v1").replace("title", "name"))
