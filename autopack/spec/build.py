"""Checked values -> the frozen model. Nothing is judged here: what comes in has passed every check of `load`."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from autopack.problem.typed import Any
from autopack.spec import model
from autopack.spec.at import At
from autopack.spec.expand import Whole
from autopack.spec.extends import Merged
from autopack.spec.rules.ci import chain_of

Value = Mapping[str, Any]


def _money(value: str | float | None) -> Decimal | None:
    """Exactly what was written: a number's shortest spelling is the one in the file."""
    return None if value is None else Decimal(str(value))


def _amount(value: str | float) -> Decimal:
    return Decimal(str(value))


def _count(value: float | None) -> int | None:
    return None if value is None else int(value)


def _words(value: list[str] | None) -> tuple[str, ...]:
    return tuple(value or ())


def _allow(value: list[Any] | None) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The plain words, and the protected paths that may be written."""
    items = value or ()
    paths = (path for item in items if isinstance(item, dict) for path in item["protected_paths"])
    return tuple(item for item in items if isinstance(item, str)), tuple(paths)


# --- project ---


def project(at: At, value: Value) -> model.Project:
    """From a value that holds the schema's defaults."""
    artifacts = model.Artifacts(value["artifacts"]["path"], value["artifacts"]["commit_issues"])
    return model.Project(
        at=at,
        name=value["name"],
        repository=value["repository"],
        base_branch=value["base_branch"],
        integration_branch=value["integration_branch"],
        protected_branches=_words(value["protected_branches"]),
        playbooks=_words(value["playbooks"]),
        ruleset=value["ruleset"],
        ci=value["ci"],
        models=value["models"],
        safety_profile=value.get("safety_profile"),
        run_scope=value.get("run_scope"),
        stage=value["stage"],
        store=value["store"],
        artifacts=artifacts,
        budget=_project_budget(at.to("budget"), value["budget"]),
        selectors={name: _selector(at.to("selectors", name), name, each) for name, each in value["selectors"].items()},
    )


def _project_budget(at: At, value: Value) -> model.ProjectBudget:
    return model.ProjectBudget(at, _count(value["tokens"]), _money(value["cost_usd"]), int(value["days"]))


def _selector(at: At, name: str, value: Value) -> model.Selector:
    return model.Selector(at, name, _words(value.get("select")), _words(value.get("exclude")))


# --- playbook ---


def playbook(at: At, value: Value, tiers: Sequence[Whole]) -> model.Playbook:
    """From the playbook's own keys, and its tiers as `expand` makes them."""
    declared = value.get("inputs", {})
    return model.Playbook(
        at=at,
        name=value["name"],
        tiers=tuple(map(_tier, tiers)),
        description=value.get("description"),
        inputs={name: _input(at.to("inputs", name), name, each) for name, each in declared.items()},
        context=_words(value.get("context")),
        budget=_budget(at.to("budget"), value.get("budget")),
        defaults=_defaults(at.to("defaults"), value.get("defaults")),
    )


def _input(at: At, name: str, value: Value) -> model.Input:
    return model.Input(
        at=at,
        name=name,
        type=value.get("type", "string"),
        default=value.get("default"),
        enum=tuple(value.get("enum", ())),
        description=value.get("description"),
    )


def _budget(at: At, value: Value | None) -> model.Budget | None:
    if value is None:
        return None
    counts = {key: _count(value.get(key)) for key in ("tokens", "minutes", "phases", "minor_issues", "attempts")}
    return model.Budget(at=at, cost_usd=_money(value.get("cost_usd")), **counts)


def _defaults(at: At, value: Value | None) -> model.PhaseDefaults | None:
    return None if value is None else model.PhaseDefaults(at=at, **value)


def _tier(tier: Whole) -> model.Tier:
    return model.Tier(
        at=tier.at,
        id=tier.value["id"],
        phases=tuple(map(_phase, tier.phases)),
        name=tier.value.get("name"),
        description=tier.value.get("description"),
        needs=tier.needs,
        via=tier.via,
    )


def _phase(phase: Whole) -> model.Phase:
    at, value = phase.at, phase.value
    allow, allow_protected = _allow(value.get("allow"))
    external = value.get("external")
    scope = value["scope"]
    return model.Phase(
        at=at,
        id=value["id"],
        goal=value["goal"],
        category=value["category"],
        scope=model.Scope(at.to("scope"), _words(scope["write"]), _words(scope.get("read"))),
        name=value.get("name"),
        complexity=value.get("complexity"),
        builder_mode=value.get("builder_mode"),
        needs=phase.needs or (),
        deliverables=_words(value.get("deliverables")),
        acceptance=_words(value.get("acceptance")),
        probes=tuple(tuple(probe) for probe in value.get("probes", ())),
        ci=value.get("ci"),
        budget=_budget(at.to("budget"), value.get("budget")),
        builder=_builder(at.to("builder"), value.get("builder")),
        allow=allow,
        allow_protected=allow_protected,
        external=None if external is None else model.External(at.to("external"), **external),
        tags=_words(value.get("tags")),
        needs_at=phase.needs_at,
        via=phase.via,
        fan_out=phase.fan_out,
    )


def _builder(at: At, value: Value | None) -> model.Builder | None:
    if value is None:
        return None
    return model.Builder(
        at=at,
        kind=value["kind"],
        run=_words(value.get("run")),
        timeout_s=_count(value.get("timeout_s")),
        env_pass=_words(value.get("env_pass")),
        tokens=_count(value.get("tokens")),
    )


# --- ruleset ---


def ruleset(at: At, merged: Merged) -> model.Ruleset:
    """From a ruleset after `extends`, which is complete because every chain ends in the shipped default."""
    value, origins, outvoted = merged
    where = _Origins(at, origins)
    return model.Ruleset(
        at=at,
        name=value["name"],
        safety_profile=value["safety_profile"],
        run_scope=value["run_scope"],
        budget=_run_budget(where("budget"), value["budget"]),
        budget_warnings=tuple(value["budget_warnings"]),
        budget_proof=value["budget_proof"],
        tier=model.TierRule(at=where("tier"), **value["tier"]),
        fail_fast=value["fail_fast"],
        category_defaults=_row(where, "category_defaults", value=value["category_defaults"]),
        high_risk=_row(where, "high_risk", value=value["high_risk"]),
        complexities=_rows(where, "complexities", value),
        builder_modes=_rows(where, "builder_modes", value),
        categories=_rows(where, "categories", value),
        aging=model.Aging(at=where("aging"), **value["aging"]),
        severity_upgrades=tuple(
            model.SeverityUpgrade(at=where("severity_upgrades", index), to=each["to"], **each["match"])
            for index, each in enumerate(value["severity_upgrades"])
        ),
        escalation=_words(value["escalation"]),
        attempts_per_model_tier=int(value["attempts_per_model_tier"]),
        audit=model.AuditRule(at=where("audit"), **value["audit"]),
        retry=_retry(where("retry"), value["retry"]),
        limits=_limits(where("limits"), value["limits"]),
        protected_paths=_words(value["protected_paths"]),
        grants=tuple(_grant(where("grants", index), each) for index, each in enumerate(value["grants"])),
        external=_external(where("external"), value["external"]),
        recheck=value["landing"]["recheck"],
        hooks=value["landing"]["hooks"],
        promotion=value["promotion"]["require"],
        origins=origins,
        outvoted=outvoted,
    )


class _Origins:
    """Where the values of a merged ruleset were written."""

    def __init__(self, at: At, origins: Mapping[tuple[str | int, ...], At]) -> None:
        self._at = at
        self._origins = origins

    def __call__(self, *steps: str | int) -> At:
        return self._origins.get(steps, self._at)


def _rows(where: _Origins, group: str, value: Value) -> dict[str, model.CategoryRule]:
    return {name: _row(where, group, name, value=row) for name, row in value[group].items()}


def _row(where: _Origins, *steps: str, value: Value) -> model.CategoryRule:
    counts = ("builder_attempts", "auditor_attempts", "incident_tokens", "audits", "files")
    whole = {key: int(value[key]) for key in counts if key in value}
    return model.CategoryRule(at=where(*steps), name=steps[-1], **{**value, **whole})


def _run_budget(at: At, value: Value) -> model.RunBudget:
    return model.RunBudget(
        at=at,
        tokens=int(value["tokens"]),
        phases=int(value["phases"]),
        minutes=int(value["minutes"]),
        minor_issues_per_phase=int(value["minor_issues_per_phase"]),
        cost_usd=_money(value["cost_usd"]),
    )


def _retry(at: At, value: Value) -> model.Retry:
    return model.Retry(at, int(value["attempts"]), float(value["backoff_s"]), float(value["backoff_s_max"]))


def _limits(at: At, value: Value) -> model.Limits:
    return model.Limits(
        at=at,
        files=int(value["files"]),
        changed_lines=int(value["changed_lines"]),
        file_bytes=int(value["file_bytes"]),
        shrink=float(value["shrink"]),
        growth=float(value["growth"]),
        fuzz=value["fuzz"],
    )


def _grant(at: At, value: Value) -> model.Grant:
    allow, allow_protected = _allow(value["allow"])
    return model.Grant(
        at=at,
        phases=_words(value["phases"]),
        allow=allow,
        allow_protected=allow_protected,
        owner=value["owner"],
        reason=value["reason"],
        until=value["until"],
    )


def _external(at: At, value: Value) -> model.ExternalRule:
    return model.ExternalRule(at, _words(value["sources"]), _words(value["licences"]))


# --- ci ---


def ci(at: At, value: Value) -> model.Ci:
    """From a value that holds the schema's defaults."""
    sandbox, preflight = value["sandbox"], value["preflight"]
    return model.Ci(
        at=at,
        name=value["name"],
        env_pass=_words(value["env"]["pass"]),
        env_set=value["env"]["set"],
        setup=tuple(_step(at.to("setup", index), each) for index, each in enumerate(value["setup"])),
        baseline=value["baseline"],
        quarantine=tuple(
            model.Quarantine(at=at.to("quarantine", index), **each) for index, each in enumerate(value["quarantine"])
        ),
        sandbox=model.Sandbox(
            at=at.to("sandbox"),
            kind=sandbox["kind"],
            network=sandbox["network"],
            read=_words(sandbox["read"]),
            memory_mb=_count(sandbox.get("memory_mb")),
            cpu_s=_count(sandbox.get("cpu_s")),
            file_mb=_count(sandbox.get("file_mb")),
            open_files=_count(sandbox.get("open_files")),
            processes=_count(sandbox.get("processes")),
        ),
        preflight=model.Preflight(at.to("preflight"), int(preflight["attempts"]), float(preflight["backoff_s"])),
        profiles={name: _profile(at, value["profiles"], name) for name in value["profiles"]},
    )


def _profile(at: At, profiles: Value, name: str) -> model.Profile:
    """Steps of the farthest parent first; a step of the same id takes the place of the one before."""
    steps: dict[str, model.CiStep] = {}
    retries = 0
    for each in reversed(chain_of(profiles, name)):
        retries = int(profiles[each].get("retries", retries))
        for index, step in enumerate(profiles[each].get("steps", ())):
            steps[step["id"]] = _step(at.to("profiles", each, "steps", index), step)
    return model.Profile(at.to("profiles", name), name, retries, tuple(steps.values()))


def _step(at: At, value: Value) -> model.CiStep:
    return model.CiStep(
        at=at,
        id=value["id"],
        run=tuple(value["run"]),
        timeout_s=int(value["timeout_s"]),
        junit=value.get("report", {}).get("junit"),
        when=value.get("when", "always"),
        allow_no_tests=value.get("allow_no_tests", False),
    )


# --- models ---


def models(at: At, value: Value) -> model.Models:
    """From a value that holds the schema's defaults."""
    routing = value["routing"]
    place = at.to("routing")
    return model.Models(
        at=at,
        name=value["name"],
        models={name: _model(at.to("models", name), name, each) for name, each in value["models"].items()},
        routing=model.Routing(
            at=place,
            complexity=_routes(place.to("complexity"), routing["complexity"]),
            categories=_routes(place.to("categories"), routing["categories"]),
            high_risk=_route(place.to("high_risk"), routing["high_risk"]) if "high_risk" in routing else None,
            never_downgrade=_words(routing["never_downgrade"]),
        ),
        providers={name: _provider(at.to("providers", name), name, each) for name, each in value["providers"].items()},
    )


def _model(at: At, name: str, value: Value) -> model.Model:
    return model.Model(
        at=at,
        name=name,
        litellm=value["litellm"],
        api_base=value["api_base"],
        api_key_env=value["api_key_env"],
        tier=value["tier"],
        context_tokens=int(value["context_tokens"]),
        max_output_tokens=int(value["max_output_tokens"]),
        price=None if value["price"] == "unmetered" else _price(at.to("price"), value["price"]),
        token_cap=_count(value.get("token_cap")),
        edit_format=value["edit_format"],
        timeout_s=int(value["timeout_s"]),
        params=value["params"],
    )


def _price(at: At, value: Value) -> model.Price:
    return model.Price(
        at=at,
        input=_amount(value["input"]),
        output=_amount(value["output"]),
        cached_input=_money(value.get("cached_input")),
        cached_write=_money(value.get("cached_write")),
        as_of=value["as_of"],
        nominal=value["nominal"],
    )


def _routes(at: At, value: Value) -> dict[str, model.Route]:
    return {name: _route(at.to(name), each) for name, each in value.items()}


def _route(at: At, value: Value) -> model.Route:
    return model.Route(at, _words(value["builder"]), _words(value["auditor"]))


def _provider(at: At, name: str, value: Value) -> model.Provider:
    keys = ("concurrency", "requests_per_minute", "tokens_per_minute", "weekly_tokens")
    counts = {key: _count(value.get(key)) for key in keys}
    return model.Provider(at=at, name=name, soft_limit=value.get("soft_limit"), **counts)


# --- scenario ---


def scenario(at: At, value: Value) -> model.Scenario:
    expect = value["expect"]
    return model.Scenario(
        at=at,
        name=value["name"],
        playbook=value["playbook"],
        inputs=value.get("inputs", {}),
        env=value.get("env"),
        safety_profile=value.get("safety_profile"),
        answers={name: _answers(at.to("answers", name), each) for name, each in value["answers"].items()},
        expect=model.Expected(
            at=at.to("expect"),
            state=expect.get("state"),
            failure_reason=expect.get("failure_reason"),
            phases=expect.get("phases", {}),
            failure_reasons=expect.get("failure_reasons", {}),
            path={name: tuple(states) for name, states in expect.get("path", {}).items()},
            builder_calls=expect.get("builder_calls", {}),
            auditor_calls=expect.get("auditor_calls", {}),
            ci_runs=expect.get("ci_runs", {}),
            cost_usd_max=_money(expect.get("cost_usd_max")),
            tokens_max=_count(expect.get("tokens_max")),
            minutes_max=_count(expect.get("minutes_max")),
            promotion_eligible=expect.get("promotion_eligible"),
        ),
    )


def _answers(at: At, value: Value) -> model.Answers:
    builder, ci, auditor, rebase = (_words(value.get(role)) for role in ("builder", "ci", "auditor", "rebase"))
    counts = ("input_tokens", "output_tokens", "builder_s", "auditor_s", "ci_s")
    return model.Answers(at, builder, ci, auditor, rebase, *(_count(value.get(key)) for key in counts))
