"""Frozen dataclasses to canonical JSON and back, and the digest over it.

Used for plans, effects and events. One value has one text: keys sorted, no white space, money as a decimal
string without needless zeros, tuples as arrays, no times and no floats that were not written as such; half a
surrogate pair is escaped, so that every text can be encoded. Decoding is strict: an unknown, missing or repeated
field is a `NotThisShape`, so that a file changed by hand is refused instead of half understood.
"""

import dataclasses
import functools
import hashlib
import json
import math
import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from operator import add, attrgetter, is_not
from typing import Any, TypeVar, cast

T = TypeVar("T")


class NotThisShape(ValueError):
    """The data does not have the shape of the type; `.path` is the dotted place of the first difference."""

    def __init__(self, path: str, fact: str) -> None:
        super().__init__(f"{path or 'value'}: {fact}")
        self.path = path


def plain(value: object) -> Any:
    """The JSON-ready form (dict, list, str, int, float, bool, None) of a frozen value."""
    if value is None or isinstance(value, (str, int, float)):
        return value
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    return plain(_one_step(value))


def text(value: object) -> str:
    """The one canonical JSON text of a value. Raises ValueError for what JSON has no number for."""
    return _encodable(_WRITERS[type(value)](value, {}))


class Retelling:
    """The text of one thing again and again (a record, a list, a mapping from text), which changes little in between.

    Only what is another object than last time is written anew: what is inside never changes in place.
    """

    __slots__ = ("_heads", "_texts", "_values")

    def __init__(self) -> None:
        self._heads: Sequence[Any] = ()
        self._values: Sequence[Any] = ()
        self._texts: list[str] = []

    def text(self, value: Any) -> str:
        """As `text(value)`; always of the same type."""
        cls: Any = type(value)
        if cls is list:
            return _encodable(f"[{','.join(self._retold(range(len(value)), value))}]")
        heads, read = _sorted_names(value) if cls is dict else _sorted_fields(cls)
        return _encodable(f"{{{','.join(map(add, heads, self._retold(heads, read(value))))}}}")

    def _retold(self, heads: Sequence[Any], values: Sequence[Any]) -> list[str]:
        if heads != self._heads:
            before = dict(zip(self._heads, zip(self._values, self._texts, strict=True), strict=True))
            known = [before.get(head, (before, "")) for head in heads]  # which is no value of anybody's
            self._heads, self._values = heads, [value for value, _ in known]
            self._texts = [text for _, text in known]
        for place, changed in enumerate(map(is_not, values, self._values)):
            if changed:
                self._texts[place] = _WRITERS[type(values[place])](values[place], {})
        self._values = values
        return self._texts


_Fields = tuple[Sequence[str], Callable[[Any], Sequence[Any]]]
"""How each field begins, in the order of the text, and what reads them all."""

_Known = dict[int, str]
"""The texts of records by their identity: a plan holds many of them many times."""


def _all_written(values: Iterable[Any], known: _Known) -> list[str]:
    """Most of a plan is text, which needs no further call."""
    return [_quoted(each) if type(each) is str else _WRITERS[type(each)](each, known) for each in values]


def _list_written(values: Sequence[Any], known: _Known) -> str:
    return f"[{','.join(_all_written(values, known))}]" if values else "[]"


def _dict_written(value: Any, known: _Known) -> str:
    if any(type(name) is not str for name in value):
        return _encode(value)
    heads, read = _sorted_names(value)
    return f"{{{','.join(map(add, heads, _all_written(read(value), known)))}}}"


def _sorted_names(table: Mapping[str, Any]) -> "_Fields":
    names = sorted(table)
    return [f"{_quoted(name)}:" for name in names], lambda table: [table[name] for name in names]


def _float_written(value: float, _known: _Known) -> str:
    return repr(value) if math.isfinite(value) else _encode(value)


def _record_writer(cls: Any) -> "_Writer":
    heads, read = _sorted_fields(cls)

    def write(value: Any, known: _Known) -> str:
        found = known.get(id(value))
        if found is None:
            found = known[id(value)] = f"{{{','.join(map(add, heads, _all_written(read(value), known)))}}}"
        return found

    return write


def _one_step(value: object) -> Any:
    """What JSON knows in place of what it doesn't; the encoder asks again for what is inside."""
    cls: Any = type(value)
    return _step(cls)(value)


@functools.cache
def _step(cls: Any) -> Callable[[Any], Any]:
    """How values of a class are taken apart, found once: a plan has thousands, and a run makes them for every key."""
    if issubclass(cls, Decimal):
        return _amount
    if issubclass(cls, Mapping):
        return dict
    if dataclasses.is_dataclass(cls):
        names = _names(cast("Any", cls))
        read = _reader(names)
        return lambda value: dict(zip(names, read(value), strict=True))
    raise TypeError(f"{cls.__name__} has no canonical form")


# made once: json.dumps with these settings would make one for each call
_encode = json.JSONEncoder(
    sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False, default=_one_step
).encode
_quoted: Callable[[Any], str] = json.encoder.encode_basestring  # as that encoder does

_Writer = Callable[[Any, _Known], str]


class _Writers(dict[type, _Writer]):
    """What writes values of a type, found once for each: a run writes some hundred of them for every event."""

    def __missing__(self, kind: type) -> _Writer:
        is_record = dataclasses.is_dataclass(kind)
        writer = self[kind] = _record_writer(kind) if is_record else lambda value, _known: _encode(value)
        return writer


_BUILT_IN: Mapping[type, Any] = {
    str: lambda value, _known: _quoted(value),
    int: lambda value, _known: repr(value),
    bool: lambda value, _known: "true" if value else "false",
    type(None): lambda _value, _known: "null",
    float: _float_written,
    Decimal: lambda value, _known: f'"{_amount(value)}"',
    tuple: _list_written,
    list: _list_written,
    dict: _dict_written,
}
_WRITERS = _Writers(_BUILT_IN)
_HALF_PAIR = re.compile("[\ud800-\udfff]")


def _encodable(found: str) -> str:
    return found if found.isascii() else _HALF_PAIR.sub(lambda half: f"\\u{ord(half[0]):04x}", found)


def digest(value: object) -> str:
    """sha256 (64 hex digits) of the canonical text."""
    return digest_of(text(value))


def digest_of(canonical_text: str) -> str:
    """As `digest`, of a value whose text is at hand."""
    return hashlib.sha256(canonical_text.encode()).hexdigest()


def build(cls: type[T], data: object, path: str = "") -> T:
    """The dataclass `cls` from its JSON-ready form. Raises NotThisShape."""
    hint: Any = cls
    return cast("T", _decoder(hint)(data, path))


def load(cls: type[T], source: str) -> T:
    """As `build`, from JSON text. Raises NotThisShape, also for text that is no JSON."""
    return build(cls, parsed(source))


def parsed(source: str) -> Any:
    """What a JSON text says, each field once. Raises NotThisShape."""
    try:
        return json.loads(source, object_pairs_hook=_fields_once)
    except json.JSONDecodeError as error:
        raise NotThisShape("", f"not JSON: line {error.lineno} column {error.colno}: {error.msg}") from error
    except NotThisShape:
        raise
    except (ValueError, RecursionError) as error:
        raise NotThisShape("", f"not readable: {error}") from error


def _fields_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        repeated = next(name for name in names if names.count(name) > 1)
        raise NotThisShape(repeated, "written more than once")
    return found


def _amount(value: Decimal) -> str:
    """Equal amounts in equal words: 5, never 5.00 or 5E+0."""
    if not value.is_finite():
        raise ValueError(f"{value} is no amount")
    words = format(value, "f")
    if "." in words:
        words = words.rstrip("0").rstrip(".")
    return "0" if words == "-0" else words


Decoder = Callable[[Any, str], Any]


@functools.cache
def _names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in dataclasses.fields(cls))


@functools.cache
def _sorted_fields(cls: Any) -> "_Fields":
    names = sorted(_names(cls))
    return [f'"{name}":' for name in names], _reader(names)


def _reader(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """What reads these fields of a record at once."""
    read: Any = attrgetter(*names) if len(names) > 1 else lambda value: tuple(getattr(value, each) for each in names)
    return cast("Callable[[Any], tuple[Any, ...]]", read)


@functools.cache
def _decoder(hint: Any) -> Decoder:
    origin = typing.get_origin(hint)
    if origin in (typing.Union, types.UnionType):
        return _optional(hint)
    if origin is tuple:
        return _sequence(typing.get_args(hint))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping(typing.get_args(hint)[1])
    if origin is typing.Literal:
        return _literal(typing.get_args(hint))
    if dataclasses.is_dataclass(hint):
        return _record(cast("type", hint))
    return _scalar(hint)


def _optional(hint: Any) -> Decoder:
    arms = typing.get_args(hint)
    inner = [arm for arm in arms if arm is not type(None)]
    if len(inner) > 1:
        return _one_of(arms)
    decode = _decoder(inner[0])
    return lambda data, path: None if data is None else decode(data, path)


def _one_of(arms: tuple[Any, ...]) -> Decoder:
    """A union of plain scalars (`str | int | float | bool`): the value is taken as it stands."""

    def decode(data: Any, path: str) -> Any:
        if type(data) not in arms:
            raise NotThisShape(path, f"{type(data).__name__} is none of {', '.join(a.__name__ for a in arms)}")
        return _finite(data, path) if isinstance(data, float) else data

    return decode


def _sequence(args: tuple[Any, ...]) -> Decoder:
    if len(args) == 2 and args[1] is Ellipsis:
        item = _decoder(args[0])
        return lambda data, path: tuple(item(x, f"{path}[{i}]") for i, x in enumerate(_list(data, path)))
    items = [_decoder(arg) for arg in args]

    def decode(data: Any, path: str) -> tuple[Any, ...]:
        values = _list(data, path)
        if len(values) != len(items):
            raise NotThisShape(path, f"{len(values)} items where {len(items)} belong")
        return tuple(item(x, f"{path}[{i}]") for i, (item, x) in enumerate(zip(items, values, strict=True)))

    return decode


def _mapping(value_hint: Any) -> Decoder:
    value = _decoder(value_hint)

    def decode(data: Any, path: str) -> Mapping[str, Any]:
        if not isinstance(data, dict):
            raise NotThisShape(path, f"{type(data).__name__} where an object belongs")
        return {key: value(item, _below(path, key)) for key, item in data.items()}

    return decode


def _literal(words: tuple[Any, ...]) -> Decoder:
    def decode(data: Any, path: str) -> Any:
        if data not in words:
            raise NotThisShape(path, f"{data!r} is none of {', '.join(map(str, words))}")
        return data

    return decode


def _record(cls: type) -> Decoder:
    hints = typing.get_type_hints(cls, localns={"Literal": typing.Literal})
    decoders = [(field.name, _decoder(hints[field.name])) for field in dataclasses.fields(cls)]
    known = {name for name, _ in decoders}

    def decode(data: Any, path: str) -> Any:
        if not isinstance(data, dict):
            raise NotThisShape(path, f"{type(data).__name__} where an object belongs")
        if data.keys() != known:
            missing, unknown = sorted(known - data.keys()), sorted(data.keys() - known)
            raise NotThisShape(path, f"missing {missing}" if missing else f"unknown {unknown}")
        return cls(**{name: item(data[name], _below(path, name)) for name, item in decoders})

    return decode


def _scalar(hint: Any) -> Decoder:
    if hint is Decimal:
        return _money
    if hint is object or hint is Any:
        return lambda data, _path: data
    wanted = (int, float) if hint is float else hint

    def decode(data: Any, path: str) -> Any:
        if not isinstance(data, wanted) or (isinstance(data, bool) and hint is not bool):
            raise NotThisShape(path, f"{type(data).__name__} where {hint.__name__} belongs")
        return _finite(data, path) if hint is float else data

    return decode


def _finite(data: float, path: str) -> float:
    """A float, also where a whole number was written: so 2 and 2.0 are one value and have one text."""
    try:
        value = float(data)
    except OverflowError:
        value = math.inf
    if not math.isfinite(value):
        raise NotThisShape(path, f"{data} is no number to count with")
    return value


def _money(data: Any, path: str) -> Decimal:
    if isinstance(data, str):
        try:
            value = Decimal(data)
        except ArithmeticError:
            raise NotThisShape(path, f"{data!r} is no decimal number") from None
        if value.is_finite():
            return value
    raise NotThisShape(path, f"{data!r} is no decimal number in a string")


def _below(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _list(data: Any, path: str) -> list[Any]:
    if not isinstance(data, list):
        raise NotThisShape(path, f"{type(data).__name__} where a list belongs")
    return data
