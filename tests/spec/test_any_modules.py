"""Whatever is done to a project with modules and fan-outs: findings with codes, never a traceback."""

import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from autopack.plan.compiler import compile as compile_spec
from autopack.problem import CODES
from autopack.spec.document import read
from autopack.spec.load import check, load
from tests.spec.test_schema import FANNED, SCALARS, SCENARIO, TIER, walk

PHASE = """
autopack: phase/v1
inputs: {page: {default: a}, n: {type: integer, default: 2}, b: {type: boolean, default: true}}
id: mark
goal: "{{ inputs.page }} {{ inputs.n }}"
category: docs
scope: {write: ["{{ inputs.page }}/**"]}
deliverables: ["{{ inputs.page }}/x.md"]
"""
PROJECT = """
autopack: project/v1
name: shop
playbooks: [p.yaml]
models: builtin:replay
environments: {nightly: {ruleset: builtin:strict, safety_profile: safety_critical}}
"""
FILES = {
    "autopack.yaml": PROJECT,
    "p.yaml": FANNED.replace('"git+https://example.org/x@v1#tiers/a.yaml"', "t.yaml")
    .replace("with: {service:", "with: {page:")
    .replace(
        "{uses: gone.yaml, name: Gone, description: Away.}",
        "{id: T3, phases: [{uses: marks.yaml, id: end, needs: [mark, a]}]}",
    ),
    "t.yaml": TIER.replace("gone.yaml", "marks.yaml"),
    "marks.yaml": PHASE,
    "s.yaml": SCENARIO.replace("gone.yaml", "p.yaml").replace(", n: 3", ""),
}
WORDS = ["uses", "with", "for_each", "matrix", "needs", "inputs", "id", "p.yaml", "t.yaml", "marks.yaml", "store", "T1"]
VALUES = [*SCALARS, *WORDS, "{{ item }}", "{{ matrix.db }}", "{{ inputs.page }}", "../x", ["x", "x y"], {"a": ["b"]}]


def value_of(text: str) -> Any:
    document, _ = read("it.yaml", text.encode())
    assert document is not None
    return document.value


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """The project with up to four values changed, removed or renamed, in any of its files."""
    files = {name: json.loads(json.dumps(value_of(text))) for name, text in FILES.items()}
    for _ in range(draw(st.integers(0, 4))):
        value = files[draw(st.sampled_from(sorted(files)))]
        ways = [way for way in walk(value) if way and way != ("autopack",)]
        if not ways:
            continue
        *way, last = draw(st.sampled_from(ways))
        holder = value
        for step in way:
            holder = holder[step]
        what = draw(st.sampled_from(["change", "remove", "rename"]))
        if what == "remove":
            del holder[last]
        elif what == "rename" and isinstance(last, str):
            holder[draw(st.sampled_from(WORDS))] = holder.pop(last)
        else:
            holder[last] = draw(st.sampled_from(VALUES))
    return files


@settings(max_examples=60, deadline=None)
@given(damaged(), st.sampled_from([None, "nightly", "other"]))
def test_a_project_with_modules_has_findings_and_no_traceback(files: dict[str, Any], env: str | None) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, value in files.items():
            Path(folder, name).write_text(json.dumps(value), encoding="utf-8")
        checked = check(folder, today="2026-11-22", env=env)
        more = check(folder, ["."], today="2026-11-22")
        spec, problems = load(folder, "p.yaml", today="2026-11-22", env=env)
        if spec is not None:
            problems = [*problems, *compile_spec(spec)[1]]
    assert {found.code for found in (*checked.problems, *more.problems, *problems)} <= CODES.keys()
    places = [(found.code, found.span) for found in checked.problems if found.span]
    assert len(places) == len(set(places)) or any(found.code == "AP2002" for found in checked.problems)


def test_the_project_that_is_damaged_there_is_sound(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text.lstrip(), encoding="utf-8")
    assert check(str(tmp_path), ["."]).problems == []
    spec, problems = load(str(tmp_path), "p.yaml")
    assert problems == []
    assert spec is not None
    plan, _ = compile_spec(spec)
    assert plan is not None
    assert [phase.phase_id for phase in plan.phases if phase.tier_id == "T2"] == ["mark.x", "mark.y", "b", "a.x"]
