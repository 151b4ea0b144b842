"""Templates in the strings a schema marks `x-template`: found, checked name by name, filled in.

Jinja2 is imported by functions only, so that a file without templates never pays for it. What a template may say is
bounded by its words, not by watching it run: names, text, comparisons, `if`, and filters that can't make text long. So
every fault is found before anything is filled in, and at its exact place.

`{{ run.id }}` is filled in last: a compile has no run yet, so texts keep RUN_ID, which whoever names the run replaces.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache, lru_cache
from itertools import islice, pairwise

from autopack.problem import Fix, Label, Problem, Span, problem
from autopack.problem.typed import Any, NamedTuple
from autopack.spec import schema
from autopack.spec.at import Steps
from autopack.spec.document import Document
from autopack.spec.filling import Filling
from autopack.spec.findings import FINDINGS_MAX
from autopack.spec.nearest import did_you_mean, replacement

RUN_ID = "{{ run.id }}"
CHARS_MAX = 262_144  # of one text, filled in
DEPTH_MAX = 10  # of brackets in an expression, and of `if` in `if`
WORDS_MAX = 100  # words and signs of one expression
FAULTS_MAX = 5_000  # of one file that are looked for, uses of one unknown name included
TOKENS_MAX = 10_000  # of all templates in one text
TEXTS_MAX = 250_000  # characters of one file's texts with more in their templates than names: about a second

_WORDS = frozenset({"and", "or", "not", "in", "if", "else", "true", "false", "none", "True", "False", "None"})
TAGS = frozenset({"if", "elif", "else", "endif"})
_OPERATORS = frozenset({".", "|", "(", ")", ",", "~", "==", "!=", "<", "<=", ">", ">="})
_OPENING, _CLOSING = frozenset("([{"), frozenset(")]}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = re.compile(r"(?<!\{)\{\{\s*([a-z]+)(?:\.([A-Za-z][A-Za-z0-9_]*))?\s*\}\}")  # a name and nothing else
_BRACES = re.compile(r"\{[{%#]")
_OPENED = re.compile(r"\{\{|\{%|\{#")
_CLOSED_BY = {"{{": "}}", "{%": "%}", "{#": "#}"}
_LOOKED_AT = 50  # pairs of braces of one text, in search of the one that can't be read
_ENDING = "close each `{% if ... %}` with `{% endif %}`"
_USES_SHOWN = 5  # of a name that nothing declares, besides the first
FILTERS = ("capitalize", "lower", "replace", "title", "trim", "upper")
_FIXED: Mapping[str, Collection[str]] = {"project": ("name",), "run": ("id",)}
_OF_FAN_OUTS = {"item": "`for_each`", "matrix": "`matrix`"}
PHASES = {"playbook": 4, "tier": 2}  # how many steps lead to a phase
ROOTS = ("inputs", "project", "run", *_OF_FAN_OUTS)

Known = Mapping[str, Collection[str] | None]
"""The names a template may use, each with those after its dot; None where nobody knows them."""
_WHOLE: Collection[str] = frozenset({""})  # of a name that is a value by itself


class _Token(NamedTuple):
    kind: str  # jinja2's: name, operator, string, variable_begin, ...
    text: str
    start: int


_NOTHING = _Token("", "", 0)


class _Fault(NamedTuple):
    code: str
    message: str
    token: _Token | None
    help: str | None = None


_TOO_MANY = _Fault(
    "AP3022",
    f"the templates of a file that hold more than names stand in at most {TEXTS_MAX:,} characters of text",
    None,
    "write the texts out, or move some of them to other files with `uses:`",
)


def check(document: Document, value: Any, inputs: Collection[str] | None) -> list[Problem]:
    """Everything wrong with the templates of a value of the document.

    `inputs` are the names its file declares, None where nobody knows them.
    """
    if document.kind not in schema.KINDS or not schema.holds_template(document.text):
        return []
    found = (
        _finding(document, steps, text, fault)
        for steps, text, known in _not_plain(document.kind, value, inputs)
        for fault in (_faults(text, known) if known is not None else [_TOO_MANY])
    )
    return _once_a_name(found)


def _not_plain(kind: str, value: Any, inputs: Collection[str] | None) -> Iterator[tuple[Steps, str, Known | None]]:
    """Each text whose templates have to be read, with the names it may use; None for the one that is one too many.

    Most hold known names and nothing else, which takes no jinja2: its import and its reading cost more than a check.
    """
    chars = 0
    for steps, text in schema.templates(kind, value):
        if not schema.holds_template(text):
            continue
        known: Known = {"inputs": inputs, **_FIXED, **_names_of_fan_out(kind, value, steps)}
        if _plain(text, known):
            continue
        chars += len(text)
        yield steps, text, known if chars <= TEXTS_MAX else None
        if chars > TEXTS_MAX:
            return


def _plain(text: str, known: Known) -> bool:
    for root, leaf in _PLAIN.findall(text):
        parts = known.get(root)
        if root not in known or parts is None or leaf not in parts:
            return False
    return not _BRACES.search(_PLAIN.sub("", text))


def _once_a_name(problems: Iterable[Problem]) -> list[Problem]:
    """A name that nothing declares is one fault, however often it is used: its further uses become labels."""
    found: list[Problem] = []
    first: dict[str, int] = {}
    more: dict[int, list[Problem]] = {}
    for each in islice(problems, FAULTS_MAX):
        index = first.setdefault(each.message, len(found)) if each.code == "AP3020" else len(found)
        if index < len(found):
            more.setdefault(index, []).append(each)
            continue
        found.append(each)
        if len(found) > FINDINGS_MAX:
            break
    for index, uses in more.items():
        before = found[index]
        labels = [Label(each.span, "and here") for each in uses[:_USES_SHOWN] if each.span is not None]
        every = (before, *uses)
        fixes = tuple(fix for each in every for fix in each.fixes) if all(each.fixes for each in every) else ()
        found[index] = before._replace(labels=(*before.labels, *labels), fixes=fixes)
    return found


def _finding(document: Document, steps: Steps, text: str, fault: _Fault) -> Problem:
    span = _span(document, steps, text, fault.token)
    exact = fault.token is not None and span != document.span(steps)
    fixes: tuple[Fix, ...] = replacement(span, fault.help) if exact else ()
    return problem(fault.code, fault.message, span, (), fault.help, fixes)


def _names_of_fan_out(kind: str, value: Any, steps: Steps) -> Known:
    """What the fan-out around a text adds."""
    length = PHASES.get(kind, 0)
    if not length or len(steps) <= length or steps[length - 2] != "phases":
        return {}
    for step in steps[:length]:
        value = value[step]
    if "for_each" in value:
        return {"item": _WHOLE}
    return {"matrix": value["matrix"]} if "matrix" in value else {}


class Named(NamedTuple):
    """A name in a template: `root` and, behind its dot, `leaf` ("" where it has none); `span` is the last of both."""

    steps: Steps
    root: str
    leaf: str
    span: Span
    exact: bool  # False: the file spells the text otherwise than it reads, and `span` is all of it


def named(document: Document) -> Iterator[Named]:
    """Every name in the templates of a file, whether or not it is valid."""
    if document.kind not in PHASES and document.kind != "phase":
        return
    for steps, text in schema.templates(document.kind, document.value):
        if schema.holds_template(text):
            yield from _named(document, steps, text)


def _named(document: Document, steps: Steps, text: str) -> Iterator[Named]:
    from jinja2 import TemplateSyntaxError  # noqa: PLC0415 - see the module

    try:
        tokens = [token for token in _tokens(_environment(), text) if token.kind not in ("whitespace", "data")]
    except TemplateSyntaxError:  # it is being written
        return
    ends = [_Token("", "", 0)] * 2
    for before, root, dot, leaf in zip(
        [ends[0], *tokens], tokens, [*tokens[1:], *ends], [*tokens[2:], *ends], strict=False
    ):
        if root.kind == "name" and before.text not in (".", "|") and root.text in ROOTS:
            last = leaf if dot.text == "." and leaf.kind == "name" else None
            span = _span(document, steps, text, last or root)
            yield Named(steps, root.text, last.text if last else "", span, span != document.span(steps))


def phases(document: Document) -> Iterator[tuple[Steps, Any]]:
    """Every phase of a file that holds phases, by its place."""
    value = document.value if isinstance(document.value, dict) else {}
    if document.kind == "phase":
        yield (), value
    for steps, tier in _rows(value, "tiers") if document.kind == "playbook" else [((), value)]:
        for below, phase in _rows(tier, "phases"):
            yield (*steps, *below), phase


def _rows(value: Any, key: str) -> Iterator[tuple[Steps, Any]]:
    rows = value.get(key)
    for index, row in enumerate(rows if isinstance(rows, list) else ()):
        if isinstance(row, dict):
            yield (key, index), row


def filled_in(document: Document, filling: Filling, steps: Steps = ()) -> tuple[Any, list[Problem]]:
    """What stands at a place with its templates filled in, `run.id` excepted; a text that fails stays as it is."""
    value = document.value
    for step in steps:
        value = value[step]
    texts: dict[Steps, str] = {}
    problems: list[Problem] = []
    for place, text in schema.templates(document.kind or "", document.value, steps):
        if schema.holds_template(text):
            try:
                texts[place] = _render(text, filling)
            except _Unfillable as error:
                advice = "give the inputs it names values that fit"
                problems.append(problem("AP3021", str(error), document.span(place), (), advice))
    return (_replaced(value, texts, steps) if texts else value), problems


class _Unfillable(ValueError):
    """A template that passed every check and still has no value."""


def _replaced(value: Any, texts: Mapping[Steps, str], steps: Steps) -> Any:
    if isinstance(value, dict):
        return {key: _replaced(item, texts, (*steps, key)) for key, item in value.items()}
    if isinstance(value, list):
        return [_replaced(item, texts, (*steps, index)) for index, item in enumerate(value)]
    return texts.get(steps, value)


# --- what a template may say ------------------------------------------------------------------------------


def _faults(text: str, known: Known) -> list[_Fault]:
    from jinja2 import TemplateSyntaxError  # noqa: PLC0415 - see the module

    environment = _environment()
    try:
        words = (token for token in _tokens(environment, text) if token.kind not in ("whitespace", "data"))
        tokens = list(islice(words, TOKENS_MAX + 1))
        if len(tokens) > TOKENS_MAX:
            message = f"the templates of a text have at most {TOKENS_MAX:,} words and signs"
            return [_Fault("AP3022", message, tokens[-1], "write it in fewer steps")]
        if (fault := _too_much(tokens)) is not None:
            return [fault]
        environment.parse(text)
    except TemplateSyntaxError as error:
        return [_unreadable(environment, text, str(error.message))]
    found = (_fault_of_tag(tokens, index) for index in range(1, len(tokens)))
    tags = [fault for fault in found if fault is not None]
    if tags:  # what names mean inside them can't be known
        return tags
    return list(_faults_of_names(tokens, known))


def _unreadable(environment: Any, text: str, said: str) -> _Fault:
    """At the braces that are never closed; else at the word where jinja2 gave up, as far as that can be told."""
    at = 0
    while (opened := _OPENED.search(text, at)) is not None:
        closed = text.find(_CLOSED_BY[opened[0]], opened.end())
        again = _OPENED.search(text, opened.end())
        if closed < 0 or (again is not None and again.start() < closed):
            closing = _CLOSED_BY[opened[0]]
            token = _Token("", opened[0], opened.start())
            return _Fault("AP3021", f"`{opened[0]}` is never closed", token, f"close it with `{closing}`")
        at = closed + 2
    for opened in islice(_OPENED.finditer(text), _LOOKED_AT):
        inside = text[opened.start() : text.find(_CLOSED_BY[opened[0]], opened.end()) + 2]
        if opened[0] == "{{" and not _parses(environment, inside):
            token = _Token("", opened[0], opened.start())
            return _Fault("AP3021", f"this template cannot be read: {said}", token, "write it like {{ inputs.name }}")
    tags = [each for each in _OPENED.finditer(text) if each[0] == "{%"]
    first = _Token("", "{%", tags[0].start()) if tags else None
    return _Fault("AP3021", f"this template cannot be read: {said}", first, _ENDING)


def _parses(environment: Any, text: str) -> bool:
    from jinja2 import TemplateSyntaxError  # noqa: PLC0415 - see the module

    try:
        environment.parse(text)
    except (TemplateSyntaxError, RecursionError):  # what can't be lexed was not measured: jinja2 reads by recursion
        return False
    return True


def _too_much(tokens: list[_Token]) -> _Fault | None:
    """Where an expression grows too long or too deep for jinja2, which reads and compiles by recursion."""
    nested = blocks = words = 0
    for token, name in pairwise([*tokens, _Token("", "", 0)]):
        words = 0 if token.kind.endswith(("_begin", "_end")) else words + 1
        nested += (token.text in _OPENING) - (token.text in _CLOSING) if token.kind == "operator" else 0
        if token.kind == "block_begin":
            blocks += -1 if name.text.startswith("end") else name.text not in ("else", "elif")
        if nested > DEPTH_MAX or blocks > DEPTH_MAX:
            return _Fault("AP3022", f"a template nests at most {DEPTH_MAX} deep", token, "write it in fewer steps")
        if words > WORDS_MAX:
            message = f"an expression of a template has at most {WORDS_MAX} words and signs"
            return _Fault("AP3022", message, token, "write it in fewer steps")
    return None


def _faults_of_names(tokens: list[_Token], known: Known) -> Iterator[_Fault]:
    """All of them; after what is not allowed, nothing more up to the closing braces: it would be about its parts."""
    silent = False
    for index, token in enumerate(tokens):
        fault = None if silent else _fault(tokens, index, known)
        if fault is not None:
            yield fault
        refused = fault is not None and fault.code == "AP3022"
        silent = (silent or refused) and token.kind not in ("variable_end", "block_end")


def _tokens(environment: Any, text: str) -> Iterator[_Token]:
    """jinja2 gives lines only: the tokens stand in the text in their order, so each is looked for after the last."""
    at = 0
    for _, kind, value in environment.lex(text):
        start = max(text.find(value, at), at)
        yield _Token(kind, value, start)
        at = start + len(value)


def _fault_of_tag(tokens: list[_Token], index: int) -> _Fault | None:
    """Told where a tag opens: its end is no fault of its own."""
    token = tokens[index]
    if tokens[index - 1].kind != "block_begin" or token.text in TAGS or token.text.startswith("end"):
        return None
    return _Fault("AP3022", f'a template has no "{token.text}"', token, "tags it has: if, elif, else, endif")


def _fault(tokens: list[_Token], index: int, known: Known) -> _Fault | None:
    token = tokens[index]
    before = tokens[index - 1] if index else _Token("", "", 0)
    if token.kind == "operator":
        return _fault_of_operator(tokens, index, known)
    if token.kind != "name":
        return None
    if before.text == "|":
        if token.text in FILTERS:
            return None
        advice = did_you_mean(token.text, FILTERS) or f"filters: {', '.join(FILTERS)}"
        return _Fault("AP3022", f'a template has no filter "{token.text}"', token, advice)
    if before.text == "." or before.kind == "block_begin" or token.text in _WORDS:
        return None
    if token.text == "is":
        return _Fault("AP3022", 'a template has no "is"', token, "compare with == or !=")
    return _fault_of_name(tokens, index, known)


def _fault_of_operator(tokens: list[_Token], index: int, known: Known) -> _Fault | None:
    token, before = tokens[index], tokens[index - 1]
    if token.text == "[" and (subscript := _subscript(tokens, index, known)) is not None:
        return subscript
    if token.text not in _OPERATORS:
        return _Fault("AP3022", f'a template has no "{token.text}"', token, "it fills in names, it does not compute")
    called = before.kind == "string" or before.text == ")" or (before.kind == "name" and before.text not in _WORDS)
    if token.text == "(" and called and tokens[index - 2].text != "|":
        return _Fault("AP3022", "a template calls nothing", token, f"filters it has: {', '.join(FILTERS)}")
    if token.text == "." and not (before.kind == "name" and tokens[index - 2].text not in (".", "|")):
        return _Fault("AP3022", "the values of a template have no parts", token, "write `inputs.name`")
    return None


def _subscript(tokens: list[_Token], index: int, known: Known) -> _Fault | None:
    """`inputs["name"]`, which other engines take for `inputs.name`: told once, at the brackets."""
    before, (inside, closing) = tokens[index - 1], [*tokens[index + 1 : index + 3], _NOTHING, _NOTHING][:2]
    if before.kind != "name" or inside.kind != "string" or closing.text != "]":
        return None
    name = inside.text[1:-1]
    start, end = tokens[index].start, closing.start + 1
    if not _NAME.fullmatch(name):
        return None
    written = _Token("operator", tokens[index].text + inside.text + closing.text, start)
    exact = len(written.text) == end - start  # no blanks between them
    parts = known.get(before.text) or (name,)
    meant = name if name in parts else did_you_mean(name, parts)
    advice = f"write `{before.text}.{name}`" if meant == name else meant or f"names it has: {', '.join(parts)}"
    return _Fault("AP3022", "a name stands behind a dot, not in brackets", written if exact else tokens[index], advice)


def _fault_of_name(tokens: list[_Token], index: int, known: Known) -> _Fault | None:
    root, after = tokens[index], [*tokens[index + 1 : index + 3], _NOTHING, _NOTHING]
    if root.text not in known:
        advice = _advice_for_fan_out(root.text) or did_you_mean(root.text, known)
        return _Fault("AP3020", f'unknown name "{root.text}"', root, advice or _advice_for_stranger(root.text, known))
    parts = known[root.text]
    if parts is _WHOLE:
        whole = after[0].text != "."
        return None if whole else _Fault("AP3022", "the values of a template have no parts", after[0])
    if after[0].text == "[" and _subscript(tokens, index + 1, known) is not None:
        return None  # told there
    if after[0].text != "." or after[1].kind != "name":
        example = next(iter(parts or ()), "name")
        return _Fault("AP3020", f'"{root.text}" is no text', root, f"write `{root.text}.{example}`")
    leaf = after[1]
    if parts is None:
        return None
    if leaf.text not in parts:
        names = ", ".join(parts) or "none"
        advice = did_you_mean(leaf.text, parts) or f"names after `{root.text}.`: {names}"
        return _Fault("AP3020", f'unknown name "{root.text}.{leaf.text}"', leaf, advice)
    if root.text == "run" and not (tokens[index - 1].kind == "variable_begin" and _ends(tokens, index + 3)):
        return _Fault("AP3022", "the run's id is filled in last, so nothing can be made of it", root, f"write {RUN_ID}")
    return None


def _advice_for_fan_out(name: str) -> str | None:
    return f"only a phase with {_OF_FAN_OUTS[name]} has `{name}`" if name in _OF_FAN_OUTS else None


def _advice_for_stranger(name: str, known: Known) -> str:
    for root in ("inputs", "matrix"):
        if name in (known.get(root) or ()):
            return f"write `{root}.{name}`"
    more = "".join(f", {each}" for each in _OF_FAN_OUTS if each in known)
    return f"names it has: inputs, project.name, run.id{more}"


def _ends(tokens: list[_Token], index: int) -> bool:
    return index < len(tokens) and tokens[index].kind == "variable_end"


# --- where ------------------------------------------------------------------------------------------------


def _span(document: Document, steps: Steps, text: str, token: _Token | None) -> Span:
    """The token inside the string, where the file spells it as the value does; else the string."""
    whole = document.span(steps)
    if token is None:
        return whole
    lines = document.lines[whole.line - 1 : whole.end_line]
    lines[-1] = lines[-1][: whole.end_column - 1]
    skipped = whole.column - 1
    raw = "\n".join(lines)
    if raw.count(token.text, skipped) != text.count(token.text):
        return whole
    at = skipped
    for _ in range(text.count(token.text, 0, token.start) + 1):
        at = raw.index(token.text, at) + len(token.text)
    before = raw[: at - len(token.text)]
    line = whole.line + before.count("\n")
    column = len(before) - (before.rfind("\n") + 1) + 1
    return Span(whole.path, line, column, line, column + len(token.text))


# --- filling in -------------------------------------------------------------------------------------------


class _RunId:
    id = RUN_ID


def _render(text: str, filling: Filling) -> str:
    """Without jinja2 where names stand alone; the fuzzer holds the two ways together."""
    done = _rendered(text, filling) if (plain := _filled_plain(text, filling)) is None else plain
    if len(done) > CHARS_MAX:
        raise _Unfillable(f"filled in, this text has {len(done):,} characters, at most {CHARS_MAX:,} are taken")
    return done


def _filled_plain(text: str, filling: Filling) -> str | None:
    """None where there is more in the braces than a name with a value."""
    names: dict[str, Any] = {"inputs": filling.inputs, "project": {"name": filling.project}, "run": {"id": RUN_ID}}
    names.update(filling.more)
    values: dict[tuple[str, str], str] = {}
    for root, leaf in _PLAIN.findall(text):
        value = names.get(root)
        if leaf:
            value = value.get(leaf) if isinstance(value, Mapping) else None
        if not isinstance(value, str | int | float):
            return None
        values[root, leaf] = str(_written(value))
    if "\r" in text or _BRACES.search(_PLAIN.sub("", text)):
        return None
    return _PLAIN.sub(lambda found: values[found[1], found[2] or ""], text)


def _rendered(text: str, filling: Filling) -> str:
    from types import SimpleNamespace  # noqa: PLC0415 - as the next

    from jinja2 import TemplateError  # noqa: PLC0415 - see the module

    names: dict[str, Any] = {"inputs": SimpleNamespace(**filling.inputs), "run": _RunId}
    names["project"] = SimpleNamespace(name=filling.project)
    for name, value in filling.more.items():
        names[name] = SimpleNamespace(**value) if isinstance(value, dict) else value
    try:
        done: str = _compiled(text).render(names)
    except (TemplateError, TypeError) as error:
        raise _Unfillable(f"this template has no value: {error}") from error
    return done


@lru_cache(maxsize=1024)
def _compiled(text: str) -> Any:
    """Once for all branches of a fan-out: compiling takes a hundred times longer than filling in."""
    return _environment().from_string(text)


@cache
def _environment() -> Any:
    from jinja2 import StrictUndefined  # noqa: PLC0415 - see the module
    from jinja2.filters import FILTERS  # noqa: PLC0415
    from jinja2.sandbox import SandboxedEnvironment  # noqa: PLC0415

    environment = SandboxedEnvironment(
        undefined=StrictUndefined,
        autoescape=False,  # the texts are prompts, paths and words of commands, never a web page
        keep_trailing_newline=True,
        finalize=_written,
    )
    environment.globals.clear()
    environment.filters = {name: FILTERS[name] for name in FILTERS} | {"replace": _replace}
    return environment


def _written(value: object) -> object:
    """true and false as YAML writes them."""
    return str(value).lower() if isinstance(value, bool) else value


def _replace(text: object, old: str, new: str) -> str:
    """The one filter that can make text longer, so it is measured first."""
    subject = str(text)
    if len(subject) + (subject.count(old) + 1) * len(new) > CHARS_MAX:
        raise TypeError(f"`replace` would make more than {CHARS_MAX:,} characters")
    return subject.replace(old, new)
