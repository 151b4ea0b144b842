"""What a schema finds in a document, in words: the exact token, what is wrong with it, what to write instead.

Imported only for a document that its schema refuses.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from itertools import islice

from autopack.problem import Fix, Label, Problem, Span, problem
from autopack.problem.typed import Any
from autopack.spec import meant, schema
from autopack.spec.at import Step, Steps
from autopack.spec.document import Document
from autopack.spec.findings import FINDINGS_MAX, too_many
from autopack.spec.gate import Node
from autopack.spec.nearest import clear, nearest


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


class Wording:
    """Turns jsonschema's errors on one document into findings: the exact token, plain words, what to write."""

    def __init__(self, document: Document) -> None:
        self.document = document
        self.kind = document.kind or ""
        self.root = schema.schema(self.kind)
        self.spoken_of: set[tuple[Steps, str]] = set()
        self.refused: set[Steps] = set()  # values no later check should look at
        self.unknown: dict[Steps, set[str]] = {}  # keys that are missing or misspelt, by the mapping they belong in

    def problems(self) -> list[Problem]:
        found: list[Problem] = []
        for steps, error in _one_a_place(schema.errors(self.kind, self.document.value)):
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
            message = f'unknown key "{key}" in {_place(node, steps)}'
            certain = clear(key, absent) if rivals[guess] == 1 else None
            fixes = (Fix(span, certain),) if certain else ()
            homes = [] if certain else _homes(self.kind).get(key, [])
            start = f"did you mean `{guess}`? " if guess else ""
            if 0 < len(homes) <= HOMES_MAX:
                start = f"it is a key of {' or '.join(homes)}; "
            yield problem("AP2001", message, span, (), f"{start}allowed here: {', '.join(allowed)}", fixes)

    def declares(self, node: Node) -> bool:
        """Whether a mapping holds names of one's own choice: one under a key nobody knows may have been meant as such,
        and then nobody knows which names there are.
        """
        return isinstance(schema.resolved(self.root, node).get("additionalProperties"), dict)

    def missing_keys(self, steps: Steps, error: Any) -> Iterator[Problem]:
        here, instance = error.schema, error.instance
        if "properties" not in here:  # a choice says no more than what is needed
            here = schema.node(self.kind, steps)
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
                about = schema.resolved(self.root, allowed[name])["description"]
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
        if isinstance(value, str) and (told := self.other_spelling(steps, value, wanted)) is not None:
            yield told
            return
        what = self.written(steps) if isinstance(value, float) else _what(value)  # 3.10 is no 3.1 to who wrote it
        message = f"{_name(steps)} is {what} where {_wanted(wanted)} belongs"
        advice = None
        if "string" in wanted and isinstance(value, bool | int | float):
            advice = f'write `"{self.written(steps)}"` if text is meant'
        elif value is None:
            advice = "give it a value or remove the key" if steps and isinstance(steps[-1], str) else None
        span = self.span(steps)
        advice = advice or _around(value, wanted, schema.node(self.kind, steps))
        advice = advice or _shape(wanted, schema.node(self.kind, steps))
        certain = "string" in wanted and isinstance(value, bool | int | float)
        fixes = (Fix(span, f'"{self.written(steps)}"'),) if certain else ()
        yield problem("AP2003", message, span, (), advice, fixes)

    def other_spelling(self, steps: Steps, value: str, wanted: list[str]) -> Problem | None:
        """Of text that says a number or a truth, only not as YAML does."""
        name, written = _named(steps), self.written(steps)
        message, span = f"{_name(steps)} is text where {_wanted(wanted)} belongs", self.span(steps)
        if (bare := _number_in_quotes(value, wanted)) is not None:
            unquoted = (Fix(span, value),) if written[1:-1] == value else ()
            return problem("AP2003", message, span, (), bare, unquoted)
        if "boolean" in wanted and (truth := meant.truth(value)) is not None:
            quoted = " without quotes" if truth == value and written != value else ""
            return problem("AP2003", message, span, (), f"write `{truth}`{quoted}", (Fix(span, truth),))
        amount = meant.whole_number(name, value) if "integer" in wanted else None
        return problem("AP2003", message, span, (), amount) if amount else None

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
        node = schema.node(self.kind, steps)
        other = schema.resolved(self.root, node["else"]) if isinstance(node.get("else"), dict) else {}
        also = _shape(["object"], other) if "properties" in other else None
        message = f"{_name(steps)} is {_literal(value)}, which is not one of its values"
        fixes = (Fix(self.span(steps), meant),) if meant else ()
        told = f"; or {also}" if also else ""
        yield problem("AP2005", message, self.span(steps), (), f"{start}allowed: {_words(allowed)}{told}", fixes)

    def wrong_form(self, steps: Steps, error: Any) -> Iterator[Problem]:
        form = error.schema["x-form"]
        if "propertyNames" in error.absolute_schema_path:
            span = self.document.key_span((*steps, error.instance))
            yield problem("AP2006", f'the key "{error.instance}" has the wrong form', span, (), f"it must be {form}")
            return
        shown = _shortened(error.instance)
        fault = f'is "{shown}", which has the wrong form' if shown.strip() else "is blank"
        message = f"{_name(steps)} {fault}"
        if form.startswith("an amount") and (amount := meant.money(error.instance)) is not None:
            fixes = (Fix(self.span(steps), f'"{amount}"'),) if amount in error.instance else ()
            yield problem("AP2006", message, self.span(steps), (), f'write `"{amount}"`', fixes)
            return
        seen = meant.strange(error.instance) if "letter" in form else None
        advice = f"it must be {form}; this has {seen}" if seen else f"it must be {form}"
        yield problem("AP2006", message, self.span(steps), (), advice)

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


HOMES_MAX = 2  # places that are named for a key that stands in the wrong one
_ABOUT_CONTENTS = frozenset({"additionalProperties", "required", "uniqueItems"})
_RANGES = {"minimum": "at least", "maximum": "at most", "exclusiveMinimum": "more than"}
_WORDINGS: Mapping[str, Callable[[Wording, Steps, Any], Iterator[Problem]]] = {
    "additionalProperties": Wording.unknown_keys,
    "required": Wording.missing_keys,
    "type": Wording.wrong_type,
    "enum": Wording.not_allowed,
    "const": Wording.not_allowed,
    "pattern": Wording.wrong_form,
    **dict.fromkeys(_RANGES, Wording.out_of_range),
    **dict.fromkeys(("minItems", "minLength", "minProperties"), Wording.empty),
    "uniqueItems": Wording.repeated,
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


@cache
def _homes(kind: str) -> Mapping[str, list[str]]:
    """What in this kind of file has a key of each name."""
    root, found = schema.schema(kind), dict[str, set[str]]()
    for node in _mappings(root):
        for key in node["properties"]:
            found.setdefault(key, set()).add(_titled(node) if node is not root else f"the {kind}")
    return {key: sorted(titles) for key, titles in found.items()}


def _mappings(node: Any) -> Iterator[Node]:
    """All mappings with a title and keys of their own, from a node of a schema on."""
    if isinstance(node, list):
        for each in node:
            yield from _mappings(each)
    elif isinstance(node, dict):
        if "title" in node and "properties" in node:
            yield node
        for word, each in node.items():
            if word not in ("examples", "default"):
                yield from _mappings(each)


def _titled(node: Node) -> str:
    title: str = node["title"]
    return f"{'an' if title[0] in 'AEIO' else 'a'} {title[:1].lower()}{title[1:]}"


def _named(steps: Steps) -> str:
    return next((step for step in reversed(steps) if isinstance(step, str)), "")


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
    if "object" in wanted:
        keys = ", ".join(f"{key}: ..." for key in [*node.get("required", node.get("properties", ()))][:2])
        return f"write `{{{keys or 'name: ...'}}}`"
    return _example(node)


def _around(value: object, wanted: list[str], node: Node) -> str | None:
    """A mapping around what was written: under the one key it needs, where that takes such a value."""
    first = next(iter(node.get("required", ())), None) or next(iter(node.get("properties", ())), "")
    takes: Node = node.get("properties", {}).get(first, {})
    if "object" not in wanted or not takes:
        return None
    if isinstance(value, str):
        if value in takes.get("enum", ()):
            return f"write `{{{first}: {value}}}`"
        value = [value] if takes.get("type") == "array" else value
    if takes.get("type") == "array" and isinstance(value, list) and all(isinstance(each, str) for each in value):
        return f"write `{{{first}: [{', '.join(map(_as_word, value))}]}}`"
    return None


def _example(node: Node) -> str | None:
    examples = [each for each in node.get("examples", ()) if not isinstance(each, dict | list)]
    return f"such as {_literal(examples[0])}" if examples else None


def _as_word(text: str) -> str:
    """As an item of a list in brackets: with quotes where it would be read as something else."""
    plain = text.replace("-", "").replace("/", "").replace("_", "").replace(".", "").replace("=", "").isalnum()
    return text if plain and not text[-1:].isdigit() else f'"{text}"'


def _as_list(text: str) -> str:
    words = text.strip("()").replace(",", " ").split()
    return f"[{', '.join(words)}]"
