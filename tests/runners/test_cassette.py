"""Recorded and hand-written replies: found again exactly, or missed with a reason."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from autopack.plan.price import UNKNOWN_USAGE, Usage
from autopack.runners.cassette import Cassette, CassetteError, CassetteMiss, Recording, read
from autopack.runners.model import Answer, Request, request_key
from tests.runners.scripted import Scripted, said

HEADER = '{"autopack": "cassette/v1", "scripted": true, "note": "for the tests"}'
REQUEST = Request(
    model="mini",
    litellm="openai/gpt-4o-mini",
    api_base=None,
    api_key_env="CASSETTE_KEY",
    messages=(("system", "You build."), ("user", "Add a route.\nTest it.\nSay what you did.\n")),
    max_output_tokens=500,
    timeout_s=20.0,
    params=(("temperature", 0.2),),
    phase="store",
    role="builder",
    call=1,
)
SECOND = replace(REQUEST, call=2)
OTHER = replace(REQUEST, messages=(("system", "You build."), ("user", "Add a door.\nTest it.\nSay what you did.\n")))
ANSWER = Answer(
    outcome="ok",
    text="Done.\u2028One line \r\n more.\n",
    finish_reason="stop",
    usage=Usage(1_000, 400, 0, 200, 150, known=True),
    served_model="gpt-4o-mini-2024-07-18",
    latency_s=1.5,
    retry_after_s=None,
    litellm_cost_usd=Decimal("0.00024"),
    message="",
)
LIMITED = Answer("rate_limited", "", "", Usage(0, 0, 0, 0, 0, known=True), "", 0.1, 2.5, None, "HTTP 429")
Writing = Callable[..., Path]


@pytest.fixture
def writing(tmp_path: Path) -> Writing:
    """A cassette written by hand, a line a row."""

    def write(*rows: dict[str, object] | str, header: str = HEADER, end: str = "\n") -> Path:
        lines = [header, *(row if isinstance(row, str) else json.dumps(row) for row in rows)]
        path = tmp_path / "cassette.jsonl"
        path.write_bytes(("\n".join(lines) + end).encode())
        return path

    return write


def record(client: Scripted, path: Path, *requests: Request) -> None:
    recorder = Recording(client, path)
    for request in requests:
        recorder.complete(request)


def test_what_was_recorded_is_given_again_with_everything_but_the_wait(tmp_path: Path):
    path = tmp_path / "cassette.jsonl"
    record(Scripted({("store", "builder"): [ANSWER, LIMITED]}), path, REQUEST, OTHER)

    cassette = Cassette(path)
    assert cassette.complete(REQUEST) == replace(ANSWER, latency_s=0.0)
    assert cassette.complete(OTHER) == replace(LIMITED, latency_s=0.0)
    assert cassette.contents.scripted is False


def test_the_file_is_readable_json_lines_with_a_header(tmp_path: Path):
    path = tmp_path / "cassette.jsonl"
    record(Scripted({("store", "builder"): [ANSWER]}), path, REQUEST)

    header, recorded = (json.loads(line) for line in path.read_text().split("\n")[:-1])
    assert header == {"autopack": "cassette/v1", "scripted": False, "note": ""}
    assert recorded == {
        "phase": "store",
        "role": "builder",
        "call": 1,
        "request_sha256": request_key(REQUEST),
        "request": {
            "model": "mini",
            "litellm": "openai/gpt-4o-mini",
            "max_output_tokens": 500,
            "params": {"temperature": 0.2},
            "messages": [["system", "You build."], ["user", "Add a route.\nTest it.\nSay what you did.\n"]],
        },
        "reply": {
            "text": "Done.\u2028One line \r\n more.\n",
            "finish_reason": "stop",
            "usage": {
                "input": 1000,
                "cached_read": 400,
                "cached_write": 0,
                "output": 200,
                "reasoning": 150,
                "known": True,
            },
            "outcome": "ok",
            "served_model": "gpt-4o-mini-2024-07-18",
            "litellm_cost_usd": "0.00024",
        },
    }


def test_the_same_request_is_answered_wherever_it_is_asked_again(tmp_path: Path):
    path = tmp_path / "cassette.jsonl"
    record(Scripted({("store", "builder"): [ANSWER]}), path, REQUEST)
    elsewhere = replace(REQUEST, phase="renamed", call=3, api_base="http://gpu.lan/v1", api_key_env=None, timeout_s=1.0)
    assert Cassette(path).complete(elsewhere).text == ANSWER.text


def test_a_call_that_was_limited_and_sent_again_is_replayed_in_that_order(tmp_path: Path):
    path = tmp_path / "cassette.jsonl"
    record(Scripted({("store", "builder"): [LIMITED, ANSWER]}), path, REQUEST, REQUEST)

    cassette = Cassette(path)
    outcomes = [cassette.complete(REQUEST).outcome for _ in range(3)]
    assert outcomes == ["rate_limited", "ok", "ok"]


def test_equal_requests_of_different_calls_keep_their_own_replies(tmp_path: Path):
    path = tmp_path / "cassette.jsonl"
    record(Scripted({("store", "builder"): ["first", "second"]}), path, REQUEST, SECOND)
    assert Cassette(path).complete(SECOND).text == "second"


def test_a_changed_request_is_a_miss_that_shows_the_change(tmp_path: Path):
    path = tmp_path / "cassette.jsonl"
    record(Scripted({("store", "builder"): [ANSWER]}), path, REQUEST)
    with pytest.raises(CassetteMiss) as caught:
        Cassette(path).complete(OTHER)
    assert str(caught.value) == (
        f'{path} holds no reply for phase "store", builder call 1: the request recorded at {path}:2 is another. '
        "Undo what changed, or record again.\n"
        f"--- {path}:2\n"
        "+++ asked now\n"
        "@@ -6,5 +6,5 @@\n"
        " You build.\n"
        " [user]\n"
        "-Add a route.\n"
        "+Add a door.\n"
        " Test it.\n"
        " Say what you did."
    )


def test_the_change_shown_is_short_and_holds_no_secret(tmp_path: Path):
    path = tmp_path / "cassette.jsonl"
    record(Scripted({("store", "builder"): [ANSWER]}), path, REQUEST)
    token = "ghp_" + "aB3" * 12
    long = "".join(f"line {number} {'x' * 500} {token}\n" for number in range(500))
    with pytest.raises(CassetteMiss) as caught:
        Cassette(path).complete(replace(REQUEST, messages=(("user", f"{token} {long}"),)))
    assert len(str(caught.value).splitlines()) == 1 + 40 + 1
    assert len(str(caught.value)) < 8_000
    assert token not in str(caught.value)


def test_a_call_beyond_the_script_is_a_miss_that_names_what_there_is(writing: Writing):
    path = writing(
        {"phase": "store", "role": "builder", "call": 1, "reply": {"text": "a"}},
        {"phase": "store", "role": "auditor", "call": 1, "reply": {"text": "b"}},
    )
    with pytest.raises(CassetteMiss) as caught:
        Cassette(path).complete(SECOND)
    assert str(caught.value) == (
        f'{path} holds no reply for phase "store", builder call 2. It holds: phase "store", auditor call 1; '
        'phase "store", builder call 1. Record the run, or add the reply.'
    )


def test_a_reply_written_by_hand_is_found_by_phase_role_and_call(writing: Writing):
    path = writing(
        {"phase": "store", "role": "builder", "call": 1, "reply": {"text": ["First", "", "line."]}},
        "",
        {
            "phase": "store",
            "role": "builder",
            "call": 2,
            "request_sha256": None,
            "request": None,
            "reply": {
                "text": "",
                "outcome": "truncated",
                "finish_reason": "length",
                "usage": {"input": 9, "output": 5},
            },
        },
        end="",
    )
    cassette = Cassette(path)
    assert cassette.contents.scripted is True
    assert cassette.contents.note == "for the tests"
    assert cassette.complete(REQUEST) == Answer(
        "ok", "First\n\nline.", "stop", UNKNOWN_USAGE, "scripted", 0.0, None, None, ""
    )
    second = cassette.complete(SECOND)
    assert (second.outcome, second.finish_reason) == ("truncated", "length")
    assert second.usage == Usage(9, 0, 0, 5, 0, known=True)


def test_secrets_are_hidden_in_the_file_and_nowhere_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    key, token = "house-key-of-no-known-shape", "ghp_" + "aB3" * 12
    monkeypatch.setenv("CASSETTE_KEY", key)
    path = tmp_path / "cassette.jsonl"
    asked = replace(REQUEST, messages=(("user", f"Use {token}, and {key}."),))
    answer = replace(ANSWER, text=f"As you said: {token}", message=f"sent with {key}")

    assert Recording(Scripted({("store", "builder"): [answer]}), path).complete(asked) == answer
    assert key not in path.read_text()
    assert token not in path.read_text()
    assert Cassette(path).complete(asked).text.startswith("As you said: [redacted:")


def test_recording_goes_on_at_the_end_of_a_file_that_is_there(tmp_path: Path):
    path = tmp_path / "cassette.jsonl"
    for request, text in ((REQUEST, "one"), (OTHER, "two")):
        record(Scripted({("store", "builder"): [text]}), path, request)
    cassette = Cassette(path)
    assert [cassette.complete(request).text for request in (REQUEST, OTHER)] == ["one", "two"]


def test_a_torn_last_line_is_reported_with_its_place(tmp_path: Path):
    path = tmp_path / "cassette.jsonl"
    record(Scripted({("store", "builder"): ["one", "two"]}), path, REQUEST, OTHER)
    whole = path.read_bytes()
    path.write_bytes(whole[:-30])
    torn = len(whole.split(b"\n")[2]) - 29
    with pytest.raises(CassetteError) as caught:
        Cassette(path)
    assert str(caught.value) == (
        f"{path}:3: the last record breaks off after {torn} bytes: the recording was interrupted. Remove it."
    )


def test_a_recording_that_was_killed_goes_on_without_its_torn_line(tmp_path: Path):
    path = tmp_path / "cassette.jsonl"
    record(Scripted({("store", "builder"): ["one", "two"]}), path, REQUEST, OTHER)
    path.write_bytes(path.read_bytes()[:-30])

    recorder = Recording(Scripted({("store", "builder"): ["two again"]}), path)
    assert (recorder.mended or "").startswith(f"{path}:3: the last record breaks off after ")
    recorder.complete(OTHER)
    cassette = Cassette(path)
    assert [cassette.complete(request).text for request in (REQUEST, OTHER)] == ["one", "two again"]


def test_a_file_that_was_killed_in_its_first_line_is_started_anew(tmp_path: Path):
    path = tmp_path / "cassette.jsonl"
    path.write_text('{"autopack": "cass')
    record(Scripted({("store", "builder"): ["one"]}), path, REQUEST)
    assert Cassette(path).complete(REQUEST).text == "one"


def test_a_script_is_never_recorded_to(writing: Writing):
    path = writing({"phase": "store", "role": "builder", "call": 1, "reply": {"text": "a"}}, end="")
    with pytest.raises(CassetteError, match="a cassette of scripted replies is not recorded to"):
        Recording(Scripted({}), path)
    assert Cassette(path).complete(REQUEST).text == "a"


def test_calls_at_the_same_time_are_recorded_one_a_line(tmp_path: Path):
    path = tmp_path / "cassette.jsonl"
    recorder = Recording(Scripted({("store", "builder"): ["x" * 50_000] * 16}), path)
    threads = [threading.Thread(target=recorder.complete, args=(replace(REQUEST, call=call),)) for call in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(found.call for found in read(path).records) == list(range(16))


RECORD = {"phase": "store", "role": "builder", "call": 1, "reply": {"text": "a"}}


@pytest.mark.parametrize(
    ("rows", "header", "fault"),
    [
        ([], "", "1: missing: autopack, scripted; the keys are autopack, scripted, note"),
        ([], "[]", "1: [] where an object belongs"),
        ([], '{"autopack": "cassette/v1", "scripted": true, "notes": ""}', "1: unknown: notes; the keys are autopack"),
        ([], '{"autopack": "cassette/v2", "scripted": true}', "1: 'cassette/v2' where 'cassette/v1' belongs"),
        ([], '{"autopack": "cassette/v1", "scripted": "no"}', "1: scripted is 'no' where bool belongs"),
        (["{not JSON}", RECORD], HEADER, "2: not JSON: Expecting property name"),
        ([{**RECORD, "reply": {}}], HEADER, "2: missing: text; the keys are text, finish_reason"),
        ([{**RECORD, "cal": 1}], HEADER, "2: unknown: cal; the keys are phase, role, call"),
        ([RECORD, {**RECORD, "call": "1"}], HEADER, "3: call is '1' where int belongs"),
        ([RECORD, {**RECORD, "call": True}], HEADER, "3: call is True where int belongs"),
        ([{**RECORD, "reply": {"text": "a", "outcome": "fine"}}], HEADER, "2: outcome 'fine' is none of ok, empty"),
        ([{**RECORD, "reply": {"text": "a", "usage": {"input": "9"}}}], HEADER, "2: input is '9' where int belongs"),
        (
            [{**RECORD, "reply": {"text": "a", "litellm_cost_usd": "cheap"}}],
            HEADER,
            "2: litellm_cost_usd is 'cheap' where a decimal number belongs",
        ),
    ],
)
def test_a_fault_is_reported_with_its_line(writing: Writing, rows: list[dict[str, object]], header: str, fault: str):
    path = writing(*rows, header=header)
    with pytest.raises(CassetteError) as caught:
        Cassette(path)
    assert str(caught.value).startswith(f"{path}:{fault}")


def test_a_missing_file_says_how_to_get_one(tmp_path: Path):
    with pytest.raises(CassetteError, match=r"no such cassette\. Correct the path, or record one with --record"):
        Cassette(tmp_path / "none.jsonl")


def test_a_script_in_memory_gives_each_reply_once_and_remembers_what_was_asked():
    script = Scripted({("store", "builder"): [said(outcome="transient"), "four bytes a token"]})
    assert script.complete(REQUEST).outcome == "transient"
    answer = script.complete(SECOND)
    assert (answer.outcome, answer.text) == ("ok", "four bytes a token")
    assert answer.usage == Usage(13, 0, 0, 5, 0, known=True)
    assert script.requests == [REQUEST, SECOND]
    with pytest.raises(CassetteMiss, match="the script holds no reply for store, builder call 2"):
        script.complete(SECOND)


@pytest.mark.parametrize(
    ("usage", "fact"),
    [
        ({"input": -1, "output": 5}, "input is -1, and no count is negative"),
        ({"input": 10, "output": -5}, "output is -5, and no count is negative"),
        ({"input": 10, "cached_read": 8, "cached_write": 8}, "cached_read and cached_write are parts of input"),
        ({"input": 10, "output": 5, "reasoning": 6}, "reasoning is a part of output"),
    ],
)
def test_usage_that_cannot_be_is_refused_with_its_place(writing: Writing, usage: dict[str, int], fact: str):
    reply = {"text": "Done.", "usage": usage}
    path = writing({"phase": "store", "role": "builder", "call": 1, "reply": reply})
    with pytest.raises(CassetteError) as caught:
        read(path)
    assert str(caught.value).startswith(f"{path}:2: {fact}")


def test_half_a_surrogate_pair_in_a_reply_on_file_is_replaced(writing: Writing):
    path = writing('{"phase": "store", "role": "builder", "call": 1, "reply": {"text": ["a\\ud800b", "c"]}}')
    assert Cassette(path).complete(REQUEST).text == "a?b\nc"
