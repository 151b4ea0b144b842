"""The playbooks that ship: each validates, and plans under every shipped catalogue and ruleset."""

import os
from collections import Counter
from itertools import product
from pathlib import Path

import pytest

from autopack.plan import canonical
from autopack.plan.compiler import compile as compile_spec
from autopack.plan.model import Plan
from autopack.spec import shipped
from autopack.spec.load import check, load, scenarios
from autopack.views.rehearsal import Stage

PLAYBOOKS = Path(shipped.folder("playbooks"))
RULESETS = Path(shipped.folder("rulesets"))
SHIPPED = {folder: sorted(file.stem for file in (RULESETS / folder).glob("*.yaml")) for folder in ("", "ci", "models")}
ONE_TIER = ("auth-security", "infra-refactor")
GIVEN = {
    "add-endpoint": {"package": "shop", "resource": "order"},
    "debt-cleanup": {"package": "shop"},
    "dependency-upgrade": {"dependency": "sqlalchemy", "version": "2.0.36", "package": "shop"},
    "docs-refresh": {},
    "refactor-across-modules": {"package": "shop", "what": "rounding of amounts", "module": "rounding"},
    "schema-migration": {"package": "shop", "table": "orders", "column": "currency", "default": "EUR for all"},
    "security-fix": {"package": "shop", "module": "export", "weakness": "It follows links out of its folder."},
    "test-backfill": {"package": "shop", "module": "money"},
}


def test_every_shipped_playbook_is_called_like_its_file_and_has_a_case_here() -> None:
    assert sorted(file.stem for file in PLAYBOOKS.glob("*.yaml")) == sorted(GIVEN)
    found = check(str(PLAYBOOKS), ["."], today="2026-11-22")
    assert found.problems == []
    assert {found.documents[f"{name}.yaml"].value["name"] for name in GIVEN} == set(GIVEN)


@pytest.mark.parametrize("safety_profile", ["normal", "safety_critical"])
@pytest.mark.parametrize("models", SHIPPED["models"])
@pytest.mark.parametrize("ruleset", SHIPPED[""])
def test_every_shipped_playbook_plans_with_every_shipped_ruleset_catalogue_and_profile(
    ruleset: str, models: str, safety_profile: str, tmp_path: Path
) -> None:
    for ci, (name, given) in product(SHIPPED["ci"], GIVEN.items()):
        project = f"autopack: project/v1\nname: shop\nmodels: builtin:{models}\nruleset: builtin:{ruleset}\n"
        more = f"ci: builtin:{ci}\nsafety_profile: {safety_profile}\n"
        (tmp_path / "autopack.yaml").write_text(project + more, encoding="utf-8")
        (tmp_path / "it.yaml").write_bytes((PLAYBOOKS / f"{name}.yaml").read_bytes())
        assert check(str(tmp_path), ["autopack.yaml", "it.yaml"]).problems == []
        spec, problems = load(str(tmp_path), "it.yaml", given)
        assert problems == []
        assert spec is not None
        plan, problems = compile_spec(spec)
        if ruleset in ONE_TIER and len(spec.playbook.tiers) > 1:  # a run of one tier, or one run after the other
            assert {found.code for found in problems} <= {"AP7001"}
            continue
        assert {found.code for found in problems} <= {"AP5024"}, name  # which is advice
        assert plan is not None
        assert not any("{{" in text or "{%" in text for phase in plan.phases for text in (phase.goal, *phase.write))


@pytest.mark.parametrize(("folder", "kind"), [("", "ruleset"), ("ci", "ci"), ("models", "models")])
def test_every_shipped_ruleset_ci_profile_and_catalogue_has_no_finding_as_a_file_of_a_project(
    folder: str, kind: str, tmp_path: Path
) -> None:
    for name in SHIPPED[folder]:
        source = (RULESETS / folder / f"{name}.yaml").read_bytes()
        assert source.count(f"autopack: {kind}/v1".encode()) == 1
        (tmp_path / "it.yaml").write_bytes(source)
        assert [found for found in check(str(tmp_path), ["it.yaml"]).problems if found.code != "AP3009"] == [], name


def test_every_shipped_playbook_has_scenarios_and_each_of_them_comes_true() -> None:
    stage = Stage(str(PLAYBOOKS), "2026-11-22")
    rehearsed = [stage.rehearse(each) for each in scenarios(str(PLAYBOOKS), ["scenarios"], today="2026-11-22")]
    assert [problem.message for each in rehearsed for problem in each.problems] == []
    assert all(each.run is not None for each in rehearsed)
    counts = Counter(Path(each.path).parent.name for each in rehearsed)
    assert set(counts) == set(GIVEN)
    assert min(counts.values()) >= 3


def test_a_clean_up_is_a_phase_for_each_kind_of_debt(tmp_path: Path) -> None:
    (tmp_path / "it.yaml").write_bytes((PLAYBOOKS / "debt-cleanup.yaml").read_bytes())
    spec, _ = load(str(tmp_path), "it.yaml", GIVEN["debt-cleanup"])
    assert spec is not None
    assert [(phase.id, phase.needs) for phase in spec.playbook.tiers[0].phases] == [
        ("clean.dead-code", ()),
        ("clean.doubled-code", ()),
        ("clean.warnings", ()),
        ("report", ("clean.dead-code", "clean.doubled-code", "clean.warnings")),
    ]


@pytest.mark.parametrize("name", GIVEN)
def test_the_plan_of_a_shipped_playbook_is_the_golden_one(name: str, tmp_path: Path) -> None:
    """`AUTOPACK_REWRITE_GOLDEN=1` writes them anew; read the difference before you commit it."""
    (tmp_path / "autopack.yaml").write_text("autopack: project/v1\nname: shop\n", encoding="utf-8")
    (tmp_path / "it.yaml").write_bytes((PLAYBOOKS / f"{name}.yaml").read_bytes())
    spec, problems = load(str(tmp_path), "it.yaml", GIVEN[name])
    assert spec is not None, problems
    plan, _ = compile_spec(spec)
    assert plan is not None
    golden = Path(__file__).parent / "golden" / f"{name}.txt"
    if os.environ.get("AUTOPACK_REWRITE_GOLDEN"):
        golden.parent.mkdir(exist_ok=True)
        golden.write_text(told(plan), encoding="utf-8")
    assert told(plan) == golden.read_text(encoding="utf-8")


def told(plan: Plan) -> str:
    """What a plan decides, a line a fact; prompts by their digest."""
    lines = [f"caps {plan.caps}", f"worst {plan.worst}", f"runs {[run.phases for run in plan.runs]}"]
    for phase in plan.phases:
        ladder = " > ".join(
            f"{each.step}:{each.ask.model}:{each.edit_format}" + "".join(f"|{ask.model}" for ask in each.fallbacks)
            for each in phase.attempts
        )
        asks = {ask.model: f"{ask.input_tokens_max}+{ask.output_tokens_max}" for ask in phase.asks}
        lines += [
            f"\n{phase.phase_id} in {phase.tier_id}, after {', '.join(phase.needs) or 'nothing'}",
            f"  {phase.category}, {phase.complexity}, risk {phase.high_risk}, ci {phase.ci}, audited {phase.audited}",
            f"  ladder {ladder}; audit {phase.audit.model}; {phase.why}",
            f"  asks {asks}",
            f"  writes {', '.join(phase.write)}; worst {phase.worst}",
            f"  prompts {canonical.digest([phase.builder_prompt, phase.auditor_prompt])[:12]}",
        ]
    return "\n".join(lines) + "\n"
