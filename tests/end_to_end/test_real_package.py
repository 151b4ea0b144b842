"""A package that nobody here wrote: one release is built from the one before it, through LiteLLM, byte for byte.

The Builder's replies are made from the difference of the two source distributions and come over HTTP from a server on
127.0.0.1; CI is the package's own test-suite.
"""

import os
import re
from collections import defaultdict, deque
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.answers import Tree, changed, delete, rename, reply, review, search_replace, tree_of, whole_file
from tests.end_to_end.scratch import Ended, Project, commit_all
from tests.end_to_end.sources import Release, SourceMissing, unpacked
from tests.loopback import PRICE, Loopback, Price, Reply, Sent

BEFORE = Release("cachetools", "5.0.0", "486471dfa8799eb7ec503a8059e263db000cdda20075ce5e48903087f79d5fd6")
AFTER = Release("cachetools", "5.1.0", "8b3b8fa53f564762e5b221e9896798951e7f915513abf2ba072ce0f07f3f5a98")

PRICES = {
    "little": PRICE,
    "middle": Price(Decimal("2.50"), Decimal("1.25"), Decimal("2.50"), Decimal("10.00")),
    "large": Price(Decimal("10.00"), Decimal("5.00"), Decimal("10.00"), Decimal("30.00")),
}

PROJECT = """\
autopack: project/v1
name: cachetools
repository: cachetools
playbooks: [release.yaml]
ruleset: rules.yaml
ci: ci.yaml
models: models.yaml
artifacts: {path: .autonomous_runs, commit_issues: false}
"""
RULES = """\
autopack: ruleset/v1
name: cachetools
extends: builtin:default
categories:
  packaging: {complexity: low, ci: normal, builder_attempts: 2}
"""
CI = """\
autopack: ci/v1
name: cachetools
env:
  pass: [PATH, HOME, LANG]
  set: {PYTHONPATH: src, PYTHONDONTWRITEBYTECODE: "1", PYTEST_DISABLE_PLUGIN_AUTOLOAD: "1"}
profiles:
  normal:
    retries: 0
    steps:
      - id: suite
        run: [python, -m, pytest, -q, -p, "no:cacheprovider", --junitxml=report.xml, tests]
        timeout_s: 300
        report: {junit: report.xml}
  strict: {extends: normal}
"""
PLAYBOOK = """\
autopack: playbook/v1
name: release
description: From cachetools 5.0.0 to 5.1.0.
budget: {tokens: 5_000_000, cost_usd: "50.00", minutes: 20}
tiers:
  - id: T1
    name: Code
    phases:
      - id: attributes
        category: schema_contract_change
        goal: Decorated functions carry the decorator's cache, key and lock as attributes.
        scope: {write: [src/cachetools/__init__.py]}
        deliverables: [src/cachetools/__init__.py]
        probes: [[python, -c, "import cachetools; assert cachetools.__version__ == '5.1.0'"]]
      - id: cached-tests
        category: tests
        needs: [attributes]
        goal: Test the attributes of @cached, in a file named after it.
        scope: {write: [tests/test_wrapper.py, tests/test_cached.py], read: [tests/__init__.py]}
        deliverables: [tests/test_cached.py]
        allow: [test_changes]
      - id: cachedmethod-tests
        category: tests
        needs: [attributes]
        goal: Test the attributes of @cachedmethod, in a file named after it.
        scope: {write: [tests/test_method.py, tests/test_cachedmethod.py]}
        deliverables: [tests/test_cachedmethod.py]
  - id: T2
    name: Release
    phases:
      - id: docs
        category: docs
        goal: Document the attributes, in the change log as well.
        scope: {write: ["docs/**", README.rst, CHANGELOG.rst], read: ["src/**/*.py"]}
      - id: packaging
        category: packaging
        goal: Year and metadata of the release.
        scope: {write: [LICENSE, PKG-INFO, "src/cachetools.egg-info/**"]}
"""
RENAMED = {"tests/test_wrapper.py": "tests/test_cached.py", "tests/test_method.py": "tests/test_cachedmethod.py"}


def models(api_base: str) -> str:
    """A catalogue whose three models are all served by one address, at the server's own prices."""
    rows = []
    for (name, price), tier in zip(PRICES.items(), ("economy", "standard", "premium"), strict=True):
        cost = f'{{input: "{price.input}", cached_input: "{price.cached_input}", output: "{price.output}"'
        rows.append(
            f"  {name}: {{litellm: openai/{name}, api_base: {api_base}, api_key_env: LOOPBACK_KEY, tier: {tier}, "
            f"context_tokens: 128_000, max_output_tokens: 16_384, price: {cost}, as_of: 2026-01-01}}}}"
        )
    return "\n".join(
        [
            *("autopack: models/v1", "name: loopback", "models:", *rows, "routing:", "  complexity:"),
            "    low: {builder: [little], auditor: [little]}",
            "    medium: {builder: [middle], auditor: [middle]}",
            "    high: {builder: [large], auditor: [large]}",
            "  categories:",
            "    docs: {builder: [little], auditor: [little]}",
            "    tests: {builder: [middle], auditor: [middle]}",
            "  high_risk: {builder: [large], auditor: [large]}",
            "",
        ]
    )


def script(old: Tree, new: Tree) -> dict[tuple[str, str], list[Reply]]:
    """What each phase's Builder and Auditor will say, in order."""
    source = changed(old, new, ["src/cachetools/__init__.py"])
    misremembered = source.replace("return functools.update_wrapper", "return functools.wraps")
    wrapper, method = "tests/test_wrapper.py", "tests/test_method.py"
    documents = ["CHANGELOG.rst", "README.rst", "docs/conf.py", "docs/index.rst"]
    metadata = ["LICENSE", "PKG-INFO", "src/cachetools.egg-info/PKG-INFO", "src/cachetools.egg-info/SOURCES.txt"]
    moved = search_replace(wrapper, old[wrapper], new[RENAMED[wrapper]])
    return {
        ("attributes", "builder"): [
            Reply(reply("attributes for both decorators", misremembered)),
            Reply(reply("attributes for both decorators", source), cached=2_000, reasoning=64),
        ],
        ("attributes", "auditor"): [Reply(review("approve"), cached=512)],
        ("cached-tests", "builder"): [
            Reply(reply("test_wrapper becomes test_cached", rename(wrapper, RENAMED[wrapper]), moved))
        ],
        ("cached-tests", "auditor"): [Reply(review("approve"))],
        ("cachedmethod-tests", "builder"): [
            Reply(
                reply(
                    "test_method is written anew as test_cachedmethod",
                    delete(method),
                    whole_file(RENAMED[method], new[RENAMED[method]]),
                )
            )
        ],
        ("docs", "builder"): [Reply(reply("attributes are documented", changed(old, new, documents)))],
        ("packaging", "builder"): [Reply(reply("metadata of 5.1.0", changed(old, new, metadata)))],
    }


class Models:
    """The server's answerer: it reads from the request who asks, and keeps its own books by phase."""

    def __init__(self, told: Mapping[tuple[str, str], list[Reply]]) -> None:
        self._left = {who: deque(replies) for who, replies in told.items()}
        self.prompts: dict[tuple[str, str], list[str]] = defaultdict(list)
        self.cost_usd: dict[str, Decimal] = defaultdict(Decimal)
        self.tokens: dict[str, int] = defaultdict(int)

    def __call__(self, sent: Sent) -> Reply:
        role = "auditor" if sent.prompt.startswith("You are the Auditor") else "builder"
        named = re.search(r"^Phase: .* \((?P<id>[\w.-]+)\)$", sent.prompt, re.MULTILINE)
        assert named is not None, sent.prompt[:400]
        who = (named["id"], role)
        given = self._left[who].popleft()
        used = given.tokens(sent)
        self.prompts[who].append(sent.prompt)
        self.cost_usd[named["id"]] += used.cost_usd(PRICES[sent.body["model"]])
        self.tokens[named["id"]] += used.input + used.output
        return given

    @property
    def unused(self) -> list[tuple[str, str]]:
        return [who for who, replies in self._left.items() if replies]


@dataclass(frozen=True)
class Released:
    project: Project
    ended: Ended
    server: Loopback
    models: Models
    wanted_tree: str
    log: list[dict[str, Any]]

    @property
    def summary(self) -> Any:
        return self.ended.json

    @property
    def phases(self) -> dict[str, Any]:
        return {phase["phase_id"]: phase for phase in self.summary["phases"]}

    def events(self, kind: str) -> list[dict[str, Any]]:
        return [event for event in self.log if event["type"] == kind]

    def trailers(self, name: str) -> dict[str, str]:
        """What each phase's commit says under this name."""
        rows = [self.project.trailers(commit) for commit in self.project.commits("5.1.0")]
        return {row["Autopack-Phase"]: row[f"Autopack-{name}"] for row in rows}


@pytest.fixture(scope="module")
def released(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Released:
    folder = tmp_path_factory.mktemp("real")
    cache = pytestconfig.cache.mkdir("sources")
    before = unpacked(BEFORE, folder / "cachetools", cache)
    after = unpacked(AFTER, tmp_path_factory.mktemp("wanted") / "cachetools", cache)
    project = Project(folder, before, folder / "places", {"LOOPBACK_KEY": "key-of-the-loopback-server"})
    commit_all(project, "cachetools 5.0.0")
    wanted = Project(after, after, folder / "places")
    commit_all(wanted, "cachetools 5.1.0")
    told = Models(script(tree_of(before), tree_of(after)))
    with Loopback(answer=told, prices=PRICES) as server:
        files = {"autopack.yaml": PROJECT, "rules.yaml": RULES, "ci.yaml": CI, "release.yaml": PLAYBOOK}
        for name, text in (files | {"models.yaml": models(server.url)}).items():
            (folder / name).write_text(text, encoding="utf-8")
        ended = project.autopack("run", "release.yaml", "--run-id", "5.1.0", "--json")
    log = project.autopack("logs", "5.1.0", "--json").json
    return Released(project, ended, server, told, wanted.git("rev-parse", "main^{tree}"), log)


def test_the_branch_is_the_second_release_byte_for_byte(released: Released):
    assert released.ended.code == 0, released.ended.err
    assert released.project.tree("5.1.0") == released.wanted_tree
    assert released.models.unused == []


def test_each_phase_is_one_commit_and_passed_the_packages_own_suite(released: Released):
    project = released.project
    assert {name: phase["state"] for name, phase in released.phases.items()} == {
        "attributes": "COMPLETE",
        "cached-tests": "COMPLETE",
        "cachedmethod-tests": "COMPLETE",
        "docs": "COMPLETE",
        "packaging": "COMPLETE",
    }
    commits = project.commits("5.1.0")
    assert sorted(commits) == sorted(phase["commit"] for phase in released.phases.values())
    assert commits[0] == released.phases["attributes"]["commit"]
    last = {row["phase_id"]: row for row in released.events("CiFinished")}
    assert {name: row["verdict"] for name, row in last.items()} == dict.fromkeys(released.phases, "green")
    assert last["attributes"]["executed_tests"] == 193
    assert last["docs"]["executed_tests"] == 202


def test_what_was_moved_is_seen_as_moved(released: Released):
    of = "{0}^..{0}".format
    names = ("diff", "--name-status", "--find-renames=60%")
    moved = released.project.git(*names, of(released.phases["cached-tests"]["commit"]))
    assert re.fullmatch(r"R\d{3}\ttests/test_wrapper\.py\ttests/test_cached\.py", moved)
    rewritten = released.project.git(*names, "--no-renames", of(released.phases["cachedmethod-tests"]["commit"]))
    assert rewritten.splitlines() == ["A\ttests/test_cachedmethod.py", "D\ttests/test_method.py"]


def test_a_block_that_matches_nothing_goes_back_with_the_nearest_lines(released: Released):
    first, second = released.models.prompts["attributes", "builder"]
    assert "return functools.wraps(wrapper, func)" not in first
    assert "SEARCH matches nothing" in second
    assert "return functools.wraps(wrapper, func)" in second  # what it searched for
    assert released.phases["attributes"]["attempts"] == 2
    assert [row["kind"] for row in released.events("PatchRefused")] == ["edit_failed"]


def test_who_changes_tests_with_leave_is_audited_and_who_only_moves_them_is_not(released: Released):
    assert released.trailers("Audit") == {
        "attributes": "approved by large",
        "cached-tests": "approved by middle",
        "cachedmethod-tests": "none",
        "docs": "none",
        "packaging": "none",
    }
    weakened = {issue["description"] for issue in released.summary["issues"]}
    assert any("NoneWrapperTest.test_decorator has 3 assertions, it had 4" in line for line in weakened)


def test_a_file_without_a_final_newline_is_edited_a_rung_down_and_keeps_its_style(released: Released):
    exact = dict.fromkeys(released.phases, "rung=0 fuzz=0")
    assert released.trailers("Edit") == exact | {"packaging": "rung=1 fuzz=1"}


def test_calls_tokens_and_cost_are_exactly_what_the_server_billed(released: Released):
    summary, server, told = released.summary, released.server, released.models
    assert (summary["model_calls"], len(server.calls), len(server.bills)) == (8, 8, 8)
    assert summary["maybe_paid_calls"] == 0
    assert summary["tokens_used"] == server.tokens
    assert Decimal(summary["cost_usd"]) == server.cost_usd > 0
    assert {name: Decimal(phase["cost_usd"]) for name, phase in released.phases.items()} == told.cost_usd
    assert {name: phase["tokens_used"] for name, phase in released.phases.items()} == told.tokens
    assert {name: Decimal(cost) for name, cost in released.trailers("Cost").items()} == told.cost_usd
    usages = [row["usage"] for row in released.events("ModelAnswered")]
    assert sum(usage["cached_read"] for usage in usages) == 2_512
    assert sum(usage["reasoning"] for usage in usages) == 64


def test_the_provider_is_probed_once_and_gets_its_key_with_every_request(released: Released):
    probes = [sent.path for sent in released.server.requests if sent.method == "GET"]
    assert probes == ["/v1/models"]
    assert {sent.headers["authorization"] for sent in released.server.requests} == {"Bearer key-of-the-loopback-server"}
    kept = released.project.root / ".autonomous_runs"
    assert not [path for path in kept.rglob("*") if path.is_file() and b"key-of-the-loopback" in path.read_bytes()]


def test_nothing_is_left_behind(released: Released):
    assert released.project.leftovers() == []
    assert released.project.git("status", "--porcelain") == ""
    assert released.project.git("rev-list", "--count", "main") == "1"


def test_without_the_key_no_phase_is_started(released: Released):
    keyless = Project(released.project.root, released.project.repository, released.project.places)
    asked_before = len(released.server.requests)
    ended = keyless.autopack("run", "release.yaml", "--run-id", "keyless", "--json")
    assert (ended.code, ended.json["failure_reason"]) == (7, "auth")
    assert "LOOPBACK_KEY is not set" in ended.json["failure"]
    assert len(released.server.requests) == asked_before
    assert keyless.git("branch", "--list", "autonomous/keyless") == ""


def test_without_an_index_a_test_that_needs_a_release_fails_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    for name, value in {"PIP_CONFIG_FILE": os.devnull, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": ""}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(SourceMissing, match=r"needs cachetools-5\.0\.0\.tar\.gz from a package index, once"):
        unpacked(BEFORE, tmp_path / "cachetools", tmp_path)
    assert list(tmp_path.iterdir()) == []
