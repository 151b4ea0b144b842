"""PLAN_BOOTSTRAP: a description becomes documents and a playbook, through LiteLLM over HTTP, unattended."""

from pathlib import Path

import pytest

from tests.end_to_end.scratch import Project, commit_all
from tests.loopback import Loopback, Reply

DOCUMENTS = ("spec", "architecture", "context", "reference_repos", "comprehensive_plan")
PLAYBOOK = """\
autopack: playbook/v1
name: rate-limits
description: Token buckets for the API.
tiers:
  - id: T1
    name: Storage
    phases:
      - id: bucket
        category: feature_scaffolding
        goal: Add a token bucket.
        scope: {write: ["src/bucket.py", "tests/test_bucket.py"]}
        deliverables: [src/bucket.py, tests/test_bucket.py]
"""
MODELS = """\
autopack: models/v1
name: local
models:
  thinker:
    litellm: openai/thinker
    api_base: %s
    api_key_env: TEST_KEY
    tier: premium
    context_tokens: 200_000
    max_output_tokens: 8_000
    price: {input: "1.00", output: "4.00", as_of: 2026-01-01}
    edit_format: whole_file
    timeout_s: 30
routing:
  complexity:
    low: {builder: [thinker], auditor: [thinker]}
    medium: {builder: [thinker], auditor: [thinker]}
    high: {builder: [thinker], auditor: [thinker]}
"""
SPEC = """\
autopack: project/v1
name: shop
playbooks: [playbooks/*.yaml]
ruleset: rules.yaml
ci: builtin:python
models: models.yaml
"""
RULES = """\
autopack: ruleset/v1
name: shop
extends: builtin:default
retry: {attempts: 2, backoff_s: 0.01, backoff_s_max: 0.05}
"""


def _files(playbook: str = PLAYBOOK, **others: str) -> str:
    """A reply that holds every file asked for."""
    texts = {f"docs/rate-limits/{name}.md": f"# {name}\n\nWords.\n" for name in DOCUMENTS}
    texts |= others | {"playbooks/rate-limits.yaml": playbook}
    return "".join(f"{path}\n````markdown\n{text}````\n\n" for path, text in texts.items())


@pytest.fixture
def project(tmp_path: Path, server: Loopback) -> Project:
    root = tmp_path / "shop"
    root.mkdir()
    files = {
        "autopack.yaml": SPEC,
        "rules.yaml": RULES,
        "models.yaml": MODELS % server.url,
        "src/shop.py": "PRICE = 1\n",
    }
    files |= {"README.md": "# shop\n", "Rate limits.md": "Limit requests per customer with token buckets.\n"}
    for name, text in files.items():
        (root / name).parent.mkdir(exist_ok=True)
        (root / name).write_text(text)
    made = Project(root, root, tmp_path / "places", {"TEST_KEY": "k"})
    commit_all(made, "shop 1.0")
    return made


def test_a_description_becomes_documents_and_a_playbook_that_plans(project: Project, server: Loopback):
    """REQ-3.1-1, REQ-3.1-2, REQ-3.1-3"""
    server.add(Reply(_files(), input=900, output=500))
    ended = project.autopack("bootstrap", "Rate limits.md", "--json")
    assert ended.code == 0, ended.err
    assert ended.json == {
        "files": [*(f"docs/rate-limits/{name}.md" for name in DOCUMENTS), "playbooks/rate-limits.yaml"],
        "model": "thinker",
        "model_calls": 1,
        "tokens_used": 1_400,
        "cost_usd": "0.0029",
        "findings": [],
    }
    assert ended.err == "PLAN_BOOTSTRAP: asking thinker, try 1 of 3\n"
    assert (project.root / "docs/rate-limits/comprehensive_plan.md").read_text() == "# comprehensive_plan\n\nWords.\n"
    assert project.autopack("plan", "playbooks/rate-limits.yaml").code == 0
    prompt = server.calls[0].prompt
    assert "Limit requests per customer" in prompt
    assert "src/shop.py" in prompt
    assert "security_auth_change" in prompt
    assert project.git("status", "--porcelain") == "?? docs/\n?? playbooks/"


def test_what_is_wrong_with_a_reply_goes_back_until_it_is_right(project: Project, server: Loopback):
    wrong = PLAYBOOK.replace("feature_scaffolding", "feature_scafolding")
    server.add(Reply("I would rather talk about it."), Reply(_files(wrong)), Reply(_files()))
    ended = project.autopack("bootstrap", "Rate limits.md")
    assert ended.code == 0, ended.err
    assert "error[AP5001]" in server.calls[2].prompt
    assert "feature_scaffolding" in server.calls[2].prompt
    assert ended.err.count("PLAN_BOOTSTRAP: not taken") == 2
    assert ended.out.splitlines()[-2].startswith("3 calls of thinker, ")


def test_the_last_reply_is_kept_when_none_is_usable_and_nothing_else_is_written(project: Project, server: Loopback):
    server.add(*[Reply(_files(**{"docs/rate-limits/extra.md": "more\n", "src/shop.py": "PRICE = 0\n"}))] * 2)
    ended = project.autopack("bootstrap", "Rate limits.md", "--attempts", "2")
    assert (ended.code, ended.out) == (1, "")
    assert "write no other files than those asked for; not these: docs/rate-limits/extra.md, src/shop.py" in ended.err
    kept = project.root / ".autonomous_runs" / "bootstrap-rate-limits.md"
    assert "PRICE = 0" in kept.read_text()
    assert project.git("status", "--porcelain") == ""


def test_what_exists_is_kept_unless_an_update_was_asked_for(project: Project, server: Loopback):
    """REQ-3.1-2: creates or updates."""
    place = project.root / "docs" / "rate-limits" / "spec.md"
    place.parent.mkdir(parents=True)
    place.write_text("# by hand\n")
    ended = project.autopack("bootstrap", "Rate limits.md")
    assert ended.code == 2
    assert "docs/rate-limits/spec.md exists; --update brings it up to date" in ended.err
    assert server.calls == []
    server.add(Reply(_files()))
    assert project.autopack("bootstrap", "Rate limits.md", "--update").code == 0
    assert "# by hand" in server.calls[0].prompt
    assert place.read_text() == "# spec\n\nWords.\n"


def test_no_call_is_sent_that_could_pass_the_cap(project: Project, server: Loopback):
    ended = project.autopack("bootstrap", "Rate limits.md", "--cost-usd-max", "0.01")
    assert ended.code == 5
    assert "raise --cost-usd-max" in ended.err
    assert server.calls == []


def test_trouble_that_passes_is_no_try(project: Project, server: Loopback):
    server.add(Reply(status=429), Reply(status=503), Reply(_files()))
    ended = project.autopack("bootstrap", "Rate limits.md", "--attempts", "1")
    assert ended.code == 0, ended.err


@pytest.mark.parametrize(
    ("words", "code", "fact"),
    [
        (("nowhere.md",), 2, "nowhere.md can't be read: No such file or directory"),
        (("Rate limits.md", "--model", "huge"), 2, "the catalogue has no model 'huge'; it has thinker"),
        (("Rate limits.md", "--name", "../up"), 2, "'../up' can't name a playbook"),
        (("Rate limits.md", "--cost-usd-max", "much"), 2, "--cost-usd-max much: write an amount in USD"),
        (("empty.md",), 2, "empty.md describes nothing"),
        (("binary.md",), 2, "binary.md is no UTF-8 text (byte 0)"),
    ],
)
def test_what_nobody_can_mean_is_said_before_anybody_is_asked(
    project: Project, server: Loopback, words: tuple[str, ...], code: int, fact: str
):
    (project.root / "empty.md").write_text(" \n")
    (project.root / "binary.md").write_bytes(b"\xff\xfe")
    ended = project.autopack("bootstrap", *words)
    assert (ended.code, ended.out) == (code, "")
    assert fact in ended.err
    assert server.calls == []


def test_a_key_that_is_not_set_is_an_environment_failure(project: Project, server: Loopback):
    ended = project.autopack("bootstrap", "Rate limits.md", TEST_KEY="")
    assert ended.code == 7
    assert "TEST_KEY" in ended.err
    assert server.calls == []


def test_a_bootstrap_can_be_recorded_and_replayed_without_a_model(project: Project, server: Loopback, tmp_path: Path):
    tape = tmp_path / "tape.jsonl"
    server.add(Reply(_files()))
    assert project.autopack("bootstrap", "Rate limits.md", "--record", str(tape)).code == 0
    for path in ("docs", "playbooks"):
        assert (project.root / path).exists()
        project.git("clean", "-qfd", path)
    ended = project.autopack("bootstrap", "Rate limits.md", "--replay", str(tape), TEST_KEY="")
    assert ended.code == 0, ended.err
    assert len(server.calls) == 1
