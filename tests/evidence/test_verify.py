"""`autopack verify`: whatever single thing is changed, it is found, and named with its place."""

import json
import shutil
import sqlite3
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from autopack.journal import chain
from autopack.journal.store import open_store
from autopack.runners import git
from autopack.views import verifying
from autopack.views.verifying import Verified
from tests.end_to_end.scratch import Project

RUN = "hello-1"


def verified(project: Project) -> Verified:
    with (
        open_store(project.root / ".autonomous_runs" / "autopack.db", create=False) as store,
        git.open_repository(project.root, writes=()) as repository,
    ):
        return verifying.of_run(store, RUN, repository, project.artifacts(RUN))


def sql(statement: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        with sqlite3.connect(project.root / ".autonomous_runs" / "autopack.db") as connection:
            assert connection.execute(statement).rowcount == 1
        connection.close()

    return change


def blob(data: bytes | None, where: str) -> Callable[[Project], None]:
    """Other bytes in the place of one blob's, or none."""

    def change(project: Project) -> None:
        with sqlite3.connect(project.root / ".autonomous_runs" / "autopack.db") as connection:
            chosen = f"sha256 = (SELECT sha256 FROM blobs WHERE {where} ORDER BY sha256 LIMIT 1)"
            if data is None:
                done = connection.execute(f"DELETE FROM blobs WHERE {chosen}")
            else:
                done = connection.execute(f"UPDATE blobs SET data = ? WHERE {chosen}", (zlib.compress(data),))
            assert done.rowcount == 1
        connection.close()

    return change


def in_git(*words: str) -> Callable[[Project], None]:
    def change(project: Project) -> None:
        project.git(*words)

    return change


def rewritten(old: str, new: str, *, path: str | None = None) -> Callable[[Project], None]:
    """The newest commit again, with one thing in its message or in one of its files changed; branch and tag follow."""

    def change(project: Project) -> None:
        head = project.git("rev-parse", "autonomous/hello-1")
        tree, message = f"{head}^{{tree}}", project.git("show", "-s", "--format=%B", head)
        if path is None:
            assert old in message
            message = message.replace(old, new)
        else:
            name = next(n for n in project.git("ls-tree", "-r", "--name-only", head).splitlines() if path in n)
            text = project.git("show", f"{head}:{name}") + "\n"
            assert old in text
            made = project.git("hash-object", "-w", "--stdin", given=text.replace(old, new))
            index = {"GIT_INDEX_FILE": str(project.root / ".git" / "another")}
            other = replace(project, variables=index)
            other.git("read-tree", head)
            other.git("update-index", "--cacheinfo", f"100644,{made},{name}")
            tree = other.git("write-tree")
        made = project.git("commit-tree", tree, "-p", f"{head}^", given=message)
        project.git("update-ref", "refs/heads/autonomous/hello-1", made)

    return change


def file(name: str, change: Callable[[Path], None]) -> Callable[[Project], None]:
    return lambda project: change(next(project.artifacts(RUN).rglob(name)))


def flip_object(project: Project) -> None:
    """One byte of a loose object on the disk: the code's own file, in the newest commit."""
    blob = project.git("rev-parse", "autonomous/hello-1:README.md")
    path = project.root / ".git" / "objects" / blob[:2] / blob[2:]
    text = zlib.decompress(path.read_bytes())
    path.chmod(0o600)
    path.write_bytes(zlib.compress(text[:-2] + b"!\n"))


def extra_event(project: Project) -> None:
    """One more, chained as a driver would, behind the end of the run."""
    with sqlite3.connect(project.root / ".autonomous_runs" / "autopack.db") as connection:
        seq, last = connection.execute("SELECT last_seq, last_hash FROM runs").fetchone()
        body = chain.body_text({"elapsed_s": 99.0})
        link = chain.link(last, seq + 1, "TimePassed", body, 1.0, None)
        row = (RUN, seq + 1, "TimePassed", body, 1.0, last, link)
        connection.execute(
            "INSERT INTO events (run_id, seq, type, body, at, prev_hash, hash) VALUES (?,?,?,?,?,?,?)", row
        )
    connection.close()


def gone(what: str) -> Callable[[Project], None]:
    """An object of the repository is taken away."""

    def change(project: Project) -> None:
        name = project.git("rev-parse", what)
        (project.root / ".git" / "objects" / name[:2] / name[2:]).unlink()

    return change


FIRST_CALL = "key = (SELECT min(key) FROM calls)"
FIRST_INTENT = "key = (SELECT min(key) FROM intents)"
PATCHES = "SELECT json_extract(body, '$.patch') FROM events WHERE type = 'PatchAccepted'"
EVENT = "run_id = 'hello-1' AND seq = 5"
CHANGES: dict[str, tuple[Callable[[Project], None], str, str]] = {
    "an event's body": (sql(f"UPDATE events SET body = replace(body, ':', ': ') WHERE {EVENT}"), "event", "event 5"),
    "an event's time": (sql(f"UPDATE events SET at = at + 1 WHERE {EVENT}"), "event", "event 5"),
    "an event's type": (sql(f"UPDATE events SET type = 'Landed' WHERE {EVENT}"), "event", "event 5"),
    "what an event left": (sql(f"UPDATE events SET after = '{{}}' WHERE {EVENT}"), "event", "event 5"),
    "an event that is gone": (sql(f"DELETE FROM events WHERE {EVENT}"), "event", "event 5"),
    "the end of the journal": (sql("UPDATE runs SET last_seq = last_seq - 1"), "event", "event"),
    "the run's state": (sql("UPDATE runs SET state = 'DONE_FAILED_ENVIRONMENT'"), "run", RUN),
    "the run's summary": (sql("UPDATE runs SET summary = replace(summary, '8570', '8571')"), "run", "summary"),
    "the plan": (blob(b"{}", "sha256 IN (SELECT plan_sha256 FROM runs)"), "plan", ""),
    "a blob": (blob(b"other", "sha256 NOT IN (SELECT plan_sha256 FROM runs)"), "blob", "of "),
    "a blob that is gone": (blob(None, "sha256 NOT IN (SELECT plan_sha256 FROM runs)"), "blob", "of "),
    "a patch that is gone, of which a file is made": (blob(None, f"sha256 IN ({PATCHES})"), "blob", "of event"),
    "a patch, of which a file is made": (blob(b"other", f"sha256 IN ({PATCHES})"), "blob", "of event"),
    "an intent": (
        sql(
            "UPDATE intents SET body = replace(body, 'normal', 'strict') WHERE effect_type = 'RunCi' AND "
            "key = (SELECT min(key) FROM intents WHERE effect_type = 'RunCi' AND body LIKE '%normal%')"
        ),
        "intent",
        "RunCi",
    ),
    "an intent that is gone": (
        sql("DELETE FROM intents WHERE key = (SELECT min(key) FROM intents WHERE effect_type = 'RunCi')"),
        "intent",
        "CiFinished",
    ),
    "a reply": (
        sql("UPDATE calls SET reply = replace(reply, 'stop', 'length') WHERE key = (SELECT min(key) FROM calls)"),
        "call",
        "believed as event",
    ),
    "a call that is gone": (sql("DELETE FROM calls WHERE key = (SELECT min(key) FROM calls)"), "call", "event"),
    "the branch": (
        in_git("update-ref", "refs/heads/autonomous/hello-1", "refs/heads/autonomous/hello-1~1"),
        "branch",
        "refs/heads/autonomous/hello-1",
    ),
    "the branch that is gone": (in_git("update-ref", "-d", "refs/heads/autonomous/hello-1"), "branch", "refs/heads"),
    "a trailer": (rewritten("Autopack-Audit: none", "Autopack-Audit: approved by premium"), "branch", "refs/heads"),
    "the code": (rewritten("Bonjour", "Salut", path="README.md"), "branch", "refs/heads"),
    "a committed issue file": (rewritten("readme", "other", path="_readme_issues.json"), "branch", "refs/heads"),
    "a tag": (
        in_git("tag", "-f", "-m", "x", "autonomous/hello-1/tier-T1/phase-greet", "autonomous/hello-1~3"),
        "tag",
        "refs/tags/autonomous/hello-1/tier-T1/phase-greet",
    ),
    "a tag's message": (
        in_git("tag", "-f", "-m", "x", "autonomous/hello-1/tier-T2/phase-suite", "autonomous/hello-1~1"),
        "tag",
        "phase-suite",
    ),
    "a tag that is gone": (in_git("tag", "-d", "autonomous/hello-1/tier-T1/phase-greet"), "tag", "phase-greet"),
    "a tag too many": (in_git("tag", "autonomous/hello-1/tier-T1/phase-more", "main"), "tag", "phase-more"),
    "an object on the disk": (flip_object, "object", "refs/heads/autonomous/hello-1"),
    "a protected branch that is gone": (
        in_git("update-ref", "-d", "refs/heads/main"),
        "protected ref",
        "refs/heads/main",
    ),
    "an artefact": (file("run_summary.md", lambda path: path.write_text(path.read_text() + " ")), "artefact", ".md"),
    "an artefact's name": (file("run_summary.json", lambda p: p.rename(p.parent / "other")), "artefact", "other"),
    "a patch": (file("*_greet.diff", lambda path: path.write_bytes(path.read_bytes()[:-1])), "artefact", "greet.diff"),
    "the exported journal": (file("events.jsonl", lambda p: p.write_text(p.read_text()[:-9])), "artefact", "events"),
    "a CI log that is gone": (file("output.txt", lambda path: path.unlink()), "artefact", "output.txt"),
    "an event too many": (extra_event, "event", "event"),
    "the run's project": (sql("UPDATE runs SET project = 'other'"), "run", "project"),
    "the run's summary that is gone": (sql("UPDATE runs SET summary = NULL"), "run", "summary"),
    "a summary that is no JSON": (sql("UPDATE runs SET summary = summary || 'x'"), "row", RUN),
    "a summary that is no object": (sql("UPDATE runs SET summary = '5'"), "row", RUN),
    "an intent that is no JSON": (sql(f"UPDATE intents SET body = body || 'x' WHERE {FIRST_INTENT}"), "row", "intent"),
    "an intent too many": (
        sql(
            "INSERT INTO intents SELECT run_id, 'ffff', effect_type, body, at, token, pid, pid_start FROM intents "
            f"WHERE {FIRST_INTENT}"
        ),
        "intent",
        "ffff",
    ),
    "the mark of an intent's children": (
        sql(f"UPDATE intents SET token = 'x' WHERE {FIRST_INTENT}"),
        "intent",
        "the mark",
    ),
    "a reply that is no JSON": (sql(f"UPDATE calls SET reply = reply || 'x' WHERE {FIRST_CALL}"), "row", "call"),
    "a reply that is gone": (sql(f"UPDATE calls SET reply = NULL WHERE {FIRST_CALL}"), "call", "believed as event"),
    "a call too many": (
        sql(
            "INSERT INTO calls SELECT run_id, 'ffff', reserved_tokens, reserved_cost_usd, at, reply, replied_at FROM "
            f"calls WHERE {FIRST_CALL}"
        ),
        "call",
        "ffff",
    ),
    "the tokens that were reserved": (
        sql(f"UPDATE calls SET reserved_tokens = reserved_tokens - 1 WHERE {FIRST_CALL}"),
        "call",
        "reserved",
    ),
    "the money that was reserved": (
        sql(f"UPDATE calls SET reserved_cost_usd = '0' WHERE {FIRST_CALL}"),
        "call",
        "reserved",
    ),
    "an amount that is none": (sql(f"UPDATE calls SET reserved_cost_usd = 'x' WHERE {FIRST_CALL}"), "row", "call"),
    "when a call was begun": (sql(f"UPDATE calls SET at = at + 1 WHERE {FIRST_CALL}"), "call", "reserved"),
    "the size of a blob": (
        sql("UPDATE blobs SET size = size + 1 WHERE sha256 = (SELECT plan_sha256 FROM runs)"),
        "plan",
        "",
    ),
    "what stood before the run": (
        sql("DELETE FROM standing WHERE kind = 'before hello-1'"),
        "row",
        "what stood before",
    ),
    "what stood before the run, garbled": (
        sql("UPDATE standing SET body = body || 'x' WHERE kind = 'before hello-1'"),
        "row",
        "what stood before",
    ),
    "a commit that is gone": (gone("autonomous/hello-1~1"), "commit", "(phase "),
    "a tree that is gone": (gone("autonomous/hello-1:src"), "object", "refs/heads/autonomous/hello-1"),
    "the plan's file": (file("plan.json", lambda p: p.write_text(p.read_text() + " ") and None), "artefact", "plan"),
    "a file too many": (file("run_summary.md", lambda p: (p.parent / ".x").write_text("x") and None), "artefact", ".x"),
    "an issue file too many": (
        file("run_issue_index.json", lambda p: (p.parent / "phase_09_x_issues.json").write_text("{}") and None),
        "artefact",
        "phase_09_x",
    ),
}


def test_what_nobody_has_touched_verifies(built: Project):
    found = verified(built)
    assert (found.faults, found.unchecked) == ([], [])
    assert found.checked["event"] == found.checked["decision"] > 20
    assert {"plan", "intent", "call", "blob", "branch", "commit", "trailer", "issue file", "tag"} <= set(found.checked)
    assert {"object", "protected ref", "artefact", "run"} <= set(found.checked)


@pytest.mark.parametrize("what", CHANGES)
def test_whatever_is_changed_is_found_and_named(project: Project, what: str):
    """REQ-3.5-5: a record can't be changed unseen."""
    change, kind, place = CHANGES[what]
    change(project)
    faults = verified(project).faults
    assert faults, f"{what}: nothing was found"
    assert any(fault.kind == kind and place in fault.place for fault in faults), [str(fault) for fault in faults]


HARMLESS: dict[str, tuple[Callable[[Project], None], str]] = {
    "when the run was created": (sql("UPDATE runs SET created_at = created_at + 1"), "it only orders lists of runs"),
    "when an effect was begun": (
        sql("UPDATE intents SET at = at + 1 WHERE key = (SELECT min(key) FROM intents WHERE effect_type = 'RunCi')"),
        "it dates what is made again after a crash, and this one was answered; of a landing it is found",
    ),
    "which process it was": (
        sql(f"UPDATE intents SET pid = 1, pid_start = 1 WHERE {FIRST_INTENT}"),
        "what is reaped is found by its mark",
    ),
    "when a reply came": (
        sql(f"UPDATE calls SET replied_at = replied_at + 1 WHERE {FIRST_CALL}"),
        "nothing is decided by it",
    ),
    "a blob nobody names": (
        sql("INSERT INTO blobs SELECT 'ff', data, size FROM blobs WHERE sha256 = (SELECT plan_sha256 FROM runs)"),
        "nothing leads there",
    ),
    "what a resume was to answer from": (
        file(
            "options.json", lambda p: p.write_text('{"cassette": null, "record": null, "replay_all": false}') and None
        ),
        "an ended run asks nobody any more",
    ),
    "a note on a commit": (
        in_git("-c", "user.name=x", "-c", "user.email=x@x", "notes", "add", "-m", "x", "autonomous/hello-1"),
        "it is no part of the commit",
    ),
    "a replacement of a commit": (
        in_git("replace", "autonomous/hello-1", "main"),
        "objects are read under their own ids",
    ),
    "the cassette": (
        lambda project: (project.root / "playbooks" / "languages.cassette.jsonl").unlink(),
        "each answer is on record",
    ),
}


@pytest.mark.parametrize("what", HARMLESS)
def test_what_proves_nothing_may_change(project: Project, what: str):
    """The other half of the list above, each with its reason: the rest of what a run leaves can't be changed unseen."""
    change, reason = HARMLESS[what]
    change(project)
    assert verified(project).faults == [], reason


def test_the_verb_says_what_changed_and_exits_with_1(project: Project):
    told = project.autopack("verify", RUN)
    assert (told.code, told.err) == (0, "")
    assert "run hello-1: nothing changed" in told.out
    assert max(map(len, told.out.splitlines())) <= 80
    path = project.artifacts(RUN) / "issues" / "run_issue_index.json"
    path.write_text("{}")
    told = project.autopack("verify", "autonomous/hello-1", "--json")
    assert (told.code, told.json["ok"]) == (1, False)
    assert [(fault["kind"], fault["place"]) for fault in told.json["faults"]] == [("artefact", str(path))]


# --- a clone without the store ---


@pytest.fixture
def clone(built: Project, tmp_path: Path) -> Project:
    root = tmp_path / "clone"
    built.git("clone", "-q", "--no-local", "-b", "autonomous/hello-1", str(built.root), str(root))
    return replace(built, root=root, repository=root, places=tmp_path / "places")


def test_a_clone_verifies_by_its_commits_tags_and_issue_files(clone: Project):
    told = clone.autopack("verify", "autonomous/hello-1", "--json").json
    assert (told["ok"], told["run_id"]) == (True, "hello-1")
    assert told["checked"]["issue file"] > 8
    assert told["not_checked"] == ["the journal, its blobs and the run's folder: this store does not hold the run"]


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        (rewritten("Autopack-Attempt: 1", "Autopack-Attempt: one"), "trailer"),
        (rewritten("Autopack-Run: hello-1\n", ""), "commit"),
        (rewritten("Autopack-Audit: none", "Autopack-Audit: approved by premium"), "tag"),
        (rewritten("Bonjour", "Salut", path="README.md"), "tag"),
        (rewritten('"phase_id": "readme"', '"phase_id": "suite"', path="_readme_issues.json"), "issue file"),
        (in_git("tag", "-f", "-m", "x", "autonomous/hello-1/tier-T1/phase-greet", "autonomous/hello-1~3"), "tag"),
    ],
)
def test_a_clone_finds_what_was_rewritten(clone: Project, change: Callable[[Project], None], kind: str):
    change(clone)
    told = clone.autopack("verify", "autonomous/hello-1", "--json")
    assert told.code == 1
    assert kind in {fault["kind"] for fault in told.json["faults"]}, told.out


def test_what_is_neither_run_nor_branch_is_named(built: Project):
    told = built.autopack("verify", "nothing")
    assert (told.code, told.err) == (2, "autopack verify: nothing is neither a run of this store nor a branch here\n")


def test_a_branch_that_no_run_made_is_said_to_carry_nothing(built: Project):
    told = built.autopack("verify", "main")
    assert told.code == 1
    assert "it carries no Autopack-Run trailer" in told.out


def test_a_run_whose_folder_was_deleted_is_verified_without_it(project: Project):
    shutil.rmtree(project.artifacts(RUN))
    found = verified(project)
    assert found.faults == []
    assert "`autopack resume hello-1` writes it" in found.unchecked[0]
    assert project.autopack("resume", RUN).code == 0
    assert verified(project).unchecked == []


def test_json_is_one_document(built: Project):
    assert json.loads(built.autopack("verify", RUN, "--json").out)["format_version"] == 1
