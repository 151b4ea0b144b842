"""Frozen, slotted dataclasses whose methods are made when they are first needed.

`dataclass(frozen=True, slots=True)` writes and compiles six methods for each class while a module is imported, about a
millisecond each: for the model of a spec and of a plan that is more than checking a file takes. A `record` is made in
microseconds; it has the same fields, the same equality, hash and repr, and `dataclasses.fields` and `replace` know it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from operator import attrgetter

from autopack.problem.typed import Any, TypeVar, dataclass_transform

T = TypeVar("T")
MISSING: Any = object()
MADE_PLAINLY = 40
"""So many of a class are made before one `__init__` is written for it: most have fewer, and writing costs more."""


class Field:
    """A default that is made anew for each instance."""

    __slots__ = ("default_factory",)

    def __init__(self, default_factory: Callable[[], Any]) -> None:
        self.default_factory = default_factory


def field(*, default_factory: Callable[[], Any]) -> Any:
    return Field(default_factory)


class _Fields:
    """`__dataclass_fields__`, for the few that ask: made by the real thing."""

    def __get__(self, instance: object, owner: type) -> Mapping[str, Any]:
        import dataclasses  # noqa: PLC0415 - what this module does without

        made: dict[str, Any] = {}
        for name, hint in owner.__record_hints__.items():  # type: ignore[attr-defined]
            default = owner.__record_defaults__.get(name, MISSING)  # type: ignore[attr-defined]
            made[name] = dataclasses.field(**_said(default))
            made[name].name, made[name].type = name, hint
            made[name]._field_type = dataclasses._FIELD  # type: ignore[attr-defined]  # noqa: SLF001 - as dataclass() does
        owner.__dataclass_fields__ = made  # type: ignore[attr-defined]  # once for each class
        return made


def _said(default: Any) -> dict[str, Any]:
    if default is MISSING:
        return {}
    return {"default_factory": default.default_factory} if isinstance(default, Field) else {"default": default}


@dataclass_transform(frozen_default=True, field_specifiers=(field,))
def record(cls: type[T]) -> type[T]:
    """The class with slots for its annotations; those of a record it derives from are not looked at: none does."""
    hints = dict(cls.__dict__.get("__annotations__", {}))  # noqa: RUF063 - `inspect` is what this is to spare
    body = {name: value for name, value in cls.__dict__.items() if name not in ("__dict__", "__weakref__")}
    defaults = {name: body.pop(name) for name in hints if name in body}
    remembers = any(isinstance(each, cached_property) for each in body.values())  # beside its fields
    body |= {
        "__slots__": (*hints, "__dict__") if remembers else tuple(hints),
        "__match_args__": tuple(hints),
        "__record_hints__": hints,
        "__record_defaults__": defaults,
        "__record_count__": 0,
        "__record_reader__": None,
        "__dataclass_fields__": _Fields(),
        "__init__": _first_init,
        "__setattr__": _refuse,
        "__delattr__": _refuse,
        "__eq__": _eq,
        "__hash__": _hash,
        "__repr__": body.get("__repr__", _repr),
        "__getstate__": _state,
        "__setstate__": _restore,
    }
    made: type[T] = type(cls.__name__, cls.__bases__, body)
    made.__qualname__ = cls.__qualname__
    return made


def replace(value: T, **changes: Any) -> T:
    """The record with other values in some fields."""
    cls: Any = type(value)
    read, place = cls.__record_reader__ or _reader(cls)
    values = [*read(value)]
    try:
        for name, new in changes.items():
            values[place[name]] = new
    except KeyError:
        unknown = sorted(changes.keys() - place.keys())
        raise TypeError(f"{cls.__name__} has no field {', '.join(unknown)}") from None
    return cls(*values)  # type: ignore[no-any-return]


def _reader(cls: Any) -> tuple[Callable[[Any], tuple[Any, ...]], Mapping[str, int]]:
    """How to get all values of a record at once, and where each stands among them."""
    names: tuple[str, ...] = cls.__match_args__
    read: Any = attrgetter(*names) if len(names) > 1 else _values
    cls.__record_reader__ = read, {name: number for number, name in enumerate(names)}
    return cls.__record_reader__  # type: ignore[no-any-return]


def _first_init(self: Any, *values: Any, **named: Any) -> None:
    """Does without one of its own for the first few, then makes the real one, and is it."""
    cls = type(self)
    cls.__record_count__ += 1
    if cls.__record_count__ > MADE_PLAINLY or not _filled(self, values, named):
        _write_init(cls)
        cls.__init__(self, *values, **named)


def _filled(self: Any, values: tuple[Any, ...], named: Mapping[str, Any]) -> bool:
    """False where arguments are wrong: what a real `__init__` says of that is what has to be told."""
    names, defaults, left = self.__match_args__, self.__record_defaults__, len(named)
    if len(values) > len(names):
        return False
    write = object.__setattr__
    for name, value in zip(names, values, strict=False):
        write(self, name, value)
    for name in names[len(values) :]:
        if name in named:
            value, left = named[name], left - 1
        elif (value := defaults.get(name, MISSING)) is MISSING:
            return False
        elif isinstance(value, Field):
            value = value.default_factory()
        write(self, name, value)
    return not left


def _write_init(cls: Any) -> None:
    names, defaults = cls.__match_args__, cls.__record_defaults__
    heads, lines = ["self"], ["    _put = object.__setattr__"]
    space: dict[str, Any] = {"object": object}
    for name in names:
        default = defaults.get(name, MISSING)
        value = name
        if isinstance(default, Field):
            space[f"_made_{name}"], space["MISSING"] = default.default_factory, MISSING
            heads.append(f"{name}=MISSING")
            value = f"_made_{name}() if {name} is MISSING else {name}"
        elif default is not MISSING:
            space[f"_default_{name}"] = default
            heads.append(f"{name}=_default_{name}")
        else:
            heads.append(name)
        lines.append(f"    _put(self, {name!r}, {value})")
    exec(f"def __init__({', '.join(heads)}):\n" + "\n".join(lines), space)  # noqa: S102 - the names are identifiers
    cls.__init__ = space["__init__"]


def _refuse(_self: Any, name: str, *_value: Any) -> None:
    import dataclasses  # noqa: PLC0415 - see the module

    raise dataclasses.FrozenInstanceError(f"cannot assign to field {name!r}")


def _values(self: Any) -> tuple[Any, ...]:
    return tuple(getattr(self, name) for name in self.__match_args__)


def _eq(self: Any, other: object) -> Any:
    if type(other) is not type(self):
        return NotImplemented
    return self is other or _values(self) == _values(other)


def _hash(self: Any) -> int:
    return hash(_values(self))


def _repr(self: Any) -> str:
    return f"{type(self).__qualname__}({', '.join(f'{name}={getattr(self, name)!r}' for name in self.__match_args__)})"


def _state(self: Any) -> list[Any]:
    return list(_values(self))


def _restore(self: Any, state: list[Any]) -> None:
    for name, value in zip(self.__match_args__, state, strict=True):
        object.__setattr__(self, name, value)
