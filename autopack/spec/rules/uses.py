"""The modules that a playbook uses: what may stand beside `uses`, and the inputs it gives."""

from collections.abc import Sequence

from autopack.problem import Label, Problem
from autopack.spec.at import Steps
from autopack.spec.nearest import did_you_mean, nearest
from autopack.spec.rules.inputs import declaration, fitting, misfit
from autopack.spec.rules.written import THE_MODULE, Found, Names, Row, Source, Written
from autopack.spec.schema import holds_template

_SHOWN = 5  # further keys, or missing inputs, of one finding
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
        if strangers := [key for key in entry if key not in _BESIDE_USES[kind] and entry[key] is not None]:
            yield _beside(written, steps, kind, strangers)
        if (module := names.modules.get(entry["uses"])) is not None:
            yield from _with(written, steps, entry.get("with", {}), module)


def _beside(written: Written, steps: Steps, kind: str, keys: Sequence[str]) -> Problem:
    """One fault, however many keys: either the module or they are one too many."""
    first, *others = keys
    more = f" and {len(others)} more key{'' if len(others) == 1 else 's'}" if others else ""
    message = f'the module decides "{first}"{more}, so beside `uses` there is no place for {"them" if others else "it"}'
    advice = f"beside `uses` stand: {', '.join(_BESIDE_USES[kind])}"
    labels = [Label(written.document.key_span((*steps, key)), "and this one") for key in others[:_SHOWN]]
    module = written.label((*steps, "uses"), THE_MODULE)
    return written.at_key((*steps, first), "AP3030", message, advice, module, *labels)


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
            advice, label = fitting(declared[name], value), declaration(module, name)
            yield written.at(place, "AP3019", f'the input "{name}" {reason}', advice, label)
    misspelt = {nearest(name, declared) for name in given if name not in declared}
    asked = [name for name, each in declared.items() if each is not None and "default" not in each]
    if needed := [name for name in asked if name not in given and name not in misspelt]:
        what = "the input" if len(needed) == 1 else "the inputs"
        names = ", ".join(f'"{name}"' for name in needed)
        advice = f"add `with: {{{', '.join(f'{name}: ...' for name in needed)}}}`"
        labels = [declaration(module, name) for name in needed[:_SHOWN]]
        yield written.at((*steps, "uses"), "AP3019", f"the module needs {what} {names}", advice, *labels)
