"""`validate --fix`: what it changes, what it leaves, and that it never makes anything worse."""

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from autopack.problem import Fix, Span
from autopack.spec.edits import Overlap, edited
from autopack.spec.load import check
from autopack.views import fixing, rewrite
from autopack.views.rewrite import Change, Moved, write

TODAY = "2026-11-22"
GOOD = """\
# who may do what  (kept)
autopack: playbook/v1
name: demo      # two blanks before this comment
inputs: {service: {type: string, default: orders}}
tiers:
  - id: storage
    phases:
      - id: bucket
        goal: "Add it to {{ inputs.service }}."
        category: docs
        complexity: medium
        scope: {write: ["docs/**"]}
        deliverables: [docs/a.md]
      - {id: refill, goal: 'Refill it.', category: tests, needs: [bucket], scope: {write: [tests/**]}}   # flow
"""
SLIPS = {
    "autopack: playbook/v1": [
        "autopack: playbok/v1",
        "autopack: playbook",
        "autopack: playbook/1",
        "autpack: playbook/v1",
    ],
    "name: demo": ["naem: demo"],
    "type: string": ["type: strng"],
    "complexity: medium": ["complexity: medum", "complexty: medium"],
    "category: docs": ["categroy: docs", "category: doc"],
    "deliverables": ["deliverable", "delivrables"],
    '"Add it to {{ inputs.service }}."': [
        '"Add it to {{ inputs.servce }}."',
        "{{ inputs.service }}",
        "{{ inputs.service }}.",
    ],
    "needs: [bucket]": ["needs: [buckte]"],
    "'Refill it.'": ["12"],
}
settings.register_profile(
    "fix",
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def fixed(folder: Path, text: str) -> fixing.Fixed:
    (folder / "p.yaml").write_bytes(text.encode())
    return fixing.fixed(str(folder), ["p.yaml"], TODAY, lambda _: True)


def after(folder: Path, text: str) -> str:
    changes = fixed(folder, text).changes
    return changes[0].after.decode() if changes else text


@pytest.mark.parametrize(("right", "wrong"), [(right, wrong) for right, several in SLIPS.items() for wrong in several])
def test_a_single_slip_is_put_right_and_nothing_else_is_touched(tmp_path: Path, right: str, wrong: str):
    done = fixed(tmp_path, GOOD.replace(right, wrong, 1))
    assert done.left.problems == []
    wanted = {"12": '"12"', "{{ inputs.service }}": '"{{ inputs.service }}"'}.get(wrong, right)
    wanted = '"{{ inputs.service }}."' if wrong == "{{ inputs.service }}." else wanted
    assert done.changes[0].after.decode() == GOOD.replace(right, wanted, 1)


def test_a_missing_header_is_written_where_a_key_tells_the_kind(tmp_path: Path):
    assert after(tmp_path, GOOD.replace("autopack: playbook/v1\n", "")) == GOOD


@pytest.mark.parametrize(
    "text",
    [
        GOOD,
        GOOD.replace("playbook/v1", "playbook/v2"),  # written for another version
        GOOD.replace("needs: [bucket]", "needs: [b]"),  # resembles nothing
        GOOD.replace("id: bucket", "id: store1").replace("id: refill", "id: store2").replace("[bucket]", "[store3]"),
        GOOD.replace("needs: [bucket]", "needs: [refil]"),  # the nearest is the phase itself: a worse fault
        GOOD.replace("id: storage", "id: 12"),  # in quotes it would be a text, and no id
        "name: x\n",  # might be anything
    ],
)
def test_what_is_right_or_not_certain_is_left_alone(tmp_path: Path, text: str):
    assert fixed(tmp_path, text).changes == []


def test_a_byte_order_mark_and_windows_line_breaks_stay(tmp_path: Path):
    text = "\ufeff" + GOOD.replace("autopack: playbook/v1\n", "").replace("complexity", "complexty").replace(
        "\n", "\r\n"
    )
    assert after(tmp_path, text) == "\ufeff" + GOOD.replace("\n", "\r\n")


@settings(settings.get_profile("fix"))
@given(st.lists(st.sampled_from([(right, wrong) for right, several in SLIPS.items() for wrong in several]), max_size=4))
def test_every_fix_settles_its_finding_and_makes_none(tmp_path: Path, slips: list[tuple[str, str]]):
    text = GOOD
    for right, wrong in slips:
        text = text.replace(right, wrong, 1)
    done = fixed(tmp_path, text)
    rewrite.write(done.changes)
    again = check(str(tmp_path), ["p.yaml"], today=TODAY)
    assert again.problems == done.left.problems
    assert [line.partition("#")[2] for line in (tmp_path / "p.yaml").read_text().split("\n") if "#" in line] == [
        " who may do what  (kept)",
        " two blanks before this comment",
        " flow",
    ]
    assert fixed(tmp_path, (tmp_path / "p.yaml").read_text()).changes == []
    if not any(found.code.startswith("AP1") for found in done.settled):
        (tmp_path / "p.yaml").write_bytes(text.encode())
        before = check(str(tmp_path), ["p.yaml"], today=TODAY).problems
        assert not Counter(p.message for p in again.problems) - Counter(p.message for p in before)


def run(folder: Path, *arguments: str) -> tuple[int, str, str]:
    env = {**os.environ, "XDG_CACHE_HOME": str(folder / ".cache")}
    done = subprocess.run(
        [sys.executable, "-m", "autopack", *arguments], cwd=folder, env=env, capture_output=True, text=True, check=False
    )
    return done.returncode, done.stdout, done.stderr


def test_diff_shows_and_fix_writes(tmp_path: Path):
    (tmp_path / "p.yaml").write_text(GOOD.replace("complexity: medium", "complexty: medium"))
    shown = """\
--- a/p.yaml
+++ b/p.yaml
@@ -8,7 +8,7 @@
       - id: bucket
         goal: "Add it to {{ inputs.service }}."
         category: docs
-        complexty: medium
+        complexity: medium
         scope: {write: ["docs/**"]}
         deliverables: [docs/a.md]
       - {id: refill, goal: 'Refill it.', category: tests, needs: [bucket], scope: {write: [tests/**]}}   # flow
"""
    assert run(tmp_path, "validate", "--diff", "p.yaml") == (1, shown, "--fix would settle 1 finding in 1 file\n")
    assert "complexty" in (tmp_path / "p.yaml").read_text()
    code, out, err = run(tmp_path, "validate", "--fix", "p.yaml")
    assert (code, out, err) == (
        0,
        "no findings in 1 file\nnot checked: model reachability\n",
        "settled 1 finding in 1 file\n",
    )
    assert (tmp_path / "p.yaml").read_text() == GOOD
    assert run(tmp_path, "validate", "--diff", "p.yaml") == (0, "", "--fix would settle 0 findings in 0 files\n")


def test_standard_input_is_not_fixed(tmp_path: Path):
    code, _, err = run(tmp_path, "validate", "--fix", "-")
    assert code == 2
    assert "standard input can't be fixed in place; name files or folders" in err


def test_replacements_that_want_the_same_place_are_refused():
    one, other = Fix(Span("p", 1, 1, 1, 4), "x"), Fix(Span("p", 1, 3, 1, 5), "y")
    with pytest.raises(Overlap):
        edited(b"abcdef", [one, other])
    assert edited("äbcdef\r\nx".encode(), [one, Fix(Span("p", 2, 1, 2, 1), "z\n")]) == b"xdef\r\nz\r\nx"


def test_a_file_that_somebody_changes_meanwhile_is_theirs_and_nothing_is_written(tmp_path: Path):
    one, other = tmp_path / "a.yaml", tmp_path / "b.yaml"
    changes = [Change(file.name, str(file), b"old", b"new") for file in (one, other)]
    one.write_bytes(b"old")
    other.write_bytes(b"theirs")
    with pytest.raises(Moved, match=r"b\.yaml"):
        write(changes)
    assert (one.read_bytes(), other.read_bytes()) == (b"old", b"theirs")


def test_a_file_that_is_marked_as_read_only_stays(tmp_path: Path):
    file = tmp_path / "p.yaml"
    file.write_text(GOOD.replace("complexity: medium", "complexty: medium"))
    file.chmod(0o444)
    assert run(tmp_path, "validate", "--fix", "p.yaml") == (
        2,
        "",
        "autopack validate: p.yaml cannot be written: it is read-only\n",
    )
    assert run(tmp_path, "fmt", "p.yaml")[0] == 0  # nothing to write
    assert "complexty" in file.read_text()


def test_fixing_what_is_fixed_changes_nothing_also_where_two_slips_share_a_line(tmp_path: Path):
    file = tmp_path / "p.yaml"
    file.write_text(
        GOOD.replace("id: refill, goal:", "idd: refill, gaol:").replace("category: tests", "categry: tests")
    )
    assert run(tmp_path, "validate", "--fix", "p.yaml")[0] == 0
    assert file.read_text() == GOOD
    assert run(tmp_path, "validate", "--fix", "p.yaml")[2] == "settled 0 findings in 0 files\n"
