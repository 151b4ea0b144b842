"""The order of what judges a patch: paths, places, damage and secrets, probes, CI; cheap before dear."""

import json
from collections.abc import Sequence
from pathlib import Path

from tests.end_to_end.answers import review, search_replace, whole_file
from tests.end_to_end.scratch import Ended, Project, cassette, hello, quick_ci, record, text_of
from tests.end_to_end.test_outages import MODELS
from tests.loopback import Loopback, Reply

TOKEN = "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
PLAYBOOK = """\
autopack: playbook/v1
name: note
tiers:
  - id: T1
    phases:
      - id: note
        category: feature_scaffolding
        goal: Add a note.
        scope: {write: ["src/hello/*.py", "tests/*.py"], read: ["src/**"]}
        deliverables: [src/hello/note.py]
        budget: {attempts: 6}
        probes: [[python, -S, -c, "open('%s', 'a').write('probe '); exec(open('src/hello/note.py').read())"]]
"""
OLD = "def test_a():\n    assert f() == 1\n    assert f() == 1 + 0\n"


def said(*parts: str) -> str:
    return "\n".join([*parts, "```autopack", "summary: a note", "issues: []", "```", ""])


def run(project: Project, replies: Sequence[str]) -> tuple[Ended, list[str]]:
    tape, recorded = project.places / "tape.jsonl", project.places / "recorded.jsonl"
    tape.parent.mkdir(parents=True, exist_ok=True)
    rows = [record("note", "builder", call, text) for call, text in enumerate(replies, 1)]
    tape.write_text(cassette(rows), encoding="utf-8")
    words = ("--run-id", "one", "--json", "--replay", str(tape), "--record", str(recorded))
    ended = project.autopack("run", "playbooks/note.yaml", *words)
    asked = [json.loads(line) for line in recorded.read_text(encoding="utf-8").splitlines()[1:]]
    return ended, [row["request"]["messages"][-1][1] for row in asked]


def test_what_is_cheap_is_said_first_and_spares_what_is_dear(tmp_path: Path) -> None:
    """REQ-3.4-2. Each reply mends the fault that the one before was refused for, and keeps the rest."""
    trace = tmp_path / "trace"
    ci = quick_ci("python", "-S", "-c", f"open({str(trace)!r}, 'a').write('ci ')").replace(
        "profiles:", "baseline: true\nprofiles:"
    )
    files = {"ci.yaml": ci, "playbooks/note.yaml": PLAYBOOK % trace, "tests/test_a.py": OLD}
    project = hello(tmp_path, files)
    greeting = text_of("src/hello/greeting.py")
    elsewhere = whole_file("setup.py", "x = 1\n")
    unmatched = search_replace("src/hello/greeting.py", greeting + "no such line\n", greeting + "another\n")
    weaker = search_replace("tests/test_a.py", OLD, "def test_a():\n    assert f() == 1\n")
    broken = whole_file("src/hello/note.py", f"NOTE = (\n# ... rest of the code unchanged ...\nKEY = '{TOKEN}'\n")
    failing = whole_file("src/hello/note.py", "NOTE = TEXT\n")
    good = whole_file("src/hello/note.py", "NOTE = 1\n")
    replies = [
        said(broken, weaker, unmatched, elsewhere),
        said(broken, unmatched),
        said(broken),
        said(failing),
        said(good),
    ]
    ended, asked = run(project, replies)
    assert ended.json["state"] == "DONE_SUCCESS", ended.err
    refused = [event["kind"] for event in project.events("one", "PatchRefused")]
    assert refused == ["scope", "edit_failed", "placeholder", "probe"]
    assert trace.read_text().split() == ["ci", "probe", "probe", "ci"], "base commit, two that passed the gate, one CI"

    places = [asked[3].index(f"src/hello/note.py:{fault}") for fault in ("2: placeholder", "1: syntax", "3: secret")]
    assert places == sorted(places), "all of them at once, in the order of the rules"
    assert "setup.py: scope: outside the phase's scope" in asked[1]
    assert TOKEN not in "".join(asked)


GRANTED = """\
autopack: playbook/v1
name: note
tiers:
  - id: T1
    phases:
      - id: note
        category: feature_scaffolding
        goal: Be rude.
        scope: {write: ["src/hello/*.py", "tests/*.py"]}
        allow: [test_changes]
"""


def test_with_the_grant_the_auditor_is_shown_what_the_tests_of_before_say(tmp_path: Path) -> None:
    """Over HTTP: the Builder rewrites a test together with the code, and CI is green; the prompt holds the failures."""
    old = {path: text_of(path) for path in ("src/hello/greeting.py", "tests/test_greeting.py")}
    new = {path: text.replace("Hello, ", "Goodbye, ") for path, text in old.items()}
    blocks = [search_replace(path, old[path], new[path]) for path in old]
    with Loopback(Reply(said(*blocks)), Reply(review("approve"))) as server:
        files = {
            "models.yaml": MODELS % server.url,
            "playbooks/note.yaml": GRANTED,
            "autopack.yaml": "autopack: project/v1\nname: hello\nplaybooks: [playbooks/note.yaml]\n"
            "ci: ci.yaml\nmodels: models.yaml\n",
        }
        made = hello(tmp_path, files)
        project = Project(made.root, made.repository, made.places, {"LOOPBACK_KEY": "a-key"})
        ended = project.autopack("run", "playbooks/note.yaml", "--run-id", "one", "--json")
        calls = [call for call in server.calls if call.method == "POST"]
    assert ended.json["state"] == "DONE_SUCCESS", ended.err
    assert len(calls) == 2
    told = calls[1].prompt
    assert "The base commit's tests on the patched code:" in told
    failing = "tests/test_greeting.py::"
    assert failing in told
    assert told.index("The base commit's tests") < told.index(failing) < told.index("CI:\n")
    assert "Goodbye" in told[told.index(failing) :]
    (event,) = project.events("one", "CiFinished")
    assert event["verdict"] == "green"
    assert [issue["issue_key"].rpartition("__")[2] for issue in event["issues"]] == ["base_tests_fail"]
    assert ("test", "major") in {(issue["source"], issue["severity"]) for issue in event["issues"]}
