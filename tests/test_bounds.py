"""Hostile input costs little: each file is checked in a process that may use a few seconds of CPU and 300 MB of memory.

The limits are the kernel's, so nothing here looks at a clock: who passes them is killed or gets a MemoryError, and
there is no finding.
"""

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

MEGABYTES = 300
HEAD = b"autopack: playbook/v1\nname: x\nmeta:\n"
DESCRIBED = b"autopack: playbook/v1\nname: x\ndescription: '%b'\n"
LAUGHS = b"".join(b"  a%d: &a%d [%s]\n" % (n, n, b", ".join([b"*a%d" % (n - 1)] * 10)) for n in range(1, 10))


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEGABYTES * 2**20, MEGABYTES * 2**20))
    # the worst of them takes one where nothing else runs; work that grows with the square would take minutes
    resource.setrlimit(resource.RLIMIT_CPU, (4, 4))


def checked(folder: Path, *paths: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "autopack", "validate", "--format", "concise", *paths],
        cwd=folder,
        env={"PYTHONPATH": os.pathsep.join(sys.path), "PATH": os.environ["PATH"]},
        preexec_fn=limited,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


def phases(more: bytes, count: int = 1_500, *, scope: bytes = b"a", head: bytes = b"") -> bytes:
    """A playbook of many phases, each with the same fault; `%d` in `more` is its number."""
    row = b"  - {id: phase-%d, category: docs, scope: {write: [" + scope.replace(b"%", b"%%") + b"]}, "
    rows = b"".join((row % n) + (more.replace(b"%d", b"%d" % n)) + b"}\n" for n in range(count))
    inputs = b"inputs:\n" + head if head else b""
    return b"autopack: playbook/v1\nname: x\n" + inputs + b"tiers:\n- id: T\n  phases:\n" + rows


FILES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "alias bomb": ("AP1008", lambda: HEAD + b"  a0: &a0 [lol, lol]\n" + LAUGHS),
    "merge bomb": ("AP1026", lambda: HEAD + b"  b: &b {a: 1}\n  c:\n" + b"  - {<<: *b}\n" * 690_000),
    "merges of a wide mapping": (
        "AP1026",
        lambda: HEAD + b"  b: &b {" + b",".join(b"k%d: 1" % n for n in range(20_000)) + b"}\n" + b"  c:\n"
        + b"  - {<<: *b}\n" * 100_000,
    ),
    "merges of merges": (
        "AP1014",
        lambda: HEAD + b"  m0: &m0 {a: 1}\n"
        + b"".join(b"  m%d: &m%d {<<: *m%d, k%d: 1}\n" % (n, n, n - 1, n) for n in range(1, 20_000)),
    ),
    "20,000 brackets": ("AP1014", lambda: HEAD + b"  a: " + b"[" * 20_000),
    "20,000 braces": ("AP1014", lambda: HEAD + b"  a: " + b"{a: " * 20_000),
    "20,000 levels": ("AP1014", lambda: HEAD + b"".join(b" " * n + b"a:\n" for n in range(2, 2_000))),
    "5,000,000 brackets": ("AP1014", lambda: b"[" * 5_000_000),
    "a list of millions": ("AP1026", lambda: HEAD + b"  a: [" + b"1," * 4_000_000 + b"]\n"),
    "millions of empty lists": ("AP1026", lambda: HEAD + b"  a: [" + b"[]," * 3_000_000 + b"]\n"),
    "a million keys": ("AP1026", lambda: HEAD + b"".join(b"  k%d:\n" % n for n in range(900_000))),
    "a million keys after a merge": (
        "AP1026", lambda: HEAD + b"  <<: {}\n" + b"".join(b"  k%d:\n" % n for n in range(900_000)),
    ),
    "a million anchors": ("AP1026", lambda: HEAD + b"  a: [" + b"&a 1," * 1_500_000 + b"]\n"),
    "60 MB scalar": ("AP1013", lambda: HEAD + b"  a: " + b"x" * 60_000_000),
    "9 MB scalar": ("AP2001", lambda: HEAD.replace(b"name", b"nmae") + b"  a: '" + b"x" * 9_000_000 + b"'\n"),
    "9 MB of blank lines": ("AP1026", lambda: HEAD + b"  a: 1\n" + b"\n" * 9_000_000),
    "9 MB of comments": ("AP1026", lambda: HEAD + b"  a: 1\n" + b"#\n" * 4_500_000),
    "NUL": ("AP1011", lambda: HEAD + b"  a: \0\n"),
    "9 MB of NUL": ("AP1011", lambda: b"\0" * 9_000_000),
    "invalid UTF-8": ("AP1012", lambda: HEAD + b"  a: \xff\n"),
    "9 MB of invalid UTF-8": ("AP1012", lambda: b"\xff" * 9_000_000),
    "UTF-16": ("AP1012", lambda: "autopack: playbook/v1".encode("utf-16")),
    "conflict markers": ("AP1010", lambda: b"<<<<<<< a\n" * 500_000),
    "unclosed quotes": ("AP1015", lambda: HEAD + b"  a: '" + b"x\n" * 400_000),
    "backslashes": ("AP1015", lambda: HEAD + b'  a: "' + b"\\" * 999_999),
    "duplicate keys": ("AP1005", lambda: HEAD + b"  a: 1\n" * 400_000),
    "brackets left open behind much text": (
        "AP1015", lambda: HEAD + b"".join(b"  a%d: [1, 2]\n" % n for n in range(20_000)) + b"  b: [1, 2\n",
    ),
    "20,000 lists in one left open": ("AP1015", lambda: HEAD + b"  a: [" + b"[], " * 20_000),
    "100,000 quotes": ("AP1015", lambda: HEAD + b"  a: " + b'"' * 100_000 + b"\n"),
    "100,000 quotes over lines": ("AP1015", lambda: HEAD + b"  a: '" + b"x ''\n   " * 50_000 + b"' b\n"),
    "100,000 quotes of the other kind": ("AP1015", lambda: HEAD + b'  a: "' + b"x'\n   " * 100_000 + b'" b\n'),
    "50,000 braces left open": ("AP3022", lambda: DESCRIBED % (b"{{ " * 50_000)),
    "50,000 templates": ("AP3022", lambda: DESCRIBED % (b"{{ inputs.a }} " * 50_000)),
    "1,000 templates that can't be filled in": ("AP3020", lambda: DESCRIBED % (b"{{ inputs.a }} " * 1_000)),
    "50,000 ifs": ("AP3022", lambda: DESCRIBED % (b"{% if a %}{% endif %}" * 50_000)),
    "50,000 brackets in braces": ("AP3022", lambda: DESCRIBED % (b"{{ " + b"[" * 50_000 + b" }}")),
    "100,000 unknown keys": (
        "AP1024", lambda: b"autopack: playbook/v1\nname: x\n" + b"".join(b"k%d: 1\n" % n for n in range(100_000)),
    ),
    "unknown keys": ("AP1024", lambda: HEAD + b"  a: 1\n" + b"".join(b"k%d: 1\n" % n for n in range(60_000))),
    "unclosed templates": ("AP3022", lambda: HEAD + b"  a: 1\ndescription: '" + b"{{ " * 200_000 + b"'\n"),
    "unknown names": (
        "AP3020",
        lambda: phases(b"goal: '{{ inputs.b%d }}'", head=b"".join(b" a%d: {type: string}\n" % n for n in range(1_000))),
    ),
    "needs of nothing": ("AP3002", lambda: phases(b"goal: g, needs: [qhase-%dx]")),
    "numbers for text": ("AP1024", lambda: phases(b"goal: %d, tags: [1, 2, 3]")),
    "things twice": ("AP1024", lambda: phases(b"goal: g, tags: [" + b"a, " * 10_000 + b"]", 1)),
    "deliverables and scopes": (
        "AP3010",
        lambda: phases(
            b"goal: g, deliverables: [b, %s]" % b", ".join(b"a/%d.py" % n for n in range(15_000)),
            1,
            scope=b", ".join(b"a/%d.py" % n for n in range(15_000)),
        ),
    ),
    "250,000 keys of one's own": ("AP1026", lambda: HEAD + b"".join(b"  k%d: v\n" % n for n in range(250_000))),
    "100,000 anchors, each used": (
        "AP1026", lambda: HEAD + b"  l:\n" + b"".join(b"  - &a%d v\n  - *a%d\n" % (n, n) for n in range(100_000)),
    ),
    "4,000,000 lines that are joined": ("AP1026", lambda: HEAD + b'  a: "' + b"\\\n" * 4_000_000 + b'"\n'),
    "20,000 needs of nothing": (
        "AP1024", lambda: phases(b"goal: g, needs: [" + b", ".join(b"q%d" % n for n in range(20_000)) + b"]", 1),
    ),
    "four faults in each phase": ("AP1024", lambda: phases(b"goal: g, ci: u%d, needs: [z%d], deliverables: [q, r]")),
    "200,000 names that nobody declares": (
        "AP3020", lambda: phases(b"goal: '" + b"{{ inputs.servce }} " * 130 + b"'", head=b" service: {default: x}\n"),
    ),
    "200,000 filters": (
        "AP3022",
        lambda: phases(b"goal: '" + b"{{ inputs.service | upper }} " * 130 + b"'", head=b" service: {default: x}\n"),
    ),
    "tags": ("AP1006", lambda: HEAD + b"  a: [" + b"!x 1," * 400_000 + b"]\n"),
}  # fmt: skip


@pytest.mark.parametrize("name", FILES)
def test_a_hostile_file_is_a_finding_at_little_cost(tmp_path: Path, name: str) -> None:
    code, make = FILES[name]
    (tmp_path / "it.yaml").write_bytes(make())
    done = checked(tmp_path, "it.yaml")
    assert f"[{code}]" in done.stdout, (done.returncode, done.stderr[-2000:], done.stdout[:1000])
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


def test_what_only_a_compile_finds_is_bounded_as_well(tmp_path: Path) -> None:
    """Each phase has to pass a profile that is not there, and is built by a program whose spending nobody sees."""
    project = "autopack: project/v1\nname: x\nplaybooks: [p.yaml]\nci: ci.yaml\n"
    (tmp_path / "autopack.yaml").write_text(project)
    profiles = "profiles: {normal: {steps: [{id: a, run: [make]}]}}\n"
    (tmp_path / "ci.yaml").write_text(f"autopack: ci/v1\nname: x\n{profiles}")
    more = b"goal: g, builder_mode: schema_heavy, builder: {kind: command, run: [x]}"
    (tmp_path / "p.yaml").write_bytes(phases(more, scope=b"a%d"))
    done = checked(tmp_path)
    assert "[AP1024]: more than 1,000 findings in this file" in done.stdout, (done.stderr, done.stdout[:1000])
    assert done.stdout.count(" error[AP5003]: ") == 500
    assert done.returncode == 1


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir], ids=["fifo", "directory"])
def test_what_is_no_file_is_a_finding_and_is_not_waited_for(tmp_path: Path, make: Callable[[Path], None]) -> None:
    make(tmp_path / "autopack.yaml")
    done = checked(tmp_path)
    assert "[AP3007]" in done.stdout
    assert done.returncode == 1


def test_what_a_project_names_and_is_no_file_is_a_finding_there(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "ci.yaml")
    (tmp_path / "autopack.yaml").write_text("autopack: project/v1\nname: x\nplaybooks: []\nci: ci.yaml\n")
    done = checked(tmp_path)
    assert 'autopack.yaml:4:5: error[AP3007]: "ci.yaml" is not a regular file' in done.stdout


def test_an_endless_device_is_a_finding(tmp_path: Path) -> None:
    (tmp_path / "it.yaml").symlink_to("/dev/zero")
    assert "[AP3007]" in checked(tmp_path, "it.yaml").stdout
