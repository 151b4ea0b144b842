"""Declared inputs, and whether a value is one of theirs."""

from collections.abc import Mapping

from autopack.problem import Label
from autopack.problem.typed import Any
from autopack.spec.nearest import did_you_mean
from autopack.spec.rules.written import Found, Names, Row, Source, Written

_INPUT_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}


def inputs(written: Written, _names: Names) -> Found:
    for steps, declared in written.items("inputs"):
        values = written.items(*steps, "enum")
        misfits = [(place, misfit({**declared, "enum": None}, value)) for place, value in values]
        if declared.get("default") is not None and not any(reason for _, reason in misfits):
            misfits.append(((*steps, "default"), misfit(declared, declared["default"])))
        for place, reason in misfits:
            if reason:
                advice = _fitting(declared, written.get(*place))
                yield written.at(place, "AP3018", f'the input "{steps[-1]}" {reason}', advice)


def _fitting(declared: Row, value: object) -> str:
    allowed = [each for each in declared.get("enum") or () if isinstance(each, str)]
    if isinstance(value, str) and (advice := did_you_mean(value, allowed)):
        return advice
    return f"write one of: {', '.join(allowed)}" if allowed else "write a value of that type, or declare another type"


def misfit(declared: Row, value: object) -> str | None:
    """Why a declared input can't have this value, in words that follow its name; None when it can."""
    kind = declared.get("type", "string")
    if kind is not None and type(value) not in _INPUT_TYPES[kind]:
        return f"is declared as {kind}, which {value!r} is not"
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
