"""Leases and results of clients, and tokens, on both databases."""

import threading

import pytest

from autopack.journal import outside, tokens
from autopack.journal.store import Store


def test_one_client_at_a_time_has_a_request_and_has_it_again_when_it_asks_again(store: Store) -> None:
    first = outside.lease(store, "r1", ["k1", "k2"], "ann", now=100.0, lease_s=60.0)
    second = outside.lease(store, "r1", ["k1", "k2"], "bob", now=101.0, lease_s=60.0)
    assert [(row.key, row.holder, row.until) for row in (first, second) if row] == [
        ("k1", "ann", 160.0),
        ("k2", "bob", 161.0),
    ]
    assert outside.lease(store, "r1", ["k1", "k2"], "cid", now=159.9, lease_s=60.0) is None
    again = outside.lease(store, "r1", ["k1", "k2"], "bob", now=150.0, lease_s=60.0)
    assert again is not None
    assert (again.key, again.until) == ("k2", 210.0)


def test_a_lease_that_has_ended_goes_to_the_next_one_and_keeps_the_first_one_out(store: Store) -> None:
    outside.lease(store, "r1", ["k1"], "ann", now=100.0, lease_s=60.0)
    taken = outside.lease(store, "r1", ["k1"], "bob", now=160.0, lease_s=60.0)
    assert taken is not None
    assert taken.holder == "bob"
    with pytest.raises(outside.NotYours) as caught:
        outside.hand_in(store, "r1", "k1", "ann", 161.0, {"status": "success"})
    assert (caught.value.row.holder, caught.value.row.until) == ("bob", 220.0)
    assert outside.answer(store, "r1", "k1") is None


@pytest.mark.parametrize("leased", [True, False])
def test_a_result_is_taken_after_its_lease_has_ended_or_without_one_if_nobody_else_has_it(
    store: Store, leased: bool
) -> None:
    if leased:
        outside.lease(store, "r1", ["k1"], "ann", now=100.0, lease_s=60.0)
    outside.hand_in(store, "r1", "k1", "ann", 9_999.0, {"status": "success", "notes": "\0 und ä"})
    assert outside.answer(store, "r1", "k1") == {"status": "success", "notes": "\0 und ä"}
    assert outside.lease(store, "r1", ["k1"], "bob", now=9_999.0, lease_s=60.0) is None


def test_the_first_result_is_the_only_one(store: Store) -> None:
    outside.hand_in(store, "r1", "k1", "ann", 100.0, {"number": 1})
    for holder in ("ann", "bob"):
        with pytest.raises(outside.Answered) as caught:
            outside.hand_in(store, "r1", "k1", holder, 101.0, {"number": 2})
        assert caught.value.row.answer == {"number": 1}
    assert outside.answer(store, "r1", "k1") == {"number": 1}


def test_of_many_who_hand_in_at_once_one_is_heard(store: Store) -> None:
    gate, heard = threading.Barrier(8), []

    def client(number: int) -> None:
        gate.wait()
        try:
            outside.hand_in(store, "r1", "k1", f"c{number}", 100.0, {"number": number})
        except (outside.Answered, outside.NotYours):
            return
        heard.append(number)

    threads = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(heard) == 1
    assert outside.answer(store, "r1", "k1") == {"number": heard[0]}


def test_progress_is_kept_from_whoever_may_speak_about_it(store: Store) -> None:
    outside.lease(store, "r1", ["k1"], "ann", now=100.0, lease_s=60.0)
    outside.progress(store, "r1", "k1", "ann", 101.0, {"percent": 40})
    with pytest.raises(outside.NotYours):
        outside.progress(store, "r1", "k1", "bob", 102.0, {"percent": 99})
    row = outside.rows(store, "r1")["k1"]
    assert (row.progress, row.holder, row.until) == ({"percent": 40}, "ann", 160.0)


def test_a_token_is_known_by_its_digest_until_it_is_revoked(store: Store) -> None:
    secret, made = tokens.create(store, "write", at=5.0)
    assert tokens.known(store, secret) == made
    assert [made.may(scope) for scope in tokens.SCOPES] == [True, True, False]
    assert [tokens.known(store, word) for word in (secret + "x", "", "\0", "\ud800")] == [None] * 4
    assert tokens.every(store) == [made]
    assert tokens.revoke(store, made.token_id)
    assert not tokens.revoke(store, made.token_id)
    assert tokens.known(store, secret) is None
