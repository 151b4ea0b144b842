"""The modules that a playbook uses: what may stand beside `uses`, and the inputs it gives."""

from autopack.spec.at import Steps
from autopack.spec.nearest import did_you_mean, nearest
from autopack.spec.rules.inputs import declaration, misfit
from autopack.spec.rules.written import Found, Names, Row, Source, Written
from autopack.spec.schema import holds_template

_BESIDE_USES = {
    "tier": ("id", "uses", "with", "name", "description", "needs", "meta"),
    "phase": ("id", "uses", "with", "name", "needs", "for_each", "matrix", "tags", "meta"),
}


def uses(written: Written, names: Names) -> Found:
    kinds = (("tier", written.items("tiers")), ("phase", written.phases()))
    for kind, (steps, entry) in ((kind, each) for kind, entries in kinds for each in entries):
        if "uses" not in entry:
            if entry.get("with") is not None:
                message = f'"with" gives values to a module, and this {kind} uses none'
                yield written.at_key((*steps, "with"), "AP3030", message, "add `uses:`, or remove it")
            continue
        if entry["uses"] is None:
            continue
        for key in entry:
            if key not in _BESIDE_USES[kind] and entry[key] is not None:
                message = f'the module decides "{key}", so it has no place beside `uses`'
                advice = f"beside `uses` stand: {', '.join(_BESIDE_USES[kind])}"
                yield written.at_key(
                    (*steps, key), "AP3030", message, advice, written.label((*steps, "uses"), "the module")
                )
        if (module := names.modules.get(entry["uses"])) is not None:
            yield from _with(written, steps, entry.get("with", {}), module)


def _with(written: Written, steps: Steps, given: Row | None, module: Source) -> Found:
    """Unknown names, values that don't fit, and what is missing. A template's value is judged once it has one."""
    declared = module.value.get("inputs", {})
    if given is None or declared is None:
        return
    for name, value in given.items():
        place = (*steps, "with", name)
        if name not in declared:
            advice = did_you_mean(name, declared) or f"inputs of the module: {', '.join(declared) or 'none'}"
            yield written.at_key(place, "AP3019", f'the module has no input "{name}"', advice)
        elif declared[name] is None or value is None or (isinstance(value, str) and holds_template(value)):
            continue
        elif reason := misfit(declared[name], value):
            yield written.at(place, "AP3019", f'the input "{name}" {reason}', None, declaration(module, name))
    misspelt = {nearest(name, declared) for name in given if name not in declared}
    for name, each in declared.items():
        if name not in given and name not in misspelt and each is not None and "default" not in each:
            message = f'the module needs the input "{name}"'
            yield written.at(
                (*steps, "uses"), "AP3019", message, f"add `with: {{{name}: ...}}`", declaration(module, name)
            )
