"""What people see: for every code a file or a project, and the full text of what a command says of it.

`CODE.yaml` is a file that is checked by itself, `CODE/` a project. Where checking files does not give the code, since
it comes from the compiler, the lock, a rehearsal or a run, `CODE.out` begins with the command: `$ autopack plan
limits.yaml`, which is run in a copy of `CODE/`; its exit code, where it isn't 0, is the last line.

`make golden` writes the answers anew (it sets AUTOPACK_REWRITE_GOLDEN); read the difference before you commit it.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from autopack.problem import CODES
from autopack.problem.report import render
from autopack.spec.load import check

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TODAY = "2026-11-22"
HEAD = "autopack: playbook/v1\nname: x\nmeta:\n"
# Too large to keep; the answers are kept all the same.
MADE = {
    "AP1013": lambda: HEAD + "  text: " + "x" * 11_000_000 + "\n",
    "AP1024": lambda: HEAD + "  again: 1\n" * 1100,
    "AP1026": lambda: HEAD + "  list: [" + "1, " * 600_000 + "]\n",
}
COMMAND = "$ autopack "
BESIDE = {  # what can't be without another one
    "AP1024": {"AP1005"},
    "AP6103": {"AP8001"},  # a run's words, which a rehearsal repeats
}


def answer(folder: Path, name: str) -> tuple[str, set[str]]:
    """Of a check of files."""
    found = check(str(folder), None if folder.name == Path(name).stem else [name], today=TODAY)
    sources = {path: document.text for path, document in found.documents.items()}
    for problem in found.problems:
        if problem.span and problem.span.path not in sources and (folder / problem.span.path).is_file():
            sources[problem.span.path] = (folder / problem.span.path).read_bytes().decode("utf-8", "replace")
    text = render(found.problems, sources, "full", color=False, files=len(found.files))
    return text, {problem.code for problem in found.problems}


def transcript(folder: Path, command: str) -> tuple[str, set[str]]:
    """Of any command: itself, what it prints, and how it ends."""
    done = subprocess.run(
        [sys.executable, "-m", "autopack", *shlex.split(command)],
        cwd=folder,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "HOME": str(folder.parent)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    ended = f"exit {done.returncode}\n" if done.returncode else ""
    said = f"{COMMAND}{command}\n{done.stdout.rstrip()}\n{ended}"
    return said, set(re.findall(r"\[(AP\d{4})\]", said))


def asked(code: str, folder: Path) -> tuple[str, set[str]]:
    approved = HERE / f"{code}.out"
    if approved.exists() and (begins := approved.read_text(encoding="utf-8")).startswith(COMMAND):
        project = shutil.copytree(HERE / code, folder / "project")
        return transcript(project, begins.splitlines()[0].removeprefix(COMMAND))
    if code in MADE:
        (folder / f"{code}.yaml").write_text(MADE[code](), encoding="utf-8")
        text, codes = answer(folder, f"{code}.yaml")
        return "\n".join(text.splitlines()[-20:]) + "\n", codes  # of a thousand findings the last
    around = HERE / code
    return answer(around if around.is_dir() else HERE, f"{code}.yaml")


@pytest.mark.parametrize("code", CODES)
def test_the_findings_of_a_code_read_as_they_were_approved(tmp_path: Path, code: str) -> None:
    text, codes = asked(code, tmp_path)
    approved = HERE / f"{code}.out"
    if os.environ.get("AUTOPACK_REWRITE_GOLDEN"):
        approved.write_text(text, encoding="utf-8")
    assert code in codes
    assert codes <= {code, *BESIDE.get(code, ())}
    assert text == approved.read_text(encoding="utf-8")


def test_every_code_has_a_pair_and_no_pair_is_left_over() -> None:
    assert {file.stem for file in HERE.glob("*.out")} == CODES.keys()
    sources = {file.stem for file in HERE.iterdir() if file.is_dir() or file.suffix == ".yaml"} - {"__pycache__"}
    assert sources == CODES.keys() - MADE.keys()


def test_every_finding_ends_with_what_to_do_next() -> None:
    for code in CODES:
        blocks = (HERE / f"{code}.out").read_text(encoding="utf-8").split("\n\n")
        headed = [block for block in blocks if re.search(r"^\S+: \w+\[AP\d+\]: ", block, re.MULTILINE)]
        assert [block for block in headed if " help: " not in block] == [], code
