"""Declared inputs, and whether a value is one of theirs."""

from collections.abc import Mapping, Sequence

from autopack.problem import Label, Problem
from autopack.problem.typed import Any
from autopack.spec.at import Steps
from autopack.spec.nearest import Advice, did_you_mean
from autopack.spec.rules.written import Found, Names, Row, Source, Written

_SHOWN = 5  # further values of one finding
_INPUT_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def inputs(written: Written, _names: Names) -> Found:
    for steps, declared in written.items("inputs"):
        values = written.items(*steps, "enum")
        misfits = [place for place, value in values if misfit({**declared, "enum": None}, value)]
        if misfits:
            yield _enum(written, steps, declared, misfits)
        elif declared.get("default") is not None and (reason := misfit(declared, declared["default"])):
            place = (*steps, "default")
            advice = fitting(declared, declared["default"])
            yield written.at(place, "AP3018", f'the input "{steps[-1]}" {reason}', advice)


def _enum(written: Written, steps: Steps, declared: Row, misfits: Sequence[Steps]) -> Problem:
    """One fault: either the type or the values are wrong."""
    first, *others = misfits
    message = f'the input "{steps[-1]}" {misfit({**declared, "enum": None}, written.get(*first))}'
    labels = [written.label(place, "and this one") for place in others[:_SHOWN]]
    if written.document.has((*steps, "type")):
        labels.insert(0, written.label((*steps, "type"), "declared here"))
    advice = "write values of that type, or declare another type"
    return written.at(first, "AP3018", message, advice, *labels)


def fitting(declared: Row, value: object) -> str:
    """What to write instead; never the value itself."""
    if declared.get("enum"):
        allowed = [each for each in declared["enum"] if each is not None]
        others = [each for each in allowed if isinstance(each, str) and each != value]
        if isinstance(value, str) and (advice := did_you_mean(value, others)):
            return advice
        return f"write one of: {', '.join(map(_literal, allowed))}"
    kind = declared.get("type", "string")
    meant = converted(kind, value) if isinstance(value, str) else value
    if type(meant) in _INPUT_TYPES[kind] and meant is not value:
        return Advice(f"write `{_literal(meant)}` without quotes", _literal(meant))
    return "write a value of that type, or declare another type"


def _literal(value: object) -> str:
    """As YAML has it."""
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def misfit(declared: Row, value: object) -> str | None:
    """Why a declared input can't have this value, in words that follow its name; None when it can."""
    kind = declared.get("type", "string")
    if kind is not None and type(value) not in _INPUT_TYPES[kind]:
        return f"is declared as {kind}, which {_literal(value)} is not"
    allowed = declared.get("enum")
    if allowed and None not in allowed and value not in allowed:
        return f"must be one of: {', '.join(map(str, allowed))}"
    return None


def converted(kind: str, value: Any) -> Any:
    """Text from a command line or a template as the declared type; left alone where it doesn't read so."""
    if not isinstance(value, str) or kind == "string":
        return value
    if kind == "boolean":
        return {"true": True, "false": False}.get(value, value)
    try:
        return int(value) if kind == "integer" else float(value)
    except ValueError:
        return value


def declaration(module: Source, name: str) -> Label:
    return Label(module.document.key_span(("inputs", name)), "declared here")
