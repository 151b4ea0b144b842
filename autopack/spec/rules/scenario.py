"""A scenario against the playbook that it rehearses."""

from autopack.spec.nearest import did_you_mean
from autopack.spec.rules import ids
from autopack.spec.rules.inputs import declaration, fitting, misfit
from autopack.spec.rules.written import Found, Names, Written, some

EXPECTED = ("phases", "failure_reasons", "path", "builder_calls", "auditor_calls", "ci_runs")
_BY_PHASE = (
    ("answers",),
    *(("expect", key) for key in EXPECTED),
)


def phases_of_scenario(written: Written, names: Names) -> Found:
    if names.playbook is None:
        return
    known = ids.of_playbook(names.playbook)
    if known is None:
        return
    for steps in (place for way in _BY_PHASE for place, _ in written.items(*way)):
        name = str(steps[-1])
        if name not in known and (name != "*" or steps[0] != "answers"):
            advice = did_you_mean(name, known) or f"ids of phases: {some(known)}"
            yield written.at_key(steps, "AP3031", f'the playbook has no phase "{name}"', advice)


def inputs_of_scenario(written: Written, names: Names) -> Found:
    declared = names.playbook.value.get("inputs", {}) if names.playbook else None
    if declared is None or names.playbook is None:
        return
    given = written.get("inputs") or {}
    for name, value in given.items():
        place = ("inputs", name)
        if name not in declared:
            advice = did_you_mean(name, declared) or f"inputs of the playbook: {', '.join(declared) or 'none'}"
            yield written.at_key(place, "AP3019", f'the playbook has no input "{name}"', advice)
        elif value is not None and declared[name] is not None and (reason := misfit(declared[name], value)):
            advice, label = fitting(declared[name], value), declaration(names.playbook, name)
            yield written.at(place, "AP3019", f'the input "{name}" {reason}', advice, label)


def environment_of_scenario(written: Written, names: Names) -> Found:
    name = written.get("env")
    if name is not None and names.environments is not None and name not in names.environments:
        advice = did_you_mean(name, names.environments) or f"environments: {some(names.environments) or 'none'}"
        yield written.at(("env",), "AP3029", f'no environment "{name}" is declared', advice)
