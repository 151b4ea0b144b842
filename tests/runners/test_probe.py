"""Whether a model's address answers, asked of a real HTTP server before anything is paid."""

import socket

import pytest

from autopack.runners.model import ProbeResult, probe
from tests.end_to_end.scratch import PATIENCE_S
from tests.loopback import Loopback, Reply

KEY = "a-key-that-nobody-may-see-5f1c"


@pytest.mark.parametrize(
    ("models", "timeout_s", "reason"),
    [
        (None, PATIENCE_S, "answered HTTP 200"),
        (Reply(status=404), PATIENCE_S, "answered HTTP 404"),
        (Reply(status=500), PATIENCE_S, "answered HTTP 500"),
        (Reply(status=429), PATIENCE_S, "answered HTTP 429"),
        (Reply(fault="close"), PATIENCE_S, "is there but did not answer (RemoteDisconnected)"),
        (Reply(fault="hang"), 1.0, "is there but did not answer (TimeoutError)"),
    ],
)
def test_a_probe_passes_whatever_shows_that_somebody_is_there(models: Reply | None, timeout_s: float, reason: str):
    with Loopback(models=models) as server:
        found = probe(server.url, None, timeout_s)
    assert found == ProbeResult(ok=True, reason=f"{server.url} {reason}")
    assert [(sent.method, sent.path) for sent in server.requests] == [("GET", "/v1/models")]
    assert server.bills == []


@pytest.mark.parametrize("status", [401, 403])
def test_a_probe_fails_where_the_key_is_not_taken(status: int, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOOPBACK_KEY", KEY)
    with Loopback(models=Reply(status=status)) as server:
        found = probe(f"{server.url}/", "LOOPBACK_KEY", PATIENCE_S)
    assert found == ProbeResult(
        ok=False,
        reason=f"{server.url}/ answered HTTP {status}: it does not take the key in LOOPBACK_KEY.",
        about_key=True,
    )
    assert server.requests[0].headers["authorization"] == f"Bearer {KEY}"


def test_a_probe_fails_where_nobody_listens():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        found = probe(address, None, PATIENCE_S)
    assert not found.ok
    assert found.reason.startswith(f"no connection to {address}: ")
    assert found.reason.endswith("Connection refused. Start the server or correct api_base.")


def test_a_probe_never_follows_a_redirect_with_the_key(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("LOOPBACK_KEY", KEY)
    with Loopback() as other:
        moved = Reply(status=302, headers={"Location": f"{other.url}/models"})
        with Loopback(models=moved) as server:
            assert probe(server.url, "LOOPBACK_KEY", PATIENCE_S).ok
    assert other.requests == []


def test_a_probe_that_need_not_ask():
    assert probe(None, None, PATIENCE_S) == ProbeResult(
        ok=True, reason="no api_base to ask: LiteLLM knows the provider's address"
    )
    assert probe("file:///etc", None, PATIENCE_S) == ProbeResult(
        ok=False, reason="file:///etc is no http address. Correct api_base in the catalogue."
    )
    missing = probe("http://127.0.0.1:1/v1", "NO_SUCH_KEY", PATIENCE_S)
    assert (missing.ok, missing.about_key) == (False, True)
    assert probe(None, "NO_SUCH_KEY", PATIENCE_S) == missing
    assert missing.reason.startswith("the environment variable NO_SUCH_KEY is not set. Nothing was sent.")
