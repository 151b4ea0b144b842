"""What people see: for every code that `validate` can give, a file and the full text of its findings.

`make golden` writes the answers anew (it sets AUTOPACK_REWRITE_GOLDEN); read the difference before you commit it.
"""

import os
import re
from pathlib import Path

import pytest

from autopack.problem.report import render
from autopack.spec.load import check

HERE = Path(__file__).parent
SPEC = HERE.parent.parent / "autopack" / "spec"
TODAY = "2026-11-22"
HEAD = "autopack: playbook/v1\nname: x\nmeta:\n"
# Too large to keep; the answers are kept all the same.
MADE = {
    "AP1013": lambda: HEAD + "  text: " + "x" * 11_000_000 + "\n",
    "AP1024": lambda: HEAD + "  again: 1\n" * 1100,
    "AP1026": lambda: HEAD + "  list: [" + "1, " * 600_000 + "]\n",
}
ASKED_ELSEWHERE = {"AP3019", "AP7002", "AP7003"}  # about what is given to `plan` and `run`, or fetched for them
CODES = sorted({
    code for file in SPEC.rglob("*.py") for code in re.findall(r'"(AP\d{4})"', file.read_text(encoding="utf-8"))
} - ASKED_ELSEWHERE)  # fmt: skip


def answer(folder: Path, name: str) -> tuple[str, set[str]]:
    found = check(str(folder), None if folder.name == Path(name).stem else [name], today=TODAY)
    sources = {path: document.text for path, document in found.documents.items()}
    for problem in found.problems:
        if problem.span and problem.span.path not in sources and (folder / problem.span.path).is_file():
            sources[problem.span.path] = (folder / problem.span.path).read_bytes().decode("utf-8", "replace")
    text = render(found.problems, sources, "full", color=False, files=len(found.files))
    return text, {problem.code for problem in found.problems}


@pytest.mark.parametrize("code", CODES)
def test_the_findings_of_a_code_read_as_they_were_approved(tmp_path: Path, code: str) -> None:
    source = HERE / f"{code}.yaml"
    if code in MADE:
        (tmp_path / source.name).write_text(MADE[code](), encoding="utf-8")
    around = HERE / code  # a project, where one file alone has no such finding
    text, codes = answer(tmp_path if code in MADE else around if around.is_dir() else HERE, source.name)
    text = "\n".join(text.splitlines()[-20:]) + "\n" if code in MADE else text  # of a thousand findings the last
    approved = HERE / f"{code}.out"
    if os.environ.get("AUTOPACK_REWRITE_GOLDEN"):
        approved.write_text(text, encoding="utf-8")
    assert code in codes
    assert codes <= {code, *({"AP1005"} if code == "AP1024" else ())}
    assert text == approved.read_text(encoding="utf-8")


def test_no_pair_is_left_over() -> None:
    kept = {file.stem for file in HERE.iterdir() if file.is_dir() or file.suffix in {".yaml", ".out"}} - {"__pycache__"}
    assert kept == set(CODES)


WITHOUT_HELP = {
    "AP1024",  # it only says that the list ends here
}


def test_every_finding_ends_with_what_to_do_next() -> None:
    for code in set(CODES) - WITHOUT_HELP:
        blocks = (HERE / f"{code}.out").read_text(encoding="utf-8").split("\n\n")
        silent = [block for block in blocks if "[AP" in block.splitlines()[0] and " help: " not in block]
        assert silent == [], code
