"""Waivers of findings that only a compile can have."""

import shutil
import subprocess
import sys
from pathlib import Path

HELLO = Path(__file__).parents[2] / "examples" / "hello"
BUDGET = "budget: {tokens: 1_000_000}"
GOOD = "until=2999-01-31 owner=ann reason=it may stop"


def planned(folder: Path, behind: str, budget: str = BUDGET) -> tuple[int, str]:
    """Exit code and findings of `plan` for the example with a budget and something behind it."""
    shutil.copytree(HELLO, folder / "hello", ignore=shutil.ignore_patterns("__pycache__"))
    file = folder / "hello" / "playbooks" / "languages.yaml"
    lines = file.read_text().split("\n")
    (line,) = (number for number, text in enumerate(lines) if text.startswith("budget:"))
    lines[line] = f"{budget}  {behind}"
    file.write_text("\n".join(lines))
    argv = [sys.executable, "-m", "autopack", "plan", "playbooks/languages.yaml"]
    done = subprocess.run(argv, cwd=folder / "hello", capture_output=True, text=True, check=False)
    return done.returncode, done.stderr


def test_a_warning_of_the_compiler_is_told_and_can_be_waived_where_it_stands(tmp_path: Path):
    code, told = planned(tmp_path / "a", "")
    assert code == 0
    assert "warning[AP6005]" in told
    assert planned(tmp_path / "b", f"# autopack: ignore[AP6005] {GOOD}") == (0, "")


def test_a_waiver_that_silences_nothing_of_the_compiler_is_unused_there(tmp_path: Path):
    code, told = planned(tmp_path, f"# autopack: ignore[AP6005] {GOOD}", budget=BUDGET.replace("1_", "4_"))
    assert code == 0
    assert told.startswith("playbooks/languages.yaml:5:49: warning[AP5902]: nothing on line 5 is an AP6005\n")
