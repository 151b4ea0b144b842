"""Somebody collects garbage in the repository while a run is under way: no ref holds a candidate before it lands."""

from pathlib import Path

from tests.end_to_end.scratch import PLAYBOOK, hello, quick_ci

PRUNE = """\
import pathlib, subprocess
subprocess.run(["git", "-C", {root!r}, "gc", "-q", "--prune=now"])
"""


def test_a_candidate_that_git_gc_takes_away_is_made_again_to_the_letter(tmp_path: Path):
    """Each CI run ends with the candidate pruned: review, landing and the next rebase still find it.

    One phase at a time: what git itself loses when it prunes in the very instant of another phase's landing is git's.
    """
    ci = quick_ci("python", "-S", "-c", PRUNE.format(root=str(tmp_path / "pruned" / "hello")))
    pruned = hello(tmp_path / "pruned", {"ci.yaml": ci})
    ended = pruned.autopack("run", PLAYBOOK, "--run-id", "one", "--jobs", "1", "--json")
    assert ended.code == 0, ended.err
    assert ended.json["model_calls"] == 5
    assert len(pruned.commits("one")) == 4
    assert pruned.autopack("verify", "one").code == 0
    assert [ref for ref in pruned.git("for-each-ref", "--format=%(refname)").split() if "autonomous" not in ref] == [
        "refs/heads/main"
    ]
