"""The examples in the documentation: found in Markdown, run in a scratch project, compared with what is printed there.

A fenced `console` block holds commands after `$ ` and below each what it prints, stdout and stderr together. A page's
commands run in one scratch home, in order, each where the one before it left off; a fresh copy of the example package
stands there as a repository called `hello`. A command that fails must be followed by `$ echo $?`.

What is printed has to be what is documented, but for `...` (any text; on a line of its own any lines) and for VARIES.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
HOME = "/home/ada"  # what the scratch home is called in the documentation
TIMEOUT_S = 600

VARIES = (
    (re.compile(r" *\b(?:\d+h)?(?:\d+m)?\d+s\b"), " TIME"),  # with the blanks that align it
    (re.compile(r"\b(?:[0-9a-f]{64}|[0-9a-f]{40}|[0-9a-f]{12}|^[0-9a-f]{7}(?= ))\b"), "ID"),
    (re.compile(r"\b\d{4}-\d\d-\d\d \d\d:\d\d\b|\b\d\d:\d\d:\d\d\b"), "WHEN"),
)
"""What no two runs print alike: durations, ids of commits and plans (seven digits at the start of a line), clocks."""

_FENCE = re.compile(r"(?P<indent>\s*)(?P<mark>`{3,}|~{3,})\s*(?P<info>.*?)\s*")
_NOTE = re.compile(r"<!-- (?P<text>.*) -->")


class Block(NamedTuple):
    """A fenced block; `line` is that of its first line of text, `note` the comment right above the fence."""

    page: Path
    line: int
    info: str
    text: str
    note: str

    @property
    def where(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


class Step(NamedTuple):
    """One command and what the page says it prints; `line` is its line inside the block, from 0."""

    line: int
    command: str
    expected: tuple[str, ...]


def pages() -> list[Path]:
    """All that is written for readers, but for the example's own README."""
    return [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def blocks(page: Path) -> list[Block]:
    """Every fenced block of a page. Raises ValueError for one that is indented or has no end."""
    found, lines = [], iter(enumerate(page.read_text(encoding="utf-8").splitlines(), 1))
    note = ""
    for number, line in lines:
        fence = _FENCE.fullmatch(line)
        if fence is None:
            note = said["text"] if (said := _NOTE.fullmatch(line)) else ""
            continue
        if fence["indent"]:
            raise ValueError(f"{page}:{number}: a fence starts at the margin, so that nothing overlooks it")
        text = "".join(_inside(lines, fence["mark"], f"{page}:{number}"))
        found.append(Block(page, number + 1, fence["info"], text, note))
        note = ""
    return found


def steps(block: Block) -> list[Step]:
    """The commands of a console block."""
    found: list[Step] = []
    for number, line in enumerate(block.text.splitlines()):
        if line.startswith("$ "):
            found.append(Step(number, line.removeprefix("$ "), ()))
        elif not found:
            raise ValueError(f"{block.where}: a console block starts with a command, `$ ...`")
        else:
            found[-1] = found[-1]._replace(expected=(*found[-1].expected, line))
    return found


class Scratch:
    """A home folder of its own, with the example package as a repository and `autopack` on the PATH."""

    def __init__(self, folder: Path) -> None:
        self.home = folder.resolve() / "ada"
        self._cwd, self._exit = self.home, 0
        programs = folder.resolve() / "bin"
        for made in (self.home, programs):
            made.mkdir(parents=True)
        launcher = programs / "autopack"
        launcher.write_text(f'#!/bin/sh\nPYTHONPATH="{ROOT}" exec "{sys.executable}" -m autopack "$@"\n')
        launcher.chmod(0o755)
        self._environ = {
            "HOME": str(self.home),
            "PATH": os.pathsep.join([str(programs), str(Path(sys.executable).parent), os.environ["PATH"]]),
            "LANG": "C.UTF-8",
            "COLUMNS": "100",
            **{f"GIT_{role}_{what}": word for role in ("AUTHOR", "COMMITTER") for what, word in _ADA.items()},
        }
        ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".autonomous_runs")
        shutil.copytree(ROOT / "examples" / "hello", self.home / "hello", ignore=ignored)
        self.run('cd hello && git init -q -b main && git add -A && git commit -q -m "hello 1.0" && cd ..')

    def run(self, command: str) -> str:
        """What the command prints, with the scratch home called HOME; it starts where the last one ended."""
        after = self.home.parent / "after"
        script = f'(exit {self._exit})\n{command}\ncode=$?\npwd >"{after}"\nexit $code\n'
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self._cwd,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=TIMEOUT_S,
            check=False,
        )
        self._exit, self._cwd = done.returncode, Path(after.read_text().rstrip("\n"))
        return done.stdout.decode("utf-8", "replace").replace(str(self.home), HOME)

    @property
    def failed(self) -> bool:
        return self._exit != 0

    def write(self, name: str, text: str) -> None:
        """A file that the page shows, where the last command ended."""
        path = self._cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


_ADA = {"NAME": "Ada", "EMAIL": "ada@example.org"}


class Ran(NamedTuple):
    """A command that was run. `fault` says what is wrong with what the page says about it, "" when nothing is."""

    block: Block
    step: Step
    printed: str
    fault: str


def run(page: Path, folder: Path) -> Iterator[Ran]:
    """Every command of the page, in order, in a scratch home below `folder`."""
    if not any(block.info == "console" for block in blocks(page)):
        return
    scratch = Scratch(folder)
    for block in blocks(page):
        if block.note.startswith("file: "):
            scratch.write(block.note.removeprefix("file: "), block.text)
        for step, following in _pairs(steps(block) if block.info == "console" else []):
            printed = scratch.run(step.command)
            fault = differs(step.expected, printed)
            if not fault and scratch.failed and following != "echo $?":
                fault = "it fails, and no `$ echo $?` after it says so"
            yield Ran(block, step, printed, fault)


def differs(expected: Sequence[str], printed: str) -> str:
    """The difference between a page and what was printed, "" when it is only one that is allowed."""
    wanted, got = _likened("\n".join(expected)), _likened(printed)
    pattern = "".join(r"(?:.*\n)*" if line == "..." else _flexible(line) + r"\n" for line in wanted)
    if re.fullmatch(pattern, "".join(line + "\n" for line in got)):
        return ""
    return "\n".join(unified_diff(wanted, got, "documented", "printed", lineterm=""))


def _likened(text: str) -> list[str]:
    return [_alike(line) for line in text.rstrip("\n").splitlines()]


def _alike(line: str) -> str:
    if line.startswith("Plan sha256 "):  # the same on every machine, and shown because of that
        return line.rstrip()
    for pattern, word in VARIES:
        line = pattern.sub(word, line)
    return line.rstrip()


def _flexible(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.split("..."))


def _pairs(found: Sequence[Step]) -> Iterator[tuple[Step, str]]:
    commands = [step.command for step in found]
    return zip(found, [*commands[1:], ""], strict=True) if found else iter(())


def _inside(lines: Iterator[tuple[int, str]], mark: str, where: str) -> Iterator[str]:
    for _, line in lines:
        if line.strip().startswith(mark) and not line.strip().strip(mark[0]):
            return
        yield line + "\n"
    raise ValueError(f"{where}: this fence has no end")
