"""Any project that compiles: graphs, tiers, budgets, ladders, fallbacks, patches, two audits, commands, CI profiles.

Drawn as text, as a person would have written it, so that what is proved is proved of the whole way.
"""

import tempfile
from collections.abc import Callable
from pathlib import Path

from hypothesis import strategies as st

from autopack.plan.compiler import compile as compile_spec
from autopack.plan.model import Plan, pinned
from autopack.runners.rehearsed import HEAD
from autopack.spec.load import load

Files = dict[str, str]
CATEGORIES = ("feature_scaffolding", "docs", "tests", "security_auth_change", "schema_contract_change", "twice")
MANY = "1_000_000_000"


@st.composite
def projects(draw: st.DrawFn) -> Files:
    """Files by name; most of them compile."""
    return {
        "autopack.yaml": _project(draw),
        "models.yaml": _models(draw),
        "ci.yaml": _ci(draw),
        "rules.yaml": _rules(draw),
        "p.yaml": _playbook(draw),
    }


def plans() -> st.SearchStrategy[Plan]:
    """Sealed and pinned."""
    return st.builds(compiled, projects(), st.integers(1, 5)).filter(lambda plan: plan is not None)  # type: ignore[return-value,arg-type]


def compiled(files: Files, jobs: int) -> Plan | None:
    """None where the project has an error: a cap that first attempts don't fit."""
    with tempfile.TemporaryDirectory(prefix="any-") as folder:
        write(files, Path(folder))
        spec, problems = load(folder, "p.yaml", today="2026-11-22")
        assert spec is not None, [f"{each.code} {each.message}" for each in problems]
        plan, _ = compile_spec(spec, jobs=jobs)
    return None if plan is None else pinned(plan, HEAD)


def write(files: Files, folder: Path, order: Callable[[list[str]], list[str]] = list) -> None:
    for name in order(list(files)):
        (folder / name).write_text(files[name], encoding="utf-8")


def _project(draw: st.DrawFn) -> str:
    profile = draw(st.sampled_from(("normal", "normal", "safety_critical")))
    return (
        "autopack: project/v1\nname: any\nruleset: rules.yaml\nmodels: models.yaml\nci: ci.yaml\n"
        f"safety_profile: {profile}\n"
    )


def _models(draw: st.DrawFn) -> str:
    names = st.lists(st.sampled_from(("small", "middle", "large")), min_size=1, max_size=3, unique=True)

    def route() -> str:
        return f"{{builder: [{', '.join(draw(names))}], auditor: [{', '.join(draw(names))}]}}"

    places = draw(st.sampled_from((0, 0, 1, 2)))
    return (
        "autopack: models/v1\nname: any\nmodels:\n"
        + "".join(_model(draw, *each) for each in (("small", "economy"), ("middle", "standard"), ("large", "premium")))
        + (f"providers: {{openai: {{concurrency: {places}}}}}\n" if places else "")
        + f"routing:\n  complexity: {{low: {route()}, medium: {route()}, high: {route()}}}\n"
    )


def _model(draw: st.DrawFn, name: str, tier: str) -> str:
    prices = f'input: "{draw(st.integers(0, 9))}", output: "{draw(st.integers(0, 30))}"'
    priced = f"price: {{{prices}, as_of: 2026-01-01}}"
    said = (
        f"litellm: {draw(st.sampled_from(('openai', 'anthropic')))}/{name}",
        f"tier: {tier}",
        f"context_tokens: {draw(st.sampled_from((4_000, 20_000)))}, max_output_tokens: 1_000",
        f"timeout_s: {draw(st.sampled_from((10, 90)))}",
        draw(st.sampled_from((priced, priced, priced, f"price: unmetered, token_cap: {MANY}"))),
        "edit_format: search_replace",
    )
    return f"  {name}: {{{', '.join(said)}}}\n"


def _ci(draw: st.DrawFn) -> str:
    def step(name: str) -> str:
        report = draw(st.sampled_from(("", ", report: {junit: r.xml}")))
        return f"{{id: {name}, run: [x], timeout_s: {draw(st.sampled_from((30, 200)))}{report}}}"

    def profile(name: str) -> str:
        steps = ", ".join(step(f"s{number}") for number in range(draw(st.integers(1, 2))))
        return f"  {name}: {{retries: {draw(st.integers(0, 1))}, steps: [{steps}]}}\n"

    setup = draw(st.sampled_from(("", "setup: [{id: prepare, run: [x], timeout_s: 60}]\n")))
    tries = f"preflight: {{attempts: {draw(st.integers(1, 3))}, backoff_s: {draw(st.sampled_from((0, 5)))}}}\n"
    profiles = "".join(profile(name) for name in ("normal", "strict", "third"))
    return f"autopack: ci/v1\nname: any\n{setup}{tries}profiles:\n{profiles}"


LADDERS = ("same_model", "same_model, other_format", "next_tier", "same_model, next_tier", "same_model, auditor_patch")


def _rules(draw: st.DrawFn) -> str:
    retry = f"attempts: {draw(st.integers(1, 3))}, backoff_s: 1, backoff_s_max: {draw(st.sampled_from((1, 20)))}"
    recheck, hooks = draw(st.sampled_from(("overlap", "always"))), draw(st.sampled_from(("refuse", "run")))
    return (
        "autopack: ruleset/v1\nname: any\n"
        f"retry: {{{retry}}}\n"
        f"fail_fast: {{normal: {draw(st.sampled_from(('true', 'false')))}}}\n"
        f"escalation: [{draw(st.sampled_from(LADDERS))}]\n"
        f"landing: {{hooks: {hooks}, recheck: {{normal: {recheck}}}}}\n"
        "budget_proof: warning\n"
        "categories:\n  twice: {audits: 2, auto_apply: false}\n"
    )


def _playbook(draw: st.DrawFn) -> str:
    caps = ["minor_issues: 1_000", f"minutes: {draw(st.sampled_from((1_000_000, 1_000_000, 5)))}"]
    caps += draw(st.sampled_from(([], [], ["tokens: 90_000"], ['cost_usd: "0.90"'], ["phases: 3"])))
    lines = [f"autopack: playbook/v1\nname: any\nbudget: {{{', '.join(caps)}}}\ntiers:\n"]
    count = 0
    for tier in range(draw(st.integers(1, 3))):
        needs = draw(st.sampled_from(("", "", "    needs: []\n")))
        lines.append(f"  - id: T{tier}\n{needs}    phases:\n")
        own: list[str] = []
        for _ in range(draw(st.integers(1, 3))):
            lines.append(f"      - {{{_phase(draw, f'p{count}', own)}}}\n")
            own.append(f"p{count}")
            count += 1
    return "".join(lines)


OWN = ("", "", "", "tokens: 9_000", "minutes: 3", 'cost_usd: "0.30"', "attempts: 1", "attempts: 4")


def _phase(draw: st.DrawFn, name: str, above: list[str]) -> str:
    needs = [each for each in above if draw(st.booleans())]
    said = [f"id: {name}", f"category: {draw(st.sampled_from(CATEGORIES))}", "goal: g"]
    said.append(f"scope: {{write: [src/{name}.py]}}")
    if needs:
        said.append(f"needs: [{', '.join(needs)}]")
    own = draw(st.sampled_from(OWN))
    if own:
        said.append(f"budget: {{{own}}}")
    if draw(st.booleans()):
        said.append(f"complexity: {draw(st.sampled_from(('low', 'medium', 'high')))}")
    if draw(st.integers(0, 4)) == 0:
        said.append("ci: third")
    if draw(st.integers(0, 6)) == 0:
        said.append(f"builder: {{kind: external, timeout_s: {draw(st.sampled_from((20, 300)))}}}")
    elif draw(st.integers(0, 4)) == 0:
        tokens = draw(st.sampled_from(("", ", tokens: 2_000")))
        said.append(f"builder: {{kind: command, run: [agent], timeout_s: {draw(st.sampled_from((20, 300)))}{tokens}}}")
    if draw(st.integers(0, 3)) == 0:
        said.append("probes: [[x]]")
    return ", ".join(said)
