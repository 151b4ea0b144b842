"""The parser's events -> plain values, with a cell for every node (see `places`).

What is common is written out, what is rare is not: most of a check's time is spent in the two loops here.
"""

from collections.abc import Mapping

from autopack.problem.typed import Any, NoReturn
from autopack.spec.anchors import Anchor, unused_anchors
from autopack.spec.findings import Findings, Unreadable, in_quotes, lookalike
from autopack.spec.header import header, second_document
from autopack.spec.parser import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    MarkedYAMLError,
    ReaderError,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
    events,
)
from autopack.spec.patterns import put_off
from autopack.spec.places import Places
from autopack.spec.scalars import (
    BLOCK_STYLES,
    DIGITS_MAX,
    KNOWN_MAX,
    OUT_OF_RANGE,
    STARTS,
    SUSPECTS,
    WORDS,
    Value,
    plain,
)
from autopack.spec.source import BYTES_MAX, SPLIT

WEIGHT_MAX = 500_000  # of one file, in cells: some 10,000 phases, and half a second
NAME_WEIGHT = 2  # of a key that was not met before, besides its cell: nobody writes so many by hand
ANCHOR_WEIGHT = 6  # of an anchor, besides its cell
MERGE_WEIGHT = 8  # of a `<<`, besides one for each key it brings: what it costs compared with a cell
EXPANSION_MAX = BYTES_MAX  # characters that all aliases of a file may stand for together
SIGNS = ("${{", *(f" #{digit}" for digit in range(10)), *"\u201c\u201d\u201e\u00ab\u2018\u201a")  # see `slips`
FLATTER = "write it flatter: no kind of file needs more than ten levels"
DEPTH_MAX = 100  # of nested collections, aliases expanded: far from Python's limit on recursion

CORE = "tag:yaml.org,2002:"
TAG = put_off(r"![^\s,\[\]{}]*")
TYPES: dict[str, type] = {"int": int, "float": float, "bool": bool, "null": type(None)}
TYPE_WORDS = {int: "number", float: "number", bool: "boolean", type(None): "null", str: "string"}


class Reader:
    __slots__ = (
        "anchors",
        "blocks",
        "cells",
        "certain",
        "deepest",
        "doubtful",
        "every_anchor",
        "expanded",
        "found",
        "get",
        "known",
        "last",
        "names",
        "places",
        "repeated",
        "room",
        "sought",
        "source",
        "text",
    )

    def __init__(self, path: str, text: str, source: bytes) -> None:
        self.text = text
        self.source = source
        self.places = Places(path, text)
        self.cells = self.places.cells
        self.found = Findings(self.places)
        self.certain = True
        self.repeated: dict[int, set[str]] = {}  # keys written twice, by the `id` of their mapping
        self.names: dict[str, str] = {}  # plain keys met before: one object each, and known to be strings
        self.known: dict[str, Value] = dict(WORDS)  # conversions of plain scalars in which nothing is wrong
        self.anchors: dict[str, Anchor] = {}
        self.every_anchor: list[Anchor] = []
        self.sought: set[str] = set()  # names of anchors that an unknown alias meant: one fault, one finding
        self.doubtful = False  # whether an item may have swallowed the next one
        self.expanded = 0  # characters all aliases stand for
        self.deepest = 0
        self.room = WEIGHT_MAX  # for cells, less what weighs more than the cells it takes
        self.last: Any = None  # the event that ended the last collection
        self.blocks: list[tuple[int, str, str, dict[str, Value]]] = []  # see `swallowed`

    def read(self) -> tuple[Value, str | None] | None:
        """The value and its kind, None where the header is at fault; nothing where the text has no certain meaning.

        What is wrong with it is in `found` either way.
        """
        try:
            value = self._parse()
            self._leftovers()
            kind = header(self.found, value)
        except Unreadable:
            return None
        except (ReaderError, MarkedYAMLError) as error:
            from autopack.spec.faults import unreadable  # noqa: PLC0415 - only what can't be read pays for its words

            unreadable(self.found, error)
            return None
        return (value, kind) if self.certain else None

    def _leftovers(self) -> None:
        unused_anchors(self.found, self.every_anchor, self.sought)
        if self.blocks:
            from autopack.spec.swallowed import swallowed_keys  # noqa: PLC0415 - only a text with a colon can

            swallowed_keys(self.found, self.blocks)
        if self.doubtful or any(sign in self.text for sign in SIGNS):
            from autopack.spec.slips import slips  # noqa: PLC0415 - few texts give a reason to

            self.certain = slips(self.found, self.source) and self.certain

    def _parse(self) -> Value:
        self.get = events(self.text, self.source)
        self.get()
        first = self.get()
        if type(first) is not DocumentStartEvent:  # nothing but comments
            self.cells.append(0)
            return None
        value = self._node(self.get(), 1)
        self.get()
        event = self.get()
        if type(event) is DocumentStartEvent:
            second_document(self.found, event, value)
        return value

    def _bear(self, weight: int, start: int) -> None:
        """What weighs more than the cells it takes."""
        self.room -= weight
        if len(self.cells) > self.room:
            self._too_much(start)

    def _too_much(self, start: int) -> NoReturn:
        from autopack.spec.faults import token  # noqa: PLC0415 - as said above

        start, end = token(self.text, start)
        self.found.report("AP1026", "the file holds too many keys and values up to here", start, end, help=SPLIT)
        raise Unreadable

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
        if cell > self.room:  # here is enough: a mapping holds few keys that were met before, and new ones weigh more
            self._too_much(event.start_mark.index)
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
                elif value[:1] in STARTS and not event.style:
                    value = known[value] if value in known else self._plain(event)
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
            if len(cells) > self.room:
                self._too_much(event.start_mark.index)
            if kind is ScalarEvent and not event.anchor and not event.tag and event.style not in BLOCK_STYLES:
                value = event.value
                if value[:1] in STARTS and not event.style:
                    value = known[value] if value in known else self._plain(event)
                elif " - " in value and not event.style:
                    self.doubtful = True
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
            self.found.stop("AP1014", f"nested deeper than {DEPTH_MAX} levels", (start, start + 1), FLATTER)
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

    def _plain(self, event: Any) -> Value:
        """A plain scalar that is no known word, and may be a number."""
        return self._suspect(event) if event.value[:1] in SUSPECTS else event.value

    def _suspect(self, event: Any) -> Value:
        """A plain scalar that may be no string."""
        text = event.value
        value = plain(text)
        start, end = self._written(event)
        if value is OUT_OF_RANGE:
            message = f"{self.text[start:end][:DIGITS_MAX]} cannot be kept: not a finite number of 64 bits"
            self.found.report(
                "AP1022", message, start, end, help=f'put it in quotes if it is text: "{text[:DIGITS_MAX]}"'
            )
            return 1  # passes most later checks: one fault, one finding
        if type(value) is int and text.lstrip("+-")[:1] == "0" and text.lstrip("+-0")[:1].isdigit():
            help_ = f'write {value}, or "{text}" if the zeros belong to it'
            self.found.report("AP1017", f"{text} is read as {value}: a leading zero", start, end, help=help_)
            return value
        if len(self.known) < KNOWN_MAX:
            self.known[text] = value
        return value

    def _block(self, event: Any, key: str, node: dict[str, Value]) -> None:
        self.places.ends[len(self.cells)] = event.end_mark.index
        if ":" in event.value:
            self.blocks.append((event.start_mark.index, event.value, key, node))

    # --- keys out of the ordinary ---

    def _new_key(self, event: Any, node: dict[str, Value]) -> str | None:
        """A key not met before, or None if it takes more than that to read it."""
        kind = type(event)
        if kind is not ScalarEvent or event.tag or event.anchor or event.value in node:
            return None
        name: str = event.value
        if not event.style:
            if name == "<<" or not isinstance(plain(name), str):
                return None
            self.names[name] = name
        self._bear(NAME_WEIGHT, event.start_mark.index)
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
            self._bear(0, event.start_mark.index)
            key = len(self.cells)
            merge = type(event) is ScalarEvent and event.value == "<<" and not (event.style or event.tag)
            name = self._odd_key(event, depth)
            if name is not None and first.setdefault(name, key) != key:
                twice = self.repeated.setdefault(id(node), set())
                self._repeated(name, key, first, twice)
                twice.add(name)
            value_cell = len(self.cells)
            event = self.get()
            if name is not None and getattr(event, "style", None) in BLOCK_STYLES:
                self._block(event, name, node)
            value = self._node(event, depth + 1)
            if merge:
                sources = self._sources(value_cell, value)
                start = self.cells[value_cell]
                self._bear(sum(MERGE_WEIGHT + len(mapping) for _, mapping in sources), start if start >= 0 else ~start)
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
        start, before = ~self.cells[cell], len(self.found.problems)
        while type(event) is not MappingEndEvent:
            self._bear(0, event.start_mark.index)
            self._node(event, depth + 1)
            event = self.get()
        within = [found for found in self.found.problems[before:] if found.code not in {"AP1017", "AP1018"}]
        self.found.problems[before:] = within  # the same fault
        self.last = event
        _, end = self._written(event)
        self.cells[cell + 1] = len(self.cells)
        self.places.ends[cell] = end
        message = "a template without quotes, which YAML reads as a mapping inside a mapping"
        written = self.text[start:end]
        self.found.report("AP1018", message, start, end, help=f'put it in quotes: "{written}"', fix=in_quotes(written))
        return written

    def _odd_key(self, event: Any, depth: int) -> str | None:
        """The key as a string; None if there is no way to see it as one."""
        cell, before = len(self.cells), len(self.found.problems)
        value = self._node(event, depth + 1)
        if isinstance(value, str):
            return value
        start, end = self.places.token(cell, value)
        if type(event) is not ScalarEvent:
            self.found.report("AP1018", "a key must be a string, not a mapping, a list or an alias of one", start, end)
            return None
        del self.found.problems[before:]  # they are about a number, and it should not be one
        text: str = event.value
        from autopack.spec.meant import torn  # noqa: PLC0415 - as said above

        if (number := torn(self.text, start)) is not None:
            first, end, advice = number
            if self.text.rfind(",", first, start) == self.text.find(",", first):  # and not once for each comma
                self.found.report("AP1018", "commas tear this number apart", first, end, help=advice)
            return None
        if text:
            what, help_ = f"{text} is a {TYPE_WORDS[type(value)]} to YAML", f'write "{text}" in quotes'
        else:
            what, help_ = "this one is empty", "write the name before the colon"
        self.found.report("AP1018", f"a key must be a string: {what}", start, end, help=help_)
        return text

    def _repeated(self, name: str, key: int, first: Mapping[str, int], twice: set[str]) -> None:
        """Unless the first key of a list's item came back before: then the `- ` of another item is missing there."""
        foremost = next(iter(first))
        begins = self.places.token(first[foremost], foremost)[0]
        line = self.text[self.text.rfind("\n", 0, begins) + 1 : begins]
        item = line.rstrip(" ").endswith("-") and "\n" in self.text[begins : self.places.token(key, name)[0]]
        if item and name != foremost and foremost in twice:
            return
        advice = "keep one of the two"
        if item and name == foremost:
            advice += ", or begin its line with `- ` if it starts another item"
        label = self.found.label(*self.places.token(first[name], name), "first written here")
        place = self.places.token(key, name)
        self.found.report("AP1005", f'duplicate key "{name}"', *place, labels=(label,), help=advice)

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
                help_ = "write `<<: *name`, where &name is a mapping above"
                self.found.report("AP1020", message, *self.places.token(item, mapping), help=help_)
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
            message = f'"{text}" is no {TYPE_WORDS[TYPES[tag]]}, as its tag !!{tag} says'
            self.found.report("AP1023", message, start, end, help="remove the tag")
        return value

    def _custom_tag(self, event: Any) -> None:
        start, end = event.start_mark.index, event.end_mark.index
        from autopack.spec.tokens import after_anchor  # noqa: PLC0415 - few files have any

        found = TAG.search(self.text, after_anchor(self.text, start, end))
        start, end = found.span() if found else (start, end)
        help_ = "remove it, or put text that starts with `!` in quotes; nothing is included"
        self.found.report("AP1006", f"custom tag {self.text[start:end]}", start, end, help=help_)

    def _collection_tag(self, event: Any) -> None:
        is_mapping = type(event) is MappingStartEvent
        tag = event.tag.removeprefix(CORE)
        if tag == event.tag or tag not in {"map", "seq", "str", *TYPES}:
            self._custom_tag(event)
        elif tag != ("map" if is_mapping else "seq"):
            found = TAG.search(self.text, event.start_mark.index)
            place = found.span() if found else self._written(event)
            what = "mapping" if is_mapping else "list"
            self.found.report("AP1023", f"a {what} does not fit its tag !!{tag}", *place, help="remove the tag")

    def _define(self, name: str, cell: int, start: int) -> Anchor:
        anchor = self.anchors[name] = Anchor(name, cell, start)
        self.every_anchor.append(anchor)
        self._bear(ANCHOR_WEIGHT, start)
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
        label = anchor.token(self.text)
        if anchor.chars < 0:
            self.certain = False
            message = f"*{anchor.name} stands inside the value it repeats"
            begins = self.found.label(*label, "the value begins here")
            self.found.report("AP1007", message, start, end, (begins,), "write the value out")
            return None
        self.places.aliases[cell] = anchor.cell
        self.expanded += anchor.chars
        if self.expanded > EXPANSION_MAX:
            message = f"the aliases up to here stand for more than {EXPANSION_MAX:,} characters"
            repeated = self.found.label(*label, "what is repeated here")
            self.found.stop("AP1008", message, (start, end), "repeat less, or write shorter values", repeated)
        height = depth - 1 + anchor.height
        if height > DEPTH_MAX:
            message = f"nested deeper than {DEPTH_MAX} levels, aliases expanded"
            repeated = self.found.label(*label, "what is repeated here")
            self.found.stop("AP1014", message, (start, end), FLATTER, repeated)
        self.deepest = max(self.deepest, height)
        return anchor.value

    def _unknown_alias(self, name: str, start: int, end: int) -> None:
        self.certain = False
        near = lookalike(name, self.anchors)
        self.sought |= {name, near or name}
        help_ = f"did you mean *{near}?" if near else f"define it above this line: &{name}"
        self.found.report("AP1019", f"no anchor &{name} above this alias", start, end, help=help_)

    def _written(self, event: Any) -> tuple[int, int]:
        return event.start_mark.index, event.end_mark.index


def _merge_below(node: dict[str, Value], sources: list[dict[str, Value]]) -> None:
    """Puts in front what `<<` brings; an own key wins over it, and a nearer source over a farther one."""
    own = dict(node)
    node.clear()
    for mapping in reversed(sources):
        node.update(mapping)
    node.update(own)
