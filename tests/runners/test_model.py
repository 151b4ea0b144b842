"""LiteLLM as autopack calls it, against a real HTTP server: one request, one deadline, one typed answer."""

import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from types import SimpleNamespace

import pytest

from autopack.plan.price import UNKNOWN_USAGE, Price, Usage, cost
from autopack.runners.model import NOTHING_BILLED, LiteLLM, Request, exchange, input_upper_bound, request_key, success
from tests.end_to_end.scratch import PATIENCE_S, eventually
from tests.loopback import Loopback, Reply
from tests.loopback import Price as Rates

KEY = "a-key-that-nobody-may-see-5f1c"
ROOT = Path(__file__).parents[2]
MINI = Price(Decimal("0.15"), Decimal("0.075"), Decimal("0.15"), Decimal("0.60"), "2024-07-18")
HAIKU = Price(Decimal("0.80"), Decimal("0.08"), Decimal("1.00"), Decimal("4.00"), "2024-10-22")
Asking = Callable[..., Request]


@pytest.fixture
def asking(monkeypatch: pytest.MonkeyPatch) -> Asking:
    """A request to a loopback server, whose key variable is set."""
    monkeypatch.setenv("LOOPBACK_KEY", KEY)

    def make(api_base: str | None, **changes: object) -> Request:
        fields: dict[str, object] = {
            "model": "mini",
            "litellm": "openai/gpt-4o-mini",
            "api_base": api_base,
            "api_key_env": "LOOPBACK_KEY",
            "messages": (("system", "You build."), ("user", "Add a route.")),
            "max_output_tokens": 500,
            "timeout_s": 200.0,
            "params": (("temperature", 0.2),),
            "phase": "store",
            "role": "builder",
            "call": 1,
        }
        return Request(**{**fields, **changes})  # type: ignore[arg-type]

    return make


def test_an_answer_carries_the_text_and_exactly_what_the_server_billed(asking: Asking):
    reply = Reply("Done.\n", input=1_000, cached=400, output=200, reasoning=150, model="gpt-4o-mini-2024-07-18")
    with Loopback(reply) as server:
        answer = LiteLLM().complete(asking(server.url))

    assert (answer.outcome, answer.text, answer.finish_reason, answer.message) == ("ok", "Done.\n", "stop", "")
    assert answer.usage == Usage(1_000, 400, 0, 200, 150, known=True)
    assert answer.served_model == "gpt-4o-mini-2024-07-18"
    assert answer.latency_s > 0
    assert cost(answer.usage, MINI) == server.cost_usd == Decimal("0.00024")
    assert round(answer.litellm_cost_usd or Decimal(0), 8) == Decimal("0.00024")


def test_the_request_is_sent_as_it_stands_once_and_on_a_connection_of_its_own(asking: Asking):
    with Loopback("Done.") as server:
        LiteLLM().complete(asking(server.url))

    [sent] = server.requests
    assert sent.path == "/v1/chat/completions"
    assert sent.body == {
        "model": "gpt-4o-mini",
        "messages": [{"role": "system", "content": "You build."}, {"role": "user", "content": "Add a route."}],
        "max_tokens": 500,
        "temperature": 0.2,
    }
    assert sent.headers["authorization"] == f"Bearer {KEY}"
    assert sent.headers["connection"] == "close"


def test_the_output_limit_takes_the_name_that_the_model_wants(asking: Asking):
    with Loopback("Done.") as server:
        LiteLLM().complete(asking(server.url, litellm="openai/o3-mini", params=()))
    assert server.calls[0].body["max_completion_tokens"] == 500
    assert "max_tokens" not in server.calls[0].body


@pytest.mark.parametrize(
    ("reply", "outcome", "message"),
    [
        (Reply("half a fi", finish_reason="length"), "truncated", "the reply was cut off after 3 tokens"),
        (Reply(None), "empty_output", "the reply holds no text"),
        (Reply(" \n"), "empty_output", "the reply holds no text"),
        (Reply(None, finish_reason="length", output=500), "truncated", "the reply was cut off after 500 tokens"),
        (Reply("", finish_reason="content_filter"), "refused", "the reply was withheld: content_filter"),
        (Reply(None, message={"refusal": "I can't."}), "refused", "the reply was withheld: I can't"),
    ],
)
def test_a_billed_reply_that_is_of_no_use_has_its_own_outcome(asking: Asking, reply: Reply, outcome: str, message: str):
    with Loopback(reply) as server:
        answer = LiteLLM().complete(asking(server.url))
    assert answer.outcome == outcome
    assert message in answer.message
    assert answer.usage.total == server.tokens


CONTEXT = {"message": "This model's maximum context length is 8 tokens", "code": "context_length_exceeded"}
POLICY = {"message": "Rejected.", "type": "invalid_request_error", "code": "content_policy_violation"}


@pytest.mark.parametrize(
    ("reply", "outcome", "fact"),
    [
        (Reply(status=400, error=CONTEXT), "context_overflow", "HTTP 400, ContextWindowExceededError"),
        (Reply(status=413), "context_overflow", "HTTP 413"),
        (Reply(status=400, error=POLICY), "refused", "HTTP 400, ContentPolicyViolationError"),
        (Reply(status=401), "auth", "HTTP 401, AuthenticationError"),
        (Reply(status=402), "auth", "HTTP 402"),
        (Reply(status=403), "auth", "HTTP 403"),
        (Reply(status=404), "not_found", "HTTP 404, NotFoundError"),
        (Reply(status=429), "rate_limited", "HTTP 429, RateLimitError: made to fail"),
        (Reply(status=400), "transient", "HTTP 400, BadRequestError: made to fail"),
        (Reply(status=408), "transient", "HTTP 408"),
        (Reply(status=500), "transient", "HTTP 500, InternalServerError: made to fail"),
        (Reply(status=503), "transient", "HTTP 503, ServiceUnavailableError: made to fail"),
        (Reply(status=529), "transient", "HTTP 529"),
        (Reply(status=307, headers={"Location": "/v1/elsewhere"}), "transient", "HTTP 307"),
    ],
)
def test_an_error_status_is_one_request_and_costs_nothing(asking: Asking, reply: Reply, outcome: str, fact: str):
    with Loopback(reply) as server:
        answer = LiteLLM().complete(asking(server.url))
    assert answer.outcome == outcome
    assert f'model "mini" (openai/gpt-4o-mini at {server.url}): {fact}' in answer.message
    assert len(server.requests) == 1
    assert answer.usage == NOTHING_BILLED
    assert (answer.text, server.bills) == ("", [])


@pytest.mark.parametrize(
    "reply",
    [
        Reply(raw=b"<html>no JSON</html>"),
        Reply(raw=b"{}"),
        Reply(raw=b"null"),
        Reply(fault="close"),
        Reply("half of it", fault="cut"),
    ],
    ids=["html", "empty object", "null", "closed unanswered", "cut in the body"],
)
def test_an_answer_that_was_lost_or_unreadable_may_have_been_paid(asking: Asking, reply: Reply):
    with Loopback(reply) as server:
        answer = LiteLLM().complete(asking(server.url))
    assert (answer.outcome, answer.usage) == ("transient", UNKNOWN_USAGE)
    assert len(server.bills) == len(server.requests) == 1


@pytest.mark.parametrize("fault", ["hang", "drip_head", "drip_body"])
def test_at_the_deadline_the_connection_is_closed_and_nothing_is_left_behind(asking: Asking, fault: str):
    with Loopback(Reply("late", fault=fault)) as server:  # type: ignore[arg-type]
        answer = LiteLLM().complete(asking(server.url, timeout_s=2.0))
        assert server.calls[0].dropped.wait(PATIENCE_S)
    assert (answer.outcome, answer.usage) == ("transient", UNKNOWN_USAGE)
    assert "no complete answer in 2 s, so the connection was closed" in answer.message
    assert len(server.requests) == 1
    eventually(lambda: len(_workers()) == len(exchange._idle), "the end of what waited for the answer")


def _workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "autopack-model-call"]


def test_nobody_listening_is_transient_and_free(asking: Asking):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and never listening: refused for certain
        answer = LiteLLM().complete(asking(f"http://127.0.0.1:{taken.getsockname()[1]}/v1"))
    assert (answer.outcome, answer.usage) == ("transient", NOTHING_BILLED)


def test_a_second_request_that_litellm_makes_by_itself_is_not_sent(asking: Asking):
    complaint = {"message": "Conversation roles must alternate user/assistant"}  # it would add a message and send again
    with Loopback(Reply(status=400, error=complaint), "second") as server:
        answer = LiteLLM().complete(asking(server.url))
    assert (answer.outcome, answer.usage) == ("transient", NOTHING_BILLED)
    assert len(server.requests) == 1


def test_a_reply_without_usage_leaves_it_unknown(asking: Asking):
    with Loopback(Reply("Done.", usage=False)) as server:
        answer = LiteLLM().complete(asking(server.url))
    assert (answer.outcome, answer.text) == ("ok", "Done.")
    assert (answer.usage, answer.litellm_cost_usd) == (UNKNOWN_USAGE, None)


def test_anthropic_counts_its_cache_beside_the_input_and_we_inside(asking: Asking):
    reply = Reply("Done.", input=1_000, cached=400, written=100, output=20)
    prices = {"claude-3-5-haiku-20241022": Rates(HAIKU.input, HAIKU.cached_input, HAIKU.cached_write, HAIKU.output)}
    with Loopback(reply, Reply(status=529), Reply(fault="drip_body"), prices=prices) as server:
        claude = asking(server.root, litellm="anthropic/claude-3-5-haiku-20241022")
        answer = LiteLLM().complete(claude)
        overloaded = LiteLLM().complete(claude)
        late = LiteLLM().complete(asking(server.root, litellm=claude.litellm, timeout_s=2.0))
        assert server.calls[2].dropped.wait(PATIENCE_S)

    assert (answer.outcome, answer.text) == ("ok", "Done.")
    assert answer.usage == Usage(1_000, 400, 100, 20, 0, known=True)
    assert cost(answer.usage, HAIKU) == server.bills[0].cost_usd == Decimal("0.000612")
    assert (overloaded.outcome, overloaded.usage) == ("transient", NOTHING_BILLED)
    assert (late.outcome, late.usage) == ("transient", UNKNOWN_USAGE)
    assert [sent.path for sent in server.requests] == ["/v1/messages"] * 3


@pytest.mark.parametrize(
    ("raw", "usage"),
    [
        ({"prompt_tokens": 10, "completion_tokens": 5}, Usage(10, 0, 0, 5, 0, known=True)),
        ({"prompt_tokens": 0, "completion_tokens": 5}, UNKNOWN_USAGE),
        ({"prompt_tokens": None, "completion_tokens": None}, UNKNOWN_USAGE),
        ({"prompt_tokens": -3, "completion_tokens": 5}, UNKNOWN_USAGE),
        ({"prompt_tokens": 10}, UNKNOWN_USAGE),
        ({"prompt_tokens": 10, "completion_tokens": 0}, UNKNOWN_USAGE),
        ({"prompt_tokens": 10, "completion_tokens": -5}, UNKNOWN_USAGE),
        ({"prompt_tokens": 10, "completion_tokens": True}, UNKNOWN_USAGE),
        ({"prompt_tokens": 10, "completion_tokens": 5, "cache_read_input_tokens": -9}, UNKNOWN_USAGE),
        (
            {"prompt_tokens": 10, "completion_tokens": 5, "cache_read_input_tokens": 90},
            Usage(100, 90, 0, 5, 0, known=True),
        ),
        (
            {
                "prompt_tokens": 10,
                "completion_tokens": 5,
                "total_tokens": 18,
                "completion_tokens_details": SimpleNamespace(reasoning_tokens=3),
            },
            Usage(10, 0, 0, 8, 3, known=True),
        ),
    ],
    ids=[
        *("plain", "no input", "nulls", "negative", "no output", "text from nothing", "negative output", "bool"),
        *("negative part", "cache counted beside", "reasoning counted beside"),
    ],
)
def test_whatever_a_provider_counts_beside_is_moved_inside(raw: dict[str, object], usage: Usage):
    assert success._usage(SimpleNamespace(**raw), "Done.") == usage


def test_an_empty_reply_may_have_cost_no_output():
    raw = SimpleNamespace(prompt_tokens=10, completion_tokens=0)
    assert success._usage(raw, "") == Usage(10, 0, 0, 0, 0, known=True)


def test_half_a_surrogate_pair_in_a_reply_is_replaced(asking: Asking):
    body = (
        b'{"id": "x", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0,'
        b' "finish_reason": "stop", "message": {"role": "assistant", "content": "a\\ud800b \\ud83d\\ude00"}}],'
        b' "usage": {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}}'
    )
    with Loopback(Reply(raw=body)) as server:
        answer = LiteLLM().complete(asking(server.url))
    assert (answer.outcome, answer.text) == ("ok", "a?b \U0001f600")


@pytest.mark.parametrize(
    ("header", "seconds"),
    [("7", 7.0), ("1.5", 1.5), ("0", 0.0), ("soon", None), ("-1", None), ("nan", None), (None, None)],
)
@pytest.mark.parametrize("status", [429, 503])
def test_retry_after_in_seconds(asking: Asking, status: int, header: str | None, seconds: float | None):
    headers = {} if header is None else {"Retry-After": header}
    with Loopback(Reply(status=status, headers=headers)) as server:
        assert LiteLLM().complete(asking(server.url)).retry_after_s == seconds


@pytest.mark.parametrize(("ahead", "at_least", "at_most"), [(timedelta(hours=1), 3_000, 3_600), (-timedelta(1), 0, 0)])
def test_retry_after_as_a_date(asking: Asking, ahead: timedelta, at_least: float, at_most: float):
    date = format_datetime(datetime.now(UTC) + ahead, usegmt=True)
    with Loopback(Reply(status=429, headers={"Retry-After": date})) as server:
        answer = LiteLLM().complete(asking(server.url))
    assert answer.retry_after_s is not None
    assert at_least <= answer.retry_after_s <= at_most


def test_a_missing_key_says_which_variable_to_set_and_sends_nothing(asking: Asking):
    with Loopback() as server:
        answer = LiteLLM().complete(asking(server.url, api_key_env="NO_SUCH_KEY"))
    assert (answer.outcome, answer.usage, server.requests) == ("auth", NOTHING_BILLED, [])
    assert answer.message == (
        f'model "mini" (openai/gpt-4o-mini at {server.url}): the environment variable NO_SUCH_KEY is not set. '
        "Nothing was sent. Set it to the provider's key, or name another variable in api_key_env."
    )


def test_a_local_server_needs_no_key_and_gets_nobody_elses(asking: Asking, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Loopback("Done.") as server:
        assert LiteLLM().complete(asking(server.url, api_key_env=None)).outcome == "ok"
    assert server.calls[0].headers["authorization"] == "Bearer none-needed"


def test_a_foreign_address_without_a_named_key_never_gets_the_one_of_openai(
    asking: Asking, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    answer = LiteLLM().complete(asking("https://gateway.example/v1", api_key_env=None))
    assert (answer.outcome, answer.usage) == ("auth", NOTHING_BILLED)
    assert "Name the variable in api_key_env" in answer.message


def test_a_key_that_the_provider_quotes_is_hidden(asking: Asking):
    half = "x" * 485 + KEY  # would be cut in the middle of the key
    with Loopback(*(Reply(status=401, error={"message": quote}) for quote in (f"Wrong key: {KEY}.", half))) as server:
        whole, cut = (LiteLLM().complete(asking(server.url)).message for _ in range(2))
    assert "Wrong key: [redacted:" in whole
    assert KEY[:10] not in whole + cut
    assert len(cut) < 800


def test_the_address_is_shown_without_its_password(asking: Asking):
    with Loopback(Reply(status=500)) as server:
        answer = LiteLLM().complete(asking(server.url.replace("//", "//ann:hunter22@")))
    assert f"at {server.url})" in answer.message
    assert "hunter22" not in answer.message


@pytest.mark.parametrize(
    "changes",
    [{"litellm": "nowhere/such-model"}, {"litellm": "openai/o3-mini", "params": (("temperature", 0.2),)}],
    ids=["an id nobody routes", "a parameter the model doesn't have"],
)
def test_what_litellm_itself_refuses_is_not_tried_again(
    asking: Asking, changes: dict[str, object], capfd: pytest.CaptureFixture[str]
):
    with Loopback() as server:
        answer = LiteLLM().complete(asking(server.url, **changes))
    assert (answer.outcome, answer.usage, server.requests) == ("not_found", NOTHING_BILLED, [])
    assert "Check `litellm`, `api_base` and `params`" in answer.message
    assert capfd.readouterr() == ("", "")


def test_parameters_that_would_undo_the_budget_are_refused(asking: Asking):
    with pytest.raises(ValueError, match=r"models\.mini\.params: max_tokens, n can't be set there"):
        LiteLLM().complete(asking(None, params=(("n", 5), ("max_tokens", 9), ("seed", 1))))


def test_calls_at_the_same_time_keep_apart(asking: Asking):
    with Loopback(answer=lambda sent: Reply(f"you asked {sent.messages[-1]['content']}", delay_s=0.1)) as server:
        found: dict[int, str] = {}

        def ask(number: int) -> None:
            found[number] = LiteLLM().complete(asking(server.url, messages=(("user", str(number)),))).text

        threads = [threading.Thread(target=ask, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert found == {number: f"you asked {number}" for number in range(8)}


QUIET = """
import logging, sys, threading
seen = []
def watch(event, args):
    if event == "socket.connect":
        seen.append(args[1])
    elif event == "socket.getaddrinfo":
        seen.append(args[:2])
sys.addaudithook(watch)
from autopack.runners.model import LiteLLM, Request, preload
assert "litellm" not in sys.modules, "imported too early"
preload()
request = Request("mini", "openai/gpt-4o-mini", sys.argv[1], None, (("user", "hi"),), 5, 30.0, (), "p", "builder", 1)
outcomes = [LiteLLM().complete(request).outcome for _ in range(4)]
others = {address for address in seen if address[0] != "127.0.0.1"}
assert outcomes == ["ok", "transient", "transient", "ok"], outcomes
assert not others, others
"""


def test_it_is_imported_late_and_calls_nobody_else_and_says_nothing():
    """In a process of its own, warnings being errors there too. One of the replies makes pydantic warn."""
    odd = Reply("x", message={"content": [{"type": "text", "text": "a list"}]})
    with Loopback("one", Reply(status=500), odd, Reply("four", finish_reason="unheard_of")) as server:
        argv = [sys.executable, "-W", "error", "-c", QUIET, server.url]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, cwd=ROOT)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert len(server.requests) == 4


def test_the_key_of_a_request_is_what_decides_its_answer_and_never_changes(asking: Asking):
    request = asking("http://127.0.0.1:1/v1")
    key = "084623cb30112fe3dba067abad385f2c2ed6e4ff4ac9920ccfab9a0981d7e5b2"
    assert request_key(request) == key
    elsewhere = asking("http://gpu.lan/v1", api_key_env=None, timeout_s=9.0, phase="docs", role="auditor", call=7)
    assert request_key(elsewhere) == key
    others = (
        {"model": "maxi"},
        {"litellm": "openai/gpt-4o"},
        {"messages": (("system", "You build."), ("user", "Add a route!"))},
        {"max_output_tokens": 501},
        {"params": ()},
    )
    assert len({request_key(asking(None, **change)) for change in others} - {key}) == 5


@pytest.mark.parametrize(
    ("messages", "bound"),
    [
        ((), 256),
        ((("user", "abc"),), 256 + 16 + 3),
        ((("system", "ä€😀"), ("user", "")), 256 + 32 + 2 + 3 + 4),
        ((("user", "\udce9"),), 256 + 16 + 3),
    ],
    ids=["none", "ascii", "wide characters", "a byte that was no text"],
)
def test_the_bound_of_the_input_is_its_bytes_and_what_templates_add(messages: tuple[tuple[str, str], ...], bound: int):
    assert input_upper_bound(messages) == bound
