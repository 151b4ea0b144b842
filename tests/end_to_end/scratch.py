"""A scratch project with a home, a cache and a temporary folder of its own, driven through the real command line."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHECKOUT = Path(__file__).resolve().parents[2]
EXAMPLE = CHECKOUT / "examples" / "hello"
PLAYBOOK = "playbooks/languages.yaml"
CASSETTE = "playbooks/languages.cassette.jsonl"
ONE = """\
autopack: playbook/v1
name: one
tiers:
  - id: T1
    phases:
      - id: one
        category: docs
        goal: Add one.
        scope: {write: [src/hello/one.py]}
        deliverables: [src/hello/one.py]
"""
NOT_COPIED = shutil.ignore_patterns("__pycache__", ".pytest_cache", ".autonomous_runs")
PATIENCE_S = 400.0  # how long a test waits for what must come: a bound for a hung product, not an expectation


@dataclass(frozen=True)
class Ended:
    """One command line that has ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@dataclass(frozen=True)
class Project:
    """`root` holds autopack.yaml; `repository` is what is built, most often the same folder."""

    root: Path
    repository: Path
    places: Path
    variables: Mapping[str, str] = field(default_factory=dict)

    @property
    def environ(self) -> dict[str, str]:
        """A user's environment in which every place that could be written to is the test's own."""
        tools = str(Path(sys.executable).parent)
        return {
            "PATH": os.pathsep.join([tools, os.environ.get("PATH", os.defpath)]),
            "HOME": str(_made(self.places / "home")),
            "TMPDIR": str(_made(self.places / "tmp")),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(CHECKOUT),
            "AUTOPACK_DEBUG": "1",
            **self.variables,
        }

    def autopack(self, *words: str, **variables: str) -> Ended:
        done = subprocess.run(
            [sys.executable, "-m", "autopack", *words],
            cwd=self.root,
            env=self.environ | variables,
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
            timeout=PATIENCE_S,
            check=False,
        )
        return Ended(done.returncode, done.stdout, done.stderr)

    @contextmanager
    def driving(self, *words: str) -> Iterator["subprocess.Popen[str]"]:
        """A command that goes on in the background, in a process group of its own; killed if it outlives the test."""
        process = subprocess.Popen(
            [sys.executable, "-m", "autopack", *words],
            cwd=self.root,
            env=self.environ,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.communicate()

    def git(self, *words: str, given: str | None = None) -> str:
        who = ["-c", "user.name=hello", "-c", "user.email=hello@localhost"]
        done = subprocess.run(
            ["git", *who, *words],
            cwd=self.repository,
            env=self.environ,
            capture_output=True,
            text=True,
            check=True,
            input=given,
        )
        return done.stdout.strip()

    def tree(self, run_id: str) -> str:
        """What the run made of the code: without the files that name it (`.autopack/`), so that two runs compare."""
        lines = self.git("ls-tree", f"autonomous/{run_id}").splitlines()
        code = "".join(f"{line}\n" for line in lines if not line.endswith("\t.autopack"))
        return self.git("mktree", given=code)

    def commits(self, run_id: str) -> list[str]:
        """What a run has landed, oldest first."""
        return self.git("rev-list", "--reverse", f"main..autonomous/{run_id}").splitlines()

    def trailers(self, commit: str) -> dict[str, str]:
        lines = self.git("show", "-s", "--format=%(trailers:only,unfold)", commit).splitlines()
        return dict(line.split(": ", 1) for line in lines if line)

    def artifacts(self, run_id: str) -> Path:
        return self.root / ".autonomous_runs" / run_id

    def events(self, run_id: str, kind: str) -> list[dict[str, Any]]:
        """What happened of one kind, as a reader of the run's folder finds it."""
        lines = (self.artifacts(run_id) / "events.jsonl").read_text(encoding="utf-8").splitlines()
        return [event["body"] for event in map(json.loads, lines) if event.get("type") == kind]

    def leftovers(self) -> list[str]:
        """What a run has left in the places that are not the user's: there should be nothing."""
        private = [self.places / "home" / ".cache" / "autopack", self.places / "tmp"]
        found = [str(path) for place in private for path in place.rglob("*")]
        return sorted(found) + self.git("worktree", "list", "--porcelain").split("\n\n")[1:]

    def snapshot(self) -> dict[str, tuple[int, int, str]]:
        """Every file of the checkout and of its `.git`, but for objects and for what a run is there to write."""
        own = (".autonomous_runs/", *(f"{git}{place}" for git in (".git/", "") for place in ("objects/", *_RUNS_REFS)))
        found = {}
        for path in sorted(self.repository.rglob("*")):
            name = path.relative_to(self.repository).as_posix()
            if path.is_file() and not name.startswith(own):
                facts = path.lstat()
                found[name] = (facts.st_mode, facts.st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        return found


_RUNS_REFS = ("refs/heads/autonomous/", "refs/tags/autonomous/", "logs/refs/heads/autonomous/")


def hello(folder: Path, files: Mapping[str, str] | None = None) -> Project:
    """The example as a repository with one commit; `files` replaces some of it first."""
    root = folder / "hello"
    shutil.copytree(EXAMPLE, root, ignore=NOT_COPIED)
    for name, text in (files or {}).items():
        (root / name).write_text(text, encoding="utf-8")
    project = Project(root, root, folder / "places")
    commit_all(project, "hello 1.0")
    return project


def hello_of_many_runs(folder: Path, files: Mapping[str, str] | None = None) -> Project:
    """The example for tests that run it over and over: no issue ages, so that each run has the same plan."""
    settings = (files or {}).get("autopack.yaml", text_of("autopack.yaml"))
    return hello(folder, {**(files or {}), "autopack.yaml": settings + "stage: operational\n"})


def commit_all(project: Project, message: str) -> None:
    """The repository's first commit, on main, at a fixed time, so that equal files give an equal id."""
    project.git("init", "-q", "-b", "main", "--template=")
    project.git("config", "core.logAllRefUpdates", "true")
    project.git("add", "-A", "--force")
    project.git("-c", "core.hooksPath=/dev/null", "commit", "-q", "--date=2026-01-01T00:00:00Z", "-m", message)


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


# --- parts of the example, changed for a story ---


def text_of(name: str) -> str:
    return (EXAMPLE / name).read_text(encoding="utf-8")


def quick_ci(*run: str) -> str:
    """The example's CI profile with one plain command in place of pytest; by default one that always passes."""
    command = json.dumps([sys.executable, "-S", "-c", "pass"] if not run else list(run))
    return f"""\
autopack: ci/v1
name: quick
env: {{pass: [PATH, HOME, LANG], set: {{PYTHONPATH: src}}}}
profiles:
  normal:
    retries: 0
    steps: [{{id: unit, run: {command}, timeout_s: 600}}]
  strict: {{extends: normal}}
"""


def replies() -> list[dict[str, Any]]:
    """The records of the example's cassette."""
    return [json.loads(line) for line in text_of(CASSETTE).splitlines()[1:]]


def cassette(records: Sequence[Mapping[str, Any]]) -> str:
    head = {"autopack": "cassette/v1", "scripted": True, "note": "written by a test"}
    return "".join(json.dumps(row) + "\n" for row in (head, *records))


def record(phase: str, role: str, call: int, text: str, usage: Mapping[str, int] | None = None) -> dict[str, Any]:
    billed = dict(usage or {"input": 1_000, "output": 100})
    return {"phase": phase, "role": role, "call": call, "reply": {"text": text, "usage": billed}}


# --- waiting ---


def eventually(fact: Callable[[], Any], what: str) -> Any:
    """The first true value of `fact`."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        found = fact()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError(f"waited {PATIENCE_S:g} s for {what}")


def alive(pid: int) -> bool:
    """A process that runs; a zombie nobody has collected yet doesn't."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"
