"""A real server on 127.0.0.1, with a clock of the test's own, over a store in which phases wait for clients."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest

from autopack.journal import tokens
from autopack.journal.rows import Intent
from autopack.journal.store import Store, open_store
from autopack.plan import canonical
from autopack.plan.model import digest
from autopack.run.effects import AskExternal, CallModel, Evidence
from autopack.runners.request import Assembled
from autopack.views.api import app
from autopack.views.projection import row
from tests import postgres
from tests.run.story import Story, by_client, phase, plan

RUN = "run-1"


@dataclass
class Served:
    """`clock` is what the server takes for the time. `ask` sends one request as somebody of a scope."""

    store: Store
    clock: float = 1_000.0
    url: str = ""
    secrets: dict[str, str] = field(default_factory=dict)

    def ask(self, method: str, path: str, scope: str | None = "write", **more: Any) -> httpx.Response:
        headers = dict(more.pop("headers", {}))
        if scope is not None:
            headers.setdefault("Authorization", f"Bearer {self.secrets[scope]}")
        return httpx.request(method, self.url + path, headers=headers, timeout=60, **more)

    def next_phase(self, holder: str, **query: Any) -> Any:
        found = self.ask("GET", f"/runs/{RUN}/next_phase", params={"holder": holder, **query})
        assert found.status_code == 200, found.text
        return found.json()["phase"]

    def submit(self, holder: str, phase_id: str = "a", key: str | None = None, **fields: Any) -> httpx.Response:
        body = {"run_id": RUN, "phase_id": phase_id, "status": "success", "patch_content": "", **fields}
        place, headers = f"/runs/{RUN}/phases/{phase_id}/builder_result", {"Idempotency-Key": key} if key else {}
        return self.ask("POST", place, json=body, params={"holder": holder}, headers=headers)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    if request.param == "sqlite":
        with open_store(tmp_path / "autopack.db", create=True) as opened:
            yield opened
        return
    url, why = postgres.server()
    if url is None:
        pytest.skip(why)
    with postgres.database() as found, open_store(found, create=True) as opened:
        yield opened


@pytest.fixture
def served(store: Store) -> Iterator[Served]:
    """With a token of each scope, and the run of `waiting_run` with the phases `a` and `b`."""
    made, ready = Served(store), threading.Event()

    def listens(address: str) -> None:
        made.url = address
        ready.set()

    for scope in tokens.SCOPES:
        made.secrets[scope] = tokens.create(store, scope, 1.0)[0]
    waiting_run(store, "a", "b")
    server = app.server(app.make(store, lambda: made.clock), "127.0.0.1", 0, listens)
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        assert ready.wait(60)
        yield made
    finally:
        server.should_exit = True
        thread.join()


def waiting_run(store: Store, *phases: str) -> None:
    """As its driver leaves it in the store while these phases wait for clients, and `m` for a model."""
    told = plan(*map(by_client, phases), phase("m"), pools={"phase": 8})
    story = Story(told)
    while key := next((k for k, e in story.run.pending.items() if not isinstance(e, AskExternal | CallModel)), None):
        story.step(key)
    store.create_run(RUN, "shop", canonical.text(told), digest(told), 900.0)
    request = store.put_blob(Assembled((("user", "Say hello."),), {}).dump())
    why = (canonical.plain(Evidence("scope", "outside the scope", store.put_blob(b"line 3: no such thing"))),)
    asked = {key: effect for key, effect in story.run.pending.items() if isinstance(effect, AskExternal)}
    with store.writer(RUN) as writer:
        bodies = {
            key: {**canonical.plain(effect), "request": request, "evidence": why} for key, effect in asked.items()
        }
        intents = [Intent(key, "AskExternal", body, f"t{key[:8]}") for key, body in bodies.items()]
        events = [(type(event).__name__, canonical.plain(event), 901.0) for event in story.log]
        writer.append(events, intents, row(told, story.run), at=901.0)
