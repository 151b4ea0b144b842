"""A real server and a real driver over one store; a client builds one phase, a (recorded) model the other."""

import difflib
import json
import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests import postgres
from tests.end_to_end.scratch import Project, cassette, eventually, hello, quick_ci, record, text_of

PLAYBOOK = "playbooks/shared.yaml"
TEXT = """\
autopack: playbook/v1
name: shared
tiers:
  - id: T1
    phases:
      - id: page
        goal: Say in README.md how to greet in another language.
        category: docs
        scope: {write: [README.md]}
        builder: {kind: external}
      - id: one
        goal: Add one.
        category: docs
        scope: {write: [docs/one.md]}
        needs: [page]
"""
REPLY = "`docs/one.md`\n\n<<<<<<< SEARCH\n=======\n# One\n>>>>>>> REPLACE\n"
RUN = ("run", PLAYBOOK, "--run-id", "s-1", "--replay", "playbooks/shared.cassette.jsonl", "--json")


@dataclass
class Client:
    """An external builder, which knows an address and a token and nothing of autopack."""

    url: str
    token: str

    def ask(self, method: str, path: str, **more: Any) -> httpx.Response:
        return httpx.request(
            method, self.url + path, headers={"Authorization": f"Bearer {self.token}"}, timeout=60, **more
        )

    def next_phase(self) -> Any:
        found = self.ask("GET", "/runs/s-1/next_phase")
        return found.json()["phase"] if found.status_code == 200 else None

    def offered(self, attempt: int = 1) -> Any:
        def of_attempt() -> Any:
            found = self.next_phase()
            return found if found and found["attempt"] == attempt else None

        return eventually(of_attempt, f"attempt {attempt} to be offered")

    def submit(self, patch: str, status: str = "success") -> httpx.Response:
        body = {"run_id": "s-1", "phase_id": "page", "status": status, "patch_content": patch, "tokens_used": 12}
        return self.ask("POST", "/runs/s-1/phases/page/builder_result", json=body)


def project(folder: Path, store: str = "") -> Project:
    settings = text_of("autopack.yaml").rstrip() + "\n" + (f'store: "{store}"\n' if store else "")
    files = {
        PLAYBOOK: TEXT,
        "playbooks/shared.cassette.jsonl": cassette([record("one", "builder", 1, REPLY)]),
        "ci.yaml": quick_ci(),
        "autopack.yaml": settings,
    }
    return hello(folder, files)


@contextmanager
def serving(made: Project) -> Iterator[Client]:
    token = made.autopack("token", "create", "--scope", "write", "--json").json["token"]
    with made.driving("serve", "--port", "0") as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        assert line.startswith("serving http://127.0.0.1:"), line + server.stderr.read()
        yield Client(line.split()[1], token)
        server.send_signal(signal.SIGTERM)
        server.communicate()
        assert server.returncode in (0, -signal.SIGTERM)


def patch(made: Project, line: str) -> str:
    old = made.git("show", "main:README.md") + "\n"
    new = old + line + "\n"
    return "".join(difflib.unified_diff(old.splitlines(True), new.splitlines(True), "a/README.md", "b/README.md"))


def ends_well(made: Project, driver: "subprocess.Popen[str]", line: str) -> None:
    out, err = driver.communicate()
    assert driver.returncode == 0, err
    assert json.loads(out)["state"] == "DONE_SUCCESS"
    assert made.git("show", "autonomous/s-1:README.md").endswith(line)
    assert made.git("show", "autonomous/s-1:docs/one.md") == "# One"


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_client_builds_a_phase_and_a_model_the_next_one(tmp_path: Path, kind: str) -> None:
    """REQ-CH-1, REQ-1.1-1"""
    if kind == "sqlite":
        _story(project(tmp_path))
        return
    url, why = postgres.server()
    if url is None:
        pytest.skip(why)
    with postgres.database() as found:
        _story(project(tmp_path, found))


def _story(made: Project) -> None:
    with serving(made) as client, made.driving(*RUN) as driver:
        found = client.offered()
        assert (found["phase_id"], found["attempt"], found["evidence"]) == ("page", 1, [])
        assert "how to greet in another language" in found["instructions"]
        assert "as `git diff` prints it" in found["instructions"]
        assert found["base_commit"] == made.git("rev-parse", "main")
        assert client.submit(patch(made, "Bonjour!")).status_code == 200
        ends_well(made, driver, "Bonjour!")
        told = client.ask("GET", "/runs/s-1").json()
        assert (told["state"], told["debt_status"], told["failure_reason"]) == ("DONE_SUCCESS", "clean", None)
        assert [phase["state"] for phase in told["tiers"][0]["phases"]] == ["COMPLETE", "COMPLETE"]
        assert client.ask("GET", "/runs").json()["runs"][0]["id"] == "s-1"
        assert client.submit(patch(made, "late")).json()["code"] == "not_pending"
    assert made.autopack("verify", "s-1").code == 0


def test_what_was_wrong_with_a_patch_is_in_the_next_request(tmp_path: Path) -> None:
    """REQ-CH-1"""
    made = project(tmp_path)
    with serving(made) as client, made.driving(*RUN) as driver:
        client.offered()
        good = patch(made, "Bonjour!")
        assert client.submit(good.replace("README.md", "../README.md")).status_code == 200
        found = client.offered(attempt=2)
        (evidence,) = found["evidence"]
        assert (evidence["kind"], "../README.md" in evidence["text"]) == ("scope", True)
        assert "../README.md" in found["instructions"]
        client.submit(good)
        ends_well(made, driver, "Bonjour!")


@pytest.mark.parametrize(
    ("hostile", "kind"),
    [
        ("--- /dev/null\n+++ b/.git/hooks/pre-commit\n@@ -0,0 +1 @@\n+x\n", "scope"),
        ("Here is my patch, enjoy.", "format_error"),
    ],
)
def test_the_gate_of_every_reply_judges_what_comes_from_outside(tmp_path: Path, hostile: str, kind: str) -> None:
    made = project(tmp_path)
    with serving(made) as client, made.driving(*RUN) as driver:
        client.offered()
        assert client.submit(hostile).status_code == 200
        (evidence,) = client.offered(attempt=2)["evidence"]
        assert evidence["kind"] == kind
        client.submit(patch(made, "Bonjour!"))
        ends_well(made, driver, "Bonjour!")
    assert not (made.root / ".git" / "hooks" / "pre-commit").exists()


def test_a_driver_that_is_killed_while_it_waits_takes_the_result_once_it_is_back(tmp_path: Path) -> None:
    """REQ-CH-1: kill -9."""
    made = project(tmp_path)
    with serving(made) as client:
        with made.driving(*RUN) as driver:
            before = client.offered()
            os.killpg(driver.pid, signal.SIGKILL)
            driver.wait()
        assert client.offered()["lease"]["holder"] == before["lease"]["holder"]
        assert client.submit(patch(made, "Bonjour!")).status_code == 200
        assert client.submit(patch(made, "twice")).json()["code"] == "answered_already"
        with made.driving("resume", "s-1", "--json") as driver:
            ends_well(made, driver, "Bonjour!")
    assert len(made.events("s-1", "BuilderFinished")) == 1


def test_tokens_are_made_listed_and_revoked(tmp_path: Path) -> None:
    made = project(tmp_path)
    told = made.autopack("token", "create", "--scope", "read", "--json").json
    assert sorted(told) == ["id", "scope", "token"]
    assert [(each["id"], each["scope"]) for each in made.autopack("token", "ls", "--json").json] == [
        (told["id"], "read")
    ]
    assert told["token"] not in made.autopack("token", "ls").out
    assert told["token"].encode() not in b"".join(
        path.read_bytes() for path in (made.root / ".autonomous_runs").glob("autopack.db*")
    )
    assert made.autopack("token", "create", "--scope", "all").code == 2
    assert made.autopack("token", "revoke", told["id"]).code == 0
    assert made.autopack("token", "revoke", told["id"]).code == 2


def test_a_port_that_is_taken_is_said_and_nothing_is_served(tmp_path: Path) -> None:
    made = project(tmp_path)
    with serving(made) as client:
        port = client.url.rpartition(":")[2]
        ended = made.autopack("serve", "--port", port)
    assert ended.code == 7
    assert "address already in use" in ended.err
    assert "Traceback" not in ended.err
