"""One governed apply: five edited files through parsing, matching, gate, tree and commit, against the bare plumbing.

The plumbing makes the same commit with git alone, in a temporary index: read the tree, write five blobs, put them in,
write the tree, commit it. Both work in the same repository, in turn, and neither has a worktree.
"""

from __future__ import annotations

import hashlib
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from autopack.plan.model import Plan
from autopack.runners import change, git
from benchmarks import Row, judged
from benchmarks._played import plan, playbook

FILES, EDITED, ROUNDS = 2_000, 5, 21
WORDS = "".join(f"line {number} of a module\n" for number in range(60))
WHO = git.Identity("bench", "bench@localhost")
BLOCK = """\
src/m{number}.py
```
<<<<<<< SEARCH
line 30 of a module
=======
line 30 of round {turn}
>>>>>>> REPLACE
```
"""


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        root = _repository(Path(folder))
        governed, bare = _measured(root, plan(playbook(1, "feature_scaffolding")))
    measured = f"{governed:.0f} ms / {bare:.0f} ms"
    what = f"governed apply of {EDITED} files on a tree of {FILES:,} / plumbing"
    yield judged("git", what, measured, governed / bare, 1.5)


def _measured(root: Path, told: Plan) -> tuple[float, float]:
    """Medians in ms of rounds in turn."""
    phase = replace(told.phases[0], write=("src/**",), allow=("empty_patch",), deliverables=())
    shown = {f"src/m{n}.py": hashlib.sha256(WORDS.encode()).hexdigest() for n in range(EDITED)}
    governed, bare = [], []
    with git.open_repository(root) as repository:
        base = repository.resolve("HEAD")
        for turn in range(ROUNDS):
            reply = "".join(BLOCK.format(number=n, turn=turn) for n in range(EDITED))

            def apply(reply: str = reply) -> None:
                made = change.candidate(told, phase, repository, base, shown, reply, "stop")
                repository.commit(made.tree, [base], "bench", 1_700_000_000, WHO)

            governed.append(_ms(apply))
            bare.append(_ms(lambda turn=turn: _plumbing(root, base, turn)))  # type: ignore[misc]
    return statistics.median(governed), statistics.median(bare)


def _plumbing(root: Path, base: str, turn: int) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        env = os.environ | {"GIT_INDEX_FILE": os.path.join(scratch, "index")}
        _git(root, env, "read-tree", base)
        paths = []
        for number in range(EDITED):
            path = Path(scratch) / f"m{number}.py"
            path.write_text(WORDS.replace("line 30 of a module", f"line 30 of round {turn}"), encoding="utf-8")
            paths.append(str(path))
        blobs = _git(root, env, "hash-object", "-w", "--no-filters", "--stdin-paths", given="\n".join(paths)).split()
        lines = "".join(f"100644 {blob}\tsrc/m{number}.py\n" for number, blob in enumerate(blobs))
        _git(root, env, "update-index", "--index-info", given=lines)
        tree = _git(root, env, "write-tree")
        _git(root, env, "commit-tree", "-p", base, "-m", "bench", tree)


def _repository(folder: Path) -> Path:
    (folder / "src").mkdir()
    for number in range(FILES):
        (folder / "src" / f"m{number}.py").write_text(WORDS, encoding="utf-8")
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "base"]):
        _git(folder, dict(os.environ), *words)
    return folder


def _git(folder: Path, env: dict[str, str], *words: str, given: str | None = None) -> str:
    who = ("-c", "user.name=bench", "-c", "user.email=bench@localhost")
    return subprocess.run(
        ["git", *who, *words], cwd=folder, env=env, input=given, check=True, capture_output=True, text=True
    ).stdout.strip()


def _ms(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return (time.perf_counter() - began) * 1000
