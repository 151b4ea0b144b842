"""What each route answers, and to whom: a real server over loopback, on both databases."""

import json
import re
import threading
from typing import Any

import httpx
import pytest

from autopack.journal import outside
from tests.api.conftest import RUN, Served

RESULT = f"/runs/{RUN}/phases/a/builder_result"
GOOD = {"run_id": RUN, "phase_id": "a", "status": "success"}


def refused(found: httpx.Response) -> tuple[int, str]:
    """Status and code of a problem document, which is one."""
    assert found.headers["content-type"] == "application/problem+json"
    told = found.json()
    assert told["status"] == found.status_code
    assert told["type"] == f"urn:autopack:{told['code']}"
    assert "Traceback" not in found.text
    return found.status_code, told["code"]


# --- who may ---


@pytest.mark.parametrize("path", ["/", "/health", "/docs", "/redoc", "/openapi.json"])
def test_what_tells_nothing_of_a_run_needs_no_token(served: Served, path: str) -> None:
    assert served.ask("GET", path, None).status_code == 200


@pytest.mark.parametrize("header", [None, "Bearer nobody", "Bearer", "Basic abc", "Bearer \xe4\xff"])
def test_everything_else_needs_one(served: Served, header: str | None) -> None:
    headers = {} if header is None else {"Authorization": header.encode("latin-1")}
    for method, path in (("GET", "/runs"), ("GET", f"/runs/{RUN}"), ("GET", f"/runs/{RUN}/next_phase")):
        assert refused(served.ask(method, path, None, headers=headers)) == (401, "no_token")
    assert refused(served.ask("POST", RESULT, None, headers=headers, json=GOOD)) == (401, "no_token")


def test_who_may_only_read_takes_no_lease_and_hands_in_nothing(served: Served) -> None:
    assert served.ask("GET", f"/runs/{RUN}", "read").status_code == 200
    assert refused(served.ask("GET", f"/runs/{RUN}/next_phase", "read")) == (403, "scope_too_small")
    assert refused(served.ask("POST", RESULT, "read", json=GOOD)) == (403, "scope_too_small")
    assert outside.rows(served.store, RUN) == {}
    assert served.ask("GET", f"/runs/{RUN}/next_phase", "admin").status_code == 200


# --- what is shown ---


def test_a_run_is_shown_with_its_tiers_and_phases(served: Served) -> None:
    found = served.ask("GET", f"/runs/{RUN}", "read").json()
    assert (found["id"], found["state"], found["token_cap"]) == (RUN, "PHASE_EXECUTION", 5_000_000)
    assert (found["created_at"], found["completed_at"]) == ("1970-01-01T00:15:00.000+00:00", None)
    (tier,) = found["tiers"]
    assert [(each["id"], each["state"], each["builder_kind"]) for each in tier["phases"]] == [
        ("a", "EXECUTING", "external"),
        ("b", "EXECUTING", "external"),
        ("m", "EXECUTING", "model"),
    ]
    assert refused(served.ask("GET", "/runs/nobody", "read")) == (404, "unknown_run")


def test_the_list_of_runs_comes_in_pages(served: Served) -> None:
    for number in range(4):
        served.store.create_run(f"more-{number}", "shop", "{}", _digest(), 950.0)
    seen, cursor = [], None
    while True:
        query = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = served.ask("GET", "/runs", "read", params=query).json()
        seen += [run["id"] for run in page["runs"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert seen == [RUN, "more-0", "more-1", "more-2", "more-3"]
    for bad in ("x", "W10=", "WzEsMl0=", "WyJhIiwiYiJd", "W05hTiwieCJd"):
        assert refused(served.ask("GET", "/runs", "read", params={"cursor": bad})) == (422, "not_this_shape")


def _digest() -> str:
    return "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"  # of {}


def test_health_names_each_part(served: Served) -> None:
    found = served.ask("GET", "/health", None).json()
    assert found["status"] == "ok"
    assert (found["store"]["revision"], found["git"]["usable"], found["workers"]["usable"]) == ("0004", True, True)
    assert re.fullmatch("[0-9a-f]{16}", found["store"]["identity"])


@pytest.mark.parametrize("page", ["/docs", "/redoc"])
def test_the_reference_loads_nothing_from_elsewhere_and_names_every_route(served: Served, page: str) -> None:
    found = served.ask("GET", page, None)
    assert not re.search(r"(?:src|href)=[\"'](?!#)", found.text)
    assert "default-src 'none'" in found.headers["content-security-policy"]
    for path in served.ask("GET", "/openapi.json", None).json()["paths"]:
        assert path in found.text


# --- leases ---


def test_next_phase_gives_what_a_builder_needs_with_its_lease(served: Served) -> None:
    """REQ-CH-1"""
    found = served.next_phase("ann", lease_seconds=60)
    assert (found["phase_id"], found["attempt"], found["attempts_max"], found["base_commit"]) == ("a", 1, 3, "b" * 40)
    assert found["scope"] == {"write": ["src/**"], "read": []}
    assert found["instructions"] == "Say hello."
    assert found["evidence"] == [
        {"kind": "scope", "text": "outside the scope", "details": "line 3: no such thing"},
    ]
    assert found["lease"] == {"holder": "ann", "until": "1970-01-01T00:17:40.000+00:00"}


def test_two_clients_get_two_phases_and_a_third_one_none(served: Served) -> None:
    """REQ-CH-1: all three ask at the same moment."""
    gate, given = threading.Barrier(3), {}

    def client(name: str) -> None:
        gate.wait()
        given[name] = served.next_phase(name)

    threads = [threading.Thread(target=client, args=(name,)) for name in ("ann", "bob", "cid")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted((found or {}).get("phase_id", "") for found in given.values()) == ["", "a", "b"]
    told = served.ask("GET", f"/runs/{RUN}/next_phase", params={"holder": "dan"}).json()
    assert (told["phase"], told["waiting_phases"], told["retry_after_seconds"]) == (None, 2, 5)


def test_a_lease_is_renewed_by_asking_and_ends_by_the_clock(served: Served) -> None:
    served.next_phase("ann", lease_seconds=60)
    served.clock = 1_050.0
    assert served.next_phase("ann", lease_seconds=60)["lease"]["until"] == "1970-01-01T00:18:30.000+00:00"
    assert served.next_phase("bob", lease_seconds=600)["phase_id"] == "b"
    served.clock = 1_110.0
    assert served.next_phase("cid")["phase_id"] == "a"
    late = served.submit("ann")
    assert refused(late) == (409, "lease_held")
    assert "cid" in late.json()["detail"]


def test_without_a_name_the_token_holds_the_lease(served: Served) -> None:
    first = served.ask("GET", f"/runs/{RUN}/next_phase", "write").json()["phase"]
    other = served.ask("GET", f"/runs/{RUN}/next_phase", "admin").json()["phase"]
    assert (first["phase_id"], other["phase_id"]) == ("a", "b")
    assert first["lease"]["holder"].startswith("token-")


@pytest.mark.parametrize("query", [{"lease_seconds": 0}, {"lease_seconds": 86_401}, {"holder": "a b"}, {"holder": ""}])
def test_leases_have_bounds(served: Served, query: dict[str, Any]) -> None:
    assert refused(served.ask("GET", f"/runs/{RUN}/next_phase", params=query)) == (422, "not_this_shape")


# --- results ---


def test_a_result_after_an_ended_lease_that_nobody_took_is_accepted_and_a_second_one_is_not(served: Served) -> None:
    served.next_phase("ann", lease_seconds=1)
    served.clock = 5_000.0
    done = served.submit("ann", patch_content="x", notes="n", tokens_used=7)
    assert (done.status_code, done.json()) == (
        200,
        {"run_id": RUN, "phase_id": "a", "attempt": 1, "accepted": True},
    )
    assert refused(served.submit("ann", patch_content="y")) == (409, "answered_already")
    assert refused(served.submit("bob", patch_content="y")) == (409, "answered_already")
    (row,) = [each for each in outside.rows(served.store, RUN).values() if each.answer]
    assert row.answer is not None
    assert served.store.blob(row.answer["patch"]) == b"x"
    assert served.next_phase("bob")["phase_id"] == "b"


def test_a_delivery_that_comes_twice_is_answered_twice_and_kept_once(served: Served) -> None:
    first, again = (served.submit("ann", key="k-1", patch_content="x") for _ in range(2))
    assert (first.status_code, again.status_code) == (200, 200)
    assert first.json() == again.json()
    assert refused(served.submit("ann", key="k-1", patch_content="other")) == (409, "answered_already")
    assert refused(served.submit("ann", key="k-2", patch_content="x")) == (409, "answered_already")


def test_what_waits_for_nobody_takes_no_result(served: Served) -> None:
    assert refused(served.submit("ann", "m")) == (409, "not_pending")
    assert refused(served.submit("ann", "z")) == (404, "unknown_phase")


def test_a_secret_in_a_result_is_kept_nowhere(served: Served) -> None:
    secret = "AKIA" + "QX7ZPLMN4RTVW2KD"
    issue = {"issue_key": secret, "severity": "minor", "category": "docs", "description": secret}
    probe = {"probe_type": "x", "exit_code": 1, "stdout": secret}
    found = served.submit("ann", patch_content=f"+{secret}", notes=secret, probe_results=[probe])
    assert found.status_code == 200, found.text
    assert served.submit("ann", "b", suggested_issues=[issue]).status_code == 200
    rows = outside.rows(served.store, RUN).values()
    kept = [
        served.store.blob(row.answer[name])
        for row in rows
        if row.answer
        for name in ("patch", "notes")
        if row.answer[name]
    ]
    assert [b"AKIA" in each for each in kept] == [False] * len(kept)
    assert "withheld" in kept[0].decode() + kept[1].decode()
    assert "AKIA" not in repr([row.answer["claims"] for row in rows if row.answer])


@pytest.mark.parametrize(
    ("body", "kind", "expected"),
    [
        (b"{", "application/json", (400, "not_json")),
        (b"[" * 100_000, "application/json", (400, "not_json")),
        (b"\xff\xfe", "application/json", (400, "not_json")),
        (b"", "application/json", (422, "not_this_shape")),
        (b"null", "application/json", (422, "not_this_shape")),
        (b"a=b", "application/x-www-form-urlencoded", (415, "not_json")),
        (b"{}", "text/plain", (415, "not_json")),
        (b"{}", "", (415, "not_json")),
        (b'{"a": "' + b"x" * 5_000_000 + b'"}', "application/json", (413, "too_long")),
    ],
    ids=["cut", "deep", "no-utf8", "empty", "null", "form", "text", "none", "5mb"],
)
def test_what_is_no_json_of_a_size_is_refused_unread(
    served: Served, body: bytes, kind: str, expected: tuple[int, str]
) -> None:
    found = served.ask("POST", RESULT, content=body, headers={"Content-Type": kind})
    assert refused(found) == expected
    assert outside.rows(served.store, RUN) == {}


def test_a_body_of_no_stated_length_has_the_same_bound(served: Served) -> None:
    chunks = (b"x" * 100_000 for _ in range(50))
    assert refused(served.ask("POST", RESULT, content=chunks, headers={"Content-Type": "application/json"})) == (
        413,
        "too_long",
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"unknown": 1},
        {"status": "great"},
        {"status": None},
        {"patch_content": 3},
        {"patch_content": "x" * 1_000_001},
        {"tokens_used": "7"},
        {"tokens_used": -1},
        {"tokens_used": 10**30},
        {"duration_minutes": 1e400},
        {"suggested_issues": [{"issue_key": "k", "severity": "huge", "category": "c"}]},
        {"files_changed": ["x"] * 5_001},
        {"run_id": "other"},
        {"phase_id": "b"},
    ],
    ids=str,
)
def test_a_body_of_another_shape_or_for_another_phase_is_refused(served: Served, fields: dict[str, Any]) -> None:
    text = json.dumps({**GOOD, **fields})
    found = served.ask("POST", RESULT, content=text, headers={"Content-Type": "application/json"})
    assert found.status_code in (400, 422)
    refused(found)
    assert outside.rows(served.store, RUN) == {}


@pytest.mark.parametrize("text", ["a\0b", "\u2028", "ä" * 50_000, "--- a/../x\n+++ b/../x\n@@ -1 +1 @@\n-a\n+b\n"])
def test_what_the_gate_has_to_judge_is_kept_to_the_letter(served: Served, text: str) -> None:
    assert served.submit("ann", patch_content=text).status_code == 200
    (row,) = outside.rows(served.store, RUN).values()
    assert row.answer is not None
    assert served.store.blob(row.answer["patch"]).decode() == text


@pytest.mark.parametrize(
    "path", ["/runs/a%00b", "/runs/..%2f..", "/runs/" + "x" * 5_000, "/runs/a'--", "/nope", "/runs/"]
)
def test_an_address_that_is_none_is_refused(served: Served, path: str) -> None:
    found = served.ask("GET", path, "read", follow_redirects=True)
    assert found.status_code in (200, 404, 422)
    assert found.status_code != 200 or path == "/runs/"


# --- progress ---


def test_progress_is_shown_with_the_phase_and_moves_nothing(served: Served) -> None:
    served.next_phase("ann")
    place = f"/runs/{RUN}/phases/a/update_status"
    said = {"run_id": RUN, "phase_id": "a", "state": "EXECUTING", "message": "half way", "percent": 50}
    assert served.ask("POST", place, json=said, params={"holder": "ann"}).status_code == 200
    assert refused(served.ask("POST", place, json=said, params={"holder": "bob"})) == (409, "lease_held")
    for state in ("COMPLETE", "GATE", "QUEUED"):
        jump = {**said, "state": state}
        assert refused(served.ask("POST", place, json=jump, params={"holder": "ann"})) == (409, "not_allowed_now")
    shown = served.ask("GET", f"/runs/{RUN}", "read").json()["tiers"][0]["phases"][0]
    assert (shown["state"], shown["progress"]["message"], shown["progress"]["percent"]) == ("EXECUTING", "half way", 50)
    served.submit("ann")
    assert refused(served.ask("POST", place, json=said, params={"holder": "ann"})) == (409, "answered_already")


def test_a_run_that_has_ended_offers_nothing_and_takes_nothing(served: Served) -> None:
    served.next_phase("ann")
    with served.store.writer(RUN) as writer:
        writer.append([], (), {"state": "DONE_FAILED_REQUIRES_HUMAN_REVIEW"}, at=2_000.0)
    told = served.ask("GET", f"/runs/{RUN}/next_phase").json()
    assert (told["run_state"], told["phase"], told["retry_after_seconds"]) == (
        "DONE_FAILED_REQUIRES_HUMAN_REVIEW",
        None,
        None,
    )
    assert refused(served.submit("ann")) == (409, "not_pending")
