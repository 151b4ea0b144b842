"""Rules that only effective values can break: the CI profile a phase ends up with, and code taken over from outside."""

import re
from collections.abc import Iterator

from autopack.plan.commands import unmetered
from autopack.plan.draft import Draft, DraftPhase
from autopack.problem import Label, Problem, problem
from autopack.spec.model import Phase, Spec
from autopack.spec.nearest import did_you_mean
from autopack.spec.paths import matches

_HEAD = re.compile(r"[^*?\[]*")  # of a pattern: what every path it gives starts with
TAKES_OVER = frozenset({"external_code_intake", "external_feature_reuse"})


def obey(draft: Draft) -> Draft:
    """Findings where a phase, with every default filled in, asks for what this project does not have or allow."""
    rules = (_ci, _external, unmetered)
    found = (each for phase in draft.phases for rule in rules for each in rule(draft.spec, phase))
    return draft.found(*found, *dict.fromkeys(_own_files(draft)))


def _own_files(draft: Draft) -> Iterator[Problem]:
    """Where a pattern gives a phase what governs the run itself."""
    spec, own = draft.spec, own_files(draft.spec)
    nowhere: set[str] = set()  # heads of patterns that lead to none of them; phases share most of these
    for phase in draft.phases:
        scope = phase.spec.scope
        for index, pattern in enumerate(scope.write):
            head = _HEAD.match(pattern)[0]  # type: ignore[index]
            if head in nowhere:
                continue
            near = [path for path in own if path.startswith(head)]
            if not near:
                nowhere.add(head)
            allowed = (*phase.spec.allow_protected, *granted(spec, phase.spec)[1])
            given = [path for path in near if matches(path, [pattern]) and matches(path, scope.write)]
            refused = [path for path in given if not matches(path, allowed)]
            if refused:
                more = f" and {len(refused) - 1} more" if len(refused) > 1 else ""
                yield problem(
                    "AP5008",
                    f'"{pattern}" covers {refused[0]}{more}, which no phase may write',
                    spec.span(scope.at, "write", index),
                    help=f'take it back with `"!{refused[0]}"` after it, or narrow the pattern',
                )


def own_files(spec: Spec) -> tuple[str, ...]:
    """Every file of the project that governs this very run."""
    return tuple(sorted(path for path in spec.documents if not path.startswith(("builtin:", "git+", "<"))))


def granted(spec: Spec, phase: Phase) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words and the protected paths that the ruleset grants a phase."""
    grants = [grant for grant in spec.ruleset.grants if {phase.id, phase.fan_out} & set(grant.phases)]
    return tuple(word for g in grants for word in g.allow), tuple(path for g in grants for path in g.allow_protected)


def _ci(spec: Spec, phase: DraftPhase) -> Iterator[Problem]:
    name, value = phase["ci"], phase.values["ci"]
    if name in spec.ci.profiles:
        return
    why = () if value.at is None else (Label(spec.span(value.at), f"asked for here ({value.layer})"),)
    yield problem(
        "AP5003",
        f'phase "{phase.spec.id}" has to pass the CI profile "{name}", which {spec.ci.at.path} does not hold',
        spec.span(phase.spec.at, "id"),
        why,
        help=did_you_mean(name, spec.ci.profiles)
        or f"add `profiles: {{{name}: ...}}` to {spec.ci.at.path}, or set `ci:` at the phase",
    )


def _external(spec: Spec, phase: DraftPhase) -> Iterator[Problem]:
    """Where the code comes from and under which licence must both be on the ruleset's lists."""
    external, allowed = phase.spec.external, spec.ruleset.external
    if not {phase.spec.category, phase["task_category"]} & TAKES_OVER:
        return
    if external is None:
        yield problem(
            "AP5004",
            f'phase "{phase.spec.id}" takes over code from outside and does not say which',
            spec.key_span(phase.spec.at, "category"),
            help="add `external: {source: <where it comes from>, licence: <its SPDX id>}`",
        )
        return
    if not matches(external.source, allowed.sources):
        listed = ", ".join(allowed.sources) or "none yet"
        yield problem(
            "AP5005",
            f"{external.source} is not a source that code may be taken from",
            spec.span(external.at, "source"),
            _list(spec, "sources"),
            help=f"allowed by the ruleset: {listed}; add it there, or take the code from elsewhere",
        )
    if external.licence not in allowed.licences:
        yield problem(
            "AP5006",
            f"code under {external.licence} may not be taken over",
            spec.span(external.at, "licence"),
            _list(spec, "licences"),
            help=f"allowed by the ruleset: {', '.join(allowed.licences) or 'none yet'}; add it there, or do without",
        )


def _list(spec: Spec, name: str) -> tuple[Label, ...]:
    """Where the ruleset names what is allowed."""
    return (Label(spec.key_span(spec.ruleset.origin("external", name)), "these are allowed"),)
