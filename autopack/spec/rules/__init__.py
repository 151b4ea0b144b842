"""What no schema can say about one file: ids, references, whose path it is, what has expired.

Works on plain values and on what other files declare; reads no file and no clock. A value is valid by its schema, or
None where the schema refused it: then nothing more is said about it. One fault, one finding: what only follows from a
finding made here is left out, and each rule says how. One noun a file; a check imports those of the kinds it meets.
"""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

from autopack.problem import Problem
from autopack.problem.typed import Any
from autopack.spec.document import Document
from autopack.spec.rules.written import Found, Names, Written

Rule = Callable[[Written, Names], Found]


def check(document: Document, value: Any, names: Names) -> Iterator[Problem]:
    """Every rule of the document's kind. `value` is the document's own, or the same with its templates filled in."""
    written = Written(document, value)
    return (found for rule in _rules(document.kind or "") for found in rule(written, names))


# ruff: noqa: PLC0415 - a check sees one kind or two, and pays for no others
@cache
def _rules(kind: str) -> Sequence[Rule]:
    match kind:
        case "playbook" | "tier" | "phase":
            return _of_phases(kind)
        case "project":
            from autopack.spec.rules import project

            return (
                project.branches,
                project.protected_integration,
                project.store,
                project.paths_of_project,
                project.selectors,
            )
        case "scenario":
            from autopack.spec.rules import scenario

            return (scenario.phases_of_scenario, scenario.inputs_of_scenario, scenario.environment_of_scenario)
        case "ruleset":
            from autopack.spec.rules import ruleset

            own = (ruleset.auditor_attempts, ruleset.task_categories, ruleset.grants)
            return (*own, ruleset.references_of_ruleset, ruleset.paths_of_ruleset)
        case "ci":
            from autopack.spec.rules import ci, ids

            return (ids.ids_of_ci, ci.chains, ci.shells, ci.quarantine, ci.network, ci.paths_of_ci)
        case "models":
            from autopack.spec.rules import catalogue

            return (
                catalogue.references_of_models,
                catalogue.prices,
                catalogue.addresses,
                catalogue.windows,
                catalogue.providers,
            )
    return ()


def _of_phases(kind: str) -> Sequence[Rule]:
    from autopack.spec.rules import builders, fanouts, ids, inputs, needs, references, scopes, uses

    paths = (scopes.paths_of_playbook, inputs.inputs, builders.builders)
    every = (fanouts.fan_outs, uses.uses, references.references_of_playbook, *paths)
    if kind == "phase":
        return (ids.id_of_phase, *every)
    if kind == "tier":
        return (ids.ids_of_playbook, needs.needs_of_phases, *every)
    return (ids.ids_of_playbook, needs.needs_of_tiers, needs.needs_of_phases, *every)
