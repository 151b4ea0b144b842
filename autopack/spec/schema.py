"""Documents against the published schemas; the only importer of jsonschema.

`gate` says yes or no; only after a no is jsonschema imported, to find what is wrong, and this file words it. What the
schemas say beside that is read here too: defaults, and which strings may hold templates (`x-template`).
Not known here: other files, ids, anything a schema can't say.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import islice

from autopack.problem import Fix, Label, Problem, Span, problem
from autopack.problem.typed import Any
from autopack.spec import shipped
from autopack.spec.at import Step, Steps
from autopack.spec.document import Document
from autopack.spec.findings import FINDINGS_MAX, too_many
from autopack.spec.gate import Gate, Node, Test, target
from autopack.spec.nearest import clear, nearest
from autopack.spec.seen import digest

KINDS = ("project", "playbook", "tier", "phase", "ruleset", "ci", "models", "scenario")


def path(kind: str) -> str:
    """Where the schema of a kind is on this machine."""
    return f"{shipped.folder('schemas')}/{kind}.v1.schema.json"


@cache
def schema(kind: str) -> Node:
    """The schema of one of KINDS, as published."""
    import json  # noqa: PLC0415 - only words about faults are taken from here, and editors'

    with open(path(kind), encoding="utf-8") as file:
        found: Node = json.load(file)
    return found


@cache
def bare(kind: str) -> Node:
    """What it demands and presumes, without words for people: as Python, which is loaded in a tenth of the time.

    `docs/build.py` makes that. In a checkout whose schemas have changed since, they are what counts.
    """
    from autopack.spec import bare as made  # noqa: PLC0415 - a file with a wrong header is not held against any

    with open(path(kind), "rb") as file:
        as_made = digest(file.read()).hex() == made.OF.get(kind)
    return made.SCHEMAS[kind]() if as_made else schema(kind)


@cache
def gate(kind: str) -> Gate:
    return Gate(schema(kind))


@cache
def passes(kind: str) -> Test:
    """Whether a whole document of this kind is valid: the answer of its schema, without a reason."""
    return Gate(bare(kind)).test(bare(kind))


def check(document: Document) -> tuple[Any, list[Problem]]:
    """What is left to judge, and all that the schema finds, in no particular order.

    Left is the document's value with None for each part that was refused, and for each key that is missing or whose
    name is misspelt, so that later checks can go on: None says that nobody knows, absent that nothing was written.
    Nothing at all is left where the header was at fault.
    """
    if document.kind is None:
        return None, []
    if passes(document.kind)(document.value):
        return _without(document.value, set(), {}, document.repeated), []
    wording = _Wording(document)
    problems = wording.problems()
    if problems and problems[-1].code == "AP1024":
        return None, problems
    return _without(document.value, wording.refused, wording.unknown, document.repeated), problems


def filled(kind: str, value: Any) -> Any:
    """The value with the schema's defaults where nothing is written."""
    root = bare(kind)
    return _filled(root, root, value)


def templates(kind: str, value: Any, steps: Steps = ()) -> Iterator[tuple[Steps, str]]:
    """The strings of a valid value, from a place in it on, in which templates are filled in."""
    root = bare(kind)
    for step in steps:
        value = value[step]
    return _templates(root, _at(root, steps), value, steps)


def node(kind: str, steps: Steps) -> Node:
    """What the schema of a kind says about a place: {} where any value may stand."""
    return _at(schema(kind), steps)


def _at(root: Node, steps: Steps) -> Node:
    found = root
    for step in steps:
        here = resolved(root, found)
        found = below(here, step) if isinstance(step, str) else here.get("items", {})
    return resolved(root, found)


def _without(
    value: Any,
    refused: set[Steps],
    unknown: Mapping[Steps, set[str]],
    repeated: Mapping[int, set[str]],
    steps: Steps = (),
) -> Any:
    if not (refused or unknown or repeated):
        return value
    if steps in refused:
        return None
    if isinstance(value, dict):
        kept = {key: _without(item, refused, unknown, repeated, (*steps, key)) for key, item in value.items()}
        twice = repeated.get(id(value), ())  # nobody knows which of the two was meant
        return kept | dict.fromkeys((*unknown.get(steps, ()), *twice))
    if isinstance(value, list):
        return [_without(item, refused, unknown, repeated, (*steps, index)) for index, item in enumerate(value)]
    return value


def holds_template(text: str) -> bool:
    return "{{" in text or "{%" in text


def resolved(root: Node, node: Node) -> Node:
    """The node with what it refers to, its own words winning."""
    while "$ref" in node:
        node = {**target(root, node["$ref"]), **{key: node[key] for key in node if key != "$ref"}}
    return node


def below(node: Node, key: str) -> Node:
    """The schema of one key of a mapping; {} where any value may stand."""
    found: Any = node.get("properties", {}).get(key, node.get("additionalProperties", {}))
    return found if isinstance(found, dict) else {}


def _filled(root: Node, node: Node, value: Any) -> Any:
    node = resolved(root, node)
    if isinstance(value, list):
        return [_filled(root, node.get("items", {}), item) for item in value]
    if not isinstance(value, dict):
        return value
    if isinstance(node.get("else"), dict) and "properties" not in node:  # a mapping where a word may stand as well
        node = resolved(root, {**node["else"]})
    declared = {key: resolved(root, each) for key, each in node.get("properties", {}).items() if key not in value}
    absent = {key: each["default"] for key, each in declared.items() if "default" in each}
    return {key: _filled(root, below(node, key), item) for key, item in {**value, **absent}.items()}


def _templates(root: Node, node: Node, value: Any, steps: Steps) -> Iterator[tuple[Steps, str]]:
    node = resolved(root, node)
    if isinstance(value, str):
        if node.get("x-template"):
            yield steps, value
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _templates(root, node.get("items", {}), item, (*steps, index))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _templates(root, below(node, key), item, (*steps, key))


# --- wording ----------------------------------------------------------------------------------------------


def _errors(kind: str, value: object) -> Iterator[Any]:
    """jsonschema's findings. It is led past all that passes, which makes large files with few faults cheap."""
    from jsonschema import validators  # noqa: PLC0415 - only a file with faults pays for its import

    test = gate(kind).test

    def properties(validator: Any, parts: Mapping[str, Node], instance: Any, _node: Node) -> Iterator[Any]:
        for key, below in parts.items() if isinstance(instance, dict) else ():
            if key in instance and not test(below)(instance[key]):
                yield from validator.descend(instance[key], below, path=key, schema_path=key)

    def items(validator: Any, below: Node, instance: Any, _node: Node) -> Iterator[Any]:
        for index, item in enumerate(instance) if isinstance(instance, list) else ():
            if not test(below)(item):
                yield from validator.descend(item, below, path=index)

    made: Any = validators
    guided = made.extend(validators.Draft202012Validator, {"properties": properties, "items": items})
    yield from guided(schema(kind)).iter_errors(value)


def _one_a_place(errors: Iterable[Any]) -> Iterator[tuple[Steps, Any]]:
    """What is wrong with a value itself once, with its place; a wrong type says more than its range or its words."""
    about: dict[Steps, Any] = {}
    for error in errors:
        steps = tuple(error.absolute_path)
        if error.validator in _ABOUT_CONTENTS or "propertyNames" in error.absolute_schema_path:
            yield steps, error
        elif steps not in about or _telling(error) > _telling(about[steps]):
            about[steps] = error
    yield from about.items()


def _telling(error: Any) -> int:
    """The most for the type that allows the most: of a mapping or a word, not of either alone."""
    if error.validator != "type":
        return 0
    return 1 if isinstance(error.validator_value, str) else len(error.validator_value)


class _Wording:
    """Turns jsonschema's errors on one document into findings: the exact token, plain words, what to write."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.kind = document.kind or ""
        self.root = schema(self.kind)
        self.spoken_of: set[tuple[Steps, str]] = set()
        self.refused: set[Steps] = set()  # values no later check should look at
        self.unknown: dict[Steps, set[str]] = {}  # keys that are missing or misspelt, by the mapping they belong in

    def problems(self) -> list[Problem]:
        found: list[Problem] = []
        for steps, error in _one_a_place(_errors(self.kind, self.document.value)):
            if error.validator not in _ABOUT_CONTENTS:  # with a refused key nobody knows which names the mapping has
                self.refused.add(steps)
            room = FINDINGS_MAX + 1 - len(found)
            found.extend(islice(_WORDINGS[error.validator](self, steps, error), room))
            if len(found) > FINDINGS_MAX:
                return [*found[:-1], too_many(found[-1].span)]
        return found

    def once(self, steps: Steps, what: str) -> bool:
        """jsonschema speaks of each missing key on its own; here one look at the mapping finds them all."""
        first = (steps, what) not in self.spoken_of
        self.spoken_of.add((steps, what))
        return first

    def span(self, steps: Steps) -> Span:
        """The value; its key where no value is written."""
        span = self.document.span(steps)
        if (span.line, span.column) == (span.end_line, span.end_column) and steps and isinstance(steps[-1], str):
            return self.document.key_span(steps)
        return span

    def written(self, steps: Steps) -> str:
        """The token of a scalar as it stands in the file."""
        span = self.document.span(steps)
        line = self.document.lines[span.line - 1]
        return line[span.column - 1 : span.end_column - 1]

    def unknown_keys(self, steps: Steps, error: Any) -> Iterator[Problem]:
        node = error.schema
        allowed = node.get("properties", {})
        absent = tuple(name for name in allowed if name not in error.instance)
        unknown = islice((key for key in error.instance if key not in allowed), FINDINGS_MAX + 1)
        guesses = {key: nearest(key, absent) for key in unknown}
        rivals = Counter(guesses.values())
        for key, guess in guesses.items():
            if key.startswith("x-") and "patternProperties" in node:
                continue
            self.refused.add((*steps, key))
            span = self.document.key_span((*steps, key))
            self.unknown.setdefault(steps, set()).update([guess] if guess else ())
            if guess is None and isinstance(error.instance[key], dict):
                self.unknown[steps].update(name for name in absent if self.declares(allowed[name]))
            start = f"did you mean `{guess}`? " if guess else ""
            message = f'unknown key "{key}" in {_place(node, steps)}'
            meant = clear(key, absent) if rivals[guess] == 1 else None
            fixes = (Fix(span, meant),) if meant else ()
            yield problem("AP2001", message, span, (), f"{start}allowed here: {', '.join(allowed)}", fixes)

    def declares(self, node: Node) -> bool:
        """Whether a mapping holds names of one's own choice: one under a key nobody knows may have been meant as such,
        and then nobody knows which names there are.
        """
        return isinstance(resolved(self.root, node).get("additionalProperties"), dict)

    def missing_keys(self, steps: Steps, error: Any) -> Iterator[Problem]:
        here, instance = error.schema, error.instance
        if "properties" not in here:  # a choice says no more than what is needed
            here = node(self.kind, steps)
        if not self.once(steps, "required"):
            return
        self.unknown.setdefault(steps, set()).update(name for name in error.schema["required"] if name not in instance)
        allowed = here.get("properties", {})
        absent = [name for name in allowed if name not in instance]
        meant = {nearest(key, absent) for key in islice((key for key in instance if key not in allowed), FINDINGS_MAX)}
        if "uses" in meant:  # then a module was to say the rest
            return
        for name in error.schema["required"]:
            if name not in instance and name not in meant and name != "autopack":
                message = f'"{name}" is missing in {_place(here, steps)}'
                about = resolved(self.root, allowed[name])["description"]
                yield problem("AP2002", message, self.span(steps), (), f"add `{name}:` - {about}")

    def wrong_type(self, steps: Steps, error: Any) -> Iterator[Problem]:
        wanted = [error.validator_value] if isinstance(error.validator_value, str) else error.validator_value
        value = error.instance
        if "array" in wanted and isinstance(value, str) and (listed := self.words_of_one(steps)) is not None:
            if self.once(steps[:-1], "words"):
                yield from self.one_list_too_few(steps[:-1], listed)
            return
        if "array" in wanted and isinstance(value, str):
            message = f"{_name(steps)} is one piece of text where a list belongs"
            yield problem("AP2004", message, self.span(steps), (), f"write `{_as_list(value)}`")
            return
        what = self.written(steps) if isinstance(value, float) else _what(value)  # 3.10 is no 3.1 to who wrote it
        message = f"{_name(steps)} is {what} where {_wanted(wanted)} belongs"
        advice = None
        if "string" in wanted and isinstance(value, bool | int | float):
            advice = f'write `"{self.written(steps)}"` if text is meant'
        elif value is None:
            advice = "give it a value or remove the key" if steps and isinstance(steps[-1], str) else None
        span = self.span(steps)
        if isinstance(value, str) and (bare := _number_in_quotes(value, wanted)):
            unquoted = (Fix(span, value),) if self.written(steps)[1:-1] == value else ()
            yield problem("AP2003", message, span, (), bare, unquoted)
            return
        advice = advice or _shape(wanted, node(self.kind, steps))
        certain = "string" in wanted and isinstance(value, bool | int | float)
        fixes = (Fix(span, f'"{self.written(steps)}"'),) if certain else ()
        yield problem("AP2003", message, span, (), advice, fixes)

    def words_of_one(self, steps: Steps) -> list[str] | None:
        """All items of the list around a value, where they are text and each should have been a list."""
        if not steps or not isinstance(steps[-1], int):
            return None
        value: Any = self.document.value
        for step in steps[:-1]:
            value = value[step]
        return value if len(value) > 1 and all(isinstance(item, str) for item in value) else None

    def one_list_too_few(self, steps: Steps, words: list[str]) -> Iterator[Problem]:
        """Told at the list: `[python, -m, pytest]` where `[[python, -m, pytest]]` was meant."""
        self.refused.add(steps)
        commands = any(" " in word for word in words)
        meant = ", ".join(map(_as_list, words)) if commands else f"[{', '.join(map(_as_word, words))}]"
        first, last = (self.document.span((*steps, index)) for index in (0, len(words) - 1))
        here = self.document.span(steps)
        certain = not commands and any(word.startswith("-") for word in words[1:]) and first.line == last.end_line
        fixes: tuple[Fix, ...] = ()
        if certain:
            opens, closes = (first.line, first.column), (last.end_line, last.end_column)
            around = Span(here.path, *opens, *opens), Span(here.path, *closes, *closes)
            fixes = (Fix(around[0], "["), Fix(around[1], "]"))
        message = f"{_name(steps)} is a list of words where a list of lists belongs"
        yield problem("AP2004", message, here, (), f"write `[{meant}]`", fixes)

    def not_allowed(self, steps: Steps, error: Any) -> Iterator[Problem]:
        value, allowed = error.instance, error.schema.get("enum", [error.schema.get("const")])
        if steps == ("autopack",):  # the header has findings of its own
            return
        words = [word for word in allowed if isinstance(word, str)]
        guess = nearest(value, words) if isinstance(value, str) else None
        meant = clear(value, words) if isinstance(value, str) else None
        start = f"did you mean `{guess}`? " if guess else ""
        message = f"{_name(steps)} is {_literal(value)}, which is not one of its values"
        fixes = (Fix(self.span(steps), meant),) if meant else ()
        yield problem("AP2005", message, self.span(steps), (), f"{start}allowed: {_words(allowed)}", fixes)

    def wrong_form(self, steps: Steps, error: Any) -> Iterator[Problem]:
        form = error.schema["x-form"]
        if "propertyNames" in error.absolute_schema_path:
            span = self.document.key_span((*steps, error.instance))
            yield problem("AP2006", f'the key "{error.instance}" has the wrong form', span, (), f"it must be {form}")
            return
        shown = _shortened(error.instance)
        fault = f'is "{shown}", which has the wrong form' if shown.strip() else "is blank"
        message = f"{_name(steps)} {fault}"
        yield problem("AP2006", message, self.span(steps), (), f"it must be {form}")

    def out_of_range(self, steps: Steps, error: Any) -> Iterator[Problem]:
        limit = f"{_RANGES[error.validator]} {error.validator_value}"
        message = f"{_name(steps)} is {error.instance}, it must be {limit}"
        yield problem("AP2007", message, self.span(steps), (), f"write {_within(error)}")

    def empty(self, steps: Steps, _error: Any) -> Iterator[Problem]:
        yield problem("AP2008", f"{_name(steps)} is empty", self.span(steps), (), "it must hold something")

    def repeated(self, steps: Steps, error: Any) -> Iterator[Problem]:
        seen: dict[str, int] = {}
        for index, item in enumerate(error.instance):
            first = seen.setdefault(_spelt(item), index)
            if first == index:
                continue
            label = Label(self.document.span((*steps, first)), "first here")
            message = f"{_literal(item)} is in {_name(steps)} twice"
            yield problem("AP2009", message, self.document.span((*steps, index)), (label,), "remove one of them")


_ABOUT_CONTENTS = frozenset({"additionalProperties", "required", "uniqueItems"})
_RANGES = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}
_WORDINGS: Mapping[str, Callable[[_Wording, Steps, Any], Iterator[Problem]]] = {
    "additionalProperties": _Wording.unknown_keys,
    "required": _Wording.missing_keys,
    "type": _Wording.wrong_type,
    "enum": _Wording.not_allowed,
    "const": _Wording.not_allowed,
    "pattern": _Wording.wrong_form,
    **dict.fromkeys(_RANGES, _Wording.out_of_range),
    **dict.fromkeys(("minItems", "minLength", "minProperties"), _Wording.empty),
    "uniqueItems": _Wording.repeated,
}
_TYPES = {
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "null": "null",
    "array": "a list",
    "object": "a mapping",
}


def _place(node: Node, steps: Steps) -> str:
    """What the mapping is called: "this phase", "this file"."""
    title: str = node.get("title", "mapping")
    these = "these" if title.partition(" of ")[0].endswith("s") else "this"
    return f"{these} {title[:1].lower()}{title[1:]}" if steps else "this file"


def _name(steps: Steps) -> str:
    """What a value is called: its key, or which item of what it is."""
    keys: list[Step] = [step for step in steps if isinstance(step, str)]
    if not keys:
        return "the file"
    return f'"{keys[-1]}"' if isinstance(steps[-1], str) else f'an item of "{keys[-1]}"'


def _what(value: object) -> str:
    if value is None:
        return "empty"
    if isinstance(value, bool | int | float):
        return _literal(value)
    return {"str": "text", "list": "a list", "dict": "a mapping"}[type(value).__name__]


def _wanted(types: list[str]) -> str:
    return " or ".join(_TYPES[name] for name in types)


def _literal(value: object) -> str:
    return f'"{_shortened(value)}"' if isinstance(value, str) else _spelt(value)


def _shortened(text: str, longest: int = 60) -> str:
    return text if len(text) <= longest else f"{text[: longest - 3]}..."


def _spelt(value: object) -> str:
    import json  # noqa: PLC0415 - as said above

    return json.dumps(value, sort_keys=True)


def _words(values: list[Any]) -> str:
    return ", ".join(value if isinstance(value, str) else _spelt(value) for value in values)


def _number_in_quotes(value: str, wanted: list[str]) -> str | None:
    """What to do with a number that is text only for its quotes."""
    fits = ("integer" in wanted or "number" in wanted) and value.isascii() and value.isdigit() and value[0] != "0"
    return f"write `{value}` without quotes" if fits else None


def _within(error: Any) -> str:
    """A number nearest to the one that is out of range, in words."""
    limit = error.validator_value
    words = {"minimum": f"{limit} or more", "maximum": f"{limit} or less"}
    return words.get(error.validator) or f"a number {_RANGES[error.validator]} {limit}"


def _shape(wanted: list[str], node: Node) -> str | None:
    """What belongs there, as one would write it."""
    if "array" in wanted:
        return "write a list: one line for each item, which starts with `- `"
    if wanted == ["object"]:
        keys = ", ".join(f"{key}: ..." for key in [*node.get("required", node.get("properties", ()))][:2])
        return f"write `{{{keys or 'name: ...'}}}`"
    return _example(node)


def _example(node: Node) -> str | None:
    examples = [each for each in node.get("examples", ()) if not isinstance(each, dict | list)]
    return f"such as {_literal(examples[0])}" if examples else None


def _as_word(text: str) -> str:
    """As an item of a list in brackets: with quotes where it would be read as something else."""
    plain = text.replace("-", "").replace("/", "").replace("_", "").replace(".", "").replace("=", "").isalnum()
    return text if plain and not text[-1:].isdigit() else f'"{text}"'


def _as_list(text: str) -> str:
    words = text.replace(",", " ").split()
    return f"[{', '.join(words)}]"
