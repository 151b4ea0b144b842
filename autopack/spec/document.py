"""YAML text -> plain values and the place of every key and value; the only importer of yaml.

One pass over the events of PyYAML's parser (libyaml where it is there), instead of its composer and
constructor, which are slower by an order of magnitude, resolve scalars by YAML 1.1 and let the last duplicate
key win in silence. Values are read by the core schema of YAML 1.2, anchors and `<<` merges included.

What this file knows: text, YAML, the header, limits. What it does not know: which keys a kind of file has.

Places. Nodes are numbered by cells, in reading order. A scalar or an alias takes one cell: the offset at
which it starts. A collection takes two: the complement of its offset (hence negative) and the cell after its
last descendant, so that it can be stepped over. Ends are kept only where a token cannot be read again from its
start (tags, anchors, blocks of text); keeping all of them cost a fifth of the loader's time. A place is worked
out when it is asked for, which for most files is never.
"""

import gc
import re
from array import array
from bisect import bisect_right
from collections.abc import Callable, Collection, Iterator
from itertools import islice
from math import isinf
from typing import Any, NamedTuple, NoReturn

import yaml
from yaml.events import (
    AliasEvent,
    DocumentEndEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

from autopack.problem import Fix, Label, Problem, Span, order, problem
from autopack.spec.nearest import clear, nearest

Value = Any  # dict[str, Value] | list[Value] | str | int | float | bool | None; mypy has no use for the recursion
Step = str | int

BYTES_MAX = 10 * 1024 * 1024  # of one file
WEIGHT_MAX = 500_000  # of one file, in events of the parser: some 9,000 phases, and half a second
LINES_MAX = 500_000  # of one file
SPLIT = "split it into modules (`uses:`)"
ANCHOR_WEIGHT = 3  # of an anchor, besides its event
MERGE_WEIGHT = 8  # of a `<<`, besides one for each key it brings: what it costs compared with an event
EXPANSION_MAX = BYTES_MAX  # characters that all aliases of a file may stand for together
DEPTH_MAX = 100  # of nested collections, aliases expanded: far from Python's limit on recursion
FINDINGS_MAX = 1000  # of one file
WORDS_MAX = 200  # characters of a message, which may quote the file
LOOKALIKES_MAX = 50  # names, of at most as many characters, among which the one is sought that a wrong one resembles

KINDS = ("project", "playbook", "tier", "phase", "ruleset", "ci", "models", "scenario")
VERSION = 1  # the only one so far, of every kind
VERSION_SPELT = frozenset({"", "1", "V1", "v1", "1.0", "v1.0"})  # ways in which people mean it


def accelerated() -> bool:
    """Whether PyYAML was built with libyaml. Without it reading is about fifteen times slower."""
    return bool(yaml.__with_libyaml__)


class Document:
    """One file as plain values, which know where they were written.

    Values are shared where an alias repeats them and must not be changed. `kind` and `version` are None when
    the header is missing or at fault. Steps lead from the root: `("tiers", 0, "phases", 2, "goal")`; a path
    that does not exist is a KeyError.
    """

    __slots__ = ("_places", "kind", "path", "text", "value", "version")

    def __init__(
        self, text: str, value: Value, places: "_Places", kind: str | None = None, version: int | None = None
    ) -> None:
        self.path = places.path
        self.text = text
        self.value = value
        self.kind = kind
        self.version = version
        self._places = places

    def span(self, steps: tuple[Step, ...]) -> Span:
        """The token of a value; of what comes by an alias, the token at the anchor.

        A scalar with its quotes or tag, the first key of a mapping, the first item of a list or its `[`,
        all of an empty collection.
        """
        _, cell, value = self._find(steps)
        return self._places.span(*self._places.token(cell, value))

    def key_span(self, steps: tuple[Step, ...]) -> Span:
        """The token of the last step's key; the item where the last step is an index."""
        if not steps or isinstance(steps[-1], int):
            return self.span(steps)
        key, _, _ = self._find(steps)
        return self._places.span(*self._places.token(key, steps[-1]))

    def has(self, steps: tuple[Step, ...]) -> bool:
        value = self.value
        for step in steps:
            if isinstance(step, str):
                there = isinstance(value, dict) and step in value
            else:
                there = isinstance(value, list) and 0 <= step < len(value)
            if not there:
                return False
            value = value[step]
        return True

    def stretch(self, start: int, end: int) -> Span:
        """The place of two offsets into the text."""
        return self._places.span(start, end)

    def _find(self, steps: tuple[Step, ...]) -> tuple[int, int, Value]:
        key, cell, value = 0, 0, self.value
        for step in steps:
            key, cell = self._places.children(cell, value)[step]
            value = value[step]
        return key, cell, value


def read(path: str, source: bytes) -> tuple[Document | None, list[Problem]]:
    """The document and everything wrong with its text, in the order of writing.

    No document is given when the text has no certain meaning (its encoding, its syntax, an alias that leads
    nowhere, a limit). With other errors there is one, so that later checks can report in the same go.
    """
    source = source.removeprefix(BOM)
    text, refused = _decode(path, source)
    if refused:
        return None, refused
    collecting = gc.isenabled()
    gc.disable()  # nothing built here is garbage, and walking it again and again is quadratic
    try:
        return _Reader(path, text, source).document()
    finally:
        if collecting:
            gc.enable()


# --- text -------------------------------------------------------------------------------------------------

BOM = b"\xef\xbb\xbf"
BREAK = re.compile(r"\r\n|\r|\n")  # what editors count as lines; YAML's further ones are ordinary characters
CONFLICT = re.compile(r"^([<|=>])\1{6}(?: [^\r\n]*)?(?=\r?$)", re.MULTILINE)
CONFLICT_PARTS = {"|": "what both started from", "=": "the other version starts here", ">": "and ends here"}
FORBIDDEN = re.compile("[^\t\n\r -~\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def readable(source: bytes) -> str:
    """A file's text for showing it: as `Document.text`, and with U+FFFD for what is not UTF-8."""
    return source.decode("utf-8-sig", "replace")


def _decode(path: str, source: bytes) -> tuple[str, list[Problem]]:
    if len(source) > BYTES_MAX:
        message = f"the file has more than {BYTES_MAX:,} bytes"
        return "", [problem("AP1013", message, Span(path, 1, 1, 1, 1), (), SPLIT)]
    if source.count(b"\n") + source.count(b"\r") - source.count(b"\r\n") > LINES_MAX:
        message = f"the file has more than {LINES_MAX:,} lines"
        return "", [problem("AP1026", message, Span(path, LINES_MAX + 1, 1, LINES_MAX + 1, 1), (), SPLIT)]
    try:
        text = source.decode()
    except UnicodeDecodeError as error:
        return "", [_not_utf8(path, source, error)]
    places = _Places(path, text)
    if text.startswith("\ufeff"):  # libyaml would drop it and count all its places without it
        return text, [problem("AP1025", "a second byte order mark", places.span(0, 1), (), "remove it")]
    if (nul := text.find("\0")) >= 0:
        message = f"a NUL byte ({text.count(chr(0)):,} in the file)"
        return text, [problem("AP1011", message, places.span(nul, nul + 1), (), "is this a text file?")]
    if "<<<<<<<" in text and (conflicts := _conflicts(places)):
        return text, conflicts
    return text, []


def _not_utf8(path: str, source: bytes, error: UnicodeDecodeError) -> Problem:
    before = source[: error.start].decode()
    span = _Places(path, before).span(len(before), len(before) + 1)
    what = "UTF-16" if source.startswith((b"\xff\xfe", b"\xfe\xff")) else f"byte 0x{source[error.start]:02x}"
    return problem("AP1012", f"not UTF-8: {what}", span, (), "save the file as UTF-8")


def _conflicts(places: "_Places") -> list[Problem]:
    """One finding for each `<<<<<<<`, with the markers that follow it as labels."""
    regions: list[tuple[re.Match[str], list[Label]]] = []
    for marker in CONFLICT.finditer(places.text):
        if marker[1] == "<" and len(regions) == FINDINGS_MAX:
            break
        if marker[1] == "<":
            regions.append((marker, []))
        elif regions and len(regions[-1][1]) < len(CONFLICT_PARTS):
            regions[-1][1].append(Label(places.span(*marker.span()), CONFLICT_PARTS[marker[1]]))
    message, help_ = "a merge conflict that is not resolved", "keep one version and delete the marker lines"
    return [problem("AP1010", message, places.span(*marker.span()), tuple(labels), help_) for marker, labels in regions]


# --- places -----------------------------------------------------------------------------------------------

BLANK = r"(?:\s|(?<=\s)#[^\r\n\x85\u2028\u2029]*)*"  # white space and comments
PROPERTIES = re.compile(rf"(?:[&!]\S*{BLANK})*")
ANCHOR = re.compile(rf"&\S*{BLANK}")
DOUBLE_QUOTED = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
SINGLE_QUOTED = re.compile(r"'[^']*+(?:''[^']*+)*+'")
EMPTY = re.compile(rf"[{{\[]{BLANK}[}}\]]")
WORD_BREAK = re.compile("[ \n\x85\u2028\u2029]+")
OTHER_SCALAR = re.compile(r"[-+.\w~]+")


class _Places:
    """Where every node of a file stands; the module says how that is kept."""

    __slots__ = ("_children", "_lines", "aliases", "cells", "ends", "merged", "names", "path", "text")

    def __init__(self, path: str, text: str) -> None:
        self.path = path
        self.text = text
        self.cells = array("i")
        self.ends: dict[int, int] = {}
        self.aliases: dict[int, int] = {}  # cell of an alias -> cell of what it stands for
        self.names: dict[int, list[str | None]] = {}  # keys as written, where a mapping's own would mislead
        self.merged: dict[int, list[tuple[int, dict[str, Value]]]] = {}  # what `<<` brought, nearest first
        self._lines: array[int] | None = None
        self._children: dict[int, dict[Step, tuple[int, int]]] = {}

    def span(self, start: int, end: int) -> Span:
        return Span(self.path, *self.place(start), *self.place(end))

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column of an offset, from 1."""
        if self._lines is None:
            self._lines = array("i", [0])
            self._lines.extend(found.end() for found in BREAK.finditer(self.text))
        line = bisect_right(self._lines, offset)
        return line, offset - self._lines[line - 1] + 1

    def children(self, cell: int, value: Value) -> dict[Step, tuple[int, int]]:
        """Cell of the key and cell of the value, by step."""
        cell = self.aliases.get(cell, cell)
        if cell not in self._children:
            self._children[cell] = self._items(cell) if isinstance(value, list) else self._keys(cell, value)
        return self._children[cell]

    def _items(self, cell: int) -> dict[Step, tuple[int, int]]:
        return {index: (item, item) for index, item in enumerate(self._below(cell))}

    def _keys(self, cell: int, value: dict[str, Value]) -> dict[Step, tuple[int, int]]:
        found: dict[Step, tuple[int, int]] = {}
        for source, mapping in reversed(self.merged.get(cell, ())):
            found.update(self.children(source, mapping))
        below = self._below(cell)
        pairs = zip(below, below, strict=True)
        names = self.names.get(cell, value)
        found.update((name, pair) for name, pair in zip(names, pairs, strict=True) if name is not None)
        return found

    def _below(self, cell: int) -> Iterator[int]:
        """The cells directly inside a collection: items, or keys and values in turn."""
        end = self.cells[cell + 1]
        cell += 2
        while cell < end:
            yield cell
            cell = cell + 1 if self.cells[cell] >= 0 else self.cells[cell + 1]

    def written(self, cell: int) -> Iterator[tuple[int, int]]:
        """The cells of keys and values of a mapping that is still being read."""
        cell += 2
        while cell < len(self.cells):
            key = cell
            cell = cell + 1 if self.cells[cell] >= 0 else self.cells[cell + 1]
            yield key, cell
            if cell < len(self.cells):
                cell = cell + 1 if self.cells[cell] >= 0 else self.cells[cell + 1]

    def token(self, cell: int, value: Value) -> tuple[int, int]:
        """Offsets of what a finding about this node underlines."""
        cell = self.aliases.get(cell, cell)
        start = self.cells[cell]
        if start < 0 and cell not in self.ends:
            return self._collection(cell, value)
        start = start if start >= 0 else ~start
        if cell not in self.ends:
            return start, self._scalar_end(start, value)
        end = self.ends[cell]
        start = self.after_anchor(start, end)
        return start, start + len(self.text[start:end].rstrip(" \t\r\n"))

    def _collection(self, cell: int, value: Value) -> tuple[int, int]:
        start = self._after_properties(~self.cells[cell])
        if not value:
            empty = EMPTY.match(self.text, start)
            return empty.span() if empty else (start, start + 1)
        if isinstance(value, list):
            return (start, start + 1) if self.text[start] == "[" else self.token(cell + 2, value[0])
        name = self.names[cell][0] if cell in self.names else next(iter(value))
        if name is not None:
            return self.token(cell + 2, name)
        first = self.cells[cell + 2]
        return (first, first + 2) if first >= 0 else (~first, ~first + 1)

    def _after_properties(self, start: int) -> int:
        found = PROPERTIES.match(self.text, start)
        return found.end() if found else start

    def after_anchor(self, start: int, end: int) -> int:
        found = ANCHOR.match(self.text, start, end)
        return found.end() if found and found.end() < end else start

    def _scalar_end(self, start: int, value: Value) -> int:
        if value is None and not self.text.startswith(NULLS, start):
            return start  # nothing is written
        if not isinstance(value, str):
            found = OTHER_SCALAR.match(self.text, start)
        elif self.text.startswith('"', start):
            found = DOUBLE_QUOTED.match(self.text, start)
        elif self.text.startswith("'", start):
            found = SINGLE_QUOTED.match(self.text, start)
        elif self.text.startswith(value, start):
            return start + len(value)
        else:
            words = map(re.escape, WORD_BREAK.split(value))
            found = re.compile("[ \t\r\n\x85\u2028\u2029]+".join(words)).match(self.text, start)
        return found.end() if found else start


# --- scalars ----------------------------------------------------------------------------------------------

NULLS = ("null", "Null", "NULL", "~")
WORDS: dict[str, Value] = {
    "": None,
    **dict.fromkeys(NULLS),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
KNOWN_MAX = 1000  # conversions that are kept to be met again; what repeats comes early
BLOCK_STYLES = frozenset("|>")
SUSPECTS = frozenset("+-.0123456789")  # how a plain scalar starts that may be no string
NUMBER = re.compile(
    r"(?P<int>[-+]?[0-9]+(?:_[0-9]+)*)"
    r"|(?P<oct>0o[0-7]+)"
    r"|(?P<hex>0x[0-9a-fA-F]+)"
    r"|(?P<float>[-+]?(?:\.[0-9]+|[0-9]+(?:_[0-9]+)*(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?)"
    r"|(?P<never>[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN))"
)
DIGITS_MAX = 40  # longer integers are out of range whatever they say, and int() refuses very long ones
OUT_OF_RANGE = object()


def _plain(text: str) -> Value:
    """A plain scalar by YAML 1.2's core schema, with `5_000_000` besides.

    OUT_OF_RANGE for what JSON or 64 bits cannot keep. `012` is 12 here; the reader reports it.
    """
    if text in WORDS:
        return WORDS[text]
    number = NUMBER.fullmatch(text)
    if number is None:
        return text
    if number.lastgroup == "never":
        return OUT_OF_RANGE
    if number.lastgroup == "float":
        value = float(text)
        return OUT_OF_RANGE if isinf(value) else value
    return _integer(text, {"int": 10, "oct": 8, "hex": 16}[number.lastgroup or "int"])


def _integer(text: str, base: int) -> Value:
    if len(text) > DIGITS_MAX:
        return OUT_OF_RANGE
    value = int(text, base)
    return value if -(2**63) <= value < 2**63 else OUT_OF_RANGE


# --- reading ----------------------------------------------------------------------------------------------

CORE = "tag:yaml.org,2002:"
TAG = re.compile(r"![^\s,\[\]{}]*")
TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "null": type(None)}
TYPE_WORDS = {int: "number", float: "number", bool: "boolean", type(None): "null", str: "string"}
TELLING_KEYS = {
    "tiers": "playbook",
    "phases": "tier",
    "goal": "phase",
    "repository": "project",
    "playbooks": "project",
    "categories": "ruleset",
    "profiles": "ci",
    "routing": "models",
    "models": "models",
    "answers": "scenario",
}
# The keys that stand beside long texts: a line of such a text that looks like one of them and is missing
# beside it was meant to be a key.
SWALLOWED = re.compile(
    r"^(acceptance|budget|builder_mode|category|complexity|defaults|deliverables|goal|inputs|phases|probes"
    r"|scope|tags|tiers):(?:[ \t]|$)",
    re.MULTILINE,
)


class _Unreadable(Exception):
    """The text has no certain meaning from here on."""


class _Anchor:
    __slots__ = ("cell", "chars", "height", "name", "start", "used", "value")

    def __init__(self, name: str, cell: int, start: int) -> None:
        self.name = name
        self.cell = cell
        self.start = start
        self.value: Value = None
        self.chars = -1  # of text, aliases inside expanded; -1 until it is read to its end
        self.height = 0  # of nested collections, aliases inside expanded
        self.used = False


class _Block(NamedTuple):
    """A block of text in a mapping, which may have swallowed some of the mapping's keys."""

    start: int
    text: str
    key: str
    beside: dict[str, Value]


class _Reader:
    __slots__ = (
        "anchors",
        "blocks",
        "cells",
        "certain",
        "deepest",
        "every_anchor",
        "expanded",
        "get",
        "known",
        "last",
        "names",
        "places",
        "problems",
        "sought",
        "source",
        "text",
        "weight",
    )

    def __init__(self, path: str, text: str, source: bytes) -> None:
        self.text = text
        self.source = source
        self.places = _Places(path, text)
        self.cells = self.places.cells
        self.problems: list[Problem] = []
        self.certain = True
        self.names: dict[str, str] = {}  # plain keys met before: one object each, and known to be strings
        self.known: dict[str, Value] = dict(WORDS)  # conversions of plain scalars in which nothing is wrong
        self.anchors: dict[str, _Anchor] = {}
        self.every_anchor: list[_Anchor] = []
        self.sought: set[str] = set()  # names of anchors that an unknown alias meant: one fault, one finding
        self.expanded = 0  # characters all aliases stand for
        self.deepest = 0
        self.weight = 0  # what was read so far, for a bound on time and memory
        self.last: Any = None  # the event that ended the last collection
        self.blocks: list[_Block] = []

    def document(self) -> tuple[Document | None, list[Problem]]:
        document = None
        try:
            value = self._parse()
            self._unused_anchors()
            self._swallowed_keys()
            kind = self._header(value)
            if self.certain:
                document = Document(self.text, value, self.places, kind, VERSION if kind else None)
        except _Unreadable:
            pass
        except yaml.reader.ReaderError:
            self._forbidden()
        except yaml.MarkedYAMLError as error:
            self._syntax(error)
        return document, order(self.problems)

    def _parse(self) -> Value:
        self.get = _events(self.text, self.source)
        if len(self.text) > WEIGHT_MAX // 2:  # fewer characters can't make so many events
            self.get = self._weighed(self.get)
        self.get()
        first = self.get()
        if type(first) is not DocumentStartEvent:  # nothing but comments
            self.cells.append(0)
            return None
        value = self._node(self.get(), 1)
        self.get()
        event = self.get()
        if type(event) is DocumentStartEvent:
            self._second_document(event, value)
        return value

    def _weighed(self, get: Callable[[], Any]) -> Callable[[], Any]:
        def weighed() -> Any:
            event = get()
            self.weight += 1
            if self.weight > WEIGHT_MAX:
                self._too_much(event.start_mark.index)
            return event

        return weighed

    def _too_much(self, start: int) -> NoReturn:
        token = TOKEN.match(self.text, start)
        end = token.end() if token else start
        self._report("AP1026", "the file holds too many keys and values up to here", start, end, help=SPLIT)
        raise _Unreadable

    # --- nodes ---

    def _node(self, event: Any, depth: int) -> Value:
        kind = type(event)
        if kind is ScalarEvent:
            return self._scalar(event)
        if kind is AliasEvent:
            return self._alias(event, depth)
        if event.tag:
            self._collection_tag(event)
        if event.anchor:
            return self._anchored(event, depth)
        return self._mapping(event, depth) if kind is MappingStartEvent else self._sequence(event, depth)

    def _mapping(self, event: Any, depth: int) -> dict[str, Value] | str:  # noqa: C901 - the inner loop
        """Here a call more for each key is measurable; so what is common is written out, what is rare is not."""
        get, cells, names, known = self.get, self.cells, self.names, self.known
        place = cells.append
        if depth > self.deepest:
            self._deeper(event, depth)
        cell = len(cells)
        place(~event.start_mark.index)
        place(0)
        node: dict[str, Value] = {}
        while True:
            event = get()
            kind = type(event)
            if (
                kind is ScalarEvent
                and (name := names.get(event.value)) is not None
                and name not in node
                and event.tag is event.anchor  # neither
            ):
                place(event.start_mark.index)
            elif kind is MappingEndEvent:
                break
            elif (name := self._new_key(event, node)) is None:
                return self._odd_mapping(node, event, cell, depth)
            event = get()
            kind = type(event)
            if event.anchor or event.tag:
                node[name] = self._node(event, depth + 1)
            elif kind is ScalarEvent:
                value = event.value
                if event.style in BLOCK_STYLES:
                    self._block(event, name, node)
                elif (value in known or value[:1] in SUSPECTS) and not event.style:
                    value = known[value] if value in known else self._suspect(event)
                place(event.start_mark.index)
                node[name] = value
            elif kind is SequenceStartEvent:
                node[name] = self._sequence(event, depth + 1)
            else:
                node[name] = self._mapping(event, depth + 1)
        self.last = event
        cells[cell + 1] = len(cells)
        return node

    def _sequence(self, event: Any, depth: int) -> list[Value]:
        get, cells, known = self.get, self.cells, self.known
        place = cells.append
        if depth > self.deepest:
            self._deeper(event, depth)
        cell = len(cells)
        place(~event.start_mark.index)
        place(0)
        node: list[Value] = []
        add = node.append
        while True:
            event = get()
            kind = type(event)
            if kind is ScalarEvent and not event.anchor and not event.tag and event.style not in BLOCK_STYLES:
                value = event.value
                if (value in known or value[:1] in SUSPECTS) and not event.style:
                    value = known[value] if value in known else self._suspect(event)
                place(event.start_mark.index)
                add(value)
            elif kind is SequenceEndEvent:
                break
            else:
                add(self._node(event, depth + 1))
        self.last = event
        cells[cell + 1] = len(cells)
        return node

    def _deeper(self, event: Any, depth: int) -> None:
        if depth > DEPTH_MAX:
            start = event.start_mark.index
            self._stop("AP1014", f"nested deeper than {DEPTH_MAX} levels", start, start + 1)
        self.deepest = depth

    def _scalar(self, event: Any) -> Value:
        """Any scalar outside the two loops above."""
        cell = len(self.cells)
        start, end = self._written(event)
        self.cells.append(start)
        if event.tag or event.anchor or event.style in BLOCK_STYLES:
            self.places.ends[cell] = end
        value = event.value
        if event.tag:
            value = self._by_tag(event)
        elif not event.style:
            value = self._suspect(event)
        if event.anchor:
            anchor = self._define(event.anchor, cell, start)
            anchor.value, anchor.chars = value, end - start
        return value

    def _suspect(self, event: Any) -> Value:
        """A plain scalar that may be no string."""
        text = event.value
        value = _plain(text)
        start, end = self._written(event)
        if value is OUT_OF_RANGE:
            message = f"{self.text[start:end][:DIGITS_MAX]} cannot be kept: not a finite number of 64 bits"
            self._report("AP1022", message, start, end, help=f'put it in quotes if it is text: "{text[:DIGITS_MAX]}"')
            return 1  # passes most later checks: one fault, one finding
        if type(value) is int and text.lstrip("+-")[:1] == "0" and text.lstrip("+-0")[:1].isdigit():
            help_ = f'write {value}, or "{text}" if the zeros belong to it'
            self._report("AP1017", f"{text} is read as {value}: a leading zero", start, end, help=help_)
            return value
        if len(self.known) < KNOWN_MAX:
            self.known[text] = value
        return value

    def _block(self, event: Any, key: str, node: dict[str, Value]) -> None:
        self.places.ends[len(self.cells)] = event.end_mark.index
        if ":" in event.value:
            self.blocks.append(_Block(event.start_mark.index, event.value, key, node))

    # --- keys out of the ordinary ---

    def _new_key(self, event: Any, node: dict[str, Value]) -> str | None:
        """A key not met before, or None if it takes more than that to read it."""
        kind = type(event)
        if kind is not ScalarEvent or event.tag or event.anchor or event.value in node:
            return None
        name: str = event.value
        if not event.style:
            if name == "<<" or not isinstance(_plain(name), str):
                return None
            self.names[name] = name
        self.cells.append(event.start_mark.index)
        return name

    def _odd_mapping(self, node: dict[str, Value], event: Any, cell: int, depth: int) -> dict[str, Value] | str:
        """The rest of a mapping from its first key that is repeated, `<<`, tagged or no string."""
        outer = ~self.cells[cell]
        if type(event) is MappingStartEvent and self.text.startswith("{{", outer):
            return self._template(event, cell, depth)
        first = {name: key for name, (key, _) in zip(node, self.places.written(cell), strict=True)}
        names: list[str | None] = list(node)
        merged: list[tuple[int, dict[str, Value]]] = []
        while type(event) is not MappingEndEvent:
            key = len(self.cells)
            merge = type(event) is ScalarEvent and event.value == "<<" and not (event.style or event.tag)
            name = self._odd_key(event, depth)
            if name is not None and first.setdefault(name, key) != key:
                self._repeated(name, key, first[name])
            value_cell = len(self.cells)
            event = self.get()
            if name is not None and getattr(event, "style", None) in BLOCK_STYLES:
                self._block(event, name, node)
            value = self._node(event, depth + 1)
            if merge:
                sources = self._sources(value_cell, value)
                self.weight += sum(MERGE_WEIGHT + len(mapping) for _, mapping in sources)
                if self.weight > WEIGHT_MAX:
                    start = self.cells[value_cell]
                    self._too_much(start if start >= 0 else ~start)
                merged += sources
            elif name is not None:
                node[name] = value
            names.append(None if merge else name)
            event = self.get()
        self.last = event
        self.cells[cell + 1] = len(self.cells)
        self.places.names[cell] = names
        if merged:
            self.places.merged[cell] = merged
            _merge_below(node, [mapping for _, mapping in merged])
        return node

    def _template(self, event: Any, cell: int, depth: int) -> str:
        """`{{ x }}` without quotes, a mapping in a mapping to YAML: read as the text that was meant."""
        start, before = ~self.cells[cell], len(self.problems)
        while type(event) is not MappingEndEvent:
            self._node(event, depth + 1)
            event = self.get()
        within = [found for found in self.problems[before:] if found.code not in {"AP1017", "AP1018"}]
        self.problems[before:] = within  # the same fault
        self.last = event
        _, end = self._written(event)
        self.cells[cell + 1] = len(self.cells)
        self.places.ends[cell] = end
        message = "a template without quotes, which YAML reads as a mapping inside a mapping"
        written = self.text[start:end]
        self._report("AP1018", message, start, end, help=f'put it in quotes: "{written}"', fix=_in_quotes(written))
        return written

    def _odd_key(self, event: Any, depth: int) -> str | None:
        """The key as a string; None if there is no way to see it as one."""
        cell, before = len(self.cells), len(self.problems)
        value = self._node(event, depth + 1)
        if isinstance(value, str):
            return value
        start, end = self.places.token(cell, value)
        if type(event) is not ScalarEvent:
            self._report("AP1018", "a key must be a string, not a mapping, a list or an alias of one", start, end)
            return None
        del self.problems[before:]  # they are about a number, and it should not be one
        text: str = event.value
        if text:
            what, help_ = f"{text} is a {TYPE_WORDS[type(value)]} to YAML", f'write "{text}" in quotes'
        else:
            what, help_ = "this one is empty", "write the name before the colon"
        self._report("AP1018", f"a key must be a string: {what}", start, end, help=help_)
        return text

    def _repeated(self, name: str, key: int, first: int) -> None:
        label = self._label(*self.places.token(first, name), "first written here")
        place = self.places.token(key, name)
        self._report("AP1005", f'duplicate key "{name}"', *place, labels=(label,), help="keep one of the two")

    def _sources(self, cell: int, value: Value) -> list[tuple[int, dict[str, Value]]]:
        """The mappings that `<<` names, each with its cell."""
        if isinstance(value, dict):
            return [(cell, value)]
        if isinstance(value, list):
            if cell in self.places.aliases and not all(isinstance(item, dict) for item in value):
                return self._sources(cell, None)  # told once, at the anchor
            cells = (item for _, item in self.places.children(cell, value).values())
            items = list(zip(cells, value, strict=True))
        else:
            items = [(cell, value)]
        for item, mapping in items:
            if not isinstance(mapping, dict) and self.certain:
                message = "`<<` merges mappings: a mapping, an alias of one, or a list of these"
                self._report("AP1020", message, *self.places.token(item, mapping))
        return [(item, mapping) for item, mapping in items if isinstance(mapping, dict)]

    # --- tags, anchors, aliases ---

    def _by_tag(self, event: Any) -> Value:
        text: str = event.value
        tag = event.tag.removeprefix(CORE)
        if tag in {"str", "!"}:
            return text
        if tag not in TYPES or tag == event.tag:
            self._custom_tag(event)
            return text
        value = self._suspect(event)
        if tag == "float" and type(value) is int:
            return float(value)
        if type(value) is not TYPES[tag]:
            start, end = self._written(event)
            self._report("AP1023", f'"{text}" is no {TYPE_WORDS[TYPES[tag]]}, as its tag !!{tag} says', start, end)
        return value

    def _custom_tag(self, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        found = TAG.search(self.text, self.places.after_anchor(start, end))
        start, end = found.span() if found else (start, end)
        help_ = "remove it: values are plain YAML; other files come in by `uses:`"
        self._report("AP1006", f"custom tag {self.text[start:end]}", start, end, help=help_)

    def _collection_tag(self, event: Any) -> None:
        is_mapping = type(event) is MappingStartEvent
        tag = event.tag.removeprefix(CORE)
        if tag == event.tag or tag not in {"map", "seq", "str", *TYPES}:
            self._custom_tag(event)
        elif tag != ("map" if is_mapping else "seq"):
            found = TAG.search(self.text, event.start_mark.index)
            place = found.span() if found else self._written(event)
            what = "mapping" if is_mapping else "list"
            self._report("AP1023", f"a {what} does not fit its tag !!{tag}", *place)

    def _define(self, name: str, cell: int, start: int) -> _Anchor:
        anchor = self.anchors[name] = _Anchor(name, cell, start)
        self.every_anchor.append(anchor)
        self.weight += ANCHOR_WEIGHT
        return anchor

    def _anchored(self, event: Any, depth: int) -> Value:
        start = event.start_mark.index
        anchor = self._define(event.anchor, len(self.cells), start)
        expanded, deepest = self.expanded, self.deepest
        self.deepest = depth - 1
        if type(event) is MappingStartEvent:
            anchor.value = self._mapping(event, depth)
        else:
            anchor.value = self._sequence(event, depth)
        anchor.height = self.deepest - depth + 1
        anchor.chars = self.last.end_mark.index - start + self.expanded - expanded
        self.deepest = max(self.deepest, deepest)
        return anchor.value

    def _alias(self, event: Any, depth: int) -> Value:
        start, end = event.start_mark.index, event.end_mark.index
        cell = len(self.cells)
        self.cells.append(start)
        self.places.ends[cell] = end
        anchor = self.anchors.get(event.anchor)
        if anchor is None:
            self._unknown_alias(event.anchor, start, end)
            return None
        anchor.used = True
        label = self._anchor_token(anchor)
        if anchor.chars < 0:
            self.certain = False
            message = f"*{anchor.name} stands inside the value it repeats"
            self._report("AP1007", message, start, end, labels=(self._label(*label, "the value begins here"),))
            return None
        self.places.aliases[cell] = anchor.cell
        self.expanded += anchor.chars
        if self.expanded > EXPANSION_MAX:
            message = f"the aliases up to here stand for more than {EXPANSION_MAX:,} characters"
            self._stop("AP1008", message, start, end, self._label(*label, "what is repeated here"))
        height = depth - 1 + anchor.height
        if height > DEPTH_MAX:
            message = f"nested deeper than {DEPTH_MAX} levels, aliases expanded"
            self._stop("AP1014", message, start, end, self._label(*label, "what is repeated here"))
        self.deepest = max(self.deepest, height)
        return anchor.value

    def _unknown_alias(self, name: str, start: int, end: int) -> None:
        self.certain = False
        near = _lookalike(name, self.anchors)
        self.sought |= {name, near or name}
        help_ = f"did you mean *{near}?" if near else f"define it above this line: &{name}"
        self._report("AP1019", f"no anchor &{name} above this alias", start, end, help=help_)

    def _anchor_token(self, anchor: _Anchor) -> tuple[int, int]:
        start = self.text.find("&" + anchor.name, anchor.start)
        return start, start + len(anchor.name) + 1

    # --- the file as a whole ---

    def _unused_anchors(self) -> None:
        for anchor in self.every_anchor:
            if not anchor.used and anchor.name not in self.sought:
                help_ = "remove it, or repeat the value with an alias"
                message = f"no alias uses the anchor &{anchor.name}"
                self._report("AP1016", message, *self._anchor_token(anchor), help=help_)

    def _swallowed_keys(self) -> None:
        for block in self.blocks:
            for line in SWALLOWED.finditer(block.text):
                name = line[1]
                if name in block.beside:
                    continue
                written = re.compile(rf"^[ \t]*({name}):", re.MULTILINE).search(self.text, block.start)
                if written is None:
                    continue
                label = self._label(block.start, block.start + 1, f'the text of "{block.key}" starts here')
                message = f'this line is text of "{block.key}", not the key "{name}"'
                help_ = f'indent it like "{block.key}" if it is a key'
                self._report("AP1021", message, *written.span(1), labels=(label,), help=help_)
                break

    def _second_document(self, event: Any, value: Value) -> None:
        label = self._label(*self.places.token(0, value), "the first document starts here")
        start, end = self._written(event)
        help_ = "move it to a file of its own, or remove the `---`"
        self._report("AP1004", "a second document in one file", start, max(end, start + 3), (label,), help_)

    def _header(self, value: Value) -> str | None:
        """The kind of the file, if its header is good."""
        if not isinstance(value, dict) or "autopack" not in value:
            self._no_header(value)
            return None
        header = value["autopack"]
        place = self.places.token(self.places.children(0, value)["autopack"][1], header)
        kind, _, version = header.partition("/") if isinstance(header, str) else ("", "", "")
        if kind not in KINDS:
            near = _lookalike(kind, KINDS)
            help_ = f"write `{near}/v{VERSION}`" if near else f"one of: {', '.join(KINDS)}"
            what = f'unknown kind "{kind}"' if kind else "the header names no kind"
            certain = clear(kind, KINDS) if version in VERSION_SPELT else None
            self._report("AP1002", what, *place, help=help_, fix=certain and f"{certain}/v{VERSION}")
            return None
        if version != f"v{VERSION}":
            what = f'unknown version "{version}" of {kind}' if version else f"no version after {kind}"
            fix = f"{kind}/v{VERSION}" if version in VERSION_SPELT else None  # another number may mean other words
            self._report("AP1003", what, *place, help=f"write `{kind}/v{VERSION}`, the only version so far", fix=fix)
            return None
        return kind

    def _no_header(self, value: Value) -> None:
        place = self.places.token(0, value)
        mapping = value if isinstance(value, dict) else {}
        for name, header in mapping.items():
            if isinstance(header, str) and header.partition("/")[0] in KINDS:
                key = self.places.token(self.places.children(0, value)[name][0], name)
                message = f'no header: the key is "{name}", not "autopack"'
                self._report("AP1001", message, *key, help=f"write `autopack: {header}`", fix="autopack")
                return
        told = [kind for key, kind in TELLING_KEYS.items() if key in mapping]
        kind = told[0] if told else "playbook"
        help_ = f"start the file with `autopack: {kind}/v{VERSION}` (kinds: {', '.join(KINDS)})"
        start, end = place
        self._report("AP1001", "no header: the file does not say what it is", start, end, help=help_)
        if told and (start == 0 or self.text[start - 1] == "\n"):
            here = self.places.span(start, start)
            self.problems[-1] = self.problems[-1]._replace(fixes=(Fix(here, f"autopack: {kind}/v{VERSION}\n"),))

    # --- faults the parser meets ---

    def _forbidden(self) -> None:
        found = FORBIDDEN.search(self.text)
        start, end = found.span() if found else (0, 0)
        code = ord(self.text[start])
        message = f"a control character, U+{code:04X}"
        self._report("AP1025", message, start, end, help=f'remove it, or write "\\u{code:04x}" in double quotes')

    def _syntax(self, error: yaml.MarkedYAMLError) -> None:
        fault = _in_plain_words(error, self.text)
        start = fault.start
        if "{{" in self.text[self.text.rfind("\n", 0, start) + 1 : start]:
            self.problems = [found for found in self.problems if found.code != "AP1018"]  # the same fault
        labels = self._opened(error, start)
        token = TOKEN.match(self.text, start)
        self._report(fault.code, fault.message, start, token.end() if token else start, labels, fault.help)
        if fault.message == BEHIND_TEMPLATE:
            self._quote_template(start)

    def _quote_template(self, behind: int) -> None:
        """The repair of a template that is the start of a longer text."""
        first = self.text.rfind("\n", 0, behind) + 1
        value = re.compile(TEMPLATE_VALUE, re.MULTILINE).match(self.text, first)
        quoted = _in_quotes(value[1]) if value else None
        if value and quoted:
            fixes = (Fix(self.places.span(*value.span(1)), quoted),)
            self.problems[-1] = self.problems[-1]._replace(fixes=fixes)

    def _opened(self, error: yaml.MarkedYAMLError, before: int) -> tuple[Label, ...]:
        """Where the collection starts that the parser was in."""
        mark, context = error.context_mark, error.context or ""
        if mark is None or mark.index >= before or not context.endswith(("mapping", "sequence", "collection")):
            return ()
        what = "mapping" if context.endswith("mapping") else "list"
        return (self._label(mark.index, mark.index + 1, f"the {what} starts here"),)

    # --- findings ---

    def _written(self, event: Any) -> tuple[int, int]:
        return event.start_mark.index, event.end_mark.index

    def _label(self, start: int, end: int, text: str) -> Label:
        return Label(self.places.span(start, end), text)

    def _stop(self, code: str, message: str, start: int, end: int, *labels: Label) -> NoReturn:
        self._report(code, message, start, end, labels)
        raise _Unreadable

    def _report(
        self,
        code: str,
        message: str,
        start: int,
        end: int,
        labels: tuple[Label, ...] = (),
        help: str | None = None,  # noqa: A002 - the name of the field it fills
        fix: str | None = None,  # what to write there instead
    ) -> None:
        if len(self.problems) >= FINDINGS_MAX:
            message = f"more than {FINDINGS_MAX:,} findings in this file; from here on they are not listed"
            self.problems.append(problem("AP1024", message, self.places.span(start, end)))
            raise _Unreadable
        span = self.places.span(start, end)
        fixes = (Fix(span, fix),) if fix else ()
        self.problems.append(problem(code, _short(message), span, labels, help and _short(help), fixes))


def _in_quotes(text: str) -> str | None:
    """The text as a quoted scalar on one line; None for what takes more thought."""
    if "\n" in text or "\\" in text:
        return None
    return f"'{text}'" if '"' in text and "'" not in text else None if '"' in text else f'"{text}"'


def _short(text: str) -> str:
    return text if len(text) <= WORDS_MAX else text[:WORDS_MAX] + "…"


def _lookalike(name: str, among: Collection[str]) -> str | None:
    return nearest(name, islice(among, LOOKALIKES_MAX)) if len(name) <= LOOKALIKES_MAX else None


def _merge_below(node: dict[str, Value], sources: list[dict[str, Value]]) -> None:
    """Puts in front what `<<` brings; an own key wins over it, and a nearer source over a farther one."""
    own = dict(node)
    node.clear()
    for mapping in reversed(sources):
        node.update(mapping)
    node.update(own)


# --- the text once more -----------------------------------------------------------------------------------


class Mark(NamedTuple):
    """One event of the parser: `map`, `seq`, `scalar`, `alias` or `end` of a collection, with its offsets."""

    kind: str
    start: int
    end: int
    anchor: str | None = None
    flow: bool = False
    style: str | None = None


def marks(document: Document) -> Iterator[Mark]:
    """The nodes of a document in reading order, for whoever cares how it was written and not what it says."""
    get = _events(document.text, document.text.encode())
    for event in iter(get, None):
        start, end = event.start_mark.index, event.end_mark.index
        kind = type(event)
        if kind is ScalarEvent:
            yield Mark("scalar", start, end, event.anchor, style=event.style)
        elif kind is AliasEvent:
            yield Mark("alias", start, end)
        elif kind in (MappingStartEvent, SequenceStartEvent):
            name = "map" if kind is MappingStartEvent else "seq"
            yield Mark(name, start, end, event.anchor, bool(event.flow_style))
        elif kind in (MappingEndEvent, SequenceEndEvent):
            yield Mark("end", start, end)
        elif kind is DocumentEndEvent:
            return


def comments(document: Document) -> Iterator[tuple[int, int]]:
    """Offsets of every comment: what looks like one inside a text is none."""
    at = 0
    for mark in marks(document):
        if mark.kind in ("scalar", "alias"):
            head = mark.start
            if mark.style in BLOCK_STYLES:  # a comment may stand behind the `|`
                head = document.text.find("\n", mark.start, mark.end) + 1 or mark.end
            yield from _comments(document.text, at, head)
            at = mark.end
    yield from _comments(document.text, at, len(document.text))


def _comments(text: str, start: int, end: int) -> Iterator[tuple[int, int]]:
    return (found.span() for found in COMMENT.finditer(text, start, end))


COMMENT = re.compile(r"(?<!\S)#[^\r\n]*")


# --- the parser -------------------------------------------------------------------------------------------


def _events(text: str, source: bytes) -> Callable[[], Any]:
    """The next event at each call. Offsets count the characters of `text`, also where libyaml reads `source`."""
    if accelerated():
        get: Callable[[], Any] = yaml.CSafeLoader(source).get_event
        return get
    unchecked: Callable[[], Any] = yaml.SafeLoader(text).get_event

    def checked() -> Any:
        event = unchecked()
        if getattr(event, "style", None) == '"' and SURROGATE.search(event.value):
            # libyaml refuses half a character by itself; no hash or store could take it
            raise yaml.scanner.ScannerError(None, None, "found invalid Unicode character", event.start_mark)
        return event

    return checked


SURROGATE = re.compile("[\ud800-\udfff]")
TOKEN = re.compile(r"\t+|[^\s,\[\]{}:]+|\S")


class _Fault(NamedTuple):
    code: str
    start: int
    message: str
    help: str | None


class _Words(NamedTuple):
    fragment: str  # of the parser's own words, libyaml's or PyYAML's
    message: str  # `{char}` is the character at the place
    help: str | None = None
    at_context: bool = False  # where the construct starts says more than where the parser gave up


INDENTATION = "compare the indentation of this line with the lines above"
PLAIN_WORDS = (
    _Words(
        "mapping values are not allowed",
        "a `:` makes a key of what stands where no key can be",
        f"put the text in quotes if the colon belongs to it; otherwise {INDENTATION}",
    ),
    _Words(
        "could not find expected ':'",
        "a line that is neither a key with `:` nor part of the value above",
        f"add the colon, or {INDENTATION}",
        at_context=True,
    ),
    _Words("cannot start any token", 'plain text cannot start with "{char}"', "put the text in quotes"),
    _Words(
        "sequence entries are not allowed",
        "a list item `-` where no list can start",
        f"start the list on the line below its key, or {INDENTATION}",
    ),
    _Words("found unexpected end of stream", "quotes that are never closed", None, at_context=True),
    _Words("found unexpected document", "quotes that are never closed", None, at_context=True),
    _Words(
        "unknown escape",
        "an escape that YAML does not know",
        "use single quotes, where a backslash is only a backslash, or write it twice",
    ),
    _Words("hexdecimal", "an escape whose hexadecimal digits are missing", None),
    _Words("hexadecimal", "an escape whose hexadecimal digits are missing", None),
    _Words("invalid Unicode", "an escape that is half a character", "write the character itself"),
    _Words("',' or ']'", "a `,` or the `]` of this list is missing", None),
    _Words("',' or '}'", "a `,` or the `}}` of this mapping is missing", None),
    _Words("document start", "text after the end of the document", "remove the `...` above"),
    _Words("comment or", "text behind the `|` or `>` of a block", "start the text on the next line"),
    _Words("indentation indicator", "an indentation of 0 for a block of text", "leave the digit out"),
    _Words("scanning an alias", "`*` without a name", "put text that starts with `*` in quotes", at_context=True),
    _Words("scanning an anchor", "`&` without a name", "put text that starts with `&` in quotes", at_context=True),
    _Words("node content", 'a value is missing before "{char}"', None),
    _Words("directive", "a broken `%` directive", "remove it: no file here needs one", at_context=True),
    _Words("incompatible YAML", "a YAML version that is not 1.x", "remove the `%YAML` line"),
    _Words("tag", "a broken tag", "put text that starts with `!` in quotes", at_context=True),
    _Words("unexpected ':'", "a `:` without a space behind it", "write `key: value`"),
)
BEHIND_TEMPLATE = "text behind a template without quotes"
TEMPLATE_VALUE = r"(?:[ \t]*-)*[ \t]*(?:[\w-]+:[ \t]+)?(\{\{[^\r\n#]*[^\r\n# \t])[ \t]*(?:[ \t]#.*)?\r?$"
QUOTE_CLOSED = re.compile(r"""["'][ \t]*$""")


def _in_plain_words(error: yaml.MarkedYAMLError, text: str) -> _Fault:
    said = f"{error.context or ''}: {error.problem or ''}"
    context = error.context_mark.index if error.context_mark else None
    start = error.problem_mark.index if error.problem_mark else context or 0
    if text.startswith("\t", start) and ("tab character" in said or "start any token" in said):
        return _Fault("AP1009", start, "a tab where the indentation decides", "indent with spaces")
    if "undefined tag handle" in said:
        return _Fault("AP1006", start, "custom tag", "remove it: values are plain YAML")
    line = text[text.rfind("\n", 0, start) + 1 : start]
    char = text[start : start + 1]
    if "expected key" in said or "block end" in said or "'-' indicator" in said:
        return _misplaced(start, char, line, "list" if "collection" in said else "mapping")
    words = next((words for words in PLAIN_WORDS if words.fragment in said), None)
    if words is None:
        return _Fault("AP1015", start, f"not valid YAML: {error.problem}", None)
    if context is not None and (words.at_context or start >= len(text.rstrip())):
        start = context
    return _Fault("AP1015", start, words.message.format(char=char or "the end"), words.help)


def _misplaced(start: int, char: str, line: str, what: str) -> _Fault:
    """The parser found something that continues nothing; `line` is what stands before it."""
    if "{{" in line:
        message, help_ = BEHIND_TEMPLATE, 'put the whole text in quotes: "{{ ... }} ..."'
    elif QUOTE_CLOSED.search(line):
        message, help_ = "text behind the closing quote", "put it inside the quotes; write a quote inside twice"
    elif char and char in "]}":
        message, help_ = f"a `{char}` that nothing opened", None
    else:
        message, help_ = f"this does not fit the {what} it stands in", INDENTATION
    return _Fault("AP1015", start, message, help_)
