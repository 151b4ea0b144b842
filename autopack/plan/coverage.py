"""Policy that governs nothing, and phases that no policy speaks of.

A rule is shared by the playbooks of a project, so it is dead only where none of them has a phase for it: each compile
says what it used (`used`), and who has compiled them all asks what is left over (`dead`). Only what the project's own
files declare is judged: what a ruleset gets from elsewhere, or says anew of it, is there for the phase to come, and so
are the rows for complexities, builder modes and high risk.
"""

from collections.abc import Iterator, Sequence

from autopack.plan.draft import Draft, DraftPhase
from autopack.plan.routing import names_of, routed
from autopack.problem import Label, Problem, Span, problem
from autopack.spec.at import At
from autopack.spec.model import SeverityUpgrade, Spec
from autopack.spec.record import record

FROM_ELSEWHERE = ("builtin:", "git+")
BY_DEFAULT = frozenset({"ruleset default", "nobody", "stage baseline"})
NAMED_MAX = 6


@record
class Used:
    """What the phases of one playbook made use of; routes by the place where they are written."""

    categories: frozenset[str]
    complexities: frozenset[tuple[str, str]]  # with the category
    routes: frozenset[At]


def used(draft: Draft) -> Used:
    phases, routing = draft.kinds, draft.spec.models.routing
    return Used(
        frozenset(name for phase in phases for name in names_of(phase)),
        frozenset((name, phase["complexity"]) for phase in phases for name in names_of(phase)),
        frozenset(routed(routing, phase).at for phase in phases),
    )


def cover(draft: Draft) -> Draft:
    """Findings at categories of which only defaults say anything, and what builder modes advise."""
    return draft.found(*_uncovered(draft), *_advice(draft))


def dead(spec: Spec, playbooks: Sequence[Used]) -> list[Problem]:
    """What no phase of any playbook falls under; `spec` is one of those that share the policy."""
    rules, categories = spec.ruleset, _all(each.categories for each in playbooks)
    rows = {name: row.at for name, row in rules.categories.items() if name not in categories}
    routes = {name: route.at for name, route in spec.models.routing.categories.items()}
    taken = frozenset(at for each in playbooks for at in each.routes)
    groups = {
        "of the category": rows,
        "that takes the route of": {name: at for name, at in routes.items() if at not in taken},
        "that is meant by the upgrade": {
            _called(each): each.at for each in rules.severity_upgrades if not _meets(each, playbooks)
        },
    }
    return [found for words, group in groups.items() for found in _of_group(spec, words, group)]


def _of_group(spec: Spec, words: str, group: dict[str, At]) -> Iterator[Problem]:
    """One finding for each file: at the first of its rows, with the others named."""
    by_file: dict[str, dict[str, At]] = {}
    for name, at in group.items():
        if not at.path.startswith(FROM_ELSEWHERE):
            by_file.setdefault(at.path, {})[name] = at
    for rows in by_file.values():
        names = list(rows)
        rest = len(names) - NAMED_MAX
        told = " or ".join(f'"{name}"' for name in names[:NAMED_MAX]) + (f" or {rest} more" if rest > 0 else "")
        others = tuple(Label(_place(spec, rows[name]), "nor of this") for name in names[1:NAMED_MAX])
        yield problem(
            "AP5022",
            f"no playbook of the project has a phase {words} {told}",
            _place(spec, rows[names[0]]),
            others,
            help="take it out, or correct the name in the phase it is meant for",
        )


def _place(spec: Spec, at: At) -> Span:
    return spec.span(at) if at.steps and isinstance(at.steps[-1], int) else spec.key_span(at)


def _called(upgrade: SeverityUpgrade) -> str:
    return ", ".join(name for name in (upgrade.category, upgrade.complexity) if name is not None)


def _meets(upgrade: SeverityUpgrade, playbooks: Sequence[Used]) -> bool:
    return any(
        upgrade.category in (None, category) and upgrade.complexity in (None, complexity)
        for each in playbooks
        for category, complexity in each.complexities
    )


def _all(sets: Iterator[frozenset[str]]) -> frozenset[str]:
    return frozenset[str]().union(*sets)


# --- what is said of one playbook -------------------------------------------------------------------------------


def _uncovered(draft: Draft) -> Iterator[Problem]:
    """At the category's own row, once, whatever the number of its phases."""
    spec, told = draft.spec, set[str]()
    for phase in draft.kinds:
        name = phase["category"]
        row = spec.ruleset.categories.get(name)
        if name in told or row is None or row.at.path.startswith(FROM_ELSEWHERE) or not _by_default(phase):
            continue
        told.add(name)
        yield problem(
            "AP5023",
            f'nothing is said of the category "{name}": its phases are governed by the defaults alone',
            _place(spec, row.at),
            help="say what they need: complexity, ci, builder_attempts, incident_tokens, auto_apply",
        )


def _by_default(phase: DraftPhase) -> bool:
    """A category's other name governs nothing, and neither does the category itself."""
    own = {"category", "task_category", "builder_mode", "token_cap"}
    weak = (*BY_DEFAULT, f"{phase['complexity']} complexity")
    return all(value.layer in weak for name, value in phase.kind.values.items() if name not in own)


def _advice(draft: Draft) -> Iterator[Problem]:
    """A split where a tier has one phase of the mode alone; a single tier where the project runs them together."""
    told = set[str]()
    for phase in draft.phases:
        if phase["advice"] is None:
            continue
        layer = phase.kind.values["advice"].layer
        if phase["advice"] == "split" and _alone(draft, phase, layer):
            message = f'"{phase.spec.id}" is the only phase of its tier for {layer}, which does better in steps'
            advice = "split it into 2 or 3 phases, the first of which lays the ground"
        elif phase["advice"] == "single_tier" and _spread(draft) and layer not in told:
            told.add(layer)
            message, advice = f"{layer} does better with one tier a run", "set `run_scope: single_tier` in the project"
        else:
            continue
        where = "builder_mode" if phase.spec.builder_mode else "category"
        yield problem("AP5024", message, draft.spec.span(phase.spec.at, where), help=advice)


def _alone(draft: Draft, phase: DraftPhase, layer: str) -> bool:
    tier = [other for other in draft.phases if other.tier.id == phase.tier.id]
    return sum(other.kind.values["advice"].layer == layer for other in tier) == 1


def _spread(draft: Draft) -> bool:
    return draft.run_scope != "single_tier" and len({phase.tier.id for phase in draft.phases}) > 1
