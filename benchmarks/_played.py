"""Plans to play, compiled from playbooks of any length, and scripted answers for the hands."""

from __future__ import annotations

import tempfile
from pathlib import Path

from autopack.plan.compiler import compile as compile_spec
from autopack.plan.model import Plan, pinned
from autopack.runners.rehearsed import HEAD, Lines
from autopack.spec.load import load

PROJECT = "autopack: project/v1\nname: bench\nmodels: builtin:replay\nci: ci.yaml\nruleset: rules.yaml\n"
CI = """\
autopack: ci/v1
name: bench
profiles:
  normal: {steps: [{id: unit, run: ["true"], timeout_s: 60, allow_no_tests: true}]}
  strict: {steps: [{id: unit, run: ["true"], timeout_s: 60, allow_no_tests: true}]}
"""
RULES = (
    "autopack: ruleset/v1\nname: bench\nextends: builtin:default\nbudget: {tokens: 5_000_000_000, minutes: 100_000}\n"
)
HEADER = "autopack: playbook/v1\nname: bench\nbudget: {{phases: {phases}}}\ntiers:\n"
PHASE = (
    "      - {{id: p{number}, category: {category}, goal: g, needs: [{needs}], scope: {{write: [src/m{number}.py]}}}}\n"
)
TROUBLED = Lines({"builder": ("edit_failed", "ok"), "ci": ("red", "green"), "auditor": ("approve",)})
"""Refused once, red once, then audited where that is due, and landed."""


def playbook(phases: int, category: str = "docs", *, chained: bool = True) -> str:
    """Tiers of 25; where `chained`, each phase but a tier's first after the one before."""
    text = HEADER.format(phases=phases)
    for number in range(phases):
        if number % 25 == 0:
            text += (
                f"  - id: T{number // 25}\n    needs: []\n    phases:\n"
                if not chained
                else f"  - id: T{number // 25}\n    phases:\n"
            )
        needs = f"p{number - 1}" if chained and number % 25 else ""
        text += PHASE.format(number=number, category=category, needs=needs)
    return text


def plan(text: str) -> Plan:
    with tempfile.TemporaryDirectory() as folder:
        files = {"autopack.yaml": PROJECT, "ci.yaml": CI, "rules.yaml": RULES, "p.yaml": text}
        for name, content in files.items():
            (Path(folder) / name).write_text(content, encoding="utf-8")
        spec, problems = load(folder, "p.yaml")
        if spec is None:
            raise RuntimeError(f"the playbook to play is wrong: {problems[0]}")
        made, more = compile_spec(spec)
    if made is None:
        raise RuntimeError(f"the playbook to play has no plan: {more[0]}")
    return pinned(made, HEAD)
