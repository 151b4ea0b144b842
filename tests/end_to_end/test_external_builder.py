"""`builder: {kind: external}`: a driver that waits, and results that reach it through the store."""

import signal
from pathlib import Path
from typing import Any

from autopack.journal import outside
from autopack.journal.store import Store, open_store
from autopack.runners.outside import result
from tests.end_to_end.scratch import Project, eventually, hello, quick_ci

PLAYBOOK = "playbooks/client.yaml"
TEXT = """\
autopack: playbook/v1
name: client
tiers:
  - id: T1
    phases:
      - id: page
        goal: Say in README.md how to greet in another language.
        category: docs
        scope: {write: [README.md, "docs/**"]}
        builder: {kind: external%s}
"""
NEW = """\
diff --git a/docs/new.md b/docs/new.md
new file mode 100644
--- /dev/null
+++ b/docs/new.md
@@ -0,0 +1 @@
+%s
"""
RUN = ("run", PLAYBOOK, "--run-id", "client-1", "--replay", "playbooks/languages.cassette.jsonl", "--json")


def project(tmp_path: Path, more: str = "") -> Project:
    made = hello(tmp_path, {PLAYBOOK: TEXT % more, "ci.yaml": quick_ci()})
    open_store(made.root / ".autonomous_runs" / "autopack.db", create=True).close()
    return made


def asked(made: Project, attempt: int = 1) -> tuple[Store, str]:
    """The store, and the key of what the phase's client is asked in this attempt."""

    def key() -> str | None:
        path = made.root / ".autonomous_runs" / "autopack.db"
        with open_store(path, create=False) as store:
            rows = {row.run_id: row for row in store.runs()}
            found: Any = (rows["client-1"].summary or {}) if rows else {}
            known = found.get("waits_for_client", {}).get("page")
            intent = store.intent("client-1", known) if known else None
            return known if intent and intent.body["attempt"] == attempt else None

    found = eventually(key, f"attempt {attempt} to be offered")
    return open_store(made.root / ".autonomous_runs" / "autopack.db", create=False), found


def hand_in(store: Store, key: str, patch: str | None, status: str = "success", notes: str = "", **more: Any) -> None:
    blob = None if patch is None else store.put_blob(patch.encode())
    told = store.put_blob(notes.encode()) if notes else None
    said = {"issues": (), "tokens": 900, "claims": {}, "delivery": None, **more}
    outside.hand_in(store, "client-1", key, "ann", 1.0, result(status=status, patch=blob, notes=told, **said))


def branch(made: Project, path: str) -> str:
    return made.git("show", f"autonomous/client-1:{path}")


def test_a_driver_waits_for_a_client_and_takes_its_patch_through_the_gate(tmp_path: Path) -> None:
    made = project(tmp_path)
    with made.driving(*RUN) as driver:
        store, key = asked(made)
        hand_in(store, key, NEW % "# New")
        driver.communicate()
    assert driver.returncode == 0
    assert branch(made, "docs/new.md") == "# New"
    (event,) = made.events("client-1", "BuilderFinished")
    assert (event["outcome"], event["claimed_tokens"]) == ("ok", 900)
    ended = made.autopack("status", "client-1", "--json").json
    assert (ended["state"], ended["tokens_used"], ended["model_calls"]) == ("DONE_SUCCESS", 0, 0)
    assert made.autopack("verify", "client-1").code == 0
    assert made.autopack("replay", "client-1").code == 0


def test_what_the_gate_refuses_comes_back_as_evidence_of_the_next_attempt(tmp_path: Path) -> None:
    made = project(tmp_path)
    with made.driving(*RUN) as driver:
        store, key = asked(made)
        hand_in(store, key, (NEW % "x").replace("docs/new.md", "src/hello/new.py"))
        store, key = asked(made, attempt=2)
        intent = store.intent("client-1", key)
        assert intent is not None
        assert [item["kind"] for item in intent.body["evidence"]] == ["scope"]
        hand_in(store, key, NEW % "# Better")
        driver.communicate()
    assert driver.returncode == 0
    assert branch(made, "docs/new.md") == "# Better"


def test_a_client_that_says_it_failed_is_heard_and_its_words_are_kept_for_the_next(tmp_path: Path) -> None:
    made = project(tmp_path)
    with made.driving(*RUN) as driver:
        store, key = asked(made)
        hand_in(store, key, NEW % "half", status="failed", notes="the disk was full")
        store, key = asked(made, attempt=2)
        intent = store.intent("client-1", key)
        assert intent is not None
        (evidence,) = intent.body["evidence"]
        assert evidence["kind"] == "failed"
        assert store.blob(evidence["blob"]) == b"the disk was full"
        hand_in(store, key, NEW % "# Whole")
        driver.communicate()
    assert driver.returncode == 0


def test_who_is_not_answered_in_time_gives_up_one_attempt_after_the_other(tmp_path: Path) -> None:
    made = project(tmp_path, ", timeout_s: 1")
    made.autopack(*RUN)
    found = made.events("client-1", "BuilderFinished")
    assert [event["outcome"] for event in found] == ["timed_out", "timed_out"]
    assert found[0]["message"] == "no client had handed in a result after 1 s"


def test_a_result_that_comes_while_nobody_drives_is_believed_once_by_the_next_driver(tmp_path: Path) -> None:
    """kill -9 of the driver while it waits."""
    made = project(tmp_path)
    with made.driving(*RUN) as driver:
        store, key = asked(made)
        driver.kill()
        driver.wait()
    hand_in(store, key, NEW % "# Meanwhile")
    ended = made.autopack("resume", "client-1", "--json")
    assert (ended.code, ended.json["state"]) == (0, "DONE_SUCCESS"), ended.err
    assert len(made.events("client-1", "BuilderFinished")) == 1
    assert branch(made, "docs/new.md") == "# Meanwhile"


def test_a_driver_that_was_killed_waits_on_when_it_is_taken_up_again(tmp_path: Path) -> None:
    made = project(tmp_path)
    with made.driving(*RUN) as driver:
        _, before = asked(made)
        driver.kill()
        driver.wait()
    with made.driving("resume", "client-1") as driver:
        store, key = asked(made)
        assert key == before
        hand_in(store, key, NEW % "# Later")
        driver.communicate()
    assert driver.returncode == 0
    assert len(made.events("client-1", "BuilderFinished")) == 1


def test_an_interrupt_and_a_cancel_end_the_waiting_at_once(tmp_path: Path) -> None:
    made = project(tmp_path)
    with made.driving(*RUN) as driver:
        asked(made)
        driver.send_signal(signal.SIGINT)
        driver.communicate()
    assert driver.returncode == 130
    with made.driving("resume", "client-1") as driver:
        asked(made)
        assert made.autopack("cancel", "client-1").code == 0
        driver.communicate()
    ended = made.autopack("status", "client-1", "--json").json
    assert (ended["failure_reason"], ended["phases"][0]["state"]) == ("cancelled", "FAILED")
    with open_store(made.root / ".autonomous_runs" / "autopack.db", create=False) as store:
        assert "waits_for_client" not in (store.run("client-1").summary or {})


def test_a_secret_in_a_patch_is_refused_and_kept_nowhere(tmp_path: Path) -> None:
    """A server withholds it before anything is kept; what is left is refused for what is missing."""
    made = project(tmp_path)
    with made.driving(*RUN):
        store, key = asked(made)
        hand_in(store, key, NEW % "<withheld-AWS-access-key>")
        asked(made, attempt=2)
    assert [row.body["kind"] for row in store.events("client-1") if row.type == "PatchRefused"] == ["secret"]
