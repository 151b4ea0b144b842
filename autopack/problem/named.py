"""Tuples with named fields, made in a tenth of the time that `typing.NamedTuple` takes for each.

A check of one file makes thirty such classes before it reads a line. What they can do is the same, but for generics.
"""

from __future__ import annotations

from _collections import _tuplegetter  # type: ignore[import-not-found]  # `collections.namedtuple` reads fields with it

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

MISSING = object()


class Named(type):
    """Makes a tuple of a class's annotations, and is not the type of what it made."""

    def __new__(cls, name: str, _bases: tuple[type, ...], body: dict[str, Any]) -> Any:
        fields = tuple(body.get("__annotations__", ()))
        defaults = {each: body.pop(each) for each in fields if each in body}
        readers = {each: _tuplegetter(place, "") for place, each in enumerate(fields)}
        words = {"__slots__": (), "__match_args__": fields, "_fields": fields, "_field_defaults": defaults}
        return type(name, (tuple,), {**_METHODS, **body, **readers, **words})


NamedTuple = type.__new__(Named, "NamedTuple", (), {})


def _new(cls: Any, /, *values: Any, **named: Any) -> Any:
    if named or len(values) != len(cls._fields):
        values = _completed(cls, values, named)
    return tuple.__new__(cls, values)


def _completed(cls: Any, values: tuple[Any, ...], named: Mapping[str, Any]) -> tuple[Any, ...]:
    left = cls._fields[len(values) :]
    given = {**cls._field_defaults, **named}
    found = [given.get(each, MISSING) for each in left]
    if len(values) > len(cls._fields) or any(each is MISSING for each in found) or not named.keys() <= set(left):
        said = f"{len(values)} values and {', '.join(named) or 'no names'}"
        raise TypeError(f"{cls.__name__}({', '.join(cls._fields)}) can't be made of {said}")
    return (*values, *found)


def _make(cls: Any, values: Iterable[Any]) -> Any:
    return cls(*values)


def _replace(self: Any, /, **changes: Any) -> Any:
    values = [changes.pop(name, value) for name, value in zip(self._fields, self, strict=True)]
    if changes:
        raise ValueError(f"{type(self).__name__} has no field {', '.join(changes)}")
    return tuple.__new__(type(self), values)


def _asdict(self: Any) -> dict[str, Any]:
    return dict(zip(self._fields, self, strict=True))


def _repr(self: Any) -> str:
    return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in _asdict(self).items())})"


def _newargs(self: Any) -> tuple[Any, ...]:
    return tuple(self)


_METHODS = {
    "__new__": _new,
    "__repr__": _repr,
    "__getnewargs__": _newargs,
    "_make": classmethod(_make),
    "_replace": _replace,
    "_asdict": _asdict,
}
