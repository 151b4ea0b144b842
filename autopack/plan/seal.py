"""The last pass: a draft that nothing is left to decide of, as a frozen plan.

Apart from the other passes because it needs instructions and prices of everything, and because a check of files
(`validate`) runs all passes but this one.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal, cast

from autopack.plan import prompt
from autopack.plan.backlog import FOLDER, digest
from autopack.plan.budget import of_runs
from autopack.plan.commands import is_outside, sealed
from autopack.plan.draft import Draft, DraftPhase
from autopack.plan.inherit import run_caps
from autopack.plan.model import (
    COMMAND,
    EXTERNAL,
    FORMAT_VERSION,
    AuditPolicy,
    Caps,
    Limits,
    Plan,
    PlanModel,
    PlanPhase,
    PlanRun,
    PlanTier,
    Preflight,
    Profile,
    ProjectBudget,
    Quota,
    Retry,
    SeverityUpgrade,
    Step,
    Worst,
)
from autopack.plan.policy import granted, own_files
from autopack.plan.routing import may_move
from autopack.plan.worst import price_of, total
from autopack.spec.model import CiStep, Model, Project, Ruleset, Spec, Tier
from autopack.spec.record import replace


def seal(draft: Draft) -> Plan:
    """The draft as a plan: nothing left to decide, nothing that depends on where or when it was made."""
    spec, caps = draft.spec, draft.caps
    if caps is None:
        raise ValueError("the inherit pass has not run")
    used, worsts, audit = _models_used(draft), of_runs(draft), spec.ruleset.audit
    return Plan(
        format_version=FORMAT_VERSION,
        project=spec.project.name,
        playbook=spec.playbook.name,
        description=spec.playbook.description or "",
        inputs=dict(spec.inputs),
        base_branch=spec.project.base_branch,
        base_commit=None,
        integration_branch=spec.project.integration_branch,
        protected_branches=tuple(dict.fromkeys((*spec.project.protected_branches, spec.project.base_branch))),
        protected_paths=_protected(spec),
        safety_profile=draft.safety_profile,  # type: ignore[arg-type]  # the schema's enum
        run_scope=draft.run_scope,  # type: ignore[arg-type]
        stage=spec.project.stage,  # type: ignore[arg-type]
        fail_fast=spec.ruleset.fail_fast[draft.safety_profile],
        caps=caps,
        retry=Retry(spec.ruleset.retry.attempts, spec.ruleset.retry.backoff_s, spec.ruleset.retry.backoff_s_max),
        pools=_pools(spec, used, draft.jobs),
        tiers=_tiers(draft, draft.phases, caps, _numbers(draft)),
        phases=_phases(draft),
        models={name: _model(spec.models.models[name]) for name in used},
        profiles={name: _profile(draft, name) for name in dict.fromkeys(phase["ci"] for phase in draft.phases)},
        format_prompts={str(name): text for name, text in prompt.FORMATS.items()},
        worst=total(worsts),
        backlog_sha256=digest(draft.backlog),
        runs=_runs(draft, worsts) if len(draft.runs) > 1 else (),
        aged=draft.aged,
        audit_policy=AuditPolicy(audit.major_issue, audit.same_failure, audit.attempts_used_up, audit.test_changes),
        not_clean=spec.ruleset.tier.not_clean[draft.safety_profile],  # type: ignore[arg-type]
        promotion=spec.ruleset.promotion,  # type: ignore[arg-type]
        budget_warnings=tuple(sorted(spec.ruleset.budget_warnings)),
        quotas=_quotas(spec, used),
        severity_upgrades=tuple(
            SeverityUpgrade(rule.to, rule.category, rule.source, rule.complexity)
            for rule in spec.ruleset.severity_upgrades
        ),
        commit_issues=spec.project.artifacts.commit_issues,
        hooks=spec.ruleset.hooks,  # type: ignore[arg-type]
        project_budget=project_budget(spec.project),
    )


# --- parts of the sealed plan ---


def _phases(draft: Draft) -> tuple[PlanPhase, ...]:
    alike = {id(phase.kind): _of_kind(draft, phase) for phase in draft.kinds}
    return tuple(_phase(draft, number, phase, alike[id(phase.kind)]) for number, phase in enumerate(draft.phases, 1))


def _of_kind(draft: Draft, phase: DraftPhase) -> Mapping[str, Any]:
    """The fields that all phases of a kind have in common, by name."""
    kind, rules, budget = phase.kind, draft.spec.ruleset, phase.spec.budget
    if kind.audit is None:
        raise ValueError("the route pass has not run")
    names = ("category", "complexity", "builder_mode", "high_risk", "severity", "ci", "auto_apply", "auditor_profile")
    return {
        **{name: phase[name] for name in (*names, "auditor_attempts", "token_cap")},
        "task_category": phase["task_category"] or phase["category"],
        "recheck": _recheck(rules, phase["ci"]),
        "audit": kind.audit,
        "attempts": kind.attempts,
        "cost_usd_max": budget.cost_usd if budget else None,
        "minutes_max": budget.minutes if budget else None,
        "limits": Limits(
            files=phase["files"] or rules.limits.files,
            changed_lines=rules.limits.changed_lines,
            file_bytes=rules.limits.file_bytes,
            shrink=rules.limits.shrink,
            growth=rules.limits.growth,
            fuzz=rules.limits.fuzz[phase["complexity"]],
        ),
        "why": kind.why,
        "worst": kind.worst,
        "audit_fallbacks": kind.audit_fallbacks,
        "second_audit": kind.second_audit,
        "aged": phase.aged,
        "builder": sealed(phase.spec),
        "patches": kind.patches,
        "may_downgrade": may_move(draft.spec, phase),
    }


def _phase(draft: Draft, index: int, phase: DraftPhase, alike: Mapping[str, Any]) -> PlanPhase:
    spec = phase.spec
    words, paths = granted(draft.spec, spec)
    return PlanPhase(
        phase_id=spec.id,
        index=index,
        tier_id=phase.tier.id,
        name=spec.name or spec.id,
        goal=spec.goal,
        acceptance=spec.acceptance,
        deliverables=spec.deliverables,
        write=spec.scope.write,
        read=tuple(dict.fromkeys((*spec.scope.read, *draft.spec.playbook.context))),
        needs=phase.needs,
        tags=spec.tags,
        allow=tuple(dict.fromkeys((*spec.allow, *words))),
        allowed_protected=tuple(dict.fromkeys((*spec.allow_protected, *paths))),
        probes=spec.probes,
        builder_prompt=prompt.command(phase) if is_outside(spec) else prompt.builder(phase),
        auditor_prompt=prompt.auditor(phase),
        patch_prompt=prompt.patcher(phase) if phase.kind.patches else "",
        **alike,
    )


def _recheck(rules: Ruleset, profile: str) -> Literal["always", "overlap"]:
    """A profile that the ruleset doesn't name is treated like `strict`."""
    return "overlap" if rules.recheck.get(profile, rules.recheck.get("strict", "always")) == "overlap" else "always"


def _runs(draft: Draft, worsts: Sequence[Worst]) -> tuple[PlanRun, ...]:
    by_id = {phase.spec.id: phase for phase in draft.phases}
    found, numbers = [], _numbers(draft)
    for run, worst in zip(draft.runs, worsts, strict=True):
        phases, caps = [by_id[name] for name in run], run_caps(draft.spec, len(run))
        found.append(PlanRun(run, _tiers(draft, phases, caps, numbers), caps, worst))
    return tuple(found)


def _numbers(draft: Draft) -> dict[str, int]:
    """Tiers as they are written, from 1; one that the compiler added comes last."""
    written = (*draft.spec.playbook.tiers, *(phase.tier for phase in draft.phases))
    return {name: number for number, name in enumerate(dict.fromkeys(tier.id for tier in written), 1)}


def _tiers(draft: Draft, phases: Sequence[DraftPhase], caps: Caps, numbers: Mapping[str, int]) -> tuple[PlanTier, ...]:
    """The tiers that hold some of these phases, with caps for those; numbered as they are written."""
    members: dict[str, list[DraftPhase]] = {}
    for phase in phases:
        members.setdefault(phase.tier.id, []).append(phase)
    tiers = {phase.tier.id: phase.tier for phase in phases}
    return tuple(
        _tier(draft, numbers[name], tiers[name], members[name], caps)
        for name in sorted(members, key=numbers.__getitem__)
    )


def _tier(draft: Draft, index: int, tier: Tier, phases: Sequence[DraftPhase], caps: Caps) -> PlanTier:
    rule, profile = draft.spec.ruleset.tier, draft.safety_profile
    tokens = int(rule.incident_token_factor * sum(phase["token_cap"] for phase in phases))
    minors = rule.minor_issues_per_phase[profile] * sum(phase["minor_factor"] for phase in phases)
    sealed = PlanTier(
        tier_id=tier.id,
        index=index,
        name=tier.name or tier.id,
        phases=tuple(phase.spec.id for phase in phases),
        token_cap=min(tokens, caps.tokens),
        ci_runs=rule.ci_runs_per_phase * len(phases),
        minor_issues=int(minors),
        major_issues=rule.major_issues,
    )
    return sealed if draft.spec.project.stage != "baseline" else _measured(draft, sealed, phases, caps)


def _measured(draft: Draft, tier: PlanTier, phases: Sequence[DraftPhase], caps: Caps) -> PlanTier:
    """A tier of the first stage has no caps of its own: only what it could not pass anyway."""
    rungs = sum(len(phase.kind.attempts) + len(phase.kind.patches) for phase in phases)
    ci_runs = rungs * (1 + len(draft.phases))
    return replace(tier, token_cap=caps.tokens, ci_runs=ci_runs, minor_issues=caps.minor_issues)


def _model(model: Model) -> PlanModel:
    return PlanModel(
        name=model.name,
        litellm=model.litellm,
        api_base=model.api_base,
        api_key_env=model.api_key_env,
        provider=model.provider,
        tier=model.tier,
        context_tokens=model.context_tokens,
        max_output_tokens=model.max_output_tokens,
        price=price_of(model),
        token_cap=model.token_cap,
        timeout_s=model.timeout_s,
        params=dict(model.params),
    )


def _profile(draft: Draft, name: str) -> Profile:
    ci, profile = draft.spec.ci, draft.spec.ci.profiles[name]
    return Profile(
        name=name,
        setup=tuple(_step(step) for step in ci.setup),
        steps=tuple(_step(step, affected=_may_be_limited(draft, name)) for step in profile.steps),
        retries=profile.retries,
        env_pass=ci.env_pass,
        env_set=dict(ci.env_set),
        memory_mb=ci.sandbox.memory_mb,
        cpu_s=ci.sandbox.cpu_s,
        file_mb=ci.sandbox.file_mb,
        open_files=ci.sandbox.open_files,
        processes=ci.sandbox.processes,
        sandbox=cast("Literal['none', 'bubblewrap']", ci.sandbox.kind),
        network=ci.sandbox.network,
        readable=ci.sandbox.read,
        quarantine=tuple(each.test for each in ci.quarantine),
        baseline=ci.baseline,
        preflight=Preflight(ci.preflight.attempts, ci.preflight.backoff_s),
    )


def _may_be_limited(draft: Draft, profile: str) -> bool:
    """Strict runs everything, and so does every profile where safety is critical."""
    return profile != "strict" and draft.safety_profile != "safety_critical"


def _step(step: CiStep, *, affected: bool = False) -> Step:
    return Step(
        step.id, step.run, step.timeout_s, step.junit, step.allow_no_tests, affected and step.when == "affected"
    )


def _protected(spec: Spec) -> tuple[str, ...]:
    """The ruleset's patterns, what runs commit about themselves, and every file that governs this very run."""
    return tuple(dict.fromkeys((*spec.ruleset.protected_paths, f"{FOLDER}/**", *own_files(spec))))


def _pools(spec: Spec, used: list[str], jobs: int) -> Mapping[str, int]:
    """`phase`: phases under way together. Landing is a pool of one; everything else follows from `jobs`."""
    sides = ("phase", "RunCi", "ApplyReply", "Rebase", "AssembleContext", "CallModel")
    pools = {**dict.fromkeys(sides, jobs), "Land": 1}
    asked = {spec.models.models[name].provider for name in used}
    pools |= {effect: jobs for provider, effect in _OUTSIDE if provider in asked}
    for name in used:
        provider = spec.models.models[name].provider
        quota = spec.models.providers.get(provider)
        pools[f"provider:{provider}"] = (quota.concurrency if quota else None) or jobs
    return pools


_OUTSIDE = ((COMMAND, "RunBuilder"), (EXTERNAL, "AskExternal"))
"""What is wished of a Builder that is no model; who waits to be answered is in nobody's way but its own phase's."""


def _quotas(spec: Spec, used: list[str]) -> Mapping[str, Quota]:
    providers = {spec.models.models[name].provider for name in used}
    rows = {name: spec.models.providers[name] for name in sorted(providers) if name in spec.models.providers}
    found = {
        name: Quota(row.requests_per_minute, row.tokens_per_minute, row.weekly_tokens, row.soft_limit)
        for name, row in rows.items()
    }
    return {name: quota for name, quota in found.items() if quota != _NO_QUOTA}


_NO_QUOTA = Quota(None, None)


def project_budget(project: Project) -> ProjectBudget | None:
    """What all runs of a project may spend; None where it says nothing."""
    whole = project.budget
    if whole.tokens is None and whole.cost_usd is None:
        return None
    return ProjectBudget(whole.tokens, whole.cost_usd, whole.days)


def _models_used(draft: Draft) -> list[str]:
    return sorted({ask.model for phase in draft.kinds for ask in phase.kind.asks})
