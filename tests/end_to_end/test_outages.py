"""What a provider, a clock or a daemon can do to a run: it waits, gives up with the reason, or does not care."""

from pathlib import Path

import pytest

from tests.end_to_end import fault
from tests.end_to_end.answers import reply, whole_file
from tests.end_to_end.scratch import ONE, PLAYBOOK, Ended, Project, alive, eventually, hello, quick_ci
from tests.loopback import Loopback, Reply

RULES = """\
autopack: ruleset/v1
name: house
extends: builtin:default
retry: {attempts: 2, backoff_s: 1, backoff_s_max: 5}
"""
MODELS = """\
autopack: models/v1
name: loopback
models:
  only:
    litellm: openai/only
    api_base: %s
    api_key_env: LOOPBACK_KEY
    tier: economy
    context_tokens: 128_000
    max_output_tokens: 16_384
    price: {input: "1", output: "2", as_of: 2026-01-01}
routing:
  complexity:
    low: {builder: [only], auditor: [only]}
    medium: {builder: [only], auditor: [only]}
    high: {builder: [only], auditor: [only]}
  categories: {docs: {builder: [only], auditor: [only]}}
  high_risk: {builder: [only], auditor: [only]}
"""
GOOD = Reply(reply("one", whole_file("src/hello/one.py", "ONE = 1\n")))


def _run(folder: Path, server: Loopback, *replies: Reply) -> tuple[Ended, Project]:
    server.add(*replies)
    project = model_server(folder, server)
    return project.autopack("run", "playbooks/one.yaml", "--run-id", "r", "--json"), project


def model_server(folder: Path, server: Loopback) -> Project:
    """A project of one phase whose models are all this server."""
    files = {
        "ci.yaml": quick_ci(),
        "rules.yaml": RULES,
        "models.yaml": MODELS % server.url,
        "playbooks/one.yaml": ONE,
        "autopack.yaml": "autopack: project/v1\nname: hello\nplaybooks: [playbooks/one.yaml]\n"
        "ruleset: rules.yaml\nci: ci.yaml\nmodels: models.yaml\n",
    }
    made = hello(folder, files)
    return Project(made.root, made.repository, made.places, {"LOOPBACK_KEY": "a-key"})


def test_a_rate_limit_is_waited_for_as_long_as_the_provider_says_and_is_no_attempt(tmp_path: Path, server: Loopback):
    ended, project = _run(tmp_path, server, Reply(status=429, headers={"Retry-After": "3"}), GOOD)
    assert ended.code == 0, ended.err
    assert [phase["attempts"] for phase in ended.json["phases"]] == [1]
    told = project.autopack("logs", "r", "--json").json
    asked = [event for event in told if event["type"] == "ModelAnswered"]
    assert [event["outcome"] for event in asked] == ["rate_limited", "ok"]
    assert asked[1]["elapsed_s"] - asked[0]["elapsed_s"] >= 3.0
    assert ended.json["tokens_used"] == server.tokens


def test_a_provider_that_stays_out_ends_the_run_as_an_environment_failure_and_rerun_goes_on(
    tmp_path: Path, server: Loopback
):
    ended, project = _run(tmp_path, server, *[Reply(status=503)] * 3)
    assert (ended.code, ended.json["failure_reason"]) == (7, "provider_down"), ended.err
    assert ended.json["tokens_used"] == 0
    server.add(GOOD)
    again = project.autopack("rerun", "r", "--failed", "--json")
    assert again.code == 0, again.err
    assert len(project.commits("r-r1")) == 1


def test_a_key_that_is_refused_is_not_tried_again(tmp_path: Path, server: Loopback):
    ended, _ = _run(tmp_path, server, Reply(status=401))
    assert (ended.code, ended.json["failure_reason"]) == (7, "auth"), ended.err
    assert len(server.calls) == 1


def test_a_context_that_is_too_long_for_the_model_is_never_sent_again_as_it_was(tmp_path: Path, server: Loopback):
    ended, project = _run(tmp_path, server, Reply(status=413), GOOD)
    told = project.autopack("logs", "r", "--json").json
    assert next(event["outcome"] for event in told if event["type"] == "ModelAnswered") == "context_overflow"
    assert len({call.prompt for call in server.calls}) == len(server.calls)
    assert ended.json["tokens_used"] == server.tokens


@pytest.mark.parametrize("jump_s", [86_400 * 30, 5], ids=["a-month", "seconds"])
def test_a_wall_clock_that_jumps_forth_and_back_changes_nothing(tmp_path: Path, jump_s: int):
    """Deadlines and waits are told by the monotonic clock; the wall clock only dates the record."""
    project = hello(tmp_path, {"ci.yaml": quick_ci()})
    bill, said = tmp_path / "bill", tmp_path / "said"
    words = ["run", PLAYBOOK, "--run-id", "one"]
    told = fault.driven(
        words,
        f"clock:{jump_s}",
        str(bill),
        group=False,
        root=str(project.root),
        environ=project.environ,
        said=str(said),
    )
    assert told[1] == 0, said.read_text()
    assert len(project.commits("one")) == 4
    assert project.autopack("verify", "one").code == 0
    assert project.autopack("replay", "one").code == 0


def test_a_daemon_that_left_everything_behind_does_not_outlive_its_run(tmp_path: Path):
    pid = tmp_path / "daemon.pid"
    script = f'env -i setsid sh -c "echo \\$\\$ > {pid}; exec sleep 600" & while [ ! -s {pid} ]; do sleep 0.02; done'
    project = hello(tmp_path, {"ci.yaml": quick_ci("sh", "-c", script)})
    ended = project.autopack("run", PLAYBOOK, "--run-id", "one", "--json")
    assert ended.code == 0, ended.err
    daemon = int(pid.read_text())
    eventually(lambda: not alive(daemon), "the daemon's end")
