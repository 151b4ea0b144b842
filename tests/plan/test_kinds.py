"""Phases of one kind share the work of the passes, and nothing that one of them says for itself."""

from pathlib import Path

import pytest

from autopack.plan import inherit
from autopack.plan.compiler import compile as compiled
from autopack.plan.model import digest
from autopack.spec.load import load
from autopack.spec.model import Spec
from tests.plan.folder import Folder

CORPUS = Path(__file__).parents[1] / "corpus"
PLAYBOOKS = sorted(path.relative_to(CORPUS).as_posix() for path in CORPUS.glob("*/playbooks/*.yaml"))
OF_POLICY = (
    "category: docs",
    "category: external_feature_reuse",  # does not say what
    "category: external_feature_reuse, external: {source: pypi:a, licence: MIT}",
    "category: external_feature_reuse, external: {source: pypi:b, licence: GPL-3.0}",
    "category: docs",
)
OF_BUDGETS = (
    "category: docs",
    "category: docs, ci: strict",
    "category: docs, budget: {tokens: 900}",  # too few for a call
    "category: docs, budget: {tokens: 900}",
    "category: docs, budget: {tokens: 40_000, cost_usd: 0.0001}",
    "category: docs, budget: {tokens: 40_000, cost_usd: 0.0001, minutes: 3}",
    "category: docs, budget: {tokens: 40_000}",
    "category: security_auth, complexity: low",
    "category: tests, builder: {kind: command, run: [agent]}",
    "category: tests, builder: {kind: command, run: [agent], tokens: 5_000}",
)


def told(spec: Spec, monkeypatch: pytest.MonkeyPatch, *, apart: bool) -> tuple[str | None, list[str]]:
    """The plan's digest and all findings, with every phase of its own kind or not."""
    with monkeypatch.context() as patched:
        if apart:
            patched.setattr(inherit, "_alike", id)
        plan, problems = compiled(spec)
    return plan and digest(plan), sorted(map(repr, problems))


@pytest.mark.parametrize("path", PLAYBOOKS)
def test_a_realistic_plan_is_the_same_without_kinds(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    project, _, playbook = path.partition("/")
    spec, _ = load(str(CORPUS / project), playbook)
    if spec is None:
        pytest.skip("needs inputs")
    assert told(spec, monkeypatch, apart=True) == told(spec, monkeypatch, apart=False)


@pytest.mark.parametrize(("phases", "code", "count"), [(OF_POLICY, "AP5004", 1), (OF_BUDGETS, "AP6003", 2)])
def test_every_phase_with_a_fault_of_its_own_is_told(
    phases: tuple[str, ...], code: str, count: int, folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = folder.phases(*(f"id: p{number}, {each}" for number, each in enumerate(phases))).spec()
    plan, problems = told(spec, monkeypatch, apart=False)
    assert (plan, problems) == told(spec, monkeypatch, apart=True)
    assert sum(code in each for each in problems) == count
