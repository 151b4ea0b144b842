"""A project's budget holds for runs that begin at once, in processes of their own; a model server counts."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests import postgres
from tests.end_to_end.answers import reply, whole_file
from tests.end_to_end.scratch import ONE, PATIENCE_S, Ended, Project, eventually, hello, quick_ci
from tests.end_to_end.test_outages import MODELS
from tests.loopback import Loopback, Reply

CAP = 60_000
RUNS = ("r1", "r2", "r3", "r4")
GOOD = Reply(reply("one", whole_file("src/hello/one.py", "ONE = 1\n")), input=8_000, output=12_000)
PLAYBOOK = f"{ONE}        budget: {{attempts: 2}}\n"


def project(folder: Path, server: Loopback, budget: str, models: str = "") -> Project:
    files = {
        "ci.yaml": quick_ci(),
        "models.yaml": MODELS % server.url + models,
        "playbooks/one.yaml": PLAYBOOK,
        "autopack.yaml": "autopack: project/v1\nname: hello\nplaybooks: [playbooks/one.yaml]\n"
        f"ci: ci.yaml\nmodels: models.yaml\n{budget}",
    }
    made = hello(folder, files)
    return Project(made.root, made.repository, made.places, {"LOOPBACK_KEY": "a-key"})


def run(at: Project, name: str) -> Ended:
    return at.autopack("run", "playbooks/one.yaml", "--run-id", name, "--json")


@pytest.fixture(params=["sqlite", "postgresql"])
def kept(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the project keeps its runs, as its file says it."""
    if request.param == "sqlite":
        yield ""
        return
    url, why = postgres.server()
    if url is None:
        pytest.skip(why)
    with postgres.database() as found:
        yield f'store: "{found}"\n'


def test_four_runs_at_once_never_pass_it_together(tmp_path: Path, server: Loopback, kept: str):
    """REQ-2.1-3: each is billed 20,000 tokens and holds up to 100,000; two of them fit at most."""
    server.add(*[GOOD] * 8)
    at = project(tmp_path, server, f"budget: {{tokens: {CAP}}}\n{kept}")
    with ExitStack() as stack:
        drivers = [stack.enter_context(at.driving("run", "playbooks/one.yaml", "--run-id", name)) for name in RUNS]
        codes = [driver.wait(PATIENCE_S) for driver in drivers]
    assert set(codes) == {0, 5}
    assert codes.count(0) <= 2
    assert sum(bill.tokens.input + bill.tokens.output for bill in server.bills) <= CAP
    granted = [_granted(at, name) for name in RUNS]
    assert max(granted) == CAP
    for name, code in zip(RUNS, codes, strict=True):
        told = at.autopack("status", name, "--json").json
        assert told["failure_reason"] == (None if code == 0 else "token_cap")
        assert at.autopack("replay", name).code == 0
    words = at.autopack("report", "--budget").out
    assert f"of {CAP:,} tokens" in words


def _granted(at: Project, name: str) -> int:
    told = at.autopack("logs", name, "--json").json
    return next(event["tokens"] for event in told if event["type"] == "AllowanceTaken")


def test_a_run_whose_driver_was_killed_holds_its_share_until_it_has_ended(tmp_path: Path, server: Loopback):
    server.add(Reply(fault="hang"), *[GOOD] * 4)
    at = project(tmp_path, server, f"budget: {{tokens: {CAP}}}\n")
    with at.driving("run", "playbooks/one.yaml", "--run-id", "r1") as first:
        eventually(lambda: len(server.calls) >= 1, "the first call")
        first.kill()
        first.wait(PATIENCE_S)
    second = run(at, "r2")
    assert second.code == 5, second.err
    assert "run r1, which has not ended, may still spend the rest" in second.json["failure"]
    assert second.json["model_calls"] == 0
    at.autopack("cancel", "r1")
    assert at.autopack("resume", "r1").code == 1
    third = run(at, "r3")
    assert third.code == 0, third.err


def test_a_provider_s_week_is_kept_over_all_runs(tmp_path: Path, server: Loopback):
    """The second run finds 20,000 of 30,000 tokens used, and nobody else to ask."""
    server.add(*[GOOD] * 4)
    at = project(tmp_path, server, "", "providers: {openai: {weekly_tokens: 30_000, soft_limit: 0.5}}\n")
    assert run(at, "r1").code == 0
    second = run(at, "r2")
    assert (second.code, second.json["failure_reason"]) == (5, "token_cap")
    assert "openai has used 20,000 of its 30,000 tokens in 7 days, some is free again at" in second.json["failure"]
    assert len(server.bills) == 1
    told = json.loads(at.autopack("report", "--budget", "--json").out)
    assert told["providers"]["openai"]["spent"] == 20_000


def test_what_a_cassette_answers_costs_nobody_anything(tmp_path: Path, server: Loopback):
    """Neither does it count for others, nor is it kept from what it wants."""
    server.add(GOOD)
    at = project(tmp_path, server, f"budget: {{tokens: {CAP}}}\n")
    first = at.autopack("run", "playbooks/one.yaml", "--run-id", "r1", "--record", "kept.jsonl", "--json")
    assert first.code == 0, first.err
    again = at.autopack("run", "playbooks/one.yaml", "--run-id", "r2", "--replay", "kept.jsonl", "--json")
    assert again.code == 0, again.err
    assert again.json["tokens_used"] == first.json["tokens_used"] == 20_000
    told = json.loads(at.autopack("report", "--budget", "--json").out)["project"]
    assert (told["spent_tokens"], told["left_tokens"]) == (20_000, CAP - 20_000)
