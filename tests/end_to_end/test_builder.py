"""What a Builder may do in its phase, through the whole machine: probes, doubts, tools of its own, and proposals."""

import json
from pathlib import Path
from typing import Any

from tests.end_to_end.answers import search_replace, whole_file
from tests.end_to_end.scratch import Ended, Project, cassette, hello, quick_ci, record

PLAYBOOK = """\
autopack: playbook/v1
name: note
tiers:
  - id: T1
    phases:
      - id: note
        category: feature_scaffolding
        goal: Add a note that says what it is.
        acceptance: [NOTE is text]
        scope: {write: ["src/hello/note.py", "tools/**", "docs/**", TODO.md]}
        deliverables: [src/hello/note.py]
        probes: [[python, -c, "import sys; sys.path.insert(0, 'src'); import hello.note as n; print(n.NOTE)"]]
"""
DOUBT = """\
issues:
  - issue_key: note__length__unbounded
    severity: minor
    category: feature_scaffolding
    evidence_refs: ["src/hello/note.py:1"]
    description: nobody bounds the length of a note"""


def said(*parts: str, issues: str = "issues: []") -> str:
    return "\n".join([*parts, "```autopack", "summary: a note", issues, "```", ""])


def page(path: str, text: str) -> str:
    """Markdown, in a fence that no fence of its own could end."""
    return f"`{path}`\n\n````markdown\n{text}````\n"


def note(text: str) -> str:
    return whole_file("src/hello/note.py", text)


def run(project: Project, *replies: str, playbook: str = "playbooks/note.yaml", phase: str = "note") -> Ended:
    tape, recorded = project.places / "tape.jsonl", project.places / "recorded.jsonl"
    tape.parent.mkdir(parents=True, exist_ok=True)
    rows = [record(phase, "builder", call, text) for call, text in enumerate(replies, 1)]
    tape.write_text(cassette(rows), encoding="utf-8")
    words = ("--run-id", "one", "--json", "--replay", str(tape), "--record", str(recorded))
    return project.autopack("run", playbook, *words)


def asked(project: Project) -> list[str]:
    """What the Builder was sent, call by call."""
    rows = [json.loads(line) for line in (project.places / "recorded.jsonl").read_text().splitlines()[1:]]
    return ["\n".join(content for _, content in row["request"]["messages"]) for row in rows]


def issues_of(project: Project, phase_file: str) -> Any:
    return json.loads(project.git("show", f"autonomous/one:.autopack/issues/one/{phase_file}"))["issues"]


def test_a_builder_is_told_its_phase_probed_heard_and_may_keep_tools_of_its_own(tmp_path: Path):
    """REQ-3.4-1, REQ-3.4-4, REQ-3.4-5, REQ-2.2-2, REQ-2.2-3, REQ-2.2-4: the first reply fails the phase's probe."""
    project = hello(tmp_path, {"ci.yaml": quick_ci(), "playbooks/note.yaml": PLAYBOOK})
    own = (
        note('NOTE = "a note"\n'),
        whole_file("tools/check_notes.py", "print('checked')\n"),
        page("docs/skills/notes.md", "# How notes are written\n"),
        page("TODO.md", "- [ ] bound the length of a note\n"),
    )
    ended = run(project, said(note("NOTE = TEXT\n")), said(*own, issues=DOUBT))
    assert ended.json["state"] == "DONE_SUCCESS", ended.err

    first, second = asked(project)
    for words in ("Add a note that says what it is.", "NOTE is text", "src/hello/note.py", "feature_scaffolding"):
        assert words in first
    assert "NameError: name 'TEXT' is not defined" in second

    found = {entry["issue_key"]: entry for entry in issues_of(project, "phase_01_note_issues.json")}
    doubt = found["note__length__unbounded"]
    assert (doubt["source"], doubt["evidence_refs"]) == ("cursor_self_doubt", ["src/hello/note.py:1"])
    assert doubt["description"] == "nobody bounds the length of a note"
    assert [(entry["source"], entry["resolved"]) for key, entry in found.items() if "probe" in key] == [("probe", True)]

    landed = project.git("diff", "--name-only", "main", "autonomous/one", "--", ".", ":!.autopack").splitlines()
    assert landed == ["TODO.md", "docs/skills/notes.md", "src/hello/note.py", "tools/check_notes.py"]


RULES = """\
autopack: ruleset/v1
name: house
extends: builtin:default
categories:
  docs: {builder_attempts: 2}
grants:
  - {phases: [propose], allow: [{protected_paths: [rules.yaml]}], owner: ann, reason: proposals, until: 2099-12-31}
"""
TWO = """\
autopack: playbook/v1
name: two
tiers:
  - id: T1
    phases:
      - {id: propose, category: docs, goal: Propose rules., scope: {write: [rules.yaml, "proposals/**"]}}
      - {id: after, category: docs, goal: Add a page., needs: [propose], scope: {write: ["docs/**"]}}
"""


def test_a_proposal_for_the_rules_is_a_file_that_a_later_run_goes_by(tmp_path: Path):
    """REQ-12.0-3, REQ-12.0-4, REQ-3.2-2: even where a grant lets it change the rules themselves."""
    project = hello(tmp_path, {"ci.yaml": quick_ci(), "rules.yaml": RULES, "playbooks/two.yaml": TWO})
    spec = project.root / "autopack.yaml"
    spec.write_text(spec.read_text().replace("builtin:default", "rules.yaml"))
    project.git("commit", "-qam", "our own rules")
    frozen = project.autopack("plan", "playbooks/two.yaml", "--json").json
    stricter = RULES.replace("builder_attempts: 2", "builder_attempts: 5")
    proposal = page("proposals/chunking.md", "Split the pages by chapter.\n")
    tape = project.root / "two.jsonl"
    rows = [
        record("propose", "builder", 1, said(search_replace("rules.yaml", RULES, stricter), proposal)),
        record("after", "builder", 1, "I would rather not."),
        record("after", "builder", 2, said(page("docs/page.md", "# Page\n"))),
    ]
    tape.write_text(cassette(rows), encoding="utf-8")
    ended = project.autopack("run", "playbooks/two.yaml", "--run-id", "one", "--json", "--replay", str(tape))
    assert ended.json["state"] == "DONE_SUCCESS", ended.err + ended.out
    assert project.git("show", "autonomous/one:proposals/chunking.md") == "Split the pages by chapter."

    used = json.loads((project.artifacts("one") / "plan.json").read_text())
    attempts = [len(phase["attempts"]) for phase in used["phases"]]
    assert attempts == [len(phase["attempts"]) for phase in frozen["phases"]] == [2, 2]
    trailers = {project.trailers(commit)["Autopack-Plan"] for commit in project.commits("one")}
    assert trailers == {ended.json["plan_sha256"]}

    project.git("merge", "-q", "--no-edit", "autonomous/one")
    later = project.autopack("plan", "playbooks/two.yaml", "--json").json
    assert [len(phase["attempts"]) for phase in later["phases"]] == [5, 5]
