"""What a start costs, as whole processes: rows 1 to 5 and 9 of the table of targets.

Every command runs in a folder with nothing but the files it checks, `REPEATS` times, in turn with those it is compared
with; the medians are set side by side.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from benchmarks import Row, at_least, judged, unmeasured

REPEATS = 21
REPEATS_OF_SECONDS = 5  # of what takes seconds
PHASES_OF_LARGE = 2500
CHECKOUT = Path(__file__).parent.parent
SCHEMA = CHECKOUT / "schemas" / "playbook.v1.schema.json"
PYTHON = (sys.executable, "-c")
SHELL_HABITS = {"PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONPATH", "AUTOPACK_DEBUG", "GITHUB_ACTIONS"}
KIB_IN_MB = 1024 if sys.platform != "darwin" else 1024 * 1024  # macOS reports bytes

# twelve fields, about 400 bytes: the phase that all figures about validation speak of
PHASE = """\
      - id: phase-{number}
        name: Token bucket number {number}
        category: feature_scaffolding
        complexity: low
        builder_mode: tweak_light
        needs: [{needs}]
        goal: Add a token bucket to module {number}.
        scope: {{write: ["src/m{number}/**"]}}
        deliverables: [src/m{number}/bucket.py]
        acceptance: [never goes negative]
        ci: normal
        budget: {{tokens: 200_000, minutes: 10}}
"""
FAULTS = {  # one of each kind that a schema can name, and a reference
    "complexity: low": "complexity: lowest",
    "needs: [phase-3]": "needs: [phase-three]",
    "builder_mode": "builder_mood",
    "minutes: 10": "minutes: ten",
}

# Runs one command line in-process under an audit hook, then tells in the last line of stderr what it loaded and opened.
WATCHED = """\
import sys
opened = set()
NETWORK = {"socket.__new__", "socket.connect", "socket.getaddrinfo"}
sys.addaudithook(lambda event, args: opened.add(event) if event in NETWORK else None)
from autopack.__main__ import main
code = main(sys.argv[1:])
print(f"told {code}", *sorted(opened | ({"litellm"} & set(sys.modules))), file=sys.stderr)
"""


class Cost(NamedTuple):
    """Medians of one command: wall clock and peak resident memory of the process."""

    ms: float
    mb: float


class Command(NamedTuple):
    """A command line and the exit code without which its time means nothing."""

    argv: tuple[str, ...]
    exit_code: int = 0


class Refused(Exception):
    """A command did not do what is being timed."""


def rows() -> Iterator[Row]:
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        Path("valid.yaml").write_text(playbook(25))
        Path("faulty.yaml").write_text(broken(playbook(25)))
        try:
            yield from _version()
            yield from _validation()
            yield from _peer()
            yield from _faults()
            yield from _unchanged()
            yield from _large()
            yield from _no_model()
        finally:
            os.chdir(CHECKOUT)


def playbook(phases: int) -> str:
    needs = ["", *(f"phase-{number}" for number in range(1, phases))]
    written = "".join(PHASE.format(number=number, needs=need) for number, need in enumerate(needs, start=1))
    return f"autopack: playbook/v1\nname: limits\ntiers:\n  - id: T1\n    name: Storage\n    phases:\n{written}"


def broken(text: str) -> str:
    for right, wrong in FAULTS.items():
        text = text.replace(right, wrong, 1)
    return text


def _version() -> Iterator[Row]:
    cost = interleaved({"pass": Command((*PYTHON, "pass")), "version": Command((*launcher("autopack"), "--version"))})
    yield _slower("1", "autopack --version / python -c pass", cost["version"], cost["pass"], 1.3)


def _validation() -> Iterator[Row]:
    what = "autopack validate, 25 phases / import yaml"
    validate = Command((*launcher("autopack"), "validate", "--no-cache", "valid.yaml"))
    try:
        cost = interleaved({"yaml": Command((*PYTHON, "import yaml")), "validate": validate})
    except Refused as refusal:
        yield unmeasured("2", what, "<= 1.6x", str(refusal))
        return
    yield _slower("2", what, cost["validate"], cost["yaml"], 1.6)


def _peer() -> Iterator[Row]:
    faster, lighter = "check-jsonschema / autopack validate, time", "autopack validate / check-jsonschema, memory"
    try:
        cost = interleaved(
            {
                "peer": Command((*launcher("check-jsonschema"), "--schemafile", str(SCHEMA), "valid.yaml")),
                "validate": Command((*launcher("autopack"), "validate", "--no-cache", "valid.yaml")),
            }
        )
    except Refused as refusal:
        yield unmeasured("2a", faster, ">= 5x", str(refusal))
        yield unmeasured("2b", lighter, "<= 0.5x", str(refusal))
        return
    peer, ours = cost["peer"], cost["validate"]
    yield at_least("2a", faster, f"{peer.ms:.1f} ms / {ours.ms:.1f} ms", peer.ms / ours.ms, 5)
    yield judged("2b", lighter, f"{ours.mb:.1f} MB / {peer.mb:.1f} MB", ours.mb / peer.mb, 0.5)


def _faults() -> Iterator[Row]:
    what = f"the same with {len(FAULTS)} faults / import yaml, jsonschema"
    try:
        cost = interleaved(
            {
                "imports": Command((*PYTHON, "import yaml, jsonschema")),
                "validate": Command((*launcher("autopack"), "validate", "--no-cache", "faulty.yaml"), exit_code=1),
            }
        )
    except Refused as refusal:
        yield unmeasured("3", what, "<= 1.2x", str(refusal))
        return
    yield _slower("3", what, cost["validate"], cost["imports"], 1.2)


def _unchanged() -> Iterator[Row]:
    what = "the same, unchanged since it was checked / python -c pass"
    validate = Command((*launcher("autopack"), "validate", "valid.yaml"))
    try:
        cost = interleaved({"pass": Command((*PYTHON, "pass")), "validate": validate})
    except Refused as refusal:
        yield unmeasured("4", what, "<= 1.6x", str(refusal))
        return
    yield _slower("4", what, cost["validate"], cost["pass"], 1.6)


def _large() -> Iterator[Row]:
    Path("large.yaml").write_text(playbook(PHASES_OF_LARGE))  # only now: what this process holds is a floor of a peak
    faster = f"{PHASES_OF_LARGE:,} phases: check-jsonschema / autopack validate, time"
    lighter = f"{PHASES_OF_LARGE:,} phases: autopack validate / check-jsonschema, memory"
    try:
        cost = interleaved(
            {
                "peer": Command((*launcher("check-jsonschema"), "--schemafile", str(SCHEMA), "large.yaml")),
                "validate": Command((*launcher("autopack"), "validate", "--no-cache", "large.yaml")),
            },
            REPEATS_OF_SECONDS,
        )
    except Refused as refusal:
        yield unmeasured("5a", faster, ">= 15x", str(refusal))
        yield unmeasured("5b", lighter, "<= 0.35x", str(refusal))
        return
    peer, ours = cost["peer"], cost["validate"]
    yield at_least("5a", faster, f"{peer.ms:,.0f} ms / {ours.ms:.0f} ms", peer.ms / ours.ms, 15)
    yield judged("5b", lighter, f"{ours.mb:.1f} MB / {peer.mb:.1f} MB", ours.mb / peer.mb, 0.35)


def _no_model() -> Iterator[Row]:
    for verb in ("validate", "plan"):
        what = f"autopack {verb}: litellm loaded, sockets opened"
        argv = (*PYTHON, WATCHED, verb, "valid.yaml")
        answer = subprocess.run(argv, check=False, capture_output=True, text=True, env=_environment())
        told = answer.stderr.splitlines()[-1:] or [""]
        match told[0].split():
            case ["told", "0", *seen]:
                yield Row("9", what, ", ".join(seen) or "neither", None, "neither", not seen)
            case _:
                yield unmeasured("9", what, "neither", _last_words(answer.stderr.rpartition("told ")[0]))


def _slower(number: str, what: str, ours: Cost, theirs: Cost, at_most: float) -> Row:
    return judged(number, what, f"{ours.ms:.1f} ms / {theirs.ms:.1f} ms", ours.ms / theirs.ms, at_most)


def interleaved(commands: Mapping[str, Command], repeats: int = REPEATS) -> dict[str, Cost]:
    """One round to warm the caches, then `repeats` in which every command has its turn.

    Raises Refused where a command ends with another exit code than it should: its time would mean nothing.
    """
    runs: dict[str, list[Cost]] = {name: [] for name in commands}
    for _ in range(repeats + 1):
        for name, command in commands.items():
            runs[name].append(_run(command))
    return {name: _median(costs[1:]) for name, costs in runs.items()}


def _median(costs: Sequence[Cost]) -> Cost:
    return Cost(statistics.median(cost.ms for cost in costs), statistics.median(cost.mb for cost in costs))


def _run(command: Command) -> Cost:
    """The peak is the child's own as long as it is above ours at the fork, so this module imports next to nothing."""
    before = time.perf_counter()
    child = subprocess.Popen(command.argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, env=_environment())
    assert child.stderr is not None
    with child.stderr:
        said = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    ms = (time.perf_counter() - before) * 1000
    child.returncode = os.waitstatus_to_exitcode(status)
    if child.returncode != command.exit_code:
        raise Refused(f"exit code {child.returncode}, {_last_words(said.decode(errors='replace'))}")
    return Cost(ms, usage.ru_maxrss / KIB_IN_MB)


def _last_words(stderr: str) -> str:
    return "".join(stderr.strip().splitlines()[-1:]) or "and nothing on stderr"


def launcher(name: str) -> tuple[str, ...]:
    """The installed script, or for a checkout that isn't installed exactly what such a script holds."""
    script = Path(sys.executable).with_name(name)
    if script.exists():
        return (str(script),)
    if name == "autopack":
        return (*PYTHON, "import sys; from autopack.__main__ import main; sys.exit(main())")
    raise Refused(f"{name} is not installed in this environment")


def _environment() -> dict[str, str]:
    """Bytecode cached and output buffered, as people have it, whatever the shell that started us says."""
    kept = {name: value for name, value in os.environ.items() if name not in SHELL_HABITS}
    return {**kept, "PYTHONPATH": str(CHECKOUT), "XDG_CACHE_HOME": os.path.join(os.getcwd(), ".cache")}
