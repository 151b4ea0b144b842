"""Secrets planted in whatever a run reads, and searched for in whatever it keeps: every file, row and blob."""

import sqlite3
import zlib
from collections.abc import Iterator
from pathlib import Path

from tests.end_to_end.answers import review, whole_file
from tests.end_to_end.scratch import cassette, hello, quick_ci, record

TOKEN = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7"
PLACES = (
    "prose",
    "code",
    "issue",
    "finding",
    "output",
    "dump",
    "colour",
    "test",
    "error",
    "file",
    "probe",
    "agent",
)
SECRETS = {place: f"{TOKEN}{number:02d}" for number, place in enumerate(PLACES)}
SECRETS["variable"] = "q8Zx.7Kp2.Lm9V"  # looks like nothing in particular: known by the name of its variable

PLAYBOOK = """\
autopack: playbook/v1
name: note
tiers:
  - id: T1
    phases:
      - id: note
        category: debt_cleanup
        complexity: low
        goal: Add a note.
        budget: {attempts: 4}
        scope: {write: ["src/hello/note.py"], read: [notes.txt]}
        probes: [[python, -S, tools/probe.py]]
      - id: page
        category: docs
        goal: Add a page.
        scope: {write: ["page.md"]}
        builder: {kind: command, run: [python, -S, tools/agent.py], env_pass: [PATH, HOUSE_TOKEN], tokens: 5_000}
        budget: {attempts: 3}
"""
PROBE = f"""\
import sys
if "bad" in open("src/hello/note.py").read():
    print("the probe says\\n{SECRETS["probe"]}")
    sys.exit(1)
"""
AGENT = f"""\
import json, os, sys
told = sys.stdin.read()
key = os.environ["HOUSE_TOKEN"]
if "by its name" in told:
    key = "none" if "not kept" in told else "{SECRETS["agent"]}"
open("page.md", "w").write("key: " + key + chr(10))
print(os.environ["HOUSE_TOKEN"])
print(json.dumps("I wrote\\n{SECRETS["agent"]}"))
"""
CI = f"""\
import json, os, sys
print("plain {SECRETS["output"]}")
print(os.environ["HOUSE_TOKEN"])
print(json.dumps("dumped" + chr(10) + "{SECRETS["dump"]}"))
print("\\x1b[31m{SECRETS["colour"]}\\x1b[0m")
note = open("src/hello/note.py").read() if os.path.exists("src/hello/note.py") else ""
variable = os.environ["HOUSE_TOKEN"]
error = "<failure message='no'>boom {SECRETS["error"]} " + variable + "</failure>"
open("report.xml", "w").write(
    '<testsuite><testcase classname="t" name="test_x[{SECRETS["test"]}]">'
    + (error if "worse" in note else "")
    + "</testcase><testcase classname='t' name='test_y[" + variable + "]'/></testsuite>")
sys.exit("worse" in note)
"""


def said(text: str) -> str:
    """A Builder that can't keep a secret, in prose and facts."""
    facts = f"""\
summary: a note with {SECRETS["prose"]}
issues:
  - issue_key: "style__note__seen"
    severity: minor
    category: style
    evidence_refs: ["note {SECRETS["issue"]}"]
    description: "seen {SECRETS["issue"]}"
"""
    return f"Here: {SECRETS['prose']}\n\n{whole_file('src/hello/note.py', text)}\n```autopack\n{facts}```\n"


def kept(folder: Path) -> Iterator[tuple[str, bytes]]:
    """Every file, the store's as they are on disk and each of its blobs unpacked."""
    for path in folder.rglob("*"):
        if path.is_file():
            yield str(path.relative_to(folder)), path.read_bytes()
            if path.name.endswith(".db"):
                with sqlite3.connect(path) as store:
                    for name, data in store.execute("select sha256, data from blobs"):
                        yield f"blob {name[:8]}", zlib.decompress(data)


def test_a_secret_planted_anywhere_is_kept_nowhere(tmp_path: Path) -> None:
    ci = quick_ci("python", "-S", "tools/ci.py").replace(
        "timeout_s: 600", "timeout_s: 600, report: {junit: report.xml}"
    )
    ci = ci.replace("pass: [", "pass: [HOUSE_TOKEN, ")
    files = {"ci.yaml": ci, "playbooks/note.yaml": PLAYBOOK, "notes.txt": f"the key is\n{SECRETS['file']}\n"}
    project = hello(tmp_path, files)
    (project.root / "tools").mkdir()
    for name, text in {"probe.py": PROBE, "agent.py": AGENT, "ci.py": CI}.items():
        (project.root / "tools" / name).write_text(text)
    project.git("add", "-A")
    project.git("-c", "core.hooksPath=/dev/null", "commit", "-qm", "tools")
    rows = [
        record("note", "builder", 1, said(f'KEY = "{SECRETS["code"]}"\n')),
        record("note", "builder", 2, said("NOTE = 'bad'\n")),
        record("note", "builder", 3, said("NOTE = 'worse'\n")),
        record("note", "builder", 4, said("NOTE = 1\n")),
        *(record("note", "auditor", call, review("approve") + SECRETS["finding"]) for call in (1, 2)),
    ]
    tape = tmp_path / "tape.jsonl"
    tape.write_text(cassette(rows), encoding="utf-8")
    ended = project.autopack(
        "run",
        "playbooks/note.yaml",
        "--run-id",
        "one",
        "--json",
        "--replay",
        str(tape),
        HOUSE_TOKEN=SECRETS["variable"],
    )
    events = (project.artifacts("one") / "events.jsonl").read_text()
    for word in ("secret", "by its name", "probe", "CiFinished", "BuilderFinished"):
        assert word in events, ended.err + ended.out
    found = dict(kept(project.root / ".autonomous_runs"))
    assert len(found) > 20
    assert found_in(found) == []
    assert found_in({"out": ended.out.encode(), "err": ended.err.encode()}) == []
    told = project.autopack("logs", "one", "--output")
    assert found_in({"logs": (told.out + told.err).encode()}) == []


def found_in(texts: dict[str, bytes]) -> list[str]:
    return [
        f"{name}: {place}" for name, data in texts.items() for place, one in SECRETS.items() if one.encode() in data
    ]


def test_a_specification_with_a_secret_is_no_plan_and_no_line_shows_it(tmp_path: Path) -> None:
    """So that no plan, whose digest is over its very text, can hold one."""
    ci = quick_ci().replace("PYTHONPATH: src", f"PYTHONPATH: src, TOKEN: {TOKEN}00")
    project = hello(tmp_path, {"ci.yaml": ci, "playbooks/note.yaml": PLAYBOOK})
    for words in (("validate",), ("plan", "playbooks/note.yaml"), ("run", "playbooks/note.yaml")):
        ended = project.autopack(*words)
        assert ended.code in (1, 2)
        assert "AP5009" in ended.out + ended.err
        assert TOKEN not in ended.out + ended.err
    for form in ("full", "concise", "json", "sarif", "junit", "gitlab", "github"):
        assert TOKEN not in project.autopack("validate", "--format", form).out, form
    assert not project.artifacts("one").exists()


def test_an_input_that_is_a_secret_is_refused_and_not_shown(tmp_path: Path) -> None:
    inputs = "name: note\ninputs: {about: {type: string, default: a note}}\n"
    text = PLAYBOOK.replace("name: note\n", inputs, 1).replace("goal: Add a note.", 'goal: "Add {{ inputs.about }}."')
    project = hello(tmp_path, {"ci.yaml": quick_ci(), "playbooks/note.yaml": text})
    assert project.autopack("plan", "playbooks/note.yaml", "--input", "about=a page").code == 0
    ended = project.autopack("plan", "playbooks/note.yaml", "--input", f"about={TOKEN}00")
    assert ended.code == 1
    assert 'the input "about" looks like a secret (GitHub token)' in ended.out + ended.err
    assert TOKEN not in ended.out + ended.err
